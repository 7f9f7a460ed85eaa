/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How near to running out of ports this host is: for each source address and remote endpoint, how
 * many of the ports that connect() may choose are in use. Not here: which these are (port_range.h),
 * who lists the sockets (source/).
 */
#ifndef TCPWATCH_PORT_USE_H
#define TCPWATCH_PORT_USE_H

#include "port_range.h"
#include "threshold.h"
#include "timewait_row.h"

/* TIME_WAIT lasts so long (TCP_TIMEWAIT_LEN in include/net/tcp.h). */
#define TIME_WAIT_NS (60 * TW_NSEC_PER_SEC)
/* A trend is what changed over the last so many nanoseconds, up to twice as many and two looks. */
#define TREND_NS (5 * TW_NSEC_PER_SEC)
/* Without a second look: what began and what will end within so long. */
#define AGES_NS (10 * TW_NSEC_PER_SEC)

/* Ports are low once so many of the usable ones are in use. */
extern const struct threshold ports_low_threshold;

struct port_use {
	struct port_range range;
	uint64_t reuse;		 /* tcp_tw_reuse; UNKNOWN_U64: not known, as good as off */
	uint64_t reuse_delay_ms; /* a TIME_WAIT must be so old to be taken over; UNKNOWN_U64: 1 s */
	struct timewait_rows *rows; /* those of TIMEWAIT_BY_PORTS in it are counted here */
};

/* How old a TIME_WAIT sock is and how long it has left. */
struct timewait_age {
	uint64_t age_ns, left_ns;
};

/* timewait_age__of() - of the TIME_WAIT sock @tuple; @tick_ns: the unit of its time left */
static inline struct timewait_age timewait_age__of(const struct rec_tuple *tuple, uint64_t tick_ns)
{
	uint64_t left_ns = tuple->left_ticks > 0 ? tuple->left_ticks * tick_ns : 0;

	return (struct timewait_age){left_ns < TIME_WAIT_NS ? TIME_WAIT_NS - left_ns : 0, left_ns};
}

/*
 * port_use__add() - count the socket @tuple, of whatever state; listeners are to come first
 *
 * A listener's port is no longer in the range: sockets on it are of clients, which chose their own.
 *
 * @age: of a TIME_WAIT sock, else NULL. Returns 0 or -ENOMEM.
 */
int port_use__add(struct port_use *use, const struct rec_tuple *tuple,
		  const struct timewait_age *age);

/*
 * port_use__finish() - all have been counted: work out trends
 *
 * @before_ns: when the look before this one was, 0: there was none, and trends are inferred.
 * @on_low: called for each row whose ports become low (THRESHOLD_RAISED) or no longer are; may be
 * NULL.
 */
typedef void (*ports_low_fn)(void *ctx, const struct timewait_row *row, enum threshold_change);
void port_use__finish(struct port_use *use, uint64_t before_ns, uint64_t now_ns,
		      ports_low_fn on_low, void *ctx);

/* port_use__taken() - of row->usable, those that connect() cannot have */
static inline uint64_t port_use__taken(const struct timewait_row *row)
{
	return row->used - row->reusable;
}

/* port_use__free() - those that it can have */
static inline uint64_t port_use__free(const struct timewait_row *row)
{
	uint64_t taken = port_use__taken(row);

	return row->usable > taken ? row->usable - taken : 0;
}

/* port_use__worst() - the destination with the most ports taken, of those whose ports are low if
 * @is_low; NULL: there is none */
const struct timewait_row *port_use__worst(const struct timewait_rows *rows, bool is_low);

/* port_use__left_ns() - until none is free if the trend goes on; UNKNOWN_U64: it does not lead
 * there, or is not known */
uint64_t port_use__left_ns(const struct timewait_row *row);

#endif
