/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Numbers, addresses and times as text. Pure: no locale, no allocation, no floating point.
 */
#include "fmt.h"

#include <stdbool.h>
#include <string.h>

#define NS_PER_US      1000ULL
#define NS_PER_MS      1000000ULL
#define NS_PER_S       1000000000ULL
#define S_PER_MIN      60ULL
#define S_PER_HOUR     3600ULL
#define S_PER_DAY      86400ULL
#define IPV6_GROUPS    8
#define SECONDS_DIGITS 9 /* decimals of nanoseconds in a second */

static char *put_text(char *out, const char *text)
{
	while (*text)
		*out++ = *text++;
	return out;
}

/* "00" to "99": two digits at a time take half the divisions. */
#define TENS(t) t "0" t "1" t "2" t "3" t "4" t "5" t "6" t "7" t "8" t "9"
static const char digit_pairs[] = TENS("0") TENS("1") TENS("2") TENS("3") TENS("4") TENS("5")
	TENS("6") TENS("7") TENS("8") TENS("9");

static void put_pair_at(char *out, uint64_t pair)
{
	memcpy(out, digit_pairs + 2 * pair, 2);
}

/* The last @count decimal digits of @v, zeros in front. */
static inline char *put_digits(char *out, uint64_t v, unsigned count)
{
	unsigned i = count;

	for (; i >= 2; v /= 100) {
		i -= 2;
		put_pair_at(out + i, v % 100);
	}
	if (i)
		*out = (char)('0' + v % 10);
	return out + count;
}

static unsigned count_digits(uint64_t v)
{
	unsigned count = 1;

	for (; v >= 1000; v /= 1000)
		count += 3;
	return count + (v >= 10) + (v >= 100);
}

static inline char *put_u64(char *out, uint64_t v)
{
	if (v < 10) { /* queues, counts of retransmissions */
		*out = (char)('0' + v);
		return out + 1;
	}
	return put_digits(out, v, count_digits(v));
}

size_t fmt__u64(char *out, uint64_t v)
{
	return (size_t)(put_u64(out, v) - out);
}

size_t fmt__i64(char *out, int64_t v)
{
	char *at = out;

	if (v < 0)
		*at++ = '-';
	return (size_t)(put_u64(at, v < 0 ? -(uint64_t)v : (uint64_t)v) - out);
}

size_t fmt__ipv4(char *out, const uint8_t addr[4])
{
	char *at = out;

	for (int i = 0; i < 4; i++) {
		if (i)
			*at++ = '.';
		at = put_u64(at, addr[i]);
	}
	return (size_t)(at - out);
}

static char *put_hex(char *out, unsigned v)
{
	static const char digits[] = "0123456789abcdef";
	bool started = false;

	for (int shift = 12; shift >= 0; shift -= 4) {
		started |= (v >> shift & 0xf) || !shift;
		if (started)
			*out++ = digits[v >> shift & 0xf];
	}
	return out;
}

/* The longest run of two or more zero groups, the first of equals (RFC 5952 section 4.2). */
static unsigned find_zero_run(const unsigned groups[IPV6_GROUPS], unsigned *run_len)
{
	unsigned best = IPV6_GROUPS, best_len = 1;

	for (unsigned i = 0; i < IPV6_GROUPS; i++) {
		unsigned len = 0;

		while (i + len < IPV6_GROUPS && !groups[i + len])
			len++;
		if (len > best_len) {
			best = i;
			best_len = len;
		}
		i += len;
	}
	*run_len = best_len;
	return best;
}

size_t fmt__ipv6(char *out, const uint8_t addr[16])
{
	unsigned groups[IPV6_GROUPS], run, run_len;
	char *at = out;

	for (unsigned i = 0; i < IPV6_GROUPS; i++)
		groups[i] = (unsigned)addr[2 * i] << 8 | addr[2 * i + 1];
	run = find_zero_run(groups, &run_len);
	for (unsigned i = 0; i < IPV6_GROUPS; i++) {
		if (i == run) {
			at = put_text(at, "::");
			i += run_len - 1;
			continue;
		}
		if (i && i != run + run_len)
			*at++ = ':';
		at = put_hex(at, groups[i]);
	}
	return (size_t)(at - out);
}

size_t fmt__seconds(char *out, uint64_t ns)
{
	char *at = put_u64(out, ns / NS_PER_S);

	if (ns % NS_PER_S) {
		*at++ = '.';
		at = put_digits(at, ns % NS_PER_S, SECONDS_DIGITS);
		while (at[-1] == '0')
			at--;
	}
	return (size_t)(at - out);
}

/* @v in units of 1/1000, below 1000 units: three significant digits, cut, not rounded up to the
 * next unit. */
static char *put_three_digits(char *out, uint64_t milli)
{
	uint64_t whole = milli / 1000;
	unsigned decimals = whole >= 100 ? 0 : whole >= 10 ? 1 : 2;
	uint64_t fraction = milli % 1000 / (decimals == 2 ? 10 : 100);

	out = put_u64(out, whole);
	if (decimals) {
		*out++ = '.';
		out = put_digits(out, fraction, decimals);
	}
	return out;
}

