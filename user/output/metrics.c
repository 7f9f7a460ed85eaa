/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writing each metric, and the page that describes them.
 */
#include "metrics.h"

#include "address.h"
#include "prom.h"
#include "user/model/tcp_state.h"

struct writing {
	struct prom_family family;
	const struct figures *figures;
	const char *version;
};

#define NAMES(id, name, ...) name,

/* ---- samples that several metrics share ------------------------------------------------------ */

static void put(struct writing *w, uint64_t value)
{
	prom__u64(&w->family, PROM_NO_LABELS, value);
}

static void put_by(struct writing *w, const char *label, const char *name, uint64_t value)
{
	prom__u64(&w->family, PROM_LABELS({label, name}), value);
}

static void put_by_two(struct writing *w, struct prom_label one, struct prom_label other,
		       uint64_t value)
{
	prom__u64(&w->family, PROM_LABELS(one, other), value);
}

static void put_known(struct writing *w, const struct figure *figure)
{
	if (figure->is_known)
		put(w, figure->value);
}

static void put_known_by(struct writing *w, const char *label, const char *name,
			 const struct figure *figure)
{
	if (figure->is_known)
		put_by(w, label, name, figure->value);
}

/* Is what happens to sockets between two looks counted? */
static bool has_events(const struct writing *w)
{
	return w->figures->has_sock && !w->figures->is_moment;
}

static void put_histogram(struct writing *w, const struct prom_label *labels,
			  enum tally_histogram which)
{
	if (has_events(w))
		prom__histogram(&w->family, labels, &tally_shapes[which],
				&w->figures->tally.histogram[which]);
}

/* ---- sockets --------------------------------------------------------------------------------- */

static const char *const state_labels[TCPS_COUNT] = {
#define LABEL(id, number, name, filter_name) [number] = filter_name,
	TCP_STATES(LABEL)
#undef LABEL
};

/* A socket that is closed is no session. */
static void write_sessions(struct writing *w)
{
	for (size_t i = 0; w->figures->has_sock && i < w->figures->n_netns; i++) {
		const struct netns_figures *ns = &w->figures->netns[i];

		for (int state = 1; state < TCPS_COUNT; state++) {
			struct figure n = figure__of(ns->sockets[state]);

			if (state == TCPS_TIME_WAIT)
				n = ns->time_wait;
			if (n.is_known && state != TCPS_CLOSED)
				put_by_two(w, (struct prom_label){"netns", ns->name},
					   (struct prom_label){"state", state_labels[state]},
					   n.value);
		}
	}
}

static void write_sessions_opened_total(struct writing *w)
{
	if (!has_events(w))
		return;
	put_by(w, "side", "client", w->figures->sock.value[SOCKC_ACTIVE_OPEN]);
	put_by(w, "side", "server", w->figures->sock.value[SOCKC_PASSIVE_OPEN]);
}

static void write_sessions_closed_total(struct writing *w)
{
	static const char *const reasons[] = {END_REASONS(NAMES)}, *const sides[] = {
									   END_SIDES(NAMES)};

	for (int reason = 0; has_events(w) && reason < END_REASON_COUNT; reason++)
		for (int side = 0; side < END_SIDE_COUNT; side++)
			put_by_two(w, (struct prom_label){"reason", reasons[reason]},
				   (struct prom_label){"by", sides[side]},
				   w->figures->tally.ended[reason][side]);
}

static void put_handshakes(struct writing *w, const char *side, const char *outcome, uint64_t n)
{
	put_by_two(w, (struct prom_label){"side", side}, (struct prom_label){"outcome", outcome},
		   n);
}

/* A server's unfinished handshakes have no socket of their own: the kernel counts some of them. */
static void write_handshakes_total(struct writing *w)
{
	static const char *const outcomes[] = {HANDSHAKE_OUTCOMES(NAMES)};
	const struct figures *f = w->figures;

	if (!has_events(w))
		return;
	for (int i = 0; i < HANDSHAKE_OUTCOME_COUNT; i++)
		put_handshakes(w, "client", outcomes[i], f->tally.handshakes[SIDE_CLIENT][i]);
	put_handshakes(w, "server", "completed",
		       f->tally.handshakes[SIDE_SERVER][HANDSHAKE_COMPLETED]);
	if (f->embryonic_resets.is_known)
		put_handshakes(w, "server", "reset", f->embryonic_resets.value);
	if (f->listen_overflows.is_known)
		put_handshakes(w, "server", "overflow", f->listen_overflows.value);
}

