/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The funnel to stderr. Its state is the one that the whole process shares: there is one stderr.
 * Not here: exit().
 */
#include "log.h"

#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <bpf/libbpf.h>

#include "strbuf.h"
#include "utf8.h"

#define LOG_HELD_MAX \
	65536 /* bytes kept while a full screen owns the terminal; the rest is counted */

struct log_state {
	enum log_level level;
	bool is_held;
	struct strbuf held; /* whole lines, as they will be written */
	struct strbuf last_text;
	uint64_t dropped;
	struct strbuf libbpf_warning;
};

static struct log_state state = {.level = LOG_WARN};

void log__set_level(enum log_level level)
{
	state.level = level;
}

static void hold_line(const struct strbuf *line)
{
	if (state.held.len + line->len > LOG_HELD_MAX) {
		state.dropped++;
		return;
	}
	strbuf__add(&state.held, line->data, line->len);
}

/* The newest message without its prefix and newline. */
static void remember_last(const char *text, size_t len)
{
	strbuf__clear(&state.last_text);
	utf8__add_escaped(&state.last_text, text, len);
}

static void emit(const char *text, size_t len)
{
	struct strbuf line = STRBUF_INIT;

	strbuf__adds(&line, "tcpwatch: ");
	utf8__add_escaped(&line, text, len);
	strbuf__addc(&line, '\n');
	if (state.is_held && !line.failed) {
		hold_line(&line);
		remember_last(text, len);
	} else {
		/* Nowhere to tell that telling failed. */
		(void)strbuf__flush(&line, STDERR_FILENO);
	}
	strbuf__free(&line);
}

static void vlog(enum log_level level, const char *fmt, va_list args)
{
	struct strbuf text = STRBUF_INIT;

	if (level > state.level)
		return;
	strbuf__vaddf(&text, fmt, args);
	if (text.data)
		emit(text.data, text.len);
	strbuf__free(&text);
}

void log__hold(void)
{
	state.is_held = true;
}

void log__release(void)
{
	state.is_held = false;
	(void)strbuf__flush(&state.held, STDERR_FILENO);
	strbuf__free(&state.held);
	strbuf__free(&state.last_text);
	if (state.dropped)
		log_warn("%llu more messages were not kept", (unsigned long long)state.dropped);
	state.dropped = 0;
}

void log__drop(void)
{
	strbuf__clear(&state.held);
	state.dropped = 0;
	log__release();
}

const char *log__last(void)
{
	return state.is_held && state.last_text.len ? state.last_text.data : NULL;
}

void log__dismiss(void)
{
	strbuf__clear(&state.last_text);
}

void log_error(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vlog(LOG_ERROR, fmt, args);
	va_end(args);
}

void log_warn(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vlog(LOG_WARN, fmt, args);
	va_end(args);
}

void log_info(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vlog(LOG_INFO, fmt, args);
	va_end(args);
}

void log_debug(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vlog(LOG_DEBUG, fmt, args);
	va_end(args);
}

/* libbpf ends its messages with a newline, and a verifier log is many lines in one message. */
static void emit_lines(const char *text, size_t len)
{
	while (len) {
		const char *newline = memchr(text, '\n', len);
		size_t line = newline ? (size_t)(newline - text) : len;

		if (line)
			emit(text, line);
		line += newline != NULL;
		text += line;
		len -= line;
	}
}

/* "libbpf: prog 'x': BPF program load failed: …" without the prefix; the first line says what
 * failed. */
static void keep_warning(const char *text)
{
	static const char prefix[] = "libbpf: ";

	if (!strncmp(text, prefix, sizeof(prefix) - 1))
		text += sizeof(prefix) - 1;
	strbuf__clear(&state.libbpf_warning);
	utf8__add_escaped(&state.libbpf_warning, text, strcspn(text, "\n"));
}

static int print_libbpf(enum libbpf_print_level level, const char *fmt, va_list args)
{
	struct strbuf text = STRBUF_INIT;

	if (level > LIBBPF_WARN && state.level < LOG_DEBUG)
		return 0;
	strbuf__vaddf(&text, fmt, args);
	if (text.data && level == LIBBPF_WARN)
		keep_warning(text.data);
	if (text.data && state.level >= LOG_DEBUG)
		emit_lines(text.data, text.len);
	strbuf__free(&text);
	return 0;
}

void log__capture_libbpf(void)
{
	libbpf_set_print(print_libbpf);
}

const char *log__libbpf_warning(void)
{
	return state.libbpf_warning.len ? state.libbpf_warning.data : NULL;
}

void log__clear_libbpf_warning(void)
{
	strbuf__clear(&state.libbpf_warning);
}
