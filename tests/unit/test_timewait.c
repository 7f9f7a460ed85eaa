/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The account of TIME_WAIT: groups, ages, how it begins and ends by looks, records and counters,
 * and the advice.
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "timewait_sample.h"
#include "user/ui/timewait_summary.h"

#define SECOND	  TW_NSEC_PER_SEC
#define DB	  5432
#define WEB	  80
#define MAX_SOCKS 64
#define UNSET_KERNEL                                                                               \
	(struct timewait_kernel)                                                                   \
	{                                                                                          \
		.socks = UNKNOWN_U64, .max_socks = UNKNOWN_U64, .waited = UNKNOWN_U64,             \
		.killed = UNKNOWN_U64, .recycled = UNKNOWN_U64, .overflow = UNKNOWN_U64,           \
		.reuse = UNKNOWN_U64, .reuse_delay_ms = UNKNOWN_U64, .fin_timeout_s = UNKNOWN_U64, \
	}

struct fixture {
	struct timewait *account;
	struct port_range range;
	struct timewait_kernel kernel;
	struct rec_tuple socks[MAX_SOCKS];
	size_t n_socks;
	uint64_t now_ns;
	bool counts_ends;
};

static int setup(void **state)
{
	struct fixture *f = calloc(1, sizeof(*f));

	port_range__parse(&f->range, "1000\t1999", NULL);
	f->kernel = (struct timewait_kernel){.max_socks = 100, .reuse_delay_ms = UNKNOWN_U64};
	f->account = timewait__new(1, SAMPLE_SEED, true);
	*state = f;
	return f->account ? 0 : -1;
}

static int teardown(void **state)
{
	struct fixture *f = *state;

	timewait__free(f->account);
	free(f);
	return 0;
}

static void put(struct fixture *f, struct rec_tuple tuple)
{
	assert_true(f->n_socks < MAX_SOCKS);
	f->socks[f->n_socks++] = tuple;
}

/* A look at what was put, a second after the last one; then nothing is there any more. */
static const struct timewait_totals *look(struct fixture *f)
{
	f->now_ns += SECOND;
	timewait__begin(f->account, "self", &f->range, &f->kernel);
	for (size_t i = 0; i < f->n_socks; i++) {
		f->socks[i].hdr.time_ns = f->now_ns;
		assert_int_equal(timewait__add(f->account, &f->socks[i], TICK_NS), 0);
	}
	f->n_socks = 0;
	timewait__end(f->account, &f->kernel, f->counts_ends, f->now_ns, NULL, NULL);
	return timewait__totals(f->account);
}

static const struct timewait_row *find(const struct fixture *f, enum timewait_by by, uint8_t remote,
				       uint16_t local_port)
{
	const struct timewait_rows *rows = timewait__rows(f->account);
	const struct ip_addr addr = host(remote);

	for (struct timewait_row *row = NULL; (row = timewait_rows__next(rows, row));)
		if (row->key.by == by && row->key.local_port == local_port &&
		    (!remote || ip_addr__equal(&row->key.remote, &addr)))
			return row;
	return NULL;
}

static struct rec_tuple with_cookie(struct rec_tuple tuple, uint64_t cookie)
{
	tuple.cookie = cookie;
	return tuple;
}

static struct rec_closing closing(uint64_t cookie, uint32_t pid, const char *comm,
				  enum sock_role role)
{
	struct rec_closing rec = {.cookie = cookie, .pid = pid, .role = role};

	memcpy(rec.comm, comm, strlen(comm));
	return rec;
}

/* ---- a look ---------------------------------------------------------------------------------- */

