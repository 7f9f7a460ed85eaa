/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What can be asked of the set of taps. Not here: how it comes about (tap_set.c).
 */
#include <errno.h>

#include "tap_internal.h"

bool tap_set__has_lo(const struct tap_set *set, uint32_t inum)
{
	for (size_t i = 0; i < set->n_slots; i++) {
		const struct tap *tap = &set->slots[i]->tap;

		if (tap->netns == inum && !tap->is_gone && tap->iface.flags & IFF_LOOPBACK)
			return true;
	}
	return false;
}

bool tap_set__has_fates(const struct tap_set *set, uint32_t inum)
{
	for (size_t i = 0; i < set->n_slots; i++) {
		const struct tap *tap = &set->slots[i]->tap;

		if (tap->has_fates && !tap->is_gone && (!inum || tap->netns == inum))
			return true;
	}
	return false;
}

size_t tap_set__count(const struct tap_set *set)
{
	return set->n_slots;
}

uint64_t tap_set__n_gone(const struct tap_set *set)
{
	return set->n_went;
}

const struct tap *tap_set__get(const struct tap_set *set, size_t index)
{
	return &set->slots[index]->tap;
}

const struct tap *tap_set__by_id(const struct tap_set *set, uint16_t id)
{
	return id && id <= set->n_slots ? &set->slots[id - 1]->tap : NULL;
}

bool tap_set__is_local(const struct tap_set *set, uint16_t id, const struct ip_addr *addr)
{
	const struct place *place = id && id <= set->n_slots ? set->slots[id - 1]->inside : NULL;

	return place && place->watch && link_watch__is_local(place->watch, addr);
}

uint32_t tap_set__netns_of(const struct tap_set *set, const struct ip_addr *addr, size_t *at)
{
	while (*at < set->n_places) {
		const struct place *place = set->places[(*at)++];

		if (place->watch && link_watch__is_local(place->watch, addr))
			return place->ns.inum;
	}
	return 0;
}

int tap_set__counters(const struct tap_set *set, size_t index, struct wire_counters *out)
{
	const struct slot *slot = set->slots[index];
	int err;

	*out = slot->past;
	err = attachment__add_counters(&slot->ingress, out);
	return err ? err : attachment__add_counters(&slot->egress, out);
}
