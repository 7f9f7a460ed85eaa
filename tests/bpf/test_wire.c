/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The real wire programs in the real kernel (BPF_PROG_TEST_RUN): what they keep in the cache,
 * report and count, and that they leave every frame as it was. The captures must give the verdicts
 * that the same tracker gives natively.
 */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#define lib_pcap_bpf_h /* keeps out pcap/bpf.h, whose struct bpf_insn is another one */
#include <pcap/pcap.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/shared/evidence.h"
#include "bpf/shared/parse.h"
#include "user/source/wire_view.h"
#include "tests/unit/tracker.h"

#include "wire.skel.h"

#define MAX_RECORDS 4096
#define FRAME_MAX   2048

enum hook { HOOK_XDP, HOOK_TC_IN, HOOK_TC_OUT, N_HOOKS };

struct bench {
	struct wire_bpf *skel;
	struct wire_view *view;
	struct ring_buffer *ring;
	union record records[MAX_RECORDS];
	size_t n_records;
	struct fragment live[MAX_RECORDS];
	size_t n_live;
};

static uint64_t mono_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * TW_NSEC_PER_SEC + ts.tv_nsec;
}

static int on_record(void *ctx, void *data, size_t size)
{
	struct bench *b = ctx;

	assert_true(b->n_records < MAX_RECORDS && size <= sizeof(union record));
	memcpy(&b->records[b->n_records++], data, size);
	return 0;
}

static void on_live(void *ctx, const union record *record)
{
	struct bench *b = ctx;

	assert_int_equal(record->hdr.kind, REC_FRAGMENT);
	assert_true(b->n_live < MAX_RECORDS);
	b->live[b->n_live++] = record->fragment.frag;
}

static void on_scanned(void *ctx, const union record *records, size_t count)
{
	for (size_t i = 0; i < count; i++)
		on_live(ctx, &records[i]);
}

static struct bench *bench__open_for(uint32_t slots, uint32_t ring_bytes, uint32_t record_mask)
{
	struct bench *b = calloc(1, sizeof(*b));

	assert_non_null(b);
	assert_int_equal(wire_view__open(&b->view, slots), 0);
	b->skel = wire_bpf__open();
	assert_non_null(b->skel);
	assert_int_equal(bpf_map__reuse_fd(b->skel->maps.cache, wire_view__cache_fd(b->view)), 0);
	assert_int_equal(bpf_map__set_max_entries(b->skel->maps.records, ring_bytes), 0);
	wire_view__configure(b->view, &b->skel->rodata->cfg);
	b->skel->rodata->cfg.tap = 7;
	b->skel->rodata->cfg.record_mask = record_mask;
	b->skel->rodata->cfg.wake_bytes = 1 << 30;
	assert_int_equal(wire_bpf__load(b->skel), 0);
	b->ring = ring_buffer__new(bpf_map__fd(b->skel->maps.records), on_record, b, NULL);
	assert_non_null(b->ring);
	return b;
}

static struct bench *bench__open(uint32_t slots, uint32_t ring_bytes)
{
	return bench__open_for(slots, ring_bytes, ~0u);
}

static void bench__close(struct bench *b)
{
	ring_buffer__free(b->ring);
	wire_bpf__destroy(b->skel);
	wire_view__close(b->view);
	free(b);
}

static int hook_fd(const struct bench *b, enum hook hook)
{
	switch (hook) {
	case HOOK_XDP:
		return bpf_program__fd(b->skel->progs.wire_xdp);
	case HOOK_TC_IN:
		return bpf_program__fd(b->skel->progs.wire_tc_ingress);
	default:
		return bpf_program__fd(b->skel->progs.wire_tc_egress);
	}
}

/* Runs one frame; it must come out as it went in. The kernel takes none shorter than an Ethernet
 * header. */
