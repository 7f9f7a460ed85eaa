/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The inside of the session table, shared by its files alone: rows of sockets
 * (session_table_socks.c, …_owners.c, …_snapshots.c), sessions of the wire (…_wire.c, …_parts.c),
 * and the events that follow from their changes (…_events.c). The table itself ties them together
 * (session_table.c).
 */
#ifndef TCPWATCH_SESSION_TABLE_INTERNAL_H
#define TCPWATCH_SESSION_TABLE_INTERNAL_H

#include "due_list.h"
#include "pool.h"
#include "session_table.h"
#include "user/util/fetch.h"

/* ---- time-outs of wire sessions, since their last segment ---- */

/* How long a session whose local endpoint is CLOSED stays on the screen. */
#define CLOSED_SHOWN_NS (5 * TW_NSEC_PER_SEC)
/* TCP_TIMEWAIT_LEN, a constant of the kernel (include/net/tcp.h); late segments find their session.
 */
#define TIME_WAIT_NS  (60 * TW_NSEC_PER_SEC)
#define ENDED_KEPT_NS TIME_WAIT_NS
/* Longer than the six retries of a SYN take (127 s, Documentation/networking/ip-sysctl.rst). */
#define HALF_OPEN_KEPT_NS (180 * TW_NSEC_PER_SEC)
/* FIN_WAIT1, CLOSING, LAST_ACK: more retries of a FIN than an orphan gets (tcp_orphan_retries). */
#define CLOSING_KEPT_NS (300 * TW_NSEC_PER_SEC)
/* Open or half-closed: beyond the first keep-alive (tcp_keepalive_time, 2 h). */
#define IDLE_KEPT_NS (10800 * TW_NSEC_PER_SEC)

#define LEG_NAME_MAX 16 /* IFNAMSIZ (linux/if.h) */

#define NOT_SHOWN    0xff /* in place of a state: no row */

/*
 * What was last read of one fragment. Joining the evidence of a newer copy of it again changes
 * nothing, counters apart: they are added as the difference to this.
 */
struct wire_part {
	uint64_t first_ns; /* with cpu, the fragment's identity */
	uint32_t flags;
	uint32_t segments[DIR_COUNT], bytes[DIR_COUNT];
	uint32_t nxt[DIR_COUNT], ack[DIR_COUNT];
	uint16_t retransmits[DIR_COUNT];
	uint8_t syn_retransmits[DIR_COUNT], fin_retransmits[DIR_COUNT];
	uint16_t cpu;
	bool confirmed; /* the pull under way has found it in the cache */
};

/* Bits of wire_session.told and .todo. */
#define TOLD_ESTABLISHED (1u << 0)
#define TOLD_END	 (1u << 1)
#define TOLD_SYN(dir)	 (1u << (2 + (dir)))
#define TOLD_SYNACK(dir) (1u << (4 + (dir)))
#define TOLD_OPEN	 (1u << 6) /* that it is established: by the wire, which no socket owned */
#define TODO_LISTED	 (1u << 0) /* it is in table->pending */
#define TODO_END	 (1u << 1) /* the end is to be told once all fragments are in */
#define TODO_PULL	 (1u << 2) /* fragments of this incarnation may have joined the one before */
#define TODO_WAITED	 (1u << 3) /* … and one settle has passed since */

/* How far a handshake has come that no socket tells of. */
struct wire_attempt {
	uint64_t answered_ns;	    /* the last SYN-ACK, 0: none was reported */
	uint8_t again, asked_again; /* sent again; SYNs that came again, which are answered too */
	bool is_over;		    /* whoever had to send again has given up */
};

/* The counted one among them. Of more than so many the others go unnamed. */
#define LEGS_MAX 8
#define LEGS_CUT ",..."

struct wire_legs {
	struct session_leg leg[LEGS_MAX];
	char ifname[LEGS_MAX][LEG_NAME_MAX]; /* when .names was made */
	uint16_t counted;		     /* likewise, the tap */
	uint8_t count;
	bool is_cut; /* there are more */
	char *names; /* as rows have them, NULL: to be made, or out of memory */
};

