/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sockets and what the wire saw of them: by the same tuple in the same namespace, on its way
 * through others, and beyond a translation of addresses. Not here: how either comes to be.
 */
#include <string.h>

#include "session_table_internal.h"

/* A wire session silent for this long when the socket was born is the one before. */
#define SAME_BIRTH_NS TW_NSEC_PER_SEC

/* What the wire saw of a socket. */
struct way {
	struct wire_session *wire; /* NULL: nothing */
	bool is_swapped;	   /* its key has the ends the other way round */
};

enum flow_dir socks__key(const struct sock_info *info, struct flow_key *key)
{
	return flow_key__set(key, &info->local, TW_BE16(info->local_port), &info->remote,
			     TW_BE16(info->remote_port), 0);
}

bool socks__have_same_ends(const struct sock_info *a, const struct sock_info *b)
{
	return a->local_port == b->local_port && a->remote_port == b->remote_port &&
	       ip_addr__equal(&a->local, &b->local) && ip_addr__equal(&a->remote, &b->remote);
}

void socks__join(struct session_table *table, struct sock_row *sock)
{
	struct wire_session *wire = pool__get(&table->wires, sock->wire);
	struct session *row = &sock->row;

	if (wire && sock->info.born_ns > wire->ev.last_ns + SAME_BIRTH_NS)
		wire = NULL;
	row->wire = wire ? &wire->ev : NULL;
	row->verdict = wire ? &wire->verdict : NULL;
	legs__show(wire, row);
}

/* Returns the wire session that @sock had, which is to be judged anew, or NULL. */
static struct wire_session *unlink_pair(struct session_table *table, struct sock_row *sock)
{
	struct wire_session *wire = pool__get(&table->wires, sock->wire);

	sock->wire = 0;
	socks__join(table, sock);
	if (!wire || wire->sock[sock->row.local_dir] != sock->head.id)
		return NULL;
	wire->sock[sock->row.local_dir] = 0;
	return wire;
}

/* Of two rows with the same tuple (one may be a minute old) the wire session is the newer one's. */
static void link_pair(struct session_table *table, struct sock_row *sock, const struct way *way)
{
	struct wire_session *wire = way->wire, *before = unlink_pair(table, sock);
	struct sock_row *former;
	struct flow_key key;

	sock->row.local_dir = socks__key(&sock->info, &key) ^ way->is_swapped;
	former = pool__get(&table->socks, wire->sock[sock->row.local_dir]);
	if (former)
		(void)unlink_pair(table, former);
	wire->sock[sock->row.local_dir] = sock->head.id;
	sock->wire = wire->head.id;
	wire->owned |= 1 << sock->row.local_dir;
	if (before && before != wire)
		wire__judge(table, before);
}

/* ---- on its way ---- */

/* A socket of another namespace with the same addresses, or NULL. */
static struct sock_row *find_twin(const struct session_table *table, const struct sock_row *sock)
{
	struct sock_row *other = hash_index__first(&table->sock_by_tuple, sock->tuple_hash);

	for (; other; other = hash_index__next(&table->sock_by_tuple, other))
		if (other->info.netns != sock->info.netns &&
		    socks__have_same_ends(&other->info, &sock->info))
			return other;
	return NULL;
}

/* It has what only passed taps of other namespaces, and may not be its own. */
static void unlink_on_way(struct session_table *table, struct sock_row *sock)
{
	struct wire_session *wire = pool__get(&table->wires, sock->wire);

	if (!wire || legs__has_netns(wire, sock->info.netns) || !unlink_pair(table, sock))
		return;
	wire->owned &= ~(1 << sock->row.local_dir);
	wire__judge(table, wire);
}

/* The only session that taps of other namespaces saw on @key, the tuple of a socket that is @local
 * in it. */
static struct wire_session *find_passing(const struct session_table *table,
					 const struct flow_key *key, enum flow_dir local)
{
	struct wire_session *wire = wire__find_lone(table, key);

	/* Else there is an end of it where it was seen. */
	return wire && !(wire->locals & 1 << local) ? wire : NULL;
}

/* Likewise, by what @key is called beyond a translation by @translating_netns, where it may be seen
 * too; 0: by any. */
