/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The socket view in a namespace of its own. Not here: assertions about what it says.
 */
#include "sock_fixture.h"

#include <errno.h>
#include <net/if.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#define MAX_EVENTS 65536
#define MAX_LISTED 65536
#define TICK_MS	   10

uint64_t clock_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * TW_NSEC_PER_SEC + ts.tv_nsec;
}

uint64_t clock_ms(void)
{
	return clock_ns() / 1000000;
}

int sock_fixture__own_namespace(void **state)
{
	struct ifreq ifr = {.ifr_name = "lo", .ifr_flags = IFF_UP | IFF_LOOPBACK | IFF_RUNNING};
	int fd, err;

	(void)state;
	if (unshare(CLONE_NEWNET)) {
		print_message("SKIP: cannot make a network namespace: %s\n", strerror(errno));
		return -1;
	}
	fd = socket(AF_INET, SOCK_DGRAM, 0);
	err = fd < 0 || ioctl(fd, SIOCSIFFLAGS, &ifr);
	close(fd);
	return err;
}

static int on_event(void *ctx, void *data, size_t size)
{
	struct sock_fixture *f = ctx;

	assert_true(f->n_events < MAX_EVENTS && size <= sizeof(union record));
	memcpy(&f->events[f->n_events++], data, size);
	return 0;
}

static void on_listed(void *ctx, const union record *record)
{
	struct sock_fixture *f = ctx;

	assert_true(f->n_listed < MAX_LISTED && record->hdr.size <= sizeof(*record));
	memcpy(&f->listed[f->n_listed++], record, record->hdr.size);
}

void sock_fixture__open(struct sock_fixture *f, uint32_t record_mask, uint32_t ring_bytes)
{
	const struct sock_config config = {
		.record_mask = record_mask | 1u << REC_SOCK | 1u << REC_OWNER | 1u << REC_TUPLE,
		.wake_bytes = 1,
	};

	sock_fixture__open_as(f, &config, ring_bytes);
}

void sock_fixture__open_as(struct sock_fixture *f, const struct sock_config *config,
			   uint32_t ring_bytes)
{
	struct sock_maps maps;
	struct stat st;

	memset(f, 0, sizeof(*f));
	assert_int_equal(stat("/proc/thread-self/ns/net", &st), 0);
	f->ns = (struct netns){.inum = st.st_ino, .fd = -1, .name = "self"};
	f->list = (struct netns_list){.items = &f->ns, .count = 1};
	f->events = calloc(MAX_EVENTS, sizeof(*f->events));
	f->listed = calloc(MAX_LISTED, sizeof(*f->listed));
	f->records_fd =
		bpf_map_create(BPF_MAP_TYPE_RINGBUF, "test_records", 0, 0, ring_bytes, NULL);
	f->lost_fd = bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "test_lost", sizeof(uint32_t),
				    sizeof(struct lost_counters), 1, NULL);
	f->ring = ring_buffer__new(f->records_fd, on_event, f, NULL);
	assert_true(f->events && f->listed && f->ring && f->lost_fd >= 0);
	maps = (struct sock_maps){f->records_fd, f->lost_fd, LISTENER_MAPS_NONE};
	assert_int_equal(sock_view__open(&f->view, &f->list, config, &maps), 0);
}

void sock_fixture__close(struct sock_fixture *f)
{
	sock_view__close(f->view);
	ring_buffer__free(f->ring);
	close(f->records_fd);
	close(f->lost_fd);
	free(f->events);
	free(f->listed);
}

void sock_fixture__drain(struct sock_fixture *f)
{
	assert_true(ring_buffer__consume(f->ring) >= 0);
}

void sock_fixture__forget(struct sock_fixture *f)
{
	sock_fixture__drain(f);
	f->n_events = 0;
}

static const union record *wait_for(struct sock_fixture *f, enum record_kind kind, uint64_t cookie,
				    int new_state)
{
	uint64_t deadline = clock_ms() + DEADLINE_MS;
	size_t i = 0;

	sock_fixture__drain(f);
	while (clock_ms() < deadline) {
		for (; i < f->n_events; i++) {
			const union record *r = &f->events[i];

			if (r->hdr.kind != kind)
				continue;
			if ((!cookie || r->sock_state.sock.cookie == cookie) &&
			    (!new_state || r->sock_state.sock.state == new_state))
				return r;
		}
		ring_buffer__poll(f->ring, TICK_MS);
	}
	fail_msg("no record of kind %d, socket %llu, state %d came", kind,
		 (unsigned long long)cookie, new_state);
	return NULL;
}

