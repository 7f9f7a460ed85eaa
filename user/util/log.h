/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The one funnel to stderr, for tcpwatch and for libbpf. A message names the object, the cause and
 * the remedy. Not here: anything that decides to exit.
 */
#ifndef TCPWATCH_LOG_H
#define TCPWATCH_LOG_H

enum log_level { LOG_ERROR, LOG_WARN, LOG_INFO, LOG_DEBUG };

/* log__set_level() - messages above @level are dropped; the start value is LOG_WARN */
void log__set_level(enum log_level level);

/*
 * log__hold() - keep messages in memory instead of writing them, while a full screen owns the
 * terminal log__release() - write what was kept and go back to stderr log__drop() - forget it
 * instead log__last() - the newest message kept while held, or NULL; valid until the next log call
 * log__dismiss() - it has been read: log__last() gives NULL until there is another; it stays kept
 */
void log__hold(void);
void log__release(void);
void log__drop(void);
const char *log__last(void);
void log__dismiss(void);

/* Each prints "tcpwatch: …" and a newline; bytes that are not printable are escaped. */
void log_error(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_warn(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_info(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void log_debug(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/*
 * log__capture_libbpf() - send libbpf's messages here, at debug level; keeps its last warning
 * log__libbpf_warning() - that warning, one line, or NULL: the cause that libbpf knew of what just
 * failed log__clear_libbpf_warning() - forget it, before a call whose failure is to be explained
 */
void log__capture_libbpf(void);
const char *log__libbpf_warning(void);
void log__clear_libbpf_warning(void);

#endif