static struct way find_translated(const struct session_table *table, const struct flow_key *key,
				  enum flow_dir local, uint32_t translating_netns)
{
	enum nat_side side;
	const struct nat *nat = table__nat(table, key, &side);
	struct way way = {0};

	if (!nat || (translating_netns && nat->netns != translating_netns))
		return way;
	for (enum nat_side other = NAT_BEFORE; !way.wire && other < NAT_SIDES; other++) {
		const struct flow_key *there = &nat->side[other].key;

		if (other == side || !nat__has_side(nat, other))
			continue;
		way.is_swapped = nat__is_swapped(nat, side, other);
		if (translating_netns)
			way.wire = wire__find(table, there, translating_netns);
		if (!way.wire)
			way.wire = find_passing(table, there, local ^ way.is_swapped);
	}
	return way;
}

/*
 * What taps elsewhere saw of @sock: a container's session at the host's bridge. There must be no
 * doubt which one it is: not if another socket has the same addresses, unless they are translated
 * where it is.
 */
static struct way find_on_way(struct session_table *table, const struct sock_row *sock,
			      const struct flow_key *key, enum flow_dir local)
{
	struct way way = find_translated(table, key, local, sock->info.netns);
	struct sock_row *twin;

	if (way.wire || ip_addr__is_loopback(&sock->info.local))
		return way;
	way = (struct way){.wire = find_passing(table, key, local)};
	if (!way.wire)
		way = find_translated(table, key, local, 0);
	if (!way.wire)
		return way;
	twin = find_twin(table, sock);
	if (!twin)
		return way;
	unlink_on_way(table, twin);
	return (struct way){0};
}

static struct way find_way(struct session_table *table, const struct sock_row *sock)
{
	struct flow_key key;
	enum flow_dir local = socks__key(&sock->info, &key);
	struct way way = {.wire = wire__find(table, &key, sock->info.netns)};

	if (!way.wire)
		way.wire = aliases__find(table, &key, sock->info.netns, &way.is_swapped);
	return way.wire ? way : find_on_way(table, sock, &key, local);
}

/* ---- tuples ---- */

void socks__enter_tuple(struct session_table *table, struct sock_row *sock)
{
	struct flow_key key;
	struct way way;

	if (!sock->info.local_port || !sock->info.remote_port)
		return;
	sock->row.local_dir = socks__key(&sock->info, &key);
	/* Without memory it is not found by its tuple: its row lacks what the wire saw. */
	sock->in_tuples =
		!hash_index__insert(&table->sock_by_tuple, sock, table__hash(table, &key));
	way = find_way(table, sock);
	if (!way.wire)
		return;
	link_pair(table, sock, &way);
	wire__judge(table, way.wire);
}

void socks__leave_tuple(struct session_table *table, struct sock_row *sock)
{
	struct wire_session *wire;

	if (sock->in_tuples)
		hash_index__remove(&table->sock_by_tuple, sock);
	sock->in_tuples = false;
	wire = unlink_pair(table, sock);
	if (!wire)
		return;
	socks__link_wire(table, wire); /* another row may have the tuple */
	wire__judge(table, wire);
}

static void link_on(struct session_table *table, const struct wire_session *wire,
		    const struct flow_key *key)
{
	struct sock_row *sock = hash_index__first(&table->sock_by_tuple, table__hash(table, key));

	for (; sock; sock = hash_index__next(&table->sock_by_tuple, sock)) {
		struct flow_key of_sock;
		struct way way;

		socks__key(&sock->info, &of_sock);
		if (!flow_key__same_ends(&of_sock, key))
			continue;
		way = find_way(table, sock);
		if (way.wire == wire)
			link_pair(table, sock, &way);
	}
}

void socks__link_wire(struct session_table *table, struct wire_session *wire)
{
	enum nat_side side;
	const struct nat *nat = table__nat(table, &wire->ev.key, &side);
	const struct alias *alias = pool__get(&table->aliases, wire->alias);

	link_on(table, wire, &wire->ev.key);
	for (; alias; alias = pool__get(&table->aliases, alias->next))
		link_on(table, wire, &alias->key);
	for (enum nat_side other = NAT_BEFORE; nat && other < NAT_SIDES; other++)
		if (other != side && nat__has_side(nat, other))
			link_on(table, wire, &nat->side[other].key);
}
