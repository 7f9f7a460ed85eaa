/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Writing the metrics of listeners, and of what the kernel counts itself.
 */
#include "metrics_internal.h"

#include "address.h"

/* ---- listeners ------------------------------------------------------------------------------- */

static const char *const fate_keys[SYN_FATE_COUNT] = {
#define KEY(id, key, help) [SYN_##id] = key,
	SYN_FATES(KEY)
#undef KEY
};

void metrics_write__syns_received_total(struct writing *w)
{
	uint64_t sum = 0;

	for (int fate = 0; fate < SYN_FATE_COUNT; fate++)
		sum += w->figures->syn_fate[fate];
	if (w->figures->has_fates)
		writing__put(w, sum);
}

void metrics_write__syn_fate_total(struct writing *w)
{
	for (int fate = 0; w->figures->has_fates && fate < SYN_FATE_COUNT; fate++)
		if (fate_keys[fate])
			writing__put_by(w, "fate", fate_keys[fate], w->figures->syn_fate[fate]);
}

static void put_listener(struct writing *w, const struct listener_figures *row, uint64_t value)
{
	char address[ADDRESS_TEXT_MAX + 1] = "other", port[FMT_U64_MAX + 1] = "";

	if (!row->is_other) {
		*address__put(address, &row->addr, row->is_v6) = '\0';
		port[fmt__u64(port, row->port)] = '\0';
	}
	prom__u64(&w->family,
		  PROM_LABELS({"netns", row->is_other ? "" : row->netns}, {"address", address},
			      {"port", port}),
		  value);
}

#define PUT_LISTENERS(member)                                \
	for (size_t i = 0; i < w->figures->n_listeners; i++) \
	put_listener(w, &w->figures->listeners[i], w->figures->listeners[i].member)

void metrics_write__listener_syn_queue(struct writing *w)
{
	PUT_LISTENERS(syn_queue);
}

void metrics_write__listener_syn_queue_limit(struct writing *w)
{
	for (size_t i = 0; i < w->figures->n_listeners; i++) {
		const struct listener_figures *row = &w->figures->listeners[i];

		if (row->syn_queue_limit.is_known)
			put_listener(w, row, row->syn_queue_limit.value);
	}
}

void metrics_write__listener_accept_queue(struct writing *w)
{
	PUT_LISTENERS(accept_queue);
}

void metrics_write__listener_accept_queue_limit(struct writing *w)
{
	PUT_LISTENERS(accept_queue_limit);
}

void metrics_write__listener_drops_total(struct writing *w)
{
	PUT_LISTENERS(overflows);
}

/* ---- the kernel's own figures ---------------------------------------------------------------- */

void metrics_write__time_wait(struct writing *w)
{
	for (size_t i = 0; i < w->figures->n_netns; i++)
		writing__put_known_by(w, "netns", w->figures->netns[i].name,
				      &w->figures->netns[i].time_wait);
}

void metrics_write__time_wait_limit(struct writing *w)
{
	for (size_t i = 0; i < w->figures->n_netns; i++)
		writing__put_known_by(w, "netns", w->figures->netns[i].name,
				      &w->figures->netns[i].time_wait_limit);
}

/* A look that ends at once has seen nothing begin. */
void metrics_write__time_wait_begun_total(struct writing *w)
{
	if (writing__has_events(w))
		writing__put_known(w, &w->figures->time_wait_begun);
}

void metrics_write__time_wait_ended_total(struct writing *w)
{
	if (!writing__has_events(w))
		return;
	writing__put_known_by(w, "how", "gone", &w->figures->time_wait_ended);
	writing__put_known_by(w, "how", "reused", &w->figures->time_wait_recycled);
	writing__put_known_by(w, "how", "never_created", &w->figures->time_wait_overflow);
}

static void put_ports(struct writing *w, const struct port_figures *ports, uint64_t value)
{
	char remote[ENDPOINT_TEXT_MAX + 1];

	*endpoint__put(remote, &ports->remote, false, false, NULL) = '\0';
	writing__put_by_two(w, (struct prom_label){"netns", ports->netns},
			    (struct prom_label){"remote", remote}, value);
}

void metrics_write__ports_used(struct writing *w)
{
	for (size_t i = 0; i < w->figures->n_ports; i++)
		put_ports(w, &w->figures->ports[i], w->figures->ports[i].used);
}

void metrics_write__ports_available(struct writing *w)
{
	for (size_t i = 0; i < w->figures->n_ports; i++)
		put_ports(w, &w->figures->ports[i], w->figures->ports[i].usable);
}

void metrics_write__close_wait_old(struct writing *w)
{
	for (size_t i = 0; i < w->figures->n_netns; i++)
		writing__put_known_by(w, "netns", w->figures->netns[i].name,
				      &w->figures->netns[i].close_wait_old);
}

void metrics_write__out_of_order_total(struct writing *w)
{
	if (!w->figures->is_moment)
		writing__put_known(w, &w->figures->out_of_order);
}

void metrics_write__zero_windows_total(struct writing *w)
{
	if (!w->figures->is_moment)
		writing__put_known(w, &w->figures->zero_windows);
}
