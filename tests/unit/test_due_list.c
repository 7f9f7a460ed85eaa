/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The wheel: nothing comes before its time but what is far off, nothing much later, nothing twice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <cmocka.h>

#include "user/model/due_list.h"

#define MSEC  1000000ull
#define START (1000000 * MSEC)

static const struct {
	const char *name;
	uint64_t now_ms, due_ms; /* since START: when it is added, when it is due */
	uint64_t early_ms, late_ms;
} cases[] = {
	{"soon", 0, 500, 499, 564},
	{"by now", 700, 700, 700, 828},
	{"long ago", 700, 0, 700, 828},
	{"far off: too early, and not at once", 0, 60000, 1900, 2048},
};

static void test_when(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct due_list list = {0};
		uint64_t now_ns = START + cases[i].now_ms * MSEC;

		assert_int_equal(due_list__take(&list, now_ns), 0);
		assert_int_equal(due_list__add(&list, 7, START + cases[i].due_ms * MSEC), 0);
		if (due_list__take(&list, START + cases[i].early_ms * MSEC))
			fail_msg("%s: too early", cases[i].name);
		if (due_list__take(&list, START + cases[i].late_ms * MSEC) != 7)
			fail_msg("%s: not yet", cases[i].name);
		assert_int_equal(due_list__take(&list, START + 100000 * MSEC), 0);
		due_list__fini(&list);
	}
}

/* Whatever the pauses, each of many comes once. */
static void test_each_once(void **state)
{
	enum { COUNT = 5000 };
	static uint8_t times[COUNT + 1];
	struct due_list list = {0};
	uint64_t now_ns = START;
	uint32_t id;

	(void)state;
	for (id = 1; id <= COUNT; id++)
		assert_int_equal(due_list__add(&list, id, now_ns + id * MSEC / 4), 0);
	for (unsigned step = 1; step < 12; step++) {
		now_ns += step * 37 * MSEC;
		while ((id = due_list__take(&list, now_ns)))
			times[id]++;
	}
	for (id = 1; id <= COUNT; id++)
		assert_int_equal(times[id], 1);
	due_list__fini(&list);
}

/* What is added while others are taken waits for the next time: taking ends. */
static void test_added_anew(void **state)
{
	struct due_list list = {0};
	unsigned taken = 0;
	uint32_t id;

	(void)state;
	assert_int_equal(due_list__add(&list, 1, START), 0);
	while ((id = due_list__take(&list, START + 60000 * MSEC))) {
		assert_true(++taken < 2 * DUE_SLOTS);
		assert_int_equal(due_list__add(&list, id, START + 120000 * MSEC), 0);
	}
	assert_int_equal(due_list__take(&list, START + 120001 * MSEC), 1);
	due_list__fini(&list);
}

/* The object is another by now. */
static void test_in_it_once(void **state)
{
	struct due_list list = {0};

	(void)state;
	assert_int_equal(due_list__take(&list, START), 0);
	assert_int_equal(due_list__add(&list, 9, START + 1000 * MSEC), 0);
	assert_int_equal(due_list__add(&list, 9, START + 1900 * MSEC), 0);
	assert_int_equal(due_list__take(&list, START + 1100 * MSEC), 9);
	assert_int_equal(due_list__take(&list, START + 3000 * MSEC), 0);
	due_list__fini(&list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_when),
		cmocka_unit_test(test_each_once),
		cmocka_unit_test(test_added_anew),
		cmocka_unit_test(test_in_it_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