static void run(struct bench *b, enum hook hook, const void *frame, size_t len)
{
	uint8_t out[FRAME_MAX];
	LIBBPF_OPTS(bpf_test_run_opts, opts, .data_in = frame, .data_size_in = len, .data_out = out,
		    .data_size_out = sizeof(out));

	assert_true(len <= sizeof(out));
	assert_int_equal(bpf_prog_test_run_opts(hook_fd(b, hook), &opts), 0);
	assert_int_equal((int)opts.retval,
			 hook == HOOK_XDP ? 2 /* XDP_PASS */ : -1 /* TC_ACT_UNSPEC */);
	assert_int_equal(opts.data_size_out, len);
	assert_memory_equal(out, frame, len);
}

static struct wire_counters counters(const struct bench *b)
{
	int n = libbpf_num_possible_cpus();
	struct wire_counters *per_cpu = calloc(n, sizeof(*per_cpu)), sum = {0};
	uint32_t zero = 0;

	assert_non_null(per_cpu);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(b->skel->maps.counters), &zero, per_cpu),
			 0);
	for (int cpu = 0; cpu < n; cpu++)
		wire_counters__add(&sum, &per_cpu[cpu]);
	free(per_cpu);
	return sum;
}

/* ---- frames ---------------------------------------------------------------------------------- */

struct tcp_frame {
	struct hdr_eth eth;
	struct hdr_ipv4 ip;
	struct hdr_tcp tcp;
	uint8_t rest[64];
} __attribute__((packed));

static size_t make_frame(struct tcp_frame *f, bool to_server, uint32_t client, uint8_t flags,
			 uint32_t seq, uint32_t ack, uint16_t payload)
{
	memset(f, 0, sizeof(*f));
	f->eth.type = TW_BE16(ETH_TYPE_IPV4);
	f->ip.version_ihl = 0x45;
	f->ip.protocol = IP_PROTO_TCP;
	f->ip.total_len = TW_BE16(sizeof(f->ip) + sizeof(f->tcp) + payload);
	f->ip.src = to_server ? TW_BE32(client) : TW_BE32(0x0a000001);
	f->ip.dst = to_server ? TW_BE32(0x0a000001) : TW_BE32(client);
	f->tcp.sport = to_server ? TW_BE16(40000) : TW_BE16(80);
	f->tcp.dport = to_server ? TW_BE16(80) : TW_BE16(40000);
	f->tcp.seq = TW_BE32(seq);
	f->tcp.ack = TW_BE32(ack);
	f->tcp.data_off = 0x50;
	f->tcp.flags = flags;
	f->tcp.window = TW_BE16(1000);
	return offsetof(struct tcp_frame, rest) + payload;
}

#define CLIENT 0x0a000002

static void send_tcp(struct bench *b, enum hook hook, bool to_server, uint8_t flags, uint32_t seq,
		     uint32_t ack, uint16_t payload)
{
	struct tcp_frame f;
	size_t len = make_frame(&f, to_server, CLIENT, flags, seq, ack, payload);

	run(b, hook, &f, len);
}

/* A whole session, client's segments by one hook and server's by another. */
static void send_session(struct bench *b, enum hook in, enum hook out)
{
	send_tcp(b, in, true, TCPF_SYN, 100, 0, 0);
	send_tcp(b, out, false, TCPF_SYN | TCPF_ACK, 900, 101, 0);
	send_tcp(b, in, true, TCPF_ACK, 101, 901, 0);
	send_tcp(b, in, true, TCPF_ACK | TCPF_PSH, 101, 901, 10);
	send_tcp(b, out, false, TCPF_ACK | TCPF_PSH, 901, 111, 20);
	send_tcp(b, in, true, TCPF_ACK, 111, 921, 0);
	send_tcp(b, in, true, TCPF_ACK | TCPF_FIN, 111, 921, 0);
	send_tcp(b, out, false, TCPF_ACK | TCPF_FIN, 921, 112, 0);
	send_tcp(b, in, true, TCPF_ACK, 112, 922, 0);
}

