/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Rows of sockets as tracepoints and snapshots tell of them in turn, what the wire adds to them,
 * and that rows, figures and links agree whatever comes. Not here: rows of the wire alone
 * (test_session_wire.c).
 */
#include <malloc.h>
#include <stdlib.h>

#include "table_fixture.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

static struct talk outgoing(void)
{
	struct talk t;

	talk__init(&t, LOCAL_IP, 40000, REMOTE_IP, 80);
	return t;
}

static struct sock_info client_sock(uint64_t cookie, enum tcp_state state)
{
	return make_sock(cookie, state, LOCAL_IP, 40000, REMOTE_IP, 80);
}

static struct sock_info server_sock(uint64_t cookie, enum tcp_state state)
{
	return make_sock(cookie, state, LOCAL_IP, 80, REMOTE_IP, 40000);
}

static void snapshot(struct fixture *fx, const struct sock_info *infos, size_t count)
{
	fx->now_ns += 1000;
	fixture__snapshot(fx, REC_SNAPSHOT_BEGIN, NETNS, false);
	for (size_t i = 0; i < count; i++)
		fixture__sock(fx, &infos[i]);
	fixture__snapshot(fx, REC_SNAPSHOT_END, NETNS, true);
	fixture__settle(fx);
}

/* "STATE/view …", sorted as the table gives them. */
static const char *rows_text(struct fixture *fx, char *buf, size_t size)
{
	static const char *const states[] = {[0] = "?",
#define X(id, number, name, filter_name) [number] = name,
					     TCP_STATES(X)
#undef X
	};
	static const char *const views[] = {"none", "socket", "wire", "both"};
	struct rows rows = fixture__rows(fx);
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < rows.count; i++) {
		const struct session *s = rows.items[i];
		uint8_t state = s->sock ? s->sock->state : s->verdict->state[s->local_dir];

		len += snprintf(buf + len, size - len, "%s%s/%s", i ? " " : "", states[state],
				views[session__view(s)]);
		assert_true(len < size);
	}
	return buf;
}

static void expect(struct fixture *fx, const char *want)
{
	char buf[512];

	assert_string_equal(rows_text(fx, buf, sizeof(buf)), want);
}

/* ---- one socket's life, both views ---- */

static void test_life(void **state)
{
	struct sock_info s = client_sock(7, TCPS_SYN_SENT), tw = client_sock(0, TCPS_TIME_WAIT);
	struct talk t = outgoing();
	struct fixture fx;

	(void)state;
	for (int prefer = 0; prefer < 2; prefer++) {
		fixture__init(&fx, false, prefer, 100);
		s.local_port = 0; /* not chosen yet */
		fixture__sock_state(&fx, &s, TCPS_CLOSED, TCPS_SYN_SENT);
		expect(&fx, "SYN-SENT/socket");
		s.local_port = 40000;
		talk__open(&fx, &t);
		fixture__sock_state(&fx, &s, TCPS_SYN_SENT, TCPS_ESTABLISHED);
		expect(&fx, "ESTAB/both");
		talk__data(&fx, &t);
		talk__close(&fx, &t);
		fixture__sock_state(&fx, &s, TCPS_ESTABLISHED, TCPS_FIN_WAIT1);
		expect(&fx, "FIN-WAIT-1/both");
		/* At its end the socket's row is gone; the wire tells on where nobody knows better.
		 */
		fixture__sock_state(&fx, &s, TCPS_FIN_WAIT1, TCPS_CLOSED);
		fixture__settle(&fx);
		expect(&fx, prefer ? "" : "TIME-WAIT/wire");
		snapshot(&fx, &tw, 1);
		expect(&fx, "TIME-WAIT/both");
		snapshot(&fx, NULL, 0);
		expect(&fx, prefer ? "" : "TIME-WAIT/wire");
		session_table__free(fx.table);
	}
}

