/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The ring buffer shared by all programs: reserving and submitting records, waking the reader only
 * when enough waits, counting what found no room. Not here: what the records mean (shared/abi.h).
 */
#ifndef TCPWATCH_RECORD_H
#define TCPWATCH_RECORD_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "shared/abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_RINGBUF);
	__uint(max_entries, 4 << 20); /* userspace may choose another size, or share one map */
} records SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct lost_counters);
} lost SEC(".maps");

/* Atomic: on one CPU a tracepoint in process context may be interrupted by the packet path. */
static __always_inline void record__count_lost(__u32 kind)
{
	struct lost_counters *counters;
	__u32 zero = 0;

	counters = bpf_map_lookup_elem(&lost, &zero);
	if (counters && kind < REC_COUNT)
		__sync_fetch_and_add(&counters->value[kind], 1);
}

/*
 * record__reserve() - room for a record of @kind, its header filled but for the time
 *
 * Returns NULL if the ring buffer is full; then the loss is counted.
 */
static __always_inline void *record__reserve(__u32 kind, __u32 size)
{
	struct record_hdr *hdr = bpf_ringbuf_reserve(&records, size, 0);

	if (!hdr) {
		record__count_lost(kind);
		return 0;
	}
	hdr->kind = kind;
	hdr->size = size;
	hdr->cpu = bpf_get_smp_processor_id();
	return hdr;
}

/*
 * record__submit() - publish; wakes the reader each time another @wake_bytes (a power of two) wait
 *
 * Not with every record beyond that: a wake-up is an interrupt to this CPU and costs microseconds.
 * A reader that sleeps through one looks by itself.
 */
static __always_inline void record__submit(void *rec, __u32 wake_bytes)
{
	const struct record_hdr *hdr = rec;
	__u64 after = bpf_ringbuf_query(&records, BPF_RB_AVAIL_DATA);
	__u64 before = after - (hdr->size + BPF_RINGBUF_HDR_SZ);
	bool wake = (after ^ before) & -(__u64)wake_bytes;

	bpf_ringbuf_submit(rec, wake ? BPF_RB_FORCE_WAKEUP : BPF_RB_NO_WAKEUP);
}

#endif
