/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Buckets by the highest bits of a value: its power of two, and the three bits below.
 */
#include "histogram.h"

#define STEPS (1u << HISTOGRAM_STEPS_SHIFT)
#define LAST  (HISTOGRAM_BUCKETS - 1)

static unsigned bucket_of(uint64_t ns)
{
	unsigned shift;

	if (ns < 1ULL << HISTOGRAM_FIRST_SHIFT)
		return 0;
	if (ns >= 1ULL << HISTOGRAM_LAST_SHIFT)
		return LAST;
	shift = 63 - (unsigned)__builtin_clzll(ns);
	return 1 + ((shift - HISTOGRAM_FIRST_SHIFT) << HISTOGRAM_STEPS_SHIFT) +
	       (unsigned)(ns >> (shift - HISTOGRAM_STEPS_SHIFT) & (STEPS - 1));
}

uint64_t histogram__limit(unsigned i)
{
	unsigned shift = HISTOGRAM_FIRST_SHIFT + (i >> HISTOGRAM_STEPS_SHIFT);

	if (i >= LAST)
		return UINT64_MAX;
	return (uint64_t)(STEPS + (i & (STEPS - 1))) << (shift - HISTOGRAM_STEPS_SHIFT);
}

void histogram__add(struct histogram *h, uint64_t ns)
{
	if (!h->count || ns < h->min_ns)
		h->min_ns = ns;
	if (!h->count || ns > h->max_ns)
		h->max_ns = ns;
	h->count++;
	h->sum_ns += ns;
	h->bucket[bucket_of(ns)]++;
}

void histogram__merge(struct histogram *into, const struct histogram *from)
{
	if (!from->count)
		return;
	if (!into->count || from->min_ns < into->min_ns)
		into->min_ns = from->min_ns;
	if (!into->count || from->max_ns > into->max_ns)
		into->max_ns = from->max_ns;
	into->count += from->count;
	into->sum_ns += from->sum_ns;
	for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++)
		into->bucket[i] += from->bucket[i];
}

uint64_t histogram__quantile(const struct histogram *h, unsigned permille)
{
	uint64_t rank = (uint64_t)(((unsigned __int128)h->count * permille + 999) / 1000);
	uint64_t seen = 0;

	for (unsigned i = 0; i < LAST; i++) {
		seen += h->bucket[i];
		if (seen && seen >= rank)
			return histogram__limit(i) < h->max_ns ? histogram__limit(i) : h->max_ns;
	}
	return h->max_ns;
}

uint64_t histogram__below(const struct histogram *h, uint64_t ns)
{
	uint64_t count = 0;

	for (unsigned i = 0; i < LAST && histogram__limit(i) <= ns; i++)
		count += h->bucket[i];
	return count;
}
