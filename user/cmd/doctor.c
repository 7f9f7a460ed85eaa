/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcpwatch doctor: what this kernel and these privileges allow, and the remedy for each no.
 * Not here: the checks themselves (source/support.h).
 */
#include <string.h>
#include <unistd.h>

#include "cmd_list.h"
#include "print.h"
#include "user/output/output.h"
#include "user/source/support.h"
#include "user/util/log.h"
#include "user/util/utf8.h"

#define RESULT_WIDTH 9
#define COLOR_BOLD   "\033[1m"
#define COLOR_RESET  "\033[0m"

static const char *const colors[] = {
	[CHECK_NO] = "\033[31m", [CHECK_LIMITED] = "\033[33m", [CHECK_YES] = "\033[32m"};

/* ---- JSON ------------------------------------------------------------------------------------ */

static void set_text(struct value *out, const char *text)
{
	value__set_string(out, *text ? text : NULL);
}

#define GET(name)                                                                                 \
	static void get_##name(const void *row, const struct moment *now __attribute__((unused)), \
			       struct value *out)
#define CHECK ((const struct check *)row)

GET(section)
{
	set_text(out, CHECK->section);
}

GET(name)
{
	set_text(out, CHECK->name);
}

GET(result)
{
	set_text(out, check_result__name(CHECK->result));
}

GET(ok)
{
	value__set_u64(out, VALUE_BOOL, CHECK->result != CHECK_NO);
}

GET(required)
{
	value__set_u64(out, VALUE_BOOL, CHECK->without != EXIT_OK);
}

GET(detail)
{
	set_text(out, CHECK->detail);
}

GET(remedy)
{
	set_text(out, CHECK->remedy);
}

#define FIELD(name, its_kind, its_help)                                                          \
	{                                                                                        \
		FIELD_KEY(name), .title = #name, .unit = "", .help = its_help, .kind = its_kind, \
				 .get = get_##name                                               \
	}

static const struct field fields[] = {
	FIELD(section, VALUE_TEXT, "what the check belongs to; the name of an interface"),
	FIELD(name, VALUE_TEXT, "what was checked"),
	FIELD(result, VALUE_TEXT, "yes, limited or no"),
	FIELD(ok, VALUE_BOOL, "it is there, if limited"),
	FIELD(required, VALUE_BOOL, "tcpwatch does not work without"),
	FIELD(detail, VALUE_TEXT, "what was found"),
	FIELD(remedy, VALUE_TEXT, "what to do, or what follows from it"),
};

static const struct field_table check_fields = {
	.schema = "tcpwatch.check.v1",
	.fields = fields,
	.count = sizeof(fields) / sizeof(fields[0]),
};

static void add_json(struct strbuf *sb, const struct check_list *list)
{
	const struct moment now = {0};

	for (size_t i = 0; i < list->count; i++)
		json__row(sb, &check_fields, &list->items[i], &now);
}

/* ---- text ------------------------------------------------------------------------------------ */

/* Names of interfaces, namespaces and programs are chosen by others. */
static void add_escaped(struct strbuf *sb, const char *text)
{
	utf8__add_escaped(sb, text, strlen(text));
}

/* Names of checks are ASCII, so bytes are columns. */
static size_t widest_name(const struct check_list *list)
{
	size_t width = 0;

	for (size_t i = 0; i < list->count; i++) {
		size_t len = strlen(list->items[i].name);

		width = len > width ? len : width;
	}
	return width + 2;
}

static void add_section(struct strbuf *sb, const char *section, bool color)
{
	if (sb->len)
		strbuf__addc(sb, '\n');
	strbuf__adds(sb, color ? COLOR_BOLD : "");
	add_escaped(sb, section);
	strbuf__adds(sb, color ? COLOR_RESET "\n" : "\n");
}