/*
 * A session that taps saw, in whichever namespaces. Its evidence is what one of them saw, the
 * counted one, .ev.key.tap; .row.tap is of .row.netns. What a fragment changes that has but counted
 * on comes first: of a million sessions each cache line takes its time.
 */
struct wire_session {
	_Alignas(CACHE_LINE) struct pool_head head;
	uint32_t tuple_hash;
	uint16_t n_parts;
	bool is_steady;	       /* its verdict stays as it is until more than counters move */
	struct wire_part part; /* the first of n_parts; most sessions have one or two */
	struct evidence ev;    /* the join of everything read */
	struct session row;    /* shown if no socket is known; .wire and .verdict point here */
	struct evidence_verdict verdict;
	uint64_t due_ns;   /* when time alone changes something about it */
	uint64_t told_ns;  /* what happened until then was told before it came here */
	uint64_t prior_ns; /* the session before on this tuple was alive then, 0: none */
	uint64_t cpus_heard,
		cpus_read;	  /* CPUs (modulo 64) that reported segments, gave a fragment */
	uint32_t sock[DIR_COUNT]; /* the socket row of each endpoint, 0: none */
	uint32_t older, newer;	  /* neighbours among the half-open */
	struct wire_part *more;	  /* all parts but the first */
	struct wire_legs *legs;	  /* all taps that see it; NULL: one */
	uint32_t alias;		  /* the first of its aliases, 0: none */
	uint32_t shown_alias;	  /* whose tuple its row has, 0: that of its evidence */
	uint8_t told, todo;
	/* Bit per direction: its sender is of a tap's namespace; a socket elsewhere was its
	 * sender's, which tells of it, and has told of its end. */
	uint8_t locals, owned;
	uint8_t counted; /* the state it is counted under, or NOT_SHOWN */
	uint8_t tally;	 /* what it was counted for (session_table_tally.c) */
	bool is_half_open;
	struct wire_attempt attempt;
};

/* What a session is called beyond a translation of addresses. */
struct alias {
	struct pool_head head;
	uint32_t tuple_hash;
	uint32_t wire, next; /* whose, and the next one of the same */
	uint32_t netns;	     /* the only namespace where it is called so, 0: in any */
	struct flow_key key; /* any tap */
	bool is_swapped;     /* what is low in it is high in the key of the evidence */
	bool is_between;     /* it may be another session's own name (NAT_BETWEEN) */
	uint8_t ends;	     /* a bit for each enum flow_dir of .key: no stand-in (nat__ends()) */
};

/* What a tap of @netns saw: a segment, or a fragment. */
struct sighting {
	const struct flow_key *key;
	uint32_t netns;
	const struct fragment *frag; /* NULL: it is .rec */
	const struct rec_segment *rec;
	const struct nat *nat; /* of its tuple, once nat__take() was asked; NULL: none */
	enum nat_side side;
};

/* What a wire session was before a record was joined. */
struct wire_before {
	uint8_t state[DIR_COUNT];
	bool has_fin[DIR_COUNT];
	uint32_t flags; /* of the evidence */
};

/* A socket of this kernel. */
struct sock_row {
	struct pool_head head;
	uint32_t id_hash;     /* of the cookie, or of the tuple if it has none */
	uint32_t tuple_hash;  /* of the canonical one */
	uint32_t holder_hash; /* of .holder */
	struct session row;   /* .sock points below */
	struct sock_info info;
	uint64_t info_ns; /* when .info was true */
	uint64_t holder;  /* as in .info, once it is found by it; 0: it is not */
	uint32_t seen;	  /* table->serial when it was last heard of */
	uint32_t wire;	  /* its wire session, 0: none */
	uint8_t counted;
	bool in_tuples;	      /* listeners and half-made sockets have no tuple */
	bool is_unowned;      /* a process may hold it, none is known */
	bool owner_is_listed; /* told by the iterator, which beats the tracepoints */
};

