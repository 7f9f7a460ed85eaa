/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Handshakes that only taps saw, and that come to nothing: each told once, with where it broke,
 * when whoever had to send again has given up, and not before.
 */
#include "table_fixture.h"

#define MSEC TW_NSEC_PER_MSEC

static void pass(struct fixture *fx, uint64_t ns)
{
	for (uint64_t step = 100 * MSEC; ns; ns -= step) {
		fx->now_ns += step;
		fixture__settle(fx);
	}
}

static unsigned failures(const struct fixture *fx, enum handshake_break *broke)
{
	unsigned count = 0;

	for (size_t i = 0; i < fx->n_told; i++) {
		if (fx->told[i].kind != EVENT_HANDSHAKE_FAILED)
			continue;
		*broke = fx->told[i].broke;
		count++;
	}
	return count;
}

/* Each letter is a segment: S a SYN, O one through another CPU, A a SYN-ACK, a the acknowledgement.
 */
struct story {
	const char *name;
	enum syn_fate fate;
	enum handshake_break broke;
	bool from_here; /* this host is the client */
	struct {
		uint64_t after_ms;
		char segment;
	} steps[9];
	uint64_t early_ms, late_ms; /* after the last step: not told yet, told; 0: not at all */
};

static const struct story stories[] = {
	{"kept, and never sent again",
	 SYN_QUEUED,
	 BREAK_SYN_ACK_UNANSWERED,
	 false,
	 {{0, 'S'}, {0, 'A'}},
	 2100,
	 2300},
	{"sent again once",
	 SYN_FATE_NONE,
	 BREAK_SYN_ACK_UNANSWERED,
	 false,
	 {{0, 'S'}, {0, 'A'}, {1000, 'A'}},
	 3200,
	 3400},
	{"sent again three times",
	 SYN_QUEUED,
	 BREAK_SYN_ACK_UNANSWERED,
	 false,
	 {{0, 'S'}, {0, 'A'}, {1000, 'A'}, {2000, 'A'}, {4000, 'A'}},
	 9900,
	 10200},
	{"sent again because asked again",
	 SYN_QUEUED,
	 BREAK_SYN_ACK_UNANSWERED,
	 false,
	 {{0, 'S'}, {0, 'A'}, {900, 'S'}, {0, 'A'}},
	 2100,
	 2300},
	{"a cookie is kept nowhere",
	 SYN_COOKIE,
	 BREAK_NONE,
	 false,
	 {{0, 'S'}, {0, 'A'}},
	 170000,
	 0},
	{"nor when asked for again",
	 SYN_COOKIE,
	 BREAK_NONE,
	 false,
	 {{0, 'S'}, {0, 'A'}, {900, 'S'}, {0, 'A'}},
	 170000,
	 0},
	{"nor through another CPU",
	 SYN_COOKIE,
	 BREAK_NONE,
	 false,
	 {{0, 'S'}, {0, 'A'}, {900, 'O'}, {0, 'A'}, {900, 'S'}, {0, 'A'}, {900, 'O'}, {0, 'A'}},
	 170000,
	 0},
	{"it may have been a cookie",
	 SYN_FATE_NONE,
	 BREAK_NONE,
	 false,
	 {{0, 'S'}, {0, 'A'}},
	 170000,
	 0},
	{"acknowledged",
	 SYN_QUEUED,
	 BREAK_NONE,
	 false,
	 {{0, 'S'}, {0, 'A'}, {2000, 'a'}},
	 170000,
	 0},
	{"the accept queue is full",
	 SYN_ACCEPT_FULL,
	 BREAK_ACCEPT_FULL,
	 false,
	 {{0, 'S'}},
	 4300,
	 4600},
	{"asked again after three seconds, as of old",
	 SYN_ACCEPT_FULL,
	 BREAK_ACCEPT_FULL,
	 false,
	 {{0, 'S'}, {3000, 'S'}},
	 7700,
	 8000},
	{"asked again through another CPU",
	 SYN_SYN_FULL,
	 BREAK_SYN_FULL,
	 false,
	 {{0, 'S'}, {1000, 'O'}, {2000, 'S'}, {4000, 'O'}},
	 12200,
	 12500},
	{"the last of few that may be half open",
	 SYN_BACKLOG_FULL,
	 BREAK_SYN_FULL,
	 false,
	 {{0, 'S'}},
	 4300,
	 4600},
	{"dropped, and then answered",
	 SYN_ACCEPT_FULL,
	 BREAK_NONE,
	 false,
	 {{0, 'S'}, {1000, 'S'}, {2000, 'S'}, {0, 'A'}, {100, 'a'}},
	 170000,
	 0},
	{"nobody looked what became of it",
	 SYN_FATE_NONE,
	 BREAK_SYN_UNANSWERED,
	 false,
	 {{0, 'S'}},
	 4300,
	 4600},
	{"a cookie that no tap saw", SYN_COOKIE, BREAK_NONE, false, {{0, 'S'}}, 170000, 0},
	{"of another host",
	 SYN_FATE_NONE,
	 BREAK_NONE,
	 true,
	 {{0, 'S'}, {0, 'A'}, {1000, 'A'}},
	 170000,
	 0},
};

