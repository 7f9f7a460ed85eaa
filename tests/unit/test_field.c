/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The tables of fields, what each getter says of sessions with and without a socket, choosing
 * fields by name, and sorting.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <cmocka.h>

#include "capture.h"
#include "sample.h"
#include "user/model/field.h"
#include "user/model/handshake_stats.h"
#include "user/model/session_group.h"
#include "user/model/listener.h"
#include "user/model/tcp_state.h"
#include "user/model/timewait_fields.h"
#include "user/model/timewait_row.h"
#include "user/output/output.h"
#include "user/source/syn_totals.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- the tables ------------------------------------------------------------------------------ */

static void check_field(const struct field *field)
{
	assert_non_null(field->key);
	assert_true(strlen(field->key) > 1);
	assert_int_equal(strspn(field->key, "abcdefghijklmnopqrstuvwxyz_0123456789"),
			 strlen(field->key));
	assert_true(field->key[0] >= 'a');
	assert_true(strlen(field->title) > 0 && strlen(field->help) > 0);
	assert_true(field->help[strlen(field->help) - 1] != '.');
	assert_non_null(field->unit);
	assert_non_null(field->get);
	assert_int_not_equal(field->kind, VALUE_NONE);
	assert_true(field->min_width > 0);
	if (field->kind == VALUE_DURATION)
		assert_string_equal(field->unit, "seconds");
}

static void check_table(const struct field_table *table)
{
	assert_true(table->count <= FIELD_LIST_MAX);
	for (size_t i = 0; i < table->count; i++) {
		const struct field *field = &table->fields[i];

		check_field(field);
		assert_ptr_equal(field__find(table, field->key, strlen(field->key)), field);
		for (size_t k = 0; k < i; k++)
			assert_string_not_equal(field->key, table->fields[k].key);
	}
}

static void tables_are_whole(void **state)
{
	(void)state;
	check_table(&session_fields);
	check_table(&event_fields);
	check_table(&handshake_fields);
	check_table(&timewait_fields);
	check_table(&timewait_netns_fields);
	check_table(&session_group_fields);
	assert_true(listener_fields.count <= FIELD_LIST_MAX);
}

/* What JSON prints is the key itself, whether an identifier or a text gave it. */
static void json_keys_are_keys(void **state)
{
	static const struct field_table *const tables[] = {
		&session_fields,    &event_fields,	  &handshake_fields,
		&listener_fields,   &timewait_fields,	  &timewait_netns_fields,
		&syn_totals_fields, &session_group_fields};
	char expected[128];

	(void)state;
	for (size_t t = 0; t < COUNT_OF(tables); t++)
		for (size_t i = 0; i < tables[t]->count; i++) {
			const struct field *field = &tables[t]->fields[i];

			snprintf(expected, sizeof(expected), ",\"%s\":", field->key);
			assert_string_equal(field->json_key, expected);
			assert_int_equal(field->json_key_len, strlen(expected));
		}
}

/* The keys are a promise to those who parse them: their names and their order. */
static void session_keys_are_as_promised(void **state)
{
	static const char *const keys[] = {
		"local_addr",  "local_port",
		"remote_addr", "remote_port",
		"direction",   "state",
		"peer_state",  "view",
		"netns",       "ifname",
		"pid",	       "comm",
		"age_seconds", "handshake_seconds",
		"rtt_seconds", "tx_bytes",
		"rx_bytes",    "tx_segments",
		"rx_segments", "retransmits",
		"conn_state",  "history",
	};

	(void)state;
	assert_string_equal(session_fields.schema, "tcpwatch.session.v1");
	assert_true(session_fields.count > COUNT_OF(keys));
	for (size_t i = 0; i < COUNT_OF(keys); i++) {
		assert_string_equal(session_fields.fields[i].key, keys[i]);
		assert_false(session_fields.fields[i].column_only);
	}
}

