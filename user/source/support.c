/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The quick checks, and the one line that a command says when they fail.
 */
#include "support.h"

#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>

#include <linux/capability.h>

#include "user/model/session.h"
#include "user/util/caps.h"
#include "user/util/log.h"
#include "user/util/strbuf.h"

#define KERNEL_BTF	"/sys/kernel/btf/vmlinux"
#define INITIAL_USER_NS 0xEFFFFFFDu /* PROC_USER_INIT_INO in include/linux/proc_ns.h */
#define FILES_ENOUGH	256	    /* maps, programs, links of both views and some interfaces */

/* ---- capabilities ---------------------------------------------------------------------------- */

static const struct cap_row {
	unsigned cap;
	const char *name, *short_name;
	unsigned views; /* which need it */
	const char *purpose;
} cap_rows[] = {
	{CAP_BPF, "CAP_BPF", "cap_bpf", VIEW_BOTH, "loads programs, creates maps"},
	{CAP_NET_ADMIN, "CAP_NET_ADMIN", "cap_net_admin", VIEW_WIRE, "watches interfaces"},
	{CAP_PERFMON, "CAP_PERFMON", "cap_perfmon", VIEW_BOTH, "watches sockets"},
};

#define N_CAPS (sizeof(cap_rows) / sizeof(cap_rows[0]))

/* The setcap words of all that tcpwatch ever needs. */
static void add_setcap(struct strbuf *sb, const struct host *host)
{
	strbuf__adds(sb, "setcap ");
	for (size_t i = 0; i < N_CAPS; i++)
		strbuf__addf(sb, "%s%s", i ? "," : "", cap_rows[i].short_name);
	strbuf__addf(sb, "+ep %s", host->program);
}

static void refuse_privilege(struct check *check, const struct host *host)
{
	struct strbuf setcap = STRBUF_INIT;

	if (host->is_confined) {
		check__refuse(check, CHECK_NO, "run it outside of this container, with sudo");
		return;
	}
	add_setcap(&setcap, host);
	check__refuse(check, CHECK_NO, "run it with sudo, or: %s",
		      setcap.data ? setcap.data : "setcap");
	strbuf__free(&setcap);
}

/* ---- what is the case ------------------------------------------------------------------------ */

/* bpf(2) asks for capabilities in the initial user namespace, whatever capget(2) shows
 * (bpf_token_capable() in kernel/bpf/token.c; before 6.9 capable()). */
static bool is_confined(void)
{
	struct stat st;

	return !stat("/proc/self/ns/user", &st) && st.st_ino != INITIAL_USER_NS;
}

static uint64_t read_max_files(void)
{
	struct rlimit limit;

	return getrlimit(RLIMIT_NOFILE, &limit) ? 0 : limit.rlim_max;
}

void support__look(struct host *host)
{
	struct utsname name;
	ssize_t len;

	*host = (struct host){0};
	if (!uname(&name))
		snprintf(host->release, sizeof(host->release), "%s", name.release);
	if (access(KERNEL_BTF, R_OK))
		host->btf_err = -errno;
	host->caps = caps__effective();
	host->is_confined = is_confined();
	host->max_files = read_max_files();
	len = readlink("/proc/self/exe", host->program, sizeof(host->program) - 1);
	if (len < 0)
		snprintf(host->program, sizeof(host->program), "tcpwatch");
}

void support__raise_limits(void)
{
	struct rlimit limit;

	if (!getrlimit(RLIMIT_NOFILE, &limit)) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit); /* what is too few shows when it is */
	}
	limit = (struct rlimit){RLIM_INFINITY, RLIM_INFINITY};
	(void)setrlimit(RLIMIT_MEMLOCK, &limit);
}

int kernel_version__parse(struct kernel_version *version, const char *release)
{
	if (sscanf(release, "%u.%u", &version->major, &version->minor) != 2)
		return -EINVAL;
	return 0;
}

/* ---- the kernel ------------------------------------------------------------------------------ */

/* Numbers alone decide: distributions carry features back, but not below the floor. */
static bool is_old(const char *release)
{
	struct kernel_version version;

	if (kernel_version__parse(&version, release))
		return false; /* what it lacks shows when it is tried */
	if (version.major != KERNEL_FLOOR_MAJOR)
		return version.major < KERNEL_FLOOR_MAJOR;
	return version.minor < KERNEL_FLOOR_MINOR;
}

static void check_version(struct check_list *list, const struct host *host)
{
	struct check *check = check_list__add(list, "kernel", "kernel version");

	if (!check)
		return;
	check->without = EXIT_KERNEL;
	check__detail(check, "%s", host->release);
	if (!is_old(host->release))
		return;
	check__detail(check, "%s is too old", host->release);
	check__refuse(check, CHECK_NO, "boot Linux %d.%d or newer", KERNEL_FLOOR_MAJOR,
		      KERNEL_FLOOR_MINOR);
}

