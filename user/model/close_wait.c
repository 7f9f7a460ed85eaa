/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counting what each process has in CLOSE_WAIT. Each look counts anew.
 */
#include "close_wait.h"

#include <stdlib.h>

#include "session_values.h"

#define TREND_NS (60 * TW_NSEC_PER_SEC)

static const struct threshold leak_threshold = {.raise_permille = 1000, .clear_permille = 500};

static struct close_wait_holder *find(const struct close_waits *waits, uint32_t netns, uint32_t pid)
{
	const struct close_wait_owner_key key = {netns, pid};
	struct close_wait_holder *holder;

	HASH_FIND(hh, waits->holders, &key, sizeof(key), holder);
	return holder;
}

const struct close_wait_holder *close_waits__find(const struct close_waits *waits, uint32_t netns,
						  uint32_t pid)
{
	return find(waits, netns, pid);
}

static struct close_wait_holder *get(struct close_waits *waits, const struct session *session)
{
	struct close_wait_holder *holder = find(waits, session->netns, session->owner.pid);

	if (holder)
		return holder;
	holder = calloc(1, sizeof(*holder));
	if (!holder)
		return NULL;
	holder->key = (struct close_wait_owner_key){session->netns, session->owner.pid};
	HASH_ADD(hh, waits->holders, key, sizeof(holder->key), holder);
	return holder;
}

struct looking {
	struct close_waits *waits;
	uint64_t now_ns;
};

static void count(void *ctx, const struct session *session)
{
	const struct looking *looking = ctx;
	uint64_t ns = session__close_wait_ns(session, looking->now_ns);
	bool is_long = ns != UNKNOWN_U64 && ns >= CLOSE_WAIT_LONG_NS;
	struct close_wait_holder *holder;

	if (!session->sock || session->sock->state != TCPS_CLOSE_WAIT)
		return;
	looking->waits->n_long += is_long;
	holder = get(looking->waits, session);
	if (!holder)
		return;
	holder->owner = session->owner;
	holder->count++;
	holder->n_long += is_long;
	holder->n_new += !is_long;
	if (!is_long && (ns == UNKNOWN_U64 || session->sock->close_wait_at_least))
		holder->is_unsure = true;
}

static void forget(struct close_waits *waits, struct close_wait_holder *holder)
{
	HASH_DEL(waits->holders, holder);
	free(holder);
}

/* Those that have none any more; who leaked is kept until that was told. */
static void forget_idle(struct close_waits *waits)
{
	struct close_wait_holder *holder, *next;

	for (holder = waits->holders; holder; holder = next) {
		next = holder->hh.next;
		if (!holder->count && !holder->is_leaking)
			forget(waits, holder);
	}
}

void close_waits__look(struct close_waits *waits, struct session_table *table, uint64_t now_ns)
{
	struct looking looking = {waits, now_ns};
	struct session_table_stats stats;
	struct close_wait_holder *holder;

	waits->n_long = 0;
	for (holder = waits->holders; holder; holder = holder->hh.next) {
		holder->count = holder->n_long = holder->n_new = 0;
		holder->is_unsure = false;
	}
	session_table__stats(table, &stats);
	if (stats.by_state[TCPS_CLOSE_WAIT])
		session_table__visit(table, now_ns, count, &looking);
	forget_idle(waits);
	waits->per_minute = 60 * trend__follow(&waits->trend, now_ns, waits->n_long, TREND_NS);
}

void close_waits__fini(struct close_waits *waits)
{
	while (waits->holders)
		forget(waits, waits->holders);
}

struct close_wait_leak close_waits__leak(const struct close_waits *waits)
{
	struct close_wait_leak leak = {.count = waits->n_long, .per_minute = waits->per_minute};
	const struct close_wait_holder *holder;

	for (holder = waits->holders; holder; holder = holder->hh.next) {
		if (!holder->key.pid || holder->n_long <= leak.n_of_owner)
			continue;
		leak.owner = holder->owner;
		leak.n_of_owner = holder->n_long;
	}
	return leak;
}

bool close_waits__has_unowned(const struct close_waits *waits)
{
	for (const struct close_wait_holder *holder = waits->holders; holder;
	     holder = holder->hh.next)
		if (!holder->key.pid && holder->n_long)
			return true;
	return false;
}

bool close_waits__is_leaking(const struct close_waits *waits)
{
	const struct close_wait_holder *holder;

	for (holder = waits->holders; holder; holder = holder->hh.next)
		if (holder->is_leaking)
			return true;
	return false;
}

void close_waits__observe(struct close_waits *waits, close_wait_alarm_fn tell, void *ctx)
{
	struct close_wait_holder *holder;
	enum threshold_change change;

	for (holder = waits->holders; holder; holder = holder->hh.next) {
		change = threshold__observe(&leak_threshold, &holder->is_leaking, holder->n_long,
					    CLOSE_WAIT_LEAK);
		if (change != THRESHOLD_NONE)
			tell(ctx, holder, change);
	}
	forget_idle(waits);
}
