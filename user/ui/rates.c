/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Which counters make up each rate, and their differences over time.
 */
#include "rates.h"

static const char *const labels[RATE_COUNT] = {
#define X(id, label) [RATE_##id] = label,
	RATES(X)
#undef X
};

const char *rate__label(enum rate rate)
{
	return labels[rate];
}

static uint64_t sum(const struct sock_counters *counters, uint32_t which)
{
	uint64_t total = 0;

	for (int i = 0; i < SOCK_COUNTER_COUNT; i++)
		if (which & 1u << i)
			total += counters->value[i];
	return total;
}

#define BIT(id) (1u << SOCKC_##id)

/* The kernel's own sockets, by what the tracepoints counted. */
static const uint32_t sock_counters_of[RATE_COUNT] = {
	[RATE_OPENS] = BIT(ACTIVE_OPEN) | BIT(PASSIVE_OPEN),
	[RATE_CLOSES] =
		BIT(CLOSED_LOCAL) | BIT(CLOSED_REMOTE) | BIT(CLOSED_RESET) | BIT(CLOSED_OTHER),
	[RATE_RETRANSMITS] = BIT(RETRANSMIT) | BIT(SYNACK_RETRANSMIT),
	[RATE_RESETS_IN] = BIT(RESET_RECEIVED),
	[RATE_RESETS_OUT] = BIT(RESET_SENT),
};

/* Of the sessions that no socket counts; without taps there are none. */
static uint64_t wire_total(const struct session_table_stats *table, enum rate rate)
{
	switch (rate) {
	case RATE_OPENS:
		return table->wire_opened;
	case RATE_CLOSES:
		return table->wire_closed;
	case RATE_FAILED:
		return table->wire_failed;
	default:
		return 0;
	}
}

/* Without the socket view, what the taps saw that says as much. */
static uint64_t wire_alone(const struct live_stats *stats, enum rate rate)
{
	if (!stats->has_wire || rate == RATE_RESETS_IN || rate == RATE_RESETS_OUT)
		return UNKNOWN_U64;
	return rate == RATE_RETRANSMITS ? stats->table.wire_retransmits
					: wire_total(&stats->table, rate);
}

static uint64_t total_of(const struct live_stats *stats, enum rate rate)
{
	uint64_t of_socks;

	if (!stats->has_sock)
		return wire_alone(stats, rate);
	of_socks = rate == RATE_FAILED ? stats->handshakes_failed
				       : sum(&stats->sock, sock_counters_of[rate]);
	return of_socks + wire_total(&stats->table, rate);
}

struct rates rates__between(const struct live_stats *before, const struct live_stats *now)
{
	bool is_later = before && now->now.mono_ns > before->now.mono_ns;
	double seconds =
		is_later ? (double)(now->now.mono_ns - before->now.mono_ns) / TW_NSEC_PER_SEC : 0;
	struct rates rates;

	for (enum rate rate = 0; rate < RATE_COUNT; rate++) {
		uint64_t total = total_of(now, rate);
		uint64_t earlier = is_later ? total_of(before, rate) : UNKNOWN_U64;

		rates.total[rate] = total;
		rates.per_second[rate] = -1;
		if (total != UNKNOWN_U64 && earlier != UNKNOWN_U64)
			rates.per_second[rate] =
				total > earlier ? (double)(total - earlier) / seconds : 0;
	}
	return rates;
}
