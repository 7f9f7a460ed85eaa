/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Putting parts into lines.
 */
#include "flow.h"

#include <inttypes.h>
#include <string.h>

#define GAP "  "

void flow__init(struct flow *flow, struct strbuf *sb, unsigned width)
{
	*flow = (struct flow){.sb = sb, .width = width, .line_start = sb->len};
}

void flow__end_line(struct flow *flow)
{
	if (flow->sb->len > flow->line_start)
		strbuf__addc(flow->sb, '\n');
	flow->line_start = flow->sb->len;
}

void flow__fini(struct flow *flow)
{
	flow__end_line(flow);
	strbuf__free(&flow->part);
}

/* Where it fits: behind @gap or in the next line. */
static void put(struct flow *flow, const char *gap, const char *text, size_t len)
{
	size_t used = flow->sb->len - flow->line_start;

	if (used && flow->width && used + strlen(gap) + len > flow->width) {
		flow__end_line(flow);
		used = 0;
	}
	if (used)
		strbuf__adds(flow->sb, gap);
	strbuf__add(flow->sb, text, len);
}

/* A part that no line can hold is broken between its words. */
static void put_words(struct flow *flow, const char *text)
{
	const char *gap = GAP;

	while (*text) {
		size_t len = strcspn(text, " ");

		put(flow, gap, text, len);
		gap = " ";
		text += len + strspn(text + len, " ");
	}
}

void flow__end_part(struct flow *flow)
{
	struct strbuf *part = &flow->part;

	if (flow->width && part->len > flow->width)
		put_words(flow, part->data);
	else
		put(flow, GAP, part->data, part->len);
	strbuf__clear(part);
}

void flow__add_count(struct flow *flow, const char *label, uint64_t n)
{
	strbuf__addf(&flow->part, "%s %" PRIu64, label, n);
	flow__end_part(flow);
}

void flow__add_text(struct flow *flow, const char *text)
{
	strbuf__adds(&flow->part, text);
	flow__end_part(flow);
}
