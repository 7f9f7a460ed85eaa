/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * When TIME_WAIT is nearly full.
 */
#include "time_wait_alarm.h"

static const struct threshold nearly_full = {.raise_permille = 900, .clear_permille = 800};

enum threshold_change time_wait_alarm__observe(struct time_wait_alarm *alarm, uint64_t count,
					       uint64_t limit, uint64_t refused)
{
	bool was_full = alarm->has_refused && refused != alarm->refused;

	alarm->refused = refused;
	alarm->has_refused = true;
	/* It was full for a moment between two looks. */
	return threshold__observe(&nearly_full, &alarm->is_raised, was_full ? limit : count, limit);
}
