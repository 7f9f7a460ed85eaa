/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of listeners. A host has few of them, so they stand in one array in the order of their
 * cookies.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "listener.h"

struct place {
	struct listener_place about;
	struct listener_counters stray; /* of no listener */
	struct listener_counters past;	/* of listeners that are gone */
};

struct listener_table {
	const char *(*netns_name)(void *ctx, uint32_t netns);
	void *ctx;
	struct listener **items; /* by cookie */
	size_t count, size;
	struct listener *gone; /* a list of those whose last counts are still to come */
	struct place *places;
	size_t n_places;
};

struct listener_table *listener_table__new(const char *(*netns_name)(void *ctx, uint32_t netns),
					   void *ctx)
{
	struct listener_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->netns_name = netns_name;
	table->ctx = ctx;
	return table;
}

/* Nothing was counted for them. */
static void drop_gone(struct listener_table *table)
{
	while (table->gone) {
		struct listener *next = table->gone->next_gone;

		free(table->gone);
		table->gone = next;
	}
}

void listener_table__free(struct listener_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->count; i++)
		free(table->items[i]);
	drop_gone(table);
	free(table->items);
	free(table->places);
	free(table);
}

/* ---- finding --------------------------------------------------------------------------------- */

/* Where @cookie is, or belongs. */
static size_t position_of(const struct listener_table *table, uint64_t cookie)
{
	size_t low = 0, high = table->count;

	while (low < high) {
		size_t middle = low + (high - low) / 2;

		if (table->items[middle]->sock.cookie < cookie)
			low = middle + 1;
		else
			high = middle;
	}
	return low;
}

static struct listener *find(const struct listener_table *table, uint64_t cookie)
{
	size_t at = position_of(table, cookie);

	if (at == table->count || table->items[at]->sock.cookie != cookie)
		return NULL;
	return table->items[at];
}

static bool make_room(struct listener_table *table)
{
	size_t size = table->size ? 2 * table->size : 64;
	struct listener **more;

	if (table->count < table->size)
		return true;
	more = reallocarray(table->items, size, sizeof(struct listener *));
	if (!more)
		return false;
	table->items = more;
	table->size = size;
	return true;
}

static struct listener *get(struct listener_table *table, uint64_t cookie, uint32_t netns)
{
	size_t at = position_of(table, cookie);
	struct listener *listener = find(table, cookie);

	if (listener)
		return listener;
	listener = make_room(table) ? calloc(1, sizeof(*listener)) : NULL;
	if (!listener)
		return NULL;
	listener->sock.cookie = cookie;
	listener->sock.netns = netns;
	memmove(table->items + at + 1, table->items + at,
		(table->count - at) * sizeof(struct listener *));
	table->items[at] = listener;
	table->count++;
	return listener;
}

static struct place *get_place(struct listener_table *table, uint32_t netns)
{
	struct place *more;

	for (size_t i = 0; i < table->n_places; i++)
		if (table->places[i].about.netns == netns)
			return &table->places[i];
	more = reallocarray(table->places, table->n_places + 1, sizeof(*more));
	if (!more)
		return NULL;
	table->places = more;
	more[table->n_places] = (struct place){.about.netns = netns};
	return &more[table->n_places++];
}

int listener_table__set_place(struct listener_table *table, const struct listener_place *about)
{
	struct place *place = get_place(table, about->netns);

	if (!place)
		return -ENOMEM;
	place->about = *about;
	return 0;
}

/* ---- records --------------------------------------------------------------------------------- */

/*
 * Without cookies the kernel keeps a quarter of tcp_max_syn_backlog back for peers it knows
 * (tcp_conn_request() in net/ipv4/tcp_input.c).
 */
static uint64_t syn_queue_limit(const struct listener_place *place, uint64_t backlog)
{
	uint64_t most = place->syn_backlog_max - (place->syn_backlog_max >> 2);

	if (!place->has_limits)
		return UNKNOWN_U64;
	return !place->syn_cookies && most < backlog ? most : backlog;
}

static void take_drops(struct listener *listener, const struct rec_listener *rec)
{
	uint32_t more = rec->drops - (uint32_t)listener->drops_ever; /* the kernel's has 32 bits */

	if (!listener->is_listed) {
		listener->drops_ever = rec->drops;
		listener->syn_queue_0 = rec->sock.syn_queue;
		return;
	}
	listener->drops_ever += more;
	listener->drops += more;
}

static void set_owner(struct listener *listener, uint32_t pid, const char *comm)
{
	struct owner *owner = &listener->session.owner;

	if (owner->pid)
		return; /* of several that hold it one is as good as another */
	owner->pid = pid;
	memcpy(owner->comm, comm, sizeof(owner->comm));
	owner->comm[sizeof(owner->comm) - 1] = '\0';
}