static void play(struct fixture *fx, const struct story *story)
{
	struct talk t;

	if (story->from_here)
		talk__init(&t, LOCAL_IP, 40000, REMOTE_IP, 80);
	else
		talk__init(&t, REMOTE_IP, 40000, LOCAL_IP, 80);
	fx->fate = story->fate;
	for (size_t i = 0; story->steps[i].segment; i++) {
		pass(fx, story->steps[i].after_ms * MSEC);
		t.client_cpu = story->steps[i].segment == 'O';
		if (story->steps[i].segment == 'S' || story->steps[i].segment == 'O')
			talk__syn(fx, &t);
		else if (story->steps[i].segment == 'A')
			talk__server(fx, &t, TCPF_SYN | TCPF_ACK, 0, 1, 0);
		else
			talk__client(fx, &t, TCPF_ACK, 1, 1, 0);
	}
}

static void check(const struct story *story, bool prefer_sockets)
{
	enum handshake_break broke;
	struct fixture fx;

	fixture__init(&fx, true, prefer_sockets, 1000);
	play(&fx, story);
	pass(&fx, story->early_ms * MSEC);
	if (failures(&fx, &broke))
		fail_msg("%s: told too early", story->name);
	if (story->late_ms) {
		pass(&fx, (story->late_ms - story->early_ms) * MSEC);
		if (failures(&fx, &broke) != 1)
			fail_msg("%s: not told", story->name);
		assert_int_equal(broke, story->broke);
		pass(&fx, 300 * SEC);
		if (failures(&fx, &broke) != 1)
			fail_msg("%s: told again", story->name);
	}
	session_table__free(fx.table);
}

static void test_stories(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		check(&stories[i], false);
		check(&stories[i], true);
	}
}

/* The next session on the tuple is another: what was known of the first does not count for it. */
static void test_next_on_the_tuple(void **state)
{
	static const struct story first = {
		"", SYN_QUEUED, BREAK_SYN_ACK_UNANSWERED, false, {{0, 'S'}, {0, 'A'}, {1000, 'A'}},
		0,  0};
	enum handshake_break broke;
	struct fixture fx;
	struct talk t;

	(void)state;
	fixture__init(&fx, true, false, 1000);
	play(&fx, &first);
	talk__init(&t, REMOTE_IP, 40000, LOCAL_IP, 80);
	t.client_isn += 1000000;
	t.server_isn += 1000000;
	fx.fate = SYN_COOKIE;
	talk__syn(&fx, &t);
	talk__server(&fx, &t, TCPF_SYN | TCPF_ACK, 0, 1, 0);
	fx.n_told = 0;
	pass(&fx, 100 * SEC);
	assert_int_equal(failures(&fx, &broke), 0);
	session_table__free(fx.table);
}

/* ---- those under way ---- */

struct under_way {
	struct attempt attempts[8];
	size_t count;
};

static void note(void *ctx, const struct attempt *attempt)
{
	struct under_way *all = ctx;

	assert_true(all->count < 8);
	all->attempts[all->count++] = *attempt;
}

static struct under_way under_way(struct fixture *fx)
{
	struct under_way all = {.count = 0};

	session_table__visit_attempts(fx->table, fx->now_ns, note, &all);
	return all;
}

