/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tap that a wire program sees a frame at: its constants, its counters. Not here: what is seen
 * there (wire.bpf.c).
 */
#ifndef TCPWATCH_WIRE_TAP_H
#define TCPWATCH_WIRE_TAP_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "shared/abi.h"
#include "shared/parse.h"

const volatile struct wire_config cfg = {};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wire_counters);
} counters SEC(".maps");

/*
 * For a program that serves many taps: which one the frame is of. Written on this CPU by the
 * program that is attached (user/tap/shared_tap.c), which then calls this one. Nothing comes in
 * between: tc runs with softirqs off.
 */
struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct wire_tap);
} under_way SEC(".maps");

/* Taps whose SYNs and SYN-ACKs are counted at another one: mapped and written by userspace
 * (user/tap/tap_repeats.c). */
struct {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(max_entries, TAP_BITS_WORDS);
	__uint(map_flags, BPF_F_MMAPABLE);
	__type(key, __u32);
	__type(value, __u64);
} tap_repeats SEC(".maps");

/*
 * From a device's address to itself: what one ipvlan has for another of the same device, all of
 * which share its address, is handed over by the driver and never passes it (ipvlan_xmit_mode_l2).
 */
static __always_inline bool wire_tap__is_to_itself(const struct wire_tap *at,
						   const struct frame *frame)
{
	const struct hdr_eth *eth = (const void *)frame->data;
	bool differs = false;

	if (at->l3 || (const __u8 *)(eth + 1) > frame->end)
		return false;
	TW_UNROLL
	for (int i = 0; i < 6; i++)
		differs |= eth->dst[i] != eth->src[i];
	return !differs;
}

/* Whether a SYN or SYN-ACK is counted at another tap. */
static __always_inline bool wire_tap__is_repeat(const struct wire_tap *at,
						const struct frame *frame)
{
	__u32 at_word = at->tap / TAP_BITS_PER_WORD;
	const __u64 *word = bpf_map_lookup_elem(&tap_repeats, &at_word);

	return word && *word >> (at->tap % TAP_BITS_PER_WORD) & 1 &&
	       !wire_tap__is_to_itself(at, frame);
}

/* Which tap this is. False: nobody told, so the frame is left alone. */
static __always_inline bool wire_tap__get(struct wire_tap *at)
{
	const struct wire_tap *told;
	__u32 zero = 0;

	if (cfg.tap) {
		at->slot = 0;
		at->netns = cfg.netns;
		at->tap = cfg.tap;
		at->l3 = cfg.l3;
		return true;
	}
	told = bpf_map_lookup_elem(&under_way, &zero);
	if (!told)
		return false;
	*at = *told;
	return true;
}

static __always_inline void count(struct wire_counters *cnt, enum wire_counter which)
{
	cnt->value[which]++;
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

/* Counts a frame that is not a segment, under the counter that says why. */
static __always_inline void count_other(__u32 reason, __u32 slot)
{
	struct wire_counters *cnt;

	cnt = bpf_map_lookup_elem(&counters, &slot);
	if (!cnt)
		return;
	count(cnt, WIRE_FRAMES);
	if (reason < WIRE_COUNTER_COUNT)
		count(cnt, reason);
}

#endif