/* No getter may read what is not there, and each gives the kind that its row names. */
static void getters_keep_their_kind(void **state)
{
	static void (*const makers[])(struct sample *) = {
		sample__init, sample__init_wire, sample__init_socket, sample__init_listener};

	(void)state;
	for (size_t m = 0; m <= COUNT_OF(makers); m++) {
		struct sample s = {0}; /* a session of which nothing at all is known */

		if (m < COUNT_OF(makers))
			makers[m](&s);
		for (size_t i = 0; i < session_fields.count; i++) {
			const struct field *field = &session_fields.fields[i];
			struct value value;

			field->get(&s.session, &sample_moment, &value);
			if (value.kind != VALUE_NONE && value.kind != field->kind)
				fail_msg("%s is of kind %d", field->key, value.kind);
		}
	}
}

/* What the value's memory held before has no part in what it says. */
static void check_addresses(const struct field_table *table, const void *row, size_t expected)
{
	size_t count = 0;

	for (size_t i = 0; i < table->count; i++) {
		const struct field *field = &table->fields[i];
		struct value value;

		if (field->kind != VALUE_ADDR && field->kind != VALUE_ENDPOINT)
			continue;
		memset(&value, 0x01, sizeof(value));
		field->get(row, &sample_moment, &value);
		assert_int_equal(value.kind, field->kind);
		if (value.is_v6 || value.is_dual)
			fail_msg("%s of %s is of no AF_INET6 socket", field->key, table->schema);
		count++;
	}
	assert_int_equal(count, expected);
}

static void addresses_are_whole(void **state)
{
	const struct endpoint server = {sample__addr("10.0.0.1"), 443};
	const struct handshake_group group = {.has_server = true, .server = server};
	const struct timewait_row waiting = {.local = server, .remote = server};
	struct sample s;

	(void)state;
	sample__init_wire(&s);
	sample__translate(&s, "192.0.2.1", 5555, "192.0.2.9", 80);
	check_addresses(&session_fields, &s.session, 8);
	check_addresses(&handshake_fields, &group, 2);
	check_addresses(&timewait_fields, &waiting, 4);
}

/* ---- values ---------------------------------------------------------------------------------- */

static void no_change(struct sample *s)
{
	(void)s;
}

static void make_request_sock(struct sample *s)
{
	sample__init_socket(s);
	s->sock.is_minisock = true;
	s->sock.state = TCPS_SYN_RECV;
	s->sock.syn_retransmits = 2;
	s->sock.cookie = 0;
	s->session.owner.pid = 0;
}

static void make_time_wait(struct sample *s)
{
	sample__init(s);
	s->sock.is_minisock = true;
	s->sock.state = TCPS_TIME_WAIT;
	s->sock.role = ROLE_UNKNOWN;
	s->sock.srtt_us = 0;
}

static void make_midstream(struct sample *s)
{
	sample__init_wire(s);
	s->verdict.syn_ns = s->verdict.synack_ns = s->verdict.ack_ns = 0;
	s->verdict.roles_guessed = true;
	s->verdict.closed_first = DIR_COUNT;
}

static void make_midstream_of_socket(struct sample *s)
{
	sample__init(s);
	s->verdict.roles_guessed = true;
}

static void make_resets_alone(struct sample *s)
{
	make_midstream(s);
	s->verdict.established = false;
}

static void make_forwarded(struct sample *s)
{
	sample__init_wire(s);
	s->session.is_forwarded = true;
	s->session.tap_is_gone = true;
}

static void make_old_socket(struct sample *s)
{
	sample__init_socket(s);
	s->sock.born_ns = 0;
	s->sock.role = ROLE_UNKNOWN;
	s->sock.srtt_us = 0;
	s->sock.family = AF_INET6;
	s->session.netns_name = NULL;
}

/* The SYN that the taps saw first was one that it sent again. */
static void make_half_seen(struct sample *s)
{
	sample__init(s);
	s->sock.born_ns = 0;
	s->sock.retransmits = 2;
}

