/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Putting the header together, line by line.
 */
#include "timewait_summary.h"

#include <inttypes.h>
#include <math.h>
#include <string.h>

#include "flow.h"
#include "user/output/output.h"
#include "user/util/utf8.h"

#define INFERRED " (inferred)"

static void add_known(struct flow *flow, const char *label, uint64_t n)
{
	if (n != UNKNOWN_U64)
		flow__add_count(flow, label, n);
}

static void add_value(struct flow *flow, enum value_kind kind, uint64_t u)
{
	struct value value;

	value__set_u64(&value, kind, u);
	text__value(&flow->part, &value);
}

static void add_per_second(struct flow *flow, double per_second)
{
	struct value value;

	value__set_rate(&value, per_second);
	text__value(&flow->part, &value);
}

static void add_rate(struct flow *flow, const char *label, double per_second)
{
	strbuf__addf(&flow->part, "%s ", label);
	add_per_second(flow, per_second);
	flow__end_part(flow);
}

static void add_endpoint(struct flow *flow, const struct endpoint *endpoint)
{
	struct value value;

	value__set_endpoint(&value, endpoint, false);
	text__value(&flow->part, &value);
}

static void add_address(struct flow *flow, const struct ip_addr *addr)
{
	struct value value;

	value__set_addr(&value, addr, false);
	text__value(&flow->part, &value);
}

/* ---- lines ------------------------------------------------------------------------------------
 */

static void add_name(struct flow *flow, const char *name)
{
	strbuf__adds(&flow->part, "netns ");
	utf8__add_escaped(&flow->part, name, strlen(name));
	strbuf__addc(&flow->part, ':');
	flow__end_part(flow);
}

static void add_limit(struct flow *flow, const struct timewait_totals *t)
{
	uint64_t limit = t->kernel.max_socks;

	if (limit == UNKNOWN_U64)
		return;
	strbuf__addf(&flow->part, "limit %" PRIu64, limit);
	if (limit)
		strbuf__addf(&flow->part, " (%.1f%% used)",
			     100.0 * (t->time_wait + t->fin_wait2) / limit);
	flow__end_part(flow);
}

static void add_totals(struct flow *flow, const struct timewait_totals *t)
{
	flow__add_count(flow, "TIME-WAIT", t->time_wait);
	flow__add_count(flow, "orphaned FIN-WAIT-2", t->fin_wait2);
	add_known(flow, "kernel counts", t->kernel.socks);
	add_limit(flow, t);
	add_rate(flow, "in", t->in_per_second);
	add_rate(flow, "out", t->out_per_second);
	if (t->rates_inferred)
		flow__add_text(flow, "(inferred from ages)");
	flow__end_line(flow);
}

static void add_ages(struct flow *flow, const struct timewait_totals *t)
{
	unsigned step = TIMEWAIT_AGE_BUCKET_NS / TW_NSEC_PER_SEC;

	flow__add_text(flow, "age:");
	for (unsigned i = 0; i < TIMEWAIT_AGE_BUCKETS; i++) {
		strbuf__addf(&flow->part, "%u-%us %" PRIu64, i * step, (i + 1) * step, t->ages[i]);
		flow__end_part(flow);
	}
	flow__end_line(flow);
}

static void add_ways_ever(struct flow *flow, const struct timewait_totals *t)
{
	flow__add_text(flow, "since the namespace began:");
	add_known(flow, "begun", t->begun);
	add_known(flow, "ended", t->ended);
	if (t->begun == UNKNOWN_U64)
		add_known(flow, "expired", t->kernel.waited);
	add_known(flow, "taken over by connect", t->kernel.recycled);
	add_known(flow, "never created", t->kernel.overflow);
	flow__end_line(flow);
}

static void add_inferred(struct flow *flow, const char *label, uint64_t n)
{
	strbuf__addf(&flow->part, "%s %" PRIu64 INFERRED, label, n);
	flow__end_part(flow);
}

static void add_ways_watched(struct flow *flow, const struct timewait_totals *t)
{
	if (t->expired == UNKNOWN_U64)
		return;
	flow__add_text(flow, "since tcpwatch began:");
	add_known(flow, "begun", t->watched_begun);
	add_known(flow, "ended", t->watched_ended);
	flow__add_text(flow, "of those:");
	add_inferred(flow, "expired", t->expired);
	add_known(flow, "taken over by connect", t->recycled);
	add_inferred(flow, "replaced by a SYN", t->reused_by_syn);
	add_inferred(flow, "killed by a RST", t->killed_by_reset);
	if (t->ended_unseen)
		add_known(flow, "unseen between two looks", t->ended_unseen);
	add_known(flow, "never created", t->never_created);
	if (t->records_lost)
		flow__add_count(flow, "records lost", t->records_lost);
	flow__end_line(flow);
}

