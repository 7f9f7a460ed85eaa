/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Events: what is told of a change, from which view, and only once. Not here: the changes.
 */
#include <errno.h>

#include "session_table_internal.h"

/* Errors that end an attempt to connect. */
static const char *errno_reason(int error)
{
	static const struct {
		int error;
		const char *reason;
	} reasons[] = {
		{ECONNREFUSED, "refused"},
		{ETIMEDOUT, "timeout"},
		{ECONNRESET, "reset"},
		{EHOSTUNREACH, "host_unreachable"},
		{ENETUNREACH, "net_unreachable"},
		{EHOSTDOWN, "host_down"},
		{ENETDOWN, "net_down"},
		{ENOPROTOOPT, "protocol_unreachable"},
		{EPROTO, "icmp_error"},
		{EMSGSIZE, "message_size"},
		{ENONET, "net_unknown"},
		{EACCES, "prohibited"},
		{EPIPE, "reset"},
		{ECONNABORTED, "aborted"},
	};

	for (unsigned i = 0; i < sizeof(reasons) / sizeof(reasons[0]); i++)
		if (reasons[i].error == error)
			return reasons[i].reason;
	return error ? "error" : NULL;
}

static void tell(struct session_table *table, struct session *session, struct event *event)
{
	if (!table->env.on_event)
		return;
	table__name_row(table, session);
	event->session = session;
	table->env.on_event(table->env.ctx, event);
}

/* ---- the socket view ---- */

static void tell_sock(struct session_table *table, struct sock_row *sock, struct event *event)
{
	if (!table->env.on_event)
		return;
	socks__join(table, sock);
	event->view = VIEW_SOCKET;
	tell(table, &sock->row, event);
}

void events__sock(struct session_table *table, struct sock_row *sock, enum event_kind kind,
		  const char *reason, uint64_t time_ns)
{
	struct event event = {.kind = kind, .time_ns = time_ns, .reason = reason};

	tell_sock(table, sock, &event);
}

void events__request_gone(struct session_table *table, struct sock_row *sock, uint64_t time_ns)
{
	struct event event = {
		.kind = EVENT_HANDSHAKE_FAILED,
		.time_ns = time_ns,
		.old_state = TCPS_SYN_RECV,
		.new_state = TCPS_CLOSED,
		.reason = sock->info.is_acked ? "accept_queue_full" : "timeout",
	};

	if (!table->env.on_event)
		return;
	socks__join(table, sock);
	event.broke = handshake__break_of_request(&sock->row);
	tell_sock(table, sock, &event);
}

static void tell_rejected(struct session_table *table, struct sock_row *sock, struct event *event)
{
	struct wire_session *wire = pool__get(&table->wires, sock->wire);
	bool is_cookie = event->of_listener == LISTENER_RESET_COOKIE;

	if (wire && wire->told & TOLD_END)
		return;
	event->kind = EVENT_HANDSHAKE_FAILED;
	event->reason = is_cookie ? "cookie_rejected" : "accept_queue_full";
	event->broke = is_cookie ? BREAK_COOKIE_REJECTED : BREAK_ACK_DROPPED;
	tell_sock(table, sock, event);
	if (wire)
		wire->told |= TOLD_END;
}

void events__reset(struct session_table *table, struct sock_row *sock,
		   const struct rec_sock_reset *rec)
{
	struct event event = {
		.kind = rec->by == CLOSE_REMOTE ? EVENT_RESET_RECEIVED : EVENT_RESET_SENT,
		.time_ns = rec->hdr.time_ns,
		.of_listener = rec->of_listener,
	};

	if (!table->env.on_event)
		return;
	if (rec->reason >= 0 && table->env.reset_reason)
		event.reason = table->env.reset_reason(table->env.ctx, rec->reason);
	tell_sock(table, sock, &event);
	if (rec->of_listener == LISTENER_RESET_COOKIE || rec->of_listener == LISTENER_RESET_FULL)
		tell_rejected(table, sock, &event);
}

