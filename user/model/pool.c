/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/* Chunked memory for objects and hash indexes over them. Not here: what the objects are. */
#include "pool.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "user/util/fetch.h"
#include "user/util/heap.h"

#define FIRST_SLOTS 1024u

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
	/* Objects whose type is aligned to a cache line begin with one. */
	chunks[pool->n_chunks] = aligned_alloc(CACHE_LINE, POOL_CHUNK * pool->size);
	if (!chunks[pool->n_chunks])
		return -ENOMEM;
	/* Objects are found at random, so each may lie on a page of its own. */
	if (pool->n_chunks) /* the first is enough for most hosts, and a part of it for many */
		heap__use_large_pages(chunks[pool->n_chunks], POOL_CHUNK * pool->size);
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

static uint32_t *hash_of(const struct hash_index *index, const void *object)
{
	return (uint32_t *)((char *)object + index->hash_offset);
}

static uint32_t id_of(const void *object)
{
	return ((const struct pool_head *)object)->id;
}

int hash_index__init(struct hash_index *index, const struct pool *pool, size_t hash_offset)
{
	*index = (struct hash_index){.pool = pool, .hash_offset = hash_offset};
	index->slots = calloc(FIRST_SLOTS, sizeof(*index->slots));
	if (!index->slots)
		return -ENOMEM;
	index->mask = FIRST_SLOTS - 1;
	return 0;
}

void hash_index__fini(struct hash_index *index)
{
	free(index->slots);
	index->slots = NULL;
}

/* There is always an empty slot. */
static void put(struct hash_slot *slots, uint32_t mask, struct hash_slot slot)
{
	uint32_t at = slot.hash & mask;

	while (slots[at].id)
		at = (at + 1) & mask;
	slots[at] = slot;
}

static int grow(struct hash_index *index)
{
	uint32_t mask = index->mask * 2 + 1;
	size_t count = (size_t)mask + 1;
	struct hash_slot *slots = calloc(count, sizeof(*slots));

	if (!slots)
		return -ENOMEM;
	heap__use_large_pages(slots, count * sizeof(*slots));
	for (uint32_t i = 0; i <= index->mask; i++)
		if (index->slots[i].id)
			put(slots, mask, index->slots[i]);
	free(index->slots);
	index->slots = slots;
	index->mask = mask;
	return 0;
}

int hash_index__insert(struct hash_index *index, void *object, uint32_t hash)
{
	/* At most two thirds full, but without memory to grow one empty slot is enough. */
	if (3ULL * index->count > 2ULL * index->mask && grow(index) && index->count >= index->mask)
		return -ENOMEM;
	*hash_of(index, object) = hash;
	put(index->slots, index->mask, (struct hash_slot){hash, id_of(object)});
	index->count++;
	return 0;
}

/* The slot of the object numbered @id, or UINT32_MAX. */
static uint32_t slot_of(const struct hash_index *index, uint32_t id, uint32_t hash)
{
	uint32_t at = hash & index->mask;

	for (; index->slots[at].id; at = (at + 1) & index->mask)
		if (index->slots[at].id == id)
			return at;
	return UINT32_MAX;
}

/* Moves back what probing would no longer find behind the gap. */
static void close_gap(struct hash_index *index, uint32_t gap)
{
	uint32_t mask = index->mask;

	for (uint32_t at = (gap + 1) & mask; index->slots[at].id; at = (at + 1) & mask) {
		uint32_t home = index->slots[at].hash & mask;

		if (((at - home) & mask) < ((at - gap) & mask))
			continue; /* its home lies behind the gap */
		index->slots[gap] = index->slots[at];
		gap = at;
	}
	index->slots[gap].id = 0;
}

void hash_index__remove(struct hash_index *index, void *object)
{
	uint32_t at = slot_of(index, id_of(object), *hash_of(index, object));

	if (at == UINT32_MAX)
		return;
	close_gap(index, at);
	index->count--;
}

static void *first_from(const struct hash_index *index, uint32_t at, uint32_t hash)
{
	for (; index->slots[at].id; at = (at + 1) & index->mask)
		if (index->slots[at].hash == hash)
			return pool__slot(index->pool, index->slots[at].id);
	return NULL;
}

void *hash_index__next(const struct hash_index *index, const void *object)
{
	uint32_t hash = *hash_of(index, object);
	uint32_t at = slot_of(index, id_of(object), hash);

	return at == UINT32_MAX ? NULL : first_from(index, (at + 1) & index->mask, hash);
}

void *hash_index__first(const struct hash_index *index, uint32_t hash)
{
	return first_from(index, hash & index->mask, hash);
}

void pool__fetch(const struct pool *pool, uint32_t id)
{
	if (id && id <= pool->end)
		fetch__range(pool__slot(pool, id), pool->size);
}

void hash_index__fetch_slot(const struct hash_index *index, uint32_t hash)
{
	__builtin_prefetch(&index->slots[hash & index->mask]);
}

void hash_index__fetch_object(const struct hash_index *index, uint32_t hash, size_t size)
{
	uint32_t at = hash & index->mask;

	while (index->slots[at].id && index->slots[at].hash != hash)
		at = (at + 1) & index->mask;
	if (index->slots[at].id)
		fetch__range(pool__slot(index->pool, index->slots[at].id), size);
}
