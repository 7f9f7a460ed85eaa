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
	free(all.words);
	free(all.paths);
	return err;
}

/* ---- rows ------------------------------------------------------------------------------------ */

const struct container *live__container(void *ctx, const struct session *session)
{
	struct live *live = ctx;
	const struct container_clues clues = {
		.cgroup_id = session->sock ? session->sock->cgroup_id : 0,
		.pid = session->owner.pid,
		.netns = session->netns,
	};

	return containers__of(live->containers, &clues, live->now_ns);
}
