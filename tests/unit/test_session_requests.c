/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Connections half open at a listener of this host: which of them are told to have failed, when,
 * once, and where they broke.
 */
#include "table_fixture.h"

#define MSEC TW_NSEC_PER_MSEC

struct story {
	const char *name;
	void (*play)(struct fixture *fx);
	unsigned failures; /* told */
	enum handshake_break broke;
	enum view view;
};

static struct sock_info request(uint8_t timeouts)
{
	struct sock_info s = make_sock(0, TCPS_SYN_RECV, LOCAL_IP, 80, REMOTE_IP, 40000);

	s.role = ROLE_PASSIVE;
	s.syn_retransmits = s.syn_timeouts = timeouts;
	return s;
}

static struct talk incoming(void)
{
	struct talk t;

	talk__init(&t, REMOTE_IP, 40000, LOCAL_IP, 80);
	return t;
}

static void pass(struct fixture *fx, uint64_t ns)
{
	fx->now_ns += ns;
	fixture__settle(fx);
}

/* As the tool lives it: a settle every second. */
static void pass_slowly(struct fixture *fx, unsigned seconds)
{
	while (seconds--)
		pass(fx, SEC);
}

/* The SYN-ACK is sent again after 1 s, 3 s and 7 s; then nothing more is heard. */
static void retry(struct fixture *fx, bool is_acked)
{
	for (uint8_t timeouts = 1; timeouts <= 3; timeouts++) {
		struct sock_info s = request(timeouts);

		pass(fx, SEC << (timeouts - 1));
		s.is_acked = is_acked;
		fixture__sock_retransmit(fx, &s);
	}
}

static void play_expired(struct fixture *fx)
{
	retry(fx, false);
	pass(fx, 8 * SEC);
	assert_int_equal(fixture__stats(fx).sessions, 1); /* its timer may be late */
	pass(fx, 2 * SEC);
	assert_int_equal(fixture__stats(fx).sessions, 0);
	pass(fx, 300 * SEC);
}

static void play_still_there(struct fixture *fx)
{
	retry(fx, false);
	pass(fx, 8 * SEC);
}

static void play_accept_queue_full(struct fixture *fx)
{
	retry(fx, true);
	pass(fx, 10 * SEC);
}

static void play_snapshot_forgets_no_ack(struct fixture *fx)
{
	struct sock_info s = request(3);

	retry(fx, true);
	fixture__sock(fx, &s);
	pass(fx, 10 * SEC);
}

static void play_completed_late(struct fixture *fx)
{
	struct sock_info child = make_sock(7, TCPS_LISTEN, LOCAL_IP, 80, REMOTE_IP, 40000);

	retry(fx, true);
	fixture__sock_state(fx, &child, TCPS_LISTEN, TCPS_SYN_RECV);
	fixture__sock_state(fx, &child, TCPS_SYN_RECV, TCPS_ESTABLISHED);
	pass(fx, 300 * SEC);
}

static void play_swept(struct fixture *fx)
{
	retry(fx, false);
	fixture__snapshot(fx, REC_SNAPSHOT_BEGIN, NETNS, true);
	fixture__snapshot(fx, REC_SNAPSHOT_END, NETNS, true);
	fixture__settle(fx);
	pass(fx, 300 * SEC);
}

/* The snapshot already has the child that no record has told of yet. */
static void play_swept_for_its_child(struct fixture *fx)
{
	struct sock_info child = make_sock(7, TCPS_ESTABLISHED, LOCAL_IP, 80, REMOTE_IP, 40000);

	retry(fx, false);
	fixture__snapshot(fx, REC_SNAPSHOT_BEGIN, NETNS, true);
	fixture__sock(fx, &child);
	fixture__snapshot(fx, REC_SNAPSHOT_END, NETNS, true);
	fixture__settle(fx);
	pass(fx, 300 * SEC);
}

static void play_found_by_snapshot(struct fixture *fx)
{
	struct sock_info s = request(0);

	fixture__sock(fx, &s);
	pass(fx, 2 * SEC + 500 * MSEC);
}