static void test_groups(void **state)
{
	struct fixture *f = *state;
	struct rec_tuple orphan = time_wait_sock(1002, 9, DB, 50);
	const struct timewait_totals *t;

	orphan.state = TCPS_FIN_WAIT2;
	put(f, full_sock(WEB, 0, 0, TCPS_LISTEN));
	put(f, time_wait_sock(1000, 9, DB, 55));
	put(f, time_wait_sock(1001, 9, DB, 15));
	put(f, orphan);
	put(f, time_wait_sock(WEB, 7, 33000, 60));
	put(f, time_wait_sock(WEB, 7, 33001, 0));
	put(f, time_wait_sock(WEB, 8, 33000, 1));
	t = look(f);
	assert_int_equal(t->time_wait, 5);
	assert_int_equal(t->fin_wait2, 1);
	assert_int_equal(t->ages[0], 2);
	assert_int_equal(t->ages[4], 1);
	assert_int_equal(t->ages[5], 2);
	assert_int_equal(find(f, TIMEWAIT_BY_REMOTE, 9, 0)->time_wait, 2);
	assert_int_equal(find(f, TIMEWAIT_BY_REMOTE, 9, 0)->fin_wait2, 1);
	assert_int_equal(find(f, TIMEWAIT_BY_REMOTE, 9, 0)->role, ROLE_ACTIVE);
	assert_int_equal(find(f, TIMEWAIT_BY_REMOTE, 7, WEB)->time_wait, 2);
	assert_int_equal(find(f, TIMEWAIT_BY_REMOTE, 7, WEB)->role, ROLE_PASSIVE);
	assert_int_equal(find(f, TIMEWAIT_BY_PORT, 0, WEB)->time_wait, 3);
	assert_null(find(f, TIMEWAIT_BY_PORT, 0, 1000));
	assert_int_equal(find(f, TIMEWAIT_BY_PORTS, 9, 0)->used, 3);
	assert_ptr_equal(t->worst, find(f, TIMEWAIT_BY_PORTS, 9, 0));
	/* Nothing of it is left in the next look. */
	assert_int_equal(look(f)->time_wait, 0);
	assert_null(timewait_rows__next(timewait__rows(f->account), NULL));
}

static const struct {
	const char *name;
	uint16_t local_port, remote_port;
	enum sock_role role;
} role_cases[] = {
	{"from a port that connect() chooses", 1000, DB, ROLE_ACTIVE},
	{"on a port with a listener", WEB, 33000, ROLE_PASSIVE},
	{"on such a port within the range", 1500, 33000, ROLE_PASSIVE},
	{"from a port that connect() chooses there, the listener gone", 81, 1200, ROLE_PASSIVE},
	{"nothing tells", 81, 33000, ROLE_UNKNOWN},
};

static void test_roles(void **state)
{
	struct fixture *f = *state;
	const struct timewait_row *row;

	for (size_t i = 0; i < sizeof(role_cases) / sizeof(role_cases[0]); i++) {
		put(f, full_sock(WEB, 0, 0, TCPS_LISTEN));
		put(f, full_sock(1500, 0, 0, TCPS_LISTEN));
		put(f, time_wait_sock(role_cases[i].local_port, 9, role_cases[i].remote_port, 30));
		look(f);
		row = find(f, TIMEWAIT_BY_REMOTE, 9,
			   role_cases[i].role == ROLE_ACTIVE ? 0 : role_cases[i].local_port);
		if (!row || row->role != role_cases[i].role)
			fail_msg("%s: not so", role_cases[i].name);
	}
}

static void test_sock_listed_twice_counts_once(void **state)
{
	struct fixture *f = *state;

	put(f, time_wait_sock(1000, 9, DB, 55));
	put(f, time_wait_sock(1000, 9, DB, 55));
	assert_int_equal(look(f)->time_wait, 1);
	assert_int_equal(find(f, TIMEWAIT_BY_REMOTE, 9, 0)->time_wait, 1);
}

static void test_process_that_closed(void **state)
{
	struct fixture *f = *state;
	struct rec_closing rec = closing(77, 1234, "nginx", ROLE_PASSIVE);
	const struct timewait_row *row;

	look(f);
	assert_int_equal(timewait__note_closing(f->account, &rec), 0);
	/* Not yet in TIME_WAIT for some looks. */
	for (int i = 0; i < 4; i++) {
		put(f, with_cookie(full_sock(81, 9, 33000, TCPS_FIN_WAIT1), 77));
		look(f);
	}
	put(f, with_cookie(time_wait_sock(81, 9, 33000, 60), 77));
	look(f);
	row = find(f, TIMEWAIT_BY_PROCESS, 0, 0);
	assert_int_equal(row->key.pid, 1234);
	assert_string_equal(row->key.comm, "nginx");
	assert_int_equal(row->role, ROLE_PASSIVE);
	/* The cookie is forgotten some looks after the sock is gone. */
	for (int i = 0; i < 3; i++)
		look(f);
	put(f, with_cookie(time_wait_sock(81, 9, 33000, 60), 77));
	look(f);
	assert_int_equal(find(f, TIMEWAIT_BY_PROCESS, 0, 0)->key.pid, 0);
}

