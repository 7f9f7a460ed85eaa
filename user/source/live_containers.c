/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Containers in the live source: what --container chooses, and which one a row is of. Not here: how
 * they are known (containers.h).
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "live_internal.h"
#include "user/util/log.h"

#define TAP_TRIES 2 /* with the checks of live_netns.c, a second apart */

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

static void close_process(struct chosen_container *chosen)
{
	if (chosen->process_fd > 0)
		close(chosen->process_fd);
	chosen->process_fd = 0;
}

void live__close_containers(struct live *live)
{
	for (size_t i = 0; live->chosen && i < live->options.n_containers; i++)
		close_process(&live->chosen[i]);
	containers__free(live->containers);
	netns_list__free(&live->home);
	free(live->chosen);
}

/* ---- --container ----------------------------------------------------------------------------- */

/* Its namespace is in the list then. Returns 0, -EINVAL or -EPERM, logged if @is_told. */
static int choose(struct live *live, size_t i, bool is_told)
{
	const char *word = live->options.containers[i];
	struct chosen_container *chosen = &live->chosen[i];
	struct container_choice choice;
	char path[64];
	int err = containers__choose(live->containers, word, is_told, live->now_ns, &choice);

	if (err)
		return err;
	snprintf(path, sizeof(path), "/proc/%u/ns/net", choice.pid);
	err = netns_list__add(&live->netns, path);
	if (err < 0) {
		if (is_told)
			log_error("cannot enter the network namespace of container %s: %s", word,
				  strerror(-err));
		return err == -EPERM || err == -EACCES ? -EPERM : -EINVAL;
	}
	if (chosen->container && chosen->container != choice.container)
		containers__unchoose(live->containers, chosen->container);
	close_process(chosen);
	chosen->container = choice.container;
	chosen->process_fd = (int)syscall(SYS_pidfd_open, choice.pid, 0);
	if (chosen->netns != choice.netns)
		chosen->to_tap = TAP_TRIES;
	chosen->netns = choice.netns;
	return 0;
}

int live__resolve_netns(struct live *live)
{
	const struct live_options *options = &live->options;
	int err = 0;

	if (options->n_netns || !options->n_containers)
		err = netns_list__resolve(&live->netns, options->netns, options->n_netns);
	if (err || !options->n_containers)
		return err;
	live->chosen = calloc(options->n_containers, sizeof(*live->chosen));
	if (!live->chosen)
		return -ENOMEM;
	for (size_t i = 0; !err && i < options->n_containers; i++)
		err = choose(live, i, true);
	return err ? err : netns_list__resolve(&live->home, NULL, 0);
}

bool live__is_container(const struct live *live, const struct netns *ns)
{
	for (size_t i = 0; live->chosen && i < live->options.n_containers; i++)
		if (live->chosen[i].netns == ns->inum)
			return true;
	return false;
}

void live__lose_container(struct live *live, uint32_t inum)
{
	for (size_t i = 0; live->chosen && i < live->options.n_containers; i++)
		if (live->chosen[i].netns == inum)
			live->chosen[i].netns = 0;
}

/* A runtime may start the first process before it has made the network. */
static void tap_later(struct live *live, struct chosen_container *chosen)
{
	const struct netns *ns;

	if (!chosen->netns || !chosen->to_tap || !live->taps || live->options.n_ifaces)
		return;
	chosen->to_tap--;
	ns = netns_list__find(&live->netns, chosen->netns);
	if (ns)
		(void)live__tap_outside(live, ns); /* logged */
}

/* Its namespace may be there still, kept by another container: that of its pod. */
static bool has_ended(const struct chosen_container *chosen)
{
	struct pollfd process = {.fd = chosen->process_fd, .events = POLLIN};

	return !chosen->netns || chosen->process_fd <= 0 || poll(&process, 1, 0) > 0;
}

void live__follow_containers(struct live *live)
{
	for (size_t i = 0; live->chosen && i < live->options.n_containers; i++) {
		if (has_ended(&live->chosen[i]))
			(void)choose(live, i, false); /* not yet */
		tap_later(live, &live->chosen[i]);
	}
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

/* A SYN passes one veth and then the other: it is not one that was sent again. */
#define SAME_SYN_NS (100 * TW_NSEC_PER_MSEC)

/* Its SYN passed @a before @b; 0: nobody knows. */
static int compare_syns(const struct session_leg *a, const struct session_leg *b)
{
	uint64_t apart = a->syn_ns < b->syn_ns ? b->syn_ns - a->syn_ns : a->syn_ns - b->syn_ns;

	if (!a->syn_ns || !b->syn_ns || !apart || apart > SAME_SYN_NS)
		return 0;
	return a->syn_ns < b->syn_ns ? -1 : 1;
}

/*
 * What passes through this namespace at a veth is of the container behind it; from one container to
 * another it is of the one that began it, whose row it is: its SYN passed that veth first.
 */
static uint32_t netns_of(struct live *live, const struct session *session)
{
	const struct session_leg alone = {session->netns, (uint16_t)session->tap, 0};
	const struct session_leg *legs = session->legs ? session->legs : &alone, *first = NULL;
	unsigned count = session->legs ? session->n_legs : 1;
	uint32_t found = 0;

	for (unsigned i = 0; session->is_forwarded && live->taps && i < count; i++) {
		uint32_t behind = tap_set__peer_netns(live->taps, legs[i].tap, live->now_ns);
		int order = first ? compare_syns(&legs[i], first) : -1;

		if (!behind)
			continue;
		if (found && behind != found && !order)
			return session->netns;
		if (order < 0) {
			first = &legs[i];
			found = behind;
		}
	}
	return found ? found : session->netns;
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
