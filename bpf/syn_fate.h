/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What becomes of a SYN: its listener is looked up and the rules of tcp_conn_request()
 * (net/ipv4/tcp_input.c) are applied to its queues as they are when the SYN arrives. Under a flood
 * most SYNs share the answer of one shortly before. Not here: which ones (syn_gate.h), the counts
 * of each listener (listener.h).
 */
#ifndef TCPWATCH_SYN_FATE_H
#define TCPWATCH_SYN_FATE_H

#include "vmlinux/vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "syn_gate.h"

#define SYN_COOKIES_ALWAYS 2 /* of net.ipv4.tcp_syncookies */

#define SYN_ELSEWHERE	   SYN_FATE_COUNT /* passes through: not counted */

/* A SYN on its way in. */
struct syn {
	const struct flow_key *key;
	__u32 from; /* enum flow_dir */
	__u32 ifindex;
	__u32 netns;
	__u32 looks; /* wire_config.fate_looks */
	__u32 full_at_limit;
	__u32 is_repeat; /* it is counted at another tap */
	struct syn_gate *gate;
};

struct syn_answer {
	struct listener_key listener;
	enum syn_fate fate;
	bool is_of_tuple; /* says nothing of other clients */
};

/* ---- one look -------------------------------------------------------------------------------- */

/*
 * @is_proven: the SYN replaces a TIME_WAIT, which exempts it from all but the accept queue.
 * Without cookies a last quarter of tcp_max_syn_backlog is kept for peers known by the route's
 * metrics, which cannot be seen from here.
 */
static __always_inline enum syn_fate fate_at(const struct tcp_sock *tp, __u32 full_at_limit,
					     bool is_proven)
{
	const struct sock *sk = &tp->inet_conn.icsk_inet.sk;
	const struct netns_ipv4 *sysctl = &sk->__sk_common.skc_net.net->ipv4;
	__u32 queued = tp->inet_conn.icsk_accept_queue.qlen.counter;
	__u32 limit = sk->sk_max_ack_backlog;
	__u8 cookies = sysctl->sysctl_tcp_syncookies;
	int backlog = sysctl->sysctl_max_syn_backlog;
	bool is_full = queued + full_at_limit > limit || cookies == SYN_COOKIES_ALWAYS;

	is_full = is_full && !is_proven;

	if (is_full && !cookies)
		return SYN_SYN_FULL;
	if (sk->sk_ack_backlog > limit)
		return SYN_ACCEPT_FULL;
	if (is_full)
		return SYN_COOKIE;
	if (!is_proven && !cookies && backlog - (int)queued < backlog >> 2)
		return SYN_BACKLOG_FULL;
	return SYN_QUEUED;
}

static __always_inline __u32 tuple_of(struct bpf_sock_tuple *tuple, const struct syn *syn,
				      __be16 sport)
{
	const struct ip_addr *src = &syn->key->addr[syn->from & 1];
	const struct ip_addr *dst = &syn->key->addr[~syn->from & 1];
	__be16 dport = syn->key->port[~syn->from & 1];

	if (ip_addr__is_v4(dst)) {
		tuple->ipv4.saddr = src->words[3];
		tuple->ipv4.daddr = dst->words[3];
		tuple->ipv4.sport = sport;
		tuple->ipv4.dport = dport;
		return sizeof(tuple->ipv4);
	}
	__builtin_memcpy(tuple->ipv6.saddr, src, sizeof(tuple->ipv6.saddr));
	__builtin_memcpy(tuple->ipv6.daddr, dst, sizeof(tuple->ipv6.daddr));
	tuple->ipv6.sport = sport;
	tuple->ipv6.dport = dport;
	return sizeof(tuple->ipv6);
}

static __always_inline struct bpf_sock *look_up(void *ctx, const struct syn *syn, __be16 sport)
{
	struct bpf_sock_tuple tuple = {};
	__u32 size = tuple_of(&tuple, syn, sport);

	return bpf_skc_lookup_tcp(ctx, &tuple, size, BPF_F_CURRENT_NETNS, 0);
}

/* Where nothing is forwarded there is nowhere else than here. */
static __always_inline enum syn_route look_up_route(void *ctx, const struct syn *syn)
{
	const struct ip_addr *src = &syn->key->addr[syn->from & 1];
	const struct ip_addr *dst = &syn->key->addr[~syn->from & 1];
	struct bpf_fib_lookup route = {.ifindex = syn->ifindex};
	long result;

	if (ip_addr__is_v4(dst)) {
		route.family = AF_INET;
		route.ipv4_src = src->words[3];
		route.ipv4_dst = dst->words[3];
	} else {
		route.family = AF_INET6;
		__builtin_memcpy(route.ipv6_src, src, sizeof(route.ipv6_src));
		__builtin_memcpy(route.ipv6_dst, dst, sizeof(route.ipv6_dst));
	}
	result = bpf_fib_lookup(ctx, &route, sizeof(route), 0);
	if (result == BPF_FIB_LKUP_RET_NOT_FWDED || result == BPF_FIB_LKUP_RET_FWD_DISABLED)
		return ROUTE_HERE;
	return ROUTE_ON;
}

/* A look at the routes costs as much as all else: one a jiffy will do. */
static __always_inline bool is_for_this_host(void *ctx, const struct syn *syn)
{
	if (!syn->gate->route)
		syn->gate->route = look_up_route(ctx, syn);
	return syn->gate->route == ROUTE_HERE;
}

