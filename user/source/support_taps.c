/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The checks of interfaces: by asking, or by really attaching. Not here: the asking itself
 * (tap/hook_query.h).
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>

#include "live.h"
#include "support.h"
#include "user/tap/hook.h"
#include "user/tap/hook_query.h"
#include "user/util/log.h"
#include "user/util/strbuf.h"

#define RING_BYTES 4096
#define FEW_SLOTS  64

/* One interface. */
struct subject {
	struct check_list *list;
	char section[64];
	const struct netns *ns;
	const struct iface *iface;
	enum hook_mode mode;
	enum exit_status without; /* a hook */
};

/* ---- by asking ------------------------------------------------------------------------------- */

static void check_native(const struct subject *s, const struct hook_query *query)
{
	struct check *check = check_list__add(s->list, s->section, "native XDP");

	if (!check)
		return;
	if (query->xdp.count) {
		check__detail(check, "%s is already there", query->xdp.first);
		check__refuse(check, CHECK_NO, "tc is used beside it");
	} else if (query->native == ANSWER_NO) {
		check__detail(check, "its driver has none");
		check__refuse(check, CHECK_NO, "tc is used, or --hook xdp-generic");
	} else if (query->native == ANSWER_UNKNOWN) {
		check__detail(check, "only attaching tells on this kernel");
		check__refuse(check, CHECK_LIMITED,
			      "doctor --try attaches for a moment; some drivers then reset the "
			      "link");
	} else {
		check__detail(check, "its driver has it%s, unless MTU, queues or LRO forbid it",
			      query->frags == ANSWER_YES ? ", for large frames too" : "");
	}
}

static void check_generic(const struct subject *s, const struct hook_query *query)
{
	struct check *check = check_list__add(s->list, s->section, "generic XDP");

	if (!check)
		return;
	check__detail(check, "any interface has it");
	if (!query->xdp.count)
		return;
	check__detail(check, "%s is already there", query->xdp.first);
	check__refuse(check, CHECK_NO, "tc is used beside it");
}

/* tcx programs of others are no hindrance, but they may end the walk before ours. */
static void check_tc(const struct subject *s, const struct hook_query *query)
{
	struct check *check = check_list__add(s->list, s->section, "tc");
	uint32_t others = query->tcx_ingress.count + query->tcx_egress.count;
	const struct occupants *first =
		query->tcx_ingress.count ? &query->tcx_ingress : &query->tcx_egress;

	if (!check)
		return;
	if (query->tcx != ANSWER_YES)
		check__detail(check, "by a clsact qdisc, removed at the end");
	else if (others)
		check__detail(check, "tcx, beside %u others: %s", others, first->first);
	else
		check__detail(check, "tcx");
}

/* "ingress by xdp (tcx if its driver refuses)" */
static void add_choice(struct strbuf *sb, const struct hook_query *query,
		       const enum attach_kind *kinds, const char *direction)
{
	enum attach_kind otherwise, kind = hook_query__choose(query, kinds, &otherwise);

	if (*kinds == ATTACH_NONE)
		return;
	strbuf__addf(sb, "%s%s by %s", sb->len ? ", " : "", direction, attach_kind__name(kind));
	if (otherwise != kind)
		strbuf__addf(sb, " (%s if its driver refuses)", attach_kind__name(otherwise));
}

static void check_choice(const struct subject *s, const struct hook_query *query)
{
	const enum attach_kind *ingress = hook__ingress_kinds(s->mode, s->iface);
	struct strbuf choice = STRBUF_INIT;
	enum attach_kind otherwise;
	struct check *check;
	char name[32];

	snprintf(name, sizeof(name), "--hook %s", hook_mode__name(s->mode));
	check = check_list__add(s->list, s->section, name);
	if (!check)
		return;
	add_choice(&choice, query, ingress, "ingress");
	add_choice(&choice, query, hook__egress_kinds(s->iface), "egress");
	check->without = s->without;
	check__detail(check, "%s", choice.data ? choice.data : "");
	strbuf__free(&choice);
	if (hook_query__choose(query, ingress, &otherwise) == ATTACH_NONE)
		check__refuse(check, CHECK_NO, "choose another --hook");
	else if (hook__is_costly(s->mode, s->iface))
		check__refuse(check, CHECK_LIMITED,
			      "native XDP on a veth makes bulk TCP of its peer several times "
			      "slower; --hook tc costs nothing");
}

