// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The wire view: XDP and tc programs that parse each frame, track its segment in this CPU's session
 * cache and report what adds evidence. Every frame is passed on untouched. An XDP program serves
 * one tap, whose constants it is loaded with; a tc program may serve many, as virtual interfaces
 * are. Not here: what is concluded from the evidence (userspace).
 */
#include <linux/bpf.h>
#include <linux/pkt_cls.h>
#include <bpf/bpf_helpers.h>

#include "cache.h"
#include "wire_report.h"

char _license[] SEC("license")
= "Dual BSD/GPL";

/*
 * Time to a jiffy. Jiffies are counted from CLOCK_MONOTONIC (kernel/time/tick-sched.c,
 * tick_do_update_jiffies64), so they tell it; bpf_ktime_get_coarse_ns() costs seven times as much.
 */
static __always_inline __u64 coarse_now(void)
{
	return bpf_jiffies64() * cfg.tick_ns + cfg.jiffies_0_ns;
}

/* Whether a segment has a fragment, and whether that one has just begun. */
enum place_found { FOUND_NONE, FOUND, FOUND_NEW };

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
	if (place == PLACE_OUTSIDE) {
		count(cnt, WIRE_OUT_OF_WINDOW);
		return FOUND_NONE;
	}
	count(cnt, WIRE_REPLACED);
	hand_over(frag, place == PLACE_REUSED ? FRAGMENT_REUSED : FRAGMENT_RESYNC, now_ns);
	return FOUND_NEW;
}

static __always_inline void evict(const struct cache_slot *slot, struct wire_counters *cnt,
				  __u64 now_ns)
{
	count(cnt, WIRE_EVICTED);
	if (!cache__is_told(slot))
		hand_over(cache__fragment(slot), FRAGMENT_EVICTED, now_ns);
}

/* The way for @seen becomes that of @slot: its fragment's, or one to begin a fragment in. */
static __always_inline enum place_found
find_place(struct cache_slot *slot, const struct sighting *seen, struct wire_counters *cnt)
{
	enum place_found found;

	if (TW_LIKELY(cache__find(slot, &seen->key, cache__tag(seen->hash)))) {
		found = find_in_fragment(cache__fragment(slot), &seen->seg, cnt, seen->time_ns);
		if (TW_LIKELY(found != FOUND_NEW))
			return found;
	} else {
		cache__make_room(slot);
		if (!cache__is_empty(slot))
			evict(slot, cnt, seen->time_ns);
	}
	count(cnt, WIRE_INSERTED);
	return FOUND_NEW;
}

/*
 * Adds the segment to its fragment, at the time in @seen. Like account() a global function, so that
 * the verifier follows it once and not once for each way of the set.
 */
__noinline int add(struct fragment *frag, const struct sighting *seen)
{
	enum segment_why why;

	if (!frag || !seen)
		return 0;
	why = track__segment(frag, &seen->seg, seen->time_ns);
	if (is_wanted(REC_SEGMENT))
		track__leave_to_record(frag, &seen->seg, why);
	return why;
}

/*
 * This host answers a SYN: how long did it take? Known where both passed on one CPU, as they do
 * when the answer is sent by the interrupt that brought the SYN.
 */
static __always_inline void time_answer(const struct fragment *frag, const struct sighting *seen,
					struct wire_counters *cnt)
{
	__u32 syn = frag->step_at[!segment__dir(&seen->seg)][STEP_SYN];
	__u64 bucket, ns;

	if (!syn)
		return;
	ns = seen->time_ns - frag->first_ns - step_time__decode(syn);
	bucket = log2_shape__bucket(&answer_shape, ns);
	if (bucket >= LOG2_BUCKETS)
		return;
	cnt->answers.bucket[bucket]++;
	cnt->answers.sum_ns += ns;
}

/*
 * A fragment begins with the segment, at the precise time. What is stored is likely to be far away
 * in memory: it is sent for before the clock is read, which waits for loads alone.
 */
static __always_inline enum segment_why begin_fragment(struct cache_slot *slot,
						       struct sighting *seen)
{
	struct fragment *frag = cache__fragment(slot);
	enum segment_why why;

	cache__begin_write(slot);
	fragment__init(frag, &seen->key, 0);
	seen->time_ns = bpf_ktime_get_ns();
	fragment__date(frag, seen->time_ns);
	why = add(frag, seen);
	cache__grade(slot, cache__tag(seen->hash), frag);
	cache__end_write(slot);
	return why;
}

static __always_inline enum segment_why go_on(struct cache_slot *slot, struct sighting *seen,
					      struct wire_counters *cnt)
{
	struct fragment *frag = cache__fragment(slot);
	enum segment_why why;

	if (TW_UNLIKELY(track__wants_precise_time(frag, &seen->seg)))
		seen->time_ns = bpf_ktime_get_ns();
	cache__begin_write(slot);
	why = add(frag, seen);
	cache__grade(slot, cache__tag(seen->hash), frag);
	cache__end_write(slot);
	if (TW_UNLIKELY(seen->is_own) && why == SEG_NEW_STEP)
		time_answer(frag, seen, cnt);
	return why;
}

