/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rows of what the wire alone tells: whose side they are seen from, the same whatever order
 * fragments come in, one session of a tuple after the other, for as long as time allows. Not here:
 * sockets and bounds (test_session_table.c, test_session_rows.c), events (test_session_events.c).
 */
#include <stdlib.h>

#include "table_fixture.h"

#define INSIDE_IP 0xc0a80005u /* 192.168.0.5: of nobody here */

static struct talk talk_between(uint32_t client, uint32_t server)
{
	struct talk t;

	talk__init(&t, client, 40000, server, 80);
	return t;
}

static struct talk outgoing(void)
{
	return talk_between(LOCAL_IP, REMOTE_IP);
}

/* The only row. */
static const struct session *only_row(struct fixture *fx)
{
	struct rows rows = fixture__rows(fx);

	assert_int_equal(rows.count, 1);
	return rows.items[0];
}

/* A table in the same surroundings, changed by the test. */
static void remake(struct fixture *fx)
{
	session_table__free(fx->table);
	fx->table = session_table__new(&fx->env, 100);
	assert_non_null(fx->table);
}

/* ---- sides ---- */

static void test_sides(void **state)
{
	static const struct {
		const char *name;
		uint32_t client, server;
		bool nobody_is_local; /* the tap's addresses are not known */
		bool forwarded, local_is_client;
	} cases[] = {
		{"we open", LOCAL_IP, REMOTE_IP, false, false, true},
		{"they open", REMOTE_IP, LOCAL_IP, false, false, false},
		{"both ours", LOCAL_IP, 0x7f000001, false, false, true},
		{"both ours, the other opens", 0x7f000001, LOCAL_IP, false, false, true},
		{"neither ours", INSIDE_IP, REMOTE_IP, false, true, true},
		{"neither ours, the other opens", REMOTE_IP, INSIDE_IP, false, true, true},
		{"addresses unknown", LOCAL_IP, REMOTE_IP, true, true, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct talk t = talk_between(cases[i].client, cases[i].server);
		const struct session *row;
		struct ip_addr local;
		struct fixture fx;

		fixture__init(&fx, false, false, 100);
		if (cases[i].nobody_is_local) {
			fx.env.is_local = NULL;
			remake(&fx);
		}
		talk__open(&fx, &t);
		talk__data(&fx, &t);
		row = only_row(&fx);
		local = v4(cases[i].local_is_client ? cases[i].client : cases[i].server);
		if (row->is_forwarded != cases[i].forwarded ||
		    row->local_dir != (cases[i].local_is_client ? t.client : !t.client) ||
		    !ip_addr__equal(&row->local.addr, &local) ||
		    row->local.port != (cases[i].local_is_client ? 40000 : 80) ||
		    row->remote.port != (cases[i].local_is_client ? 80 : 40000))
			fail_msg("%s: forwarded %d dir %d port %u", cases[i].name,
				 row->is_forwarded, row->local_dir, row->local.port);
		session_table__free(fx.table);
	}
}

/* Before and after the translation of addresses: two tuples, two rows, each as its tap saw it. */
static void test_translated(void **state)
{
	struct talk inside = talk_between(INSIDE_IP, REMOTE_IP), outside = outgoing();
	struct fixture fx;
	struct rows rows;

	(void)state;
	fixture__init(&fx, false, false, 100);
	outside.key.tap = 2;
	talk__open(&fx, &inside);
	talk__open(&fx, &outside);
	rows = fixture__rows(&fx);
	assert_int_equal(rows.count, 2);
	assert_true(rows.items[0]->is_forwarded);
	assert_string_equal(rows.items[0]->ifname, "eth0");
	assert_false(rows.items[1]->is_forwarded);
	assert_string_equal(rows.items[1]->ifname, "eth1");
	session_table__free(fx.table);
}

static void test_midstream(void **state)
{
	struct talk t = outgoing();
	const struct session *row;
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 100);
	talk__data(&fx, &t);
	fixture__scan(&fx);
	row = only_row(&fx);
	assert_true(row->verdict->roles_guessed);
	assert_int_equal(row->verdict->syn_ns, 0);
	assert_int_equal(row->verdict->conn_state, CONN_OTH);
	assert_int_equal(row->verdict->state[t.client], TCPS_ESTABLISHED);
	assert_int_equal(evidence__bytes(row->wire, t.client), TALK_BYTES);
	session_table__free(fx.table);
}

