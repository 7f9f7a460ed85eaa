/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * SYNs that found room in the queues and were dropped all the same: there is no route back to the
 * client, no memory, or a security module says no (tcp_conn_request() in net/ipv4/tcp_input.c).
 * Nothing tells of one; but the kernel counts all drops of a namespace, and those for a full queue
 * apart.
 */
#include "listener_internal.h"

static uint64_t unexplained(const struct listener *listener)
{
	uint64_t seen = listener__drops_seen(&listener->counts);

	return listener->drops > seen ? listener->drops - seen : 0;
}

/* Without taps nothing tells of tcp_max_syn_backlog, which counts only where there are no cookies.
 */
static bool has_other(const struct place *place)
{
	const struct listener_place *about = &place->about;

	return about->has_other_drops &&
	       (about->has_taps || (about->has_limits && about->syn_cookies));
}

/* That of tcp_max_syn_backlog has no counter of its own. More than found room: there are SYNs that
 * no tap saw. */
static void take_drops(struct listener_table *table, struct place *place, uint64_t drops)
{
	struct syn_fates all;

	listener_table__fates(table, place->about.netns, &all);
	drops -= drops < all.fate[SYN_BACKLOG_FULL] ? drops : all.fate[SYN_BACKLOG_FULL];
	place->has_other = !place->about.has_taps || drops <= all.fate[SYN_QUEUED];
	place->other = place->has_other ? drops : 0;
	for (size_t i = 0; i < table->count; i++)
		if (table->items[i]->sock.netns == place->about.netns)
			place->unexplained += unexplained(table->items[i]);
}

void listeners__take_other(struct listener_table *table)
{
	for (size_t i = 0; i < table->n_places; i++) {
		struct place *place = &table->places[i];

		place->other = place->unexplained = 0;
		place->has_other = has_other(place);
		if (!place->has_other)
			continue;
		if (!place->knows_other_0)
			place->other_0 = place->about.other_drops;
		place->knows_other_0 = true;
		if (place->about.other_drops != place->other_0)
			take_drops(table, place, place->about.other_drops - place->other_0);
	}
}

/*
 * How many of those of @place were this listener's? sk_drops has them, beside final ACKs, resets of
 * half-open connections and more: no more than both counts say, and no less than all other
 * listeners can account for. One that is gone may have had its part.
 */
void listener__share_other(struct listener *listener, const struct place *place)
{
	uint64_t own = unexplained(listener);
	uint64_t most = own < place->other ? own : place->other;
	uint64_t of_others = place->unexplained - (place->other ? own : 0);

	listener->other = most;
	listener->has_other = place->has_other && listener->has_fates &&
			      most <= listener->counts.fate[SYN_QUEUED];
	if (most && (most + of_others > place->other || listener__syns(&place->past)))
		listener->has_other = false;
}

uint64_t listener__queued(const struct listener *listener)
{
	return listener->counts.fate[SYN_QUEUED] - (listener->has_other ? listener->other : 0);
}

uint64_t syn_fates__queued(const struct syn_fates *fates)
{
	return fates->fate[SYN_QUEUED] - fates->other;
}
