/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What follows from a kernel's version, from capabilities, and from the results of checks.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include <linux/capability.h>

#include "user/model/session.h"
#include "user/source/support.h"
#include "user/util/caps.h"
#include "user/tap/hook.h"
#include "user/tap/hook_query.h"

#define COUNT_OF(array) (sizeof(array) / sizeof((array)[0]))
#define BIT(cap)	(1ull << (cap))
#define THREE		(BIT(CAP_BPF) | BIT(CAP_NET_ADMIN) | BIT(CAP_PERFMON))

static const struct host good_host = {
	.release = "6.1.0-18-amd64",
	.caps = THREE | BIT(CAP_SYS_ADMIN),
	.max_files = 1024,
	.program = "/usr/local/sbin/tcpwatch",
};

/* ---- versions -------------------------------------------------------------------------------- */

static const struct version_case {
	const char *release;
	unsigned major, minor;
	int err;
} versions[] = {
	{"5.15.0", 5, 15, 0}, {"6.1.0-18-amd64", 6, 1, 0},  {"6.8.0-31-generic", 6, 8, 0},
	{"7.0-rc1", 7, 0, 0}, {"10.20.30+", 10, 20, 0},	    {"", 0, 0, -EINVAL},
	{"6", 0, 0, -EINVAL}, {"linux-6.1", 0, 0, -EINVAL},
};

static void test_version(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(versions); i++) {
		const struct version_case *c = &versions[i];
		struct kernel_version version;

		print_message("version: %s\n", c->release);
		assert_int_equal(kernel_version__parse(&version, c->release), c->err);
		if (c->err)
			continue;
		assert_int_equal(version.major, c->major);
		assert_int_equal(version.minor, c->minor);
	}
}

/* ---- capabilities ---------------------------------------------------------------------------- */

static const struct cap_case {
	const char *name;
	uint64_t caps;
	unsigned cap;
	bool expected;
} cap_cases[] = {
	{"itself", BIT(CAP_BPF), CAP_BPF, true},
	{"none", 0, CAP_BPF, false},
	{"another", BIT(CAP_NET_ADMIN), CAP_BPF, false},
	{"SYS_ADMIN is BPF", BIT(CAP_SYS_ADMIN), CAP_BPF, true},
	{"SYS_ADMIN is PERFMON", BIT(CAP_SYS_ADMIN), CAP_PERFMON, true},
	{"SYS_ADMIN is not NET_ADMIN", BIT(CAP_SYS_ADMIN), CAP_NET_ADMIN, false},
	{"BPF is not SYS_ADMIN", BIT(CAP_BPF), CAP_SYS_ADMIN, false},
};

static void test_caps(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(cap_cases); i++) {
		print_message("capability: %s\n", cap_cases[i].name);
		assert_int_equal(caps__has(cap_cases[i].caps, cap_cases[i].cap),
				 cap_cases[i].expected);
	}
}

/* ---- a host as a whole ----------------------------------------------------------------------- */

static const struct host_case {
	const char *name;
	const char *release; /* NULL: as of the good host */
	uint64_t caps;
	int btf_err;
	bool is_confined, has_other_netns;
	uint64_t max_files; /* 0: enough */
	unsigned views;
	enum exit_status expected;
	const char *failing; /* the first check that is no and required; NULL: none */
} host_cases[] = {
	{.name = "root", .caps = ~0ull, .views = VIEW_BOTH},
	{.name = "three capabilities", .caps = THREE, .views = VIEW_BOTH},
	{.name = "sockets without NET_ADMIN",
	 .caps = BIT(CAP_BPF) | BIT(CAP_PERFMON),
	 .views = VIEW_SOCKET},
	{.name = "interfaces without NET_ADMIN",
	 .caps = BIT(CAP_BPF) | BIT(CAP_PERFMON),
	 .views = VIEW_BOTH,
	 .expected = EXIT_PRIVILEGE,
	 .failing = "CAP_NET_ADMIN"},
	{.name = "no PERFMON",
	 .caps = BIT(CAP_BPF) | BIT(CAP_NET_ADMIN),
	 .views = VIEW_WIRE,
	 .expected = EXIT_PRIVILEGE,
	 .failing = "CAP_PERFMON"},
	{.name = "nobody", .views = VIEW_BOTH, .expected = EXIT_PRIVILEGE, .failing = "CAP_BPF"},
	{.name = "root of a user namespace",
	 .caps = ~0ull,
	 .is_confined = true,
	 .views = VIEW_BOTH,
	 .expected = EXIT_PRIVILEGE,
	 .failing = "CAP_BPF"},
	{.name = "other namespaces without SYS_ADMIN",
	 .caps = THREE,
	 .has_other_netns = true,
	 .views = VIEW_BOTH,
	 .expected = EXIT_PRIVILEGE,
	 .failing = "CAP_SYS_ADMIN"},
	{.name = "few files",
	 .caps = ~0ull,
	 .max_files = 20,
	 .views = VIEW_BOTH,
	 .expected = EXIT_PRIVILEGE,
	 .failing = "open files limit"},
	{.name = "floor", .release = "5.15.0", .caps = ~0ull, .views = VIEW_BOTH},
	{.name = "below the floor",
	 .release = "5.14.21-150500.55-default",
	 .caps = ~0ull,
	 .views = VIEW_BOTH,
	 .expected = EXIT_KERNEL,
	 .failing = "kernel version"},
	{.name = "a major version below",
	 .release = "4.19.0",
	 .caps = ~0ull,
	 .views = VIEW_BOTH,
	 .expected = EXIT_KERNEL,
	 .failing = "kernel version"},
	{.name = "a major version above, small minor",
	 .release = "6.0.0",
	 .caps = ~0ull,
	 .views = VIEW_BOTH},
	{.name = "an unknown version is tried", .release = "?", .caps = ~0ull, .views = VIEW_BOTH},
	{.name = "no BTF",
	 .caps = ~0ull,
	 .btf_err = -ENOENT,
	 .views = VIEW_BOTH,
	 .expected = EXIT_KERNEL,
	 .failing = "BTF"},
	{.name = "no BTF for interfaces", .caps = ~0ull, .btf_err = -ENOENT, .views = VIEW_WIRE},
	{.name = "neither BTF nor privilege: the privilege first",
	 .btf_err = -ENOENT,
	 .views = VIEW_BOTH,
	 .expected = EXIT_PRIVILEGE,
	 .failing = "CAP_BPF"},
};

