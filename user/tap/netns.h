/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Network namespaces: finding them by name, PID or path, naming them, and doing something inside
 * one. Not here: what is in them (iface.h).
 */
#ifndef TCPWATCH_NETNS_H
#define TCPWATCH_NETNS_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define NETNS_NAMES "/run/netns" /* of ip-netns(8) */

struct netns {
	uint32_t inum; /* inode number of the namespace, as in net:[4026531840] */
	int fd;	       /* keeps it open; -1: cannot be entered */
	char *path;    /* by which it was found */
	char name[NAME_MAX +
		  1]; /* as in /run/netns, else "self" for the tool's own, else the inode number */
};

struct netns_list {
	struct netns *items;
	size_t count;
	bool all;		  /* "all" was asked for: namespaces that appear later belong too */
	const char *const *words; /* as asked for; what they lead to later belongs too */
	size_t n_words;
};

/*
 * netns_list__resolve() - the namespaces of each -N word: self, all, NAME, PID or PATH; none means
 * self
 *
 * Each namespace is listed once. Namespaces that vanish meanwhile are left out. @words live as long
 * as @list.
 * Returns 0; -EINVAL after logging a word that is no namespace (usage error); -EPERM after logging.
 */
int netns_list__resolve(struct netns_list *list, const char *const *words, size_t count);
void netns_list__free(struct netns_list *list);

/* netns_list__add() - that which @path leads to. Returns 1 if it is new, 0, or -errno, not logged
 */
int netns_list__add(struct netns_list *list, const char *path);

/*
 * netns__remedy_of_denial() - what helps who may not look at a process: part of a message
 *
 * ptrace_may_access() in kernel/ptrace.c asks for CAP_SYS_PTRACE in the user namespace of the other
 * process, and then the security modules: who has the capability is not told to get it.
 */
const char *netns__remedy_of_denial(void);

/* netns__own() - inode number of the namespace that this thread is in; 0: nobody knows */
uint32_t netns__own(void);

/* netns_list__find() - the namespace @inum of @list, or NULL; valid until the list changes */
const struct netns *netns_list__find(const struct netns_list *list, uint32_t inum);
/* netns_list__name() - what the namespace @inum of @list is called; NULL: it is not in the list */
const char *netns_list__name(const struct netns_list *list, uint32_t inum);

/*
 * netns_list__enterable() - whether each may be entered; the first that may not is logged
 *
 * Returns 0 or -EPERM.
 */
int netns_list__enterable(const struct netns_list *list);

/* netns_list__grows() - whether namespaces that appear later may belong to @list */
bool netns_list__grows(const struct netns_list *list);

/*
 * netns_list__rescan() - add what belongs to @list by now: with "all" each namespace that is new on
 * this host, else what has a name or a path that was asked for. Returns how many were added
 */
int netns_list__rescan(struct netns_list *list);

/*
 * netns_list__prune() - let go of the namespaces that only @list keeps: that have no name, no
 * process
 *
 * Whoever holds one open keeps its interfaces, and the other ends of its veths, alive.
 * @on_gone: called for each, just before it is closed.
 */
void netns_list__prune(struct netns_list *list, void (*on_gone)(void *ctx, uint32_t inum),
		       void *ctx);

/*
 * netns__enter() - put this thread into @ns; netns__leave() - back into the namespace it came from
 *
 * Entering the namespace one is in already is free and needs no privilege.
 * Returns 0 or -errno (-EPERM: CAP_SYS_ADMIN is missing).
 */
struct netns_return {
	int fd; /* -1: nothing to undo */
};
int netns__enter(const struct netns *ns, struct netns_return *back);
void netns__leave(struct netns_return *back);

#endif