/*
 * A time-out may send a reset first (tcp_keepalive_timer() in net/ipv4/tcp_timer.c), and its error
 * may be one that was pending.
 */
static const char *sock_end_reason(const struct sock_info *info)
{
	if (info->error && (info->error == ETIMEDOUT || info->error == info->soft_error))
		return errno_reason(ETIMEDOUT);
	if (info->reset_seen || info->error == ECONNRESET || info->error == EPIPE)
		return "reset";
	if (info->error)
		return errno_reason(info->error);
	return info->close_by ? "fin" : "abort";
}

static void tell_sock_end(struct session_table *table, struct sock_row *sock, uint8_t old_state,
			  struct event *event)
{
	const struct sock_info *info = &sock->info;

	if (old_state == TCPS_LISTEN || old_state == TCPS_CLOSED)
		return;
	if (old_state == TCPS_SYN_SENT || old_state == TCPS_SYN_RECV) {
		const char *reason = errno_reason(info->error);

		event->kind = EVENT_HANDSHAKE_FAILED;
		event->reason = reason ? reason : info->reset_seen ? "reset" : "aborted";
		socks__join(table, sock);
		event->broke = handshake__break_of_sock(&sock->row, old_state);
	} else {
		event->kind = EVENT_CLOSED;
		event->reason = sock_end_reason(info);
		event->closed_by = info->close_by ? info->close_by : info->reset_seen;
	}
	tell_sock(table, sock, event);
}

/* With TCP Fast Open a child may leave SYN_RECV for a state past ESTABLISHED (RFC 7413). */
static bool is_opening(uint8_t old_state, uint8_t state)
{
	return (old_state == TCPS_SYN_SENT || old_state == TCPS_SYN_RECV) &&
	       (state == TCPS_ESTABLISHED || state == TCPS_FIN_WAIT1 || state == TCPS_CLOSE_WAIT);
}

/* The server's socket comes into being after its peer's acknowledgement has passed a tap elsewhere.
 */
static bool has_told_open(const struct session_table *table, const struct sock_row *sock)
{
	const struct wire_session *wire = pool__get(&table->wires, sock->wire);

	return wire && wire->told & TOLD_OPEN;
}

void events__sock_state(struct session_table *table, struct sock_row *sock, uint8_t old_state,
			uint64_t time_ns)
{
	struct event event = {
		.kind = EVENT_STATE_CHANGE,
		.time_ns = time_ns,
		.old_state = old_state,
		.new_state = sock->info.state,
	};

	if (!table->env.on_event)
		return;
	tell_sock(table, sock, &event);
	if (is_opening(old_state, sock->info.state) && !has_told_open(table, sock)) {
		event.kind = EVENT_ESTABLISHED;
		tell_sock(table, sock, &event);
	}
	if (sock->info.state == TCPS_CLOSED)
		tell_sock_end(table, sock, old_state, &event);
}

/* ---- the wire view ---- */

/* Opens, closes and states of this session come from its sockets. */
static bool is_muted(const struct session_table *table, const struct wire_session *wire)
{
	return table->env.prefer_socket_events && !wire->row.is_forwarded;
}

static bool is_ours(const struct wire_session *wire, unsigned dir)
{
	return wire->sock[dir] || (wire->locals | wire->owned) & 1 << dir;
}

/* Whom an event of @dir is about: the sender's socket, else the receiver's, else nobody's. */
static void tell_wire(struct session_table *table, struct wire_session *wire, unsigned dir,
		      struct event *event)
{
	struct sock_row *sock = pool__get(&table->socks, wire->sock[dir]);

	if (!sock)
		sock = pool__get(&table->socks, wire->sock[!dir]);
	event->view = VIEW_WIRE;
	if (!sock) {
		tell(table, &wire->row, event);
		return;
	}
	socks__join(table, sock);
	if (!sock->row.wire) { /* the socket is of a later session */
		tell(table, &wire->row, event);
		return;
	}
	tell(table, &sock->row, event);
}

