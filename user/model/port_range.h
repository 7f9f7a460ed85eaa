/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which local ports connect() may choose from: ip_local_port_range, less ip_local_reserved_ports,
 * less those that a listener is on. Not here: reading these (source/netns_stats.h), which of them
 * are in use (port_use.h).
 */
#ifndef TCPWATCH_PORT_RANGE_H
#define TCPWATCH_PORT_RANGE_H

#include <stdbool.h>
#include <stdint.h>

#define PORT_COUNT 65536

struct port_range {
	uint16_t low, high; /* ip_local_port_range; both 0: unknown, and no port is usable */
	uint32_t reserved;  /* of them */
	uint32_t listening; /* of the rest */
	uint32_t usable;    /* what is left */
	uint64_t bits[PORT_COUNT / 64]; /* the usable ones */
};

/*
 * port_range__parse() - from the texts of the two sysctls
 *
 * @range: "32768\t60999"; @reserved: "8080,9000-9010", or NULL. Whatever is malformed is left out.
 * Rules: Documentation/networking/ip-sysctl.rst.
 */
void port_range__parse(struct port_range *range, const char *text, const char *reserved);

/* port_range__has() - connect() may choose @port */
static inline bool port_range__has(const struct port_range *range, uint16_t port)
{
	return range->bits[port / 64] >> port % 64 & 1;
}

/* port_range__has_untried() - for lack of an even number, connect() leaves the last port alone */
bool port_range__has_untried(const struct port_range *range);

/*
 * port_range__listen() - a listener is on @port
 *
 * connect() passes over every port that a socket was bound to by bind() (__inet_hash_connect in
 * net/ipv4/inet_hashtables.c). Of these a listing shows the listeners alone.
 */
void port_range__listen(struct port_range *range, uint16_t port);

#endif
