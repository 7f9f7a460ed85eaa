/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Taking the two accounts, and the table of their fields.
 */
#include "syn_totals.h"

void syn_totals__take(struct syn_totals *totals, const struct live *live, uint32_t netns)
{
	const struct tap_set *taps = live__taps(live);

	*totals = (struct syn_totals){
		.netns_name = netns ? netns_list__name(live__netns(live), netns) : NULL,
		.has_fates = taps && tap_set__has_fates(taps, netns),
		.since_begun = !live__is_following(live),
	};
	listener_table__fates(live__listeners(live), netns, &totals->fates);
	live__kernel_counts(live, netns, totals->since_begun, &totals->kernel);
}

#define TOTALS ((const struct syn_totals *)row)

GETTER(netns)
{
	value__set_string(out, TOTALS->netns_name);
}

GETTER(listeners)
{
	value__set_u64(out, VALUE_COUNT, TOTALS->fates.n_listeners);
}

GETTER(half_open)
{
	value__set_u64(out, VALUE_COUNT, TOTALS->fates.half_open);
}

#define FATE_GETTER(id, key, help)                                                          \
	GETTER(syns_##id)                                                                   \
	{                                                                                   \
		value__set_known(out, TOTALS->has_fates, VALUE_COUNT,                       \
				 SYN_##id == SYN_QUEUED ? syn_fates__queued(&TOTALS->fates) \
							: TOTALS->fates.fate[SYN_##id]);    \
	}
SYN_FATES(FATE_GETTER)

GETTER(syns_dropped_other)
{
	value__set_known(out, TOTALS->has_fates && TOTALS->fates.has_other, VALUE_COUNT,
			 TOTALS->fates.other);
}

GETTER(syns_inferred)
{
	value__set_known(out, TOTALS->has_fates, VALUE_COUNT, TOTALS->fates.n_inferred);
}

/* The kernel's account, ours, and the difference. */
#define ACCOUNT_GETTERS(id, name, key, seen, why)                                             \
	GETTER(key)                                                                           \
	{                                                                                     \
		value__set_known(out, TOTALS->kernel.known &NETNS_SET(id), VALUE_COUNT,       \
				 TOTALS->kernel.value[NETNS_##id]);                           \
	}                                                                                     \
	GETTER(key##_seen)                                                                    \
	{                                                                                     \
		const struct syn_fates *f = &TOTALS->fates;                                   \
                                                                                              \
		value__set_known(out, TOTALS->has_fates, VALUE_COUNT, f->seen);               \
	}                                                                                     \
	GETTER(key##_difference)                                                              \
	{                                                                                     \
		const struct syn_fates *f = &TOTALS->fates;                                   \
                                                                                              \
		if (TOTALS->has_fates && TOTALS->kernel.known & NETNS_SET(id))                \
			value__set_signed(out, TOTALS->kernel.value[NETNS_##id] - (f->seen)); \
		else                                                                          \
			value__set_none(out);                                                 \
	}
SYN_ACCOUNTS(ACCOUNT_GETTERS)

#define ROW_OF(its_key, title_, kind_, help_, get_) \
	{its_key, .title = title_, .unit = "", .help = help_, .kind = kind_, .get = get_},
#define ROW(key, kind, help) ROW_OF(FIELD_KEY(key), #key, kind, help, get_##key)
#define FATE_ROW(id, name, help) \
	ROW_OF(FIELD_KEY_TEXT("syns_" name), name, VALUE_COUNT, "SYNs " help, get_syns_##id)
#define ACCOUNT_ROWS(id, name, key, seen, why)                       \
	ROW(key, VALUE_COUNT, "the kernel's " name)                  \
	ROW(key##_seen, VALUE_COUNT, "the same, by the SYNs we saw") \
	ROW(key##_difference, VALUE_SIGNED, "the first less the second: " why)

static const struct field rows[] = {
	/* clang-format off */
	ROW(netns, VALUE_TEXT, "network namespace: name, or inode number")
	ROW(listeners, VALUE_COUNT, "listeners in it")
	ROW(half_open, VALUE_COUNT, "connections half open in their SYN queues")
	SYN_FATES(FATE_ROW)
	ROW(syns_dropped_other, VALUE_COUNT, "SYNs " LISTENER_OTHER_HELP)
	ROW(syns_inferred, VALUE_COUNT, "SYNs that share the answer of one just before")
	SYN_ACCOUNTS(ACCOUNT_ROWS)
	/* clang-format on */
};

const struct field_table syn_totals_fields = {
	.schema = "tcpwatch.syn_totals.v1",
	.fields = rows,
	.count = sizeof(rows) / sizeof(rows[0]),
};
