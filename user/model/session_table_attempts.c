/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Handshakes under way that only taps saw. Whoever waits for an answer sends again when its timer
 * runs out, so one that is silent for longer has given up. Where a socket tells of the attempt,
 * that has the word (session_table_requests.c). Not here: where it broke (handshake.c).
 */
#include "bpf/shared/track.h"
#include "session_table_internal.h"

static unsigned asker(const struct wire_session *wire)
{
	return wire->verdict.originator;
}

/* A SYN that comes again is answered at once, which is no sign of the timer. */
static unsigned timeouts(const struct wire_attempt *attempt)
{
	return attempt->again > attempt->asked_again ? attempt->again - attempt->asked_again : 0;
}

/* A SYN cookie is sent once, and kept nowhere: nobody gives it up. */
static bool is_kept(const struct wire_session *wire)
{
	return wire->row.syn_fate == SYN_QUEUED || wire->row.syn_fate == SYN_REPEATED ||
	       timeouts(&wire->attempt);
}

static uint64_t answer_due_ns(const struct wire_session *wire)
{
	const struct wire_attempt *attempt = &wire->attempt;

	if (!attempt->answered_ns || !is_kept(wire))
		return 0;
	return attempt->answered_ns + handshake__patience_ns(timeouts(attempt));
}

static uint64_t syn_due_ns(const struct wire_session *wire)
{
	uint64_t first_ns = wire->ev.step_ns[asker(wire)][STEP_SYN];
	uint64_t last_ns = wire__last_ns(wire);

	if (!(wire->ev.flags & FRAG_SYN(asker(wire))) || wire->row.syn_fate == SYN_COOKIE)
		return 0;
	return last_ns + handshake__syn_patience_ns(last_ns - first_ns);
}

/* From when on silence means that it has failed. 0: it does not. */
static uint64_t due_ns(const struct wire_session *wire)
{
	if (!wire->is_half_open || wire->attempt.is_over)
		return 0;
	return wire->verdict.synack_ns ? answer_due_ns(wire) : syn_due_ns(wire);
}

void attempts__take(struct session_table *table, struct wire_session *wire,
		    const struct rec_segment *rec, const struct wire_before *before)
{
	struct wire_attempt *attempt = &wire->attempt;
	unsigned dir = rec->seg.dir & 1;

	if (!(rec->seg.flags & TCPF_SYN) || !table->env.on_event)
		return;
	if (!(rec->seg.flags & TCPF_ACK)) {
		/* To the CPU it came through it may be the first. */
		if (rec->why == SEG_SYN_AGAIN || before->flags & FRAG_SYN(dir))
			count_u8(&attempt->asked_again);
		if (rec->fate != SYN_FATE_NONE)
			wire->row.syn_fate = rec->fate;
	} else if (!(wire->locals & 1 << !dir)) { /* this host's own attempts its sockets tell */
		if (attempt->answered_ns)
			count_u8(&attempt->again);
		attempt->answered_ns = rec->hdr.time_ns;
	}
}

/* Without memory for the list it is told when all half-open sessions are given up. */
void attempts__follow(struct session_table *table, struct wire_session *wire)
{
	uint64_t due = due_ns(wire);

	if (due)
		(void)due_list__add(&table->attempts, wire->head.id, due);
}

static void give_up(struct session_table *table, struct wire_session *wire)
{
	wire->attempt.is_over = true;
	wire__expire(table, wire);
}

void attempts__expire(struct session_table *table)
{
	/* Of what came later nothing is known yet: no word of it is not silence. */
	uint64_t until_ns =
		table->caught_up_ns < table->now_ns ? table->caught_up_ns : table->now_ns;
	uint32_t id;

	while ((id = due_list__take(&table->attempts, until_ns))) {
		struct wire_session *wire = pool__get(&table->wires, id);

		if (!wire)
			continue;
		if (due_ns(wire) > until_ns)
			attempts__follow(table, wire);
		else if (due_ns(wire))
			give_up(table, wire);
	}
}

/* ---- those under way ---- */

static void visit_wires(struct session_table *table, attempt_visitor visit, void *ctx)
{
	struct wire_session *wire = pool__get(&table->wires, table->oldest_half_open);

	for (; wire; wire = pool__get(&table->wires, wire->newer)) {
		if (!events__will_tell_end(table, wire))
			continue;
		table__name_row(table, &wire->row);
		visit(ctx, &(struct attempt){&wire->row, wire->ev.first_ns, !due_ns(wire)});
	}
}

static bool is_opening(const struct session_table *table, const struct sock_row *sock)
{
	if (sock->info.state != TCPS_SYN_SENT && sock->info.state != TCPS_SYN_RECV)
		return false;
	return !requests__has(sock) || !socks__has_child(table, sock);
}

static void visit_socks(struct session_table *table, attempt_visitor visit, void *ctx)
{
	const uint64_t *n = table->stats.by_state;

	if (!n[TCPS_SYN_SENT] && !n[TCPS_SYN_RECV])
		return;
	for (uint32_t id = 1; id <= table->socks.end; id++) {
		struct sock_row *sock = pool__get(&table->socks, id);

		if (!sock || !is_opening(table, sock))
			continue;
		socks__join(table, sock);
		table__name_row(table, &sock->row);
		visit(ctx, &(struct attempt){&sock->row, sock->info.syn_ns, false});
	}
}

void session_table__visit_attempts(struct session_table *table, uint64_t now_ns,
				   attempt_visitor visit, void *ctx)
{
	table__begin_batch(table, now_ns);
	visit_socks(table, visit, ctx);
	visit_wires(table, visit, ctx);
}