static int take_listener(struct listener_table *table, const struct rec_listener *rec)
{
	struct listener *listener = get(table, rec->sock.cookie, rec->sock.netns);
	struct place *place = get_place(table, rec->sock.netns);
	struct session *session;

	if (!listener || !place)
		return -ENOMEM;
	take_drops(listener, rec);
	listener->sock = rec->sock;
	session = &listener->session;
	session->sock = &listener->sock;
	session->local = (struct endpoint){rec->sock.local, rec->sock.local_port};
	session->remote = (struct endpoint){rec->sock.remote, 0};
	session->netns = rec->sock.netns;
	session->netns_name = table->netns_name(table->ctx, rec->sock.netns);
	if (rec->sock.pid)
		set_owner(listener, rec->sock.pid, rec->sock.comm);
	listener->accept_oldest_ns = rec->oldest_accept_ns;
	listener->request_oldest_ns = 0;
	listener->syn_queue_limit = syn_queue_limit(&place->about, rec->sock.tx_queue);
	listener->has_counts = place->about.is_followed;
	listener->has_fates = place->about.has_taps;
	listener->is_seen = listener->is_listed = true;
	return 0;
}

static void take_request(struct listener_table *table, const struct rec_request *rec)
{
	struct listener *listener = find(table, rec->listener);

	if (!listener || !rec->syn_ns)
		return;
	if (!listener->request_oldest_ns || rec->syn_ns < listener->request_oldest_ns)
		listener->request_oldest_ns = rec->syn_ns;
}

static void take_owner(struct listener_table *table, const struct rec_owner *rec)
{
	struct listener *listener = find(table, rec->cookie);

	if (listener)
		set_owner(listener, rec->pid, rec->comm);
}

static int begin_snapshot(struct listener_table *table, uint32_t netns)
{
	drop_gone(table);
	for (size_t i = 0; i < table->count; i++)
		if (table->items[i]->sock.netns == netns)
			table->items[i]->is_seen = false;
	return get_place(table, netns) ? 0 : -ENOMEM;
}

/* Of a group on one port (SO_REUSEPORT) one takes over the drops of @gone: its sum never falls. */
static void bequeath(struct listener_table *table, const struct listener *gone)
{
	for (size_t i = 0; i < table->count; i++) {
		struct listener *heir = table->items[i];

		if (!heir->is_seen || !listener__shares_port(heir, gone))
			continue;
		heir->drops_inherited += gone->drops_ever + gone->drops_inherited;
		return;
	}
}

static void end_snapshot(struct listener_table *table, uint32_t netns)
{
	size_t kept = 0;

	for (size_t i = 0; i < table->count; i++) {
		struct listener *listener = table->items[i];

		if (listener->sock.netns != netns || listener->is_seen) {
			table->items[kept++] = listener;
			continue;
		}
		bequeath(table, listener);
		listener->next_gone = table->gone;
		table->gone = listener;
	}
	table->count = kept;
}

int listener_table__apply(struct listener_table *table, const union record *rec)
{
	switch (rec->hdr.kind) {
	case REC_SNAPSHOT_BEGIN:
		return begin_snapshot(table, rec->snapshot.netns);
	case REC_LISTENER:
		return take_listener(table, &rec->listener);
	case REC_REQUEST:
		take_request(table, &rec->request);
		return 0;
	case REC_OWNER:
		take_owner(table, &rec->owner);
		return 0;
	case REC_SNAPSHOT_END:
		if (rec->snapshot.ok)
			end_snapshot(table, rec->snapshot.netns);
		return 0;
	default:
		return 0;
	}
}

/* ---- counts ---------------------------------------------------------------------------------- */

static double rate_of(uint64_t now, uint64_t before, uint64_t elapsed_ns)
{
	return (double)(now - before) * TW_NSEC_PER_SEC / (double)elapsed_ns;
}

static void take_rates(struct listener *listener, uint64_t now_ns)
{
	const struct listener_counters *now = &listener->counts, *before = &listener->before;
	uint64_t elapsed_ns = now_ns - listener->counted_ns;
	struct listener_rates *rates = &listener->rates;

	rates->known = listener->counted_ns && elapsed_ns;
	if (rates->known) {
		rates->syns = rate_of(listener__syns(now), listener__syns(before), elapsed_ns);
		rates->drops = rate_of(listener->drops, listener->drops_before, elapsed_ns);
		for (int i = 0; i < SYN_FATE_COUNT; i++)
			rates->fate[i] = rate_of(now->fate[i], before->fate[i], elapsed_ns);
	}
	listener->before = *now;
	listener->drops_before = listener->drops;
	listener->counted_ns = now_ns;
}

static void add_counts(struct listener_counters *sum, const struct listener_counters *counts)
{
	for (int i = 0; i < SYN_FATE_COUNT; i++)
		sum->fate[i] += counts->fate[i];
	for (int i = 0; i < LISTENER_COUNTER_COUNT; i++)
		sum->value[i] += counts->value[i];
	sum->n_inferred += counts->n_inferred;
}