static void judge_live(struct bench *b, struct evidence *ev, struct evidence_verdict *v)
{
	b->n_live = 0;
	assert_int_equal(wire_view__scan(b->view, mono_ns(), on_scanned, b), 0);
	assert_true(b->n_live > 0);
	evidence__init(ev, &b->live[0].key);
	for (size_t i = 0; i < b->n_live; i++)
		if (flow_key__equal(&b->live[i].key, &ev->key))
			evidence__add_fragment(ev, &b->live[i], mono_ns());
	/* A session's first SYN is counted by its record alone. */
	ring_buffer__consume(b->ring);
	for (size_t i = 0; i < b->n_records; i++)
		if (b->records[i].hdr.kind == REC_SEGMENT &&
		    flow_key__equal(&b->records[i].segment.key, &ev->key))
			evidence__add_segment(ev, &b->records[i].segment);
	evidence__judge(ev, mono_ns(), v);
}

/* ---- tests ----------------------------------------------------------------------------------- */

static const struct {
	const char *name;
	enum hook in, out;
} hook_pairs[] = {
	{"xdp both ways", HOOK_XDP, HOOK_XDP},
	{"xdp in, tc out", HOOK_XDP, HOOK_TC_OUT},
	{"tc in, tc out", HOOK_TC_IN, HOOK_TC_OUT},
};

static void test_session_by_each_hook(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(hook_pairs) / sizeof(hook_pairs[0]); i++) {
		struct bench *b = bench__open(1024, 1 << 20);
		struct evidence_verdict v;
		struct evidence ev;

		send_session(b, hook_pairs[i].in, hook_pairs[i].out);
		judge_live(b, &ev, &v);
		assert_int_equal(ev.key.tap, 7);
		assert_string_equal(v.history, "ShADdFf");
		assert_int_equal(v.conn_state, CONN_SF);
		assert_int_equal(v.state[v.originator], TCPS_TIME_WAIT);
		assert_int_equal(v.state[!v.originator], TCPS_CLOSED);
		assert_int_equal(evidence__bytes(&ev, v.originator), 10);
		assert_int_equal(evidence__bytes(&ev, !v.originator), 20);
		assert_int_equal(ev.half[v.originator].segments, 6);
		assert_true(v.syn_ns < v.synack_ns && v.synack_ns < v.ack_ns);
		assert_true(v.ack_ns <= mono_ns());
		bench__close(b);
	}
}

static void test_reports_and_counters(void **state)
{
	static const uint8_t why[] = {SEG_NEW_STEP, SEG_NEW_STEP, SEG_NEW_STEP, SEG_NEW_STEP,
				      SEG_NEW_STEP, SEG_NEW_STEP, SEG_NEW_STEP, SEG_CLOSING_ACK};
	struct bench *b = bench__open(1024, 1 << 20);
	struct wire_counters cnt;

	(void)state;
	send_session(b, HOOK_XDP, HOOK_TC_OUT);
	assert_int_equal(ring_buffer__consume(b->ring), sizeof(why));
	for (size_t i = 0; i < sizeof(why); i++) {
		assert_int_equal(b->records[i].hdr.kind, REC_SEGMENT);
		assert_int_equal(b->records[i].hdr.size, sizeof(struct rec_segment));
		assert_int_equal(b->records[i].segment.why, why[i]);
	}
	assert_int_equal(b->records[0].segment.ingress, 1);
	assert_int_equal(b->records[1].segment.ingress, 0);
	cnt = counters(b);
	assert_int_equal(cnt.value[WIRE_FRAMES], 9);
	assert_int_equal(cnt.value[WIRE_SEGMENTS], 9);
	assert_int_equal(cnt.value[WIRE_BYTES], 30);
	assert_int_equal(cnt.value[WIRE_SYN], 1);
	assert_int_equal(cnt.value[WIRE_SYNACK], 1);
	assert_int_equal(cnt.value[WIRE_FIN], 2);
	assert_int_equal(cnt.value[WIRE_INSERTED], 1);
	bench__close(b);
}

