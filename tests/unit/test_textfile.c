/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A file replaced whole or not at all: what it is made of, and what is left alone.
 */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "user/output/textfile.h"

#define NAME   "x.prom"
#define HIDDEN ".x.prom.tmp"

/* Each test works in an empty directory of its own. */
static int enter(void **state)
{
	char *dir = strdup("/tmp/tcpwatch-textfile-XXXXXX");

	*state = dir;
	return !dir || !mkdtemp(dir) || chdir(dir);
}

static int leave(void **state)
{
	char command[128];

	snprintf(command, sizeof(command), "rm -rf %s", (char *)*state);
	free(*state);
	return chdir("/") || system(command);
}

static int write_text(const char *path, const char *text)
{
	struct strbuf sb = STRBUF_INIT;
	int err;

	strbuf__adds(&sb, text);
	err = textfile__write(path, &sb, NULL);
	strbuf__free(&sb);
	return err;
}

static void assert_holds(const char *path, const char *text)
{
	char got[64] = "";
	int fd = open(path, O_RDONLY);

	assert_true(fd >= 0 && read(fd, got, sizeof(got) - 1) >= 0);
	close(fd);
	assert_string_equal(got, text);
}

static void test_replaces(void **state __attribute__((unused)))
{
	struct stat before, after;

	umask(077);
	assert_int_equal(write_text(NAME, "a long text\n"), 0);
	assert_int_equal(stat(NAME, &before), 0);
	assert_int_equal(before.st_mode, S_IFREG | 0644);
	assert_int_equal(write_text("./" NAME, "short\n"), 0);
	assert_holds(NAME, "short\n");
	assert_int_equal(stat(NAME, &after), 0);
	assert_true(before.st_ino !=
		    after.st_ino); /* who has it open reads the old one to its end */
	assert_int_equal(access(HIDDEN, F_OK), -1);
}

/* A kill left it behind, longer than what comes. */
static void test_takes_over_what_was_left(void **state __attribute__((unused)))
{
	int fd = open(HIDDEN, O_WRONLY | O_CREAT, 0600);

	assert_int_equal(write(fd, "half of somethi", 15), 15);
	close(fd);
	assert_int_equal(write_text(NAME, "new\n"), 0);
	assert_holds(NAME, "new\n");
	assert_int_equal(access(HIDDEN, F_OK), -1);
}

static void test_another_writer(void **state __attribute__((unused)))
{
	int fd;

	assert_int_equal(write_text(NAME, "old\n"), 0);
	fd = open(HIDDEN, O_WRONLY | O_CREAT, 0600);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	assert_int_equal(write_text(NAME, "new\n"), -EBUSY);
	assert_holds(NAME, "old\n");
	assert_int_equal(access(HIDDEN, F_OK), 0); /* it is the other's */
	close(fd);
	assert_int_equal(write_text(NAME, "new\n"), 0);
	assert_holds(NAME, "new\n");
}

static void test_refused(void **state __attribute__((unused)))
{
	static const struct {
		const char *name, *path;
		int err;
	} cases[] = {
		{"a directory", "dir", -EISDIR},
		{"a symbolic link", "link", -ELOOP},
		{"a link to nothing", "dangling", -ELOOP},
		{"a fifo", "fifo", -EEXIST},
		{"a device", "/dev/null", -EEXIST},
		{"no directory", "none/x.prom", -ENOENT},
		{"a file for a directory", "file/x.prom", -ENOTDIR},
		{"the hidden file is a directory", "busy.prom", -EISDIR},
		{"all of nothing", "", -EISDIR},
	};

	assert_int_equal(mkdir("dir", 0755) | mkdir(".busy.prom.tmp", 0755) |
				 symlink("file", "link") | symlink("none", "dangling") |
				 mkfifo("fifo", 0644),
			 0);
	assert_int_equal(write_text("file", "old\n"), 0);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		int err = write_text(cases[i].path, "new\n");

		if (err != cases[i].err)
			fail_msg("%s: %s", cases[i].name, strerror(-err));
	}
	assert_holds("file", "old\n");
	assert_holds("link", "old\n");
}

/* Put there by whoever may write to the directory: never written to, never published. */
static void test_what_has_the_hidden_name(void **state __attribute__((unused)))
{
	static const char *const kinds[] = {"symlink", "hard link", "fifo", "another user's"};
	struct stat precious, published;

	for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
		assert_int_equal(write_text("precious", "precious\n"), 0);
		if (i == 0)
			assert_int_equal(symlink("precious", HIDDEN), 0);
		else if (i == 1)
			assert_int_equal(link("precious", HIDDEN), 0);
		else if (i == 2)
			assert_int_equal(mkfifo(HIDDEN, 0644), 0);
		else if (geteuid() || rename("precious", HIDDEN) || chown(HIDDEN, 65534, 65534))
			return; /* only root can give a file away */
		if (i == 3)
			assert_int_equal(write_text("precious", "precious\n"), 0);
		if (write_text(NAME, "new\n"))
			fail_msg("%s is not replaced", kinds[i]);
		assert_holds(NAME, "new\n");
		assert_holds("precious", "precious\n");
		assert_int_equal(stat("precious", &precious) | lstat(NAME, &published), 0);
		assert_int_equal(published.st_mode, S_IFREG | 0644);
		assert_int_equal(published.st_uid, geteuid());
		assert_true(published.st_ino != precious.st_ino);
		assert_int_equal(access(HIDDEN, F_OK), -1);
	}
}

static void test_out_of_memory_writes_nothing(void **state __attribute__((unused)))
{
	const struct strbuf failed = {.failed = true};

	assert_int_equal(write_text(NAME, "old\n"), 0);
	assert_int_equal(textfile__write(NAME, &failed, NULL), -ENOMEM);
	assert_holds(NAME, "old\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_replaces, enter, leave),
		cmocka_unit_test_setup_teardown(test_takes_over_what_was_left, enter, leave),
		cmocka_unit_test_setup_teardown(test_another_writer, enter, leave),
		cmocka_unit_test_setup_teardown(test_refused, enter, leave),
		cmocka_unit_test_setup_teardown(test_what_has_the_hidden_name, enter, leave),
		cmocka_unit_test_setup_teardown(test_out_of_memory_writes_nothing, enter, leave),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
