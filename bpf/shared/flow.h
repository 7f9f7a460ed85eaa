/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Addresses and the canonical key of a flow: the same session has the same key whichever endpoint
 * sent the segment. Not here: parsing of packets (parse.h).
 */
#ifndef TCPWATCH_SHARED_FLOW_H
#define TCPWATCH_SHARED_FLOW_H

#include "types.h"

/* An IPv6 address, or an IPv4 one mapped as ::ffff:a.b.c.d; network byte order. */
struct ip_addr {
	union {
		__u8 bytes[16];
		__be32 words[4];
		__u64 quads[2];
	};
};

/* Index of an endpoint in a flow key, and of the direction whose segments that endpoint sends. */
enum flow_dir { DIR_LOW, DIR_HIGH, DIR_COUNT };

/*
 * Endpoint addr[DIR_LOW]:port[DIR_LOW] sorts before the other one by (address, port) as memory
 * words. Comparable with memcmp: no padding, every byte is set.
 */
struct flow_key {
	struct ip_addr addr[DIR_COUNT];
	union {
		struct {
			__be16 port[DIR_COUNT];
			__u16 tap; /* id of the tap that saw it: 1 … 65535 */
			__u16 zero;
		};
		__u64 ports_tap;
	};
};

_Static_assert(sizeof(struct flow_key) == 40, "flow_key is ABI");

static __always_inline bool ip_addr__equal(const struct ip_addr *a, const struct ip_addr *b)
{
	return a->quads[0] == b->quads[0] && a->quads[1] == b->quads[1];
}

static __always_inline bool ip_addr__is_v4(const struct ip_addr *addr)
{
	return addr->quads[0] == 0 && addr->words[2] == TW_BE32(0x0000ffffu);
}

/* ip_addr__is_link_local() - fe80::/10 (RFC 4291 section 2.5.6): means something on one link alone
 */
static __always_inline bool ip_addr__is_link_local(const struct ip_addr *addr)
{
	return addr->bytes[0] == 0xfe && (addr->bytes[1] & 0xc0) == 0x80;
}

/* ip_addr__is_loopback() - 127.0.0.0/8 or ::1 */
static __always_inline bool ip_addr__is_loopback(const struct ip_addr *addr)
{
	if (ip_addr__is_v4(addr))
		return addr->bytes[12] == 127;
	return addr->quads[0] == 0 && addr->words[2] == 0 && addr->words[3] == TW_BE32(1);
}

/* The parts of 64-bit words in memory order: 32 bits @first, then 32 bits @second. */
static __always_inline __u64 quad_of(__u32 first, __u32 second)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return first | (__u64)second << 32;
#else
	return (__u64)first << 32 | second;
#endif
}

static __always_inline __u32 word_of(__u16 first, __u16 second)
{
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
	return first | (__u32)second << 16;
#else
	return (__u32)first << 16 | second;
#endif
}

/* Whole words, here and in flow_key__set(): parts stored apart and loaded as one stall the
 * processor. */
static __always_inline void ip_addr__set_v4(struct ip_addr *addr, __be32 v4)
{
	addr->quads[0] = 0;
	addr->quads[1] = quad_of(TW_BE32(0x0000ffffu), v4);
}

static __always_inline bool flow_key__equal(const struct flow_key *a, const struct flow_key *b)
{
	const __u64 *x = (const __u64 *)a, *y = (const __u64 *)b;

	return !((x[0] ^ y[0]) | (x[1] ^ y[1]) | (x[2] ^ y[2]) | (x[3] ^ y[3]) | (x[4] ^ y[4]));
}

/* flow_key__same_ends() - equal but for the tap */
static __always_inline bool flow_key__same_ends(const struct flow_key *a, const struct flow_key *b)
{
	return ip_addr__equal(&a->addr[DIR_LOW], &b->addr[DIR_LOW]) &&
	       ip_addr__equal(&a->addr[DIR_HIGH], &b->addr[DIR_HIGH]) &&
	       a->port[DIR_LOW] == b->port[DIR_LOW] && a->port[DIR_HIGH] == b->port[DIR_HIGH];
}

/*
 * flow_key__set() - make the canonical key of a segment from @src:@sport to @dst:@dport
 *
 * Returns the direction of the segment: the index of its sender in the key.
 */
static __always_inline enum flow_dir flow_key__set(struct flow_key *key, const struct ip_addr *src,
						   __be16 sport, const struct ip_addr *dst,
						   __be16 dport, __u16 tap)
{
	bool src_is_low;

	if (src->quads[0] != dst->quads[0])
		src_is_low = src->quads[0] < dst->quads[0];
	else if (src->quads[1] != dst->quads[1])
		src_is_low = src->quads[1] < dst->quads[1];
	else
		src_is_low = sport <= dport;

	if (src_is_low) {
		key->addr[DIR_LOW] = *src;
		key->addr[DIR_HIGH] = *dst;
		key->ports_tap = quad_of(word_of(sport, dport), word_of(tap, 0));
		return DIR_LOW;
	}
	key->addr[DIR_LOW] = *dst;
	key->addr[DIR_HIGH] = *src;
	key->ports_tap = quad_of(word_of(dport, sport), word_of(tap, 0));
	return DIR_HIGH;
}

/* Of @key with @last in place of its last word. */
static __always_inline __u32 flow_key__mix(const struct flow_key *key, __u64 last, __u64 seed)
{
	const __u64 *q = (const __u64 *)key;
	__u64 h;

	/* Five independent products: the processor overlaps them. */
	h = (q[0] ^ seed) * 0x9e3779b97f4a7c15ULL + (q[1] ^ seed >> 7) * 0xbf58476d1ce4e5b9ULL +
	    (q[2] ^ seed >> 13) * 0x94d049bb133111ebULL +
	    (q[3] ^ seed >> 19) * 0xd6e8feb86659fd93ULL +
	    (last ^ seed >> 29) * 0xa0761d6478bd642fULL;
	h = (h ^ (h >> 32)) * 0x9e3779b97f4a7c15ULL;
	return (__u32)(h >> 32);
}

/*
 * flow_key__hash() - 32 well-mixed bits of @key
 *
 * @seed keeps a peer who chooses addresses and ports from aiming at one set of the cache.
 */
static __always_inline __u32 flow_key__hash(const struct flow_key *key, __u64 seed)
{
	return flow_key__mix(key, key->ports_tap, seed);
}

/* flow_key__hash_ends() - likewise of all but its tap */
static __always_inline __u32 flow_key__hash_ends(const struct flow_key *key, __u64 seed)
{
	return flow_key__mix(key, key->ports_tap & quad_of(~0u, 0), seed);
}

#endif
