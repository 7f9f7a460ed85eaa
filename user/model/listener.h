/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Listeners: their queues as the kernel has them now, and what became of the SYNs that came for
 * them. Records and counts go in, rows come out. Not here: where they come from (source/), the
 * columns (listener_fields.c).
 */
#ifndef TCPWATCH_LISTENER_H
#define TCPWATCH_LISTENER_H

#include <limits.h>
#include <net/if.h>

#include "field.h"

/* Per second, between the last two counts. */
struct listener_rates {
	bool known;
	double syns, drops, fate[SYN_FATE_COUNT];
	double refused; /* SYNs, or where they are not seen drops */
};

enum listener_queue { QUEUE_ACCEPT, QUEUE_SYN, QUEUE_COUNT };

/* Whether one of its queues refuses (listener_alarm.h). */
struct listener_alarm {
	bool is_raised;
	uint64_t refused; /* SYNs so far */
};

struct listener {
	struct session session; /* first: what sessions and listeners have in common is got and
				   filtered alike */
	struct sock_info sock;	/* .session.sock */
	char netns_name[NAME_MAX + 1]; /* .session.netns_name */
	char scope[IFNAMSIZ];	       /* .session.scope */
	uint64_t accept_oldest_ns;  /* SYN-ACK of whoever waits longest for accept(), 0: unknown */
	uint64_t request_oldest_ns; /* of the oldest half-open connection, 0: unknown */
	uint64_t drops_ever;	    /* as the kernel counts, from the listener's birth … */
	uint64_t drops;		    /* … and since it was first seen */
	uint64_t drops_inherited;   /* of listeners on the same address and port that are gone */
	uint64_t syn_queue_0;	    /* in its SYN queue when first seen */
	uint64_t syn_queue_limit;   /* UNKNOWN_U64: not known */
	bool has_counts;	    /* .counts.value mean something: transitions are followed */
	bool has_fates;		    /* .counts.fate do: taps see what comes for it */
	bool has_expired; /* … and tell how many half-open connections came to nothing */
	bool has_other;	  /* … and how many SYNs were dropped though no queue was full: .other */
	uint64_t other;
	struct listener_counters counts, before;
	uint64_t drops_before, queued_before, counted_ns;
	struct listener_rates rates;
	struct listener_alarm alarm[QUEUE_COUNT];
	bool refuses_by_choice;	 /* SYN cookies for all: that one is sent means nothing */
	bool is_seen, is_listed; /* by the snapshot under way; by any */
	bool is_counted;	 /* the programs have a slot for it */
	struct listener *next_gone;
};

/* What became of SYNs in one namespace or in all: by our look at the queues. */
struct syn_fates {
	uint64_t fate[SYN_FATE_COUNT], n_inferred;
	/* Of .fate[SYN_QUEUED] those that were dropped all the same; in each namespace is it known
	 * how many? */
	uint64_t other;
	bool has_other;
	uint64_t half_open, n_listeners, n_accept_full, n_syn_full; /* now */
};

/* What the table is told of a namespace. */
struct listener_place {
	uint32_t netns;
	bool is_followed; /* transitions of its sockets are counted */
	bool has_taps;
	bool has_lo;	    /* lo is among them: loopback addresses are seen too */
	bool full_at_limit; /* this kernel's SYN queues hold no more than their limit */
	bool has_limits;    /* the next two are known: tcp_syncookies, tcp_max_syn_backlog */
	uint64_t syn_cookies, syn_backlog_max;
	/* Likewise, since the tool began: SyncookiesSent, SyncookiesRecv. */
	bool has_cookie_counts;
	uint64_t cookies_sent, cookies_received;
	/* Since boot: ListenDrops less those for a full queue, ListenOverflows and
	 * TCPReqQFullDrop. */
	bool has_other_drops;
	uint64_t other_drops;
};

struct listener_table;

/* What the table asks of its surroundings; each may return NULL. */
struct listener_table_env {
	void *ctx;
	const char *(*netns_name)(void *ctx, uint32_t netns);
	const char *(*ifname)(void *ctx, uint32_t netns, uint32_t ifindex);
};

struct listener_table *listener_table__new(const struct listener_table_env *env);
void listener_table__free(struct listener_table *table);

/* listener_table__forget_netns() - it is gone with its listeners; what was counted stays in the
 * sums
 */
void listener_table__forget_netns(struct listener_table *table, uint32_t netns);

/* listener_table__set_place() - for the snapshots to come. Returns 0 or -ENOMEM */
int listener_table__set_place(struct listener_table *table, const struct listener_place *place);