/* Its socket was opening before anybody looked: what was sent first nobody saw. */
static bool is_sent_again(const struct session_table *table, const struct wire_session *wire,
			  unsigned dir)
{
	const struct sock_row *sock = pool__get(&table->socks, wire->sock[dir]);

	return sock && sock->info.state == TCPS_SYN_SENT && !sock->info.born_ns;
}

static void tell_syn(struct session_table *table, struct wire_session *wire,
		     const struct rec_segment *rec, const struct wire_before *before)
{
	unsigned dir = rec->seg.dir & 1;
	bool is_synack = rec->seg.flags & TCPF_ACK;
	uint8_t told = is_synack ? TOLD_SYNACK(dir) : TOLD_SYN(dir);
	struct event event = {
		.kind = is_synack ? EVENT_SYN_ACK : EVENT_SYN,
		.time_ns = rec->hdr.time_ns,
		.segment = rec,
	};

	if (rec->why == SEG_SYN_AGAIN || (!is_synack && is_sent_again(table, wire, dir)) ||
	    before->flags & (is_synack ? FRAG_SYNACK(dir) : FRAG_SYN(dir)))
		event.reason = "retransmit";
	else if (wire->told & told) /* through another tap */
		return;
	wire->told |= told;
	tell_wire(table, wire, dir, &event);
}

void events__syn_ignored(struct session_table *table, struct wire_session *wire,
			 const struct rec_segment *rec)
{
	struct event event = {
		.kind = EVENT_SYN,
		.time_ns = rec->hdr.time_ns,
		.segment = rec,
		.reason = "ignored",
	};

	if (table->env.on_event)
		tell_wire(table, wire, rec->seg.dir & 1, &event);
}

static void tell_reset(struct session_table *table, struct wire_session *wire,
		       const struct rec_segment *rec)
{
	unsigned dir = rec->seg.dir & 1;
	struct event event = {
		.kind = dir == wire->row.local_dir ? EVENT_RESET_SENT : EVENT_RESET_RECEIVED,
		.time_ns = rec->hdr.time_ns,
		.segment = rec,
		.reason = rec->why == SEG_RST_IGNORED ? "ignored" : NULL,
	};

	/* The kernel tells of those it accepts. */
	if (!is_muted(table, wire) || rec->why == SEG_RST_IGNORED)
		tell_wire(table, wire, wire->row.local_dir, &event);
}

void events__segment(struct session_table *table, struct wire_session *wire,
		     const struct rec_segment *rec, const struct wire_before *before)
{
	unsigned dir = rec->seg.dir & 1;
	struct event event = {.time_ns = rec->hdr.time_ns, .segment = rec};

	if (!table->env.on_event)
		return;
	if (rec->seg.flags & TCPF_SYN) {
		tell_syn(table, wire, rec, before);
	} else if (rec->seg.flags & TCPF_RST) {
		tell_reset(table, wire, rec);
	} else if (rec->seg.flags & TCPF_FIN) {
		event.kind = EVENT_FIN;
		if (rec->why == SEG_FIN_AGAIN || before->has_fin[dir])
			event.reason = "retransmit";
		tell_wire(table, wire, dir, &event);
	} else if (rec->why == SEG_RETRANSMIT) {
		event.kind = EVENT_RETRANSMIT;
		/* What our own socket sends again, it tells itself. */
		if (!is_muted(table, wire) || !is_ours(wire, dir))
			tell_wire(table, wire, dir, &event);
	}
}

static void tell_state(struct session_table *table, struct wire_session *wire,
		       const struct wire_before *before, uint64_t time_ns)
{
	unsigned dir = wire->row.local_dir;
	struct event event = {
		.kind = EVENT_STATE_CHANGE,
		.time_ns = time_ns,
		.old_state = before->state[dir],
		.new_state = wire->verdict.state[dir],
	};

	/* Before its own SYN the originator was CLOSED, and who answers one was listening. */
	if (!event.old_state && event.new_state == TCPS_SYN_SENT)
		event.old_state = TCPS_CLOSED;
	if (!event.old_state && event.new_state == TCPS_SYN_RECV)
		event.old_state = TCPS_LISTEN;
	if (event.old_state && event.old_state != event.new_state)
		tell_wire(table, wire, dir, &event);
}

