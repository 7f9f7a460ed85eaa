/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of the fields of a row of TIME_WAIT: a group, or the ports of a destination.
 */
#include "timewait_fields.h"

#include <stdio.h>

#include "session_values.h"
#include "timewait.h"

static void get_time(const void *row __attribute__((unused)), const struct moment *now,
		     struct value *out)
{
	value__set_u64(out, VALUE_TIME, now->mono_ns + now->mono_to_real_ns);
}

GETTER(by)
{
	const struct timewait_row *r = row;

	value__set_string(out, timewait_by__name(r->key.by));
}

GETTER(netns)
{
	const struct timewait_row *r = row;

	value__set_string(out, r->netns_name);
}

/* ---- what is common to a group -----------------------------------------------------------------
 */

static bool is_any(const struct ip_addr *addr)
{
	return !addr->quads[0] && !addr->quads[1];
}

static void set_addr(struct value *out, const struct ip_addr *addr)
{
	if (is_any(addr))
		value__set_none(out);
	else
		value__set_addr(out, addr, false);
}

/* "*:8080" where the group has a port but no address in common. */
static void set_endpoint(struct value *out, const struct endpoint *endpoint)
{
	if (!is_any(&endpoint->addr)) {
		value__set_endpoint(out, endpoint, false);
	} else if (endpoint->port) {
		value__set_text(out, out->buf,
				snprintf(out->buf, sizeof(out->buf), "*:%u", endpoint->port));
	} else {
		value__set_none(out);
	}
}

GETTER(local_addr)
{
	const struct timewait_row *r = row;

	set_addr(out, &r->local.addr);
}

GETTER(local_port)
{
	const struct timewait_row *r = row;

	value__set_known(out, r->local.port, VALUE_PORT, r->local.port);
}

GETTER(remote_addr)
{
	const struct timewait_row *r = row;

	set_addr(out, &r->remote.addr);
}

GETTER(remote_port)
{
	const struct timewait_row *r = row;

	value__set_known(out, r->remote.port, VALUE_PORT, r->remote.port);
}

GETTER(local)
{
	const struct timewait_row *r = row;

	set_endpoint(out, &r->local);
}

GETTER(remote)
{
	const struct timewait_row *r = row;

	set_endpoint(out, &r->remote);
}

static bool has_process(const struct timewait_row *row)
{
	return row->key.by == TIMEWAIT_BY_PROCESS && row->key.pid;
}

GETTER(pid)
{
	const struct timewait_row *r = row;

	if (has_process(r))
		value__set_u64(out, VALUE_COUNT, r->key.pid);
	else
		value__set_none(out);
}

GETTER(comm)
{
	const struct timewait_row *r = row;

	if (has_process(r))
		value__set_text(out, r->key.comm, strnlen(r->key.comm, sizeof(r->key.comm)));
	else
		value__set_none(out);
}

GETTER(role)
{
	static const char *const names[] = {
		[ROLE_UNKNOWN] = NULL, [ROLE_ACTIVE] = "client", [ROLE_PASSIVE] = "server"};
	const struct timewait_row *r = row;

	value__set_string(out, names[r->role]);
}

/* ---- counts ------------------------------------------------------------------------------------
 */

GETTER(time_wait)
{
	const struct timewait_row *r = row;

	value__set_u64(out, VALUE_COUNT, r->time_wait);
}

GETTER(fin_wait2)
{
	const struct timewait_row *r = row;

	value__set_u64(out, VALUE_COUNT, r->fin_wait2);
}

static void set_ports(struct value *out, const struct timewait_row *row, uint64_t count)
{
	if (row->key.by == TIMEWAIT_BY_PORTS)
		value__set_u64(out, VALUE_COUNT, count);
	else
		value__set_none(out);
}

GETTER(ports_used)
{
	const struct timewait_row *r = row;

	set_ports(out, r, r->used);
}

GETTER(ports_usable)
{
	const struct timewait_row *r = row;

	set_ports(out, r, r->usable);
}

GETTER(ports_reusable)
{
	const struct timewait_row *r = row;

	set_ports(out, r, r->reusable);
}

GETTER(ports_free)
{
	const struct timewait_row *r = row;

	set_ports(out, r, port_use__free(r));
}

GETTER(ports_per_second)
{
	const struct timewait_row *r = row;

	if (r->key.by == TIMEWAIT_BY_PORTS)
		value__set_rate(out, r->taken_per_second);
	else
		value__set_none(out);
}

static void set_flag(struct value *out, const struct timewait_row *row, bool flag)
{
	if (row->key.by == TIMEWAIT_BY_PORTS)
		value__set_u64(out, VALUE_BOOL, flag);
	else
		value__set_none(out);
}

GETTER(trend_inferred)
{
	const struct timewait_row *r = row;

	set_flag(out, r, r->is_inferred);
}

GETTER(ports_left_seconds)
{
	const struct timewait_row *r = row;
	uint64_t left_ns = r->key.by == TIMEWAIT_BY_PORTS ? port_use__left_ns(r) : UNKNOWN_U64;

	if (left_ns == UNKNOWN_U64)
		value__set_none(out);
	else
		value__set_u64(out, VALUE_DURATION, left_ns);
}

