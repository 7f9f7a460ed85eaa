/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writing the metrics of this host's sockets.
 */
#include "metrics_internal.h"

#include "user/model/tcp_state.h"

static void put_histogram(struct writing *w, const struct prom_label *labels,
			  enum tally_histogram which)
{
	if (writing__has_events(w))
		prom__histogram(&w->family, labels, &tally_shapes[which],
				&w->figures->tally.histogram[which]);
}

static const char *const state_labels[TCPS_COUNT] = {
#define LABEL(id, number, name, filter_name) [number] = filter_name,
	TCP_STATES(LABEL)
#undef LABEL
};

/* A socket that is closed is no session. */
void metrics_write__sessions(struct writing *w)
{
	for (size_t i = 0; w->figures->has_sock && i < w->figures->n_netns; i++) {
		const struct netns_figures *ns = &w->figures->netns[i];

		for (int state = 1; state < TCPS_COUNT; state++) {
			struct figure n = figure__of(ns->sockets[state]);

			if (state == TCPS_TIME_WAIT)
				n = ns->time_wait;
			if (n.is_known && state != TCPS_CLOSED)
				writing__put_by_two(
					w, (struct prom_label){"netns", ns->name},
					(struct prom_label){"state", state_labels[state]}, n.value);
		}
	}
}

void metrics_write__sessions_opened_total(struct writing *w)
{
	if (!writing__has_events(w))
		return;
	writing__put_by(w, "side", "client", w->figures->sock.value[SOCKC_ACTIVE_OPEN]);
	writing__put_by(w, "side", "server", w->figures->sock.value[SOCKC_PASSIVE_OPEN]);
}

void metrics_write__sessions_closed_total(struct writing *w)
{
	static const char *const reasons[] = {END_REASONS(METRIC_NAMES)},
				 *const sides[] = {END_SIDES(METRIC_NAMES)};

	for (int reason = 0; writing__has_events(w) && reason < END_REASON_COUNT; reason++)
		for (int side = 0; side < END_SIDE_COUNT; side++)
			writing__put_by_two(w, (struct prom_label){"reason", reasons[reason]},
					    (struct prom_label){"by", sides[side]},
					    w->figures->tally.ended[reason][side]);
}

static void put_handshakes(struct writing *w, const char *side, const char *outcome, uint64_t n)
{
	writing__put_by_two(w, (struct prom_label){"side", side},
			    (struct prom_label){"outcome", outcome}, n);
}

/* A server's unfinished handshakes have no socket of their own: the kernel counts some of them. */
void metrics_write__handshakes_total(struct writing *w)
{
	static const char *const outcomes[] = {HANDSHAKE_OUTCOMES(METRIC_NAMES)};
	const struct figures *f = w->figures;

	if (!writing__has_events(w))
		return;
	for (int i = 0; i < HANDSHAKE_OUTCOME_COUNT; i++)
		put_handshakes(w, "client", outcomes[i], f->tally.handshakes[OPEN_SIDE_CLIENT][i]);
	put_handshakes(w, "server", "completed",
		       f->tally.handshakes[OPEN_SIDE_SERVER][HANDSHAKE_COMPLETED]);
	if (f->server_timeouts.is_known)
		put_handshakes(w, "server", "timeout", f->server_timeouts.value);
	if (f->embryonic_resets.is_known)
		put_handshakes(w, "server", "reset", f->embryonic_resets.value);
	if (f->server_overflows.is_known)
		put_handshakes(w, "server", "overflow", f->server_overflows.value);
}

static void put_handshake_part(struct writing *w, const char *side, const char *part,
			       enum tally_histogram which)
{
	put_histogram(w, PROM_LABELS({"side", side}, {"part", part}), which);
}

void metrics_write__handshake_seconds(struct writing *w)
{
	put_handshake_part(w, "client", "total", TALLY_CLIENT_TOTAL);
	put_handshake_part(w, "client", "network", TALLY_CLIENT_NETWORK);
	put_handshake_part(w, "client", "host", TALLY_CLIENT_HOST);
	put_handshake_part(w, "server", "network", TALLY_SERVER_NETWORK);
	if (w->figures->has_wire)
		prom__histogram(&w->family, PROM_LABELS({"side", "server"}, {"part", "host"}),
				&answer_shape, &w->figures->wire.answers);
}

void metrics_write__session_duration_seconds(struct writing *w)
{
	put_histogram(w, PROM_NO_LABELS, TALLY_SESSION_DURATION);
}

void metrics_write__srtt_seconds(struct writing *w)
{
	put_histogram(w, PROM_NO_LABELS, TALLY_SRTT);
}

void metrics_write__retransmits_total(struct writing *w)
{
	static const char *const kinds[] = {RETRANSMIT_KINDS(METRIC_NAMES)};

	if (!writing__has_events(w))
		return;
	for (int kind = 0; kind < RETRANSMIT_KIND_COUNT; kind++)
		writing__put_by(w, "kind", kinds[kind], w->figures->tally.retransmits[kind]);
	writing__put_by(w, "kind", "syn_ack", w->figures->sock.value[SOCKC_SYNACK_RETRANSMIT]);
}

static void put_reset(struct writing *w, const char *direction, const char *reason, uint64_t n)
{
	writing__put_by_two(w, (struct prom_label){"direction", direction},
			    (struct prom_label){"reason", reason}, n);
}

/* What the kernel may tell of is written even while it is 0; a slot that it has no name for is not.
 */
void metrics_write__resets_total(struct writing *w)
{
	static const char *const phases[] = {RESET_PHASES(METRIC_NAMES)};
	const struct figures *f = w->figures;

	if (!writing__has_events(w))
		return;
	for (int i = 0; i < RESET_REASON_SLOTS; i++) {
		const char *reason = i == RESET_REASON_UNKNOWN ? "unknown" : f->reset_reasons[i];

		if (reason)
			put_reset(w, "sent", reason, f->tally.resets_sent[i]);
	}
	for (int i = 0; i < RESET_PHASE_COUNT; i++)
		put_reset(w, "received", phases[i], f->tally.resets_received[i]);
}
