/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Finding network namespaces: /run/netns has those with names, /proc/PID/ns/net those of processes.
 */
#include "netns.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <linux/nsfs.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "user/util/caps.h"
#include "user/util/log.h"

#define OWN_PATH "/proc/thread-self/ns/net"

static bool inum_of(const char *path, uint32_t *inum)
{
	struct stat st;

	if (stat(path, &st))
		return false;
	*inum = st.st_ino;
	return true;
}

static struct netns *find(const struct netns_list *list, uint32_t inum)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].inum == inum)
			return &list->items[i];
	return NULL;
}

/* The name that ip-netns(8) knows a namespace by, if any. */
static bool find_name(uint32_t inum, char *name, size_t size)
{
	DIR *dir = opendir(NETNS_NAMES);
	struct dirent *entry;
	bool is_found = false;
	struct stat st;

	while (dir && !is_found && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || fstatat(dirfd(dir), entry->d_name, &st, 0))
			continue;
		is_found = st.st_ino == inum;
		if (is_found)
			snprintf(name, size, "%s", entry->d_name);
	}
	if (dir)
		closedir(dir);
	return is_found;
}

uint32_t netns__own(void)
{
	uint32_t inum;

	return inum_of(OWN_PATH, &inum) ? inum : 0;
}

/* The name that is the end of @path; NULL: it leads there in another way. */
static const char *name_in(const char *path)
{
	const char *name = path + strlen(NETNS_NAMES "/");

	if (strncmp(path, NETNS_NAMES "/", strlen(NETNS_NAMES "/")) || strchr(name, '/'))
		return NULL;
	return name;
}

static void name_it(struct netns *ns)
{
	const char *name = name_in(ns->path);

	if (name) {
		snprintf(ns->name, sizeof(ns->name), "%s", name);
		return;
	}
	if (find_name(ns->inum, ns->name, sizeof(ns->name)))
		return;
	if (netns__own() == ns->inum)
		snprintf(ns->name, sizeof(ns->name), "self");
	else
		snprintf(ns->name, sizeof(ns->name), "%u", ns->inum);
}

static void release(struct netns *ns)
{
	close(ns->fd);
	free(ns->path);
}

/* Adds what @path leads to, if it is not there yet. Returns 1 if added, 0, or -errno. */
static int add(struct netns_list *list, const char *path)
{
	struct netns ns = {.fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK)}; /* a FIFO? */
	struct netns *more;
	struct stat st;

	if (ns.fd < 0)
		return -errno;
	if (ioctl(ns.fd, NS_GET_NSTYPE) != CLONE_NEWNET || fstat(ns.fd, &st)) {
		close(ns.fd);
		return -EINVAL;
	}
	ns.inum = st.st_ino;
	if (find(list, ns.inum)) {
		close(ns.fd);
		return 0;
	}
	ns.path = strdup(path);
	more = reallocarray(list->items, list->count + 1, sizeof(*more));
	if (more)
		list->items = more;
	if (more && ns.path) {
		name_it(&ns);
		list->items[list->count++] = ns;
		return 1;
	}
	release(&ns);
	return -ENOMEM;
}

int netns_list__add(struct netns_list *list, const char *path)
{
	return add(list, path);
}

/* Called with a path that leads to a namespace, and its inode number; 0: who knows which. */
typedef void (*path_visitor)(void *ctx, const char *path, uint32_t inum);

static void visit_dir(const char *dir_path, const char *suffix, bool (*is_wanted)(const char *name),
		      path_visitor visit, void *ctx)
{
	DIR *dir = opendir(dir_path);
	struct dirent *entry;
	char path[512];
	uint32_t inum;

	while (dir && (entry = readdir(dir))) {
		if (!is_wanted(entry->d_name))
			continue;
		snprintf(path, sizeof(path), "%s%s%s", dir_path, entry->d_name, suffix);
		visit(ctx, path, inum_of(path, &inum) ? inum : 0);
	}
	if (dir)
		closedir(dir);
}

