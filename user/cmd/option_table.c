/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of options, and what each sets. Not here: reading the arguments by it (options.c).
 */
#include "option_table.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "user/util/log.h"

#define MAX_SECONDS 1e9

/* A name of something: the empty one names nothing. */
static int need_name(const char *what, const char *arg)
{
	if (*arg)
		return 0;
	log_error("%s needs a name that is not empty", what);
	return -EINVAL;
}

/* Appends to one of the lists of words in live_options. */
static int add_word(const char *what, const char *const **words, size_t *count, const char *word)
{
	const char **more;

	if (need_name(what, word))
		return -EINVAL;
	more = reallocarray((void *)*words, *count + 1, sizeof(**words));
	if (!more)
		return -ENOMEM;
	more[(*count)++] = word;
	*words = more;
	return 0;
}

static int set_interface(struct reading *r, const char *arg)
{
	struct live_options *live = &r->options->live;

	r->has_taps = true;
	return add_word("-i", &live->ifaces, &live->n_ifaces, arg);
}

static int set_netns(struct reading *r, const char *arg)
{
	struct live_options *live = &r->options->live;

	return add_word("-N", &live->netns, &live->n_netns, arg);
}

static int set_container(struct reading *r, const char *arg)
{
	struct live_options *live = &r->options->live;

	return add_word("--container", &live->containers, &live->n_containers, arg);
}

static int set_hook(struct reading *r, const char *arg)
{
	r->has_taps = true;
	if (!hook_mode__parse(&r->options->live.hook, arg))
		return 0;
	log_error("no hook is called %s; there are auto, xdp, xdp-generic and tc", arg);
	return -EINVAL;
}

static int set_view(struct reading *r, const char *arg)
{
	static const struct {
		const char *name;
		unsigned views;
	} names[] = {{"socket", VIEW_SOCKET}, {"wire", VIEW_WIRE}, {"both", VIEW_BOTH}};

	r->has_view = true;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(arg, names[i].name))
			continue;
		r->options->live.views = names[i].views;
		return 0;
	}
	log_error("no view is called %s; there are socket, wire and both", arg);
	return -EINVAL;
}

/* A whole number from 1 to @max. */
static int parse_count(const char *what, const char *arg, uint64_t max, uint64_t *out)
{
	char *end;
	unsigned long long n;

	errno = 0;
	n = strtoull(arg, &end, 10);
	if (errno || *end || end == arg || *arg == '-' || !n || n > max) {
		log_error("%s: %s is not a whole number from 1 to %llu", what, arg,
			  (unsigned long long)max);
		return -EINVAL;
	}
	*out = n;
	return 0;
}

static int parse_seconds(const char *what, const char *arg, double least, uint64_t *out_ns)
{
	char *end;
	double seconds = strtod(arg, &end);

	if (*end || end == arg || !isfinite(seconds) || seconds < least || seconds > MAX_SECONDS) {
		log_error("%s: %s is not a number of seconds from %g on", what, arg, least);
		return -EINVAL;
	}
	*out_ns = (uint64_t)(seconds * TW_NSEC_PER_SEC);
	return 0;
}

static int set_cache(struct reading *r, const char *arg)
{
	uint64_t slots;
	int err = parse_count("--cache", arg, 1u << 26, &slots);

	if (!err)
		r->options->live.cache_slots = slots;
	return err;
}

static int set_fields(struct reading *r, const char *arg)
{
	r->fields = arg;
	return 0;
}

static int set_sort(struct reading *r, const char *arg)
{
	r->sort = arg;
	return 0;
}

static int set_json(struct reading *r, const char *arg __attribute__((unused)))
{
	r->options->json = true;
	return 0;
}

static int set_color(struct reading *r, const char *arg)
{
	static const char *const names[] = {
		[COLOR_AUTO] = "auto", [COLOR_ALWAYS] = "always", [COLOR_NEVER] = "never"};

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		if (strcmp(arg, names[i]))
			continue;
		r->color = i;
		return 0;
	}
	log_error("--color: %s is none of auto, always and never", arg);
	return -EINVAL;
}