/* Finds or begins the segment's fragment and adds to it. Returns why userspace should hear of it,
 * or 0. */
static __always_inline enum segment_why track(struct sighting *seen, struct wire_counters *cnt)
{
	struct cache_slot slot = {};
	enum place_found found;
	enum segment_why why;

	if (!cache__locate(&slot, seen->hash, cfg.n_sets)) {
		count(cnt, WIRE_UNTRACKED);
		return 0;
	}
	seen->time_ns = coarse_now();
	found = find_place(&slot, seen, cnt);
	if (found == FOUND_NONE)
		return 0;
	why = found == FOUND_NEW ? begin_fragment(&slot, seen) : go_on(&slot, seen, cnt);
	cache__prefer(&slot);
	cache__touch(&slot, coarse_time(seen->time_ns));
	return why;
}

/* The common case whole and inlined: the next segment of an open session. False: not that. */
static __always_inline bool track_next(const struct sighting *seen)
{
	const struct segment *seg = &seen->seg;
	struct cache_slot slot = {};
	struct wire_counters *cnt;
	struct fragment *frag;
	bool is_first;
	__u64 now_ns;

	if (TW_UNLIKELY(seg->flags & (TCPF_SYN | TCPF_FIN | TCPF_RST)))
		return false; /* at once: a flood of SYNs is not to look twice */
	if (!cache__locate(&slot, seen->hash, cfg.n_sets) ||
	    !cache__find(&slot, &seen->key, cache__tag(seen->hash)))
		return false;
	frag = cache__fragment(&slot);
	cnt = bpf_map_lookup_elem(&counters, &seen->at.slot);
	if (!cnt || !track__is_next(frag, seg) || !seg->window)
		return false;
	cnt->value[WIRE_FRAMES]++;
	cnt->value[WIRE_SEGMENTS] += seg->segs;
	cnt->value[WIRE_BYTES] += seg->payload;
	now_ns = coarse_now();
	is_first = frag->last != coarse_time(now_ns);
	cache__begin_write(&slot);
	track__next(frag, seg, now_ns);
	cache__end_write(&slot);
	if (is_first) { /* in this tick: what it notes holds for all of it */
		cache__prefer(&slot);
		cache__touch(&slot, coarse_time(now_ns));
	}
	return true;
}

/*
 * Counts and tracks what was parsed. Returns 1 if userspace wants to hear of it. A global function
 * is verified once, for any input: inlined, it would be followed anew for each of the many ways
 * through the headers.
 */
__noinline int account(struct sighting *seen)
{
	struct wire_counters *cnt;
	__u32 slot; /* of its own: before 6.2 an argument's memory is no key of a map */

	if (!seen)
		return 0;
	slot = seen->at.slot;
	cnt = bpf_map_lookup_elem(&counters, &slot);
	if (!cnt)
		return 0;
	count(cnt, WIRE_FRAMES);
	count_segment(cnt, &seen->seg);
	seen->why = track(seen, cnt);
	if (TW_LIKELY(!seen->why))
		return 0;
	if (seen->why == SEG_RETRANSMIT)
		cnt->value[WIRE_RETRANSMIT] += seen->seg.segs;
	if (seen->why == SEG_RST_IGNORED)
		count(cnt, WIRE_RST_IGNORED);
	return is_wanted(REC_SEGMENT);
}

static __always_inline struct frame xdp_frame(struct xdp_md *ctx)
{
	struct frame frame = {
		.data = (const __u8 *)(long)ctx->data,
		.end = (const __u8 *)(long)ctx->data_end,
		.len = ctx->data_end - ctx->data,
		.mtu = cfg.mtu,
		.l3 = cfg.l3,
	};

	return frame;
}

/* A SYN that enters: its listener is asked after before anything else happens to it. */
static __always_inline bool asks_for_fate(const struct sighting *seen)
{
	return cfg.fate_looks && seen->ingress &&
	       TW_UNLIKELY((seen->seg.flags & (TCPF_SYN | TCPF_ACK)) == TCPF_SYN);
}

static __always_inline void find_fate(void *ctx, const struct frame *frame, struct sighting *seen,
				      __u32 ifindex)
{
	struct syn syn = {
		.key = &seen->key,
		.from = segment__dir(&seen->seg),
		.ifindex = ifindex,
		.netns = seen->at.netns,
		.looks = cfg.fate_looks,
		.full_at_limit = cfg.full_at_limit,
		.is_repeat = wire_tap__is_repeat(&seen->at, frame),
	};

	seen->fate = syn_fate__count(ctx, &syn);
}

/*
 * Before 6.8 a global function is verified even if nothing reaches it, and where fates are not
 * asked for the relocations of this one are not resolved: so it asks itself.
 */
