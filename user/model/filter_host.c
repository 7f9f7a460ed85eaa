/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Addresses that a filter compares with, from their words, as ss(8) writes them. Host names are not
 * looked up: a monitor should not wait for, or load, a name server.
 */
#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <stdio.h>

#include "filter_tree.h"
#include "user/util/log.h"

#define V4_PREFIX_BITS 96 /* of ::ffff:0:0/96 before the address itself */

/* An address condition taken apart: NULL where it has no such part. */
struct host_parts {
	char *addr, *prefix, *port;
};

/* Ends the string at @at and returns what is behind it. */
static char *cut(char *at)
{
	*at = '\0';
	return at + 1;
}

/* "[2001:db8::/32]:443" as ss has it, and "[2001:db8::]/32:443". */
static bool split_bracketed(char *text, struct host_parts *parts)
{
	char *end = strchr(text, ']'), *rest, *slash;

	if (!end)
		return false;
	rest = cut(end);
	parts->addr = text + 1;
	slash = strchr(parts->addr, '/');
	if (slash) {
		parts->prefix = cut(slash);
	} else if (*rest == '/') {
		parts->prefix = rest + 1;
		rest += strcspn(rest, ":");
	}
	if (!*parts->addr || (*rest && *rest != ':'))
		return false;
	if (*rest)
		parts->port = cut(rest);
	return true;
}

/* "10.0.0.0/8:443", ":443"; without brackets an IPv6 address has no port. */
static void split_plain(char *text, struct host_parts *parts)
{
	char *slash = strchr(text, '/'), *colon;

	parts->addr = text;
	if (slash)
		parts->prefix = cut(slash);
	colon = strchr(slash ? parts->prefix : text, ':');
	if (colon && (slash || !strchr(colon + 1, ':')))
		parts->port = cut(colon);
}

static void set_mask(struct host_condition *host, unsigned bits)
{
	memset(&host->mask, 0, sizeof(host->mask));
	for (unsigned i = 0; i < bits; i++)
		host->mask.bytes[i / 8] |= (uint8_t)(0x80 >> i % 8);
	host->addr.quads[0] &= host->mask.quads[0];
	host->addr.quads[1] &= host->mask.quads[1];
}

/* "10.77/16" is 10.77.0.0/16, as for ss(8). Without a prefix "10.77" is 10.77.0.0 there and
 * 10.0.0.77 elsewhere, and likely a mistake. */
static bool parse_dotted(const struct host_parts *parts, struct in_addr *v4)
{
	char whole[VALUE_MAX + sizeof(".0.0.0")];
	int dots = 0;

	for (const char *at = parts->addr; *at; at++)
		dots += *at == '.';
	if (dots > 3 || (dots < 3 && !parts->prefix))
		return false;
	snprintf(whole, sizeof(whole), "%s%s", parts->addr, &".0.0.0"[2 * dots]);
	return inet_pton(AF_INET, whole, v4) == 1;
}

static bool parse_addr(const struct host_parts *parts, struct host_condition *host)
{
	struct in_addr v4;
	bool is_dotted = parse_dotted(parts, &v4);
	uint64_t bits = is_dotted ? 32 : 128;

	if (is_dotted)
		ip_addr__set_v4(&host->addr, v4.s_addr);
	else if (inet_pton(AF_INET6, parts->addr, host->addr.bytes) != 1)
		return false;
	if (parts->prefix && !piece__digits(parts->prefix, bits, &bits))
		return false;
	host->has_addr = true;
	host->is_v4 = ip_addr__is_v4(&host->addr) && bits >= (is_dotted ? 0 : V4_PREFIX_BITS);
	set_mask(host, (unsigned)bits + (is_dotted ? V4_PREFIX_BITS : 0));
	return true;
}

static bool is_any(const char *text)
{
	return !*text || !strcmp(text, "*");
}

