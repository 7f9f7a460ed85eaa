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

/* Without the socket view, what the taps saw that says as much. */
static uint64_t wire_total(const struct live_stats *stats, enum rate rate)
{
	return stats->has_wire && rate == RATE_RETRANSMITS ? stats->table.wire_retransmits
							   : UNKNOWN_U64;
}

static uint64_t total_of(const struct live_stats *stats, enum rate rate)
{
	if (!stats->has_sock)
		return wire_total(stats, rate);
	if (rate == RATE_FAILED)
		return stats->handshakes_failed;
	return sum(&stats->sock, sock_counters_of[rate]);
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
