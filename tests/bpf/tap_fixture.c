/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Namespaces, a veth, and frames made by hand.
 */
#include "tap_fixture.h"

#include <arpa/inet.h>
#include <linux/if_packet.h>
#include <netinet/if_ether.h>
#include <netinet/ip.h>
#include <netinet/tcp.h>
#include <sys/socket.h>

#include <bpf/bpf.h>

#include "user/util/log.h"

#define RING_BYTES  (1u << 16)
#define CACHE_SLOTS 64

static bool is_ready;

int tap_fixture__begin(void **state)
{
	(void)state;
	log__capture_libbpf();
	is_ready = fixture_begin();
	return 0;
}

/* ---- commands -------------------------------------------------------------------------------- */

void tap_fixture__in(const struct netns *ns, const char *fmt, ...)
{
	struct netns_return back;
	char line[256];
	va_list args;
	bool is_done;

	va_start(args, fmt);
	vsnprintf(line, sizeof(line), fmt, args);
	va_end(args);
	assert_int_equal(netns__enter(ns, &back), 0);
	is_done = fixture_run("%s", line);
	netns__leave(&back);
	if (!is_done)
		fail_msg("%s", line);
}

int tap_fixture__count(const struct netns *ns, const char *command)
{
	struct netns_return back;
	int c, lines = 0;
	FILE *output;

	assert_int_equal(netns__enter(ns, &back), 0);
	output = popen(command, "r");
	netns__leave(&back);
	assert_non_null(output);
	while ((c = getc(output)) != EOF)
		lines += c == '\n';
	pclose(output);
	return lines;
}

void tap_fixture__make_veth(const struct tap_fixture *f)
{
	tap_fixture__in(&f->near,
			"ip link add near0 type veth peer name far0 netns /proc/%d/fd/%d && "
			"ip link set near0 up",
			getpid(), f->far.fd);
	tap_fixture__in(&f->far, "ip link set far0 up");
}

/* ---- a test's world -------------------------------------------------------------------------- */

static void open_shared(struct tap_fixture *f)
{
	struct wire_shared *shared = &f->shared;

	assert_int_equal(wire_view__open(&f->view, CACHE_SLOTS), 0);
	*shared = (struct wire_shared){.config = {.wake_bytes = RING_BYTES}};
	wire_view__configure(f->view, &shared->config);
	shared->cache_fd = wire_view__cache_fd(f->view);
	shared->records_fd =
		bpf_map_create(BPF_MAP_TYPE_RINGBUF, "records", 0, 0, RING_BYTES, NULL);
	shared->lost_fd = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "lost", sizeof(uint32_t),
					 sizeof(struct lost_counters), 1, NULL);
	assert_true(shared->records_fd >= 0 && shared->lost_fd >= 0);
}

int tap_fixture__open(void **state)
{
	struct tap_fixture *f = calloc(1, sizeof(*f));

	*state = f;
	if (!f)
		return -1;
	if (!is_ready)
		return 0;
	assert_true(fixture_netns(&f->near, "near") && fixture_netns(&f->far, "far"));
	tap_fixture__make_veth(f);
	open_shared(f);
	f->tc = tap_fixture__query(&f->near, "near0").tcx == ANSWER_YES ? ATTACH_TCX
									: ATTACH_CLSACT;
	f->set = tap_set__new(&f->shared);
	return f->set ? 0 : -1;
}

int tap_fixture__close(void **state)
{
	struct tap_fixture *f = *state;

	if (is_ready) {
		tap_set__free(f->set);
		close(f->shared.records_fd);
		close(f->shared.lost_fd);
		wire_view__close(f->view);
		fixture_netns_end(&f->near);
		fixture_netns_end(&f->far);
	}
	free(f);
	return 0;
}

/* ---- frames ---------------------------------------------------------------------------------- */

struct syn_frame {
	struct ether_header eth;
	struct iphdr ip;
	struct tcphdr tcp;
} __attribute__((packed));

