/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* What the session table tells of changes, from which view, and how often. */
#include <errno.h>
#include <stdlib.h>

#include "table_fixture.h"

struct story {
	const char *name;
	void (*play)(struct fixture *fx);
	bool prefer_sockets;
	const char *told;
};

static struct talk outgoing(void)
{
	struct talk t;

	talk__init(&t, LOCAL_IP, 40000, REMOTE_IP, 80);
	return t;
}

static struct talk incoming(void)
{
	struct talk t;

	talk__init(&t, REMOTE_IP, 40000, LOCAL_IP, 80);
	return t;
}

static struct talk forwarded(void)
{
	struct talk t;

	talk__init(&t, REMOTE_IP, 40000, REMOTE_IP + 1, 80);
	return t;
}

/* ---- the wire alone ---- */

static void play_outgoing(struct fixture *fx)
{
	struct talk t = outgoing();

	talk__whole(fx, &t);
	fixture__settle(fx);
	fixture__settle(fx);
}

static void play_incoming(struct fixture *fx)
{
	struct talk t = incoming();

	talk__whole(fx, &t);
	fixture__settle(fx);
}

static void play_forwarded(struct fixture *fx)
{
	struct talk t = forwarded();

	talk__whole(fx, &t);
	fixture__settle(fx);
}

static void play_refused(struct fixture *fx)
{
	struct talk t = outgoing();

	talk__syn(fx, &t);
	talk__syn(fx, &t);
	talk__server(fx, &t, TCPF_RST | TCPF_ACK, 0, 1, 0);
	fixture__settle(fx);
}

static void play_unanswered(struct fixture *fx)
{
	struct talk t = incoming();

	talk__syn(fx, &t);
	fixture__settle(fx);
	fx->now_ns += 181 * SEC;
	fixture__settle(fx);
	fx->now_ns += SEC;
	fixture__settle(fx);
}

static void play_reset(struct fixture *fx)
{
	struct talk t = incoming();

	talk__open(fx, &t);
	talk__data(fx, &t);
	talk__server(fx, &t, TCPF_RST, 1 + 2 * TALK_BYTES, 0, 0);
	fixture__settle(fx);
}

static void play_retransmits(struct fixture *fx)
{
	struct talk t = outgoing();

	talk__syn(fx, &t);
	t.client_cpu = 1; /* the same SYN again, but the first that this CPU sees */
	talk__syn(fx, &t);
	t.client_cpu = 0;
	talk__server(fx, &t, TCPF_SYN | TCPF_ACK, 0, 1, 0);
	talk__server(fx, &t, TCPF_SYN | TCPF_ACK, 0, 1, 0);
	talk__client(fx, &t, TCPF_ACK, 1, 1, 0);
	talk__client(fx, &t, TCPF_ACK | TCPF_PSH, 1, 1, TALK_BYTES);
	talk__client(fx, &t, TCPF_ACK | TCPF_PSH, 1, 1, TALK_BYTES);
	talk__client(fx, &t, TCPF_ACK | TCPF_FIN, 1 + TALK_BYTES, 1, 0);
	talk__client(fx, &t, TCPF_ACK | TCPF_FIN, 1 + TALK_BYTES, 1, 0);
}

static void play_midstream(struct fixture *fx)
{
	struct talk t = outgoing();

	talk__data(fx, &t);
	talk__close(fx, &t);
	fixture__settle(fx);
}

static void play_reused(struct fixture *fx)
{
	struct talk t = outgoing();

	talk__open(fx, &t);
	talk__client(fx, &t, TCPF_ACK | TCPF_FIN, 1, 1, 0);
	t.client_isn = 900000;
	t.server_isn = 700000;
	talk__open(fx, &t);
	fixture__settle(fx);
}

/* RFC 5961: an open session answers such a SYN with a challenge, whichever CPU sees it. */
static void play_stray_syn(struct fixture *fx)
{
	struct talk t = outgoing(), stray = t;

	talk__open(fx, &t);
	stray.client_isn = 150;
	talk__syn(fx, &stray);
	stray.client_isn = 900000;
	stray.client_cpu = 2;
	talk__syn(fx, &stray);
	fixture__scan(fx);
	talk__data(fx, &t);
	t.client_cpu = 2; /* its next segment does not follow the SYN seen there */
	talk__close(fx, &t);
	fixture__settle(fx);
	fixture__settle(fx);
}

