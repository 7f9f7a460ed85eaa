/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The growing string. Not here: what numbers and addresses look like (fmt.c), escaping (utf8.c).
 */
#include "strbuf.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "fmt.h"

#define STRBUF_FIRST_BYTES 256

void strbuf__free(struct strbuf *sb)
{
	if (!sb)
		return;
	free(sb->data);
	*sb = (struct strbuf)STRBUF_INIT;
}

void strbuf__clear(struct strbuf *sb)
{
	sb->len = 0;
	sb->failed = false;
	if (sb->data)
		sb->data[0] = '\0';
}

static bool enlarge(struct strbuf *sb, size_t extra)
{
	size_t size = sb->size ? sb->size : STRBUF_FIRST_BYTES;
	char *data;

	if (extra >= SIZE_MAX / 4 || sb->len >= SIZE_MAX / 4)
		return false;
	while (size <= sb->len + extra)
		size *= 2;
	data = realloc(sb->data, size);
	if (!data)
		return false;
	sb->data = data;
	sb->size = size;
	return true;
}

char *strbuf__grow(struct strbuf *sb, size_t extra)
{
	if (!sb->failed && !enlarge(sb, extra))
		sb->failed = true;
	return sb->failed ? NULL : sb->data + sb->len;
}

void strbuf__add(struct strbuf *sb, const char *bytes, size_t len)
{
	char *at = strbuf__reserve(sb, len);

	if (!at)
		return;
	if (len)
		memcpy(at, bytes, len);
	at[len] = '\0';
	sb->len += len;
}

void strbuf__adds(struct strbuf *sb, const char *s)
{
	strbuf__add(sb, s, strlen(s));
}

void strbuf__addc(struct strbuf *sb, char c)
{
	strbuf__add(sb, &c, 1);
}

void strbuf__addu(struct strbuf *sb, uint64_t v)
{
	char digits[FMT_U64_MAX];

	strbuf__add(sb, digits, fmt__u64(digits, v));
}

void strbuf__pad(struct strbuf *sb, char c, size_t count)
{
	char *at = strbuf__reserve(sb, count);

	if (!at)
		return;
	memset(at, c, count);
	at[count] = '\0';
	sb->len += count;
}

void strbuf__vaddf(struct strbuf *sb, const char *fmt, va_list args)
{
	va_list again;
	char *at;
	int len;

	va_copy(again, args);
	len = vsnprintf(NULL, 0, fmt, again);
	va_end(again);
	at = len < 0 ? NULL : strbuf__reserve(sb, (size_t)len);
	if (!at)
		return;
	vsnprintf(at, (size_t)len + 1, fmt, args);
	sb->len += (size_t)len;
}

void strbuf__addf(struct strbuf *sb, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	strbuf__vaddf(sb, fmt, args);
	va_end(args);
}

/* A descriptor somebody set non-blocking (terminals are shared with other programs). */
static int wait_writable(int fd)
{
	struct pollfd pfd = {.fd = fd, .events = POLLOUT};

	return poll(&pfd, 1, -1) < 0 ? -errno : 0;
}

int strbuf__flush(struct strbuf *sb, int fd)
{
	size_t done = 0;
	int err = sb->failed ? -ENOMEM : 0;

	while (!err && done < sb->len) {
		ssize_t n = write(fd, sb->data + done, sb->len - done);

		if (n >= 0)
			done += (size_t)n;
		else if (errno == EAGAIN)
			err = wait_writable(fd);
		else
			err = -errno;
	}
	if (err == -EINTR) {
		memmove(sb->data, sb->data + done, sb->len - done + 1);
		sb->len -= done;
		return err;
	}
	strbuf__clear(sb);
	return err;
}