static void syn_ack_again(struct fixture *fx, const struct talk *t)
{
	talk__server(fx, t, TCPF_SYN | TCPF_ACK, 0, 1, 0);
}

/* The wire times out after three minutes, long after the request has: that is told once. */
static void play_both_unanswered(struct fixture *fx)
{
	struct talk t = incoming();

	talk__syn(fx, &t);
	syn_ack_again(fx, &t);
	retry(fx, false);
	syn_ack_again(fx, &t);
	pass(fx, 10 * SEC);
	pass(fx, 200 * SEC);
	pass(fx, 200 * SEC);
}

/* The tap saw the acknowledgement, and TCP did not. */
static void play_both_lost(struct fixture *fx)
{
	struct talk t = incoming();

	talk__open(fx, &t);
	retry(fx, false);
	pass(fx, 10 * SEC);
	pass(fx, 300 * SEC);
}

/* The client's reset is the end, which the kernel does not tell. */
static void play_both_reset(struct fixture *fx)
{
	struct talk t = incoming();

	talk__syn(fx, &t);
	syn_ack_again(fx, &t);
	retry(fx, false);
	talk__client(fx, &t, TCPF_RST, 1, 0, 0);
	pass_slowly(fx, 300);
}

/* A packet filter keeps the reset from TCP, which goes on sending its SYN-ACK. */
static void play_both_reset_unheard(struct fixture *fx)
{
	struct talk t = incoming();

	talk__syn(fx, &t);
	syn_ack_again(fx, &t);
	talk__client(fx, &t, TCPF_RST, 1, 0, 0);
	fixture__settle(fx);
	retry(fx, false);
	pass_slowly(fx, 300);
}

static void reset_by_listener(struct fixture *fx, enum listener_reset why)
{
	struct rec_sock_reset rec = {.by = CLOSE_LOCAL, .of_listener = why, .reason = -1};

	rec.sock = make_sock(0, TCPS_CLOSED, LOCAL_IP, 80, REMOTE_IP, 40000);
	rec.sock.role = ROLE_PASSIVE;
	rec.hdr = fixture__hdr(fx, REC_SOCK_RESET, sizeof(rec), 0);
	fixture__apply(fx, &rec);
}

static void play_cookie(struct fixture *fx)
{
	reset_by_listener(fx, LISTENER_RESET_COOKIE);
}

/* The payload that follows the acknowledgement is answered likewise. */
static void play_both_cookie(struct fixture *fx)
{
	struct talk t = incoming();

	talk__open(fx, &t);
	reset_by_listener(fx, LISTENER_RESET_COOKIE);
	talk__server(fx, &t, TCPF_RST, 1, 0, 0);
	reset_by_listener(fx, LISTENER_RESET_COOKIE);
	pass(fx, 300 * SEC);
	pass(fx, 300 * SEC);
}

static void play_aborted_on_overflow(struct fixture *fx)
{
	struct talk t = incoming();

	talk__open(fx, &t);
	retry(fx, false);
	reset_by_listener(fx, LISTENER_RESET_FULL);
	pass(fx, 300 * SEC);
	pass(fx, 300 * SEC);
}

/* Without the wire. */
static void play_abort(struct fixture *fx)
{
	retry(fx, false);
	reset_by_listener(fx, LISTENER_RESET_FULL);
	assert_int_equal(fixture__stats(fx).sessions, 0);
	pass_slowly(fx, 300);
}

static void play_stray(struct fixture *fx)
{
	reset_by_listener(fx, LISTENER_RESET_STRAY);
}

