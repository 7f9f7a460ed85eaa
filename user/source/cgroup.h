/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Paths of cgroups: of a cgroup by its id, as sockets have it, and of a process. Not here: what a
 * path says (model/container.h).
 */
#ifndef TCPWATCH_CGROUP_H
#define TCPWATCH_CGROUP_H

#include <stdbool.h>
#include <stdint.h>

#define CGROUP_PATH_MAX 4096

/* Where cgroups are mounted. */
struct cgroup_tree {
	int fd;	     /* of the mount point of cgroup v2; -1: it is not mounted */
	char *mount; /* its path */
	char *root;  /* what of the hierarchy is mounted there: "/" but in a container */
	bool has_v1; /* controllers of version 1 are in use: a runtime may use those alone */
};

/* cgroup_tree__open() - returns 0 (also if nothing is mounted) or -errno */
int cgroup_tree__open(struct cgroup_tree *tree);
void cgroup_tree__close(struct cgroup_tree *tree);

/*
 * cgroup_tree__path() - the path of the cgroup v2 @id into @path, of CGROUP_PATH_MAX bytes
 *
 * Returns 0; -ENOENT: there is no such cgroup (any more); -EPERM: CAP_DAC_READ_SEARCH is missing,
 * cgroup_tree__visit() finds it all the same; or another -errno.
 */
int cgroup_tree__path(const struct cgroup_tree *tree, uint64_t id, char *path);

/*
 * cgroup_tree__visit() - call @visit with every cgroup of version 2 that is mounted here
 *
 * Their ids are the inode numbers of their directories (kernfs_ino() in include/linux/kernfs.h,
 * where an inode number has 64 bits). Returns 0 or -errno.
 */
int cgroup_tree__visit(const struct cgroup_tree *tree,
		       void (*visit)(void *ctx, uint64_t id, const char *path), void *ctx);

/*
 * cgroup__parse_process() - call @visit with each path in @text, the contents of /proc/PID/cgroup,
 * version 2 first, until it returns true
 *
 * @text is changed: lines become strings. Returns whether @visit did.
 */
bool cgroup__parse_process(char *text, bool (*visit)(void *ctx, const char *path), void *ctx);

#endif
