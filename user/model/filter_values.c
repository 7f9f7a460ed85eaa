/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The values that a filter compares with, from their words: ports, numbers with units, marks,
 * cgroups, states. Not here: addresses (filter_host.c).
 */
#include "filter_tree.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <linux/magic.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/vfs.h>

#include "tcp_state.h"
#include "user/util/log.h"

bool piece__copy(struct piece *piece, const char *text, size_t len)
{
	if (!len || len > VALUE_MAX || memchr(text, 0, len))
		return false;
	memcpy(piece->text, text, len);
	piece->text[len] = '\0';
	return true;
}

bool piece__digits(const char *text, uint64_t max, uint64_t *out)
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

bool piece__port(const char *text, uint64_t *port)
{
	const struct servent *service;

	if (isdigit((unsigned char)*text))
		return piece__digits(text, UINT16_MAX, port);
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
	    !piece__port(piece.text, port))
		return reject_port(token);
	return 0;
}

/* Decimal, 0x… or 0…, as ss takes it. */
static bool parse_mark(const char *text, char **end, uint32_t *out)
{
	unsigned long long value;

	errno = 0;
	value = strtoull(text, end, 0);
	if (errno || *end == text || !isdigit((unsigned char)*text) || value > UINT32_MAX)
		return false;
	*out = (uint32_t)value;
	return true;
}

int filter_value__mark(const struct token *token, struct mark_condition *mark)
{
	struct piece piece;
	char *end;
	bool is_good = piece__copy(&piece, token->text, token->len) &&
		       parse_mark(piece.text, &end, &mark->mark);

	mark->mask = UINT32_MAX;
	if (is_good && *end == '/')
		is_good = parse_mark(end + 1, &end, &mark->mask);
	if (is_good && !*end)
		return 0;
	log_error("filter: '%.*s' is no mark; write MARK or MARK/MASK, as in 0x10/0xf0",
		  (int)token->len, token->text);
	return -EINVAL;
}

/* A cgroup's id is the inode number of its directory (kernfs_ino() in include/linux/kernfs.h). */
static bool find_cgroup(const char *mount, const struct token *token, uint64_t *id)
{
	char path[PATH_MAX];
	struct statfs fs;
	struct stat about;
	int len = snprintf(path, sizeof(path), "%s%s%.*s", mount, *token->text == '/' ? "" : "/",
			   (int)token->len, token->text);

	if (len < 0 || (size_t)len >= sizeof(path) || statfs(path, &fs) ||
	    fs.f_type != CGROUP2_SUPER_MAGIC || stat(path, &about) || !S_ISDIR(about.st_mode))
		return false;
	*id = about.st_ino;
	return true;
}

int filter_value__cgroup(const struct token *token, uint64_t *id)
{
	static const char *const mounts[] = {"", "/sys/fs/cgroup", "/sys/fs/cgroup/unified"};

	for (size_t i = 0; token->len && i < sizeof(mounts) / sizeof(mounts[0]); i++)
		if (find_cgroup(mounts[i], token, id))
			return 0;
	log_error("filter: there is no cgroup '%.*s' (of version 2); write its path as "
		  "`systemd-cgls` has it, as in /system.slice/ssh.service",
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
	if (!piece__digits(text, UINT64_MAX / unit->factor, &whole))
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
