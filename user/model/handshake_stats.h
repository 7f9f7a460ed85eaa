/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Handshakes summed up: how many were completed and how long that took, how many failed and where,
 * grouped by server and by client network. It is fed with events and knows nothing else: no clock,
 * no source, no output. Not here: what one handshake means (handshake.h).
 */
#ifndef TCPWATCH_HANDSHAKE_STATS_H
#define TCPWATCH_HANDSHAKE_STATS_H

#include <stddef.h>

#include "field.h"
#include "pool.h"
#include "session_table.h"
#include "user/util/fmt.h"

#define MAPPED_BITS	      96 /* before an IPv4 address in its IPv6 form */
#define HANDSHAKE_NETWORK_MAX (FMT_IPV6_MAX + sizeof("/128"))
/* ", " and the longest name and a count, of each */
#define HANDSHAKE_BROKE_MAX (BREAK_COUNT * (sizeof(", syn_ack_unanswered ") + FMT_U64_MAX))

/* What makes two handshakes of one group, beside the side and the namespace. */
struct handshake_grouping {
	bool by_server, by_network;
	uint8_t prefix_v4, prefix_v6; /* bits of a client's address that name its network */
	size_t max_groups;	      /* beyond it handshakes are summed under "other" */
	/* The socket view is on: it tells what this host's own sockets send again. */
	bool has_socket_view;
};

/*
 * handshake_grouping__parse_by() - "server", "network", or both parted by a comma
 * handshake_grouping__parse_prefix() - "24" or "24,64": bits of IPv4, and of IPv6
 *
 * Return 0 or -EINVAL.
 */
int handshake_grouping__parse_by(struct handshake_grouping *grouping, const char *text);
int handshake_grouping__parse_prefix(struct handshake_grouping *grouping, const char *text);

struct handshake_counts {
	uint64_t completed;
	uint64_t failed[BREAK_COUNT];
	/* Under way: by what holds them up, BREAK_NONE: nothing yet. */
	uint64_t pending[BREAK_COUNT];
	uint64_t syn_retransmits, syn_ack_retransmits;
	uint64_t server_resets; /* RSTs that this host's listeners answered acknowledgements with */
	struct histogram total, network, host; /* of the completed ones */
};

struct handshake_key {
	uint32_t side; /* enum handshake_side */
	uint32_t netns;
	struct ip_addr server, network; /* zero if not grouped by it */
	uint32_t port;
	uint32_t network_bits; /* of .network that count; UNGROUPED: not grouped by it */
};
#define UNGROUPED UINT32_MAX

struct handshake_group {
	struct pool_head head;
	uint32_t hash;
	uint32_t older, newer; /* neighbours among those with failures alone */
	bool is_other;	       /* the sum of what had no room */
	bool has_server;
	struct handshake_key key;
	struct endpoint server;
	char network[HANDSHAKE_NETWORK_MAX]; /* "10.9.0.0/24", NUL-terminated; "": not grouped */
	char broke[HANDSHAKE_BROKE_MAX];     /* "refused 3, filtered 1", most first; "": nothing */
	char held_up[HANDSHAKE_BROKE_MAX];   /* likewise, of those under way */
	char *netns_name;		     /* hostile bytes, or NULL */
	uint64_t first_ns, last_ns;	     /* of the events it sums up, CLOCK_MONOTONIC */
	struct handshake_counts counts;
};

struct handshake_stats;

/* handshake_stats__new() - nothing counted yet, or NULL (ENOMEM) */
struct handshake_stats *handshake_stats__new(const struct handshake_grouping *grouping);
void handshake_stats__free(struct handshake_stats *stats);

/*
 * handshake_stats__add() - count what @event says of a handshake; other events are left alone
 *
 * When there are as many groups as may be, a completed handshake takes the place of the group that
 * has had failures alone for longest, whose sums go to "other": a flood of attempts from everywhere
 * does not hide real clients. Returns 0 or -ENOMEM: then it is in the totals alone.
 */
int handshake_stats__add(struct handshake_stats *stats, const struct event *event);

/*
 * handshake_stats__forget_pending() - those under way are about to be told anew
 * handshake_stats__add_pending() - this one is. Returns 0 or -ENOMEM: it is in the totals alone
 */
void handshake_stats__forget_pending(struct handshake_stats *stats);
int handshake_stats__add_pending(struct handshake_stats *stats, const struct attempt *attempt,
				 uint64_t now_ns);

/* handshake_stats__visit() - each group, then "other" of each side if anything is in it */
typedef void (*handshake_visitor)(void *ctx, const struct handshake_group *group);
void handshake_stats__visit(const struct handshake_stats *stats, handshake_visitor visit,
			    void *ctx);

/* handshake_stats__total() - the sum over all groups of a side */
const struct handshake_counts *handshake_stats__total(const struct handshake_stats *stats,
						      enum handshake_side side);

/* handshake_stats__lost() - records of sockets and segments that the ring buffer had no room for */
uint64_t handshake_stats__lost(const struct handshake_stats *stats);

extern const struct field_table handshake_fields; /* rows are struct handshake_group */

/* handshake_counts__merge() - @into counts what both did */
void handshake_counts__merge(struct handshake_counts *into, const struct handshake_counts *from);

/* handshake_group__write_network() - .network, of its key; __write_broke() - .broke and .held_up,
 * of its counts */
void handshake_group__write_network(struct handshake_group *group);
void handshake_group__write_broke(struct handshake_group *group);

/* handshake_counts__failed() - of all kinds; __pending() - held up or not */
uint64_t handshake_counts__failed(const struct handshake_counts *counts);
uint64_t handshake_counts__pending(const struct handshake_counts *counts);

#endif
