/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which group a session is of, and what that adds up to. Not here: the fields of a group
 * (session_group_fields.c).
 */
#include "session_group.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "session_values.h"

struct session_groups {
	const struct field *by;
	bool is_following;
	struct pool pool;
	struct hash_index by_name;
	struct session_group none, other; /* of unknown value; of those that had no room */
	uint64_t look_ns;		  /* 0: there was none */
};

struct session_groups *session_groups__new(const struct field *by, bool is_following)
{
	struct session_groups *groups = calloc(1, sizeof(*groups));

	if (!groups)
		return NULL;
	groups->by = by;
	groups->is_following = is_following;
	groups->none.is_following = groups->other.is_following = is_following;
	groups->other.is_other = true;
	pool__init(&groups->pool, sizeof(struct session_group));
	if (!hash_index__init(&groups->by_name, &groups->pool,
			      offsetof(struct session_group, hash)))
		return groups;
	session_groups__free(groups);
	return NULL;
}

static struct session_group *get(const struct session_groups *groups, uint32_t id)
{
	return pool__get(&groups->pool, id);
}

void session_groups__free(struct session_groups *groups)
{
	if (!groups)
		return;
	for (uint32_t id = 1; id <= groups->pool.end; id++)
		if (get(groups, id))
			free(get(groups, id)->name);
	hash_index__fini(&groups->by_name);
	pool__fini(&groups->pool);
	free(groups);
}

/* ---- which group ----------------------------------------------------------------------------- */

/* Names are few and bounded, and nobody outside gains by making them collide. */
static uint32_t hash_name(const char *name, size_t len)
{
	uint32_t hash = 2166136261u; /* FNV-1a */

	for (size_t i = 0; i < len; i++)
		hash = (hash ^ (uint8_t)name[i]) * 16777619u;
	return hash;
}

static struct session_group *create(struct session_groups *groups, const char *name, size_t len,
				    uint32_t hash)
{
	struct session_group *group = pool__new(&groups->pool);

	if (!group)
		return NULL;
	group->name = strndup(name, len);
	if (!group->name || hash_index__insert(&groups->by_name, group, hash)) {
		free(group->name);
		pool__delete(&groups->pool, group);
		return NULL;
	}
	group->is_following = groups->is_following;
	group->opens_per_second = group->closes_per_second = NAN;
	return group;
}

/* NULL: out of memory. */
static struct session_group *group_of(struct session_groups *groups, const struct session *session,
				      const struct moment *now)
{
	struct session_group *group;
	struct value value;
	uint32_t hash;

	groups->by->get(session, now, &value);
	if (value.kind != VALUE_TEXT)
		return &groups->none;
	hash = hash_name(value.text, value.text_len);
	group = hash_index__first(&groups->by_name, hash);
	while (group && (strlen(group->name) != value.text_len ||
			 memcmp(group->name, value.text, value.text_len)))
		group = hash_index__next(&groups->by_name, group);
	if (group)
		return group;
	if (groups->pool.count >= SESSION_GROUPS_MAX)
		return &groups->other;
	return create(groups, value.text, value.text_len, hash);
}

/* ---- sums ------------------------------------------------------------------------------------ */

static uint64_t read_u64(void (*getter)(const void *, const struct moment *, struct value *),
			 const struct session *session, const struct moment *now)
{
	struct value value;

	getter(session, now, &value);
	return value.kind == VALUE_NONE ? 0 : value.u;
}

static void add_totals(struct session_totals *sum, const struct session *session,
		       const struct moment *now)
{
	sum->tx_bytes += read_u64(session_value__tx_bytes, session, now);
	sum->rx_bytes += read_u64(session_value__rx_bytes, session, now);
	sum->retransmits += read_u64(session_value__retransmits, session, now);
}

int session_groups__note(struct session_groups *groups, const struct event *event,
			 const struct moment *now)
{
	struct session_group *group;

	if (event->kind != EVENT_ESTABLISHED && event->kind != EVENT_CLOSED &&
	    event->kind != EVENT_HANDSHAKE_FAILED)
		return 0;
	group = group_of(groups, event->session, now);
	if (!group)
		return -ENOMEM;
	group->opens += event->kind == EVENT_ESTABLISHED;
	group->failures += event->kind == EVENT_HANDSHAKE_FAILED;
	if (event->kind != EVENT_CLOSED)
		return 0;
	group->closes++;
	add_totals(&group->closed, event->session, now);
	return 0;
}

/* Its end has been told, or will not be: what is left is a minisock, or the wire's memory of it. */
static bool is_over(const struct session *s)
{
	if (s->sock)
		return s->sock->is_minisock && s->sock->state != TCPS_SYN_RECV;
	return s->verdict && s->verdict->end != END_NOT;
}

int session_groups__add(struct session_groups *groups, const struct session *session,
			const struct moment *now)
{
	struct session_group *group = group_of(groups, session, now);
	struct value state;

	if (!group)
		return -ENOMEM;
	session_value__state(session, now, &state);
	group->sessions++;
	group->by_state[state.kind == VALUE_NONE ? (uint64_t)TCPS_UNKNOWN : state.u]++;
	if (!is_over(session))
		add_totals(&group->open, session, now);
	return 0;
}

/* ---- looks ----------------------------------------------------------------------------------- */

static double rate(uint64_t now, uint64_t before, double seconds)
{
	return seconds > 0 ? (double)(now - before) / seconds : NAN;
}

static void begin_group(struct session_group *group, double seconds)
{
	group->sessions = 0;
	memset(group->by_state, 0, sizeof(group->by_state));
	group->open = (struct session_totals){0};
	group->opens_per_second = rate(group->opens, group->opens_before, seconds);
	group->closes_per_second = rate(group->closes, group->closes_before, seconds);
	group->opens_before = group->opens;
	group->closes_before = group->closes;
}

void session_groups__begin(struct session_groups *groups, const struct moment *now)
{
	double seconds = 0;

	if (groups->is_following && groups->look_ns && now->mono_ns > groups->look_ns)
		seconds = (double)(now->mono_ns - groups->look_ns) / TW_NSEC_PER_SEC;
	groups->look_ns = now->mono_ns;
	begin_group(&groups->none, seconds);
	begin_group(&groups->other, seconds);
	for (uint32_t id = 1; id <= groups->pool.end; id++)
		if (get(groups, id))
			begin_group(get(groups, id), seconds);
}

static bool has_any(const struct session_group *group)
{
	return group->sessions || group->opens || group->closes || group->failures;
}

void session_groups__visit(const struct session_groups *groups, session_group_visitor visit,
			   void *ctx)
{
	for (uint32_t id = 1; id <= groups->pool.end; id++)
		if (get(groups, id))
			visit(ctx, get(groups, id));
	if (has_any(&groups->none))
		visit(ctx, &groups->none);
	if (has_any(&groups->other))
		visit(ctx, &groups->other);
}