static void test_syn_options_are_reported(void **state)
{
	static const uint8_t options[] = {2, 4, 5, 180, 4, 2, 8, 10, 0, 0,
					  0, 1, 0, 0,	0, 0, 1, 3,  3, 7};
	struct bench *b = bench__open(1024, 1 << 20);
	struct tcp_frame f;
	size_t len = make_frame(&f, true, CLIENT, TCPF_SYN, 1, 0, sizeof(options));

	(void)state;
	memcpy(f.rest, options, sizeof(options));
	f.tcp.data_off = (sizeof(f.tcp) + sizeof(options)) / 4 << 4;
	run(b, HOOK_XDP, &f, len);
	run(b, HOOK_TC_IN, &f, len);
	assert_int_equal(ring_buffer__consume(b->ring), 2);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(b->records[i].segment.seg.opt_bytes, sizeof(options));
		assert_memory_equal(b->records[i].segment.options, options, sizeof(options));
	}
	bench__close(b);
}

static const struct {
	const char *name;
	size_t at; /* byte of a SYN frame to change */
	uint8_t value;
	size_t cut; /* new length, 0: whole */
	enum wire_counter counted;
} refused[] = {
	{"ARP", 12, 0x08 + 0x10, 0, WIRE_NOT_TCP},
	{"UDP", 23, 17, 0, WIRE_NOT_TCP},
	{"bare Ethernet header", 0, 0, 14, WIRE_TRUNCATED},
	{"half an IP header", 0, 0, 24, WIRE_TRUNCATED},
	{"half a TCP header", 0, 0, 44, WIRE_TRUNCATED},
	{"IP version 5", 14, 0x55, 0, WIRE_BAD_HEADER},
	{"IP header of 16 bytes", 14, 0x44, 0, WIRE_BAD_HEADER},
	{"TCP header of 4 bytes", 46, 0x10, 0, WIRE_BAD_HEADER},
	{"TCP header longer than the packet", 46, 0xf0, 0, WIRE_BAD_HEADER},
	{"later fragment", 21, 1, 0, WIRE_IP_FRAGMENT},
	{"no flags", 47, 0, 0, WIRE_BAD_FLAGS},
	{"SYN and FIN", 47, 3, 0, WIRE_BAD_FLAGS},
	{"SYN and RST", 47, 6, 0, WIRE_BAD_FLAGS},
	{"Christmas tree", 47, 0x29, 0, WIRE_BAD_FLAGS},
};

static void test_refused_frames_are_counted(void **state)
{
	struct bench *b = bench__open(1024, 1 << 20);

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		struct wire_counters before = counters(b), after;
		unsigned hooks;
		struct tcp_frame f;
		size_t len = make_frame(&f, true, CLIENT, TCPF_SYN, 1, 0, 0);

		if (!refused[i].cut)
			((uint8_t *)&f)[refused[i].at] = refused[i].value;
		/* As an skb the test run takes nothing shorter than its IP header. */
		hooks = refused[i].cut && refused[i].cut < 34 ? HOOK_XDP + 1 : N_HOOKS;
		for (enum hook hook = 0; hook < hooks; hook++)
			run(b, hook, &f, refused[i].cut ? refused[i].cut : len);
		after = counters(b);
		if (after.value[refused[i].counted] != before.value[refused[i].counted] + hooks)
			fail_msg("%s", refused[i].name);
		assert_int_equal(after.value[WIRE_SEGMENTS], 0);
	}
	assert_int_equal(ring_buffer__consume(b->ring), 0);
	bench__close(b);
}

/*
 * Ten times as many half-open sessions as there is room: an open one stays, each evicted one is
 * handed over, unless the record of its SYN has told all of it.
 */