static int set_delay(struct reading *r, const char *arg)
{
	r->options->watch = true;
	return parse_seconds("-d", arg, 0.1, &r->options->delay_ns);
}

static int set_frames(struct reading *r, const char *arg)
{
	r->options->watch = true;
	return parse_count("-n", arg, UINT32_MAX, &r->options->count);
}

static int set_watch(struct reading *r, const char *arg __attribute__((unused)))
{
	r->options->watch = true;
	return 0;
}

static int set_rows(struct reading *r, const char *arg)
{
	return parse_count("--rows", arg, UINT32_MAX, &r->options->rows);
}

static int set_batch(struct reading *r, const char *arg __attribute__((unused)))
{
	r->options->batch = true;
	return 0;
}

static int set_duration(struct reading *r, const char *arg)
{
	return parse_seconds("--duration", arg, 0.001, &r->options->duration_ns);
}

static int set_textfile(struct reading *r, const char *arg)
{
	r->options->export.textfile = arg;
	return need_name("--textfile", arg);
}

/* "15" or "15s", as intervals of Prometheus are written. */
static int set_interval(struct reading *r, const char *arg)
{
	size_t len = strlen(arg);
	char seconds[32];

	snprintf(seconds, sizeof(seconds), "%.*s",
		 (int)(len && arg[len - 1] == 's' ? len - 1 : len), arg);
	return parse_seconds("--interval", seconds, 0.01, &r->options->export.interval_ns);
}

static int set_once(struct reading *r, const char *arg __attribute__((unused)))
{
	r->options->export.once = true;
	return 0;
}

static int set_stdout(struct reading *r, const char *arg __attribute__((unused)))
{
	r->options->export.to_stdout = true;
	return 0;
}

static int set_listen(struct reading *r, const char *arg)
{
	r->options->export.listen = arg;
	return 0;
}

static int set_describe(struct reading *r, const char *arg __attribute__((unused)))
{
	r->options->export.describe = true;
	return 0;
}

static int set_max_listeners(struct reading *r, const char *arg)
{
	return parse_count("--max-listeners", arg, 10000, &r->options->export.max_listeners);
}

static int set_try(struct reading *r, const char *arg __attribute__((unused)))
{
	r->options->try_hooks = true;
	return 0;
}

static int set_by(struct reading *r, const char *arg)
{
	if (!handshake_grouping__parse_by(&r->options->handshakes, arg))
		return 0;
	log_error("--by: %s is not a list of server and network", arg);
	return -EINVAL;
}

static int set_by_field(struct reading *r, const char *arg)
{
	const struct field *by = field__find(&session_fields, arg, strlen(arg));

	r->options->by = by;
	if (by && by->kind == VALUE_TEXT)
		return 0;
	log_error("--by: %s is no field to group by; container, pod, netns, comm and others that "
		  "are names are",
		  arg);
	return -EINVAL;
}

static int set_prefix(struct reading *r, const char *arg)
{
	if (!handshake_grouping__parse_prefix(&r->options->handshakes, arg))
		return 0;
	log_error("--prefix: %s is not the bits of an IPv4 and an IPv6 network, as 24,64", arg);
	return -EINVAL;
}

static int set_groups(struct reading *r, const char *arg)
{
	return parse_count("--groups", arg, 1u << 16, &r->options->handshakes.max_groups);
}

static int set_verbose(struct reading *r __attribute__((unused)),
		       const char *arg __attribute__((unused)))
{
	log__set_level(LOG_DEBUG);
	return 0;
}

static int set_help(struct reading *r, const char *arg __attribute__((unused)))
{
	return option__said(help__command(r->command));
}

