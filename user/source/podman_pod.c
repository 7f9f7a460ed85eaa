/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Podman's databases: where they are and how a pod is found in them. Version 4 makes a bolt
 * database (libpod/boltdb_state.go), which later versions go on with where they find one; version 5
 * makes one of SQLite (libpod/sqlite_state.go).
 */
#include "podman_pod.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bolt.h"
#include "container_state.h"
#include "sqlite_file.h"

#define PATH_BYTES 512

/* An open database. */
struct source {
	int fd;
	const char *path;
};

/* What a lookup gives, by a container's or a pod's id. */
enum column { POD_OF_CONTAINER, NAME_OF_POD };

static int find_in_bolt(const struct source *source, enum column column, const char *id,
			char *value, size_t size)
{
	const char *const of_container[] = {"ctr", id, "pod-id", NULL};
	const char *const of_pod[] = {"allPods", id, NULL};

	return bolt__get(source->fd, column == POD_OF_CONTAINER ? of_container : of_pod, value,
			 size);
}

static int find_in_sqlite(const struct source *source, enum column column, const char *id,
			  char *value, size_t size)
{
	static const char *const queries[] = {
		[POD_OF_CONTAINER] = "SELECT PodID FROM ContainerConfig WHERE ID = ?",
		[NAME_OF_POD] = "SELECT Name FROM PodConfig WHERE ID = ?",
	};

	return sqlite_file__get(source->fd, source->path, queries[column], id, value, size);
}

typedef int find_fn(const struct source *source, enum column column, const char *id, char *value,
		    size_t size);

/* Below /var/lib or the user's ~/.local/share. A bolt database that is there is used. */
static const struct {
	const char *file;
	find_fn *find;
} databases[] = {
	{"/containers/storage/libpod/bolt_state.db", find_in_bolt},
	{"/containers/storage/db.sql", find_in_sqlite},
};

/* Of a container without a network of the pod's the cgroup does not tell the pod. */
static int fill_in(const struct source *source, find_fn *find, struct container *container)
{
	int err = 0;

	if (!container->pod_id[0])
		err = find(source, POD_OF_CONTAINER, container->id, container->pod_id,
			   sizeof(container->pod_id));
	return err ? err
		   : find(source, NAME_OF_POD, container->pod_id, container->pod,
			  sizeof(container->pod));
}

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

static int find_in(const char *path, find_fn *find, struct container *container)
{
	struct source source = {open_file(path), path};
	int err;

	if (source.fd < 0)
		return -ENOENT;
	err = fill_in(&source, find, container);
	close(source.fd);
	return err;
}

int podman_pod__find(const char *root, struct container *container)
{
	char home[PATH_BYTES], path[3 * PATH_BYTES];
	bool is_busy = false;

	if (container->uid && !state_dir__home(home, sizeof(home), container->uid))
		return -ENOENT;
	for (size_t i = 0; i < sizeof(databases) / sizeof(databases[0]); i++) {
		int err;

		snprintf(path, sizeof(path), "%s%s%s%s", root, container->uid ? home : "/var/lib",
			 container->uid ? "/.local/share" : "", databases[i].file);
		err = find_in(path, databases[i].find, container);
		if (!err)
			return 0;
		is_busy |= err == -EAGAIN;
	}
	return is_busy ? -EAGAIN : -ENOENT;
}
