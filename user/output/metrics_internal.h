/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the writers of metrics share: those of sockets (metrics_sock.c), of the kernel's own figures
 * (metrics_kernel.c), of taps and of tcpwatch itself (metrics_tap.c). Not here: which metrics there
 * are (metrics.h).
 */
#ifndef TCPWATCH_METRICS_INTERNAL_H
#define TCPWATCH_METRICS_INTERNAL_H

#include "metrics.h"
#include "prom.h"

struct writing {
	struct prom_family family;
	const struct figures *figures;
	const char *version;
};

/* One for each metric. */
#define DECLARE(id, ...) void metrics_write__##id(struct writing *w);
METRICS(DECLARE)
#undef DECLARE

/* The names of the rows of an X-macro, for a table of them. */
#define METRIC_NAMES(id, name, ...) name,

/* writing__put() - a sample; with a label, with two */
static inline void writing__put(struct writing *w, uint64_t value)
{
	prom__u64(&w->family, PROM_NO_LABELS, value);
}

static inline void writing__put_by(struct writing *w, const char *label, const char *name,
				   uint64_t value)
{
	prom__u64(&w->family, PROM_LABELS({label, name}), value);
}

static inline void writing__put_by_two(struct writing *w, struct prom_label one,
				       struct prom_label other, uint64_t value)
{
	prom__u64(&w->family, PROM_LABELS(one, other), value);
}

/* … if it is known */
static inline void writing__put_known(struct writing *w, const struct figure *figure)
{
	if (figure->is_known)
		writing__put(w, figure->value);
}

static inline void writing__put_known_by(struct writing *w, const char *label, const char *name,
					 const struct figure *figure)
{
	if (figure->is_known)
		writing__put_by(w, label, name, figure->value);
}

/* Is what happens to sockets between two looks counted? */
static inline bool writing__has_events(const struct writing *w)
{
	return w->figures->has_sock && !w->figures->is_moment;
}

#endif
