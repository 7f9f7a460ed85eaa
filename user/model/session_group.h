/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sessions summed up by the value of one of their fields: a row for each container, pod, process
 * name. It is fed with the sessions there are, look by look, and with events. Not here: which
 * sessions are wanted.
 */
#ifndef TCPWATCH_SESSION_GROUP_H
#define TCPWATCH_SESSION_GROUP_H

#include "field.h"
#include "pool.h"

#define SESSION_GROUPS_MAX 4096 /* beyond it sessions are summed under "other" */

struct session_totals {
	uint64_t tx_bytes, rx_bytes, retransmits;
};

struct session_group {
	struct pool_head head;
	uint32_t hash;
	char *name; /* the field's value, hostile bytes; NULL: those for which it is unknown */
	bool is_other;
	bool is_following; /* opens and closes are counted */
	uint64_t sessions, by_state[TCPS_COUNT];
	struct session_totals open;		    /* of the sessions that are open */
	struct session_totals closed;		    /* of those that closed since the start */
	uint64_t opens, closes, failures;	    /* since the start */
	uint64_t opens_before, closes_before;	    /* at the look before … */
	double opens_per_second, closes_per_second; /* … and since; NAN: not known yet */
};

struct session_groups;

/*
 * session_groups__new() - groups by @by, a field of sessions whose kind is VALUE_TEXT
 *
 * @is_following: events are given. NULL: out of memory.
 */
struct session_groups *session_groups__new(const struct field *by, bool is_following);
void session_groups__free(struct session_groups *groups);

/* session_groups__note() - @event counts for the group of its session. Returns 0 or -ENOMEM */
int session_groups__note(struct session_groups *groups, const struct event *event,
			 const struct moment *now);

/* session_groups__begin() - a look: what there is is given next */
void session_groups__begin(struct session_groups *groups, const struct moment *now);
/* session_groups__add() - @session is there. Returns 0 or -ENOMEM */
int session_groups__add(struct session_groups *groups, const struct session *session,
			const struct moment *now);

/* session_groups__visit() - each group in which anything is or was; valid until the next look */
typedef void (*session_group_visitor)(void *ctx, const struct session_group *group);
void session_groups__visit(const struct session_groups *groups, session_group_visitor visit,
			   void *ctx);

extern const struct field_table session_group_fields; /* rows are struct session_group */

#endif
