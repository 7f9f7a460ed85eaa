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

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stories),
		cmocka_unit_test(test_next_on_the_tuple),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
