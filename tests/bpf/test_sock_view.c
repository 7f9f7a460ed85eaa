/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The real socket programs on real sockets: what they tell of each transition, what the iterators
 * list, what is counted, and that it agrees with getsockopt() and with what the test itself did.
 */
#include <errno.h>
#include <netinet/in.h>
#include <linux/tcp.h> /* not netinet/tcp.h, whose tcp_info is shorter */
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sock_fixture.h"
#include "tcp_pair.h"
#include "tun_peer.h"
#include "user/source/reset_reason.h"

#define RING_BYTES (1u << 20)

static const int families[] = {AF_INET, AF_INET6};

/* ---- the life of a connection -----------------------------------------------------------------
 */

static void check_open(struct sock_fixture *f, const struct tcp_pair *pair, int family)
{
	const struct rec_sock_state *client =
		sock_fixture__state(f, pair->client_cookie, TCPS_ESTABLISHED);
	const struct rec_sock_state *server =
		sock_fixture__state(f, pair->server_cookie, TCPS_ESTABLISHED);

	assert_int_equal(client->old_state, TCPS_SYN_SENT);
	assert_int_equal(server->old_state, TCPS_SYN_RECV);
	assert_int_equal(client->sock.role, ROLE_ACTIVE);
	assert_int_equal(server->sock.role, ROLE_PASSIVE);
	assert_int_equal(client->sock.family, family);
	assert_int_equal(client->sock.local_port, pair->client_port);
	assert_int_equal(client->sock.remote_port, pair->listener_port);
	assert_int_equal(client->sock.pid, getpid());
	assert_int_equal(server->sock.pid, 0); /* whoever was interrupted is not its process */
	assert_true(client->sock.born_ns && client->sock.syn_ns &&
		    client->sock.syn_ns < client->sock.established_ns &&
		    client->sock.established_ns <= clock_ns());
}

static void check_figures(struct sock_fixture *f, int fd, uint64_t cookie, uint64_t tx, uint64_t rx)
{
	const struct sock_info *info = sock_fixture__by_cookie(f, cookie);
	socklen_t len = sizeof(struct tcp_info);
	struct tcp_info told;

	assert_int_equal(getsockopt(fd, IPPROTO_TCP, TCP_INFO, &told, &len), 0);
	assert_non_null(info);
	assert_int_equal(info->state, told.tcpi_state);
	assert_int_equal(info->tx_bytes, tx);
	assert_int_equal(info->rx_bytes, rx);
	assert_int_equal(info->tx_segments, told.tcpi_segs_out);
	assert_int_equal(info->rx_segments, told.tcpi_segs_in);
	assert_int_equal(info->retransmits, told.tcpi_total_retrans);
	assert_int_equal(info->srtt_us, told.tcpi_rtt);
	assert_int_equal(info->snd_cwnd, told.tcpi_snd_cwnd);
}

static void check_close(struct sock_fixture *f, struct tcp_pair *pair)
{
	const struct sock_info *info;

	tcp_close(&pair->client);
	assert_int_equal(sock_fixture__state(f, pair->client_cookie, TCPS_FIN_WAIT1)->old_state,
			 TCPS_ESTABLISHED);
	assert_int_equal(sock_fixture__state(f, pair->server_cookie, TCPS_CLOSE_WAIT)->old_state,
			 TCPS_ESTABLISHED);
	tcp_wait_eof(pair->server);
	tcp_close(&pair->server);
	info = &sock_fixture__state(f, pair->server_cookie, TCPS_CLOSED)->sock;
	assert_int_equal(info->close_by, CLOSE_REMOTE);
	assert_int_equal(info->tx_bytes, 7000);
	assert_int_equal(info->rx_bytes, 300);
	info = sock_fixture__until(f, pair->client_port, pair->listener_port, TCPS_TIME_WAIT);
	assert_true(info->is_minisock);
}