/* Two units: "3m07s". */
static char *put_pair(char *out, uint64_t big, char big_unit, uint64_t small, char small_unit)
{
	out = put_u64(out, big);
	*out++ = big_unit;
	out = put_digits(out, small, 2);
	*out++ = small_unit;
	return out;
}

static char *put_short_duration(char *out, uint64_t ns)
{
	if (!ns)
		return put_text(out, "0s"); /* of no unit in particular */
	if (ns < NS_PER_US)
		return put_text(put_u64(out, ns), "ns");
	if (ns < NS_PER_MS)
		return put_text(put_three_digits(out, ns), "us");
	if (ns < NS_PER_S)
		return put_text(put_three_digits(out, ns / NS_PER_US), "ms");
	return put_text(put_three_digits(out, ns / NS_PER_MS), "s");
}

size_t fmt__duration(char *out, uint64_t ns)
{
	uint64_t s = ns / NS_PER_S;
	char *end;

	if (s < S_PER_MIN)
		end = put_short_duration(out, ns);
	else if (s < S_PER_HOUR)
		end = put_pair(out, s / S_PER_MIN, 'm', s % S_PER_MIN, 's');
	else if (s < S_PER_DAY)
		end = put_pair(out, s / S_PER_HOUR, 'h', s % S_PER_HOUR / S_PER_MIN, 'm');
	else
		end = put_pair(out, s / S_PER_DAY, 'd', s % S_PER_DAY / S_PER_HOUR, 'h');
	return (size_t)(end - out);
}

static uint64_t put_sign(char **out, int64_t v)
{
	if (v >= 0)
		return (uint64_t)v;
	*(*out)++ = '-';
	return -(uint64_t)v;
}

size_t fmt__thousandths(char *out, int64_t thousandths)
{
	char *at = out;
	uint64_t v = put_sign(&at, thousandths);

	at = put_u64(at, v / 1000);
	if (v % 1000) {
		*at++ = '.';
		at = put_digits(at, v % 1000, 3);
		while (at[-1] == '0')
			at--;
	}
	return (size_t)(at - out);
}

size_t fmt__rate(char *out, int64_t thousandths)
{
	char *at = out;
	uint64_t v = put_sign(&at, thousandths);

	at = v < 1000 * 1000 ? put_three_digits(at, v) : put_u64(at, v / 1000);
	return (size_t)(put_text(at, "/s") - out);
}

size_t fmt__bytes(char *out, uint64_t bytes)
{
	static const char units[] = "KMGTPE";
	unsigned unit = 0;
	uint64_t whole;
	char *end;

	if (bytes < 1024)
		return fmt__u64(out, bytes);
	while (unit + 2 < sizeof(units) && bytes >> (10 * (unit + 2)))
		unit++;
	whole = bytes >> (10 * (unit + 1));
	if (whole >= 1000) /* four digits, "1023K", as it is not yet the next unit */
		end = put_u64(out, whole);
	else
		end = put_three_digits(
			out, (uint64_t)((unsigned __int128)bytes * 1000 >> (10 * (unit + 1))));
	*end++ = units[unit];
	return (size_t)(end - out);
}

struct civil_date {
	unsigned year, month, day;
};

/*
 * Days since 1970-01-01 to a date of the Gregorian calendar: eras of 400 years, each counted from 1
 * March so that the leap day comes last.
 */
static struct civil_date civil_from_days(unsigned days)
{
	unsigned shifted = days + 719468, era = shifted / 146097, day_of_era = shifted % 146097;
	unsigned year_of_era =
		(day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
	unsigned day_of_year =
		day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
	unsigned month = (5 * day_of_year + 2) / 153;
	struct civil_date date = {
		.year = year_of_era + era * 400 + (month >= 10),
		.month = month < 10 ? month + 3 : month - 9,
		.day = day_of_year - (153 * month + 2) / 5 + 1,
	};

	return date;
}

size_t fmt__time(char *out, uint64_t real_ns)
{
	uint64_t s = real_ns / NS_PER_S;
	struct civil_date date = civil_from_days((unsigned)(s / S_PER_DAY));
	char *at = out;

	at = put_digits(at, date.year, 4);
	*at++ = '-';
	at = put_digits(at, date.month, 2);
	*at++ = '-';
	at = put_digits(at, date.day, 2);
	*at++ = 'T';
	at = put_digits(at, s % S_PER_DAY / S_PER_HOUR, 2);
	*at++ = ':';
	at = put_digits(at, s % S_PER_HOUR / S_PER_MIN, 2);
	*at++ = ':';
	at = put_digits(at, s % S_PER_MIN, 2);
	*at++ = '.';
	at = put_digits(at, real_ns % NS_PER_S, SECONDS_DIGITS);
	*at++ = 'Z';
	return (size_t)(at - out);
}
