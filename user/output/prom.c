/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Samples in the text format of Prometheus.
 */
#include "prom.h"

#include <stdio.h>
#include <string.h>

#include "user/util/fmt.h"
#include "user/util/utf8.h"

#define NSEC_PER_SEC 1e9

/* ---- escaping -------------------------------------------------------------------------------- */

static void add_bytes_in_hex(struct strbuf *sb, const char *bytes, size_t len)
{
	for (size_t i = 0; i < len; i++)
		strbuf__addf(sb, "\\\\x%02x", (unsigned char)bytes[i]);
}

void prom__add_label_value(struct strbuf *sb, const char *value)
{
	size_t len = strlen(value), n;
	uint32_t code;

	for (; len; value += n, len -= n) {
		n = utf8__decode(value, len, &code);
		if (!n)
			add_bytes_in_hex(sb, value, n = 1);
		else if (code == '\n')
			strbuf__adds(sb, "\\n");
		else if (code == '"' || code == '\\')
			strbuf__addf(sb, "\\%c", (char)code);
		else if (utf8__is_unsafe(code))
			add_bytes_in_hex(sb, value, n);
		else
			strbuf__add(sb, value, n);
	}
}

/* In HELP there are no quotes to escape. */
static void add_help(struct strbuf *sb, const char *help)
{
	for (; *help; help++) {
		if (*help == '\\' || *help == '\n')
			strbuf__adds(sb, *help == '\n' ? "\\n" : "\\\\");
		else
			strbuf__addc(sb, *help);
	}
}

/* ---- samples --------------------------------------------------------------------------------- */

static void begin(struct prom_family *family)
{
	if (family->is_begun)
		return;
	family->is_begun = true;
	strbuf__addf(family->sb, "# HELP %s ", family->name);
	add_help(family->sb, family->help);
	strbuf__addf(family->sb, "\n# TYPE %s %s\n", family->name, family->type);
}

static void add_label(struct strbuf *sb, char before, const struct prom_label *label)
{
	strbuf__addc(sb, before);
	strbuf__adds(sb, label->name);
	strbuf__adds(sb, "=\"");
	prom__add_label_value(sb, label->value);
	strbuf__addc(sb, '"');
}

/* Everything of a sample before its value. @more: one more label, or NULL. */
static void add_name(struct prom_family *family, const char *suffix,
		     const struct prom_label *labels, const struct prom_label *more)
{
	struct strbuf *sb = family->sb;
	char before = '{';

	begin(family);
	strbuf__adds(sb, family->name);
	strbuf__adds(sb, suffix);
	for (; labels->name; labels++, before = ',')
		add_label(sb, before, labels);
	if (more)
		add_label(sb, before, more);
	if (more || before == ',')
		strbuf__addc(sb, '}');
	strbuf__addc(sb, ' ');
}

static void add_u64(struct strbuf *sb, uint64_t value)
{
	strbuf__addu(sb, value);
	strbuf__addc(sb, '\n');
}

static void add_seconds(struct strbuf *sb, uint64_t ns)
{
	char text[FMT_SECONDS_MAX];

	strbuf__add(sb, text, fmt__seconds(text, ns));
	strbuf__addc(sb, '\n');
}

void prom__u64(struct prom_family *family, const struct prom_label *labels, uint64_t value)
{
	add_name(family, "", labels, NULL);
	add_u64(family->sb, value);
}

void prom__seconds(struct prom_family *family, const struct prom_label *labels, uint64_t ns)
{
	add_name(family, "", labels, NULL);
	add_seconds(family->sb, ns);
}

/* As Go's libraries write it ("3.2e-05"), for le is compared as text, and node_exporter writes it
 * anew. */
static void format_bound(char *out, size_t size, uint64_t ns)
{
	snprintf(out, size, "%.15g", (double)ns / NSEC_PER_SEC);
}

void prom__histogram(struct prom_family *family, const struct prom_label *labels,
		     const struct log2_shape *shape, const struct log2_histogram *histogram)
{
	char bound[32];
	struct prom_label le = {"le", bound};
	uint64_t count = 0;

	for (uint32_t i = 0; i < shape->n_bounds; i++) {
		count += histogram->bucket[i];
		format_bound(bound, sizeof(bound), log2_shape__bound_ns(shape, i));
		add_name(family, "_bucket", labels, &le);
		add_u64(family->sb, count);
	}
	count += histogram->bucket[shape->n_bounds];
	le.value = "+Inf";
	add_name(family, "_bucket", labels, &le);
	add_u64(family->sb, count);
	add_name(family, "_sum", labels, NULL);
	add_seconds(family->sb, histogram->sum_ns);
	add_name(family, "_count", labels, NULL);
	add_u64(family->sb, count);
}
