/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Making and reading the maps of listeners.
 */
#include "listener_maps.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

static int make(int *fd, enum bpf_map_type type, const char *name, __u32 key_size, __u32 value_size)
{
	*fd = bpf_map_create(type, name, key_size, value_size, LISTENER_SLOTS, NULL);
	return *fd < 0 ? -errno : 0;
}

static int free_slot(const struct listener_maps *maps, __u32 slot)
{
	return bpf_map_update_elem(maps->free_fd, NULL, &slot, BPF_ANY) ? -errno : 0;
}

int listener_maps__open(struct listener_maps *maps)
{
	int err;

	*maps = (struct listener_maps)LISTENER_MAPS_NONE;
	err = make(&maps->slots_fd, BPF_MAP_TYPE_HASH, "tcpw_listeners",
		   sizeof(struct listener_key), sizeof(__u32));
	if (!err)
		err = make(&maps->counts_fd, BPF_MAP_TYPE_PERCPU_ARRAY, "tcpw_counts",
			   sizeof(__u32), sizeof(struct listener_counters));
	if (!err)
		err = make(&maps->free_fd, BPF_MAP_TYPE_QUEUE, "tcpw_slots", 0, sizeof(__u32));
	for (__u32 slot = 0; !err && slot < LISTENER_SLOTS; slot++)
		err = free_slot(maps, slot);
	return err;
}

void listener_maps__close(struct listener_maps *maps)
{
	const int fds[] = {maps->slots_fd, maps->counts_fd, maps->free_fd};

	for (size_t i = 0; i < sizeof(fds) / sizeof(fds[0]); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	*maps = (struct listener_maps)LISTENER_MAPS_NONE;
}

bool listener_maps__are_open(const struct listener_maps *maps)
{
	return maps->free_fd >= 0;
}

static int share(struct bpf_object *object, const char *name, int fd)
{
	struct bpf_map *map = bpf_object__find_map_by_name(object, name);

	return map ? bpf_map__reuse_fd(map, fd) : -ENOENT;
}

int listener_maps__share(const struct listener_maps *maps, struct bpf_object *object)
{
	int err = share(object, "listeners", maps->slots_fd);

	if (!err)
		err = share(object, "listener_counts", maps->counts_fd);
	return err ? err : share(object, "free_listeners", maps->free_fd);
}

int listener_maps__add(const struct listener_maps *maps, const struct listener_key *key)
{
	__u32 slot;
	int err;

	if (bpf_map_lookup_and_delete_elem(maps->free_fd, NULL, &slot))
		return -errno;
	if (!bpf_map_update_elem(maps->slots_fd, key, &slot, BPF_NOEXIST))
		return 0;
	err = errno == EEXIST ? 0 : -errno;
	(void)free_slot(maps, slot); /* it came from there */
	return err;
}

bool listener_maps__next(const struct listener_maps *maps, const struct listener_key *key,
			 struct listener_key *next)
{
	return !bpf_map_get_next_key(maps->slots_fd, key, next);
}

int listener_maps__read(const struct listener_maps *maps, const struct listener_key *key,
			struct listener_counters *per_cpu)
{
	__u32 slot;

	if (bpf_map_lookup_elem(maps->slots_fd, key, &slot) ||
	    bpf_map_lookup_elem(maps->counts_fd, &slot, per_cpu))
		return -errno;
	return 0;
}

void listener_maps__remove(const struct listener_maps *maps, const struct listener_key *key,
			   struct listener_counters *per_cpu, int n_cpus)
{
	__u32 slot;

	if (bpf_map_lookup_elem(maps->slots_fd, key, &slot) ||
	    bpf_map_delete_elem(maps->slots_fd, key))
		return;
	memset(per_cpu, 0, n_cpus * sizeof(*per_cpu));
	if (!bpf_map_update_elem(maps->counts_fd, &slot, per_cpu, BPF_ANY))
		(void)free_slot(maps, slot); /* else it is lost: one of thousands */
}
