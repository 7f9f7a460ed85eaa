/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel side and userspace tell each other: the records of the ring buffer and of the
 * iterators, the counters and the programs' constants. Not here: the session cache
 * (cache_layout.h). Enums are append-only and records only grow at their end: a recording is a
 * sequence of records.
 */
#ifndef TCPWATCH_SHARED_ABI_H
#define TCPWATCH_SHARED_ABI_H

#include "flow.h"
#include "fragment.h"
#include "log2_histogram.h"
#include "tcp_state.h"
#include "walk.h"

/* X(enumerator, name shown where its losses are counted) */
#define RECORD_KINDS(X)                                                                       \
	X(SEGMENT, "segment")	    /* wire: a segment that added evidence */                 \
	X(FRAGMENT, "fragment")	    /* wire: a fragment, live or handed over */               \
	X(SOCK, "sock")		    /* iterator: a socket as it is now */                     \
	X(SOCK_STATE, "sock-state") /* tracepoint: a socket changes state */                  \
	X(SOCK_RETRANSMIT, "sock-retransmit")                                                 \
	X(SOCK_RESET, "sock-reset")                                                           \
	X(OWNER, "owner")		    /* iterator: a process holds this socket */       \
	X(SNAPSHOT_BEGIN, "snapshot-begin") /* made by a source: SOCK records follow */       \
	X(SNAPSHOT_END, "snapshot-end")	    /* … and whatever did not appear is gone */     \
	X(LISTENER, "listener")		    /* iterator: a listening socket */                \
	X(REQUEST, "request")		    /* iterator: a half-open connection */            \
	X(TUPLE, "tuple")		    /* lean iterator: who holds which port */         \
	X(TUPLES_END, "tuples-end")	    /* … its last record */                         \
	X(OPENING, "opening")		    /* tracepoint: a session is open on this tuple */ \
	X(CLOSING, "closing")		    /* tracepoint: this side closes first */          \
	X(PROCESS, "process")		    /* iterator: a process of userspace */

enum record_kind {
	REC_NONE,
#define X(id, name) REC_##id,
	RECORD_KINDS(X)
#undef X
		REC_COUNT,
};

struct record_hdr {
	__u16 kind; /* enum record_kind */
	__u16 size; /* of the whole record */
	__u32 cpu;
	__u64 time_ns; /* CLOCK_MONOTONIC */
};

/* Why a segment was reported. Append-only. */
enum segment_why {
	SEG_NEW_STEP = 1, /* the first of its step in this fragment */
	SEG_SYN_AGAIN,	  /* retransmitted SYN or SYN-ACK */
	SEG_FIN_AGAIN,	  /* retransmitted FIN */
	SEG_RETRANSMIT,	  /* retransmitted payload */
	SEG_CLOSING_ACK,  /* acknowledgement that went on while closing */
	SEG_RST_IGNORED,  /* RST outside RCV.NXT: RFC 5961 challenge ACK, not a close */
};

struct rec_segment {
	struct record_hdr hdr;
	struct flow_key key;
	struct segment seg;
	__u8 options[TCP_OPTIONS_MAX]; /* of a SYN, seg.opt_bytes of them (tcp_options__parse); else
					  0 */
	__u8 why;		       /* enum segment_why */
	__u8 ingress;		       /* seen entering the tap's interface */
	__u8 fate;		       /* enum syn_fate, of a SYN that enters this host; else 0 */
	__u8 zero[5];
};

/* Why a fragment was handed over. Append-only. */
enum fragment_why {
	FRAGMENT_LIVE = 0, /* it was not: a copy of what is in the cache */
	FRAGMENT_EVICTED,  /* its place was needed */
	FRAGMENT_REUSED,   /* a new session began on the same tuple */
	FRAGMENT_FULL,	   /* a counter would soon wrap: the session goes on in a new fragment */
	FRAGMENT_RESYNC,   /* stale, and the sequence numbers have moved on */
};

struct rec_fragment {
	struct record_hdr hdr; /* hdr.cpu: the cache it is from */
	struct fragment frag;
	__u32 why; /* enum fragment_why */
	__u32 zero;
};

/* Who opened the connection, as this host's socket knows it. */
enum sock_role { ROLE_UNKNOWN, ROLE_ACTIVE, ROLE_PASSIVE };

/* Who ended it first. */
enum close_by { CLOSE_NOBODY, CLOSE_LOCAL, CLOSE_REMOTE };

#define SOCK_COMM_LEN 16

/* A socket of this kernel: TCP socket, listener, request or TIME_WAIT minisock. Host byte order but
 * addr. */
