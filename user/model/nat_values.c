/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The getters of what a session's endpoints are called beyond a translation of addresses.
 */
#include "session_values.h"

static bool is_end(const struct flow_key *key, enum flow_dir at, const struct endpoint *end)
{
	return key->port[at] == TW_BE16(end->port) && ip_addr__equal(&key->addr[at], &end->addr);
}

/* False: nobody knows of a translation, or it leaves this endpoint alone. */
static bool find_name(const struct session *s, const struct endpoint *end, struct endpoint *out)
{
	const struct nat_tuple *mine;
	bool is_client;

	if (!s->nat)
		return false;
	mine = &s->nat->side[s->nat_side];
	is_client = is_end(&mine->key, mine->client, end);
	for (enum nat_side side = NAT_BEFORE; side <= NAT_AFTER; side++) {
		const struct nat_tuple *other = &s->nat->side[side];
		enum flow_dir there = is_client ? other->client : !other->client;

		out->addr = other->key.addr[there];
		out->port = TW_BE16(other->key.port[there]);
		if (!is_end(&other->key, there, end))
			return true;
	}
	return false;
}

static void set_endpoint(struct value *out, const struct session *s, const struct endpoint *end)
{
	if (find_name(s, end, &out->own_endpoint))
		value__set_endpoint(out, &out->own_endpoint, false);
	else
		value__set_none(out);
}

static void set_addr(struct value *out, const struct session *s, const struct endpoint *end)
{
	if (find_name(s, end, &out->own_endpoint))
		value__set_addr(out, &out->own_endpoint.addr, false);
	else
		value__set_none(out);
}

static void set_port(struct value *out, const struct session *s, const struct endpoint *end)
{
	struct endpoint name;

	if (find_name(s, end, &name))
		value__set_u64(out, VALUE_PORT, name.port);
	else
		value__set_none(out);
}

SESSION_VALUE(nat_local)
{
	const struct session *s = row;

	set_endpoint(out, s, &s->local);
}

SESSION_VALUE(nat_remote)
{
	const struct session *s = row;

	set_endpoint(out, s, &s->remote);
}

SESSION_VALUE(nat_local_addr)
{
	const struct session *s = row;

	set_addr(out, s, &s->local);
}

SESSION_VALUE(nat_remote_addr)
{
	const struct session *s = row;

	set_addr(out, s, &s->remote);
}

SESSION_VALUE(nat_local_port)
{
	const struct session *s = row;

	set_port(out, s, &s->local);
}

SESSION_VALUE(nat_remote_port)
{
	const struct session *s = row;

	set_port(out, s, &s->remote);
}
