/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sessions whose addresses are translated on their way: one session with a tuple for each side of
 * the translation. The session is what is seen of the tuple that was seen first, which is the
 * client's; of the other it keeps the name, an alias. Not here: who translates (nat.h).
 */
#include <string.h>

#include "session_table_internal.h"

static const struct nat *next_nat(const struct session_table *table, const struct flow_key *key,
				  enum nat_side side, const struct nat *after)
{
	return table->env.nat ? table->env.nat(table->env.ctx, key, side, after) : NULL;
}

const struct nat *table__nat(const struct session_table *table, const struct flow_key *key,
			     enum nat_side *side)
{
	for (*side = NAT_BEFORE; *side < NAT_SIDES; (*side)++) {
		const struct nat *nat = next_nat(table, key, *side, NULL);

		if (nat)
			return next_nat(table, key, *side, nat) ? NULL : nat;
	}
	return NULL;
}

/* ---- aliases ---- */

static struct alias *next_on(const struct session_table *table, const struct flow_key *key,
			     const struct alias *alias)
{
	struct alias *next =
		alias ? hash_index__next(&table->alias_by_tuple, alias)
		      : hash_index__first(&table->alias_by_tuple, table__hash(table, key));

	while (next && !flow_key__same_ends(&next->key, key))
		next = hash_index__next(&table->alias_by_tuple, next);
	return next;
}

struct wire_session *aliases__find(const struct session_table *table, const struct flow_key *key,
				   uint32_t netns, bool *is_swapped)
{
	const struct alias *alias = NULL;
	struct wire_session *wire;

	while (table->aliases.count && (alias = next_on(table, key, alias))) {
		wire = pool__get(&table->wires, alias->wire);
		*is_swapped = alias->is_swapped;
		if (wire && legs__has_netns(wire, netns))
			return wire;
	}
	return NULL;
}

/* NULL: out of memory. */
static struct alias *add(struct session_table *table, struct wire_session *wire,
			 const struct flow_key *key, bool is_swapped)
{
	struct alias *alias = pool__new(&table->aliases);

	if (!alias)
		return NULL;
	if (hash_index__insert(&table->alias_by_tuple, alias, table__hash(table, key))) {
		pool__delete(&table->aliases, alias);
		return NULL;
	}
	alias->key = *key;
	alias->is_swapped = is_swapped;
	alias->wire = wire->head.id;
	alias->next = wire->alias;
	wire->alias = alias->head.id;
	return alias;
}

void aliases__clear(struct session_table *table, struct wire_session *wire)
{
	while (wire->alias) {
		struct alias *alias = pool__get(&table->aliases, wire->alias);

		wire->alias = alias->next;
		hash_index__remove(&table->alias_by_tuple, alias);
		pool__delete(&table->aliases, alias);
	}
	wire->shown_alias = 0;
}

/* ---- one session, two tuples ---- */

static bool is_called(const struct session_table *table, const struct wire_session *wire,
		      const struct flow_key *key)
{
	const struct alias *alias = pool__get(&table->aliases, wire->alias);

	while (alias && !flow_key__same_ends(&alias->key, key))
		alias = pool__get(&table->aliases, alias->next);
	return alias || flow_key__same_ends(&wire->ev.key, key);
}

static const struct wire_session *session_of(const struct session *row)
{
	const char *evidence = (const char *)row->wire;

	return evidence ? (const void *)(evidence - offsetof(struct wire_session, ev)) : NULL;
}

const struct nat *table__nat_of(const struct session_table *table, const struct session *row,
				const struct flow_key *key, enum nat_side *side)
{
	const struct wire_session *wire = session_of(row);
	const struct nat *nat = table__nat(table, key, side);

	for (; !nat && wire && *side < NAT_SIDES; (*side)++)
		while ((nat = next_nat(table, key, *side, nat)))
			if (is_called(table, wire, &nat->side[!*side].key))
				return nat;
	return nat;
}