struct sock_info {
	__u64 cookie; /* 0: the kernel has not given it one (request and TIME_WAIT minisocks) */
	struct ip_addr local, remote;
	__u16 local_port, remote_port;
	__u32 netns;   /* inode number of its network namespace */
	__u8 family;   /* AF_INET or AF_INET6, of the socket: a v4-mapped peer on an AF_INET6 socket
			  is 6 */
	__u8 state;    /* enum tcp_state as ss shows it; orphaned FIN_WAIT2 minisock: FIN_WAIT2 */
	__u8 role;     /* enum sock_role */
	__u8 close_by; /* enum close_by */
	__u8 syn_retransmits; /* of a request sock: SYN-ACKs sent again */
	__u8 is_minisock;     /* request or TIME_WAIT sock: has no counters, queues or owner */
	__u8 is_mptcp: 1;
	__u8 is_v6only: 1; /* of a listener: it takes no IPv4 */
	__u8 reset_seen;   /* enum close_by: who sent a RST */
	__u32 uid;
	__u32 ifindex; /* bound to this device, or 0 */
	__u64 cgroup_id;
	__u64 born_ns;	      /* birth of the socket or of the request; 0: older than the tool */
	__u64 established_ns; /* 0: not yet, or before the tool */
	__u64 syn_ns; /* active open: when SYN_SENT began; passive: when the request was made; 0
			 unknown */
	__u64 close_wait_ns; /* of one in CLOSE_WAIT: since when; 0 unknown */
	__u64 tx_bytes;	     /* payload acknowledged by the peer */
	__u64 rx_bytes;	     /* payload received in order */
	__u32 tx_segments, rx_segments;
	__u32 retransmits;
	__u32 srtt_us; /* 0: no measurement yet */
	__u32 snd_cwnd;
	__u32 rx_queue;		  /* unread bytes; of a listener: accept queue */
	__u32 tx_queue;		  /* unacknowledged bytes; of a listener: its limit */
	__u32 syn_queue;	  /* of a listener: SYN queue */
	__u32 syn_young;	  /* of a listener: those of it not yet retransmitted */
	__s32 error;		  /* sk_err at a transition to CLOSED: errno, or 0 */
	__u32 pid;		  /* process (tgid) that opened or closed it; 0: unknown */
	char comm[SOCK_COMM_LEN]; /* of that process's leader; hostile bytes */
	__u8 close_wait_at_least; /* 1: .close_wait_ns is the latest that it can have been */
	__u8 syn_timeouts;	  /* of a request: how often its timer has expired */
	__u8 is_acked;	   /* of a request that a tracepoint tells of: its acknowledgement came and
			      found the accept queue full */
	__u8 soft_error;   /* at CLOSED: an errno of ICMP's that did not by itself end it, or 0 */
	__u32 mark;	   /* SO_MARK, which a packet's may become; of minisocks it is not told */
	__u8 is_autobound; /* the kernel chose its port; likewise */
	__u8 zero[3];
	__u64 holder; /* cookie of the socket that processes hold in its place, MPTCP's; 0: none */
};

struct rec_sock {
	struct record_hdr hdr;
	struct sock_info sock;
};

struct rec_sock_state {
	struct record_hdr hdr;
	struct sock_info sock; /* sock.state is the new state */
	__u8 old_state;
	__u8 zero[7];
};

struct rec_sock_retransmit {
	struct record_hdr hdr;
	struct sock_info sock;
};

/* Why a listener answered an acknowledgement with a RST, as its own state tells. Append-only. */
enum listener_reset {
	LISTENER_RESET_NONE,   /* it is not a listener's */
	LISTENER_RESET_STRAY,  /* nothing was known of the handshake */
	LISTENER_RESET_COOKIE, /* it had sent SYN cookies, and this is none of them */
	LISTENER_RESET_FULL,   /* its accept queue was full, and tcp_abort_on_overflow is set */
};

/* reason: enum sk_rst_reason or skb drop reason is resolved to text by userspace; -1: kernel gives
 * none */
struct rec_sock_reset {
	struct record_hdr hdr;
	struct sock_info sock; /* cookie 0: no socket, addresses from the packet */
	__u8 by;	       /* enum close_by: sent (local) or received (remote) */
	__u8 of_listener;      /* enum listener_reset: a listener sent it, this is why */
	__u8 zero[2];
	__s32 reason;
};

struct rec_owner {
	struct record_hdr hdr;
	__u64 cookie;
	__u32 pid;
	__u32 fd;
	char comm[SOCK_COMM_LEN];
};

