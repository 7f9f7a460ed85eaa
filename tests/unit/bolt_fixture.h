/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A bolt database made page by page, in memory.
 */
#ifndef TCPWATCH_TESTS_BOLT_FIXTURE_H
#define TCPWATCH_TESTS_BOLT_FIXTURE_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

#define BOLT_PAGE   4096
#define BOLT_PAGES  8
#define BOLT_BRANCH 1
#define BOLT_LEAF   2

struct bolt_file {
	uint8_t bytes[BOLT_PAGES * BOLT_PAGE];
};

static inline void bolt__put(struct bolt_file *file, size_t at, const void *bytes, size_t len)
{
	memcpy(file->bytes + at, bytes, len);
}

static inline void bolt__put32(struct bolt_file *file, size_t at, uint32_t value)
{
	bolt__put(file, at, &value, sizeof(value));
}

static inline void bolt__put64(struct bolt_file *file, size_t at, uint64_t value)
{
	bolt__put(file, at, &value, sizeof(value));
}

static inline void bolt__put_head(struct bolt_file *file, size_t at, uint64_t id, uint16_t flags,
				  uint16_t count)
{
	bolt__put64(file, at, id);
	bolt__put(file, at + 8, &flags, sizeof(flags));
	bolt__put(file, at + 10, &count, sizeof(count));
	bolt__put32(file, at + 12, 0);
}

/* The meta page @page, of the transaction @txid, whose root is the page @root. */
static inline void bolt__put_meta(struct bolt_file *file, size_t page, uint64_t root, uint64_t txid)
{
	size_t at = page * BOLT_PAGE + 16;
	uint64_t sum = 0xcbf29ce484222325ULL;

	bolt__put_head(file, page * BOLT_PAGE, page, 4, 0);
	bolt__put32(file, at, 0xed0cdaed);
	bolt__put32(file, at + 4, 2);
	bolt__put32(file, at + 8, BOLT_PAGE);
	bolt__put64(file, at + 16, root);
	bolt__put64(file, at + 40, BOLT_PAGES);
	bolt__put64(file, at + 48, txid);
	for (size_t i = at; i < at + 56; i++)
		sum = (sum ^ file->bytes[i]) * 0x100000001b3ULL;
	bolt__put64(file, at + 56, sum);
}

/* Item @i of the leaf at @at. */
static inline void bolt__put_leaf_item(struct bolt_file *file, size_t at, unsigned i,
				       uint32_t flags, const char *key, const void *value,
				       size_t len)
{
	size_t item = at + 16 + i * 16ul, text = at + 200 + i * 400ul;

	bolt__put32(file, item, flags);
	bolt__put32(file, item + 4, text - item);
	bolt__put32(file, item + 8, strlen(key));
	bolt__put32(file, item + 12, len);
	bolt__put(file, text, key, strlen(key));
	bolt__put(file, text + strlen(key), value, len);
}

static inline void bolt__put_branch_item(struct bolt_file *file, size_t page, unsigned i,
					 const char *key, uint64_t to)
{
	size_t item = page * BOLT_PAGE + 16 + i * 16ul;
	size_t text = page * BOLT_PAGE + 200 + i * 100ul;

	bolt__put32(file, item, text - item);
	bolt__put32(file, item + 4, strlen(key));
	bolt__put64(file, item + 8, to);
	bolt__put(file, text, key, strlen(key));
}

/* The bucket whose root is the page @root, as item @i of the leaf at @at. */
static inline void bolt__put_bucket(struct bolt_file *file, size_t at, unsigned i, const char *name,
				    uint64_t root)
{
	const uint64_t head[] = {root, 0};

	bolt__put_leaf_item(file, at, i, 1, name, head, sizeof(head));
}

#endif
