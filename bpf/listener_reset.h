/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Why a listener answers an acknowledgement with a RST: what the kernel looked at, looked at again
 * while it sends. Not here: the record (sock.bpf.c).
 */
#ifndef TCPWATCH_LISTENER_RESET_H
#define TCPWATCH_LISTENER_RESET_H

#include "sock_memory.h"

#define COOKIE_VALID_NS 120000000000ULL /* TCP_SYNCOOKIE_VALID, include/net/tcp.h */

/*
 * Only then does the kernel look for a cookie in an acknowledgement
 * (tcp_synq_no_recent_overflow() in include/net/tcp.h), and only one it does not find has an
 * answer.
 */
static __always_inline bool sent_cookies_lately(const struct tcp_sock *tp, __u64 tick_ns)
{
	const struct sock_reuseport *group = tcp__sock(tp)->sk_reuseport_cb;
	__u32 at = tp->rx_opt.ts_recent_stamp;

	if (group)
		at = group->synq_overflow_ts;
	return at && tick_ns && ((__u32)bpf_jiffies64() - at) * tick_ns <= COOKIE_VALID_NS;
}

/* tcp_check_req() in net/ipv4/tcp_minisocks.c resets then, if so configured. */
static __always_inline bool aborts_on_overflow(const struct tcp_sock *tp)
{
	const struct sock *sk = tcp__sock(tp);

	return sk->__sk_common.skc_net.net->ipv4.sysctl_tcp_abort_on_overflow &&
	       sk->sk_ack_backlog > sk->sk_max_ack_backlog;
}

/* listener_reset() - @tp may be NULL: no listener */
static __always_inline enum listener_reset listener_reset(const struct tcp_sock *tp, __u64 tick_ns)
{
	if (!tp)
		return LISTENER_RESET_NONE;
	if (aborts_on_overflow(tp))
		return LISTENER_RESET_FULL;
	return sent_cookies_lately(tp, tick_ns) ? LISTENER_RESET_COOKIE : LISTENER_RESET_STRAY;
}

#endif
