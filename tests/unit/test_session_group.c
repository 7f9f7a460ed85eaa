/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sums of sessions by a field: what is there, what closed, how fast; and never more groups than
 * there may be.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "sample.h"
#include "user/model/session_group.h"

#define SEC TW_NSEC_PER_SEC

static struct session_groups *make(const char *by, bool is_following)
{
	const struct field *field = field__find(&session_fields, by, strlen(by));
	struct session_groups *groups = session_groups__new(field, is_following);

	assert_non_null(groups);
	return groups;
}

struct found {
	const struct session_group *last, *none, *other;
	size_t count;
};

static void on_group(void *ctx, const struct session_group *group)
{
	struct found *found = ctx;

	found->count++;
	if (group->name)
		found->last = group;
	else if (group->is_other)
		found->other = group;
	else
		found->none = group;
}

static struct found visit(const struct session_groups *groups)
{
	struct found found = {0};

	session_groups__visit(groups, on_group, &found);
	return found;
}

static void note(struct session_groups *groups, const struct sample *s, enum event_kind kind)
{
	const struct event event = {.kind = kind, .session = &s->session};

	assert_int_equal(session_groups__note(groups, &event, &sample_moment), 0);
}

/* What a session that closed had sent stays in the sum, once. */
static void test_closed_stay_counted(void **state)
{
	static const struct {
		const char *name;
		bool is_minisock, is_gone; /* what a look finds after the end */
		uint64_t sessions;
	} cases[] = {{"gone", false, true, 0}, {"in TIME_WAIT", true, false, 1}};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct session_groups *groups = make("comm", true);
		struct sample s;

		sample__init(&s);
		session_groups__begin(groups, &sample_moment);
		session_groups__add(groups, &s.session, &sample_moment);
		assert_int_equal(visit(groups).last->open.tx_bytes, s.sock.tx_bytes);
		note(groups, &s, EVENT_CLOSED);
		session_groups__begin(groups, &sample_moment);
		s.sock.is_minisock = cases[i].is_minisock;
		s.sock.state = TCPS_TIME_WAIT;
		if (!cases[i].is_gone)
			session_groups__add(groups, &s.session, &sample_moment);
		if (visit(groups).last->open.tx_bytes ||
		    visit(groups).last->closed.tx_bytes != s.sock.tx_bytes ||
		    visit(groups).last->sessions != cases[i].sessions)
			fail_msg("%s", cases[i].name);
		session_groups__free(groups);
	}
}

static void test_rates(void **state)
{
	struct session_groups *groups = make("comm", true);
	struct moment now = sample_moment;
	struct sample s;

	(void)state;
	sample__init(&s);
	session_groups__begin(groups, &now);
	for (int i = 0; i < 6; i++)
		note(groups, &s, EVENT_ESTABLISHED);
	note(groups, &s, EVENT_HANDSHAKE_FAILED);
	note(groups, &s, EVENT_SYN);
	now.mono_ns += 2 * SEC;
	session_groups__begin(groups, &now);
	assert_true(visit(groups).last->opens_per_second == 3);
	assert_true(visit(groups).last->closes_per_second == 0);
	assert_int_equal(visit(groups).last->opens, 6);
	assert_int_equal(visit(groups).last->failures, 1);
	session_groups__begin(groups, &now); /* no time has passed */
	assert_true(isnan(visit(groups).last->opens_per_second));
	session_groups__free(groups);
}

static void test_unknown_and_other(void **state)
{
	struct session_groups *groups = make("comm", false);
	struct sample s;

	(void)state;
	sample__init(&s);
	session_groups__begin(groups, &sample_moment);
	for (int i = 0; i < SESSION_GROUPS_MAX + 10; i++) {
		snprintf(s.session.owner.comm, sizeof(s.session.owner.comm), "p%d", i);
		assert_int_equal(session_groups__add(groups, &s.session, &sample_moment), 0);
	}
	s.session.owner.pid = 0;
	session_groups__add(groups, &s.session, &sample_moment);
	assert_int_equal(visit(groups).count, SESSION_GROUPS_MAX + 2);
	assert_int_equal(visit(groups).other->sessions, 10);
	assert_int_equal(visit(groups).none->sessions, 1);
	session_groups__free(groups);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_closed_stay_counted),
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_unknown_and_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