static void add_check(struct strbuf *sb, const struct check *check, size_t name_width, bool color)
{
	const char *result = check_result__name(check->result);

	strbuf__adds(sb, "  ");
	strbuf__adds(sb, check->name);
	strbuf__pad(sb, ' ', name_width - strlen(check->name));
	strbuf__adds(sb, color ? colors[check->result] : "");
	strbuf__adds(sb, result);
	strbuf__adds(sb, color ? COLOR_RESET : "");
	strbuf__pad(sb, ' ', RESULT_WIDTH - strlen(result));
	add_escaped(sb, check->detail);
	strbuf__addc(sb, '\n');
	if (!check->remedy[0])
		return;
	strbuf__pad(sb, ' ', 2 + name_width + RESULT_WIDTH);
	strbuf__adds(sb, "-> ");
	add_escaped(sb, check->remedy);
	strbuf__addc(sb, '\n');
}

/* Names what is missing in the first section that lacks something: what comes later follows from
 * it. */
static void add_verdict(struct strbuf *sb, const struct check_list *list)
{
	enum exit_status verdict = check_list__verdict(list);
	const char *section = NULL;

	if (verdict == EXIT_OK) {
		strbuf__adds(sb, "\ntcpwatch top works here.\n");
		return;
	}
	strbuf__adds(sb, "\ntcpwatch top does not work here");
	for (size_t i = 0; i < list->count; i++) {
		const struct check *check = &list->items[i];

		if (check->result != CHECK_NO || check->without != verdict)
			continue;
		if (section && strcmp(section, check->section) != 0)
			break;
		strbuf__addf(sb, "%s%s", section ? ", " : ": ", check->name);
		section = check->section;
	}
	strbuf__adds(sb, "\n");
}

static void add_text(struct strbuf *sb, const struct check_list *list, bool color)
{
	size_t name_width = widest_name(list);
	const char *section = "";

	for (size_t i = 0; i < list->count; i++) {
		const struct check *check = &list->items[i];

		if (strcmp(section, check->section) != 0)
			add_section(sb, check->section, color);
		section = check->section;
		add_check(sb, check, name_width, color);
	}
	add_verdict(sb, list);
}

/* ---- all of it ------------------------------------------------------------------------------- */

/* As far as the words tell: a path may lead to the own namespace. */
static bool names_other_netns(const struct live_options *options)
{
	for (size_t i = 0; i < options->n_netns; i++)
		if (strcmp(options->netns[i], "self") != 0)
			return true;
	return false;
}

static enum exit_status check_all(struct check_list *list, const struct options *options)
{
	const struct live_options *live = &options->live;
	const struct support_needs needs = {
		.views = live->views,
		.has_other_netns = names_other_netns(live),
		.cache_slots = live->cache_slots,
	};
	struct host host;

	support__raise_limits();
	support__look(&host);
	support__check_kernel(list, &host, &needs);
	support__check_privileges(list, &host, &needs);
	support__check_features(list, &needs);
	support__check_programs(list, &needs);
	support__check_conntrack(list, &needs);
	if (!(live->views & VIEW_WIRE))
		return EXIT_OK;
	return support__check_taps(list, live, options->try_hooks);
}

static enum exit_status print(const struct check_list *list, const struct options *options)
{
	struct strbuf sb = STRBUF_INIT;

	if (options->json)
		add_json(&sb, list);
	else
		add_text(&sb, list, options->color);
	return print__whole(&sb);
}

static enum exit_status run(struct options *options)
{
	struct check_list list = {0};
	enum exit_status status = check_all(&list, options), printed;

	/* What may not be looked at leaves the rest to be told. */
	if (status == EXIT_OK || status == EXIT_PRIVILEGE) {
		printed = print(&list, options);
		if (status == EXIT_OK)
			status = check_list__verdict(&list);
		if (printed != EXIT_OK)
			status = printed;
	}
	if (list.failed)
		log_error("out of memory: not everything was checked");
	check_list__free(&list);
	return status;
}

static const char *const examples[] = {
	"tcpwatch doctor",
	"tcpwatch doctor -i eth0 --hook xdp --try",
	"tcpwatch doctor --json | jq -r 'select(.required and (.ok | not)) | .remedy'",
	NULL,
};

const struct command cmd_doctor = {
	.name = "doctor",
	.summary = "tell what this kernel and these privileges allow",
	.examples = examples,
	.options = OPT_TAPS | OPT_NETNS | OPT_OUTPUT | OPT_TRY,
	.views = VIEW_BOTH,
	.run = run,
};
