/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * How jiffies, by which BPF programs date what needs no precise time, tell CLOCK_MONOTONIC.
 */
#ifndef TCPWATCH_JIFFIES_H
#define TCPWATCH_JIFFIES_H

#include <stdint.h>

/*
 * jiffies__read() - the length of one, and the time of number 0
 *
 * One is as long as the coarse clock's resolution (TICK_NSEC), and they are counted from that
 * clock, so one look at both gives the offset for good. Returns 0 or -errno.
 */
int jiffies__read(uint64_t *tick_ns, int64_t *jiffies_0_ns);

#endif
