/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A veth between two namespaces of the test's own and SYNs sent over it, for tests of what watches
 * it; and who is attached. Not here: what is expected of taps.
 */
#ifndef TCPWATCH_TESTS_TAP_FIXTURE_H
#define TCPWATCH_TESTS_TAP_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "tests/unit/netns_fixture.h"
#include "user/source/wire_view.h"
#include "user/tap/attach.h"
#include "user/tap/hook_query.h"

#define RECEIVED 3 /* SYNs of each round, by direction of the near end */
#define SENT	 5

struct tap_fixture {
	struct netns near, far; /* their ends are called near0 and far0 */
	struct wire_view *view;
	struct wire_shared shared;
	struct tap_set *set;
	enum attach_kind tc; /* what this kernel has: tcx, or before 6.6 clsact */
};

/* Group set-up: namespaces of the process's own, or SKIP. */
int tap_fixture__begin(void **state);
/* Of each test: *@state is a struct tap_fixture. */
int tap_fixture__open(void **state);
int tap_fixture__close(void **state);

/* tap_fixture__in() - a shell command inside @ns, which must succeed */
void tap_fixture__in(const struct netns *ns, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));

/* tap_fixture__make_veth() - near0 and far0, both up */
void tap_fixture__make_veth(const struct tap_fixture *f);

/* tap_fixture__send() - @count SYNs out of @ifname of @ns */
void tap_fixture__send(const struct netns *ns, const char *ifname, int count);
/* tap_fixture__exchange() - RECEIVED SYNs into near0, SENT out of @ifname, its present name */
void tap_fixture__exchange(const struct tap_fixture *f, const char *ifname);

/* tap_fixture__await_syns() - a tap of the set counts @count SYNs, no more and no less */
void tap_fixture__await_syns(const struct tap_fixture *f, size_t index, uint64_t count);

/* tap_fixture__iface() - as read anew; fails the test if there is none called @name */
struct iface tap_fixture__iface(const struct netns *ns, const char *name);
/* tap_fixture__becomes_bare() - no program is attached to near0 or to lo, by whatever hook; or
 * soon, for whoever lists all links of the host keeps each of them for a moment */
bool tap_fixture__becomes_bare(const struct tap_fixture *f);
/* tap_fixture__query() - who is attached to @name */
struct hook_query tap_fixture__query(const struct netns *ns, const char *name);
/* tap_fixture__count() - lines of the output of a shell command inside @ns */
int tap_fixture__count(const struct netns *ns, const char *command);

#endif
