/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Taps: an interface seen through one hook, with its own instance of the wire programs.
 * Chooses the hook, attaches, falls back, follows renames and deletions, detaches. bpf_link holds
 * every attachment where the kernel has it, so nothing stays behind when the process is killed. Not
 * here: the session cache the programs share (source/wire_view.h).
 */
#ifndef TCPWATCH_TAP_H
#define TCPWATCH_TAP_H

#include "bpf/shared/abi.h"
#include "iface.h"
#include "listener_maps.h"

/* --hook. X(enumerator, name, help) */
#define HOOK_MODES(X)                                                                         \
	X(AUTO, "auto", "native XDP and tc egress on a NIC, tc both ways on virtual devices") \
	X(XDP, "xdp", "native XDP for ingress")                                               \
	X(XDP_GENERIC, "xdp-generic", "generic XDP for ingress")                              \
	X(TC, "tc", "tc for both directions")

enum hook_mode {
#define X(id, name, help) HOOK_##id,
	HOOK_MODES(X)
#undef X
		HOOK_COUNT,
};

/* What one direction is really attached with. X(enumerator, name) */
#define ATTACH_KINDS(X)               \
	X(NONE, "none")               \
	X(XDP, "xdp")                 \
	X(XDP_FRAGS, "xdp.frags")     \
	X(XDP_GENERIC, "xdp-generic") \
	X(TCX, "tcx")                 \
	X(CLSACT, "tc")

enum attach_kind {
#define X(id, name) ATTACH_##id,
	ATTACH_KINDS(X)
#undef X
};

const char *hook_mode__name(enum hook_mode mode);
/* hook_mode__parse() - returns 0, or -EINVAL (nothing logged) */
int hook_mode__parse(enum hook_mode *mode, const char *name);
const char *attach_kind__name(enum attach_kind kind);

/* Maps that every instance of the wire programs shares, and its constants but for those of the tap.
 */
struct wire_shared {
	int cache_fd;			/* array of maps: CPU → array of struct cache_group */
	int records_fd;			/* ring buffer */
	int lost_fd;			/* per-CPU struct lost_counters */
	int repeats_fd;			/* bits of taps; 0: none, made by tap_set__new() */
	struct listener_maps listeners; /* with config.fate_looks */
	struct wire_config config;
	bool (*is_stopping)(void); /* make no more taps: the process is to end; NULL: never */
	bool (*has_time)(const void *ctx); /* to make more than a few before add() returns; NULL:
					    * always */
	const void *ctx;
	bool netns_pass; /* namespaces were not named one by one: that one goes is no news */
};

struct tap {
	uint16_t id;	/* 1 … */
	uint32_t netns; /* inode number: whose sessions it shows */
	struct iface iface;
	enum hook_mode mode; /* asked for */
	enum attach_kind ingress, egress;
	bool has_fates; /* it knows what becomes of SYNs */
	bool is_outer;	/* the interface is the other end of a veth of .netns */
	bool is_named;	/* asked for by itself, or as that of the default route; by no glob */
	bool is_gone;	/* interface or namespace vanished */
	bool is_past;	/* .is_gone, and no news any more: its name has a tap again, or it was not
			 * .is_named and that is some seconds ago */
	bool is_share;	/* one of the ports of a bond: of a session it sees some segments alone */
	char note[160]; /* why it fell back, or what went wrong; "" if all is as asked */
};

struct tap_set;

struct tap_set *tap_set__new(const struct wire_shared *shared);
void tap_set__free(struct tap_set *set); /* detaches everything */

/*
 * tap_set__add() - tap every interface of @ns that matches @pattern, a name or a glob; NULL: those
 * of the default routes, and where there are none all that are up, lo only if alone
 *
 * Interfaces that come to match @pattern later are tapped then; NULL: those that get a default
 * route, or are made anew. The file descriptor of @ns and @pattern must outlive the set; but for
 * tap_set__forget_netns().
 * When the time for it is over (.has_time) the rest is put off: tap_set__follow() makes them.
 * Returns how many are tapped, 0 if none matches (not logged: there may be more namespaces, see
 * tap_set__has()); or -errno, logged, if none of those that match could be tapped; or -EINTR, not
 * logged, if the process is to end.
 */