static void make_timed_socket(struct sample *s)
{
	sample__init_socket(s);
	s->sock.role = ROLE_ACTIVE;
	s->sock.syn_ns = 1000;
	s->sock.established_ns = 251000;
	s->sock.close_by = CLOSE_LOCAL;
}

static void make_born_in_the_future(struct sample *s)
{
	sample__init_socket(s);
	s->sock.born_ns = SAMPLE_NOW_NS + 1;
	s->sock.syn_ns = 5;
	s->sock.established_ns = 4;
}

/* What `tcpwatch sessions` prints for a field of a sample. */
static const struct value_case {
	const char *name;
	void (*make)(struct sample *s);
	const char *key, *expected;
} value_cases[] = {
	{"both", no_change, "local_addr", "10.0.0.1"},
	{"both", no_change, "local_port", "443"},
	{"both", no_change, "remote", "192.0.2.7:51515"},
	{"both: accepted", no_change, "direction", "in"},
	{"both: the kernel's state wins", no_change, "state", "ESTAB"},
	{"both", no_change, "peer_state", "FIN-WAIT-2"},
	{"both", no_change, "view", "both"},
	{"both", no_change, "netns", "self"},
	{"both", no_change, "ifname", "eth0"},
	{"both", no_change, "pid", "812"},
	{"both", no_change, "comm", "nginx"},
	{"both: the socket's birth", no_change, "age_seconds", "5.00s"},
	{"both: the wire's handshake", no_change, "handshake_seconds", "123us"},
	{"both", no_change, "rtt_seconds", "12.3ms"},
	{"both: the socket's bytes", no_change, "tx_bytes", "1.43M"},
	{"both", no_change, "rx_bytes", "734"},
	{"both: the socket's segments", no_change, "tx_segments", "1042"},
	{"both", no_change, "rx_segments", "530"},
	{"both: the socket's retransmits", no_change, "retransmits", "3"},
	{"both", no_change, "conn_state", "S2"},
	{"both", no_change, "history", "ShADadFa"},
	{"both", no_change, "cwnd", "10"},
	{"both", no_change, "rx_queue", "1"},
	{"both", no_change, "tx_queue", "2"},
	{"both: no listener", no_change, "syn_queue", "-"},
	{"both", no_change, "uid", "33"},
	{"both", no_change, "cookie", "77"},
	{"both", no_change, "cgroup_id", "4242"},
	{"both: the socket knows", no_change, "roles_guessed", "no"},
	{"both", no_change, "closed_by", "remote"},
	{"both", no_change, "iface_gone", "no"},

	{"wire", sample__init_wire, "view", "wire"},
	{"wire", sample__init_wire, "state", "CLOSE-WAIT"},
	{"wire: the peer opened", sample__init_wire, "direction", "in"},
	{"wire", sample__init_wire, "pid", "-"},
	{"wire", sample__init_wire, "comm", "-"},
	{"wire: since the SYN", sample__init_wire, "age_seconds", "6.00s"},
	{"wire", sample__init_wire, "rtt_seconds", "-"},
	{"wire", sample__init_wire, "tx_bytes", "1.42M"},
	{"wire", sample__init_wire, "rx_bytes", "700"},
	{"wire", sample__init_wire, "tx_segments", "1000"},
	{"wire", sample__init_wire, "rx_segments", "500"},
	{"wire: SYN included", sample__init_wire, "retransmits", "3"},
	{"wire", sample__init_wire, "cwnd", "-"},
	{"wire", sample__init_wire, "rx_queue", "-"},
	{"wire", sample__init_wire, "uid", "-"},
	{"wire", sample__init_wire, "cookie", "-"},
	{"wire", sample__init_wire, "roles_guessed", "no"},

	{"midstream", make_midstream, "age_seconds", "-"},
	{"midstream", make_midstream, "handshake_seconds", "-"},
	{"midstream", make_midstream, "direction", "in?"},
	{"midstream, the socket knows", make_midstream_of_socket, "direction", "in"},
	{"midstream, the socket knows", make_midstream_of_socket, "roles_guessed", "no"},
	{"resets alone", make_resets_alone, "direction", "-"},
	{"resets alone", make_resets_alone, "roles_guessed", "-"},
	{"midstream", make_midstream, "roles_guessed", "yes"},
	{"midstream", make_midstream, "closed_by", "-"},
	{"forwarded", make_forwarded, "direction", "forward"},
	{"forwarded, interface gone", make_forwarded, "iface_gone", "yes"},

	{"socket", sample__init_socket, "view", "socket"},
	{"socket", sample__init_socket, "peer_state", "-"},
	{"socket", sample__init_socket, "ifname", "-"},
	{"socket", sample__init_socket, "handshake_seconds", "-"},
	{"socket", sample__init_socket, "conn_state", "-"},
	{"socket", sample__init_socket, "history", "-"},
	{"socket", sample__init_socket, "closed_by", "-"},
	{"socket", sample__init_socket, "iface_gone", "-"},
	{"timed socket", make_timed_socket, "handshake_seconds", "250us"},
	{"timed socket", make_timed_socket, "direction", "out"},
	{"timed socket", make_timed_socket, "closed_by", "local"},
	{"older than the tool", make_old_socket, "age_seconds", "-"},
	{"older than the tool", make_old_socket, "direction", "-"},
	{"older than the tool", make_old_socket, "roles_guessed", "-"},
	{"older than the tool", make_old_socket, "rtt_seconds", "-"},
	{"older than the tool, opening", make_half_seen, "age_seconds", "-"},
	{"older than the tool, opening", make_half_seen, "handshake_seconds", "-"},
	{"namespace without a name", make_old_socket, "netns", "4026531840"},
	{"mapped address", make_old_socket, "local_addr", "::ffff:10.0.0.1"},
	{"mapped endpoint", make_old_socket, "local", "[::ffff:10.0.0.1]:443"},
	{"clock raced", make_born_in_the_future, "age_seconds", "0s"},
	{"negative handshake", make_born_in_the_future, "handshake_seconds", "-"},

	{"listener", sample__init_listener, "state", "LISTEN"},
	{"listener", sample__init_listener, "remote_port", "-"},
	{"listener", sample__init_listener, "remote", "0.0.0.0:*"},
	{"listener", sample__init_listener, "direction", "-"},
	{"listener", sample__init_listener, "tx_bytes", "-"},
	{"listener", sample__init_listener, "retransmits", "-"},
	{"listener", sample__init_listener, "rtt_seconds", "-"},
	{"listener: accept queue", sample__init_listener, "rx_queue", "5"},
	{"listener: its limit", sample__init_listener, "tx_queue", "128"},
	{"listener: SYN queue", sample__init_listener, "syn_queue", "9"},

	{"request sock", make_request_sock, "state", "SYN-RECV"},
	{"request sock", make_request_sock, "tx_bytes", "-"},
	{"request sock: SYN-ACKs", make_request_sock, "retransmits", "2"},
	{"request sock", make_request_sock, "rx_queue", "-"},
	{"request sock", make_request_sock, "uid", "-"},
	{"request sock", make_request_sock, "cookie", "-"},
	{"request sock", make_request_sock, "pid", "-"},
	{"TIME_WAIT: the wire's bytes", make_time_wait, "tx_bytes", "1.42M"},
	{"TIME_WAIT: the wire's roles", make_time_wait, "direction", "in"},
	{"TIME_WAIT", make_time_wait, "state", "TIME-WAIT"},
	{"TIME_WAIT", make_time_wait, "cwnd", "-"},
};

