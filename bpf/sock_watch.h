/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the programs of the socket view are told to watch: their constants, the namespaces, the
 * records wanted. Not here: reading a socket (sock_info.h).
 */
#ifndef TCPWATCH_SOCK_WATCH_H
#define TCPWATCH_SOCK_WATCH_H

#include "sock_info.h"

const volatile struct sock_config cfg = {};

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 4096);
	__type(key, __u32); /* inode number */
	__type(value, __u8);
} namespaces SEC(".maps");

static __always_inline bool is_wanted(enum record_kind kind)
{
	return cfg.record_mask & 1u << kind;
}

/* The only one of them, which is compared in a tenth of the time that a look-up takes; 0: there are
 * more, or none. */
__u32 lone_namespace = 0;

static __always_inline bool is_chosen(__u32 netns)
{
	if (!cfg.filter_netns || netns == lone_namespace)
		return true;
	return !lone_namespace && bpf_map_lookup_elem(&namespaces, &netns);
}

/* Sockets that listen, or did: few among many. Not cloned, so a connection is none of them. */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__type(key, int);
	__type(value, __u8);
} marked_listeners SEC(".maps");

__u32 unmarked_listeners = 0; /* for want of memory: userspace looks for them itself */

static __always_inline void mark_listener(const struct tcp_sock *tp)
{
	if (!bpf_sk_storage_get(&marked_listeners, (void *)tp, 0, BPF_SK_STORAGE_GET_F_CREATE))
		__sync_fetch_and_add(&unmarked_listeners, 1);
}

/*
 * What is remembered of a socket. Where nothing ever is, looking would fetch a cold cache line of
 * each of them, which is what a list of many sockets costs.
 */
static __always_inline const struct sock_memory *memory_of(const struct tcp_sock *tp)
{
	return cfg.remembers ? sock_memory__find(tp) : 0;
}

#define IPPROTO_MPTCP 262 /* include/uapi/linux/in.h */

/* Is @sk an MPTCP socket of a namespace that is watched? */
static __always_inline bool is_chosen_mptcp(const struct sock *sk)
{
	return sk && sk->sk_protocol == IPPROTO_MPTCP && is_chosen(skc__netns(&sk->__sk_common));
}

/* The TCP socket @sk if its namespace is watched. NULL for MPTCP (the subflows are TCP) and all
 * else. */
static __always_inline const struct tcp_sock *chosen_tcp(const struct sock *sk)
{
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);

	if (!tp || !is_chosen(skc__netns(&tcp__sock(tp)->__sk_common)))
		return 0;
	return tp;
}

#endif