static void test_first_rates_follow_from_ages(void **state)
{
	struct fixture *f = *state;
	const struct timewait_totals *t;

	for (int i = 0; i < 20; i++)
		put(f, time_wait_sock(1000 + i, 9, DB, i < 15 ? 55 : 5));
	t = look(f);
	assert_true(t->rates_inferred);
	assert_float_equal(t->in_per_second, 1.5, 1e-9);
	assert_float_equal(t->out_per_second, 0.5, 1e-9);
}

/* ---- how it ends ------------------------------------------------------------------------------
 */

static void check_ways(const struct timewait_totals *t, uint64_t expired, uint64_t by_syn,
		       uint64_t by_reset)
{
	if (t->expired != expired || t->reused_by_syn != by_syn || t->killed_by_reset != by_reset)
		fail_msg("%lu expired, %lu by SYN, %lu by RST", t->expired, t->reused_by_syn,
			 t->killed_by_reset);
}

static void test_expired(void **state)
{
	struct fixture *f = *state;

	put(f, time_wait_sock(1000, 9, DB, 1));
	put(f, time_wait_sock(1001, 9, DB, -1)); /* late */
	look(f);
	check_ways(look(f), 2, 0, 0);
}

static void test_gone_before_its_time(void **state)
{
	struct fixture *f = *state;

	put(f, time_wait_sock(1000, 9, DB, 40));
	look(f);
	check_ways(look(f), 0, 0, 1);
}

static void test_timer_begun_anew_by_a_late_segment(void **state)
{
	struct fixture *f = *state;

	put(f, with_cookie(time_wait_sock(1000, 9, DB, 20), 5));
	look(f);
	put(f, with_cookie(time_wait_sock(1000, 9, DB, 60), 5));
	check_ways(look(f), 0, 0, 0);
}

static void test_replaced(void **state)
{
	struct fixture *f = *state;
	struct rec_tuple opening = full_sock(WEB, 7, 33002, TCPS_ESTABLISHED);

	put(f, full_sock(WEB, 0, 0, TCPS_LISTEN));
	put(f, time_wait_sock(WEB, 7, 33000, 40));		   /* a request comes */
	put(f, with_cookie(time_wait_sock(WEB, 7, 33001, 40), 5)); /* another TIME_WAIT */
	put(f, time_wait_sock(WEB, 7, 33002, 40)); /* one that is over by the next look */
	put(f, time_wait_sock(1000, 9, DB, 40));   /* by connect(), which the kernel counts */
	look(f);
	timewait__note_opening(f->account, &opening);
	put(f, full_sock(WEB, 0, 0, TCPS_LISTEN));
	put(f, full_sock(WEB, 7, 33000, TCPS_SYN_RECV));
	put(f, with_cookie(time_wait_sock(WEB, 7, 33001, 60), 6));
	put(f, full_sock(1000, 9, DB, TCPS_ESTABLISHED));
	check_ways(look(f), 0, 3, 0);
}

/* Who opens anew counts, not who opened before. */
static void test_replaced_by_the_other_side(void **state)
{
	struct fixture *f = *state;
	struct rec_tuple opening = full_sock(1000, 9, DB, TCPS_ESTABLISHED);

	put(f, time_wait_sock(1000, 9, DB, 40));
	put(f, time_wait_sock(81, 9, 33000, 40)); /* nobody knows who opened that */
	look(f);
	opening.role = ROLE_PASSIVE;
	timewait__note_opening(f->account, &opening);
	put(f, full_sock(81, 9, 33000, TCPS_ESTABLISHED));
	check_ways(look(f), 0, 1, 0);
}

