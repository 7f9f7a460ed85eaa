/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Translations of addresses: the table of them, and the sessions that they make one. Not here:
 * conntrack's messages (tests/e2e/test_nat.py).
 */
#include <errno.h>

#include "table_fixture.h"

#define INSIDE_IP  LOCAL_IP
#define SERVER_IP  REMOTE_IP
#define HOST_IP	   0xc0000201u /* 192.0.2.1 */
#define INSIDE_TAP 1	       /* in NETNS, which has INSIDE_IP */
#define BRIDGE_TAP 3	       /* in OUTSIDE, which translates */
#define NIC_TAP	   4	       /* likewise, beyond */

/* Connections to the server have this host's address there, and another port. */
static struct nat masquerade(uint16_t port, uint16_t port_there)
{
	struct nat nat = {.netns = OUTSIDE};

	nat.side[NAT_BEFORE].client =
		make_key(&nat.side[NAT_BEFORE].key, INSIDE_IP, port, SERVER_IP, 80, 0);
	nat.side[NAT_AFTER].client =
		make_key(&nat.side[NAT_AFTER].key, HOST_IP, port_there, SERVER_IP, 80, 0);
	return nat;
}

/* ---- the table of translations --------------------------------------------------------------- */

static void test_finds_either_side(void **state)
{
	struct nat_table *table = nat_table__new(10);
	struct nat nat = masquerade(40000, 50000);
	const struct nat *own, *found;

	(void)state;
	for (int times = 0; times < 2; times++) { /* told again it is the same */
		assert_int_equal(nat_table__add(table, &nat, &own), 0);
		assert_int_equal(nat_table__count(table), 1);
	}
	for (int side = 0; side <= NAT_AFTER; side++) {
		struct flow_key key = nat.side[side].key;

		key.tap = 7;
		found = nat_table__next(table, &key, side, NULL);
		assert_ptr_equal(found, own);
		assert_null(nat_table__next(table, &key, side, found));
		assert_null(nat_table__next(table, &key, !side, NULL));
	}
	nat_table__remove(table, &nat);
	assert_int_equal(nat_table__count(table), 0);
	nat_table__remove(table, &nat);
	nat_table__free(table);
}

/* Where both endpoints are translated there is a name with the client's own and the server's own.
 */
static void test_finds_what_is_between(void **state)
{
	struct nat_table *table = nat_table__new(10);
	struct nat nat = masquerade(40000, 50000);
	const struct nat *own;
	struct flow_key key;

	(void)state;
	nat.side[NAT_BEFORE].client =
		make_key(&nat.side[NAT_BEFORE].key, INSIDE_IP, 40000, HOST_IP, 8080, 0);
	assert_int_equal(nat_table__add(table, &nat, &own), 0);
	make_key(&key, INSIDE_IP, 40000, SERVER_IP, 80, 7);
	assert_ptr_equal(nat_table__next(table, &key, NAT_BETWEEN, NULL), own);
	assert_int_equal(nat__ends(own, NAT_BETWEEN), 3);
	nat_table__remove(table, &nat);
	assert_null(nat_table__next(table, &key, NAT_BETWEEN, NULL));
	nat_table__free(table);
}

static void test_is_bounded(void **state)
{
	struct nat_table *table = nat_table__new(3);
	const struct nat *own;

	(void)state;
	for (uint16_t i = 0; i < 10; i++) {
		struct nat nat = masquerade(40000 + i, 50000 + i);

		assert_int_equal(nat_table__add(table, &nat, &own), i < 3 ? 0 : -ENOSPC);
	}
	assert_int_equal(nat_table__count(table), 3);
	nat_table__free(table);
}

static void test_lists_anew(void **state)
{
	struct nat_table *table = nat_table__new(10);
	struct nat kept = masquerade(1, 11), lost = masquerade(2, 12),
		   elsewhere = masquerade(3, 13);
	const struct nat *own;

	(void)state;
	elsewhere.netns = FAR;
	nat_table__add(table, &kept, &own);
	nat_table__add(table, &lost, &own);
	nat_table__add(table, &elsewhere, &own);
	nat_table__begin_list(table);
	nat_table__add(table, &kept, &own);
	nat_table__end_list(table, OUTSIDE);
	assert_non_null(nat_table__next(table, &kept.side[NAT_AFTER].key, NAT_AFTER, NULL));
	assert_null(nat_table__next(table, &lost.side[NAT_AFTER].key, NAT_AFTER, NULL));
	assert_non_null(nat_table__next(table, &elsewhere.side[NAT_AFTER].key, NAT_AFTER, NULL));
	nat_table__free(table);
}

