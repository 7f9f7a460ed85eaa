/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading the two lists of ports.
 */
#include "port_range.h"

#include <stdlib.h>
#include <string.h>

/* A port number at *@at, which is moved behind it. False: there is none. */
static bool read_port(const char **at, uint16_t *port)
{
	char *end;
	unsigned long n = strtoul(*at, &end, 10);

	if (end == *at || n >= PORT_COUNT)
		return false;
	*at = end;
	*port = n;
	return true;
}

/* Takes @port out of the usable ones. False: it was none. */
static bool take(struct port_range *range, uint16_t port)
{
	if (!port_range__has(range, port))
		return false;
	range->bits[port / 64] &= ~(1ull << port % 64);
	range->usable--;
	return true;
}

static void reserve(struct port_range *range, const char *at)
{
	uint16_t first, last;

	while (read_port(&at, &first)) {
		last = first;
		if (*at == '-' && (at++, !read_port(&at, &last)))
			return;
		for (unsigned port = first; port <= last; port++)
			range->reserved += take(range, port);
		at += strspn(at, ",");
	}
}

/*
 * connect() tries an even number of ports, from a place in the range that differs from call to
 * call, so that it may get any of them; but of three it only ever tries the first two
 * (__inet_hash_connect in net/ipv4/inet_hashtables.c: remaining &= ~1U).
 */
static uint16_t highest_tried(uint16_t low, uint16_t high)
{
	return high - low == 2 ? high - 1 : high;
}

bool port_range__has_untried(const struct port_range *range)
{
	return highest_tried(range->low, range->high) < range->high;
}

void port_range__parse(struct port_range *range, const char *text, const char *reserved)
{
	uint16_t low, high;

	memset(range, 0, sizeof(*range));
	if (!read_port(&text, &low) || !read_port(&text, &high) || !low || high < low)
		return;
	range->low = low;
	range->high = high;
	for (unsigned port = low; port <= highest_tried(low, high); port++) {
		range->bits[port / 64] |= 1ull << port % 64;
		range->usable++;
	}
	if (reserved)
		reserve(range, reserved);
}

void port_range__listen(struct port_range *range, uint16_t port)
{
	range->listening += take(range, port);
}
