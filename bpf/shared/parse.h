/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From a frame to a flow key and a segment: Ethernet, two VLAN tags, IPv4 with options and
 * fragments, IPv6 with extension headers, TCP. A cursor checks each bound right before the read, so
 * the same code satisfies the verifier and a fuzzer. Headers are defined here, not taken from the
 * kernel's types: no relocation, hence no need of BTF. Not here: what a segment means (track.h).
 */
#ifndef TCPWATCH_SHARED_PARSE_H
#define TCPWATCH_SHARED_PARSE_H

#include "abi.h"

#define ETH_TYPE_IPV4	    0x0800
#define ETH_TYPE_IPV6	    0x86dd
#define ETH_TYPE_VLAN	    0x8100 /* 802.1Q */
#define ETH_TYPE_QINQ	    0x88a8 /* 802.1ad */
#define ETH_TYPE_QINQ_OLD   0x9100

#define IP_PROTO_HOPOPTS    0
#define IP_PROTO_TCP	    6
#define IP_PROTO_ROUTING    43
#define IP_PROTO_FRAGMENT   44
#define IP_PROTO_AH	    51
#define IP_PROTO_DSTOPTS    60
#define IP_PROTO_MOBILITY   135

#define PARSE_MAX_VLAN_TAGS 2
#define PARSE_MAX_EXT_HDRS  6

/*
 * A header as it lies in a frame, at any address. Told so, clang's BPF target reads it byte by
 * byte, and whoever loads the bytes again as words waits for them. The programs therefore claim as
 * much alignment as their widest load wants: the verifier allows it wherever the processor does not
 * care (HAVE_EFFICIENT_UNALIGNED_ACCESS), elsewhere unless VLAN tags move the header.
 */
#ifdef __bpf__
#define TW_WIRE_FORMAT(widest) __attribute__((packed, aligned(widest)))
#else
#define TW_WIRE_FORMAT(widest) __attribute__((packed))
#endif

struct hdr_eth {
	__u8 dst[6], src[6];
	__be16 type;
} TW_WIRE_FORMAT(2);

struct hdr_vlan {
	__be16 tci;
	__be16 type;
} TW_WIRE_FORMAT(2);

struct hdr_ipv4 {
	__u8 version_ihl, tos;
	__be16 total_len, id, frag_off;
	__u8 ttl, protocol;
	__be16 checksum;
	__be32 src, dst;
} TW_WIRE_FORMAT(4);

struct hdr_ipv6 {
	__u8 version_class, class_flow;
	__be16 flow;
	__be16 payload_len;
	__u8 next_hdr, hop_limit;
	__u8 src[16], dst[16];
} TW_WIRE_FORMAT(8);

/* The common start of the extension headers that are walked (RFC 8200 section 4, RFC 4302). */
struct hdr_ext {
	__u8 next_hdr, len;
	__be16 frag_off; /* of a fragment header */
	__u8 more[4];
} TW_WIRE_FORMAT(2);

struct hdr_tcp {
	__be16 sport, dport;
	__be32 seq, ack;
	__u8 data_off, flags;
	__be16 window, checksum, urgent;
} TW_WIRE_FORMAT(4);

/* The frame as a hook hands it over. */
struct frame {
	const __u8 *data, *end; /* what can be read directly */
	__u32 len;		/* of the whole frame */
	__u16 segs;		/* wire segments it stands for; 0: as many as @mtu tells */
	__u16 mtu;		/* of the interface; with segs 0 only */
	bool l3;		/* starts with the IP header */
};

struct cursor {
	const __u8 *pos, *end;
};

static __always_inline const void *cursor__take(struct cursor *cur, __u32 len)
{
	const __u8 *at = cur->pos;

	if (at + len > cur->end)
		return 0;
	cur->pos = at + len;
	return at;
}

/* What is known between the layers. */
struct parse_state {
	struct cursor cur;
	struct ip_addr src, dst;
	__u32 l4_len;	 /* bytes of the TCP segment, header included */
	__u16 ethertype; /* host byte order */
	__u8 protocol;
	__u8 is_v6;
};

/* Each step returns 0, or the enum wire_counter that says why the frame is not followed further. */

