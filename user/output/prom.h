/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The text format of Prometheus, version 0.0.4: families, samples, histograms, escaping.
 * https://prometheus.io/docs/instrumenting/exposition_formats/
 * Not here: which families there are (metrics.h), where the text goes (textfile.h).
 */
#ifndef TCPWATCH_PROM_H
#define TCPWATCH_PROM_H

#include "bpf/shared/log2_histogram.h"
#include "user/util/strbuf.h"

struct prom_label {
	const char *name;  /* NULL ends a list */
	const char *value; /* hostile bytes */
};

#define PROM_LABELS(...)                         \
	(const struct prom_label[])              \
	{                                        \
		__VA_ARGS__, (struct prom_label) \
		{                                \
			0                        \
		}                                \
	}
#define PROM_NO_LABELS ((const struct prom_label[]){{0}})

/* A family under way: its HELP and TYPE are written with its first sample, or never. */
struct prom_family {
	struct strbuf *sb;
	const char *name, *type, *help;
	bool is_begun;
};

/* prom__u64() - a sample; prom__seconds() - of nanoseconds, written exactly, in seconds */
void prom__u64(struct prom_family *family, const struct prom_label *labels, uint64_t value);
void prom__seconds(struct prom_family *family, const struct prom_label *labels, uint64_t ns);

/* prom__histogram() - all samples of one histogram, cumulated */
void prom__histogram(struct prom_family *family, const struct prom_label *labels,
		     const struct log2_shape *shape, const struct log2_histogram *histogram);

/*
 * prom__add_label_value() - append @value as it may stand between quotes
 *
 * Backslash, quote and newline as the format asks. What is no UTF-8, or would move a terminal's
 * cursor, becomes the text \xNN, whose backslash is escaped like any other.
 */
void prom__add_label_value(struct strbuf *sb, const char *value);

#endif
