/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The kernel's own types, as far as the socket programs read them: only the members that are read.
 * CO-RE finds their real places when a program is loaded, and a member that came late or may be
 * compiled out is asked for with bpf_core_field_exists().
 * Not here: packet headers (bpf/shared/parse.h), which must load without BTF.
 */
#ifndef TCPWATCH_VMLINUX_H
#define TCPWATCH_VMLINUX_H

#include <linux/types.h>
#include <linux/bpf.h>
#include <stdbool.h>

#define AF_INET		 2
#define AF_INET6	 10
#define TCP_NEW_SYN_RECV 12 /* include/net/tcp_states.h: a request sock */

#pragma clang attribute push(__attribute__((preserve_access_index)), apply_to = record)

typedef struct {
	int counter;
} atomic_t;

typedef struct {
	__s64 counter;
} atomic64_t;

typedef struct {
	atomic_t refs;
} refcount_t;

typedef struct {
	unsigned int val;
} kuid_t;

struct ns_common {
	unsigned int inum;
};

/* include/net/inet_hashtables.h: where the sockets are that have a peer */
struct inet_hashinfo {
	struct inet_ehash_bucket *ehash; /* each a pointer to the first of a chain */
	unsigned int ehash_mask;
};

struct inet_timewait_death_row {
	struct inet_hashinfo *hashinfo;
};

struct netns_ipv4 {
	struct inet_timewait_death_row tcp_death_row;
	__u8 sysctl_tcp_syncookies;
	int sysctl_max_syn_backlog;
	__u8 sysctl_tcp_abort_on_overflow;
};

struct net {
	struct ns_common ns;
	struct netns_ipv4 ipv4;
};

typedef struct {
	struct net *net;
} possible_net_t;

struct hlist_nulls_node {
	struct hlist_nulls_node *next;
};

struct in6_addr {
	union {
		__be32 u6_addr32[4];
	} in6_u;
};

/* include/net/sock.h: what full, request and TIME_WAIT socks have in common */
struct sock;
struct socket;

struct sock_common {
	__be32 skc_daddr;
	__be32 skc_rcv_saddr;
	__be16 skc_dport;
	__u16 skc_num;
	unsigned int skc_hash;
	refcount_t skc_refcnt;
	unsigned short skc_family;
	volatile unsigned char skc_state;
	unsigned char skc_ipv6only: 1;
	int skc_bound_dev_if;
	possible_net_t skc_net;
	struct in6_addr skc_v6_daddr;	  /* CONFIG_IPV6 */
	struct in6_addr skc_v6_rcv_saddr; /* CONFIG_IPV6 */
	atomic64_t skc_cookie;
	struct hlist_nulls_node skc_nulls_node;
	union {
		unsigned long skc_flags;
		struct sock *skc_listener; /* of a request sock */
	};
};

typedef struct {
	int owned;
} socket_lock_t;

struct kernfs_node {
	__u64 id;
};

struct cgroup {
	struct kernfs_node *kn;
};

struct sock_cgroup_data {
	struct cgroup *cgroup;
};

struct sk_buff;

struct sk_buff_head {
	struct sk_buff *next;
	__u32 qlen;
};

struct sock_extended_err {
	__u32 ee_errno;
};

/* What is in the control block of a packet in an error queue. */
struct sock_exterr_skb {
	struct sock_extended_err ee;
};

struct sock {
	struct sock_common __sk_common;
	struct sk_buff_head sk_error_queue;
	socket_lock_t sk_lock;
	int sk_err;
	int sk_err_soft;
	kuid_t sk_uid;
	__u16 sk_protocol;
	__u8 sk_kern_sock: 1;
	__u8 sk_userlocks: 4; /* 8 bits of its own from 6.14 on */
	__u32 sk_mark;
	struct socket *sk_socket;
	struct sock_reuseport *sk_reuseport_cb;
	atomic_t sk_drops;
	__u32 sk_ack_backlog;
	__u32 sk_max_ack_backlog;
	struct sock_cgroup_data sk_cgrp_data; /* CONFIG_SOCK_CGROUP_DATA */
};