static void refuse_to_say(const struct subject *s, int err)
{
	struct check *check = check_list__add(s->list, s->section, "hooks");

	if (!check)
		return;
	check__detail(check, "the kernel does not tell: %s", strerror(-err));
	check__refuse(check, CHECK_NO,
		      err == -EPERM ? "see the privileges above"
				    : "try again: the interface may be gone");
}

static void ask(const struct subject *s)
{
	struct netns_return back;
	struct hook_query query;
	int err = netns__enter(s->ns, &back);

	if (!err) {
		err = hook_query__ask(&query, s->iface->ifindex);
		netns__leave(&back);
	}
	if (err) {
		refuse_to_say(s, err);
		return;
	}
	check_native(s, &query);
	check_generic(s, &query);
	check_tc(s, &query);
	check_choice(s, &query);
}

/* ---- by attaching ---------------------------------------------------------------------------- */

static void describe_tap(struct check *check, const struct tap *tap)
{
	check__detail(check, "ingress by %s%s%s", attach_kind__name(tap->ingress),
		      tap->egress == ATTACH_NONE ? "" : ", egress by ",
		      tap->egress == ATTACH_NONE ? "" : attach_kind__name(tap->egress));
	if (tap->note[0])
		check__refuse(check, CHECK_LIMITED, "%s", tap->note);
}

/* What the set says goes into the check; the log is not needed too. */
static void attach(const struct subject *s, struct check *check, const struct wire_shared *shared)
{
	struct tap_set *set = tap_set__new(shared);
	const char *said;
	int n = -ENOMEM;

	log__hold();
	if (set)
		n = tap_set__add(set, s->ns, s->iface->name, s->mode);
	said = log__last();
	if (n > 0) {
		describe_tap(check, tap_set__get(set, 0));
	} else {
		check__detail(check, "%s", said ? said : strerror(-n));
		check__refuse(check, CHECK_NO, "try another --hook");
	}
	log__drop();
	tap_set__free(set); /* detaches */
}

/* The maps that wire programs share, small. Returns 0 or -errno. */
static int open_shared(struct wire_shared *shared, struct wire_view **view)
{
	*shared = (struct wire_shared){.lost_fd = -1};
	shared->records_fd =
		bpf_map_create(BPF_MAP_TYPE_RINGBUF, "tcpw_check", 0, 0, RING_BYTES, NULL);
	if (shared->records_fd >= 0)
		shared->lost_fd =
			bpf_map_create(BPF_MAP_TYPE_PERCPU_ARRAY, "tcpw_check", sizeof(uint32_t),
				       sizeof(struct lost_counters), 1, NULL);
	if (shared->lost_fd < 0)
		return -errno;
	return wire_view__open(view, FEW_SLOTS);
}

static void try_attaching(const struct subject *s)
{
	struct check *check = check_list__add(s->list, s->section, "attached");
	struct wire_view *view = NULL;
	struct wire_shared shared;
	int err;

	if (!check)
		return;
	check->without = s->without;
	err = open_shared(&shared, &view);
	if (err) {
		check__detail(check, "not tried: %s", strerror(-err));
		check__refuse(check, CHECK_NO, "see the BPF features above");
	} else {
		wire_view__configure(view, &shared.config);
		shared.cache_fd = wire_view__cache_fd(view);
		attach(s, check, &shared);
	}
	wire_view__close(view);
	if (shared.records_fd >= 0)
		close(shared.records_fd);
	if (shared.lost_fd >= 0)
		close(shared.lost_fd);
}

