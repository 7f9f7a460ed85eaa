/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The lean listing of real sockets, and the records of who opens and who closes first.
 */
#include <string.h>
#include <sys/socket.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "sock_fixture.h"
#include "tcp_pair.h"

#define RING_BYTES (1u << 20)

static const int families[] = {AF_INET, AF_INET6};

static uint64_t tick_ns(void)
{
	struct timespec tick;

	assert_int_equal(clock_getres(CLOCK_MONOTONIC_COARSE, &tick), 0);
	return tick.tv_nsec;
}

static const struct rec_tuple *opening_of(struct sock_fixture *f, uint64_t cookie)
{
	sock_fixture__drain(f);
	for (size_t i = 0; i < f->n_events; i++)
		if (f->events[i].hdr.kind == REC_OPENING && f->events[i].tuple.cookie == cookie)
			return &f->events[i].tuple;
	return NULL;
}

static void check_openings(struct sock_fixture *f, const struct tcp_pair *pair)
{
	const struct rec_tuple *client, *server;

	(void)sock_fixture__state(f, pair->server_cookie, TCPS_ESTABLISHED);
	client = opening_of(f, pair->client_cookie);
	server = opening_of(f, pair->server_cookie);
	assert_non_null(client);
	assert_non_null(server);
	assert_int_equal(client->role, ROLE_ACTIVE);
	assert_int_equal(server->role, ROLE_PASSIVE);
	assert_int_equal(client->netns, f->ns.inum);
	assert_int_equal(client->local_port, pair->client_port);
	assert_int_equal(client->remote_port, pair->listener_port);
	assert_int_equal(server->remote_port, pair->client_port);
	assert_true(ip_addr__equal(&client->local, &server->remote));
}

/* Listeners first, and a whole list has its end. */
static void check_order(const struct sock_fixture *f)
{
	size_t n = f->n_listed;
	bool is_past = false;

	assert_int_equal(f->listed[0].hdr.kind, REC_SNAPSHOT_BEGIN);
	assert_int_equal(f->listed[n - 2].hdr.kind, REC_TUPLES_END);
	assert_int_equal(f->listed[n - 1].hdr.kind, REC_SNAPSHOT_END);
	for (size_t i = 1; i < n - 2; i++) {
		assert_int_equal(f->listed[i].hdr.kind, REC_TUPLE);
		assert_false(is_past && f->listed[i].tuple.state == TCPS_LISTEN);
		is_past = f->listed[i].tuple.state != TCPS_LISTEN;
	}
}

static void check_closing(struct sock_fixture *f, struct tcp_pair *pair)
{
	const struct rec_closing *closing;
	char comm[SOCK_COMM_LEN];

	tcp_close(&pair->client);
	closing = &sock_fixture__event(f, REC_CLOSING)->closing;
	prctl(PR_GET_NAME, comm);
	assert_int_equal(closing->cookie, pair->client_cookie);
	assert_int_equal(closing->pid, getpid());
	assert_string_equal(closing->comm, comm);
	assert_int_equal(closing->role, ROLE_ACTIVE);
}

static const struct rec_tuple *wait_for_time_wait(struct sock_fixture *f,
						  const struct tcp_pair *pair, enum tcp_state state)
{
	uint64_t deadline = clock_ms() + DEADLINE_MS;
	const struct rec_tuple *tuple;

	do {
		assert_true(clock_ms() < deadline);
		tuple = sock_fixture__tuple(f, pair->client_port, pair->listener_port);
		assert_non_null(tuple);
	} while (!tuple->is_time_wait || tuple->state != state);
	return tuple;
}

static void check_time_wait(struct sock_fixture *f, const struct tcp_pair *pair)
{
	const struct rec_tuple *tuple = wait_for_time_wait(f, pair, TCPS_TIME_WAIT);
	int64_t left_ms = tuple->left_ticks * (int64_t)tick_ns() / 1000000;

	assert_int_equal(tuple->cookie, pair->client_cookie);
	assert_true(left_ms > 58000 && left_ms <= 60000);
	assert_true(tuple->has_timestamps);
	/* The end that closed second is gone without a trace. */
	assert_null(sock_fixture__tuple(f, pair->listener_port, pair->client_port));
}

static void test_life(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		struct sock_fixture f;
		struct tcp_pair pair;

		sock_fixture__open(&f, EVERYTHING, RING_BYTES);
		tcp_pair__open(&pair, families[i]);
		check_openings(&f, &pair);
		assert_int_equal(
			sock_fixture__tuple(&f, pair.client_port, pair.listener_port)->state,
			TCPS_ESTABLISHED);
		check_order(&f);
		check_closing(&f, &pair);
		(void)wait_for_time_wait(&f, &pair, TCPS_FIN_WAIT2); /* an orphan */
		tcp_wait_eof(pair.server);
		tcp_close(&pair.server);
		check_time_wait(&f, &pair);
		tcp_pair__close(&pair);
		sock_fixture__close(&f);
	}
}

static void test_only_one_side_closes_first(void **state)
{
	struct sock_fixture f;
	struct tcp_pair pair;
	size_t count = 0;

	(void)state;
	sock_fixture__open(&f, EVERYTHING, RING_BYTES);
	tcp_pair__open(&pair, AF_INET);
	tcp_close(&pair.server);
	tcp_wait_eof(pair.client);
	tcp_close(&pair.client);
	(void)sock_fixture__state(&f, pair.client_cookie, TCPS_CLOSED);
	for (size_t i = 0; i < f.n_events; i++) {
		if (f.events[i].hdr.kind != REC_CLOSING)
			continue;
		assert_int_equal(f.events[i].closing.cookie, pair.server_cookie);
		assert_int_equal(f.events[i].closing.role, ROLE_PASSIVE);
		count++;
	}
	assert_int_equal(count, 1);
	tcp_pair__close(&pair);
	sock_fixture__close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_only_one_side_closes_first),
	};

	return cmocka_run_group_tests(tests, sock_fixture__own_namespace, NULL);
}
