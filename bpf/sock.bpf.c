// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The socket view: tracepoints that report and count what happens to this kernel's TCP sockets, and
 * iterators that list the sockets and who holds them. Tables are the kernel's own.
 * Not here: reading a socket (sock_info.h), remembering what the kernel forgets (sock_memory.h).
 */
#include "vmlinux/vmlinux.h"
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>
#include <bpf/bpf_tracing.h>

#include "half_open.h"
#include "listener.h"
#include "listener_reset.h"
#include "record.h"
#include "sock_tally.h"
#include "sock_watch.h"

char _license[] SEC("license")
= "Dual BSD/GPL";

#define KERNEL_6_10 (6 << 16 | 10 << 8)
extern int LINUX_KERNEL_VERSION __kconfig;

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sock_counters);
} counters SEC(".maps");

/* Atomic: a tracepoint in process context may be interrupted by one in a softirq. */
static __always_inline void count_many(enum sock_counter which, __u64 n)
{
	struct sock_counters *cnt;
	__u32 zero = 0;

	cnt = bpf_map_lookup_elem(&counters, &zero);
	if (cnt)
		__sync_fetch_and_add(&cnt->value[which], n);
}

static __always_inline void count(enum sock_counter which)
{
	count_many(which, 1);
}

static __always_inline void *reserve(enum record_kind kind, __u32 size, __u64 now_ns)
{
	struct record_hdr *hdr = record__reserve(kind, size);

	if (!hdr)
		return 0;
	hdr->time_ns = now_ns;
	__builtin_memset(hdr + 1, 0, size - sizeof(*hdr));
	return hdr;
}

/* ---- transitions ----------------------------------------------------------------------------- */

/* With Fast Open a socket may leave SYN_RECV by a FIN of either side, without being ESTABLISHED. */
static __always_inline bool leaves_by_fin(int old_state, int new_state)
{
	return (old_state == TCPS_ESTABLISHED || old_state == TCPS_SYN_RECV) &&
	       (new_state == TCPS_FIN_WAIT1 || new_state == TCPS_CLOSE_WAIT);
}

static __always_inline void count_of_listener(__u64 cookie, __u32 netns,
					      enum listener_counter which)
{
	struct listener_counters *cnt;

	if (!cfg.count_listeners)
		return;
	cnt = listener__counters(listener__slot(cookie, netns));
	if (cnt)
		__sync_fetch_and_add(&cnt->value[which], 1);
}

static __always_inline bool is_opening(int old_state, int new_state)
{
	if (old_state != TCPS_SYN_SENT && old_state != TCPS_SYN_RECV)
		return false;
	return new_state == TCPS_ESTABLISHED || leaves_by_fin(old_state, new_state);
}

static __always_inline void count_opening(const struct tcp_sock *tp,
					  const struct sock_memory *memory, int old_state,
					  int new_state)
{
	bool is_active = old_state == TCPS_SYN_SENT || (memory && memory->role == ROLE_ACTIVE);
	bool is_open = is_opening(old_state, new_state);

	if (old_state != TCPS_SYN_SENT && old_state != TCPS_SYN_RECV)
		return;
	if (is_open)
		count(is_active ? SOCKC_ACTIVE_OPEN : SOCKC_PASSIVE_OPEN);
	else if (new_state == TCPS_CLOSED && is_active)
		count(SOCKC_CONNECT_FAILED);
	if (is_open && !is_active && cfg.time_requests)
		half_open__completed(tp);
	if (is_open && !is_active)
		count_of_listener(memory ? memory->listener : 0,
				  skc__netns(&tcp__sock(tp)->__sk_common), LISTENER_COMPLETED);
}

/* Each connection leaves ESTABLISHED once, by a FIN of either side or at once to CLOSED. */
static __always_inline void count_closing(const struct tcp_sock *tp,
					  const struct sock_memory *memory, int old_state,
					  int new_state)
{
	if (leaves_by_fin(old_state, new_state))
		count(new_state == TCPS_FIN_WAIT1 ? SOCKC_CLOSED_LOCAL : SOCKC_CLOSED_REMOTE);
	else if (old_state == TCPS_ESTABLISHED && new_state == TCPS_CLOSED)
		count(reset_by(tp, memory) ? SOCKC_CLOSED_RESET : SOCKC_CLOSED_OTHER);
}

