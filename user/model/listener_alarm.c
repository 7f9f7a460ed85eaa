/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When a queue refuses.
 */
#include "listener_alarm.h"

#include <stdlib.h>

#include "listener_internal.h"

static const struct threshold full = {.raise_permille = 1000, .clear_permille = 500};

const char *listener_queue__name(enum listener_queue queue)
{
	return queue == QUEUE_ACCEPT ? "accept" : "syn";
}

bool listener__level(const struct listener *listener, enum listener_queue queue,
		     struct queue_level *level)
{
	const struct sock_info *sock = &listener->sock;

	if (queue == QUEUE_ACCEPT) {
		*level = (struct queue_level){sock->rx_queue, (uint64_t)sock->tx_queue + 1};
		return true;
	}
	*level = (struct queue_level){sock->syn_queue, listener->syn_queue_limit + 1};
	return listener->syn_queue_limit != UNKNOWN_U64;
}

/* SYNs that found the queue full, ever. */
static uint64_t refused(const struct listener *listener, enum listener_queue queue)
{
	const __u64 *fate = listener->counts.fate;

	if (queue == QUEUE_ACCEPT)
		return fate[SYN_ACCEPT_FULL];
	return fate[SYN_SYN_FULL] + fate[SYN_BACKLOG_FULL] +
	       (listener->refuses_by_choice ? 0 : fate[SYN_COOKIE]);
}

static void observe(struct listener *listener, enum listener_queue queue, listener_alarm_fn tell,
		    void *ctx)
{
	struct listener_alarm *alarm = &listener->alarm[queue];
	uint64_t refused_before = alarm->refused;
	enum threshold_change change;
	struct queue_level level;

	alarm->refused = refused(listener, queue);
	if (!listener__level(listener, queue, &level))
		return;
	/* It was full for a moment between two looks. */
	if (alarm->refused != refused_before)
		level.used = level.limit;
	change = threshold__observe(&full, &alarm->is_raised, level.used, level.limit);
	if (change != THRESHOLD_NONE)
		tell(ctx, listener, queue, &level, change);
}

struct observing {
	listener_alarm_fn tell;
	void *ctx;
};

static void observe_both(void *ctx, struct listener *listener)
{
	const struct observing *o = ctx;

	for (enum listener_queue queue = 0; queue < QUEUE_COUNT; queue++)
		observe(listener, queue, o->tell, o->ctx);
}

/* Whoever is gone refuses nobody. */
static void clear_both(const struct listener *listener, const struct observing *o)
{
	for (enum listener_queue queue = 0; queue < QUEUE_COUNT; queue++) {
		struct queue_level level;

		if (!listener->alarm[queue].is_raised)
			continue;
		(void)listener__level(listener, queue, &level);
		level.used = 0;
		o->tell(o->ctx, listener, queue, &level, THRESHOLD_CLEARED);
	}
}

static void observe_lapsed(struct listener_table *table, const struct observing *o)
{
	while (table->lapsed) {
		struct listener *listener = table->lapsed;

		table->lapsed = listener->next_gone;
		clear_both(listener, o);
		free(listener);
	}
}

void listener_table__observe(struct listener_table *table, listener_alarm_fn tell, void *ctx)
{
	struct observing o = {tell, ctx};

	observe_lapsed(table, &o);
	listener_table__edit(table, observe_both, &o);
}

struct worst {
	const struct listener *listener;
	uint64_t badness;
	enum listener_queue queue;
};

static void look_for_worst(void *ctx, const struct listener *listener)
{
	struct worst *worst = ctx;

	for (enum listener_queue queue = 0; queue < QUEUE_COUNT; queue++) {
		if (!listener->alarm[queue].is_raised)
			continue;
		if (worst->listener && listener__badness(listener) <= worst->badness)
			continue;
		*worst = (struct worst){listener, listener__badness(listener), queue};
	}
}

const struct listener *listener_table__worst(const struct listener_table *table,
					     enum listener_queue *queue)
{
	struct worst worst = {0};

	listener_table__visit(table, look_for_worst, &worst);
	*queue = worst.queue;
	return worst.listener;
}
