/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A TCP endpoint behind a tun device that sends exactly the segments a test tells it to: what no
 * kernel would do on command, such as a simultaneous open or an acknowledgement that never comes.
 */
#ifndef TCPWATCH_TESTS_TUN_PEER_H
#define TCPWATCH_TESTS_TUN_PEER_H

#include <stddef.h>
#include <stdint.h>

#define TUN_FIN	 0x01
#define TUN_SYN	 0x02
#define TUN_RST	 0x04
#define TUN_ACK	 0x10

#define TUN_HOST 0x0a4d0001u /* 10.77.0.1, this namespace */
#define TUN_PEER 0x0a4d0002u /* 10.77.0.2, the test itself */

struct tun_peer {
	int fd;
	uint16_t port, host_port;
	uint32_t seq; /* next to send */
	uint32_t ack; /* next expected of the host */
};

/* tun_peer__open() - the device, up; returns 0 or -errno (then SKIP) */
int tun_peer__open(struct tun_peer *peer);
void tun_peer__close(struct tun_peer *peer);

/* tun_peer__send() - one segment with ack = peer->ack; SYN, FIN and @len zero bytes move peer->seq
 * on */
void tun_peer__send(struct tun_peer *peer, uint8_t flags, size_t len);
/*
 * tun_peer__expect() - the next segment from the host with all of @flags, others are passed over
 *
 * peer->ack moves behind it and peer->host_port becomes its port. Fails the test after the
 * deadline.
 */
void tun_peer__expect(struct tun_peer *peer, uint8_t flags);

#endif
