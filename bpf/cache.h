/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The session cache: for each CPU an array of four-way sets, written by that CPU alone, without
 * locks or atomics; userspace reads it through mmap. Not here: what a fragment is
 * (shared/fragment.h).
 */
#ifndef TCPWATCH_CACHE_H
#define TCPWATCH_CACHE_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "shared/track.h"

struct cache_array {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* the real one is made by userspace, as is the outer array */
	__uint(key_size, sizeof(__u32));
	__uint(value_size,
	       sizeof(struct cache_set)); /* as a type it would be a mere forward in BTF */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct cache_array);
} cache SEC(".maps");

#define barrier() asm volatile("" ::: "memory")

/* A way under this CPU's hands. */
struct cache_slot {
	struct cache_set *set;
	__u32 way;
};

static __always_inline void *cache__of_this_cpu(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&cache, &cpu);
}

static __always_inline struct fragment *cache__fragment(const struct cache_slot *slot)
{
	return &slot->set->way[slot->way & (CACHE_WAYS - 1)];
}

/* cache__tag() - never 0, which marks an empty way; of bits that do not choose the set */
static __always_inline __u16 cache__tag(__u32 hash)
{
	return hash >> 16 | 1;
}

/* cache__find() - true and slot->way if @key is in slot->set */
static __always_inline bool cache__find(struct cache_slot *slot, const struct flow_key *key,
					__u16 tag)
{
	TW_UNROLL
	for (__u32 way = 0; way < CACHE_WAYS; way++) {
		if (slot->set->tag[way] != tag || !flow_key__equal(&slot->set->way[way].key, key))
			continue;
		slot->way = way;
		return true;
	}
	return false;
}

/* How readily a fragment is given up: half-open before closed before established, then the oldest.
 */
static __always_inline __u64 cache__dispensability(const struct fragment *f, __u32 now)
{
	__u64 age = (__u32)(now - f->last);

	if (fragment__is_closing(f))
		return 1ULL << 32 | age;
	if (fragment__is_synchronised(f, DIR_LOW) || fragment__is_synchronised(f, DIR_HIGH))
		return age;
	return 2ULL << 32 | age;
}

/* cache__make_room() - slot->way becomes an empty way, or else the one most easily given up */
static __always_inline void cache__make_room(struct cache_slot *slot, __u32 now)
{
	__u64 most = 0;

	slot->way = 0;
	TW_UNROLL
	for (__u32 way = 0; way < CACHE_WAYS; way++) {
		__u64 value = slot->set->tag[way] ? cache__dispensability(&slot->set->way[way], now)
						  : ~0ULL;

		if (value < most)
			continue;
		most = value;
		slot->way = way;
	}
}

/*
 * A reader on another CPU takes its copy as whole only if the generation was even and the same
 * before and after. The compiler keeps the order; so does the processor on x86. On weakly ordered
 * ones a reader may, rarely, take a torn copy as whole: the next scan corrects it.
 */
static __always_inline void cache__begin_write(const struct cache_slot *slot)
{
	slot->set->generation[slot->way & (CACHE_WAYS - 1)]++;
	barrier();
}

static __always_inline void cache__end_write(const struct cache_slot *slot)
{
	barrier();
	slot->set->generation[slot->way & (CACHE_WAYS - 1)]++;
}

/* cache__touch() - note that the group of set @index was written, for readers that skip what did
 * not change */
static __always_inline void cache__touch(void *array, __u32 index, __u32 n_sets, __u32 now)
{
	__u32 group = index >> CACHE_GROUP_SHIFT, at = n_sets + group / CACHE_TIMES;
	struct cache_times *times = bpf_map_lookup_elem(array, &at);

	if (times)
		times->touched[group % CACHE_TIMES] = now;
}

#endif
