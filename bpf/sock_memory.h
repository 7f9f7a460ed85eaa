/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel does not keep about its own sockets: birth, handshake times, role, who closed
 * first, who sent a reset, and the process. It is stored with the socket and goes away with it. Not
 * here: what the kernel does keep (sock_info.h).
 */
#ifndef TCPWATCH_SOCK_MEMORY_H
#define TCPWATCH_SOCK_MEMORY_H

#include "vmlinux/vmlinux.h"
#include <linux/errno.h>
#include <bpf/bpf_helpers.h>
#include <bpf/bpf_core_read.h>

#include "shared/abi.h"

#define PF_KTHREAD	 0x00200000 /* include/linux/sched.h */

#define TW_NSEC_PER_USEC 1000ULL
#define SRTT_SHIFT	 3 /* tcp_sock.srtt_us counts eighths of a microsecond */

struct sock_memory {
	__u64 listener; /* cookie: a listener's own, of a connection that it accepted */
	__u64 born_ns, syn_ns, established_ns, close_wait_ns;
	__u32 pid;
	__u8 role, close_by, reset_seen, zero;
	char comm[SOCK_COMM_LEN];
	__u32 epoch; /* the count of sockets by state in which it is counted (sock_tally.h) */
	__u32 unused;
};

/* Cloned with the socket: a passive one is a copy of its listener (inet_csk_clone_lock()). */
struct {
	__uint(type, BPF_MAP_TYPE_SK_STORAGE);
	__uint(map_flags, BPF_F_NO_PREALLOC | BPF_F_CLONE);
	__type(key, int);
	__type(value, struct sock_memory);
} memories SEC(".maps");

static __always_inline const struct sock *tcp__sock(const struct tcp_sock *tp)
{
	return &tp->inet_conn.icsk_inet.sk;
}

/* sock_memory__find() - NULL if the socket is older than the tool and nothing happened to it since
 */
static __always_inline struct sock_memory *sock_memory__find(const struct tcp_sock *tp)
{
	return bpf_sk_storage_get(&memories, (void *)tp, 0, 0);
}

/* sock_memory__get() - made if need be; NULL if the socket's option memory is used up */
static __always_inline struct sock_memory *sock_memory__get(const struct tcp_sock *tp)
{
	return bpf_sk_storage_get(&memories, (void *)tp, 0, BPF_SK_STORAGE_GET_F_CREATE);
}

/*
 * The current task, if it is what acts on the socket: it holds the socket's lock, so this is its
 * system call and not an interrupt that came in between. A socket that the kernel made for itself
 * is nobody's, whoever it happens to be made for.
 */
static __always_inline struct task_struct *sock__acting_task(const struct sock *sk)
{
	struct task_struct *task = bpf_get_current_task_btf();

	if (task->flags & PF_KTHREAD || !sk->sk_lock.owned)
		return 0;
	return BPF_CORE_READ_BITFIELD(sk, sk_kern_sock) ? 0 : task;
}

/* The first owner known stays: it is not overwritten by whatever process drops the last reference.
 */
static __always_inline void sock_memory__own(struct sock_memory *memory, const struct sock *sk)
{
	struct task_struct *task = sock__acting_task(sk), *leader;

	if (memory->pid || !task)
		return;
	leader = task->group_leader;
	memory->pid = task->tgid;
	__builtin_memcpy(memory->comm, leader->comm, sizeof(memory->comm));
}

static __always_inline void begin(struct sock_memory *memory, const struct sock *sk,
				  enum sock_role role, __u64 now_ns)
{
	__u64 listener = role == ROLE_PASSIVE ? memory->listener : 0;

	__builtin_memset(memory, 0, sizeof(*memory));
	memory->listener = listener;
	memory->born_ns = now_ns;
	memory->role = role;
	if (role == ROLE_PASSIVE)
		return; /* made by an interrupt */
	if (role == ROLE_ACTIVE)
		memory->syn_ns = now_ns;
	sock_memory__own(memory, sk);
}

/*
 * A passive socket is made by the last step of the handshake. When its request was made follows
 * from the first round trip, which the kernel took between the SYN-ACK and this ACK, and not at all
 * if the SYN-ACK was sent again or was a cookie (tcp_synack_rtt_meas in net/ipv4/tcp_input.c). With
 * Fast Open the socket is as old as the request.
 */
