/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writing rows to standard output.
 */
#include "print.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "stop.h"
#include "user/util/log.h"

#define FLUSH_BYTES (128u << 10)

/* A reader that takes nothing must not hold up who was told to stop. */
int print__flush(struct strbuf *sb)
{
	int err = -EINTR;

	while (err == -EINTR && !stop__is_asked())
		err = strbuf__flush(sb, STDOUT_FILENO);
	return err;
}

enum exit_status print__status(int err)
{
	if (!err || err == -EPIPE || err == -EINTR)
		return EXIT_OK;
	log_error("cannot write to standard output: %s", strerror(-err));
	return EXIT_RUNTIME;
}

enum exit_status print__whole(struct strbuf *sb)
{
	enum exit_status status = print__status(print__flush(sb));

	strbuf__free(sb);
	return status;
}

void printer__init(struct printer *p, const struct options *options,
		   const struct field_table *table)
{
	*p = (struct printer){.options = options, .table = table};
	text_layout__init(&p->layout, &options->fields, options->color);
}

void printer__free(struct printer *p)
{
	strbuf__free(&p->sb);
}

int printer__flush(struct printer *p)
{
	int err;

	if (p->err || p->sb.len + p->sb.failed == 0)
		return p->err;
	err = print__flush(&p->sb);
	if (err != -EINTR)
		p->err = err;
	return p->err;
}

static void add_text(struct printer *p, const void *row, const struct moment *now)
{
	if (!p->has_heading)
		text__heading(&p->sb, &p->layout);
	p->has_heading = true;
	text__row(&p->sb, &p->layout, row, now);
}

void printer__row(struct printer *p, const void *row, const struct moment *now)
{
	if (p->err)
		return;
	if (!p->options->json)
		add_text(p, row, now);
	else if (p->options->has_fields)
		json__chosen_row(&p->sb, p->table, &p->options->fields, row, now);
	else
		json__row(&p->sb, p->table, row, now);
	if (p->sb.len >= FLUSH_BYTES)
		(void)printer__flush(p); /* kept in p->err */
}

void printer__table(struct printer *p, const struct rows *rows, const struct moment *now)
{
	if (!p->options->json) {
		text_layout__fit(&p->layout, rows->items, rows->count, now);
		text__heading(&p->sb, &p->layout);
		p->has_heading = true;
	}
	for (size_t i = 0; i < rows->count && !p->err; i++)
		printer__row(p, rows->items[i], now);
}

enum exit_status printer__status(const struct printer *p)
{
	return print__status(p->err);
}
