/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Waiting, record by record.
 */
#include "gather.h"

#include <errno.h>

#include "stop.h"

#define WAIT_MS 1000

int gather(struct live *live, uint64_t duration_ns)
{
	uint64_t now_ns = live__now().mono_ns;
	uint64_t end_ns = duration_ns ? now_ns + duration_ns : UINT64_MAX;
	int err = 0;

	while ((!err || err == -EINTR) && now_ns < end_ns && !stop__is_asked()) {
		uint64_t left_ms = (end_ns - now_ns) / TW_NSEC_PER_MSEC + 1;

		err = live__poll(live, left_ms < WAIT_MS ? (int)left_ms : WAIT_MS);
		now_ns = live__now().mono_ns;
	}
	return err == -EINTR ? 0 : err;
}
