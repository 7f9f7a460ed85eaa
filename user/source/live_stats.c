/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Figures of the live source for a header: those of the table, of the programs' counters, and the
 * kernel's own of each namespace. Not here: rates (ui/).
 */
#include <errno.h>
#include <stdlib.h>

#include "live_internal.h"

static netns_stat_set wanted(const struct live *live)
{
	netns_stat_set set = live->options.figures;

	if (live->options.watch_alarms)
		set |= NETNS_SET(MINISOCKS) | NETNS_SET(TIME_WAIT_MAX) |
		       NETNS_SET(TIME_WAIT_OVERFLOW) | NETNS_SET(EMBRYONIC_RESETS);
	if (live->options.want_listeners)
		set |= NETNS_SET(LISTEN_OVERFLOWS) | NETNS_SET(LISTEN_DROPS) |
		       NETNS_SET(REQ_QUEUE_FULL_DROPS) | NETNS_SET(COOKIES_SENT) |
		       NETNS_SET(COOKIES_RECEIVED) | NETNS_SET(SYN_COOKIES) |
		       NETNS_SET(SYN_BACKLOG_MAX);
	return set;
}

int live_stats__add_netns(struct live *live, const struct netns *ns)
{
	struct netns_counters *more, *counters;
	int err;

	more = reallocarray(live->counters, live->n_counters + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	live->counters = more;
	counters = &more[live->n_counters];
	*counters = (struct netns_counters){0};
	err = netns_stats__open(&counters->stats, ns, wanted(live));
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

/* A namespace without sockets counts nothing: what was read since it had none is still so. */
const struct netns_values *live_stats__now(const struct live *live, struct netns_counters *counters)
{
	bool is_quiet =
		live->sock && sock_view__is_quiet(live->sock, netns_stats__inum(counters->stats));

	if (!is_quiet || !counters->was_quiet)
		netns_stats__read(counters->stats, &counters->last);
	counters->was_quiet = is_quiet;
	return &counters->last;
}

/* What @counters showed when it was read last, less what it showed at the start. */
static void add_since_start(const struct netns_counters *counters, bool since_begun,
			    struct netns_values *sum)
{
	const struct netns_values *now = &counters->last;

	sum->known |= now->known;
	for (int id = 0; id < NETNS_STAT_COUNT; id++)
		if (now->known & (netns_stat_set)1 << id)
			sum->value[id] +=
				now->value[id] - (since_begun ? 0 : counters->at_start.value[id]);
}

/* What was counted in a namespace stays counted; of what was there, nothing is. */
static void add_past(struct live *live, struct netns_counters *counters)
{
	uint64_t before = live->past.value[NETNS_MINISOCKS];

	(void)live_stats__now(live, counters);
	add_since_start(counters, false, &live->past);
	live->past.value[NETNS_MINISOCKS] = before - counters->at_start.value[NETNS_MINISOCKS];
}

void live_stats__forget_netns(struct live *live, uint32_t inum)
{
	for (size_t i = 0; i < live->n_counters; i++) {
		struct netns_counters *counters = &live->counters[i];

		if (netns_stats__inum(counters->stats) != inum)
			continue;
		live_alarms__forget_netns(live, counters);
		add_past(live, counters);
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

void live__kernel_counts(const struct live *live, uint32_t netns, bool since_begun,
			 struct netns_values *out)
{
	*out = (struct netns_values){0};
	if (!netns)
		*out = live->past;
	for (size_t i = 0; i < live->n_counters; i++) {
		struct netns_counters *counters = &live->counters[i];

		if (netns && netns_stats__inum(counters->stats) != netns)
			continue;
		(void)live_stats__now(live, counters);
		add_since_start(counters, since_begun, out);
	}
}

void live_stats__as_read(const struct live *live, struct netns_values *out)
{
	*out = live->past;
	for (size_t i = 0; i < live->n_counters; i++)
		add_since_start(&live->counters[i], false, out);
}

void live_stats__sum_taps(const struct tap_set *taps, struct wire_counters *sum)
{
	struct wire_counters one;

	tap_set__past(taps, sum);
	for (size_t i = 0; i < tap_set__count(taps); i++) {
		if (tap_set__counters(taps, i, &one))
			continue;
		wire_counters__add(sum, &one);
	}
}

/* The table may change before the header is drawn again. */
static const struct listener *keep_full(struct live *live, enum listener_queue *queue)
{
	const struct listener *worst = listener_table__worst(live->listeners, queue);

	if (!worst)
		return NULL;
	live->full_listener = *worst;
	live->full_listener.session.sock = &live->full_listener.sock;
	live->full_listener.session.netns_name = live->full_listener.netns_name;
	if (worst->session.scope)
		live->full_listener.session.scope = live->full_listener.scope;
	return &live->full_listener;
}

void live__stats(struct live *live, struct live_stats *stats)
{
	const struct timewait_row *low;

	*stats = (struct live_stats){
		.now = live__now(),
		.has_sock = live->sock,
		.has_wire = live->wire,
		.syn_queue = live->tally.syn_queue,
		.accept_queue_full = live->tally.accept_queue_full,
		.time_wait = live->tally.time_wait,
		.time_wait_fin2 = live->tally.time_wait_fin2,
		.nats = live->nats.table ? nat_table__count(live->nats.table) : 0,
		.nats_relisted = live->nats.n_relisted,
		.nats_not_kept = live->nats.n_not_kept,
		.nats_not_asked = live->nats.n_not_asked,
	};
	live__look_close_wait(live);
	stats->close_wait = close_waits__leak(&live->close_waits);
	live_alarms__stats(live, stats);
	if (live->listeners) {
		listener_table__fates(live->listeners, 0, &stats->fates);
		stats->full_listener = keep_full(live, &stats->full_queue);
	}
	low = live_ports__low(live);
	if (low)
		stats->ports_low = *low;
	session_table__stats(live->table, &stats->table);
	(void)live__lost(live, &stats->lost);
	if (live->sock)
		(void)sock_view__counters(live->sock, &stats->sock);
	if (live->wire)
		wire_view__stats(live->wire, &stats->cache);
	if (live->taps)
		live_stats__sum_taps(live->taps, &stats->wire);
}
