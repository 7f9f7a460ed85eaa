/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Counting the ends of handshakes by server, for as long as they matter.
 */
#include "handshake_alarm.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

static const struct threshold share_threshold = {.raise_permille = 100, .clear_permille = 50};

/* ---- one of them ----------------------------------------------------------------------------- */

static void let_pass(struct failing *failing, uint64_t now_ns)
{
	uint64_t passed_ns = now_ns - failing->newer_ns;

	if (now_ns < failing->newer_ns || passed_ns < FAILING_SPAN_NS)
		return;
	failing->older =
		passed_ns < 2 * FAILING_SPAN_NS ? failing->newer : (struct handshake_ends){0};
	failing->newer = (struct handshake_ends){0};
	failing->newer_ns = now_ns;
}

void failing__add(struct failing *failing, struct handshake_ends ends, uint64_t now_ns)
{
	let_pass(failing, now_ns);
	failing->newer.all += ends.all;
	failing->newer.failed += ends.failed;
}

enum threshold_change failing__observe(struct failing *failing, uint64_t now_ns)
{
	struct handshake_ends ends;

	let_pass(failing, now_ns);
	ends = failing__recent(failing);
	if (!failing->is_raised && ends.failed < FAILING_LEAST)
		return THRESHOLD_NONE;
	/* Where nothing was tried nothing fails: the limit is not 0. */
	return threshold__observe(&share_threshold, &failing->is_raised, ends.failed,
				  ends.all ? ends.all : 1);
}

/* ---- all of them ----------------------------------------------------------------------------- */

struct place_key {
	uint32_t netns, side; /* enum handshake_side */
	struct ip_addr server;
	uint64_t port;
};

struct place {
	struct place_key key;
	struct failing failing;
	uint8_t family; /* of the socket that told of it last, 0: none did */
	UT_hash_handle hh;
};

struct handshake_alarm {
	struct place *places;
};

struct handshake_alarm *handshake_alarm__new(void)
{
	return calloc(1, sizeof(struct handshake_alarm));
}

static void forget(struct handshake_alarm *alarm, struct place *place)
{
	HASH_DEL(alarm->places, place);
	free(place);
}

void handshake_alarm__free(struct handshake_alarm *alarm)
{
	if (!alarm)
		return;
	while (alarm->places)
		forget(alarm, alarm->places);
	free(alarm);
}

static struct place_key key_of(const struct session *session, enum handshake_side side)
{
	const struct endpoint *server = side == SIDE_SERVER ? &session->local : &session->remote;

	return (struct place_key){session->netns, side, server->addr, server->port};
}

/* Where nothing has failed lately nothing is lost but how many did not fail. */
static bool make_room(struct handshake_alarm *alarm)
{
	struct place *place;

	if (HASH_COUNT(alarm->places) < FAILING_PLACES)
		return true;
	for (place = alarm->places; place; place = place->hh.next) {
		if (place->failing.is_raised || failing__recent(&place->failing).failed)
			continue;
		forget(alarm, place);
		return true;
	}
	return false;
}

/* Returns 0 or -errno; *out is NULL if there are too many. */
static int get(struct handshake_alarm *alarm, const struct place_key *key, uint64_t now_ns,
	       struct place **out)
{
	struct place *place;

	HASH_FIND(hh, alarm->places, key, sizeof(*key), *out);
	if (*out || !make_room(alarm))
		return 0;
	place = calloc(1, sizeof(*place));
	if (!place)
		return -ENOMEM;
	place->key = *key;
	place->failing.newer_ns = now_ns;
	HASH_ADD(hh, alarm->places, key, sizeof(place->key), place);
	*out = place;
	return 0;
}

/* Its place among the servers. Returns 0 or -errno; *out is NULL if it has none. */
static int place_of(struct handshake_alarm *alarm, const struct session *session, uint64_t now_ns,
		    struct place **out)
{
	enum handshake_side side;
	struct place_key key;
	int err;

	*out = NULL;
	if (!handshake__side(session, &side))
		return 0;
	key = key_of(session, side);
	err = get(alarm, &key, now_ns, out);
	if (*out && session->sock)
		(*out)->family = session->sock->family;
	return err;
}

void handshake_alarm__forget_stalled(struct handshake_alarm *alarm)
{
	for (struct place *place = alarm->places; place; place = place->hh.next)
		place->failing.stalled = 0;
}

int handshake_alarm__add_attempt(struct handshake_alarm *alarm, const struct attempt *attempt,
				 uint64_t now_ns)
{
	struct place *place;
	int err;

	/* Of a cookie nobody knows when the client has given up. */
	if (attempt->may_be_forgotten || !attempt->since_ns ||
	    now_ns < attempt->since_ns + STALLED_NS)
		return 0;
	err = place_of(alarm, attempt->session, now_ns, &place);
	if (place)
		place->failing.stalled++;
	return err;
}

int handshake_alarm__add(struct handshake_alarm *alarm, const struct event *event)
{
	bool is_failed = event->kind == EVENT_HANDSHAKE_FAILED;
	struct place *place;
	int err;

	if (!is_failed && event->kind != EVENT_ESTABLISHED)
		return 0;
	err = place_of(alarm, event->session, event->time_ns, &place);
	if (place)
		failing__add(&place->failing, (struct handshake_ends){1, is_failed},
			     event->time_ns);
	return err;
}

static void tell_place(const struct place *place, enum threshold_change change,
		       handshake_alarm_fn tell, void *ctx)
{
	const struct endpoint server = {place->key.server, (uint16_t)place->key.port};
	const struct sock_info sock = {
		.family = place->family,
		.role = place->key.side == SIDE_CLIENT ? ROLE_ACTIVE : ROLE_PASSIVE,
	};
	struct session session = {
		.netns = place->key.netns,
		.sock = &sock,
		.is_forwarded = place->key.side == SIDE_FORWARD,
	};
	struct handshake_ends ends = failing__recent(&place->failing);

	*(place->key.side == SIDE_SERVER ? &session.local : &session.remote) = server;
	tell(ctx, &session, &ends, change);
}

void handshake_alarm__observe(struct handshake_alarm *alarm, uint64_t now_ns,
			      handshake_alarm_fn tell, void *ctx)
{
	struct place *place, *next;
	enum threshold_change change;

	for (place = alarm->places; place; place = next) {
		next = place->hh.next;
		change = failing__observe(&place->failing, now_ns);
		if (change != THRESHOLD_NONE)
			tell_place(place, change, tell, ctx);
		if (!place->failing.is_raised && !failing__recent(&place->failing).all)
			forget(alarm, place);
	}
}