static const struct check *find_failing(const struct check_list *list, enum exit_status status)
{
	for (size_t i = 0; i < list->count; i++)
		if (list->items[i].result == CHECK_NO && list->items[i].without == status)
			return &list->items[i];
	return NULL;
}

static void judge_host(const struct host_case *c)
{
	const struct support_needs needs = {.views = c->views,
					    .has_other_netns = c->has_other_netns};
	struct check_list list = {0};
	const struct check *failing;
	struct host host = good_host;

	host.caps = c->caps;
	host.btf_err = c->btf_err;
	host.is_confined = c->is_confined;
	if (c->max_files)
		host.max_files = c->max_files;
	if (c->release)
		strncpy(host.release, c->release, sizeof(host.release) - 1);
	support__check_kernel(&list, &host, &needs);
	support__check_privileges(&list, &host, &needs);
	assert_int_equal(check_list__verdict(&list), c->expected);
	if (c->failing) {
		failing = find_failing(&list, c->expected);
		assert_non_null(failing);
		assert_string_equal(failing->name, c->failing);
	}
	check_list__free(&list);
}

static void test_host(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(host_cases); i++) {
		print_message("host: %s\n", host_cases[i].name);
		judge_host(&host_cases[i]);
	}
}

/* Each no comes with what to do, and that names what would give the capabilities. */
static void test_remedies(void **state)
{
	const struct support_needs needs = {.views = VIEW_BOTH, .has_other_netns = true};
	struct host host = good_host;
	struct check_list list = {0};

	(void)state;
	host.caps = 0;
	host.btf_err = -EACCES;
	host.max_files = 1;
	strcpy(host.release, "5.10.0");
	support__check_kernel(&list, &host, &needs);
	support__check_privileges(&list, &host, &needs);
	for (size_t i = 0; i < list.count; i++) {
		print_message("remedy: %s\n", list.items[i].name);
		assert_int_equal(list.items[i].result, CHECK_NO);
		assert_true(list.items[i].remedy[0]);
		if (!strcmp(list.items[i].name, "CAP_BPF"))
			assert_non_null(strstr(list.items[i].remedy,
					       "setcap cap_bpf,cap_net_admin,cap_perfmon+ep "
					       "/usr/local/sbin/tcpwatch"));
	}
	assert_true(list.count >= 7);
	check_list__free(&list);
}

/* ---- verdicts -------------------------------------------------------------------------------- */

static const struct verdict_case {
	const char *name;
	struct {
		enum check_result result;
		enum exit_status without;
	} checks[3];
	enum exit_status expected;
} verdicts[] = {
	{"all there",
	 {{CHECK_YES, EXIT_KERNEL}, {CHECK_YES, EXIT_PRIVILEGE}, {CHECK_YES, EXIT_OK}},
	 EXIT_OK},
	{"what is missing is not required",
	 {{CHECK_YES, EXIT_KERNEL}, {CHECK_NO, EXIT_OK}, {CHECK_NO, EXIT_OK}},
	 EXIT_OK},
	{"limited is enough",
	 {{CHECK_LIMITED, EXIT_KERNEL}, {CHECK_LIMITED, EXIT_PRIVILEGE}, {CHECK_YES, EXIT_OK}},
	 EXIT_OK},
	{"the kernel lacks something",
	 {{CHECK_YES, EXIT_PRIVILEGE}, {CHECK_NO, EXIT_KERNEL}, {CHECK_NO, EXIT_OK}},
	 EXIT_KERNEL},
	{"a privilege is missing",
	 {{CHECK_NO, EXIT_PRIVILEGE}, {CHECK_YES, EXIT_KERNEL}, {CHECK_YES, EXIT_OK}},
	 EXIT_PRIVILEGE},
	{"a privilege, then the kernel",
	 {{CHECK_NO, EXIT_PRIVILEGE}, {CHECK_NO, EXIT_KERNEL}, {CHECK_YES, EXIT_OK}},
	 EXIT_PRIVILEGE},
	{"the kernel, then a privilege",
	 {{CHECK_NO, EXIT_KERNEL}, {CHECK_NO, EXIT_PRIVILEGE}, {CHECK_YES, EXIT_OK}},
	 EXIT_PRIVILEGE},
};