/* A listener on every address would take the SYN, but routing comes before it. */
static __always_inline bool is_wildcard(const struct sock_common *skc)
{
	const __be32 *v6 = skc->skc_v6_rcv_saddr.in6_u.u6_addr32;

	if (skc->skc_rcv_saddr)
		return false;
	if (skc->skc_family != AF_INET6 || !bpf_core_field_exists(skc->skc_v6_rcv_saddr))
		return true;
	return !(v6[0] | v6[1] | v6[2] | v6[3]);
}

static __always_inline void answer_of_listener(struct syn_answer *answer, void *ctx,
					       const struct syn *syn, struct bpf_sock *skc,
					       bool is_proven)
{
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock(skc);

	if (!tp)
		return;
	if (is_wildcard(&tp->inet_conn.icsk_inet.sk.__sk_common) && !is_for_this_host(ctx, syn)) {
		answer->fate = SYN_ELSEWHERE;
		return;
	}
	answer->listener.cookie = tp->inet_conn.icsk_inet.sk.__sk_common.skc_cookie.counter;
	answer->fate = fate_at(tp, syn->full_at_limit, is_proven);
}

/*
 * Beyond a minisock of the same tuple: the listener, asked for by a peer with port 0, which no
 * socket has. A SYN that replaces a TIME_WAIT is a new connection; one that finds a request is
 * that of the request, sent again.
 */
static __always_inline void answer_beyond(struct syn_answer *answer, void *ctx,
					  const struct syn *syn, __u32 state)
{
	struct bpf_sock *skc = look_up(ctx, syn, 0);

	answer->is_of_tuple = true;
	answer->fate = SYN_NO_LISTENER;
	if (!skc)
		return;
	if (skc->state == TCPS_LISTEN)
		answer_of_listener(answer, ctx, syn, skc, true);
	if (state == TCP_NEW_SYN_RECV)
		answer->fate = SYN_REPEATED;
	bpf_sk_release(skc);
}

static __always_inline void look(struct syn_answer *answer, void *ctx, const struct syn *syn)
{
	struct bpf_sock *skc = look_up(ctx, syn, syn->key->port[syn->from & 1]);
	__u32 state;

	if (!skc) {
		answer->fate = is_for_this_host(ctx, syn) ? SYN_NO_LISTENER : SYN_ELSEWHERE;
		return;
	}
	state = skc->state;
	if (state == TCPS_LISTEN)
		answer_of_listener(answer, ctx, syn, skc, false);
	bpf_sk_release(skc);
	if (state == TCPS_TIME_WAIT || state == TCP_NEW_SYN_RECV) {
		answer_beyond(answer, ctx, syn, state);
	} else if (state != TCPS_LISTEN) {
		answer->is_of_tuple = true;
		answer->fate = SYN_IN_SESSION;
	}
}

/* ---- thinning out ---------------------------------------------------------------------------- */

static __always_inline __u32 hash_of_target(const struct syn *syn)
{
	const struct ip_addr *dst = &syn->key->addr[~syn->from & 1];
	__u64 h = (dst->quads[0] ^ syn->key->port[~syn->from & 1]) * 0x9e3779b97f4a7c15ULL +
		  (dst->quads[1] ^ syn->netns) * 0xbf58476d1ce4e5b9ULL;

	/* Addresses of one network differ in the highest bits alone. */
	return (h ^ h >> 32) * 0x9e3779b97f4a7c15ULL >> 32;
}

/* Counts what became of a SYN in @counters. Returns enum syn_fate. */
static __always_inline enum syn_fate count_fate(struct listener_counters *counters,
						enum syn_fate fate, bool is_inferred)
{
	if (!fate || fate >= SYN_FATE_COUNT)
		return SYN_FATE_NONE;
	if (!counters)
		return fate;
	counters->fate[fate]++;
	counters->n_inferred += is_inferred;
	return fate;
}

/* What the look found is of this client alone: it counts, and that is all. */
static __always_inline enum syn_fate count_of_tuple(const struct syn_answer *answer)
{
	__u32 slot = listener__slot(answer->listener.cookie, answer->listener.netns);

	return count_fate(listener__counters(slot), answer->fate, false);
}

/* syn_fate__count() - find out what becomes of @syn and count it, once. Returns enum syn_fate */
static __always_inline enum syn_fate syn_fate__count(void *ctx, struct syn *syn)
{
	struct syn_gate *gate = syn_gate__of(hash_of_target(syn), bpf_jiffies64());
	struct syn_answer answer = {.listener.netns = syn->netns};
	struct listener_counters *counters;
	struct listener_look *last;
	bool is_due;

	if (!gate)
		return SYN_FATE_NONE;
	syn->gate = gate;
	counters = syn_gate__counters(gate);
	last = syn_gate__look(gate, counters);
	is_due = !gate->is_known || listener_look__is_due(last, gate->jiffy, syn->looks);
	if (is_due)
		look(&answer, ctx, syn);
	if (is_due && !answer.is_of_tuple) {
		syn_gate__learn(gate, &answer.listener, answer.fate == SYN_ELSEWHERE);
		counters = syn_gate__counters(gate);
		last = syn_gate__look(gate, counters);
		last->fate = answer.fate;
	}
	listener_look__count(last, gate->jiffy, is_due);
	if (syn->is_repeat)
		counters = 0;
	if (answer.is_of_tuple)
		return syn->is_repeat ? answer.fate : count_of_tuple(&answer);
	return count_fate(counters, last->fate, !is_due);
}

#endif