static void put_handshake_part(struct writing *w, const char *side, const char *part,
			       enum tally_histogram which)
{
	put_histogram(w, PROM_LABELS({"side", side}, {"part", part}), which);
}

static void write_handshake_seconds(struct writing *w)
{
	put_handshake_part(w, "client", "total", TALLY_CLIENT_TOTAL);
	put_handshake_part(w, "client", "network", TALLY_CLIENT_NETWORK);
	put_handshake_part(w, "client", "host", TALLY_CLIENT_HOST);
	put_handshake_part(w, "server", "network", TALLY_SERVER_NETWORK);
}

static void write_session_duration_seconds(struct writing *w)
{
	put_histogram(w, PROM_NO_LABELS, TALLY_SESSION_DURATION);
}

static void write_srtt_seconds(struct writing *w)
{
	put_histogram(w, PROM_NO_LABELS, TALLY_SRTT);
}

static void write_retransmits_total(struct writing *w)
{
	if (!has_events(w))
		return;
	put_by(w, "kind", "data", w->figures->sock.value[SOCKC_RETRANSMIT]);
	put_by(w, "kind", "syn_ack", w->figures->sock.value[SOCKC_SYNACK_RETRANSMIT]);
}

static void put_reset(struct writing *w, const char *direction, const char *reason, uint64_t n)
{
	put_by_two(w, (struct prom_label){"direction", direction},
		   (struct prom_label){"reason", reason}, n);
}

/* What the kernel may tell of is written even while it is 0; a slot that it has no name for is not.
 */
static void write_resets_total(struct writing *w)
{
	static const char *const phases[] = {RESET_PHASES(NAMES)};
	const struct figures *f = w->figures;

	if (!has_events(w))
		return;
	for (int i = 0; i < RESET_REASON_SLOTS; i++) {
		const char *reason = i == RESET_REASON_UNKNOWN ? "unknown" : f->reset_reasons[i];

		if (reason)
			put_reset(w, "sent", reason, f->tally.resets_sent[i]);
	}
	for (int i = 0; i < RESET_PHASE_COUNT; i++)
		put_reset(w, "received", phases[i], f->tally.resets_received[i]);
}

/* ---- listeners ------------------------------------------------------------------------------- */

static const char *const fate_keys[SYN_FATE_COUNT] = {
#define KEY(id, key, help) [SYN_##id] = key,
	SYN_FATES(KEY)
#undef KEY
};

static void write_syns_received_total(struct writing *w)
{
	uint64_t sum = 0;

	for (int fate = 0; fate < SYN_FATE_COUNT; fate++)
		sum += w->figures->syn_fate[fate];
	if (w->figures->has_fates)
		put(w, sum);
}

static void write_syn_fate_total(struct writing *w)
{
	for (int fate = 0; w->figures->has_fates && fate < SYN_FATE_COUNT; fate++)
		if (fate_keys[fate])
			put_by(w, "fate", fate_keys[fate], w->figures->syn_fate[fate]);
}

static void put_listener(struct writing *w, const struct listener_figures *row, uint64_t value)
{
	char address[ADDRESS_TEXT_MAX + 1] = "other", port[FMT_U64_MAX + 1] = "";

	if (!row->is_other) {
		*address__put(address, &row->addr, row->is_v6) = '\0';
		port[fmt__u64(port, row->port)] = '\0';
	}
	prom__u64(&w->family,
		  PROM_LABELS({"netns", row->is_other ? "" : row->netns}, {"address", address},
			      {"port", port}),
		  value);
}

#define PUT_LISTENERS(member)                                \
	for (size_t i = 0; i < w->figures->n_listeners; i++) \
	put_listener(w, &w->figures->listeners[i], w->figures->listeners[i].member)

static void write_listener_syn_queue(struct writing *w)
{
	PUT_LISTENERS(syn_queue);
}

static void write_listener_syn_queue_limit(struct writing *w)
{
	for (size_t i = 0; i < w->figures->n_listeners; i++) {
		const struct listener_figures *row = &w->figures->listeners[i];

		if (row->syn_queue_limit.is_known)
			put_listener(w, row, row->syn_queue_limit.value);
	}
}