/* Records of the ring buffer come later than those of a snapshot that is newer. */
static void test_late_records(void **state)
{
	struct sock_info now = client_sock(7, TCPS_FIN_WAIT2), then = now;
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 100);
	fx.now_ns += SEC;
	snapshot(&fx, &now, 1);
	fx.now_ns -= SEC
	/ 2;
	fixture__sock_state(&fx, &then, TCPS_SYN_SENT, TCPS_ESTABLISHED);
	expect(&fx, "FIN-WAIT-2/socket");
	assert_int_equal(fixture__stats(&fx).by_state[TCPS_ESTABLISHED], 0);
	session_table__free(fx.table);
}

/* A tuple has one socket at a time: the one that comes takes the place of a minisock. */
static void test_minisock_gives_way(void **state)
{
	static const struct {
		const char *name;
		enum tcp_state mini, old_state, now;
		const char *rows;
		bool late;	 /* the record is older than the minisock */
		uint64_t cookie; /* that a TIME_WAIT sock has of the socket before it */
	} cases[] = {
		{"request, then its child", TCPS_SYN_RECV, TCPS_SYN_RECV, TCPS_ESTABLISHED,
		 "ESTAB/socket", false, 0},
		{"TIME_WAIT, then the next", TCPS_TIME_WAIT, TCPS_SYN_RECV, TCPS_ESTABLISHED,
		 "ESTAB/socket", false, 0},
		{"TIME_WAIT with a cookie, then the next", TCPS_TIME_WAIT, TCPS_SYN_RECV,
		 TCPS_ESTABLISHED, "ESTAB/socket", false, 8},
		{"told late, of the one before", TCPS_TIME_WAIT, TCPS_ESTABLISHED, TCPS_FIN_WAIT1,
		 "TIME-WAIT/socket FIN-WAIT-1/socket", true, 0},
	};
	char buf[512];

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct sock_info mini = server_sock(0, cases[i].mini);
		struct sock_info full = server_sock(9, cases[i].now);
		struct fixture fx;

		fixture__init(&fx, false, false, 100);
		fx.now_ns += SEC;
		mini.cookie = cases[i].cookie;
		snapshot(&fx, &mini, 1);
		fx.now_ns -= cases[i].late ? SEC
		/ 2: 0;
		fixture__sock_state(&fx, &full, cases[i].old_state, cases[i].now);
		if (strcmp(rows_text(&fx, buf, sizeof(buf)), cases[i].rows) != 0)
			fail_msg("%s: %s", cases[i].name, buf);
		session_table__free(fx.table);
	}
}

/* A reset that no socket sent changes no row, though its addresses are those of one. */
static void test_reset_of_a_packet(void **state)
{
	struct sock_info request = server_sock(0, TCPS_SYN_RECV);
	struct rec_sock_reset rec = {.by = CLOSE_LOCAL, .reason = -1};
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 100);
	snapshot(&fx, &request, 1);
	fx.now_ns += 1000;
	rec.hdr = fixture__hdr(&fx, REC_SOCK_RESET, sizeof(rec), 0);
	rec.sock = server_sock(0, TCPS_CLOSED);
	rec.sock.is_minisock = false;
	fixture__apply(&fx, &rec);
	expect(&fx, "SYN-RECV/socket");
	session_table__free(fx.table);
}

/* ---- what belongs together ---- */

/* What the wire remembers of the tuple from before the socket's birth is of another session. */
static void test_births(void **state)
{
	static const struct {
		const char *name;
		int64_t born_after_ns; /* the last segment; INT64_MIN: not known */
		enum view view;
	} cases[] = {
		{"older than the tool", INT64_MIN, VIEW_BOTH},
		{"before its segments", -1000000, VIEW_BOTH},
		{"just after", SEC / 2, VIEW_BOTH},
		{"long after", 3 * SEC, VIEW_SOCKET},
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct sock_info s = client_sock(7, TCPS_SYN_SENT);
		struct talk t = outgoing();
		struct fixture fx;
		struct rows rows;

		fixture__init(&fx, false, true, 100);
		talk__open(&fx, &t);
		if (cases[i].born_after_ns != INT64_MIN)
			s.born_ns = fx.now_ns + cases[i].born_after_ns;
		fx.now_ns += 4 * SEC;
		fixture__sock(&fx, &s);
		rows = fixture__rows(&fx);
		if (rows.count != 1 || session__view(rows.items[0]) != cases[i].view)
			fail_msg("%s: %zu rows", cases[i].name, rows.count);
		session_table__free(fx.table);
	}
}

