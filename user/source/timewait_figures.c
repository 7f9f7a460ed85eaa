/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * From the table of figures into the account's.
 */
#include "timewait_figures.h"

#define RANGE_BYTES    32
#define RESERVED_BYTES (64u << 10) /* the kernel joins neighbours; half of all ports would fit */

static uint64_t known(const struct netns_values *values, enum netns_stat id)
{
	return values->known & (netns_stat_set)1 << id ? values->value[id] : UNKNOWN_U64;
}

void timewait_figures__read(const struct netns_stats *stats, struct timewait_kernel *kernel)
{
	struct netns_values values;

	netns_stats__read(stats, &values);
	*kernel = (struct timewait_kernel){
		.socks = known(&values, NETNS_MINISOCKS),
		.max_socks = known(&values, NETNS_TIME_WAIT_MAX),
		.waited = known(&values, NETNS_TIME_WAITED),
		.killed = known(&values, NETNS_TIME_WAIT_KILLED),
		.recycled = known(&values, NETNS_TIME_WAIT_RECYCLED),
		.overflow = known(&values, NETNS_TIME_WAIT_OVERFLOW),
		.reuse = known(&values, NETNS_TIME_WAIT_REUSE),
		.reuse_delay_ms = known(&values, NETNS_TIME_WAIT_REUSE_DELAY),
		.fin_timeout_s = known(&values, NETNS_FIN_TIMEOUT),
	};
}

void timewait_figures__ports(const struct netns_stats *stats, struct port_range *range)
{
	char text[RANGE_BYTES], reserved[RESERVED_BYTES];
	ssize_t n = netns_stats__text(stats, NETNS_PORTS_RESERVED, reserved, sizeof(reserved));

	if (netns_stats__text(stats, NETNS_PORT_RANGE, text, sizeof(text)) < 0)
		text[0] = '\0';
	port_range__parse(range, text, n < 0 ? NULL : reserved);
}

void timewait_figures__reuse(const struct netns_values *values, struct port_use *use)
{
	use->reuse = known(values, NETNS_TIME_WAIT_REUSE);
	use->reuse_delay_ms = known(values, NETNS_TIME_WAIT_REUSE_DELAY);
}
