/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One tc program for many taps. The kernel takes tens of milliseconds to verify the wire programs,
 * so they are loaded once for hundreds of interfaces; what is attached to each of them is a dozen
 * instructions that say which tap it is and call the shared program. Not here: attaching
 * (attach.h).
 */
#ifndef TCPWATCH_SHARED_TAP_H
#define TCPWATCH_SHARED_TAP_H

#include "tap.h"

/* The programs of a set of taps; loaded when they are first needed. */
struct shared_taps;
struct shared_program;

struct shared_taps *shared_taps__new(void);	 /* NULL: out of memory */
void shared_taps__free(struct shared_taps *all); /* no seat may be taken any more */

/* One direction of one tap. */
struct shared_seat {
	struct shared_program *program; /* NULL: not taken */
	uint32_t slot;
	int prog_fd; /* what to attach */
};

/* shared_seat__take() - returns 0 or -errno */
struct seat_wanted {
	const struct wire_shared *shared;
	const struct tap *tap;
	bool is_egress;
	uint16_t fate_looks; /* struct wire_config */
};
int shared_seat__take(struct shared_seat *seat, struct shared_taps *all,
		      const struct seat_wanted *wanted);
/* shared_seat__leave() - once it is detached; nothing if it was not taken */
void shared_seat__leave(struct shared_seat *seat);

/* shared_seat__add_counters() - add what was counted for it, on all CPUs. Returns 0 or -errno */
int shared_seat__add_counters(const struct shared_seat *seat, struct wire_counters *sum);

#endif
