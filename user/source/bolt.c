/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The file is pages of a B+ tree in the byte order of the machine (page.go, bucket.go and db.go of
 * bbolt). A page in use is never written: a transaction writes new ones, then one of the two meta
 * pages, and what it freed is used again by later ones at the earliest. So what is read is of one
 * state if the meta page is still the latest afterwards.
 */
#include "bolt.h"

#include <errno.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define MAGIC	       0xed0cdaedu
#define VERSION	       2
#define PAGE_BRANCH    0x01
#define PAGE_LEAF      0x02
#define ITEM_IS_BUCKET 0x01
#define PAGE_SIZE_MIN  1024u
#define PAGE_SIZE_MAX  65536u
#define NODE_MAX       (1u << 20) /* bytes of a page with what overflows it */
#define DEPTH_MAX      16	  /* a tree of 2^32 items is not as deep */
#define ATTEMPTS       3

struct page_head {
	uint64_t id;
	uint16_t flags, count;
	uint32_t overflow; /* pages more */
};

struct bucket_head {
	uint64_t root; /* its page; 0: one follows right here */
	uint64_t sequence;
};

struct meta {
	uint32_t magic, version, page_size, flags;
	struct bucket_head root;
	uint64_t freelist, pages, txid;
	uint64_t checksum; /* FNV-1a of what is before */
};

struct branch_item {
	uint32_t pos, key_len; /* .pos counts from here */
	uint64_t page;
};

struct leaf_item {
	uint32_t flags, pos, key_len, value_len;
};

/* Bytes of the file: a page, a key, a value. */
struct span {
	const uint8_t *at;
	size_t len;
};

static bool span__cut(const struct span *span, size_t pos, size_t len, struct span *part)
{
	if (pos > span->len || len > span->len - pos)
		return false;
	*part = (struct span){span->at + pos, len};
	return true;
}

/* Not aligned: a page may lie within a value. */
static bool span__load(const struct span *span, size_t pos, void *out, size_t size)
{
	struct span part;

	if (!span__cut(span, pos, size, &part))
		return false;
	memcpy(out, part.at, size);
	return true;
}

/* As bytes.Compare() orders them. */
static int compare(struct span key, const char *text)
{
	size_t len = strlen(text);
	int order = memcmp(key.at, text, key.len < len ? key.len : len);

	return order ? order : (key.len > len) - (key.len < len);
}

/* ---- the file -------------------------------------------------------------------------------- */

static int read_at(int fd, void *out, size_t size, uint64_t offset)
{
	ssize_t n = pread(fd, out, size, (off_t)offset);

	if (n < 0)
		return -errno;
	return (size_t)n == size ? 0 : -EINVAL;
}

static uint64_t checksum_of(const struct meta *meta)
{
	const uint8_t *byte = (const uint8_t *)meta;
	uint64_t sum = 0xcbf29ce484222325ULL;

	for (size_t i = 0; i < offsetof(struct meta, checksum); i++)
		sum = (sum ^ byte[i]) * 0x100000001b3ULL;
	return sum;
}

static bool read_meta_at(int fd, uint64_t offset, struct meta *meta)
{
	return !read_at(fd, meta, sizeof(*meta), offset + sizeof(struct page_head)) &&
	       meta->magic == MAGIC && meta->version == VERSION &&
	       meta->checksum == checksum_of(meta) && meta->page_size >= PAGE_SIZE_MIN &&
	       meta->page_size <= PAGE_SIZE_MAX;
}

/* The later one of the two; one may be about to be written. */
static int read_meta(int fd, struct meta *meta)
{
	struct meta second;
	bool has_first = read_meta_at(fd, 0, meta);
	long page_size = has_first ? (long)meta->page_size : sysconf(_SC_PAGESIZE);

	if (!read_meta_at(fd, (uint64_t)page_size, &second))
		return has_first ? 0 : -EINVAL;
	if (!has_first || second.txid > meta->txid)
		*meta = second;
	return 0;
}

/* A page in memory of its own, to be freed. */
static int read_page(int fd, const struct meta *meta, uint64_t id, struct span *page)
{
	struct page_head head;
	uint8_t *bytes;
	size_t len;
	int err;

	if (id >= meta->pages || id > INT64_MAX / PAGE_SIZE_MAX)
		return -EINVAL;
	err = read_at(fd, &head, sizeof(head), id * meta->page_size);
	if (err)
		return err;
	if (head.id != id || head.overflow >= NODE_MAX / meta->page_size)
		return -EINVAL;
	len = (head.overflow + 1ul) * meta->page_size;
	bytes = malloc(len);
	if (!bytes)
		return -ENOMEM;
	err = read_at(fd, bytes, len, id * meta->page_size);
	if (err)
		free(bytes);
	else
		*page = (struct span){bytes, len};
	return err;
}