static void test_life(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(families) / sizeof(families[0]); i++) {
		struct sock_fixture f;
		struct tcp_pair pair;

		sock_fixture__open(&f, EVERYTHING, RING_BYTES);
		tcp_pair__open(&pair, families[i]);
		check_open(&f, &pair, families[i]);
		tcp_send_all(pair.client, pair.server, 300);
		tcp_send_all(pair.server, pair.client, 7000);
		check_figures(&f, pair.client, pair.client_cookie, 300, 7000);
		check_figures(&f, pair.server, pair.server_cookie, 7000, 300);
		check_close(&f, &pair);
		assert_int_equal(sock_fixture__counter(&f, SOCKC_ACTIVE_OPEN), 1);
		assert_int_equal(sock_fixture__counter(&f, SOCKC_PASSIVE_OPEN), 1);
		assert_int_equal(sock_fixture__counter(&f, SOCKC_CLOSED_LOCAL), 1);
		assert_int_equal(sock_fixture__counter(&f, SOCKC_CLOSED_REMOTE), 1);
		tcp_pair__close(&pair);
		sock_fixture__close(&f);
	}
}

/* What is older than the view has no birth; roles and bytes follow from what the kernel keeps. */
static void test_older_than_the_view(void **state)
{
	const struct sock_info *client, *server;
	struct sock_fixture f;
	struct tcp_pair pair;

	(void)state;
	tcp_pair__open(&pair, AF_INET);
	tcp_send_all(pair.client, pair.server, 5000);
	tcp_send_all(pair.server, pair.client, 20);
	sock_fixture__open(&f, EVERYTHING, RING_BYTES);
	client = sock_fixture__by_cookie(&f, pair.client_cookie);
	assert_int_equal(client->state, TCPS_ESTABLISHED);
	assert_int_equal(client->born_ns, 0);
	assert_int_equal(client->established_ns, 0);
	assert_int_equal(client->pid, 0);
	assert_int_equal(client->role, ROLE_ACTIVE);
	assert_int_equal(client->tx_bytes, 5000);
	assert_int_equal(client->rx_bytes, 20);
	server = sock_fixture__by_cookie(&f, pair.server_cookie);
	assert_int_equal(server->role, ROLE_PASSIVE);
	assert_int_equal(server->tx_bytes, 20);
	assert_int_equal(server->rx_bytes, 5000);
	tcp_pair__close(&pair);
	sock_fixture__close(&f);
}

/* ---- listeners, owners ------------------------------------------------------------------------
 */

static void test_queues_of_a_listener(void **state)
{
	struct sock_fixture f;
	const struct sock_info *info;
	int listener = tcp_listen(AF_INET, 0, 5), clients[2];
	struct sockaddr_in to = {.sin_family = AF_INET};

	(void)state;
	sock_fixture__open(&f, EVERYTHING, RING_BYTES);
	to.sin_port = htons(tcp_local_port(listener));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	for (int i = 0; i < 2; i++) {
		clients[i] = socket(AF_INET, SOCK_STREAM, 0);
		assert_int_equal(connect(clients[i], (void *)&to, sizeof(to)), 0);
	}
	info = sock_fixture__by_cookie(&f, tcp_cookie(listener));
	assert_int_equal(info->state, TCPS_LISTEN);
	assert_int_equal(info->rx_queue, 2);
	assert_int_equal(info->tx_queue, 5);
	assert_int_equal(info->syn_queue, 0);
	for (int i = 0; i < 2; i++)
		close(clients[i]);
	close(listener);
	sock_fixture__close(&f);
}

static void test_owners(void **state)
{
	struct sock_fixture f;
	struct tcp_pair pair;
	int found = 0;

	(void)state;
	tcp_pair__open(&pair, AF_INET);
	sock_fixture__open(&f, 0, RING_BYTES);
	sock_fixture__owners(&f);
	for (size_t i = 0; i < f.n_listed; i++) {
		const struct rec_owner *owner = &f.listed[i].owner;

		if (owner->cookie != pair.client_cookie && owner->cookie != pair.server_cookie)
			continue;
		assert_int_equal(owner->pid, getpid());
		assert_int_equal(owner->fd,
				 owner->cookie == pair.client_cookie ? pair.client : pair.server);
		found++;
	}
	assert_int_equal(found, 2);
	tcp_pair__close(&pair);
	sock_fixture__close(&f);
}

/* ---- ends of other kinds ----------------------------------------------------------------------
 */

