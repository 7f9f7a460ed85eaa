/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names and groups of the TCP states, for people. Not here: the states themselves
 * (bpf/shared/tcp_state.h).
 */
#ifndef TCPWATCH_TCP_STATE_H
#define TCPWATCH_TCP_STATE_H

#include <stddef.h>
#include <stdint.h>

#include "bpf/shared/tcp_state.h"

/* A set of states: bit 1 << enum tcp_state. Bit 0 stands for "unknown". */
#define STATE_BIT(state) (1u << (state))
#define STATE_MASK_ALL	 ((1u << TCPS_COUNT) - 1)
#define STATE_MASK_CONNECTED \
	(STATE_MASK_ALL &    \
	 ~(STATE_BIT(TCPS_UNKNOWN) | STATE_BIT(TCPS_LISTEN) | STATE_BIT(TCPS_CLOSED)))
#define STATE_MASK_SYNCHRONIZED (STATE_MASK_CONNECTED & ~STATE_BIT(TCPS_SYN_SENT))
#define STATE_MASK_BUCKET	(STATE_BIT(TCPS_SYN_RECV) | STATE_BIT(TCPS_TIME_WAIT))
#define STATE_MASK_BIG		(STATE_MASK_ALL & ~STATE_MASK_BUCKET)

/* Where in its life a session is: what decides the colour of its state. */
enum state_phase {
	PHASE_UNKNOWN,
	PHASE_LISTENING,
	PHASE_OPENING,
	PHASE_OPEN,
	PHASE_CLOSING,
	PHASE_OVER
};

/* tcp_state__name() - as ss prints it ("ESTAB"); "UNKNOWN" for 0 and for what is no state */
const char *tcp_state__name(unsigned state);

enum state_phase tcp_state__phase(unsigned state);

/*
 * tcp_state__mask() - the states that @name (@len bytes) stands for: a state as ss prints it or as
 * its filters call it, or a group of ss(8): all, connected, synchronized, bucket, big. Case does
 * not matter.
 *
 * Returns 0 if it is none of these.
 */
uint32_t tcp_state__mask(const char *name, size_t len);

/* tcp_state__nearest() - the name most like @name that a filter accepts, or NULL */
const char *tcp_state__nearest(const char *name, size_t len);

#endif
