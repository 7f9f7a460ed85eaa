/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Addresses and endpoints as text.
 */
#include "address.h"

#include <net/if.h>
#include <string.h>

char *address__put(char *out, const struct ip_addr *addr, bool is_v6)
{
	static const char mapped[] = "::ffff:";

	if (!ip_addr__is_v4(addr))
		return out + fmt__ipv6(out, addr->bytes);
	if (is_v6) {
		memcpy(out, mapped, sizeof(mapped) - 1);
		out += sizeof(mapped) - 1;
	}
	return out + fmt__ipv4(out, addr->bytes + 12);
}

char *scope__put(char *out, const char *scope)
{
	static const char digits[] = "0123456789abcdef";

	if (!scope)
		return out;
	*out++ = '%';
	for (unsigned i = 0; i < IFNAMSIZ - 1 && scope[i]; i++) {
		unsigned char byte = scope[i];

		if (byte > ' ' && byte < 0x7f) {
			*out++ = (char)byte;
			continue;
		}
		*out++ = '\\';
		*out++ = 'x';
		*out++ = digits[byte >> 4];
		*out++ = digits[byte & 15];
	}
	return out;
}

static char *put_host(char *out, const struct ip_addr *addr, bool is_v6, bool is_dual)
{
	bool has_brackets = is_v6 || !ip_addr__is_v4(addr);

	if (is_dual && !(addr->quads[0] | addr->quads[1])) {
		*out++ = '*';
		return out;
	}
	if (has_brackets)
		*out++ = '[';
	out = address__put(out, addr, is_v6);
	if (has_brackets)
		*out++ = ']';
	return out;
}

char *endpoint__put(char *out, const struct endpoint *endpoint, bool is_v6, bool is_dual,
		    const char *scope)
{
	out = put_host(out, &endpoint->addr, is_v6, is_dual);
	out = scope__put(out, scope);
	*out++ = ':';
	if (endpoint->port)
		return out + fmt__u64(out, endpoint->port);
	*out++ = '*';
	return out;
}
