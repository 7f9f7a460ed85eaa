/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Taps that show the same SYNs for the same sockets: a bridge and its ports, a VLAN and what it is
 * on. The host's own handshakes are counted at one of them. And which show a share alone. Not
 * here: sessions, which the table joins.
 */
#include <errno.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "tap_internal.h"

#define BYTES	   (TAP_BITS_WORDS * sizeof(uint64_t))
#define NESTED_MAX 8 /* the kernel's own limit: MAX_NEST_DEV in include/linux/netdevice.h */

int tap_repeats__open(struct tap_set *set)
{
	LIBBPF_OPTS(bpf_map_create_opts, opts, .map_flags = BPF_F_MMAPABLE);
	int fd = bpf_map_create(BPF_MAP_TYPE_ARRAY, "tcpw_repeats", sizeof(uint32_t),
				sizeof(uint64_t), TAP_BITS_WORDS, &opts);
	void *mem;

	if (fd < 0)
		return -errno;
	set->shared.repeats_fd = fd;
	mem = mmap(NULL, BYTES, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (mem == MAP_FAILED)
		return -errno;
	set->repeats = mem;
	return 0;
}

void tap_repeats__close(struct tap_set *set)
{
	if (set->repeats)
		munmap(set->repeats, BYTES);
	if (set->shared.repeats_fd)
		close(set->shared.repeats_fd);
}

/*
 * All that it receives came to what it is on first; but for what one ipvlan has for another, which
 * the programs know by its addresses (bpf/wire_tap.h). Not so with VXLAN, which hides it in UDP.
 */
static bool is_part_of_peer(const struct iface *iface)
{
	static const char *const kinds[] = {"vlan", "macvlan", "macvtap", "ipvlan", "ipvtap"};

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(iface->kind, kinds[i]))
			return iface->peer_nsid == -1;
	return false;
}

static bool is_counting(const struct place *place, uint32_t ifindex)
{
	const struct slot *slot = slot__find(place, ifindex);

	return slot && slot->ingress.kind != ATTACH_NONE;
}

/* A port's frames for this host come up through its master, which has those of other ports too. */
static const struct iface *master_of(const struct place *place, const struct iface *iface)
{
	return iface->master ? place__iface(place, iface->master) : NULL;
}

static const struct iface *whole_of(const struct place *place, const struct iface *iface)
{
	return is_part_of_peer(iface) ? place__iface(place, iface->peer) : NULL;
}

typedef const struct iface *step_fn(const struct place *place, const struct iface *iface);

static bool is_counted_along(const struct slot *slot, step_fn *step)
{
	const struct iface *iface = &slot->tap.iface;

	for (int depth = 0; depth < NESTED_MAX; depth++) {
		iface = step(slot->place, iface);
		if (!iface)
			return false;
		if (is_counting(slot->place, iface->ifindex))
			return true;
	}
	return false;
}

/* Not by turns: what a bond's slave hands to a VLAN of its own never comes up through the bond. */
static bool is_repeat(const struct slot *slot)
{
	return is_counted_along(slot, master_of) || is_counted_along(slot, whole_of);
}

/* Not so of a bridge: what of a session passes one of its ports is all that passes it. */
static bool is_share(const struct slot *slot)
{
	const struct iface *master = master_of(slot->place, &slot->tap.iface);

	return master && (!strcmp(master->kind, "bond") || !strcmp(master->kind, "team"));
}

void tap_repeats__update(const struct place *place)
{
	const struct tap_set *set = place->set;

	for (size_t i = 0; set->repeats && i < set->n_slots; i++) {
		struct slot *slot = set->slots[i];
		uint64_t *word = &set->repeats[slot->tap.id / TAP_BITS_PER_WORD];
		uint64_t bit = 1ULL << (slot->tap.id % TAP_BITS_PER_WORD);

		if (slot->place != place)
			continue;
		slot->tap.is_share = !slot->tap.is_gone && is_share(slot);
		if (!slot->tap.is_gone && is_repeat(slot))
			*word |= bit;
		else
			*word &= ~bit;
	}
}
