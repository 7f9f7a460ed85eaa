/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What snapshots, half-open connections and owners tell of listeners, and namespaces that go.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "listener_internal.h"

#define SYN_COOKIES_ALWAYS 2 /* of net.ipv4.tcp_syncookies */

/* The second half of ::1. */
#if __BYTE_ORDER__ == __ORDER_LITTLE_ENDIAN__
#define TW_LOOPBACK_LOW (1ULL << 56)
#else
#define TW_LOOPBACK_LOW 1ULL
#endif

/*
 * Without cookies the kernel keeps a quarter of tcp_max_syn_backlog back for peers it knows
 * (tcp_conn_request() in net/ipv4/tcp_input.c).
 */
static uint64_t syn_queue_limit(const struct listener_place *place, uint64_t backlog)
{
	uint64_t most = place->syn_backlog_max - (place->syn_backlog_max >> 2);

	if (!place->has_limits)
		return UNKNOWN_U64;
	if (place->full_at_limit && backlog)
		backlog--;
	return !place->syn_cookies && most < backlog ? most : backlog;
}

/* One that is there at the first look has a past; what happens to a later one is all new. */
static void take_drops(struct listener *listener, const struct rec_listener *rec, bool has_past)
{
	uint32_t more = rec->drops - (uint32_t)listener->drops_ever; /* the kernel's has 32 bits */

	if (!listener->is_listed && has_past) {
		listener->drops_ever = rec->drops;
		listener->syn_queue_0 = rec->sock.syn_queue;
		return;
	}
	listener->drops_ever += more;
	listener->drops += more;
}

/* Of the SYNs for a loopback address a tap of another interface sees none. */
static bool sees_syns(const struct listener_place *place, const struct sock_info *sock)
{
	const struct ip_addr *local = &sock->local;
	bool is_v4_loopback = ip_addr__is_v4(local) && local->bytes[12] == 127;
	bool is_v6_loopback = !local->quads[0] && local->quads[1] == TW_LOOPBACK_LOW;

	return place->has_taps && (place->has_lo || !(is_v4_loopback || is_v6_loopback));
}

static void set_owner(struct listener *listener, uint32_t pid, const char *comm)
{
	struct owner *owner = &listener->session.owner;

	if (owner->pid)
		return; /* of several that hold it one is as good as another */
	owner->pid = pid;
	memcpy(owner->comm, comm, sizeof(owner->comm));
	owner->comm[sizeof(owner->comm) - 1] = '\0';
}

/* A copy into @buffer, as the namespace may go before the listener does. */
static const char *keep(char *buffer, size_t size, const char *name)
{
	if (!name)
		return NULL;
	snprintf(buffer, size, "%s", name);
	return buffer;
}

static void name_place(const struct listener_table *table, struct listener *listener)
{
	const struct listener_table_env *env = &table->env;
	const struct sock_info *sock = &listener->sock;
	const char *scope =
		sock->ifindex ? env->ifname(env->ctx, sock->netns, sock->ifindex) : NULL;

	listener->session.netns_name = keep(listener->netns_name, sizeof(listener->netns_name),
					    env->netns_name(env->ctx, sock->netns));
	listener->session.scope = keep(listener->scope, sizeof(listener->scope), scope);
}

static int take_listener(struct listener_table *table, const struct rec_listener *rec)
{
	struct listener *listener = listeners__get(table, rec->sock.cookie, rec->sock.netns);
	struct place *place = places__get(table, rec->sock.netns);
	struct session *session;

	if (!listener || !place)
		return -ENOMEM;
	take_drops(listener, rec, !place->had_snapshot);
	listener->sock = rec->sock;
	session = &listener->session;
	session->sock = &listener->sock;
	session->local = (struct endpoint){rec->sock.local, rec->sock.local_port};
	session->remote = (struct endpoint){rec->sock.remote, 0};
	session->netns = rec->sock.netns;
	name_place(table, listener);
	if (rec->sock.pid && !listener->is_listed)
		set_owner(listener, rec->sock.pid, rec->sock.comm);
	listener->accept_oldest_ns = rec->oldest_accept_ns;
	listener->request_oldest_ns = 0;
	listener->syn_queue_limit = syn_queue_limit(&place->about, rec->sock.tx_queue);
	listener->has_counts = place->about.is_followed;
	listener->has_fates = sees_syns(&place->about, &rec->sock);
	listener->refuses_by_choice = place->about.syn_cookies == SYN_COOKIES_ALWAYS;
	listener->is_seen = listener->is_listed = true;
	return 0;
}

static void take_request(struct listener_table *table, const struct rec_request *rec)
{
	struct listener *listener = listeners__find(table, rec->listener);

	if (!listener || !rec->syn_ns)
		return;
	if (!listener->request_oldest_ns || rec->syn_ns < listener->request_oldest_ns)
		listener->request_oldest_ns = rec->syn_ns;
}

/* There is a record for each that has none, and no more. */
static void take_owner(struct listener_table *table, const struct rec_owner *rec)
{
	for (size_t i = 0; i < table->count; i++)
		if (listener__held_cookie(table->items[i]) == rec->cookie)
			set_owner(table->items[i], rec->pid, rec->comm);
}

static int begin_snapshot(struct listener_table *table, uint32_t netns)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->items[i]->sock.netns == netns)
			table->items[i]->is_seen = false;
	return places__get(table, netns) ? 0 : -ENOMEM;
}

/* Of a group on one port (SO_REUSEPORT) one takes over the drops of @gone: its sum never falls. */
static void bequeath(struct listener_table *table, const struct listener *gone)
{
	for (size_t i = 0; i < table->count; i++) {
		struct listener *heir = table->items[i];

		if (!heir->is_seen || !listener__shares_port(heir, gone))
			continue;
		heir->drops_inherited += gone->drops_ever + gone->drops_inherited;
		return;
	}
}

static void drop_unseen(struct listener_table *table, uint32_t netns)
{
	size_t kept = 0;

	for (size_t i = 0; i < table->count; i++) {
		struct listener *listener = table->items[i];

		if (listener->sock.netns != netns || listener->is_seen) {
			table->items[kept++] = listener;
			continue;
		}
		bequeath(table, listener);
		listener->next_gone = table->gone;
		table->gone = listener;
	}
	table->count = kept;
}

static int end_snapshot(struct listener_table *table, uint32_t netns)
{
	struct place *place = places__get(table, netns);

	drop_unseen(table, netns);
	if (!place)
		return -ENOMEM;
	place->had_snapshot = true;
	return 0;
}

void listener_table__forget_netns(struct listener_table *table, uint32_t netns)
{
	if (begin_snapshot(table, netns))
		return;
	drop_unseen(table, netns);
	for (size_t i = 0; i < table->n_places; i++) {
		struct place *place = &table->places[i];

		if (place->about.netns != netns)
			continue;
		listener_counters__add(&table->past, &place->past);
		listener_counters__add(&table->past, &place->stray);
		table->past_other += place->other;
		*place = table->places[--table->n_places];
		return;
	}
}

int listener_table__apply(struct listener_table *table, const union record *rec)
{
	switch (rec->hdr.kind) {
	case REC_SNAPSHOT_BEGIN:
		return begin_snapshot(table, rec->snapshot.netns);
	case REC_LISTENER:
		return take_listener(table, &rec->listener);
	case REC_REQUEST:
		take_request(table, &rec->request);
		return 0;
	case REC_OWNER:
		take_owner(table, &rec->owner);
		return 0;
	case REC_SNAPSHOT_END:
		return rec->snapshot.ok ? end_snapshot(table, rec->snapshot.netns) : 0;
	default:
		return 0;
	}
}