const struct rec_sock_state *sock_fixture__state(struct sock_fixture *f, uint64_t cookie,
						 enum tcp_state state)
{
	return &wait_for(f, REC_SOCK_STATE, cookie, state)->sock_state;
}

const union record *sock_fixture__event(struct sock_fixture *f, enum record_kind kind)
{
	return wait_for(f, kind, 0, 0);
}

static void list_sockets(struct sock_fixture *f)
{
	f->n_listed = 0;
	assert_int_equal(sock_view__snapshot(f->view, on_listed, f), 0);
	assert_int_equal(f->listed[0].hdr.kind, REC_SNAPSHOT_BEGIN);
	assert_int_equal(f->listed[f->n_listed - 1].hdr.kind, REC_SNAPSHOT_END);
	assert_int_equal(f->listed[f->n_listed - 1].snapshot.ok, 1);
	assert_int_equal(f->listed[0].snapshot.netns, f->ns.inum);
}

static const struct sock_info *nth_socket(const struct sock_fixture *f, size_t i)
{
	return f->listed[i].hdr.kind == REC_SOCK ? &f->listed[i].sock.sock : NULL;
}

const struct sock_info *sock_fixture__by_cookie(struct sock_fixture *f, uint64_t cookie)
{
	list_sockets(f);
	for (size_t i = 0; i < f->n_listed; i++) {
		const struct sock_info *info = nth_socket(f, i);

		if (info && info->cookie == cookie)
			return info;
	}
	return NULL;
}

const struct sock_info *sock_fixture__by_ports(struct sock_fixture *f, uint16_t local,
					       uint16_t remote)
{
	list_sockets(f);
	for (size_t i = 0; i < f->n_listed; i++) {
		const struct sock_info *info = nth_socket(f, i);

		if (info && info->local_port == local && info->remote_port == remote)
			return info;
	}
	return NULL;
}

const struct sock_info *sock_fixture__until(struct sock_fixture *f, uint16_t local, uint16_t remote,
					    enum tcp_state state)
{
	uint64_t deadline = clock_ms() + DEADLINE_MS;
	const struct sock_info *info;

	do {
		info = sock_fixture__by_ports(f, local, remote);
		if (info && info->state == state)
			return info;
		ring_buffer__poll(f->ring, TICK_MS);
	} while (clock_ms() < deadline);
	fail_msg("socket %u-%u is not in state %d but %d", local, remote, state,
		 info ? info->state : -1);
	return NULL;
}

const struct rec_tuple *sock_fixture__tuple(struct sock_fixture *f, uint16_t local, uint16_t remote)
{
	f->n_listed = 0;
	assert_int_equal(sock_view__tuples(f->view, on_listed, f), 0);
	for (size_t i = 0; i < f->n_listed; i++) {
		const struct rec_tuple *tuple = &f->listed[i].tuple;

		if (tuple->hdr.kind == REC_TUPLE && tuple->local_port == local &&
		    tuple->remote_port == remote)
			return tuple;
	}
	return NULL;
}

void sock_fixture__owners(struct sock_fixture *f)
{
	f->n_listed = 0;
	assert_int_equal(sock_view__owners(f->view, on_listed, f), 0);
}

void sock_fixture__listeners(struct sock_fixture *f)
{
	f->n_listed = 0;
	assert_int_equal(sock_view__listeners(f->view, on_listed, f), 0);
}

void sock_fixture__listener_owners(struct sock_fixture *f, const uint64_t *cookies, size_t count)
{
	f->n_listed = 0;
	assert_int_equal(sock_view__listener_owners(f->view, cookies, count, on_listed, f), 0);
}

uint64_t sock_fixture__counter(struct sock_fixture *f, enum sock_counter which)
{
	struct sock_counters counters;

	assert_int_equal(sock_view__counters(f->view, &counters), 0);
	return counters.value[which];
}

uint64_t sock_fixture__lost(struct sock_fixture *f, enum record_kind kind)
{
	int n_cpus = libbpf_num_possible_cpus();
	struct lost_counters *lost = calloc(n_cpus, sizeof(*lost));
	uint32_t zero = 0;
	uint64_t sum = 0;

	assert_non_null(lost);
	assert_int_equal(bpf_map_lookup_elem(f->lost_fd, &zero, lost), 0);
	for (int cpu = 0; cpu < n_cpus; cpu++)
		sum += lost[cpu].value[kind];
	free(lost);
	return sum;
}
