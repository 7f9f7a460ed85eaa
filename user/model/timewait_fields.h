/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables of the fields of an account of TIME_WAIT.
 */
#ifndef TCPWATCH_TIMEWAIT_FIELDS_H
#define TCPWATCH_TIMEWAIT_FIELDS_H

#include "field.h"

extern const struct field_table timewait_fields;       /* rows are struct timewait_row */
extern const struct field_table timewait_netns_fields; /* rows are struct timewait_totals */

#endif
