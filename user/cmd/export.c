/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcpwatch export: what is counted, for Prometheus; to a file that is replaced at each interval, to
 * standard output, or to whoever asks by HTTP.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "cmd_list.h"
#include "export_http.h"
#include "print.h"
#include "stop.h"
#include "user/output/metrics.h"
#include "user/output/textfile.h"
#include "user/util/log.h"

#define INTERVAL_NS (15 * TW_NSEC_PER_SEC)
#define TICK_MS	    1000 /* namespaces that come and go are looked after so often */

struct exporter {
	const struct export_options *to;
	struct live *live;
	struct export_http *http;
	struct strbuf text;
	struct moment start;
	uint64_t interval_ns;
	uint64_t write_errors;
	int file_err; /* of the last write, told once */
};

/* ---- figures -----------------------------------------------------------------------------------
 */

static uint64_t resident_bytes(void)
{
	unsigned long long pages = 0;
	FILE *file = fopen("/proc/self/statm", "re");

	if (!file)
		return 0;
	if (fscanf(file, "%*u %llu", &pages) != 1)
		pages = 0;
	fclose(file);
	return pages * sysconf(_SC_PAGESIZE);
}

static uint64_t cpu_ns(void)
{
	struct timespec ts = {0};

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &ts);
	return ts.tv_sec * TW_NSEC_PER_SEC + ts.tv_nsec;
}

/* Appends the metrics of this moment to @text. Figures that cannot be read are no figures. */
static int render(void *ctx, struct strbuf *text)
{
	const struct exporter *e = ctx;
	struct figures figures;
	int err = live__figures(e->live, &figures);

	figures.is_moment = e->to->once;
	figures.write_errors = e->write_errors;
	figures.start_real_ns = e->start.mono_ns + e->start.mono_to_real_ns;
	figures.cpu_ns = cpu_ns();
	figures.resident_bytes = resident_bytes();
	figures__bound_listeners(&figures, e->to->max_listeners);
	if (!err)
		metrics__write(text, &figures, TCPWATCH_VERSION);
	figures__free(&figures);
	return err ? err : text->failed ? -ENOMEM : 0;
}

/* ---- writing -----------------------------------------------------------------------------------
 */

/* An error is told when it is new, and that it is over; what lies between is in the counter. */
static void tell_file(struct exporter *e, int err, const char *step)
{
	if (err && err != e->file_err)
		log_error("cannot %s %s: %s%s", step, e->to->textfile, strerror(-err),
			  textfile__remedy(err));
	else if (!err && e->file_err)
		log_warn("%s is written again", e->to->textfile);
	e->file_err = err;
}

static int write_file(struct exporter *e)
{
	const char *step;
	int err = textfile__write(e->to->textfile, &e->text, &step);

	tell_file(e, err, step);
	e->write_errors += err != 0;
	return err;
}

static int write_stdout(struct exporter *e)
{
	int err = print__flush(&e->text);

	(void)print__status(err); /* logged */
	return err;
}

/* To the file, then to standard output. Returns 0 or the first -errno, logged. */
static int write_all(struct exporter *e)
{
	int err;

	strbuf__clear(&e->text);
	err = render(e, &e->text);
	if (err) {
		log_error("cannot read the figures: %s", strerror(-err));
		e->write_errors++;
		return err;
	}
	if (e->to->textfile)
		err = write_file(e);
	if (e->to->to_stdout) {
		int out_err = write_stdout(e);

		err = err ? err : out_err;
	}
	return err;
}

/* ---- waiting -----------------------------------------------------------------------------------
 */

static int least_ms(int one, int other)
{
	return other >= 0 && other < one ? other : one;
}

/* Waits for a signal, a request, a change of interfaces, or the time of the next write. */
static int wait_for_work(struct exporter *e, uint64_t next_ns)
{
	struct pollfd fds[] = {
		{.fd = stop__fd(), .events = POLLIN},
		{.fd = live__fd(e->live), .events = POLLIN},
		{.fd = e->http ? export_http__fd(e->http) : -1, .events = POLLIN},
	};
	uint64_t now_ns = live__now().mono_ns;
	uint64_t left_ms = next_ns > now_ns ? (next_ns - now_ns) / TW_NSEC_PER_MSEC + 1 : 0;
	int timeout_ms = left_ms < TICK_MS ? (int)left_ms : TICK_MS, err;

	if (e->http)
		timeout_ms = least_ms(timeout_ms, export_http__timeout_ms(e->http));
	if (poll(fds, sizeof(fds) / sizeof(fds[0]), timeout_ms) < 0 && errno != EINTR)
		return -errno;
	if (e->http)
		export_http__run(e->http);
	err = live__poll(e->live, 0);
	return err == -EINTR ? 0 : err;
}