/* ---- order ---- */

static void check_whole(struct fixture *fx, const struct talk *t, const char *name)
{
	const struct session *row = only_row(fx);
	const struct evidence_verdict *v = row->verdict;

	if (v->state[t->client] != TCPS_TIME_WAIT || v->state[!t->client] != TCPS_CLOSED ||
	    v->end != END_FIN || v->conn_state != CONN_SF || v->closed_first != t->client ||
	    strcmp(v->history, "ShADdFaf") != 0 ||
	    row->wire->half[t->client].segments != CLIENT_SEGMENTS ||
	    row->wire->half[!t->client].segments != SERVER_SEGMENTS ||
	    evidence__bytes(row->wire, t->client) != TALK_BYTES ||
	    evidence__bytes(row->wire, !t->client) != 2 * TALK_BYTES)
		fail_msg("%s: %d %d end %d %s, %llu and %llu segments, %llu and %llu bytes", name,
			 v->state[t->client], v->state[!t->client], v->end, v->history,
			 row->wire->half[t->client].segments, row->wire->half[!t->client].segments,
			 evidence__bytes(row->wire, t->client),
			 evidence__bytes(row->wire, !t->client));
}

static void give(struct fixture *fx, uint32_t cpu, enum fragment_why why)
{
	for (int i = 0; i < CACHE; i++)
		if (fx->used[cpu][i])
			fixture__fragment(fx, cpu, &fx->cache[cpu][i], why);
}

/* A whole session that three CPUs saw, told by their fragments alone. */
static void test_order_of_fragments(void **state)
{
	static const struct {
		const char *name;
		uint8_t cpu[3];
	} orders[] = {
		{"0 1 2", {0, 1, 2}}, {"0 2 1", {0, 2, 1}}, {"1 0 2", {1, 0, 2}},
		{"1 2 0", {1, 2, 0}}, {"2 0 1", {2, 0, 1}}, {"2 1 0", {2, 1, 0}},
	};
	static const struct {
		const char *name;
		bool midway, again, evicted;
	} ways[] = {
		{"once", false, false, false},
		{"read again and again", false, true, false},
		{"read midway too", true, false, false},
		{"evicted", false, false, true},
		{"read midway, then evicted", true, true, true},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]) * 5; i++) {
		const uint8_t *cpu = orders[i / 5].cpu;
		struct talk t = outgoing();
		struct fixture fx;
		char name[64];

		fixture__init(&fx, false, false, 100);
		t.lose = true;
		talk__open(&fx, &t);
		t.client_cpu = 2;
		talk__data(&fx, &t);
		for (int n = 2; n >= 0 && ways[i % 5].midway; n--)
			give(&fx, cpu[n], FRAGMENT_LIVE);
		talk__close(&fx, &t);
		for (int n = 0; n < 6 && ways[i % 5].again; n++)
			give(&fx, cpu[n % 3], FRAGMENT_LIVE);
		for (int n = 0; n < 3; n++)
			give(&fx, cpu[n], ways[i % 5].evicted ? FRAGMENT_EVICTED : FRAGMENT_LIVE);
		snprintf(name, sizeof(name), "%s, %s", orders[i / 5].name, ways[i % 5].name);
		check_whole(&fx, &t, name);
		session_table__free(fx.table);
	}
}

/* ---- read again and again ---- */

/* An open session counts on; nothing new is to be concluded, but what it counted is shown. */
static void test_counts_on(void **state)
{
	struct talk t = outgoing();
	const struct session *row;
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 100);
	talk__open(&fx, &t);
	talk__data(&fx, &t);
	fixture__scan(&fx);
	for (uint32_t i = 1; i < 5; i++) {
		fx.now_ns += SEC;
		talk__client(&fx, &t, TCPF_ACK, 1 + i * TALK_BYTES, 1 + 2 * TALK_BYTES, TALK_BYTES);
		fixture__scan(&fx);
		row = only_row(&fx);
		assert_int_equal(evidence__bytes(row->wire, t.client), (i + 1) * TALK_BYTES);
		assert_int_equal(evidence__bytes(row->wire, !t.client), 2 * TALK_BYTES);
		assert_int_equal(row->wire->half[t.client].segments, CLIENT_SEGMENTS - 2 + i);
		assert_true(row->wire->last_ns > fx.now_ns - SEC / 2);
		assert_int_equal(row->verdict->state[t.client], TCPS_ESTABLISHED);
	}
	session_table__free(fx.table);
}