/*
 * listener_table__apply() - take in a record: SNAPSHOT_BEGIN, LISTENER, SNAPSHOT_END, then REQUEST
 * and OWNER
 *
 * Listeners that a whole snapshot of their namespace does not have are forgotten; what was counted
 * for them stays in the sums of the namespace. Returns 0 or -ENOMEM.
 */
int listener_table__apply(struct listener_table *table, const union record *rec);

/*
 * listener_table__count() - what the programs counted for @key so far
 *
 * Cookie 0: for no listener of that namespace. Returns 0 or -ENOMEM; LISTENER_GONE: the listener is
 * no more and its counts are kept for good, so that the programs' can be deleted.
 */
#define LISTENER_GONE 1
int listener_table__count(struct listener_table *table, const struct listener_key *key,
			  const struct listener_counters *counts);

/*
 * listener_table__end_counts() - all counts of @now_ns are in: rates follow from those before
 *
 * @is_full: the programs have no room for more listeners, so one without a count is not one
 * without SYNs.
 */
void listener_table__end_counts(struct listener_table *table, uint64_t now_ns, bool is_full);

/* listener_table__check_owners() - forget those processes that are no more, as @is_there says */
void listener_table__check_owners(struct listener_table *table, bool (*is_there)(uint32_t pid));

/* listener_table__find() - the listener with @cookie, or NULL */
const struct listener *listener_table__find(const struct listener_table *table, uint64_t cookie);

void listener_table__visit(const struct listener_table *table,
			   void (*visit)(void *ctx, const struct listener *listener), void *ctx);
/* listener_table__edit() - likewise, for the model's own */
void listener_table__edit(struct listener_table *table,
			  void (*edit)(void *ctx, struct listener *listener), void *ctx);
/*
 * listener_table__unowned() - the cookies of those whose process is unknown
 *
 * Returns how many there are; @cookies has @room, and the first of them are in it.
 */
size_t listener_table__unowned(const struct listener_table *table, uint64_t *cookies, size_t room);

/* syn_fates__add() - count @listener, its queues and SYNs, in @sum */
void syn_fates__add(struct syn_fates *sum, const struct listener *listener);

/* listener_table__fates() - of the namespace @netns, or of all of them together for 0 */
void listener_table__fates(const struct listener_table *table, uint32_t netns,
			   struct syn_fates *out);

/* listener__syns_unseen() - handshakes completed beyond what was queued or got a cookie: at least
 * as many SYNs came that no tap saw */
uint64_t listener__syns_unseen(const struct listener *listener);

/* listener__syns() - all SYNs that came for it; listener__refused() - those of them dropped */
uint64_t listener__syns(const struct listener_counters *counts);
uint64_t listener__refused(const struct listener_counters *counts);

/* listener__drops_seen() - what sk_drops should be by them: a SYN that repeats a request is
 * answered, and counted there all the same (tcp_check_req() has nothing for tcp_v4_rcv() to go on
 * with) */
uint64_t listener__drops_seen(const struct listener_counters *counts);

/* listener__queued(), syn_fates__queued() - SYNs that found room and, as far as it is known of how
 * many, were not dropped all the same */
uint64_t listener__queued(const struct listener *listener);
uint64_t syn_fates__queued(const struct syn_fates *fates);

/* listener__shares_port() - both are on one address and port (SO_REUSEPORT) */
static inline bool listener__shares_port(const struct listener *one, const struct listener *other)
{
	const struct sock_info *a = &one->sock, *b = &other->sock;

	return a->netns == b->netns && a->family == b->family && a->local_port == b->local_port &&
	       ip_addr__equal(&a->local, &b->local);
}

/* listener__is_accept_full() - the next SYN is dropped (sk_acceptq_is_full() in include/net/sock.h)
 */
bool listener__is_accept_full(const struct listener *listener);
/* listener__is_syn_full() - the next SYN is answered with a cookie, or dropped; false if not known
 */
bool listener__is_syn_full(const struct listener *listener);
/* listener__fullness() - of its fuller queue, in thousandths of what makes it refuse */
uint64_t listener__fullness(const struct listener *listener);

/* listener__badness() - orders them: drops lately before fullness, as who refuses now is worse off
 * than who is about to */
uint64_t listener__badness(const struct listener *listener);

/* Of SYNs: what .other of a listener, and of all fates, is. */
#define LISTENER_OTHER_HELP                                                                  \
	"dropped though no queue was full, as the kernel counts them: no route back to the " \
	"client, no memory, a security module"

extern const struct field_table listener_fields; /* rows are struct listener */

#endif