static void values_are_the_best_known(void **state)
{
	struct strbuf sb = STRBUF_INIT;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(value_cases); i++) {
		const struct value_case *c = &value_cases[i];
		struct sample s;
		struct value value;

		sample__init(&s);
		c->make(&s);
		strbuf__clear(&sb);
		field__find(&session_fields, c->key, strlen(c->key))
			->get(&s.session, &sample_moment, &value);
		text__value(&sb, &value);
		if (strcmp(sb.data, c->expected))
			fail_msg("%s: %s is '%s', expected '%s'", c->name, c->key, sb.data,
				 c->expected);
	}
	strbuf__free(&sb);
}

static void comm_may_fill_its_array(void **state)
{
	struct sample s;
	struct value value;

	(void)state;
	sample__init(&s);
	memset(s.session.owner.comm, 'x', sizeof(s.session.owner.comm));
	field__find(&session_fields, "comm", 4)->get(&s.session, &sample_moment, &value);
	assert_int_equal(value.text_len, sizeof(s.session.owner.comm));
}

/* ---- names ----------------------------------------------------------------------------------- */

static void finds_fields(void **state)
{
	(void)state;
	assert_string_equal(field__find(&session_fields, "rtt", 3)->key, "rtt_seconds");
	assert_string_equal(field__find(&session_fields, "age,pid", 3)->key, "age_seconds");
	assert_null(field__find(&session_fields, "tx", 2));
	assert_null(field__find(&session_fields, "", 0));
	assert_null(field__find(&event_fields, "cwnd", 4));
	assert_string_equal(field__nearest(&session_fields, "comn", 4), "comm");
}