static bool parse_host(char *text, struct host_condition *host)
{
	struct host_parts parts = {0};
	uint64_t port;

	if (*text == '[') {
		if (!split_bracketed(text, &parts))
			return false;
	} else {
		split_plain(text, &parts);
	}
	if ((!is_any(parts.addr) || parts.prefix) && !parse_addr(&parts, host))
		return false;
	if (!parts.port || !strcmp(parts.port, "*"))
		return true;
	if (!piece__port(parts.port, &port))
		return false;
	host->has_port = true;
	host->port = (uint16_t)port;
	return true;
}

/* As ss has it in front of addresses. */
static const struct family_prefix {
	const char *text;
	uint8_t family; /* 0: no TCP has it */
} family_prefixes[] = {
	{"inet:", AF_INET}, {"inet6:", AF_INET6}, {"unix:", 0},
	{"link:", 0},	    {"netlink:", 0},	  {"vsock:", 0},
};

static const struct family_prefix *find_family(const struct token *token)
{
	for (size_t i = 0; i < sizeof(family_prefixes) / sizeof(family_prefixes[0]); i++) {
		size_t len = strlen(family_prefixes[i].text);

		if (token->len >= len && !memcmp(token->text, family_prefixes[i].text, len))
			return &family_prefixes[i];
	}
	return NULL;
}

/*
 * Takes "%eth0" out of "[fe80::1]%eth0:22", which is how it is shown, of "[fe80::1%eth0]:22" and of
 * "fe80::1%eth0", and leaves "[fe80::1]:22" in @piece.
 */
static bool take_scope(struct piece *piece, const char *text, size_t len,
		       struct host_condition *host)
{
	const char *at = memchr(text, '%', len), *end = text + len, *rest;
	bool has_brackets = *text == '[', is_shut = at && at > text && at[-1] == ']';

	if (!at)
		return piece__copy(piece, text, len);
	for (rest = at + 1; rest < end && !strchr("]/:", *rest);)
		rest++;
	host->scope = at + 1;
	host->scope_len = (uint16_t)(rest - host->scope);
	text += has_brackets;
	len = (size_t)(at - text) - is_shut;
	if (has_brackets && !is_shut && (rest == end || *rest != ']'))
		return false;
	if (rest < end && *rest == ']')
		rest++;
	if (!host->scope_len || len + 2 + (size_t)(end - rest) > VALUE_MAX)
		return false;
	snprintf(piece->text, sizeof(piece->text), "[%.*s]%.*s", (int)len, text, (int)(end - rest),
		 rest);
	return true;
}

static int reject_family(const struct token *token)
{
	log_error("filter: '%.*s' is of no address family that TCP has; write inet: or inet6:, or "
		  "neither",
		  (int)token->len, token->text);
	return -EINVAL;
}

static bool looks_like_name(const struct token *token)
{
	return token->len && isalpha((unsigned char)*token->text) &&
	       !memchr(token->text, ':', token->len);
}

int filter_value__host(const struct token *token, struct host_condition *host)
{
	const struct family_prefix *prefix = find_family(token);
	size_t skip = prefix ? strlen(prefix->text) : 0;
	struct piece piece = {""};

	*host = (struct host_condition){.family = prefix ? prefix->family : 0};
	if (prefix && !prefix->family)
		return reject_family(token);
	if (prefix && token->len == skip) /* all of the family */
		return 0;
	if (take_scope(&piece, token->text + skip, token->len - skip, host) &&
	    parse_host(piece.text, host))
		return 0;
	if (looks_like_name(token))
		log_error("filter: '%.*s' is no address; names are not looked up, use the address",
			  (int)token->len, token->text);
	else
		log_error("filter: '%.*s' is no address; write ADDR, ADDR/LEN, ADDR:PORT, "
			  "[ADDR6]:PORT, [ADDR6]%%IFACE:PORT or :PORT",
			  (int)token->len, token->text);
	return -EINVAL;
}
