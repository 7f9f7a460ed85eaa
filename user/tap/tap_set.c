/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The set of taps: which interfaces are watched, in which namespaces, and how that follows what
 * becomes of them. Not here: one tap (tap.c).
 */
#include <errno.h>
#include <fnmatch.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tap_internal.h"
#include "user/util/log.h"
#include "user/util/nearest.h"

#define MAX_EVENTS 16
#define YOUTH	   2
#define FEW	   16 /* taps that are made at once in any case */
#define MANY	   64 /* … and those that take seconds */

/* ---- which interfaces ------------------------------------------------------------------------ */

struct slot *slot__find(const struct place *place, uint32_t ifindex)
{
	for (size_t i = 0; i < place->set->n_slots; i++) {
		struct slot *slot = place->set->slots[i];

		if (slot->place == place && !slot->tap.is_gone &&
		    slot->tap.iface.ifindex == ifindex)
			return slot;
	}
	return NULL;
}

/* Something but lo is tapped there. */
static bool has_tap(const struct place *place)
{
	for (size_t i = 0; i < place->set->n_slots; i++) {
		const struct slot *slot = place->set->slots[i];

		if (slot->place == place && !slot->tap.is_gone &&
		    !(slot->tap.iface.flags & IFF_LOOPBACK))
			return true;
	}
	return false;
}

static bool is_wished(const struct place *place, const struct wish *wish, const struct iface *iface)
{
	if (wish->youth && !wish->pattern)
		return !(iface->flags & IFF_LOOPBACK);
	return iface_list__is_chosen(link_watch__ifaces(place->watch), iface, wish->pattern);
}

const struct iface *place__iface(const struct place *place, uint32_t ifindex)
{
	const struct iface_list *list = link_watch__ifaces(place->watch);

	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].ifindex == ifindex)
			return &list->items[i];
	return NULL;
}

/* The kernel waits for an RCU grace period with each program that is attached to tc
 * (tcx_entry_sync() in include/net/tcx.h), ten milliseconds or more. */
static bool has_time(const struct tap_set *set)
{
	const struct wire_shared *shared = &set->shared;

	return set->n_slots < FEW || !shared->has_time || shared->has_time(shared->ctx);
}

static int fulfil(struct place *place, const struct wish *wish)
{
	const struct iface_list *list = link_watch__ifaces(place->watch);
	int count = 0, first_err = 0;

	for (size_t i = 0; i < list->count; i++) {
		const struct iface *iface = &list->items[i];
		int err = 0;

		if (!is_wished(place, wish, iface))
			continue;
		if (!has_time(place->set))
			tap_turn__put_off(place, iface, wish->mode);
		else if (!slot__find(place, iface->ifindex))
			err = slot__add(place, place, iface, wish->mode);
		if (!err)
			count++;
		else if (!first_err)
			first_err = err;
	}
	return count ? count : first_err;
}

/* ---- namespaces ------------------------------------------------------------------------------ */

static void close_place(struct place *place)
{
	if (place->watch)
		(void)epoll_ctl(place->set->epoll_fd, EPOLL_CTL_DEL, link_watch__fd(place->watch),
				NULL); /* closing does the same */
	link_watch__free(place->watch);
	place->watch = NULL;
	free(place->wishes);
	free(place->refused);
	netnsid_map__free(&place->nsids);
	place->wishes = NULL;
	place->refused = NULL;
	place->n_wishes = place->n_refused = 0;
}

static int open_place(struct place *place, struct tap_set *set, const struct netns *ns)
{
	struct epoll_event event = {.events = EPOLLIN, .data.ptr = place};

	*place = (struct place){.ns = *ns, .set = set};
	place->watch = link_watch__new(ns);
	if (!place->watch)
		return -errno;
	return epoll_ctl(set->epoll_fd, EPOLL_CTL_ADD, link_watch__fd(place->watch), &event)
		       ? -errno
		       : 0;
}

static struct place *find_place(const struct tap_set *set, uint32_t inum)
{
	for (size_t i = 0; i < set->n_places; i++)
		if (set->places[i]->watch && set->places[i]->ns.inum == inum)
			return set->places[i];
	return NULL;
}

struct place *place__get(struct tap_set *set, const struct netns *ns)
{
	struct place *place = find_place(set, ns->inum), **more;
	int err;

	if (place)
		return place;
	if (!tap_set__has_room(set)) {
		errno = EMFILE;
		return NULL;
	}
	more = reallocarray(set->places, set->n_places + 1, sizeof(struct place *));
	place = more ? calloc(1, sizeof(*place)) : NULL;
	if (more)
		set->places = more;
	if (!place)
		return NULL;
	err = open_place(place, set, ns);
	if (!err) {
		set->places[set->n_places++] = place;
		return place;
	}
	log_error("cannot list the interfaces of network namespace %s: %s", ns->name,
		  strerror(-err));
	close_place(place);
	free(place);
	errno = -err;
	return NULL;
}