static void add_reuse(struct flow *flow, uint64_t reuse)
{
	static const char *const meanings[] = {"connect() waits for TIME-WAIT to end",
					       "connect() takes over TIME-WAIT",
					       "connect() takes over TIME-WAIT on loopback only"};

	if (reuse == UNKNOWN_U64)
		return;
	strbuf__addf(&flow->part, "tcp_tw_reuse %" PRIu64, reuse);
	if (reuse < sizeof(meanings) / sizeof(meanings[0]))
		strbuf__addf(&flow->part, " (%s)", meanings[reuse]);
	flow__end_part(flow);
}

static void add_settings(struct flow *flow, const struct timewait_totals *t)
{
	const struct port_range *range = &t->range;

	if (range->low) {
		strbuf__addf(&flow->part, "ports %u-%u", range->low, range->high);
		flow__end_part(flow);
		strbuf__addf(&flow->part, "usable %" PRIu32, range->usable);
		if (port_range__has_untried(range))
			strbuf__adds(&flow->part, " (of three connect() never tries the last)");
		flow__end_part(flow);
		flow__add_count(flow, "reserved", range->reserved);
		flow__add_count(flow, "listened on", range->listening);
	}
	add_reuse(flow, t->kernel.reuse);
	if (t->kernel.fin_timeout_s != UNKNOWN_U64) {
		strbuf__addf(&flow->part, "tcp_fin_timeout %" PRIu64 "s", t->kernel.fin_timeout_s);
		flow__end_part(flow);
	}
	flow__end_line(flow);
}

/* ---- in plain words ----------------------------------------------------------------------------
 */

void ports__warn(struct flow *flow, const struct timewait_row *row)
{
	uint64_t left_ns = port_use__left_ns(row);
	struct strbuf *part = &flow->part;

	strbuf__adds(part, row->is_low ? "PORTS LOW: from " : "ports: from ");
	add_address(flow, &row->local.addr);
	strbuf__adds(part, " to ");
	add_endpoint(flow, &row->remote);
	strbuf__addf(part, " %" PRIu64 " of %" PRIu64 " free", port_use__free(row), row->usable);
	if (!isnan(row->taken_per_second) && left_ns && left_ns != UNKNOWN_U64) {
		strbuf__adds(part, ", none left in ");
		add_value(flow, VALUE_DURATION, left_ns);
		strbuf__adds(part, " at ");
		add_per_second(flow, row->taken_per_second);
		strbuf__adds(part, row->is_inferred ? INFERRED : "");
	}
	flow__end_part(flow);
}

static const struct timewait_row *largest_remote(const struct timewait_rows *rows)
{
	const struct timewait_row *largest = NULL;

	for (struct timewait_row *row = NULL; (row = timewait_rows__next(rows, row));)
		if (row->key.by == TIMEWAIT_BY_REMOTE &&
		    (!largest || row->time_wait > largest->time_wait))
			largest = row;
	return largest;
}

static void add_advice(struct flow *flow, const struct timewait_row *row)
{
	struct timewait_advice advice = {CLOSE_NOBODY, NULL};
	struct strbuf *part = &flow->part;

	if (row)
		advice = timewait__advise(row);
	if (advice.by == CLOSE_NOBODY)
		return;
	strbuf__addf(part, "%" PRIu64 " are of sessions with ", row->time_wait + row->fin_wait2);
	if (row->remote.port)
		add_endpoint(flow, &row->remote);
	else
		add_address(flow, &row->remote.addr);
	strbuf__addf(part, ", which this host closed first; %s should have: %s",
		     advice.by == CLOSE_LOCAL	? "it"
		     : row->role == ROLE_ACTIVE ? "the server"
						: "the client",
		     advice.why);
	flow__end_part(flow);
	flow__end_line(flow);
}

void timewait_summary__write(struct strbuf *sb, const struct timewait *account, bool has_name,
			     unsigned width)
{
	const struct timewait_totals *t = timewait__totals(account);
	struct flow flow;

	flow__init(&flow, sb, width);
	if (has_name)
		add_name(&flow, t->netns_name);
	add_totals(&flow, t);
	add_ages(&flow, t);
	add_ways_ever(&flow, t);
	add_ways_watched(&flow, t);
	add_settings(&flow, t);
	if (t->worst)
		ports__warn(&flow, t->worst);
	flow__end_line(&flow);
	add_advice(&flow, largest_remote(timewait__rows(account)));
	flow__fini(&flow);
}