static const struct story stories[] = {
	{"its timer has run out", play_expired, 1, BREAK_SYN_ACK_UNANSWERED, VIEW_SOCKET},
	{"its timer may yet be late", play_still_there, 0, BREAK_NONE, 0},
	{"the accept queue is full", play_accept_queue_full, 1, BREAK_ACK_DROPPED, VIEW_SOCKET},
	{"a snapshot does not tell of the ACK", play_snapshot_forgets_no_ack, 1, BREAK_ACK_DROPPED,
	 VIEW_SOCKET},
	{"completed after all", play_completed_late, 0, BREAK_NONE, 0},
	{"gone from a snapshot", play_swept, 1, BREAK_SYN_ACK_UNANSWERED, VIEW_SOCKET},
	{"its child is in the snapshot", play_swept_for_its_child, 0, BREAK_NONE, 0},
	{"older than the tool", play_found_by_snapshot, 1, BREAK_SYN_ACK_UNANSWERED, VIEW_SOCKET},
	{"both views tell once", play_both_unanswered, 1, BREAK_SYN_ACK_UNANSWERED, VIEW_SOCKET},
	{"the ACK reached the tap alone", play_both_lost, 1, BREAK_LOST_IN_HOST, VIEW_SOCKET},
	{"reset by the client", play_both_reset, 1, BREAK_SYN_ACK_RESET, VIEW_WIRE},
	{"reset by the client, unheard", play_both_reset_unheard, 1, BREAK_SYN_ACK_RESET,
	 VIEW_WIRE},
	{"no cookie", play_cookie, 1, BREAK_COOKIE_REJECTED, VIEW_SOCKET},
	{"no cookie, and payload behind it", play_both_cookie, 1, BREAK_COOKIE_REJECTED,
	 VIEW_SOCKET},
	{"aborted on overflow", play_aborted_on_overflow, 1, BREAK_ACK_DROPPED, VIEW_SOCKET},
	{"aborted on overflow, the socket view alone", play_abort, 1, BREAK_ACK_DROPPED,
	 VIEW_SOCKET},
	{"a stray acknowledgement", play_stray, 0, BREAK_NONE, 0},
};

static void check(const struct fixture *fx, const struct story *story)
{
	unsigned failures = 0;

	for (size_t i = 0; i < fx->n_told; i++) {
		const struct told *told = &fx->told[i];

		if (told->kind != EVENT_HANDSHAKE_FAILED)
			continue;
		failures++;
		if (told->broke != story->broke || told->view != story->view)
			fail_msg("%s: broke at %s, view %u", story->name,
				 handshake_break__name(told->broke), told->view);
	}
	if (failures != story->failures)
		fail_msg("%s: told %u times", story->name, failures);
}

static void test_stories(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		struct fixture fx;

		fixture__init(&fx, true, true, 1000);
		stories[i].play(&fx);
		check(&fx, &stories[i]);
		session_table__free(fx.table);
	}
}

/* Without events nobody waits for the end: the rows are those of the snapshots. */
static void test_without_events_there_is_no_row(void **state)
{
	struct fixture fx;

	(void)state;
	fixture__init(&fx, false, true, 1000);
	retry(&fx, false);
	assert_int_equal(fixture__stats(&fx).sessions, 0);
	session_table__free(fx.table);
}

#define FLOOD 20000

/* Many at once, as a full backlog has them, each told once. */
static unsigned n_failed;

static void count_failed(void *ctx, const struct event *event)
{
	(void)ctx;
	n_failed += event->kind == EVENT_HANDSHAKE_FAILED;
}

static void test_many(void **state)
{
	struct fixture fx;

	(void)state;
	n_failed = 0;
	fixture__init(&fx, true, true, 1000);
	session_table__free(fx.table);
	fx.env.on_event = count_failed;
	fx.table = session_table__new(&fx.env, 1000);
	for (unsigned i = 0; i < FLOOD; i++) {
		struct sock_info s = request(1);

		s.remote = v4(REMOTE_IP + i);
		fixture__sock_retransmit(&fx, &s);
		fx.now_ns += 1000;
		fixture__settle(&fx);
	}
	assert_int_equal(fixture__stats(&fx).sessions, FLOOD);
	pass(&fx, 4 * SEC);
	assert_int_equal(fixture__stats(&fx).sessions, 0);
	assert_int_equal(n_failed, FLOOD);
	session_table__free(fx.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stories),
		cmocka_unit_test(test_without_events_there_is_no_row),
		cmocka_unit_test(test_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
