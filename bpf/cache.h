/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The session cache: for each CPU an array of four-way sets, written by that CPU alone, without
 * locks or atomics; userspace reads it through mmap. Not here: what a fragment is
 * (shared/fragment.h), how the array is laid out (shared/cache_layout.h).
 */
#ifndef TCPWATCH_CACHE_H
#define TCPWATCH_CACHE_H

#include <linux/bpf.h>
#include <bpf/bpf_helpers.h>

#include "shared/cache_layout.h"
#include "shared/track.h"

struct cache_array {
	__uint(type, BPF_MAP_TYPE_ARRAY);
	__uint(map_flags, BPF_F_MMAPABLE);
	__uint(max_entries, 1); /* the real one is made by userspace, as is the outer array */
	__uint(key_size, sizeof(__u32));
	__uint(value_size,
	       sizeof(struct cache_group)); /* as a type it would be a mere forward in BTF */
};

struct {
	__uint(type, BPF_MAP_TYPE_ARRAY_OF_MAPS);
	__uint(max_entries, 1);
	__type(key, __u32);
	__array(values, struct cache_array);
} cache SEC(".maps");

/* A way under this CPU's hands. */
struct cache_slot {
	struct cache_group *group;
	struct cache_head *head;
	struct cache_set *set;
	__u32 way;
};

static __always_inline void *cache__of_this_cpu(void)
{
	__u32 cpu = bpf_get_smp_processor_id();

	return bpf_map_lookup_elem(&cache, &cpu);
}

/* cache__locate() - the set for what has @hash. False: this CPU has no cache */
static __always_inline bool cache__locate(struct cache_slot *slot, __u32 hash, __u32 n_sets)
{
	__u32 index = hash & (CACHE_GROUP_SETS - 1);
	__u32 group = (hash & (n_sets - 1)) >> CACHE_GROUP_SHIFT;
	void *array = cache__of_this_cpu();

	if (!array)
		return false;
	slot->group = bpf_map_lookup_elem(array, &group);
	if (!slot->group)
		return false;
	slot->head = &slot->group->head[index];
	slot->set = &slot->group->set[index];
	return true;
}

static __always_inline struct fragment *cache__fragment(const struct cache_slot *slot)
{
	return &slot->set->way[slot->way & (CACHE_WAYS - 1)];
}

/* cache__tag() - of bits that do not choose the set; its worth is still to be added */
static __always_inline __u16 cache__tag(__u32 hash)
{
	return hash >> 16 & ~CACHE_WORTH;
}

/* cache__find() - true and slot->way if @key is in slot->set. An empty way holds no key at all. */
static __always_inline bool cache__find(struct cache_slot *slot, const struct flow_key *key,
					__u16 tag)
{
	TW_UNROLL
	for (__u32 way = 0; way < CACHE_WAYS; way++) {
		if ((slot->head->tag[way] ^ tag) > CACHE_WORTH ||
		    !flow_key__equal(&slot->set->way[way].key, key))
			continue;
		slot->way = way;
		return true;
	}
	return false;
}

static __always_inline __u32 cache__order(const struct cache_head *head)
{
	return head->order ^ CACHE_ORDER_0;
}

/*
 * cache__prefer() - the way of @slot is the latest that was used
 *
 * Without a branch for the one that is so already: where sessions are many that is never the same
 * twice.
 */
static __always_inline void cache__prefer(const struct cache_slot *slot)
{
	__u32 order = cache__order(slot->head), way = slot->way & (CACHE_WAYS - 1), differs, place;

	/* Where it stands now: the one pair of bits that is the same in as many copies of @way. */
	differs = order ^ way * 0x55;
	place = ~(differs | differs >> 1) & 0x55;
	order = (order & ~(4 * place - 1)) | (order & (place - 1)) << 2 | way;
	slot->head->order = order ^ CACHE_ORDER_0;
}

/*
 * The lesser, without a branch: which way gives room is never the same twice, and a branch would be
 * mispredicted. BPF has no conditional move, so the compiler must not see that it is a comparison.
 */
static __always_inline __u32 cache__lesser(__u32 a, __u32 b)
{
	__s32 is_less = (__s32)(a - b) >> 31; /* all bits; both are small */

	asm volatile("" : "+r"(is_less));
	return b ^ ((a ^ b) & is_less);
}

/*
 * cache__make_room() - slot->way becomes an empty way, or else the one most easily given up: of the
 * least worth, then the one not used for longest
 */
static __always_inline void cache__make_room(struct cache_slot *slot)
{
	__u32 order = cache__order(slot->head), least = ~0u >> 1;

	TW_UNROLL
	for (__u32 place = 0; place < CACHE_WAYS; place++) {
		__u32 way = order >> 2 * place & (CACHE_WAYS - 1);
		__u32 worth = slot->head->tag[way] & CACHE_WORTH;

		least = cache__lesser(worth << 4 | (CACHE_WAYS - 1 - place) << 2 | way, least);
	}
	slot->way = least & (CACHE_WAYS - 1);
}

static __always_inline bool cache__is_empty(const struct cache_slot *slot)
{
	return !slot->head->tag[slot->way & (CACHE_WAYS - 1)];
}

/* cache__is_told() - nothing is lost with the fragment (fragment__is_told()), which is not read */
static __always_inline bool cache__is_told(const struct cache_slot *slot)
{
	return slot->head->told >> (slot->way & (CACHE_WAYS - 1)) & 1;
}

/* cache__grade() - the way of @slot holds @frag, which has @tag: note what it is worth */
static __always_inline void cache__grade(const struct cache_slot *slot, __u16 tag,
					 const struct fragment *frag)
{
	__u32 way = slot->way & (CACHE_WAYS - 1), worth = WORTH_HALF_OPEN;

	if (fragment__is_closing(frag))
		worth = WORTH_CLOSING;
	else if (frag->flags & FRAG_SYNCHRONISED)
		worth = WORTH_OPEN;
	slot->head->tag[way] = tag | worth;
	slot->head->told &= ~(1u << way);
	slot->head->told |= fragment__is_told(frag) << way;
}

/*
 * A reader on another CPU takes its copy as whole only if the generation was even and the same
 * before and after. The compiler keeps the order; so does the processor on x86. On weakly ordered
 * ones a reader may, rarely, take a torn copy as whole: the next scan corrects it.
 */
static __always_inline void cache__begin_write(const struct cache_slot *slot)
{
	slot->head->generation[slot->way & (CACHE_WAYS - 1)]++;
	barrier();
}

static __always_inline void cache__end_write(const struct cache_slot *slot)
{
	barrier();
	slot->head->generation[slot->way & (CACHE_WAYS - 1)]++;
}

/* cache__touch() - note that the group was written, for readers that skip what did not change */
static __always_inline void cache__touch(const struct cache_slot *slot, __u32 now)
{
	slot->group->touched = now;
}

#endif
