/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The header of the table of listeners as text: queues, what became of SYNs, and the kernel's own
 * account beside ours. Not here: the listeners.
 */
#ifndef TCPWATCH_BACKLOG_SUMMARY_H
#define TCPWATCH_BACKLOG_SUMMARY_H

#include "user/source/syn_totals.h"
#include "user/util/strbuf.h"

/*
 * backlog_summary__write() - append lines, each ended by a newline; @width of one, 0: any
 *
 * @chosen: of the listeners that a filter lets through; NULL: there is no filter. What the kernel
 * counts is of all of them.
 */
void backlog_summary__write(struct strbuf *sb, const struct syn_totals *totals,
			    const struct syn_fates *chosen, const struct tap_set *taps,
			    unsigned width);

#endif
