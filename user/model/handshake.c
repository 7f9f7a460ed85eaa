/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Conclusions about one handshake. Where both views know a time the wire's is taken, for it is that
 * of the segment; where an end is told the kernel's word comes first.
 */
#include "handshake.h"

#include <errno.h>
#include <stddef.h>

static const char *const break_names[BREAK_COUNT] = {
#define X(id, key, title, help) [BREAK_##id] = #key,
	HANDSHAKE_BREAKS(X)
#undef X
};

static const char *const side_names[SIDE_COUNT] = {
#define X(id, name) [SIDE_##id] = name,
	HANDSHAKE_SIDES(X)
#undef X
};

const char *handshake_break__name(enum handshake_break at)
{
	return at < BREAK_COUNT ? break_names[at] : NULL;
}

const char *handshake_side__name(enum handshake_side side)
{
	return side < SIDE_COUNT ? side_names[side] : NULL;
}

bool handshake__side(const struct session *s, enum handshake_side *side)
{
	bool is_known = true;

	if (s->is_forwarded)
		*side = SIDE_FORWARD;
	else if (s->sock && s->sock->role != ROLE_UNKNOWN)
		*side = s->sock->role == ROLE_ACTIVE ? SIDE_CLIENT : SIDE_SERVER;
	else if (s->verdict && !s->verdict->roles_guessed)
		*side = s->verdict->originator == s->local_dir ? SIDE_CLIENT : SIDE_SERVER;
	else
		is_known = false;
	return is_known;
}

/* TCP_TIMEOUT_INIT and TCP_RTO_MAX, include/net/tcp.h: doubled each time, up to a limit. */
#define FIRST_TIMEOUT_NS TW_NSEC_PER_SEC
#define LAST_TIMEOUT_NS	 (120 * TW_NSEC_PER_SEC)
#define DOUBLINGS	 7 /* that many reach the limit */
/* A timer of the wheel may be late by an eighth (kernel/time/timer.c), a busy machine by more. */
#define LATE_SHIFT 3
#define BUSY_NS	   TW_NSEC_PER_SEC

uint64_t handshake__patience_ns(unsigned timeouts)
{
	uint64_t timeout_ns = timeouts < DOUBLINGS ? FIRST_TIMEOUT_NS << timeouts : LAST_TIMEOUT_NS;

	return timeout_ns + (timeout_ns >> LATE_SHIFT) + BUSY_NS;
}

/* RFC 1122 section 4.2.3.1; a second since RFC 6298. */
#define FIRST_SYN_TIMEOUT_NS (3 * TW_NSEC_PER_SEC)

/* A timer that doubles lasts as long as all before it and the first, or for less. */
uint64_t handshake__syn_patience_ns(uint64_t asked_ns)
{
	uint64_t timeout_ns = asked_ns + FIRST_SYN_TIMEOUT_NS;

	if (timeout_ns > LAST_TIMEOUT_NS)
		timeout_ns = LAST_TIMEOUT_NS;
	return timeout_ns + (timeout_ns >> LATE_SHIFT) + BUSY_NS;
}

bool handshake__is_held_up(uint64_t since_ns, uint64_t now_ns)
{
	return now_ns >= since_ns + FIRST_TIMEOUT_NS;
}

/* ---- how long ---- */

static uint64_t interval(uint64_t from_ns, uint64_t to_ns)
{
	return from_ns && to_ns >= from_ns ? to_ns - from_ns : UNKNOWN_U64;
}

/* The socket may be established later than the wire tells, if something held a segment up. */
static uint64_t done_ns(const struct session *s)
{
	uint64_t sock_ns = s->sock ? s->sock->established_ns : 0;
	uint64_t wire_ns = s->verdict ? s->verdict->ack_ns : 0;

	return sock_ns ? sock_ns : wire_ns;
}

static uint64_t network_ns(const struct evidence_verdict *v, enum handshake_side side)
{
	switch (side) {
	case SIDE_CLIENT:
		return interval(v->syn_ns, v->synack_ns);
	case SIDE_SERVER:
		return interval(v->synack_ns, v->ack_ns);
	default:
		return interval(v->syn_ns, v->ack_ns);
	}
}

struct handshake_parts handshake__parts(const struct session *s)
{
	struct handshake_parts parts = {UNKNOWN_U64, UNKNOWN_U64, UNKNOWN_U64};
	const struct evidence_verdict *v = s->verdict;
	enum handshake_side side;

