/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One session at several taps of several namespaces: a container's veth, the host's bridge. One
 * row, each thing told once, each byte counted once; and two sessions that only have the same
 * addresses stay two. Not here: several taps of one namespace (test_session_wire.c).
 */
#include "table_fixture.h"

#define INSIDE_TAP 1 /* in NETNS, which has LOCAL_IP */
#define BRIDGE_TAP 3 /* in OUTSIDE, on the way */
#define PORT_TAP   4 /* likewise */

/* A session of the container's, as @tap sees it. */
static struct talk at_tap(uint16_t tap)
{
	struct talk t;

	talk__init(&t, LOCAL_IP, 40000, REMOTE_IP, 80);
	t.key.tap = tap;
	return t;
}

#define LEGS_KEPT 8 /* LEGS_MAX of user/model/session_table_internal.h */

#define C	  TALK_BYTES
#define S	  (2 * TALK_BYTES)

/* A session from first to last. */
static const struct {
	bool is_server;
	uint8_t flags;
	uint32_t seq, ack, payload;
} segments[] = {
	{false, TCPF_SYN, 0, 0, 0},
	{true, TCPF_SYN | TCPF_ACK, 0, 1, 0},
	{false, TCPF_ACK, 1, 1, 0},
	{false, TCPF_ACK, 1, 1, C},
	{true, TCPF_ACK, 1, 1 + C, S},
	{false, TCPF_ACK | TCPF_FIN, 1 + C, 1 + S, 0},
	{true, TCPF_ACK | TCPF_FIN, 1 + S, 2 + C, 0},
	{false, TCPF_ACK, 2 + C, 2 + S, 0},
};

/* Each segment passes @n taps one after the other: the client's in their order, the server's
 * against it. */
static void play(struct fixture *fx, const struct talk *taps, size_t n)
{
	for (size_t s = 0; s < sizeof(segments) / sizeof(segments[0]); s++)
		for (size_t i = 0; i < n; i++) {
			bool is_server = segments[s].is_server;

			(is_server ? talk__server : talk__client)(
				fx, &taps[is_server ? n - 1 - i : i], segments[s].flags,
				segments[s].seq, segments[s].ack, segments[s].payload);
		}
	fixture__settle(fx);
	fixture__scan(fx);
}

static const struct session *only_row(struct fixture *fx)
{
	struct rows rows = fixture__rows(fx);

	assert_int_equal(rows.count, 1);
	return rows.items[0];
}

static struct sock_info container_sock(uint32_t netns)
{
	struct sock_info info = make_sock(7, TCPS_ESTABLISHED, LOCAL_IP, 40000, REMOTE_IP, 80);

	info.netns = netns;
	return info;
}

/* ---- one session ---- */