/* Programs of the wire view read no kernel structure: they load without. */
static void check_btf(struct check_list *list, const struct host *host,
		      const struct support_needs *needs)
{
	struct check *check = check_list__add(list, "kernel", "BTF");

	if (!check)
		return;
	if (needs->views & VIEW_SOCKET)
		check->without = EXIT_KERNEL;
	check__detail(check, "the kernel describes its types in " KERNEL_BTF);
	if (!host->btf_err)
		return;
	check__detail(check, KERNEL_BTF ": %s", strerror(-host->btf_err));
	check__refuse(check, CHECK_NO,
		      "boot a kernel built with CONFIG_DEBUG_INFO_BTF=y (in a container: mount "
		      "/sys), or watch interfaces alone with --view wire");
}

void support__check_kernel(struct check_list *list, const struct host *host,
			   const struct support_needs *needs)
{
	check_version(list, host);
	check_btf(list, host, needs);
}

/* ---- privileges ------------------------------------------------------------------------------ */

static void check_cap(struct check_list *list, const struct host *host, const struct cap_row *row,
		      unsigned views)
{
	struct check *check = check_list__add(list, "privileges", row->name);

	if (!check)
		return;
	check->without = row->views & views ? EXIT_PRIVILEGE : EXIT_OK;
	check__detail(check, "%s", row->purpose);
	if (!host->is_confined && caps__has(host->caps, row->cap))
		return;
	check__detail(check,
		      host->is_confined ? "not taken from a user namespace; it %s"
					: "missing; it %s",
		      row->purpose);
	refuse_privilege(check, host);
}

static void check_sys_admin(struct check_list *list, const struct host *host,
			    const struct support_needs *needs)
{
	struct check *check = check_list__add(list, "privileges", "CAP_SYS_ADMIN");

	if (!check)
		return;
	check->without = needs->has_other_netns ? EXIT_PRIVILEGE : EXIT_OK;
	check__detail(check, "enters other network namespaces (-N)");
	if (!host->is_confined && caps__has(host->caps, CAP_SYS_ADMIN))
		return;
	check__detail(check, "missing; only other network namespaces (-N) need it");
	check__refuse(check, needs->has_other_netns ? CHECK_NO : CHECK_LIMITED,
		      "run it with sudo to use -N");
}

/* The soft limit has been raised by now: what counts is the hard one. */
static void check_files(struct check_list *list, const struct host *host)
{
	struct check *check = check_list__add(list, "privileges", "open files limit");

	if (!check)
		return;
	check->without = EXIT_PRIVILEGE;
	check__detail(check, "%llu", (unsigned long long)host->max_files);
	if (host->max_files < FILES_ENOUGH)
		check__refuse(check, CHECK_NO,
			      "allow %d: ulimit -Hn %d, or LimitNOFILE= of the "
			      "systemd unit",
			      FILES_ENOUGH, FILES_ENOUGH);
}

void support__check_privileges(struct check_list *list, const struct host *host,
			       const struct support_needs *needs)
{
	for (size_t i = 0; i < N_CAPS; i++)
		check_cap(list, host, &cap_rows[i], needs->views);
	check_sys_admin(list, host, needs);
	check_files(list, host);
}

/* ---- the one line ---------------------------------------------------------------------------- */

static void add_missing_caps(struct strbuf *sb, const struct host *host, unsigned views)
{
	for (size_t i = 0; i < N_CAPS; i++)
		if (cap_rows[i].views & views &&
		    (host->is_confined || !caps__has(host->caps, cap_rows[i].cap)))
			strbuf__addf(sb, "%s%s", sb->len ? ", " : "", cap_rows[i].name);
}

/* Returns true if it was capabilities. */
static bool complain_of_caps(const struct host *host, unsigned views)
{
	struct strbuf missing = STRBUF_INIT, setcap = STRBUF_INIT;
	bool is_any;

	add_missing_caps(&missing, host, views);
	add_setcap(&setcap, host);
	is_any = missing.len;
	if (is_any && host->is_confined)
		log_error("cannot load BPF programs from inside a user namespace, where %s do not "
			  "count; run it outside of this container, with sudo",
			  missing.data);
	else if (is_any)
		log_error("cannot load BPF programs: %s missing; run it with sudo, or give it the "
			  "capabilities: %s",
			  missing.data, setcap.data ? setcap.data : "setcap");
	strbuf__free(&missing);
	strbuf__free(&setcap);
	return is_any;
}

/* Of several things that are missing the first one is told: others may follow from it. */
static void complain(const struct check_list *list, enum exit_status verdict)
{
	for (size_t i = 0; i < list->count; i++) {
		const struct check *check = &list->items[i];

		if (check->result != CHECK_NO || check->without != verdict)
			continue;
		log_error("cannot work here: %s: %s; %s", check->name, check->detail,
			  check->remedy);
		return;
	}
}

enum exit_status support__require(unsigned views)
{
	const struct support_needs needs = {.views = views};
	struct check_list list = {0};
	enum exit_status verdict;
	struct host host;

	support__look(&host);
	support__check_privileges(&list, &host, &needs);
	support__check_kernel(&list, &host, &needs);
	verdict = check_list__verdict(&list);
	if (verdict == EXIT_RUNTIME)
		log_error("out of memory at start");
	else if (verdict == EXIT_KERNEL ||
		 (verdict == EXIT_PRIVILEGE && !complain_of_caps(&host, views)))
		complain(&list, verdict);
	check_list__free(&list);
	return verdict;
}
