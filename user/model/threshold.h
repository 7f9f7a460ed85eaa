/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Thresholds with hysteresis: when something that fills up is worth telling, once, and when it is
 * over. Not here: what fills up, and who is told.
 */
#ifndef TCPWATCH_THRESHOLD_H
#define TCPWATCH_THRESHOLD_H

#include <stdbool.h>
#include <stdint.h>

/* Shares of the limit in thousandths. What lies between the two changes nothing. */
struct threshold {
	uint32_t raise_permille; /* raised once the share reaches this */
	uint32_t
		clear_permille; /* cleared once it is no more than this; less than raise_permille */
};

/* X(enumerator, name) */
#define THRESHOLD_CHANGES(X) \
	X(NONE, "")          \
	X(RAISED, "raised")  \
	X(CLEARED, "cleared")

enum threshold_change {
#define X(id, name) THRESHOLD_##id,
	THRESHOLD_CHANGES(X)
#undef X
};

/* threshold_change__name() - "raised", "cleared", or NULL: nothing changed */
const char *threshold_change__name(enum threshold_change change);

/* threshold__is_reached() - @used of @limit is at least the share that raises it. Nothing at all
 * fits into a limit of 0: it is full. */
bool threshold__is_reached(const struct threshold *t, uint64_t used, uint64_t limit);

/*
 * threshold__observe() - @used of @limit is in use now
 *
 * @is_raised: whether it was raised so far; updated. One for each thing watched, false at first.
 */
enum threshold_change threshold__observe(const struct threshold *t, bool *is_raised, uint64_t used,
					 uint64_t limit);

#endif