/* A tuple has one translation in one place: the next one takes it, whether or not its end was told.
 */
static void test_next_takes_the_place(void **state)
{
	static const struct {
		const char *name;
		uint16_t port, port_there;
		size_t n_left;
	} cases[] = {
		{"the same", 40000, 50000, 1},
		{"another way on", 40000, 50001, 1},
		{"another's way on", 40001, 50000, 1},
		{"another", 40001, 50001, 2},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nat_table *table = nat_table__new(10);
		struct nat former = masquerade(40000, 50000);
		struct nat next = masquerade(cases[i].port, cases[i].port_there);
		const struct nat *own;

		assert_int_equal(nat_table__add(table, &former, &own), 0);
		assert_int_equal(nat_table__add(table, &next, &own), 0);
		if (nat_table__count(table) != cases[i].n_left)
			fail_msg("%s", cases[i].name);
		assert_ptr_equal(nat_table__next(table, &next.side[NAT_AFTER].key, NAT_AFTER, NULL),
				 own);
		nat_table__free(table);
	}
}

/* The same tuple in another zone is another translation, and ends by itself. */
static void test_zones_are_apart(void **state)
{
	static const struct {
		const char *name;
		uint32_t netns;
		uint16_t port, port_there, zone[NAT_SIDES];
		bool is_same;
	} cases[] = {
		{"no zone", OUTSIDE, 40000, 50000, {0, 0}, true},
		{"a zone of both sides", OUTSIDE, 40000, 50000, {1, 1}, false},
		{"a zone of one side", OUTSIDE, 40000, 50001, {1, 0}, false},
		{"a zone of the other", OUTSIDE, 40001, 50000, {0, 1}, false},
		{"another namespace", FAR, 40000, 50000, {0, 0}, false},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nat_table *table = nat_table__new(10);
		struct nat nat = masquerade(40000, 50000);
		struct nat other = masquerade(cases[i].port, cases[i].port_there);
		const struct nat *own, *its;

		other.netns = cases[i].netns;
		memcpy(other.zone, cases[i].zone, sizeof(other.zone));
		assert_int_equal(nat_table__add(table, &nat, &own), 0);
		assert_int_equal(nat_table__add(table, &other, &its), 0);
		if ((own == its) != cases[i].is_same)
			fail_msg("%s", cases[i].name);
		nat_table__remove(table, &nat);
		if (nat_table__count(table) != !cases[i].is_same)
			fail_msg("%s: the end", cases[i].name);
		nat_table__free(table);
	}
}

/* Which endpoints are themselves. */
static void test_ends(void **state)
{
	static const struct {
		const char *name;
		uint32_t before_client, before_server, after_client, after_server;
		bool is_client[2], is_server[2];
	} cases[] = {
		{"masquerade", 1, 9, 2, 9, {true, false}, {true, true}},
		{"published port", 1, 8, 1, 9, {true, true}, {false, true}},
		{"both", 1, 8, 2, 9, {true, false}, {false, true}},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct nat nat = {0};

		nat.side[NAT_BEFORE].client =
			make_key(&nat.side[NAT_BEFORE].key, cases[i].before_client, 1,
				 cases[i].before_server, 2, 0);
		nat.side[NAT_AFTER].client =
			make_key(&nat.side[NAT_AFTER].key, cases[i].after_client, 1,
				 cases[i].after_server, 2, 0);
		for (int side = 0; side <= NAT_AFTER; side++) {
			uint8_t client = 1 << nat.side[side].client;
			uint8_t expected = (cases[i].is_client[side] ? client : 0) |
					   (cases[i].is_server[side] ? 3 & ~client : 0);

			if (nat__ends(&nat, side) != expected)
				fail_msg("%s, side %d: %x", cases[i].name, side,
					 nat__ends(&nat, side));
		}
	}
}

/* ---- sessions -------------------------------------------------------------------------------- */

static struct nat_table *known;

