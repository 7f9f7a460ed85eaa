/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * All sessions that userspace knows. Records go in through apply(), which alone changes them;
 * events come out through a callback; rows are read through a visitor. Time is always an argument.
 * Not here: where records come from (source/), where rows and events go (output/, ui/).
 */
#ifndef TCPWATCH_SESSION_TABLE_H
#define TCPWATCH_SESSION_TABLE_H

#include <stddef.h>

#include "event.h"
#include "session.h"

struct session_table;

/* What is known of a tap. */
struct tap_facts {
	const char *ifname; /* NULL: unknown */
	uint32_t netns;
	bool is_gone;
	bool is_share; /* of the segments of a session it may see some alone: another shows all */
};

#define ANY_TAP 0 /* no tap has this number */

/* What the table asks of its surroundings; constant while it lives. */
struct session_table_env {
	void *ctx;
	/* Is @addr an address of the namespace that @tap is in, or with ANY_TAP of any that the
	 * socket view covers? NULL: nothing is (all wire-only rows forward). */
	bool (*is_local)(void *ctx, uint32_t tap, const struct ip_addr *addr);
	/* Fill @out, which is all zero, if @tap is known. */
	void (*tap_facts)(void *ctx, uint32_t tap, struct tap_facts *out);
	/* Names for rows; may return NULL. */
	const char *(*netns_name)(void *ctx, uint32_t netns);
	/* The interface numbered @ifindex of @netns; may return NULL, and be NULL. */
	const char *(*ifname)(void *ctx, uint32_t netns, uint32_t ifindex);
	/* The container of a row; may return NULL. NULL: rows have none. */
	const struct container *(*container)(void *ctx, const struct session *session);
	/* What the process of a row in CLOSE_WAIT has of them; may return NULL, and be NULL. */
	const struct close_wait_holder *(*close_wait)(void *ctx, const struct session *session);
	/* The translations that have the tuple @key (any tap) on @side, as nat_table__next() gives
	 * them. NULL: nobody tells. */
	const struct nat *(*nat)(void *ctx, const struct flow_key *key, enum nat_side side,
				 const struct nat *after);
	/* Something was just seen on a tuple, so a translation of it has been made by now: it may
	 * be told of by session_table__add_nat() before this returns. Only with .nat. */
	void (*nat_news)(void *ctx);
	/*
	 * Bring the live fragments of @key into the table (apply REC_FRAGMENT for each CPU that has
	 * one): called before the totals of an ended session are told. NULL: there are none.
	 */
	void (*pull)(void *ctx, struct session_table *table, const struct flow_key *key);
	/* Receives each event; NULL: events are not derived, which is cheaper. */
	void (*on_event)(void *ctx, const struct event *event);
	/*
	 * Both views are on and the socket view covers every local socket: tell opens, closes and
	 * states of local sessions from it alone, so that each is told once; and a local session
	 * for which the kernel has no socket is no row, whatever the wire still remembers of it.
	 */
	bool prefer_socket_events;
	/* The kernel's name of a reset's reason (enum sk_rst_reason), static text or NULL; may be
	 * NULL. */
	const char *(*reset_reason)(void *ctx, int reason);
};

/* session_table__new() - an empty table, or NULL (ENOMEM). @max_wire bounds wire-only sessions
 * kept. */
struct session_table *session_table__new(const struct session_table_env *env, size_t max_wire);
void session_table__free(struct session_table *table);

/*
 * session_table__apply() - take in one record; @now_ns is CLOCK_MONOTONIC
 *
 * Unknown kinds and records shorter than their kind are counted and left alone.
 * Returns 0 or -ENOMEM.
 */
int session_table__apply(struct session_table *table, const union record *record, uint64_t now_ns);

/*
 * session_table__expect() - these records will be applied next: have the memory that they need
 * fetched for all of them at once. Changes nothing; without it each would wait for its own.
 */
void session_table__expect(struct session_table *table, const union record *records, size_t count);
/*
 * session_table__expect_socks() - likewise of the REC_SOCK records that fill @len bytes from @first
 * on, each as long as its header says. Returns how many of these bytes were made use of.
 */
size_t session_table__expect_socks(const struct session_table *table, const union record *first,
				   size_t len);

/*
 * session_table__settle() - let time pass: tell the totals of sessions that ended, forget what
 * timed out
 *
 * Call after each batch of records.
 */
void session_table__settle(struct session_table *table, uint64_t now_ns);

/*
 * session_table__caught_up() - all that happened until @until_ns has been applied, or been made up
 * for by a scan of the caches where records of it were lost
 *
 * A fragment may stay in a cache, or wait in the ring, long after its session has ended. So no
 * session is forgotten before that is said of its end, and of what ended before that was said
 * nothing is told or counted again. Nor has who is silent since given up.
 */
void session_table__caught_up(struct session_table *table, uint64_t until_ns);

/* session_table__visit() - call @visit for each session; pointers are valid until the next apply or
 * settle */
typedef void (*session_visitor)(void *ctx, const struct session *session);
void session_table__visit(struct session_table *table, uint64_t now_ns, session_visitor visit,
			  void *ctx);

/* session_table__pass() - call @visit with the session that @rec would become, which is not kept:
 * pointers are valid during the call */
void session_table__pass(struct session_table *table, const struct rec_sock *rec, uint64_t now_ns,
			 session_visitor visit, void *ctx);

/* A handshake under way. */
struct attempt {
	const struct session *session;
	uint64_t since_ns;     /* CLOCK_MONOTONIC, 0: unknown */
	bool may_be_forgotten; /* its SYN-ACK may be a cookie: nobody waits for the answer */
};

/* session_table__visit_attempts() - call @visit for each whose end will be told. With events only
 */
typedef void (*attempt_visitor)(void *ctx, const struct attempt *attempt);
void session_table__visit_attempts(struct session_table *table, uint64_t now_ns,
				   attempt_visitor visit, void *ctx);

/*
 * session_table__forget_owners() - OWNER records of every process follow: those known so far may be
 * wrong
 *
 * What the tracepoints said of a socket's process stays, in want of better.
 */
void session_table__forget_owners(struct session_table *table);

/* session_table__has_unowned() - sockets that a process may hold but none is known for: OWNER
 * records help */
bool session_table__has_unowned(const struct session_table *table);

/*
 * session_table__forget_netns() - the namespace @netns is gone, and with it its sockets, from the
 * next settle on
 *
 * What the wire saw in it stays, as long as it would have. A snapshot of it is of a new namespace
 * that has its number. Returns 0 or -ENOMEM.
 */
int session_table__forget_netns(struct session_table *table, uint32_t netns);

/* session_table__add_nat() - the environment knows of the translation @nat now */
void session_table__add_nat(struct session_table *table, const struct nat *nat);

struct session_table_stats {
	uint64_t sessions; /* rows that visit gives */
	uint64_t wire_sessions;
	uint64_t by_state[TCPS_COUNT]; /* of the local endpoints */
	uint64_t wire_forgotten;       /* wire-only sessions dropped because max_wire was reached */
	uint64_t bad_records;
	uint64_t wire_retransmits; /* segments of payload, each at the tap that is counted */
	/* Sessions that taps saw and no socket counts: both ends are elsewhere, or there is no
	 * socket view; of those that failed also attempts at this host that came to no socket.
	 * Since the start, each once. */
	uint64_t wire_opened, wire_closed, wire_failed;
	uint64_t wire_failed_here; /* of these: at this host's addresses */
	uint64_t stragglers; /* fragments and segments of a session that a newer one had replaced */
};
void session_table__stats(const struct session_table *table, struct session_table_stats *stats);

#endif
