/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Metrics as text: which bucket a duration is of, hostile label values, samples, what is unknown.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "bpf/shared/tally.h"
#include "user/output/metrics.h"
#include "user/output/prom.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))

/* ---- buckets --------------------------------------------------------------------------------- */

static void test_buckets(void **state __attribute__((unused)))
{
	/* 4 us, 16 us, 64 us, and beyond. */
	static const struct log2_shape shape = {.first = 2, .step = 2, .n_bounds = 3};
	static const struct {
		const char *name;
		uint64_t ns;
		uint32_t bucket;
	} cases[] = {
		{"nothing", 0, 0},
		{"a nanosecond", 1, 0},
		{"the first bound", 4000, 0},
		{"just beyond it", 4001, 1},
		{"the second bound", 16000, 1},
		{"just beyond it", 16001, 2},
		{"the last bound", 64000, 2},
		{"just beyond it", 64001, 3},
		{"an hour", 3600000000000, 3},
		{"all there is", UINT64_MAX - 999, 3},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++)
		if (log2_shape__bucket(&shape, cases[i].ns) != cases[i].bucket)
			fail_msg("%s: %llu ns is in bucket %u", cases[i].name,
				 (unsigned long long)cases[i].ns,
				 log2_shape__bucket(&shape, cases[i].ns));
}

/* For each shape in use: a duration is of the first bucket whose bound is not less. */
static void test_shapes(void **state __attribute__((unused)))
{
	for (int which = 0; which < TALLY_HISTOGRAM_COUNT; which++) {
		const struct log2_shape *shape = &tally_shapes[which];

		assert_true(shape->n_bounds < LOG2_BUCKETS);
		for (uint32_t i = 0; i < shape->n_bounds; i++) {
			uint64_t bound = log2_shape__bound_ns(shape, i);

			assert_int_equal(log2_shape__bucket(shape, bound), i);
			assert_int_equal(log2_shape__bucket(shape, bound + 1), i + 1);
		}
	}
}

/* ---- text ------------------------------------------------------------------------------------ */

