/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Putting the header of the handshakes together.
 */
#include "handshake_summary.h"

#include <inttypes.h>

#include "flow.h"
#include "user/util/fmt.h"

#define LABEL_WIDTH  17
#define COLUMN_WIDTH 16
#define COLUMNS_MAX  (3 * SIDE_COUNT)

static void add_duration(struct strbuf *sb, uint64_t ns)
{
	char *out = strbuf__reserve(sb, FMT_DURATION_MAX);

	if (!out)
		return;
	sb->len += fmt__duration(out, ns);
	sb->data[sb->len] = '\0';
}

static void add_latency(struct flow *flow, const char *label, const struct histogram *h)
{
	static const struct {
		const char *label;
		unsigned permille;
	} quantiles[] = {{" p50 ", 500}, {" p99 ", 990}, {" max ", 1000}};

	if (!h->count)
		return;
	strbuf__adds(&flow->part, label);
	for (size_t i = 0; i < sizeof(quantiles) / sizeof(quantiles[0]); i++) {
		strbuf__adds(&flow->part, quantiles[i].label);
		add_duration(&flow->part, histogram__quantile(h, quantiles[i].permille));
	}
	flow__end_part(flow);
}

static void add_failures(struct flow *flow, const struct handshake_counts *counts)
{
	flow__add_count(flow, "failed", handshake_counts__failed(counts));
	for (unsigned at = BREAK_NONE + 1; at < BREAK_COUNT; at++)
		if (counts->failed[at])
			flow__add_count(flow, handshake_break__name(at), counts->failed[at]);
}

static void add_pending(struct flow *flow, const struct handshake_counts *counts)
{
	uint64_t pending = handshake_counts__pending(counts);

	if (!pending)
		return;
	flow__add_count(flow, "pending", pending);
	for (unsigned at = BREAK_NONE + 1; at < BREAK_COUNT; at++) {
		if (!counts->pending[at])
			continue;
		strbuf__addf(&flow->part, "%" PRIu64 " held up: %s", counts->pending[at],
			     handshake_break__name(at));
		flow__end_part(flow);
	}
}

static void add_side(struct flow *flow, const struct handshake_counts *counts,
		     enum handshake_side side)
{
	strbuf__addf(&flow->part, "%s: completed %" PRIu64, handshake_side__name(side),
		     counts->completed);
	flow__end_part(flow);
	add_latency(flow, "latency", &counts->total);
	add_latency(flow, "network", &counts->network);
	add_latency(flow, "host", &counts->host);
	add_failures(flow, counts);
	add_pending(flow, counts);
	flow__end_line(flow);
}

static bool has_any(const struct handshake_counts *counts)
{
	return counts->completed || handshake_counts__failed(counts) ||
	       handshake_counts__pending(counts);
}

#define ALWAYS_SHOWN (NETNS_SET(ACTIVE_OPENS) | NETNS_SET(PASSIVE_OPENS) | NETNS_SET(ATTEMPT_FAILS))

static void add_kernel(struct flow *flow, const struct netns_values *kernel)
{
	static const struct {
		enum netns_stat id;
		const char *label;
	} figures[] = {
#define X(id_, key, label_, help) {NETNS_##id_, label_},
		HANDSHAKE_FIGURES(X)
#undef X
	};

	flow__add_text(flow, "the kernel:");
	for (size_t i = 0; i < sizeof(figures) / sizeof(figures[0]); i++) {
		netns_stat_set set = (netns_stat_set)1 << figures[i].id;

		if (kernel->known & set && (ALWAYS_SHOWN & set || kernel->value[figures[i].id]))
			flow__add_count(flow, figures[i].label, kernel->value[figures[i].id]);
	}
	flow__end_line(flow);
}

/* What makes the sums too low. */
static void add_losses(struct flow *flow, const struct handshake_summary *s)
{
	uint64_t lost = handshake_stats__lost(s->stats);

	if (!lost && !s->not_followed)
		return;
	flow__add_text(flow, "the sums are too low:");
	if (lost)
		flow__add_count(flow, "records lost", lost);
	if (s->not_followed)
		flow__add_count(flow, "sessions not followed to their end", s->not_followed);
	flow__end_line(flow);
}

