/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Taps and the two ends of a veth: a container's sessions watched from outside, where the container
 * neither sees nor undoes it; and where a veth leads. Not here: taps by name (tap_set.c).
 */
#include <errno.h>
#include <string.h>

#include "tap_internal.h"

#define ASK_AGAIN_NS (100 * TW_NSEC_PER_MSEC)

static bool is_veth(const struct iface *iface)
{
	return !strcmp(iface->kind, "veth");
}

/* Two places, and the number by which each knows the other; negative: it does not. */
struct border {
	struct place *inside, *outside;
	int32_t nsid_of_outside, nsid_of_inside;
};

/* The other end of @iface, which is inside, if it is outside; else NULL. */
static const struct iface *cross(const struct border *border, const struct iface *iface)
{
	const struct iface *other;

	if (!is_veth(iface) || iface->peer_nsid < 0 || iface->peer_nsid != border->nsid_of_outside)
		return NULL;
	other = place__iface(border->outside, iface->peer);
	if (!other || !is_veth(other) || other->peer != iface->ifindex ||
	    other->peer_nsid != border->nsid_of_inside)
		return NULL;
	return other;
}

static int tap_one(const struct border *border, const struct iface *iface, enum hook_mode mode)
{
	const struct iface *other = cross(border, iface);
	struct place *place = other ? border->outside : border->inside;

	if (!other)
		other = iface;
	if (slot__find(place, other->ifindex))
		return 0;
	return slot__add(place, border->inside, other, mode);
}

int tap_set__add_outer(struct tap_set *set, const struct netns *ns, const struct netns *outside,
		       enum hook_mode mode)
{
	struct border border = {
		.inside = place__get(set, ns),
		.outside = place__get(set, outside),
		.nsid_of_outside = netnsid__of(ns, outside),
		.nsid_of_inside = netnsid__of(outside, ns),
	};
	const struct iface_list *list;
	int count = 0, first_err = 0;

	if (!border.inside || !border.outside)
		return errno ? -errno : -ENOMEM;
	list = link_watch__ifaces(border.inside->watch);
	for (size_t i = 0; i < list->count; i++) {
		int err = 0;

		if (!iface_list__is_chosen(list, &list->items[i], NULL))
			continue;
		err = tap_one(&border, &list->items[i], mode);
		if (!err)
			count++;
		else if (!first_err)
			first_err = err;
	}
	return count ? count : first_err;
}

/* ---- where a veth leads ---------------------------------------------------------------------- */

static uint32_t ask_peer(struct place *place, int32_t nsid, uint64_t now_ns)
{
	uint32_t inum = place->nsids_are_old ? 0 : netnsid_map__inum(&place->nsids, nsid);

	if (inum || (place->nsids_read_ns && now_ns - place->nsids_read_ns < ASK_AGAIN_NS))
		return inum;
	netnsid_map__free(&place->nsids);
	(void)netnsid_map__read(&place->nsids, &place->ns); /* then nobody knows */
	place->nsids_read_ns = now_ns;
	place->nsids_are_old = false;
	return netnsid_map__inum(&place->nsids, nsid);
}

uint32_t tap_set__peer_netns(struct tap_set *set, uint16_t id, uint64_t now_ns)
{
	const struct slot *slot = id && id <= set->n_slots ? set->slots[id - 1] : NULL;

	if (!slot || slot->tap.is_gone || slot->inside != slot->place || !slot->place->watch ||
	    !is_veth(&slot->tap.iface) || slot->tap.iface.peer_nsid < 0)
		return 0;
	return ask_peer(slot->place, slot->tap.iface.peer_nsid, now_ns);
}
