/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A growing string: how rows, lines and frames are put together fast, with one write at the end.
 * An allocation that fails sets .failed and later appends do nothing; the writer reports it once.
 */
#ifndef TCPWATCH_STRBUF_H
#define TCPWATCH_STRBUF_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct strbuf {
	char *data; /* NUL-terminated once anything was appended */
	size_t len, size;
	bool failed;
};

#define STRBUF_INIT \
	{           \
		0   \
	}

void strbuf__free(struct strbuf *sb);
void strbuf__clear(struct strbuf *sb); /* keeps the memory */
/* strbuf__grow() - the rare part of strbuf__reserve() */
char *strbuf__grow(struct strbuf *sb, size_t extra);

/* strbuf__reserve() - room for @extra more bytes and a NUL; returns where they go, or NULL */
static inline char *strbuf__reserve(struct strbuf *sb, size_t extra)
{
	if (!sb->failed && sb->size - sb->len > extra)
		return sb->data + sb->len;
	return strbuf__grow(sb, extra);
}

void strbuf__add(struct strbuf *sb, const char *bytes, size_t len);
void strbuf__adds(struct strbuf *sb, const char *s);
void strbuf__addc(struct strbuf *sb, char c);
void strbuf__addu(struct strbuf *sb, uint64_t v);
void strbuf__pad(struct strbuf *sb, char c, size_t count);
void strbuf__addf(struct strbuf *sb, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void strbuf__vaddf(struct strbuf *sb, const char *fmt, va_list args)
	__attribute__((format(printf, 2, 0)));
/*
 * strbuf__flush() - write all to @fd, whole; clears
 *
 * Returns 0; -EPIPE: the reader went away; -ENOMEM: an append had failed; -EINTR: a signal came
 * before all was written, and what is left stays (call again, or give up); or another -errno.
 */
int strbuf__flush(struct strbuf *sb, int fd);

#endif