static bool is_reader_gone(const struct exporter *e, int err)
{
	return err == -EPIPE && e->to->to_stdout;
}

/* By the monotonic clock: nothing happens twice, or not at all, when the time of day is set. */
static int follow(struct exporter *e)
{
	bool writes = e->to->textfile || e->to->to_stdout;
	uint64_t next_ns = live__now().mono_ns;
	int err = 0;

	while (!stop__is_asked() && !err) {
		uint64_t now_ns = live__now().mono_ns;

		if (writes && now_ns >= next_ns && is_reader_gone(e, write_all(e)))
			return 0;
		while (next_ns <= now_ns)
			next_ns += e->interval_ns;
		err = wait_for_work(e, next_ns);
	}
	return err;
}

/* ---- the command -------------------------------------------------------------------------------
 */

static enum exit_status describe(void)
{
	struct strbuf text = STRBUF_INIT;

	metrics__describe(&text);
	return print__whole(&text);
}

static bool is_usable(const struct options *options)
{
	const struct export_options *to = &options->export;

	if (!to->textfile && !to->to_stdout && !to->listen)
		log_error("nowhere to write: give --textfile FILE, --stdout or --listen PORT");
	else if (to->once && to->listen)
		log_error("--once writes and ends: it cannot --listen");
	else if (to->once && to->interval_ns)
		log_error("--once and --interval contradict each other");
	else if (to->once && options->live.n_ifaces)
		log_error("--once has no time to watch interfaces: leave -i away");
	else
		return true;
	return false;
}

static bool ends_in(const char *text, const char *end)
{
	size_t len = strlen(text), end_len = strlen(end);

	return len >= end_len && !strcmp(text + len - end_len, end);
}

static void decide(struct options *options)
{
	struct export_options *to = &options->export;

	if (to->to_stdout && !to->textfile && !to->listen && !to->interval_ns)
		to->once = true;
	if (to->once)
		options->live.views = VIEW_SOCKET;
	if (!to->interval_ns)
		to->interval_ns = INTERVAL_NS;
	if (to->textfile && !ends_in(to->textfile, ".prom"))
		log_warn("%s: node_exporter reads only files that end in .prom", to->textfile);
	options->live.want_tally = true;
	options->live.want_listeners = true;
	options->live.watch_ports = true;
	options->live.lean = true;
	options->live.follow = true;
	options->live.figures = LIVE_FIGURES;
}

/* Not "export", which clang-format takes for a word of C++. */
static enum exit_status open_and_write(struct exporter *e, struct options *options)
{
	enum exit_status status;
	int err = 0;

	if (e->to->listen)
		err = export_http__open(&e->http, e->to->listen, render, e);
	if (err)
		return err == -EINVAL ? EXIT_USAGE : EXIT_RUNTIME;
	status = live__open(&e->live, &options->live);
	if (status != EXIT_OK)
		return status;
	err = e->to->once ? write_all(e) : follow(e);
	return err && err != -EPIPE ? EXIT_RUNTIME : EXIT_OK;
}

static enum exit_status run(struct options *options)
{
	struct exporter e = {.to = &options->export, .start = live__now()};
	enum exit_status status;

	if (options->export.describe)
		return describe();
	if (!is_usable(options))
		return EXIT_USAGE;
	decide(options);
	e.interval_ns = options->export.interval_ns;
	status = open_and_write(&e, options);
	export_http__close(e.http);
	live__close(e.live);
	strbuf__free(&e.text);
	return status;
}

static const char *const examples[] = {
	"tcpwatch export --textfile /var/lib/prometheus/node-exporter/tcpwatch.prom",
	"tcpwatch export --textfile /tmp/tcpwatch.prom --once",
	"tcpwatch export --listen 9817 -N all",
	"tcpwatch export --stdout | promtool check metrics",
	NULL,
};

const struct command cmd_export = {
	.name = "export",
	.summary = "write what is counted as Prometheus metrics",
	.examples = examples,
	.options = OPT_WATCH | OPT_EXPORT,
	.views = VIEW_BOTH,
	.run = run,
};
