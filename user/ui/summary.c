/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Putting the header together, part by part.
 */
#include "summary.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "flow.h"
#include "timewait_summary.h"
#include "user/model/session_values.h"
#include "user/model/tcp_state.h"
#include "user/output/output.h"
#include "user/util/utf8.h"

#define NOTED " (!)" /* a tap that is not as asked */

/* ---- lines ------------------------------------------------------------------------------------
 */

static void add_states(struct flow *flow, const struct summary *s)
{
	const struct session_table_stats *table = &s->stats->table;

	strbuf__addf(&flow->part, "%" PRIu64 " sessions", table->sessions);
	if (s->n_shown != table->sessions)
		strbuf__addf(&flow->part, " (%zu shown)", s->n_shown);
	flow__end_part(flow);
	for (unsigned state = TCPS_UNKNOWN; state < TCPS_COUNT; state++)
		if (table->by_state[state])
			flow__add_count(flow, tcp_state__name(state), table->by_state[state]);
	flow__end_line(flow);
}

static void add_rate(struct flow *flow, const struct rates *rates, enum rate rate)
{
	double per_second = rates->per_second[rate];

	strbuf__addf(&flow->part, "%s ", rate__label(rate));
	if (per_second < 0)
		strbuf__adds(&flow->part, "-/s");
	else
		strbuf__addf(&flow->part, per_second < 10 ? "%.1f/s" : "%.0f/s", per_second);
	if (rates->total[rate] != UNKNOWN_U64)
		strbuf__addf(&flow->part, " (%" PRIu64 ")", rates->total[rate]);
	flow__end_part(flow);
}

static void add_rates(struct flow *flow, const struct summary *s)
{
	for (enum rate rate = 0; rate < RATE_COUNT; rate++)
		add_rate(flow, s->rates, rate);
	flow__end_line(flow);
}

/* SYNs that came to nothing, and the listener whose queue refuses most. */
static void add_refusals(struct flow *flow, const struct live_stats *stats)
{
	const uint64_t *fate = stats->fates.fate;
	uint64_t dropped = fate[SYN_ACCEPT_FULL] + fate[SYN_SYN_FULL] + fate[SYN_BACKLOG_FULL];
	const struct listener *listener = stats->full_listener;
	struct queue_level level;
	struct value where;

	if (dropped)
		flow__add_count(flow, "SYNs dropped", dropped);
	if (stats->fates.other)
		flow__add_count(flow, "SYNs dropped, no queue full", stats->fates.other);
	if (fate[SYN_COOKIE])
		flow__add_count(flow, "SYN cookies", fate[SYN_COOKIE]);
	if (!listener || !listener__level(listener, stats->full_queue, &level))
		return;
	session_value__local(&listener->session, &stats->now, &where);
	strbuf__addf(&flow->part, "%s queue of ", listener_queue__name(stats->full_queue));
	text__value(&flow->part, &where);
	strbuf__addf(&flow->part, " refuses (%" PRIu64 "/%" PRIu64 ")", level.used,
		     level.limit - 1);
	flow__end_part(flow);
}

static void add_close_wait(struct flow *flow, const struct close_wait_leak *leak)
{
	if (!leak->count)
		return;
	strbuf__addf(&flow->part, "CLOSE-WAIT over 1m %" PRIu64, leak->count);
	if (!isnan(leak->per_minute))
		strbuf__addf(&flow->part, " (%+.1f/min)", leak->per_minute);
	if (leak->n_of_owner) {
		strbuf__addf(&flow->part, ", %" PRIu64 " of ", leak->n_of_owner);
		utf8__add_escaped(&flow->part, leak->owner.comm,
				  strnlen(leak->owner.comm, sizeof(leak->owner.comm)));
		strbuf__addf(&flow->part, " (%u)", leak->owner.pid);
	}
	flow__end_part(flow);
}

static void add_time_wait(struct flow *flow, const struct live_stats *stats)
{
	flow__add_count(flow, "kernel's TIME-WAIT", stats->time_wait); /* not of rows */
	if (stats->time_wait_fin2)
		flow__add_count(flow, "orphaned FIN-WAIT-2", stats->time_wait_fin2);
	if (!stats->time_wait_full)
		return;
	strbuf__adds(&flow->part, "TIME-WAIT NEARLY FULL: ");
	utf8__add_escaped(&flow->part, stats->time_wait_full, strlen(stats->time_wait_full));
	strbuf__addf(&flow->part, " %" PRIu64 " of %" PRIu64, stats->time_wait_count,
		     stats->time_wait_limit);
	flow__end_part(flow);
}

static void add_failing(struct flow *flow, const char *side, const struct handshake_ends *ends)
{
	if (!ends->all)
		return;
	strbuf__addf(&flow->part, "HANDSHAKES FAIL: as %s %" PRIu64 " of %" PRIu64, side,
		     ends->failed, ends->all);
	flow__end_part(flow);
}

static void add_queues(struct flow *flow, const struct live_stats *stats)
{
	if (!stats->has_sock)
		return;
	flow__add_count(flow, "SYN backlog", stats->syn_queue);
	flow__add_count(flow, "accept queues full", stats->accept_queue_full);
	add_refusals(flow, stats);
	add_time_wait(flow, stats);
	add_close_wait(flow, &stats->close_wait);
	add_failing(flow, "client", &stats->client_failing);
	add_failing(flow, "server", &stats->server_failing);
	if (stats->ports_low.is_low)
		ports__warn(flow, &stats->ports_low);
}

static void add_bytes(struct strbuf *sb, uint64_t bytes)
{
	struct value value;

	value__set_u64(&value, VALUE_BYTES, bytes);
	text__value(sb, &value);
}

