/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The header of top: rates between two readings, and lines that break between figures.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "user/tap/tap_internal.h"
#include "user/ui/flow.h"
#include "user/ui/summary.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define SEC		TW_NSEC_PER_SEC
#define LONGEST_WORD	12 /* columns, of those in these headers */

static struct live_stats reading(uint64_t mono_ns, uint64_t opens)
{
	struct live_stats stats = {.now = {.mono_ns = mono_ns}, .has_sock = true, .has_wire = true};

	stats.sock.value[SOCKC_ACTIVE_OPEN] = opens;
	stats.sock.value[SOCKC_PASSIVE_OPEN] = opens;
	stats.table.wire_retransmits = 7;
	stats.table.wire_opened = 100 + opens; /* by no socket */
	return stats;
}

static const struct rate_case {
	const char *name;
	bool has_before, is_wire_only;
	uint64_t before_ns, before, now_ns, now;
	enum rate rate;
	double per_second; /* negative: not known */
	uint64_t total;
} rate_cases[] = {
	{"the first reading has no rate", false, false, 0, 0, 5 * SEC, 10, RATE_OPENS, -1, 130},
	{"all kinds of opens", true, false, 3 * SEC, 10, 5 * SEC, 20, RATE_OPENS, 15, 160},
	{"nothing moved", true, false, 3 * SEC, 10, 5 * SEC, 10, RATE_OPENS, 0, 130},
	{"no time has passed", true, false, 5 * SEC, 10, 5 * SEC, 20, RATE_OPENS, -1, 160},
	{"a counter that fell (a namespace went)", true, false, 3 * SEC, 20, 5 * SEC, 10,
	 RATE_OPENS, 0, 130},
	{"half a second", true, false, 0, 0, SEC / 2, 3, RATE_OPENS, 18, 109},
	{"no socket view: opens are the taps'", true, true, 3 * SEC, 1, 5 * SEC, 3, RATE_OPENS, 1,
	 103},
	{"no socket view: resets are not known", true, true, 3 * SEC, 1, 5 * SEC, 2, RATE_RESETS_IN,
	 -1, UNKNOWN_U64},
	{"no socket view: retransmissions are the taps'", true, true, 3 * SEC, 1, 5 * SEC, 2,
	 RATE_RETRANSMITS, 0, 7},
};

static void test_rates(void **state __attribute__((unused)))
{
	for (size_t i = 0; i < COUNT_OF(rate_cases); i++) {
		const struct rate_case *c = &rate_cases[i];
		struct live_stats before = reading(c->before_ns, c->before);
		struct live_stats now = reading(c->now_ns, c->now);
		struct rates rates;

		before.has_sock = now.has_sock = !c->is_wire_only;
		rates = rates__between(c->has_before ? &before : NULL, &now);
		if (rates.per_second[c->rate] != c->per_second || rates.total[c->rate] != c->total)
			fail_msg("%s: %g/s, %llu in all", c->name, rates.per_second[c->rate],
				 (unsigned long long)rates.total[c->rate]);
	}
}

static void write_summary(struct strbuf *sb, const struct live_stats *stats, unsigned width)
{
	const struct rates rates = rates__between(NULL, stats);
	const struct summary summary = {.stats = stats, .rates = &rates, .n_shown = 3};

	summary__write(sb, &summary, width);
}

/* Every line fits, and put side by side the lines of any width say the same. */
static void test_any_width(void **state __attribute__((unused)))
{
	struct live_stats stats = reading(SEC, 123456789);
	struct strbuf whole = STRBUF_INIT;

	stats.table.sessions = 4;
	for (unsigned s = TCPS_UNKNOWN; s < TCPS_COUNT; s++)
		stats.table.by_state[s] = 1000 + s;
	stats.lost.value[REC_SEGMENT] = 5;
	stats.wire.value[WIRE_EVICTED] = 12;
	write_summary(&whole, &stats, 0);
	for (unsigned width = LONGEST_WORD; width < 200; width += 7) {
		struct strbuf sb = STRBUF_INIT;
		size_t longest = 0, words = 0, whole_words = 0;

		write_summary(&sb, &stats, width);
		for (const char *line = sb.data; *line; line = strchr(line, '\n') + 1)
			longest = strcspn(line, "\n") > longest ? strcspn(line, "\n") : longest;
		for (const char *at = sb.data; *at; at++)
			words += *at != ' ' && *at != '\n';
		for (const char *at = whole.data; *at; at++)
			whole_words += *at != ' ' && *at != '\n';
		if (longest > width || words != whole_words)
			fail_msg("width %u: longest line %zu\n%s", width, longest, sb.data);
		strbuf__free(&sb);
	}
	strbuf__free(&whole);
}

