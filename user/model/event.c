/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of event kinds. Not here: which events there are at which moment (session_table.h).
 */
#include "event.h"

#include <stddef.h>

static const char *const kind_names[EVENT_COUNT] = {
#define X(id, name) [EVENT_##id] = name,
	EVENT_KINDS(X)
#undef X
};

const char *event_kind__name(enum event_kind kind)
{
	return kind < EVENT_COUNT ? kind_names[kind] : "unknown";
}