static void talk__refused(struct fixture *fx, const struct talk *t)
{
	talk__syn(fx, t);
	talk__server(fx, t, TCPF_RST | TCPF_ACK, 0, 1, 0);
}

/* The same port again and again: each attempt ended when it was refused, not when the next began.
 */
static void play_refused_again(struct fixture *fx)
{
	struct talk t = outgoing();
	uint64_t refused_ns = 0;

	for (int i = 0; i < 3; i++) {
		size_t before = fx->n_told;

		talk__refused(fx, &t);
		for (size_t at = before; at < fx->n_told; at++)
			if (fx->told[at].kind == EVENT_HANDSHAKE_FAILED)
				assert_int_equal(fx->told[at].time_ns, refused_ns);
		refused_ns = fx->now_ns;
		t.client_isn += 3000000;
	}
	fixture__settle(fx);
	fixture__settle(fx);
}

/* An attempt of either end after the other's was refused. */
static void play_refused_both_ways(struct fixture *fx)
{
	struct talk in = incoming(), out;

	talk__init(&out, LOCAL_IP, 80, REMOTE_IP, 40000);
	out.client_isn = 900000;
	in.server_cpu = out.server_cpu = 0;
	talk__refused(fx, &in);
	talk__refused(fx, &out);
	in.client_isn = 1800000;
	talk__refused(fx, &in);
	fixture__settle(fx);
	fixture__settle(fx);
}

/* … and nobody's records but the caches tell of them. */
/* Each CPU sees what one end sends: on neither is a SYN before the RST that answers it. */
static void play_refused_both_ways_on_two_cpus(struct fixture *fx)
{
	struct talk in = incoming(), out;

	talk__init(&out, LOCAL_IP, 80, REMOTE_IP, 40000);
	in.client_cpu = out.server_cpu = 0;
	in.server_cpu = out.client_cpu = 1;
	in.client_isn = 1u << 20;
	out.client_isn = 1u << 30;
	in.server_isn = out.server_isn = 0; /* the number of a RST without a connection */
	talk__refused(fx, &in);
	talk__refused(fx, &out);
	in.client_isn = 1u << 21;
	talk__refused(fx, &in);
	fixture__settle(fx);
	fixture__settle(fx);
}

/* A RST that answers no SYN, though the CPU that sees it cannot know. */
static void play_refusal_of_nothing(struct fixture *fx)
{
	struct talk in = incoming();
	struct packet strange = {&in.key, in.client, TCPF_RST | TCPF_ACK, 0, 0, 0};

	in.client_cpu = 0;
	in.server_cpu = 1;
	in.client_isn = 1u << 20;
	talk__syn(fx, &in);
	fixture__packet(fx, 0, &strange, false);
	talk__server(fx, &in, TCPF_SYN | TCPF_ACK, 0, 1, 0);
	strange.ack = in.server_isn + 1;
	fixture__packet(fx, 0, &strange, false);
	talk__client(fx, &in, TCPF_ACK, 1, 1, 0);
	fixture__settle(fx);
}

static void play_refused_both_ways_unheard(struct fixture *fx)
{
	struct talk in = incoming(), out;

	talk__init(&out, LOCAL_IP, 80, REMOTE_IP, 40000);
	out.client_isn = 900000;
	in.server_cpu = 0;
	out.client_cpu = out.server_cpu = 2;
	in.lose = out.lose = true;
	talk__refused(fx, &in);
	talk__refused(fx, &out);
	fixture__scan(fx);
	fixture__settle(fx);
}

/* The same tuple at once. One CPU sees the SYNs; another the ends and then data without a SYN. */
static void play_quick_reuse(struct fixture *fx)
{
	struct talk t = outgoing();

	for (int i = 0; i < 2; i++) {
		t.client_cpu = 0;
		t.server_cpu = 1;
		talk__open(fx, &t);
		t.client_cpu = t.server_cpu = 2;
		talk__data(fx, &t);
		talk__close(fx, &t);
		t.client_isn += 3000000;
		t.server_isn += 3000000;
	}
	fixture__settle(fx);
	fixture__settle(fx);
}

