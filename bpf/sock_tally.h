/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counts kept on transitions for whoever reads figures instead of sockets: sockets by state and
 * namespace, how handshakes and connections ended, how long they took. Not here: the counters that
 * every command has (sock.bpf.c).
 *
 * How sockets by state are exact from the start on: the tracepoint is attached, then an iterator
 * counts each socket once. Meanwhile the map `visited` exists, and a socket that changes state is
 * looked up in it: only what the iterator has counted already is taken from its old state. A
 * socket's transitions and its visit exclude each other by its lock. When the iterator is done,
 * each older socket has been counted, and the map is taken away.
 */
#ifndef TCPWATCH_SOCK_TALLY_H
#define TCPWATCH_SOCK_TALLY_H

#include "sock_info.h"
#include "shared/tally.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct sock_tally);
} tallies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1); /* userspace knows how many namespaces there may be */
	__type(key, struct netns_tally_key);
	__type(value, struct netns_tally);
} netns_tallies SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1); /* likewise; it drops what is older than a minute */
	__type(key, struct close_wait_key);
	__type(value, __u64);
} close_waits SEC(".maps");

struct visited_map {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(map_flags, BPF_F_NO_PREALLOC);
	__uint(max_entries, 1); /* userspace makes the real one */
	__type(key, __u64);	/* address of the socket */
	__type(value, __u8);
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct visited_map);
} visited SEC(".maps");

/* Which count of sockets is the current one; userspace begins a new one. */
volatile __u32 tally_epoch = 1;

/* TW and TWKilled of this kernel count ends of TIME_WAIT; known once the iterator has run. */
__u32 tally_counts_ends = 0;

static const struct netns_tally no_sockets = {};

/*
 * Adds @n to @array[@index] of @size. The barrier keeps the compiler from checking a copy of the
 * index, of which the verifier would not know that it is the same.
 */
static __always_inline void add_at(__u64 *array, __u64 index, __u64 size, __s64 n)
{
	asm volatile("" : "+r"(index));
	if (index < size)
		__sync_fetch_and_add(&array[index], n);
}

/* ---- sockets by state ------------------------------------------------------------------------ */

static __always_inline struct netns_tally *netns_tally__of(const struct sock_common *skc,
							   __u32 epoch)
{
	struct netns_tally_key key = {skc__netns(skc), epoch};
	struct netns_tally *tally = bpf_map_lookup_elem(&netns_tallies, &key);

	if (tally)
		return tally;
	bpf_map_update_elem(&netns_tallies, &key, &no_sockets, BPF_NOEXIST);
	return bpf_map_lookup_elem(&netns_tallies, &key);
}

/*
 * Is @tp counted in its old state? A child that leaves LISTEN is new, though it was cloned from a
 * socket that is counted.
 */
static __always_inline bool is_counted(const struct tcp_sock *tp, const struct sock_memory *memory,
				       int old_state, int new_state, __u32 epoch)
{
	__u64 address = (__u64)tp;
	__u32 zero = 0;
	void *seen;

	if (old_state == TCPS_CLOSED || (old_state == TCPS_LISTEN && new_state == TCPS_SYN_RECV))
		return false;
	if (memory && memory->epoch == epoch)
		return true;
	seen = bpf_map_lookup_elem(&visited, &zero);
	return !seen || bpf_map_lookup_elem(seen, &address);
}

static __always_inline void tally_states(const struct tcp_sock *tp, struct sock_memory *memory,
					 int old_state, int new_state)
{
	__u32 epoch = tally_epoch;
	struct netns_tally *tally = netns_tally__of(&tcp__sock(tp)->__sk_common, epoch);
	bool counted = is_counted(tp, memory, old_state, new_state, epoch);

	if (memory)
		memory->epoch = epoch;
	if (!tally)
		return;
	if (counted)
		add_at(tally->sockets, old_state, TCPS_COUNT, -1);
	if (new_state != TCPS_CLOSED)
		add_at(tally->sockets, new_state, TCPS_COUNT, 1);
}

