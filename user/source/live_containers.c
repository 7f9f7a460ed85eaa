/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Containers in the live source: what --container chooses, and which one a row is of. Not here: how
 * they are known (containers.h).
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "live_internal.h"
#include "user/util/log.h"

int live__open_containers(struct live *live)
{
	int err;

	if (!live->options.want_containers && !live->options.n_containers)
		return 0;
	live->now_ns = live__now().mono_ns;
	live->containers = containers__new();
	if (live->containers)
		return 0;
	err = errno ? -errno : -ENOMEM;
	log_error("cannot look for containers: %s", strerror(-err));
	return err;
}

void live__close_containers(struct live *live)
{
	containers__free(live->containers);
	netns_list__free(&live->home);
	free(live->container_netns);
}

/* ---- --container ----------------------------------------------------------------------------- */

/* The words of -N and, behind them, the paths of the namespaces of chosen containers. */
struct netns_words {
	const char **words;
	size_t count;
	char (*paths)[PATH_MAX];
};

static int choose(struct live *live, struct netns_words *all)
{
	const struct live_options *options = &live->options;
	int err = 0;

	for (size_t i = 0; i < options->n_netns; i++)
		all->words[all->count++] = options->netns[i];
	for (size_t i = 0; !err && i < options->n_containers; i++) {
		err = containers__choose(live->containers, options->containers[i], all->paths[i],
					 live->now_ns);
		all->words[all->count++] = all->paths[i];
	}
	return err;
}

/* A namespace that -N names as well is watched as -N says. */
static int remember(struct live *live, const struct netns_words *all)
{
	const size_t n = live->options.n_containers;

	live->container_netns = calloc(live->netns.count, sizeof(*live->container_netns));
	if (!live->container_netns)
		return -ENOMEM;
	for (size_t i = 0; i < live->netns.count; i++) {
		const struct netns *ns = &live->netns.items[i];
		size_t k = 0;

		while (k < n && strcmp(all->paths[k], ns->path))
			k++;
		if (k < n)
			live->container_netns[live->n_container_netns++] = ns->inum;
	}
	return netns_list__resolve(&live->home, NULL, 0);
}

int live__resolve_netns(struct live *live)
{
	const struct live_options *options = &live->options;
	struct netns_words all = {0};
	int err;

	if (!options->n_containers)
		return netns_list__resolve(&live->netns, options->netns, options->n_netns);
	all.words = calloc(options->n_netns + options->n_containers, sizeof(*all.words));
	all.paths = calloc(options->n_containers, sizeof(*all.paths));
	err = all.words && all.paths ? choose(live, &all) : -ENOMEM;
	if (!err)
		err = netns_list__resolve(&live->netns, all.words, all.count);
	if (!err)
		err = remember(live, &all);
	free(all.words);
	free(all.paths);
	return err;
}

bool live__is_container(const struct live *live, const struct netns *ns)
{
	for (size_t i = 0; i < live->n_container_netns; i++)
		if (live->container_netns[i] == ns->inum)
			return true;
	return false;
}

/* Who wants the fates of SYNs above all needs a tap where they are told: inside. */
int live__tap_outside(struct live *live, const struct netns *ns)
{
	const struct live_options *options = &live->options;

	if (options->want_listeners && !options->watch_listeners)
		return tap_set__add(live->taps, ns, NULL, options->hook);
	return tap_set__add_outer(live->taps, ns, &live->home.items[0], live->options.hook);
}

bool live__needs_owners(const struct live *live)
{
	return live->containers && containers__ask_processes(live->containers);
}

/* ---- rows ------------------------------------------------------------------------------------ */

/* What passes through this namespace at a veth is of the container behind it. */
static uint32_t netns_of(struct live *live, const struct session *session)
{
	uint32_t behind = 0;

	if (session->is_forwarded && live->taps)
		behind = tap_set__peer_netns(live->taps, session->tap, live->now_ns);
	return behind ? behind : session->netns;
}

const struct container *live__container(void *ctx, const struct session *session)
{
	struct live *live = ctx;
	const struct container_clues clues = {
		.cgroup_id = session->sock ? session->sock->cgroup_id : 0,
		.pid = session->owner.pid,
		.netns = netns_of(live, session),
	};

	return containers__of(live->containers, &clues, live->now_ns);
}