static void test_namespaces_are_apart(void **state)
{
	struct sock_info here = client_sock(7, TCPS_ESTABLISHED), there = here;
	struct talk t = outgoing();
	struct fixture fx;
	struct rows rows;

	(void)state;
	fixture__init(&fx, false, false, 100);
	there.cookie = 8;
	there.netns = NETNS + 1;
	talk__open(&fx, &t);
	fixture__sock(&fx, &there);
	fixture__sock(&fx, &here);
	rows = fixture__rows(&fx);
	assert_int_equal(rows.count, 2);
	assert_string_equal(rows.items[0]->netns_name, "other");
	assert_null(rows.items[0]->wire);
	assert_string_equal(rows.items[1]->netns_name, "self");
	assert_non_null(rows.items[1]->wire);
	snapshot(&fx, NULL, 0); /* of this namespace, not of the other */
	expect(&fx, "ESTAB/socket ESTAB/wire");
	session_table__free(fx.table);
}

/* ---- bounds ---- */

static void flood(struct fixture *fx, uint32_t first, uint32_t count)
{
	for (uint32_t i = first; i < first + count; i++) {
		struct rec_segment rec = {.why = SEG_NEW_STEP};

		rec.seg = (struct segment){.seq = i, .segs = 1, .flags = TCPF_SYN};
		rec.seg.dir = make_key(&rec.key, 0x0b000000 + i, 1024, LOCAL_IP, 80, 1);
		fx->now_ns += 10000;
		rec.hdr = fixture__hdr(fx, REC_SEGMENT, sizeof(rec), 0);
		fixture__apply(fx, &rec);
		if (i % 1024 == 0)
			fixture__settle(fx);
	}
}

/* A million half-open sessions take no more memory than the first ones, and no one's place. */
static void test_flood(void **state)
{
	enum { MAX = 10000, FLOOD = 1000000 };
	struct sock_info s = client_sock(7, TCPS_ESTABLISHED);
	struct talk watched = outgoing(), open;
	struct session_table_stats stats;
	struct fixture fx;
	size_t used;

	(void)state;
	talk__init(&open, LOCAL_IP, 40001, REMOTE_IP, 80);
	fixture__init(&fx, false, false, MAX);
	talk__open(&fx, &watched);
	talk__open(&fx, &open);
	fixture__sock(&fx, &s);
	flood(&fx, 0, 2 * MAX);
	used = mallinfo2().uordblks + mallinfo2().hblkhd; /* the sanitizer's allocator says 0 */
	flood(&fx, 2 * MAX, FLOOD - 2 * MAX);
	/* How many of them wait for the same moment varies. */
	assert_true(mallinfo2().uordblks + mallinfo2().hblkhd <= used + MAX * sizeof(uint32_t));
	stats = fixture__stats(&fx);
	assert_int_equal(stats.wire_sessions, MAX + 1); /* a socket brings room for its own */
	assert_int_equal(stats.wire_forgotten, FLOOD + 2 - stats.wire_sessions);
	assert_int_equal(stats.by_state[TCPS_ESTABLISHED], 2);
	assert_int_equal(stats.by_state[TCPS_UNKNOWN], MAX - 1);
	session_table__free(fx.table);
}

/* ---- whatever comes ---- */

#define TUPLES 6
#define STEPS  60000

struct chaos {
	struct fixture fx;
	struct talk talks[TUPLES];
	uint64_t random;
	uint64_t rows, by_state[TCPS_COUNT];
	bool has_unowned;
};

