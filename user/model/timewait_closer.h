/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which process closed a socket, kept for as long as something is left of the socket: a TIME_WAIT
 * sock has the cookie of the socket it is left of, but no longer a process.
 */
#ifndef TCPWATCH_TIMEWAIT_CLOSER_H
#define TCPWATCH_TIMEWAIT_CLOSER_H

#include "pool.h"
#include "session.h"

struct closer {
	struct pool_head head;
	uint32_t hash;
	uint32_t look; /* in which its socket was seen last */
	uint64_t cookie;
	struct owner process; /* pid 0: nobody's */
	uint8_t role;	      /* enum sock_role */
};

struct closers {
	struct pool pool;
	struct hash_index by_cookie;
	uint32_t look;
};

/* closers__init() - returns 0 or -ENOMEM */
int closers__init(struct closers *closers);
void closers__fini(struct closers *closers);

/* closers__add() - returns 0 or -ENOMEM */
int closers__add(struct closers *closers, const struct rec_closing *closing);

/* closers__see() - something is left of the socket @cookie; who closed it, or NULL */
const struct closer *closers__see(struct closers *closers, uint64_t cookie);

/* closers__end() - a look is over: those of which nothing was seen in it nor since the one before
 * are forgotten */
void closers__end(struct closers *closers);

#endif
