/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Histograms: where values go, and what is read back, against a sorted list of the same values.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <cmocka.h>

#include "user/model/histogram.h"

#define US	 1000ULL
#define MS	 1000000ULL
#define S	 1000000000ULL
#define N_RANDOM 5000

static unsigned bucket_with(const struct histogram *h)
{
	unsigned i = 0;

	while (i < HISTOGRAM_BUCKETS && !h->bucket[i])
		i++;
	return i;
}

static const uint64_t values[] = {0,	      1,	 1023,	   1024, 1151,	  1152,
				  65 * US,    MS - 1,	 200 * MS, S,	 127 * S, (1ULL << 37) - 1,
				  1ULL << 37, UINT64_MAX};

/* Each value lies in its bucket's limits, and those are at most an eighth apart. */
static void test_limits(void **state __attribute__((unused)))
{
	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		struct histogram h = {0};
		uint64_t lower, upper;
		unsigned at;

		histogram__add(&h, values[i]);
		at = bucket_with(&h);
		lower = at ? histogram__limit(at - 1) : 0;
		upper = histogram__limit(at);
		assert_true(values[i] >= lower);
		assert_true(values[i] < upper || upper == UINT64_MAX);
		if (at && upper != UINT64_MAX)
			assert_true(upper - lower <= lower / 8);
	}
}

static void test_limits_grow(void **state __attribute__((unused)))
{
	assert_int_equal(histogram__limit(0), 1024);
	assert_int_equal(histogram__limit(HISTOGRAM_BUCKETS - 2), 1ULL << 37);
	for (unsigned i = 1; i < HISTOGRAM_BUCKETS; i++)
		assert_true(histogram__limit(i) > histogram__limit(i - 1));
}

static int compare(const void *a, const void *b)
{
	uint64_t x = *(const uint64_t *)a, y = *(const uint64_t *)b;

	return (x > y) - (x < y);
}

static void fill_random(struct histogram *h, uint64_t *sorted, size_t n)
{
	uint64_t u = 88172645463325252ULL;

	for (size_t i = 0; i < n; i++) {
		u ^= u << 13;
		u ^= u >> 7;
		u ^= u << 17;
		sorted[i] = u % (1ULL << (10 + u % 26));
		histogram__add(h, sorted[i]);
	}
	qsort(sorted, n, sizeof(*sorted), compare);
}

static void test_quantiles(void **state __attribute__((unused)))
{
	static const unsigned permilles[] = {0, 1, 500, 900, 990, 999, 1000};
	static uint64_t sorted[N_RANDOM];
	static struct histogram h;

	fill_random(&h, sorted, N_RANDOM);
	for (size_t i = 0; i < sizeof(permilles) / sizeof(permilles[0]); i++) {
		size_t rank = (N_RANDOM * (size_t)permilles[i] + 999) / 1000;
		uint64_t exact = sorted[rank ? rank - 1 : 0];
		uint64_t told = histogram__quantile(&h, permilles[i]);

		assert_true(told >= exact);
		assert_true(told <= 1024 || told <= exact + exact / 8 + 1);
		assert_true(told <= h.max_ns);
	}
	assert_int_equal(h.min_ns, sorted[0]);
	assert_int_equal(h.max_ns, sorted[N_RANDOM - 1]);
}

/* Nearest rank: half of three values is two of them. */
static void test_quantile_of_few(void **state __attribute__((unused)))
{
	struct histogram h = {0};

	histogram__add(&h, 2 * US);
	histogram__add(&h, 4 * US);
	histogram__add(&h, 8 * US);
	assert_in_range(histogram__quantile(&h, 333), 2 * US, 3 * US);
	assert_in_range(histogram__quantile(&h, 334), 4 * US, 5 * US);
	assert_in_range(histogram__quantile(&h, 500), 4 * US, 5 * US);
	assert_int_equal(histogram__quantile(&h, 667), 8 * US);
}

static void test_merge_is_as_if_all_were_added(void **state __attribute__((unused)))
{
	static struct histogram whole, half[2], empty;

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++) {
		histogram__add(&whole, values[i]);
		histogram__add(&half[i % 2], values[i]);
	}
	histogram__merge(&half[0], &half[1]);
	histogram__merge(&half[0], &empty);
	assert_memory_equal(&half[0], &whole, sizeof(whole));
	histogram__merge(&empty, &whole);
	assert_memory_equal(&empty, &whole, sizeof(whole));
}

static void test_below(void **state __attribute__((unused)))
{
	struct histogram h = {0};

	for (size_t i = 0; i < sizeof(values) / sizeof(values[0]); i++)
		histogram__add(&h, values[i]);
	assert_int_equal(histogram__below(&h, 1023), 0);
	assert_int_equal(histogram__below(&h, 1024), 3);
	assert_int_equal(histogram__below(&h, 1ULL << 30), 10);
	assert_int_equal(histogram__below(&h, UINT64_MAX), 12); /* the last bucket has no end */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_limits),
		cmocka_unit_test(test_limits_grow),
		cmocka_unit_test(test_quantiles),
		cmocka_unit_test(test_quantile_of_few),
		cmocka_unit_test(test_merge_is_as_if_all_were_added),
		cmocka_unit_test(test_below),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
