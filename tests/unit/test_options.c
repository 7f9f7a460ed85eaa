/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Options: what each form sets, and what each mistake is told.
 */
#include <getopt.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "capture.h"
#include "user/cmd/cmd.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define MAX_WORDS	16

static const char *const examples[] = {"tcpwatch test", NULL};

/* Takes every group. */
static const struct command everything = {
	.name = "test",
	.summary = "takes every option",
	.examples = examples,
	.options = ~0u,
	.views = VIEW_SOCKET,
	.table = &session_fields,
	.default_fields = "state,local,remote",
};

/* Takes none but --help. */
static const struct command nothing = {.name = "bare", .summary = "none", .examples = examples};

/* Has nothing to show without sockets. */
static const struct command listeners = {
	.name = "listeners",
	.summary = "needs sockets",
	.examples = examples,
	.options = OPT_WATCH,
	.views = VIEW_SOCKET,
	.needs = VIEW_SOCKET,
};

/* A blank-separated word that stands for the empty one. */
#define EMPTY "\"\""

/* Reads the words of @line, which are separated by single blanks. */
static int parse(struct options *options, const struct command *command, const char *line)
{
	static char words[512]; /* options point into it */
	char *argv[MAX_WORDS + 1] = {(char *)command->name};
	int argc = 1;

	strncpy(words, line, sizeof(words) - 1);
	for (char *word = strtok(words, " "); word && argc < MAX_WORDS; word = strtok(NULL, " "))
		argv[argc++] = strcmp(word, EMPTY) ? word : "";
	optind = 0; /* glibc: begin anew */
	return options__parse(options, command, argc, argv);
}

static uint64_t views(const struct options *o)
{
	return o->live.views;
}

static uint64_t hook(const struct options *o)
{
	return o->live.hook;
}

static uint64_t n_ifaces(const struct options *o)
{
	return o->live.n_ifaces;
}

static uint64_t n_netns(const struct options *o)
{
	return o->live.n_netns;
}

static uint64_t cache(const struct options *o)
{
	return o->live.cache_slots;
}

static uint64_t delay_ms(const struct options *o)
{
	return o->delay_ns / 1000000;
}

static uint64_t duration_ms(const struct options *o)
{
	return o->duration_ns / 1000000;
}

static uint64_t count(const struct options *o)
{
	return o->count;
}

static uint64_t n_fields(const struct options *o)
{
	return o->fields.count;
}

/* Where the namespace stands among the columns, from 1; 0: nowhere. */
static uint64_t netns_column(const struct options *o)
{
	for (size_t i = 0; i < o->fields.count; i++)
		if (!strcmp(o->fields.items[i]->key, "netns"))
			return i + 1;
	return 0;
}

static uint64_t is_descending(const struct options *o)
{
	return o->sort.field && o->sort.descending;
}

static uint64_t json(const struct options *o)
{
	return o->json;
}

static uint64_t color(const struct options *o)
{
	return o->color;
}

static uint64_t has_filter(const struct options *o)
{
	return o->filter != NULL;
}

static const struct good {
	const char *words;
	uint64_t (*get)(const struct options *options);
	uint64_t expected;
} goods[] = {
	{"", views, VIEW_SOCKET},
	{"--view wire", views, VIEW_WIRE},
	{"-i eth0", views, VIEW_BOTH},
	{"--hook tc", views, VIEW_BOTH},
	{"-i eth0 --view wire", views, VIEW_WIRE},
	{"--view socket -i eth0", views, VIEW_SOCKET},
	{"-i eth0 -i veth* --interface=lo", n_ifaces, 3},
	{"-N self -N 1 --netns blue", n_netns, 3},
	{"", hook, HOOK_AUTO},
	{"--hook xdp-generic", hook, HOOK_XDP_GENERIC},
	{"--cache 4096", cache, 4096},
	{"", delay_ms, 2000},
	{"-d 0.5", delay_ms, 500},
	{"-d2", delay_ms, 2000},
	{"--duration 1e1", duration_ms, 10000},
	{"-n 3", count, 3},
	{"", n_fields, 3},
	{"--fields +rtt", n_fields, 4},
	{"", netns_column, 0},
	{"-N blue", netns_column, 0},
	{"--container web", netns_column, 0},
	{"-N self -N blue", netns_column, 2},
	{"-N all", netns_column, 2},
	{"--container web --container db", netns_column, 2},
	{"-N all --fields +rtt", netns_column, 2},
	{"-N all --fields +netns", n_fields, 4},
	{"-N all --fields state,rtt", netns_column, 0},
	{"--fields rtt", n_fields, 1},
	{"--sort -rtt", is_descending, true},
	{"--sort rtt", is_descending, false},
	{"--json", json, true},
	{"--color always", color, true},
	{"--color never", color, false},
	{"", has_filter, false},
	{"state established", has_filter, true},
	{"state established --json", json, true},
};