/* The iterator is at @tp. One that an older kernel's iterator shows twice is counted once. */
static __always_inline void tally_visit(const struct tcp_sock *tp)
{
	const struct sock_common *skc = &tcp__sock(tp)->__sk_common;
	const struct sock_memory *memory = sock_memory__find(tp);
	__u32 zero = 0, state = skc->skc_state, epoch = tally_epoch;
	__u64 address = (__u64)tp;
	struct netns_tally *tally;
	__u8 yes = 1;
	void *seen;

	if (memory && memory->epoch == epoch)
		return; /* it has changed state since: counted */
	seen = bpf_map_lookup_elem(&visited, &zero);
	if (!seen || bpf_map_update_elem(seen, &address, &yes, BPF_NOEXIST))
		return;
	tally = netns_tally__of(skc, epoch);
	if (tally && state != TCPS_CLOSED)
		add_at(tally->sockets, state, TCPS_COUNT, 1);
}

/* ---- CLOSE_WAIT by age ----------------------------------------------------------------------- */

static __always_inline void add_close_wait(const struct sock_common *skc, __u64 since_ns, __s64 n)
{
	struct close_wait_key key = {skc__netns(skc), since_ns / TW_NSEC_PER_SEC};
	__u64 *count = bpf_map_lookup_elem(&close_waits, &key), none = 0;

	if (!count && n > 0) {
		bpf_map_update_elem(&close_waits, &key, &none, BPF_NOEXIST);
		count = bpf_map_lookup_elem(&close_waits, &key);
	}
	if (count)
		__sync_fetch_and_add(count, n);
}

static __always_inline void tally_close_wait(const struct tcp_sock *tp,
					     const struct sock_memory *memory, int old_state,
					     int new_state)
{
	const struct sock_common *skc = &tcp__sock(tp)->__sk_common;

	if (!memory || !memory->close_wait_ns)
		return;
	if (new_state == TCPS_CLOSE_WAIT)
		add_close_wait(skc, memory->close_wait_ns, 1);
	else if (old_state == TCPS_CLOSE_WAIT)
		add_close_wait(skc, memory->close_wait_ns, -1);
}

/* One that came into CLOSE_WAIT before the tool, at @since_ns or earlier; 0: not in CLOSE_WAIT. */
static __always_inline void visit_close_wait(const struct tcp_sock *tp, __u64 since_ns)
{
	struct sock_memory *memory;

	if (!since_ns)
		return;
	memory = sock_memory__get(tp);
	if (!memory || memory->close_wait_ns)
		return;
	memory->close_by = CLOSE_REMOTE;
	memory->close_wait_ns = since_ns;
	add_close_wait(&tcp__sock(tp)->__sk_common, since_ns, 1);
}

/* ---- handshakes and ends --------------------------------------------------------------------- */

static __always_inline struct sock_tally *sock_tally__here(void)
{
	__u32 zero = 0;

	return bpf_map_lookup_elem(&tallies, &zero);
}

static __always_inline void observe(struct sock_tally *tally, enum tally_histogram which, __u64 ns)
{
	struct log2_histogram *histogram = &tally->histogram[which];

	add_at(histogram->bucket, log2_shape__bucket(&tally_shapes[which], ns), LOG2_BUCKETS, 1);
	__sync_fetch_and_add(&histogram->sum_ns, ns);
}

/*
 * The first round trip, which the kernel takes between a SYN and its SYN-ACK or a SYN-ACK and its
 * acknowledgement, and not at all if the former was sent again (tcp_ack_update_rtt and
 * tcp_synack_rtt_meas in net/ipv4/tcp_input.c). What is left of a client's time was spent in this
 * host.
 */
