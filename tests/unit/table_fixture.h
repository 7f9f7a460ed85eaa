/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A session table with made-up surroundings: a clock, two CPUs whose caches the real tracker fills,
 * sockets made of a few numbers, and a list of the events that came out.
 */
#ifndef TCPWATCH_TESTS_TABLE_FIXTURE_H
#define TCPWATCH_TESTS_TABLE_FIXTURE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "bpf/shared/track.h"
#include "user/model/session_table.h"

#define SEC   TW_NSEC_PER_SEC
#define T0    (1000 * SEC) /* when tests begin */
#define NETNS 4026531840u
/* Taps from these on are in other namespaces, which have no address. */
#define OUTSIDE	    (NETNS + 1)
#define FAR	    (NETNS + 2)
#define OUTSIDE_TAP 3
#define FAR_TAP	    5
#define CPUS	    3
#define CACHE	    16
#define MAX_TOLD    64
#define LOCAL_IP    0x0a000001u /* 10.0.0.1 */
#define REMOTE_IP   0x0a000002u /* 10.0.0.2 */

struct told {
	enum event_kind kind;
	enum view view;
	uint8_t old_state, new_state;
	enum close_by closed_by;
	enum handshake_break broke;
	char reason[24];
	uint64_t tx_bytes, tx_segments; /* of the wire, from the local endpoint */
	uint32_t pid;
	uint64_t time_ns;
};

struct fixture {
	struct session_table *table;
	struct session_table_env env;
	uint64_t now_ns;
	struct fragment cache[CPUS][CACHE];
	bool used[CPUS][CACHE];
	struct told told[MAX_TOLD];
	size_t n_told;
	uint32_t gone_tap, renamed_tap, share_tap;
	const char *new_name;
	uint8_t fate; /* enum syn_fate, of the SYNs to come */
	unsigned pulls;
	bool is_behind; /* not all records of what happened were read */
	bool has_twin;	/* FAR has LOCAL_IP too */
};

static inline struct ip_addr v4(uint32_t host_order)
{
	struct ip_addr addr;

	ip_addr__set_v4(&addr, TW_BE32(host_order));
	return addr;
}

static inline bool fixture__is_local(void *ctx, uint32_t tap, const struct ip_addr *addr)
{
	const struct fixture *fx = ctx;

	if (tap >= OUTSIDE_TAP && !(fx->has_twin && tap == FAR_TAP))
		return false;
	return addr->words[3] == TW_BE32(LOCAL_IP) || addr->bytes[12] == 127;
}

static inline void fixture__tap_facts(void *ctx, uint32_t tap, struct tap_facts *out)
{
	static const char *const names[] = {"?", "eth0", "eth1", "br0", "vb", "veth9"};
	const struct fixture *fx = ctx;

	out->netns = tap < OUTSIDE_TAP ? NETNS : tap < FAR_TAP ? OUTSIDE : FAR;
	out->is_gone = tap == fx->gone_tap;
	out->is_share = tap == fx->share_tap;
	out->ifname = names[tap < sizeof(names) / sizeof(names[0]) ? tap : 0];
	if (tap == fx->renamed_tap && fx->new_name)
		out->ifname = fx->new_name;
}

static inline const char *fixture__netns_name(void *ctx, uint32_t netns)
{
	(void)ctx;
	return netns == NETNS ? "self" : "other";
}

static inline const char *fixture__reset_reason(void *ctx, int reason)
{
	(void)ctx;
	return reason == 7 ? "no_socket" : NULL;
}

static inline void fixture__on_event(void *ctx, const struct event *event)
{
	struct fixture *fx = ctx;
	struct told *told = &fx->told[fx->n_told];
	const struct session *s = event->session;

	assert_true(fx->n_told < MAX_TOLD);
	fx->n_told++;
	memset(told, 0, sizeof(*told));
	told->kind = event->kind;
	told->view = event->view;
	told->old_state = event->old_state;
	told->new_state = event->new_state;
	told->closed_by = event->closed_by;
	told->broke = event->broke;
	told->time_ns = event->time_ns;
	if (event->reason)
		snprintf(told->reason, sizeof(told->reason), "%s", event->reason);
	assert_non_null(s);
	told->pid = s->owner.pid;
	if (s->wire) {
		told->tx_bytes = evidence__bytes(s->wire, s->local_dir);
		told->tx_segments = s->wire->half[s->local_dir].segments;
	}
}

