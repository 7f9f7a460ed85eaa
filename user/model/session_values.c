/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The getters of a session's fields: which of the two views answers, and when nobody can. Not here:
 * what a socket alone tells (session_sock_values.c).
 */
#include "session_values.h"

#include <string.h>
#include <sys/socket.h>

#include "close_wait.h"
#include "user/util/fmt.h"

#define NS_PER_US 1000ULL

static bool is_v6_sock(const struct session *s)
{
	return s->sock && s->sock->family == AF_INET6;
}

static bool is_dual_sock(const struct session *s)
{
	return is_v6_sock(s) && !s->sock->is_v6only;
}

static void set_state(struct value *out, unsigned state)
{
	if (state == TCPS_UNKNOWN || state >= TCPS_COUNT)
		value__set_none(out);
	else
		value__set_u64(out, VALUE_STATE, state);
}

SESSION_VALUE(local_addr)
{
	const struct session *s = row;

	value__set_addr(out, &s->local.addr, is_v6_sock(s));
	out->scope = s->scope;
}

SESSION_VALUE(local_port)
{
	const struct session *s = row;

	value__set_nonzero(out, VALUE_PORT, s->local.port);
}

SESSION_VALUE(remote_addr)
{
	const struct session *s = row;

	value__set_addr(out, &s->remote.addr, is_v6_sock(s));
}

SESSION_VALUE(remote_port)
{
	const struct session *s = row;

	value__set_nonzero(out, VALUE_PORT, s->remote.port);
}

SESSION_VALUE(local)
{
	const struct session *s = row;

	value__set_endpoint(out, &s->local, is_v6_sock(s));
	out->is_dual = is_dual_sock(s);
	out->scope = s->scope;
}

SESSION_VALUE(remote)
{
	const struct session *s = row;

	value__set_endpoint(out, &s->remote, is_v6_sock(s));
	out->is_dual = is_dual_sock(s);
}

/* The socket of this host knows its role; else it is as good as the wire's. */
static bool has_guessed_roles(const struct session *s)
{
	return !(s->sock && s->sock->role != ROLE_UNKNOWN) && s->verdict &&
	       s->verdict->roles_guessed;
}

static const char *direction_name(const struct session *s)
{
	if (has_guessed_roles(s) && !s->verdict->established)
		return NULL; /* resets alone: nobody opened anything */
	if (s->is_forwarded)
		return "forward";
	if (session__is_listener(s))
		return NULL;
	if (s->sock && s->sock->role != ROLE_UNKNOWN)
		return s->sock->role == ROLE_ACTIVE ? "out" : "in";
	if (s->verdict)
		return s->verdict->originator == s->local_dir ? "out" : "in";
	return NULL;
}

SESSION_VALUE(direction)
{
	value__set_string(out, direction_name(row));
	out->is_guess = has_guessed_roles(row);
}

SESSION_VALUE(state)
{
	const struct session *s = row;

	if (s->sock)
		set_state(out, s->sock->state);
	else if (s->verdict)
		set_state(out, s->verdict->state[s->local_dir]);
	else
		value__set_none(out);
}

SESSION_VALUE(peer_state)
{
	const struct session *s = row;

	set_state(out, s->verdict ? s->verdict->state[!s->local_dir] : TCPS_UNKNOWN);
}

SESSION_VALUE(view)
{
	value__set_string(out, view__name(session__view(row)));
}

SESSION_VALUE(netns)
{
	const struct session *s = row;

	if (s->netns_name || !s->netns)
		value__set_string(out, s->netns_name);
	else
		value__set_text(out, out->buf, fmt__u64(out->buf, s->netns));
}

SESSION_VALUE(ifname)
{
	const struct session *s = row;

	value__set_string(out, s->ifname);
}

SESSION_VALUE(taps)
{
	const struct session *s = row;

	value__set_string(out, s->taps ? s->taps : s->ifname);
}

SESSION_VALUE(pid)
{
	const struct session *s = row;

	value__set_nonzero(out, VALUE_COUNT, s->owner.pid);
}

SESSION_VALUE(comm)
{
	const struct session *s = row;

	if (s->owner.pid)
		value__set_text(out, s->owner.comm, strnlen(s->owner.comm, sizeof(s->owner.comm)));
	else
		value__set_none(out);
}

/* When it began: of a session picked up midstream, or while it opened, nobody knows. 0: unknown. */
static uint64_t born_ns(const struct session *s)
{
	if (s->sock && s->sock->born_ns)
		return s->sock->born_ns;
	return session__saw_begin(s) ? s->wire->first_ns : 0;
}

SESSION_VALUE(age_seconds)
{
	uint64_t born = born_ns(row);

	if (born)
		value__set_u64(out, VALUE_DURATION, now->mono_ns > born ? now->mono_ns - born : 0);
	else
		value__set_none(out);
}

/* Only if both times are known, and in order. */
static bool set_interval(struct value *out, uint64_t from_ns, uint64_t to_ns)
{
	if (!from_ns || to_ns < from_ns)
		return false;
	value__set_u64(out, VALUE_DURATION, to_ns - from_ns);
	return true;
}

SESSION_VALUE(handshake_seconds)
{
	const struct session *s = row;

	if (session__saw_begin(s) && set_interval(out, s->verdict->syn_ns, s->verdict->ack_ns))
		return;
	if (s->sock && set_interval(out, s->sock->syn_ns, s->sock->established_ns))
		return;
	value__set_none(out);
}

SESSION_VALUE(rtt_seconds)
{
	const struct sock_info *sock = session__full_sock(row);

	value__set_nonzero(out, VALUE_DURATION, sock ? sock->srtt_us * NS_PER_US : 0);
}