struct rec_process {
	struct record_hdr hdr;
	__u32 pid;
	__u32 zero;
};

struct rec_listener {
	struct record_hdr hdr;
	struct sock_info sock;
	__u64 oldest_accept_ns; /* when the SYN-ACK went out to whoever waits longest for accept();
				   0: nobody waits, or it was a SYN cookie */
	__u32 drops;		/* sk_drops: SYNs and final ACKs refused, ever; wraps */
	__u32 zero;
};

/* A connection in the SYN queue of @listener. */
struct rec_request {
	struct record_hdr hdr;
	__u64 listener;	   /* cookie; 0: nobody asked for it yet */
	__u64 syn_ns;	   /* when its first SYN-ACK went out */
	__u32 retransmits; /* of the SYN-ACK */
	__u32 zero;
};

/* What accounts of ports and of TIME_WAIT need of a socket: a fraction of struct sock_info. Of
 * REC_TUPLE and REC_OPENING. */
struct rec_tuple {
	struct record_hdr hdr;
	struct ip_addr local, remote;
	__u64 cookie; /* 0: the kernel has not given it one */
	__u16 local_port, remote_port;
	__s32 left_ticks;    /* of a TIME_WAIT sock: until its timer is due, in the kernel's ticks;
				less than 0: late */
	__u8 state;	     /* as in struct sock_info */
	__u8 is_time_wait;   /* a TIME_WAIT sock, whose state may be FIN_WAIT2 */
	__u8 has_timestamps; /* of a TIME_WAIT sock: the peer sends them, which reuse needs */
	__u8 role;	     /* enum sock_role; REC_OPENING only … */
	__u32 netns;	     /* … and so is this: a listing is of one namespace */
};

struct rec_tuples_end {
	struct record_hdr hdr;
	__u32 counts_ends; /* TW and TWKilled count TIME_WAIT socks that end, not those that begin
			    */
	__u32 zero;
};

/* Who is about to send the first FIN. */
struct rec_closing {
	struct record_hdr hdr;
	__u64 cookie;
	__u32 netns;
	__u32 pid; /* 0: the kernel itself, or nobody knows */
	__u8 role; /* enum sock_role */
	__u8 zero[7];
	char comm[SOCK_COMM_LEN]; /* hostile bytes */
};

struct rec_snapshot {
	struct record_hdr hdr;
	__u32 netns; /* the namespace whose sockets are between BEGIN and END */
	__u32 ok;    /* END: 1 if the iteration was whole */
};

union record {
	struct record_hdr hdr;
	struct rec_segment segment;
	struct rec_fragment fragment;
	struct rec_sock sock;
	struct rec_sock_state sock_state;
	struct rec_sock_retransmit sock_retransmit;
	struct rec_sock_reset sock_reset;
	struct rec_owner owner;
	struct rec_snapshot snapshot;
	struct rec_listener listener;
	struct rec_request request;
	struct rec_tuple tuple;
	struct rec_tuples_end tuples_end;
	struct rec_closing closing;
	struct rec_process process;
};

/* ---- counters -------------------------------------------------------------------------------- */

/* Per tap and per CPU. X(enumerator, key, help) */
#define WIRE_COUNTERS(X)                                                                         \
	X(FRAMES, "frames", "frames seen")                                                       \
	X(SEGMENTS, "segments", "TCP segments tracked")                                          \
	X(BYTES, "bytes", "TCP payload bytes tracked")                                           \
	X(SYN, "syn", "SYN segments, retransmissions included")                                  \
	X(SYNACK, "syn_ack", "SYN-ACK segments, retransmissions included")                       \
	X(FIN, "fin", "FIN segments, retransmissions included")                                  \
	X(RST, "rst", "RST segments")                                                            \
	X(RETRANSMIT, "retransmit", "segments whose payload was seen before")                    \
	X(ZERO_WINDOW, "zero_window", "segments that announce a window of 0")                    \
	X(NOT_TCP, "not_tcp", "frames of other protocols")                                       \
	X(TRUNCATED, "truncated", "frames that end within a header")                             \
	X(BAD_HEADER, "bad_header", "headers whose fields contradict each other")                \
	X(IP_FRAGMENT, "ip_fragment", "later IP fragments, which have no TCP header")            \
	X(TOO_DEEP, "too_deep", "more VLAN tags or extension headers than are followed")         \
	X(BAD_FLAGS, "bad_flags", "nonsensical flags (none, SYN+FIN, SYN+RST)")                  \
	X(OUT_OF_WINDOW, "out_of_window", "segments far outside the session's sequence numbers") \
	X(RST_IGNORED, "rst_ignored", "RST segments that RFC 5961 does not accept")              \
	X(INSERTED, "inserted", "fragments begun")                                               \
	X(EVICTED, "evicted", "fragments evicted to make room")                                  \
	X(REPLACED, "replaced", "fragments whose place the next session on the tuple took")      \
	X(UNTRACKED, "untracked", "segments with no cache on their CPU")