/* A FIN is acknowledged by a number alone. */
static void test_counts_on_half_closed(void **state)
{
	struct talk t = outgoing();
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 100);
	t.lose = true;
	t.server_cpu = t.client_cpu;
	talk__open(&fx, &t);
	talk__data(&fx, &t);
	talk__server(&fx, &t, TCPF_ACK, 1 + 2 * TALK_BYTES, 1 + TALK_BYTES, 0);
	talk__client(&fx, &t, TCPF_ACK | TCPF_FIN, 1 + TALK_BYTES, 1 + 2 * TALK_BYTES, 0);
	fixture__scan(&fx);
	assert_int_equal(only_row(&fx)->verdict->state[t.client], TCPS_FIN_WAIT1);
	talk__server(&fx, &t, TCPF_ACK, 1 + 2 * TALK_BYTES, 2 + TALK_BYTES, 0);
	fixture__scan(&fx);
	assert_int_equal(only_row(&fx)->verdict->state[t.client], TCPS_FIN_WAIT2);
	assert_int_equal(only_row(&fx)->verdict->state[!t.client], TCPS_CLOSE_WAIT);
	session_table__free(fx.table);
}

/* What another CPU saw is read later, but was earlier. */
static void test_earlier_step(void **state)
{
	struct talk t = outgoing();
	const struct session *row;
	struct fixture fx;
	uint64_t third_ns;

	(void)state;
	fixture__init(&fx, false, false, 100);
	t.lose = true;
	talk__syn(&fx, &t);
	talk__server(&fx, &t, TCPF_SYN | TCPF_ACK, 0, 1, 0);
	t.client_cpu = 2;
	talk__client(&fx, &t, TCPF_ACK, 1, 1, 0);
	third_ns = fx.now_ns;
	t.client_cpu = 0;
	talk__client(&fx, &t, TCPF_ACK, 1, 1, 0);
	for (uint32_t cpu = 0; cpu < 2; cpu++)
		give(&fx, cpu, FRAGMENT_LIVE);
	row = only_row(&fx);
	assert_int_equal(row->verdict->state[t.client], TCPS_ESTABLISHED);
	assert_true(row->verdict->ack_ns > third_ns);
	give(&fx, 2, FRAGMENT_LIVE);
	assert_int_equal(only_row(&fx)->verdict->ack_ns, third_ns);
	session_table__free(fx.table);
}

/* The answers pass elsewhere: an acknowledgement of what was not seen proves no less when it is
 * read than when something else is. */
static void test_counts_on_past_what_was_seen(void **state)
{
	struct talk t = outgoing();
	struct fixture fx;
	uint8_t shown;

	(void)state;
	fixture__init(&fx, false, false, 100);
	t.lose = true;
	t.server_cpu = t.client_cpu;
	talk__open(&fx, &t);
	fixture__scan(&fx);
	talk__client(&fx, &t, TCPF_ACK, 1, 5000, 0);
	fixture__scan(&fx);
	shown = only_row(&fx)->verdict->state[t.client];
	talk__client(&fx, &t, TCPF_ACK, 1, 5000, TALK_BYTES);
	fixture__scan(&fx);
	assert_int_equal(only_row(&fx)->verdict->state[t.client], shown);
	session_table__free(fx.table);
}

/* Without a SYN-ACK nobody knows when it opened: its last segment dates that. */
static void test_counts_on_opened(void **state)
{
	struct talk t = outgoing();
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 100);
	t.lose = true;
	talk__syn(&fx, &t);
	talk__client(&fx, &t, TCPF_ACK, 1, 1, TALK_BYTES);
	fx.now_ns += 5 * 1000 * 1000;
	fixture__settle(&fx);
	fixture__scan(&fx);
	assert_int_equal(fixture__stats(&fx).wire_opened, 0);
	fx.now_ns += SEC;
	talk__client(&fx, &t, TCPF_ACK, 1 + TALK_BYTES, 1, TALK_BYTES);
	fixture__scan(&fx);
	assert_int_equal(fixture__stats(&fx).wire_opened, 1);
	session_table__free(fx.table);
}

