/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * One TCP session as userspace knows it: the join of a socket of this kernel and of what the taps
 * saw. Like `ss`, one session object per socket: a loopback connection is two. Not here: how it
 * changes (session_table.h), how it is shown (field.h).
 */
#ifndef TCPWATCH_SESSION_H
#define TCPWATCH_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "bpf/shared/abi.h"
#include "bpf/shared/evidence.h"
#include "container.h"
#include "nat.h"

#define UNKNOWN_U64 UINT64_MAX /* a value that nothing has told: shown as null or "-" */

enum direction { DIRECTION_UNKNOWN, DIRECTION_IN, DIRECTION_OUT, DIRECTION_FORWARD };

enum view { VIEW_SOCKET = 1, VIEW_WIRE = 2, VIEW_BOTH = VIEW_SOCKET | VIEW_WIRE };

struct endpoint {
	struct ip_addr addr;
	uint16_t port; /* host byte order */
};

struct close_wait_holder; /* close_wait.h */

/* A process that holds the socket. */
struct owner {
	uint32_t pid;
	char comm[SOCK_COMM_LEN]; /* hostile bytes, NUL-terminated */
};

/* A tap that sees a session. */
struct session_leg {
	uint32_t netns;
	uint16_t tap;
	uint64_t syn_ns; /* when a SYN without ACK first passed it, 0: none was seen */
};

struct session {
	struct endpoint local, remote;
	uint32_t netns;		 /* inode number */
	uint32_t tap;		 /* id of a tap that sees it, of .netns if there is one; 0: none */
	enum flow_dir local_dir; /* which direction of .wire the local endpoint sends */
	bool is_forwarded; /* neither address belongs to the namespace; local is then the originator
			    */

	const struct sock_info *sock;		/* NULL: no socket of this kernel */
	const struct evidence *wire;		/* NULL: no tap saw it */
	const struct evidence_verdict *verdict; /* of .wire; NULL with it */
	struct owner owner;			/* pid 0: unknown */
	const char *ifname;			/* of .tap, NULL: none. Hostile bytes */
	/* All taps that see it, and their names, "eth0,br0"; NULL: .tap is all. */
	const struct session_leg *legs;
	unsigned n_legs;
	const char *taps;
	/* Interface that its socket is bound to, or that its link-local addresses are of; NULL:
	 * neither. Hostile bytes */
	const char *scope;
	const char *netns_name; /* as `ip netns` names it, or its inode number. Hostile bytes */
	const struct container *container; /* NULL: none, or not known */
	/* What its process has in CLOSE_WAIT, if this is one of them; NULL: nobody looked. */
	const struct close_wait_holder *close_wait;
	const struct nat *nat;	/* of its addresses, NULL: none is known … */
	enum nat_side nat_side; /* … and the side that .local and .remote are of */
	enum syn_fate syn_fate; /* of its last SYN that came to a listener here, as taps tell */
	bool tap_is_gone;	/* the interface vanished: what the wire view shows is old */
};

/* What a getter needs beside the session. */
struct moment {
	uint64_t mono_ns;	  /* CLOCK_MONOTONIC */
	uint64_t mono_to_real_ns; /* add to get CLOCK_REALTIME */
};

/*
 * session__saw_begin() - the first SYN that the wire view has is the first that was sent: not if a
 * socket that is older than the tool has sent something again
 */
static inline bool session__saw_begin(const struct session *s)
{
	const struct sock_info *sock = s->sock && !s->sock->is_minisock ? s->sock : NULL;

	return s->verdict && s->verdict->syn_ns && !(sock && !sock->born_ns && sock->retransmits);
}

/* session__full_sock() - its socket, if that is a connection's with counters of its own: no
 * listener, no request or TIME_WAIT minisock */
static inline const struct sock_info *session__full_sock(const struct session *s)
{
	return s->sock && !s->sock->is_minisock && s->sock->state != TCPS_LISTEN ? s->sock : NULL;
}

static inline bool session__is_listener(const struct session *s)
{
	return s->sock && s->sock->state == TCPS_LISTEN;
}

static inline unsigned session__view(const struct session *s)
{
	return (s->sock ? VIEW_SOCKET : 0) | (s->wire ? VIEW_WIRE : 0);
}

#endif