enum wire_counter {
#define X(id, key, help) WIRE_##id,
	WIRE_COUNTERS(X)
#undef X
		WIRE_COUNTER_COUNT,
};

/* How long this host's sockets take to answer a SYN: 32 us to 134 s. */
static const struct log2_shape answer_shape = {.first = 5, .step = 1, .n_bounds = 23};

struct wire_counters {
	__u64 value[WIRE_COUNTER_COUNT];
	struct log2_histogram
		answers; /* from the first SYN to the first SYN-ACK, of answer_shape */
};

/* wire_counters__add() - add @one, of a CPU or of a tap, to @sum */
static __always_inline void wire_counters__add(struct wire_counters *sum,
					       const struct wire_counters *one)
{
	for (int i = 0; i < WIRE_COUNTER_COUNT; i++)
		sum->value[i] += one->value[i];
	log2_histogram__merge(&sum->answers, &one->answers);
}

/* Records that found the ring buffer full, per CPU and kind. */
struct lost_counters {
	__u64 value[REC_COUNT];
};

/* Per CPU, this host's sockets in the chosen namespaces. X(enumerator, key, help) */
#define SOCK_COUNTERS(X)                                                                        \
	X(ACTIVE_OPEN, "active_opens",                                                          \
	  "connections opened by this host (SYN_SENT to ESTABLISHED)")                          \
	X(PASSIVE_OPEN, "passive_opens", "connections accepted from others")                    \
	X(CLOSED_LOCAL, "closed_local", "established connections that this host closed first")  \
	X(CLOSED_REMOTE, "closed_remote", "established connections that the peer closed first") \
	X(CLOSED_RESET, "closed_reset", "established connections ended by a reset")             \
	X(CLOSED_OTHER, "closed_other",                                                         \
	  "established connections ended otherwise (time-out, abort)")                          \
	X(CONNECT_FAILED, "connect_failed", "SYN_SENT to CLOSED: refused, timed out, aborted")  \
	X(RETRANSMIT, "retransmits", "segments sent again")                                     \
	X(SYNACK_RETRANSMIT, "synack_retransmits", "SYN-ACKs sent again")                       \
	X(RESET_SENT, "resets_sent", "RST segments sent")                                       \
	X(RESET_RECEIVED, "resets_received", "RST segments accepted")

enum sock_counter {
#define X(id, key, help) SOCKC_##id,
	SOCK_COUNTERS(X)
#undef X
		SOCK_COUNTER_COUNT,
};

struct sock_counters {
	__u64 value[SOCK_COUNTER_COUNT];
};

/*
 * What becomes of a SYN that reaches this host, as the listener's queues tell when it arrives
 * (tcp_conn_request() in net/ipv4/tcp_input.c). What happens to it before TCP, in a firewall or for
 * lack of memory, is not among it. Append-only. X(enumerator, key, help)
 */
#define LISTENER_FATES(X)                                                                 \
	X(QUEUED, "queued", "answered by a SYN-ACK and kept in the SYN queue")            \
	X(COOKIE, "cookie", "answered by a SYN cookie, kept nowhere")                     \
	X(ACCEPT_FULL, "dropped_accept_queue", "dropped: the accept queue is full")       \
	X(SYN_FULL, "dropped_syn_queue", "dropped: the SYN queue is full")                \
	X(BACKLOG_FULL, "dropped_syn_backlog",                                            \
	  "dropped: no cookies, and three quarters of tcp_max_syn_backlog are half open") \
	X(REPEATED, "repeated", "sent again by a connection that is half open already")

/* … and of one that comes for no listener */
#define STRAY_FATES(X)                                                                     \
	X(IN_SESSION, "in_session", "of a connection that is open: draws a challenge ACK") \
	X(NO_LISTENER, "no_listener", "nobody listens on this address and port")

#define SYN_FATES(X) LISTENER_FATES(X) STRAY_FATES(X)

enum syn_fate {
	SYN_FATE_NONE, /* not for this host, or not looked at */
#define X(id, key, help) SYN_##id,
	SYN_FATES(X)
#undef X
		SYN_FATE_COUNT,
};

