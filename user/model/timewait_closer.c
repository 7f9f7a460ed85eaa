/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Remembering by cookie who closed.
 */
#include "timewait_closer.h"

#include <errno.h>
#include <string.h>

int closers__init(struct closers *closers)
{
	pool__init(&closers->pool, sizeof(struct closer));
	return hash_index__init(&closers->by_cookie, &closers->pool, offsetof(struct closer, hash));
}

void closers__fini(struct closers *closers)
{
	hash_index__fini(&closers->by_cookie);
	pool__fini(&closers->pool);
}

/* The kernel counts cookies up: nobody chooses them. */
static uint32_t hash_of(uint64_t cookie)
{
	return cookie * 0x9e3779b97f4a7c15ULL >> 32;
}

static struct closer *find(const struct closers *closers, uint64_t cookie)
{
	struct closer *closer = hash_index__first(&closers->by_cookie, hash_of(cookie));

	while (closer && closer->cookie != cookie)
		closer = hash_index__next(&closers->by_cookie, closer);
	return closer;
}

int closers__add(struct closers *closers, const struct rec_closing *closing)
{
	struct closer *closer = find(closers, closing->cookie);

	if (closer)
		return 0;
	closer = pool__new(&closers->pool);
	if (!closer)
		return -ENOMEM;
	closer->cookie = closing->cookie;
	closer->look = closers->look;
	closer->role = closing->role;
	closer->process.pid = closing->pid;
	/* What is behind the NUL differs from one to the next of a process. */
	memcpy(closer->process.comm, closing->comm, strnlen(closing->comm, SOCK_COMM_LEN));
	if (!hash_index__insert(&closers->by_cookie, closer, hash_of(closing->cookie)))
		return 0;
	pool__delete(&closers->pool, closer);
	return -ENOMEM;
}

const struct closer *closers__see(struct closers *closers, uint64_t cookie)
{
	struct closer *closer = cookie ? find(closers, cookie) : NULL;

	if (closer)
		closer->look = closers->look;
	return closer;
}

/* One that was noted while its hash bucket had been passed in this look is seen in the next. */
void closers__end(struct closers *closers)
{
	for (uint32_t id = 1; id <= closers->pool.end; id++) {
		struct closer *closer = pool__get(&closers->pool, id);

		if (!closer || closers->look - closer->look < 2)
			continue;
		hash_index__remove(&closers->by_cookie, closer);
		pool__delete(&closers->pool, closer);
	}
	closers->look++;
}
