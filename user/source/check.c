/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A list of checks and its verdict.
 */
#include "check.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

static const char *const result_names[] = {
	[CHECK_NO] = "no",
	[CHECK_LIMITED] = "limited",
	[CHECK_YES] = "yes",
};

const char *check_result__name(enum check_result result)
{
	return result_names[result];
}

struct check *check_list__add(struct check_list *list, const char *section, const char *name)
{
	struct check *more = reallocarray(list->items, list->count + 1, sizeof(*more)), *check;

	if (!more) {
		list->failed = true;
		return NULL;
	}
	list->items = more;
	check = &more[list->count++];
	*check = (struct check){.result = CHECK_YES};
	snprintf(check->section, sizeof(check->section), "%s", section);
	snprintf(check->name, sizeof(check->name), "%s", name);
	return check;
}

void check_list__free(struct check_list *list)
{
	free(list->items);
	*list = (struct check_list){0};
}

void check__detail(struct check *check, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(check->detail, sizeof(check->detail), fmt, args);
	va_end(args);
}

void check__refuse(struct check *check, enum check_result result, const char *remedy, ...)
{
	va_list args;

	check->result = result;
	va_start(args, remedy);
	vsnprintf(check->remedy, sizeof(check->remedy), remedy, args);
	va_end(args);
}

/* A missing privilege comes first: without it nothing tells what the kernel has. */
enum exit_status check_list__verdict(const struct check_list *list)
{
	enum exit_status verdict = list->failed ? EXIT_RUNTIME : EXIT_OK;

	for (size_t i = 0; i < list->count; i++) {
		const struct check *check = &list->items[i];

		if (check->result != CHECK_NO || check->without == EXIT_OK)
			continue;
		if (verdict != EXIT_PRIVILEGE)
			verdict = check->without;
	}
	return verdict;
}
