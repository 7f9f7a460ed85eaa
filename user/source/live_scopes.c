/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names of the interfaces that sockets are bound to. They are few, and asked for with each row, so
 * the last ones are kept for a second. Not here: interfaces that are tapped (tap/).
 */
#include <net/if.h>
#include <stdlib.h>
#include <string.h>

#include <uthash.h>

#include "live_internal.h"

#define FRESH_NS TW_NSEC_PER_SEC /* a name may change */

/* An interface that sockets are bound to. */
struct scope {
	struct scope_key {
		uint32_t netns, ifindex;
	} key;
	uint64_t wanted_ns, asked_ns;
	char name[IFNAMSIZ]; /* empty: not known */
	UT_hash_handle hh;
};

static void ask(const struct live *live, struct scope *scope)
{
	const struct netns *ns = netns_list__find(&live->netns, scope->key.netns);
	struct netns_return back;
	char name[IFNAMSIZ] = "";

	scope->asked_ns = live->now_ns;
	if (!ns || netns__enter(ns, &back))
		return;
	if (!if_indextoname(scope->key.ifindex, name))
		name[0] = '\0';
	netns__leave(&back);
	memcpy(scope->name, name, sizeof(name));
}

const char *live__ifname(void *ctx, uint32_t netns, uint32_t ifindex)
{
	const struct scope_key key = {netns, ifindex};
	struct live *live = ctx;
	struct scope *scope;

	HASH_FIND(hh, live->scopes, &key, sizeof(key), scope);
	if (!scope) {
		scope = calloc(1, sizeof(*scope));
		if (!scope)
			return NULL;
		scope->key = key;
		HASH_ADD(hh, live->scopes, key, sizeof(key), scope);
	}
	scope->wanted_ns = live->now_ns;
	if (!scope->asked_ns || live->now_ns - scope->asked_ns >= FRESH_NS)
		ask(live, scope);
	return scope->name[0] ? scope->name : NULL;
}

void live_scopes__tidy(struct live *live, uint64_t before_ns)
{
	struct scope *scope, *next;

	for (scope = live->scopes; scope; scope = next) {
		next = scope->hh.next;
		if (scope->wanted_ns >= before_ns)
			continue;
		HASH_DEL(live->scopes, scope);
		free(scope);
	}
}
