/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Interfaces that are to be tapped and wait for their turn. Not here: which ones (tap_set.c).
 */
#include <stdlib.h>
#include <unistd.h>

#include "tap_internal.h"
#include "user/util/log.h"

/* The set's descriptor is readable as long as something is pending. */
static void ask_for_a_turn(const struct tap_set *set, bool is_wanted)
{
	uint64_t count = 1;

	if (is_wanted)
		(void)!write(set->turn_fd, &count, sizeof(count));
	else
		(void)!read(set->turn_fd, &count, sizeof(count));
}

void tap_turn__put_off(struct place *place, const struct iface *iface, enum hook_mode mode)
{
	struct tap_set *set = place->set;
	struct pending *more;

	for (size_t i = 0; i < set->n_pending; i++)
		if (set->pending[i].place == place && set->pending[i].ifindex == iface->ifindex)
			return;
	more = reallocarray(set->pending, set->n_pending + 1, sizeof(*more));
	if (!more) {
		log_error("cannot watch %s: out of memory", iface->name);
		return;
	}
	set->pending = more;
	more[set->n_pending++] = (struct pending){place, iface->ifindex, mode};
	ask_for_a_turn(set, true);
}

void tap_turn__forget(struct place *place)
{
	struct tap_set *set = place->set;
	size_t kept = 0;

	for (size_t i = 0; i < set->n_pending; i++)
		if (set->pending[i].place != place)
			set->pending[kept++] = set->pending[i];
	set->n_pending = kept;
	if (!kept)
		ask_for_a_turn(set, false);
}

/* The newest: whoever has waited is late anyway, but who comes now can still be in time. */
void tap_turn__make_one(struct tap_set *set)
{
	struct pending next;
	const struct iface *iface;

	if (!set->n_pending)
		return;
	next = set->pending[--set->n_pending];
	if (!set->n_pending)
		ask_for_a_turn(set, false);
	iface = place__iface(next.place, next.ifindex);
	if (iface && !slot__find(next.place, next.ifindex))
		(void)slot__add(next.place, next.place, iface, next.mode); /* logged */
}

size_t tap_set__n_pending(const struct tap_set *set)
{
	return set->n_pending;
}