/* The last whole snapshot of a namespace. */
struct netns_mark {
	uint32_t netns;
	bool is_gone;	/* all its rows are, those of records that come late too */
	uint32_t begun; /* serial of one under way, 0: none */
	uint32_t whole; /* rows not seen since this serial are gone */
};

/* What the environment said of a tap, and the name of a namespace: asked once per batch. */
struct tap_memo {
	uint32_t tap;
	bool is_set;
	struct tap_facts facts;
};
struct scope_memo {
	uint32_t netns, ifindex; /* 0: nothing was asked */
	const char *name;
};
struct netns_memo {
	uint32_t netns;
	const char *name;
	bool is_set;
};

struct session_table {
	struct session_table_env env;
	size_t max_wire;
	uint64_t seed;
	uint64_t now_ns; /* as the last call gave it */
	uint64_t caught_up_ns;
	struct pool socks, wires, aliases;
	struct hash_index sock_by_id, sock_by_tuple, sock_by_holder, wire_by_tuple, alias_by_tuple;
	/* Wire sessions on a tuple that another has too, but for one of each tuple: there are few,
	 * so that one found is mostly the only one. */
	size_t n_sharing;
	uint32_t oldest_half_open, newest_half_open;
	uint32_t victim_at; /* where the search for a session to drop goes on */
	uint32_t expiry_at; /* where the search for expired sessions goes on … */
	uint64_t expiry_ns; /* … and when it was there */
	uint32_t *pending;  /* numbers of wire sessions with something to do at the next settle */
	size_t n_pending, pending_room;
	struct due_list requests; /* socket rows whose end no record will tell */
	struct due_list attempts; /* half-open wire sessions, likewise */
	/* Of its counted tap fragments are given; those of other incarnations are to be left alone.
	 */
	struct wire_session *pulling;
	uint32_t serial;
	struct netns_mark *marks;
	size_t n_marks;
	bool sweep_is_due;
	size_t n_unowned;
	struct tap_memo tap;
	struct netns_memo netns;
	struct scope_memo scope;
	struct session_table_stats stats; /* .sessions and .by_state kept up to date */
};

/* ---- session_table.c ---- */

/* table__hash() - of a canonical key; its tap is not looked at */
uint32_t table__hash(const struct session_table *table, const struct flow_key *key);
/* table__tap() - what is known of @tap; valid until the next call */
const struct tap_facts *table__tap(struct session_table *table, uint32_t tap);
/* table__netns_name() - NULL: nobody knows */
const char *table__netns_name(struct session_table *table, uint32_t netns);
/* table__name_row() - bring the texts of @row up to date */
void table__name_row(struct session_table *table, struct session *row);
/* table__begin_batch() - what was asked of the environment may have changed */
void table__begin_batch(struct session_table *table, uint64_t now_ns);
/* table__count() - a row is now in @state (or NOT_SHOWN); @counted is what it was counted under */
void table__count(struct session_table *table, uint8_t *counted, uint8_t state);

/* ---- session_table_nat.c ---- */

/* table__nat_of() - the translation of @row, whose tuple is @key: of several the one on whose other
 * side its session was seen */
const struct nat *table__nat_of(const struct session_table *table, const struct session *row,
				const struct flow_key *key, enum nat_side *side);

/* table__nat() - the translation that is known of @key, and on which side it has it. NULL: there is
 * none, or more than one, of which it may be any */
const struct nat *table__nat(const struct session_table *table, const struct flow_key *key,
			     enum nat_side *side);
/* ends__swap() - @ends, a bit for each enum flow_dir, in a key that has them the other way round */
static inline uint8_t ends__swap(uint8_t ends, bool is_swapped)
{
	return is_swapped ? (ends >> 1 | ends << 1) & 3 : ends;
}
/* nat__find_ends() - as wire__find_locals(), of endpoints whatever they are called: what stands in
 * for one is none. If @wire had none its row may be named anew */
uint8_t nat__find_ends(struct session_table *table, struct wire_session *wire,
		       const struct flow_key *key);
