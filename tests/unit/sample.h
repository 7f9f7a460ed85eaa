/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Sample sessions for unit tests: an accepted HTTPS connection that both views know, to be changed
 * by a test. Not here: evidence that was judged (test_track.c); the verdict is set by hand.
 */
#ifndef TCPWATCH_TESTS_SAMPLE_H
#define TCPWATCH_TESTS_SAMPLE_H

#include <arpa/inet.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>

#include "user/model/session.h"

#define SAMPLE_NOW_NS (100 * TW_NSEC_PER_SEC)
#define SAMPLE_REAL_NS \
	(1700000000 * TW_NSEC_PER_SEC) /* 2023-11-14T22:13:20Z, at monotonic time 0 */

struct sample {
	struct nat nat; /* once sample__translate() was called */
	struct session session;
	struct sock_info sock;
	struct evidence wire;
	struct evidence_verdict verdict;
};

static const struct moment sample_moment = {.mono_ns = SAMPLE_NOW_NS,
					    .mono_to_real_ns = SAMPLE_REAL_NS};

static inline struct ip_addr sample__addr(const char *text)
{
	struct ip_addr addr = {0};
	struct in_addr v4;

	if (inet_pton(AF_INET, text, &v4) == 1)
		ip_addr__set_v4(&addr, v4.s_addr);
	else if (inet_pton(AF_INET6, text, addr.bytes) != 1)
		fprintf(stderr, "sample: '%s' is no address\n", text);
	return addr;
}

static inline void sample__set_endpoints(struct sample *s, const char *local, uint16_t local_port,
					 const char *remote, uint16_t remote_port)
{
	s->session.local = (struct endpoint){sample__addr(local), local_port};
	s->session.remote = (struct endpoint){sample__addr(remote), remote_port};
	s->sock.local = s->session.local.addr;
	s->sock.remote = s->session.remote.addr;
	s->sock.local_port = local_port;
	s->sock.remote_port = remote_port;
}

static inline void sample__init(struct sample *s)
{
	*s = (struct sample){
		.session = {.netns = 4026531840u,
			    .tap = 1,
			    .local_dir = DIR_LOW,
			    .owner = {.pid = 812, .comm = "nginx"},
			    .ifname = "eth0",
			    .netns_name = "self"},
		.sock = {.cookie = 77,
			 .family = AF_INET,
			 .state = TCPS_ESTABLISHED,
			 .role = ROLE_PASSIVE,
			 .uid = 33,
			 .cgroup_id = 4242,
			 .born_ns = SAMPLE_NOW_NS - 5 * TW_NSEC_PER_SEC,
			 .tx_bytes = 1500000,
			 .rx_bytes = 734,
			 .tx_segments = 1042,
			 .rx_segments = 530,
			 .retransmits = 3,
			 .srtt_us = 12345,
			 .snd_cwnd = 10,
			 .rx_queue = 1,
			 .tx_queue = 2},
		.wire = {.first_ns = SAMPLE_NOW_NS - 6 * TW_NSEC_PER_SEC,
			 .half = {[DIR_LOW] = {.segments = 1000,
					       .bytes = 1499000,
					       .retransmits = 2,
					       .syn_retransmits = 1},
				  [DIR_HIGH] = {.segments = 500, .bytes = 700}}},
		.verdict = {.originator = DIR_HIGH,
			    .state = {TCPS_CLOSE_WAIT, TCPS_FIN_WAIT2},
			    .conn_state = CONN_S2,
			    .closed_first = DIR_HIGH,
			    .established = true,
			    .syn_ns = SAMPLE_NOW_NS - 6 * TW_NSEC_PER_SEC,
			    .synack_ns = SAMPLE_NOW_NS - 6 * TW_NSEC_PER_SEC + 1000,
			    .ack_ns = SAMPLE_NOW_NS - 6 * TW_NSEC_PER_SEC + 123456,
			    .history = "ShADadFa"},
	};
	sample__set_endpoints(s, "10.0.0.1", 443, "192.0.2.7", 51515);
	s->session.sock = &s->sock;
	s->session.wire = &s->wire;
	s->session.verdict = &s->verdict;
}

/* What the taps alone know of it. */
static inline void sample__init_wire(struct sample *s)
{
	sample__init(s);
	s->session.sock = NULL;
	memset(&s->session.owner, 0, sizeof(s->session.owner));
}

/* What the kernel alone knows of it. */
static inline void sample__init_socket(struct sample *s)
{
	sample__init(s);
	s->session.wire = NULL;
	s->session.verdict = NULL;
	s->session.ifname = NULL;
	s->session.tap = 0;
}

static inline void sample__init_listener(struct sample *s)
{
	sample__init_socket(s);
	sample__set_endpoints(s, "0.0.0.0", 443, "0.0.0.0", 0);
	s->sock.state = TCPS_LISTEN;
	s->sock.role = ROLE_UNKNOWN;
	s->sock.rx_queue = 5;
	s->sock.tx_queue = 128;
	s->sock.syn_queue = 9;
}

/* Its endpoints, the client first, are called so on the server's side. */
static inline void sample__translate(struct sample *s, const char *client, uint16_t client_port,
				     const char *server, uint16_t server_port)
{
	const struct endpoint *ends[] = {&s->session.remote, &s->session.local};
	struct ip_addr from = sample__addr(client), to = sample__addr(server);
	struct nat_tuple *before = &s->nat.side[NAT_BEFORE], *after = &s->nat.side[NAT_AFTER];

	before->client = flow_key__set(&before->key, &ends[0]->addr, TW_BE16(ends[0]->port),
				       &ends[1]->addr, TW_BE16(ends[1]->port), 0);
	after->client = flow_key__set(&after->key, &from, TW_BE16(client_port), &to,
				      TW_BE16(server_port), 0);
	s->session.nat = &s->nat;
	s->session.nat_side = NAT_BEFORE;
}

#endif
