/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads the kernel's figures of one network namespace. A file of /proc/net or /proc/sys/net stays
 * that of the namespace it was opened in and gives new values from its start, so each is opened
 * once.
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

struct source {
	const char *path;
	int fd;
};

struct netns_stats {
	uint32_t inum;
	netns_stat_set wanted;
	size_t n_sources;
	struct source sources[NETNS_STAT_COUNT];
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

static const struct source *find_source(const struct netns_stats *stats, const char *path)
{
	for (size_t i = 0; i < stats->n_sources; i++)
		if (!strcmp(stats->sources[i].path, path))
			return &stats->sources[i];
	return NULL;
}

/* Within the namespace. What lies below /proc/net is that of the thread, not of its process. */
static int open_source(struct netns_stats *stats, const char *path)
{
	char full[128];
	int fd;

	snprintf(full, sizeof(full), "/proc/%s%s", strncmp(path, "net/", 4) ? "" : "thread-self/",
		 path);
	fd = open(full, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == EMFILE || errno == ENFILE ? -errno : 0;
	stats->sources[stats->n_sources++] = (struct source){path, fd};
	return 0;
}

static int open_sources(struct netns_stats *stats)
{
	int err = 0;

	for (int id = 0; !err && id < NETNS_STAT_COUNT; id++)
		if (stats->wanted & (netns_stat_set)1 << id && !find_source(stats, rows[id].path))
			err = open_source(stats, rows[id].path);
	return err;
}

int netns_stats__open(struct netns_stats **out, const struct netns *ns, netns_stat_set wanted)
{
	struct netns_stats *stats = calloc(1, sizeof(*stats));
	struct netns_return back;
	int err;

	if (!stats)
		return -ENOMEM;
	stats->inum = ns->inum;
	stats->wanted = wanted;
	err = netns__enter(ns, &back);
	if (!err) {
		err = open_sources(stats);
		netns__leave(&back);
	}
	if (err) {
		netns_stats__close(stats);
		return err;
	}
	*out = stats;
	return 0;
}

void netns_stats__close(struct netns_stats *stats)
{
	if (!stats)
		return;
	for (size_t i = 0; i < stats->n_sources; i++)
		close(stats->sources[i].fd);
	free(stats);
}

uint32_t netns_stats__inum(const struct netns_stats *stats)
{
	return stats->inum;
}

static ssize_t read_source(const struct source *source, char *text, size_t size)
{
	ssize_t n = pread(source->fd, text, size - 1, 0);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	return n;
}

ssize_t netns_stats__text(const struct netns_stats *stats, enum netns_stat id, char *text,
			  size_t size)
{
	const struct source *source = find_source(stats, rows[id].path);

	return source ? read_source(source, text, size) : -ENOENT;
}

void netns_stats__read(const struct netns_stats *stats, struct netns_values *values)
{
	char text[TEXT_BYTES];

	*values = (struct netns_values){0};
	for (size_t i = 0; i < stats->n_sources; i++)
		if (read_source(&stats->sources[i], text, sizeof(text)) >= 0)
			netns_stats__parse(stats->sources[i].path, text, stats->wanted, values);
}
