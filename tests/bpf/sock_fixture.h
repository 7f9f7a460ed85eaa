/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The socket view at work in a network namespace of the test's own: its records kept and found
 * again, waited for with a deadline. Not here: what makes sockets do things (tcp_pair.h,
 * tun_peer.h).
 */
#ifndef TCPWATCH_TESTS_SOCK_FIXTURE_H
#define TCPWATCH_TESTS_SOCK_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "user/source/sock_view.h"

#define EVERYTHING  0xffffu
#define DEADLINE_MS 10000

struct sock_fixture {
	struct netns ns;
	struct netns_list list;
	int records_fd, lost_fd;
	struct ring_buffer *ring;
	struct sock_view *view;
	union record *events; /* from the ring buffer, in order */
	size_t n_events;
	union record *listed; /* of the last snapshot or search for owners */
	size_t n_listed;
};

/* Group set-up: a namespace of the process's own, with lo up. */
int sock_fixture__own_namespace(void **state);

void sock_fixture__open(struct sock_fixture *f, uint32_t record_mask, uint32_t ring_bytes);
void sock_fixture__open_as(struct sock_fixture *f, const struct sock_config *config,
			   uint32_t ring_bytes);
void sock_fixture__close(struct sock_fixture *f);

/* Takes in what is in the ring buffer; sock_fixture__forget() then drops all events so far. */
void sock_fixture__drain(struct sock_fixture *f);
void sock_fixture__forget(struct sock_fixture *f);

/* The first transition of the socket @cookie (0: any) to @state. It is waited for, else the test
 * fails. */
const struct rec_sock_state *sock_fixture__state(struct sock_fixture *f, uint64_t cookie,
						 enum tcp_state state);
/* The first record of @kind; waited for likewise. */
const union record *sock_fixture__event(struct sock_fixture *f, enum record_kind kind);

/* A new snapshot's socket with this cookie, or with these ports; NULL: none. */
const struct sock_info *sock_fixture__by_cookie(struct sock_fixture *f, uint64_t cookie);
const struct sock_info *sock_fixture__by_ports(struct sock_fixture *f, uint16_t local,
					       uint16_t remote);
/* Likewise in @state, waited for. */
const struct sock_info *sock_fixture__until(struct sock_fixture *f, uint16_t local, uint16_t remote,
					    enum tcp_state state);

void sock_fixture__owners(struct sock_fixture *f);
/* Lists the listeners; the processes of those with @cookies. */
void sock_fixture__listeners(struct sock_fixture *f);
void sock_fixture__listener_owners(struct sock_fixture *f, const uint64_t *cookies, size_t count);
/* Lists the tuples; the first one with these ports, or NULL. */
const struct rec_tuple *sock_fixture__tuple(struct sock_fixture *f, uint16_t local,
					    uint16_t remote);
uint64_t sock_fixture__counter(struct sock_fixture *f, enum sock_counter which);
uint64_t sock_fixture__lost(struct sock_fixture *f, enum record_kind kind);

/* Milliseconds of CLOCK_MONOTONIC, and the same clock in nanoseconds. */
uint64_t clock_ms(void);
uint64_t clock_ns(void);

#endif
