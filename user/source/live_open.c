/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Opening the live source from options, view by view, and closing it. The order matters: whatever
 * takes records is there before whatever makes them. Not here: what records do (live.c).
 */
#include "live_internal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "support.h"
#include "user/util/log.h"

#define RING_BYTES_EVENTS  (8u << 20) /* more only means that every record meets a cold cache */
#define RING_BYTES	   (4u << 20) /* retired fragments alone */
#define FATE_LOOKS	   64	      /* for each listener, CPU and jiffy */
#define TAP_NS		   TW_NSEC_PER_SEC /* of many interfaces, before the first screen */
#define UNUSED_CACHE_SLOTS 4096		   /* for each CPU, where nobody reads them */
/* Wake the reader when so much waits; less is found by its own tick. Powers of two. */
#define WAKE_BYTES_EVENTS (256u << 10)
#define WAKE_BYTES	  (1u << 20)

static uint32_t lean_record_mask(const struct live_options *options)
{
	uint32_t mask = options->in_passing ? 1u << REC_SOCK : 0;

	if (options->watch_ports || options->on_record)
		mask |= 1u << REC_TUPLE;
	if (options->on_record && options->follow)
		mask |= 1u << REC_OPENING | 1u << REC_CLOSING;
	if (options->want_owners)
		mask |= 1u << REC_OWNER;
	if (options->want_ages)
		mask |= 1u << REC_REQUEST;
	return mask;
}

static uint32_t record_mask(const struct live_options *options)
{
	uint32_t mask = 1u << REC_FRAGMENT | 1u << REC_SOCK | 1u << REC_OWNER;

	if (options->lean)
		return lean_record_mask(options);
	if (options->watch_ports)
		mask |= 1u << REC_TUPLE;
	if (options->want_events)
		mask |= 1u << REC_SEGMENT | 1u << REC_SOCK_STATE | 1u << REC_SOCK_RETRANSMIT |
			1u << REC_SOCK_RESET;
	return mask;
}

static uint32_t wake_bytes(const struct live_options *options)
{
	return options->want_events ? WAKE_BYTES_EVENTS : WAKE_BYTES;
}

/* ---- ring buffer ---------------------------------------------------------------------------- */

static uint32_t ring_bytes(const struct live_options *options)
{
	if (options->lean && !options->on_record)
		return sysconf(_SC_PAGESIZE); /* the least there may be */
	return options->want_events ? RING_BYTES_EVENTS : RING_BYTES;
}

static int open_ring(struct live *live)
{
	uint32_t bytes = ring_bytes(&live->options);
	int err;

	live->ring_fd = bpf_map_create(BPF_MAP_TYPE_RINGBUF, "tcpw_records", 0, 0, bytes, NULL);
	if (live->ring_fd >= 0)
		live->lost_fd =
			bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "tcpw_lost", sizeof(uint32_t),
				       sizeof(struct lost_counters), 1, NULL);
	if (live->ring_fd >= 0 && live->lost_fd >= 0)
		live->ring = ring_buffer__new(live->ring_fd, live__on_ring, live, NULL);
	if (live->ring)
		return 0;
	err = errno ? -errno : -ENOMEM;
	log_error("cannot make a ring buffer of %u KiB: %s; `tcpwatch doctor` tells what is "
		  "missing",
		  bytes >> 10, strerror(-err));
	return err;
}

static int watch_fd(struct live *live, int fd)
{
	struct epoll_event event = {.events = EPOLLIN, .data.fd = fd};

	return epoll_ctl(live->epoll_fd, EPOLL_CTL_ADD, fd, &event) ? -errno : 0;
}

static int open_epoll(struct live *live)
{
	int err = 0;

	live->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (live->epoll_fd < 0)
		return -errno;
	err = watch_fd(live, ring_buffer__epoll_fd(live->ring));
	if (!err && live->taps)
		err = watch_fd(live, tap_set__epoll_fd(live->taps));
	if (!err && live->looks.watch)
		err = watch_fd(live, netns_watch__fd(live->looks.watch));
	return err;
}

static bool is_stopping(const struct live *live)
{
	return live->options.is_stopping && live->options.is_stopping();
}

/* ---- views ---------------------------------------------------------------------------------- */