/* A session may begin and end while sockets are listed, and its beginning be told afterwards. */
static void test_opening_told_late(void **state)
{
	struct fixture *f = *state;
	struct rec_tuple opening = with_cookie(full_sock(81, 7, 1000, TCPS_ESTABLISHED), 5);

	put(f, with_cookie(time_wait_sock(81, 7, 1000, 60), 5));
	look(f);
	timewait__note_opening(f->account, &opening);
	put(f, with_cookie(time_wait_sock(81, 7, 1000, 59), 5));
	check_ways(look(f), 0, 0, 0);
	check_ways(look(f), 0, 0, 1); /* it is still remembered */
}

/* The mirror of a tuple is another socket, as both ends of loopback are. */
static void test_both_ends_on_one_host(void **state)
{
	struct fixture *f = *state;
	struct rec_tuple client = time_wait_sock(1000, 1, WEB, 40);
	struct rec_tuple server = full_sock(WEB, 1, 1000, TCPS_ESTABLISHED);

	put(f, client);
	look(f);
	put(f, server);
	put(f, client);
	check_ways(look(f), 0, 0, 0);
}

/* ---- the kernel's counters ---------------------------------------------------------------------
 */

static void test_counters_of_what_begins(void **state)
{
	struct fixture *f = *state;
	const struct timewait_totals *t;

	f->kernel.socks = 10;
	f->kernel.waited = 100;
	f->kernel.killed = 5;
	t = look(f);
	assert_int_equal(t->begun, 105);
	assert_int_equal(t->ended, 95);
	f->kernel.waited = 130;
	f->kernel.socks = 20;
	f->kernel.recycled = 4;
	f->kernel.overflow = 7;
	t = look(f);
	assert_int_equal(t->watched_begun, 30);
	assert_int_equal(t->watched_ended, 20);
	assert_int_equal(t->recycled, 4);
	assert_int_equal(t->never_created, 7);
	assert_int_equal(t->ended_unseen, 16);
	assert_float_equal(t->in_per_second, 30, 1e-9);
	assert_float_equal(t->out_per_second, 20, 1e-9);
	assert_false(t->rates_inferred);
}

/* Before 5.17 a sock was counted when its timer ended it. */
static void test_counters_of_what_ends(void **state)
{
	struct fixture *f = *state;
	const struct timewait_totals *t;

	f->counts_ends = true;
	f->kernel.socks = 10;
	f->kernel.waited = 100;
	t = look(f);
	assert_int_equal(t->begun, UNKNOWN_U64);
	assert_int_equal(t->ended, UNKNOWN_U64);
	f->kernel.waited = 130;
	f->kernel.recycled = 4;
	f->kernel.socks = 20;
	t = look(f);
	assert_int_equal(t->expired, 30);
	assert_int_equal(t->watched_ended, 34);
	assert_int_equal(t->watched_begun, 44);
	assert_int_equal(t->ended_unseen, UNKNOWN_U64);
}

static void test_kernel_without_counters(void **state)
{
	struct fixture *f = *state;
	const struct timewait_totals *t;

	f->kernel = UNSET_KERNEL;
	look(f);
	t = look(f);
	assert_int_equal(t->begun, UNKNOWN_U64);
	assert_int_equal(t->watched_ended, UNKNOWN_U64);
	assert_true(isnan(t->in_per_second));
}

static void test_one_look_remembers_nothing(void **state)
{
	struct fixture *f = *state;

	timewait__free(f->account);
	f->account = timewait__new(1, SAMPLE_SEED, false);
	put(f, time_wait_sock(1000, 9, DB, 40));
	assert_int_equal(look(f)->expired, UNKNOWN_U64);
	assert_null(find(f, TIMEWAIT_BY_PROCESS, 0, 0));
}

/* ---- advice ------------------------------------------------------------------------------------
 */

