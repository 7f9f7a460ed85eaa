/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads a socket of this kernel into struct sock_info: full socket, listener, request or TIME_WAIT
 * minisock. Members are read directly (no probe_read), which works under every lockdown. Not here:
 * when a socket is read and what is done with it (sock.bpf.c).
 */
#ifndef TCPWATCH_SOCK_INFO_H
#define TCPWATCH_SOCK_INFO_H

#include "sock_memory.h"

#define BINDPORT_LOCK  8 /* SOCK_BINDPORT_LOCK in include/net/sock.h: bind() was given a port */

#define SOCK_DONE_FLAG (1ul << 1) /* enum sock_flags: SOCK_DONE, the peer's FIN was received */

static __always_inline __u32 skc__netns(const struct sock_common *skc)
{
	return skc->skc_net.net->ns.inum;
}

static __always_inline bool skc__is_v6(const struct sock_common *skc)
{
	return skc->skc_family == AF_INET6 && bpf_core_field_exists(skc->skc_v6_daddr);
}

/*
 * A child of a listener is announced as SYN_RECV before kernels up to at least 6.12 give it its
 * peer and its cookie: asking for the cookie then would give it one that is soon replaced.
 */
static __always_inline bool skc__has_remote(const struct sock_common *skc)
{
	const __be32 *v6 = skc->skc_v6_daddr.in6_u.u6_addr32;

	if (!skc->skc_dport)
		return false;
	if (skc__is_v6(skc))
		return v6[0] | v6[1] | v6[2] | v6[3];
	return skc->skc_daddr;
}

static __always_inline void skc__addresses(const struct sock_common *skc, struct ip_addr *local,
					   struct ip_addr *remote)
{
	if (!skc__is_v6(skc)) {
		ip_addr__set_v4(local, skc->skc_rcv_saddr);
		ip_addr__set_v4(remote, skc->skc_daddr);
		return;
	}
	TW_UNROLL
	for (int i = 0; i < 4; i++) {
		local->words[i] = skc->skc_v6_rcv_saddr.in6_u.u6_addr32[i];
		remote->words[i] = skc->skc_v6_daddr.in6_u.u6_addr32[i];
	}
}

/* What every kind of sock has. */
static __always_inline void sock_info__identify(struct sock_info *info,
						const struct sock_common *skc)
{
	info->netns = skc__netns(skc);
	info->family = skc->skc_family;
	info->ifindex = skc->skc_bound_dev_if;
	info->local_port = skc->skc_num;
	info->remote_port = TW_BE16(skc->skc_dport);
	skc__addresses(skc, &info->local, &info->remote);
}

/* rec_tuple__fill() - what every kind of sock has of it */
static __always_inline void rec_tuple__fill(struct rec_tuple *rec, const struct sock_common *skc)
{
	skc__addresses(skc, &rec->local, &rec->remote);
	rec->cookie = skc->skc_cookie.counter;
	rec->local_port = skc->skc_num;
	rec->remote_port = TW_BE16(skc->skc_dport);
	rec->state = skc->skc_state;
}

static __always_inline void sock_info__recall(struct sock_info *info,
					      const struct sock_memory *memory)
{
	info->born_ns = memory->born_ns;
	info->syn_ns = memory->syn_ns;
	info->established_ns = memory->established_ns;
	if (info->state == TCPS_CLOSE_WAIT)
		info->close_wait_ns = memory->close_wait_ns;
	info->role = memory->role;
	info->close_by = memory->close_by;
	info->reset_seen = memory->reset_seen;
	info->pid = memory->pid;
	__builtin_memcpy(info->comm, memory->comm, sizeof(info->comm));
}

/* Our FIN is in write_seq as soon as it is queued, which is just after the socket enters its state.
 */
static __always_inline bool fin_is_acked(const struct tcp_sock *tp, int old_state, int state)
{
	if (state == TCPS_FIN_WAIT2)
		return true;
	if (state != TCPS_CLOSED)
		return false;
	if (old_state == TCPS_FIN_WAIT2)
		return true;
	return (old_state == TCPS_FIN_WAIT1 || old_state == TCPS_CLOSING ||
		old_state == TCPS_LAST_ACK) &&
	       tp->snd_una == tp->write_seq;
}

/* Payload sent and acknowledged by what was handed to IP: more than true if packets were dropped
 * below. */
static __always_inline __u64 payload_by_sending(const struct tcp_sock *tp, int state)
{
	__u32 in_flight = tp->snd_nxt - tp->snd_una;
	bool has_fin = state == TCPS_FIN_WAIT1 || state == TCPS_CLOSING || state == TCPS_LAST_ACK;

	if (in_flight && has_fin && tp->snd_nxt == tp->write_seq)
		in_flight--;
	return tp->bytes_sent - tp->bytes_retrans - in_flight;
}