static void test_seen_along_the_way(void **state)
{
	static const struct {
		const char *name;
		uint16_t taps[3];
		size_t n;
		const char *shown; /* .taps of the row */
	} cases[] = {
		{"outwards", {INSIDE_TAP, PORT_TAP, BRIDGE_TAP}, 3, "eth0,vb,br0"},
		{"inwards", {BRIDGE_TAP, PORT_TAP, INSIDE_TAP}, 3, "eth0,br0,vb"},
		{"two of them", {BRIDGE_TAP, INSIDE_TAP}, 2, "eth0,br0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct talk taps[3];
		const struct session *row;
		struct fixture fx;
		char story[512];

		for (size_t at = 0; at < cases[i].n; at++)
			taps[at] = at_tap(cases[i].taps[at]);
		fixture__init(&fx, true, false, 100);
		play(&fx, taps, cases[i].n);
		row = only_row(&fx);
		if (row->netns != NETNS || row->is_forwarded || strcmp(row->ifname, "eth0") ||
		    strcmp(row->taps, cases[i].shown) ||
		    evidence__bytes(row->wire, taps[0].client) != TALK_BYTES)
			fail_msg("%s: netns %u, forwarded %d, at %s", cases[i].name, row->netns,
				 row->is_forwarded, row->taps);
		fixture__story(&fx, story, sizeof(story));
		assert_string_equal(story, "syn closed>syn-sent syn_ack syn-sent>established "
					   "established fin established>fin-wait-1 fin "
					   "fin-wait-1>fin-wait-2 fin-wait-2>time-wait closed:fin");
		session_table__free(fx.table);
	}
}

/* A port of a bond has every other segment: it is counted only as long as nothing else is. */
static void test_port_of_a_bond(void **state)
{
	static const struct {
		const char *name;
		uint16_t share, whole, gone;
		const char *shown;
		uint32_t n_segments; /* of the client's */
	} cases[] = {
		{"the port first", INSIDE_TAP, BRIDGE_TAP, 0, "br0,eth0", CLIENT_SEGMENTS},
		{"the bond first", BRIDGE_TAP, INSIDE_TAP, 0, "eth0,br0", CLIENT_SEGMENTS},
		{"the bond is gone", INSIDE_TAP, BRIDGE_TAP, BRIDGE_TAP, "eth0,br0", 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct talk share = at_tap(cases[i].share), whole = at_tap(cases[i].whole);
		const struct session *row;
		struct fixture fx;

		fixture__init(&fx, false, false, 100);
		fx.share_tap = cases[i].share;
		fx.gone_tap = cases[i].gone;
		talk__open(&fx, &whole);
		talk__client(&fx, &share, TCPF_ACK, 1, 1, 0);
		talk__data(&fx, &whole);
		talk__client(&fx, &share, TCPF_ACK | TCPF_FIN, 1 + C, 1 + S, 0);
		talk__close(&fx, &whole);
		fixture__settle(&fx);
		fixture__scan(&fx);
		row = only_row(&fx);
		if (strcmp(row->taps, cases[i].shown) ||
		    row->wire->half[whole.client].segments != cases[i].n_segments)
			fail_msg("%s: at %s", cases[i].name, row->taps);
		session_table__free(fx.table);
	}
}

/* More taps than are kept: the list says that there are others. */
static void test_list_that_is_cut(void **state)
{
	static const char more[] = ",...";
	struct talk taps[LEGS_KEPT + 1];
	const char *shown;
	struct fixture fx;

	(void)state;
	for (size_t extra = 0; extra < 2; extra++) {
		for (uint16_t i = 0; i < LEGS_KEPT + extra; i++)
			taps[i] = at_tap(i + 1);
		fixture__init(&fx, false, false, 100);
		play(&fx, taps, LEGS_KEPT + extra);
		shown = only_row(&fx)->taps;
		assert_int_equal(strcmp(shown + strlen(shown) - strlen(more), more) == 0, extra);
		session_table__free(fx.table);
	}
}

static void read_taps(void *ctx, const struct event *event)
{
	(void)ctx;
	if (event->kind == EVENT_EVICTED && event->session->taps) /* valid, whatever it says */
		assert_true(strlen(event->session->taps) > 0);
}

/* One tap too many, and the next that is told comes of a fragment that has but counted on. */
static void test_list_is_cut_before_an_event(void **state)
{
	struct talk taps[LEGS_KEPT + 1];
	struct fixture fx;

	(void)state;
	fixture__init(&fx, true, false, 100);
	session_table__free(fx.table);
	fx.env.on_event = read_taps;
	fx.table = session_table__new(&fx.env, 100);
	assert_non_null(fx.table);
	for (uint16_t i = 0; i <= LEGS_KEPT; i++)
		taps[i] = at_tap(i + 1);
	for (uint16_t i = 0; i < LEGS_KEPT; i++)
		talk__open(&fx, &taps[i]);
	talk__data(&fx, &taps[0]);
	fixture__scan(&fx);
	(void)only_row(&fx);
	taps[LEGS_KEPT].lose = true;
	talk__data(&fx, &taps[LEGS_KEPT]);
	fixture__scan(&fx);
	fixture__evict(&fx, 0, &taps[0].key, false);
	session_table__free(fx.table);
}

/* Picked up midstream: the taps' sequence numbers tell. */
static void test_met_midstream(void **state)
{
	struct talk taps[] = {at_tap(BRIDGE_TAP), at_tap(INSIDE_TAP)};
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 100);
	for (size_t i = 0; i < 2; i++) {
		taps[i].lose = true;
		talk__data(&fx, &taps[i]);
	}
	fixture__scan(&fx);
	assert_string_equal(only_row(&fx)->taps, "eth0,br0");
	session_table__free(fx.table);
}

/* Only what @tap saw is read. */
static void scan_tap(struct fixture *fx, uint16_t tap)
{
	for (uint32_t cpu = 0; cpu < CPUS; cpu++)
		for (int i = 0; i < CACHE; i++)
			if (fx->used[cpu][i] && fx->cache[cpu][i].key.tap == tap)
				fixture__fragment(fx, cpu, &fx->cache[cpu][i], FRAGMENT_LIVE);
}

/* Seen on its way first, and counted there: once it is seen where it ends the row is of that place,
 * though nothing has come but counts. */
static void test_end_is_seen_later(void **state)
{
	struct talk there = at_tap(BRIDGE_TAP), here = at_tap(INSIDE_TAP);
	const struct session *row;
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 100);
	fx.share_tap = INSIDE_TAP;
	there.lose = true;
	talk__open(&fx, &there);
	talk__data(&fx, &there);
	fixture__scan(&fx);
	assert_true(only_row(&fx)->is_forwarded);
	talk__client(&fx, &here, TCPF_ACK, 1 + C, 1 + S, 0);
	talk__client(&fx, &there, TCPF_ACK, 1 + C, 1 + S, 0);
	scan_tap(&fx, BRIDGE_TAP);
	row = only_row(&fx);
	assert_false(row->is_forwarded);
	assert_int_equal(row->netns, NETNS);
	session_table__free(fx.table);
}