static void write_listener_accept_queue(struct writing *w)
{
	PUT_LISTENERS(accept_queue);
}

static void write_listener_accept_queue_limit(struct writing *w)
{
	PUT_LISTENERS(accept_queue_limit);
}

static void write_listener_overflows_total(struct writing *w)
{
	PUT_LISTENERS(overflows);
}

/* ---- the kernel's own figures ---------------------------------------------------------------- */

static void write_time_wait(struct writing *w)
{
	for (size_t i = 0; i < w->figures->n_netns; i++)
		put_known_by(w, "netns", w->figures->netns[i].name,
			     &w->figures->netns[i].time_wait);
}

static void write_time_wait_limit(struct writing *w)
{
	for (size_t i = 0; i < w->figures->n_netns; i++)
		put_known_by(w, "netns", w->figures->netns[i].name,
			     &w->figures->netns[i].time_wait_limit);
}

/* A look that ends at once has seen nothing begin. */
static void write_time_wait_begun_total(struct writing *w)
{
	if (has_events(w))
		put_known(w, &w->figures->time_wait_begun);
}

static void write_time_wait_ended_total(struct writing *w)
{
	if (!has_events(w))
		return;
	put_known_by(w, "how", "gone", &w->figures->time_wait_ended);
	put_known_by(w, "how", "reused", &w->figures->time_wait_recycled);
	put_known_by(w, "how", "never_created", &w->figures->time_wait_overflow);
}

static void put_ports(struct writing *w, const struct port_figures *ports, uint64_t value)
{
	char remote[ENDPOINT_TEXT_MAX + 1];

	*endpoint__put(remote, &ports->remote, false) = '\0';
	put_by_two(w, (struct prom_label){"netns", ports->netns},
		   (struct prom_label){"remote", remote}, value);
}

static void write_ports_used(struct writing *w)
{
	for (size_t i = 0; i < w->figures->n_ports; i++)
		put_ports(w, &w->figures->ports[i], w->figures->ports[i].used);
}

static void write_ports_available(struct writing *w)
{
	for (size_t i = 0; i < w->figures->n_ports; i++)
		put_ports(w, &w->figures->ports[i], w->figures->ports[i].usable);
}

static void write_close_wait_old(struct writing *w)
{
	for (size_t i = 0; i < w->figures->n_netns; i++)
		put_known_by(w, "netns", w->figures->netns[i].name,
			     &w->figures->netns[i].close_wait_old);
}

static void write_out_of_order_total(struct writing *w)
{
	if (!w->figures->is_moment)
		put_known(w, &w->figures->out_of_order);
}

static void write_zero_windows_total(struct writing *w)
{
	if (!w->figures->is_moment)
		put_known(w, &w->figures->zero_windows);
}

/* ---- taps ------------------------------------------------------------------------------------ */

static void write_tap_bytes_total(struct writing *w)
{
	for (size_t i = 0; i < w->figures->n_taps; i++)
		put_by_two(w, (struct prom_label){"netns", w->figures->taps[i].netns},
			   (struct prom_label){"tap", w->figures->taps[i].name},
			   w->figures->taps[i].bytes);
}

static void write_tap_segments_total(struct writing *w)
{
	for (size_t i = 0; i < w->figures->n_taps; i++)
		put_by_two(w, (struct prom_label){"netns", w->figures->taps[i].netns},
			   (struct prom_label){"tap", w->figures->taps[i].name},
			   w->figures->taps[i].segments);
}

static void write_tap_info(struct writing *w)
{
	for (size_t i = 0; i < w->figures->n_taps; i++) {
		const struct tap_figures *tap = &w->figures->taps[i];

		prom__u64(&w->family,
			  PROM_LABELS({"netns", tap->netns}, {"tap", tap->name},
				      {"ingress", tap->ingress}, {"egress", tap->egress}),
			  1);
	}
}