/* ---- the tree -------------------------------------------------------------------------------- */

struct found {
	uint8_t *page; /* in memory of its own; NULL: within another's */
	struct span value;
	bool is_bucket;
};

static int find_in_leaf(const struct span *page, uint16_t count, const char *key,
			struct found *found)
{
	for (size_t i = 0; i < count; i++) {
		size_t pos = sizeof(struct page_head) + i * sizeof(struct leaf_item);
		struct leaf_item item;
		struct span name;

		if (!span__load(page, pos, &item, sizeof(item)) ||
		    !span__cut(page, pos + item.pos, item.key_len, &name) ||
		    !span__cut(page, pos + item.pos + item.key_len, item.value_len, &found->value))
			return -EINVAL;
		if (compare(name, key))
			continue;
		found->is_bucket = item.flags & ITEM_IS_BUCKET;
		return 0;
	}
	return -ENOENT;
}

/* The page of the last item that is not after @key. */
static int find_in_branch(const struct span *page, uint16_t count, const char *key, uint64_t *id)
{
	for (size_t i = 0; i < count; i++) {
		size_t pos = sizeof(struct page_head) + i * sizeof(struct branch_item);
		struct branch_item item;
		struct span name;

		if (!span__load(page, pos, &item, sizeof(item)) ||
		    !span__cut(page, pos + item.pos, item.key_len, &name))
			return -EINVAL;
		if (compare(name, key) > 0)
			return i ? 0 : -ENOENT;
		*id = item.page;
	}
	return count ? 0 : -ENOENT;
}

/* Looks for @key in the tree whose root is the page @id. */
static int find(int fd, const struct meta *meta, uint64_t id, const char *key, struct found *found)
{
	for (int depth = 0; depth < DEPTH_MAX; depth++) {
		struct page_head head;
		struct span page;
		int err = read_page(fd, meta, id, &page);

		if (err)
			return err;
		memcpy(&head, page.at, sizeof(head));
		if (head.flags & PAGE_LEAF) {
			found->page = (uint8_t *)page.at;
			return find_in_leaf(&page, head.count, key, found);
		}
		err = head.flags & PAGE_BRANCH ? find_in_branch(&page, head.count, key, &id)
					       : -EINVAL;
		free((void *)page.at);
		if (err)
			return err;
	}
	return -EINVAL;
}

/* A bucket with little in it is one page, right behind its head. */
static int find_in_bucket(int fd, const struct meta *meta, const struct found *bucket,
			  const char *key, struct found *found)
{
	struct bucket_head head;
	struct page_head leaf;
	struct span page;

	if (!bucket->is_bucket)
		return -ENOENT;
	if (!span__load(&bucket->value, 0, &head, sizeof(head)))
		return -EINVAL;
	if (head.root)
		return find(fd, meta, head.root, key, found);
	page = (struct span){bucket->value.at + sizeof(head), bucket->value.len - sizeof(head)};
	if (!span__load(&page, 0, &leaf, sizeof(leaf)) || !(leaf.flags & PAGE_LEAF))
		return -EINVAL;
	return find_in_leaf(&page, leaf.count, key, found);
}

static int copy(const struct found *found, char *value, size_t size)
{
	if (found->is_bucket)
		return -ENOENT;
	if (found->value.len >= size)
		return -ENOSPC;
	memcpy(value, found->value.at, found->value.len);
	value[found->value.len] = '\0';
	return 0;
}

/* The rest of @path from @bucket on, or from the root of all if there is none. */
static int get(int fd, const struct meta *meta, const struct found *bucket,
	       const char *const path[], char *value, size_t size)
{
	struct found found = {0};
	int err = bucket ? find_in_bucket(fd, meta, bucket, path[0], &found)
			 : find(fd, meta, meta->root.root, path[0], &found);

	if (!err)
		err = path[1] ? get(fd, meta, &found, path + 1, value, size)
			      : copy(&found, value, size);
	free(found.page);
	return err;
}

int bolt__get(int fd, const char *const path[], char *value, size_t size)
{
	struct meta meta, after;

	for (int i = 0; i < ATTEMPTS; i++) {
		int err = read_meta(fd, &meta), result;

		if (err)
			return err;
		result = get(fd, &meta, NULL, path, value, size);
		err = read_meta(fd, &after);
		if (err)
			return err;
		if (after.txid == meta.txid)
			return result;
	}
	return -EAGAIN;
}
