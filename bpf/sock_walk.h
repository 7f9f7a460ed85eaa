/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lists the sockets that have a peer, at a third of what an iterator costs and without taking the
 * lock of any: walks the kernel's own table under RCU, as its look-ups do
 * (__inet_lookup_established() in net/ipv4/inet_hashtables.c). The verifier does not trust what is
 * found that way, so helpers take none of it: no socket is given a cookie, none of its storage is
 * read. Not here: reading one socket (sock_info.h), who calls this (user/source/sock_walk.c).
 */
#ifndef TCPWATCH_SOCK_WALK_H
#define TCPWATCH_SOCK_WALK_H

#include "sock_watch.h"

/* Of 6.2; weak, so that programs which do without them load before. */
extern void *bpf_rdonly_cast(const void *obj, __u32 btf_id) __ksym __weak;
extern void bpf_rcu_read_lock(void) __ksym __weak;
extern void bpf_rcu_read_unlock(void) __ksym __weak;

#define AS(type, address) \
	((const type *)bpf_rdonly_cast((const void *)(address), bpf_core_type_id_kernel(type)))

/* What userspace asks of a walk, and how far it has come. */
struct sock_walk walk = {};

/* What the present call has found; userspace maps it. */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, WALK_STEPS *WALK_RECORDS);
	__type(key, __u32);
	__type(value, struct rec_sock);
} walked SEC(".maps");

/*
 * The 64 bits at @address, as a member of that size. Of a pointer the verifier would let nobody
 * test a bit.
 */
static __always_inline __u64 word_at(__u64 address)
{
	return AS(struct tcp_sock, address - bpf_core_field_offset(struct tcp_sock, bytes_acked))
		->bytes_acked;
}

/* The end of a chain is an odd number instead of a pointer, and tells whose chain it is. */
static __always_inline bool is_end(__u64 node)
{
	return node & 1;
}

/*
 * What changes when the sock gives its memory to another, which may happen at any moment
 * (SLAB_TYPESAFE_BY_RCU), and in a full socket with each segment that comes or goes.
 */
struct moment_of_sock {
	__u64 acked, received, sent;
	__u32 snd_nxt, hash;
	__s32 refs; /* 0: it is given up, or not made yet */
	__u8 state;
};

static __always_inline bool is_full_sock(__u8 state)
{
	return state != TCPS_TIME_WAIT && state != TCP_NEW_SYN_RECV;
}

static __always_inline struct moment_of_sock moment_of(const struct sock_common *skc)
{
	const struct tcp_sock *tp = AS(struct tcp_sock, skc);
	struct moment_of_sock now = {
		.hash = skc->skc_hash,
		.refs = skc->skc_refcnt.refs.counter,
		.state = skc->skc_state,
	};

	if (is_full_sock(now.state)) {
		now.acked = tp->bytes_acked;
		now.received = tp->bytes_received;
		now.sent = tp->bytes_sent;
		now.snd_nxt = tp->snd_nxt;
	}
	return now;
}

static __always_inline bool is_same(const struct moment_of_sock *a, const struct moment_of_sock *b)
{
	return a->refs && b->refs && a->hash == b->hash && a->state == b->state &&
	       a->acked == b->acked && a->received == b->received && a->sent == b->sent &&
	       a->snd_nxt == b->snd_nxt;
}

static __always_inline void read_sock(struct sock_info *info, const struct sock_common *skc,
				      __u8 state)
{
	const struct tcp_sock *tp;

	if (state == TCPS_TIME_WAIT)
		return sock_info__fill_timewait(info, AS(struct tcp_timewait_sock, skc));
	if (state == TCP_NEW_SYN_RECV)
		return sock_info__fill_request(info, AS(struct tcp_request_sock, skc));
	tp = AS(struct tcp_sock, skc);
	sock_info__read(info, tp, 0, state, state);
	info->cookie = skc->skc_cookie.counter;
	infer_close_wait(info, tp, cfg.tick_ns);
}

/* Without its lock. False: something happened to it meanwhile. */
static __always_inline bool take(struct rec_sock *rec, const struct sock_common *skc)
{
	struct moment_of_sock before = moment_of(skc), after;

	__builtin_memset(rec, 0, sizeof(*rec));
	rec->hdr.kind = REC_SOCK;
	rec->hdr.size = sizeof(*rec);
	barrier();
	read_sock(&rec->sock, skc, before.state);
	barrier();
	after = moment_of(skc);
	walk.n++;
	return is_same(&before, &after);
}

/* Of another namespace, which shares the table, or closed since. */
static __always_inline bool is_none_of_ours(const struct sock_common *skc)
{
	return skc__netns(skc) != walk.netns || skc->skc_state == TCPS_CLOSED;
}

static long visit_sock(__u32 i __attribute__((unused)), void *ctx __attribute__((unused)))
{
	const struct sock_common *skc;
	struct rec_sock *rec;
	__u32 at = walk.first + walk.n;

	if (is_end(walk.node) || walk.n >= WALK_RECORDS)
		return 1;
	rec = bpf_map_lookup_elem(&walked, &at);
	if (!rec)
		return 1;
	skc = AS(struct sock_common,
		 walk.node - bpf_core_field_offset(struct sock_common, skc_nulls_node));
	walk.has_moved = !is_none_of_ours(skc) && !take(rec, skc);
	if (walk.has_moved)
		return 1;
	walk.node = word_at(walk.node);
	return 0;
}

/* From the node @first to the end. False: not all of it, or of another bucket. */
static __always_inline bool visit_chain(__u64 first)
{
	walk.node = first;
	bpf_loop(WALK_RECORDS + 1, visit_sock, 0, 0);
	walk.is_full = !is_end(walk.node) && !walk.has_moved;
	return is_end(walk.node) && walk.node >> 1 == walk.bucket;
}

/*
 * All of a bucket, or nothing: it is looked at again if there was no room, if a socket changed
 * under our eyes, if one was put in front of the others, or if one went to another bucket and took
 * us along.
 */
static long visit_bucket(__u32 i __attribute__((unused)), void *ctx __attribute__((unused)))
{
	__u64 head = walk.buckets + walk.bucket * sizeof(__u64), first;
	__u32 had = walk.n;

	if (walk.bucket >= walk.n_buckets)
		return 1;
	first = word_at(head);
	if ((is_end(first) || visit_chain(first)) && word_at(head) == first) {
		walk.bucket++;
		return 0;
	}
	walk.n = had;
	return walk.is_full != 0;
}

/*
 * walk__begin() - list what else is in the namespace of @skc by a walk. False: not in a table as
 * small as a namespace may have for itself (tcp_child_ehash_entries in
 * Documentation/networking/ip-sysctl.rst), where a bucket may hold more than a step has room for
 */
static __always_inline bool walk__begin(const struct sock_common *skc)
{
	const struct net *net = skc->skc_net.net;
	const struct inet_hashinfo *table = net->ipv4.tcp_death_row.hashinfo;

	if (table->ehash_mask + 1 < WALK_TABLE_MIN)
		return false;
	walk.netns = net->ns.inum;
	walk.buckets = (__u64)table->ehash;
	walk.n_buckets = table->ehash_mask + 1;
	return true;
}

/* From walk.bucket on, until there is no more room or WALK_BUCKETS of them have been looked at. */
SEC("syscall")
int walk_sockets(void *ctx __attribute__((unused)))
{
	walk.n = 0;
	walk.is_full = 0;
	bpf_rcu_read_lock();
	bpf_loop(WALK_BUCKETS, visit_bucket, 0, 0);
	bpf_rcu_read_unlock();
	return 0;
}

#endif
