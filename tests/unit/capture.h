/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What a piece of code wrote to stderr.
 */
#ifndef TCPWATCH_TESTS_CAPTURE_H
#define TCPWATCH_TESTS_CAPTURE_H

#include <stdio.h>
#include <unistd.h>

struct capture {
	FILE *file;
	int saved_fd;
	char text[4096];
};

/* capture__begin() - stderr goes to a file from here to capture__end() */
static inline void capture__begin(struct capture *c)
{
	c->file = tmpfile();
	c->saved_fd = dup(STDERR_FILENO);
	if (!c->file || c->saved_fd < 0 || dup2(fileno(c->file), STDERR_FILENO) < 0)
		perror("capture");
}

/* capture__end() - gives stderr back and returns what was written, at most sizeof(text) - 1 bytes
 */
static inline const char *capture__end(struct capture *c)
{
	size_t len;

	if (dup2(c->saved_fd, STDERR_FILENO) < 0)
		perror("capture");
	close(c->saved_fd);
	rewind(c->file);
	len = fread(c->text, 1, sizeof(c->text) - 1, c->file);
	c->text[len] = '\0';
	fclose(c->file);
	return c->text;
}

#endif
