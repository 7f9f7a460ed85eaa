/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The session cache as it lies in memory: an array for each CPU, which its programs write and
 * userspace maps. Not here: how a way is found and given up (bpf/cache.h), how it is read
 * (user/source/wire_view.c).
 */
#ifndef TCPWATCH_SHARED_CACHE_LAYOUT_H
#define TCPWATCH_SHARED_CACHE_LAYOUT_H

#include "fragment.h"

#define CACHE_WAYS 4

struct cache_set {
	struct fragment way[CACHE_WAYS];
};

/* What a way is worth keeping, the least first: the last two bits of its tag. */
enum cache_worth { WORTH_EMPTY, WORTH_HALF_OPEN, WORTH_CLOSING, WORTH_OPEN };
#define CACHE_WORTH 3

/* The ways of a set, two bits each, the latest that was used in the lowest bits. */
#define CACHE_ORDER_0 0x1b /* as it is before any was used: way 0, found first, is filled first */

/*
 * What is asked of a set before it is known which fragment matters. generation[i] is odd while way
 * i is being written and differs after each write: a reader that finds it even and unchanged around
 * its copy has a whole fragment. tag[i] is 0 for an empty way.
 */
struct cache_head {
	__u16 tag[CACHE_WAYS];
	__u16 generation[CACHE_WAYS];
	__u8 order; /* of their use, ^ CACHE_ORDER_0 */
	__u8 told;  /* a bit for each way: fragment__is_told() */
};

/*
 * An element of the array: a group of sets, found by one look-up. Their heads lie together, apart
 * from the fragments: there are few enough of them to stay in a processor's own cache, while a
 * flood brings a fragment from memory each time.
 */
#define CACHE_GROUP_SHIFT 5
#define CACHE_GROUP_SETS  (1u << CACHE_GROUP_SHIFT)

struct cache_group {
	struct cache_head head[CACHE_GROUP_SETS];
	__u32 touched;	 /* coarse_time of the last write to any of them; 0: never */
	__u8 unused[60]; /* the sets begin with a cache line */
	struct cache_set set[CACHE_GROUP_SETS];
};

_Static_assert(sizeof(struct cache_set) == 608, "cache_set is ABI");
_Static_assert(sizeof(struct cache_group) == 20096, "whole cache lines, 157 bytes per session");

#endif
