/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * --container: from a word to the one container that it names.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "containers_internal.h"
#include "user/tap/netns.h"
#include "user/util/log.h"
#include "user/util/nearest.h"
#include "user/util/strbuf.h"

#define LISTED_MAX 8 /* candidates that a message names */

/* A container that runs, and a process of it. */
struct candidate {
	struct container_entry *entry;
	uint32_t pid;
};

struct candidates {
	struct candidate *items;
	size_t count;
};

static void collect(void *ctx, uint32_t pid, uint32_t netns __attribute__((unused)),
		    struct container_entry *entry)
{
	struct candidates *all = ctx;
	struct candidate *more;

	if (!entry)
		return;
	for (size_t i = 0; i < all->count; i++)
		if (all->items[i].entry == entry)
			return;
	more = reallocarray(all->items, all->count + 1, sizeof(*more));
	if (!more)
		return;
	all->items = more;
	more[all->count++] = (struct candidate){entry, pid};
}

/* ---- matching -------------------------------------------------------------------------------- */

enum match { MATCH_NONE, MATCH_START, MATCH_WHOLE };

static enum match match_text(const char *text, const char *word)
{
	if (strncmp(text, word, strlen(word)))
		return MATCH_NONE;
	return strlen(text) == strlen(word) ? MATCH_WHOLE : MATCH_START;
}

static enum match match(const struct candidate *candidate, const char *word)
{
	const struct container *container = &candidate->entry->container;
	enum match by_name = match_text(container->name, word);
	enum match by_id = match_text(container->id, word);

	return by_name > by_id ? by_name : by_id;
}

/* Keeps those of @all that @word names best, in front. Returns how many. */
static size_t keep_best(struct candidates *all, const char *word)
{
	enum match best = MATCH_START;
	size_t kept = 0;

	for (size_t i = 0; i < all->count; i++)
		if (match(&all->items[i], word) > best)
			best = MATCH_WHOLE;
	for (size_t i = 0; i < all->count; i++)
		if (match(&all->items[i], word) == best)
			all->items[kept++] = all->items[i];
	return kept;
}

/* ---- messages -------------------------------------------------------------------------------- */

static void describe(struct strbuf *sb, const struct container *container)
{
	bool has_name = container->name[0];

	strbuf__adds(sb, has_name ? container->name : container->id);
	if (container->pod[0])
		strbuf__addf(sb, " of pod %s/%s", container->pod_namespace, container->pod);
	if (has_name && strcmp(container->name, container->id))
		strbuf__addf(sb, " (%.*s)", CONTAINER_SHORT_ID, container->id);
}

static void complain_several(const struct candidates *all, size_t count, const char *word)
{
	struct strbuf names = STRBUF_INIT;

	for (size_t i = 0; i < count && i < LISTED_MAX; i++) {
		strbuf__adds(&names, i ? ", " : "");
		describe(&names, &all->items[i].entry->container);
	}
	if (count > LISTED_MAX)
		strbuf__addf(&names, " and %zu more", count - LISTED_MAX);
	if (!names.failed)
		log_error("--container %s could be any of %zu: %s; give more of the id", word,
			  count, names.data);
	strbuf__free(&names);
}

static void complain_none(const struct candidates *all, const char *word)
{
	struct nearest nearest;

	nearest__init(&nearest, word, strlen(word));
	for (size_t i = 0; i < all->count; i++)
		nearest__offer(&nearest, all->items[i].entry->container.name);
	if (nearest.best && *nearest.best)
		log_error("no running container is called %s; did you mean %s?", word,
			  nearest.best);
	else
		log_error("no running container is called %s, nor has an id that begins so "
			  "(%zu run here)",
			  word, all->count);
}

static int take(struct candidate *candidate, struct container_choice *choice)
{
	char path[64];
	struct stat st;

	snprintf(path, sizeof(path), "/proc/%u/ns/net", candidate->pid);
	if (stat(path, &st))
		return errno == EACCES || errno == EPERM ? -EPERM : -EINVAL; /* or just ended */
	candidate->entry->container.is_chosen = true;
	*choice = (struct container_choice){
		.container = &candidate->entry->container,
		.netns = (uint32_t)st.st_ino,
		.pid = candidate->pid,
	};
	return 0;
}

int containers__choose(struct containers *all, const char *word, bool is_told, uint64_t now_ns,
		       struct container_choice *choice)
{
	struct candidates candidates = {0};
	size_t count;
	int err = -EINVAL;

	containers__visit_processes(all, 0, now_ns, collect, &candidates);
	count = *word ? keep_best(&candidates, word) : 0;
	if (count == 1)
		err = take(&candidates.items[0], choice);
	if (err && is_told && count > 1)
		complain_several(&candidates, count, word);
	else if (err == -EPERM && is_told)
		log_error("may not look into the network namespace of container %s: %s", word,
			  netns__remedy_of_denial());
	else if (err && is_told)
		complain_none(&candidates, word);
	free(candidates.items);
	return err;
}

void containers__unchoose(struct containers *all, const struct container *container)
{
	for (struct container_entry *entry = all->entries; entry; entry = entry->hh.next)
		if (&entry->container == container)
			entry->container.is_chosen = false;
}
