/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The getters of the fields of a session that its socket alone knows: queues, owner, mark, number.
 */
#include "session_values.h"

/* Of a socket that has it: a minisock has neither queues nor an owner. */
static void set_of_sock(struct value *out, const struct session *s, uint64_t u)
{
	if (s->sock && !s->sock->is_minisock)
		value__set_u64(out, VALUE_COUNT, u);
	else
		value__set_none(out);
}

SESSION_VALUE(cwnd)
{
	const struct sock_info *sock = session__full_sock(row);

	value__set_nonzero(out, VALUE_COUNT, sock ? sock->snd_cwnd : 0);
}

SESSION_VALUE(rx_queue)
{
	const struct session *s = row;

	set_of_sock(out, s, s->sock ? s->sock->rx_queue : 0);
}

SESSION_VALUE(tx_queue)
{
	const struct session *s = row;

	set_of_sock(out, s, s->sock ? s->sock->tx_queue : 0);
}

SESSION_VALUE(syn_queue)
{
	const struct session *s = row;

	if (session__is_listener(s))
		value__set_u64(out, VALUE_COUNT, s->sock->syn_queue);
	else
		value__set_none(out);
}

SESSION_VALUE(uid)
{
	const struct session *s = row;

	set_of_sock(out, s, s->sock ? s->sock->uid : 0);
}

SESSION_VALUE(scope)
{
	const struct session *s = row;

	value__set_string(out, s->scope);
}

SESSION_VALUE(fwmark)
{
	const struct session *s = row;

	set_of_sock(out, s, s->sock ? s->sock->mark : 0);
}

/* A connection that was accepted has its listener's port, and no lock of its own on it. */
SESSION_VALUE(autobound)
{
	const struct sock_info *sock = ((const struct session *)row)->sock;
	bool is_known = sock && !sock->is_minisock &&
			(!sock->is_autobound || sock->role != ROLE_UNKNOWN ||
			 sock->state == TCPS_LISTEN || sock->state == TCPS_CLOSED);

	value__set_known(out, is_known, VALUE_BOOL,
			 is_known && sock->is_autobound && sock->role != ROLE_PASSIVE);
}

SESSION_VALUE(cookie)
{
	const struct session *s = row;

	value__set_nonzero(out, VALUE_COUNT, s->sock ? s->sock->cookie : 0);
}

SESSION_VALUE(cgroup_id)
{
	const struct session *s = row;

	value__set_nonzero(out, VALUE_COUNT, s->sock ? s->sock->cgroup_id : 0);
}