static uint32_t pick(struct chaos *c, uint32_t below)
{
	c->random = c->random * 6364136223846793005u + 1442695040888963407u;
	return (uint32_t)(c->random >> 33) % below;
}

static void check_row(void *ctx, const struct session *row)
{
	struct chaos *c = ctx;
	uint8_t state = row->sock ? row->sock->state : row->verdict->state[row->local_dir];

	assert_true(row->sock || row->wire);
	assert_true(state < TCPS_COUNT);
	c->rows++;
	c->by_state[state]++;
	c->has_unowned |= row->sock && row->sock->cookie && !row->sock->is_minisock &&
			  !row->owner.pid &&
			  (state == TCPS_ESTABLISHED || state == TCPS_SYN_SENT ||
			   state == TCPS_CLOSE_WAIT || state == TCPS_LISTEN);
	if (!row->wire)
		return;
	assert_true(ip_addr__equal(&row->local.addr, &row->wire->key.addr[row->local_dir]));
	assert_true(ip_addr__equal(&row->remote.addr, &row->wire->key.addr[!row->local_dir]));
	assert_int_equal(row->local.port, TW_BE16(row->wire->key.port[row->local_dir]));
	assert_int_equal(row->remote.port, TW_BE16(row->wire->key.port[!row->local_dir]));
}

/* The figures are kept as things change; counting the rows anew must give the same. */
static void check_figures(struct chaos *c)
{
	struct session_table_stats stats;

	c->rows = 0;
	c->has_unowned = false;
	memset(c->by_state, 0, sizeof(c->by_state));
	session_table__visit(c->fx.table, c->fx.now_ns, check_row, c);
	stats = fixture__stats(&c->fx);
	assert_int_equal(stats.sessions, c->rows);
	assert_memory_equal(stats.by_state, c->by_state, sizeof(c->by_state));
	assert_int_equal(session_table__has_unowned(c->fx.table), c->has_unowned);
}

static void some_sock(struct chaos *c)
{
	struct sock_info s = make_sock(pick(c, 5), 1 + pick(c, TCPS_COUNT - 1), LOCAL_IP,
				       40000 + pick(c, TUPLES), REMOTE_IP, 80);

	if (!pick(c, 8))
		s.netns++;
	if (!pick(c, 8))
		s.remote_port = 0;
	s.pid = pick(c, 2);
	if (pick(c, 2))
		fixture__sock(&c->fx, &s);
	else
		fixture__sock_state(&c->fx, &s, 1 + pick(c, TCPS_COUNT - 1), s.state);
}

static void some_packet(struct chaos *c)
{
	static const uint8_t flags[] = {TCPF_SYN, TCPF_SYN | TCPF_ACK, TCPF_ACK,
					TCPF_FIN | TCPF_ACK, TCPF_RST};
	struct talk *t = &c->talks[pick(c, TUPLES)];
	uint8_t which = flags[pick(c, COUNT_OF(flags))];

	if (!pick(c, 10))
		t->client_isn += 10000000;
	t->client_cpu = pick(c, CPUS);
	t->server_cpu = pick(c, CPUS);
	t->lose = !pick(c, 10);
	if (pick(c, 2))
		talk__client(&c->fx, t, which, pick(c, 3), 1, pick(c, 2) * 10);
	else
		talk__server(&c->fx, t, which, pick(c, 3), 1, pick(c, 2) * 10);
}

static void some_snapshot(struct chaos *c)
{
	enum record_kind kind = pick(c, 2) ? REC_SNAPSHOT_BEGIN : REC_SNAPSHOT_END;

	fixture__snapshot(&c->fx, kind, NETNS + !pick(c, 4), pick(c, 2));
}

static void some_owner(struct chaos *c)
{
	if (pick(c, 4))
		fixture__owner(&c->fx, pick(c, 5), 1 + pick(c, 3), "x");
	else
		session_table__forget_owners(c->fx.table);
}