/* No record tells of payload after the first: what is acknowledged runs ahead of what is known. */
static void play_bulk(struct fixture *fx)
{
	struct talk t = outgoing();

	talk__open(fx, &t);
	talk__data(fx, &t);
	t.lose = true;
	talk__server(fx, &t, TCPF_ACK, 1 + 2 * TALK_BYTES, 1 + TALK_BYTES, 60000);
	talk__client(fx, &t, TCPF_ACK, 1 + TALK_BYTES, 60001 + 2 * TALK_BYTES, 0);
	t.lose = false;
	talk__client(fx, &t, TCPF_ACK | TCPF_FIN, 1 + TALK_BYTES, 60001 + 2 * TALK_BYTES, 0);
}

static void play_new_attempt(struct fixture *fx)
{
	struct talk t = outgoing();

	talk__syn(fx, &t);
	t.client_isn = 900000;
	talk__syn(fx, &t);
	fixture__settle(fx);
}

static void play_simultaneous(struct fixture *fx)
{
	struct talk t = outgoing();
	struct packet syn = {&t.key, !t.client, TCPF_SYN, t.server_isn, 0, 0};

	talk__syn(fx, &t);
	fixture__packet(fx, 1, &syn, false);
	talk__client(fx, &t, TCPF_SYN | TCPF_ACK, 0, 1, 0);
	talk__server(fx, &t, TCPF_SYN | TCPF_ACK, 0, 1, 0);
}

static void play_evicted(struct fixture *fx)
{
	struct talk t = forwarded();

	talk__open(fx, &t);
	fixture__evict(fx, 0, &t.key, false);
}

static void play_stray_reset(struct fixture *fx)
{
	struct talk t = incoming();

	talk__client(fx, &t, TCPF_RST, 1, 1, 0);
	fixture__settle(fx);
}

static void play_two_taps(struct fixture *fx)
{
	struct talk low = forwarded(), high = forwarded();

	high.key.tap = 2;
	talk__syn(fx, &high);
	talk__syn(fx, &low);
	talk__server(fx, &low, TCPF_SYN | TCPF_ACK, 0, 1, 0);
	talk__server(fx, &high, TCPF_SYN | TCPF_ACK, 0, 1, 0);
	talk__client(fx, &high, TCPF_ACK, 1, 1, 0);
	talk__client(fx, &low, TCPF_ACK, 1, 1, 0);
}

/* ---- sockets ---- */

static void play_active_socket(struct fixture *fx)
{
	struct sock_info s = make_sock(11, TCPS_CLOSED, LOCAL_IP, 0, REMOTE_IP, 80);

	fixture__sock_state(fx, &s, TCPS_CLOSED, TCPS_SYN_SENT);
	s.local_port = 40000;
	fixture__sock_state(fx, &s, TCPS_SYN_SENT, TCPS_ESTABLISHED);
	fixture__sock_state(fx, &s, TCPS_ESTABLISHED, TCPS_FIN_WAIT1);
	fixture__sock_state(fx, &s, TCPS_FIN_WAIT1, TCPS_FIN_WAIT2);
	s.close_by = CLOSE_LOCAL;
	fixture__sock_state(fx, &s, TCPS_FIN_WAIT2, TCPS_CLOSED);
	assert_int_equal(fx->told[fx->n_told - 1].closed_by, CLOSE_LOCAL);
	assert_int_equal(fixture__stats(fx).sessions, 0);
}

static void play_passive_socket(struct fixture *fx)
{
	struct sock_info s = make_sock(12, TCPS_LISTEN, LOCAL_IP, 80, REMOTE_IP, 40000);

	fixture__sock_state(fx, &s, TCPS_LISTEN, TCPS_SYN_RECV);
	fixture__sock_state(fx, &s, TCPS_SYN_RECV, TCPS_ESTABLISHED);
	fixture__sock_state(fx, &s, TCPS_ESTABLISHED, TCPS_CLOSE_WAIT);
	fixture__sock_state(fx, &s, TCPS_CLOSE_WAIT, TCPS_LAST_ACK);
	s.close_by = CLOSE_REMOTE;
	fixture__sock_state(fx, &s, TCPS_LAST_ACK, TCPS_CLOSED);
	assert_int_equal(fx->told[fx->n_told - 1].closed_by, CLOSE_REMOTE);
}

