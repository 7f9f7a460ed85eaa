// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The wire view: XDP and tc programs that parse each frame, track its segment in this CPU's session
 * cache and report what adds evidence. Every frame is passed on untouched. One instance per tap.
 * Not here: what is concluded from the evidence (userspace).
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "cache.h"
#include "record.h"
#include "shared/parse.h"

char _license[] SEC("license")
= "Dual BSD/GPL";

const volatile struct wire_config cfg = {};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wire_counters);
} counters SEC(".maps");

static __always_inline void count(struct wire_counters *cnt, enum wire_counter which)
{
	cnt->value[which]++;
}

static __always_inline bool is_wanted(enum record_kind kind)
{
	return cfg.record_mask & 1u << kind;
}

/* Copies a SYN's options as they are; userspace reads them. */
static __always_inline void copy_options(struct rec_segment *rec, const struct frame *frame,
					 const struct segment *seg)
{
	__u32 off = seg->tcp_off + sizeof(struct hdr_tcp);

	__builtin_memset(rec->options, 0, sizeof(rec->options));
	if (!(seg->flags & TCPF_SYN) ||
	    off > 0x3ff) /* beyond: behind kilobytes of extension headers */
		return;
TW_UNROLL
	for (int i = 0; i < TCP_OPTIONS_MAX; i += 4) {
		const __u8 *at = frame->data + (off & 0x3ff) + i;

		if (i >= seg->opt_bytes || at + 4 > frame->end)
			return;
		__builtin_memcpy(rec->options + i, at, 4);
	}
}

static __always_inline void report_segment(const struct frame *frame, const struct flow_key *key,
					   const struct segment *seg, enum segment_why why,
					   bool ingress, __u64 now_ns)
{
	struct rec_segment *rec;

	if (!is_wanted(REC_SEGMENT))
		return;
	rec = record__reserve(REC_SEGMENT, sizeof(*rec));
	if (!rec)
		return;
	rec->hdr.time_ns = now_ns;
	rec->key = *key;
	rec->seg = *seg;
	rec->why = why;
	rec->ingress = ingress;
	__builtin_memset(rec->zero, 0, sizeof(rec->zero));
	copy_options(rec, frame, seg);
	record__submit(rec, cfg.wake_bytes);
}

/* Sends @frag to userspace, which joins it: leaving the cache loses nothing. */
static __always_inline void hand_over(const struct fragment *frag, enum fragment_why why,
				      __u64 now_ns)
{
	struct rec_fragment *rec;

	if (!is_wanted(REC_FRAGMENT))
		return;
	rec = record__reserve(REC_FRAGMENT, sizeof(*rec));
	if (!rec)
		return;
	rec->hdr.time_ns = now_ns;
	rec->frag = *frag;
	rec->why = why;
	rec->zero = 0;
	record__submit(rec, cfg.wake_bytes);
}

/* Whether a segment has a fragment, and whether that one has just begun. */
enum place_found { FOUND_NONE, FOUND, FOUND_NEW };

/* The way of @slot begins anew with a fragment of @key, at the precise time. */
static __always_inline void begin_fragment(struct cache_slot *slot, const struct flow_key *key,
					   __u16 tag)
{
	cache__begin_write(slot);
	slot->set->tag[slot->way & (CACHE_WAYS - 1)] = tag;
	fragment__init(cache__fragment(slot), key, bpf_ktime_get_ns());
	cache__end_write(slot);
}

/* The tuple is in the cache: does @seg add to its fragment, replace it, or neither? */
static __always_inline enum place_found find_in_fragment(struct fragment *frag,
							 const struct segment *seg,
							 struct wire_counters *cnt, __u64 now_ns)
{
	enum track_place place;

	if (TW_UNLIKELY(fragment__is_full(frag))) {
		hand_over(frag, FRAGMENT_FULL, now_ns);
		fragment__continue(frag, bpf_ktime_get_ns());
	}
	place = track__place(frag, seg, now_ns);
	if (TW_LIKELY(place == PLACE_ADD))
		return FOUND;
	if (place == PLACE_OUTSIDE || place == PLACE_SYN_OLD) {
		count(cnt, place == PLACE_OUTSIDE ? WIRE_OUT_OF_WINDOW : WIRE_SYN_IGNORED);
		return FOUND_NONE;
	}
	hand_over(frag, place == PLACE_REUSED ? FRAGMENT_REUSED : FRAGMENT_RESYNC, now_ns);
	return FOUND_NEW;
}

/* The fragment that @seg belongs to becomes the way of @slot, begun if need be. */
static __always_inline enum place_found find_place(struct cache_slot *slot,
						   const struct flow_key *key,
						   const struct segment *seg, __u16 tag,
						   struct wire_counters *cnt, __u64 now_ns)
{
	enum place_found found;

	if (TW_LIKELY(cache__find(slot, key, tag))) {
		found = find_in_fragment(cache__fragment(slot), seg, cnt, now_ns);
		if (TW_LIKELY(found != FOUND_NEW))
			return found;
	} else {
		cache__make_room(slot, coarse_time(now_ns));
		if (slot->set->tag[slot->way & (CACHE_WAYS - 1)]) {
			count(cnt, WIRE_EVICTED);
			hand_over(cache__fragment(slot), FRAGMENT_EVICTED, now_ns);
		}
	}
	count(cnt, WIRE_INSERTED);
	begin_fragment(slot, key, tag);
	return FOUND_NEW;
}