	if (!handshake__side(s, &side))
		return parts;
	if (session__saw_begin(s) && v->synack_ns) {
		parts.total_ns = interval(v->syn_ns, done_ns(s));
		parts.network_ns = network_ns(v, side);
	} else if (s->sock) {
		parts.total_ns = interval(s->sock->syn_ns, s->sock->established_ns);
	}
	if (side != SIDE_FORWARD && parts.network_ns <= parts.total_ns &&
	    parts.total_ns != UNKNOWN_U64)
		parts.host_ns = parts.total_ns - parts.network_ns;
	return parts;
}

/* ---- where it broke ---- */

/* A SYN-ACK for the attempt of this host came in at a tap. */
static bool has_answer(const struct session *s)
{
	return s->verdict && s->verdict->originator == s->local_dir && s->verdict->synack_ns;
}

/*
 * What ICMP and ICMPv6 errors become (icmp_err_convert in net/ipv4/icmp.c, icmpv6_err_convert in
 * net/ipv6/icmp.c). A port that is unreachable gives ECONNREFUSED, as a RST does.
 */
static bool is_icmp_error(int error)
{
	switch (error) {
	case EHOSTUNREACH:
	case ENETUNREACH:
	case ENOPROTOOPT:
	case EHOSTDOWN:
	case ENONET:
	case EACCES:
	case EPROTO:
	case EOPNOTSUPP:
	case EMSGSIZE:
		return true;
	}
	return false;
}

static enum handshake_break break_of_connect(const struct session *s)
{
	const struct sock_info *info = s->sock;
	int error = info->error ? info->error : info->soft_error;

	if (info->reset_seen == CLOSE_REMOTE)
		return BREAK_REFUSED;
	if (!info->tx_segments)
		return BREAK_NOT_SENT;
	/* Its reset would have been seen, unless the socket is older than the tool. */
	if (error == ECONNREFUSED)
		return info->born_ns ? BREAK_FILTERED : BREAK_REFUSED;
	if (is_icmp_error(error))
		return BREAK_FILTERED;
	/* Whoever gave up first, the kernel or the program with a time-out of its own. */
	if (error == ETIMEDOUT || (!error && info->tx_segments > 1))
		return has_answer(s) ? BREAK_LOST_IN_HOST : BREAK_SYN_UNANSWERED;
	return error ? BREAK_OTHER : BREAK_ABANDONED;
}

enum handshake_break handshake__break_of_sock(const struct session *s, uint8_t old_state)
{
	if (old_state == TCPS_SYN_SENT)
		return break_of_connect(s);
	return s->sock->reset_seen == CLOSE_REMOTE ? BREAK_SYN_ACK_RESET : BREAK_OTHER;
}

enum handshake_break handshake__break_of_request(const struct session *s)
{
	if (s->sock->is_acked)
		return BREAK_ACK_DROPPED;
	return s->verdict && s->verdict->established ? BREAK_LOST_IN_HOST
						     : BREAK_SYN_ACK_UNANSWERED;
}

/* Nothing answered the SYN that the wire saw last. */
static enum handshake_break break_of_syn(enum syn_fate fate)
{
	switch (fate) {
	case SYN_ACCEPT_FULL:
		return BREAK_ACCEPT_FULL;
	case SYN_SYN_FULL:
	case SYN_BACKLOG_FULL:
		return BREAK_SYN_FULL;
	default:
		return BREAK_SYN_UNANSWERED;
	}
}

enum handshake_break handshake__break_of_wire(const struct session *s)
{
	const struct evidence_verdict *v = s->verdict;

	if (v->synack_ns)
		return v->end == END_RESET ? BREAK_SYN_ACK_RESET : BREAK_SYN_ACK_UNANSWERED;
	if (v->end == END_REFUSED)
		return BREAK_REFUSED;
	return v->end == END_RESET ? BREAK_ABANDONED : break_of_syn(s->syn_fate);
}

enum handshake_break handshake__break_so_far(const struct session *s)
{
	if (!s->sock)
		return handshake__break_of_wire(s);
	if (s->sock->state == TCPS_SYN_RECV)
		return handshake__break_of_request(s);
	return has_answer(s) ? BREAK_LOST_IN_HOST : BREAK_SYN_UNANSWERED;
}