static void add_cache(struct flow *flow, const struct wire_view_stats *cache)
{
	double percent = cache->slots ? 100.0 * cache->used / cache->slots : 0;

	strbuf__addf(&flow->part, "cache %" PRIu64 "/%" PRIu64 " %.1f%% (", cache->used,
		     cache->slots, percent);
	add_bytes(&flow->part, cache->bytes);
	strbuf__addc(&flow->part, ')');
	flow__end_part(flow);
}

static void add_losses(struct flow *flow, const struct live_stats *stats)
{
	uint64_t lost = 0;

	for (int kind = 0; kind < REC_COUNT; kind++)
		lost += stats->lost.value[kind];
	flow__add_count(flow, "lost", lost);
	if (stats->table.wire_forgotten)
		flow__add_count(flow, "forgotten", stats->table.wire_forgotten);
	if (stats->nats)
		flow__add_count(flow, "translated", stats->nats);
	if (stats->nats_relisted)
		flow__add_count(flow, "listed anew", stats->nats_relisted);
	if (stats->nats_not_kept)
		flow__add_count(flow, "not kept", stats->nats_not_kept);
	if (stats->nats_not_asked)
		flow__add_count(flow, "namespaces without translations", stats->nats_not_asked);
	if (!stats->has_wire)
		return;
	add_cache(flow, &stats->cache);
	if (stats->wire.value[WIRE_EVICTED])
		flow__add_count(flow, "evicted", stats->wire.value[WIRE_EVICTED]);
	if (stats->wire.value[WIRE_UNTRACKED])
		flow__add_count(flow, "untracked", stats->wire.value[WIRE_UNTRACKED]);
}

static void add_gone(struct flow *flow, const struct tap *tap)
{
	utf8__add_escaped(&flow->part, tap->iface.name, strlen(tap->iface.name));
	strbuf__addf(&flow->part, " gone: %s", tap->note);
	flow__end_part(flow);
}

static void add_tap(struct flow *flow, const struct tap *tap)
{
	utf8__add_escaped(&flow->part, tap->iface.name, strlen(tap->iface.name));
	strbuf__addf(&flow->part, " %s", attach_kind__name(tap->ingress));
	if (tap->egress != ATTACH_NONE)
		strbuf__addf(&flow->part, "/%s", attach_kind__name(tap->egress));
	if (!(tap->iface.flags & IFF_UP))
		strbuf__adds(&flow->part, " down");
	if (tap->note[0])
		strbuf__adds(&flow->part, NOTED);
	flow__end_part(flow);
}

/*
 * Why the newest tap that is not as asked is so. One stands for all: with many of them the reasons
 * would push the sessions off the screen, and each was told when it was attached.
 */
static void add_note(struct flow *flow, const struct tap_set *taps, size_t count)
{
	for (size_t i = count; i-- > 0;) {
		const struct tap *tap = tap_set__get(taps, i);

		if (tap->is_gone || !tap->note[0])
			continue;
		flow__end_line(flow);
		utf8__add_escaped(&flow->part, tap->iface.name, strlen(tap->iface.name));
		strbuf__adds(&flow->part, NOTED ": ");
		utf8__add_escaped(&flow->part, tap->note, strlen(tap->note));
		return flow__end_part(flow);
	}
}

/* With hundreds of taps, or many that went, the header must leave room for the sessions. */
#define MAX_TAPS_SHOWN 12
#define MAX_GONE_SHOWN 3

/* What the line of taps has said so far. */
struct tap_line {
	size_t taps, gone; /* shown */
	size_t hidden;	   /* taps that it has no room for */
};

static void add_live_to_line(struct flow *flow, struct tap_line *line, const struct tap *tap)
{
	if (line->taps == MAX_TAPS_SHOWN) {
		line->hidden++;
		return;
	}
	add_tap(flow, tap);
	line->taps++;
}

/* Those that find no room are counted. */
static void add_gone_to_line(struct flow *flow, struct tap_line *line, const struct tap *tap)
{
	if (tap->is_past || line->gone >= (tap->is_named ? MAX_TAPS_SHOWN : MAX_GONE_SHOWN))
		return;
	add_gone(flow, tap);
	line->gone++;
}

void summary__add_taps(struct flow *flow, const struct tap_set *taps)
{
	size_t count = taps ? tap_set__count(taps) : 0;
	uint64_t n_gone = taps ? tap_set__n_gone(taps) : 0;
	struct tap_line line = {0};

	for (size_t i = count; i-- > 0;) { /* the newest first */
		const struct tap *tap = tap_set__get(taps, i);

		if (tap->is_gone)
			add_gone_to_line(flow, &line, tap);
		else
			add_live_to_line(flow, &line, tap);
	}
	if (line.hidden) {
		strbuf__addf(&flow->part, "and %zu more", line.hidden);
		flow__end_part(flow);
	}
	if (!line.taps)
		flow__add_text(flow, "no interface is watched");
	if (n_gone > line.gone) {
		strbuf__addf(&flow->part, "%" PRIu64 " gone so far", n_gone);
		flow__end_part(flow);
	}
	add_note(flow, taps, count);
}

void summary__write(struct strbuf *sb, const struct summary *summary, unsigned width)
{
	struct flow flow;

	flow__init(&flow, sb, width);

	add_states(&flow, summary);
	add_rates(&flow, summary);
	add_queues(&flow, summary->stats);
	add_losses(&flow, summary->stats);
	flow__end_line(&flow);
	summary__add_taps(&flow, summary->taps);
	flow__fini(&flow);
}