#define FAR_ON (1u << 28) /* bytes, more than two readings of one session may be apart */

/* What @tap saw has gone on. */
static void advance_tap(struct fixture *fx, uint16_t tap)
{
	for (uint32_t cpu = 0; cpu < CPUS; cpu++)
		for (int i = 0; i < CACHE; i++) {
			struct fragment *frag = &fx->cache[cpu][i];

			for (int dir = 0; frag->key.tap == tap && dir < DIR_COUNT; dir++) {
				frag->half[dir].nxt += FAR_ON;
				frag->half[dir].ack += FAR_ON;
			}
		}
}

/* A tap that is made later reads on where another was last read long before: it is found out when
 * both are read at once. */
static void test_met_late(void **state)
{
	struct talk here = at_tap(INSIDE_TAP), there = at_tap(BRIDGE_TAP);
	struct fixture fx;

	(void)state;
	here.lose = there.lose = true;
	fixture__init(&fx, false, false, 100);
	talk__data(&fx, &here);
	fixture__scan(&fx);
	there.client_isn += FAR_ON;
	there.server_isn += FAR_ON;
	talk__data(&fx, &there);
	scan_tap(&fx, BRIDGE_TAP);
	assert_int_equal(fixture__rows(&fx).count, 2);
	advance_tap(&fx, INSIDE_TAP);
	scan_tap(&fx, INSIDE_TAP);
	scan_tap(&fx, BRIDGE_TAP);
	fixture__settle(&fx);
	assert_string_equal(only_row(&fx)->taps, "eth0,br0");
	session_table__free(fx.table);
}

/* Nothing is tapped where the socket is. */
static void test_socket_elsewhere(void **state)
{
	struct talk t = at_tap(BRIDGE_TAP);
	struct sock_info info = container_sock(NETNS);
	const struct session *row;

	(void)state;
	for (int sock_first = 0; sock_first < 2; sock_first++) {
		struct fixture fx;

		fixture__init(&fx, false, true, 100);
		if (sock_first)
			fixture__sock(&fx, &info);
		talk__open(&fx, &t);
		if (!sock_first)
			fixture__sock(&fx, &info);
		row = only_row(&fx);
		assert_non_null(row->sock);
		assert_non_null(row->wire);
		assert_string_equal(row->ifname, "br0");
		assert_int_equal(fixture__stats(&fx).sessions, 1);
		session_table__free(fx.table);
	}
}

