/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Events per second, from two readings of the totals. Not here: the readings (source/live.h).
 */
#ifndef TCPWATCH_RATES_H
#define TCPWATCH_RATES_H

#include "user/source/live.h"

/* X(enumerator, label) */
#define RATES(X)                      \
	X(OPENS, "opens")             \
	X(CLOSES, "closes")           \
	X(FAILED, "failed")           \
	X(RETRANSMITS, "retransmits") \
	X(RESETS_IN, "resets in")     \
	X(RESETS_OUT, "resets out")

enum rate {
#define X(id, label) RATE_##id,
	RATES(X)
#undef X
		RATE_COUNT,
};

struct rates {
	uint64_t total[RATE_COUNT];    /* since the start; UNKNOWN_U64: no view tells */
	double per_second[RATE_COUNT]; /* negative: not known yet */
};

const char *rate__label(enum rate rate);

/*
 * rates__between() - what happened from @before to @now
 *
 * @before NULL, or no older than @now: the rates are not known.
 */
struct rates rates__between(const struct live_stats *before, const struct live_stats *now);

#endif
