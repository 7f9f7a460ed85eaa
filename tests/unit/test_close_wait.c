/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sessions long in CLOSE_WAIT: how many, whose, and whether they become more.
 */
#include <math.h>

#include "table_fixture.h"
#include "user/model/close_wait.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define HOLDER		42
#define OTHER		43

/* Sockets in a state since some time ago; each is another port's. */
struct row {
	enum tcp_state state;
	unsigned ago_s; /* 0: nobody knows */
	uint32_t pid;
};

static void snapshot(struct fixture *fx, const struct row *rows, size_t count)
{
	fixture__snapshot(fx, REC_SNAPSHOT_BEGIN, NETNS, false);
	for (size_t i = 0; i < count; i++) {
		struct sock_info info =
			make_sock(100 + i, rows[i].state, LOCAL_IP, 40000 + i, REMOTE_IP, 80);

		info.close_wait_ns = rows[i].ago_s ? fx->now_ns - rows[i].ago_s * SEC : 0;
		fixture__sock(fx, &info);
	}
	fixture__snapshot(fx, REC_SNAPSHOT_END, NETNS, true);
	for (size_t i = 0; i < count; i++)
		if (rows[i].pid)
			fixture__owner(fx, 100 + i, rows[i].pid, "leaky");
	fixture__settle(fx);
}

static void test_who_leaks(void **state)
{
	static const struct {
		const char *name;
		struct row rows[5];
		size_t n_rows;
		uint64_t count;
		uint32_t pid;
		uint64_t n_of_owner;
	} cases[] = {
		{"nothing", {{0}}, 0, 0, 0, 0},
		{"not that long", {{TCPS_CLOSE_WAIT, 59, HOLDER}}, 1, 0, 0, 0},
		{"a minute", {{TCPS_CLOSE_WAIT, 60, HOLDER}}, 1, 1, HOLDER, 1},
		{"another state", {{TCPS_ESTABLISHED, 600, HOLDER}}, 1, 0, 0, 0},
		{"nobody knows since when", {{TCPS_CLOSE_WAIT, 0, HOLDER}}, 1, 0, 0, 0},
		{"nobody holds it", {{TCPS_CLOSE_WAIT, 600, 0}}, 1, 1, 0, 0},
		{"most are of one",
		 {{TCPS_CLOSE_WAIT, 90, OTHER},
		  {TCPS_CLOSE_WAIT, 90, HOLDER},
		  {TCPS_CLOSE_WAIT, 90, HOLDER},
		  {TCPS_CLOSE_WAIT, 90, OTHER},
		  {TCPS_CLOSE_WAIT, 90, HOLDER}},
		 5,
		 5,
		 HOLDER,
		 3},
		{"the young ones do not vote",
		 {{TCPS_CLOSE_WAIT, 5, OTHER},
		  {TCPS_CLOSE_WAIT, 5, OTHER},
		  {TCPS_CLOSE_WAIT, 90, HOLDER}},
		 3,
		 1,
		 HOLDER,
		 1},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct close_waits waits = {0};
		struct close_wait_leak leak;
		struct fixture fx;

		fixture__init(&fx, false, false, 0);
		snapshot(&fx, cases[i].rows, cases[i].n_rows);
		close_waits__look(&waits, fx.table, fx.now_ns);
		leak = close_waits__leak(&waits);
		if (leak.count != cases[i].count || leak.n_of_owner != cases[i].n_of_owner ||
		    (leak.n_of_owner && leak.owner.pid != cases[i].pid))
			fail_msg("%s: %ju, %ju of %u", cases[i].name, (uintmax_t)leak.count,
				 (uintmax_t)leak.n_of_owner, leak.owner.pid);
		close_waits__fini(&waits);
		session_table__free(fx.table);
	}
}

