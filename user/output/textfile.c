/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Replacing a file whole.
 *
 * The hidden file has a name of its own, so that a kill leaves at most one behind, and a lock, so
 * that two writers cannot mix their texts. The lock is of the inode: who comes to have it after the
 * other has renamed that inode away holds the published file, and must let go of it.
 */
#include "textfile.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#define MODE	   0644
#define OPEN_TRIES 8

struct replacing {
	int dir;
	int fd; /* of the hidden file */
	char name[NAME_MAX + 1], hidden[NAME_MAX + 1];
	const char *step;
};

static int result(int failed)
{
	return failed ? -errno : 0;
}

/* ---- where ----------------------------------------------------------------------------------- */

static int open_dir(struct replacing *r, const char *path)
{
	char dir[PATH_MAX], base[PATH_MAX];
	int n;

	r->step = "open the directory of";
	if (strlen(path) >= PATH_MAX)
		return -ENAMETOOLONG;
	strcpy(dir, path);
	strcpy(base, path);
	n = snprintf(r->name, sizeof(r->name), "%s", basename(base));
	if (n >= (int)sizeof(r->name))
		return -ENAMETOOLONG;
	n = snprintf(r->hidden, sizeof(r->hidden), ".%s.tmp", r->name);
	if (n >= (int)sizeof(r->hidden))
		return -ENAMETOOLONG;
	r->dir = open(dirname(dir), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	return result(r->dir < 0);
}

static int check_target(struct replacing *r)
{
	struct stat st;

	r->step = "replace";
	if (fstatat(r->dir, r->name, &st, AT_SYMLINK_NOFOLLOW))
		return errno == ENOENT ? 0 : -errno;
	if (S_ISREG(st.st_mode))
		return 0;
	return S_ISDIR(st.st_mode) ? -EISDIR : S_ISLNK(st.st_mode) ? -ELOOP : -EEXIST;
}

/* ---- the hidden file ------------------------------------------------------------------------- */

/* Is the locked file still the hidden one, or has another writer published it meanwhile? */
static bool is_hidden(const struct replacing *r)
{
	struct stat mine, named;

	return !fstat(r->fd, &mine) && !fstatat(r->dir, r->hidden, &named, AT_SYMLINK_NOFOLLOW) &&
	       mine.st_ino == named.st_ino && mine.st_dev == named.st_dev;
}

/* A writer before this one left a regular file of its own, under one name. */
static bool is_own(const struct replacing *r)
{
	struct stat st;

	return !fstat(r->fd, &st) && S_ISREG(st.st_mode) && st.st_nlink == 1 &&
	       st.st_uid == geteuid();
}

/*
 * Whatever else has the name was put there by somebody who may write to the directory: a link to a
 * file that would be overwritten, or a file that he could change once it is published.
 */
static int drop_foreign(const struct replacing *r)
{
	return result(unlinkat(r->dir, r->hidden, 0) && errno != ENOENT);
}

/* Returns 0, -EAGAIN: something else had the name, or another writer was faster; or -errno. */
static int try_hidden(struct replacing *r)
{
	const int flags = O_WRONLY | O_CREAT | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC;
	int err;

	r->fd = openat(r->dir, r->hidden, flags, MODE);
	if (r->fd < 0 && errno != ELOOP && errno != ENXIO) /* a symbolic link, a fifo */
		return -errno;
	if (r->fd >= 0 && flock(r->fd, LOCK_EX | LOCK_NB))
		return errno == EWOULDBLOCK ? -EBUSY : -errno;
	if (r->fd >= 0 && !is_hidden(r))
		return -EAGAIN;
	if (r->fd >= 0 && is_own(r))
		return 0;
	err = drop_foreign(r); /* under its lock: no writer is at work on it */
	return err ? err : -EAGAIN;
}

static int open_hidden(struct replacing *r)
{
	int err;

	r->step = "create";
	for (int i = 0; i < OPEN_TRIES; i++) {
		err = try_hidden(r);
		if (err != -EAGAIN)
			return err;
		if (r->fd >= 0)
			close(r->fd);
		r->fd = -1;
	}
	return -EBUSY;
}

static int write_all(int fd, const char *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		bytes += n;
		len -= n;
	}
	return 0;
}

static int fill(struct replacing *r, const struct strbuf *text)
{
	int err;

	r->step = "write";
	err = result(ftruncate(r->fd, 0));
	if (!err)
		err = write_all(r->fd, text->data, text->len);
	if (!err)
		err = result(fchmod(r->fd, MODE)); /* whatever the umask is */
	if (err)
		return err;
	r->step = "sync";
	return result(fsync(r->fd));
}

/* The rename is not undone when the directory cannot be synced: the new file is whole. */
static int publish(struct replacing *r)
{
	r->step = "rename";
	if (renameat(r->dir, r->hidden, r->dir, r->name))
		return -errno;
	(void)fsync(r->dir);
	return 0;
}

static int replace(struct replacing *r, const char *path, const struct strbuf *text)
{
	int err = open_dir(r, path);

	if (!err)
		err = check_target(r);
	if (!err)
		err = open_hidden(r);
	if (err)
		return err;
	err = fill(r, text);
	if (!err)
		err = publish(r);
	if (err)
		(void)unlinkat(r->dir, r->hidden, 0); /* a full disk needs the room */
	return err;
}

int textfile__write(const char *path, const struct strbuf *text, const char **step)
{
	struct replacing r = {.dir = -1, .fd = -1, .step = "write"};
	int err = text->failed ? -ENOMEM : replace(&r, path, text);

	if (r.fd >= 0)
		close(r.fd); /* gives the lock back too */
	if (r.dir >= 0)
		close(r.dir);
	if (step)
		*step = r.step;
	return err;
}

const char *textfile__remedy(int err)
{
	switch (-err) {
	case ELOOP:
		return "; it is a symbolic link: name the file itself";
	case EISDIR:
		return "; name a file in it, such as tcpwatch.prom";
	case EEXIST:
		return "; it is no regular file";
	case EBUSY:
		return "; another process is writing it: give each a file of its own";
	case ENOENT:
	case ENOTDIR:
		return "; make the directory that the collector reads";
	case ENOSPC:
	case EDQUOT:
		return "; the old file stays until there is room";
	case EACCES:
	case EPERM:
	case EROFS:
		return "; the directory must be writable";
	default:
		return "";
	}
}
