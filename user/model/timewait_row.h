/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The rows of an account of TIME_WAIT: what is counted together, found by what it has in common.
 * Not here: what is counted (timewait.h, port_use.h), how it is shown (timewait_fields.c).
 */
#ifndef TCPWATCH_TIMEWAIT_ROW_H
#define TCPWATCH_TIMEWAIT_ROW_H

#include "trend.h"
#include "pool.h"
#include "session.h"

/* X(enumerator, name): what a row's sockets have in common, in the order they are shown */
#define TIMEWAIT_GROUPS(X)                                                            \
	X(PORTS, "ports")     /* the source address and the remote endpoint */        \
	X(REMOTE, "remote")   /* the remote endpoint; of clients here: the address */ \
	X(PORT, "port")	      /* the local port, of what others connected to */       \
	X(PROCESS, "process") /* who closed */

enum timewait_by {
#define X(id, name) TIMEWAIT_BY_##id,
	TIMEWAIT_GROUPS(X)
#undef X
		TIMEWAIT_BY_COUNT,
};

/* Comparable with memcmp; what a group does not have in common is 0. */
struct timewait_key {
	union {
		struct {
			struct ip_addr local, remote;
		};
		struct {
			char comm[SOCK_COMM_LEN];
			uint32_t pid;
		};
	};
	uint16_t local_port, remote_port;
	uint16_t by; /* enum timewait_by */
	uint16_t zero;
};

struct timewait_row {
	struct pool_head head;
	uint32_t hash;
	uint32_t look; /* the last one in which it was counted */
	struct timewait_key key;
	struct endpoint local, remote; /* of the key, for showing */
	const char *netns_name;	       /* hostile bytes */
	uint8_t role;		       /* enum sock_role of this host; ROLE_UNKNOWN: mixed too */
	bool is_low;		       /* ports: raised, and not cleared yet */
	uint64_t time_wait, fin_wait2; /* true TIME_WAIT; orphans in FIN_WAIT2 */
	/* Of TIMEWAIT_BY_PORTS. */
	uint64_t used;	     /* usable ports that any socket holds, in whatever state */
	uint64_t usable;     /* how many there are */
	uint64_t reusable;   /* used ones that connect() may take over by tcp_tw_reuse */
	uint64_t young, due; /* TIME_WAIT begun within the last TREND_NS, ending in the next */
	struct trend trend;
	double taken_per_second; /* NAN: not known yet */
	bool is_inferred;	 /* … from the ages of TIME_WAIT, for lack of a second look */
};

struct timewait_rows {
	struct pool pool;
	struct hash_index index;
	uint64_t seed;		/* keeps peers who choose addresses from aiming at one slot */
	uint32_t look;		/* the one under way */
	const char *netns_name; /* of all of them; outlives them */
};

/* timewait_rows__init() - returns 0 or -ENOMEM */
int timewait_rows__init(struct timewait_rows *rows, uint64_t seed);
void timewait_rows__fini(struct timewait_rows *rows);

/* timewait_rows__get() - the row of @key, its counts 0 if this is the first of this look; NULL:
 * out of memory */
struct timewait_row *timewait_rows__get(struct timewait_rows *rows, const struct timewait_key *key);

/* timewait_rows__next() - the row after @row, NULL: from the first; NULL at the end */
struct timewait_row *timewait_rows__next(const struct timewait_rows *rows,
					 const struct timewait_row *row);

/* timewait_rows__clear_old() - rows not counted in this look have nothing in them;
 * timewait_rows__prune() - they are forgotten */
void timewait_rows__clear_old(struct timewait_rows *rows);
void timewait_rows__prune(struct timewait_rows *rows);

const char *timewait_by__name(enum timewait_by by);

/* timewait_row__compare() - the order of groups, and in each of their keys: no two are equal */
int timewait_row__compare(const void *a, const void *b);

#endif