static int open_sock(struct live *live)
{
	const struct sock_config config = {
		.record_mask = record_mask(&live->options),
		.wake_bytes = wake_bytes(&live->options),
		.follow = (live->options.follow || live->options.want_events) &&
			  (!live->options.lean || live->options.want_listeners),
		.count_listeners = live->options.want_listeners,
		.tally = live->options.want_tally,
		/* Where events are derived, the table tells. */
		.time_requests = live->options.want_tally ||
				 (live->options.watch_alarms && !live->options.want_events),
		.may_walk = live->options.in_passing,
	};
	const struct sock_maps maps = {live->ring_fd, live->lost_fd, live->listener_maps};

	int err;

	if (!(live->options.views & VIEW_SOCKET))
		return 0;
	err = sock_view__open(&live->sock, &live->netns, &config, &maps);
	if (!err && !live->options.in_passing)
		sock_view__announce(live->sock, live__expect_socks, live);
	return err;
}

static int begin_listeners(struct live *live)
{
	return live->listeners ? live_listeners__begin(live) : 0;
}

static bool has_time(const void *ctx)
{
	const struct live *live = ctx;

	return live__now().mono_ns - live->opened_ns < TAP_NS;
}

static int open_cache(struct live *live)
{
	struct wire_shared shared = {
		.records_fd = live->ring_fd,
		.lost_fd = live->lost_fd,
		.listeners = live->listener_maps,
		.config = {.record_mask = record_mask(&live->options),
			   .wake_bytes = wake_bytes(&live->options)},
		.is_stopping = live->options.is_stopping,
		.has_time = has_time,
		.ctx = live,
		.netns_pass = live->netns.all || live->options.n_containers,
	};
	uint32_t slots = live->options.cache_slots;
	int err;

	if (!(live->options.views & VIEW_WIRE))
		return 0;
	if (!slots && live->options.lean)
		slots = UNUSED_CACHE_SLOTS;
	err = live->options.lean ? wire_view__open_unread(&live->wire, slots)
				 : wire_view__open(&live->wire, slots);
	if (err)
		return err;
	wire_view__configure(live->wire, &shared.config);
	shared.config.full_at_limit = live->full_at_limit;
	shared.config.fate_looks = listener_maps__are_open(&live->listener_maps) ? FATE_LOOKS : 0;
	shared.cache_fd = wire_view__cache_fd(live->wire);
	live->taps = tap_set__new(&shared);
	return live->taps ? 0 : -ENOMEM;
}

/* Taps the chosen interfaces of @ns. Returns their number or -errno, logged. */
static int open_taps(struct live *live, const struct netns *ns)
{
	const struct live_options *options = &live->options;
	int n, count = 0, err = 0;

	if (!options->n_ifaces && live__is_container(live, ns))
		return live__tap_outside(live, ns);
	if (!options->n_ifaces)
		return tap_set__add(live->taps, ns, NULL, options->hook);
	for (size_t i = 0; i < options->n_ifaces; i++) {
		n = tap_set__add(live->taps, ns, options->ifaces[i], options->hook);
		if (n < 0)
			err = n;
		else if (n > 0)
			count += n;
	}
	return count ? count : err;
}

static bool has_glob(const struct live_options *options)
{
	for (size_t i = 0; i < options->n_ifaces; i++)
		if (iface_pattern__is_glob(options->ifaces[i]))
			return true;
	return false;
}

/* An interface that was named and is nowhere is a mistake; a glob may match later. */
static int check_names(const struct live *live)
{
	const struct live_options *options = &live->options;

	for (size_t i = 0; i < options->n_ifaces; i++) {
		if (iface_pattern__is_glob(options->ifaces[i]) ||
		    tap_set__has(live->taps, options->ifaces[i]))
			continue;
		tap_set__complain(live->taps, options->ifaces[i]);
		return -ENODEV;
	}
	return 0;
}

static int open_wire(struct live *live)
{
	int n, count = 0, err, tap_err = 0;

	if (!(live->options.views & VIEW_WIRE))
		return 0;
	for (size_t i = 0; i < live->netns.count && !is_stopping(live); i++) {
		n = open_taps(live, &live->netns.items[i]);
		if (n > 0)
			count += n;
		else if (n < 0)
			tap_err = n;
	}
	err = is_stopping(live) ? -EINTR : check_names(live);
	if (!err && tap_set__n_pending(live->taps))
		log_warn("%zu interfaces are watched, %zu more follow one by one: the kernel "
			 "takes its time with each (not so with 1 in "
			 "/sys/kernel/rcu_expedited)",
			 tap_set__count(live->taps), tap_set__n_pending(live->taps));
	if (err || count)
		return err;
	if (!tap_err && live__is_following(live) && has_glob(&live->options)) {
		log_warn(
			"no interface matches -i yet; one that does later is watched from then on");
		return 0;
	}
	if (live->sock && tap_err != -EPERM) {
		log_warn("no interface is watched: sessions are shown by their sockets alone");
		return 0;
	}
	if (!tap_err)
		log_error("no interface to watch; name one with -i");
	return tap_err ? tap_err : -ENODEV;
}

