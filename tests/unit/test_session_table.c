/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Which rows the session table has, what they join, and how it stays bounded. */
#include <stdlib.h>

#include "table_fixture.h"

static struct talk outgoing(void)
{
	struct talk t;

	talk__init(&t, LOCAL_IP, 40000, REMOTE_IP, 80);
	return t;
}

static void list(struct fixture *fx, const struct sock_info *infos, size_t count, bool is_whole)
{
	fx->now_ns += 1000;
	fixture__snapshot(fx, REC_SNAPSHOT_BEGIN, NETNS, false);
	for (size_t i = 0; i < count; i++)
		fixture__sock(fx, &infos[i]);
	fixture__snapshot(fx, REC_SNAPSHOT_END, NETNS, is_whole);
	fixture__settle(fx);
}

static void test_both_views_are_one_row(void **state)
{
	struct sock_info info = make_sock(9, TCPS_ESTABLISHED, LOCAL_IP, 40000, REMOTE_IP, 80);
	struct talk t = outgoing();
	struct fixture fx;
	struct rows rows;

	(void)state;
	for (int sock_first = 0; sock_first < 2; sock_first++) {
		fixture__init(&fx, false, false, 100);
		if (sock_first)
			list(&fx, &info, 1, true);
		talk__open(&fx, &t);
		talk__data(&fx, &t);
		fixture__scan(&fx);
		if (!sock_first)
			list(&fx, &info, 1, true);
		rows = fixture__rows(&fx);
		assert_int_equal(rows.count, 1);
		assert_int_equal(session__view(rows.items[0]), VIEW_BOTH);
		assert_int_equal(rows.items[0]->local.port, 40000);
		assert_int_equal(rows.items[0]->local_dir, t.client);
		assert_int_equal(evidence__bytes(rows.items[0]->wire, t.client), TALK_BYTES);
		assert_string_equal(rows.items[0]->ifname, "eth0");
		assert_string_equal(rows.items[0]->netns_name, "self");
		assert_int_equal(fixture__stats(&fx).sessions, 1);
		assert_int_equal(fixture__stats(&fx).by_state[TCPS_ESTABLISHED], 1);
		session_table__free(fx.table);
	}
}

static void test_loopback_is_two_rows(void **state)
{
	const uint32_t lo = 0x7f000001;
	struct sock_info infos[] = {make_sock(1, TCPS_ESTABLISHED, lo, 40000, lo, 80),
				    make_sock(2, TCPS_ESTABLISHED, lo, 80, lo, 40000)};
	struct fixture fx;
	struct talk t;
	struct rows rows;

	(void)state;
	fixture__init(&fx, false, false, 100);
	talk__init(&t, lo, 40000, lo, 80);
	talk__open(&fx, &t);
	list(&fx, infos, 2, true);
	rows = fixture__rows(&fx);
	assert_int_equal(rows.count, 2);
	for (size_t i = 0; i < 2; i++)
		assert_int_equal(session__view(rows.items[i]), VIEW_BOTH);
	assert_int_not_equal(rows.items[0]->local_dir, rows.items[1]->local_dir);
	session_table__free(fx.table);
}

static void test_forwarded_starts_at_the_originator(void **state)
{
	struct fixture fx;
	struct rows rows;
	struct talk t;

	(void)state;
	fixture__init(&fx, false, true, 100);
	talk__init(&t, REMOTE_IP + 1, 50000, REMOTE_IP, 80);
	talk__open(&fx, &t);
	rows = fixture__rows(&fx);
	assert_int_equal(rows.count, 1);
	assert_true(rows.items[0]->is_forwarded);
	assert_int_equal(rows.items[0]->local.port, 50000);
	session_table__free(fx.table);
}

/* What the last whole snapshot does not have is gone; a cut one proves nothing. */
static void test_snapshots(void **state)
{
	static const struct {
		size_t listed;
		bool is_whole;
		size_t rows;
	} steps[] = {{3, true, 3}, {1, false, 3}, {2, true, 2}, {0, false, 2}, {0, true, 0}};
	struct sock_info infos[3];
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 100);
	for (uint16_t i = 0; i < 3; i++)
		infos[i] = make_sock(i + 1, TCPS_ESTABLISHED, LOCAL_IP, 40000 + i, REMOTE_IP, 80);
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		list(&fx, infos, steps[i].listed, steps[i].is_whole);
		assert_int_equal(fixture__rows(&fx).count, steps[i].rows);
		assert_int_equal(fixture__stats(&fx).sessions, steps[i].rows);
	}
	session_table__free(fx.table);
}