/* Both ends are here: a socket each, as on lo, and the wire is one. */
static void test_both_ends_here(void **state)
{
	struct talk taps[] = {at_tap(INSIDE_TAP), at_tap(BRIDGE_TAP), at_tap(FAR_TAP)};
	struct sock_info client = container_sock(NETNS);
	struct sock_info server = make_sock(8, TCPS_ESTABLISHED, REMOTE_IP, 80, LOCAL_IP, 40000);
	struct fixture fx;
	struct rows rows;

	(void)state;
	server.netns = FAR;
	fixture__init(&fx, true, true, 100);
	fixture__sock(&fx, &client);
	fixture__sock(&fx, &server);
	for (size_t i = 0; i < 3; i++)
		talk__open(&fx, &taps[i]);
	rows = fixture__rows(&fx);
	assert_int_equal(rows.count, 2);
	assert_string_equal(rows.items[0]->ifname, "eth0");
	assert_string_equal(rows.items[1]->ifname, "veth9");
	assert_string_equal(rows.items[1]->taps, "eth0,br0,veth9");
	assert_int_equal(fx.n_told, 2); /* SYN and SYN-ACK */
	session_table__free(fx.table);
}

/* Which tap is nearer to who began it: whose container it is of. */
static void test_syn_passes_one_after_the_other(void **state)
{
	struct talk taps[] = {at_tap(PORT_TAP), at_tap(BRIDGE_TAP), at_tap(INSIDE_TAP)};
	const struct session_leg *legs;
	struct fixture fx;

	(void)state;
	for (int lose = 0; lose < 2; lose++) {
		fixture__init(&fx, true, false, 100);
		for (size_t i = 0; i < 3; i++) /* told of, or read later */
			taps[i].lose = lose;
		play(&fx, taps, 3);
		legs = only_row(&fx)->legs;
		for (size_t i = 0; i < 3; i++)
			for (size_t j = 0; j < 3; j++)
				if (legs[j].tap == taps[i].key.tap)
					assert_int_equal(legs[j].syn_ns, T0 + 1000 * (i + 1));
		session_table__free(fx.table);
	}
}

/* Interfaces of two namespaces may be called the same. */
static void test_names_that_repeat(void **state)
{
	struct talk taps[] = {at_tap(INSIDE_TAP), at_tap(FAR_TAP), at_tap(BRIDGE_TAP)};
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 100);
	fx.renamed_tap = FAR_TAP;
	fx.new_name = "eth0";
	play(&fx, taps, 3);
	assert_string_equal(only_row(&fx)->taps, "eth0@self,eth0@other,br0");
	fx.new_name = "eth7";
	assert_string_equal(only_row(&fx)->taps, "eth0,eth7,br0");
	session_table__free(fx.table);
}

/* ---- counting ---- */

static void test_retransmits_count_once(void **state)
{
	struct talk taps[] = {at_tap(BRIDGE_TAP), at_tap(INSIDE_TAP), at_tap(PORT_TAP)};
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 100);
	for (size_t i = 0; i < 3; i++) {
		talk__open(&fx, &taps[i]);
		for (int times = 0; times < 3; times++)
			talk__client(&fx, &taps[i], TCPF_ACK, 1, 1, TALK_BYTES);
		fixture__scan(&fx);
		assert_int_equal(fixture__stats(&fx).wire_retransmits, 2);
	}
	fixture__settle(&fx);
	fixture__scan(&fx);
	assert_int_equal(fixture__stats(&fx).wire_retransmits, 2);
	session_table__free(fx.table);
}

/*
 * A port that is refused again and again, by the same client port, where two taps see it: what the
 * second one still holds of the attempt before is handed over after the first one saw the next.
 */
static void test_refused_again_at_two_taps(void **state)
{
	static const uint16_t seconds[] = {PORT_TAP, FAR_TAP};
	enum { TIMES = 3 };

	(void)state;
	for (size_t i = 0; i < sizeof(seconds) / sizeof(*seconds); i++) {
		struct talk taps[] = {at_tap(BRIDGE_TAP), at_tap(seconds[i])};
		unsigned failed = 0;
		struct fixture fx;

		fixture__init(&fx, true, false, 100);
		for (uint32_t time = 0; time < TIMES; time++) {
			for (size_t at = 0; at < 2; at++) {
				taps[at].client_isn += 1000000;
				talk__syn(&fx, &taps[at]);
			}
			for (size_t at = 2; at--;)
				talk__server(&fx, &taps[at], TCPF_RST | TCPF_ACK, 0, 1, 0);
		}
		fixture__settle(&fx);
		fixture__settle(&fx);
		for (size_t at = 0; at < fx.n_told; at++)
			failed += fx.told[at].kind == EVENT_HANDSHAKE_FAILED;
		assert_int_equal(failed, TIMES);
		session_table__free(fx.table);
	}
}

