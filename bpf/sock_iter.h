/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The iterators of the socket view: sockets, listeners, half-open connections, and who holds them.
 * Each is a program of sock.bpf.c, which includes this file. The reader fills in the times. Not
 * here: reading one socket (sock_info.h).
 */
#ifndef TCPWATCH_SOCK_ITER_H
#define TCPWATCH_SOCK_ITER_H

#include "listener.h"
#include "sock_tally.h"
#include "sock_walk.h"
#include "sock_watch.h"

/* Lists the sockets of the namespace in which the iterator was created. */
SEC("iter/tcp")
int iter_sockets(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	const struct tcp_timewait_sock *tw;
	const struct tcp_request_sock *treq;
	const struct tcp_sock *tp;
	struct rec_sock rec = {};

	if (!skc)
		return 0;
	if (cfg.may_walk && skc->skc_state != TCPS_LISTEN && walk__begin(skc))
		return 1; /* listeners came first */
	rec.hdr.kind = REC_SOCK;
	rec.hdr.size = sizeof(rec);
	if ((tp = bpf_skc_to_tcp_sock(skc))) {
		sock_info__fill(&rec.sock, tp, memory_of(tp), skc->skc_state, skc->skc_state);
		infer_close_wait(&rec.sock, tp, cfg.tick_ns);
	} else if ((tw = bpf_skc_to_tcp_timewait_sock(skc)))
		sock_info__fill_timewait(&rec.sock, tw);
	else if ((treq = bpf_skc_to_tcp_request_sock(skc)))
		sock_info__fill_request(&rec.sock, treq);
	else
		return 0;
	bpf_seq_write(ctx->meta->seq, &rec, sizeof(rec));
	return 0;
}

/*
 * TW and TWKilled once counted TIME_WAIT socks as their timers ended them. Since 5.17 they count
 * them as they begin (__inet_twsk_schedule in net/ipv4/inet_timewait_sock.c), and the member
 * that told the two apart until then went away with that.
 */
static __always_inline bool counts_time_wait_ends(void)
{
	return bpf_core_field_exists(struct inet_timewait_sock, tw_kill);
}

/* Counts them instead and hands none over. */
SEC("iter/tcp")
int iter_tally(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	const struct tcp_sock *tp;

	if (!skc) {
		tally_counts_ends = counts_time_wait_ends();
		return 0;
	}
	tp = bpf_skc_to_tcp_sock(skc);
	if (!tp)
		return 0;
	tally_visit(tp);
	visit_close_wait(tp, close_wait_since(tp, cfg.tick_ns));
	return 0;
}

static __always_inline void fill_time_wait(struct rec_tuple *rec,
					   const struct tcp_timewait_sock *tw)
{
	rec->state = tw->tw_sk.tw_substate;
	rec->is_time_wait = 1;
	rec->left_ticks = tw->tw_sk.tw_timer.expires - bpf_jiffies64();
	rec->has_timestamps = tw->tw_ts_recent_stamp != 0;
}

static __always_inline void end_tuples(struct seq_file *seq)
{
	struct rec_tuples_end rec = {};

	rec.hdr.kind = REC_TUPLES_END;
	rec.hdr.size = sizeof(rec);
	rec.counts_ends = counts_time_wait_ends();
	bpf_seq_write(seq, &rec, sizeof(rec));
}

/* Likewise lists the sockets, with a third of the bytes for each. */
SEC("iter/tcp")
int iter_tuples(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	const struct tcp_timewait_sock *tw;
	struct rec_tuple rec = {};

	if (!skc) {
		end_tuples(ctx->meta->seq);
		return 0;
	}
	rec.hdr.kind = REC_TUPLE;
	rec.hdr.size = sizeof(rec);
	rec_tuple__fill(&rec, skc);
	if (rec.state > TCPS_CLOSING)
		rec.state = TCPS_SYN_RECV; /* a request */
	if (skc->skc_state == TCPS_TIME_WAIT && (tw = bpf_skc_to_tcp_timewait_sock(skc)))
		fill_time_wait(&rec, tw);
	bpf_seq_write(ctx->meta->seq, &rec, sizeof(rec));
	return 0;
}

/* A listener older than the tool is marked and given its memory here, for its connections to
 * inherit.
 */
static __always_inline const struct sock_memory *memory_of_listener(const struct tcp_sock *tp)
{
	struct sock_memory *memory;

	if (!cfg.count_listeners)
		return memory_of(tp);
	mark_listener(tp);
	memory = sock_memory__get(tp);
	if (memory)
		memory->listener = bpf_get_socket_cookie((void *)tp);
	return memory;
}

/* When the first of the queue sent its SYN-ACK: the queue is in order of arrival. */
static __always_inline __u64 oldest_in_accept_queue(const struct tcp_sock *tp)
{
	const struct request_sock *req = tp->inet_conn.icsk_accept_queue.rskq_accept_head;
	const struct tcp_request_sock *treq;

	if (!req)
		return 0;
	treq = bpf_skc_to_tcp_request_sock((void *)req);
	return treq ? treq->snt_synack * TW_NSEC_PER_USEC : 0;
}

