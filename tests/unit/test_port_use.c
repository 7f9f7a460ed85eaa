/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Ports in use by destination: what counts, what may be taken over, trends, and when they are low.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "timewait_sample.h"

#define SECOND TW_NSEC_PER_SEC
#define DB     5432

struct fixture {
	struct timewait_rows rows;
	struct port_use use;
	char changes[16]; /* r raised, c cleared */
	uint64_t before_ns;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	f->use.rows = &f->rows;
	f->rows.netns_name = "self";
	f->use.reuse_delay_ms = UNKNOWN_U64;
	port_range__parse(&f->use.range, "1000\t1009", NULL);
	*state = f;
	return timewait_rows__init(&f->rows, SAMPLE_SEED);
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	timewait_rows__fini(&f->rows);
	free(f);
	return 0;
}

static void add(struct fixture *f, struct rec_tuple tuple)
{
	struct timewait_age age = timewait_age__of(&tuple, TICK_NS);

	assert_int_equal(port_use__add(&f->use, &tuple, tuple.is_time_wait ? &age : NULL), 0);
}

static void on_low(void *ctx, const struct timewait_row *row __attribute__((unused)),
		   enum threshold_change change)
{
	struct fixture *f = ctx;

	strcat(f->changes, change == THRESHOLD_RAISED ? "r" : "c");
}

static void begin(struct fixture *f)
{
	f->rows.look++;
}

static void finish(struct fixture *f, uint64_t now_ns)
{
	port_use__finish(&f->use, f->before_ns, now_ns, on_low, f);
	f->before_ns = now_ns;
}

/* A look at @used established sockets to the database. */
static void look(struct fixture *f, unsigned used, uint64_t now_ns)
{
	begin(f);
	for (unsigned i = 0; i < used; i++)
		add(f, full_sock(1000 + i, 9, DB, TCPS_ESTABLISHED));
	finish(f, now_ns);
}

static const struct timewait_row *only_row(const struct fixture *f)
{
	const struct timewait_row *row = timewait_rows__next(&f->rows, NULL);

	assert_non_null(row);
	assert_null(timewait_rows__next(&f->rows, row));
	return row;
}

static void test_what_counts(void **state)
{
	struct fixture *f = *state;
	const struct ip_addr database = host(9);
	const struct timewait_row *row;

	begin(f);
	add(f, full_sock(1004, 0, 0, TCPS_LISTEN)); /* not to anybody, and no port for connect() */
	add(f, full_sock(1004, 9, DB, TCPS_ESTABLISHED)); /* its client */
	add(f, full_sock(1000, 9, DB, TCPS_ESTABLISHED));
	add(f, full_sock(1001, 9, DB, TCPS_SYN_SENT));
	add(f, full_sock(1002, 9, DB, TCPS_CLOSE_WAIT));
	add(f, time_wait_sock(1003, 9, DB, 30));
	add(f, full_sock(999, 9, DB, TCPS_ESTABLISHED));  /* bound to a port outside the range */
	add(f, full_sock(1010, 9, DB, TCPS_ESTABLISHED)); /* likewise */
	finish(f, SECOND);
	row = only_row(f);
	assert_int_equal(row->used, 4);
	assert_int_equal(row->time_wait, 1);
	assert_int_equal(row->usable, 9);
	assert_int_equal(port_use__free(row), 5);
	assert_true(ip_addr__equal(&row->remote.addr, &database));
	assert_int_equal(row->remote.port, DB);
	assert_int_equal(row->local.port, 0);
}

static void test_each_destination_has_all_ports(void **state)
{
	struct fixture *f = *state;
	struct rec_tuple other_source = full_sock(1000, 9, DB, TCPS_ESTABLISHED);
	unsigned count = 0;

	other_source.local = host(2);
	begin(f);
	add(f, full_sock(1000, 9, DB, TCPS_ESTABLISHED));
	add(f, full_sock(1000, 9, DB + 1, TCPS_ESTABLISHED));
	add(f, full_sock(1000, 8, DB, TCPS_ESTABLISHED));
	add(f, other_source);
	finish(f, SECOND);
	for (struct timewait_row *row = NULL; (row = timewait_rows__next(&f->rows, row)); count++)
		assert_int_equal(row->used, 1);
	assert_int_equal(count, 4);
}

/* By tcp_twsk_unique(). */
static const struct {
	const char *name;
	uint64_t reuse, delay_ms;
	bool is_loopback, has_timestamps;
	int left_s;
	unsigned reusable;
} reuse_cases[] = {
	{"off", 0, 1000, false, true, 30, 0},
	{"on", 1, 1000, false, true, 30, 1},
	{"on, just old enough", 1, 1000, false, true, 59, 1},
	{"on, too young", 1, 1000, false, true, 60, 0},
	{"on, a longer delay", 1, 40000, false, true, 30, 0},
	{"on, the delay unknown", 1, UNKNOWN_U64, false, true, 59, 1},
	{"on, without timestamps", 1, 1000, false, false, 30, 0},
	{"on loopback, elsewhere", 2, 1000, false, true, 30, 0},
	{"on loopback, there", 2, 1000, true, true, 30, 1},
	{"unknown", UNKNOWN_U64, 1000, false, true, 30, 0},
	{"on, and a timer that is late", 1, 1000, false, true, -2, 1},
};