static const struct {
	const char *name;
	enum timewait_by by;
	enum sock_role role;
	uint64_t count;
	enum close_by should;
} advice_cases[] = {
	{"a client", TIMEWAIT_BY_REMOTE, ROLE_ACTIVE, 1, CLOSE_REMOTE},
	{"a client's ports", TIMEWAIT_BY_PORTS, ROLE_ACTIVE, 28000, CLOSE_REMOTE},
	{"a client's ports, none of them in TIME_WAIT", TIMEWAIT_BY_PORTS, ROLE_ACTIVE, 0,
	 CLOSE_NOBODY},
	{"a server of a client with few", TIMEWAIT_BY_REMOTE, ROLE_PASSIVE, 2822, CLOSE_REMOTE},
	{"a server of one with many", TIMEWAIT_BY_REMOTE, ROLE_PASSIVE, 2823, CLOSE_LOCAL},
	{"nobody knows who opened", TIMEWAIT_BY_REMOTE, ROLE_UNKNOWN, 5000, CLOSE_NOBODY},
	{"a port, of any clients", TIMEWAIT_BY_PORT, ROLE_PASSIVE, 5000, CLOSE_NOBODY},
	{"a process, to any servers", TIMEWAIT_BY_PROCESS, ROLE_ACTIVE, 5000, CLOSE_NOBODY},
};

static void test_advice(void **state __attribute__((unused)))
{
	for (size_t i = 0; i < sizeof(advice_cases) / sizeof(advice_cases[0]); i++) {
		const struct timewait_row row = {
			.key.by = advice_cases[i].by,
			.role = advice_cases[i].role,
			.time_wait = advice_cases[i].count,
		};
		struct timewait_advice advice = timewait__advise(&row);

		if (advice.by != advice_cases[i].should || !advice.why != !advice.by)
			fail_msg("%s: %d (%s)", advice_cases[i].name, advice.by, advice.why);
	}
}

static void test_header(void **state)
{
	struct fixture *f = *state;
	struct strbuf sb = STRBUF_INIT;

	f->kernel.socks = 2;
	f->kernel.waited = 2;
	f->kernel.reuse = 1;
	f->kernel.fin_timeout_s = 60;
	put(f, time_wait_sock(1000, 9, DB, 60));
	put(f, time_wait_sock(1001, 9, DB, 60));
	look(f);
	timewait_summary__write(&sb, f->account, true, 0);
	assert_string_equal(
		sb.data,
		"netns self:  TIME-WAIT 2  orphaned FIN-WAIT-2 0  kernel counts 2  limit 100 (2.0% "
		"used)  in 0.20/s  out 0.00/s  (inferred from ages)\n"
		"age:  0-10s 2  10-20s 0  20-30s 0  30-40s 0  40-50s 0  50-60s 0\n"
		"since the namespace began:  begun 2  ended 0  taken over by connect 0  never "
		"created 0\n"
		"since tcpwatch began:  begun 0  ended 0  of those:  expired 0 (inferred)  taken "
		"over by connect 0  replaced by a SYN 0 (inferred)  killed by a RST 0 (inferred)  "
		"never created 0\n"
		"ports 1000-1999  usable 1000  reserved 0  listened on 0  tcp_tw_reuse 1 "
		"(connect() takes over TIME-WAIT)  tcp_fin_timeout 60s\n"
		"ports: from 10.0.0.1 to 10.0.0.9:5432 998 of 1000 free, none left in 1h23m at "
		"0.20/s (inferred)\n"
		"2 are of sessions with 10.0.0.9:5432, which this host closed first; the server "
		"should have: each holds one of this host's ports, and would hold none at the "
		"server\n");
	strbuf__free(&sb);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(test_groups),
		TEST(test_roles),
		TEST(test_sock_listed_twice_counts_once),
		TEST(test_process_that_closed),
		TEST(test_first_rates_follow_from_ages),
		TEST(test_expired),
		TEST(test_gone_before_its_time),
		TEST(test_timer_begun_anew_by_a_late_segment),
		TEST(test_replaced),
		TEST(test_replaced_by_the_other_side),
		TEST(test_opening_told_late),
		TEST(test_both_ends_on_one_host),
		TEST(test_counters_of_what_begins),
		TEST(test_counters_of_what_ends),
		TEST(test_kernel_without_counters),
		TEST(test_one_look_remembers_nothing),
		TEST(test_header),
		cmocka_unit_test(test_advice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
