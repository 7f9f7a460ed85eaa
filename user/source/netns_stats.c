/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads the kernel's figures of one network namespace, from within it. Nothing stays open: a host
 * has hundreds of namespaces, each would take a dozen file descriptors.
 */
#include "netns_stats.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define TEXT_BYTES 16384 /* netstat takes some 6 KiB */

struct row {
	const char *path, *line, *name;
};

static const struct row rows[NETNS_STAT_COUNT] = {
#define X(id, path, line, name) [NETNS_##id] = {path, line, name},
	NETNS_STATS(X)
#undef X
};

struct netns_stats {
	struct netns ns; /* .fd is the list's, .path is NULL */
	netns_stat_set wanted;
	size_t n_paths;
	const char *paths[NETNS_STAT_COUNT]; /* that hold what is wanted, each once */
};

/* ---- texts ----------------------------------------------------------------------------------- */

struct word {
	const char *at;
	size_t len;
};

/* The next word of a line. False: its end. */
static bool next_word(const char **at, struct word *word)
{
	*at += strspn(*at, " \t");
	word->at = *at;
	word->len = strcspn(*at, " \t\n");
	*at += word->len;
	return word->len;
}

/* What follows @prefix in the first line from @text on that begins with it; NULL: no line does. */
static const char *find_line(const char *text, const char *prefix)
{
	size_t len = strlen(prefix);

	while (text && strncmp(text, prefix, len)) {
		text = strchr(text, '\n');
		if (text)
			text++;
	}
	return text ? text + len : NULL;
}

static void set(struct netns_values *values, enum netns_stat id, const char *number)
{
	values->value[id] = strtoull(number, NULL, 10);
	values->known |= (netns_stat_set)1 << id;
}

/*
 * snmp and netstat have a line of names and then one of values with the same beginning, sockstat a
 * name and its value in turn.
 */
static void find_value(const char *text, enum netns_stat id, struct netns_values *values)
{
	const struct row *row = &rows[id];
	const char *names = find_line(text, row->line);
	const char *more = names ? find_line(names, row->line) : NULL;
	size_t len = strlen(row->name);
	struct word name, value;

	while (names && next_word(&names, &name) && next_word(more ? &more : &names, &value)) {
		if (name.len != len || memcmp(name.at, row->name, len))
			continue;
		set(values, id, value.at);
		return;
	}
}

void netns_stats__parse(const char *path, const char *text, netns_stat_set wanted,
			struct netns_values *values)
{
	for (int id = 0; id < NETNS_STAT_COUNT; id++) {
		if (!(wanted & (netns_stat_set)1 << id) || strcmp(rows[id].path, path))
			continue;
		if (rows[id].line)
			find_value(text, id, values);
		else if (*text)
			set(values, id, text);
	}
}

/* ---- files ----------------------------------------------------------------------------------- */

static bool has_path(const struct netns_stats *stats, const char *path)
{
	for (size_t i = 0; i < stats->n_paths; i++)
		if (!strcmp(stats->paths[i], path))
			return true;
	return false;
}

static void list_paths(struct netns_stats *stats)
{
	for (int id = 0; id < NETNS_STAT_COUNT; id++)
		if (stats->wanted & (netns_stat_set)1 << id && !has_path(stats, rows[id].path))
			stats->paths[stats->n_paths++] = rows[id].path;
}

int netns_stats__open(struct netns_stats **out, const struct netns *ns, netns_stat_set wanted)
{
	struct netns_stats *stats = calloc(1, sizeof(*stats));
	struct netns_return back;
	int err;

	if (!stats)
		return -ENOMEM;
	stats->ns = *ns;
	stats->ns.path = NULL;
	stats->wanted = wanted;
	list_paths(stats);
	err = netns__enter(ns, &back);
	if (err) {
		netns_stats__close(stats);
		return err;
	}
	netns__leave(&back);
	*out = stats;
	return 0;
}

void netns_stats__close(struct netns_stats *stats)
{
	free(stats);
}

uint32_t netns_stats__inum(const struct netns_stats *stats)
{
	return stats->ns.inum;
}

/* Within the namespace. What lies below /proc/net is that of the thread, not of its process. */
static ssize_t read_file(const char *path, char *text, size_t size)
{
	char full[128];
	ssize_t n;
	int fd;

	snprintf(full, sizeof(full), "/proc/%s%s", strncmp(path, "net/", 4) ? "" : "thread-self/",
		 path);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	n = read(fd, text, size - 1);
	if (n < 0)
		n = -errno;
	else
		text[n] = '\0';
	close(fd);
	return n;
}

ssize_t netns_stats__text(const struct netns_stats *stats, enum netns_stat id, char *text,
			  size_t size)
{
	struct netns_return back;
	ssize_t n;

	if (!has_path(stats, rows[id].path))
		return -ENOENT;
	n = netns__enter(&stats->ns, &back);
	if (n)
		return n;
	n = read_file(rows[id].path, text, size);
	netns__leave(&back);
	return n;
}

void netns_stats__read(const struct netns_stats *stats, struct netns_values *values)
{
	struct netns_return back;
	char text[TEXT_BYTES];

	*values = (struct netns_values){0};
	if (netns__enter(&stats->ns, &back))
		return;
	for (size_t i = 0; i < stats->n_paths; i++)
		if (read_file(stats->paths[i], text, sizeof(text)) >= 0)
			netns_stats__parse(stats->paths[i], text, stats->wanted, values);
	netns__leave(&back);
}