static struct syn_frame make_syn(int number)
{
	struct syn_frame frame = {
		.eth = {.ether_dhost = {0xff, 0xff, 0xff, 0xff, 0xff, 0xff},
			.ether_shost = {2, 0, 0, 0, 0, 9},
			.ether_type = htons(ETHERTYPE_IP)},
		.ip = {.version = 4,
		       .ihl = 5,
		       .ttl = 64,
		       .protocol = IPPROTO_TCP,
		       .tot_len = htons(sizeof(struct iphdr) + sizeof(struct tcphdr)),
		       .saddr = htonl(0x0a4e0001),
		       .daddr = htonl(0x0a4e0002)},
		.tcp = {.source = htons(1000 + number), .dest = htons(80), .doff = 5, .syn = 1},
	};

	return frame;
}

void tap_fixture__send(const struct netns *ns, const char *ifname, int count)
{
	struct sockaddr_ll to = {.sll_family = AF_PACKET, .sll_protocol = htons(ETH_P_IP)};
	struct netns_return back;
	int fd;

	assert_int_equal(netns__enter(ns, &back), 0);
	fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);
	to.sll_ifindex = (int)if_nametoindex(ifname);
	netns__leave(&back);
	assert_true(fd >= 0 && to.sll_ifindex > 0);
	for (int i = 0; i < count; i++) {
		struct syn_frame frame = make_syn(i);

		assert_int_equal(
			sendto(fd, &frame, sizeof(frame), 0, (struct sockaddr *)&to, sizeof(to)),
			sizeof(frame));
	}
	close(fd);
}

void tap_fixture__exchange(const struct tap_fixture *f, const char *ifname)
{
	tap_fixture__send(&f->far, "far0", RECEIVED);
	tap_fixture__send(&f->near, ifname, SENT);
}

/* ---- what is there --------------------------------------------------------------------------- */

struct awaited {
	const struct tap_fixture *f;
	size_t index;
	uint64_t count, counted;
};

static bool has_counted(void *ctx)
{
	struct awaited *awaited = ctx;
	struct wire_counters counters;

	assert_int_equal(tap_set__counters(awaited->f->set, awaited->index, &counters), 0);
	awaited->counted = counters.value[WIRE_SYN];
	return awaited->counted >= awaited->count;
}

void tap_fixture__await_syns(const struct tap_fixture *f, size_t index, uint64_t count)
{
	struct awaited awaited = {f, index, count, 0};

	(void)fixture_until(has_counted, &awaited);
	assert_int_equal(awaited.counted, count);
}

struct iface tap_fixture__iface(const struct netns *ns, const char *name)
{
	struct iface_list list;
	struct iface iface = {0};

	assert_int_equal(iface_list__read(&list, ns), 0);
	for (size_t i = 0; i < list.count; i++)
		if (!strcmp(list.items[i].name, name))
			iface = list.items[i];
	iface_list__free(&list);
	assert_true(iface.ifindex);
	return iface;
}

struct hook_query tap_fixture__query(const struct netns *ns, const char *name)
{
	struct netns_return back;
	struct hook_query query;

	assert_int_equal(netns__enter(ns, &back), 0);
	assert_int_equal(hook_query__ask(&query, if_nametoindex(name)), 0);
	netns__leave(&back);
	return query;
}

static bool is_bare(const struct tap_fixture *f, const char *name)
{
	struct hook_query query = tap_fixture__query(&f->near, name);

	return !query.xdp.count && !query.tcx_ingress.count && !query.tcx_egress.count;
}

static bool is_all_bare(void *ctx)
{
	const struct tap_fixture *f = ctx;

	return is_bare(f, "near0") && is_bare(f, "lo") &&
	       !tap_fixture__count(&f->near, "tc qdisc show | grep clsact");
}

bool tap_fixture__becomes_bare(const struct tap_fixture *f)
{
	return fixture_until(is_all_bare, (void *)f);
}