/*
 * A namespace that is gone takes its sockets with it, those of records that come late too, and no
 * others; what has its number later is new.
 */
static void test_namespace_that_is_gone(void **state)
{
	struct sock_info infos[] = {
		make_sock(1, TCPS_ESTABLISHED, LOCAL_IP, 40000, REMOTE_IP, 80),
		make_sock(2, TCPS_LISTEN, LOCAL_IP, 80, 0, 0),
		make_sock(0, TCPS_TIME_WAIT, LOCAL_IP, 40001, REMOTE_IP, 80),
	};
	struct sock_info elsewhere = infos[0], late = infos[0];
	struct talk t = outgoing();
	struct fixture fx;

	(void)state;
	elsewhere.cookie = 4;
	elsewhere.netns = NETNS + 1;
	late.cookie = 5;
	fixture__init(&fx, false, true, 100);
	talk__open(&fx, &t);
	fixture__sock(&fx, &elsewhere);
	list(&fx, infos, 3, true);
	assert_int_equal(fixture__rows(&fx).count, 4);

	assert_int_equal(session_table__forget_netns(fx.table, NETNS), 0);
	fixture__sock(&fx, &late);
	fixture__settle(&fx);
	assert_int_equal(fixture__rows(&fx).count, 1);
	assert_int_equal(fixture__rows(&fx).items[0]->netns, NETNS + 1);
	assert_int_equal(fixture__stats(&fx).sessions, 1);
	assert_int_equal(fixture__stats(&fx).wire_sessions, 1);

	list(&fx, infos, 1, true);
	assert_int_equal(fixture__stats(&fx).sessions, 2);
	session_table__free(fx.table);
}

static void test_minisocks_have_no_cookie(void **state)
{
	struct sock_info infos[] = {
		make_sock(0, TCPS_TIME_WAIT, LOCAL_IP, 40000, REMOTE_IP, 80),
		make_sock(0, TCPS_SYN_RECV, LOCAL_IP, 80, REMOTE_IP, 40000),
	};
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 100);
	list(&fx, infos, 2, true);
	list(&fx, infos, 2, true);
	assert_int_equal(fixture__rows(&fx).count, 2);
	assert_int_equal(fixture__stats(&fx).by_state[TCPS_TIME_WAIT], 1);
	assert_false(session_table__has_unowned(fx.table));
	session_table__free(fx.table);
}

static void test_owners(void **state)
{
	struct sock_info info = make_sock(9, TCPS_ESTABLISHED, LOCAL_IP, 40000, REMOTE_IP, 80);
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 100);
	list(&fx, &info, 1, true);
	assert_true(session_table__has_unowned(fx.table));
	fixture__owner(&fx, 9, 17, "old");
	fixture__owner(&fx, 9, 18, "heir"); /* of several holders the first */
	assert_int_equal(fixture__rows(&fx).items[0]->owner.pid, 17);
	assert_false(session_table__has_unowned(fx.table));
	session_table__forget_owners(fx.table);
	assert_int_equal(fixture__rows(&fx).items[0]->owner.pid, 0);
	assert_true(session_table__has_unowned(fx.table));
	session_table__free(fx.table);
}

/* Two subflows of one MPTCP connection; processes hold neither, but the socket they are of. */
static void test_owners_of_held_sockets(void **state)
{
	struct sock_info info[] = {
		make_sock(9, TCPS_ESTABLISHED, LOCAL_IP, 40000, REMOTE_IP, 80),
		make_sock(10, TCPS_ESTABLISHED, LOCAL_IP, 40001, REMOTE_IP, 80),
		make_sock(11, TCPS_ESTABLISHED, LOCAL_IP, 40002, REMOTE_IP, 80),
	};
	struct rows rows;
	struct fixture fx;

	(void)state;
	info[0].holder = info[1].holder = 7;
	info[2].holder = 8;
	fixture__init(&fx, false, false, 100);
	list(&fx, info, 3, true);
	fixture__owner(&fx, 7, 17, "multi");
	rows = fixture__rows(&fx);
	assert_int_equal(rows.items[0]->owner.pid, 17);
	assert_int_equal(rows.items[1]->owner.pid, 17);
	assert_int_equal(rows.items[2]->owner.pid, 0);
	session_table__forget_owners(fx.table);
	info[1].holder = 8; /* not seen in the wild, but to be taken as it comes */
	info[0].holder = 0;
	list(&fx, info, 2, true); /* and the third is gone */
	fixture__owner(&fx, 7, 17, "multi");
	fixture__owner(&fx, 8, 18, "other");
	rows = fixture__rows(&fx);
	assert_int_equal(rows.count, 2);
	assert_int_equal(rows.items[0]->owner.pid, 0);
	assert_int_equal(rows.items[1]->owner.pid, 18);
	session_table__free(fx.table);
}

