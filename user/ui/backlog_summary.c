/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Putting the header of the listeners together.
 */
#include "backlog_summary.h"

#include <inttypes.h>

#include "flow.h"
#include "summary.h"

static void add_queues(struct flow *flow, const struct syn_fates *fates, uint64_t n_listeners)
{
	strbuf__addf(&flow->part, "%" PRIu64, fates->n_listeners);
	if (fates->n_listeners != n_listeners)
		strbuf__addf(&flow->part, " of %" PRIu64, n_listeners);
	strbuf__addf(&flow->part, " listener%s", n_listeners == 1 ? "" : "s");
	flow__end_part(flow);
	flow__add_count(flow, "half open", fates->half_open);
	flow__add_count(flow, "accept queues full", fates->n_accept_full);
	flow__add_count(flow, "SYN queues full", fates->n_syn_full);
	flow__end_line(flow);
}

static void add_fates(struct flow *flow, const struct syn_fates *fates)
{
	static const char *const labels[] = {
		[SYN_QUEUED] = "queued",
		[SYN_COOKIE] = "cookie",
		[SYN_ACCEPT_FULL] = "dropped, accept queue full",
		[SYN_SYN_FULL] = "dropped, SYN queue full",
		[SYN_BACKLOG_FULL] = "dropped, tcp_max_syn_backlog",
		[SYN_REPEATED] = "sent again",
		[SYN_IN_SESSION] = "in an open session",
		[SYN_NO_LISTENER] = "no listener",
	};
	uint64_t sum = 0;

	for (int i = 0; i < SYN_FATE_COUNT; i++)
		sum += fates->fate[i];
	flow__add_count(flow, "SYNs", sum);
	for (int i = SYN_FATE_NONE + 1; i < SYN_FATE_COUNT; i++)
		if (i == SYN_QUEUED)
			flow__add_count(flow, labels[i], syn_fates__queued(fates));
		else if (fates->fate[i])
			flow__add_count(flow, labels[i], fates->fate[i]);
	if (fates->other)
		flow__add_count(flow, "dropped, no queue full", fates->other);
	if (fates->n_inferred)
		flow__add_count(flow, "inferred", fates->n_inferred);
	flow__end_line(flow);
}

static void add_account(struct flow *flow, const struct syn_totals *totals, enum netns_stat id,
			const char *name, uint64_t seen)
{
	uint64_t kernel = totals->kernel.value[id];

	if (!(totals->kernel.known & (netns_stat_set)1 << id))
		return;
	strbuf__addf(&flow->part, "%s %" PRIu64, name, kernel);
	if (totals->has_fates)
		strbuf__addf(&flow->part, " (seen %" PRIu64, seen);
	if (totals->has_fates && kernel != seen)
		strbuf__addf(&flow->part, ", difference %+" PRId64, (int64_t)(kernel - seen));
	if (totals->has_fates)
		strbuf__addc(&flow->part, ')');
	flow__end_part(flow);
}

static void add_accounts(struct flow *flow, const struct syn_totals *totals, bool is_filtered)
{
	const struct syn_fates *f = &totals->fates;

	strbuf__adds(&flow->part, "the kernel");
	if (is_filtered)
		strbuf__adds(&flow->part, ", of all listeners");
	if (totals->since_begun)
		strbuf__adds(&flow->part, is_filtered ? ", since" : " since");
	strbuf__adds(&flow->part, totals->since_begun ? " the namespace began:" : ":");
	flow__end_part(flow);
#define ADD(id, name, key, seen, why) add_account(flow, totals, NETNS_##id, name, f->seen);
	SYN_ACCOUNTS(ADD)
#undef ADD
	flow__end_line(flow);
}

void backlog_summary__write(struct strbuf *sb, const struct syn_totals *totals,
			    const struct syn_fates *chosen, const struct tap_set *taps,
			    unsigned width)
{
	const struct syn_fates *fates = chosen ? chosen : &totals->fates;
	struct flow flow;

	flow__init(&flow, sb, width);
	add_queues(&flow, fates, totals->fates.n_listeners);
	if (totals->has_fates)
		add_fates(&flow, fates);
	add_accounts(&flow, totals, chosen);
	if (taps)
		summary__add_taps(&flow, taps);
	flow__fini(&flow);
}