static void some_time(struct chaos *c)
{
	static const uint64_t seconds[] = {0, 0, 1, 6, 61, 200, 4000};

	c->fx.now_ns += seconds[pick(c, COUNT_OF(seconds))] * SEC;
	if (pick(c, 2))
		fixture__settle(&c->fx);
	else
		fixture__scan(&c->fx);
}

static void test_chaos(void **state)
{
	static void (*const doings[])(struct chaos * c) = {
		some_sock,   some_sock,	    some_packet, some_packet,
		some_packet, some_snapshot, some_owner,	 some_time,
	};
	struct chaos c = {.random = 1};

	(void)state;
	for (int prefer = 0; prefer < 2; prefer++) {
		fixture__init(&c.fx, false, prefer, 3);
		for (uint16_t i = 0; i < TUPLES; i++)
			talk__init(&c.talks[i], LOCAL_IP, 40000 + i, REMOTE_IP, 80);
		for (int step = 0; step < STEPS; step++) {
			doings[pick(&c, COUNT_OF(doings))](&c);
			check_figures(&c);
		}
		session_table__free(c.fx.table);
	}
}

/* Records to come, as an iterator hands them over: of one kind, or with another in between. */
static void test_expect(void **state)
{
	enum { MANY = 200, RUN = 64, OTHER = 3 };
	struct rec_sock recs[MANY];
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 0);
	for (uint64_t i = 0; i < MANY; i++) {
		recs[i].hdr = fixture__hdr(&fx, REC_SOCK, sizeof(recs[i]), 0);
		recs[i].sock = client_sock(i, TCPS_ESTABLISHED);
	}
	fixture__sock(&fx, &recs[1].sock);
	assert_int_equal(session_table__expect_socks(fx.table, (void *)recs, sizeof(recs)),
			 RUN * sizeof(*recs));
	recs[OTHER].hdr.kind = REC_OWNER;
	assert_int_equal(session_table__expect_socks(fx.table, (void *)recs, sizeof(recs)),
			 OTHER * sizeof(*recs));
	assert_int_equal(session_table__expect_socks(fx.table, (void *)&recs[OTHER], sizeof(*recs)),
			 sizeof(*recs));
	assert_int_equal(fixture__rows(&fx).count, 1);
	session_table__free(fx.table);
}

/* ---- rows that are not kept ---- */

struct seen_passing {
	struct session session;
	struct sock_info sock;
	unsigned count;
};

static void see(void *ctx, const struct session *session)
{
	struct seen_passing *seen = ctx;

	seen->session = *session;
	seen->sock = *session->sock;
	seen->count++;
}

static void test_passing(void **state)
{
	struct rec_sock rec = {{REC_SOCK, sizeof(rec), 0, T0}, client_sock(0, TCPS_ESTABLISHED)};
	struct seen_passing seen = {.count = 0};
	struct session_table_stats stats;
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 100);
	for (int i = 0; i < 2; i++)
		session_table__pass(fx.table, &rec, T0, see, &seen);
	assert_int_equal(seen.count, 2);
	assert_memory_equal(&seen.sock, &rec.sock, sizeof(rec.sock));
	assert_int_equal(seen.session.netns, NETNS);
	assert_int_equal(seen.session.local.port, 40000);
	assert_int_equal(seen.session.remote.port, 80);
	assert_null(seen.session.wire);
	rec.sock.state = TCPS_COUNT;
	session_table__pass(fx.table, &rec, T0, see, &seen);
	assert_int_equal(seen.count, 2);
	session_table__stats(fx.table, &stats);
	assert_int_equal(stats.bad_records, 1);
	assert_int_equal(stats.sessions, 0);
	expect(&fx, "");
	session_table__free(fx.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_late_records),
		cmocka_unit_test(test_minisock_gives_way),
		cmocka_unit_test(test_reset_of_a_packet),
		cmocka_unit_test(test_births),
		cmocka_unit_test(test_namespaces_are_apart),
		cmocka_unit_test(test_flood),
		cmocka_unit_test(test_chaos),
		cmocka_unit_test(test_expect),
		cmocka_unit_test(test_passing),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