static void flood_open_sessions(uint32_t record_mask)
{
	struct bench *b = bench__open_for(64, 1 << 24, record_mask);
	struct evidence_verdict v;
	struct evidence ev;
	struct wire_counters cnt;
	uint64_t told = 0;
	size_t opened;

	send_tcp(b, HOOK_XDP, true, TCPF_SYN, 100, 0, 0);
	send_tcp(b, HOOK_XDP, false, TCPF_SYN | TCPF_ACK, 900, 101, 0);
	send_tcp(b, HOOK_XDP, true, TCPF_ACK, 101, 901, 0);
	judge_live(b, &ev, &v);
	opened = b->n_live;
	for (uint32_t i = 0; i < 1000; i++) {
		struct tcp_frame f;
		size_t len = make_frame(&f, true, 0x0b000000 + i, TCPF_SYN, i, 0, 0);

		run(b, HOOK_XDP, &f, len);
	}
	send_tcp(b, HOOK_XDP, true, TCPF_ACK, 101, 901, 10);
	ring_buffer__consume(b->ring);
	for (size_t i = 0; i < b->n_records; i++) {
		const union record *rec = &b->records[i];

		if (rec->hdr.kind == REC_FRAGMENT)
			assert_int_equal(rec->fragment.why, FRAGMENT_EVICTED);
		told += rec->hdr.kind == REC_FRAGMENT || rec->segment.seg.flags == TCPF_SYN;
	}
	cnt = counters(b);
	assert_true(cnt.value[WIRE_EVICTED] >= 1000 - 2 * 64);
	if (record_mask & 1u << REC_SEGMENT)
		assert_int_equal(told, 1001); /* each by the record of its SYN, and no more */
	else
		assert_int_equal(told, cnt.value[WIRE_EVICTED]);
	b->n_live = 0;
	wire_view__pull(b->view, &ev.key, mono_ns(), on_live, b);
	assert_int_equal(b->n_live, opened);
	assert_true(b->live[0].step_at[v.originator][STEP_DATA]);
	bench__close(b);
}

static void test_flood_keeps_open_sessions(void **state)
{
	(void)state;
	flood_open_sessions(1u << REC_FRAGMENT);
	flood_open_sessions(1u << REC_FRAGMENT | 1u << REC_SEGMENT);
}

/* Clients whose sessions share a set in the smallest cache. */
#define RIVALS 8

static void find_rivals(const struct bench *b, uint32_t clients[RIVALS])
{
	const struct ip_addr server = {.words = {0, 0, TW_BE32(0xffff), TW_BE32(0x0a000001)}};
	uint32_t set = 0, n = 0;

	for (uint32_t client = 0x0b000000; n < RIVALS; client++) {
		struct ip_addr addr = {.words = {0, 0, TW_BE32(0xffff), TW_BE32(client)}};
		struct flow_key key;
		uint32_t hash;

		flow_key__set(&key, &addr, TW_BE16(40000), &server, TW_BE16(80), 7);
		hash = flow_key__hash(&key, b->skel->rodata->cfg.hash_seed) &
		       (b->skel->rodata->cfg.n_sets - 1);
		if (!n)
			set = hash;
		if (hash == set)
			clients[n++] = client;
	}
}

enum rival_step { RIVAL_SYN, RIVAL_ACK, RIVAL_FIN };

static uint64_t coarse_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC_COARSE, &ts);
	return ts.tv_sec * TW_NSEC_PER_SEC + ts.tv_nsec;
}

/* The order of use is kept to a tick: two segments of one session within it count as the first. */
static void wait_for_tick(void)
{
	uint64_t from = coarse_ns();

	while (coarse_time(coarse_ns()) - coarse_time(from) < 2)
		;
}

