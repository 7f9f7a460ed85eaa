/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Listing listeners and finding their processes: at first among all sockets, from then on by their
 * marks. The kernel's cookies say which is which.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sock_fixture.h"
#include "tcp_pair.h"

#define RING_BYTES  (1u << 20)
#define N_LISTENERS 3

static void open_fixture(struct sock_fixture *f)
{
	const struct sock_config config = {
		.record_mask = 1u << REC_OWNER | 1u << REC_SOCK,
		.follow = 1,
		.count_listeners = 1,
	};

	sock_fixture__open_as(f, &config, RING_BYTES);
}

static size_t n_listed(const struct sock_fixture *f, enum record_kind kind)
{
	size_t count = 0;

	for (size_t i = 0; i < f->n_listed; i++)
		count += f->listed[i].hdr.kind == kind;
	return count;
}

static const struct rec_listener *find(const struct sock_fixture *f, uint64_t cookie)
{
	for (size_t i = 0; i < f->n_listed; i++)
		if (f->listed[i].hdr.kind == REC_LISTENER &&
		    f->listed[i].listener.sock.cookie == cookie)
			return &f->listed[i].listener;
	return NULL;
}

/* Those of before, those that come and go, and nothing else; in one snapshot each time. */
static void test_old_and_new(void **state)
{
	struct sock_fixture f;
	struct tcp_pair pair;
	uint64_t old, new;
	int first = tcp_listen(AF_INET, 0, 5), second;

	(void)state;
	old = tcp_cookie(first);
	open_fixture(&f);
	tcp_pair__open(&pair, AF_INET);
	for (unsigned look = 0; look < 3; look++) {
		sock_fixture__listeners(&f);
		assert_int_equal(n_listed(&f, REC_LISTENER), 2); /* that of the pair too */
		assert_int_equal(n_listed(&f, REC_SNAPSHOT_BEGIN), 1);
		assert_int_equal(n_listed(&f, REC_SNAPSHOT_END), 1);
		assert_int_equal(f.listed[f.n_listed - 1].snapshot.ok, 1);
		assert_int_equal(find(&f, old)->sock.tx_queue, 5);
	}
	second = tcp_listen(AF_INET6, 0, 7);
	new = tcp_cookie(second);
	sock_fixture__listeners(&f);
	assert_int_equal(n_listed(&f, REC_LISTENER), 3);
	assert_int_equal(find(&f, new)->sock.tx_queue, 7);
	shutdown(second, SHUT_RD); /* it is there, and listens no more */
	tcp_close(&first);
	sock_fixture__listeners(&f);
	assert_int_equal(n_listed(&f, REC_LISTENER), 1);
	assert_null(find(&f, old));
	tcp_close(&second);
	tcp_pair__close(&pair);
	sock_fixture__close(&f);
}

/* A namespace with listeners alone is soon listed by their marks, until something else comes. */
static void test_in_snapshots(void **state)
{
	struct sock_fixture f;
	struct tcp_pair pair;
	int first = tcp_listen(AF_INET, 0, 5), second;

	(void)state;
	open_fixture(&f);
	sock_fixture__listeners(&f);
	for (unsigned look = 0; look < 5; look++) {
		assert_int_equal(sock_fixture__by_cookie(&f, tcp_cookie(first))->tx_queue, 5);
		assert_int_equal(n_listed(&f, REC_SOCK), 1);
		assert_int_equal(n_listed(&f, REC_SNAPSHOT_END), 1);
	}
	second = tcp_listen(AF_INET, 0, 7);
	assert_int_equal(sock_fixture__by_cookie(&f, tcp_cookie(second))->tx_queue, 7);
	assert_int_equal(listen(second, 8), 0); /* which changes no state */
	for (unsigned look = 0; look < 5; look++)
		assert_int_equal(sock_fixture__by_cookie(&f, tcp_cookie(second))->tx_queue, 8);
	tcp_pair__open(&pair, AF_INET);
	assert_non_null(sock_fixture__by_cookie(&f, pair.server_cookie));
	tcp_pair__close(&pair);
	tcp_close(&first);
	for (unsigned look = 0; look < 5; look++)
		assert_non_null(sock_fixture__by_cookie(&f, tcp_cookie(second)));
	tcp_close(&second);
	sock_fixture__close(&f);
}

/* ---- processes ---- */

static void find_owners(struct sock_fixture *f, const int *fds, size_t count)
{
	uint64_t cookies[N_LISTENERS + 1];

	for (size_t i = 0; i < count; i++)
		cookies[i] = tcp_cookie(fds[i]);
	cookies[count] = 12345; /* nobody's */
	sock_fixture__listener_owners(f, cookies, count + 1);
}

static void expect_owners(const struct sock_fixture *f, const int *fds, size_t count)
{
	assert_int_equal(n_listed(f, REC_OWNER), count);
	for (size_t i = 0; i < count; i++) {
		const struct rec_owner *owner = NULL;

		for (size_t k = 0; k < f->n_listed; k++)
			if (f->listed[k].owner.cookie == tcp_cookie(fds[i]))
				owner = &f->listed[k].owner;
		assert_non_null(owner);
		assert_int_equal(owner->pid, getpid());
		assert_int_equal(owner->fd, fds[i]);
	}
}

static bool open_all(rlim_t count)
{
	for (rlim_t i = STDERR_FILENO + 3; i < count; i++)
		if (open("/dev/null", O_RDONLY) < 0)
			return errno == EMFILE;
	return true;
}

/* The child has as many files as may be: processes are looked at one by one. */
static pid_t start_giant(void)
{
	struct rlimit limit;
	int ready[2];
	char byte;
	pid_t pid;

	assert_int_equal(getrlimit(RLIMIT_NOFILE, &limit), 0);
	limit.rlim_cur = limit.rlim_max;
	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		bool is_ok = !setrlimit(RLIMIT_NOFILE, &limit) && open_all(limit.rlim_max);

		if (is_ok && write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &byte, 1), 1);
	close(ready[0]);
	return pid;
}

static void test_owners(void **state)
{
	int fds[N_LISTENERS];
	struct sock_fixture f;
	pid_t giant;

	(void)state;
	open_fixture(&f);
	for (size_t i = 0; i < N_LISTENERS; i++)
		fds[i] = tcp_listen(AF_INET, 0, 5);
	find_owners(&f, fds, N_LISTENERS);
	expect_owners(&f, fds, N_LISTENERS);
	find_owners(&f, fds, 1); /* those alone that are asked for */
	expect_owners(&f, fds, 1);
	giant = start_giant();
	find_owners(&f, fds, N_LISTENERS);
	expect_owners(&f, fds, N_LISTENERS);
	kill(giant, SIGKILL);
	waitpid(giant, NULL, 0);
	for (size_t i = 0; i < N_LISTENERS; i++)
		tcp_close(&fds[i]);
	sock_fixture__close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_in_snapshots), /* first: the others leave TIME_WAIT */
		cmocka_unit_test(test_old_and_new),
		cmocka_unit_test(test_owners),
	};

	return cmocka_run_group_tests(tests, sock_fixture__own_namespace, NULL);
}