/* ---- the table ------------------------------------------------------------------------------ */

static int open_table(struct live *live)
{
	const struct session_table_env env = {
		.ctx = live,
		.is_local = live__is_local,
		.tap_facts = live__tap_facts,
		.netns_name = live__netns_name,
		.ifname = live__ifname,
		.container = live->containers ? live__container : NULL,
		.close_wait = live__close_wait,
		.pull = live->options.views & VIEW_WIRE ? live__pull : NULL,
		.on_event = live->options.want_events ? live__on_event : NULL,
		.prefer_socket_events = live->options.views == VIEW_BOTH,
		.nat = live_nat__is_wanted(live) ? live__nat : NULL,
		.nat_news = live__nat_news,
		.reset_reason = live__reset_reason,
	};

	struct wire_view_stats cache = {0};

	/* Of the sessions that the caches gave up as many again are remembered here. */
	if (live->wire)
		wire_view__stats(live->wire, &cache);
	live->table = session_table__new(&env, cache.slots);
	return live->table ? 0 : -ENOMEM;
}

/* With many namespaces each of these takes long. */
static int for_each_netns(struct live *live, int (*add)(struct live *, const struct netns *))
{
	int err = 0;

	for (size_t i = 0; !err && i < live->netns.count; i++)
		err = is_stopping(live) ? -EINTR : add(live, &live->netns.items[i]);
	return err;
}

static int open_netns(struct live *live)
{
	int err = live__resolve_netns(live);

	if (!err)
		err = netns_list__enterable(&live->netns);
	if (err || !live__has_figures(live))
		return err;
	return for_each_netns(live, live_stats__add_netns);
}

static int open_ports(struct live *live)
{
	if (!live->options.watch_ports || !(live->options.views & VIEW_SOCKET))
		return 0;
	live->ports = live_ports__new(live->options.want_tally);
	if (!live->ports)
		return -ENOMEM;
	return for_each_netns(live, live_ports__add_netns);
}

static int open_listeners(struct live *live)
{
	if (!live->options.want_listeners || !(live->options.views & VIEW_SOCKET))
		return 0;
	return live_listeners__open(live);
}

static int begin(struct live *live)
{
	int err = 0;

	if (live->options.want_tally && live->sock)
		err = live_figures__begin(live);
	return err || live->options.lean ? err : live__refresh(live);
}

static int open_all(struct live *live)
{
	static int (*const steps[])(struct live *) = {
		live__open_containers,
		open_netns,
		live_netns__open,
		open_ports,
		live_alarms__open,
		open_ring,
		open_listeners,
		open_cache,
		open_table,
		live_nat__open,
		open_sock,
		begin_listeners,
		open_wire,
		open_epoll,
		begin,
	};
	int err = 0;

	for (size_t i = 0; !err && i < sizeof(steps) / sizeof(steps[0]); i++)
		err = is_stopping(live) ? -EINTR : steps[i](live);
	return err;
}

enum exit_status live__open(struct live **out, const struct live_options *options)
{
	struct live *live = calloc(1, sizeof(*live));
	enum exit_status status;
	int err;

	if (!live)
		return EXIT_RUNTIME;
	live->options = *options;
	live->opened_ns = live__now().mono_ns;
	live->ring_fd = live->lost_fd = live->epoll_fd = live->nats.epoll_fd = -1;
	live->listener_maps = (struct listener_maps)LISTENER_MAPS_NONE;
	live->n_cpus = libbpf_num_possible_cpus();
	support__raise_limits();
	status = support__require(options->views);
	if (status != EXIT_OK) {
		live__close(live);
		return status;
	}
	err = open_all(live);
	if (err == -ENOMEM)
		log_error("out of memory at start; try a smaller --cache");
	if (err) {
		live__close(live);
		return exit_status__of(err);
	}
	*out = live;
	return EXIT_OK;
}

static void close_fd(int fd)
{
	if (fd >= 0)
		close(fd);
}

void live__close(struct live *live)
{
	if (!live)
		return;
	tap_set__free(live->taps);
	sock_view__close(live->sock);
	ring_buffer__free(live->ring);
	wire_view__close(live->wire);
	session_table__free(live->table);
	live_alarms__fini(live);
	live_nat__close(live);
	live_stats__fini(live);
	live_listeners__fini(live);
	live_scopes__tidy(live, UINT64_MAX);
	live_ports__free(live->ports);
	netns_list__free(&live->netns);
	live_netns__close(live);
	live__close_containers(live);
	close_fd(live->ring_fd);
	close_fd(live->lost_fd);
	close_fd(live->epoll_fd);
	free(live);
}