/*
 * The role of a socket that is older than the tool. A child inherits its listener's backlog limit;
 * and only an active open has its SYN in bytes_acked, which the bytes that were sent then
 * contradict by one.
 */
static __always_inline enum sock_role guess_role(const struct tcp_sock *tp, int state, __u64 acked)
{
	__u64 sent;

	if (state == TCPS_SYN_SENT)
		return ROLE_ACTIVE;
	if (tcp__sock(tp)->sk_max_ack_backlog)
		return ROLE_PASSIVE;
	sent = payload_by_sending(tp, state);
	if (sent + 1 == acked)
		return ROLE_ACTIVE;
	return sent == acked ? ROLE_PASSIVE : ROLE_UNKNOWN;
}

/*
 * Payload only. tcp_sock.bytes_acked is the progress of snd_una: it counts our FIN, and our SYN if
 * we opened; bytes_received is the progress of rcv_nxt: it counts the peer's FIN
 * (net/ipv4/tcp_input.c).
 */
static __always_inline void fill_bytes(struct sock_info *info, const struct tcp_sock *tp,
				       int old_state)
{
	__u64 acked = tp->bytes_acked;

	if (acked && fin_is_acked(tp, old_state, info->state))
		acked--;
	if (!info->role)
		info->role = guess_role(tp, info->state, acked);
	if (acked && info->role != ROLE_PASSIVE)
		acked--;
	info->tx_bytes = acked;
	info->rx_bytes = tp->bytes_received;
	if (info->rx_bytes && tcp__sock(tp)->__sk_common.skc_flags & SOCK_DONE_FLAG)
		info->rx_bytes--;
}

static __always_inline void fill_listener(struct sock_info *info, const struct tcp_sock *tp)
{
	const struct sock *sk = tcp__sock(tp);

	info->rx_queue = sk->sk_ack_backlog;
	info->tx_queue = sk->sk_max_ack_backlog;
	/* Not by a pointer to the queue: its type would be looked up too, a millisecond at start.
	 */
	info->syn_queue = tp->inet_conn.icsk_accept_queue.qlen.counter;
	info->syn_young = tp->inet_conn.icsk_accept_queue.young.counter;
}

static __always_inline void fill_connection(struct sock_info *info, const struct tcp_sock *tp,
					    int old_state)
{
	__s32 unread = tp->rcv_nxt - tp->copied_seq;

	fill_bytes(info, tp, old_state);
	info->tx_segments = tp->segs_out;
	info->rx_segments = tp->segs_in;
	info->retransmits = tp->total_retrans;
	info->srtt_us = tp->srtt_us >> SRTT_SHIFT;
	info->snd_cwnd = tp->snd_cwnd;
	/* As ss: a FIN that was not read or acknowledged yet counts one. */
	info->rx_queue = unread > 0 ? unread : 0;
	info->tx_queue = tp->write_seq - tp->snd_una;
}

/*
 * An error that did not end the socket by itself. Whoever asks for SO_ERROR takes it away, but what
 * ICMP brought while the connection was being made waits in the error queue too
 * (tcp_v4_err() in net/ipv4/tcp_ipv4.c).
 */
static __always_inline __u8 soft_error(const struct sock *sk)
{
	const struct sk_buff *skb = sk->sk_error_queue.next;
	const char *cb;

	if (sk->sk_err_soft || !sk->sk_error_queue.qlen)
		return sk->sk_err_soft;
	cb = skb->cb;
	return *(const __u32 *)(cb + bpf_core_field_offset(struct sock_exterr_skb, ee.ee_errno));
}

/*
 * Processes hold an MPTCP socket. The kernel makes its TCP sockets for itself and has them share
 * its file (mptcp_sock_graft() in net/mptcp/protocol.h).
 */
static __always_inline __u64 holder_of(const struct sock *sk)
{
	const struct socket *socket;

	if (!BPF_CORE_READ_BITFIELD(sk, sk_kern_sock))
		return 0;
	socket = sk->sk_socket;
	if (!socket || !socket->sk || socket->sk == sk)
		return 0;
	return bpf_get_socket_cookie(socket->sk);
}

/*
 * sock_info__read() - what memory tells of a full socket that is, or is about to be, in @state
 *
 * @info is zeroed. @old_state: the state it comes from, or @state. @memory may be NULL.
 */
