/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The TIME_WAIT socks of the last look, so that the next one shows which of them ended and how. The
 * kernel counts only some of the ways; the others are inferred here. Not here: its counters
 * (timewait.h).
 */
#ifndef TCPWATCH_TIMEWAIT_MEMORY_H
#define TCPWATCH_TIMEWAIT_MEMORY_H

#include "pool.h"
#include "session.h"

/* X(enumerator): how one ended */
enum timewait_end {
	TIMEWAIT_EXPIRED,   /* it is gone and its timer was due */
	TIMEWAIT_CONNECTED, /* this host opened another session on its tuple */
	TIMEWAIT_SYN,	    /* the peer did */
	TIMEWAIT_KILLED,    /* it is gone before its time, and nothing is on its tuple: a RST */
	TIMEWAIT_END_COUNT,
};

struct timewait_memory {
	struct pool pool;
	struct hash_index by_tuple;
	uint64_t seed;
	uint32_t look;
	uint64_t ended[TIMEWAIT_END_COUNT]; /* since the first look */
};

/* timewait_memory__init() - returns 0 or -ENOMEM */
int timewait_memory__init(struct timewait_memory *memory, uint64_t seed);
void timewait_memory__fini(struct timewait_memory *memory);

/* timewait_memory__begin() - another look starts; timewait_memory__end() - all has been added */
void timewait_memory__begin(struct timewait_memory *memory);
void timewait_memory__end(struct timewait_memory *memory, uint64_t now_ns);

/*
 * timewait_memory__add() - the TIME_WAIT sock @tuple is there, its timer due at @due_ns
 *
 * Returns 1; 0: it has been added in this look already; or -ENOMEM.
 */
int timewait_memory__add(struct timewait_memory *memory, const struct rec_tuple *tuple,
			 enum sock_role role, uint64_t due_ns);

/* timewait_memory__replace() - a full socket or a request is on this tuple: no TIME_WAIT sock is
 * any more. tuple->role, if it is known, says who opened */
void timewait_memory__replace(struct timewait_memory *memory, const struct rec_tuple *tuple);

#endif
