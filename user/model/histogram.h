/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A histogram of times whose buckets are the same everywhere, so that two of them add up: eight
 * buckets to each doubling from 1 us to 137 s, each at most an eighth wider than it is high. Count,
 * sum, least and greatest are exact. Not here: what is measured, how it is drawn.
 */
#ifndef TCPWATCH_HISTOGRAM_H
#define TCPWATCH_HISTOGRAM_H

#include <stdint.h>

#define HISTOGRAM_STEPS_SHIFT 3	 /* buckets to a doubling: 8 */
#define HISTOGRAM_FIRST_SHIFT 10 /* below 2^10 ns there is one bucket … */
#define HISTOGRAM_LAST_SHIFT  37 /* … and from 2^37 ns on another */
#define HISTOGRAM_BUCKETS \
	(((HISTOGRAM_LAST_SHIFT - HISTOGRAM_FIRST_SHIFT) << HISTOGRAM_STEPS_SHIFT) + 2)

struct histogram {
	uint64_t count, sum_ns, min_ns, max_ns; /* min and max mean nothing while count is 0 */
	uint64_t bucket[HISTOGRAM_BUCKETS];
};

void histogram__add(struct histogram *h, uint64_t ns);

/* histogram__merge() - @into holds what both did */
void histogram__merge(struct histogram *into, const struct histogram *from);

/* histogram__limit() - bucket @i holds what is below so many ns; UINT64_MAX: the last one */
uint64_t histogram__limit(unsigned i);

/*
 * histogram__quantile() - ns that @permille of the values do not exceed; the histogram is not empty
 *
 * The upper end of the bucket that the value by nearest rank is in, so at most an eighth too much,
 * and never more than the greatest value.
 */
uint64_t histogram__quantile(const struct histogram *h, unsigned permille);

/* histogram__below() - how many values are below @ns; exact where @ns is the limit of a bucket */
uint64_t histogram__below(const struct histogram *h, uint64_t ns);

#endif