static void test_what_it_says(void **state __attribute__((unused)))
{
	static const char *const parts[] = {
		"4 sessions (3 shown)",
		"  ESTAB 9",
		"opens -/s (103)",
		"SYN backlog 6",
		"accept queues full 1",
		"kernel's TIME-WAIT 8",
		"orphaned FIN-WAIT-2 2",
		"lost 5",
		"cache 10/4096 0.2% (1.00M)",
		"no interface is watched",
	};
	struct live_stats stats = reading(SEC, 1);
	struct strbuf sb = STRBUF_INIT;

	stats.table.sessions = 4;
	stats.table.by_state[TCPS_ESTABLISHED] = 9;
	stats.syn_queue = 6;
	stats.accept_queue_full = 1;
	stats.time_wait = 8;
	stats.time_wait_fin2 = 2;
	stats.lost.value[REC_FRAGMENT] = 2;
	stats.lost.value[REC_SEGMENT] = 3;
	stats.cache = (struct wire_view_stats){.slots = 4096, .used = 10, .bytes = 1 << 20};
	write_summary(&sb, &stats, 0);
	for (size_t i = 0; i < COUNT_OF(parts); i++)
		if (!strstr(sb.data, parts[i]))
			fail_msg("\"%s\" is missing in:\n%s", parts[i], sb.data);
	assert_null(strstr(sb.data, "SYN-SENT")); /* no state without a session */
	strbuf__free(&sb);
}

/* ---- taps ------------------------------------------------------------------------------------ */

/* Taps in the order of their ids, each a letter: L is live, d one that went just now, n likewise
 * but named, p past. */
static void write_taps(struct strbuf *sb, const char *taps)
{
	struct slot slots[32], *list[32];
	struct tap_set set = {.slots = list};
	struct flow flow;

	for (const char *at = taps; *at; at++) {
		struct slot *slot = &slots[set.n_slots];

		*slot = (struct slot){.tap = {.iface.flags = IFF_UP, .ingress = ATTACH_TCX}};
		slot->tap.is_gone = *at != 'L';
		slot->tap.is_named = *at == 'n';
		slot->tap.is_past = *at == 'p';
		set.n_went += slot->tap.is_gone;
		snprintf(slot->tap.iface.name, IF_NAMESIZE, "%c%zu", *at, set.n_slots);
		snprintf(slot->tap.note, sizeof(slot->tap.note), "%s",
			 slot->tap.is_gone ? "why" : "");
		list[set.n_slots++] = slot;
	}
	flow__init(&flow, sb, 0);
	summary__add_taps(&flow, &set);
	flow__fini(&flow);
}

static void test_taps(void **state __attribute__((unused)))
{
	static const struct {
		const char *name, *taps, *line;
	} cases[] = {
		{"none", "", "no interface is watched\n"},
		{"the newest first", "LL", "L1 tcx  L0 tcx\n"},
		{"one went", "LdL", "L2 tcx  d1 gone: why  L0 tcx\n"},
		{"that is past", "Lp", "L0 tcx  1 gone so far\n"},
		{"the only one went", "n", "n0 gone: why  no interface is watched\n"},
		{"the only one is past", "p", "no interface is watched  1 gone so far\n"},
		{"many went at once", "Ldddddd",
		 "d6 gone: why  d5 gone: why  d4 gone: why  L0 tcx  6 gone so far\n"},
		{"those that were named stay", "nnnnnL",
		 "L5 tcx  n4 gone: why  n3 gone: why  n2 gone: why  n1 gone: why  n0 gone: why\n"},
		{"those that went take no room from the live", "LLLLLLLLLLLLLLpppppppppppppp",
		 "L13 tcx  L12 tcx  L11 tcx  L10 tcx  L9 tcx  L8 tcx  L7 tcx  L6 tcx  L5 tcx  "
		 "L4 tcx  L3 tcx  L2 tcx  and 2 more  14 gone so far\n"},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct strbuf sb = STRBUF_INIT;

		write_taps(&sb, cases[i].taps);
		if (strcmp(sb.data, cases[i].line) != 0)
			fail_msg("%s: %s", cases[i].name, sb.data);
		strbuf__free(&sb);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_rates),
		cmocka_unit_test(test_any_width),
		cmocka_unit_test(test_taps),
		cmocka_unit_test(test_what_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
