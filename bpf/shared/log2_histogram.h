/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Histograms of durations with bounds that are powers of two of a microsecond: which bucket a
 * duration is of takes a few shifts in the kernel, and each bound is an exact decimal of a second.
 * Not here: what is measured (tally.h), how it is written (user/output/prom.h).
 */
#ifndef TCPWATCH_SHARED_LOG2_HISTOGRAM_H
#define TCPWATCH_SHARED_LOG2_HISTOGRAM_H

#include "types.h"

#define LOG2_BUCKETS 24 /* the last holds what is beyond every bound */

/* Bucket i, but for the last, holds what is at most 2^(first + i * step) microseconds. */
struct log2_shape {
	__u32 first;
	__u32 step;
	__u32 n_bounds; /* at most LOG2_BUCKETS - 1 */
};

struct log2_histogram {
	__u64 bucket[LOG2_BUCKETS]; /* not cumulative; those beyond n_bounds are 0 */
	__u64 sum_ns;
};

/* log2_shape__bound_ns() - the bound of bucket @i; @i < n_bounds */
static __always_inline __u64 log2_shape__bound_ns(const struct log2_shape *shape, __u32 i)
{
	return 1000ULL << (shape->first + i * shape->step);
}

/* The smallest n with @v <= 2^n, by halves: the BPF target has no instruction that counts zeros. */
static __always_inline __u32 ceil_log2(__u64 v)
{
	__u32 n = 0;

	if (v <= 1)
		return 0;
	v--;
	TW_UNROLL
	for (__u32 half = 32; half; half >>= 1) {
		if (!(v >> half))
			continue;
		v >>= half;
		n += half;
	}
	return n + 1;
}

/* log2_shape__bucket() - the number of the bucket for @ns: the first whose bound is not less
 */
static __always_inline __u32 log2_shape__bucket(const struct log2_shape *shape, __u64 ns)
{
	__u32 log2_us = ceil_log2((ns + 999) / 1000), bucket;

	if (log2_us <= shape->first)
		return 0;
	bucket = (log2_us - shape->first + shape->step - 1) / shape->step;
	return bucket < shape->n_bounds ? bucket : shape->n_bounds;
}

/* log2_histogram__merge() - @into holds what both did */
static __always_inline void log2_histogram__merge(struct log2_histogram *into,
						  const struct log2_histogram *from)
{
	for (int i = 0; i < LOG2_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
	into->sum_ns += from->sum_ns;
}

#endif