static void rival_goes(struct bench *b, uint32_t client, enum rival_step step)
{
	static const uint8_t flags[] = {
		[RIVAL_SYN] = TCPF_SYN,
		[RIVAL_ACK] = TCPF_ACK,
		[RIVAL_FIN] = TCPF_ACK | TCPF_FIN,
	};
	struct tcp_frame f;
	size_t len = make_frame(&f, true, client, flags[step], step == RIVAL_SYN ? 100 : 101,
				step == RIVAL_SYN ? 0 : 901, 0);

	if (step == RIVAL_ACK)
		wait_for_tick();
	run(b, HOOK_XDP, &f, len);
}

/* Who goes how, and which of the four in the set is given up for it; -1: nobody. */
static const struct {
	int8_t who, gives_up;
	enum rival_step step;
} rivalry[] = {
	{0, -1, RIVAL_SYN}, {0, -1, RIVAL_ACK}, {1, -1, RIVAL_SYN},
	{1, -1, RIVAL_FIN}, {2, -1, RIVAL_SYN}, {3, -1, RIVAL_SYN},
	{4, 2, RIVAL_SYN},			/* half-open ones first, the oldest of them */
	{5, 3, RIVAL_SYN},  {4, -1, RIVAL_SYN}, /* sent again: now 5 is the oldest */
	{6, 5, RIVAL_SYN},  {4, -1, RIVAL_ACK}, {6, -1, RIVAL_ACK},
	{7, 1, RIVAL_SYN}, /* no other half-open one: the closing one */
	{7, -1, RIVAL_ACK}, {0, -1, RIVAL_ACK}, {1, 4, RIVAL_SYN}, /* all are open */
};

static void test_set_gives_up_the_least(void **state)
{
	struct bench *b = bench__open_for(64, 1 << 20, 1u << REC_FRAGMENT);
	uint32_t clients[RIVALS];

	(void)state;
	find_rivals(b, clients);
	for (size_t i = 0; i < sizeof(rivalry) / sizeof(rivalry[0]); i++) {
		int given_up = -1;

		b->n_records = 0;
		rival_goes(b, clients[rivalry[i].who], rivalry[i].step);
		ring_buffer__consume(b->ring);
		for (int who = 0; b->n_records && who < RIVALS; who++)
			if (b->records[0].fragment.frag.key.addr[DIR_HIGH].words[3] ==
			    TW_BE32(clients[who]))
				given_up = who;
		if (given_up != rivalry[i].gives_up)
			fail_msg("step %zu gives up %d", i, given_up);
	}
	bench__close(b);
}

static void test_full_ring_is_counted(void **state)
{
	struct bench *b = bench__open(1024, 4096);
	int n = libbpf_num_possible_cpus();
	struct lost_counters *per_cpu = calloc(n, sizeof(*per_cpu));
	uint64_t lost = 0;
	uint32_t zero = 0;

	(void)state;
	for (uint32_t i = 0; i < 100; i++) {
		struct tcp_frame f;
		size_t len = make_frame(&f, true, 0x0b000000 + i, TCPF_SYN, i, 0, 0);

		run(b, HOOK_XDP, &f, len);
	}
	ring_buffer__consume(b->ring);
	assert_int_equal(bpf_map_lookup_elem(bpf_map__fd(b->skel->maps.lost), &zero, per_cpu), 0);
	for (int cpu = 0; cpu < n; cpu++)
		lost += per_cpu[cpu].value[REC_SEGMENT];
	assert_true(b->n_records > 0);
	assert_int_equal(b->n_records + lost, 100);
	free(per_cpu);
	bench__close(b);
}