/* The last counts of a listener that is gone. False: it is not. */
static bool bury(struct listener_table *table, const struct listener_key *key,
		 const struct listener_counters *counts)
{
	struct place *place = get_place(table, key->netns);

	for (struct listener **at = &table->gone; place && *at; at = &(*at)->next_gone) {
		struct listener *listener = *at;

		if (listener->sock.cookie != key->cookie)
			continue;
		add_counts(&place->past, counts);
		*at = listener->next_gone;
		free(listener);
		return true;
	}
	return false;
}

/* One that no snapshot has listed is there all the same: the next has it, or tells that it is gone.
 */
static int count_listener(struct listener_table *table, const struct listener_key *key,
			  const struct listener_counters *counts)
{
	struct listener *listener;

	if (bury(table, key, counts))
		return LISTENER_GONE;
	listener = get(table, key->cookie, key->netns);
	if (!listener)
		return -ENOMEM;
	listener->counts = *counts;
	return 0;
}

int listener_table__count(struct listener_table *table, const struct listener_key *key,
			  const struct listener_counters *counts)
{
	struct place *place;

	if (key->cookie)
		return count_listener(table, key, counts);
	place = get_place(table, key->netns);
	if (!place)
		return -ENOMEM;
	place->stray = *counts;
	return 0;
}

void listener_table__end_counts(struct listener_table *table, uint64_t now_ns)
{
	for (size_t i = 0; i < table->count; i++)
		take_rates(table->items[i], now_ns);
}

uint64_t listener__syns(const struct listener_counters *counts)
{
	uint64_t sum = 0;

	for (int i = 0; i < SYN_FATE_COUNT; i++)
		sum += counts->fate[i];
	return sum;
}

uint64_t listener__drops_seen(const struct listener_counters *counts)
{
	return counts->fate[SYN_ACCEPT_FULL] + counts->fate[SYN_SYN_FULL];
}

/* ---- reading --------------------------------------------------------------------------------- */

bool listener__is_accept_full(const struct listener *listener)
{
	return listener->sock.rx_queue > listener->sock.tx_queue;
}

bool listener__is_syn_full(const struct listener *listener)
{
	return listener->sock.syn_queue > listener->syn_queue_limit;
}

/* A queue refuses once it holds one more than its limit. */
static uint64_t share(uint64_t used, uint64_t limit)
{
	return limit == UNKNOWN_U64 ? 0 : used * 1000 / (limit + 1);
}

uint64_t listener__fullness(const struct listener *listener)
{
	const struct sock_info *sock = &listener->sock;
	uint64_t accept = share(sock->rx_queue, sock->tx_queue);
	uint64_t syn = share(sock->syn_queue, listener->syn_queue_limit);

	return accept > syn ? accept : syn;
}

uint64_t listener__badness(const struct listener *listener)
{
	double drops = listener->rates.known ? listener->rates.drops : 0;
	uint64_t most = drops < UINT32_MAX ? (uint64_t)drops + (drops > 0) : UINT32_MAX;

	return most << 32 | listener__fullness(listener);
}

const struct listener *listener_table__find(const struct listener_table *table, uint64_t cookie)
{
	const struct listener *listener = find(table, cookie);

	return listener && listener->is_listed ? listener : NULL;
}

void listener_table__visit(const struct listener_table *table,
			   void (*visit)(void *ctx, const struct listener *listener), void *ctx)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->items[i]->is_listed)
			visit(ctx, table->items[i]);
}

void listener_table__edit(struct listener_table *table,
			  void (*edit)(void *ctx, struct listener *listener), void *ctx)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->items[i]->is_listed)
			edit(ctx, table->items[i]);
}

bool listener_table__has_unowned(const struct listener_table *table)
{
	for (size_t i = 0; i < table->count; i++)
		if (table->items[i]->is_listed && !table->items[i]->session.owner.pid)
			return true;
	return false;
}

static void add_fates(struct syn_fates *sum, const struct listener_counters *counts)
{
	for (int i = 0; i < SYN_FATE_COUNT; i++)
		sum->fate[i] += counts->fate[i];
	sum->n_inferred += counts->n_inferred;
}

static void add_listener(struct syn_fates *sum, const struct listener *listener)
{
	add_fates(sum, &listener->counts);
	if (!listener->is_listed)
		return;
	sum->n_listeners++;
	sum->half_open += listener->sock.syn_queue;
	sum->n_accept_full += listener__is_accept_full(listener);
	sum->n_syn_full += listener__is_syn_full(listener);
}

void listener_table__fates(const struct listener_table *table, uint32_t netns,
			   struct syn_fates *out)
{
	*out = (struct syn_fates){0};
	for (size_t i = 0; i < table->n_places; i++) {
		const struct place *place = &table->places[i];

		if (netns && place->about.netns != netns)
			continue;
		add_fates(out, &place->past);
		add_fates(out, &place->stray);
	}
	for (size_t i = 0; i < table->count; i++)
		if (!netns || table->items[i]->sock.netns == netns)
			add_listener(out, table->items[i]);
}
