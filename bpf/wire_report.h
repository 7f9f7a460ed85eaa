/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How a program of the wire view tells userspace of a segment or a fragment. Not here: what it is
 * told to do and what it counts (wire_tap.h), finding out what there is to tell (wire.bpf.c).
 */
#ifndef TCPWATCH_WIRE_REPORT_H
#define TCPWATCH_WIRE_REPORT_H

#include "record.h"
#include "shared/parse.h"
#include "shared/track.h"
#include "syn_fate.h"
#include "wire_tap.h"

/* A segment as one hook saw it. */
struct sighting {
	struct flow_key key;
	struct segment seg;
	__u64 time_ns; /* set by track() */
	__u32 why;     /* enum segment_why: why userspace should hear of it, or 0 */
	__u32 ingress;
	__u32 fate;   /* enum syn_fate */
	__u32 is_own; /* a SYN-ACK sent by a socket of this host */
	struct wire_tap at;
	__u32 hash; /* of .key */
};

/* The rest of what parse__frame() and watch_*() filled; no byte stays unset, as a global function's
 * argument. */
static __always_inline void sighting__init(struct sighting *seen, bool ingress)
{
	seen->time_ns = 0;
	seen->why = 0;
	seen->ingress = ingress;
	seen->fate = SYN_FATE_NONE;
	seen->is_own = 0;
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

/* Sends @frag to userspace, which joins it: leaving the cache loses nothing. */
static __always_inline void hand_over(const struct fragment *frag, enum fragment_why why,
				      __u64 now_ns)
{
	struct rec_fragment *rec;

	if (!is_wanted(REC_FRAGMENT) || fragment__is_told(frag))
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

static __always_inline void report_segment(const struct frame *frame, const struct sighting *seen)
{
	struct rec_segment *rec;

	rec = record__reserve(REC_SEGMENT, sizeof(*rec));
	if (!rec)
		return;
	rec->hdr.time_ns = seen->time_ns;
	rec->key = seen->key;
	rec->seg = seen->seg;
	rec->why = seen->why;
	rec->ingress = seen->ingress;
	rec->fate = seen->fate;
	__builtin_memset(rec->zero, 0, sizeof(rec->zero));
	copy_options(rec, frame, &seen->seg);
	record__submit(rec, cfg.wake_bytes);
}

#endif