/* A second scan gives only what changed since the first. */
static void test_scan_gives_what_changed(void **state)
{
	struct bench *b = bench__open(4096, 1 << 20);
	struct evidence_verdict v;
	struct wire_view_stats stats;
	struct evidence ev;

	(void)state;
	for (uint32_t i = 0; i < 50; i++) {
		struct tcp_frame f;
		size_t len = make_frame(&f, true, 0x0b000000 + i, TCPF_SYN, i, 0, 0);

		run(b, HOOK_XDP, &f, len);
	}
	judge_live(b, &ev, &v);
	assert_int_equal(b->n_live, 50);
	wire_view__stats(b->view, &stats);
	assert_int_equal(stats.used, 50);
	assert_int_equal(stats.torn_reads, 0);
	assert_true(stats.bytes <= stats.slots * 160);
	b->n_live = 0;
	wire_view__scan(b->view, mono_ns(), on_scanned, b);
	assert_int_equal(b->n_live, 0);
	send_tcp(b, HOOK_XDP, true, TCPF_SYN, 100, 0, 0);
	wire_view__scan(b->view, mono_ns(), on_scanned, b);
	assert_int_equal(b->n_live, 1);
	bench__close(b);
}

static const char *const captures[] = {
	"ftp-ipv4.pcap",
	"http-connect-with-smtp.pcap",
	"ldap-ldap-starttls.pcap",
	"pop3-redis-50-pings.pcap",
	"tcp-http-with-padding.pcap",
	"tls-xmpp-starttls.pcap",
};

/* Every session of a capture, tracked by the kernel, judged as the native tracker's. */
static void check_capture(struct bench *b, const char *name)
{
	char path[256], err[PCAP_ERRBUF_SIZE];
	struct tracker native = {0};
	struct pcap_pkthdr *hdr;
	const u_char *data;
	pcap_t *pcap;

	snprintf(path, sizeof(path), "tests/captures/%s", name);
	pcap = pcap_open_offline(path, err);
	assert_non_null(pcap);
	while (pcap_next_ex(pcap, &hdr, &data) == 1) {
		struct frame frame = {
			.data = data, .end = data + hdr->caplen, .len = hdr->caplen, .segs = 1};

		run(b, HOOK_XDP, data, hdr->caplen);
		tracker__frame(&native, &frame, mono_ns());
	}
	pcap_close(pcap);
	for (size_t i = 0; i < native.count; i++) {
		struct flow_key key = native.items[i].frag.key;
		struct evidence here = {0}, there = {0};
		struct evidence_verdict v_here, v_there;

		if (native.items[i].is_over)
			continue;
		key.tap = 7;
		b->n_live = 0;
		wire_view__pull(b->view, &key, mono_ns(), on_live, b);
		evidence__init(&here, &key);
		evidence__init(&there, &key);
		for (size_t j = 0; j < b->n_live; j++)
			evidence__add_fragment(&there, &b->live[j], mono_ns());
		evidence__add_fragment(&here, &native.items[i].frag, mono_ns());
		evidence__judge(&here, mono_ns(), &v_here);
		evidence__judge(&there, mono_ns(), &v_there);
		assert_string_equal(v_here.history, v_there.history);
		assert_int_equal(v_here.conn_state, v_there.conn_state);
		assert_memory_equal(v_here.state, v_there.state, sizeof(v_here.state));
		for (unsigned dir = 0; dir < DIR_COUNT; dir++)
			assert_int_equal(evidence__bytes(&here, dir), evidence__bytes(&there, dir));
	}
	tracker__free(&native);
}

static void test_kernel_and_native_agree(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(captures) / sizeof(captures[0]); i++) {
		struct bench *b = bench__open(1024, 1 << 22);

		check_capture(b, captures[i]);
		bench__close(b);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_session_by_each_hook),
		cmocka_unit_test(test_reports_and_counters),
		cmocka_unit_test(test_syn_options_are_reported),
		cmocka_unit_test(test_refused_frames_are_counted),
		cmocka_unit_test(test_flood_keeps_open_sessions),
		cmocka_unit_test(test_set_gives_up_the_least),
		cmocka_unit_test(test_full_ring_is_counted),
		cmocka_unit_test(test_scan_gives_what_changed),
		cmocka_unit_test(test_kernel_and_native_agree),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