void events__wire_changed(struct session_table *table, struct wire_session *wire,
			  const struct wire_before *before, uint64_t time_ns)
{
	struct event event = {
		.kind = EVENT_ESTABLISHED,
		.time_ns = time_ns,
		.old_state = before->state[wire->row.local_dir],
		.new_state = wire->verdict.state[wire->row.local_dir],
	};

	if (!table->env.on_event)
		return;
	if (!is_muted(table, wire) && time_ns > wire->told_ns)
		tell_state(table, wire, before, time_ns);
	if (!wire->verdict.established || wire->told & TOLD_ESTABLISHED)
		return;
	wire->told |= TOLD_ESTABLISHED;
	if (wire__opened_ns(wire) <= wire->told_ns)
		return;
	/* A session picked up midstream was established before anyone looked. */
	if (!evidence__has_syn(&wire->ev) || is_muted(table, wire))
		return;
	wire->told |= TOLD_OPEN;
	tell_wire(table, wire, wire->row.local_dir, &event);
}

/* A fragment of it was read again after it had been forgotten. */
static bool was_told_before(const struct wire_session *wire)
{
	return wire->verdict.end != END_NOT && wire->verdict.end_ns <= wire->told_ns;
}

/* A socket tells of its own attempts only: nobody has one yet for those of others. */
static bool is_end_muted(const struct session_table *table, const struct wire_session *wire)
{
	if (was_told_before(wire))
		return true;
	if (!wire->verdict.established && !evidence__has_syn(&wire->ev))
		return true; /* a stray reset */
	return is_muted(table, wire) &&
	       (wire->verdict.established || is_ours(wire, wire->verdict.originator));
}

bool events__will_tell_end(const struct session_table *table, const struct wire_session *wire)
{
	return !(wire->told & TOLD_END) && !is_end_muted(table, wire);
}

bool events__has_end(const struct session_table *table, struct wire_session *wire)
{
	if (!table->env.on_event || wire->verdict.end == END_NOT || wire->told & TOLD_END)
		return false;
	if (is_end_muted(table, wire))
		wire->told |= TOLD_END;
	return !(wire->told & TOLD_END);
}

static enum close_by closed_by(const struct wire_session *wire)
{
	if (wire->verdict.closed_first == DIR_COUNT)
		return CLOSE_NOBODY;
	return wire->verdict.closed_first == wire->row.local_dir ? CLOSE_LOCAL : CLOSE_REMOTE;
}

void events__wire_end(struct session_table *table, struct wire_session *wire, const char *why,
		      uint64_t time_ns)
{
	static const char *const reasons[] = {
		[END_FIN] = "fin",
		[END_RESET] = "reset",
		[END_REFUSED] = "refused",
		[END_TIMEOUT] = "timeout",
	};
	const struct evidence_verdict *v = &wire->verdict;
	struct event event = {
		.kind = v->established ? EVENT_CLOSED : EVENT_HANDSHAKE_FAILED,
		.time_ns = time_ns,
		.new_state = v->state[wire->row.local_dir],
		.reason = why ? why : reasons[v->end],
		.closed_by = v->established ? closed_by(wire) : CLOSE_NOBODY,
	};

	if (!table->env.on_event || wire->told & TOLD_END)
		return;
	wire->told |= TOLD_END;
	if (!v->established)
		event.broke = handshake__break_of_wire(&wire->row);
	if (!is_end_muted(table, wire))
		tell_wire(table, wire, wire->row.local_dir, &event);
}

void events__evicted(struct session_table *table, struct wire_session *wire, uint64_t time_ns)
{
	struct event event = {.kind = EVENT_EVICTED, .time_ns = time_ns};

	if (table->env.on_event)
		tell_wire(table, wire, wire->row.local_dir, &event);
}