int tap_set__add(struct tap_set *set, const struct netns *ns, const char *pattern,
		 enum hook_mode mode);

/*
 * tap_set__add_young() - likewise for a namespace that has just appeared; by tap_set__follow()
 *
 * Who makes it gives it interfaces one by one, and brings them up: with no pattern, until it is
 * settled, each is tapped as it comes, before anything passes, but for lo. Returns 0 or -errno.
 */
int tap_set__add_young(struct tap_set *set, const struct netns *ns, const char *pattern,
		       enum hook_mode mode);
/* tap_set__grow() - a second has passed: a namespace is settled at the second call since it was
 * added, interfaces are looked at again where the last look failed, and what is gone gets past */
void tap_set__grow(struct tap_set *set);

/*
 * tap_set__add_outer() - tap the interfaces of the default routes of @ns for the sessions in it:
 * those that are veths at their other end, if that is in @outside, else where they are
 *
 * The other end is found by its namespace's number and its index there, and must itself name this
 * one as its other end. There it is not asked what becomes of SYNs. Returns as tap_set__add() does.
 */
int tap_set__add_outer(struct tap_set *set, const struct netns *ns, const struct netns *outside,
		       enum hook_mode mode);

/*
 * tap_set__peer_netns() - inode number of the namespace that the veth tapped by @id leads to
 *
 * 0: no veth, or the one that it is tapped for anyway, or nobody knows: it is found out anew, but
 * not at once each time, when interfaces have changed, for the numbers of namespaces are reused.
 */
uint32_t tap_set__peer_netns(struct tap_set *set, uint16_t id, uint64_t now_ns);

/* tap_set__has() - an interface called @name exists in one of the namespaces */
bool tap_set__has(const struct tap_set *set, const char *name);

/* tap_set__complain() - log that no interface is called @name, and which one is nearest */
void tap_set__complain(const struct tap_set *set, const char *name);

/*
 * tap_set__forget_netns() - the namespace is gone: detach, keep the rows of its taps
 *
 * Of taps that are gone a thousand rows are kept; beyond, the id and the row of the one gone for
 * longest become those of the next tap, and what it counted goes to tap_set__past().
 */
void tap_set__forget_netns(struct tap_set *set, uint32_t inum);

/* tap_set__has_lo() - lo of the namespace @inum is watched */
bool tap_set__has_lo(const struct tap_set *set, uint32_t inum);

/* tap_set__has_fates() - what becomes of SYNs is known in the namespace @inum; 0: in one of them */
bool tap_set__has_fates(const struct tap_set *set, uint32_t inum);

size_t tap_set__count(const struct tap_set *set);
/* tap_set__n_gone() - taps that went since the start, those whose rows are no more too */
uint64_t tap_set__n_gone(const struct tap_set *set);
const struct tap *tap_set__get(const struct tap_set *set, size_t index);
const struct tap *tap_set__by_id(const struct tap_set *set, uint16_t id); /* NULL: none */
bool tap_set__is_local(const struct tap_set *set, uint16_t id, const struct ip_addr *addr);
/* tap_set__netns_of() - the next namespace that has @addr, of those with something to tap; 0: there
 * is none. *@at is 0 at first */
uint32_t tap_set__netns_of(const struct tap_set *set, const struct ip_addr *addr, size_t *at);

/* tap_set__counters() - sums over CPUs, of one tap; returns 0 or -errno */
int tap_set__counters(const struct tap_set *set, size_t index, struct wire_counters *out);

/* tap_set__past() - add what taps counted whose rows are no more to @sum */
void tap_set__past(const struct tap_set *set, struct wire_counters *sum);

/*
 * tap_set__epoll_fd() - readable when interfaces changed; tap_set__follow() then takes the changes
 * in
 *
 * A tap takes some 30 ms, for which the kernel waits: each call makes one at most, so that records
 * are read in between. While there are more to make, tap_set__n_pending() of them, it stays
 * readable.
 */
int tap_set__epoll_fd(const struct tap_set *set);
void tap_set__follow(struct tap_set *set);
size_t tap_set__n_pending(const struct tap_set *set);

#endif
