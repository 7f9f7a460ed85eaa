/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The header of an account of TIME_WAIT as text: totals, ages, how it begins and ends, limits, and
 * in plain words what is wrong. Not here: the rows below it.
 */
#ifndef TCPWATCH_TIMEWAIT_SUMMARY_H
#define TCPWATCH_TIMEWAIT_SUMMARY_H

#include "user/model/timewait.h"
#include "user/util/strbuf.h"

/*
 * timewait_summary__write() - append the lines to @sb, each ended by a newline
 *
 * @has_name: name the namespace. @width: of a line, 0: as long as it takes.
 */
void timewait_summary__write(struct strbuf *sb, const struct timewait *account, bool has_name,
			     unsigned width);

/* ports__warn() - in plain words how near to its end a destination's ports are, of the row of one
 */
struct flow;
void ports__warn(struct flow *flow, const struct timewait_row *row);

#endif
