/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * CLOSE_WAIT leaks: sessions that the peer closed long ago and the process did not. Not here: how
 * long one session is in it (session_values.h).
 */
#ifndef TCPWATCH_CLOSE_WAIT_H
#define TCPWATCH_CLOSE_WAIT_H

#include "session_table.h"
#include "trend.h"

#define CLOSE_WAIT_LONG_NS (60 * TW_NSEC_PER_SEC)

struct close_wait_leak {
	uint64_t count;	     /* sessions in it for CLOSE_WAIT_LONG_NS or longer */
	double per_minute;   /* its trend over the last minute or two; NAN: not known yet */
	struct owner owner;  /* who has most of them, pid 0: unknown … */
	uint64_t n_of_owner; /* … and how many */
	struct trend trend;
};

/* close_wait_leak__look() - what @table has now; @leak is kept from one look to the next, zeroed at
 * first */
void close_wait_leak__look(struct close_wait_leak *leak, struct session_table *table,
			   uint64_t now_ns);

#endif
