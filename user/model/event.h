/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What happened to a session, as the event stream tells it. Derived by the session table from
 * records. Not here: how it is written (field.h, output/).
 */
#ifndef TCPWATCH_EVENT_H
#define TCPWATCH_EVENT_H

#include "handshake.h"

/* Append-only. X(enumerator, name) */
#define EVENT_KINDS(X)                          \
	X(SYN, "syn")                           \
	X(SYN_ACK, "syn_ack")                   \
	X(ESTABLISHED, "established")           \
	X(HANDSHAKE_FAILED, "handshake_failed") \
	X(STATE_CHANGE, "state_change")         \
	X(FIN, "fin")                           \
	X(CLOSED, "closed")                     \
	X(RESET_SENT, "reset_sent")             \
	X(RESET_RECEIVED, "reset_received")     \
	X(RETRANSMIT, "retransmit")             \
	X(EVICTED, "evicted")                   \
	X(LOST, "lost")                         \
	X(PORTS_LOW, "ports_low")               \
	X(BACKLOG_FULL, "backlog_full")         \
	X(TIME_WAIT_FULL, "time_wait_full")     \
	X(CLOSE_WAIT_LEAK, "close_wait_leak")   \
	X(HANDSHAKES_FAILING, "handshakes_failing")

enum event_kind {
#define X(id, name) EVENT_##id,
	EVENT_KINDS(X)
#undef X
		EVENT_COUNT,
};

const char *event_kind__name(enum event_kind kind);

struct event {
	enum event_kind kind;
	uint64_t time_ns;	       /* CLOCK_MONOTONIC */
	const struct session *session; /* as it was right after; NULL only for EVENT_LOST */
	enum view view;		       /* which view saw it */
	uint8_t old_state, new_state;  /* enum tcp_state of the local endpoint, 0: does not apply */
	const char *reason; /* static text or NULL: "refused", "timeout", "fin", "reset", … */
	enum close_by closed_by;	 /* EVENT_CLOSED */
	enum handshake_break broke;	 /* EVENT_HANDSHAKE_FAILED: where */
	enum listener_reset of_listener; /* EVENT_RESET_SENT: why, if a listener sent it */
	uint64_t lost; /* EVENT_LOST: records of .reason lost since the last such event */
	/* EVENT_PORTS_LOW: so many of them are in use; .session has the source address, the
	 * destination and no socket; .reason is "raised" or "cleared". */
	/* EVENT_BACKLOG_FULL: likewise, of .queue of the listener at .session's local endpoint */
	/* EVENT_TIME_WAIT_FULL: likewise, of the namespace's minisocks. EVENT_CLOSE_WAIT_LEAK: of
	 * those sockets of .session's process that are a leak. EVENT_HANDSHAKES_FAILING: that
	 * failed, of those that ended lately, with the server at the one endpoint of .session */
	uint64_t used, limit;
	const char *queue; /* "accept" or "syn" */
	/* of the segment, for SYN, SYN_ACK, FIN, RESET_*, RETRANSMIT seen on the wire; else NULL */
	const struct rec_segment *segment;
};

#endif