/* Linux before 6.18 reports the birth of a child before its addresses. */
static void play_unborn_child(struct fixture *fx)
{
	struct sock_info s = make_sock(0, TCPS_LISTEN, LOCAL_IP, 80, 0, 0);

	s.is_minisock = 0;
	fixture__sock_state(fx, &s, TCPS_LISTEN, TCPS_SYN_RECV);
	s = make_sock(13, TCPS_SYN_RECV, LOCAL_IP, 80, REMOTE_IP, 40000);
	fixture__sock_state(fx, &s, TCPS_SYN_RECV, TCPS_ESTABLISHED);
}

static void play_connect_refused(struct fixture *fx)
{
	struct sock_info s = make_sock(14, TCPS_SYN_SENT, LOCAL_IP, 40000, REMOTE_IP, 80);

	fixture__sock(fx, &s);
	s.error = ECONNREFUSED;
	s.reset_seen = CLOSE_REMOTE;
	fixture__sock_state(fx, &s, TCPS_SYN_SENT, TCPS_CLOSED);
}

static void play_connect_timeout(struct fixture *fx)
{
	struct sock_info s = make_sock(14, TCPS_SYN_SENT, LOCAL_IP, 40000, REMOTE_IP, 80);

	s.error = ETIMEDOUT;
	fixture__sock_state(fx, &s, TCPS_SYN_SENT, TCPS_CLOSED);
}

static void play_aborted_socket(struct fixture *fx)
{
	struct sock_info s = make_sock(15, TCPS_ESTABLISHED, LOCAL_IP, 40000, REMOTE_IP, 80);

	fixture__sock(fx, &s);
	s.reset_seen = CLOSE_REMOTE;
	s.error = ECONNRESET;
	fixture__sock_state(fx, &s, TCPS_ESTABLISHED, TCPS_CLOSED);
	assert_int_equal(fx->told[fx->n_told - 1].closed_by, CLOSE_REMOTE);
}

/* An unanswered keep-alive: the kernel sends a reset before it gives up. */
static void play_keepalive_timeout(struct fixture *fx)
{
	struct sock_info s = make_sock(15, TCPS_ESTABLISHED, LOCAL_IP, 40000, REMOTE_IP, 80);

	fixture__sock(fx, &s);
	s.reset_seen = s.close_by = CLOSE_LOCAL;
	s.error = ETIMEDOUT;
	fixture__sock_state(fx, &s, TCPS_ESTABLISHED, TCPS_CLOSED);
	assert_int_equal(fx->told[fx->n_told - 1].closed_by, CLOSE_LOCAL);
}

/* Likewise, with an error of ICMP's pending, which the application is given. */
static void play_unreachable_timeout(struct fixture *fx)
{
	struct sock_info s = make_sock(15, TCPS_ESTABLISHED, LOCAL_IP, 40000, REMOTE_IP, 80);

	fixture__sock(fx, &s);
	s.reset_seen = s.close_by = CLOSE_LOCAL;
	s.error = s.soft_error = EHOSTUNREACH;
	fixture__sock_state(fx, &s, TCPS_ESTABLISHED, TCPS_CLOSED);
	assert_int_equal(fx->told[fx->n_told - 1].closed_by, CLOSE_LOCAL);
}

static void play_fast_open_child(struct fixture *fx)
{
	struct sock_info s = make_sock(16, TCPS_SYN_RECV, LOCAL_IP, 80, REMOTE_IP, 40000);

	fixture__sock_state(fx, &s, TCPS_SYN_RECV, TCPS_FIN_WAIT1);
}

static void play_listener(struct fixture *fx)
{
	struct sock_info s = make_sock(17, TCPS_CLOSED, LOCAL_IP, 80, 0, 0);

	fixture__sock_state(fx, &s, TCPS_CLOSED, TCPS_LISTEN);
	fixture__sock_state(fx, &s, TCPS_LISTEN, TCPS_CLOSED);
}

static void reset_of(struct fixture *fx, const struct sock_info *info, enum close_by by, int reason)
{
	struct rec_sock_reset rec = {.sock = *info, .by = by, .reason = reason};

	rec.hdr = fixture__hdr(fx, REC_SOCK_RESET, sizeof(rec), 0);
	fixture__apply(fx, &rec);
}

static void play_resets(struct fixture *fx)
{
	struct sock_info s = make_sock(0, TCPS_CLOSED, LOCAL_IP, 81, REMOTE_IP, 40000);

	reset_of(fx, &s, CLOSE_LOCAL, 7);
	reset_of(fx, &s, CLOSE_REMOTE, -1);
	fixture__sock_retransmit(fx, &s);
	assert_int_equal(fixture__stats(fx).sessions, 0);
}