static const struct list_case {
	const char *name, *spec, *keys, *message;
} list_cases[] = {
	{"one", "pid", "pid", NULL},
	{"in the order given", "state,pid,local", "state,pid,local", NULL},
	{"short for seconds", "age,rtt", "age_seconds,rtt_seconds", NULL},
	{"appended", "+cwnd,uid", "comm,cwnd,uid", NULL},
	{"twice", "pid,state,pid", "pid,state", NULL},
	{"twice, by two names", "rtt,rtt_seconds", "rtt_seconds", NULL},
	{"appended though it is there", "+comm,pid,pid", "comm,pid", NULL},
	{"empty", "", NULL, "unknown field ''"},
	{"empty item", "pid,,comm", NULL, "unknown field ''"},
	{"trailing comma", "pid,", NULL, "unknown field ''"},
	{"mistyped", "pid,stat", NULL, "unknown field 'stat'; did you mean 'state'?"},
	{"unlike any", "pid,zebra", NULL, "unknown field 'zebra'; --fields help lists"},
	{"hostile", "\033[2J", NULL, "unknown field '\\x1b[2J'"},
};

static void parses_lists(void **state)
{
	struct capture capture;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(list_cases); i++) {
		const struct list_case *c = &list_cases[i];
		struct field_list list = {.items = {field__find(&session_fields, "comm", 4)},
					  .count = 1};
		char keys[256] = "";
		const char *message;
		int err;

		capture__begin(&capture);
		err = field_list__parse(&list, &session_fields, c->spec);
		message = capture__end(&capture);
		for (size_t k = 0; k < list.count; k++) {
			strcat(keys, k ? "," : "");
			strcat(keys, list.items[k]->key);
		}
		if (c->message ? err != -EINVAL || !strstr(message, c->message) : err || *message)
			fail_msg("%s: %d, %s", c->name, err, message);
		if (strcmp(keys, c->keys ? c->keys : "comm"))
			fail_msg("%s: %s", c->name, keys);
	}
}

/* Memory has room for that much. */
static void holds_every_field(void **state)
{
	struct field_list list = {.count = 0};
	struct strbuf spec = STRBUF_INIT;

	(void)state;
	for (size_t i = 0; i < 2 * event_fields.count; i++)
		strbuf__addf(&spec, "%s%s", i ? "," : "",
			     event_fields.fields[i % event_fields.count].key);
	assert_int_equal(field_list__parse(&list, &event_fields, spec.data), 0);
	assert_int_equal(list.count, event_fields.count);
	strbuf__free(&spec);
}

