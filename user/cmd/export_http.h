/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The HTTP endpoint of tcpwatch export: GET /metrics, on one socket, without a thread. Not here:
 * what it answers (output/metrics.h).
 */
#ifndef TCPWATCH_EXPORT_HTTP_H
#define TCPWATCH_EXPORT_HTTP_H

#include "user/util/strbuf.h"

struct export_http;

/* Appends what a scrape gets. Returns 0 or -errno: the scrape gets status 500. */
typedef int (*export_http_fn)(void *ctx, struct strbuf *text);

/*
 * export_http__open() - listen on @where: PORT, ADDR:PORT or [ADDR]:PORT; without ADDR 127.0.0.1
 *
 * Returns 0 or -errno, logged; -EINVAL: @where cannot be read.
 */
int export_http__open(struct export_http **out, const char *where, export_http_fn scrape,
		      void *ctx);
void export_http__close(struct export_http *http);

/* export_http__fd() - readable when export_http__run() has something to do */
int export_http__fd(const struct export_http *http);

/* export_http__timeout_ms() - after so long export_http__run() has something to do anyhow; -1: not
 */
int export_http__timeout_ms(const struct export_http *http);

/* export_http__run() - answer who can be answered now, without waiting for anyone */
void export_http__run(struct export_http *http);

#endif
