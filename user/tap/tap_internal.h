/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The inside of the set of taps, shared by its files alone: one tap, what holds it and what became
 * of it (tap.c); which interfaces of which namespaces, and their changes (tap_set.c).
 */
#ifndef TCPWATCH_TAP_INTERNAL_H
#define TCPWATCH_TAP_INTERNAL_H

#include "attach.h"
#include "netnsid.h"

#define MAX_TAPS   UINT16_MAX
#define GONE_MAX   1024
#define NEWS_LOOKS 5 /* calls of tap_set__grow() for which it is news that a tap went */

/* A pattern asked for. */
struct wish {
	const char *pattern; /* NULL: the interfaces of the default routes */
	enum hook_mode mode;
	unsigned youth; /* of its namespace: calls of tap_set__grow() before it is settled, or 0 */
};

/* A namespace with taps, or with addresses that are asked for. */
struct place {
	struct netns ns;	  /* the file descriptor is the caller's */
	struct link_watch *watch; /* NULL: the namespace is gone */
	struct wish *wishes;
	size_t n_wishes;
	uint32_t *refused; /* interfaces that could not be tapped: it was told */
	size_t n_refused;
	struct netnsid_map nsids; /* of the namespaces that veths lead to … */
	uint64_t nsids_read_ns;	  /* … as they were then; 0: never read */
	bool nsids_are_old;	  /* interfaces have changed since */
	struct tap_set *set;
};

/* A tap and what holds it. Never freed before the set: its id stays that of its sessions. */
struct slot {
	struct tap tap;
	struct place *place; /* where the interface is */
	struct place
		*inside; /* whose sessions it shows: that of the other end of a veth, or .place */
	struct attachment ingress, egress;
	struct wire_counters past; /* of attachments that are no more */
	uint64_t lost;	      /* which of the losses of the set was that of this one; 0: none */
	unsigned looks_since; /* calls of tap_set__grow() */
};

/* An interface that is to be tapped. */
struct pending {
	struct place *place;
	uint32_t ifindex;
	enum hook_mode mode;
};

struct tap_set {
	struct wire_shared shared;
	struct shared_taps *programs;
	int epoll_fd;
	struct slot **slots; /* by id - 1 */
	size_t n_slots;
	struct place **places;
	size_t n_places;
	struct pending *pending; /* in the order in which they came */
	size_t n_pending;
	int turn_fd;		   /* readable while there are any */
	uint64_t *repeats;	   /* shared.repeats_fd, mapped; NULL: there is none */
	uint64_t n_lost, n_went;   /* with, and without those that could not be had */
	size_t n_gone, gone_max;   /* rows of taps that are gone, of which so many are kept */
	struct wire_counters past; /* of the others */
	bool is_full_told;
};

/* place__get() - that of @ns, made if there is none; NULL: errno says why, logged */
struct place *place__get(struct tap_set *set, const struct netns *ns);

/* place__iface() - its interface of that index, or NULL */
const struct iface *place__iface(const struct place *place, uint32_t ifindex);

/* tap_set__has_room() - there are file descriptors for one more tap, and for everybody else's needs
 * after it. False is logged, once */
bool tap_set__has_room(struct tap_set *set);

/* slot__find() - the tap of that interface of @place, or NULL */
struct slot *slot__find(const struct place *place, uint32_t ifindex);

/* slot__add() - tap @iface of @place for the sessions of @inside. Returns 0 or -errno, logged but
 * for -EINTR: the process is to end. A tap that could not be had leaves no row. */
int slot__add(struct place *place, struct place *inside, const struct iface *iface,
	      enum hook_mode mode);

/* tap_turn__forget() - nothing of @place is to be tapped any more */
void tap_turn__forget(struct place *place);
/* tap_turn__put_off() - tap @iface in its turn; again is the same. Without memory there is a tap
 * less, logged */
void tap_turn__put_off(struct place *place, const struct iface *iface, enum hook_mode mode);
/* tap_turn__make_one() - the one that came last, if it is still there */
void tap_turn__make_one(struct tap_set *set);

/* slot__lose() - its interface or its namespace is gone, @why: keep the row. It is yet to be
 * released */
void slot__lose(struct slot *slot, const char *why);
/* slot__age() - of one that is gone: a second has passed */
void slot__age(struct slot *slot);

/* tap_repeats__open() - returns 0 or -errno; tap_repeats__close() */
int tap_repeats__open(struct tap_set *set);
void tap_repeats__close(struct tap_set *set);
/* tap_repeats__update() - find out anew which taps of @place repeat another: interfaces or taps
 * have changed */
void tap_repeats__update(const struct place *place);

/* slot__release() - detach, keep what was counted; again is nothing */
void slot__release(struct slot *slot);

#endif
