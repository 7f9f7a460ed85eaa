/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Network namespaces: what each -N word finds, names, those that come and go, entering and leaving.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "netns_fixture.h"
#include "capture.h"

#define N_OF(array) (sizeof(array) / sizeof((array)[0]))

/* Namespaces with names, one of them a number that could be a PID. */
static struct netns alpha, digits;
static bool is_ready;

static int begin(void **state)
{
	(void)state;
	is_ready = fixture_begin();
	if (!is_ready)
		return 0;
	return !(fixture_netns(&alpha, "alpha") && fixture_netns(&digits, "1") &&
		 !mkfifo("/run/fifo", 0600));
}

static const struct netns *find(const struct netns_list *list, uint32_t inum)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].inum == inum)
			return &list->items[i];
	return NULL;
}

static void need_namespaces(void)
{
	if (!is_ready)
		skip();
}

static void test_one_word(void **state)
{
	char pid[16];
	const uint32_t own = fixture_own_inum();
	const struct {
		const char *name, *word;
		uint32_t inum;
		const char *called;
	} cases[] = {
		{"nothing said", NULL, own, "self"},
		{"self", "self", own, "self"},
		{"a process", pid, own, "self"},
		{"a path", "/proc/self/ns/net", own, "self"},
		{"a relative path", "./proc/self/ns/net", own, "self"},
		{"a name", "alpha", alpha.inum, "alpha"},
		{"the path of a name", "/run/netns/alpha", alpha.inum, "alpha"},
		{"a name of digits is no PID", "1", digits.inum, "1"},
	};

	(void)state;
	need_namespaces();
	assert_int_equal(chdir("/"), 0);
	snprintf(pid, sizeof(pid), "%d", getpid());
	for (size_t i = 0; i < N_OF(cases); i++) {
		struct netns_list list;

		print_message("%s\n", cases[i].name);
		assert_int_equal(netns_list__resolve(&list, &cases[i].word, !!cases[i].word), 0);
		assert_int_equal(list.count, 1);
		assert_int_equal(list.items[0].inum, cases[i].inum);
		assert_string_equal(list.items[0].name, cases[i].called);
		assert_string_equal(netns_list__name(&list, cases[i].inum), cases[i].called);
		assert_null(netns_list__name(&list, 1));
		assert_false(list.all);
		netns_list__free(&list);
	}
}

static void test_no_namespace(void **state)
{
	static const struct {
		const char *name, *word;
	} cases[] = {
		{"no such name", "beta"},
		{"no such process", "999999999"},
		{"a process with a tail", "1x"},
		{"nothing", ""},
		{"a path that leads nowhere", "/no/where"},
		{"another file", "/etc/passwd"},
		{"another kind of namespace", "/proc/self/ns/mnt"},
		{"a directory", ".."},
		{"a FIFO, which blocks who opens it", "/run/fifo"},
	};

	(void)state;
	need_namespaces();
	for (size_t i = 0; i < N_OF(cases); i++) {
		const char *words[] = {"self", cases[i].word};
		struct netns_list list;
		struct capture said;
		const char *text;
		int err;

		print_message("%s\n", cases[i].name);
		capture__begin(&said);
		err = netns_list__resolve(&list, words, 2);
		text = capture__end(&said);
		assert_int_equal(err, -EINVAL);
		assert_non_null(strstr(text, "no network namespace"));
		assert_non_null(strstr(text, cases[i].word));
		assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
		assert_int_equal(list.count, 0);
	}
}

static void assert_each_once(const struct netns_list *list)
{
	for (size_t i = 0; i < list->count; i++)
		assert_ptr_equal(find(list, list->items[i].inum), &list->items[i]);
}

static void test_each_is_listed_once(void **state)
{
	const char *words[] = {"self", "alpha", "/run/netns/alpha", "/proc/self/ns/net"};
	struct netns_list list;

	(void)state;
	need_namespaces();
	assert_int_equal(netns_list__resolve(&list, words, N_OF(words)), 0);
	assert_int_equal(list.count, 2);
	assert_each_once(&list);
	netns_list__free(&list);
}

static void resolve_all(struct netns_list *list)
{
	const char *all = "all";
	struct capture said;

	capture__begin(&said); /* an ordinary user may not see all */
	assert_int_equal(netns_list__resolve(list, &all, 1), 0);
	capture__end(&said);
}

static void test_all(void **state)
{
	struct netns_list list;

	(void)state;
	need_namespaces();
	resolve_all(&list);
	assert_true(list.all);
	assert_int_equal(list.items[0].inum, fixture_own_inum());
	assert_non_null(find(&list, alpha.inum));
	assert_non_null(find(&list, digits.inum));
	assert_each_once(&list);
	netns_list__free(&list);
}

/* ---- what may not be looked at --------------------------------------------------------------- */

static bool become_nobody(void)
{
	return !setgid(65534) && !setuid(65534);
}

/* All capabilities, but none over the processes outside. */
static bool enter_user_namespace(void)
{
	return !unshare(CLONE_NEWUSER);
}

static bool hide_others(void)
{
	return !mount("proc", "/proc", "proc", 0, "hidepid=2") && become_nobody();
}

/* What a process says that cannot look at its parent: in a child, which then ends. */
static void say_as_child(bool (*change)(void), const char *word, char *text, size_t size)
{
	int status, fds[2];
	pid_t child;
	ssize_t n;

	assert_int_equal(pipe(fds), 0);
	child = fork();
	if (!child) {
		struct netns_list list;

		if (dup2(fds[1], STDERR_FILENO) < 0 || unshare(CLONE_NEWNS) || !change())
			_exit(77);
		_exit(netns_list__resolve(&list, &word, 1) == -EPERM);
	}
	close(fds[1]);
	n = read(fds[0], text, size - 1);
	text[n > 0 ? n : 0] = '\0';
	close(fds[0]);
	assert_int_equal(waitpid(child, &status, 0), child);
	if (WEXITSTATUS(status) == 77)
		snprintf(text, size, "SKIP");
	else
		assert_int_equal(WEXITSTATUS(status), strcmp(word, "all") != 0);
}