/* ---- one session after the other ---- */

/* The tuple is used again. What comes late of the session before is counted, and changes nothing.
 */
static void test_stragglers(void **state)
{
	struct talk first = outgoing(), second = outgoing();
	struct rec_segment syn = {.why = SEG_NEW_STEP};
	struct fragment late[2];
	struct fixture fx;
	bool found;

	(void)state;
	fixture__init(&fx, false, false, 100);
	syn.hdr = fixture__hdr(&fx, REC_SEGMENT, sizeof(syn), 2);
	syn.key = first.key;
	syn.seg = (struct segment){
		.seq = first.client_isn, .segs = 1, .flags = TCPF_SYN, .dir = first.client};
	first.lose = true;
	talk__whole(&fx, &first);
	for (uint32_t cpu = 0; cpu < 2; cpu++) {
		late[cpu] = *fixture__slot(&fx, cpu, &first.key, &found);
		fixture__evict(&fx, cpu, &first.key, true);
	}
	second.client_isn = 900000;
	second.server_isn = 700000;
	talk__whole(&fx, &second);
	for (uint32_t cpu = 0; cpu < 2; cpu++)
		fixture__fragment(&fx, cpu, &late[cpu], FRAGMENT_EVICTED);
	fixture__apply(&fx, &syn);
	fixture__settle(&fx);
	fixture__scan(&fx);
	check_whole(&fx, &second, "second");
	assert_int_equal(only_row(&fx)->wire->half[second.client].isn, second.client_isn);
	assert_int_equal(fixture__stats(&fx).stragglers, 3);
	session_table__free(fx.table);
}

/* … and told in order, the later session has the row to itself. */
static void test_reuse(void **state)
{
	struct talk t = outgoing();
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 100);
	for (int i = 0; i < 5; i++) {
		talk__whole(&fx, &t);
		fixture__settle(&fx);
		fixture__scan(&fx);
		check_whole(&fx, &t, "in turn");
		t.client_isn += 64000 + 5000000;
		t.server_isn += 64000 + 7000000;
	}
	/* What the server's CPU hands over when the SYN-ACK comes; it was pulled at the SYN. */
	assert_int_equal(fixture__stats(&fx).stragglers, 4);
	assert_int_equal(fixture__stats(&fx).wire_sessions, 1);
	session_table__free(fx.table);
}

/* ---- several taps ---- */

/* Of two taps that see the same the lower one counts, until it is gone. */
static void test_two_taps(void **state)
{
	struct talk upper = outgoing(), lower = outgoing();
	const struct session *row;
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 100);
	upper.key.tap = 2;
	talk__open(&fx, &upper);
	talk__open(&fx, &lower);
	talk__data(&fx, &upper);
	talk__data(&fx, &lower);
	fixture__settle(&fx);
	fixture__scan(&fx);
	row = only_row(&fx);
	assert_string_equal(row->ifname, "eth0");
	assert_int_equal(evidence__bytes(row->wire, lower.client), TALK_BYTES);
	fx.gone_tap = 1;
	fixture__settle(&fx);
	assert_true(only_row(&fx)->tap_is_gone);
	talk__close(&fx, &upper);
	fixture__settle(&fx);
	row = only_row(&fx);
	assert_string_equal(row->ifname, "eth1");
	assert_false(row->tap_is_gone);
	/* All of it but the count of the SYN, which only the other tap's record had told. */
	assert_int_equal(row->verdict->state[upper.client], TCPS_TIME_WAIT);
	assert_int_equal(evidence__bytes(row->wire, upper.client), TALK_BYTES);
	assert_int_equal(row->wire->half[upper.client].segments, CLIENT_SEGMENTS - 1);
	session_table__free(fx.table);
}

/* ---- time ---- */

static void play_refused(struct fixture *fx, const struct talk *t)
{
	talk__syn(fx, t);
	talk__server(fx, t, TCPF_RST | TCPF_ACK, 0, 1, 0);
}

static void play_half_open(struct fixture *fx, const struct talk *t)
{
	talk__syn(fx, t);
	talk__server(fx, t, TCPF_SYN | TCPF_ACK, 0, 1, 0);
}

