/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The header of top as text: sessions by state, rates, queues, losses, taps. The same for the
 * screen and for a pipe. Not here: the figures (source/live.h), where the text goes.
 */
#ifndef TCPWATCH_SUMMARY_H
#define TCPWATCH_SUMMARY_H

#include "rates.h"
#include "user/util/strbuf.h"

struct summary {
	const struct live_stats *stats;
	const struct rates *rates;
	const struct tap_set *taps; /* NULL: none */
	size_t n_shown;		    /* rows that pass the filter */
};

/* summary__add_taps() - which interfaces are watched, and how */
struct flow;
void summary__add_taps(struct flow *flow, const struct tap_set *taps);

/*
 * summary__write() - append the lines to @sb, each ended by a newline
 *
 * @width: of a line in columns, 0: as long as it takes. What does not fit goes on in the next line;
 * a figure is not parted from its label unless no line can hold both, and never cut itself unless
 * it is wider than the line.
 */
void summary__write(struct strbuf *sb, const struct summary *summary, unsigned width);

#endif