static void test_denied(void **state)
{
	char pid[16], text[512];
	const struct {
		const char *name;
		bool (*change)(void);
		const char *word, *said, *remedy;
	} cases[] = {
		{"a user asks for all", become_nobody, "all", "may not be looked at",
		 "run as root, or with CAP_SYS_PTRACE"},
		{"a user asks for a process", become_nobody, pid, "may not look into",
		 "run as root, or with CAP_SYS_PTRACE"},
		{"who has all capabilities asks for all", enter_user_namespace, "all",
		 "may not be looked at", "CAP_SYS_PTRACE is there"},
		{"who has all capabilities asks for a process", enter_user_namespace, pid,
		 "may not look into", "CAP_SYS_PTRACE is there"},
		{"of nobody else anything is seen", hide_others, "all", "hidden (hidepid",
		 "run as root, or with CAP_SYS_PTRACE"},
	};

	(void)state;
	need_namespaces();
	if (getuid())
		skip();
	snprintf(pid, sizeof(pid), "%d", getpid());
	for (size_t i = 0; i < N_OF(cases); i++) {
		print_message("%s\n", cases[i].name);
		say_as_child(cases[i].change, cases[i].word, text, sizeof(text));
		if (!strcmp(text, "SKIP")) {
			print_message("SKIP: not possible here\n");
			continue;
		}
		if (!strstr(text, cases[i].said) || !strstr(text, cases[i].remedy))
			fail_msg("%s", text);
	}
}

/* ---- coming and going ------------------------------------------------------------------------ */

static bool unshare_net(void *ctx)
{
	(void)ctx;
	return !unshare(CLONE_NEWNET);
}

struct gone {
	uint32_t awaited;
	int count;
};

static void on_gone(void *ctx, uint32_t inum)
{
	struct gone *gone = ctx;

	gone->count += inum == gone->awaited;
}

static void test_process_comes_and_goes(void **state)
{
	struct gone gone = {0};
	struct netns_list list;
	char path[32], number[16];
	pid_t child;

	(void)state;
	need_namespaces();
	resolve_all(&list);
	child = fixture_child(unshare_net, NULL);
	assert_true(child > 0);
	snprintf(path, sizeof(path), "/proc/%d/ns/net", child);
	gone.awaited = fixture_inum(path);
	assert_null(find(&list, gone.awaited));
	assert_true(netns_list__rescan(&list) > 0);
	assert_each_once(&list);
	snprintf(number, sizeof(number), "%u", gone.awaited);
	assert_string_equal(netns_list__name(&list, gone.awaited), number);
	netns_list__prune(&list, on_gone, &gone);
	assert_int_equal(gone.count, 0);
	fixture_kill(child);
	netns_list__prune(&list, on_gone, &gone);
	assert_int_equal(gone.count, 1);
	assert_null(find(&list, gone.awaited));
	assert_non_null(find(&list, alpha.inum));
	netns_list__free(&list);
}

static bool stay(void *ctx)
{
	(void)ctx;
	return true;
}

/* A namespace stays as long as anything leads to it, not only what led to it first. */
static void test_name_goes_before_the_process(void **state)
{
	const char *word = "gamma";
	struct gone gone = {0};
	struct netns_list list;
	struct netns gamma;
	struct netns_return back;
	pid_t child;

	(void)state;
	need_namespaces();
	assert_true(fixture_netns(&gamma, "gamma"));
	gone.awaited = gamma.inum;
	assert_int_equal(netns_list__resolve(&list, &word, 1), 0);
	assert_int_equal(netns__enter(&gamma, &back), 0);
	child = fixture_child(stay, NULL);
	netns__leave(&back);
	assert_true(child > 0);
	fixture_netns_end(&gamma);
	netns_list__prune(&list, on_gone, &gone);
	assert_int_equal(gone.count, 0);
	assert_int_equal(list.count, 1);
	fixture_kill(child);
	netns_list__prune(&list, on_gone, &gone);
	assert_int_equal(gone.count, 1);
	assert_int_equal(list.count, 0);
	netns_list__free(&list);
}

/* ---- entering -------------------------------------------------------------------------------- */

static void test_enter_and_leave(void **state)
{
	const struct netns own = {.inum = fixture_own_inum(), .fd = -1};
	const struct netns closed = {.inum = 1, .fd = -1};
	struct netns_return back;

	(void)state;
	need_namespaces();
	assert_int_equal(netns__enter(&alpha, &back), 0);
	assert_int_equal(fixture_own_inum(), alpha.inum);
	netns__leave(&back);
	assert_int_equal(fixture_own_inum(), own.inum);
	netns__leave(&back); /* once more does no harm */
	assert_int_equal(netns__enter(&own, &back), 0);
	assert_int_equal(back.fd, -1);
	netns__leave(&back);
	assert_int_equal(netns__enter(&closed, &back), -EBADF);
	assert_int_equal(back.fd, -1);
	assert_int_equal(fixture_own_inum(), own.inum);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_one_word),
		cmocka_unit_test(test_no_namespace),
		cmocka_unit_test(test_each_is_listed_once),
		cmocka_unit_test(test_all),
		cmocka_unit_test(test_denied),
		cmocka_unit_test(test_process_comes_and_goes),
		cmocka_unit_test(test_name_goes_before_the_process),
		cmocka_unit_test(test_enter_and_leave),
	};

	return cmocka_run_group_tests(tests, begin, NULL);
}
