/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One tap: attached with its constants, what is not as asked for, and its end. Not here: which
 * interfaces are tapped (tap_set.c).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

#include "hook.h"
#include "tap_internal.h"
#include "user/util/log.h"

/* A tap takes up to 40 file descriptors while it is made, a few once it is; the rest is for all
 * that is opened for a moment. */
#define SPARE_FILES 64

void slot__release(struct slot *slot)
{
	(void)attachment__add_counters(&slot->ingress, &slot->past);
	(void)attachment__add_counters(&slot->egress, &slot->past);
	/* Egress first: a clsact qdisc goes with the side that was attached first. */
	attachment__close(&slot->egress);
	attachment__close(&slot->ingress);
}

static void end_row(struct slot *slot, const char *why)
{
	slot->tap.ingress = slot->tap.egress = ATTACH_NONE;
	slot->tap.is_gone = true;
	slot->lost = ++slot->place->set->n_lost;
	slot->place->set->n_gone++;
	snprintf(slot->tap.note, sizeof(slot->tap.note), "%s", why);
	tap_repeats__update(slot->place);
}

void slot__lose(struct slot *slot, const char *why)
{
	end_row(slot, why);
	slot->place->set->n_went++;
}

/* Of a namespace that is gone, once the kernel has had the time to take it apart: that detaches
 * everything in it at once, while closing a link first waits for a grace period. */
void slot__age(struct slot *slot)
{
	slot__release(slot);
	slot->looks_since++;
	if (!slot->tap.is_named && slot->looks_since >= NEWS_LOOKS)
		slot->tap.is_past = true;
}

/* The interface is there again, perhaps in a namespace that was made anew. */
static void supersede_others(const struct slot *slot)
{
	const struct tap_set *set = slot->place->set;

	for (size_t i = 0; i < set->n_slots; i++) {
		struct slot *other = set->slots[i];

		if (other->tap.is_gone && !strcmp(other->tap.iface.name, slot->tap.iface.name) &&
		    !strcmp(other->place->ns.name, slot->place->ns.name))
			other->tap.is_past = true;
	}
}

/* What is not as it was asked for. */
static void take_note(struct slot *slot)
{
	struct tap *tap = &slot->tap;
	const char *why = slot->ingress.why[0] ? slot->ingress.why : slot->egress.why;

	tap->ingress = slot->ingress.kind;
	tap->has_fates = slot->ingress.has_fates;
	tap->egress = slot->egress.kind;
	if (why[0])
		snprintf(tap->note, sizeof(tap->note), "%s; watched by %s", why,
			 attach_kind__name(tap->ingress));
	else if (hook__is_costly(tap->mode, &tap->iface))
		snprintf(tap->note, sizeof(tap->note),
			 "native XDP switches the peer's segmentation offload off: bulk TCP is "
			 "several times slower; --hook tc costs nothing");
	if (tap->note[0])
		log_warn("%s: %s", tap->iface.name, tap->note);
}

static int attach(struct slot *slot)
{
	const struct tap *tap = &slot->tap;
	struct tap_set *set = slot->place->set;
	const struct netns *ns = &slot->place->ns;
	const enum attach_kind *egress = hook__egress_kinds(&tap->iface);
	int err;

	tap_repeats__update(slot->place); /* before it counts; and others of what it repeats */
	err = attachment__open(&slot->ingress, &set->shared, set->programs, ns, tap, false,
			       hook__ingress_kinds(tap->mode, &tap->iface));
	tap_repeats__update(slot->place);
	if (!err && *egress != ATTACH_NONE)
		err = attachment__open(&slot->egress, &set->shared, set->programs, ns, tap, true,
				       egress);
	if (!err)
		take_note(slot);
	return err;
}

static void explain(const struct slot *slot, int err)
{
	const char *name = slot->tap.iface.name;
	const char *why = slot->ingress.why[0] ? slot->ingress.why : slot->egress.why;

	if (err == -ENODEV)
		log_warn("%s was deleted before it could be watched", name);
	else if (err == -EPERM)
		log_error("may not watch %s: the kernel refuses its programs; run as root, or with "
			  "CAP_BPF, CAP_NET_ADMIN and CAP_PERFMON",
			  name);
	else
		log_error("cannot watch %s: %s; try another --hook, or `tcpwatch doctor`", name,
			  why[0] ? why : strerror(-err));
}

