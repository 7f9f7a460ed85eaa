/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The table of listeners. A host has few of them, so they stand in one array in the order of their
 * cookies.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "listener_internal.h"

struct listener_table *listener_table__new(const struct listener_table_env *env)
{
	struct listener_table *table = calloc(1, sizeof(*table));

	if (!table)
		return NULL;
	table->env = *env;
	return table;
}

static bool is_raised(const struct listener *listener)
{
	for (enum listener_queue queue = 0; queue < QUEUE_COUNT; queue++)
		if (listener->alarm[queue].is_raised)
			return true;
	return false;
}

void listeners__let_go(struct listener_table *table, struct listener *listener)
{
	if (!is_raised(listener)) {
		free(listener);
		return;
	}
	listener->next_gone = table->lapsed;
	table->lapsed = listener;
}

/* Nothing was counted for them. */
static void drop_gone(struct listener_table *table)
{
	while (table->gone) {
		struct listener *listener = table->gone;

		table->gone = listener->next_gone;
		listeners__let_go(table, listener);
	}
}

static void free_list(struct listener *list)
{
	while (list) {
		struct listener *next = list->next_gone;

		free(list);
		list = next;
	}
}

void listener_table__free(struct listener_table *table)
{
	if (!table)
		return;
	for (size_t i = 0; i < table->count; i++)
		free(table->items[i]);
	free_list(table->gone);
	free_list(table->lapsed);
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

struct listener *listeners__find(const struct listener_table *table, uint64_t cookie)
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

struct listener *listeners__get(struct listener_table *table, uint64_t cookie, uint32_t netns)
{
	size_t at = position_of(table, cookie);
	struct listener *listener = listeners__find(table, cookie);

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

struct place *places__find(const struct listener_table *table, uint32_t netns)
{
	for (size_t i = 0; i < table->n_places; i++)
		if (table->places[i].about.netns == netns)
			return &table->places[i];
	return NULL;
}

struct place *places__get(struct listener_table *table, uint32_t netns)
{
	struct place *place = places__find(table, netns), *more;

	if (place)
		return place;
	more = reallocarray(table->places, table->n_places + 1, sizeof(*more));
	if (!more)
		return NULL;
	table->places = more;
	more[table->n_places] = (struct place){.about.netns = netns};
	return &more[table->n_places++];
}

int listener_table__set_place(struct listener_table *table, const struct listener_place *about)
{
	struct place *place = places__get(table, about->netns);

	if (!place)
		return -ENOMEM;
	place->about = *about;
	return 0;
}

/* ---- counts ---------------------------------------------------------------------------------- */

static double rate_of(uint64_t now, uint64_t before, uint64_t elapsed_ns)
{
	if (now < before)
		return 0; /* readings of different instants */
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
		rates->refused = rates->drops;
		if (listener->has_fates)
			rates->refused = rate_of(listener__refused(now), listener__refused(before),
						 elapsed_ns);
		for (int i = 0; i < SYN_FATE_COUNT; i++)
			rates->fate[i] = rate_of(now->fate[i], before->fate[i], elapsed_ns);
		rates->fate[SYN_QUEUED] =
			rate_of(listener__queued(listener), listener->queued_before, elapsed_ns);
	}
	listener->queued_before = listener__queued(listener);
	listener->before = *now;
	listener->drops_before = listener->drops;
	listener->counted_ns = now_ns;
}

/* The last counts of a listener that is gone. False: it is not. */
static bool bury(struct listener_table *table, const struct listener_key *key,
		 const struct listener_counters *counts)
{
	struct place *place = places__find(table, key->netns);

	for (struct listener **at = &table->gone; *at; at = &(*at)->next_gone) {
		struct listener *listener = *at;

		if (listener->sock.cookie != key->cookie)
			continue;
		listener_counters__add(place ? &place->past : &table->past, counts);
		*at = listener->next_gone;
		listeners__let_go(table, listener);
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
	listener = listeners__get(table, key->cookie, key->netns);
	if (!listener)
		return -ENOMEM;
	listener->counts = *counts;
	listener->is_counted = true;
	return 0;
}

int listener_table__count(struct listener_table *table, const struct listener_key *key,
			  const struct listener_counters *counts)
{
	struct place *place;

	if (key->cookie)
		return count_listener(table, key, counts);
	place = places__get(table, key->netns);
	if (!place)
		return -ENOMEM;
	place->stray = *counts;
	return 0;
}

/*
 * Which of those that completed had been queued? All, if no cookie came back. Were as many queued
 * as is counted? Each SYN is counted, so they were if as many were answered by a cookie or dropped
 * as the kernel says.
 */
static bool are_queued_known(const struct listener_table *table, const struct place *place,
			     const struct listener *listener)
{
	const struct listener_counters *counts = &listener->counts;
	struct syn_fates all;

	if (!listener->has_other || !listener->has_counts)
		return false;
	if (counts->fate[SYN_COOKIE] &&
	    (!place->about.has_cookie_counts || place->about.cookies_received))
		return false;
	if (!counts->n_inferred)
		return true;
	listener_table__fates(table, listener->sock.netns, &all);
	return place->about.has_cookie_counts &&
	       place->about.cookies_sent == all.fate[SYN_COOKIE] &&
	       listener->drops == listener__drops_seen(counts) + listener->other;
}

/* SYNs came, as the sockets and the kernel tell, and not by a way that is watched. */
static bool comes_by_no_tap(const struct listener *listener)
{
	uint64_t before = listener->syn_queue_0;

	return !listener__syns(&listener->counts) &&
	       (listener__syns_unseen(listener) || listener->drops > before);
}

void listener_table__end_counts(struct listener_table *table, uint64_t now_ns, bool is_full)
{
	drop_gone(table);
	listeners__take_other(table);
	for (size_t i = 0; i < table->count; i++) {
		struct listener *listener = table->items[i];
		const struct place *place = places__find(table, listener->sock.netns);

		if (is_full && !listener->is_counted)
			listener->has_fates = listener->has_counts = false;
		if (comes_by_no_tap(listener))
			listener->has_fates = false;
		if (place)
			listener__share_other(listener, place);
		listener->has_expired = place && are_queued_known(table, place, listener);
		take_rates(listener, now_ns);
	}
}

void listener_table__check_owners(struct listener_table *table, bool (*is_there)(uint32_t pid))
{
	for (size_t i = 0; i < table->count; i++) {
		struct owner *owner = &table->items[i]->session.owner;

		if (owner->pid && !is_there(owner->pid))
			*owner = (struct owner){0};
	}
}

uint64_t listener__syns(const struct listener_counters *counts)
{
	uint64_t sum = 0;

	for (int i = 0; i < SYN_FATE_COUNT; i++)
		sum += counts->fate[i];
	return sum;
}

uint64_t listener__syns_unseen(const struct listener *listener)
{
	const struct listener_counters *counts = &listener->counts;
	uint64_t completed = counts->value[LISTENER_COMPLETED];
	uint64_t began =
		counts->fate[SYN_QUEUED] + counts->fate[SYN_COOKIE] + listener->syn_queue_0;

	return listener->has_counts && completed > began ? completed - began : 0;
}

uint64_t listener__refused(const struct listener_counters *counts)
{
	return counts->fate[SYN_ACCEPT_FULL] + counts->fate[SYN_SYN_FULL] +
	       counts->fate[SYN_BACKLOG_FULL];
}

uint64_t listener__drops_seen(const struct listener_counters *counts)
{
	return listener__refused(counts) + counts->fate[SYN_REPEATED];
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
	double drops = listener->rates.known ? listener->rates.refused : 0;
	uint64_t most = drops < UINT32_MAX ? (uint64_t)drops + (drops > 0) : UINT32_MAX;

	return most << 32 | listener__fullness(listener);
}

const struct listener *listener_table__find(const struct listener_table *table, uint64_t cookie)
{
	const struct listener *listener = listeners__find(table, cookie);

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

size_t listener_table__unowned(const struct listener_table *table, uint64_t *cookies, size_t room)
{
	size_t count = 0;

	for (size_t i = 0; i < table->count; i++) {
		const struct listener *listener = table->items[i];

		if (!listener->is_listed || listener->session.owner.pid)
			continue;
		if (count < room)
			cookies[count] = listener__held_cookie(listener);
		count++;
	}
	return count;
}

static void add_fates(struct syn_fates *sum, const struct listener_counters *counts)
{
	for (int i = 0; i < SYN_FATE_COUNT; i++)
		sum->fate[i] += counts->fate[i];
	sum->n_inferred += counts->n_inferred;
}

void syn_fates__add(struct syn_fates *sum, const struct listener *listener)
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
	*out = (struct syn_fates){.has_other = true};
	if (!netns) {
		add_fates(out, &table->past);
		out->other = table->past_other;
	}
	for (size_t i = 0; i < table->n_places; i++) {
		const struct place *place = &table->places[i];

		if (netns && place->about.netns != netns)
			continue;
		add_fates(out, &place->past);
		add_fates(out, &place->stray);
		out->other += place->other;
		out->has_other &= place->has_other;
	}
	for (size_t i = 0; i < table->count; i++)
		if (!netns || table->items[i]->sock.netns == netns)
			syn_fates__add(out, table->items[i]);
}
