/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Looking fields up by name, and the order of values. Not here: the tables, and sorting of rows
 * (sort.c).
 */
#include "field.h"

#include <errno.h>

#include "user/util/log.h"
#include "user/util/nearest.h"

#define UNIT_SUFFIX "_seconds"

enum field_align field__align(const struct field *field)
{
	switch (field->kind) {
	case VALUE_COUNT:
	case VALUE_BYTES:
	case VALUE_DURATION:
	case VALUE_PORT:
	case VALUE_RATE:
	case VALUE_SIGNED:
	case VALUE_HISTOGRAM:
		return ALIGN_RIGHT;
	default:
		return ALIGN_LEFT;
	}
}

static bool is_key(const char *key, const char *word, size_t len)
{
	if (strncmp(key, word, len))
		return false;
	return !key[len] || !strcmp(key + len, UNIT_SUFFIX);
}

const struct field *field__find(const struct field_table *table, const char *key, size_t len)
{
	for (size_t i = 0; len && i < table->count; i++)
		if (is_key(table->fields[i].key, key, len))
			return &table->fields[i];
	return NULL;
}

const char *field__nearest(const struct field_table *table, const char *key, size_t len)
{
	struct nearest nearest;

	nearest__init(&nearest, key, len);
	for (size_t i = 0; i < table->count; i++)
		nearest__offer(&nearest, table->fields[i].key);
	return nearest.best;
}

/* The field called @key for @option, or NULL after logging. */
static const struct field *need_field(const struct field_table *table, const char *option,
				      const char *key, size_t len)
{
	const struct field *field = field__find(table, key, len);
	const char *nearest;

	if (field)
		return field;
	nearest = field__nearest(table, key, len);
	if (nearest)
		log_error("%s: unknown field '%.*s'; did you mean '%s'?", option, (int)len, key,
			  nearest);
	else
		log_error("%s: unknown field '%.*s'; --fields help lists them", option, (int)len,
			  key);
	return NULL;
}

static bool has_field(const struct field_list *list, const struct field *field)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i] == field)
			return true;
	return false;
}

int field_list__parse(struct field_list *list, const struct field_table *table, const char *spec)
{
	struct field_list parsed = {.count = 0};

	if (*spec == '+') {
		parsed = *list;
		spec++;
	}
	for (;;) {
		size_t len = strcspn(spec, ",");
		const struct field *field = need_field(table, "--fields", spec, len);

		if (!field)
			return -EINVAL;
		/* Two columns would say no more, and JSON has a key once. */
		if (!has_field(&parsed, field))
			parsed.items[parsed.count++] = field;
		if (!spec[len])
			break;
		spec += len + 1;
	}
	*list = parsed;
	return 0;
}

/* ":desc" and ":asc" at the end of a sort key. Returns the length of the key before it, or 0 if it
 * is neither. */
static size_t split_order(const char *spec, bool *descending)
{
	size_t len = strcspn(spec, ":");

	if (!spec[len])
		return len;
	if (!strcmp(spec + len, ":desc"))
		*descending = true;
	else if (!strcmp(spec + len, ":asc"))
		*descending = false;
	else
		return 0;
	return len;
}

int sort_spec__parse(struct sort_spec *sort, const struct field_table *table, const char *spec)
{
	const char *key = *spec == '-' || *spec == '+' ? spec + 1 : spec;
	bool descending = *spec == '-';
	size_t len = split_order(key, &descending);
	const struct field *field;

	if (!len && *key) {
		log_error("--sort: '%s' has no order; write FIELD, -FIELD, FIELD:asc or FIELD:desc",
			  spec);
		return -EINVAL;
	}
	field = need_field(table, "--sort", key, len);
	if (!field)
		return -EINVAL;
	sort->field = field;
	sort->descending = descending;
	return 0;
}

static int compare_u64(uint64_t a, uint64_t b)
{
	return a < b ? -1 : a > b;
}

static int compare_text(const struct value *a, const struct value *b)
{
	size_t len = a->text_len < b->text_len ? a->text_len : b->text_len;
	int order = len ? memcmp(a->text, b->text, len) : 0;

	return order ? order : compare_u64(a->text_len, b->text_len);
}

int endpoint__compare(const struct endpoint *a, const struct endpoint *b)
{
	int order = memcmp(&a->addr, &b->addr, sizeof(a->addr));

	return order ? order : compare_u64(a->port, b->port);
}

void field_list__insert(struct field_list *list, const struct field *field, const char *before)
{
	size_t at = 0;

	if (list->count == FIELD_LIST_MAX)
		return;
	while (at < list->count && strcmp(list->items[at]->key, before))
		at++;
	memmove(&list->items[at + 1], &list->items[at],
		(list->count - at) * sizeof(list->items[0]));
	list->items[at] = field;
	list->count++;
}

int value__compare(const struct value *a, const struct value *b)
{
	if (a->kind == VALUE_NONE || b->kind == VALUE_NONE)
		return (a->kind == VALUE_NONE) - (b->kind == VALUE_NONE);
	switch (a->kind) {
	case VALUE_ADDR:
		return memcmp(a->addr, b->addr, sizeof(*a->addr));
	case VALUE_ENDPOINT:
		return endpoint__compare(a->endpoint, b->endpoint);
	case VALUE_TEXT:
		return compare_text(a, b);
	case VALUE_RATE:
	case VALUE_SIGNED:
		return a->i < b->i ? -1 : a->i > b->i;
	default:
		return compare_u64(a->u, b->u);
	}
}