static const struct nat *lookup(void *ctx, const struct flow_key *key, enum nat_side side,
				const struct nat *after)
{
	(void)ctx;
	return nat_table__next(known, key, side, after);
}

static void no_news(void *ctx)
{
	(void)ctx;
}

static bool is_local(void *ctx, uint32_t tap, const struct ip_addr *addr)
{
	(void)ctx;
	return addr->words[3] == TW_BE32(tap == INSIDE_TAP ? INSIDE_IP : HOST_IP) ||
	       ip_addr__is_loopback(addr);
}

static void init(struct fixture *fx, bool with_events, bool prefer_sockets)
{
	fixture__init(fx, with_events, prefer_sockets, 100);
	known = nat_table__new(10);
	fx->env.nat = lookup;
	fx->env.nat_news = no_news;
	fx->env.is_local = is_local;
	session_table__free(fx->table);
	fx->table = session_table__new(&fx->env, 100);
	assert_non_null(fx->table);
}

static void fini(struct fixture *fx)
{
	session_table__free(fx->table);
	nat_table__free(known);
}

static void learn(struct fixture *fx, const struct nat *nat)
{
	const struct nat *own;

	assert_int_equal(nat_table__add(known, nat, &own), 0);
	session_table__add_nat(fx->table, own);
}

/* What is there to be told, whatever comes first: @order is 0, 1 or 2. */
static void tell_in_order(struct fixture *fx, int order, const struct sock_info *info,
			  const struct nat *nat, const struct talk *t)
{
	for (int step = 0; step < 3; step++) {
		if (step == order)
			fixture__sock(fx, info);
		else if (step == (order + 1) % 3)
			learn(fx, nat);
		else
			talk__open(fx, t);
	}
}

/* The session as taps on one side and on the other see it. */
static struct talk talk_at(uint16_t tap)
{
	struct talk t;

	if (tap == NIC_TAP)
		talk__init(&t, HOST_IP, 50000, SERVER_IP, 80);
	else
		talk__init(&t, INSIDE_IP, 40000, SERVER_IP, 80);
	t.key.tap = tap;
	return t;
}

static const struct session *only_row(struct fixture *fx)
{
	struct rows rows = fixture__rows(fx);

	if (rows.count != 1)
		fail_msg("%zu rows", rows.count);
	return rows.items[0];
}

static bool is_end(const struct endpoint *end, uint32_t addr, uint16_t port)
{
	struct ip_addr expected = v4(addr);

	return ip_addr__equal(&end->addr, &expected) && end->port == port;
}

