/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writing the metrics of taps, and of tcpwatch itself.
 */
#include "metrics_internal.h"

/* ---- taps ------------------------------------------------------------------------------------ */

void metrics_write__tap_bytes_total(struct writing *w)
{
	for (size_t i = 0; i < w->figures->n_taps; i++)
		writing__put_by_two(w, (struct prom_label){"netns", w->figures->taps[i].netns},
				    (struct prom_label){"tap", w->figures->taps[i].name},
				    w->figures->taps[i].bytes);
}

void metrics_write__tap_segments_total(struct writing *w)
{
	for (size_t i = 0; i < w->figures->n_taps; i++)
		writing__put_by_two(w, (struct prom_label){"netns", w->figures->taps[i].netns},
				    (struct prom_label){"tap", w->figures->taps[i].name},
				    w->figures->taps[i].segments);
}

void metrics_write__tap_info(struct writing *w)
{
	for (size_t i = 0; i < w->figures->n_taps; i++) {
		const struct tap_figures *tap = &w->figures->taps[i];

		prom__u64(&w->family,
			  PROM_LABELS({"netns", tap->netns}, {"tap", tap->name},
				      {"ingress", tap->ingress}, {"egress", tap->egress}),
			  1);
	}
}

void metrics_write__parse_failures_total(struct writing *w)
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
		writing__put_by(w, "reason", rows[i].reason,
				w->figures->wire.value[rows[i].counter]);
}

/* Each fragment that began is still there, was evicted, or gave its place to the next on its tuple.
 */
void metrics_write__cache_entries(struct writing *w)
{
	const __u64 *wire = w->figures->wire.value;

	if (w->figures->has_wire)
		writing__put(w, wire[WIRE_INSERTED] - wire[WIRE_EVICTED] - wire[WIRE_REPLACED]);
}

void metrics_write__cache_capacity(struct writing *w)
{
	if (w->figures->has_wire)
		writing__put(w, w->figures->cache_capacity);
}

void metrics_write__cache_evictions_total(struct writing *w)
{
	if (w->figures->has_wire)
		writing__put(w, w->figures->wire.value[WIRE_EVICTED]);
}

/* ---- tcpwatch itself ------------------------------------------------------------------------- */

void metrics_write__records_lost_total(struct writing *w)
{
	static const char *const kinds[] = {RECORD_KINDS(METRIC_NAMES)};

	for (int kind = 1; kind < REC_COUNT; kind++)
		writing__put_by(w, "kind", kinds[kind - 1], w->figures->lost.value[kind]);
}

void metrics_write__recounts_total(struct writing *w)
{
	if (writing__has_events(w))
		writing__put(w, w->figures->recounts);
}

void metrics_write__build_info(struct writing *w)
{
	writing__put_by(w, "version", w->version, 1);
}

void metrics_write__start_time_seconds(struct writing *w)
{
	prom__seconds(&w->family, PROM_NO_LABELS, w->figures->start_real_ns);
}

void metrics_write__cpu_seconds_total(struct writing *w)
{
	prom__seconds(&w->family, PROM_NO_LABELS, w->figures->cpu_ns);
}

void metrics_write__resident_bytes(struct writing *w)
{
	writing__put(w, w->figures->resident_bytes);
}

void metrics_write__write_errors_total(struct writing *w)
{
	writing__put(w, w->figures->write_errors);
}
