/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Chunked memory for objects and hash indexes over them. Not here: what the objects are. */
#include "pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define FIRST_BUCKETS 1024u

void pool__init(struct pool *pool, size_t size)
{
	*pool = (struct pool){.size = size};
}

void pool__fini(struct pool *pool)
{
	for (uint32_t i = 0; i < pool->n_chunks; i++)
		free(pool->chunks[i]);
	free(pool->chunks);
	pool__init(pool, pool->size);
}

static int add_chunk(struct pool *pool)
{
	char **chunks = realloc(pool->chunks, (pool->n_chunks + 1) * sizeof(*chunks));

	if (!chunks)
		return -ENOMEM;
	pool->chunks = chunks;
	chunks[pool->n_chunks] = malloc(POOL_CHUNK * pool->size);
	if (!chunks[pool->n_chunks])
		return -ENOMEM;
	pool->n_chunks++;
	return 0;
}

void *pool__new(struct pool *pool)
{
	struct pool_head *head;
	uint32_t id = pool->free;

	if (id) {
		head = pool__slot(pool, id);
		pool->free = head->next_free;
	} else {
		if (pool->end == pool->n_chunks * POOL_CHUNK && add_chunk(pool))
			return NULL;
		id = ++pool->end;
		head = pool__slot(pool, id);
	}
	memset(head, 0, pool->size);
	head->id = id;
	pool->count++;
	return head;
}

void pool__delete(struct pool *pool, void *object)
{
	struct pool_head *head = object;

	head->next_free = pool->free;
	pool->free = head->id;
	head->id = 0;
	pool->count--;
}

static struct hash_link *link_of(const struct hash_index *index, const void *object)
{
	return (struct hash_link *)((char *)object + index->link);
}

static uint32_t id_of(const void *object)
{
	return ((const struct pool_head *)object)->id;
}

int hash_index__init(struct hash_index *index, const struct pool *pool, size_t link_offset)
{
	*index = (struct hash_index){.pool = pool, .link = link_offset};
	index->buckets = calloc(FIRST_BUCKETS, sizeof(*index->buckets));
	if (!index->buckets)
		return -ENOMEM;
	index->mask = FIRST_BUCKETS - 1;
	return 0;
}

void hash_index__fini(struct hash_index *index)
{
	free(index->buckets);
	index->buckets = NULL;
}

static void push(const struct hash_index *index, uint32_t *buckets, uint32_t mask, void *object)
{
	struct hash_link *link = link_of(index, object);

	link->next = buckets[link->hash & mask];
	buckets[link->hash & mask] = id_of(object);
}

/* Twice the buckets. Without memory for them chains just get longer. */
static void grow(struct hash_index *index)
{
	uint32_t mask = index->mask * 2 + 1;
	uint32_t *buckets = calloc((size_t)mask + 1, sizeof(*buckets));

	if (!buckets)
		return;
	for (uint32_t i = 0; i <= index->mask; i++) {
		for (uint32_t id = index->buckets[i], next; id; id = next) {
			void *object = pool__slot(index->pool, id);

			next = link_of(index, object)->next;
			push(index, buckets, mask, object);
		}
	}
	free(index->buckets);
	index->buckets = buckets;
	index->mask = mask;
}

void hash_index__insert(struct hash_index *index, void *object, uint32_t hash)
{
	if (index->count > index->mask)
		grow(index);
	link_of(index, object)->hash = hash;
	push(index, index->buckets, index->mask, object);
	index->count++;
}

void hash_index__remove(struct hash_index *index, void *object)
{
	uint32_t *at = &index->buckets[link_of(index, object)->hash & index->mask];

	while (*at && *at != id_of(object))
		at = &link_of(index, pool__slot(index->pool, *at))->next;
	if (!*at)
		return;
	*at = link_of(index, object)->next;
	index->count--;
}

static void *first_from(const struct hash_index *index, uint32_t id, uint32_t hash)
{
	while (id) {
		void *object = pool__slot(index->pool, id);

		if (link_of(index, object)->hash == hash)
			return object;
		id = link_of(index, object)->next;
	}
	return NULL;
}

void *hash_index__next(const struct hash_index *index, const void *object)
{
	return first_from(index, link_of(index, object)->next, link_of(index, object)->hash);
}

void *hash_index__first(const struct hash_index *index, uint32_t hash)
{
	return first_from(index, index->buckets[hash & index->mask], hash);
}
