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

static bool is_called_so(const struct alias *alias, uint32_t netns)
{
	return !alias->netns || alias->netns == netns;
}

struct wire_session *aliases__find(const struct session_table *table, const struct flow_key *key,
				   uint32_t netns, bool *is_swapped)
{
	const struct alias *alias = NULL;
	struct wire_session *wire;

	while (table->aliases.count && (alias = next_on(table, key, alias))) {
		wire = pool__get(&table->wires, alias->wire);
		*is_swapped = alias->is_swapped;
		if (wire && legs__has_netns(wire, netns) && is_called_so(alias, netns))
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

/* ---- whose addresses ---- */

/*
 * What stands in for an endpoint is nobody's address: of this host's it is not one of its own
 * sessions, unless whom it stands for is there too.
 */
static uint8_t find_locals(struct session_table *table, const struct flow_key *key,
			   const struct nat *nat, enum nat_side side)
{
	struct flow_key own = nat->side[NAT_BETWEEN].key;

	if (table__tap(table, key->tap)->netns != nat->netns)
		return wire__find_locals(table, key) & nat__ends(nat, side);
	own.tap = key->tap;
	return ends__swap(wire__find_locals(table, &own), nat__is_swapped(nat, side, NAT_BETWEEN));
}

static bool has_alias(const struct session_table *table, const struct wire_session *wire,
		      const struct flow_key *key)
{
	const struct alias *alias = pool__get(&table->aliases, wire->alias);

	while (alias && !flow_key__same_ends(&alias->key, key))
		alias = pool__get(&table->aliases, alias->next);
	return alias;
}

/*
 * A socket of the namespace that translates calls its session what a client calls it if it is one,
 * and what a server does if not, and so do rows, whatever it is called where it was seen.
 */
static void name_as_socket(struct session_table *table, struct wire_session *wire, uint8_t locals,
			   const struct nat *nat, enum nat_side side)
{
	enum nat_side own = locals & 1 << nat->side[side].client ? NAT_BEFORE : NAT_AFTER;
	const struct flow_key *key = &nat->side[own].key;
	struct alias *alias;

	if (!locals || own == side || has_alias(table, wire, key))
		return;
	alias = add(table, wire, key, nat__is_swapped(nat, side, own));
	if (!alias)
		return;
	alias->ends = nat__ends(nat, own);
	alias->netns = nat->netns;
	wire->shown_alias = alias->head.id;
}

/* @key is what @nat has on @side. */
static uint8_t find_ends_by(struct session_table *table, struct wire_session *wire,
			    const struct flow_key *key, const struct nat *nat, enum nat_side side)
{
	uint8_t locals = find_locals(table, key, nat, side);

	if (table__tap(table, key->tap)->netns == nat->netns &&
	    (!wire->locals || wire->row.netns == nat->netns))
		name_as_socket(table, wire, locals, nat, side);
	return locals;
}

uint8_t nat__find_ends(struct session_table *table, struct wire_session *wire,
		       const struct flow_key *key)
{
	enum nat_side side;
	const struct nat *nat = table__nat(table, key, &side);

	return nat ? find_ends_by(table, wire, key, nat, side) : wire__find_locals(table, key);
}

/* @wire was not known to be translated. */
static void correct_ends(struct session_table *table, struct wire_session *wire,
			 const struct nat *nat)
{
	enum nat_side side = NAT_BEFORE;

	while (side < NAT_SIDES && !flow_key__same_ends(&nat->side[side].key, &wire->ev.key))
		side++;
	if (side == NAT_SIDES)
		return;
	wire->locals &= nat__ends(nat, side);
	wire->locals |= find_ends_by(table, wire, &wire->ev.key, nat, side);
}

/* ---- one session, two tuples ---- */

/* @nat has a name for @wire on another side than @side, by which it is known. */
static bool is_called_by(const struct session_table *table, const struct wire_session *wire,
			 const struct nat *nat, enum nat_side side)
{
	for (enum nat_side other = NAT_BEFORE; other < NAT_SIDES; other++) {
		const struct flow_key *key = &nat->side[other].key;

		if (other == side || !nat__has_side(nat, other))
			continue;
		if (flow_key__same_ends(&wire->ev.key, key) || has_alias(table, wire, key))
			return true;
	}
	return false;
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
			if (is_called_by(table, wire, nat, *side))
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

	while (wire && sighting__kin(seen, wire, *is_swapped) == KIN_NONE)
		wire = wire__next_on(table, key, wire);
	while (!wire && (alias = next_on(table, key, alias))) {
		struct wire_session *named = pool__get(&table->wires, alias->wire);

		if (!named ||
		    sighting__kin(seen, named, *is_swapped ^ alias->is_swapped) == KIN_NONE)
			continue;
		wire = named;
		*is_swapped ^= alias->is_swapped;
	}
	return wire;
}

/* Where an endpoint is seen by its own name only beyond the translation, rows use that. */
static void note_leg(struct session_table *table, struct wire_session *wire,
		     const struct alias *alias, const struct sighting *seen)
{
	enum nat_side side;
	const struct nat *nat;
	uint8_t locals;

	if (!legs__add(table, wire, seen))
		return;
	nat = table__nat(table, seen->key, &side);
	locals = nat ? find_locals(table, seen->key, nat, side)
		     : wire__find_locals(table, seen->key) & alias->ends;
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

		if (!wire || !is_called_so(alias, seen->netns) ||
		    (alias->is_between && sighting__is_of_other(seen, wire, alias->is_swapped)) ||
		    !(legs__has_tap(wire, seen->key->tap, seen->netns) ||
		      sighting__kin(seen, wire, alias->is_swapped) != KIN_NONE))
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
	struct wire_session *wire = NULL;
	struct alias *alias;
	bool is_swapped;

	for (enum nat_side other = NAT_BEFORE; !wire && other < NAT_SIDES; other++) {
		is_swapped = nat__is_swapped(nat, other, side);
		if (other != side && nat__has_side(nat, other))
			wire = find_by_evidence(table, &nat->side[other].key, seen, &is_swapped);
	}
	alias = wire ? add(table, wire, seen->key, is_swapped) : NULL;
	if (!alias)
		return false;
	alias->ends = nat__ends(nat, side);
	alias->is_between = side == NAT_BETWEEN;
	correct_ends(table, wire, nat);
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
			correct_ends(table, wire, nat);
			tally__ask_again(wire);
			socks__link_wire(table, wire);
			wire__judge(table, wire);
		}
	}
}