static bool is_pid(const char *name)
{
	return isdigit((unsigned char)*name);
}

static bool is_name(const char *name)
{
	return *name != '.';
}

static void visit_host(path_visitor visit, void *ctx)
{
	visit_dir(NETNS_NAMES "/", "", is_name, visit, ctx);
	visit_dir("/proc/", "/ns/net", is_pid, visit, ctx);
}

/* What vanishes while it is looked at is left out. */
struct adding {
	struct netns_list *list;
	int added;
	size_t denied; /* processes that may not be looked at */
};

static void set_path(struct netns *ns, const char *path)
{
	char *copy = strdup(path);

	if (!copy)
		return;
	free(ns->path);
	ns->path = copy;
	name_it(ns);
}

static void add_visited(void *ctx, const char *path, uint32_t inum)
{
	struct adding *adding = ctx;
	struct netns *known = inum ? find(adding->list, inum) : NULL;
	int result;

	/* It is made before it is given its name, by a process that ends then. */
	if (known && name_in(path) && !name_in(known->path) && strcmp(known->path, OWN_PATH) != 0)
		set_path(known, path);
	if (known)
		return;
	result = add(adding->list, path);
	adding->added += result > 0;
	adding->denied += result == -EACCES || result == -EPERM;
}

const char *netns__remedy_of_denial(void)
{
	if (!caps__has(caps__effective(), CAP_SYS_PTRACE))
		return "run as root, or with CAP_SYS_PTRACE";
	return "CAP_SYS_PTRACE is there, but a security module or an outer user namespace is in "
	       "the way";
}

static void tell_missing(const struct adding *adding)
{
	if (adding->denied)
		log_warn("%zu process%s may not be looked at: network namespaces that only %s "
			 "in are left out; %s",
			 adding->denied, adding->denied == 1 ? "" : "es",
			 adding->denied == 1 ? "it is" : "they are", netns__remedy_of_denial());
	else if (access("/proc/1", F_OK) && errno == ENOENT)
		log_warn("processes of others are hidden (hidepid of /proc): network namespaces "
			 "that only they are in are left out; %s",
			 netns__remedy_of_denial());
}

/* The own namespace is the first, whatever else there is. */
static int add_everything(struct netns_list *list)
{
	struct adding adding = {.list = list};
	int err = add(list, OWN_PATH);

	list->all = true;
	if (err < 0)
		return err;
	visit_host(add_visited, &adding);
	tell_missing(&adding);
	return 0;
}

/* NAME before PID: ip-netns(8) allows a name of digits. */
static int add_word(struct netns_list *list, const char *word)
{
	char path[512];
	int err;

	if (!strcmp(word, "self"))
		return add(list, OWN_PATH);
	if (!strcmp(word, "all"))
		return add_everything(list);
	if (strchr(word, '/'))
		return add(list, word);
	snprintf(path, sizeof(path), NETNS_NAMES "/%s", word);
	err = add(list, path);
	if (err != -ENOENT || !is_pid(word) || strspn(word, "0123456789") != strlen(word))
		return err;
	snprintf(path, sizeof(path), "/proc/%s/ns/net", word);
	return add(list, path);
}

/* A process is known by its number for as long as it lives. */
static bool is_lasting(const char *word)
{
	return strcmp(word, "self") && strncmp(word, "/proc/", strlen("/proc/")) &&
	       strspn(word, "0123456789") != strlen(word);
}

bool netns_list__grows(const struct netns_list *list)
{
	for (size_t i = 0; !list->all && i < list->n_words; i++)
		if (is_lasting(list->words[i]))
			return true;
	return list->all;
}

int netns_list__rescan(struct netns_list *list)
{
	struct adding adding = {.list = list};

	if (list->all)
		visit_host(add_visited, &adding); /* what is denied was told at the start */
	for (size_t i = 0; !list->all && i < list->n_words; i++)
		if (is_lasting(list->words[i]))
			adding.added += add_word(list, list->words[i]) > 0;
	return adding.added;
}