static __always_inline void observe_handshake(struct sock_tally *tally, const struct tcp_sock *tp,
					      const struct sock_memory *memory)
{
	__u64 network_ns = (tp->srtt_us >> SRTT_SHIFT) * TW_NSEC_PER_USEC, total_ns;

	if (memory->role == ROLE_PASSIVE && network_ns)
		observe(tally, TALLY_SERVER_NETWORK, network_ns);
	if (memory->role != ROLE_ACTIVE || !memory->syn_ns)
		return;
	total_ns = memory->established_ns - memory->syn_ns;
	observe(tally, TALLY_CLIENT_TOTAL, total_ns);
	if (!network_ns || network_ns > total_ns)
		return;
	observe(tally, TALLY_CLIENT_NETWORK, network_ns);
	observe(tally, TALLY_CLIENT_HOST, total_ns - network_ns);
}

static __always_inline enum handshake_outcome failure_of(const struct sock *sk)
{
	switch (sk->sk_err) {
	case 0:
	case ECONNABORTED:
		return HANDSHAKE_ABORTED;
	case ECONNREFUSED:
		return HANDSHAKE_REFUSED;
	case ECONNRESET:
	case EPIPE:
		return HANDSHAKE_RESET;
	case ETIMEDOUT:
		return HANDSHAKE_TIMEOUT;
	case EHOSTUNREACH:
	case ENETUNREACH:
	case EHOSTDOWN:
	case ENETDOWN:
	case ENOPROTOOPT:
	case EPROTO:
		return HANDSHAKE_UNREACHABLE;
	default:
		return HANDSHAKE_OTHER;
	}
}

static __always_inline void tally_handshake(struct sock_tally *tally, const struct tcp_sock *tp,
					    const struct sock_memory *memory, int old_state,
					    int new_state)
{
	bool is_client = old_state == TCPS_SYN_SENT || (memory && memory->role == ROLE_ACTIVE);

	if (old_state != TCPS_SYN_SENT && old_state != TCPS_SYN_RECV)
		return;
	if (new_state == TCPS_SYN_RECV) /* both ends opened at once: it goes on */
		return;
	if (new_state == TCPS_CLOSED) {
		add_at(is_client ? tally->handshakes[OPEN_SIDE_CLIENT]
				 : tally->handshakes[OPEN_SIDE_SERVER],
		       failure_of(tcp__sock(tp)), HANDSHAKE_OUTCOME_COUNT, 1);
		return;
	}
	add_at(is_client ? tally->handshakes[OPEN_SIDE_CLIENT]
			 : tally->handshakes[OPEN_SIDE_SERVER],
	       HANDSHAKE_COMPLETED, HANDSHAKE_OUTCOME_COUNT, 1);
	if (new_state == TCPS_ESTABLISHED && memory)
		observe_handshake(tally, tp, memory);
}

static __always_inline bool was_open(int state)
{
	return state == TCPS_ESTABLISHED || state == TCPS_FIN_WAIT1 || state == TCPS_FIN_WAIT2 ||
	       state == TCPS_CLOSE_WAIT || state == TCPS_LAST_ACK || state == TCPS_CLOSING;
}

/* With nothing unacknowledged both FINs are through, or TIME_WAIT takes over what is missing. */
static __always_inline bool ends_by_fin(const struct tcp_sock *tp, int old_state)
{
	if (old_state == TCPS_LAST_ACK)
		return tp->snd_una == tp->write_seq;
	return old_state == TCPS_FIN_WAIT1 || old_state == TCPS_FIN_WAIT2 ||
	       old_state == TCPS_CLOSING;
}

/* A time-out may send a reset first (tcp_keepalive_timer()); a reset that comes sets another error.
 */
static __always_inline enum end_reason
reason_of_end(const struct tcp_sock *tp, const struct sock_memory *memory, int old_state)
{
	int error = tcp__sock(tp)->sk_err;

	if (times_out(tcp__sock(tp)))
		return END_BY_TIMEOUT;
	if (memory && memory->reset_seen)
		return END_BY_RESET;
	if (error == ECONNRESET || error == EPIPE)
		return END_BY_RESET;
	if (!error && ends_by_fin(tp, old_state))
		return END_BY_FIN;
	if ((old_state == TCPS_ESTABLISHED || old_state == TCPS_CLOSE_WAIT) && reset_by(tp, memory))
		return END_BY_RESET;
	return END_BY_OTHER;
}

