/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is counted for each listener, by the packet path and by tracepoints: a listener has a slot,
 * found once, and a slot is an element of an array, which is quick to count in. Not here: what
 * becomes of a SYN (syn_fate.h).
 */
#ifndef TCPWATCH_LISTENER_H
#define TCPWATCH_LISTENER_H

#include "vmlinux/vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "shared/abi.h"

/* Userspace shares larger ones where it wants the counts (user/tap/listener_maps.h). */
struct {
	__uint(type, BPF_MAP_TYPE_HASH);
	__uint(max_entries, 1);
	__type(key, struct listener_key);
	__type(value, __u32); /* slot */
} listeners SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, 1);
	__type(key, __u32);
	__type(value, struct listener_counters);
} listener_counts SEC(".maps");

struct {
	__uint(type, BPF_MAP_TYPE_QUEUE);
	__uint(max_entries, 1);
	__type(value, __u32);
} free_listeners SEC(".maps");

#define NO_SLOT (~0u)

/* A slot for a listener that has none. */
static __always_inline __u32 listener__take_slot(const struct listener_key *key)
{
	__u32 slot, *taken;

	if (bpf_map_pop_elem(&free_listeners, &slot))
		return NO_SLOT;
	if (!bpf_map_update_elem(&listeners, key, &slot, BPF_NOEXIST))
		return slot;
	bpf_map_push_elem(&free_listeners, &slot, 0);
	taken = bpf_map_lookup_elem(&listeners, key); /* another CPU was faster */
	return taken ? *taken : NO_SLOT;
}

/*
 * listener__slot() - of the listener @cookie, taken if need be
 *
 * Where there is no room the one of cookie 0, to which userspace gave one; NO_SLOT: nobody wants
 * the counts.
 */
__noinline int listener__slot(__u64 cookie, __u32 netns)
{
	struct listener_key key = {.cookie = cookie, .netns = netns};
	__u32 *slot = bpf_map_lookup_elem(&listeners, &key), taken;

	if (slot)
		return *slot;
	taken = listener__take_slot(&key);
	if (taken != NO_SLOT)
		return taken;
	key.cookie = 0;
	slot = bpf_map_lookup_elem(&listeners, &key);
	return slot ? *slot : NO_SLOT;
}

/* listener__counters() - what is counted in @slot on this CPU; NULL: there is no such slot */
static __always_inline struct listener_counters *listener__counters(__u32 slot)
{
	return bpf_map_lookup_elem(&listener_counts, &slot);
}

#endif