static int explain(const char *word, int err)
{
	bool is_process = !strchr(word, '/') || !strncmp(word, "/proc/", strlen("/proc/"));

	if (err == -EPERM || err == -EACCES) {
		log_error("may not look into network namespace %s: %s", word,
			  is_process ? netns__remedy_of_denial() : "run as root");
		return -EPERM;
	}
	if (err == -ENOMEM)
		return err;
	log_error("%s is no network namespace (%s); give self, all, a name in " NETNS_NAMES
		  ", a PID or a path",
		  word, err == -EINVAL ? "something else" : strerror(-err));
	return -EINVAL;
}

int netns_list__resolve(struct netns_list *list, const char *const *words, size_t count)
{
	static const char *const self[] = {"self"};
	int err;

	if (!count) {
		words = self;
		count = 1;
	}
	*list = (struct netns_list){.words = words, .n_words = count};
	for (size_t i = 0; i < count; i++) {
		err = add_word(list, words[i]);
		if (err >= 0)
			continue;
		netns_list__free(list);
		return explain(words[i], err);
	}
	return 0;
}

int netns_list__enterable(const struct netns_list *list)
{
	struct netns_return back;

	for (size_t i = 0; i < list->count; i++) {
		const struct netns *ns = &list->items[i];

		if (netns__enter(ns, &back) == -EPERM) {
			log_error("may not enter network namespace %s; run as root, or with "
				  "CAP_SYS_ADMIN",
				  ns->name);
			return -EPERM;
		}
		netns__leave(&back);
	}
	return 0;
}

void netns_list__free(struct netns_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		release(&list->items[i]);
	free(list->items);
	*list = (struct netns_list){0};
}

static bool is_where_it_was(const struct netns *ns)
{
	uint32_t inum;

	return inum_of(ns->path, &inum) && inum == ns->inum;
}

/* One that is not where it was may go by another path now. */
static void take_path(void *ctx, const char *path, uint32_t inum)
{
	struct netns *ns = inum ? find(ctx, inum) : NULL;

	if (ns && !ns->path)
		set_path(ns, path);
}

/* Those that are not where they were have no path then. Returns how many. */
static size_t drop_paths(struct netns_list *list)
{
	size_t count = 0;

	for (size_t i = 0; i < list->count; i++) {
		struct netns *ns = &list->items[i];

		if (is_where_it_was(ns))
			continue;
		free(ns->path);
		ns->path = NULL;
		count++;
	}
	return count;
}

void netns_list__prune(struct netns_list *list, void (*on_gone)(void *ctx, uint32_t inum),
		       void *ctx)
{
	size_t kept = 0;

	if (!drop_paths(list))
		return;
	visit_host(take_path, list); /* one look does for all of them */
	for (size_t i = 0; i < list->count; i++) {
		struct netns *ns = &list->items[i];

		if (ns->path) {
			list->items[kept++] = *ns;
			continue;
		}
		on_gone(ctx, ns->inum);
		release(ns);
	}
	list->count = kept;
}

const struct netns *netns_list__find(const struct netns_list *list, uint32_t inum)
{
	return find(list, inum);
}

const char *netns_list__name(const struct netns_list *list, uint32_t inum)
{
	const struct netns *ns = find(list, inum);

	return ns ? ns->name : NULL;
}

int netns__enter(const struct netns *ns, struct netns_return *back)
{
	int err;

	back->fd = -1;
	if (netns__own() == ns->inum)
		return 0;
	back->fd = open(OWN_PATH, O_RDONLY | O_CLOEXEC);
	if (back->fd < 0)
		return -errno;
	if (!setns(ns->fd, CLONE_NEWNET))
		return 0;
	err = -errno;
	close(back->fd);
	back->fd = -1;
	return err;
}

void netns__leave(struct netns_return *back)
{
	if (back->fd < 0)
		return;
	/* It was ours a moment ago and is held open: this cannot fail. */
	if (setns(back->fd, CLONE_NEWNET))
		log_error("cannot return to the own network namespace: %s", strerror(errno));
	close(back->fd);
	back->fd = -1;
}