static __always_inline void track(const struct frame *frame, const struct flow_key *key,
				  const struct segment *seg, struct wire_counters *cnt,
				  bool ingress)
{
	__u32 hash = flow_key__hash(key, cfg.hash_seed);
	__u32 index = hash & (cfg.n_sets - 1);
	void *array = cache__of_this_cpu();
	struct cache_slot slot = {};
	struct fragment *frag;
	enum place_found found;
	enum segment_why why;
	__u64 now_ns;

	if (array)
		slot.set = bpf_map_lookup_elem(array, &index);
	if (!slot.set) {
		count(cnt, WIRE_UNTRACKED);
		return;
	}
	now_ns = bpf_ktime_get_coarse_ns();
	found = find_place(&slot, key, seg, cache__tag(hash), cnt, now_ns);
	if (found == FOUND_NONE)
		return;
	frag = cache__fragment(&slot);
	if (TW_UNLIKELY(found == FOUND_NEW))
		now_ns = frag->first_ns;
	else if (TW_UNLIKELY(track__wants_precise_time(frag, seg)))
		now_ns = bpf_ktime_get_ns();

	cache__begin_write(&slot);
	why = track__segment(frag, seg, now_ns);
	cache__end_write(&slot);
	cache__touch(array, index, cfg.n_sets, coarse_time(now_ns));

	if (TW_LIKELY(!why))
		return;
	if (why == SEG_RETRANSMIT)
		cnt->value[WIRE_RETRANSMIT] += seg->segs;
	if (why == SEG_RST_IGNORED)
		count(cnt, WIRE_RST_IGNORED);
	report_segment(frame, key, seg, why, ingress, now_ns);
}

static __always_inline void count_segment(struct wire_counters *cnt, const struct segment *seg)
{
	cnt->value[WIRE_SEGMENTS] += seg->segs;
	cnt->value[WIRE_BYTES] += seg->payload;
	if (TW_UNLIKELY(seg->flags & TCPF_SYN))
		count(cnt, seg->flags & TCPF_ACK ? WIRE_SYNACK : WIRE_SYN);
	if (TW_UNLIKELY(seg->flags & TCPF_FIN))
		count(cnt, WIRE_FIN);
	if (TW_UNLIKELY(seg->flags & TCPF_RST))
		count(cnt, WIRE_RST);
	else if (TW_UNLIKELY(!seg->window))
		count(cnt, WIRE_ZERO_WINDOW);
}

/* Parse, track, report. Returns the wire_counter that says why the frame was not parsed, or 0. */
static __always_inline int watch(const struct frame *frame, bool ingress, bool last_try)
{
	struct wire_counters *cnt;
	struct flow_key key;
	struct segment seg;
	__u32 zero = 0;
	int err;

	err = parse__frame(frame, cfg.tap, &key, &seg);
	if (TW_UNLIKELY(err == WIRE_TRUNCATED && !last_try))
		return err;
	cnt = bpf_map_lookup_elem(&counters, &zero);
	if (!cnt)
		return 0;
	count(cnt, WIRE_FRAMES);
	if (TW_UNLIKELY(err)) {
		if (err > 0 && err < WIRE_COUNTER_COUNT)
			count(cnt, err);
		return err;
	}
	count_segment(cnt, &seg);
	track(frame, &key, &seg, cnt, ingress);
	return 0;
}

static __always_inline struct frame xdp_frame(struct xdp_md *ctx, __u32 len)
{
	struct frame frame = {
		.data = (const __u8 *)(long)ctx->data,
		.end = (const __u8 *)(long)ctx->data_end,
		.mtu = cfg.mtu,
		.l3 = cfg.l3,
	};

	frame.len = len;
	return frame;
}

SEC("xdp")
int wire_xdp(struct xdp_md *ctx)
{
	struct frame frame = xdp_frame(ctx, ctx->data_end - ctx->data);

	watch(&frame, true, true);
	return XDP_PASS;
}

/* For MTUs beyond a page: the frame continues in fragments, the headers are in the first part. */
SEC("xdp.frags")
int wire_xdp_frags(struct xdp_md *ctx)
{
	struct frame frame = xdp_frame(ctx, bpf_xdp_get_buff_len(ctx));

	watch(&frame, true, true);
	return XDP_PASS;
}

static __always_inline struct frame skb_frame(struct __sk_buff *skb)
{
	struct frame frame = {
		.data = (const __u8 *)(long)skb->data,
		.end = (const __u8 *)(long)skb->data_end,
		.len = skb->len,
		.segs = skb->gso_segs ?: 1,
		.l3 = cfg.l3,
	};

	return frame;
}

/* Room for Ethernet, two tags, IPv6 with extension headers and TCP with options. */
#define PULL_BYTES 256u

static __always_inline int watch_skb(struct __sk_buff *skb, bool ingress)
{
	struct frame frame = skb_frame(skb);

	if (watch(&frame, ingress, false) != WIRE_TRUNCATED)
		return TC_ACT_UNSPEC;
	/* The headers may lie beyond the linear part: bring them in, once. */
	if (skb->len > skb->data_end - skb->data)
		bpf_skb_pull_data(skb, skb->len < PULL_BYTES ? skb->len : PULL_BYTES);
	frame = skb_frame(skb);
	watch(&frame, ingress, true);
	return TC_ACT_UNSPEC; /* whatever comes next decides */
}

SEC("tc")
int wire_tc_ingress(struct __sk_buff *skb)
{
	return watch_skb(skb, true);
}

SEC("tc")
int wire_tc_egress(struct __sk_buff *skb)
{
	if (cfg.ignore_egress)
		return TC_ACT_UNSPEC;
	return watch_skb(skb, false);
}