static __always_inline void sock_info__read(struct sock_info *info, const struct tcp_sock *tp,
					    const struct sock_memory *memory, int old_state,
					    int state)
{
	const struct sock *sk = tcp__sock(tp);

	sock_info__identify(info, &sk->__sk_common);
	info->state = state;
	/* skc_num is 0 once the port was given back, which is before CLOSED is announced. */
	info->local_port = TW_BE16(tp->inet_conn.icsk_inet.inet_sport);
	info->uid = sk->sk_uid.val;
	info->mark = sk->sk_mark;
	info->is_autobound = !(BPF_CORE_READ_BITFIELD(sk, sk_userlocks) & BINDPORT_LOCK);
	if (bpf_core_field_exists(tp->is_mptcp))
		info->is_mptcp = tp->is_mptcp;
	if (state == TCPS_LISTEN && skc__is_v6(&sk->__sk_common))
		info->is_v6only = BPF_CORE_READ_BITFIELD(&sk->__sk_common, skc_ipv6only);
	if (bpf_core_field_exists(sk->sk_cgrp_data.cgroup))
		info->cgroup_id = sk->sk_cgrp_data.cgroup->kn->id;
	if (state == TCPS_CLOSED) {
		info->error = sk->sk_err;
		info->soft_error = old_state == TCPS_SYN_SENT ? soft_error(sk) : sk->sk_err_soft;
	}
	if (memory)
		sock_info__recall(info, memory);
	if (state == TCPS_LISTEN)
		fill_listener(info, tp);
	else
		fill_connection(info, tp, old_state);
}

/* sock_info__fill() - likewise, and by which numbers it and its holder are known: given now if they
 * had none */
static __always_inline void sock_info__fill(struct sock_info *info, const struct tcp_sock *tp,
					    const struct sock_memory *memory, int old_state,
					    int state)
{
	sock_info__read(info, tp, memory, old_state, state);
	info->cookie = bpf_get_socket_cookie((void *)tp);
	info->holder = holder_of(tcp__sock(tp));
}

/*
 * Of a socket that was in CLOSE_WAIT before the tool came: the last acknowledgement to arrive came
 * with the peer's FIN, or later. 0: not in CLOSE_WAIT, or not known.
 */
static __always_inline __u64 close_wait_since(const struct tcp_sock *tp, __u64 tick_ns)
{
	__u32 ticks = (__u32)bpf_jiffies64() - tp->rcv_tstamp;

	if (tcp__sock(tp)->__sk_common.skc_state != TCPS_CLOSE_WAIT || !tick_ns)
		return 0;
	return bpf_ktime_get_ns() - (__u64)ticks * tick_ns;
}

static __always_inline void infer_close_wait(struct sock_info *info, const struct tcp_sock *tp,
					     __u64 tick_ns)
{
	if (info->state != TCPS_CLOSE_WAIT || info->close_wait_ns)
		return;
	info->close_wait_ns = close_wait_since(tp, tick_ns);
	info->close_wait_at_least = info->close_wait_ns != 0;
}

/* A TIME_WAIT minisock may stand for an orphan in FIN_WAIT2. */
static __always_inline void sock_info__fill_timewait(struct sock_info *info,
						     const struct tcp_timewait_sock *tw)
{
	const struct sock_common *skc = &tw->tw_sk.__tw_common;

	sock_info__identify(info, skc);
	info->is_minisock = 1;
	info->cookie = skc->skc_cookie.counter;
	info->state = tw->tw_sk.tw_substate;
}

/*
 * The acknowledgement came and there was no room for a child (tcp_check_req in
 * net/ipv4/tcp_minisocks.c). With TCP_DEFER_ACCEPT the same bit means that payload is waited for.
 */
static __always_inline bool request__is_acked(const struct tcp_request_sock *treq,
					      const struct sock *listener)
{
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)listener);

	return BPF_CORE_READ_BITFIELD(&treq->req, acked) && tp &&
	       !tp->inet_conn.icsk_accept_queue.rskq_defer_accept;
}

/*
 * It is known by its addresses: it has no cookie until somebody asks for one, as ss does.
 * A request is as old as its first SYN-ACK, which the kernel stamps with CLOCK_MONOTONIC in
 * microseconds (tcp_make_synack in net/ipv4/tcp_output.c).
 */
static __always_inline void sock_info__fill_request(struct sock_info *info,
						    const struct tcp_request_sock *treq)
{
	const struct sock_common *skc = &treq->req.req.__req_common;

	sock_info__identify(info, skc);
	info->is_minisock = 1;
	info->state = TCPS_SYN_RECV;
	info->role = ROLE_PASSIVE;
	info->syn_retransmits = treq->req.req.num_retrans;
	info->syn_timeouts = BPF_CORE_READ_BITFIELD(&treq->req.req, num_timeout);
	info->syn_ns = treq->snt_synack * TW_NSEC_PER_USEC;
	info->born_ns = info->syn_ns;
	if (bpf_core_field_exists(treq->is_mptcp))
		info->is_mptcp = treq->is_mptcp;
}

#endif
