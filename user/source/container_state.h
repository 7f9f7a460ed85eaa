/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a runtime's own files tell of a container: its name, its pod, and which runtime it is where
 * the cgroup's path left that open. They are read, never written; no runtime is talked to, for that
 * could start one or wait for it. Not here: when they are read (containers.h).
 */
#ifndef TCPWATCH_CONTAINER_STATE_H
#define TCPWATCH_CONTAINER_STATE_H

#include <sys/types.h>
#include <time.h>

#include "user/model/container.h"

struct json_t;

/* A state file as it was when it was last read. */
struct state_file {
	char *path;		 /* NULL: none */
	struct timespec changed; /* with inode, which version of it it was */
	ino_t inode;
	bool has_pod; /* which pod of podman it is of is known, or that it is of none */
};

/* Where state files are, and the last that was read: podman has one for all of its containers. */
struct state_reader {
	const char *root; /* before every path; "" on the host itself */
	struct state_file last;
	struct json_t *json; /* its contents */
};

void state_reader__fini(struct state_reader *reader);

/*
 * state_reader__complete() - fill in @container, of which id, uid and (or not) runtime are known
 *
 * @file: the one that told last time; it is the caller's to free. If it has not changed nothing is
 * read. If no file tells any more, what was known stays. Returns whether one tells.
 */
bool state_reader__complete(struct state_reader *reader, struct state_file *file,
			    struct container *container);
void state_file__free(struct state_file *file);

/* state_dir__home() - the home directory of a rootless runtime's user; false: there is none */
bool state_dir__home(char *dir, size_t size, uint32_t uid);

/*
 * state_reader__find() - the container whose cgroup is @cgroup, whose path says nothing by itself
 *
 * Clients of containerd other than a kubelet choose ids as they like: "/default/web", namespace and
 * id, is what ctr makes. It is one if containerd has state of it. Sets the runtime, and the id as
 * its name too.
 */
bool state_reader__find(const struct state_reader *reader, const char *cgroup,
			struct container *out);

#endif