static __always_inline int parse__link(struct parse_state *st, bool l3)
{
	const struct hdr_eth *eth;
	const __u8 *version;
	__u16 type;

	if (l3) {
		version = cursor__take(&st->cur, 1);
		if (!version)
			return WIRE_TRUNCATED;
		st->cur.pos = version;
		st->ethertype = *version >> 4 == 6 ? ETH_TYPE_IPV6 : ETH_TYPE_IPV4;
		return 0;
	}
	eth = cursor__take(&st->cur, sizeof(*eth));
	if (!eth)
		return WIRE_TRUNCATED;
	type = TW_BE16(eth->type);
	TW_UNROLL
	for (int i = 0; i <= PARSE_MAX_VLAN_TAGS; i++) {
		const struct hdr_vlan *vlan;

		if (type != ETH_TYPE_VLAN && type != ETH_TYPE_QINQ && type != ETH_TYPE_QINQ_OLD)
			break;
		if (i == PARSE_MAX_VLAN_TAGS)
			return WIRE_TOO_DEEP;
		vlan = cursor__take(&st->cur, sizeof(*vlan));
		if (!vlan)
			return WIRE_TRUNCATED;
		type = TW_BE16(vlan->type);
	}
	st->ethertype = type;
	return 0;
}

static __always_inline int parse__ipv4(struct parse_state *st, __u32 left)
{
	const struct hdr_ipv4 *ip = cursor__take(&st->cur, sizeof(*ip));
	__u32 hdr_len, total_len;

	if (!ip)
		return WIRE_TRUNCATED;
	hdr_len = (ip->version_ihl & 0xf) * 4u;
	if (ip->version_ihl >> 4 != 4 || hdr_len < sizeof(*ip))
		return WIRE_BAD_HEADER;
	if (ip->protocol != IP_PROTO_TCP)
		return WIRE_NOT_TCP;
	if (TW_BE16(ip->frag_off) & 0x1fff)
		return WIRE_IP_FRAGMENT;

	total_len = TW_BE16(ip->total_len);
	if (!total_len) /* BIG TCP: longer than the field can say */
		total_len = left;
	if (total_len > left)
		return WIRE_TRUNCATED;
	if (total_len < hdr_len)
		return WIRE_BAD_HEADER;
	st->l4_len = total_len - hdr_len;
	ip_addr__set_v4(&st->src, ip->src);
	ip_addr__set_v4(&st->dst, ip->dst);
	st->cur.pos += hdr_len - sizeof(*ip); /* options; the next take checks */
	return 0;
}

/*
 * By header type: what its length field counts, in bytes (RFC 8200 section 4, RFC 4302); each
 * header that is walked has 8 bytes beside. A table, since a branch for each type and depth is a
 * path for the verifier.
 */
#define EXT_HDR	     0x80 /* one that is walked */
#define EXT_HDR_UNIT 0x0c
#define EXT_HDR_MAX  0xfff /* of 255 units of 8 bytes */
static const __u8 ext_hdr_unit[256] = {
	[IP_PROTO_HOPOPTS] = EXT_HDR | 8,  [IP_PROTO_ROUTING] = EXT_HDR | 8,
	[IP_PROTO_DSTOPTS] = EXT_HDR | 8,  [IP_PROTO_MOBILITY] = EXT_HDR | 8,
	[IP_PROTO_FRAGMENT] = EXT_HDR | 0, [IP_PROTO_AH] = EXT_HDR | 4,
};

static __always_inline int parse__ext_hdrs(struct parse_state *st, __u8 proto)
{
	const struct hdr_ext *ext;
	__u32 len, unit;

	TW_UNROLL
	for (int i = 0; i < PARSE_MAX_EXT_HDRS; i++) {
		if (proto == IP_PROTO_TCP)
			return 0;
		ext = cursor__take(&st->cur, sizeof(*ext));
		if (!ext)
			return WIRE_TRUNCATED;
		unit = ext_hdr_unit[proto];
		if (!unit)
			return WIRE_NOT_TCP;
		len = ext->len * (unit & EXT_HDR_UNIT);
		/* The verifier of Linux 6.1 loses the bounds of a product: bound it where it sees.
		 */
		asm volatile("" : "+r"(len));
		len = (len & EXT_HDR_MAX) + sizeof(*ext);
		if (proto == IP_PROTO_FRAGMENT && (TW_BE16(ext->frag_off) & 0xfff8))
			return WIRE_IP_FRAGMENT;
		if (len > st->l4_len)
			return WIRE_BAD_HEADER;
		st->l4_len -= len;
		st->cur.pos += len - sizeof(*ext);
		proto = ext->next_hdr;
	}
	return proto == IP_PROTO_TCP ? 0 : WIRE_TOO_DEEP;
}

