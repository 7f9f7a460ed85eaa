/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Namespaces without sockets, or with listeners alone. The iterator walks through the hash table of
 * all namespaces for each of them, a millisecond or two on a large host, so one that was found
 * empty is not listed again until a socket in it changes its state. Not here: listing
 * (sock_view.c).
 */
#include <stdlib.h>

#include <uthash.h>

#include "netns_stats.h"
#include "sock_view_internal.h"

struct quiet_netns {
	uint32_t inum;
	uint32_t activity; /* as it was before the last look, which … */
	enum listed had;   /* … was the last of … */
	unsigned n_looks;  /* … so many in a row that found the same */
	UT_hash_handle hh;
};

/* The state of a socket changes just before it is in the table: a list is believed when it is the
 * second one since. */
#define SAME_LOOKS 2

uint32_t sock_quiet__activity(const struct sock_view *view, uint32_t inum)
{
	uint32_t slot = inum % NETNS_ACTIVITY_SLOTS, sum = 0;

	for (int part = 0; part < NETNS_ACTIVITY_PARTS; part++)
		sum += __atomic_load_n(&view->skel->bss->netns_activity[part][slot],
				       __ATOMIC_ACQUIRE);
	return sum;
}

static struct quiet_netns *find(const struct sock_view *view, uint32_t inum)
{
	struct quiet_netns *quiet;

	HASH_FIND(hh, view->quiet, &inum, sizeof(inum), quiet);
	return quiet;
}

static bool has_still(const struct sock_view *view, uint32_t inum, enum listed had)
{
	const struct quiet_netns *quiet;

	if (!view->skel->links.sock_state) /* nobody counts */
		return false;
	quiet = find(view, inum);
	return quiet && quiet->had == had && quiet->n_looks >= SAME_LOOKS &&
	       quiet->activity == sock_quiet__activity(view, inum);
}

bool sock_view__is_quiet(const struct sock_view *view, uint32_t inum)
{
	return has_still(view, inum, LISTED_NOTHING);
}

bool sock_quiet__is_settled(const struct sock_view *view, uint32_t inum)
{
	return has_still(view, inum, LISTED_LISTENERS);
}

void sock_quiet__listed(struct sock_view *view, uint32_t inum, uint32_t activity, enum listed had)
{
	struct quiet_netns *quiet = find(view, inum);

	if (!quiet)
		quiet = calloc(1, sizeof(*quiet));
	if (!quiet)
		return; /* then it is listed each time */
	if (!quiet->inum) {
		quiet->inum = inum;
		HASH_ADD(hh, view->quiet, inum, sizeof(quiet->inum), quiet);
	}
	quiet->n_looks = quiet->had == had && quiet->activity == activity ? quiet->n_looks + 1 : 1;
	quiet->had = had;
	quiet->activity = activity;
}

/* What the kernel counts of sockets and minisocks; requests have a listener beside them. */
static bool counts_none(const struct netns *ns)
{
	const netns_stat_set needed = NETNS_SET(SOCKETS_IN_USE) | NETNS_SET(MINISOCKS);
	struct netns_stats *stats;
	struct netns_values now;

	if (netns_stats__open(&stats, ns, needed | NETNS_SET(SOCKETS6_IN_USE)))
		return false;
	netns_stats__read(stats, &now);
	netns_stats__close(stats);
	return (now.known & needed) == needed && !now.value[NETNS_SOCKETS_IN_USE] &&
	       !now.value[NETNS_SOCKETS6_IN_USE] && !now.value[NETNS_MINISOCKS];
}

bool sock_quiet__is_empty(struct sock_view *view, const struct netns *ns)
{
	uint32_t activity = sock_quiet__activity(view, ns->inum);
	const struct quiet_netns *quiet = find(view, ns->inum);

	if (quiet && quiet->had != LISTED_NOTHING)
		return false; /* it had some a moment ago: not worth asking */
	if (!counts_none(ns))
		return false;
	sock_quiet__listed(view, ns->inum, activity, LISTED_NOTHING);
	return true;
}

void sock_quiet__forget(struct sock_view *view, uint32_t inum)
{
	struct quiet_netns *quiet = find(view, inum);

	if (!quiet)
		return;
	HASH_DEL(view->quiet, quiet);
	free(quiet);
}

void sock_quiet__free(struct sock_view *view)
{
	while (view->quiet)
		sock_quiet__forget(view, view->quiet->inum);
}