/* aliases__find() - the session with the alias @key that a tap of @netns sees, or NULL */
struct wire_session *aliases__find(const struct session_table *table, const struct flow_key *key,
				   uint32_t netns, bool *is_swapped);
/* aliases__take() - @seen is of a session by an alias: noted. False: it is not */
bool aliases__take(struct session_table *table, const struct sighting *seen);
/* nat__take() - likewise of a session that it is now found to be translated from; else .nat of
 * @seen may be set */
bool nat__take(struct session_table *table, struct sighting *seen);
void aliases__clear(struct session_table *table, struct wire_session *wire);

/* ---- session_table_links.c ---- */

/* socks__key() - the tuple of a socket; which direction it sends */
enum flow_dir socks__key(const struct sock_info *info, struct flow_key *key);
bool socks__have_same_ends(const struct sock_info *a, const struct sock_info *b);
/* socks__join() - bring the wire half of @sock's row up to date */
void socks__join(struct session_table *table, struct sock_row *sock);
/* socks__enter_tuple() - the tuple of @sock is known: be found by it, and find what the wire saw of
 * it; socks__leave_tuple() - it is another's from now on */
void socks__enter_tuple(struct session_table *table, struct sock_row *sock);
void socks__leave_tuple(struct session_table *table, struct sock_row *sock);
/* socks__link_wire() - find the sockets of a wire session: it has just appeared, or in one more
 * place */
void socks__link_wire(struct session_table *table, struct wire_session *wire);

/* ---- session_table_socks.c ---- */

uint32_t socks__hash_cookie(const struct session_table *table, uint64_t cookie);
int socks__apply(struct session_table *table, const struct rec_sock *rec);
int socks__apply_state(struct session_table *table, const struct rec_sock_state *rec);
void socks__apply_retransmit(struct session_table *table, const struct rec_sock_retransmit *rec);
void socks__apply_reset(struct session_table *table, const struct rec_sock_reset *rec);
/* socks__drop() - remove a row; what points to it is no longer valid */
void socks__drop(struct session_table *table, struct sock_row *sock);
/* socks__has_child() - the request @sock has given way to a socket on the same tuple */
bool socks__has_child(const struct session_table *table, const struct sock_row *sock);

/* ---- session_table_owners.c ---- */

void owners__set(struct owner *owner, uint32_t pid, const char *comm);
/* owners__disown() - nobody holds @sock */
void owners__disown(struct sock_row *sock);
/* owners__note() - the state or the owner of @sock has changed: is one to be looked for? */
void owners__note(struct session_table *table, struct sock_row *sock);
/* owners__hold() - .info of @sock is new: it is found by the socket that processes hold in its
 * place
 */
void owners__hold(struct session_table *table, struct sock_row *sock);
/* owners__drop() - @sock is going away */
void owners__drop(struct session_table *table, struct sock_row *sock);
void owners__apply(struct session_table *table, const struct rec_owner *rec);
void owners__forget(struct session_table *table);

/* ---- session_table_snapshots.c ---- */

int socks__begin_snapshot(struct session_table *table, uint32_t netns);
void socks__end_snapshot(struct session_table *table, uint32_t netns, bool is_whole);
/* socks__forget_netns() - all rows of @netns go at the next sweep. Returns 0 or -ENOMEM */
int socks__forget_netns(struct session_table *table, uint32_t netns);
/* socks__sweep() - remove the rows that whole snapshots did not have, or whose namespace is gone */
void socks__sweep(struct session_table *table);

/* ---- session_table_requests.c ---- */

/* requests__has() - @sock is a request: half open, without a socket of its own */
bool requests__has(const struct sock_row *sock);
/* requests__follow() - if @sock is a request, tell when it fails */
void requests__follow(struct session_table *table, struct sock_row *sock);
/* requests__gone() - the kernel no longer has it: tell that it failed, unless it did not, and drop
 * the row */
void requests__gone(struct session_table *table, struct sock_row *sock, uint64_t time_ns);
/* requests__expire() - those whose timer ought to have told of them by now are gone */
void requests__expire(struct session_table *table);

/* ---- session_table_attempts.c ---- */