static __always_inline void establish(struct sock_memory *memory, const struct tcp_sock *tp,
				      __u64 now_ns)
{
	__u64 rtt_ns = (tp->srtt_us >> SRTT_SHIFT) * TW_NSEC_PER_USEC;

	memory->established_ns = now_ns;
	if (memory->role != ROLE_PASSIVE || !rtt_ns)
		return;
	memory->syn_ns = now_ns - rtt_ns;
	if (memory->born_ns < memory->syn_ns)
		memory->syn_ns = memory->born_ns;
	memory->born_ns = memory->syn_ns;
}

/*
 * Does an ESTABLISHED or CLOSE_WAIT socket that becomes CLOSED do so because of a reset? Without an
 * error the application closed it with unread data or zero linger, and tcp_close() and
 * tcp_disconnect() send the reset after this transition (net/ipv4/tcp.c); a socket in repair mode
 * goes silently.
 */
static __always_inline enum close_by reset_by(const struct tcp_sock *tp,
					      const struct sock_memory *memory)
{
	int error = tcp__sock(tp)->sk_err;

	if (memory && memory->reset_seen == CLOSE_REMOTE)
		return CLOSE_REMOTE;
	if (error == ECONNRESET || error == EPIPE)
		return CLOSE_REMOTE;
	if (!error && !BPF_CORE_READ_BITFIELD(tp, repair))
		return CLOSE_LOCAL;
	return CLOSE_NOBODY;
}

/*
 * The kernel gives an open connection up. An error that ICMP had left pending, which nothing else
 * makes the socket's own, stands in for ETIMEDOUT (tcp_write_err() in net/ipv4/tcp_timer.c).
 */
static __always_inline bool times_out(const struct sock *sk)
{
	return sk->sk_err == ETIMEDOUT || (sk->sk_err && sk->sk_err == sk->sk_err_soft);
}

/* One that times out is closed by this kernel, whether or not it sends a reset. */
static __always_inline void close_abruptly(struct sock_memory *memory, const struct tcp_sock *tp)
{
	enum close_by by = reset_by(tp, memory);

	if (!memory->reset_seen)
		memory->reset_seen = by;
	if (!memory->close_by)
		memory->close_by = times_out(tcp__sock(tp)) ? CLOSE_LOCAL : by;
}

static __always_inline bool is_birth(int old_state, int new_state)
{
	return new_state == TCPS_SYN_SENT || new_state == TCPS_LISTEN ||
	       (new_state == TCPS_SYN_RECV && old_state == TCPS_LISTEN);
}

/* sock_memory__follow() - remember a transition. Returns the memory, or NULL if there is none */
static __always_inline struct sock_memory *
sock_memory__follow(const struct tcp_sock *tp, int old_state, int new_state, __u64 now_ns)
{
	struct sock_memory *memory = sock_memory__get(tp);
	const struct sock *sk = tcp__sock(tp);

	if (!memory)
		return 0;
	if (is_birth(old_state, new_state)) {
		begin(memory, sk,
		      new_state == TCPS_SYN_SENT   ? ROLE_ACTIVE
		      : new_state == TCPS_SYN_RECV ? ROLE_PASSIVE
						   : ROLE_UNKNOWN,
		      now_ns);
		if (new_state == TCPS_LISTEN)
			memory->listener = bpf_get_socket_cookie((void *)tp);
		return memory;
	}
	if (new_state == TCPS_ESTABLISHED)
		establish(memory, tp, now_ns);
	else if (new_state == TCPS_FIN_WAIT1 || new_state == TCPS_LAST_ACK)
		sock_memory__own(memory, sk);
	if (new_state == TCPS_CLOSE_WAIT)
		memory->close_wait_ns = now_ns;
	if (!memory->close_by && new_state == TCPS_FIN_WAIT1)
		memory->close_by = CLOSE_LOCAL;
	else if (!memory->close_by && new_state == TCPS_CLOSE_WAIT)
		memory->close_by = CLOSE_REMOTE;
	if (new_state == TCPS_CLOSED &&
	    (old_state == TCPS_ESTABLISHED || old_state == TCPS_CLOSE_WAIT))
		close_abruptly(memory, tp);
	return memory;
}

#endif