static void test_reset(void **state)
{
	const struct rec_sock_state *closed;
	struct sock_fixture f;
	struct tcp_pair pair;

	(void)state;
	sock_fixture__open(&f, EVERYTHING, RING_BYTES);
	tcp_pair__open(&pair, AF_INET);
	tcp_abort(&pair.client);
	closed = sock_fixture__state(&f, pair.server_cookie, TCPS_CLOSED);
	assert_int_equal(closed->old_state, TCPS_ESTABLISHED);
	assert_int_equal(closed->sock.reset_seen, CLOSE_REMOTE);
	assert_int_equal(closed->sock.error, ECONNRESET);
	(void)sock_fixture__event(&f, REC_SOCK_RESET);
	assert_int_equal(sock_fixture__counter(&f, SOCKC_RESET_SENT), 1);
	assert_int_equal(sock_fixture__counter(&f, SOCKC_RESET_RECEIVED), 1);
	assert_int_equal(sock_fixture__counter(&f, SOCKC_CLOSED_RESET), 2);
	tcp_pair__close(&pair);
	sock_fixture__close(&f);
}

static void test_refused(void **state)
{
	int listener = tcp_listen(AF_INET, 0, 1), fd = socket(AF_INET, SOCK_STREAM, 0);
	struct sockaddr_in to = {.sin_family = AF_INET};
	const struct rec_sock_state *closed;
	const struct rec_sock_reset *reset;
	struct sock_fixture f;

	(void)state;
	sock_fixture__open(&f, EVERYTHING, RING_BYTES);
	to.sin_port = htons(tcp_local_port(listener));
	to.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	close(listener);
	assert_int_equal(connect(fd, (void *)&to, sizeof(to)), -1);
	closed = sock_fixture__state(&f, tcp_cookie(fd), TCPS_CLOSED);
	assert_int_equal(closed->old_state, TCPS_SYN_SENT);
	assert_int_equal(closed->sock.error, ECONNREFUSED);
	assert_int_equal(sock_fixture__counter(&f, SOCKC_CONNECT_FAILED), 1);
	close(fd);
	if (!reset_reason__name(0)) { /* before Linux 6.10 no socket, no tracepoint */
		sock_fixture__close(&f);
		return;
	}
	/* The closed port's answer, which no socket sent: the addresses are those of the packet. */
	reset = &sock_fixture__event(&f, REC_SOCK_RESET)->sock_reset;
	assert_int_equal(reset->by, CLOSE_LOCAL);
	assert_int_equal(reset->sock.cookie, 0);
	assert_int_equal(reset->sock.local_port, ntohs(to.sin_port));
	assert_true(reset->reason >= 0);
	sock_fixture__close(&f);
}

/* ---- a peer that does as it is told ------------------------------------------------------------
 */

/* A SYN that is never acknowledged: a request, older with each SYN-ACK that is sent again. */
static void test_half_open(void **state)
{
	struct sock_fixture f;
	struct tun_peer peer;
	const struct sock_info *info;
	int listener = tcp_listen(AF_INET, 0, 5);

	(void)state;
	assert_int_equal(tun_peer__open(&peer), 0);
	sock_fixture__open(&f, EVERYTHING, RING_BYTES);
	peer.host_port = tcp_local_port(listener);
	tun_peer__send(&peer, TUN_SYN, 0);
	tun_peer__expect(&peer, TUN_SYN | TUN_ACK);
	info = sock_fixture__by_ports(&f, peer.host_port, peer.port);
	assert_non_null(info);
	assert_int_equal(info->state, TCPS_SYN_RECV);
	assert_true(info->is_minisock && info->born_ns && info->born_ns <= clock_ns());
	assert_int_equal(info->syn_retransmits, 0);
	assert_int_equal(sock_fixture__by_cookie(&f, tcp_cookie(listener))->syn_queue, 1);
	info = &sock_fixture__event(&f, REC_SOCK_RETRANSMIT)->sock_retransmit.sock;
	assert_int_equal(info->state, TCPS_SYN_RECV);
	assert_int_equal(info->remote_port, peer.port);
	assert_int_equal(info->syn_retransmits, 1);
	assert_int_equal(sock_fixture__counter(&f, SOCKC_SYNACK_RETRANSMIT), 1);
	close(listener);
	tun_peer__close(&peer);
	sock_fixture__close(&f);
}

