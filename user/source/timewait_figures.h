/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What an account of TIME_WAIT and of ports takes from the kernel's own figures of a namespace.
 */
#ifndef TCPWATCH_TIMEWAIT_FIGURES_H
#define TCPWATCH_TIMEWAIT_FIGURES_H

#include "netns_stats.h"
#include "user/model/timewait.h"

/* Which figures it wants: for port_range alone, and for all. */
#define PORT_FIGURES                                                                      \
	(NETNS_SET(PORT_RANGE) | NETNS_SET(PORTS_RESERVED) | NETNS_SET(TIME_WAIT_REUSE) | \
	 NETNS_SET(TIME_WAIT_REUSE_DELAY) | NETNS_SET(SOCKETS_IN_USE) |                   \
	 NETNS_SET(SOCKETS6_IN_USE) | NETNS_SET(MINISOCKS))
#define TIMEWAIT_FIGURES                                                                        \
	(PORT_FIGURES | NETNS_SET(TIME_WAIT_MAX) | NETNS_SET(FIN_TIMEOUT) |                     \
	 NETNS_SET(TIME_WAITED) | NETNS_SET(TIME_WAIT_KILLED) | NETNS_SET(TIME_WAIT_RECYCLED) | \
	 NETNS_SET(TIME_WAIT_OVERFLOW))

/* timewait_figures__read() - all of them as they are now; what was not opened is unknown */
void timewait_figures__read(const struct netns_stats *stats, struct timewait_kernel *kernel);

/* timewait_figures__ports() - what connect() may choose from, listeners not yet taken out */
void timewait_figures__ports(const struct netns_stats *stats, struct port_range *range);

/* timewait_figures__reuse() - may connect() take over TIME_WAIT? From what was read. */
void timewait_figures__reuse(const struct netns_values *values, struct port_use *use);

#endif