/* What a snapshot already knew does not go back in time, but is told as it was. */
static void play_late_state(struct fixture *fx)
{
	struct sock_info s = make_sock(18, TCPS_FIN_WAIT2, LOCAL_IP, 40000, REMOTE_IP, 80);

	fixture__sock(fx, &s);
	fx->now_ns -= 1000000;
	fixture__sock_state(fx, &s, TCPS_ESTABLISHED, TCPS_FIN_WAIT1);
	fx->now_ns += 1000000;
	assert_int_equal(fixture__rows(fx).items[0]->sock->state, TCPS_FIN_WAIT2);
}

/* ---- both views: opens, closes and states from the socket, segments from the wire ---- */

static void play_both(struct fixture *fx)
{
	struct sock_info s = make_sock(19, TCPS_CLOSED, LOCAL_IP, 40000, REMOTE_IP, 80);
	struct talk t = outgoing();

	fixture__sock_state(fx, &s, TCPS_CLOSED, TCPS_SYN_SENT);
	talk__syn(fx, &t);
	talk__server(fx, &t, TCPF_SYN | TCPF_ACK, 0, 1, 0);
	fixture__sock_state(fx, &s, TCPS_SYN_SENT, TCPS_ESTABLISHED);
	talk__client(fx, &t, TCPF_ACK, 1, 1, 0);
	talk__data(fx, &t);
	fixture__sock_state(fx, &s, TCPS_ESTABLISHED, TCPS_FIN_WAIT1);
	talk__close(fx, &t);
	fixture__sock_state(fx, &s, TCPS_FIN_WAIT1, TCPS_FIN_WAIT2);
	s.close_by = CLOSE_LOCAL;
	fixture__sock_state(fx, &s, TCPS_FIN_WAIT2, TCPS_CLOSED);
	fixture__settle(fx);
	assert_int_equal(fx->pulls, 0);
}

static void play_both_closed_port(struct fixture *fx)
{
	struct talk t = incoming();

	talk__syn(fx, &t);
	talk__server(fx, &t, TCPF_RST | TCPF_ACK, 0, 1, 0);
	fixture__settle(fx);
}

static void play_both_connect_refused(struct fixture *fx)
{
	struct talk t = outgoing();

	talk__syn(fx, &t);
	talk__server(fx, &t, TCPF_RST | TCPF_ACK, 0, 1, 0);
	play_connect_refused(fx);
	fixture__settle(fx);
}

/* ---- what a fragment says again, long after it was told ---- */

static void wait_long(struct fixture *fx)
{
	fixture__settle(fx);
	fixture__settle(fx);
	for (int i = 0; i < 10; i++) {
		fx->now_ns += 10 * SEC;
		fixture__settle(fx);
	}
	assert_int_equal(fixture__stats(fx).wire_sessions, 0);
}

static void play_evicted_late(struct fixture *fx)
{
	struct talk t = incoming();

	talk__refused(fx, &t);
	wait_long(fx);
	fixture__evict(fx, 0, &t.key, false);
	fixture__settle(fx);
	fixture__evict(fx, 1, &t.key, false);
	wait_long(fx);
	fx->n_told -=
		fx->told[fx->n_told - 1].kind == EVENT_EVICTED; /* which is told each time … */
	fx->n_told -= fx->told[fx->n_told - 1].kind == EVENT_EVICTED;
}

static void play_reused_late(struct fixture *fx)
{
	struct talk t = incoming();

	t.server_cpu = 0;
	talk__refused(fx, &t);
	wait_long(fx);
	t.client_isn += 3000000;
	talk__refused(fx, &t);
	wait_long(fx);
}

static void play_scanned_late(struct fixture *fx)
{
	struct talk t = forwarded();

	talk__whole(fx, &t);
	wait_long(fx);
	fixture__scan(fx);
	wait_long(fx);
}

