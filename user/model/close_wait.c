/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Looking for CLOSE_WAIT leaks. A process that leaks has most of them, so one candidate is enough
 * to find it (Boyer and Moore's majority vote); a second pass counts what it really has.
 */
#include "close_wait.h"

#include <math.h>

#include "session_values.h"

#define TREND_NS (60 * TW_NSEC_PER_SEC)

struct looking {
	struct close_wait_leak *leak;
	uint64_t now_ns, votes;
};

static bool is_long(const struct session *session, uint64_t now_ns)
{
	uint64_t ns = session__close_wait_ns(session, now_ns);

	return ns != UNKNOWN_U64 && ns >= CLOSE_WAIT_LONG_NS;
}

static void vote(void *ctx, const struct session *session)
{
	struct looking *looking = ctx;
	struct close_wait_leak *leak = looking->leak;

	if (!is_long(session, looking->now_ns))
		return;
	leak->count++;
	if (!looking->votes)
		leak->owner = session->owner;
	looking->votes += session->owner.pid == leak->owner.pid ? 1 : -1;
}

static void count(void *ctx, const struct session *session)
{
	struct looking *looking = ctx;

	looking->leak->n_of_owner +=
		session->owner.pid == looking->leak->owner.pid && is_long(session, looking->now_ns);
}

void close_wait_leak__look(struct close_wait_leak *leak, struct session_table *table,
			   uint64_t now_ns)
{
	struct looking looking = {.leak = leak, .now_ns = now_ns};
	struct session_table_stats stats;

	leak->count = leak->n_of_owner = 0;
	leak->owner = (struct owner){0};
	session_table__stats(table, &stats);
	if (stats.by_state[TCPS_CLOSE_WAIT]) {
		session_table__visit(table, now_ns, vote, &looking);
		if (leak->owner.pid)
			session_table__visit(table, now_ns, count, &looking);
	}
	leak->per_minute = 60 * trend__follow(&leak->trend, now_ns, leak->count, TREND_NS);
}
