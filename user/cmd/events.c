/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcpwatch events: one line for each event as it happens, until a signal or --duration.
 */
#include <errno.h>

#include "cmd_list.h"
#include "print.h"
#include "stop.h"

#define WAIT_MS 1000

struct telling {
	const struct options *options;
	struct printer printer;
	struct moment now;
};

static void tell(void *ctx, const struct event *event)
{
	struct telling *t = ctx;

	/* That something was lost is for everybody. */
	if (event->session && !options__wants(t->options, event->session, &t->now))
		return;
	printer__row(&t->printer, event, &t->now);
}

static int take_batch(struct live *live, struct telling *t, int timeout_ms)
{
	int err = live__poll(live, timeout_ms);

	t->now = live__now();
	if (printer__flush(&t->printer))
		return t->printer.err;
	return err == -EINTR ? 0 : err;
}

static int wait_ms(uint64_t end_ns, uint64_t now_ns)
{
	uint64_t left_ms = end_ns ? (end_ns - now_ns) / TW_NSEC_PER_MSEC + 1 : WAIT_MS;

	return left_ms < WAIT_MS ? (int)left_ms : WAIT_MS;
}

static int follow(struct live *live, struct telling *t)
{
	uint64_t duration_ns = t->options->duration_ns;
	uint64_t end_ns = duration_ns ? t->now.mono_ns + duration_ns : 0;
	int err = 0;

	while (!err && !stop__is_asked() && !(end_ns && t->now.mono_ns >= end_ns))
		err = take_batch(live, t, wait_ms(end_ns, t->now.mono_ns));
	/* What is in the ring by now, and then the ends that waited for all of their fragments. */
	for (int i = 0; i < 2 && !err; i++)
		err = take_batch(live, t, 0);
	return err;
}

static enum exit_status run(struct options *options)
{
	struct telling t = {.options = options, .now = live__now()};
	enum exit_status status;
	struct live *live;
	int err;

	options->live.want_events = true;
	options->live.watch_ports = options->live.watch_alarms = true;
	options->live.want_listeners = options->live.watch_listeners = true;
	options->live.on_event = tell;
	options->live.ctx = &t;
	printer__init(&t.printer, options, &event_fields);
	text_layout__fit(&t.printer.layout, NULL, 0, &t.now);
	status = live__open(&live, &options->live);
	if (status != EXIT_OK)
		goto out;
	t.now = live__now();
	err = follow(live, &t);
	status = printer__status(&t.printer);
	if (err && !t.printer.err)
		status = EXIT_RUNTIME;
	live__close(live);
out:
	printer__free(&t.printer);
	return status;
}

static const char *const examples[] = {
	"tcpwatch events",
	"tcpwatch events --json --duration 60 | jq -r 'select(.event == \"closed\") | .reason'",
	"tcpwatch events --fields time,event,remote,reason '( dport = :5432 )'",
	"tcpwatch events -i 'veth*' --view wire",
	NULL,
};

const struct command cmd_events = {
	.name = "events",
	.summary = "print one line for each event as it happens",
	.examples = examples,
	.options = OPT_WATCH | OPT_FIELDS | OPT_FILTER | OPT_OUTPUT | OPT_DURATION,
	.views = VIEW_BOTH,
	.table = &event_fields,
	.default_fields = "time,event,local,remote,direction,old_state,new_state,reason",
	.run = run,
};
