/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The values that a filter compares with, from their words: addresses, ports, numbers with units,
 * states. Host names are not looked up: a monitor should not wait for, or load, a name server.
 */
#include "filter_tree.h"

#include <arpa/inet.h>
#include <ctype.h>
#include <errno.h>
#include <netdb.h>
#include <stdio.h>

#include "tcp_state.h"
#include "user/util/log.h"

#define V4_PREFIX_BITS 96 /* of ::ffff:0:0/96 before the address itself */
#define VALUE_MAX      64 /* bytes of any word that has a meaning here */

/* A piece of a word, NUL-terminated for libc. Longer words mean nothing and are cut to no meaning.
 */
struct piece {
	char text[VALUE_MAX + 1];
};

static bool piece__copy(struct piece *piece, const char *text, size_t len)
{
	if (!len || len > VALUE_MAX || memchr(text, 0, len))
		return false;
	memcpy(piece->text, text, len);
	piece->text[len] = '\0';
	return true;
}

/* Decimal digits only. Returns false for anything else and for more than @max. */
static bool parse_digits(const char *text, uint64_t max, uint64_t *out)
{
	uint64_t v = 0;

	if (!*text)
		return false;
	for (; *text; text++) {
		if (!isdigit((unsigned char)*text) || v > (max - (uint64_t)(*text - '0')) / 10)
			return false;
		v = v * 10 + (uint64_t)(*text - '0');
	}
	*out = v;
	return true;
}

static bool parse_port(const char *text, uint64_t *port)
{
	const struct servent *service;

	if (isdigit((unsigned char)*text))
		return parse_digits(text, UINT16_MAX, port);
	service = getservbyname(text, "tcp");
	if (!service)
		return false;
	*port = ntohs((uint16_t)service->s_port);
	return true;
}

static int reject_port(const struct token *token)
{
	log_error("filter: '%.*s' is no port; write a number up to 65535 or a service of "
		  "/etc/services, "
		  "as in :443 or :https",
		  (int)token->len, token->text);
	return -EINVAL;
}

int filter_value__port(const struct token *token, uint64_t *port)
{
	size_t skip = token->len && *token->text == ':';
	struct piece piece;

	if (!piece__copy(&piece, token->text + skip, token->len - skip) ||
	    !parse_port(piece.text, port))
		return reject_port(token);
	return 0;
}

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
	if (parts->prefix && !parse_digits(parts->prefix, bits, &bits))
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
	if (!parse_port(parts.port, &port))
		return false;
	host->has_port = true;
	host->port = (uint16_t)port;
	return true;
}

static bool looks_like_name(const struct token *token)
{
	return token->len && isalpha((unsigned char)*token->text) &&
	       !memchr(token->text, ':', token->len);
}

int filter_value__host(const struct token *token, struct host_condition *host)
{
	struct piece piece;

	*host = (struct host_condition){0};
	if (piece__copy(&piece, token->text, token->len) && parse_host(piece.text, host))
		return 0;
	if (looks_like_name(token))
		log_error("filter: '%.*s' is no address; names are not looked up, use the address",
			  (int)token->len, token->text);
	else
		log_error("filter: '%.*s' is no address; write ADDR, ADDR/LEN, ADDR:PORT, "
			  "[ADDR6]:PORT or "
			  ":PORT",
			  (int)token->len, token->text);
	return -EINVAL;
}

int filter_value__states(const struct token *token, uint32_t *mask)
{
	const char *nearest;

	*mask = tcp_state__mask(token->text, token->len);
	if (*mask)
		return 0;
	nearest = tcp_state__nearest(token->text, token->len);
	log_error("filter: '%.*s' is no TCP state; %s%s%s", (int)token->len, token->text,
		  nearest ? "did you mean '" : "try established, listening or connected",
		  nearest ? nearest : "", nearest ? "'?" : "");
	return -EINVAL;
}

/* What may stand behind a number, and for which kind of field. The first of a kind is the one
 * without. */
