/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Lines of parts, as wide as a terminal at most: what does not fit goes on in the next line. A
 * figure is not parted from its label unless no line can hold both, and never cut itself unless it
 * is wider than the line. Not here: what the parts say.
 */
#ifndef TCPWATCH_FLOW_H
#define TCPWATCH_FLOW_H

#include "user/util/strbuf.h"

struct flow {
	struct strbuf *sb;
	unsigned width; /* 0: as wide as it takes */
	size_t line_start;
	struct strbuf part; /* the one being put together: append to it, then flow__end_part() */
};

/* flow__init() - lines are appended to @sb; flow__fini() - ends the last one */
void flow__init(struct flow *flow, struct strbuf *sb, unsigned width);
void flow__fini(struct flow *flow);

void flow__end_part(struct flow *flow);
/* flow__end_line() - each line ends with a newline; one without parts is none */
void flow__end_line(struct flow *flow);

/* flow__add_count() - the part "label 12" */
void flow__add_count(struct flow *flow, const char *label, uint64_t n);

/* flow__add_text() - the part @text */
void flow__add_text(struct flow *flow, const char *text);

#endif
