/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Checks: what was looked at, what came of it, what to do about it, and what all of them together
 * mean for tcpwatch. Not here: what is checked (support.h).
 */
#ifndef TCPWATCH_CHECK_H
#define TCPWATCH_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "user/util/exit_status.h"

enum check_result { CHECK_NO, CHECK_LIMITED, CHECK_YES };

struct check {
	char section[64];
	char name[48];
	enum check_result result;
	/* How tcpwatch ends if the result is CHECK_NO. EXIT_OK: it is not required. */
	enum exit_status without;
	char detail[224]; /* one line, may hold bytes that others chose */
	char remedy[224]; /* what to do, "" if there is nothing to do */
};

struct check_list {
	struct check *items;
	size_t count;
	bool failed; /* out of memory: some are missing */
};

const char *check_result__name(enum check_result result);

/* check_list__add() - append a check that is all right so far; NULL: out of memory, and noted */
struct check *check_list__add(struct check_list *list, const char *section, const char *name);
void check_list__free(struct check_list *list);

/* check__detail() - set the detail; check__refuse() - and what to do, and the result: all but yes
 */
void check__detail(struct check *check, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void check__refuse(struct check *check, enum check_result result, const char *remedy, ...)
	__attribute__((format(printf, 3, 4)));

/*
 * check_list__verdict() - EXIT_OK if all that is required is there, else EXIT_PRIVILEGE if a
 * privilege is among what is not, else EXIT_KERNEL
 */
enum exit_status check_list__verdict(const struct check_list *list);

#endif
