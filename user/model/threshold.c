/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The two comparisons of a threshold, in whole numbers.
 */
#include "threshold.h"

#include <stddef.h>

/* @used stands to @limit as @permille to 1000: negative below, 0 at it, positive above. */
static int compare_share(uint64_t used, uint64_t limit, uint32_t permille)
{
	unsigned __int128 have = (unsigned __int128)used * 1000;
	unsigned __int128 want = (unsigned __int128)limit * permille;

	return have < want ? -1 : have > want;
}

bool threshold__is_reached(const struct threshold *t, uint64_t used, uint64_t limit)
{
	return compare_share(used, limit, t->raise_permille) >= 0;
}

enum threshold_change threshold__observe(const struct threshold *t, bool *is_raised, uint64_t used,
					 uint64_t limit)
{
	bool is_reached = threshold__is_reached(t, used, limit);

	if (is_reached == *is_raised)
		return THRESHOLD_NONE;
	if (!is_reached && compare_share(used, limit, t->clear_permille) > 0)
		return THRESHOLD_NONE;
	*is_raised = is_reached;
	return is_reached ? THRESHOLD_RAISED : THRESHOLD_CLEARED;
}

const char *threshold_change__name(enum threshold_change change)
{
	static const char *const names[] = {
#define X(id, name) [THRESHOLD_##id] = name,
		THRESHOLD_CHANGES(X)
#undef X
	};

	return change == THRESHOLD_NONE ? NULL : names[change];
}
