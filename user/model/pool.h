/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Memory for many objects of one kind, and hash indexes over them. Objects never move, are named by
 * 32-bit numbers (half the size of a pointer) and lie in chunks, so walking all of them runs
 * through memory in order. An entry costs some 16 bytes per index, against 56 of a uthash handle.
 * Not here: what the objects are.
 */
#ifndef TCPWATCH_POOL_H
#define TCPWATCH_POOL_H

#include <stddef.h>
#include <stdint.h>

#define POOL_CHUNK_SHIFT 13
#define POOL_CHUNK	 (1u << POOL_CHUNK_SHIFT)

/* First member of every object. */
struct pool_head {
	uint32_t id; /* its number, 1 …; 0: free */
	uint32_t next_free;
};

struct pool {
	size_t size; /* of an object */
	char **chunks;
	uint32_t n_chunks;
	uint32_t end;	/* numbers 1 … end have been handed out at least once */
	uint32_t count; /* objects in use */
	uint32_t free;	/* head of the list of free numbers */
};

void pool__init(struct pool *pool, size_t size);
void pool__fini(struct pool *pool);
/* pool__new() - a zeroed object, or NULL (ENOMEM) */
void *pool__new(struct pool *pool);
void pool__delete(struct pool *pool, void *object);

/* The object numbered @id, which must be 1 … pool->end; it may be free. */
static inline void *pool__slot(const struct pool *pool, uint32_t id)
{
	return pool->chunks[(id - 1) >> POOL_CHUNK_SHIFT] +
	       (size_t)((id - 1) & (POOL_CHUNK - 1)) * pool->size;
}

/* pool__get() - the object numbered @id, or NULL if that is 0 or free */
static inline void *pool__get(const struct pool *pool, uint32_t id)
{
	struct pool_head *head = id ? pool__slot(pool, id) : NULL;

	return head && head->id ? head : NULL;
}

/* One slot of an index: looking past it does not touch the object. */
struct hash_slot {
	uint32_t hash;
	uint32_t id; /* 0: empty */
};

/* Open addressing with linear probing. An object keeps its hash, at a fixed offset, for removal. */
struct hash_index {
	const struct pool *pool;
	size_t hash_offset; /* of that uint32_t in an object */
	struct hash_slot *slots;
	uint32_t mask, count;
};

/* hash_index__init() - returns 0 or -ENOMEM */
int hash_index__init(struct hash_index *index, const struct pool *pool, size_t hash_offset);
void hash_index__fini(struct hash_index *index);
/* hash_index__insert() - returns 0 or -ENOMEM: @object is not in then */
int hash_index__insert(struct hash_index *index, void *object, uint32_t hash);
void hash_index__remove(struct hash_index *index, void *object);

/*
 * hash_index__next() - the object after @object with the same hash, or NULL
 * hash_index__first() - the first with @hash, or NULL; the caller compares keys
 */
void *hash_index__next(const struct hash_index *index, const void *object);
void *hash_index__first(const struct hash_index *index, uint32_t hash);

/*
 * hash_index__fetch_slot() - ask the processor for the slot of @hash, which is to be looked at soon
 * hash_index__fetch_object() - then for the first @size bytes of the object in it
 */
void hash_index__fetch_slot(const struct hash_index *index, uint32_t hash);
void hash_index__fetch_object(const struct hash_index *index, uint32_t hash, size_t size);

/* pool__fetch() - likewise for all of the object numbered @id, if there may be one */
void pool__fetch(const struct pool *pool, uint32_t id);

#endif
