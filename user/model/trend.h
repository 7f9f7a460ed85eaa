/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The trend of a figure, from what it was at two moments of the past.
 */
#ifndef TCPWATCH_TREND_H
#define TCPWATCH_TREND_H

#include <math.h>
#include <stdint.h>

#include "bpf/shared/types.h"

struct trend {
	uint64_t older_ns, older, newer_ns, newer; /* older_ns 0: there was none yet */
};

/*
 * trend__follow() - @value is what the figure is at @now_ns
 *
 * Returns its change per second since a moment @span_ns to twice that ago, or up to two calls
 * before that, or since the first one; NAN: this is the first.
 */
static inline double trend__follow(struct trend *trend, uint64_t now_ns, uint64_t value,
				   uint64_t span_ns)
{
	double per_second = NAN;

	if (!trend->older_ns)
		*trend = (struct trend){now_ns, value, now_ns, value};
	if (now_ns > trend->older_ns)
		per_second = ((double)value - (double)trend->older) * TW_NSEC_PER_SEC /
			     (double)(now_ns - trend->older_ns);
	if (now_ns - trend->newer_ns < span_ns)
		return per_second;
	trend->older_ns = trend->newer_ns;
	trend->older = trend->newer;
	trend->newer_ns = now_ns;
	trend->newer = value;
	return per_second;
}

#endif
