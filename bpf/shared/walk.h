/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a walk through the kernel's table of sockets and its caller share. Not here: the walk
 * (bpf/sock_walk.h), the records that it finds (abi.h).
 */
#ifndef TCPWATCH_SHARED_WALK_H
#define TCPWATCH_SHARED_WALK_H

#include "types.h"

#define WALK_RECORDS   512   /* sockets that one step finds at most */
#define WALK_BUCKETS   16384 /* of the table that it looks at, at most */
#define WALK_STEPS     4     /* whose finds there is room for */
#define WALK_TABLE_MIN 1024  /* buckets that a table has at least */

/* What userspace asks of a step, and what has come of it. */
struct sock_walk {
	__u32 n_buckets; /* of the table; 0: there is nothing to walk */
	__u32 bucket;	 /* to begin with; afterwards the one to go on with */
	__u32 first;	 /* record to fill */
	__u32 n;	 /* sockets found */
	__u32 netns;	 /* the rest is the programs' own */
	__u8 has_moved, is_full, zero[2];
	__u64 buckets, node;
};

#endif