static const struct sort_case {
	const char *spec, *key;
	bool descending;
} sort_cases[] = {
	{"pid", "pid", false},
	{"-pid", "pid", true},
	{"+pid", "pid", false},
	{"rtt:desc", "rtt_seconds", true},
	{"rtt:asc", "rtt_seconds", false},
	{"-rtt", "rtt_seconds", true},
	{"-rtt:asc", "rtt_seconds", false},
	{"pid:up", NULL, false},
	{"", NULL, false},
	{"-", NULL, false},
	{":desc", NULL, false},
	{"nonsense", NULL, false},
};

static void parses_sorts(void **state)
{
	struct capture capture;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(sort_cases); i++) {
		const struct sort_case *c = &sort_cases[i];
		struct sort_spec sort = {0};
		const char *message;
		int err;

		capture__begin(&capture);
		err = sort_spec__parse(&sort, &session_fields, c->spec);
		message = capture__end(&capture);
		if (!c->key && (err != -EINVAL || !strstr(message, "--sort: ")))
			fail_msg("'%s': %d, %s", c->spec, err, message);
		if (c->key &&
		    (err || strcmp(sort.field->key, c->key) || sort.descending != c->descending))
			fail_msg("'%s': %d, %s", c->spec, err, message);
	}
}

/* ---- sorting --------------------------------------------------------------------------------- */

#define SORT_ROWS 500

/* A fixed sequence that looks like chance (Numerical Recipes' generator). */
static uint32_t scramble(uint32_t *seed)
{
	*seed = *seed * 1664525u + 1013904223u;
	return *seed >> 8;
}

static void make_rows(struct sample *samples, const void **rows)
{
	uint32_t seed = 1;

	for (unsigned i = 0; i < SORT_ROWS; i++) {
		struct sample *s = &samples[i];
		char remote[32];

		sample__init(s);
		snprintf(remote, sizeof(remote), i % 3 ? "10.1.%u.%u" : "2001:db8::%u:%u", i % 7,
			 scramble(&seed) % 250);
		sample__set_endpoints(s, "10.0.0.1", 443, remote, (uint16_t)(1024 + i));
		s->sock.tx_bytes = scramble(&seed) % 100;
		s->sock.srtt_us =
			scramble(&seed) % 4 ? scramble(&seed) % 1000 : 0; /* some unknown */
		s->sock.state = (uint8_t)(1 + scramble(&seed) % 3);
		s->session.owner.pid = scramble(&seed) % 3 ? scramble(&seed) % 20 : 0;
		snprintf(s->session.owner.comm, sizeof(s->session.owner.comm), "p%u",
			 scramble(&seed) % 50);
		s->session.netns_name =
			i % 2 ? "a-namespace-with-a-long-name-1" : "a-namespace-with-a-long-name-0";
		rows[i] = &s->session;
	}
}

/* Rows @a, @b in order by the public comparison of their values? */
static bool is_ordered(const struct session *a, const struct session *b,
		       const struct sort_spec *sort)
{
	struct value x, y;
	int order;

	sort->field->get(a, &sample_moment, &x);
	sort->field->get(b, &sample_moment, &y);
	order = value__compare(&x, &y);
	if (x.kind == VALUE_NONE || y.kind == VALUE_NONE)
		return order <= 0;
	return sort->descending ? order >= 0 : order <= 0;
}

static void check_sorted(const void **rows, size_t limit, const struct sort_spec *sort)
{
	for (size_t i = 1; i < SORT_ROWS; i++) {
		size_t before = i < limit ? i - 1 : limit - 1;

		if (!is_ordered(rows[before], rows[i], sort))
			fail_msg("%s: row %zu after row %zu, limit %zu", sort->field->key, i,
				 before, limit);
	}
}

