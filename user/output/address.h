/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Addresses and endpoints as text, as ss prints them with -n. Not here: their bytes (util/fmt.h).
 */
#ifndef TCPWATCH_ADDRESS_H
#define TCPWATCH_ADDRESS_H

#include "user/model/session.h"
#include "user/util/fmt.h"

#define ADDRESS_TEXT_MAX  (sizeof("::ffff:") - 1 + FMT_IPV6_MAX)
#define ENDPOINT_TEXT_MAX (ADDRESS_TEXT_MAX + sizeof("[]:65535") - 1)
#define SCOPE_TEXT_MAX	  (sizeof("%") - 1 + 4 * 15) /* of IFNAMSIZ - 1 bytes, each \xNN */

/*
 * address__put() - write @addr at @out, no NUL; returns where it ends
 *
 * @is_v6: show an IPv4 address as the mapped one that an AF_INET6 socket has: "::ffff:10.0.0.1".
 */
char *address__put(char *out, const struct ip_addr *addr, bool is_v6);

/* scope__put() - "%eth0", nothing for NULL; bytes that are no printable ASCII as \xNN */
char *scope__put(char *out, const char *scope);

/* endpoint__put() - "10.0.0.1:80", "[2001:db8::1]:80", "[fe80::1]%eth0:80"; port 0 is "*",
 * and so is :: with @is_dual (inet_addr_print() in misc/ss.c of iproute2) */
char *endpoint__put(char *out, const struct endpoint *endpoint, bool is_v6, bool is_dual,
		    const char *scope);

#endif
