/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The TCP states: one list that yields the enum, the names and the groups a filter accepts.
 * Numbers are those of the kernel (include/net/tcp_states.h), names those `ss` prints.
 * Not here: how a state follows from evidence (evidence.h).
 */
#ifndef TCPWATCH_SHARED_TCP_STATE_H
#define TCPWATCH_SHARED_TCP_STATE_H

#include "types.h"

/* X(enumerator, kernel number, name as ss prints it, name a filter accepts) */
#define TCP_STATES(X)                                \
	X(ESTABLISHED, 1, "ESTAB", "established")    \
	X(SYN_SENT, 2, "SYN-SENT", "syn-sent")       \
	X(SYN_RECV, 3, "SYN-RECV", "syn-recv")       \
	X(FIN_WAIT1, 4, "FIN-WAIT-1", "fin-wait-1")  \
	X(FIN_WAIT2, 5, "FIN-WAIT-2", "fin-wait-2")  \
	X(TIME_WAIT, 6, "TIME-WAIT", "time-wait")    \
	X(CLOSED, 7, "UNCONN", "closed")             \
	X(CLOSE_WAIT, 8, "CLOSE-WAIT", "close-wait") \
	X(LAST_ACK, 9, "LAST-ACK", "last-ack")       \
	X(LISTEN, 10, "LISTEN", "listening")         \
	X(CLOSING, 11, "CLOSING", "closing")

enum tcp_state {
	TCPS_UNKNOWN = 0, /* no evidence: shown as unknown, never guessed */
#define X(id, number, name, filter_name) TCPS_##id = number,
	TCP_STATES(X)
#undef X
		TCPS_COUNT,
};

#endif