static inline void fixture__apply(struct fixture *fx, const void *record)
{
	assert_int_equal(session_table__apply(fx->table, record, fx->now_ns), 0);
}

static inline struct record_hdr fixture__hdr(const struct fixture *fx, enum record_kind kind,
					     size_t size, uint32_t cpu)
{
	return (struct record_hdr){
		.kind = kind, .size = (uint16_t)size, .cpu = cpu, .time_ns = fx->now_ns};
}

static inline void fixture__fragment(struct fixture *fx, uint32_t cpu, const struct fragment *frag,
				     enum fragment_why why)
{
	struct rec_fragment rec = {.frag = *frag, .why = why};

	rec.hdr = fixture__hdr(fx, REC_FRAGMENT, sizeof(rec), cpu);
	fixture__apply(fx, &rec);
}

static inline void fixture__pull(void *ctx, struct session_table *table, const struct flow_key *key)
{
	struct fixture *fx = ctx;

	(void)table;
	fx->pulls++;
	for (uint32_t cpu = 0; cpu < CPUS; cpu++)
		for (int i = 0; i < CACHE; i++)
			if (fx->used[cpu][i] && flow_key__equal(&fx->cache[cpu][i].key, key))
				fixture__fragment(fx, cpu, &fx->cache[cpu][i], FRAGMENT_LIVE);
}

static inline void fixture__init(struct fixture *fx, bool with_events, bool prefer_sockets,
				 size_t max_wire)
{
	memset(fx, 0, sizeof(*fx));
	fx->now_ns = T0;
	fx->env = (struct session_table_env){
		.ctx = fx,
		.is_local = fixture__is_local,
		.tap_facts = fixture__tap_facts,
		.netns_name = fixture__netns_name,
		.pull = fixture__pull,
		.on_event = with_events ? fixture__on_event : NULL,
		.prefer_socket_events = prefer_sockets,
		.reset_reason = fixture__reset_reason,
	};
	fx->table = session_table__new(&fx->env, max_wire);
	assert_non_null(fx->table);
}

static inline void fixture__settle(struct fixture *fx)
{
	session_table__settle(fx->table, fx->now_ns);
	if (!fx->is_behind)
		session_table__caught_up(fx->table, fx->now_ns);
}

/* ---- the wire ---- */

struct packet {
	const struct flow_key *key;
	enum flow_dir dir;
	uint8_t flags;
	uint32_t seq, ack, payload;
};

static inline struct fragment *fixture__slot(struct fixture *fx, uint32_t cpu,
					     const struct flow_key *key, bool *found)
{
	int empty = -1;

	for (int i = 0; i < CACHE; i++) {
		if (fx->used[cpu][i] && flow_key__equal(&fx->cache[cpu][i].key, key)) {
			*found = true;
			return &fx->cache[cpu][i];
		}
		if (!fx->used[cpu][i])
			empty = i;
	}
	assert_true(empty >= 0);
	fx->used[cpu][empty] = true;
	*found = false;
	return &fx->cache[cpu][empty];
}

/* A packet passes @cpu: as wire.bpf.c does it. With @lose nothing of it reaches the table. */
static inline void fixture__packet(struct fixture *fx, uint32_t cpu, const struct packet *pkt,
				   bool lose)
{
	struct rec_segment rec = {.key = *pkt->key};
	enum track_place place;
	struct fragment *frag;
	bool found;

	fx->now_ns += 1000;
	rec.seg = (struct segment){.seq = pkt->seq,
				   .ack = pkt->ack,
				   .payload = pkt->payload,
				   .segs = 1,
				   .window = 1000,
				   .flags = pkt->flags,
				   .dir = pkt->dir};
	frag = fixture__slot(fx, cpu, pkt->key, &found);
	place = found ? track__place(frag, &rec.seg, fx->now_ns) : PLACE_ADD;
	if (place == PLACE_OUTSIDE)
		return;
	if (place != PLACE_ADD && !lose)
		fixture__fragment(fx, cpu, frag,
				  place == PLACE_REUSED ? FRAGMENT_REUSED : FRAGMENT_RESYNC);
	if (!found || place != PLACE_ADD)
		fragment__init(frag, pkt->key, fx->now_ns);
	rec.why = track__segment(frag, &rec.seg, fx->now_ns);
	rec.fate = pkt->flags == TCPF_SYN ? fx->fate : SYN_FATE_NONE;
	if (!lose)
		track__leave_to_record(frag, &rec.seg, rec.why);
	rec.hdr = fixture__hdr(fx, REC_SEGMENT, sizeof(rec), cpu);
	if (rec.why && !lose)
		fixture__apply(fx, &rec);
}

