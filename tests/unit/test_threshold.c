/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Thresholds with hysteresis: what each of a row of readings changes.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <cmocka.h>

#include "user/model/threshold.h"

#define MAX_READINGS 8

/* Readings of @limit, and after each what changed: r raised, c cleared, - nothing. */
static const struct {
	const char *name;
	struct threshold threshold;
	uint64_t limit;
	uint64_t used[MAX_READINGS];
	const char *changes;
} cases[] = {
	{"raised at its share, once", {800, 600}, 10, {7, 8, 9, 10}, "-r--"},
	{"between the two nothing changes", {800, 600}, 10, {8, 7, 8, 7, 8}, "r----"},
	{"cleared at the lower share", {800, 600}, 10, {8, 7, 6, 5, 8}, "r-c-r"},
	{"at once from empty to full", {800, 600}, 28232, {0, 28232, 0}, "-rc"},
	{"a limit that the share does not divide", {800, 600}, 3, {2, 3, 2, 1}, "-r-c"},
	{"a limit of one", {1000, 500}, 1, {0, 1, 0}, "-rc"},
	{"a limit of nothing is full", {800, 600}, 0, {0, 5, 0}, "r--"},
	{"more than the limit", {1000, 900}, 5, {6, 5, 4}, "r-c"},
	{"shares of large numbers", {800, 600}, UINT64_MAX, {UINT64_MAX, UINT64_MAX / 2}, "rc"},
};

static void test_observe(void **state __attribute__((unused)))
{
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char changes[MAX_READINGS + 1] = {0};
		bool is_raised = false;

		for (size_t k = 0; k < strlen(cases[i].changes); k++)
			changes[k] = "-rc"[threshold__observe(&cases[i].threshold, &is_raised,
							      cases[i].used[k], cases[i].limit)];
		if (strcmp(changes, cases[i].changes))
			fail_msg("%s: %s, not %s", cases[i].name, changes, cases[i].changes);
	}
}

static void test_names(void **state __attribute__((unused)))
{
	assert_null(threshold_change__name(THRESHOLD_NONE));
	assert_string_equal(threshold_change__name(THRESHOLD_RAISED), "raised");
	assert_string_equal(threshold_change__name(THRESHOLD_CLEARED), "cleared");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_observe),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