static void test_label_values(void **state __attribute__((unused)))
{
	static const struct {
		const char *name, *value, *text;
	} cases[] = {
		{"plain", "eth0", "eth0"},
		{"empty", "", ""},
		{"quote", "a\"b", "a\\\"b"},
		{"backslash", "a\\b", "a\\\\b"},
		{"newline", "a\nb", "a\\nb"},
		{"all of them at the end", "\"\\\n", "\\\"\\\\\\n"},
		{"a sample of one's own", "x\"} 1\ntcpwatch_fake 7", "x\\\"} 1\\ntcpwatch_fake 7"},
		{"UTF-8 stays", "caf\xc3\xa9", "caf\xc3\xa9"},
		{"a byte that is none", "a\xff", "a\\\\xff"},
		{"cut in the middle", "\xe2\x82", "\\\\xe2\\\\x82"},
		{"overlong", "\xc0\xaf", "\\\\xc0\\\\xaf"},
		{"a surrogate", "\xed\xa0\x80", "\\\\xed\\\\xa0\\\\x80"},
		{"escape and carriage return", "\x1b[2J\r", "\\\\x1b[2J\\\\x0d"},
		{"right to left", "\xe2\x80\xae", "\\\\xe2\\\\x80\\\\xae"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct strbuf sb = STRBUF_INIT;

		strbuf__adds(&sb, "");
		prom__add_label_value(&sb, cases[i].value);
		if (strcmp(sb.data, cases[i].text))
			fail_msg("%s: %s", cases[i].name, sb.data);
		strbuf__free(&sb);
	}
}

static void test_samples(void **state __attribute__((unused)))
{
	struct strbuf sb = STRBUF_INIT;
	struct prom_family family = {&sb, "x_total", "counter", "a \\ and\na line", false};

	prom__u64(&family, PROM_NO_LABELS, 7);
	prom__u64(&family, PROM_LABELS({"a", "1"}, {"b", "\""}), UINT64_MAX);
	prom__seconds(&family, PROM_LABELS({"a", ""}), 1500000000);
	assert_string_equal(sb.data, "# HELP x_total a \\\\ and\\na line\n"
				     "# TYPE x_total counter\n"
				     "x_total 7\n"
				     "x_total{a=\"1\",b=\"\\\"\"} 18446744073709551615\n"
				     "x_total{a=\"\"} 1.5\n");
	strbuf__free(&sb);
}

static void test_histogram(void **state __attribute__((unused)))
{
	static const struct log2_shape shape = {.first = 4, .step = 6, .n_bounds = 2};
	static const struct log2_histogram histogram = {.bucket = {2, 0, 1}, .sum_ns = 5000000100};
	struct strbuf sb = STRBUF_INIT;
	struct prom_family family = {&sb, "x_seconds", "histogram", "x", false};

	prom__histogram(&family, PROM_LABELS({"a", "b"}), &shape, &histogram);
	assert_string_equal(sb.data, "# HELP x_seconds x\n"
				     "# TYPE x_seconds histogram\n"
				     "x_seconds_bucket{a=\"b\",le=\"1.6e-05\"} 2\n"
				     "x_seconds_bucket{a=\"b\",le=\"0.001024\"} 2\n"
				     "x_seconds_bucket{a=\"b\",le=\"+Inf\"} 3\n"
				     "x_seconds_sum{a=\"b\"} 5.0000001\n"
				     "x_seconds_count{a=\"b\"} 3\n");
	strbuf__free(&sb);
}

/* ---- metrics --------------------------------------------------------------------------------- */

static const char *text_of(struct strbuf *sb, const struct figures *figures)
{
	*sb = (struct strbuf)STRBUF_INIT;
	metrics__write(sb, figures, "1.2\"3");
	assert_false(sb->failed);
	return sb->data;
}

static void assert_has(const char *text, const char *line)
{
	if (!strstr(text, line))
		fail_msg("no %s in:\n%s", line, text);
}

/* A view that is off is not a row of zeros. */
static void test_unknown_is_left_out(void **state __attribute__((unused)))
{
	static const char *const absent[] = {
		"sessions", "handshake", "retransmits", "resets", "close_wait",
		"cache",    "parse",	 "time_wait",	"tap_",
	};
	const struct figures nothing = {0};
	struct strbuf sb;
	const char *text = text_of(&sb, &nothing);

	for (size_t i = 0; i < COUNT_OF(absent); i++)
		if (strstr(text, absent[i]))
			fail_msg("%s in:\n%s", absent[i], text);
	assert_has(text, "tcpwatch_build_info{version=\"1.2\\\"3\"} 1\n");
	strbuf__free(&sb);
}

/* A look that ends at once knows what there is, not what happened. */
static void test_moment_has_no_counts(void **state __attribute__((unused)))
{
	struct figures figures = {.has_sock = true, .is_moment = true};
	struct strbuf sb;
	const char *text;

	figures__add_netns(&figures);
	text = text_of(&sb, &figures);
	assert_has(text, "tcpwatch_sessions{netns=\"\",state=\"established\"} 0\n");
	assert_null(strstr(text, "opened"));
	assert_null(strstr(text, "handshake"));
	assert_null(strstr(text, "srtt"));
	strbuf__free(&sb);
	figures__free(&figures);
}

static void test_values(void **state __attribute__((unused)))
{
	struct figures f = {.has_sock = true, .has_wire = true, .start_real_ns = 1500000001};
	struct netns_figures *ns = figures__add_netns(&f);
	struct tap_figures *tap = figures__add_tap(&f);
	struct strbuf sb;
	const char *text;

	strcpy(ns->name, "a\nb");
	ns->sockets[TCPS_ESTABLISHED] = 3;
	ns->sockets[TCPS_TIME_WAIT] =
		99; /* a full socket never is: the kernel's own total counts */
	ns->time_wait = figure__of(5);
	ns->close_wait_old = figure__of(1);
	strcpy(tap->netns, ns->name);
	strcpy(tap->name, "e\\0");
	tap->ingress = "xdp";
	tap->egress = "tcx";
	tap->bytes = 10;
	f.tally.ended[END_BY_RESET][END_SIDE_REMOTE] = 4;
	f.tally.resets_sent[2] = 6;
	f.tally.resets_sent[RESET_REASON_UNKNOWN] = 1;
	f.reset_reasons[2] = "no_socket";
	f.wire.value[WIRE_INSERTED] = 10;
	f.wire.value[WIRE_EVICTED] = 2;
	f.wire.value[WIRE_REPLACED] = 3;
	f.embryonic_resets = figure__of(8);
	f.server_timeouts = figure__of(9);
	text = text_of(&sb, &f);
	assert_has(text, "tcpwatch_sessions{netns=\"a\\nb\",state=\"established\"} 3\n");
	assert_has(text, "tcpwatch_sessions{netns=\"a\\nb\",state=\"time-wait\"} 5\n");
	assert_has(text, "tcpwatch_close_wait_old{netns=\"a\\nb\"} 1\n");
	assert_has(text, "tcpwatch_sessions_closed_total{reason=\"reset\",by=\"remote\"} 4\n");
	assert_has(text, "tcpwatch_resets_total{direction=\"sent\",reason=\"no_socket\"} 6\n");
	assert_has(text, "tcpwatch_resets_total{direction=\"sent\",reason=\"unknown\"} 1\n");
	assert_has(text, "tcpwatch_handshakes_total{side=\"server\",outcome=\"reset\"} 8\n");
	assert_has(text, "tcpwatch_handshakes_total{side=\"server\",outcome=\"timeout\"} 9\n");
	assert_has(text, "tcpwatch_tap_bytes_total{netns=\"a\\nb\",tap=\"e\\\\0\"} 10\n");
	assert_has(text, "tcpwatch_tap_info{netns=\"a\\nb\",tap=\"e\\\\0\",ingress=\"xdp\","
			 "egress=\"tcx\"} 1\n");
	assert_has(text, "tcpwatch_cache_entries 5\n");
	assert_has(text, "tcpwatch_start_time_seconds 1.500000001\n");
	strbuf__free(&sb);
	figures__free(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_buckets),	     cmocka_unit_test(test_shapes),
		cmocka_unit_test(test_label_values), cmocka_unit_test(test_samples),
		cmocka_unit_test(test_histogram),    cmocka_unit_test(test_unknown_is_left_out),
		cmocka_unit_test(test_values),	     cmocka_unit_test(test_moment_has_no_counts),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