static void sorts_by_every_field(void **state)
{
	static struct sample samples[SORT_ROWS];
	static const void *rows[SORT_ROWS], *again[SORT_ROWS];
	static const size_t limits[] = {0, 1, 2, 40, SORT_ROWS - 1, SORT_ROWS, SORT_ROWS + 1};

	(void)state;
	for (size_t f = 0; f < 2 * session_fields.count; f++) {
		struct sort_spec sort = {&session_fields.fields[f / 2], f % 2};

		make_rows(samples, rows);
		field_table__sort(&session_fields, rows, SORT_ROWS, 0, &sort, &sample_moment);
		for (size_t i = 0; i < COUNT_OF(limits); i++) {
			size_t limit = limits[i] && limits[i] < SORT_ROWS ? limits[i] : SORT_ROWS;

			make_rows(samples, again);
			field_table__sort(&session_fields, again, SORT_ROWS, limits[i], &sort,
					  &sample_moment);
			check_sorted(again, limit, &sort);
			/* Ties do not depend on where the rows were before. */
			assert_memory_equal(again, rows, limit * sizeof(rows[0]));
		}
	}
}

static void sorts_nothing(void **state)
{
	struct sort_spec sort = {&session_fields.fields[0], false};
	struct sample s;
	const void *row = &s.session;

	(void)state;
	sample__init(&s);
	field_table__sort(&session_fields, NULL, 0, 0, &sort, &sample_moment);
	field_table__sort(&session_fields, &row, 1, 5, &sort, &sample_moment);
	assert_ptr_equal(row, &s.session);
}

static void compares_values(void **state)
{
	struct value none = {.kind = VALUE_NONE}, one = {.kind = VALUE_COUNT, .u = 1},
		     two = {.kind = VALUE_COUNT, .u = 2}, ab, abc, empty;

	(void)state;
	value__set_text(&ab, "ab", 2);
	value__set_text(&abc, "abc", 3);
	value__set_text(&empty, "", 0);
	assert_true(value__compare(&one, &two) < 0);
	assert_true(value__compare(&two, &one) > 0);
	assert_int_equal(value__compare(&one, &one), 0);
	assert_true(value__compare(&none, &two) > 0);
	assert_true(value__compare(&two, &none) < 0);
	assert_int_equal(value__compare(&none, &none), 0);
	assert_true(value__compare(&ab, &abc) < 0);
	assert_true(value__compare(&empty, &ab) < 0);
}

/* ---- states and events ----------------------------------------------------------------------- */

static void names_states(void **state)
{
	(void)state;
	assert_string_equal(tcp_state__name(TCPS_ESTABLISHED), "ESTAB");
	assert_string_equal(tcp_state__name(TCPS_UNKNOWN), "UNKNOWN");
	assert_string_equal(tcp_state__name(200), "UNKNOWN");
	assert_int_equal(tcp_state__phase(TCPS_CLOSING), PHASE_CLOSING);
	assert_int_equal(tcp_state__phase(200), PHASE_UNKNOWN);
#define X(id, number, name, filter_name)                                          \
	assert_int_not_equal(tcp_state__phase(number), PHASE_UNKNOWN);            \
	assert_int_equal(tcp_state__mask(name, strlen(name)), STATE_BIT(number)); \
	assert_int_equal(tcp_state__mask(filter_name, strlen(filter_name)), STATE_BIT(number));
	TCP_STATES(X)
#undef X
	assert_int_equal(tcp_state__mask("Big", 3), STATE_MASK_ALL & ~STATE_MASK_BUCKET);
	assert_int_equal(tcp_state__mask("establishe", 10), 0);
	assert_string_equal(tcp_state__nearest("establishd", 10), "established");
}

static struct event make_event(enum event_kind kind, const struct session *session)
{
	return (struct event){.kind = kind,
			      .time_ns = SAMPLE_NOW_NS,
			      .session = session,
			      .view = VIEW_WIRE,
			      .old_state = TCPS_ESTABLISHED,
			      .new_state = TCPS_CLOSE_WAIT,
			      .reason = "fin",
			      .closed_by = CLOSE_REMOTE,
			      .lost = 12};
}