static void write_parse_failures_total(struct writing *w)
{
	static const struct {
		const char *reason;
		enum wire_counter counter;
	} rows[] = {{"truncated", WIRE_TRUNCATED},
		    {"bad_header", WIRE_BAD_HEADER},
		    {"ip_fragment", WIRE_IP_FRAGMENT},
		    {"too_deep", WIRE_TOO_DEEP},
		    {"bad_flags", WIRE_BAD_FLAGS}};

	for (size_t i = 0; w->figures->has_wire && i < sizeof(rows) / sizeof(rows[0]); i++)
		put_by(w, "reason", rows[i].reason, w->figures->wire.value[rows[i].counter]);
}

/* Each fragment that began is still there, was evicted, or gave its place to the next on its tuple.
 */
static void write_cache_entries(struct writing *w)
{
	const __u64 *wire = w->figures->wire.value;

	if (w->figures->has_wire)
		put(w, wire[WIRE_INSERTED] - wire[WIRE_EVICTED] - wire[WIRE_REPLACED]);
}

static void write_cache_capacity(struct writing *w)
{
	if (w->figures->has_wire)
		put(w, w->figures->cache_capacity);
}

static void write_cache_evictions_total(struct writing *w)
{
	if (w->figures->has_wire)
		put(w, w->figures->wire.value[WIRE_EVICTED]);
}

/* ---- tcpwatch itself ------------------------------------------------------------------------- */

static void write_records_lost_total(struct writing *w)
{
	static const char *const kinds[] = {RECORD_KINDS(NAMES)};

	for (int kind = 1; kind < REC_COUNT; kind++)
		put_by(w, "kind", kinds[kind - 1], w->figures->lost.value[kind]);
}

static void write_recounts_total(struct writing *w)
{
	if (has_events(w))
		put(w, w->figures->recounts);
}

static void write_build_info(struct writing *w)
{
	put_by(w, "version", w->version, 1);
}

static void write_start_time_seconds(struct writing *w)
{
	prom__seconds(&w->family, PROM_NO_LABELS, w->figures->start_real_ns);
}

static void write_cpu_seconds_total(struct writing *w)
{
	prom__seconds(&w->family, PROM_NO_LABELS, w->figures->cpu_ns);
}

static void write_resident_bytes(struct writing *w)
{
	put(w, w->figures->resident_bytes);
}

static void write_write_errors_total(struct writing *w)
{
	put(w, w->figures->write_errors);
}

/* ---- the table ------------------------------------------------------------------------------- */

static const struct metric {
	const char *name, *type, *labels, *most, *source, *help;
	void (*write)(struct writing *w);
} metrics[] = {
#define ROW(id, type, labels, most, source, help) \
	{"tcpwatch_" #id, type, labels, most, source, help, write_##id},
	METRICS(ROW)
#undef ROW
};

#define N_METRICS (sizeof(metrics) / sizeof(metrics[0]))

void metrics__write(struct strbuf *sb, const struct figures *figures, const char *version)
{
	for (size_t i = 0; i < N_METRICS; i++) {
		struct writing w = {
			.family = {sb, metrics[i].name, metrics[i].type, metrics[i].help, false},
			.figures = figures,
			.version = version,
		};

		metrics[i].write(&w);
	}
}

static const char page_head[] =
	"# Metrics\n\n"
	"What `tcpwatch export` writes. Generated by `make docs` from the table in\n"
	"`user/output/metrics.h`; do not edit.\n\n"
	"- A metric of which nothing is known is left out: those of interfaces without the wire "
	"view,\n  those of sockets without the socket view, and with `--once` whatever is counted "
	"over time.\n"
	"- Counters begin at 0 when tcpwatch starts, but for `listener_overflows_total`, which "
	"begins\n  with the listener.\n"
	"- No label holds an address tuple, a process or a client. `netns` is a name of "
	"/run/netns, `self`,\n  or an inode number; `state` is a state as the filters of `ss` "
	"call it.\n"
	"- Sockets by state are counted on each transition and held against the kernel's own "
	"totals\n  (`CurrEstab`, sockets in use) at each write.\n\n"
	"| name | type | labels | most series | source | help |\n"
	"|---|---|---|---|---|---|\n";

void metrics__describe(struct strbuf *sb)
{
	strbuf__adds(sb, page_head);
	for (size_t i = 0; i < N_METRICS; i++) {
		const struct metric *m = &metrics[i];

		strbuf__addf(sb, "| `%s` | %s | %s | %s | %s | %s |\n", m->name, m->type,
			     *m->labels ? m->labels : "–", m->most, m->source, m->help);
	}
}
