/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From ids to paths: by file handle, which is one system call, or by walking the hierarchy.
 */
#include "cgroup.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <mntent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define MOUNTS	      "/proc/self/mountinfo"
#define FILEID_KERNFS 0xfe /* include/linux/exportfs.h: the handle is the id */

/* One line of mountinfo, see proc(5): "ID PARENT MAJ:MIN ROOT MOUNT OPTIONS [TAGS] - TYPE …" */
static void take_mount(struct cgroup_tree *tree, const char *line)
{
	char root[CGROUP_PATH_MAX], mount[CGROUP_PATH_MAX], type[16];
	const char *rest = strstr(line, " - ");

	if (!rest || sscanf(rest, " - %15s", type) != 1 ||
	    sscanf(line, "%*s %*s %*s %4095s %4095s", root, mount) != 2)
		return;
	if (!strcmp(type, "cgroup"))
		tree->has_v1 = true;
	if (strcmp(type, "cgroup2") || tree->mount)
		return;
	tree->mount = strdup(mount);
	tree->root = strdup(root);
}

static int find_mounts(struct cgroup_tree *tree)
{
	FILE *file = fopen(MOUNTS, "re");
	char *line = NULL;
	size_t size = 0;

	if (!file)
		return -errno;
	while (getline(&line, &size, file) > 0)
		take_mount(tree, line);
	free(line);
	fclose(file);
	return 0;
}

int cgroup_tree__open(struct cgroup_tree *tree)
{
	int err;

	*tree = (struct cgroup_tree){.fd = -1};
	err = find_mounts(tree);
	if (err || !tree->mount)
		return err;
	tree->fd = open(tree->mount, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return tree->fd < 0 ? -errno : 0;
}

void cgroup_tree__close(struct cgroup_tree *tree)
{
	if (tree->fd >= 0)
		close(tree->fd);
	free(tree->mount);
	free(tree->root);
	*tree = (struct cgroup_tree){.fd = -1};
}

/* @file, a path below the mount point, as one below the hierarchy's root. */
static int put_path(const struct cgroup_tree *tree, const char *file, char *path)
{
	size_t mount_len = strlen(tree->mount);
	const char *root = strcmp(tree->root, "/") ? tree->root : "";

	/* Of a cgroup that is not below what is mounted here the kernel tells the path from the
	 * hierarchy's root. */
	if (strncmp(file, tree->mount, mount_len)) {
		mount_len = 0;
		root = "";
	}
	return snprintf(path, CGROUP_PATH_MAX, "%s%s", root, file + mount_len) < CGROUP_PATH_MAX
		       ? 0
		       : -ENAMETOOLONG;
}

/* Returns a file descriptor or -errno. */
static int open_id(const struct cgroup_tree *tree, uint64_t id)
{
	union {
		struct file_handle handle;
		char room[sizeof(struct file_handle) + sizeof(id)];
	} by = {.handle = {.handle_bytes = sizeof(id), .handle_type = FILEID_KERNFS}};
	int fd;

	memcpy(by.handle.f_handle, &id, sizeof(id));
	fd = open_by_handle_at(tree->fd, &by.handle, O_PATH | O_CLOEXEC);
	if (fd >= 0)
		return fd;
	return errno == ESTALE ? -ENOENT : -errno;
}

int cgroup_tree__path(const struct cgroup_tree *tree, uint64_t id, char *path)
{
	char link[32], file[CGROUP_PATH_MAX];
	int fd = tree->fd < 0 ? -ENOENT : open_id(tree, id);
	ssize_t n;

	if (fd < 0)
		return fd;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	n = readlink(link, file, sizeof(file) - 1);
	close(fd);
	if (n < 0)
		return -errno;
	file[n] = '\0';
	return put_path(tree, file, path);
}

int cgroup_tree__visit(const struct cgroup_tree *tree,
		       void (*visit)(void *ctx, uint64_t id, const char *path), void *ctx)
{
	char *const roots[] = {tree->mount, NULL};
	char path[CGROUP_PATH_MAX];
	FTS *walk;
	FTSENT *entry;

	if (!tree->mount)
		return 0;
	walk = fts_open(roots, FTS_PHYSICAL | FTS_NOCHDIR | FTS_XDEV, NULL);
	if (!walk)
		return -errno;
	while ((entry = fts_read(walk)))
		if (entry->fts_info == FTS_D && !put_path(tree, entry->fts_path, path))
			visit(ctx, entry->fts_ino, path);
	fts_close(walk);
	return 0;
}

/* ---- of a process ---------------------------------------------------------------------------- */

/* "9:name=systemd:/path", "0::/path"; NULL: neither. */
static const char *path_of_line(const char *line, bool *is_v2)
{
	const char *colon = strchr(line, ':');
	const char *path = colon ? strchr(colon + 1, ':') : NULL;

	*is_v2 = !strncmp(line, "0::", 3);
	return path ? path + 1 : NULL;
}

bool cgroup__parse_process(char *text, bool (*visit)(void *ctx, const char *path), void *ctx)
{
	size_t len = strlen(text);
	bool is_v2;

	for (char *c = text; *c; c++)
		if (*c == '\n')
			*c = '\0';
	for (int pass = 0; pass < 2; pass++) {
		for (char *line = text; line < text + len; line += strlen(line) + 1) {
			const char *path = path_of_line(line, &is_v2);

			if (path && is_v2 == !pass && visit(ctx, path))
				return true;
		}
	}
	return false;
}