/* The cache gives up what @cpu holds of @key; the record comes at once, or not at all. */
static inline void fixture__evict(struct fixture *fx, uint32_t cpu, const struct flow_key *key,
				  bool lose)
{
	bool found;
	struct fragment *frag = fixture__slot(fx, cpu, key, &found);

	assert_true(found);
	if (!lose)
		fixture__fragment(fx, cpu, frag, FRAGMENT_EVICTED);
	fx->used[cpu][frag - fx->cache[cpu]] = false;
}

/* A refresh reads every cache. */
static inline void fixture__scan(struct fixture *fx)
{
	for (uint32_t cpu = 0; cpu < CPUS; cpu++)
		for (int i = 0; i < CACHE; i++)
			if (fx->used[cpu][i])
				fixture__fragment(fx, cpu, &fx->cache[cpu][i], FRAGMENT_LIVE);
}

/* A key and the directions of its client (@from) and server. */
static inline enum flow_dir make_key(struct flow_key *key, uint32_t from, uint16_t sport,
				     uint32_t to, uint16_t dport, uint16_t tap)
{
	struct ip_addr src = v4(from), dst = v4(to);

	return flow_key__set(key, &src, TW_BE16(sport), &dst, TW_BE16(dport), tap);
}

/* One connection from first SYN to last ACK, in steps; client's ISN 100, server's 500. */
struct talk {
	struct flow_key key;
	enum flow_dir client;
	uint32_t client_cpu, server_cpu; /* who sees their segments */
	uint32_t client_isn, server_isn;
	bool lose; /* the records: only the caches know */
};

#define TALK_BYTES 10u /* that the client sends; the server sends twice as much */

static inline void talk__client(struct fixture *fx, const struct talk *t, uint8_t flags,
				uint32_t seq, uint32_t ack, uint32_t payload)
{
	struct packet pkt = {&t->key, t->client, flags, t->client_isn + seq, t->server_isn + ack,
			     payload};

	fixture__packet(fx, t->client_cpu, &pkt, t->lose);
}

static inline void talk__server(struct fixture *fx, const struct talk *t, uint8_t flags,
				uint32_t seq, uint32_t ack, uint32_t payload)
{
	struct packet pkt = {&t->key, !t->client, flags, t->server_isn + seq, t->client_isn + ack,
			     payload};

	fixture__packet(fx, t->server_cpu, &pkt, t->lose);
}

static inline void talk__init(struct talk *t, uint32_t from, uint16_t sport, uint32_t to,
			      uint16_t dport)
{
	*t = (struct talk){.client_isn = 100, .server_isn = 500, .server_cpu = 1};
	t->client = make_key(&t->key, from, sport, to, dport, 1);
}

static inline void talk__syn(struct fixture *fx, const struct talk *t)
{
	struct packet pkt = {&t->key, t->client, TCPF_SYN, t->client_isn, 0, 0};

	fixture__packet(fx, t->client_cpu, &pkt, t->lose);
}

static inline void talk__open(struct fixture *fx, const struct talk *t)
{
	talk__syn(fx, t);
	talk__server(fx, t, TCPF_SYN | TCPF_ACK, 0, 1, 0);
	talk__client(fx, t, TCPF_ACK, 1, 1, 0);
}

static inline void talk__data(struct fixture *fx, const struct talk *t)
{
	talk__client(fx, t, TCPF_ACK | TCPF_PSH, 1, 1, TALK_BYTES);
	talk__server(fx, t, TCPF_ACK | TCPF_PSH, 1, 1 + TALK_BYTES, 2 * TALK_BYTES);
	talk__client(fx, t, TCPF_ACK, 1 + TALK_BYTES, 1 + 2 * TALK_BYTES, 0);
}

/* The client closes first, four segments. */
static inline void talk__close(struct fixture *fx, const struct talk *t)
{
	uint32_t c = 1 + TALK_BYTES, s = 1 + 2 * TALK_BYTES;

	talk__client(fx, t, TCPF_ACK | TCPF_FIN, c, s, 0);
	talk__server(fx, t, TCPF_ACK, s, c + 1, 0);
	talk__server(fx, t, TCPF_ACK | TCPF_FIN, s, c + 1, 0);
	talk__client(fx, t, TCPF_ACK, c + 1, s + 1, 0);
}

