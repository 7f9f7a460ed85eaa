/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Names and groups of the TCP states.
 */
#include "tcp_state.h"

#include <string.h>
#include <strings.h>

#include "user/util/nearest.h"

static const char *const names[TCPS_COUNT] = {[TCPS_UNKNOWN] = "UNKNOWN",
#define X(id, number, name, filter_name) [number] = name,
					      TCP_STATES(X)
#undef X
};

static const enum state_phase phases[TCPS_COUNT] = {
	[TCPS_LISTEN] = PHASE_LISTENING,  [TCPS_SYN_SENT] = PHASE_OPENING,
	[TCPS_SYN_RECV] = PHASE_OPENING,  [TCPS_ESTABLISHED] = PHASE_OPEN,
	[TCPS_FIN_WAIT1] = PHASE_CLOSING, [TCPS_FIN_WAIT2] = PHASE_CLOSING,
	[TCPS_CLOSING] = PHASE_CLOSING,	  [TCPS_CLOSE_WAIT] = PHASE_CLOSING,
	[TCPS_LAST_ACK] = PHASE_CLOSING,  [TCPS_TIME_WAIT] = PHASE_OVER,
	[TCPS_CLOSED] = PHASE_OVER,
};

/* What filters accept. The names offered first win a tie of suggestions. */
static const struct named_mask {
	const char *name;
	uint32_t mask;
} masks[] = {
#define X(id, number, name, filter_name) {filter_name, STATE_BIT(number)},
	TCP_STATES(X)
#undef X
		{"all", STATE_MASK_ALL},
	{"connected", STATE_MASK_CONNECTED},
	{"synchronized", STATE_MASK_SYNCHRONIZED},
	{"bucket", STATE_MASK_BUCKET},
	{"big", STATE_MASK_BIG},
#define X(id, number, name, filter_name) {name, STATE_BIT(number)},
	TCP_STATES(X)
#undef X
	/* ss's other names for the same (misc/ss.c, sstate_namel). */
	{"unconnected", STATE_BIT(TCPS_CLOSED)},
	{"close", STATE_BIT(TCPS_CLOSED)},
	{"syn-rcv", STATE_BIT(TCPS_SYN_RECV)},
};

#define N_MASKS (sizeof(masks) / sizeof(masks[0]))

const char *tcp_state__name(unsigned state)
{
	return names[state < TCPS_COUNT ? state : TCPS_UNKNOWN];
}

enum state_phase tcp_state__phase(unsigned state)
{
	return state < TCPS_COUNT ? phases[state] : PHASE_UNKNOWN;
}

uint32_t tcp_state__mask(const char *name, size_t len)
{
	for (size_t i = 0; i < N_MASKS; i++)
		if (strlen(masks[i].name) == len && !strncasecmp(masks[i].name, name, len))
			return masks[i].mask;
	return 0;
}

const char *tcp_state__nearest(const char *name, size_t len)
{
	struct nearest nearest;

	nearest__init(&nearest, name, len);
	for (size_t i = 0; i < N_MASKS; i++)
		nearest__offer(&nearest, masks[i].name);
	return nearest.best;
}