static void set_bytes(struct value *out, const struct session *s, bool is_tx)
{
	const struct sock_info *sock = session__full_sock(s);
	unsigned dir = is_tx ? s->local_dir : !s->local_dir;

	if (sock)
		value__set_u64(out, VALUE_BYTES, is_tx ? sock->tx_bytes : sock->rx_bytes);
	else if (s->verdict)
		value__set_u64(out, VALUE_BYTES, evidence__bytes(s->wire, dir));
	else
		value__set_none(out);
}

SESSION_VALUE(tx_bytes)
{
	set_bytes(out, row, true);
}

SESSION_VALUE(rx_bytes)
{
	set_bytes(out, row, false);
}

static void set_segments(struct value *out, const struct session *s, bool is_tx)
{
	const struct sock_info *sock = session__full_sock(s);
	unsigned dir = is_tx ? s->local_dir : !s->local_dir;

	if (sock)
		value__set_u64(out, VALUE_COUNT, is_tx ? sock->tx_segments : sock->rx_segments);
	else if (s->wire)
		value__set_u64(out, VALUE_COUNT, s->wire->half[dir].segments);
	else
		value__set_none(out);
}

SESSION_VALUE(tx_segments)
{
	set_segments(out, row, true);
}

SESSION_VALUE(rx_segments)
{
	set_segments(out, row, false);
}

/* SYN and FIN count too, as in the kernel's tcp_sock.total_retrans. */
SESSION_VALUE(retransmits)
{
	const struct session *s = row;
	const struct sock_info *sock = session__full_sock(s);

	if (sock) {
		value__set_u64(out, VALUE_COUNT, sock->retransmits);
	} else if (s->wire) {
		const struct evidence_half *half = &s->wire->half[s->local_dir];

		value__set_u64(out, VALUE_COUNT,
			       half->retransmits + half->syn_retransmits + half->fin_retransmits);
	} else if (s->sock && s->sock->is_minisock && s->sock->state == TCPS_SYN_RECV) {
		value__set_u64(out, VALUE_COUNT, s->sock->syn_retransmits);
	} else {
		value__set_none(out);
	}
}

SESSION_VALUE(conn_state)
{
	const struct session *s = row;

	value__set_string(out, s->verdict ? conn_state__name(s->verdict->conn_state) : NULL);
}

SESSION_VALUE(history)
{
	const struct session *s = row;

	if (s->verdict)
		value__set_text(out, s->verdict->history,
				strnlen(s->verdict->history, sizeof(s->verdict->history)));
	else
		value__set_none(out);
}

uint64_t session__close_wait_ns(const struct session *s, uint64_t now_ns)
{
	const struct sock_info *sock = session__full_sock(s);

	if (!sock || sock->state != TCPS_CLOSE_WAIT || !sock->close_wait_ns)
		return UNKNOWN_U64;
	return now_ns > sock->close_wait_ns ? now_ns - sock->close_wait_ns : 0;
}

SESSION_VALUE(close_wait_seconds)
{
	uint64_t ns = session__close_wait_ns(row, now->mono_ns);

	if (ns == UNKNOWN_U64)
		value__set_none(out);
	else
		value__set_u64(out, VALUE_DURATION, ns);
}

SESSION_VALUE(close_wait_at_least)
{
	const struct session *s = row;

	if (session__close_wait_ns(s, now->mono_ns) == UNKNOWN_U64)
		value__set_none(out);
	else
		value__set_u64(out, VALUE_BOOL, s->sock->close_wait_at_least);
}

/* What no process is known for is nobody's. */
static const struct close_wait_holder *holder_of(const struct session *s)
{
	return s->close_wait && s->close_wait->key.pid ? s->close_wait : NULL;
}

SESSION_VALUE(close_wait_of_process)
{
	const struct close_wait_holder *holder = holder_of(row);

	if (holder)
		value__set_u64(out, VALUE_COUNT, holder->count);
	else
		value__set_none(out);
}

SESSION_VALUE(close_wait_new)
{
	const struct close_wait_holder *holder = holder_of(row);

	if (holder && !holder->is_unsure)
		value__set_u64(out, VALUE_COUNT, holder->n_new);
	else
		value__set_none(out);
}

SESSION_VALUE(roles_guessed)
{
	const struct session *s = row;

	value__set_known(out, direction_name(s), VALUE_BOOL, has_guessed_roles(s));
}

static enum close_by closed_by(const struct session *s)
{
	if (s->sock && s->sock->close_by != CLOSE_NOBODY)
		return s->sock->close_by;
	if (!s->verdict || s->verdict->closed_first >= DIR_COUNT)
		return CLOSE_NOBODY;
	return s->verdict->closed_first == s->local_dir ? CLOSE_LOCAL : CLOSE_REMOTE;
}

SESSION_VALUE(closed_by)
{
	value__set_string(out, close_by__name(closed_by(row)));
}

SESSION_VALUE(iface_gone)
{
	const struct session *s = row;

	if (s->wire)
		value__set_u64(out, VALUE_BOOL, s->tap_is_gone);
	else
		value__set_none(out);
}

const char *close_by__name(enum close_by by)
{
	static const char *const names[] = {
		[CLOSE_NOBODY] = NULL, [CLOSE_LOCAL] = "local", [CLOSE_REMOTE] = "remote"};

	return by <= CLOSE_REMOTE ? names[by] : NULL;
}

const char *view__name(unsigned view)
{
	static const char *const names[] = {
		[VIEW_SOCKET] = "socket", [VIEW_WIRE] = "wire", [VIEW_BOTH] = "both"};

	return view <= VIEW_BOTH ? names[view] : NULL;
}
