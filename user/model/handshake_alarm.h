/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Servers whose handshakes fail, told once when it begins and once when it is over. Fed with
 * events. Not here: what a handshake is (handshake.h), sums for a report (handshake_stats.h).
 */
#ifndef TCPWATCH_HANDSHAKE_ALARM_H
#define TCPWATCH_HANDSHAKE_ALARM_H

#include "event.h"
#include "session_table.h"
#include "threshold.h"

/* The last FAILING_SPAN_NS to twice that are judged. */
#define FAILING_SPAN_NS (10 * TW_NSEC_PER_SEC)
#define FAILING_LEAST	5		      /* fewer failures are nobody's trouble */
#define STALLED_NS	(3 * TW_NSEC_PER_SEC) /* so long under way is as good as failed */
#define FAILING_PLACES	1024 /* servers at a time; those without failures give way */

/* How many handshakes ended lately, and how many of them in vain. Zeroed at first. */
struct failing {
	struct handshake_ends {
		uint64_t all, failed;
	} newer, older;
	uint64_t newer_ns; /* when .newer began */
	uint64_t stalled;  /* under way for STALLED_NS by now, which will count when they end */
	bool is_raised;
};

/* failing__add() - these ended by @now_ns */
void failing__add(struct failing *failing, struct handshake_ends ends, uint64_t now_ns);

/* failing__recent() - those that count, as of the last call */
static inline struct handshake_ends failing__recent(const struct failing *failing)
{
	return (struct handshake_ends){failing->newer.all + failing->older.all + failing->stalled,
				       failing->newer.failed + failing->older.failed +
					       failing->stalled};
}

/*
 * failing__observe() - let time pass, and judge
 *
 * Raised when a tenth of them failed, and FAILING_LEAST of them at least; cleared when no more than
 * a twentieth did.
 */
enum threshold_change failing__observe(struct failing *failing, uint64_t now_ns);

struct handshake_alarm;
struct handshake_alarm *handshake_alarm__new(void); /* NULL: ENOMEM */
void handshake_alarm__free(struct handshake_alarm *alarm);

/* handshake_alarm__add() - count what @event says of a handshake; other events are left alone.
 * Returns 0 or -ENOMEM */
int handshake_alarm__add(struct handshake_alarm *alarm, const struct event *event);

/*
 * handshake_alarm__forget_stalled() - those under way are about to be told anew
 * handshake_alarm__add_attempt() - this one is. Returns 0 or -ENOMEM
 */
void handshake_alarm__forget_stalled(struct handshake_alarm *alarm);
int handshake_alarm__add_attempt(struct handshake_alarm *alarm, const struct attempt *attempt,
				 uint64_t now_ns);

/*
 * handshake_alarm__observe() - call @tell for each server whose handshakes began or ceased to fail
 *
 * @place: the server's endpoint, as .local where this host is the server and .remote where it is
 * the client or neither; its .sock says which.
 */
typedef void (*handshake_alarm_fn)(void *ctx, const struct session *place,
				   const struct handshake_ends *ends, enum threshold_change change);
void handshake_alarm__observe(struct handshake_alarm *alarm, uint64_t now_ns,
			      handshake_alarm_fn tell, void *ctx);

#endif
