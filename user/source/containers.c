/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What is remembered of containers, and the answer to which one a session is of.
 */
#include "containers_internal.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf/shared/types.h"
#include "user/util/log.h"

/* Of each kind of thing remembered. Twice the pods that Kubernetes wants on a large node, and more
 * cgroups than a host has with sockets. */
#define ENTRIES_MAX 4096
#define LINKS_MAX   16384

#define KEPT_NS	    (60 * TW_NSEC_PER_SEC) /* unused: longer than a TIME_WAIT that outlived it */
#define SWEEP_NS    (10 * TW_NSEC_PER_SEC)

/* How often a container's name is looked at: it may be renamed; without a file ever more rarely. */
#define CHECK_NS     (2 * TW_NSEC_PER_SEC)
#define CHECK_MAX_NS (32 * TW_NSEC_PER_SEC)

/* How often at most all processes are looked at: for a namespace never seen, and for any. */
#define SCAN_NEW_NS (100 * TW_NSEC_PER_MSEC)
#define SCAN_NS	    (5 * TW_NSEC_PER_SEC)
#define WALK_NS	    TW_NSEC_PER_SEC

/* ---- making and freeing ---------------------------------------------------------------------- */

static uint32_t inum_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? 0 : (uint32_t)st.st_ino;
}

struct containers *containers__new(void)
{
	struct containers *all = calloc(1, sizeof(*all));
	int err;

	if (!all)
		return NULL;
	/* In a container that shares the host's processes this is the host's file system. */
	all->reader.root = access("/proc/1/root/.", X_OK) ? "" : "/proc/1/root";
	all->host_netns = inum_of("/proc/1/ns/net");
	/* Who may not look at process 1 may not look at others beside himself either. */
	if (!all->host_netns)
		all->host_netns = inum_of("/proc/self/ns/net");
	err = cgroup_tree__open(&all->tree);
	if (!err)
		return all;
	containers__free(all);
	errno = -err;
	return NULL;
}

static void forget_links(struct container_link **links, uint64_t before_ns)
{
	struct container_link *link, *next;

	for (link = *links; link; link = next) {
		next = link->hh.next;
		if (link->used_ns >= before_ns)
			continue;
		HASH_DEL(*links, link);
		free(link);
	}
}

static void free_entry(struct containers *all, struct container_entry *entry)
{
	HASH_DEL(all->entries, entry);
	state_file__free(&entry->file);
	free(entry);
}

void containers__free(struct containers *all)
{
	struct container_entry *entry, *next;

	if (!all)
		return;
	forget_links(&all->by_cgroup, UINT64_MAX);
	forget_links(&all->by_pid, UINT64_MAX);
	forget_links(&all->by_netns, UINT64_MAX);
	for (entry = all->entries; entry; entry = next) {
		next = entry->hh.next;
		free_entry(all, entry);
	}
	state_reader__fini(&all->reader);
	cgroup_tree__close(&all->tree);
	free(all);
}

/* ---- what is remembered ---------------------------------------------------------------------- */

static void check(struct containers *all, struct container_entry *entry, uint64_t now_ns)
{
	bool is_told = state_reader__complete(&all->reader, &entry->file, &entry->container);
	uint64_t pause_ns = 2 * entry->check_pause_ns;

	if (is_told || pause_ns < CHECK_NS)
		pause_ns = CHECK_NS;
	entry->check_pause_ns = pause_ns < CHECK_MAX_NS ? pause_ns : CHECK_MAX_NS;
	entry->check_ns = now_ns + entry->check_pause_ns;
}

static void complain_full(struct containers *all)
{
	if (!all->told_full)
		log_warn("more than %d containers at a time: some are not named", ENTRIES_MAX);
	all->told_full = true;
}

static struct container_entry *add_entry(struct containers *all, const struct container *container,
					 const char *key, uint64_t now_ns)
{
	struct container_entry *entry;

	if (HASH_COUNT(all->entries) >= ENTRIES_MAX) {
		complain_full(all);
		return NULL;
	}
	entry = calloc(1, sizeof(*entry));
	if (!entry)
		return NULL;
	entry->container = *container;
	memcpy(entry->key, key, sizeof(entry->key));
	HASH_ADD_STR(all->entries, key, entry);
	check(all, entry, now_ns);
	return entry;
}

struct container_entry *containers__entry(struct containers *all, const char *path, uint64_t now_ns)
{
	char key[sizeof(((struct container_entry *)0)->key)];
	struct container_entry *entry;
	struct container container;

	if (!container__parse_path(path, &container) &&
	    !state_reader__find(&all->reader, path, &container))
		return NULL;
	snprintf(key, sizeof(key), "%d %s", (int)container.runtime, container.id);
	HASH_FIND_STR(all->entries, key, entry);
	if (!entry)
		entry = add_entry(all, &container, key, now_ns);
	if (entry)
		entry->used_ns = now_ns;
	return entry;
}

static struct container_link *find_link(struct container_link *links, uint64_t key)
{
	struct container_link *link;

	HASH_FIND(hh, links, &key, sizeof(key), link);
	return link;
}

static struct container_link *add_link(struct container_link **links, uint64_t key)
{
	struct container_link *link = NULL;

	if (HASH_COUNT(*links) < LINKS_MAX)
		link = calloc(1, sizeof(*link));
	if (!link)
		return NULL;
	link->key = key;
	HASH_ADD(hh, *links, key, sizeof(link->key), link);
	return link;
}