static void test_trend(void **state)
{
	static const struct row rows[] = {{TCPS_CLOSE_WAIT, 90, HOLDER},
					  {TCPS_CLOSE_WAIT, 90, HOLDER},
					  {TCPS_CLOSE_WAIT, 90, HOLDER}};
	struct close_waits waits = {0};
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 0);
	snapshot(&fx, rows, 1);
	close_waits__look(&waits, fx.table, fx.now_ns);
	assert_true(isnan(waits.per_minute));
	fx.now_ns += 30 * SEC;
	snapshot(&fx, rows, 3);
	close_waits__look(&waits, fx.table, fx.now_ns);
	assert_float_equal(waits.per_minute, 4, 1e-6);
	fx.now_ns += 30 * SEC;
	snapshot(&fx, rows, 1);
	close_waits__look(&waits, fx.table, fx.now_ns);
	assert_float_equal(waits.per_minute, 0, 1e-6);
	close_waits__fini(&waits);
	session_table__free(fx.table);
}

/* What a row says of its process. */
static void test_of_a_process(void **state)
{
	static const struct row rows[] = {{TCPS_CLOSE_WAIT, 90, HOLDER},
					  {TCPS_CLOSE_WAIT, 59, HOLDER},
					  {TCPS_ESTABLISHED, 90, HOLDER},
					  {TCPS_CLOSE_WAIT, 1, OTHER},
					  {TCPS_CLOSE_WAIT, 0, OTHER}};
	const struct close_wait_holder *holder;
	struct close_waits waits = {0};
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 0);
	snapshot(&fx, rows, COUNT_OF(rows));
	close_waits__look(&waits, fx.table, fx.now_ns);
	holder = close_waits__find(&waits, NETNS, HOLDER);
	assert_non_null(holder);
	assert_int_equal(holder->count, 2);
	assert_int_equal(holder->n_new, 1);
	assert_false(holder->is_unsure);
	holder = close_waits__find(&waits, NETNS, OTHER);
	assert_int_equal(holder->count, 2);
	assert_true(holder->is_unsure);
	assert_null(close_waits__find(&waits, NETNS + 1, HOLDER));
	snapshot(&fx, rows, 0);
	close_waits__look(&waits, fx.table, fx.now_ns);
	assert_null(close_waits__find(&waits, NETNS, HOLDER));
	close_waits__fini(&waits);
	session_table__free(fx.table);
}

struct heard {
	enum threshold_change change;
	uint64_t n_long;
	unsigned times;
};

static void hear(void *ctx, const struct close_wait_holder *holder, enum threshold_change change)
{
	struct heard *told = ctx;

	told->change = change;
	told->n_long = holder->n_long;
	told->times++;
	assert_int_equal(holder->key.pid, HOLDER);
}

static void test_alarm(void **state)
{
	static const struct {
		size_t n_long;
		enum threshold_change change;
	} steps[] = {
		{CLOSE_WAIT_LEAK - 1, THRESHOLD_NONE},
		{CLOSE_WAIT_LEAK, THRESHOLD_RAISED},
		{CLOSE_WAIT_LEAK + 1, THRESHOLD_NONE},
		{CLOSE_WAIT_LEAK / 2 + 1, THRESHOLD_NONE},
		{CLOSE_WAIT_LEAK / 2, THRESHOLD_CLEARED},
		{CLOSE_WAIT_LEAK, THRESHOLD_RAISED},
		{0, THRESHOLD_CLEARED},
	};
	struct row rows[CLOSE_WAIT_LEAK + 1];
	struct close_waits waits = {0};
	struct fixture fx;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		rows[i] = (struct row){TCPS_CLOSE_WAIT, 90, HOLDER};
	fixture__init(&fx, false, false, 0);
	for (size_t i = 0; i < COUNT_OF(steps); i++) {
		struct heard told = {0};

		snapshot(&fx, rows, steps[i].n_long);
		close_waits__look(&waits, fx.table, fx.now_ns);
		close_waits__observe(&waits, hear, &told);
		if (told.change != steps[i].change ||
		    (told.times && told.n_long != steps[i].n_long))
			fail_msg("step %zu: change %d, %ju", i, told.change,
				 (uintmax_t)told.n_long);
	}
	assert_null(close_waits__find(&waits, NETNS, HOLDER));
	close_waits__fini(&waits);
	session_table__free(fx.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_who_leaks),
		cmocka_unit_test(test_trend),
		cmocka_unit_test(test_of_a_process),
		cmocka_unit_test(test_alarm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
