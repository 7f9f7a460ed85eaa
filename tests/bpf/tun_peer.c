/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Raw TCP segments over a tun device.
 */
#include "tun_peer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include <arpa/inet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sys/ioctl.h>
#include <sys/socket.h>

#include <cmocka.h>

#include "sock_fixture.h"

struct packet {
	struct iphdr ip;
	struct tcphdr tcp;
	uint8_t payload[1024];
};

static void set_address(struct ifreq *ifr, uint32_t addr)
{
	struct sockaddr_in *sin = (struct sockaddr_in *)&ifr->ifr_addr;

	memset(sin, 0, sizeof(*sin));
	sin->sin_family = AF_INET;
	sin->sin_addr.s_addr = htonl(addr);
}

static int configure(struct ifreq *ifr)
{
	int s = socket(AF_INET, SOCK_DGRAM, 0), err = 0;

	set_address(ifr, TUN_HOST);
	if (ioctl(s, SIOCSIFADDR, ifr))
		err = -errno;
	set_address(ifr, 0xffffff00u);
	if (!err && ioctl(s, SIOCSIFNETMASK, ifr))
		err = -errno;
	ifr->ifr_flags = IFF_UP | IFF_RUNNING;
	if (!err && ioctl(s, SIOCSIFFLAGS, ifr))
		err = -errno;
	close(s);
	return err;
}

int tun_peer__open(struct tun_peer *peer)
{
	struct ifreq ifr = {.ifr_flags = IFF_TUN | IFF_NO_PI};
	int err;

	*peer = (struct tun_peer){.port = 7000, .seq = 1000};
	peer->fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (peer->fd < 0)
		return -errno;
	err = ioctl(peer->fd, TUNSETIFF, &ifr) ? -errno : configure(&ifr);
	if (err)
		close(peer->fd);
	return err;
}

void tun_peer__close(struct tun_peer *peer)
{
	close(peer->fd);
}

static uint32_t sum16(const void *data, size_t len, uint32_t sum)
{
	const uint8_t *p = data;

	for (size_t i = 0; i + 1 < len; i += 2)
		sum += p[i] << 8 | p[i + 1];
	if (len & 1)
		sum += p[len - 1] << 8;
	return sum;
}

static uint16_t fold(uint32_t sum)
{
	while (sum >> 16)
		sum = (sum & 0xffff) + (sum >> 16);
	return htons(~sum);
}

void tun_peer__send(struct tun_peer *peer, uint8_t flags, size_t len)
{
	size_t tcp_len = sizeof(struct tcphdr) + len;
	struct packet p = {
		.ip = {.version = 4,
		       .ihl = 5,
		       .ttl = 64,
		       .protocol = IPPROTO_TCP,
		       .tot_len = htons(sizeof(p.ip) + tcp_len),
		       .saddr = htonl(TUN_PEER),
		       .daddr = htonl(TUN_HOST)},
		.tcp = {.source = htons(peer->port),
			.dest = htons(peer->host_port),
			.seq = htonl(peer->seq),
			.ack_seq = htonl(flags & TUN_ACK ? peer->ack : 0),
			.doff = 5,
			.window = htons(65535)},
	};

	assert_true(len <= sizeof(p.payload));
	((uint8_t *)&p.tcp)[13] = flags;
	p.ip.check = fold(sum16(&p.ip, sizeof(p.ip), 0));
	p.tcp.check = fold(sum16(&p.tcp, tcp_len, sum16(&p.ip.saddr, 8, IPPROTO_TCP + tcp_len)));
	assert_int_equal(write(peer->fd, &p, sizeof(p.ip) + tcp_len), sizeof(p.ip) + tcp_len);
	peer->seq += len + !!(flags & TUN_SYN) + !!(flags & TUN_FIN);
}

static int is_from_host(const struct packet *p, ssize_t n, uint8_t flags)
{
	uint8_t has = ((const uint8_t *)&p->tcp)[13];

	return n >= (ssize_t)(sizeof(p->ip) + sizeof(p->tcp)) && p->ip.version == 4 &&
	       p->ip.ihl == 5 && p->ip.protocol == IPPROTO_TCP && (has & flags) == flags;
}

void tun_peer__expect(struct tun_peer *peer, uint8_t flags)
{
	uint64_t deadline = clock_ms() + DEADLINE_MS;
	struct pollfd pfd = {.fd = peer->fd, .events = POLLIN};
	struct packet p = {};

	while (clock_ms() < deadline) {
		ssize_t n = read(peer->fd, &p, sizeof(p));

		if (n < 0)
			poll(&pfd, 1, 100);
		else if (is_from_host(&p, n, flags)) {
			peer->host_port = ntohs(p.tcp.source);
			peer->ack = ntohl(p.tcp.seq) + n - sizeof(p.ip) - p.tcp.doff * 4 +
				    p.tcp.syn + p.tcp.fin;
			return;
		}
	}
	fail_msg("the host sent no segment with flags %#x", flags);
}