static __always_inline void report_state(const struct tcp_sock *tp,
					 const struct sock_memory *memory, int old_state,
					 int new_state, __u64 now_ns)
{
	struct rec_sock_state *rec;

	if (new_state == TCPS_SYN_RECV && !skc__has_remote(&tcp__sock(tp)->__sk_common))
		return;
	rec = reserve(REC_SOCK_STATE, sizeof(*rec), now_ns);
	if (!rec)
		return;
	rec->old_state = old_state;
	sock_info__fill(&rec->sock, tp, memory, old_state, new_state);
	record__submit(rec, cfg.wake_bytes);
}

/* Whatever TIME_WAIT sock was on its tuple is no more. */
static __always_inline void report_opening(const struct tcp_sock *tp,
					   const struct sock_memory *memory, int old_state,
					   __u64 now_ns)
{
	const struct sock_common *skc = &tcp__sock(tp)->__sk_common;
	struct rec_tuple *rec = reserve(REC_OPENING, sizeof(*rec), now_ns);

	if (!rec)
		return;
	rec_tuple__fill(rec, skc);
	rec->cookie = bpf_get_socket_cookie((void *)tp); /* given one now if it has none */
	rec->netns = skc__netns(skc);
	rec->role = old_state == TCPS_SYN_SENT ? ROLE_ACTIVE : ROLE_PASSIVE;
	if (memory && memory->role)
		rec->role = memory->role; /* SYNs may have crossed */
	record__submit(rec, cfg.wake_bytes);
}

/* Whoever sends the first FIN is left with TIME_WAIT, which no longer says whose it was. */
static __always_inline void report_closing(const struct tcp_sock *tp,
					   const struct sock_memory *memory, __u64 now_ns)
{
	const struct sock *sk = tcp__sock(tp);
	struct task_struct *task, *leader;
	struct rec_closing *rec = reserve(REC_CLOSING, sizeof(*rec), now_ns);

	if (!rec)
		return;
	rec->cookie = bpf_get_socket_cookie((void *)tp);
	rec->netns = skc__netns(&sk->__sk_common);
	rec->role = memory ? memory->role : ROLE_UNKNOWN;
	if (!rec->role)
		rec->role = sk->sk_max_ack_backlog ? ROLE_PASSIVE : ROLE_ACTIVE;
	task = sock__acting_task(sk);
	if (task) {
		leader = task->group_leader;
		rec->pid = task->tgid;
		__builtin_memcpy(rec->comm, leader->comm, sizeof(rec->comm));
	}
	record__submit(rec, cfg.wake_bytes);
}

__u32 netns_activity[NETNS_ACTIVITY_PARTS][NETNS_ACTIVITY_SLOTS] = {};