static __always_inline void list_listener(struct seq_file *seq, const struct tcp_sock *tp,
					  const struct sock_memory *memory)
{
	struct rec_listener rec = {};

	rec.hdr.kind = REC_LISTENER;
	rec.hdr.size = sizeof(rec);
	sock_info__fill(&rec.sock, tp, memory, TCPS_LISTEN, TCPS_LISTEN);
	rec.drops = tcp__sock(tp)->sk_drops.counter;
	rec.oldest_accept_ns = oldest_in_accept_queue(tp);
	bpf_seq_write(seq, &rec, sizeof(rec));
}

/* Lists the listeners and ends there: they come before all other sockets. */
SEC("iter/tcp")
int iter_listeners(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	const struct tcp_sock *tp;

	if (!skc)
		return 0;
	if (skc->skc_state != TCPS_LISTEN)
		return 1;
	tp = bpf_skc_to_tcp_sock(skc);
	if (tp)
		list_listener(ctx->meta->seq, tp, memory_of_listener(tp));
	return 0;
}

/*
 * Lists those that were marked, of all namespaces at once. The one above must look through all
 * buckets of the host's sockets where a namespace has listeners alone.
 */
SEC("iter/bpf_sk_storage_map")
int iter_marked_listeners(struct bpf_iter__bpf_sk_storage_map *ctx)
{
	const struct tcp_sock *tp;

	if (!ctx->sk || ctx->sk->__sk_common.skc_state != TCPS_LISTEN)
		return 0;
	tp = chosen_tcp(ctx->sk);
	if (tp)
		list_listener(ctx->meta->seq, tp, sock_memory__find(tp));
	return 0;
}

/* The member shares its place with others, so that the verifier does not know it for a pointer. */
static __always_inline __u64 listener_of(const struct tcp_request_sock *treq)
{
	if (!cfg.can_read_kernel)
		return 0;
	return BPF_CORE_READ(treq, req.req.__req_common.skc_listener,
			     __sk_common.skc_cookie.counter);
}

/* Lists the connections that are half open; whatever else is there costs a look. */
SEC("iter/tcp")
int iter_requests(struct bpf_iter__tcp *ctx)
{
	struct sock_common *skc = ctx->sk_common;
	const struct tcp_request_sock *treq;
	struct rec_request rec = {};

	if (!skc)
		return 0;
	treq = bpf_skc_to_tcp_request_sock(skc);
	if (!treq)
		return 0;
	rec.hdr.kind = REC_REQUEST;
	rec.hdr.size = sizeof(rec);
	rec.listener = listener_of(treq);
	rec.syn_ns = treq->snt_synack * TW_NSEC_PER_USEC;
	rec.retransmits = treq->req.req.num_retrans;
	bpf_seq_write(ctx->meta->seq, &rec, sizeof(rec));
	return 0;
}

/* Processes, for userspace to look at one by one. */
SEC("iter/task")
int iter_processes(struct bpf_iter__task *ctx)
{
	struct task_struct *task = ctx->task;
	struct rec_process rec = {};

	if (!task || task->pid != task->tgid || task->flags & PF_KTHREAD)
		return 0;
	rec.hdr.kind = REC_PROCESS;
	rec.hdr.size = sizeof(rec);
	rec.pid = task->tgid;
	bpf_seq_write(ctx->meta->seq, &rec, sizeof(rec));
	return 0;
}

/* Cookies of the listeners whose processes are looked for, and how many are not found yet. */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 4096);
	__type(key, __u64);
	__type(value, __u8);
} unowned_listeners SEC(".maps");

__u32 n_unowned_listeners = 0;
__u32 first_files = 0; /* descriptors from this one on are not looked at */

/* Each is found once, by one reader. */
static __always_inline bool is_unowned_listener(const struct sock *sk)
{
	__u64 cookie = sk->__sk_common.skc_cookie.counter;

	if (sk->__sk_common.skc_state != TCPS_LISTEN ||
	    bpf_map_delete_elem(&unowned_listeners, &cookie))
		return false;
	n_unowned_listeners--;
	return true;
}

/* Open files that are TCP or MPTCP sockets; threads that share their leader's files are not
 * visited. */
static __always_inline int list_owner(struct bpf_iter__task_file *ctx, bool of_listeners)
{
	struct task_struct *task = ctx->task;
	struct file *file = ctx->file;
	struct rec_owner rec = {};
	struct socket *socket;
	struct sock *sk;

	if (!task || !file)
		return 0;
	socket = bpf_sock_from_file(file);
	if (!socket)
		return 0;
	sk = socket->sk;
	if (!chosen_tcp(sk) && !is_chosen_mptcp(sk))
		return 0;
	if (of_listeners && !is_unowned_listener(sk))
		return 0;
	rec.hdr.kind = REC_OWNER;
	rec.hdr.size = sizeof(rec);
	rec.cookie = bpf_get_socket_cookie(sk);
	rec.pid = task->tgid;
	rec.fd = ctx->fd;
	__builtin_memcpy(rec.comm, task->group_leader->comm, sizeof(rec.comm));
	bpf_seq_write(ctx->meta->seq, &rec, sizeof(rec));
	return 0;
}

SEC("iter/task_file")
int iter_owners(struct bpf_iter__task_file *ctx)
{
	return list_owner(ctx, false);
}

SEC("iter/task_file")
int iter_listener_owners(struct bpf_iter__task_file *ctx)
{
	if (!n_unowned_listeners || (ctx->file && ctx->fd >= first_files))
		return 1;
	return list_owner(ctx, true);
}

#endif
