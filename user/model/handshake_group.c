/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One group of handshakes: its sums, and what it says of itself in words. Not here: which
 * handshakes are of the group (handshake_stats.c).
 */
#include "handshake_stats.h"

#include <string.h>

void handshake_counts__merge(struct handshake_counts *into, const struct handshake_counts *from)
{
	into->completed += from->completed;
	for (unsigned at = 0; at < BREAK_COUNT; at++) {
		into->failed[at] += from->failed[at];
		into->pending[at] += from->pending[at];
	}
	into->syn_retransmits += from->syn_retransmits;
	into->syn_ack_retransmits += from->syn_ack_retransmits;
	into->server_resets += from->server_resets;
	histogram__merge(&into->total, &from->total);
	histogram__merge(&into->network, &from->network);
	histogram__merge(&into->host, &from->host);
}

uint64_t handshake_counts__failed(const struct handshake_counts *counts)
{
	uint64_t sum = 0;

	for (unsigned at = BREAK_NONE + 1; at < BREAK_COUNT; at++)
		sum += counts->failed[at];
	return sum;
}

uint64_t handshake_counts__pending(const struct handshake_counts *counts)
{
	uint64_t sum = 0;

	for (unsigned at = 0; at < BREAK_COUNT; at++)
		sum += counts->pending[at];
	return sum;
}

void handshake_group__write_network(struct handshake_group *group)
{
	const struct handshake_key *key = &group->key;
	bool is_v4 = ip_addr__is_v4(&key->network) && key->network_bits >= MAPPED_BITS;
	unsigned bits = is_v4 ? key->network_bits - MAPPED_BITS : key->network_bits;
	char *out = group->network;

	if (key->network_bits == UNGROUPED)
		return;
	out += is_v4 ? fmt__ipv4(out, key->network.bytes + 12) : fmt__ipv6(out, key->network.bytes);
	*out++ = '/';
	out += fmt__u64(out, bits);
	*out = '\0';
}

/* The kind after @before by count, most first, then in their order; BREAK_NONE: that was the last.
 */
static enum handshake_break next_break(const uint64_t *counts, enum handshake_break before)
{
	uint64_t most = 0, limit = before ? counts[before] : UINT64_MAX;
	enum handshake_break next = BREAK_NONE;

	for (unsigned at = BREAK_NONE + 1; at < BREAK_COUNT; at++) {
		bool follows = counts[at] < limit || (counts[at] == limit && at > before);

		if (!follows || counts[at] <= most)
			continue;
		most = counts[at];
		next = at;
	}
	return next;
}

static void write_breaks(char *text, const uint64_t *counts)
{
	enum handshake_break at = BREAK_NONE;
	char *out = text;

	while ((at = next_break(counts, at))) {
		if (out > text)
			out = stpcpy(out, ", ");
		out = stpcpy(out, handshake_break__name(at));
		*out++ = ' ';
		out += fmt__u64(out, counts[at]);
	}
	*out = '\0';
}

void handshake_group__write_broke(struct handshake_group *group)
{
	write_breaks(group->broke, group->counts.failed);
	write_breaks(group->held_up, group->counts.pending);
}
