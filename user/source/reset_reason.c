/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reads enum sk_rst_reason from the kernel's BTF, once. Not here: where reasons come from
 * (bpf/sock.bpf.c).
 */
#include "reset_reason.h"

#include <ctype.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <bpf/btf.h>

#define PREFIX	    "SK_RST_REASON_"
#define MAX_REASONS 128
#define NAME_LEN    48

struct reasons {
	bool is_loaded;
	char names[MAX_REASONS][NAME_LEN]; /* "": no such reason */
};

static void add(struct reasons *reasons, int value, const char *name)
{
	char *to;

	if (value < 0 || value >= MAX_REASONS || !name)
		return;
	if (!strncmp(name, PREFIX, strlen(PREFIX)))
		name += strlen(PREFIX);
	if (!strcmp(name, "MAX"))
		return; /* the end of the enum, not a reason */
	snprintf(reasons->names[value], NAME_LEN, "%s", name);
	for (to = reasons->names[value]; *to; to++)
		*to = tolower((unsigned char)*to);
}

static void load(struct reasons *reasons)
{
	struct btf *btf = btf__load_vmlinux_btf();
	const struct btf_type *type;
	int id;

	reasons->is_loaded = true;
	if (!btf)
		return;
	id = btf__find_by_name_kind(btf, "sk_rst_reason", BTF_KIND_ENUM);
	type = id > 0 ? btf__type_by_id(btf, id) : NULL;
	for (int i = 0; type && i < btf_vlen(type); i++) {
		const struct btf_enum *e = btf_enum(type) + i;

		add(reasons, e->val, btf__name_by_offset(btf, e->name_off));
	}
	btf__free(btf);
}

const char *reset_reason__name(int reason)
{
	/* The kernel does not change while we run: the one copy is as constant as a table. */
	static struct reasons reasons;

	if (reason < 0 || reason >= MAX_REASONS)
		return NULL;
	if (!reasons.is_loaded)
		load(&reasons);
	return reasons.names[reason][0] ? reasons.names[reason] : NULL;
}