static void test_both_sides_are_one(void **state)
{
	static const struct {
		const char *name;
		uint16_t taps[3];
		size_t n;
		bool is_local; /* the row is of the namespace that has the client */
		const char *shown;
	} cases[] = {
		{"veth and NIC", {INSIDE_TAP, NIC_TAP}, 2, true, "eth0,vb"},
		{"bridge and NIC", {BRIDGE_TAP, NIC_TAP}, 2, false, "br0,vb"},
		{"all", {INSIDE_TAP, BRIDGE_TAP, NIC_TAP}, 3, true, "eth0,br0,vb"},
		{"the other side first", {NIC_TAP, INSIDE_TAP}, 2, true, "vb,eth0"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int is_known_first = 0; is_known_first < 2; is_known_first++) {
			struct nat nat = masquerade(40000, 50000);
			const struct session *row;
			struct fixture fx;

			init(&fx, true, false);
			if (is_known_first)
				learn(&fx, &nat);
			for (size_t at = 0; at < cases[i].n; at++) {
				struct talk t = talk_at(cases[i].taps[at]);

				if (at == 1 && !is_known_first)
					learn(&fx, &nat);
				talk__whole(&fx, &t);
			}
			fixture__settle(&fx);
			row = only_row(&fx);
			if (strcmp(row->taps, cases[i].shown) ||
			    row->is_forwarded == cases[i].is_local || !row->nat ||
			    !is_end(&row->local, INSIDE_IP, 40000) ||
			    !is_end(&row->remote, SERVER_IP, 80))
				fail_msg("%s: at %s, forwarded %d, local port %u", cases[i].name,
					 row->taps, row->is_forwarded, row->local.port);
			fini(&fx);
		}
}

/* Two containers with the same address in two zones: which is whose, the sequence numbers tell. */
static void test_same_tuple_in_two_zones(void **state)
{
	/* By tap, in which order; each session's own tap is 1 or 2. */
	static const uint16_t orders[][4] = {
		{1, 2, NIC_TAP, NIC_TAP + 1},
		{1, NIC_TAP, 2, NIC_TAP + 1},
		{NIC_TAP + 1, NIC_TAP, 1, 2},
		{2, 1, NIC_TAP, NIC_TAP + 1},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct nat nats[] = {masquerade(40000, 50000), masquerade(40000, 50001)};
		struct rows rows;
		struct fixture fx;

		init(&fx, true, false);
		for (uint16_t n = 0; n < 2; n++) {
			nats[n].zone[NAT_BEFORE] = n + 1;
			learn(&fx, &nats[n]);
		}
		for (size_t at = 0; at < 4; at++) {
			bool is_beyond = orders[i][at] >= NIC_TAP;
			uint16_t n = is_beyond ? orders[i][at] - NIC_TAP : orders[i][at] - 1;
			struct talk t;

			talk__init(&t, is_beyond ? HOST_IP : INSIDE_IP,
				   is_beyond ? 50000 + n : 40000, SERVER_IP, 80);
			t.key.tap = is_beyond ? NIC_TAP : orders[i][at];
			t.client_isn += n * 70000000u;
			t.server_isn += n * 90000000u;
			talk__whole(&fx, &t);
		}
		fixture__settle(&fx);
		rows = fixture__rows(&fx);
		assert_int_equal(rows.count, 2);
		for (size_t r = 0; r < 2; r++) {
			const struct session *row = rows.items[r];
			uint16_t n = strstr(row->taps, "eth1") != NULL;
			const struct nat_tuple *there;

			assert_int_equal(row->n_legs, 2);
			assert_non_null(row->nat);
			there = &row->nat->side[NAT_AFTER];
			assert_int_equal(there->key.port[there->client], TW_BE16(50000 + n));
		}
		fini(&fx);
	}
}

/* What this host's address stands in for is no session of its own. */
static void test_stand_in_is_forwarded(void **state)
{
	struct nat nat = masquerade(40000, 50000);
	struct talk t = talk_at(NIC_TAP);

	(void)state;
	for (int is_known_first = 0; is_known_first < 2; is_known_first++) {
		struct fixture fx;

		init(&fx, false, true);
		if (is_known_first)
			learn(&fx, &nat);
		talk__open(&fx, &t);
		if (!is_known_first)
			learn(&fx, &nat);
		assert_true(only_row(&fx)->is_forwarded);
		assert_int_equal(only_row(&fx)->nat_side, NAT_AFTER);
		fini(&fx);
	}
}

/* Only what is beyond the translation is seen, and the socket is here. */
static void test_socket_before_nat(void **state)
{
	struct sock_info info = make_sock(7, TCPS_ESTABLISHED, INSIDE_IP, 40000, SERVER_IP, 80);
	struct nat nat = masquerade(40000, 50000);
	struct talk t = talk_at(NIC_TAP);

	(void)state;
	for (int order = 0; order < 3; order++) {
		const struct session *row;
		struct fixture fx;

		init(&fx, false, true);
		tell_in_order(&fx, order, &info, &nat, &t);
		row = only_row(&fx);
		assert_non_null(row->sock);
		assert_non_null(row->wire);
		assert_int_equal(row->verdict->originator, row->local_dir);
		assert_int_equal(fixture__stats(&fx).sessions, 1);
		fini(&fx);
	}
}

/* This host asks for what it publishes itself: its socket, and what its bridge sees of it. */
static void test_own_socket_to_a_published_port(void **state)
{
	static const struct {
		const char *name;
		uint32_t addr; /* as the socket has both ends */
		uint16_t port_there;
	} cases[] = {
		{"its own address", HOST_IP, 40000},
		{"loopback, masqueraded", 0x7f000001, 50000},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		for (int order = 0; order < 3; order++) {
			struct sock_info info = make_sock(7, TCPS_ESTABLISHED, cases[i].addr, 40000,
							  cases[i].addr, 8080);
			struct nat nat = {.netns = OUTSIDE};
			const struct session *row;
			struct fixture fx;
			struct talk t;

			nat.side[NAT_BEFORE].client =
				make_key(&nat.side[NAT_BEFORE].key, cases[i].addr, 40000,
					 cases[i].addr, 8080, 0);
			talk__init(&t, HOST_IP, cases[i].port_there, SERVER_IP, 80);
			t.key.tap = BRIDGE_TAP;
			nat.side[NAT_AFTER].key = t.key;
			nat.side[NAT_AFTER].client = t.client;
			info.netns = OUTSIDE;
			init(&fx, true, true);
			tell_in_order(&fx, order, &info, &nat, &t);
			row = only_row(&fx);
			if (!row->sock || !row->wire || row->is_forwarded ||
			    row->verdict->originator != row->local_dir)
				fail_msg("%s, order %d: view %u", cases[i].name, order,
					 session__view(row));
			fini(&fx);

			/* Without sockets too it is this host's. */
			init(&fx, false, false);
			learn(&fx, &nat);
			talk__open(&fx, &t);
			if (only_row(&fx)->is_forwarded)
				fail_msg("%s: forwarded", cases[i].name);
			fini(&fx);
		}
}

/* From a container to another one by what the host publishes: its bridge may see a third name. */
static void test_between_is_one_too(void **state)
{
	static const uint16_t orders[][3] = {{0, 1, 2}, {0, 2, 1}, {1, 0, 2}, {2, 1, 0}};
	struct nat nat = masquerade(40000, 50000);

	(void)state;
	nat.side[NAT_BEFORE].client =
		make_key(&nat.side[NAT_BEFORE].key, INSIDE_IP, 40000, HOST_IP, 8080, 0);
	for (size_t i = 0; i < sizeof(orders) / sizeof(orders[0]); i++) {
		struct talk at[3];
		struct fixture fx;

		talk__init(&at[0], INSIDE_IP, 40000, HOST_IP, 8080);
		talk__init(&at[1], INSIDE_IP, 40000, SERVER_IP, 80);
		talk__init(&at[2], HOST_IP, 50000, SERVER_IP, 80);
		at[1].key.tap = BRIDGE_TAP;
		at[2].key.tap = NIC_TAP;
		init(&fx, true, false);
		learn(&fx, &nat);
		for (size_t n = 0; n < 3; n++)
			talk__whole(&fx, &at[orders[i][n]]);
		fixture__settle(&fx);
		assert_int_equal(only_row(&fx)->n_legs, 3);
		assert_int_equal(only_row(&fx)->netns, NETNS);

		/* That name may also be another session's own, if none is counted by it. */
		at[1].client_isn += 1000000;
		at[1].server_isn += 1000000;
		at[1].key.tap = NIC_TAP;
		talk__open(&fx, &at[1]);
		assert_int_equal(fixture__rows(&fx).count, orders[i][0] == 1 ? 1 : 2);
		fini(&fx);
	}
}

/* The tuple is used again, and goes another way. */
static void test_next_session_is_not_translated(void **state)
{
	struct talk inside = talk_at(INSIDE_TAP), outside = talk_at(NIC_TAP);
	struct nat nat = masquerade(40000, 50000);
	struct fixture fx;

	(void)state;
	init(&fx, false, false);
	learn(&fx, &nat);
	talk__whole(&fx, &inside);
	talk__whole(&fx, &outside);
	fixture__settle(&fx);
	nat_table__remove(known, &nat);
	fx.now_ns += 2 * SEC;
	inside.client_isn += 1000000;
	inside.server_isn += 1000000;
	talk__open(&fx, &inside);
	assert_null(only_row(&fx)->nat);
	assert_null(only_row(&fx)->taps);
	fini(&fx);
}

/* ---- whatever the order ---------------------------------------------------------------------- */

#define STEPS 40000

static uint32_t random_below(uint32_t *state, uint32_t n)
{
	*state = *state * 1664525 + 1013904223;
	return (*state >> 8) % n;
}

static void count_row(void *ctx, const struct session *session)
{
	size_t *count = ctx;

	(*count)++;
	assert_true(!session->wire == !session->verdict);
	assert_true(!session->taps || session->n_legs > 1);
}

/* One of a few sessions, each with a few incarnations, at one of the taps. */
static struct talk random_talk(uint32_t *state)
{
	struct talk t =
		talk_at(random_below(state, 2) ? NIC_TAP : INSIDE_TAP + random_below(state, 5));

	t.client_isn += random_below(state, 3) << 20;
	t.server_isn += random_below(state, 3) << 20;
	t.client_cpu = random_below(state, CPUS);
	t.server_cpu = random_below(state, CPUS);
	t.lose = random_below(state, 4) == 0;
	return t;
}

static void random_wire(struct fixture *fx, uint32_t *state)
{
	static void (*const steps[])(struct fixture *, const struct talk *) = {
		talk__syn, talk__open, talk__data, talk__close, talk__whole};
	struct talk t = random_talk(state);

	steps[random_below(state, 5)](fx, &t);
	fx->n_told = 0;
}

static void random_sock(struct fixture *fx, uint32_t *state)
{
	static const uint32_t spaces[] = {NETNS, OUTSIDE, FAR};
	static const uint8_t states[] = {TCPS_SYN_SENT, TCPS_ESTABLISHED, TCPS_CLOSED};
	struct sock_info info = make_sock(1 + random_below(state, 6), TCPS_ESTABLISHED, INSIDE_IP,
					  40000, SERVER_IP, 80);

	if (random_below(state, 3) == 0)
		info = make_sock(info.cookie, TCPS_ESTABLISHED, SERVER_IP, 80, HOST_IP, 50000);
	info.netns = spaces[random_below(state, 3)];
	fixture__sock_state(fx, &info, TCPS_SYN_SENT, states[random_below(state, 3)]);
	fx->n_told = 0;
}

static void random_nat(struct fixture *fx, uint32_t *state)
{
	struct nat nat = masquerade(40000, 50000);

	if (random_below(state, 2)) { /* its own session to what it publishes */
		nat.netns = NETNS;
		nat.side[NAT_AFTER] = nat.side[NAT_BEFORE];
		nat.side[NAT_BEFORE].client =
			make_key(&nat.side[NAT_BEFORE].key, INSIDE_IP, 40000, INSIDE_IP, 8080, 0);
	}
	if (random_below(state, 2))
		learn(fx, &nat);
	else
		nat_table__remove(known, &nat);
}

static void random_time(struct fixture *fx, uint32_t *state)
{
	static const uint64_t passes[] = {0, 1, 10, 100, 1000, 20000};

	fx->now_ns += passes[random_below(state, 6)] * SEC;
	fx->gone_tap = random_below(state, 12);
	if (random_below(state, 2))
		fixture__scan(fx);
	fixture__settle(fx);
	if (random_below(state, 8) == 0)
		memset(fx->used, 0, sizeof(fx->used));
	fx->n_told = 0;
}

/* What is counted is what is there, and nothing is used after it went (the sanitizers see to it).
 */
static void test_any_order(void **cmocka)
{
	static void (*const kinds[])(struct fixture *, uint32_t *) = {
		random_wire, random_wire, random_wire, random_sock, random_nat, random_time};
	uint32_t state = 1;
	struct fixture fx;

	(void)cmocka;
	init(&fx, true, true);
	for (int step = 0; step < STEPS; step++) {
		size_t count = 0;

		kinds[random_below(&state, 6)](&fx, &state);
		session_table__visit(fx.table, fx.now_ns, count_row, &count);
		fx.n_told = 0;
		assert_int_equal(fixture__stats(&fx).sessions, count);
	}
	fini(&fx);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_finds_either_side),
		cmocka_unit_test(test_finds_what_is_between),
		cmocka_unit_test(test_is_bounded),
		cmocka_unit_test(test_lists_anew),
		cmocka_unit_test(test_next_takes_the_place),
		cmocka_unit_test(test_zones_are_apart),
		cmocka_unit_test(test_same_tuple_in_two_zones),
		cmocka_unit_test(test_ends),
		cmocka_unit_test(test_both_sides_are_one),
		cmocka_unit_test(test_stand_in_is_forwarded),
		cmocka_unit_test(test_socket_before_nat),
		cmocka_unit_test(test_own_socket_to_a_published_port),
		cmocka_unit_test(test_between_is_one_too),
		cmocka_unit_test(test_next_session_is_not_translated),
		cmocka_unit_test(test_any_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