static void test_good(void **state __attribute__((unused)))
{
	for (size_t i = 0; i < COUNT_OF(goods); i++) {
		struct options options;
		int result = parse(&options, &everything, goods[i].words);
		uint64_t got = goods[i].get(&options);

		if (result || got != goods[i].expected)
			fail_msg("\"%s\": result %d, value %llu, not %llu", goods[i].words, result,
				 (unsigned long long)got, (unsigned long long)goods[i].expected);
		options__free(&options);
	}
}

static const struct bad {
	const struct command *command;
	const char *words;
	const char *told; /* part of the message */
} bads[] = {
	{&everything, "--hoook tc", "did you mean --hook?"},
	{&everything, "--zzzzzzzz", "--help"},
	{&everything, "-x", "-x"},
	{&everything, "-i", "-i needs a value"},
	{&everything, "--sort", "--sort needs a value"},
	{&everything, "-i " EMPTY, "-i needs a name"},
	{&everything, "-N " EMPTY, "-N needs a name"},
	{&everything, "--container " EMPTY, "--container needs a name"},
	{&everything, "--textfile " EMPTY, "--textfile needs a name"},
	{&everything, "--hook ebpf", "no hook is called ebpf"},
	{&everything, "--view bird", "no view is called bird"},
	{&everything, "--color mauve", "mauve"},
	{&everything, "-d 0", "0 is not"},
	{&everything, "-d -1", "-1 is not"},
	{&everything, "-d nan", "nan is not"},
	{&everything, "-d 1s", "1s is not"},
	{&everything, "--duration inf", "inf is not"},
	{&everything, "-n 0", "0 is not"},
	{&everything, "-n -3", "-3 is not"},
	{&everything, "-n 2x", "2x is not"},
	{&everything, "--cache 99999999999", "99999999999 is not"},
	{&everything, "--fields state,sped", "sped"},
	{&everything, "--sort sped", "sped"},
	{&everything, "state nowhere", "nowhere"},
	{&listeners, "--view wire", "listeners shows what only the socket view has"},
	{&listeners, "-i eth0 --view wire", "--view socket or both"},
	{&nothing, "--json", "unknown option --json"},
	{&nothing, "state established", "takes no argument state"},
};

static void test_bad(void **state __attribute__((unused)))
{
	for (size_t i = 0; i < COUNT_OF(bads); i++) {
		const struct bad *bad = &bads[i];
		struct options options;
		struct capture told;
		int result;

		capture__begin(&told);
		result = parse(&options, bad->command, bad->words);
		capture__end(&told);
		if (result != EXIT_USAGE || !strstr(told.text, bad->told) ||
		    strchr(told.text, '\n') != strrchr(told.text, '\n'))
			fail_msg("\"%s\": result %d, told: %s", bad->words, result, told.text);
		options__free(&options);
	}
}

static void test_what_is_used(void **state __attribute__((unused)))
{
	static const struct {
		const char *words;
		bool is_used;
	} cases[] = {
		{"", false},
		{"--json", true},
		{"--json --fields state", false},
		{"--fields +comm", true},
		{"--sort comm", true},
		{"comm = nginx", true},
	};

	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct options options;

		assert_int_equal(parse(&options, &everything, cases[i].words), 0);
		if (options__is_used(&options, "comm") != cases[i].is_used)
			fail_msg("\"%s\"", cases[i].words);
		options__free(&options);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_good),
		cmocka_unit_test(test_bad),
		cmocka_unit_test(test_what_is_used),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