static void play_fin_unanswered(struct fixture *fx, const struct talk *t)
{
	talk__open(fx, t);
	talk__client(fx, t, TCPF_ACK | TCPF_FIN, 1, 1, 0);
}

static void play_reset(struct fixture *fx, const struct talk *t)
{
	talk__open(fx, t);
	talk__server(fx, t, TCPF_RST, 1, 0, 0);
}

#define GONE	  0xff /* forgotten */
#define NOT_A_ROW 0xfe /* remembered for what comes late */

static void test_time(void **state)
{
	static const struct {
		const char *name;
		void (*play)(struct fixture *fx, const struct talk *t);
		bool incoming;
		struct {
			uint64_t seconds; /* since the last segment; 0: no more steps */
			uint8_t state;
		} steps[3];
	} cases[] = {
		{"SYN, no answer", talk__syn, false, {{179, TCPS_SYN_SENT}, {182, GONE}}},
		{"SYN to us", talk__syn, true, {{179, TCPS_UNKNOWN}, {182, GONE}}},
		{"half open", play_half_open, true, {{179, TCPS_SYN_RECV}, {182, GONE}}},
		{"open", talk__open, false, {{10799, TCPS_ESTABLISHED}, {10802, GONE}}},
		{"FIN, no answer",
		 play_fin_unanswered,
		 false,
		 {{299, TCPS_FIN_WAIT1}, {302, GONE}}},
		{"FIN to us, no answer",
		 play_fin_unanswered,
		 true,
		 {{299, TCPS_ESTABLISHED}, {302, GONE}}},
		{"we closed first",
		 talk__whole,
		 false,
		 {{4, TCPS_TIME_WAIT}, {59, TCPS_TIME_WAIT}, {62, GONE}}},
		{"they closed first",
		 talk__whole,
		 true,
		 {{4, TCPS_CLOSED}, {6, NOT_A_ROW}, {62, GONE}}},
		{"reset", play_reset, false, {{4, TCPS_CLOSED}, {6, NOT_A_ROW}, {62, GONE}}},
		{"refused", play_refused, false, {{4, TCPS_CLOSED}, {6, NOT_A_ROW}, {62, GONE}}},
	};

	(void)state;
	for (size_t i = 0; i < 2 * sizeof(cases) / sizeof(cases[0]); i++) {
		bool by_visit = i & 1; /* else by settle */
		struct talk t =
			cases[i / 2].incoming ? talk_between(REMOTE_IP, LOCAL_IP) : outgoing();
		struct fixture fx;
		uint64_t last_ns;

		fixture__init(&fx, false, false, 100);
		cases[i / 2].play(&fx, &t);
		last_ns = fx.now_ns;
		fixture__settle(&fx);
		for (int n = 0; n < 3 && cases[i / 2].steps[n].seconds; n++) {
			uint8_t want = cases[i / 2].steps[n].state, got;
			struct rows rows;

			fx.now_ns = last_ns + cases[i / 2].steps[n].seconds * SEC;
			if (!by_visit)
				fixture__settle(&fx);
			got = fixture__stats(&fx).wire_sessions ? NOT_A_ROW : GONE;
			rows = fixture__rows(&fx);
			if (by_visit)
				got = fixture__stats(&fx).wire_sessions ? NOT_A_ROW : GONE;
			if (rows.count)
				got = rows.items[0]->verdict->state[rows.items[0]->local_dir];
			if (got != want)
				fail_msg("%s, %llu s: %d, want %d", cases[i / 2].name,
					 (unsigned long long)cases[i / 2].steps[n].seconds, got,
					 want);
		}
		session_table__free(fx.table);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sides),
		cmocka_unit_test(test_translated),
		cmocka_unit_test(test_midstream),
		cmocka_unit_test(test_order_of_fragments),
		cmocka_unit_test(test_counts_on),
		cmocka_unit_test(test_counts_on_half_closed),
		cmocka_unit_test(test_earlier_step),
		cmocka_unit_test(test_stragglers),
		cmocka_unit_test(test_reuse),
		cmocka_unit_test(test_two_taps),
		cmocka_unit_test(test_time),
		cmocka_unit_test(test_counts_on_past_what_was_seen),
		cmocka_unit_test(test_counts_on_opened),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