__noinline int fate_xdp(struct xdp_md *ctx, struct sighting *seen)
{
	struct frame frame = xdp_frame(ctx);

	if (cfg.fate_looks && seen)
		find_fate(ctx, &frame, seen, ctx->ingress_ifindex);
	return 0;
}

__noinline int report_xdp(struct xdp_md *ctx, struct sighting *seen)
{
	struct frame frame = xdp_frame(ctx);

	if (seen)
		report_segment(&frame, seen);
	return 0;
}

static __always_inline int watch_xdp(struct xdp_md *ctx, const struct frame *frame)
{
	struct sighting seen;
	int reason;

	if (!wire_tap__get(&seen.at))
		return XDP_PASS;
	reason = parse__frame(frame, seen.at.tap, &seen.key, &seen.seg);
	if (reason) {
		count_other(reason, seen.at.slot);
		return XDP_PASS;
	}
	seen.hash = flow_key__hash(&seen.key, cfg.hash_seed);
	if (TW_LIKELY(track_next(&seen)))
		return XDP_PASS;
	sighting__init(&seen, true);
	if (asks_for_fate(&seen))
		fate_xdp(ctx, &seen);
	if (TW_UNLIKELY(account(&seen)))
		report_xdp(ctx, &seen);
	return XDP_PASS;
}

SEC("xdp")
int wire_xdp(struct xdp_md *ctx)
{
	struct frame frame = xdp_frame(ctx);

	return watch_xdp(ctx, &frame);
}

/* For MTUs beyond a page: the frame continues in fragments, the headers are in the first part. */
SEC("xdp.frags")
int wire_xdp_frags(struct xdp_md *ctx)
{
	struct frame frame = xdp_frame(ctx);

	frame.len = bpf_xdp_get_buff_len(ctx);
	return watch_xdp(ctx, &frame);
}

static __always_inline struct frame skb_frame(struct __sk_buff *skb, bool l3)
{
	struct frame frame = {
		.data = (const __u8 *)(long)skb->data,
		.end = (const __u8 *)(long)skb->data_end,
		.len = skb->len,
		.segs = skb->gso_segs ?: 1,
		.l3 = l3,
	};

	return frame;
}

__noinline int fate_skb(struct __sk_buff *skb, struct sighting *seen)
{
	struct frame frame;

	if (!cfg.fate_looks || !seen)
		return 0;
	frame = skb_frame(skb, seen->at.l3);
	find_fate(skb, &frame, seen, skb->ifindex);
	return 0;
}

__noinline int report_skb(struct __sk_buff *skb, struct sighting *seen)
{
	struct frame frame;

	if (!seen)
		return 0;
	frame = skb_frame(skb, seen->at.l3);
	report_segment(&frame, seen);
	return 0;
}

__noinline int parse_skb(struct __sk_buff *skb, struct sighting *seen)
{
	struct frame frame;

	if (!seen)
		return 0;
	frame = skb_frame(skb, seen->at.l3);
	return parse__frame(&frame, seen->at.tap, &seen->key, &seen->seg);
}

/* What is forwarded has no socket, nor has a SYN cookie. */
static __always_inline bool is_own_answer(struct __sk_buff *skb, const struct wire_tap *at)
{
	struct frame frame = skb_frame(skb, at->l3);

	return skb->sk && !wire_tap__is_repeat(at, &frame);
}

/* Room for Ethernet, two tags, IPv6 with extension headers and TCP with options. */
#define PULL_BYTES 256u

static __always_inline int watch_skb(struct __sk_buff *skb, bool ingress)
{
	struct sighting seen = {};
	int reason;

	if (!wire_tap__get(&seen.at))
		return TC_ACT_UNSPEC;
	reason = parse_skb(skb, &seen);
	/* The headers may lie beyond the linear part: bring them in, once. */
	if (TW_UNLIKELY(reason == WIRE_TRUNCATED && skb->len > skb->data_end - skb->data)) {
		bpf_skb_pull_data(skb, skb->len < PULL_BYTES ? skb->len : PULL_BYTES);
		reason = parse_skb(skb, &seen);
	}
	if (reason) {
		count_other(reason, seen.at.slot);
		return TC_ACT_UNSPEC; /* whatever comes next decides */
	}
	seen.hash = flow_key__hash(&seen.key, cfg.hash_seed);
	if (TW_LIKELY(track_next(&seen)))
		return TC_ACT_UNSPEC;
	sighting__init(&seen, ingress);
	if (!ingress && (seen.seg.flags & (TCPF_SYN | TCPF_ACK)) == (TCPF_SYN | TCPF_ACK))
		seen.is_own = is_own_answer(skb, &seen.at);
	if (asks_for_fate(&seen))
		fate_skb(skb, &seen);
	if (TW_UNLIKELY(account(&seen)))
		report_skb(skb, &seen);
	return TC_ACT_UNSPEC;
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