static int connect_to(const struct tun_peer *peer)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(peer->port)};

	to.sin_addr.s_addr = htonl(TUN_PEER);
	assert_int_equal(connect(fd, (void *)&to, sizeof(to)), -1);
	assert_int_equal(errno, EINPROGRESS);
	return fd;
}

static void test_simultaneous_open_and_close(void **state)
{
	struct sock_fixture f;
	struct tun_peer peer;
	uint64_t cookie;
	int fd;

	(void)state;
	assert_int_equal(tun_peer__open(&peer), 0);
	sock_fixture__open(&f, EVERYTHING, RING_BYTES);
	fd = connect_to(&peer);
	cookie = tcp_cookie(fd);
	tun_peer__expect(&peer, TUN_SYN);
	peer.ack = 0;
	tun_peer__send(&peer, TUN_SYN, 0);
	assert_int_equal(sock_fixture__state(&f, cookie, TCPS_SYN_RECV)->old_state, TCPS_SYN_SENT);
	tun_peer__expect(&peer, TUN_SYN | TUN_ACK);
	tun_peer__send(&peer, TUN_ACK, 0);
	assert_int_equal(sock_fixture__state(&f, cookie, TCPS_ESTABLISHED)->sock.role, ROLE_ACTIVE);
	assert_int_equal(shutdown(fd, SHUT_WR), 0);
	(void)sock_fixture__state(&f, cookie, TCPS_FIN_WAIT1);
	tun_peer__send(&peer, TUN_FIN | TUN_ACK, 0); /* ours is not acknowledged: both at once */
	assert_int_equal(sock_fixture__state(&f, cookie, TCPS_CLOSING)->old_state, TCPS_FIN_WAIT1);
	tun_peer__expect(&peer, TUN_FIN);
	tun_peer__send(&peer, TUN_ACK, 0);
	assert_int_equal(sock_fixture__state(&f, cookie, TCPS_CLOSED)->old_state, TCPS_CLOSING);
	close(fd);
	tun_peer__close(&peer);
	sock_fixture__close(&f);
}

/* ---- limits -----------------------------------------------------------------------------------
 */

static void test_losses_are_counted(void **state)
{
	struct sock_fixture f;
	struct tcp_pair pair;
	uint64_t states = 0;

	(void)state;
	sock_fixture__open(&f, 1u << REC_SOCK_STATE, 4096);
	for (int i = 0; i < 20; i++) {
		tcp_pair__open(&pair, AF_INET);
		tcp_pair__close(&pair);
	}
	sock_fixture__drain(&f);
	for (size_t i = 0; i < f.n_events; i++)
		states += f.events[i].hdr.kind == REC_SOCK_STATE;
	assert_true(states > 0 && sock_fixture__lost(&f, REC_SOCK_STATE) > 0);
	assert_int_equal(sock_fixture__counter(&f, SOCKC_ACTIVE_OPEN), 20); /* none of these */
	sock_fixture__close(&f);
}

static void test_other_namespaces_are_not_told(void **state)
{
	struct sock_fixture f;
	struct tcp_pair pair;

	(void)state;
	sock_fixture__open(&f, EVERYTHING, RING_BYTES);
	assert_int_equal(sock_fixture__own_namespace(state), 0);
	tcp_pair__open(&pair, AF_INET);
	tcp_pair__close(&pair);
	sock_fixture__drain(&f);
	assert_int_equal(f.n_events, 0);
	assert_int_equal(sock_fixture__counter(&f, SOCKC_ACTIVE_OPEN), 0);
	sock_fixture__close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_life),
		cmocka_unit_test(test_older_than_the_view),
		cmocka_unit_test(test_queues_of_a_listener),
		cmocka_unit_test(test_owners),
		cmocka_unit_test(test_reset),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_half_open),
		cmocka_unit_test(test_simultaneous_open_and_close),
		cmocka_unit_test(test_losses_are_counted),
		cmocka_unit_test(test_other_namespaces_are_not_told),
	};

	return cmocka_run_group_tests(tests, sock_fixture__own_namespace, NULL);
}
