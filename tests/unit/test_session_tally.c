/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counts of the sessions that no socket counts: opened, closed and failed, each once, whatever taps
 * see it, however often its fragments are read.
 */
#include "table_fixture.h"

#define STRANGER_IP 0x0a000009u /* 10.0.0.9 */
#define INSIDE_TAP  1		/* in NETNS, which has LOCAL_IP */
#define BRIDGE_TAP  3		/* in OUTSIDE, on the way */

struct counts {
	uint64_t opened, closed, failed;
};

static struct counts counts_of(const struct fixture *fx)
{
	struct session_table_stats stats = fixture__stats(fx);

	return (struct counts){stats.wire_opened, stats.wire_closed, stats.wire_failed};
}

static struct talk talk_at(uint16_t tap, uint32_t from, uint32_t to, bool lose)
{
	struct talk t;

	talk__init(&t, from, 40000, to, 80);
	t.key.tap = tap;
	t.lose = lose;
	return t;
}

/* ---- what happens ---- */

static void whole(struct fixture *fx, struct talk *t)
{
	talk__whole(fx, t);
}

static void half_closed(struct fixture *fx, struct talk *t)
{
	talk__open(fx, t);
	talk__data(fx, t);
	talk__client(fx, t, TCPF_ACK | TCPF_FIN, 1 + TALK_BYTES, 1 + 2 * TALK_BYTES, 0);
}

static void midstream(struct fixture *fx, struct talk *t)
{
	talk__data(fx, t);
	talk__close(fx, t);
}

static void reset(struct fixture *fx, struct talk *t)
{
	talk__open(fx, t);
	talk__data(fx, t);
	talk__client(fx, t, TCPF_RST, 1 + TALK_BYTES, 0, 0);
}

static void refused(struct fixture *fx, struct talk *t)
{
	talk__syn(fx, t);
	talk__server(fx, t, TCPF_RST | TCPF_ACK, 0, 1, 0);
}

static void taken_back(struct fixture *fx, struct talk *t)
{
	talk__syn(fx, t);
	talk__server(fx, t, TCPF_SYN | TCPF_ACK, 0, 1, 0);
	talk__client(fx, t, TCPF_RST, 1, 0, 0);
}

static void unanswered(struct fixture *fx, struct talk *t)
{
	talk__syn(fx, t);
	fixture__scan(fx);
	fx->now_ns += 200 * SEC;
}

static void used_again(struct fixture *fx, struct talk *t)
{
	talk__open(fx, t);
	fixture__scan(fx);
	fx->now_ns += 70 * SEC;
	t->client_isn += 1u << 20;
	t->server_isn += 1u << 20;
	talk__open(fx, t);
}

static void stray_reset(struct fixture *fx, struct talk *t)
{
	talk__client(fx, t, TCPF_RST, 1, 0, 0);
}

static void look(struct fixture *fx)
{
	fixture__scan(fx);
	fixture__settle(fx);
}

static void test_counts(void **state)
{
	static const struct {
		const char *name;
		void (*happens)(struct fixture *fx, struct talk *t);
		uint32_t from, to;
		bool has_socks; /* the socket view counts the sessions of LOCAL_IP */
		struct counts expected;
	} cases[] = {
		{"forwarded", whole, STRANGER_IP, REMOTE_IP, true, {1, 1, 0}},
		{"half-closed", half_closed, STRANGER_IP, REMOTE_IP, true, {1, 1, 0}},
		{"reset", reset, STRANGER_IP, REMOTE_IP, true, {1, 1, 0}},
		{"older than the tool", midstream, STRANGER_IP, REMOTE_IP, true, {0, 1, 0}},
		{"refused", refused, STRANGER_IP, REMOTE_IP, true, {0, 0, 1}},
		{"taken back", taken_back, STRANGER_IP, REMOTE_IP, true, {0, 0, 1}},
		{"unanswered", unanswered, STRANGER_IP, REMOTE_IP, true, {0, 0, 1}},
		{"tuple used again", used_again, STRANGER_IP, REMOTE_IP, true, {2, 1, 0}},
		{"stray reset", stray_reset, STRANGER_IP, REMOTE_IP, true, {0, 0, 0}},
		{"own", whole, LOCAL_IP, REMOTE_IP, true, {0, 0, 0}},
		{"own, by the wire alone", whole, LOCAL_IP, REMOTE_IP, false, {1, 1, 0}},
		{"own attempt refused", refused, LOCAL_IP, REMOTE_IP, true, {0, 0, 0}},
		{"own attempt unanswered", unanswered, LOCAL_IP, REMOTE_IP, true, {0, 0, 0}},
		{"refused by this host", refused, REMOTE_IP, LOCAL_IP, true, {0, 0, 1}},
		{"taken back from a listener", taken_back, REMOTE_IP, LOCAL_IP, true, {0, 0, 0}},
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		bool lose = i & 1; /* records: as where only the caches are read */
		struct talk t = talk_at(INSIDE_TAP, cases[i / 2].from, cases[i / 2].to, lose);
		struct counts n;
		struct fixture fx;

		fixture__init(&fx, false, cases[i / 2].has_socks, 100);
		cases[i / 2].happens(&fx, &t);
		look(&fx);
		look(&fx);
		fx.now_ns += 400 * SEC; /* forgotten */
		look(&fx);
		look(&fx);
		n = counts_of(&fx);
		if (memcmp(&n, &cases[i / 2].expected, sizeof(n)) != 0)
			fail_msg("%s%s: %ju opened, %ju closed, %ju failed", cases[i / 2].name,
				 lose ? ", from the caches" : "", (uintmax_t)n.opened,
				 (uintmax_t)n.closed, (uintmax_t)n.failed);
		session_table__free(fx.table);
	}
}

/* Its socket is gone before anybody lists it, but the address says whose it was. */
static void test_address_of_a_namespace_that_is_watched(void **state)
{
	struct talk outside = talk_at(BRIDGE_TAP, LOCAL_IP, REMOTE_IP, true);
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, true, 100);
	talk__whole(&fx, &outside);
	look(&fx);
	assert_int_equal(counts_of(&fx).opened, 0);
	assert_int_equal(counts_of(&fx).closed, 0);
	session_table__free(fx.table);
}

static bool knows_its_own_alone(void *ctx, uint32_t tap, const struct ip_addr *addr)
{
	return tap != ANY_TAP && fixture__is_local(ctx, tap, addr);
}

static void test_counted_until_its_socket_is_known(void **state)
{
	struct sock_info info = make_sock(7, TCPS_ESTABLISHED, LOCAL_IP, 40000, REMOTE_IP, 80);
	struct talk outside = talk_at(BRIDGE_TAP, LOCAL_IP, REMOTE_IP, true);
	struct talk inside = talk_at(INSIDE_TAP, LOCAL_IP, REMOTE_IP, true);

	(void)state;
	for (int by_tap = 0; by_tap < 2; by_tap++) {
		struct fixture fx;

		fixture__init(&fx, false, true, 100);
		session_table__free(fx.table);
		fx.env.is_local = knows_its_own_alone;
		fx.table = session_table__new(&fx.env, 100);
		talk__open(&fx, &outside);
		look(&fx);
		assert_int_equal(counts_of(&fx).opened, 1);
		if (by_tap)
			talk__open(&fx, &inside);
		else
			fixture__sock(&fx, &info);
		look(&fx);
		assert_int_equal(counts_of(&fx).opened, 0);
		session_table__free(fx.table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_counts),
		cmocka_unit_test(test_address_of_a_namespace_that_is_watched),
		cmocka_unit_test(test_counted_until_its_socket_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