/* Where it was not seen, the state tells: only who sent a FIN first is in FIN_WAIT or CLOSING. */
static __always_inline enum end_side first_closer(const struct sock_memory *memory, int old_state)
{
	if (memory && memory->close_by)
		return memory->close_by == CLOSE_LOCAL ? END_SIDE_LOCAL : END_SIDE_REMOTE;
	if (old_state == TCPS_CLOSE_WAIT || old_state == TCPS_LAST_ACK)
		return END_SIDE_REMOTE;
	return old_state == TCPS_ESTABLISHED ? END_SIDE_UNKNOWN : END_SIDE_LOCAL;
}

static __always_inline void tally_end(struct sock_tally *tally, const struct tcp_sock *tp,
				      const struct sock_memory *memory, int old_state,
				      int new_state, __u64 now_ns)
{
	enum end_reason reason;
	enum end_side side;

	if (new_state != TCPS_CLOSED || !was_open(old_state))
		return;
	reason = reason_of_end(tp, memory, old_state);
	side = first_closer(memory, old_state);
	add_at(&tally->ended[0][0], reason * END_SIDE_COUNT + side,
	       END_REASON_COUNT * END_SIDE_COUNT, 1);
	if (memory && memory->established_ns)
		observe(tally, TALLY_SESSION_DURATION, now_ns - memory->established_ns);
	if (tp->srtt_us)
		observe(tally, TALLY_SRTT, (tp->srtt_us >> SRTT_SHIFT) * TW_NSEC_PER_USEC);
}

/* ---- what the tracepoints call --------------------------------------------------------------- */

/* sock_tally__transition() - @tp changes state; @memory has been told already and may be NULL */
static __always_inline void sock_tally__transition(const struct tcp_sock *tp,
						   struct sock_memory *memory, int old_state,
						   int new_state, __u64 now_ns)
{
	struct sock_tally *tally = sock_tally__here();

	tally_states(tp, memory, old_state, new_state);
	tally_close_wait(tp, memory, old_state, new_state);
	if (!tally)
		return;
	tally_handshake(tally, tp, memory, old_state, new_state);
	tally_end(tally, tp, memory, old_state, new_state, now_ns);
}

/* sock_tally__reset_sent() - @reason: the kernel's, -1 if it gives none */
static __always_inline void sock_tally__reset_sent(int reason)
{
	struct sock_tally *tally = sock_tally__here();
	__u32 slot = (__u32)reason < RESET_REASON_UNKNOWN ? (__u32)reason : RESET_REASON_UNKNOWN;

	if (tally)
		add_at(tally->resets_sent, slot, RESET_REASON_SLOTS, 1);
}

/* sock_tally__reset_received() - a socket in @state accepts a RST */
static __always_inline void sock_tally__reset_received(int state)
{
	enum reset_phase phase = state == TCPS_SYN_SENT	  ? RESET_IN_REFUSED
				 : state == TCPS_SYN_RECV ? RESET_IN_HANDSHAKE
				 : state == TCPS_ESTABLISHED || state == TCPS_CLOSE_WAIT
					 ? RESET_IN_OPEN
					 : RESET_IN_CLOSING;
	struct sock_tally *tally = sock_tally__here();

	if (tally)
		add_at(tally->resets_received, phase, RESET_PHASE_COUNT, 1);
}

/* sock_tally__retransmit() - a socket in @state sends @segments again */
static __always_inline void sock_tally__retransmit(int state, __u16 segments)
{
	enum retransmit_kind kind = state == TCPS_SYN_SENT || state == TCPS_SYN_RECV
					    ? RETRANSMIT_OF_SYN
					    : RETRANSMIT_OF_DATA;
	struct sock_tally *tally = sock_tally__here();

	if (tally)
		add_at(tally->retransmits, kind, RETRANSMIT_KIND_COUNT, segments);
}

#endif
