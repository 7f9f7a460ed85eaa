/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Figures of the live source for a header: those of the table, of the programs' counters, and the
 * kernel's own of each namespace. Not here: rates (ui/).
 */
#include <errno.h>
#include <stdlib.h>

#include "live_internal.h"

int live_stats__add_netns(struct live *live, const struct netns *ns)
{
	struct netns_counters *more, *counters;
	int err;

	more = reallocarray(live->counters, live->n_counters + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	live->counters = more;
	counters = &more[live->n_counters];
	err = netns_stats__open(&counters->stats, ns,
				live->options.figures | NETNS_SET(ATTEMPT_FAILS));
	if (err)
		return err == -EPERM || err == -ENOMEM ? err : 0; /* gone: nothing happens in it */
	netns_stats__read(counters->stats, &counters->at_start);
	live->n_counters++;
	return 0;
}

const struct netns_stats *live__netns_stats(const struct live *live, uint32_t inum)
{
	for (size_t i = 0; i < live->n_counters; i++)
		if (netns_stats__inum(live->counters[i].stats) == inum)
			return live->counters[i].stats;
	return NULL;
}

static uint64_t fails_since(const struct netns_counters *counters)
{
	struct netns_values now;

	netns_stats__read(counters->stats, &now);
	if (!(now.known & NETNS_SET(ATTEMPT_FAILS)))
		return 0;
	return now.value[NETNS_ATTEMPT_FAILS] - counters->at_start.value[NETNS_ATTEMPT_FAILS];
}

void live_stats__forget_netns(struct live *live, uint32_t inum)
{
	for (size_t i = 0; i < live->n_counters; i++) {
		struct netns_counters *counters = &live->counters[i];

		if (netns_stats__inum(counters->stats) != inum)
			continue;
		live->past_attempt_fails += fails_since(counters);
		netns_stats__close(counters->stats);
		*counters = live->counters[--live->n_counters];
		return;
	}
}

void live_stats__fini(struct live *live)
{
	for (size_t i = 0; i < live->n_counters; i++)
		netns_stats__close(live->counters[i].stats);
	free(live->counters);
}

static uint64_t attempt_fails(const struct live *live)
{
	uint64_t sum = live->past_attempt_fails;

	for (size_t i = 0; i < live->n_counters; i++)
		sum += fails_since(&live->counters[i]);
	return sum;
}

static void sum_taps(const struct tap_set *taps, struct wire_counters *sum)
{
	struct wire_counters one;

	for (size_t i = 0; i < tap_set__count(taps); i++) {
		if (tap_set__counters(taps, i, &one))
			continue;
		for (int k = 0; k < WIRE_COUNTER_COUNT; k++)
			sum->value[k] += one.value[k];
	}
}

void live__stats(struct live *live, struct live_stats *stats)
{
	*stats = (struct live_stats){
		.now = live__now(),
		.has_sock = live->sock,
		.has_wire = live->wire,
		.attempt_fails = attempt_fails(live),
		.syn_queue = live->tally.syn_queue,
		.accept_queue_full = live->tally.accept_queue_full,
		.time_wait = live->tally.time_wait,
		.time_wait_fin2 = live->tally.time_wait_fin2,
	};
	session_table__stats(live->table, &stats->table);
	(void)live__lost(live, &stats->lost);
	if (live->sock)
		(void)sock_view__counters(live->sock, &stats->sock);
	if (live->wire)
		wire_view__stats(live->wire, &stats->cache);
	if (live->taps)
		sum_taps(live->taps, &stats->wire);
}
