/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Records that found the ring buffer full: told, counted, and made up for by looking again. Not
 * here: taking records in (live.c).
 */
#include <errno.h>
#include <string.h>

#include <bpf/bpf.h>

#include "live_internal.h"

#define LOST_CHECK_NS (100 * TW_NSEC_PER_MSEC)
/* What happened may take so long to become a record: its CPU may be taken away from this guest. */
#define RECORD_LATE_NS TW_NSEC_PER_SEC

static const char *const record_names[REC_COUNT] = {
#define NAME(id, name) [REC_##id] = name,
	RECORD_KINDS(NAME)
#undef NAME
};

int live__lost(const struct live *live, struct lost_counters *out)
{
	struct lost_counters per_cpu[live->n_cpus];
	uint32_t zero = 0;

	memset(out, 0, sizeof(*out));
	if (bpf_map_lookup_elem(live->lost_fd, &zero, per_cpu))
		return -errno;
	for (int cpu = 0; cpu < live->n_cpus; cpu++)
		for (int kind = 0; kind < REC_COUNT; kind++)
			out->value[kind] += per_cpu[cpu].value[kind];
	return 0;
}

static bool has_more(const struct lost_counters *now, const struct lost_counters *before,
		     enum record_kind kind)
{
	return now->value[kind] != before->value[kind];
}

/* What was lost since the last look, kind by kind. */
static void tell(struct live *live, const struct lost_counters *lost)
{
	for (int kind = 0; kind < REC_COUNT; kind++) {
		const struct event event = {
			.kind = EVENT_LOST,
			.time_ns = live->now_ns,
			.reason = record_names[kind],
			.lost = lost->value[kind] - live->lost.value[kind],
		};

		if (event.lost && live->options.want_events)
			live__on_event(live, &event);
	}
}

int live_losses__scan(struct live *live)
{
	uint64_t began_ns = live->now_ns;
	int err;

	/* What began before the last scan was in the table then, or is by now: its fragment was
	 * handed over meanwhile, and the ring has been drained since. */
	if (!live->options.want_events && live->scanned_ns)
		session_table__caught_up(live->table, live->scanned_ns - RECORD_LATE_NS);
	err = wire_view__scan(live->wire, began_ns, live__take_batch, live);
	live->scanned_ns = err ? 0 : began_ns;
	live->has_missed = false;
	pace__took(&live->scan_pace, live->now_ns);
	return err;
}

/* Segments whose records were lost are in the caches; only then is the table up to date again. */
static void catch_up(struct live *live)
{
	if (!live->wire || !live->options.want_events || !live->drained_ns)
		return;
	if (!live->has_missed)
		session_table__caught_up(live->table, live->drained_ns - RECORD_LATE_NS);
	else if (pace__may(&live->scan_pace, live->now_ns))
		(void)live_losses__scan(live);
}

bool live_losses__check(struct live *live)
{
	struct lost_counters lost;
	bool is_wrong;

	if (live->now_ns - live->lost_checked_ns < LOST_CHECK_NS || live__lost(live, &lost))
		return false;
	live->lost_checked_ns = live->now_ns;
	tell(live, &lost);
	is_wrong = live->sock && has_more(&lost, &live->lost, REC_SOCK_STATE);
	live->has_missed |= has_more(&lost, &live->lost, REC_SEGMENT) ||
			    has_more(&lost, &live->lost, REC_FRAGMENT);
	live->lost = lost;
	if (!is_wrong)
		catch_up(live);
	return is_wrong;
}
