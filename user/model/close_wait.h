/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * CLOSE_WAIT leaks: sessions that the peer closed long ago and the process did not, by the process
 * that holds them. Not here: how long one session is in it (session_values.h).
 */
#ifndef TCPWATCH_CLOSE_WAIT_H
#define TCPWATCH_CLOSE_WAIT_H

#include <uthash.h>

#include "session_table.h"
#include "threshold.h"
#include "trend.h"

#define CLOSE_WAIT_LONG_NS (60 * TW_NSEC_PER_SEC)
/* So many of one process for so long are a leak, as the alert of dashboards/ has it; half: over. */
#define CLOSE_WAIT_LEAK 20

struct close_wait_owner_key {
	uint32_t netns, pid; /* pid 0: of those that no process is known for */
};

/* What one process has in CLOSE_WAIT in one namespace. */
struct close_wait_holder {
	struct close_wait_owner_key key;
	struct owner owner;
	uint64_t count;	 /* sockets in it */
	uint64_t n_long; /* … for CLOSE_WAIT_LONG_NS or longer */
	uint64_t n_new;	 /* … for less */
	bool is_unsure;	 /* some of .n_new may be older, or nobody knows since when one is in it */
	bool is_leaking;
	UT_hash_handle hh;
};

/* Kept from one look to the next, zeroed at first. */
struct close_waits {
	struct close_wait_holder *holders;
	struct trend trend;
	uint64_t n_long;
	double per_minute; /* .n_long's trend over the last minute or two; NAN: not known yet */
};

/* For a header: all of them, and who has most. */
struct close_wait_leak {
	uint64_t count; /* sessions in it for CLOSE_WAIT_LONG_NS or longer */
	double per_minute;
	struct owner owner; /* pid 0: unknown … */
	uint64_t n_of_owner;
};

/* close_waits__look() - what @table has now. Without memory for a process its sockets are counted
 * in .n_long alone */
void close_waits__look(struct close_waits *waits, struct session_table *table, uint64_t now_ns);
void close_waits__fini(struct close_waits *waits);

/* close_waits__find() - as of the last look, valid until the next; NULL: nothing is known of it */
const struct close_wait_holder *close_waits__find(const struct close_waits *waits, uint32_t netns,
						  uint32_t pid);
struct close_wait_leak close_waits__leak(const struct close_waits *waits);

/* close_waits__has_unowned() - for some that are long in it no process is known */
bool close_waits__has_unowned(const struct close_waits *waits);

/* close_waits__is_leaking() - one of them did when they were last observed */
bool close_waits__is_leaking(const struct close_waits *waits);

/* close_waits__observe() - call @tell for each process that began or ceased to leak since the last
 * time */
typedef void (*close_wait_alarm_fn)(void *ctx, const struct close_wait_holder *holder,
				    enum threshold_change change);
void close_waits__observe(struct close_waits *waits, close_wait_alarm_fn tell, void *ctx);

#endif