/* The session on the tuple @key or on an alias of that name that @seen, in other words, is of. */
static struct wire_session *find_by_evidence(const struct session_table *table,
					     const struct flow_key *key,
					     const struct sighting *seen, bool *is_swapped)
{
	struct wire_session *wire = wire__next_on(table, key, NULL);
	const struct alias *alias = NULL;

	while (wire && !sighting__is_of(seen, wire, *is_swapped))
		wire = wire__next_on(table, key, wire);
	while (!wire && (alias = next_on(table, key, alias))) {
		struct wire_session *named = pool__get(&table->wires, alias->wire);

		if (!named || !sighting__is_of(seen, named, *is_swapped ^ alias->is_swapped))
			continue;
		wire = named;
		*is_swapped ^= alias->is_swapped;
	}
	return wire;
}

/*
 * What stands in for an endpoint is nobody's address: of this host's it is not one of its own
 * sessions. Where an endpoint is seen by its own name only beyond the translation, rows use that.
 */
static void note_leg(struct session_table *table, struct wire_session *wire,
		     const struct alias *alias, const struct sighting *seen)
{
	uint8_t locals;

	if (!legs__add(table, wire, seen->key->tap, seen->netns))
		return;
	locals = wire__find_locals(table, seen->key) & alias->ends;
	if (!wire->locals && locals) {
		wire->row.netns = seen->netns;
		wire->shown_alias = alias->head.id;
	}
	wire->locals |= ends__swap(locals, alias->is_swapped);
	tally__ask_again(wire);
	socks__link_wire(table, wire);
	wire__judge(table, wire);
}

bool aliases__take(struct session_table *table, const struct sighting *seen)
{
	const struct alias *alias = NULL;

	while (table->aliases.count && (alias = next_on(table, seen->key, alias))) {
		struct wire_session *wire = pool__get(&table->wires, alias->wire);

		if (!wire || !(legs__has_tap(wire, seen->key->tap) ||
			       sighting__is_of(seen, wire, alias->is_swapped)))
			continue;
		note_leg(table, wire, alias, seen);
		return true;
	}
	return false;
}

/* By evidence it is of the session on the other side of @nat. */
static bool takes_by(struct session_table *table, const struct sighting *seen,
		     const struct nat *nat, enum nat_side side)
{
	const struct nat_tuple *other = &nat->side[!side];
	bool is_swapped = nat__is_swapped(nat);
	struct wire_session *wire = find_by_evidence(table, &other->key, seen, &is_swapped);
	struct alias *alias = wire ? add(table, wire, seen->key, is_swapped) : NULL;

	if (!alias)
		return false;
	alias->ends = nat__ends(nat, side);
	if (flow_key__same_ends(&wire->ev.key, &other->key))
		wire->locals &= nat__ends(nat, !side);
	note_leg(table, wire, alias, seen);
	return true;
}

static bool takes_known(struct session_table *table, const struct sighting *seen)
{
	for (enum nat_side side = NAT_BEFORE; side < NAT_SIDES; side++) {
		const struct nat *nat = NULL;

		while ((nat = next_nat(table, seen->key, side, nat)))
			if (takes_by(table, seen, nat, side))
				return true;
	}
	return false;
}

bool nat__take(struct session_table *table, struct sighting *seen)
{
	if (!table->env.nat)
		return false;
	if (takes_known(table, seen))
		return true;
	table->env.nat_news(table->env.ctx);
	if (takes_known(table, seen))
		return true;
	seen->nat = table__nat(table, seen->key, &seen->side);
	return false;
}

/* Sessions that began before it was known. */
void session_table__add_nat(struct session_table *table, const struct nat *nat)
{
	for (int side = 0; side < NAT_SIDES; side++) {
		const struct flow_key *key = &nat->side[side].key;
		struct wire_session *wire = wire__next_on(table, key, NULL);

		if (next_nat(table, key, side, NULL) != nat || next_nat(table, key, side, nat))
			continue; /* which one is on it, evidence will tell */
		for (; wire; wire = wire__next_on(table, key, wire)) {
			wire->locals &= nat__ends(nat, side);
			tally__ask_again(wire);
			socks__link_wire(table, wire);
			wire__judge(table, wire);
		}
	}
}