/* As fulfil(), but each in its turn. */
static void fulfil_later(struct place *place, const struct wish *wish)
{
	const struct iface_list *list = link_watch__ifaces(place->watch);

	for (size_t i = 0; i < list->count; i++)
		if (is_wished(place, wish, &list->items[i]) &&
		    !slot__find(place, list->items[i].ifindex))
			tap_turn__put_off(place, &list->items[i], wish->mode);
}

static int add_wish(struct tap_set *set, const struct netns *ns, const struct wish *wish)
{
	struct place *place = place__get(set, ns);
	struct wish *more;

	if (!place)
		return errno ? -errno : -ENOMEM;
	more = reallocarray(place->wishes, place->n_wishes + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	place->wishes = more;
	more[place->n_wishes++] = *wish;
	if (!wish->youth)
		return fulfil(place, wish);
	fulfil_later(place, wish);
	return 0;
}

int tap_set__add(struct tap_set *set, const struct netns *ns, const char *pattern,
		 enum hook_mode mode)
{
	return add_wish(set, ns, &(struct wish){.pattern = pattern, .mode = mode});
}

int tap_set__add_young(struct tap_set *set, const struct netns *ns, const char *pattern,
		       enum hook_mode mode)
{
	return add_wish(set, ns, &(struct wish){pattern, mode, YOUTH});
}

bool tap_set__has(const struct tap_set *set, const char *name)
{
	for (size_t i = 0; i < set->n_places; i++) {
		const struct link_watch *watch = set->places[i]->watch;
		const struct iface_list *list = watch ? link_watch__ifaces(watch) : NULL;

		for (size_t k = 0; list && k < list->count; k++)
			if (!strcmp(list->items[k].name, name))
				return true;
	}
	return false;
}

static void offer_names(const struct place *place, struct nearest *nearest)
{
	const struct iface_list *list = place->watch ? link_watch__ifaces(place->watch) : NULL;

	for (size_t i = 0; list && i < list->count; i++)
		nearest__offer(nearest, list->items[i].name);
}

void tap_set__complain(const struct tap_set *set, const char *name)
{
	struct nearest nearest;

	nearest__init(&nearest, name, strlen(name));
	for (size_t i = 0; i < set->n_places; i++)
		offer_names(set->places[i], &nearest);
	if (nearest.best)
		log_error("no interface is called %s; did you mean %s?", name, nearest.best);
	else
		log_error("no interface is called %s; `ip link` lists them", name);
}

static bool is_referred_to(const struct place *place)
{
	for (size_t i = 0; i < place->set->n_slots; i++) {
		const struct slot *slot = place->set->slots[i];

		if (slot->place == place || slot->inside == place)
			return true;
	}
	return false;
}

/* Of namespaces that are gone, those that no row of a tap refers to any more. */
static void drop_places(struct tap_set *set)
{
	size_t kept = 0;

	for (size_t i = 0; i < set->n_places; i++) {
		struct place *place = set->places[i];

		if (place->watch || is_referred_to(place))
			set->places[kept++] = place;
		else
			free(place);
	}
	set->n_places = kept;
}

void tap_set__forget_netns(struct tap_set *set, uint32_t inum)
{
	struct place *place = find_place(set, inum);

	if (!place)
		return;
	tap_turn__forget(place);
	for (size_t i = 0; i < set->n_slots; i++) {
		struct slot *slot = set->slots[i];

		if ((slot->place == place || slot->inside == place) && !slot->tap.is_gone)
			slot__lose(slot, "its network namespace is gone");
	}
	close_place(place);
	drop_places(set);
}

void tap_set__past(const struct tap_set *set, struct wire_counters *sum)
{
	wire_counters__add(sum, &set->past);
}

/* ---- following ------------------------------------------------------------------------------- */

static bool had_tap(const struct place *place, const char *name)
{
	for (size_t i = 0; i < place->set->n_slots; i++) {
		const struct slot *slot = place->set->slots[i];

		if (slot->place == place && !strcmp(slot->tap.iface.name, name))
			return true;
	}
	return false;
}

/*
 * Without a pattern: one of a default route, or one made anew. What iface_list__is_chosen() says
 * counts only where there is nothing but lo so far, or a default route that is gone for a moment
 * would have everything else tapped.
 */
static bool is_wished_later(const struct place *place, const struct wish *wish,
			    const struct iface *iface)
{
	if (wish->pattern)
		return !fnmatch(wish->pattern, iface->name, 0);
	if (wish->youth)
		return is_wished(place, wish, iface);
	if (!has_tap(place) && is_wished(place, wish, iface))
		return true;
	return iface->has_default_route || had_tap(place, iface->name);
}

static const char *const why_gone[] = {
	[LINK_DELETED] = "the interface was deleted",
	[LINK_MOVED] = "it was moved to another network namespace",
	[LINK_LOST] = "it was deleted or moved",
};

static void on_change(void *ctx, enum link_change change, const struct iface *iface)
{
	struct place *place = ctx;
	struct slot *slot = slot__find(place, iface->ifindex);

	if (change >= LINK_DELETED) {
		if (slot) {
			slot__lose(slot, why_gone[change]);
			slot__release(slot);
		}
		return;
	}
	if (slot) {
		slot->tap.iface = *iface;
		return;
	}
	for (size_t i = 0; i < place->n_wishes; i++) {
		const struct wish *wish = &place->wishes[i];

		if (!is_wished_later(place, wish, iface))
			continue;
		tap_turn__put_off(place, iface, wish->mode);
		return;
	}
}

static void follow_place(struct place *place)
{
	int err = link_watch__read(place->watch, on_change, place);

	place->nsids_are_old = true;
	tap_repeats__update(place);
	if (err)
		log_warn("cannot follow the interfaces of network namespace %s for now: %s",
			 place->ns.name, strerror(-err));
}

int tap_set__epoll_fd(const struct tap_set *set)
{
	return set->epoll_fd;
}

/* Nothing came but lo, which is watched where there is nothing else. */
static void grow(struct place *place)
{
	for (size_t i = 0; i < place->n_wishes; i++) {
		struct wish *wish = &place->wishes[i];

		if (!wish->youth || --wish->youth)
			continue;
		if (!wish->pattern && !has_tap(place))
			fulfil_later(place, wish);
	}
}

void tap_set__grow(struct tap_set *set)
{
	for (size_t i = 0; i < set->n_slots; i++)
		if (set->slots[i]->tap.is_gone)
			slot__age(set->slots[i]);
	for (size_t i = 0; i < set->n_places; i++) {
		struct place *place = set->places[i];

		if (!place->watch)
			continue;
		if (link_watch__is_behind(place->watch))
			follow_place(place);
		grow(place);
	}
}

void tap_set__follow(struct tap_set *set)
{
	struct epoll_event events[MAX_EVENTS];
	int n = epoll_wait(set->epoll_fd, events, MAX_EVENTS, 0);

	for (int i = 0; i < n; i++) {
		struct place *place = events[i].data.ptr;

		if (place) /* else it is somebody's turn */
			follow_place(place);
	}
	tap_turn__make_one(set);
}

/* ---- the set --------------------------------------------------------------------------------- */

static int open_set(struct tap_set *set)
{
	struct epoll_event event = {.events = EPOLLIN};

	set->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	set->turn_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	set->programs = shared_taps__new();
	if (set->epoll_fd < 0 || set->turn_fd < 0 || !set->programs || tap_repeats__open(set))
		return -ENOMEM;
	return epoll_ctl(set->epoll_fd, EPOLL_CTL_ADD, set->turn_fd, &event) ? -errno : 0;
}

struct tap_set *tap_set__new(const struct wire_shared *shared)
{
	struct tap_set *set = calloc(1, sizeof(*set));

	if (!set)
		return NULL;
	set->shared = *shared;
	set->gone_max = GONE_MAX;
	if (!open_set(set))
		return set;
	tap_set__free(set);
	return NULL;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

/* Who ends the process and sees nothing happen would think that it hangs. */
static void tell_end(const struct tap_set *set)
{
	size_t count = 0;

	for (size_t i = 0; i < set->n_slots; i++)
		count += !set->slots[i]->tap.is_gone;
	if (count > MANY)
		log_warn("%zu interfaces are let go of one by one: the kernel takes its time with "
			 "each",
			 count);
}

void tap_set__free(struct tap_set *set)
{
	if (!set)
		return;
	tell_end(set);
	for (size_t i = 0; i < set->n_slots; i++) {
		slot__release(set->slots[i]);
		free(set->slots[i]);
	}
	for (size_t i = 0; i < set->n_places; i++) {
		close_place(set->places[i]);
		free(set->places[i]);
	}
	shared_taps__free(set->programs);
	tap_repeats__close(set);
	close_fd(set->turn_fd);
	close_fd(set->epoll_fd);
	free(set->pending);
	free((void *)set->slots);
	free((void *)set->places);
	free(set);
}
