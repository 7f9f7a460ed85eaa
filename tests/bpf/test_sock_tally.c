/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What the socket programs count, on real sockets: begun while connections come and go it is what
 * the iterator lists, and later too.
 */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sock_fixture.h"
#include "tcp_pair.h"
#include "user/source/sock_tally.h"

#define RING_BYTES 4096
#define HELD	   300 /* pairs that stay: more than one round of the iterator */
#define CHURNERS   3
#define BEGINNINGS 60

static void open_tally(struct sock_fixture *f)
{
	const struct sock_config config = {
		.record_mask = 1u << REC_SOCK, .wake_bytes = 1, .follow = 1, .tally = 1};

	sock_fixture__open_as(f, &config, RING_BYTES);
}

static struct netns_tally counted(const struct sock_fixture *f)
{
	struct netns_tally tally;

	assert_int_equal(sock_tally__of_netns(f->view, f->ns.inum, &tally), 0);
	return tally;
}

static void count_one(void *ctx, const union record *record)
{
	struct netns_tally *tally = ctx;

	if (record->hdr.kind == REC_SOCK && !record->sock.sock.is_minisock)
		tally->sockets[record->sock.sock.state]++;
}

static struct netns_tally listed(struct sock_fixture *f)
{
	struct netns_tally tally = {0};

	assert_int_equal(sock_view__snapshot(f->view, count_one, &tally), 0);
	return tally;
}

/* Waited for: the last of what was closed may still be on its way. */
static void assert_counted_is_listed(struct sock_fixture *f, const char *when)
{
	uint64_t deadline = clock_ms() + DEADLINE_MS;
	struct netns_tally one, other;

	do {
		one = counted(f);
		other = listed(f);
	} while (memcmp(&one, &other, sizeof(one)) && clock_ms() < deadline);
	for (int state = 1; state < TCPS_COUNT; state++)
		if (one.sockets[state] != other.sockets[state])
			fail_msg("%s: state %d: counted %lld, listed %lld", when, state,
				 (long long)one.sockets[state], (long long)other.sockets[state]);
}

/* ---- beginning while sockets come and go ----------------------------------------------------- */

static atomic_bool is_over;

/* Connects, and closes from either side, by FIN or by reset. No assertions: not the test's thread.
 */
static void *churn(void *arg)
{
	const struct linger abort = {1, 0};
	struct sockaddr_in at = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int listener = *(int *)arg;

	at.sin_port = htons(tcp_local_port(listener));
	for (unsigned i = 0; !is_over; i++) {
		int client = socket(AF_INET, SOCK_STREAM, 0), server;

		if (connect(client, (void *)&at, sizeof(at))) {
			close(client);
			continue;
		}
		server = accept(listener, NULL, NULL);
		if (i % 2)
			setsockopt(i % 4 == 1 ? client : server, SOL_SOCKET, SO_LINGER, &abort,
				   sizeof(abort));
		close(i % 3 ? client : server);
		close(i % 3 ? server : client);
	}
	return NULL;
}

static void start_churn(pthread_t *threads, int *listeners)
{
	is_over = false;
	for (int i = 0; i < CHURNERS; i++) {
		listeners[i] = tcp_listen(AF_INET, 0, 16);
		assert_int_equal(pthread_create(&threads[i], NULL, churn, &listeners[i]), 0);
	}
}

static void stop_churn(pthread_t *threads, int *listeners)
{
	is_over = true;
	for (int i = 0; i < CHURNERS; i++) {
		pthread_join(threads[i], NULL);
		tcp_close(&listeners[i]);
	}
}

static void test_begun_among_changes(void **state)
{
	static struct tcp_pair held[HELD];
	pthread_t threads[CHURNERS];
	int listeners[CHURNERS];
	struct sock_fixture f;

	(void)state;
	open_tally(&f);
	for (int i = 0; i < HELD; i++)
		tcp_pair__open(&held[i], i % 2 ? AF_INET : AF_INET6);
	start_churn(threads, listeners);
	for (int i = 0; i < BEGINNINGS; i++)
		assert_int_equal(sock_tally__begin(f.view, 3 * HELD), 0);
	stop_churn(threads, listeners);
	assert_counted_is_listed(&f, "after the last beginning");
	assert_int_equal(counted(&f).sockets[TCPS_ESTABLISHED], 2 * HELD);
	for (int i = 0; i < HELD; i++)
		tcp_pair__close(&held[i]);
	assert_counted_is_listed(&f, "after the close of what was there before");
	sock_fixture__close(&f);
}

