/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Podman's databases: where they are and how a pod's name is found in them. Until version 4 it is a
 * bolt database (libpod/boltdb_state.go), which later versions go on with where they find one.
 */
#include "podman_pod.h"

#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bolt.h"
#include "container_state.h"

#define PATH_BYTES 512
#define BOLT_FILE  "/containers/storage/libpod/bolt_state.db"

/* A user's file may be anything: a pipe is not waited for. */
static int open_file(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	struct stat st;

	if (fd < 0)
		return -1;
	if (!fstat(fd, &st) && S_ISREG(st.st_mode))
		return fd;
	close(fd);
	return -1;
}

/* Of a container without a network of the pod's the cgroup does not tell the pod. */
static int find_id(int fd, struct container *container)
{
	const char *const path[] = {"ctr", container->id, "pod-id", NULL};

	if (container->pod_id[0])
		return 0;
	return bolt__get(fd, path, container->pod_id, sizeof(container->pod_id));
}

static int find_name(int fd, struct container *container)
{
	const char *const path[] = {"allPods", container->pod_id, NULL};

	return bolt__get(fd, path, container->pod, sizeof(container->pod));
}

bool podman_pod__find(const char *root, struct container *container)
{
	char home[PATH_BYTES], path[3 * PATH_BYTES];
	int fd, err;

	if (!container->uid)
		snprintf(path, sizeof(path), "%s/var/lib" BOLT_FILE, root);
	else if (state_dir__home(home, sizeof(home), container->uid))
		snprintf(path, sizeof(path), "%s%s/.local/share" BOLT_FILE, root, home);
	else
		return false;
	fd = open_file(path);
	if (fd < 0)
		return false;
	err = find_id(fd, container);
	if (!err)
		err = find_name(fd, container);
	close(fd);
	return !err;
}