struct container_link *containers__link(struct container_link **links, uint64_t key,
					uint64_t now_ns)
{
	struct container_link *link = find_link(*links, key);

	if (!link)
		link = add_link(links, key);
	if (link)
		link->used_ns = now_ns;
	return link;
}

/* ---- forgetting ------------------------------------------------------------------------------ */

/* Links first: each was used no later than its entry, so none is left that points to one freed. */
static void forget(struct containers *all, uint64_t before_ns)
{
	struct container_entry *entry, *next;

	forget_links(&all->by_cgroup, before_ns);
	forget_links(&all->by_pid, before_ns);
	forget_links(&all->by_netns, before_ns);
	for (entry = all->entries; entry; entry = next) {
		next = entry->hh.next;
		if (entry->used_ns < before_ns && !entry->container.is_chosen)
			free_entry(all, entry);
	}
}

void containers__forget_netns(struct containers *all, uint32_t inum)
{
	struct container_link *link = find_link(all->by_netns, inum);

	if (!link)
		return;
	HASH_DEL(all->by_netns, link);
	free(link);
}

void containers__follow(struct containers *all, uint64_t now_ns)
{
	for (struct container_entry *e = all->entries; e; e = e->hh.next)
		if (now_ns >= e->check_ns)
			check(all, e, now_ns);
	if (now_ns - all->swept_ns < SWEEP_NS)
		return;
	all->swept_ns = now_ns;
	if (now_ns > KEPT_NS)
		forget(all, now_ns - KEPT_NS);
}

/* ---- asking ---------------------------------------------------------------------------------- */

static void take_cgroup(struct containers *all, uint64_t id, const char *path, uint64_t now_ns)
{
	struct container_entry *entry = containers__entry(all, path, now_ns);
	struct container_link *link = containers__link(&all->by_cgroup, id, now_ns);

	if (!link)
		return;
	link->entry = entry;
	/* Where version 1 is in use a runtime may have used that alone; and in the root are the
	 * sockets that no process made. */
	link->is_final = !entry && !all->tree.has_v1 && strcmp(path, "/") != 0;
}

struct walking {
	struct containers *all;
	uint64_t now_ns;
};

static void take_walked(void *ctx, uint64_t id, const char *path)
{
	const struct walking *w = ctx;

	take_cgroup(w->all, id, path, w->now_ns);
}

/* Without the privilege to open one by its id all are looked at. */
static void walk(struct containers *all, uint64_t now_ns)
{
	if (all->walked_ns && now_ns - all->walked_ns < WALK_NS)
		return;
	all->walked_ns = now_ns;
	(void)cgroup_tree__visit(&all->tree, take_walked, &(struct walking){all, now_ns});
}

static const struct container_link *ask_cgroup(struct containers *all, uint64_t id, uint64_t now_ns)
{
	struct container_link *link = find_link(all->by_cgroup, id);
	char path[CGROUP_PATH_MAX];
	int err;

	if (!link) {
		err = cgroup_tree__path(&all->tree, id, path);
		if (!err)
			take_cgroup(all, id, path, now_ns);
		else if (err != -ENOENT)
			walk(all, now_ns);
		link = find_link(all->by_cgroup, id);
	}
	if (link)
		link->used_ns = now_ns;
	return link;
}

/* Of a namespace, or a process, that is not known yet, or not for long enough any more. */
static void scan_if_due(struct containers *all, const struct container_link *link, uint64_t now_ns)
{
	uint64_t pause_ns = link ? SCAN_NS : SCAN_NEW_NS;

	if (!all->scanned_ns || now_ns - all->scanned_ns >= pause_ns)
		containers__scan(all, now_ns);
}

static const struct container_entry *ask_pid(struct containers *all, uint32_t pid, uint64_t now_ns)
{
	struct container_link *link = find_link(all->by_pid, pid);

	scan_if_due(all, link, now_ns);
	link = containers__link(&all->by_pid, pid, now_ns); /* of no container is an answer too */
	return link && link->scan == all->scan ? link->entry : NULL;
}

static const struct container *ask_netns(struct containers *all, uint32_t inum, uint64_t now_ns)
{
	struct container_link *link = find_link(all->by_netns, inum);

	scan_if_due(all, link, now_ns);
	link = containers__link(&all->by_netns, inum, now_ns);
	if (!link)
		return NULL;
	if (link->entry)
		link->entry->used_ns = now_ns;
	if (link->is_shared)
		return link->is_pod ? &link->pod : NULL;
	return link->entry ? &link->entry->container : NULL;
}

bool containers__ask_processes(const struct containers *all)
{
	return all->tree.has_v1;
}

const struct container *containers__of(struct containers *all, const struct container_clues *clues,
				       uint64_t now_ns)
{
	const struct container_link *link = NULL;
	const struct container_entry *entry;

	if (clues->cgroup_id)
		link = ask_cgroup(all, clues->cgroup_id, now_ns);
	if (link && link->entry) {
		link->entry->used_ns = now_ns;
		return &link->entry->container;
	}
	if (link && link->is_final)
		return NULL;
	if (clues->pid && all->tree.has_v1) {
		entry = ask_pid(all, clues->pid, now_ns);
		if (entry)
			return &entry->container;
	}
	if (!clues->netns || clues->netns == all->host_netns)
		return NULL;
	return ask_netns(all, clues->netns, now_ns);
}