static __always_inline void note_activity(const struct tcp_sock *tp)
{
	__u32 slot = skc__netns(&tcp__sock(tp)->__sk_common) & (NETNS_ACTIVITY_SLOTS - 1);
	__u32 part = bpf_get_smp_processor_id() & (NETNS_ACTIVITY_PARTS - 1);

	__sync_fetch_and_add(&netns_activity[part][slot], 1);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(sock_state, const struct sock *sk, int old_state, int new_state)
{
	const struct tcp_sock *tp = chosen_tcp(sk);
	struct sock_memory *memory;
	__u64 now_ns;

	if (!tp || old_state == new_state)
		return 0;
	note_activity(tp);
	if (cfg.count_listeners && new_state == TCPS_LISTEN)
		mark_listener(tp);
	now_ns = bpf_ktime_get_ns();
	memory = sock_memory__follow(tp, old_state, new_state, now_ns);
	count_opening(tp, memory, old_state, new_state);
	count_closing(tp, memory, old_state, new_state);
	if (cfg.tally)
		sock_tally__transition(tp, memory, old_state, new_state, now_ns);
	if (is_wanted(REC_SOCK_STATE))
		report_state(tp, memory, old_state, new_state, now_ns);
	if (is_wanted(REC_OPENING) && is_opening(old_state, new_state))
		report_opening(tp, memory, old_state, now_ns);
	if (is_wanted(REC_CLOSING) && new_state == TCPS_FIN_WAIT1)
		report_closing(tp, memory, now_ns);
	return 0;
}

/* ---- retransmissions ------------------------------------------------------------------------- */

/* A packet may be several segments; the kernel keeps their number in the control block. */
static __always_inline __u16 segments_of(const struct sk_buff *skb)
{
	const char *cb = skb->cb;

	return *(const __u16 *)(cb + bpf_core_field_offset(struct tcp_skb_cb, tcp_gso_segs));
}

SEC("tp_btf/tcp_retransmit_skb")
int BPF_PROG(sock_retransmit, const struct sock *sk, const struct sk_buff *skb)
{
	const struct tcp_sock *tp = chosen_tcp(sk);
	struct rec_sock_retransmit *rec;
	int state;

	if (!tp)
		return 0;
	state = sk->__sk_common.skc_state;
	count_many(SOCKC_RETRANSMIT, segments_of(skb));
	sock_tally__retransmit(state, segments_of(skb));
	if (!is_wanted(REC_SOCK_RETRANSMIT))
		return 0;
	rec = reserve(REC_SOCK_RETRANSMIT, sizeof(*rec), bpf_ktime_get_ns());
	if (!rec)
		return 0;
	sock_info__fill(&rec->sock, tp, sock_memory__find(tp), state, state);
	record__submit(rec, cfg.wake_bytes);
	return 0;
}

SEC("tp_btf/tcp_retransmit_synack")
int BPF_PROG(sock_retransmit_synack, const struct sock *listener, const struct request_sock *req)
{
	const struct tcp_request_sock *treq = bpf_skc_to_tcp_request_sock((void *)req);
	struct rec_sock_retransmit *rec;

	if (!treq || !is_chosen(skc__netns(&treq->req.req.__req_common)))
		return 0;
	count(SOCKC_SYNACK_RETRANSMIT);
	count_of_listener(listener->__sk_common.skc_cookie.counter,
			  skc__netns(&treq->req.req.__req_common), LISTENER_SYNACK_RETRANSMIT);
	if (cfg.time_requests)
		half_open__sent_again(treq, listener);
	if (!is_wanted(REC_SOCK_RETRANSMIT))
		return 0;
	rec = reserve(REC_SOCK_RETRANSMIT, sizeof(*rec), bpf_ktime_get_ns());
	if (!rec)
		return 0;
	sock_info__fill_request(&rec->sock, treq);
	rec->sock.syn_retransmits++; /* the kernel counts this one after the tracepoint … */
	rec->sock.syn_timeouts++;    /* … and this too, if the SYN was not sent again */
	rec->sock.is_acked = request__is_acked(treq, listener);
	record__submit(rec, cfg.wake_bytes);
	return 0;
}

/* ---- resets ---------------------------------------------------------------------------------- */

/* @reason: the kernel's, of one that was sent; @state: of the socket that received one. */
static __always_inline void count_reset(enum close_by by, int reason, int state)
{
	count(by == CLOSE_LOCAL ? SOCKC_RESET_SENT : SOCKC_RESET_RECEIVED);
	if (cfg.tally && by == CLOSE_LOCAL)
		sock_tally__reset_sent(reason);
	else if (cfg.tally)
		sock_tally__reset_received(state);
}

static __always_inline struct rec_sock_reset *reserve_reset(enum close_by by, int reason)
{
	struct rec_sock_reset *rec;

	if (!is_wanted(REC_SOCK_RESET))
		return 0;
	rec = reserve(REC_SOCK_RESET, sizeof(*rec), bpf_ktime_get_ns());
	if (!rec)
		return 0;
	rec->by = by;
	rec->reason = reason;
	return rec;
}

static __always_inline void reset_of_socket(const struct tcp_sock *tp, enum close_by by, int reason)
{
	const struct sock_common *skc = &tcp__sock(tp)->__sk_common;
	struct sock_memory *memory;
	struct rec_sock_reset *rec;
	int state = skc->skc_state;

	if (!is_chosen(skc__netns(skc)))
		return;
	count_reset(by, reason, state);
	memory = sock_memory__get(tp);
	if (memory && !memory->reset_seen)
		memory->reset_seen = by;
	rec = reserve_reset(by, reason);
	if (!rec)
		return;
	sock_info__fill(&rec->sock, tp, memory, state, state);
	record__submit(rec, cfg.wake_bytes);
}

static __always_inline void reset_of_timewait(const struct tcp_timewait_sock *tw, int reason)
{
	struct rec_sock_reset *rec;

	if (!is_chosen(skc__netns(&tw->tw_sk.__tw_common)))
		return;
	count_reset(CLOSE_LOCAL, reason, TCPS_CLOSED);
	rec = reserve_reset(CLOSE_LOCAL, reason);
	if (!rec)
		return;
	sock_info__fill_timewait(&rec->sock, tw);
	record__submit(rec, cfg.wake_bytes);
}

struct packet_ports {
	__be16 source, dest;
};

#define ETH_P_IP   0x0800
#define ETH_P_IPV6 0x86dd
#define V4_SADDR   12 /* offsets of the addresses in their headers; the destination follows */
#define V6_SADDR   8

/* The endpoints as the answering host sees them: the packet came from the remote one. */
static __always_inline bool read_packet(struct sock_info *info, const struct sk_buff *skb)
{
	const unsigned char *network = skb->head + skb->network_header;
	struct packet_ports ports;
	__be32 v4[2];

	if (skb->protocol == TW_BE16(ETH_P_IPV6)) {
		info->family = AF_INET6;
		if (bpf_probe_read_kernel(&info->remote, 16, network + V6_SADDR) ||
		    bpf_probe_read_kernel(&info->local, 16, network + V6_SADDR + 16))
			return false;
	} else {
		info->family = AF_INET;
		if (bpf_probe_read_kernel(v4, sizeof(v4), network + V4_SADDR))
			return false;
		ip_addr__set_v4(&info->remote, v4[0]);
		ip_addr__set_v4(&info->local, v4[1]);
	}
	if (bpf_probe_read_kernel(&ports, sizeof(ports), skb->head + skb->transport_header))
		return false;
	info->remote_port = TW_BE16(ports.source);
	info->local_port = TW_BE16(ports.dest);
	return true;
}

/* An answer to a packet that no connection here expects: closed port, or a listener that wants a
 * SYN. */
static __always_inline void
reset_of_packet(const struct sk_buff *skb, const struct tcp_sock *listener, __u32 netns, int reason)
{
	struct sock_info info = {};
	struct rec_sock_reset *rec;

	if (!is_chosen(netns))
		return;
	count_reset(CLOSE_LOCAL, reason, TCPS_CLOSED);
	if (!cfg.can_read_kernel || !is_wanted(REC_SOCK_RESET))
		return;
	info.netns = netns;
	info.state = TCPS_CLOSED;
	if (!read_packet(&info, skb))
		return;
	rec = reserve_reset(CLOSE_LOCAL, reason);
	if (!rec)
		return;
	rec->sock = info;
	rec->sock.role = listener ? ROLE_PASSIVE : ROLE_UNKNOWN;
	rec->of_listener = listener_reset(listener, cfg.tick_ns);
	record__submit(rec, cfg.wake_bytes);
}

/*
 * By the version, though a type came with it: libbpf looks for a type that the kernel lacks in its
 * modules, which until 1.5 fails without CAP_SYS_ADMIN.
 */
static __always_inline int reason_of(const unsigned long long *ctx)
{
	return LINUX_KERNEL_VERSION >= KERNEL_6_10 ? (int)ctx[2] : -1;
}

/*
 * @sk may be a TIME_WAIT minisock, or NULL from 6.10 on. The verifiers of 6.10 and 6.11 take it for
 * never NULL and remove the check for it; the bpf_skc_to_… helpers check it in any case, so no
 * member of
 * @sk is read before one of them has said what it is. A listener answers for nobody in particular.
 */
SEC("tp_btf/tcp_send_reset")
int BPF_PROG(sock_reset_sent, const struct sock *sk, const struct sk_buff *skb)
{
	const struct tcp_timewait_sock *tw;
	const struct tcp_sock *tp = 0;
	int reason = reason_of(ctx);
	__u32 netns;

	if (sk) {
		tw = bpf_skc_to_tcp_timewait_sock((void *)sk);
		if (tw) {
			reset_of_timewait(tw, reason);
			return 0;
		}
		tp = bpf_skc_to_tcp_sock((void *)sk);
	}
	if (tp && tcp__sock(tp)->__sk_common.skc_state != TCPS_LISTEN) {
		reset_of_socket(tp, CLOSE_LOCAL, reason);
		return 0;
	}
	if (!skb)
		return 0;
	netns = tp ? skc__netns(&tcp__sock(tp)->__sk_common) : skb->dev->nd_net.net->ns.inum;
	reset_of_packet(skb, tp, netns, reason);
	return 0;
}

SEC("tp_btf/tcp_receive_reset")
int BPF_PROG(sock_reset_received, const struct sock *sk)
{
	const struct tcp_sock *tp = bpf_skc_to_tcp_sock((void *)sk);

	if (tp)
		reset_of_socket(tp, CLOSE_REMOTE, -1);
	return 0;
}

#include "sock_iter.h"