/* The reader stood still, and some records were lost: it learns late of what ended long ago. */
static void play_stall(struct fixture *fx)
{
	struct talk heard = incoming(), unheard = incoming();
	struct rec_segment syn = {.key = heard.key, .why = SEG_NEW_STEP}, rst = syn;

	fx->is_behind = true;
	heard.lose = unheard.lose = true;
	unheard.client = make_key(&unheard.key, REMOTE_IP, 40001, LOCAL_IP, 80, 1);
	syn.seg = (struct segment){.seq = heard.client_isn, .flags = TCPF_SYN, .dir = heard.client};
	rst.seg = (struct segment){.seq = heard.server_isn,
				   .ack = heard.client_isn + 1,
				   .flags = TCPF_RST | TCPF_ACK,
				   .dir = !heard.client};
	talk__syn(fx, &heard);
	syn.hdr = fixture__hdr(fx, REC_SEGMENT, sizeof(syn), 0);
	talk__server(fx, &heard, TCPF_RST | TCPF_ACK, 0, 1, 0);
	rst.hdr = fixture__hdr(fx, REC_SEGMENT, sizeof(rst), 1);
	talk__refused(fx, &unheard);
	fx->now_ns += 7 * SEC;
	fixture__apply(fx, &syn);
	fixture__apply(fx, &rst);
	for (int i = 0; i < 10; i++) {
		fixture__settle(fx);
		fx->now_ns += SEC;
	}
	fixture__scan(fx);
	fixture__settle(fx);
	fx->is_behind = false;
	wait_long(fx);
	fixture__scan(fx);
	wait_long(fx);
}

