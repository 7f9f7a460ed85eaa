// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What watching costs before anything is known of what is watched: the hooks of both views, and a
 * record, as long as tcpwatch's, for each state of a socket and each segment but pure
 * acknowledgements, in which nothing but the header is set.
 */
#include "vmlinux/vmlinux.h"

#include <bpf/bpf_tracing.h>

#include "bpf/record.h"

char LICENSE[] SEC("license")
= "Dual BSD/GPL";

const volatile __u32 netns = 0; /* inode number: of which sockets are told of */

static __always_inline void tell(__u32 kind, __u32 size)
{
	struct record_hdr *hdr = record__reserve(kind, size);

	if (!hdr)
		return;
	hdr->time_ns = bpf_ktime_get_ns();
	bpf_ringbuf_submit(hdr, BPF_RB_NO_WAKEUP);
}

/* Of IPv4 without options, which is all that the bench sends. */
static __always_inline int watch(struct __sk_buff *skb)
{
	const __u8 *frame = (const __u8 *)(long)skb->data;
	const __u8 *tcp = frame + 14 + 20;

	if (tcp + 20 > (const __u8 *)(long)skb->data_end || frame[14] != 0x45 || frame[14 + 9] != 6)
		return -1; /* TCX_NEXT */
	if (tcp[13] & (TCPF_SYN | TCPF_FIN | TCPF_RST) || skb->len > 14 + 20 + (tcp[12] >> 4) * 4)
		tell(REC_SEGMENT, sizeof(struct rec_segment));
	return -1;
}

SEC("tc")
int bare_ingress(struct __sk_buff *skb)
{
	return watch(skb);
}

SEC("tc")
int bare_egress(struct __sk_buff *skb)
{
	return watch(skb);
}

SEC("tp_btf/inet_sock_set_state")
int BPF_PROG(bare_sock_state, const struct sock *sk, int old_state, int new_state)
{
	if (old_state != new_state && sk->__sk_common.skc_net.net->ns.inum == netns)
		tell(REC_SOCK_STATE, sizeof(struct rec_sock_state));
	return 0;
}
