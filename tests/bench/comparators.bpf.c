// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * What the wire program's cost is compared with: an empty XDP program, and the same tracker on an
 * LRU_HASH. Also the program that gives each repeat of BPF_PROG_TEST_RUN another flow before it
 * jumps into the measured one. Only the storage differs: the rest is the wire program's own code.
 */
#include "bpf/wire.bpf.c"

struct {
	__uint(type, BPF_MAP_TYPE_LRU_HASH);
	__uint(max_entries, 65536); /* userspace chooses */
	__type(key, struct flow_key);
	__type(value, struct fragment);
} lru SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PROG_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, __u32);
} target SEC(".maps");

/* How vary_xdp changes the frame: set before each series. Offsets are from the frame's start. */
__u64 repeats;
__u32 flow_mask = ~0u; /* one less than the number of flows, a power of two */
__u32 flow_shift;      /* log2 of it */
__u32 seq_step;	       /* added to the sequence number each time the flow's turn comes */
__u32 seq_start;
__u32 addr_at, port_at, seq_at;
__u32 is_v6;

/* Larger than any header of the bench's frames. */
#define MAX_AT 127

static __always_inline void *frame_at(struct xdp_md *ctx, __u32 at, __u32 size)
{
	void *pos = (void *)(long)ctx->data + (at & MAX_AT);

	return pos + size <= (void *)(long)ctx->data_end ? pos : 0;
}

/*
 * The next flow's address, port and sequence number, each stored in one piece as wide as the
 * parser's read of it: a narrower store would stall the read, which the empty program is spared.
 */
static __always_inline void vary(struct xdp_md *ctx)
{
	__u64 count = repeats++;
	__u32 flow = count & flow_mask;
	__u16 *port = frame_at(ctx, port_at, sizeof(*port));
	__u32 *seq = frame_at(ctx, seq_at, sizeof(*seq));
	__u32 *v4;
	__u64 *v6;

	if (port)
		*port = TW_BE16((__u16)(0x4000 + (flow >> 24)));
	if (seq)
		*seq = TW_BE32(seq_start + (__u32)(count >> flow_shift) * seq_step);
	if (is_v6) {
		v6 = frame_at(ctx, addr_at, sizeof(*v6));
		if (v6)
			*v6 = __builtin_bswap64((__u64)flow + 1);
	} else {
		v4 = frame_at(ctx, addr_at, sizeof(*v4));
		if (v4)
			*v4 = TW_BE32(0x0a000000u | (flow & 0xffffffu));
	}
}

SEC("xdp")
int vary_xdp(struct xdp_md *ctx)
{
	vary(ctx);
	bpf_tail_call(ctx, &target, 0);
	return XDP_ABORTED;
}

SEC("xdp")
int empty_xdp(struct xdp_md *ctx)
{
	return XDP_PASS;
}

/* The fragment of @key, inserted if there is none. An LRU_HASH evicts without a word. */
static __always_inline struct fragment *lru_fragment(const struct flow_key *key,
						     const struct segment *seg,
						     struct wire_counters *cnt, __u64 now_ns,
						     enum place_found *found)
{
	struct fragment *frag = bpf_map_lookup_elem(&lru, key);
	struct fragment fresh;

	if (TW_LIKELY(frag)) {
		*found = find_in_fragment(frag, seg, cnt, now_ns);
		if (*found == FOUND_NEW)
			fragment__init(frag, key, bpf_ktime_get_ns());
		return frag;
	}
	count(cnt, WIRE_INSERTED);
	*found = FOUND_NEW;
	fragment__init(&fresh, key, bpf_ktime_get_ns());
	bpf_map_update_elem(&lru, key, &fresh, BPF_ANY);
	return bpf_map_lookup_elem(&lru, key);
}

static __always_inline enum segment_why track_lru(struct sighting *seen, struct wire_counters *cnt)
{
	__u64 now_ns = coarse_now();
	enum place_found found;
	struct fragment *frag = lru_fragment(&seen->key, &seen->seg, cnt, now_ns, &found);

	if (!frag || found == FOUND_NONE)
		return 0;
	if (TW_UNLIKELY(found == FOUND_NEW))
		now_ns = frag->first_ns;
	else if (TW_UNLIKELY(track__wants_precise_time(frag, &seen->seg)))
		now_ns = bpf_ktime_get_ns();
	seen->time_ns = now_ns;
	return track__segment(frag, &seen->seg, now_ns);
}

/* As account(), track_next() and watch_xdp(), with the other storage. */
__noinline int account_lru(struct sighting *seen)
{
	struct wire_counters *cnt;
	__u32 zero = 0;

	cnt = bpf_map_lookup_elem(&counters, &zero);
	if (!seen || !cnt)
		return 0;
	count(cnt, WIRE_FRAMES);
	count_segment(cnt, &seen->seg);
	seen->why = track_lru(seen, cnt);
	return seen->why && is_wanted(REC_SEGMENT);
}

static __always_inline bool track_next_lru(const struct flow_key *key, const struct segment *seg)
{
	struct fragment *frag = bpf_map_lookup_elem(&lru, key);
	struct wire_counters *cnt;
	__u32 zero = 0;

	cnt = bpf_map_lookup_elem(&counters, &zero);
	if (!frag || !cnt || !track__is_next(frag, seg) || !seg->window)
		return false;
	cnt->value[WIRE_FRAMES]++;
	cnt->value[WIRE_SEGMENTS] += seg->segs;
	cnt->value[WIRE_BYTES] += seg->payload;
	track__next(frag, seg, coarse_now());
	return true;
}

SEC("xdp")
int lru_xdp(struct xdp_md *ctx)
{
	struct frame frame = xdp_frame(ctx);
	struct sighting seen;

	if (parse__frame(&frame, cfg.tap, &seen.key, &seen.seg) ||
	    TW_LIKELY(track_next_lru(&seen.key, &seen.seg)))
		return XDP_PASS;
	sighting__init(&seen, true);
	if (TW_UNLIKELY(account_lru(&seen)))
		report_xdp(ctx, &seen);
	return XDP_PASS;
}