static const struct story stories[] = {
	{"wire: outgoing, we close first", play_outgoing, false,
	 "syn closed>syn-sent syn_ack syn-sent>established established fin established>fin-wait-1 "
	 "fin-wait-1>fin-wait-2 fin fin-wait-2>time-wait closed:fin"},
	{"wire: incoming, they close first", play_incoming, false,
	 "syn syn_ack listening>syn-recv syn-recv>established established fin "
	 "established>close-wait fin close-wait>last-ack last-ack>closed closed:fin"},
	{"wire: forwarded, from the originator's side", play_forwarded, true,
	 "syn closed>syn-sent syn_ack syn-sent>established established fin established>fin-wait-1 "
	 "fin-wait-1>fin-wait-2 fin fin-wait-2>time-wait closed:fin"},
	{"wire: refused after a retry", play_refused, false,
	 "syn closed>syn-sent syn:retransmit reset_received syn-sent>closed "
	 "handshake_failed:refused"},
	{"wire: nobody answers", play_unanswered, false, "syn handshake_failed:timeout"},
	{"wire: a closed port was none that listened", play_both_closed_port, false,
	 "syn reset_sent handshake_failed:refused"},
	{"wire: we reset", play_reset, false,
	 "syn syn_ack listening>syn-recv syn-recv>established established reset_sent "
	 "established>closed closed:reset"},
	{"wire: all kinds of retransmission", play_retransmits, false,
	 "syn closed>syn-sent syn:retransmit syn_ack syn_ack:retransmit "
	 "syn-sent>established established retransmit fin established>fin-wait-1 fin:retransmit"},
	{"wire: picked up midstream", play_midstream, false,
	 "fin established>fin-wait-1 fin-wait-1>fin-wait-2 fin fin-wait-2>time-wait closed:fin"},
	{"wire: tuple reused before the end was seen", play_reused, false,
	 "syn closed>syn-sent syn_ack syn-sent>established established fin established>fin-wait-1 "
	 "closed:reused syn closed>syn-sent syn_ack syn-sent>established established"},
	{"wire: SYNs that an open session ignores", play_stray_syn, false,
	 "syn closed>syn-sent syn_ack syn-sent>established established syn:ignored syn:ignored "
	 "fin established>fin-wait-1 fin-wait-1>fin-wait-2 fin fin-wait-2>time-wait closed:fin"},
	{"wire: refused again on the same tuple", play_refused_again, false,
	 "syn closed>syn-sent reset_received syn-sent>closed handshake_failed:refused "
	 "syn closed>syn-sent reset_received syn-sent>closed handshake_failed:refused "
	 "syn closed>syn-sent reset_received syn-sent>closed handshake_failed:refused"},
	{"wire: refused, then they refuse ours", play_refused_both_ways, false,
	 "syn reset_sent handshake_failed:refused "
	 "syn closed>syn-sent reset_received syn-sent>closed handshake_failed:refused "
	 "syn reset_sent handshake_failed:refused"},
	{"wire: the same on two CPUs", play_refused_both_ways_on_two_cpus, false,
	 "syn reset_sent handshake_failed:refused "
	 "syn closed>syn-sent reset_received syn-sent>closed handshake_failed:refused "
	 "syn reset_sent handshake_failed:refused"},
	{"wire: a refusal of nothing", play_refusal_of_nothing, false,
	 "syn reset_received:ignored syn_ack listening>syn-recv reset_received:ignored "
	 "syn-recv>established established"},
	{"wire: the same, read from the caches", play_refused_both_ways_unheard, false,
	 "handshake_failed:refused handshake_failed:refused"},
	{"wire: tuple reused at once, seen by three CPUs", play_quick_reuse, false,
	 "syn closed>syn-sent syn_ack syn-sent>established established fin established>fin-wait-1 "
	 "fin-wait-1>fin-wait-2 fin fin-wait-2>time-wait closed:fin "
	 "syn closed>syn-sent syn_ack syn-sent>established established fin established>fin-wait-1 "
	 "fin-wait-1>fin-wait-2 fin fin-wait-2>time-wait closed:fin"},
	{"wire: a FIN after payload that no record told", play_bulk, false,
	 "syn closed>syn-sent syn_ack syn-sent>established established fin "
	 "established>fin-wait-1"},
	{"wire: a new attempt on a half-open tuple", play_new_attempt, false,
	 "syn closed>syn-sent handshake_failed:reused syn closed>syn-sent"},
	{"wire: simultaneous open", play_simultaneous, false,
	 "syn closed>syn-sent syn syn_ack syn-sent>syn-recv syn_ack syn-recv>established "
	 "established"},
	{"wire: evicted", play_evicted, false,
	 "syn closed>syn-sent syn_ack syn-sent>established established evicted"},
	{"wire: a reset of nothing", play_stray_reset, false, "reset_received"},
	{"wire: two taps see the same", play_two_taps, false,
	 "syn closed>syn-sent syn_ack syn-sent>established established"},
	{"socket: active open", play_active_socket, false,
	 "closed>syn-sent syn-sent>established established established>fin-wait-1 "
	 "fin-wait-1>fin-wait-2 fin-wait-2>closed closed:fin"},
	{"socket: passive open", play_passive_socket, false,
	 "listening>syn-recv syn-recv>established established established>close-wait "
	 "close-wait>last-ack last-ack>closed closed:fin"},
	{"socket: child without addresses", play_unborn_child, false,
	 "syn-recv>established established"},
	{"socket: connect refused", play_connect_refused, false,
	 "syn-sent>closed handshake_failed:refused"},
	{"socket: connect timed out, socket unknown", play_connect_timeout, false,
	 "syn-sent>closed handshake_failed:timeout"},
	{"socket: reset by the peer", play_aborted_socket, false,
	 "established>closed closed:reset"},
	{"socket: a keep-alive that is not answered", play_keepalive_timeout, false,
	 "established>closed closed:timeout"},
	{"socket: one that cannot be sent", play_unreachable_timeout, false,
	 "established>closed closed:timeout"},
	{"socket: fast open skips ESTABLISHED", play_fast_open_child, false,
	 "syn-recv>fin-wait-1 established"},
	{"socket: a listener is no connection", play_listener, false,
	 "closed>listening listening>closed"},
	{"socket: resets and retransmits of unknown sockets", play_resets, false,
	 "reset_sent:no_socket reset_received retransmit"},
	{"socket: an event older than the snapshot", play_late_state, false,
	 "established>fin-wait-1"},
	{"both: each told once", play_both, true,
	 "closed>syn-sent syn syn_ack syn-sent>established established established>fin-wait-1 "
	 "fin fin fin-wait-1>fin-wait-2 fin-wait-2>closed closed:fin"},
	{"both: a closed port has no socket", play_both_closed_port, true,
	 "syn handshake_failed:refused"},
	{"a refusal, evicted long after", play_evicted_late, true, "syn handshake_failed:refused"},
	{"a refusal, its tuple used again long after", play_reused_late, true,
	 "syn handshake_failed:refused syn handshake_failed:refused"},
	{"a whole session, read again long after", play_scanned_late, true,
	 "syn closed>syn-sent syn_ack syn-sent>established established fin established>fin-wait-1 "
	 "fin-wait-1>fin-wait-2 fin fin-wait-2>time-wait closed:fin time-wait>closed"},
	{"a stall: what is heard of late is told once", play_stall, true,
	 "syn handshake_failed:refused handshake_failed:refused"},
	{"both: our attempt is the socket's to tell", play_both_connect_refused, true,
	 "syn syn-sent>closed handshake_failed:refused"},
};