/* ---- which interfaces ------------------------------------------------------------------------ */

/* What the options ask for, and which of it is there. */
struct search {
	const struct live_options *options;
	bool *is_found; /* of each of options->ifaces */
	size_t n_chosen;
	bool try_hooks;
};

static bool is_chosen(struct search *search, const struct iface_list *ifaces,
		      const struct iface *iface)
{
	const struct live_options *options = search->options;
	bool is_any = false;

	if (!options->n_ifaces)
		return iface_list__is_chosen(ifaces, iface, NULL);
	for (size_t i = 0; i < options->n_ifaces; i++) {
		if (!iface_list__is_chosen(ifaces, iface, options->ifaces[i]))
			continue;
		is_any = search->is_found[i] = true;
	}
	return is_any;
}

static void check_ifaces(struct subject *s, const struct iface_list *ifaces, struct search *search)
{
	bool is_own = !strcmp(s->ns->name, "self");

	for (size_t i = 0; i < ifaces->count; i++) {
		s->iface = &ifaces->items[i];
		if (!is_chosen(search, ifaces, s->iface))
			continue;
		search->n_chosen++;
		snprintf(s->section, sizeof(s->section), "%s%s%.40s", s->iface->name,
			 is_own ? "" : " in ", is_own ? "" : s->ns->name);
		ask(s);
		if (search->try_hooks)
			try_attaching(s);
	}
}

static int check_netns(struct subject *s, struct search *search)
{
	struct iface_list ifaces;
	int err = iface_list__read(&ifaces, s->ns);

	if (err) {
		log_error("cannot list the interfaces of network namespace %s: %s", s->ns->name,
			  strerror(-err));
		return err;
	}
	check_ifaces(s, &ifaces, search);
	iface_list__free(&ifaces);
	return 0;
}

static enum exit_status check_names(const struct search *search)
{
	for (size_t i = 0; i < search->options->n_ifaces; i++) {
		const char *name = search->options->ifaces[i];

		if (search->is_found[i] || strpbrk(name, "*?["))
			continue;
		log_error("no interface is called %s; `ip link` lists them", name);
		return EXIT_USAGE;
	}
	return EXIT_OK;
}

/* A name that is not there was refused by then, so with -i it was a glob: no mistake, top waits. */
static void tell_of_none(const struct subject *s, bool has_glob)
{
	struct check *check = check_list__add(s->list, "interfaces",
					      has_glob ? "chosen by -i" : "of default routes");

	if (!check)
		return;
	check->without = s->without;
	check__detail(check, "there is none");
	if (has_glob)
		check__refuse(check, CHECK_LIMITED,
			      "those that appear later are watched; `ip link` lists them");
	else
		check__refuse(check, CHECK_NO, "name one with -i; `ip link` lists them");
}

enum exit_status support__check_taps(struct check_list *list, const struct live_options *options,
				     bool try_hooks)
{
	struct subject s = {.list = list, .mode = options->hook};
	struct search search = {.options = options, .try_hooks = try_hooks};
	struct netns_list netns = {0};
	enum exit_status status;
	int err;

	if (options->views == VIEW_WIRE)
		s.without = EXIT_KERNEL;
	search.is_found = calloc(options->n_ifaces + 1, sizeof(bool));
	err = search.is_found ? netns_list__resolve(&netns, options->netns, options->n_netns)
			      : -ENOMEM;
	for (size_t i = 0; !err && i < netns.count; i++) {
		s.ns = &netns.items[i];
		err = check_netns(&s, &search);
	}
	status = err ? exit_status__of(err) : check_names(&search);
	if (status == EXIT_OK && !search.n_chosen)
		tell_of_none(&s, options->n_ifaces);
	netns_list__free(&netns);
	free(search.is_found);
	return status;
}