struct sock_reuseport {
	unsigned int synq_overflow_ts; /* jiffies */
};

struct inet_sock {
	struct sock sk;
	__be16 inet_sport;
};

struct request_sock;

struct request_sock_queue {
	atomic_t qlen;
	atomic_t young;
	struct request_sock *rskq_accept_head;
	__u8 rskq_defer_accept;
};

struct inet_connection_sock {
	struct inet_sock icsk_inet;
	struct request_sock_queue icsk_accept_queue;
};

struct tcp_options_received {
	int ts_recent_stamp; /* of a listener: jiffies when its SYN queue last overflowed */
};

struct tcp_sock {
	struct inet_connection_sock inet_conn;
	struct tcp_options_received rx_opt;
	__u8 repair: 1;
	__u32 copied_seq;
	__u32 rcv_nxt;
	__u32 snd_nxt;
	__u32 snd_una;
	__u32 write_seq;
	__u32 snd_cwnd;
	__u32 rcv_tstamp; /* jiffies when the last acknowledgement came */
	__u32 srtt_us;	  /* eight times the smoothed round trip */
	__u32 segs_in;
	__u32 segs_out;
	__u32 total_retrans;
	__u64 bytes_sent;
	__u64 bytes_retrans;
	__u64 bytes_acked;
	__u64 bytes_received;
	bool is_mptcp; /* CONFIG_MPTCP */
};

struct request_sock {
	struct sock_common __req_common;
	__u8 num_retrans;
	__u8 num_timeout: 7;
};

struct inet_request_sock {
	struct request_sock req;
	__u16 acked: 1;
};

struct tcp_request_sock {
	struct inet_request_sock req;
	__u64 snt_synack;
	bool is_mptcp; /* CONFIG_MPTCP and 5.9 */
};

struct timer_list {
	unsigned long expires; /* in jiffies */
};

struct inet_timewait_sock {
	struct sock_common __tw_common;
	unsigned char tw_substate;
	unsigned int tw_kill: 1; /* until 5.17 */
	struct timer_list tw_timer;
};

struct tcp_timewait_sock {
	struct inet_timewait_sock tw_sk;
	int tw_ts_recent_stamp;
};

struct net_device {
	possible_net_t nd_net;
};

struct sk_buff {
	struct net_device *dev;
	char cb[48];
	__be16 protocol;
	__u16 transport_header;
	__u16 network_header;
	unsigned char *head;
};

/* include/net/tcp.h: lies in sk_buff.cb while TCP owns the packet */
struct tcp_skb_cb {
	__u16 tcp_gso_segs;
};

struct task_struct {
	unsigned int flags;
	int pid;
	int tgid;
	struct task_struct *group_leader;
	char comm[16];
};

struct file {
};

struct socket {
	struct sock *sk;
};

struct seq_file {
};

#pragma clang attribute pop

/*
 * What the iterators are called with: the arguments of bpf_iter_tcp() (net/ipv4/tcp_ipv4.c) and its
 * likes, eight bytes each, which the verifier checks. Not
 * relocated: looking up a type costs a millisecond at each start.
 */
struct bpf_iter_meta {
	struct seq_file *seq;
};

struct bpf_iter__tcp {
	struct bpf_iter_meta *meta;
	struct sock_common *sk_common;
};

struct bpf_iter__bpf_sk_storage_map {
	struct bpf_iter_meta *meta;
	struct bpf_map *map;
	struct sock *sk;
	void *value;
};

struct bpf_iter__task {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
};

struct bpf_iter__task_file {
	struct bpf_iter_meta *meta;
	struct task_struct *task;
	__u32 fd;
	__u32 zero;
	struct file *file;
};

#endif