static void test_stories(void **state)
{
	char buf[2048];

	(void)state;
	for (size_t i = 0; i < sizeof(stories) / sizeof(stories[0]); i++) {
		struct fixture fx;

		fixture__init(&fx, true, stories[i].prefer_sockets, 1000);
		stories[i].play(&fx);
		if (strcmp(fixture__story(&fx, buf, sizeof(buf)), stories[i].told))
			fail_msg("%s:\n told %s\n want %s", stories[i].name, buf, stories[i].told);
		session_table__free(fx.table);
	}
}

/* ---- totals of an end ---- */

static const struct told *find_told(const struct fixture *fx, enum event_kind kind)
{
	for (size_t i = 0; i < fx->n_told; i++)
		if (fx->told[i].kind == kind)
			return &fx->told[i];
	return NULL;
}

/* Segments of the client: SYN, ACK, data, ACK, FIN, ACK. */
#define CLIENT_SEGMENTS 6

static void test_totals_come_from_the_cache(void **state)
{
	const struct told *closed;
	struct talk t = outgoing();
	struct fixture fx;

	(void)state;
	fixture__init(&fx, true, false, 1000);
	talk__whole(&fx, &t);
	assert_null(find_told(&fx, EVENT_CLOSED)); /* not before settle */
	fixture__settle(&fx);
	closed = find_told(&fx, EVENT_CLOSED);
	assert_non_null(closed);
	assert_int_equal(closed->tx_bytes, TALK_BYTES);
	assert_int_equal(closed->tx_segments, CLIENT_SEGMENTS);
	assert_int_equal(closed->closed_by, CLOSE_LOCAL);
	session_table__free(fx.table);
}

/* A fragment evicted between the drain and the pull: its record comes with the next batch. */
static void test_end_waits_for_a_fragment_on_its_way(void **state)
{
	const struct told *closed;
	struct fragment evicted;
	struct talk t = outgoing();
	struct fixture fx;
	bool found;

	(void)state;
	fixture__init(&fx, true, false, 1000);
	talk__whole(&fx, &t);
	evicted = *fixture__slot(&fx, 0, &t.key, &found);
	fixture__evict(&fx, 0, &t.key, true);
	fixture__settle(&fx);
	assert_null(find_told(&fx, EVENT_CLOSED));
	fixture__fragment(&fx, 0, &evicted, FRAGMENT_EVICTED);
	fixture__settle(&fx);
	closed = find_told(&fx, EVENT_CLOSED);
	assert_non_null(closed);
	assert_int_equal(closed->tx_segments, CLIENT_SEGMENTS);
	session_table__free(fx.table);
}

/* … and if that record was lost, one settle is all that is waited. */
static void test_end_waits_once(void **state)
{
	struct talk t = outgoing();
	struct fixture fx;

	(void)state;
	fixture__init(&fx, true, false, 1000);
	talk__whole(&fx, &t);
	fixture__evict(&fx, 0, &t.key, true);
	fixture__settle(&fx);
	fixture__settle(&fx);
	assert_non_null(find_told(&fx, EVENT_CLOSED));
	session_table__free(fx.table);
}

/* With both views an event of the wire names the process that the socket view knows. */
static void test_wire_events_name_the_process(void **state)
{
	struct sock_info s = make_sock(20, TCPS_SYN_SENT, LOCAL_IP, 40000, REMOTE_IP, 80);
	struct talk t = outgoing();
	struct fixture fx;

	(void)state;
	fixture__init(&fx, true, true, 1000);
	fixture__sock(&fx, &s);
	fixture__owner(&fx, 20, 4711, "curl");
	talk__syn(&fx, &t);
	assert_int_equal(fx.n_told, 1);
	assert_int_equal(fx.told[0].kind, EVENT_SYN);
	assert_int_equal(fx.told[0].view, VIEW_WIRE);
	assert_int_equal(fx.told[0].pid, 4711);
	session_table__free(fx.table);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_stories),
		cmocka_unit_test(test_totals_come_from_the_cache),
		cmocka_unit_test(test_end_waits_for_a_fragment_on_its_way),
		cmocka_unit_test(test_end_waits_once),
		cmocka_unit_test(test_wire_events_name_the_process),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
