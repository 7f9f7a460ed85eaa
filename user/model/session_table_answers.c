/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * SYN-ACKs of this host that taps saw and nobody acknowledged. The kernel sends one again when its
 * timer runs out, so when it is silent for longer it has given up. Where a socket tells of the
 * request, that has the word (session_table_requests.c).
 */
#include "session_table_internal.h"

/* A SYN cookie is sent once, and kept nowhere: nobody gives it up. */
static bool is_kept(const struct wire_session *wire)
{
	const struct wire_answers *answers = &wire->answers;

	return answers->is_queued || answers->again > answers->asked_again;
}

static bool is_waiting(const struct wire_session *wire)
{
	return wire->is_half_open && !wire->answers.is_over && wire->answers.last_ns;
}

/* A SYN that comes again is answered at once, which is no sign of the timer. */
static uint64_t due_ns(const struct wire_answers *answers)
{
	unsigned expired =
		answers->again > answers->asked_again ? answers->again - answers->asked_again : 0;

	return answers->last_ns + handshake__patience_ns(expired);
}

/* Without memory for the list it is told when all half-open sessions are given up. */
static void follow(struct session_table *table, struct wire_session *wire)
{
	if (wire->answers.is_listed || id_list__add(&table->answered, wire->head.id))
		return;
	wire->answers.is_listed = true;
}

void answers__take(struct session_table *table, struct wire_session *wire,
		   const struct rec_segment *rec, const struct wire_before *before)
{
	struct wire_answers *answers = &wire->answers;
	unsigned dir = rec->seg.dir & 1;

	if (!(rec->seg.flags & TCPF_SYN) || !table->env.on_event)
		return;
	if (!(rec->seg.flags & TCPF_ACK)) {
		answers->is_queued |= rec->fate == SYN_QUEUED;
		/* To the CPU it came through it may be the first. */
		answers->asked_again +=
			rec->why == SEG_SYN_AGAIN || before->flags & FRAG_SYN(dir);
		return;
	}
	if (!(wire->locals & 1 << dir))
		return;
	answers->again += answers->last_ns != 0;
	answers->last_ns = rec->hdr.time_ns;
	follow(table, wire);
}

/* True if it is to be looked at again. A cookie is not, unless it is sent again, which lists it
 * anew.
 */
static bool wait_on(struct session_table *table, struct wire_session *wire)
{
	if (is_waiting(wire) && table->now_ns < due_ns(&wire->answers))
		return true;
	wire->answers.is_listed = false;
	wire->answers.is_over = is_waiting(wire) && is_kept(wire);
	if (wire->answers.is_over)
		wire__expire(table, wire);
	return false;
}

void answers__expire(struct session_table *table)
{
	struct id_list *list = &table->answered;
	size_t kept = 0;

	if (!id_list__is_due(list, table->now_ns))
		return;
	for (size_t i = 0; i < list->count; i++) {
		struct wire_session *wire = pool__get(&table->wires, list->ids[i]);

		if (!wire || !wire->answers.is_listed)
			continue;
		if (wait_on(table, wire))
			list->ids[kept++] = list->ids[i];
	}
	list->count = kept;
}