static __always_inline int parse__ipv6(struct parse_state *st, __u32 left)
{
	const struct hdr_ipv6 *ip = cursor__take(&st->cur, sizeof(*ip));
	__u32 payload_len;

	if (!ip)
		return WIRE_TRUNCATED;
	if (ip->version_class >> 4 != 6)
		return WIRE_BAD_HEADER;
	payload_len = TW_BE16(ip->payload_len);
	if (!payload_len) /* BIG TCP (RFC 2675) */
		payload_len = left - sizeof(*ip);
	if (payload_len + sizeof(*ip) > left)
		return WIRE_TRUNCATED;
	st->l4_len = payload_len;
	st->is_v6 = 1;
	__builtin_memcpy(&st->src, ip->src, sizeof(st->src));
	__builtin_memcpy(&st->dst, ip->dst, sizeof(st->dst));
	return parse__ext_hdrs(st, ip->next_hdr);
}

/* Flags that no TCP sends: RFC 9293 drops a segment without ACK that is neither SYN nor RST. */
static __always_inline bool parse__flags_are_bad(__u8 flags)
{
	if (TW_LIKELY((flags & (TCPF_SYN | TCPF_FIN | TCPF_RST | TCPF_ACK)) == TCPF_ACK))
		return false;
	if (flags & TCPF_SYN)
		return flags & (TCPF_FIN | TCPF_RST);
	return !(flags & (TCPF_ACK | TCPF_RST));
}

static __always_inline int parse__tcp(struct parse_state *st, const struct frame *frame, __u16 tap,
				      struct flow_key *key, struct segment *seg)
{
	const struct hdr_tcp *tcp = cursor__take(&st->cur, sizeof(*tcp));
	__u32 hdr_len, mss;

	if (!tcp)
		return WIRE_TRUNCATED;
	hdr_len = (tcp->data_off >> 4) * 4u;
	if (hdr_len < sizeof(*tcp) || hdr_len > st->l4_len)
		return WIRE_BAD_HEADER;
	if (parse__flags_are_bad(tcp->flags))
		return WIRE_BAD_FLAGS;

	seg->seq = TW_BE32(tcp->seq);
	seg->ack = TW_BE32(tcp->ack);
	seg->flags = tcp->flags;
	/* A RST ends the session whatever else the segment says (RFC 9293 section 3.10.7.4, first
	 * check). */
	if (seg->flags & TCPF_RST)
		seg->flags &= ~TCPF_FIN;
	seg->payload = st->l4_len - hdr_len;
	seg->window = TW_BE16(tcp->window);
	seg->opt_bytes = hdr_len - sizeof(*tcp);
	seg->tcp_off = (__u16)((const __u8 *)tcp - frame->data);
	seg->is_v6 = st->is_v6;
	seg->zero = 0;
	seg->segs = frame->segs;
	if (TW_UNLIKELY(!seg->segs)) {
		seg->segs = 1;
		mss = frame->mtu - hdr_len -
		      (st->is_v6 ? sizeof(struct hdr_ipv6) : sizeof(struct hdr_ipv4));
		if (frame->mtu > 128 && seg->payload > frame->mtu)
			seg->segs = (seg->payload + mss - 1) / mss;
	}
	seg->dir = flow_key__set(key, &st->src, tcp->sport, &st->dst, tcp->dport, tap);
	return 0;
}

/*
 * parse__frame() - make @key and @seg of @frame
 *
 * Returns 0, or the enum wire_counter that says why it is not a TCP segment that can be tracked.
 */
static __always_inline int parse__frame(const struct frame *frame, __u16 tap, struct flow_key *key,
					struct segment *seg)
{
	struct parse_state st = {.cur = {frame->data, frame->end}};
	__u32 left;
	int err;

	err = parse__link(&st, frame->l3);
	if (err)
		return err;
	left = frame->len - (__u32)(st.cur.pos - frame->data);
	if (st.ethertype == ETH_TYPE_IPV4)
		err = parse__ipv4(&st, left);
	else if (st.ethertype == ETH_TYPE_IPV6)
		err = parse__ipv6(&st, left);
	else
		return WIRE_NOT_TCP;
	if (err)
		return err;
	return parse__tcp(&st, frame, tap, key, seg);
}

#endif
