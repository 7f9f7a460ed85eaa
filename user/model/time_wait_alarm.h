/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * TIME_WAIT near its limit, told once when it comes and once when it is over. Not here: the counts,
 * which are the kernel's.
 */
#ifndef TCPWATCH_TIME_WAIT_ALARM_H
#define TCPWATCH_TIME_WAIT_ALARM_H

#include "threshold.h"

/* Of one namespace; zeroed at first. */
struct time_wait_alarm {
	bool is_raised, has_refused;
	uint64_t refused;
};

/*
 * time_wait_alarm__observe() - @count minisocks are there of tcp_max_tw_buckets, @limit
 *
 * Raised at nine tenths of it, as the alert of dashboards/ has it, or when one was refused since
 * the last time: @refused is TCPTimeWaitOverflow. Cleared at eight tenths.
 */
enum threshold_change time_wait_alarm__observe(struct time_wait_alarm *alarm, uint64_t count,
					       uint64_t limit, uint64_t refused);

#endif
