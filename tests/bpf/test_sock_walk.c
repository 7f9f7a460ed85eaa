/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sockets listed by a walk through the kernel's table: the same as by an iterator, member by
 * member.
 */
#include <fcntl.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <bpf/btf.h>

#include "sock_fixture.h"
#include "tcp_pair.h"
#include "tun_peer.h"

#define RING_BYTES 4096
#define N_PAIRS	   700 /* more sockets than a step has room for */

static const int families[] = {AF_INET, AF_INET6};

/* Without it a listing is the iterator's, which is then compared with itself. */
static void need_walk(void)
{
	struct btf *btf = btf__load_vmlinux_btf();
	bool has_it = btf && btf__find_by_name_kind(btf, "bpf_rdonly_cast", BTF_KIND_FUNC) > 0;

	btf__free(btf);
	if (has_it)
		return;
	print_message("SKIP: this kernel has no bpf_rdonly_cast (Linux 6.2)\n");
	skip();
}

static void open_listing(struct sock_fixture *f, bool may_walk)
{
	const struct sock_config config = {
		.record_mask = 1u << REC_SOCK,
		.wake_bytes = 1,
		.may_walk = may_walk,
	};

	sock_fixture__open_as(f, &config, RING_BYTES);
}

/*
 * An iterator gives each socket a cookie, a walk does not. Where the iterator stops the kernel
 * itself gives one to the sockets of the same bucket (bpf_iter_tcp_put_batch() in
 * net/ipv4/tcp_ipv4.c).
 */
static bool is_walked(struct sock_fixture *f)
{
	(void)sock_fixture__by_cookie(f, 1);
	for (size_t i = 1; i < f->n_listed - 1; i++)
		if (!f->listed[i].sock.sock.cookie)
			return true;
	return false;
}

/* Not asked for its cookie, as those of a tcp_pair are. */
static int connect_plain(uint16_t port)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = TW_BE16(port)};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	to.sin_addr.s_addr = TW_BE32(0x7f000001u);
	assert_int_equal(connect(fd, (void *)&to, sizeof(to)), 0);
	return fd;
}

static int compare_socks(const void *x, const void *y)
{
	const struct sock_info *a = &((const union record *)x)->sock.sock;
	const struct sock_info *b = &((const union record *)y)->sock.sock;

	if (a->local_port != b->local_port)
		return a->local_port - b->local_port;
	return a->remote_port - b->remote_port;
}

/* The sockets of a list in order, without what is told of them by other means. Returns how many. */
static size_t take_socks(struct sock_fixture *f, struct sock_info *out)
{
	size_t n = f->n_listed - 2;

	qsort(&f->listed[1], n, sizeof(*f->listed), compare_socks);
	for (size_t i = 0; i < n; i++) {
		out[i] = f->listed[i + 1].sock.sock;
		out[i].cookie = 0;
		if (out[i].close_wait_at_least)
			out[i].close_wait_ns = 1; /* to a jiffy: the clock has gone on */
	}
	return n;
}

static size_t list(bool may_walk, struct sock_info *out)
{
	struct sock_fixture f;
	size_t n;

	open_listing(&f, may_walk);
	(void)sock_fixture__by_cookie(&f, 1);
	n = take_socks(&f, out);
	sock_fixture__close(&f);
	return n;
}

/* Timers run meanwhile: some moment is waited for at which nothing changes between the two. */
static void compare_lists(size_t at_least)
{
	static struct sock_info walked[4 * N_PAIRS], iterated[4 * N_PAIRS];
	uint64_t deadline = clock_ms() + DEADLINE_MS;
	size_t n;

	do {
		n = list(true, walked);
		assert_true(n >= at_least && clock_ms() < deadline);
	} while (list(false, iterated) != n || memcmp(walked, iterated, n * sizeof(*walked)));
}

static void test_each_member(void **state)
{
	struct tcp_pair open, closing, resting;
	struct tun_peer peer;
	int listener;

	(void)state;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		listener = tcp_listen(AF_INET, 0, 5);
		assert_int_equal(tun_peer__open(&peer), 0);
		peer.host_port = tcp_local_port(listener);
		tun_peer__send(&peer, TUN_SYN, 0); /* a request */
		tun_peer__expect(&peer, TUN_SYN | TUN_ACK);
		tcp_pair__open(&open, families[i]);
		tcp_send_all(open.client, open.server, 5000);
		tcp_pair__open(&closing, families[i]); /* FIN_WAIT2 and CLOSE_WAIT */
		shutdown(closing.client, SHUT_WR);
		tcp_wait_eof(closing.server);
		tcp_pair__open(&resting, families[i]); /* TIME_WAIT */
		tcp_close(&resting.client);
		tcp_wait_eof(resting.server);
		tcp_close(&resting.server);
		compare_lists(4 + 1 + 2 + 2 + 1); /* the first four listen */
		tcp_pair__close(&open);
		tcp_pair__close(&resting);
		tcp_abort(&closing.client);
		tcp_pair__close(&closing);
		tun_peer__close(&peer);
		close(listener);
	}
}

struct crowd {
	int listener, fds[N_PAIRS];
	size_t n;
};

static void crowd__open(struct crowd *crowd, size_t n)
{
	crowd->n = n;
	crowd->listener = tcp_listen(AF_INET, 0, N_PAIRS);
	for (size_t i = 0; i < n; i++)
		crowd->fds[i] = connect_plain(tcp_local_port(crowd->listener));
}

static void crowd__close(struct crowd *crowd)
{
	for (size_t i = 0; i < crowd->n; i++)
		tcp_abort(&crowd->fds[i]);
	close(crowd->listener);
}

/* More than one step, and more than there is room for at once. */
static void test_many(void **state)
{
	struct crowd crowd;
	struct sock_fixture f;

	(void)state;
	need_walk();
	crowd__open(&crowd, N_PAIRS);
	open_listing(&f, true);
	assert_true(is_walked(&f));
	sock_fixture__close(&f);
	compare_lists(2 * N_PAIRS + 1);
	crowd__close(&crowd);
}

static void set_sysctl(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, value, strlen(value)), strlen(value));
	close(fd);
}

/* A namespace with a table of its own: a small one is not walked. */
static void test_own_table(void **state)
{
	static const struct {
		const char *entries;
		bool is_walked;
	} rows[] = {{"4096", true}, {"512", false}};

	need_walk();
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct sock_fixture f;
		struct crowd crowd;

		set_sysctl("/proc/sys/net/ipv4/tcp_child_ehash_entries", rows[i].entries);
		assert_int_equal(sock_fixture__own_namespace(state), 0);
		crowd__open(&crowd, 8);
		open_listing(&f, true);
		assert_int_equal(is_walked(&f), rows[i].is_walked);
		assert_int_equal(f.n_listed, 2 * crowd.n + 3);
		sock_fixture__close(&f);
		crowd__close(&crowd);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_each_member),
		cmocka_unit_test(test_many),
		cmocka_unit_test(test_own_table),
	};

	return cmocka_run_group_tests(tests, sock_fixture__own_namespace, NULL);
}
