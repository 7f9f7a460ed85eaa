/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Does a session pass a filter? Addresses, ports and states are compared as they are, without
 * becoming text.
 */
#include "filter_tree.h"

#include <sys/socket.h>

#include "session_values.h"
#include "tcp_state.h"

static bool compare_numbers(enum filter_op op, uint64_t a, uint64_t b)
{
	switch (op) {
	case OP_EQ:
		return a == b;
	case OP_NE:
		return a != b;
	case OP_LT:
		return a < b;
	case OP_LE:
		return a <= b;
	case OP_GT:
		return a > b;
	case OP_GE:
		return a >= b;
	case OP_NONE:
		break;
	}
	return false;
}

static bool match_addr(const struct host_condition *host, const struct ip_addr *addr)
{
	/* "::/0" is every IPv6 address, and no mapped IPv4 one. */
	if (host->is_v4 != ip_addr__is_v4(addr))
		return false;
	return !((addr->quads[0] & host->mask.quads[0]) ^ host->addr.quads[0]) &&
	       !((addr->quads[1] & host->mask.quads[1]) ^ host->addr.quads[1]);
}

static bool is_text(const char *text, const char *wanted, size_t len)
{
	return text && strlen(text) == len && !memcmp(text, wanted, len);
}

/* The socket's family, which of a mapped IPv4 address is AF_INET6; without one, the address's. */
static bool has_family(const struct session *session, uint8_t family)
{
	if (session->sock)
		return session->sock->family == family;
	return (family == AF_INET) == ip_addr__is_v4(&session->local.addr);
}

static bool match_place(const struct host_condition *host, const struct session *session)
{
	if (host->family && !has_family(session, host->family))
		return false;
	return !host->scope || is_text(session->scope, host->scope, host->scope_len);
}

static bool match_host(const struct filter_node *node, const struct session *session)
{
	const struct endpoint *endpoint = node->is_remote ? &session->remote : &session->local;
	const struct host_condition *host = &node->host;
	bool is_match = (!host->has_addr || match_addr(host, &endpoint->addr)) &&
			(!host->has_port || host->port == endpoint->port) &&
			match_place(host, session);

	return is_match == (node->op == OP_EQ);
}

/* Bound to it, as for ss, or seen there. */
static bool match_dev(const struct filter_node *node, const struct session *session)
{
	bool is_match = is_text(session->scope, node->text, node->len) ||
			is_text(session->ifname, node->text, node->len);

	return (session->scope || session->ifname) && is_match == (node->op == OP_EQ);
}

static bool match_text(const struct filter_node *node, const struct value *value)
{
	bool is_equal = node->len == value->text_len && !memcmp(node->text, value->text, node->len);

	return is_equal == (node->op == OP_EQ);
}

/* Of an address the port says nothing. */
static bool match_endpoint(const struct filter_node *node, const struct session *session,
			   const struct value *value)
{
	const struct host_condition *host = &node->host;
	bool is_addr = value->kind == VALUE_ADDR;
	bool is_match =
		!host->has_addr || match_addr(host, is_addr ? value->addr : &value->endpoint->addr);

	if (host->has_port && !is_addr)
		is_match = is_match && host->port == value->endpoint->port;
	is_match = is_match && match_place(host, session);
	return is_match == (node->op == OP_EQ);
}

/* A condition on the value of a field; an unknown value passes none. */
static bool match_value(const struct filter_node *node, const struct session *session,
			const struct moment *now)
{
	struct value value;

	node->field->get(session, now, &value);
	if (value.kind == VALUE_NONE)
		return false;
	if (node->kind == NODE_TEXT)
		return match_text(node, &value);
	if (node->kind == NODE_ENDPOINT)
		return match_endpoint(node, session, &value);
	if (node->kind == NODE_MARK)
		return ((value.u & node->mark.mask) == node->mark.mark) == (node->op == OP_EQ);
	if (node->kind == NODE_STATE)
		return !!(node->states & STATE_BIT(value.u)) == (node->op == OP_EQ);
	return compare_numbers(node->op, value.u, node->number);
}

static bool match_node(const struct filter *filter, unsigned index, const struct session *session,
		       const struct moment *now)
{
	const struct filter_node *node = &filter->nodes[index];
	uint16_t port = node->is_remote ? session->remote.port : session->local.port;

	switch (node->kind) {
	case NODE_AND:
		return match_node(filter, node->left, session, now) &&
		       match_node(filter, node->right, session, now);
	case NODE_OR:
		return match_node(filter, node->left, session, now) ||
		       match_node(filter, node->right, session, now);
	case NODE_NOT:
		return !match_node(filter, node->left, session, now);
	case NODE_HOST:
		return match_host(node, session);
	case NODE_PORT:
		return compare_numbers(node->op, port, node->number);
	case NODE_DEV:
		return match_dev(node, session);
	default:
		return match_value(node, session, now);
	}
}

static bool match_states(const struct filter *filter, const struct session *session,
			 const struct moment *now)
{
	struct value state;

	if (filter->states == STATE_MASK_ALL)
		return true;
	session_value__state(session, now, &state);
	return filter->states &
	       STATE_BIT(state.kind == VALUE_NONE ? (uint64_t)TCPS_UNKNOWN : state.u);
}

bool filter__match(const struct filter *filter, const struct session *session,
		   const struct moment *now)
{
	if (!filter)
		return true;
	return match_states(filter, session, now) &&
	       (!filter->has_root || match_node(filter, filter->root, session, now));
}

bool filter__uses(const struct filter *filter, const char *key)
{
	if (!filter)
		return false;
	if (filter->names_states && !strcmp(key, "state"))
		return true;
	for (size_t i = 0; i < filter->count; i++)
		if (filter->nodes[i].field && !strcmp(filter->nodes[i].field->key, key))
			return true;
	return false;
}

bool filter__names_states(const struct filter *filter)
{
	return filter__uses(filter, "state");
}