/* In the order of --help. */
const struct option_row option_rows[] = {
	{'i', "interface", "IFACE", OPT_TAPS, set_interface,
	 "watch this interface (a name or a glob; repeatable); else those of the default routes"},
	{'N', "netns", "NETNS", OPT_NETNS, set_netns,
	 "network namespace: self, all, a name, a PID or a path (repeatable)"},
	{0, "container", "CONTAINER", OPT_CHOICE, set_container,
	 "sessions of this container: its name or id, or the start of either (repeatable)"},
	{0, "hook", "HOOK", OPT_TAPS, set_hook,
	 "where to watch an interface: auto, xdp, xdp-generic or tc"},
	{0, "view", "VIEW", OPT_TAPS, set_view,
	 "socket: this kernel's sockets; wire: segments at interfaces; or both"},
	{0, "cache", "SESSIONS", OPT_TAPS, set_cache,
	 "room for so many sessions on each CPU, at 157 bytes each"},
	{0, "duration", "SECONDS", OPT_DURATION, set_duration, "end after this time"},
	{'w', "watch", NULL, OPT_AGAIN, set_watch, "go on, a frame every -d seconds"},
	{0, "by", "LIST", OPT_GROUPS, set_by,
	 "group by server, by network (of the clients), or by both (server,network)"},
	{0, "by", "FIELD", OPT_BY, set_by_field,
	 "one row for each container, pod, netns, comm … (any field that is a name)"},
	{0, "prefix", "V4,V6", OPT_GROUPS, set_prefix,
	 "bits of a client's address that name its network (24,64)"},
	{0, "groups", "COUNT", OPT_GROUPS, set_groups,
	 "tell so many groups apart, the rest is summed up as other (1024)"},
	{0, "rows", "COUNT", OPT_CUT, set_rows, "show so many of each group"},
	{'d', "delay", "SECONDS", OPT_REFRESH, set_delay, "time between frames (2)"},
	{'n', "count", "COUNT", OPT_REFRESH, set_frames, "end after so many frames"},
	{'b', "batch", NULL, OPT_REFRESH, set_batch, "print frames instead of a full screen"},
	{0, "fields", "LIST", OPT_FIELDS, set_fields,
	 "fields to show, a,b,c; +a,b adds to the usual ones; help lists them"},
	{0, "sort", "FIELD", OPT_SORT, set_sort, "order of the rows; -FIELD: descending"},
	{0, "json", NULL, OPT_OUTPUT, set_json, "one JSON object per line"},
	{0, "color", "WHEN", OPT_OUTPUT, set_color, "auto, always or never; NO_COLOR is heeded"},
	{0, "textfile", "FILE", OPT_EXPORT, set_textfile,
	 "replace this file each time; node_exporter reads DIR/*.prom"},
	{0, "stdout", NULL, OPT_EXPORT, set_stdout,
	 "write to standard output; once, unless --interval is given"},
	{0, "listen", "[ADDR:]PORT", OPT_EXPORT, set_listen,
	 "answer GET /metrics by HTTP; on 127.0.0.1 unless ADDR says otherwise"},
	{0, "interval", "SECONDS", OPT_EXPORT, set_interval, "time between two writes (15)"},
	{0, "once", NULL, OPT_EXPORT, set_once,
	 "write once and end: what is counted over time is left out"},
	{0, "max-listeners", "COUNT", OPT_EXPORT, set_max_listeners,
	 "series for so many listeners (64), the rest together"},
	{0, "describe", NULL, OPT_EXPORT, set_describe, "print the table of metrics and end"},
	{0, "try", NULL, OPT_TRY, set_try, "attach to the interfaces for a moment, to be sure"},
	{0, "verbose", NULL, OPT_ALL, set_verbose, "tell what libbpf and the kernel say"},
	{'h', "help", NULL, OPT_ALL, set_help, "this text"},
};

const size_t n_option_rows = sizeof(option_rows) / sizeof(option_rows[0]);

_Static_assert(sizeof(option_rows) / sizeof(option_rows[0]) <= OPTION_ROWS_MAX,
	       "room for what getopt wants");