GETTER(ports_low)
{
	const struct timewait_row *r = row;

	set_flag(out, r, r->is_low);
}

GETTER(should_close_first)
{
	value__set_string(out, close_by__name(timewait__advise(row).by));
}

GETTER(why)
{
	value__set_string(out, timewait__advise(row).why);
}

/* X(key, title, unit, kind, min_width, choices, help) */
#define BY_CHOICE(id, name) name "|"

#define GROUP_FIELDS(X)                                                                            \
	X(time, "TIME", "", VALUE_TIME, 30, NULL, "when the sockets were listed")                  \
	X(by, "BY", "", VALUE_TEXT, 7, TIMEWAIT_GROUPS(BY_CHOICE),                                 \
	  "what is counted together: a destination's ports, a remote endpoint, a port, a process") \
	X(netns, "NETNS", "", VALUE_TEXT, 5, NULL, "network namespace: name, or inode number")     \
	X(local_addr, "LOCAL ADDRESS", "", VALUE_ADDR, 15, NULL,                                   \
	  "address that this host connects from")                                                  \
	X(local_port, "LPORT", "", VALUE_PORT, 5, NULL, "port that others connected to")           \
	X(remote_addr, "REMOTE ADDRESS", "", VALUE_ADDR, 15, NULL, "address of the peer")          \
	X(remote_port, "RPORT", "", VALUE_PORT, 5, NULL, "port of the peer, if this host opened")  \
	X(pid, "PID", "", VALUE_COUNT, 7, NULL, "process that closed")                             \
	X(comm, "COMMAND", "", VALUE_TEXT, 8, NULL, "name of that process")                        \
	X(role, "ROLE", "", VALUE_TEXT, 6, "client|server",                                        \
	  "side of this host; inferred from ports for what closed before tcpwatch began")

#define COUNT_FIELDS(X)                                                             \
	X(time_wait, "TIME-WAIT", "", VALUE_COUNT, 9, NULL, "sockets in TIME_WAIT") \
	X(fin_wait2, "FIN-WAIT-2", "", VALUE_COUNT, 10, NULL,                       \
	  "orphans in FIN_WAIT2 that the kernel keeps in the same way: the peer has not closed")

#define PORT_FIELDS(X)                                                                          \
	X(ports_used, "USED", "", VALUE_COUNT, 5, NULL,                                         \
	  "ports in use to this destination, in whatever state")                                \
	X(ports_usable, "OF", "", VALUE_COUNT, 5, NULL,                                         \
	  "ports of ip_local_port_range, less reserved ones, less those that a listener is on") \
	X(ports_reusable, "REUSABLE", "", VALUE_COUNT, 8, NULL,                                 \
	  "ports in TIME_WAIT that connect() may take over at once (tcp_tw_reuse)")             \
	X(ports_free, "FREE", "", VALUE_COUNT, 5, NULL,                                         \
	  "ports that connect() can have now, reusable ones included")                          \
	X(ports_per_second, "TREND", "", VALUE_RATE, 7, NULL,                                   \
	  "change of the ports that connect() cannot have, over 5 to 10 seconds, and up to "    \
	  "two looks longer")                                                                   \
	X(trend_inferred, "INF", "", VALUE_BOOL, 3, NULL,                                       \
	  "the trend follows from the ages of TIME_WAIT, for lack of a second look")            \
	X(ports_left_seconds, "LEFT", "seconds", VALUE_DURATION, 6, NULL,                       \
	  "until no port is free if the trend goes on")                                         \
	X(ports_low, "LOW", "", VALUE_BOOL, 3, NULL, "more than 80 % are taken; until 70 %")

#define ADVICE_FIELDS(X)                                                               \
	X(should_close_first, "SHOULD CLOSE FIRST", "", VALUE_TEXT, 6, "local|remote", \
	  "this host did: who had better")                                             \
	X(why, "WHY", "", VALUE_TEXT, 10, NULL, "why")

#define COLUMN_FIELDS(X)                                                                           \
	X(local, "LOCAL", "", VALUE_ENDPOINT, 21, NULL, "local address or port, as far as common") \
	X(remote, "REMOTE", "", VALUE_ENDPOINT, 21, NULL, "the peer, likewise")

#define ROW(key, title, unit, kind, width, choices, help) \
	FIELD_ROW(key, title, unit, kind, width, choices, help, false, get_##key),
#define COLUMN_ROW(key, title, unit, kind, width, choices, help) \
	FIELD_ROW(key, title, unit, kind, width, choices, help, true, get_##key),

static const struct field rows[] = {
	/* clang-format off */
	GROUP_FIELDS(ROW)
	COUNT_FIELDS(ROW)
	PORT_FIELDS(ROW)
	ADVICE_FIELDS(ROW)
	COLUMN_FIELDS(COLUMN_ROW)
	/* clang-format on */
};

const struct field_table timewait_fields = {
	.schema = "tcpwatch.timewait.v1",
	.fields = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
	.compare = timewait_row__compare,
};