static void test_reuse(void **state)
{
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(reuse_cases) / sizeof(reuse_cases[0]); i++) {
		struct rec_tuple tuple = time_wait_sock(1000, 9, DB, reuse_cases[i].left_s);

		f->use.reuse = reuse_cases[i].reuse;
		f->use.reuse_delay_ms = reuse_cases[i].delay_ms;
		tuple.has_timestamps = reuse_cases[i].has_timestamps;
		if (reuse_cases[i].is_loopback)
			ip_addr__set_v4(&tuple.remote, TW_BE32(0x7f000001u));
		begin(f);
		add(f, tuple);
		finish(f, (i + 1) * SECOND);
		if (only_row(f)->reusable != reuse_cases[i].reusable)
			fail_msg("%s: not so", reuse_cases[i].name);
		assert_int_equal(port_use__free(only_row(f)), 9 + reuse_cases[i].reusable);
	}
}

static void test_orphan_is_not_reused(void **state)
{
	struct fixture *f = *state;
	struct rec_tuple tuple = time_wait_sock(1000, 9, DB, 30);

	f->use.reuse = 1;
	tuple.state = TCPS_FIN_WAIT2;
	begin(f);
	add(f, tuple);
	finish(f, SECOND);
	assert_int_equal(only_row(f)->reusable, 0);
	assert_int_equal(only_row(f)->fin_wait2, 1);
}

static void test_loopback_of_ipv6(void **state)
{
	struct fixture *f = *state;
	struct rec_tuple tuple = time_wait_sock(1000, 9, DB, 30);

	f->use.reuse = 2;
	memset(&tuple.remote, 0, sizeof(tuple.remote));
	tuple.remote.bytes[15] = 1;
	begin(f);
	add(f, tuple);
	finish(f, SECOND);
	assert_int_equal(only_row(f)->reusable, 1);
}

/* ---- trends ---------------------------------------------------------------------------------- */

static void test_first_look_infers_from_ages(void **state)
{
	struct fixture *f = *state;

	begin(f);
	for (int i = 0; i < 5; i++)
		add(f, time_wait_sock(1000 + i, 9, DB, 55)); /* 5 s old */
	add(f, time_wait_sock(1005, 9, DB, 30));
	add(f, time_wait_sock(1006, 9, DB, 5)); /* ends within 10 s */
	finish(f, SECOND);
	assert_true(only_row(f)->is_inferred);
	assert_float_equal(only_row(f)->taken_per_second, 0.4, 1e-9);
	assert_int_equal(port_use__left_ns(only_row(f)) / SECOND, 7); /* 3 free at 0.4 a second */
}

static void test_trend_over_looks(void **state)
{
	struct fixture *f = *state;

	look(f, 2, 1 * SECOND);
	look(f, 4, 2 * SECOND);
	assert_false(only_row(f)->is_inferred);
	assert_float_equal(only_row(f)->taken_per_second, 2, 1e-9);
	assert_int_equal(port_use__left_ns(only_row(f)), 3 * SECOND);
	look(f, 1, 3 * SECOND);
	assert_float_equal(only_row(f)->taken_per_second, -0.5, 1e-9);
	assert_int_equal(port_use__left_ns(only_row(f)), UNKNOWN_U64);
	for (int s = 4; s < 20; s++)
		look(f, 1, s * SECOND);
	assert_float_equal(only_row(f)->taken_per_second, 0, 1e-9); /* what was is forgotten */
}

static void test_new_destination_came_since_the_last_look(void **state)
{
	struct fixture *f = *state;

	look(f, 0, 1 * SECOND);
	look(f, 6, 3 * SECOND);
	assert_float_equal(only_row(f)->taken_per_second, 3, 1e-9);
	look(f, 0, 4 * SECOND);
	assert_null(timewait_rows__next(&f->rows, NULL));
}

static void test_none_left(void **state)
{
	struct fixture *f = *state;

	look(f, 10, SECOND);
	assert_int_equal(port_use__free(only_row(f)), 0);
	assert_int_equal(port_use__left_ns(only_row(f)), 0);
}

/* ---- low ------------------------------------------------------------------------------------- */

static void test_low_is_told_once(void **state)
{
	static const unsigned used[] = {7, 8, 10, 8, 7, 8, 0, 9};
	struct fixture *f = *state;

	for (size_t i = 0; i < sizeof(used) / sizeof(used[0]); i++)
		look(f, used[i], (i + 1) * SECOND);
	assert_string_equal(f->changes, "rcrcr");
}

static void test_what_can_be_taken_over_is_not_low(void **state)
{
	struct fixture *f = *state;

	f->use.reuse = 1;
	begin(f);
	for (int i = 0; i < 10; i++)
		add(f, time_wait_sock(1000 + i, 9, DB, 30));
	finish(f, SECOND);
	assert_string_equal(f->changes, "");
	assert_true(isnan(only_row(f)->taken_per_second));
	assert_null(port_use__worst(&f->rows, true));
	assert_ptr_equal(port_use__worst(&f->rows, false), only_row(f));
}

static void test_worst(void **state)
{
	struct fixture *f = *state;

	begin(f);
	add(f, full_sock(1000, 8, DB, TCPS_ESTABLISHED));
	for (int i = 0; i < 9; i++)
		add(f, full_sock(1000 + i, 9, DB, TCPS_ESTABLISHED));
	add(f, full_sock(1000, 7, DB, TCPS_ESTABLISHED));
	finish(f, SECOND);
	assert_int_equal(port_use__worst(&f->rows, false)->used, 9);
	assert_int_equal(port_use__worst(&f->rows, true)->used, 9);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_what_counts),
		TEST(test_each_destination_has_all_ports),
		TEST(test_reuse),
		TEST(test_orphan_is_not_reused),
		TEST(test_loopback_of_ipv6),
		TEST(test_first_look_infers_from_ages),
		TEST(test_trend_over_looks),
		TEST(test_new_destination_came_since_the_last_look),
		TEST(test_none_left),
		TEST(test_low_is_told_once),
		TEST(test_what_can_be_taken_over_is_not_low),
		TEST(test_worst),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