void handshake_summary__write(struct strbuf *sb, const struct handshake_summary *s, unsigned width)
{
	struct flow flow;

	flow__init(&flow, sb, width);
	for (unsigned side = 0; side < SIDE_COUNT; side++) {
		const struct handshake_counts *counts = handshake_stats__total(s->stats, side);

		if (side != SIDE_FORWARD || has_any(counts))
			add_side(&flow, counts, side);
	}
	add_kernel(&flow, s->kernel);
	add_losses(&flow, s);
	flow__fini(&flow);
}

/* ---- histograms ------------------------------------------------------------------------------
 */

struct column {
	const char *side, *part;
	const struct histogram *h;
};

static size_t choose_columns(const struct handshake_stats *stats, struct column *columns)
{
	size_t n = 0;

	for (unsigned side = 0; side < SIDE_COUNT; side++) {
		const struct handshake_counts *counts = handshake_stats__total(stats, side);
		const struct column parts[] = {
			{handshake_side__name(side), "", &counts->total},
			{handshake_side__name(side), " network", &counts->network},
			{handshake_side__name(side), " host", &counts->host},
		};

		for (size_t i = 0; i < sizeof(parts) / sizeof(parts[0]); i++)
			if (parts[i].h->count)
				columns[n++] = parts[i];
	}
	return n;
}

static void add_cell(struct strbuf *sb, const char *text, size_t len)
{
	strbuf__pad(sb, ' ', len < COLUMN_WIDTH ? COLUMN_WIDTH - len : 1);
	strbuf__add(sb, text, len);
}

static void add_heading(struct strbuf *sb, const struct column *columns, size_t n)
{
	strbuf__adds(sb, "latency");
	strbuf__pad(sb, ' ', LABEL_WIDTH - sizeof("latency") + 1);
	for (size_t i = 0; i < n; i++) {
		struct strbuf cell = STRBUF_INIT;

		strbuf__addf(&cell, "%s%s", columns[i].side, columns[i].part);
		if (!cell.failed)
			add_cell(sb, cell.data, cell.len);
		strbuf__free(&cell);
	}
	strbuf__addc(sb, '\n');
}

static uint64_t between(const struct histogram *h, uint64_t from_ns, uint64_t to_ns)
{
	uint64_t below = to_ns == UINT64_MAX ? h->count : histogram__below(h, to_ns);

	return below - histogram__below(h, from_ns);
}

static void add_counts(struct strbuf *sb, const struct column *columns, size_t n, uint64_t from_ns,
		       uint64_t to_ns)
{
	size_t start = sb->len;
	char number[FMT_U64_MAX];

	strbuf__adds(sb, to_ns == UINT64_MAX ? "from " : "below ");
	add_duration(sb, to_ns == UINT64_MAX ? from_ns : to_ns);
	strbuf__pad(sb, ' ', LABEL_WIDTH - (sb->len - start));
	for (size_t i = 0; i < n; i++)
		add_cell(sb, number, fmt__u64(number, between(columns[i].h, from_ns, to_ns)));
	strbuf__addc(sb, '\n');
}

static bool has_counts(const struct column *columns, size_t n, uint64_t from_ns, uint64_t to_ns)
{
	for (size_t i = 0; i < n; i++)
		if (between(columns[i].h, from_ns, to_ns))
			return true;
	return false;
}

void handshake_summary__histograms(struct strbuf *sb, const struct handshake_stats *stats)
{
	struct column columns[COLUMNS_MAX];
	size_t n = choose_columns(stats, columns);
	uint64_t from_ns = 0, to_ns;

	if (!n)
		return;
	add_heading(sb, columns, n);
	for (unsigned shift = HISTOGRAM_FIRST_SHIFT; shift <= HISTOGRAM_LAST_SHIFT + 1; shift++) {
		to_ns = shift > HISTOGRAM_LAST_SHIFT ? UINT64_MAX : 1ULL << shift;
		if (has_counts(columns, n, from_ns, to_ns))
			add_counts(sb, columns, n, from_ns, to_ns);
		from_ns = to_ns;
	}
}