/* A TIME_WAIT sock has the cookie of the socket before it, which a process may still hold. */
static void test_time_wait_is_nobodys(void **state)
{
	struct sock_info info = make_sock(9, TCPS_FIN_WAIT2, LOCAL_IP, 40000, REMOTE_IP, 80);
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 100);
	list(&fx, &info, 1, true);
	fixture__owner(&fx, 9, 17, "old");
	assert_int_equal(fixture__rows(&fx).items[0]->owner.pid, 17);
	info.state = TCPS_TIME_WAIT;
	info.is_minisock = true;
	list(&fx, &info, 1, true);
	assert_int_equal(fixture__rows(&fx).items[0]->owner.pid, 0);
	fixture__owner(&fx, 9, 17, "old");
	assert_int_equal(fixture__rows(&fx).items[0]->owner.pid, 0);
	session_table__free(fx.table);
}

/* A flood of half-open sessions does not push out the open ones, nor the memory's limit. */
static void test_bounded(void **state)
{
	enum { MAX = 100, FLOOD = 100000 };
	struct talk open = outgoing();
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, MAX);
	talk__open(&fx, &open);
	for (uint32_t i = 0; i < FLOOD; i++) {
		struct rec_fragment rec = {.why = FRAGMENT_EVICTED};
		struct segment syn = {.seq = i, .segs = 1, .flags = TCPF_SYN};
		struct flow_key key;

		syn.dir = make_key(&key, 0x0b000000 + i, 1024, LOCAL_IP, 80, 1);
		fx.now_ns += 10000;
		fragment__init(&rec.frag, &key, fx.now_ns);
		track__segment(&rec.frag, &syn, fx.now_ns);
		rec.hdr = fixture__hdr(&fx, REC_FRAGMENT, sizeof(rec), 0);
		fixture__apply(&fx, &rec);
	}
	fixture__settle(&fx);
	assert_true(fixture__stats(&fx).wire_sessions <= MAX);
	assert_true(fixture__stats(&fx).wire_forgotten >= FLOOD - MAX);
	assert_int_equal(fixture__stats(&fx).by_state[TCPS_ESTABLISHED], 1);
	session_table__free(fx.table);
}

static void test_bad_records(void **state)
{
	union record rec = {.hdr = {.kind = REC_COUNT, .size = sizeof(rec)}};
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 100);
	fixture__apply(&fx, &rec);
	rec.hdr = (struct record_hdr){.kind = REC_SOCK, .size = sizeof(struct rec_sock) - 1};
	fixture__apply(&fx, &rec);
	rec.hdr.size = sizeof(struct rec_sock);
	rec.sock.sock.state = TCPS_COUNT;
	fixture__apply(&fx, &rec);
	assert_int_equal(fixture__stats(&fx).bad_records, 3);
	assert_int_equal(fixture__rows(&fx).count, 0);
	session_table__free(fx.table);
}

static void test_tap_that_is_gone(void **state)
{
	struct talk t = outgoing();
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, false, 100);
	talk__open(&fx, &t);
	assert_false(fixture__rows(&fx).items[0]->tap_is_gone);
	fx.gone_tap = 1;
	fixture__settle(&fx);
	assert_true(fixture__rows(&fx).items[0]->tap_is_gone);
	session_table__free(fx.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_both_views_are_one_row),
		cmocka_unit_test(test_loopback_is_two_rows),
		cmocka_unit_test(test_forwarded_starts_at_the_originator),
		cmocka_unit_test(test_snapshots),
		cmocka_unit_test(test_namespace_that_is_gone),
		cmocka_unit_test(test_minisocks_have_no_cookie),
		cmocka_unit_test(test_owners),
		cmocka_unit_test(test_owners_of_held_sockets),
		cmocka_unit_test(test_time_wait_is_nobodys),
		cmocka_unit_test(test_bounded),
		cmocka_unit_test(test_bad_records),
		cmocka_unit_test(test_tap_that_is_gone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