/* attempts__take() - a segment of @wire that may be a SYN or a SYN-ACK; @before: it was joined */
void attempts__take(struct session_table *table, struct wire_session *wire,
		    const struct rec_segment *rec, const struct wire_before *before);
/* attempts__follow() - if @wire is half open, see to it that its end is noticed */
void attempts__follow(struct session_table *table, struct wire_session *wire);
/* attempts__expire() - where a SYN or SYN-ACK ought to have been sent again by now, its sender has
 * given up */
void attempts__expire(struct session_table *table);

/* ---- session_table_wire.c ---- */

int wire__apply_fragment(struct session_table *table, const struct rec_fragment *rec);
#define EXPECTED_MAX 64 /* records: more at a time, and the first ones would be gone again */

/* wire__expect() - as session_table__expect(), of REC_FRAGMENT records */
void wire__expect(struct session_table *table, const union record *records, size_t count);
int wire__apply_segment(struct session_table *table, const struct rec_segment *rec);
/* wire__find() - the session on the tuple @key that a tap of @netns sees, or NULL */
struct wire_session *wire__find(const struct session_table *table, const struct flow_key *key,
				uint32_t netns);
/* wire__next_on() - the session on the tuple @key after @wire, NULL: the first */
struct wire_session *wire__next_on(const struct session_table *table, const struct flow_key *key,
				   const struct wire_session *wire);
/* wire__find_locals() - the endpoints of @key that its tap's namespace has: a bit per direction */
uint8_t wire__find_locals(const struct session_table *table, const struct flow_key *key);
/* wire__find_lone() - the session on the tuple @key, wherever taps see it; NULL: none, or several
 */
struct wire_session *wire__find_lone(const struct session_table *table, const struct flow_key *key);
/* wire__before() - what @wire is now, before something is joined to it */
struct wire_before wire__before(const struct wire_session *wire);

/* ---- session_table_sightings.c ---- */

/* sighting__kin() - what @seen is to @wire by its sequence numbers */
enum evidence_kin sighting__kin(const struct sighting *seen, const struct wire_session *wire,
				bool is_swapped);
/* sighting__is_of_other() - likewise it is of another: their ISNs differ */
bool sighting__is_of_other(const struct sighting *seen, const struct wire_session *wire,
			   bool is_swapped);
/*
 * sighting__find() - the session that @seen is of: the one that its tap has seen on the tuple, or
 * one that others see and that it can only be of; what it was taken for is then gone. NULL: none is
 * known
 */
struct wire_session *sighting__find(struct session_table *table, const struct sighting *seen);
/* sighting__is_late() - it was over before another session on the tuple began, though none is known
 * that it is of: that one has been told of, and forgotten */
bool sighting__is_late(const struct session_table *table, const struct sighting *seen);

/* ---- session_table_legs.c ---- */

/* legs__has_tap() - @tap, of @netns, sees it; of many it may */
bool legs__has_tap(const struct wire_session *wire, uint16_t tap, uint32_t netns);
/* legs__has_netns() - a tap of @netns sees it */
bool legs__has_netns(const struct wire_session *wire, uint32_t netns);
/* legs__add() - the tap of @seen sees it too. True if it is the first one of its namespace */
bool legs__add(struct session_table *table, struct wire_session *wire, const struct sighting *seen);
/* legs__show() - in @row, of @wire, NULL: nothing saw it. Valid until legs__clear() */
void legs__show(const struct wire_session *wire, struct session *row);
/* legs__refresh_names() - those names are up to date then */
void legs__refresh_names(struct session_table *table, struct wire_session *wire);
void legs__clear(struct wire_session *wire);

/* ---- session_table_wire_life.c ---- */

