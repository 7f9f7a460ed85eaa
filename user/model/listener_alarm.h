/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Queues of listeners that refuse connections, told once when it begins and once when it is over.
 * Not here: the queues (listener.h).
 */
#ifndef TCPWATCH_LISTENER_ALARM_H
#define TCPWATCH_LISTENER_ALARM_H

#include "listener.h"
#include "threshold.h"

/* listener_queue__name() - "accept" or "syn" */
const char *listener_queue__name(enum listener_queue queue);

/* How many of @queue are taken, of how many that fit: one more than its limit. */
struct queue_level {
	uint64_t used, limit;
};
/* listener__level() - false: the limit is not known */
bool listener__level(const struct listener *listener, enum listener_queue queue,
		     struct queue_level *level);

/*
 * listener_table__observe() - call @tell for each queue that began or ceased to refuse since the
 * last time
 *
 * It refuses while it is full, or when SYNs came to grief for it in between (SYNs answered by a
 * cookie too). It no longer does once it is half empty and none did, or once the listener is gone.
 * Each time the counts are new.
 */
/* @level: as it was, or full if it was so in between */
typedef void (*listener_alarm_fn)(void *ctx, const struct listener *listener,
				  enum listener_queue queue, const struct queue_level *level,
				  enum threshold_change change);
void listener_table__observe(struct listener_table *table, listener_alarm_fn tell, void *ctx);

/* listener_table__worst() - of the listeners that refuse the one with the most drops lately, then
 * the fullest; NULL: none does */
const struct listener *listener_table__worst(const struct listener_table *table,
					     enum listener_queue *queue);

#endif
