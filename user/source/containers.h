/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which container a session is of: by the cgroup of its socket, where that is not to be had by its
 * process, and else by its network namespace if every process there is of one container. What was
 * found is remembered, and forgotten a while after it was last asked for. Not here: how paths and
 * the runtimes' files are read (cgroup.h, model/container.h, container_state.h).
 */
#ifndef TCPWATCH_CONTAINERS_H
#define TCPWATCH_CONTAINERS_H

#include "user/model/container.h"
#include "user/tap/netns.h"

struct containers;

/* What a session shows of its container; 0: nothing. */
struct container_clues {
	uint64_t cgroup_id;
	uint32_t pid;	/* that holds the socket */
	uint32_t netns; /* inode number */
};

/* containers__new() - NULL: errno says why */
struct containers *containers__new(void);
void containers__free(struct containers *all);

/* containers__ask_processes() - cgroup ids may not tell: sockets' processes can */
bool containers__ask_processes(const struct containers *all);

/*
 * containers__of() - the container of a session, or NULL: none, or nobody knows
 *
 * With the id "": only its pod is known. Valid until the next containers__follow().
 */
const struct container *containers__of(struct containers *all, const struct container_clues *clues,
				       uint64_t now_ns);

/* containers__follow() - see which names have changed, forget what is gone; cheap if called often
 */
void containers__follow(struct containers *all, uint64_t now_ns);

/* containers__forget_netns() - the namespace is gone: another may get its inode number */
void containers__forget_netns(struct containers *all, uint32_t inum);

/*
 * containers__choose() - the container that @word names: its name, its id, or the start of either
 *
 * Only one that runs is found. It is marked as chosen, and kept, until containers__unchoose().
 * Returns 0; or, with @is_told after logging it: -EINVAL, there is none, or there are several, with
 * their names; -EPERM, its processes may not be looked at.
 */
struct container_choice {
	const struct container *container;
	uint32_t netns, pid; /* where a process of it is */
};
int containers__choose(struct containers *all, const char *word, bool is_told, uint64_t now_ns,
		       struct container_choice *choice);
void containers__unchoose(struct containers *all, const struct container *container);

#endif