/* Each once, whoever tells of it, until it has ended. */
static void test_under_way(void **state)
{
	struct sock_info client = {
		.cookie = 7,
		.local = v4(LOCAL_IP),
		.remote = v4(REMOTE_IP),
		.local_port = 41000,
		.remote_port = 80,
		.netns = NETNS,
		.family = 2,
		.role = ROLE_ACTIVE,
		.syn_ns = T0 + SEC,
	};
	struct under_way all;
	struct fixture fx;
	struct talk t, own;

	(void)state;
	fixture__init(&fx, true, true, 1000);
	talk__init(&t, REMOTE_IP, 40000, LOCAL_IP, 80);
	talk__init(&own, LOCAL_IP, 41000, REMOTE_IP, 80);
	fx.fate = SYN_ACCEPT_FULL;
	talk__syn(&fx, &t);
	fixture__sock_state(&fx, &client, TCPS_CLOSED, TCPS_SYN_SENT);
	talk__syn(&fx, &own);
	all = under_way(&fx);
	assert_int_equal(all.count, 2);
	assert_ptr_not_equal(all.attempts[0].session->sock, NULL);
	assert_int_equal(all.attempts[0].since_ns, T0 + SEC);
	assert_int_equal(handshake__break_so_far(all.attempts[0].session), BREAK_SYN_UNANSWERED);
	assert_null(all.attempts[1].session->sock);
	assert_int_equal(handshake__break_so_far(all.attempts[1].session), BREAK_ACCEPT_FULL);
	assert_false(all.attempts[1].may_be_forgotten);
	pass(&fx, 10 * SEC);
	assert_int_equal(under_way(&fx).count, 1);
	fx.fate = SYN_COOKIE;
	talk__init(&t, REMOTE_IP, 40001, LOCAL_IP, 80);
	talk__syn(&fx, &t);
	talk__server(&fx, &t, TCPF_SYN | TCPF_ACK, 0, 1, 0);
	all = under_way(&fx);
	assert_int_equal(all.count, 2);
	assert_true(all.attempts[1].may_be_forgotten);
	talk__client(&fx, &t, TCPF_ACK, 1, 1, 0);
	assert_int_equal(under_way(&fx).count, 1);
	session_table__free(fx.table);
}

/* Without events they are counted, from what caches have: no sooner than these were read. */
static void test_counted_without_events(void **state)
{
	struct session_table_stats stats;
	struct fixture fx;
	struct talk t;

	(void)state;
	fixture__init(&fx, false, true, 1000);
	talk__init(&t, REMOTE_IP, 40000, LOCAL_IP, 80);
	t.lose = true;
	talk__syn(&fx, &t);
	fixture__scan(&fx);
	fx.is_behind = true;
	pass(&fx, 10 * SEC);
	stats = fixture__stats(&fx);
	assert_int_equal(stats.wire_failed_here, 0);
	t.client_cpu = 1; /* it came again meanwhile */
	talk__syn(&fx, &t);
	fixture__scan(&fx);
	fx.is_behind = false;
	pass(&fx, 15 * SEC);
	assert_int_equal(fixture__stats(&fx).wire_failed_here, 0);
	pass(&fx, 2 * SEC);
	assert_int_equal(fixture__stats(&fx).wire_failed_here, 1);
	pass(&fx, 60 * SEC);
	assert_int_equal(fixture__stats(&fx).wire_failed_here, 1);
	for (int from_here = 0; from_here < 2; from_here++) { /* its own its sockets count */
		if (from_here)
			talk__init(&t, LOCAL_IP, 40002, REMOTE_IP, 81);
		else
			talk__init(&t, REMOTE_IP, 40002, LOCAL_IP, 81);
		t.lose = true;
		talk__syn(&fx, &t);
		talk__server(&fx, &t, TCPF_RST | TCPF_ACK, 0, 1, 0);
		fixture__scan(&fx);
		fixture__scan(&fx);
		assert_int_equal(fixture__stats(&fx).wire_failed_here, 2);
	}
	session_table__free(fx.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stories),
		cmocka_unit_test(test_next_on_the_tuple),
		cmocka_unit_test(test_under_way),
		cmocka_unit_test(test_counted_without_events),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
