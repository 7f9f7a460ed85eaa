/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of the fields of a session. Its rows stand in session_values.h, beside the declarations
 * of the getters that they name. The order is that of the JSON keys.
 */
#include "session_values.h"

#define ROW(key, title, unit, kind, width, choices, help) \
	FIELD_ROW(key, title, unit, kind, width, choices, help, false, session_value__##key),
#define COLUMN_ROW(key, title, unit, kind, width, choices, help) \
	FIELD_ROW(key, title, unit, kind, width, choices, help, true, session_value__##key),

static const struct field rows[] = {
	/* clang-format off */
	SESSION_FIELDS(ROW)
	SESSION_COLUMN_FIELDS(COLUMN_ROW)
	/* clang-format on */
};

const struct field_table session_fields = {
	.schema = "tcpwatch.session.v1",
	.fields = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.compare = session__compare,
};
