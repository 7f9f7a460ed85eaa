/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Attaches bare.bpf.c to an interface and, unless told "tap", to the sockets of its namespace, and
 * throws away what it tells, until it is ended: what any tool costs that tells of the same.
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>
#include <net/if.h>

#include "bare.skel.h"

#define TCX_INGRESS 46 /* enum bpf_attach_type, Linux 6.6 */
#define TCX_EGRESS  47

#define RING_BYTES  (8u << 20) /* as tcpwatch's where events are wanted */
#define TICK_US	    10000      /* likewise, while records come */

static int throw_away(void *ctx, void *data, size_t size)
{
	(void)ctx;
	(void)data;
	(void)size;
	return 0;
}

static int attach_tap(const struct bare_bpf *skel, const char *ifname)
{
	int ingress = bpf_program__fd(skel->progs.bare_ingress);
	int egress = bpf_program__fd(skel->progs.bare_egress);
	int ifindex = (int)if_nametoindex(ifname);

	if (!ifindex || bpf_link_create(ingress, ifindex, TCX_INGRESS, NULL) < 0 ||
	    bpf_link_create(egress, ifindex, TCX_EGRESS, NULL) < 0)
		return -errno;
	return 0;
}

static int load(struct bare_bpf *skel, bool is_tap_alone)
{
	struct stat st;

	if (stat("/proc/self/ns/net", &st))
		return -errno;
	skel->rodata->netns = st.st_ino;
	bpf_program__set_autoload(skel->progs.bare_sock_state, !is_tap_alone);
	return bpf_map__set_max_entries(skel->maps.records, RING_BYTES) ?: bare_bpf__load(skel);
}

/* Goes on until a signal ends it, or returns -errno. */
static int run(struct bare_bpf *skel, const char *ifname, bool is_tap_alone)
{
	struct ring_buffer *ring;
	int err = load(skel, is_tap_alone);

	if (err)
		return err;
	if (!is_tap_alone && !bpf_program__attach(skel->progs.bare_sock_state))
		return -errno;
	err = attach_tap(skel, ifname);
	if (err)
		return err;
	ring = ring_buffer__new(bpf_map__fd(skel->maps.records), throw_away, NULL, NULL);
	if (!ring)
		return -errno;
	while (err >= 0) {
		usleep(TICK_US);
		err = ring_buffer__consume(ring);
	}
	return err;
}

int main(int argc, char **argv)
{
	bool is_tap_alone = argc == 3 && !strcmp(argv[2], "tap");
	struct bare_bpf *skel;
	int err;

	if (argc != 2 + is_tap_alone) {
		fprintf(stderr, "usage: bare IFACE [tap]\n");
		return 2;
	}
	skel = bare_bpf__open();
	err = skel ? run(skel, argv[1], is_tap_alone) : -errno;
	fprintf(stderr, "bare: %s\n", strerror(-err));
	return 1;
}
