/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sockets of a host at 10.0.0.1 for the tests of TIME_WAIT and of ports.
 */
#ifndef TCPWATCH_TIMEWAIT_SAMPLE_H
#define TCPWATCH_TIMEWAIT_SAMPLE_H

#include "user/model/timewait.h"

#define TICK_NS	    4000000ull /* HZ 250 */
#define TICKS(s)    ((int32_t)((s) * (int64_t)(TW_NSEC_PER_SEC / TICK_NS)))
#define SAMPLE_SEED 0x1234567890abcdefull

static inline struct ip_addr host(uint8_t last)
{
	struct ip_addr addr;

	ip_addr__set_v4(&addr, TW_BE32(0x0a000000u + last));
	return addr;
}

/* A socket of 10.0.0.1:@local_port to 10.0.0.@remote:@remote_port in @state. */
static inline struct rec_tuple full_sock(uint16_t local_port, uint8_t remote, uint16_t remote_port,
					 enum tcp_state state)
{
	return (struct rec_tuple){
		.hdr = {.kind = REC_TUPLE, .size = sizeof(struct rec_tuple)},
		.local = host(1),
		.remote = remote ? host(remote) : (struct ip_addr){{{0}}},
		.local_port = local_port,
		.remote_port = remote_port,
		.state = state,
	};
}

/* The same in TIME_WAIT, @left_s seconds of which are left. */
static inline struct rec_tuple time_wait_sock(uint16_t local_port, uint8_t remote,
					      uint16_t remote_port, int left_s)
{
	struct rec_tuple tuple = full_sock(local_port, remote, remote_port, TCPS_TIME_WAIT);

	tuple.is_time_wait = 1;
	tuple.has_timestamps = 1;
	tuple.left_ticks = TICKS(left_s);
	return tuple;
}

#endif