/* wire__judge() - draw all conclusions anew: the evidence, the time or its sockets have changed */
void wire__judge(struct session_table *table, struct wire_session *wire);
/* wire__forget() - unlink and free it; an end that waits to be told is told */
void wire__forget(struct session_table *table, struct wire_session *wire);
/* wire__make_room() - if there are too many sessions, drop the one that matters least */
void wire__make_room(struct session_table *table);
/* wire__last_ns() - the time of its last evidence */
uint64_t wire__last_ns(const struct wire_session *wire);
/* wire__put_off() - do @todo at the next settle */
void wire__put_off(struct session_table *table, struct wire_session *wire, uint8_t todo);
/* wire__expire() - if its time has come: tell what time has ended, forget it. True if it is gone */
bool wire__expire(struct session_table *table, struct wire_session *wire);
/* wire__settle() - do what is pending, look for expired sessions */
void wire__settle(struct session_table *table);

/* wire__opened_ns() - when it was established, if it is */
static inline uint64_t wire__opened_ns(const struct wire_session *wire)
{
	return wire->verdict.ack_ns ? wire->verdict.ack_ns : wire->ev.last_ns;
}

/* ---- session_table_tally.c ---- */

/* tally__update() - @wire has been judged: count what is new about it */
void tally__update(struct session_table *table, struct wire_session *wire);
/* tally__ask_again() - it is known now what else @wire is called */
void tally__ask_again(struct wire_session *wire);
/* tally__end() - @wire has ended, since its tuple is used again */
void tally__end(struct session_table *table, struct wire_session *wire);
/* tally__merge() - @from was @to all the time */
void tally__merge(struct session_table *table, struct wire_session *from, struct wire_session *to);

/* ---- session_table_parts.c ---- */

/* parts__find() - the part that is fragment (@cpu, @first_ns), or NULL */
struct wire_part *parts__find(struct wire_session *wire, uint32_t cpu, uint64_t first_ns);
/* parts__is_counting() - the record adds but counts to @part, which may be NULL: then it does not
 */
bool parts__is_counting(const struct wire_session *wire, const struct wire_part *part,
			const struct rec_fragment *rec);
/* parts__take() - join the record's fragment, @part or NULL, counting what is new in it. If @wire
 * is steady after that nothing follows. Returns 0 or -ENOMEM */
int parts__take(struct session_table *table, struct wire_session *wire, struct wire_part *part,
		const struct rec_fragment *rec);
/* parts__pull() - read what the caches hold now; true if no fragment known to exist is missing */
bool parts__pull(struct session_table *table, struct wire_session *wire);
void parts__clear(struct wire_session *wire);

/* ---- session_table_events.c: each does nothing unless events are wanted ---- */

void events__segment(struct session_table *table, struct wire_session *wire,
		     const struct rec_segment *rec, const struct wire_before *before);
/* events__syn_ignored() - a SYN that the open session @wire does not take for a new one */
void events__syn_ignored(struct session_table *table, struct wire_session *wire,
			 const struct rec_segment *rec);
/* events__wire_changed() - establishment and state; @time_ns is when */
void events__wire_changed(struct session_table *table, struct wire_session *wire,
			  const struct wire_before *before, uint64_t time_ns);
/* events__will_tell_end() - its end is still to be told, and no socket will do it */
bool events__will_tell_end(const struct session_table *table, const struct wire_session *wire);
/* events__has_end() - the session has ended and that is still to be told */
bool events__has_end(const struct session_table *table, struct wire_session *wire);
/* events__wire_end() - tell the end; @why overrides what the verdict says, NULL: it does not */
void events__wire_end(struct session_table *table, struct wire_session *wire, const char *why,
		      uint64_t time_ns);
void events__evicted(struct session_table *table, struct wire_session *wire, uint64_t time_ns);
void events__sock_state(struct session_table *table, struct sock_row *sock, uint8_t old_state,
			uint64_t time_ns);
void events__sock(struct session_table *table, struct sock_row *sock, enum event_kind kind,
		  const char *reason, uint64_t time_ns);
/* events__request_gone() - the handshake of the request @sock has failed */
void events__request_gone(struct session_table *table, struct sock_row *sock, uint64_t time_ns);
/* events__reset() - @sock sent or received a RST; one of a listener may end a handshake */
void events__reset(struct session_table *table, struct sock_row *sock,
		   const struct rec_sock_reset *rec);

#endif
