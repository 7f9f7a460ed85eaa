/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Remembering TIME_WAIT socks by tuple.
 */
#include "timewait_memory.h"

#include <errno.h>

struct remembered {
	struct pool_head head;
	uint32_t hash;
	uint32_t look; /* in which it was seen last */
	struct ip_addr local, remote;
	uint16_t local_port, remote_port;
	uint8_t role;
	uint64_t cookie;
	uint64_t due_ns;
};

int timewait_memory__init(struct timewait_memory *memory, uint64_t seed)
{
	memory->seed = seed;
	pool__init(&memory->pool, sizeof(struct remembered));
	return hash_index__init(&memory->by_tuple, &memory->pool,
				offsetof(struct remembered, hash));
}

void timewait_memory__fini(struct timewait_memory *memory)
{
	hash_index__fini(&memory->by_tuple);
	pool__fini(&memory->pool);
}

static uint32_t hash_of(const struct timewait_memory *memory, const struct rec_tuple *tuple)
{
	struct flow_key key;

	flow_key__set(&key, &tuple->local, tuple->local_port, &tuple->remote, tuple->remote_port,
		      0);
	return flow_key__hash(&key, memory->seed);
}

static bool is_same(const struct remembered *r, const struct rec_tuple *tuple)
{
	return r->local_port == tuple->local_port && r->remote_port == tuple->remote_port &&
	       ip_addr__equal(&r->local, &tuple->local) &&
	       ip_addr__equal(&r->remote, &tuple->remote);
}

static struct remembered *find(const struct timewait_memory *memory, const struct rec_tuple *tuple,
			       uint32_t hash)
{
	struct remembered *r = hash_index__first(&memory->by_tuple, hash);

	while (r && !is_same(r, tuple))
		r = hash_index__next(&memory->by_tuple, r);
	return r;
}

static struct remembered *add(struct timewait_memory *memory, const struct rec_tuple *tuple,
			      uint32_t hash)
{
	struct remembered *r = pool__new(&memory->pool);

	if (!r)
		return NULL;
	r->local = tuple->local;
	r->remote = tuple->remote;
	r->local_port = tuple->local_port;
	r->remote_port = tuple->remote_port;
	if (!hash_index__insert(&memory->by_tuple, r, hash))
		return r;
	pool__delete(&memory->pool, r);
	return NULL;
}

static void forget(struct timewait_memory *memory, struct remembered *r)
{
	hash_index__remove(&memory->by_tuple, r);
	pool__delete(&memory->pool, r);
}

/* @role: of this host in what came after; mostly the same as before. */
static void count_reuse(struct timewait_memory *memory, enum sock_role role)
{
	if (role != ROLE_UNKNOWN)
		memory->ended[role == ROLE_ACTIVE ? TIMEWAIT_CONNECTED : TIMEWAIT_SYN]++;
}

void timewait_memory__begin(struct timewait_memory *memory)
{
	memory->look++;
}

/* A session that came and closed between two looks leaves another sock; a cookie tells it apart
 * from one whose timer a late segment started anew. */
int timewait_memory__add(struct timewait_memory *memory, const struct rec_tuple *tuple,
			 enum sock_role role, uint64_t due_ns)
{
	uint32_t hash = hash_of(memory, tuple);
	struct remembered *r = find(memory, tuple, hash);
	bool is_again;

	if (r && r->cookie && tuple->cookie && r->cookie != tuple->cookie)
		count_reuse(memory, role);
	if (!r)
		r = add(memory, tuple, hash);
	if (!r)
		return -ENOMEM;
	is_again = r->look == memory->look;
	r->look = memory->look;
	r->role = role;
	r->cookie = tuple->cookie;
	r->due_ns = due_ns;
	return !is_again;
}

static enum sock_role role_after(const struct remembered *r, const struct rec_tuple *tuple)
{
	if (tuple->state == TCPS_SYN_RECV)
		return ROLE_PASSIVE; /* a request */
	return tuple->role != ROLE_UNKNOWN ? tuple->role : r->role;
}

void timewait_memory__replace(struct timewait_memory *memory, const struct rec_tuple *tuple)
{
	struct remembered *r = find(memory, tuple, hash_of(memory, tuple));

	if (!r || (r->cookie && r->cookie == tuple->cookie))
		return; /* what is told late is the beginning of the very session it is left of */
	count_reuse(memory, role_after(r, tuple));
	forget(memory, r);
}

/* A timer is never early: what went before its time did not expire. */
void timewait_memory__end(struct timewait_memory *memory, uint64_t now_ns)
{
	for (uint32_t id = 1; id <= memory->pool.end; id++) {
		struct remembered *r = pool__get(&memory->pool, id);

		if (!r || r->look == memory->look)
			continue;
		memory->ended[r->due_ns <= now_ns ? TIMEWAIT_EXPIRED : TIMEWAIT_KILLED]++;
		forget(memory, r);
	}
}
