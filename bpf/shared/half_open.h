/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the kernel side keeps of half-open connections for userspace to time. Not here: how
 * (bpf/half_open.h, user/source/half_open.c).
 */
#ifndef TCPWATCH_SHARED_HALF_OPEN_H
#define TCPWATCH_SHARED_HALF_OPEN_H

#include "flow.h"

/* Half-open connections whose SYN-ACK was sent again: room for so many. */
#define HALF_OPEN_MAX 65536

struct half_open_key {
	struct ip_addr local, remote;
	__u16 local_port, remote_port;
	__u32 netns;
};

struct half_open {
	__u64 sent_ns;	/* when it was last */
	__u32 timeouts; /* how often the kernel's timer has expired, at most */
	__u32 is_acked; /* the acknowledgement came and found the accept queue full */
};

#endif
