/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is counted for each listener, by the packet path and by tracepoints. Not here: what becomes
 * of a SYN (syn_fate.h).
 */
#ifndef TCPWATCH_LISTENER_H
#define TCPWATCH_LISTENER_H

#include "vmlinux/vmlinux.h"
#include <bpf/bpf_helpers.h>

#include "shared/abi.h"

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_HASH);
	__uint(max_entries, 1); /* userspace shares a larger one where it wants the counts */
	__type(key, struct listener_key);
	__type(value, struct listener_counters);
} listeners SEC(".maps");

/* listener__counters() - of the listener @cookie, made if need be. NULL: nobody wants them */
static __always_inline struct listener_counters *listener__counters(__u64 cookie, __u32 netns)
{
	struct listener_key key = {.cookie = cookie, .netns = netns};
	struct listener_counters fresh = {}, *counters;

	counters = bpf_map_lookup_elem(&listeners, &key);
	if (counters)
		return counters;
	if (bpf_map_update_elem(&listeners, &key, &fresh, BPF_NOEXIST))
		key.cookie = 0; /* full: userspace has made room for this one */
	return bpf_map_lookup_elem(&listeners, &key);
}

#endif