/* Of a whole session. */
#define CLIENT_SEGMENTS 6 /* SYN, ACK, data, ACK, FIN, ACK */
#define SERVER_SEGMENTS 4 /* SYN-ACK, data, ACK, FIN */

static inline void talk__whole(struct fixture *fx, const struct talk *t)
{
	talk__open(fx, t);
	talk__data(fx, t);
	talk__close(fx, t);
}

/* ---- sockets ---- */

static inline struct sock_info make_sock(uint64_t cookie, uint8_t state, uint32_t from,
					 uint16_t sport, uint32_t to, uint16_t dport)
{
	return (struct sock_info){
		.cookie = cookie,
		.local = v4(from),
		.remote = v4(to),
		.local_port = sport,
		.remote_port = dport,
		.netns = NETNS,
		.family = 2,
		.state = state,
		.is_minisock = !cookie,
	};
}

static inline void fixture__sock(struct fixture *fx, const struct sock_info *info)
{
	struct rec_sock rec = {.sock = *info};

	rec.hdr = fixture__hdr(fx, REC_SOCK, sizeof(rec), 0);
	fixture__apply(fx, &rec);
}

static inline void fixture__sock_state(struct fixture *fx, struct sock_info *info,
				       uint8_t old_state, uint8_t state)
{
	struct rec_sock_state rec = {.old_state = old_state};

	fx->now_ns += 1000;
	info->state = state;
	rec.sock = *info;
	rec.hdr = fixture__hdr(fx, REC_SOCK_STATE, sizeof(rec), 0);
	fixture__apply(fx, &rec);
}

static inline void fixture__sock_retransmit(struct fixture *fx, const struct sock_info *info)
{
	struct rec_sock_retransmit rec = {.sock = *info};

	rec.hdr = fixture__hdr(fx, REC_SOCK_RETRANSMIT, sizeof(rec), 0);
	fixture__apply(fx, &rec);
}

static inline void fixture__snapshot(struct fixture *fx, enum record_kind kind, uint32_t netns,
				     bool ok)
{
	struct rec_snapshot rec = {.netns = netns, .ok = ok};

	rec.hdr = fixture__hdr(fx, kind, sizeof(rec), 0);
	fixture__apply(fx, &rec);
}

static inline void fixture__owner(struct fixture *fx, uint64_t cookie, uint32_t pid,
				  const char *comm)
{
	struct rec_owner rec = {.cookie = cookie, .pid = pid};

	rec.hdr = fixture__hdr(fx, REC_OWNER, sizeof(rec), 0);
	snprintf(rec.comm, sizeof(rec.comm), "%s", comm);
	fixture__apply(fx, &rec);
}

/* ---- what came of it ---- */

#define MAX_ROWS 16

struct rows {
	const struct session *items[MAX_ROWS];
	size_t count;
};

static inline void rows__add(void *ctx, const struct session *session)
{
	struct rows *rows = ctx;

	assert_true(rows->count < MAX_ROWS);
	rows->items[rows->count++] = session;
}

static inline struct rows fixture__rows(struct fixture *fx)
{
	struct rows rows = {0};

	session_table__visit(fx->table, fx->now_ns, rows__add, &rows);
	return rows;
}

static inline struct session_table_stats fixture__stats(const struct fixture *fx)
{
	struct session_table_stats stats;

	session_table__stats(fx->table, &stats);
	return stats;
}

/* Each event as "kind", "kind:reason", or for states "OLD>NEW", parted by spaces. */
static inline const char *fixture__story(const struct fixture *fx, char *buf, size_t size)
{
	static const char *const kinds[] = {
#define X(id, name) [EVENT_##id] = name,
		EVENT_KINDS(X)
#undef X
	};
	static const char *const states[] = {[0] = "?",
#define X(id, number, name, filter_name) [number] = filter_name,
					     TCP_STATES(X)
#undef X
	};
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < fx->n_told; i++) {
		const struct told *told = &fx->told[i];

		if (i)
			len += snprintf(buf + len, size - len, " ");
		if (told->kind == EVENT_STATE_CHANGE)
			len += snprintf(buf + len, size - len, "%s>%s", states[told->old_state],
					states[told->new_state]);
		else
			len += snprintf(buf + len, size - len, "%s%s%s", kinds[told->kind],
					told->reason[0] ? ":" : "", told->reason);
		assert_true(len < size);
	}
	return buf;
}

#endif
