/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How looks at listeners thin out: a gate remembers which listener took the last SYN to an address
 * and port, and each listener how often it was looked at within the jiffy. Not here: the look
 * itself (syn_fate.h).
 */
#ifndef TCPWATCH_SYN_GATE_H
#define TCPWATCH_SYN_GATE_H

#include "listener.h"

/*
 * Of a listener's SYNs within a jiffy, on one CPU, wire_config.fate_looks are looked at each by
 * itself, then every eighth; beyond eight times as many every 64th, and none once there were twice
 * fate_looks.
 */
#define LOOK_SOME      8
#define LOOK_SOME_MASK 7
#define LOOK_FEW_MASK  63
#define LOOK_MOST      2

#define GATE_SLOTS     1024

/* Which listener takes what is for an address is asked again after so many jiffies. */
#define GATE_TRUST 16

/* Where the stack sends what is for the address. */
enum syn_route { ROUTE_UNKNOWN, ROUTE_HERE, ROUTE_ON };

/* What is known of SYNs to one address and port. */
struct syn_gate {
	struct listener_key listener;
	struct listener_look look; /* for want of a listener of its own */
	__u32 tag;
	__u32 jiffy; /* the present one */
	__u32 since; /* that in which .listener was found */
	__u32 route; /* enum syn_route, of this jiffy */
	__u32 slot;  /* of .listener, of this jiffy; NO_SLOT: to be found */
	__u16 is_known;
	__u16 is_elsewhere; /* they pass through: not counted */
};

struct {
	__uint(type, BPF_MAP_TYPE_PERCPU_ARRAY);
	__uint(max_entries, GATE_SLOTS);
	__type(key, __u32);
	__type(value, struct syn_gate);
} gates SEC(".maps");

/* Two targets that share a place and come by turns have a second one to share. */
static __always_inline struct syn_gate *syn_gate__find(__u32 tag, __u32 jiffy)
{
	__u32 slot = tag % GATE_SLOTS;
	struct syn_gate *gate = bpf_map_lookup_elem(&gates, &slot);

	if (!gate || gate->tag == tag || gate->jiffy != jiffy)
		return gate;
	slot ^= 1;
	return bpf_map_lookup_elem(&gates, &slot);
}

/* syn_gate__of() - the gate for SYNs whose target has the hash @tag; never NULL, but for the
 * verifier */
static __always_inline struct syn_gate *syn_gate__of(__u32 tag, __u32 jiffy)
{
	struct syn_gate *gate = syn_gate__find(tag, jiffy);

	if (!gate)
		return 0;
	if (gate->tag != tag) {
		gate->is_known = false;
		gate->look.fate = SYN_FATE_NONE;
	}
	if (gate->tag != tag || gate->jiffy != jiffy) {
		gate->tag = tag;
		gate->jiffy = jiffy;
		gate->route = ROUTE_UNKNOWN;
		gate->slot = NO_SLOT;
	}
	if (jiffy - gate->since >= GATE_TRUST)
		gate->is_known = false;
	return gate;
}

/* syn_gate__learn() - @listener takes the gate's SYNs, unless they pass through */
static __always_inline void syn_gate__learn(struct syn_gate *gate,
					    const struct listener_key *listener, bool is_elsewhere)
{
	if (gate->listener.cookie != listener->cookie)
		gate->slot = NO_SLOT;
	gate->listener = *listener;
	gate->is_elsewhere = is_elsewhere;
	gate->since = gate->jiffy;
	gate->is_known = true;
}

/* syn_gate__counters() - of its listener; NULL: not known, or nobody wants them */
static __always_inline struct listener_counters *syn_gate__counters(struct syn_gate *gate)
{
	if (!gate->is_known || gate->is_elsewhere)
		return 0;
	if (gate->slot == NO_SLOT)
		gate->slot = listener__slot(gate->listener.cookie, gate->listener.netns);
	return listener__counters(gate->slot);
}

/*
 * syn_gate__look() - where looks at the gate's listener are counted
 *
 * A listener that found no room for counts of its own shares a place with others: whoever comes
 * first in a jiffy has it then.
 */
static __always_inline struct listener_look *syn_gate__look(struct syn_gate *gate,
							    struct listener_counters *counters)
{
	__u64 cookie = gate->listener.cookie;
	struct listener_look *look;

	if (!counters || !cookie)
		return &gate->look;
	look = &counters->look;
	if (look->cookie == cookie)
		return look;
	if (look->cookie && look->jiffy == gate->jiffy)
		return &gate->look;
	look->cookie = cookie;
	look->fate = SYN_FATE_NONE;
	return look;
}

/* listener_look__is_due() - must the next SYN be looked at by itself? */
static __always_inline bool listener_look__is_due(const struct listener_look *look, __u32 jiffy,
						  __u32 looks)
{
	__u32 n = look->n_syns;

	if (!look->fate || look->jiffy != jiffy || n < looks)
		return true;
	if (look->n_looks >= LOOK_MOST * looks)
		return false;
	return !(n & (n < LOOK_SOME * looks ? LOOK_SOME_MASK : LOOK_FEW_MASK));
}

/* listener_look__count() - a SYN came, and @is_looked at by itself */
static __always_inline void listener_look__count(struct listener_look *look, __u32 jiffy,
						 bool is_looked)
{
	if (look->jiffy != jiffy) {
		look->jiffy = jiffy;
		look->n_syns = 0;
		look->n_looks = 0;
	}
	look->n_syns++;
	look->n_looks += is_looked;
}

#endif