static struct slot *find_longest_gone(const struct tap_set *set)
{
	struct slot *found = NULL;

	for (size_t i = 0; i < set->n_slots; i++) {
		struct slot *slot = set->slots[i];

		if (slot->lost && (!found || slot->lost < found->lost))
			found = slot;
	}
	return found;
}

/* Interfaces of containers come and go for ever: the row of the one that is gone for longest, and
 * its id, are used again when there are too many. */
static struct slot *take_over(struct tap_set *set)
{
	struct slot *slot = set->n_gone > set->gone_max ? find_longest_gone(set) : NULL;

	if (!slot)
		return NULL;
	slot__release(slot);
	wire_counters__add(&set->past, &slot->past);
	set->n_gone--;
	*slot = (struct slot){.tap.id = slot->tap.id};
	slot->ingress.link_fd = slot->egress.link_fd = -1;
	return slot;
}

static struct slot *add_slot(struct tap_set *set)
{
	struct slot *slot = take_over(set);
	struct slot **more;

	if (slot)
		return slot;
	if (set->n_slots == MAX_TAPS)
		return NULL;
	more = reallocarray(set->slots, set->n_slots + 1, sizeof(struct slot *));
	if (!more)
		return NULL;
	set->slots = more;
	slot = calloc(1, sizeof(*slot));
	if (!slot)
		return NULL;
	slot->ingress.link_fd = slot->egress.link_fd = -1;
	more[set->n_slots++] = slot;
	slot->tap.id = set->n_slots;
	return slot;
}

/* Each change of the interface is another try, not another message. */
static bool is_first_refusal(struct place *place, uint32_t ifindex)
{
	uint32_t *more;

	for (size_t i = 0; i < place->n_refused; i++)
		if (place->refused[i] == ifindex)
			return false;
	more = reallocarray(place->refused, place->n_refused + 1, sizeof(*more));
	if (!more)
		return true;
	place->refused = more;
	more[place->n_refused++] = ifindex;
	return true;
}

/* It leaves no row, unless it took one over. */
static void give_up(struct tap_set *set, struct slot *slot)
{
	slot__release(slot);
	if (slot != set->slots[set->n_slots - 1]) {
		end_row(slot, "it could not be watched");
		slot->tap.is_past = true; /* it never was */
		return;
	}
	free(slot);
	set->n_slots--;
}

/* The lowest free number is taken first: where a high one is in use all below it have been. */
bool tap_set__has_room(struct tap_set *set)
{
	struct rlimit limit;
	bool has_room;

	if (getrlimit(RLIMIT_NOFILE, &limit) || limit.rlim_cur > INT_MAX)
		return true;
	has_room = fcntl((int)limit.rlim_cur - SPARE_FILES, F_GETFD) < 0;
	if (!has_room && !set->is_full_told)
		log_error("not all interfaces are watched, as only %llu files may be open: allow "
			  "more with ulimit -Hn, or LimitNOFILE= of the systemd unit",
			  (unsigned long long)limit.rlim_cur);
	set->is_full_told |= !has_room;
	return has_room;
}

static bool is_named(const struct place *place, const char *name)
{
	for (size_t i = 0; i < place->n_wishes && !place->set->shared.netns_pass; i++) {
		const char *pattern = place->wishes[i].pattern;

		if (!pattern || (!iface_pattern__is_glob(pattern) && !strcmp(pattern, name)))
			return true;
	}
	return false;
}

int slot__add(struct place *place, struct place *inside, const struct iface *iface,
	      enum hook_mode mode)
{
	struct tap_set *set = place->set;
	struct slot *slot;
	int err;

	if (set->shared.is_stopping && set->shared.is_stopping())
		return -EINTR;
	if (!tap_set__has_room(set))
		return -EMFILE;
	slot = add_slot(set);
	if (!slot) {
		log_error("cannot watch %s: too many interfaces", iface->name);
		return -ENOMEM;
	}
	slot->place = place;
	slot->inside = inside;
	slot->tap.netns = inside->ns.inum;
	slot->tap.is_outer = place != inside;
	slot->tap.iface = *iface;
	slot->tap.mode = mode;
	slot->tap.is_named = is_named(place, iface->name);
	err = attach(slot);
	if (!err) {
		supersede_others(slot);
		return 0;
	}
	if (is_first_refusal(place, iface->ifindex))
		explain(slot, err);
	give_up(set, slot);
	return err;
}