static void test_verdict(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(verdicts); i++) {
		const struct verdict_case *c = &verdicts[i];
		struct check_list list = {0};

		print_message("verdict: %s\n", c->name);
		for (size_t k = 0; k < COUNT_OF(c->checks); k++) {
			struct check *check = check_list__add(&list, "section", "name");

			assert_non_null(check);
			check->result = c->checks[k].result;
			check->without = c->checks[k].without;
		}
		assert_int_equal(check_list__verdict(&list), c->expected);
		check_list__free(&list);
	}
}

/* ---- hooks ----------------------------------------------------------------------------------- */

static const struct iface nic = {.name = "eth0"};
static const struct iface veth = {.name = "veth0", .kind = "veth"};

static const struct hook_case {
	const char *name;
	const struct iface *iface;
	enum hook_mode mode;
	struct hook_query query;
	enum attach_kind expected, otherwise;
} hook_cases[] = {
	{"a driver with XDP",
	 &nic,
	 HOOK_AUTO,
	 {.native = ANSWER_YES, .frags = ANSWER_NO, .tcx = ANSWER_YES},
	 ATTACH_XDP,
	 ATTACH_TCX},
	{"a driver without",
	 &nic,
	 HOOK_AUTO,
	 {.native = ANSWER_NO, .frags = ANSWER_NO, .tcx = ANSWER_YES},
	 ATTACH_TCX,
	 ATTACH_TCX},
	{"a driver that does not tell",
	 &nic,
	 HOOK_AUTO,
	 {.native = ANSWER_UNKNOWN, .frags = ANSWER_UNKNOWN, .tcx = ANSWER_YES},
	 ATTACH_XDP,
	 ATTACH_TCX},
	{"XDP is taken",
	 &nic,
	 HOOK_AUTO,
	 {.native = ANSWER_YES, .frags = ANSWER_YES, .tcx = ANSWER_YES, .xdp = {.count = 1}},
	 ATTACH_TCX,
	 ATTACH_TCX},
	{"XDP is taken, generic asked for",
	 &nic,
	 HOOK_XDP_GENERIC,
	 {.native = ANSWER_YES, .frags = ANSWER_YES, .tcx = ANSWER_YES, .xdp = {.count = 1}},
	 ATTACH_TCX,
	 ATTACH_TCX},
	{"other programs of tcx do no harm",
	 &nic,
	 HOOK_TC,
	 {.native = ANSWER_YES, .tcx = ANSWER_YES, .tcx_ingress = {.count = 3}},
	 ATTACH_TCX,
	 ATTACH_TCX},
	{"a kernel without tcx",
	 &nic,
	 HOOK_TC,
	 {.native = ANSWER_UNKNOWN, .tcx = ANSWER_NO},
	 ATTACH_CLSACT,
	 ATTACH_CLSACT},
	{"a veth",
	 &veth,
	 HOOK_AUTO,
	 {.native = ANSWER_YES, .frags = ANSWER_YES, .tcx = ANSWER_YES},
	 ATTACH_TCX,
	 ATTACH_TCX},
	{"a veth, native asked for",
	 &veth,
	 HOOK_XDP,
	 {.native = ANSWER_YES, .frags = ANSWER_YES, .tcx = ANSWER_YES},
	 ATTACH_XDP,
	 ATTACH_XDP_GENERIC},
	{"generic",
	 &nic,
	 HOOK_XDP_GENERIC,
	 {.native = ANSWER_NO, .frags = ANSWER_NO, .tcx = ANSWER_YES},
	 ATTACH_XDP_GENERIC,
	 ATTACH_XDP_GENERIC},
};

static void test_hooks(void **state)
{
	(void)state;
	for (size_t i = 0; i < COUNT_OF(hook_cases); i++) {
		const struct hook_case *c = &hook_cases[i];
		enum attach_kind otherwise;

		print_message("hook: %s\n", c->name);
		assert_int_equal(hook_query__choose(&c->query,
						    hook__ingress_kinds(c->mode, c->iface),
						    &otherwise),
				 c->expected);
		assert_int_equal(otherwise, c->otherwise);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_version), cmocka_unit_test(test_caps),
		cmocka_unit_test(test_host),	cmocka_unit_test(test_remedies),
		cmocka_unit_test(test_verdict), cmocka_unit_test(test_hooks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