/* ---- not one session ---- */

static void test_same_addresses(void **state)
{
	struct talk mine = at_tap(INSIDE_TAP), theirs = at_tap(BRIDGE_TAP);
	struct sock_info info = container_sock(NETNS), twin = container_sock(FAR);
	struct fixture fx;

	(void)state;
	theirs.client_isn += 1000000;
	theirs.server_isn += 70000000;
	fixture__init(&fx, false, false, 100);
	talk__open(&fx, &mine);
	talk__open(&fx, &theirs);
	talk__data(&fx, &mine);
	talk__data(&fx, &theirs);
	fixture__scan(&fx);
	assert_int_equal(fixture__rows(&fx).count, 2);
	session_table__free(fx.table);

	/* Likewise behind two interfaces of one namespace. */
	mine.key.tap = PORT_TAP;
	fixture__init(&fx, false, false, 100);
	for (int i = 0; i < 2; i++) {
		talk__open(&fx, i ? &mine : &theirs);
		talk__data(&fx, i ? &theirs : &mine);
	}
	fixture__scan(&fx);
	assert_int_equal(fixture__rows(&fx).count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(fixture__rows(&fx).items[i]->n_legs, 0);
	session_table__free(fx.table);

	/* Whose of two sockets the bridge saw, nobody can tell. */
	twin.cookie++;
	fixture__init(&fx, false, true, 100);
	talk__open(&fx, &theirs);
	fixture__sock(&fx, &info);
	fixture__sock(&fx, &twin);
	assert_int_equal(fixture__rows(&fx).count, 3);
	for (size_t i = 0; i < 2; i++)
		assert_null(fixture__rows(&fx).items[i]->wire);
	session_table__free(fx.table);
}

/* The kernel makes an ISN of the addresses and the time: two that begin one after the other are
 * hardly apart. */
#define HARDLY 1000u

static void assert_two(struct fixture *fx, const char *name)
{
	struct rows rows = fixture__rows(fx);
	static const char *const taps[] = {"eth0,br0", "veth9"};

	for (size_t i = 0; i < 2; i++) {
		const struct session *row = i < rows.count ? rows.items[i] : NULL;
		const char *seen = row && row->taps ? row->taps : row ? row->ifname : "";

		if (rows.count != 2 || strcmp(seen, taps[i]) ||
		    evidence__bytes(row->wire, row->local_dir) != TALK_BYTES * (i + 1))
			fail_msg("%s: %zu rows, at %s", name, rows.count, seen);
	}
}

static void test_same_addresses_at_the_same_time(void **state)
{
	static const struct {
		const char *name;
		bool lose_syn;
	} cases[] = {{"from the first SYN", false}, {"from their middle", true}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct talk mine[] = {at_tap(INSIDE_TAP), at_tap(BRIDGE_TAP)};
		struct talk theirs = at_tap(FAR_TAP);
		struct fixture fx;

		theirs.client_isn += HARDLY;
		theirs.server_isn += HARDLY;
		fixture__init(&fx, true, false, 100);
		fx.has_twin = true;
		for (size_t at = 0; at < 2 && !cases[i].lose_syn; at++)
			talk__open(&fx, &mine[at]);
		if (!cases[i].lose_syn)
			talk__open(&fx, &theirs);
		for (size_t at = 0; at < 2; at++)
			talk__data(&fx, &mine[at]);
		talk__data(&fx, &theirs);
		talk__client(&fx, &theirs, TCPF_ACK | TCPF_PSH, 1 + TALK_BYTES, 1 + 2 * TALK_BYTES,
			     TALK_BYTES);
		fixture__scan(&fx);
		assert_two(&fx, cases[i].name);
		for (size_t at = 0; at < 2; at++)
			talk__client(&fx, &mine[at], TCPF_ACK | TCPF_FIN, 1 + TALK_BYTES,
				     1 + 2 * TALK_BYTES, 0);
		talk__client(&fx, &theirs, TCPF_ACK | TCPF_FIN, 1 + 2 * TALK_BYTES,
			     1 + 2 * TALK_BYTES, 0);
		fixture__settle(&fx);
		fixture__scan(&fx);
		assert_two(&fx, cases[i].name);
		session_table__free(fx.table);
	}
}

/* The taps on the way are of one namespace. */
static void test_same_addresses_past_one_tap(void **state)
{
	struct talk mine[] = {at_tap(INSIDE_TAP), at_tap(BRIDGE_TAP)};
	struct talk theirs[] = {at_tap(FAR_TAP), at_tap(PORT_TAP)};
	struct fixture fx;
	struct rows rows;

	(void)state;
	fixture__init(&fx, true, false, 100);
	fx.has_twin = true;
	for (size_t i = 0; i < 2; i++) {
		theirs[i].client_isn += HARDLY;
		theirs[i].server_isn += HARDLY;
	}
	talk__open(&fx, &mine[0]);
	talk__open(&fx, &mine[1]);
	talk__open(&fx, &theirs[0]);
	talk__open(&fx, &theirs[1]);
	rows = fixture__rows(&fx);
	assert_int_equal(rows.count, 2);
	assert_string_equal(rows.items[0]->taps, "eth0,br0");
	assert_string_equal(rows.items[1]->taps, "vb,veth9");
	session_table__free(fx.table);
}

static void test_loopback_is_apart(void **state)
{
	struct sock_info info = make_sock(7, TCPS_ESTABLISHED, 0x7f000001, 40000, 0x7f000001, 80);
	struct fixture fx;
	struct talk t;

	(void)state;
	talk__init(&t, 0x7f000001, 40000, 0x7f000001, 80);
	info.netns = FAR;
	fixture__init(&fx, false, false, 100);
	talk__open(&fx, &t);
	fixture__sock(&fx, &info);
	assert_int_equal(fixture__rows(&fx).count, 2);
	session_table__free(fx.table);
}

/* A new container has the address of one that is gone: the bridge saw both. */
static void test_next_container(void **state)
{
	struct talk old[] = {at_tap(BRIDGE_TAP), at_tap(INSIDE_TAP)};
	struct talk new[] = {at_tap(FAR_TAP), at_tap(BRIDGE_TAP)};
	struct fixture fx;
	struct rows rows;

	(void)state;
	fixture__init(&fx, true, false, 100);
	play(&fx, old, 2);
	fx.n_told = 0;
	fx.now_ns += 10 * SEC;
	for (size_t i = 0; i < 2; i++) {
		new[i].client_isn += 1000000;
		new[i].server_isn += 1000000;
		talk__open(&fx, &new[i]);
	}
	rows = fixture__rows(&fx);
	assert_int_equal(rows.count, 1);
	assert_string_equal(rows.items[0]->taps, "br0,veth9");
	session_table__free(fx.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_seen_along_the_way),
		cmocka_unit_test(test_end_is_seen_later),
		cmocka_unit_test(test_met_late),
		cmocka_unit_test(test_port_of_a_bond),
		cmocka_unit_test(test_list_that_is_cut),
		cmocka_unit_test(test_list_is_cut_before_an_event),
		cmocka_unit_test(test_met_midstream),
		cmocka_unit_test(test_socket_elsewhere),
		cmocka_unit_test(test_both_ends_here),
		cmocka_unit_test(test_syn_passes_one_after_the_other),
		cmocka_unit_test(test_names_that_repeat),
		cmocka_unit_test(test_retransmits_count_once),
		cmocka_unit_test(test_refused_again_at_two_taps),
		cmocka_unit_test(test_same_addresses),
		cmocka_unit_test(test_same_addresses_at_the_same_time),
		cmocka_unit_test(test_same_addresses_past_one_tap),
		cmocka_unit_test(test_loopback_is_apart),
		cmocka_unit_test(test_next_container),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