/* ---- CLOSE_WAIT ------------------------------------------------------------------------------ */

static void add(void *ctx, uint32_t netns, uint64_t count)
{
	(void)netns;
	*(uint64_t *)ctx += count;
}

static uint64_t young(struct sock_fixture *f, uint64_t since_ns)
{
	uint64_t sum = 0;

	assert_int_equal(sock_tally__young_close_waits(f->view, since_ns, add, &sum), 0);
	return sum;
}

static void wait_state(struct sock_fixture *f, enum tcp_state state, uint64_t count)
{
	uint64_t deadline = clock_ms() + DEADLINE_MS;

	while (counted(f).sockets[state] != count)
		assert_true(clock_ms() < deadline);
}

static void test_close_wait_by_age(void **state)
{
	struct tcp_pair older, pair, gone;
	struct sock_fixture f;
	uint64_t began;

	(void)state;
	tcp_pair__open(&older, AF_INET);
	tcp_close(&older.server);
	tcp_wait_eof(older.client);
	began = clock_ns();
	open_tally(&f);
	assert_int_equal(sock_tally__begin(f.view, 10), 0);
	assert_int_equal(young(&f, began - 2 * TW_NSEC_PER_SEC), 1); /* by its last ACK */
	tcp_pair__open(&pair, AF_INET);
	tcp_pair__open(&gone, AF_INET6);
	tcp_close(&pair.server);
	tcp_close(&gone.server);
	wait_state(&f, TCPS_CLOSE_WAIT, 3);
	assert_int_equal(young(&f, began - 2 * TW_NSEC_PER_SEC), 3);
	tcp_close(&gone.client);
	tcp_close(&older.client);
	wait_state(&f, TCPS_CLOSE_WAIT, 1);
	assert_int_equal(young(&f, began - 2 * TW_NSEC_PER_SEC), 1);
	assert_int_equal(young(&f, began + 3600 * TW_NSEC_PER_SEC), 0); /* an hour later: old */
	tcp_close(&pair.client);
	wait_state(&f, TCPS_CLOSE_WAIT, 0);
	assert_int_equal(young(&f, began - 2 * TW_NSEC_PER_SEC), 0);
	tcp_pair__close(&older);
	tcp_pair__close(&pair);
	tcp_pair__close(&gone);
	sock_fixture__close(&f);
}

/* ---- ends ------------------------------------------------------------------------------------ */

static void test_each_end_is_counted_once(void **state)
{
	struct sock_tally tally;
	struct sock_fixture f;
	struct tcp_pair pair;
	uint64_t ended = 0;

	(void)state;
	open_tally(&f);
	assert_int_equal(sock_tally__begin(f.view, 10), 0);
	tcp_pair__open(&pair, AF_INET);
	tcp_abort(&pair.client);
	tcp_wait_eof(pair.server);
	tcp_pair__close(&pair);
	assert_int_equal(sock_tally__read(f.view, &tally), 0);
	for (int reason = 0; reason < END_REASON_COUNT; reason++)
		for (int side = 0; side < END_SIDE_COUNT; side++)
			ended += tally.ended[reason][side];
	assert_int_equal(ended, 2);
	assert_int_equal(tally.ended[END_BY_RESET][END_SIDE_LOCAL], 1);
	assert_int_equal(tally.ended[END_BY_RESET][END_SIDE_REMOTE], 1);
	assert_int_equal(tally.resets_received[RESET_IN_OPEN], 1);
	assert_int_equal(tally.handshakes[OPEN_SIDE_CLIENT][HANDSHAKE_COMPLETED], 1);
	assert_int_equal(tally.handshakes[OPEN_SIDE_SERVER][HANDSHAKE_COMPLETED], 1);
	sock_fixture__close(&f);
}

static int prepare(void **state)
{
	struct rlimit files;

	if (getrlimit(RLIMIT_NOFILE, &files))
		return -1;
	files.rlim_cur = files.rlim_max;
	return setrlimit(RLIMIT_NOFILE, &files) ? -1 : sock_fixture__own_namespace(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_begun_among_changes),
		cmocka_unit_test(test_close_wait_by_age),
		cmocka_unit_test(test_each_end_is_counted_once),
	};

	return cmocka_run_group_tests(tests, prepare, NULL);
}