static const struct event_case {
	enum event_kind kind;
	const char *key, *expected;
} event_cases[] = {
	{EVENT_CLOSED, "time", "2023-11-14T22:15:00.000000000Z"},
	{EVENT_CLOSED, "event", "closed"},
	{EVENT_CLOSED, "local_addr", "10.0.0.1"},
	{EVENT_CLOSED, "view", "wire"},
	{EVENT_CLOSED, "old_state", "ESTAB"},
	{EVENT_CLOSED, "new_state", "CLOSE-WAIT"},
	{EVENT_CLOSED, "reason", "fin"},
	{EVENT_CLOSED, "tx_bytes", "1.43M"},
	{EVENT_CLOSED, "history", "ShADadFa"},
	{EVENT_CLOSED, "duration_seconds", "5.00s"},
	{EVENT_CLOSED, "handshake_seconds", "123us"},
	{EVENT_CLOSED, "closed_by", "remote"},
	{EVENT_CLOSED, "isn", "-"},
	{EVENT_CLOSED, "lost", "-"},
	{EVENT_ESTABLISHED, "handshake_seconds", "123us"},
	{EVENT_ESTABLISHED, "tx_bytes", "-"},
	{EVENT_ESTABLISHED, "conn_state", "-"},
	{EVENT_ESTABLISHED, "pid", "812"},
	{EVENT_HANDSHAKE_FAILED, "conn_state", "S2"},
	{EVENT_SYN, "isn", "305419896"},
	{EVENT_SYN, "mss", "1460"},
	{EVENT_SYN, "wscale", "7"},
	{EVENT_RETRANSMIT, "isn", "-"},
	{EVENT_LOST, "lost", "12"},
	{EVENT_LOST, "local_addr", "-"},
};

static void tells_events(void **state)
{
	static const uint8_t options[] = {2, 4, 1460 >> 8, 1460 & 0xff, 1, 3, 3, 7};
	struct rec_segment segment = {.seg = {.seq = 0x12345678, .opt_bytes = sizeof(options)}};
	struct strbuf sb = STRBUF_INIT;
	struct sample s;

	(void)state;
	memcpy(segment.options, options, sizeof(options));
	sample__init(&s);
	for (size_t i = 0; i < COUNT_OF(event_cases); i++) {
		const struct event_case *c = &event_cases[i];
		struct event event = make_event(c->kind, c->kind == EVENT_LOST ? NULL : &s.session);
		struct value value;

		event.segment = &segment;
		strbuf__clear(&sb);
		field__find(&event_fields, c->key, strlen(c->key))
			->get(&event, &sample_moment, &value);
		text__value(&sb, &value);
		if (strcmp(sb.data, c->expected))
			fail_msg("%s of %s: '%s', expected '%s'", c->key, event_kind__name(c->kind),
				 sb.data, c->expected);
	}
	strbuf__free(&sb);
}

/* Each kind, with and without what an event may lack. */
static void tells_every_event(void **state)
{
	struct strbuf sb = STRBUF_INIT;
	struct sample s;

	(void)state;
	sample__init_socket(&s);
	for (int kind = 0; kind < EVENT_COUNT; kind++) {
		struct event event = make_event(kind, kind % 2 ? NULL : &s.session);

		event.reason = NULL;
		json__row(&sb, &event_fields, &event, &sample_moment);
		assert_non_null(strstr(sb.data, event_kind__name(kind)));
	}
	assert_string_equal(event_kind__name(EVENT_COUNT), "unknown");
	strbuf__free(&sb);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(tables_are_whole),
		cmocka_unit_test(json_keys_are_keys),
		cmocka_unit_test(session_keys_are_as_promised),
		cmocka_unit_test(getters_keep_their_kind),
		cmocka_unit_test(addresses_are_whole),
		cmocka_unit_test(values_are_the_best_known),
		cmocka_unit_test(comm_may_fill_its_array),
		cmocka_unit_test(finds_fields),
		cmocka_unit_test(parses_lists),
		cmocka_unit_test(holds_every_field),
		cmocka_unit_test(parses_sorts),
		cmocka_unit_test(sorts_by_every_field),
		cmocka_unit_test(sorts_nothing),
		cmocka_unit_test(compares_values),
		cmocka_unit_test(names_states),
		cmocka_unit_test(tells_events),
		cmocka_unit_test(tells_every_event),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