/* Per listener, what sockets tell. X(enumerator, key, help) */
#define LISTENER_COUNTERS(X)                                              \
	X(SYNACK_RETRANSMIT, "synack_retransmits", "SYN-ACKs sent again") \
	X(COMPLETED, "completed", "handshakes completed")

enum listener_counter {
#define X(id, key, help) LISTENER_##id,
	LISTENER_COUNTERS(X)
#undef X
		LISTENER_COUNTER_COUNT,
};

/* Cookie 0: SYNs without a listener, and whatever finds no room for its own. */
struct listener_key {
	__u64 cookie;
	__u32 netns;
	__u32 zero;
};

/* The latest look at a listener, and how many there were within the present jiffy. */
struct listener_look {
	__u64 cookie;
	__u32 jiffy;
	__u32 n_syns, n_looks;
	__u32 fate; /* enum syn_fate that the next SYN is likely to share; 0: none yet */
};

/* Per CPU. Fates and the look are written by the packet path alone, the rest by tracepoints. */
struct listener_counters {
	__u64 fate[SYN_FATE_COUNT];
	__u64 n_inferred; /* of them: taken from the SYN before, as too many came at once */
	__u64 value[LISTENER_COUNTER_COUNT];
	struct listener_look look;
};

/* listener_counters__add() - @one is part of @sum */
static __always_inline void listener_counters__add(struct listener_counters *sum,
						   const struct listener_counters *one)
{
	for (int i = 0; i < SYN_FATE_COUNT; i++)
		sum->fate[i] += one->fate[i];
	for (int i = 0; i < LISTENER_COUNTER_COUNT; i++)
		sum->value[i] += one->value[i];
	sum->n_inferred += one->n_inferred;
}

/* ---- constants given to a program before it is loaded (.rodata) -------------------------------
 */

/* With .tap 0 a program serves many taps, and whoever calls it tells which (struct wire_tap). */
struct wire_config {
	__u64 hash_seed;
	__u64 tick_ns; /* CLOCK_MONOTONIC advances so much with each of the kernel's jiffies … */
	__s64 jiffies_0_ns; /* … and stood here at jiffy 0 */
	__u32 n_sets;	    /* power of two */
	__u32 record_mask;  /* 1 << enum record_kind: what to send */
	__u32 wake_bytes;   /* wake the reader when this much waits in the ring */
	__u16 tap;
	__u8 ignore_egress; /* lo: each packet passes twice, count it on ingress only */
	__u8 l3;	    /* the interface has no link-layer header (tun, wireguard) */
	__u16 mtu; /* of the interface: generic XDP shows super-packets without their segment count
		    */
	__u8 full_at_limit; /* 1: a SYN queue is full with as many as its limit, not one more */
	__u8 zero;
	__u16 fate_looks; /* SYNs to a listener within a jiffy that are looked at each by itself;
			     beyond, ever fewer are, twice as many at most. 0: no fates. Needs the
			     kernel's BTF */
	__u32 netns;	  /* inode number, of the tap's interface */
};

/* The tap that a frame is seen at: what a program that serves many is told with each frame. */
struct wire_tap {
	__u32 slot;  /* of its counters */
	__u32 netns; /* as in struct wire_config, and so are the rest */
	__u16 tap;
	__u16 l3;
};

/* A bit for each tap, by its id: what it shows of this host's own handshakes another tap shows too.
 */
#define TAP_BITS_PER_WORD 64
#define TAP_BITS_WORDS	  (65536 / TAP_BITS_PER_WORD)

/* Transitions of sockets by namespace, of which some share a count: whether there were any. */
#define NETNS_ACTIVITY_SLOTS 4096 /* a power of two */
/* Each count is in parts, one for some CPUs: all write it all the time. */
#define NETNS_ACTIVITY_PARTS 8 /* likewise */

struct sock_config {
	__u64 tick_ns; /* of the kernel's jiffies; 0: not known */
	__u32 record_mask;
	__u32 wake_bytes;
	__u32 filter_netns;    /* 1: only namespaces that are keys of the map `namespaces` */
	__u32 can_read_kernel; /* 0: lockdown refuses to read packets; resets without a socket are
				  counted but not reported */
	__u32 follow;	       /* 1: count transitions and remember births, whatever is reported */
	__u32 count_listeners; /* 1: keep what happens at each listener */
	__u32 tally;	       /* 1: keep the counts of shared/tally.h too */
	__u32 time_requests;   /* 1: keep half-open connections until they are completed */
	__u32 remembers;       /* 1: sockets may have a memory (sock_memory.h) */
	__u32 may_walk; /* 1: who lists all sockets can do without their cookies (sock_walk.h) */
};

#endif
