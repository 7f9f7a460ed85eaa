/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The account of TIME_WAIT in one network namespace: how much there is and how old, whose it is,
 * how it begins and ends, and which ports it holds. Looks at the sockets go in; totals and rows
 * come out. Not here: who lists the sockets (source/), how it is shown (timewait_fields.c,
 * ui/timewait_summary.h).
 */
#ifndef TCPWATCH_TIMEWAIT_H
#define TCPWATCH_TIMEWAIT_H

#include <limits.h>

#include "port_use.h"
#include "timewait_row.h"

/* The kernel's own figures; UNKNOWN_U64 where it has none. X(member, what) */
struct timewait_kernel {
	uint64_t socks, max_socks;	/* sockstat tw; tcp_max_tw_buckets */
	uint64_t waited, killed;	/* TW, TWKilled */
	uint64_t recycled, overflow;	/* TWRecycled, TCPTimeWaitOverflow */
	uint64_t reuse, reuse_delay_ms; /* tcp_tw_reuse, tcp_tw_reuse_delay */
	uint64_t fin_timeout_s;		/* tcp_fin_timeout */
};

#define TIMEWAIT_AGE_BUCKETS   6
#define TIMEWAIT_AGE_BUCKET_NS (TIME_WAIT_NS / TIMEWAIT_AGE_BUCKETS)

/* What the last look found. Counts since the namespace began, unless said otherwise. */
struct timewait_totals {
	uint32_t netns;
	char netns_name[NAME_MAX + 1];	     /* hostile bytes */
	uint64_t time_wait, fin_wait2;	     /* now: true TIME_WAIT; orphans in FIN_WAIT2 */
	uint64_t ages[TIMEWAIT_AGE_BUCKETS]; /* of TIME_WAIT: up to 10 s old, 20 s … */
	struct timewait_kernel kernel;
	uint64_t begun, ended;		      /* by the kernel's counters; UNKNOWN_U64 */
	double in_per_second, out_per_second; /* NAN: not known yet */
	bool rates_inferred;		      /* from ages, for lack of a second look */
	/* Since the first look; UNKNOWN_U64 if sockets are not remembered. How is inferred, but for
	 * recycled and never_created. */
	uint64_t watched_begun, watched_ended, expired, reused_by_syn, killed_by_reset;
	uint64_t ended_unseen; /* begun after a look and ended before the next one, however */
	uint64_t recycled, never_created;
	uint64_t records_lost; /* so many sessions' openings and closers went unnoticed */
	struct port_range range;
	const struct timewait_row *worst; /* the destination with the fewest free ports, or NULL */
};

struct timewait;

/* timewait__new() - @follow: remember sockets from one look to the next. NULL: out of memory */
struct timewait *timewait__new(uint32_t netns, uint64_t seed, bool follow);
void timewait__free(struct timewait *account);

/*
 * timewait__begin() - a look starts
 *
 * @range: what connect() may choose from. @kernel: the settings of this moment.
 */
void timewait__begin(struct timewait *account, const char *netns_name,
		     const struct port_range *range, const struct timewait_kernel *kernel);

/*
 * timewait__add() - one socket of it; listeners come first
 *
 * @tick_ns: the unit of tuple->left_ticks. Returns 0 or -ENOMEM.
 */
int timewait__add(struct timewait *account, const struct rec_tuple *tuple, uint64_t tick_ns);

/* timewait__note_opening() - a session is open: no TIME_WAIT is on its tuple any more */
void timewait__note_opening(struct timewait *account, const struct rec_tuple *tuple);

/* timewait__note_closing() - a process sends the first FIN: what is left of the socket is its own.
 * Returns 0 or -ENOMEM */
int timewait__note_closing(struct timewait *account, const struct rec_closing *closing);

/* timewait__note_lost() - before the look is over: so many of these records were lost, ever */
void timewait__note_lost(struct timewait *account, uint64_t lost);

/*
 * timewait__end() - the look is over
 *
 * @kernel: its figures, read just after. @counts_ends: what rec_tuples_end says.
 */
void timewait__end(struct timewait *account, const struct timewait_kernel *kernel, bool counts_ends,
		   uint64_t now_ns, ports_low_fn on_low, void *ctx);

const struct timewait_totals *timewait__totals(const struct timewait *account);
const struct timewait_rows *timewait__rows(const struct timewait *account);

/* Who should have closed first, of a row that says who opened. */
struct timewait_advice {
	enum close_by by; /* CLOSE_NOBODY: it makes no difference, or is not known */
	const char *why;  /* NULL with it */
};
struct timewait_advice timewait__advise(const struct timewait_row *row);

#endif
