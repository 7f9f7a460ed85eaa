/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A file that others read at any moment, written whole or not at all. Not here: its text.
 */
#ifndef TCPWATCH_TEXTFILE_H
#define TCPWATCH_TEXTFILE_H

#include "user/util/strbuf.h"

/*
 * textfile__write() - replace the file @path by @text, mode 0644
 *
 * By way of a hidden file beside it that is written, synced and renamed; after a crash at any
 * moment @path is as it was or new. One such file may stay behind, which the next write takes over;
 * a link or a file of another user that has its name is removed, not written to.
 * A symbolic link and whatever is no regular file are left alone.
 *
 * Returns 0 or -errno, and then @path is as it was: -ELOOP: a symbolic link; -EISDIR; -EEXIST:
 * neither a regular file; -EBUSY: another process is writing it; -ENOENT: no such directory; or
 * what the file system said. *@step, if not NULL, is what failed, for a message: "create", "write"
 * …
 */
int textfile__write(const char *path, const struct strbuf *text, const char **step);

/* textfile__remedy() - what to do about such an error, or "" */
const char *textfile__remedy(int err);

#endif
