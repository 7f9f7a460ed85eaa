/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * tcpwatch sessions: the table once. By itself it looks at sockets alone, for an interface shows
 * nothing in an instant; told to watch interfaces it first does so for a while.
 */
#include <errno.h>

#include "cmd_list.h"
#include "gather.h"
#include "print.h"

#define WATCH_NS TW_NSEC_PER_SEC /* unless --duration says otherwise */

static int watch(struct live *live, uint64_t duration_ns)
{
	int err = gather(live, duration_ns);

	return err ? err : live__refresh(live);
}

static int print(struct live *live, const struct options *options, struct printer *printer)
{
	struct moment now = live__now();
	struct rows rows = {0};
	int err = rows__collect_sessions(&rows, live__table(live), options, &now, 0);

	printer__table(printer, &rows, &now);
	(void)printer__flush(printer); /* kept for printer__status() */
	rows__free(&rows);
	return err;
}

static enum exit_status run(struct options *options)
{
	bool needs_close_wait = options__is_used(options, "close_wait_of_process") ||
				options__is_used(options, "close_wait_new");
	bool needs_owners = needs_close_wait || options__is_used(options, "pid") ||
			    options__is_used(options, "comm");
	uint64_t duration_ns = options->duration_ns;
	struct printer printer;
	enum exit_status status;
	struct live *live;
	int err = 0;

	if (!duration_ns && options->live.views & VIEW_WIRE)
		duration_ns = WATCH_NS;
	options->live.follow = duration_ns;
	status = live__open(&live, &options->live);
	if (status != EXIT_OK)
		return status;
	if (duration_ns)
		err = watch(live, duration_ns);
	if (!err && (needs_owners || live__needs_owners(live)))
		err = live__find_owners(live, true);
	if (!err && needs_close_wait)
		live__look_close_wait(live);
	printer__init(&printer, options, &session_fields);
	if (!err)
		err = print(live, options, &printer);
	status = printer__status(&printer);
	printer__free(&printer);
	live__close(live);
	return err ? EXIT_RUNTIME : status;
}

static const char *const examples[] = {
	"tcpwatch sessions state established '( dport = :443 or dst 10.0.0.0/8 )'",
	"tcpwatch sessions --sort -rtt --fields state,local,remote,rtt,comm",
	"tcpwatch sessions -N all --fields +netns,pid,comm state time-wait",
	"tcpwatch sessions --json | jq -r 'select(.retransmits > 0) | .remote_addr'",
	"tcpwatch sessions -i 'veth*' --duration 10",
	NULL,
};

const struct command cmd_sessions = {
	.name = "sessions",
	.summary = "print the table of sessions once",
	.examples = examples,
	.options = OPT_WATCH | OPT_ROWS | OPT_OUTPUT | OPT_DURATION,
	.views = VIEW_SOCKET,
	.table = &session_fields,
	.default_fields = "state,rx_queue,tx_queue,local,remote,direction,rtt,tx_bytes,rx_bytes,"
			  "retransmits",
	.run = run,
};
