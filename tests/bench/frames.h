/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The frames the packet bench sends: what Linux puts on the wire for a SYN, a SYN-ACK, an ACK and a
 * data segment, over IPv4 and IPv6. Not here: how they vary (comparators.bpf.c).
 */
#ifndef TCPWATCH_BENCH_FRAMES_H
#define TCPWATCH_BENCH_FRAMES_H

#include <arpa/inet.h>
#include <string.h>

#include "bpf/shared/parse.h"

#define FRAME_MAX	512
#define FRAME_PAYLOAD	100
#define FRAME_PORT	443
#define FRAME_ISN	1000u /* of the client; the server's is twice this */
#define FRAME_OPTIONS	20    /* of a SYN: MSS, SACK-permitted, timestamps, window scale */
#define FRAME_TIMESTAMP 12    /* of any other segment: two NOP, timestamps */

enum frame_kind { FRAME_SYN, FRAME_SYNACK, FRAME_ACK, FRAME_DATA };

/* A frame, and where vary_xdp finds the client's address and port and the sequence number. */
struct bench_frame {
	__u8 bytes[FRAME_MAX];
	__u32 len;
	__u32 addr_at, port_at, seq_at;
	__u32 seq;
	bool is_v6;
};

static inline void bench_frame__tcp(struct bench_frame *fr, enum frame_kind kind, __u32 at)
{
	static const __u8 syn_options[FRAME_OPTIONS] = {2, 4, 0x05, 0xb4, 4, 2, 8, 10, 0, 0,
							0, 1, 0,    0,	  0, 0, 1, 3,  3, 7};
	static const __u8 options[FRAME_TIMESTAMP] = {1, 1, 8, 10, 0, 0, 0, 1, 0, 0, 0, 1};
	static const __u8 flags[] = {
		[FRAME_SYN] = TCPF_SYN,
		[FRAME_SYNACK] = TCPF_SYN | TCPF_ACK,
		[FRAME_ACK] = TCPF_ACK,
		[FRAME_DATA] = TCPF_ACK | TCPF_PSH,
	};
	bool is_syn = flags[kind] & TCPF_SYN, from_server = kind == FRAME_SYNACK;
	__u32 opt_bytes = is_syn ? FRAME_OPTIONS : FRAME_TIMESTAMP;
	struct hdr_tcp tcp = {
		.sport = htons(FRAME_PORT),
		.dport = htons(FRAME_PORT),
		.data_off = (sizeof(tcp) + opt_bytes) << 2,
		.flags = flags[kind],
		.window = htons(502),
	};

	fr->seq = from_server ? 2 * FRAME_ISN : FRAME_ISN + !is_syn;
	tcp.seq = htonl(fr->seq);
	if (kind != FRAME_SYN)
		tcp.ack = htonl(from_server ? FRAME_ISN + 1 : 2 * FRAME_ISN + 1);
	memcpy(fr->bytes + at, &tcp, sizeof(tcp));
	memcpy(fr->bytes + at + sizeof(tcp), is_syn ? syn_options : options, opt_bytes);
	fr->port_at = at + (from_server ? 2 : 0);
	fr->seq_at = at + 4;
	fr->len = at + sizeof(tcp) + opt_bytes + (kind == FRAME_DATA ? FRAME_PAYLOAD : 0);
}

/* Client 10.0.0.0/8, server 192.0.2.1. */
static inline void bench_frame__ipv4(struct bench_frame *fr, enum frame_kind kind)
{
	bool from_server = kind == FRAME_SYNACK;
	struct hdr_ipv4 ip = {.version_ihl = 0x45, .ttl = 64, .protocol = IP_PROTO_TCP};
	__u32 at = sizeof(struct hdr_eth);

	ip.src = htonl(from_server ? 0xc0000201 : 0x0a000000);
	ip.dst = htonl(from_server ? 0x0a000000 : 0xc0000201);
	bench_frame__tcp(fr, kind, at + sizeof(ip));
	ip.total_len = htons(fr->len - at);
	memcpy(fr->bytes + at, &ip, sizeof(ip));
	fr->addr_at = at + (from_server ? 16 : 12);
}

/* Client 2001:db8::/64, of which the interface identifier varies; server 2001:db8:1::1. */
static inline void bench_frame__ipv6(struct bench_frame *fr, enum frame_kind kind)
{
	static const __u8 client[16] = {0x20, 0x01, 0x0d, 0xb8};
	static const __u8 server[16] = {0x20, 0x01, 0x0d, 0xb8, 0, 1, [15] = 1};
	bool from_server = kind == FRAME_SYNACK;
	struct hdr_ipv6 ip = {.version_class = 0x60, .hop_limit = 64, .next_hdr = IP_PROTO_TCP};
	__u32 at = sizeof(struct hdr_eth);

	memcpy(ip.src, from_server ? server : client, 16);
	memcpy(ip.dst, from_server ? client : server, 16);
	bench_frame__tcp(fr, kind, at + sizeof(ip));
	ip.payload_len = htons(fr->len - at - sizeof(ip));
	memcpy(fr->bytes + at, &ip, sizeof(ip));
	fr->addr_at = at + (from_server ? 24 : 8) + 8;
}

/* bench_frame__make() - the frame of @kind; its lengths are right, its checksums are left at 0 */
static inline void bench_frame__make(struct bench_frame *fr, enum frame_kind kind, bool is_v6)
{
	struct hdr_eth eth = {.type = htons(is_v6 ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4)};

	memset(fr, 0, sizeof(*fr));
	fr->is_v6 = is_v6;
	memcpy(fr->bytes, &eth, sizeof(eth));
	if (is_v6)
		bench_frame__ipv6(fr, kind);
	else
		bench_frame__ipv4(fr, kind);
}

#endif