static const struct unit {
	enum value_kind kind;
	const char *suffix;
	uint64_t factor;
} units[] = {
	{VALUE_DURATION, "", 1000000000},
	{VALUE_DURATION, "ns", 1},
	{VALUE_DURATION, "us", 1000},
	{VALUE_DURATION, "ms", 1000000},
	{VALUE_DURATION, "s", 1000000000},
	{VALUE_DURATION, "m", 60000000000},
	{VALUE_DURATION, "h", 3600000000000},
	{VALUE_DURATION, "d", 86400000000000},
	{VALUE_BYTES, "", 1},
	{VALUE_BYTES, "K", 1ULL << 10},
	{VALUE_BYTES, "M", 1ULL << 20},
	{VALUE_BYTES, "G", 1ULL << 30},
	{VALUE_BYTES, "T", 1ULL << 40},
	{VALUE_COUNT, "", 1},
};

static const struct unit *find_unit(enum value_kind kind, const char *suffix)
{
	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++)
		if (units[i].kind == kind && !strcasecmp(units[i].suffix, suffix))
			return &units[i];
	return NULL;
}

#define FRACTION_DIGITS 18 /* what is finer is cut off */

/* @len digits after the decimal point, in units of which @factor make one. */
static uint64_t parse_fraction(const char *digits, size_t len, uint64_t factor)
{
	uint64_t sum = 0, scale = 1;

	for (size_t i = 0; i < len && i < FRACTION_DIGITS; i++) {
		sum = sum * 10 + (uint64_t)(digits[i] - '0');
		scale *= 10;
	}
	return (uint64_t)((unsigned __int128)sum * factor / scale);
}

/* "1.5M": whole digits, perhaps a fraction, perhaps a unit. */
static bool parse_number(char *text, enum value_kind kind, uint64_t *number)
{
	size_t whole_len = strspn(text, "0123456789"), fraction_len = 0;
	char *rest = text + whole_len;
	const char *fraction = rest;
	const struct unit *unit;
	uint64_t whole;

	if (*rest == '.') {
		fraction = rest + 1;
		fraction_len = strspn(fraction, "0123456789");
		rest += 1 + fraction_len;
		if (!fraction_len)
			return false;
	}
	unit = find_unit(kind, rest);
	if (!unit || !whole_len || (fraction_len && unit->factor == 1))
		return false;
	text[whole_len] = '\0';
	if (!parse_digits(text, UINT64_MAX / unit->factor, &whole))
		return false;
	return !__builtin_add_overflow(
		whole * unit->factor, parse_fraction(fraction, fraction_len, unit->factor), number);
}

static bool parse_bool(const char *text, uint64_t *number)
{
	static const char *const words[] = {"no", "yes", "false", "true", "0", "1"};

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		if (!strcasecmp(words[i], text)) {
			*number = i & 1;
			return true;
		}
	}
	return false;
}

static const char *number_help(enum value_kind kind)
{
	switch (kind) {
	case VALUE_DURATION:
		return "write a time such as 10ms, 1.5s or 2h (ns us ms s m h d; without one: "
		       "seconds)";
	case VALUE_BYTES:
		return "write a size such as 1500, 10K or 1.5G (K M G T, multiples of 1024)";
	case VALUE_BOOL:
		return "write yes or no";
	default:
		return "write a whole number";
	}
}

int filter_value__number(const struct token *token, const struct field *field, uint64_t *number)
{
	struct piece piece;
	bool is_good = piece__copy(&piece, token->text, token->len);

	if (is_good && field->kind == VALUE_BOOL)
		is_good = parse_bool(piece.text, number);
	else if (is_good)
		is_good = parse_number(piece.text, field->kind, number);
	if (is_good)
		return 0;
	log_error("filter: '%.*s' is no value of %s; %s", (int)token->len, token->text, field->key,
		  number_help(field->kind));
	return -EINVAL;
}

int filter_value__choice(const struct token *token, const struct field *field)
{
	const char *at = field->choices;

	while (at && *at) {
		size_t len = strcspn(at, "|");

		if (len == token->len && !memcmp(at, token->text, len))
			return 0;
		at += len + (at[len] == '|');
	}
	if (!at)
		return 0;
	log_error("filter: '%.*s' is no value of %s; one of %s", (int)token->len, token->text,
		  field->key, field->choices);
	return -EINVAL;
}
