/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * What this kernel and these privileges allow: quick checks that every command makes before it
 * loads anything, and thorough ones that really create each map and load each program.
 * Not here: the hooks of interfaces (tap/hook_query.h), showing it all (cmd/doctor.c).
 */
#ifndef TCPWATCH_SUPPORT_H
#define TCPWATCH_SUPPORT_H

#include <limits.h>
#include <stdint.h>

#include "check.h"

#define KERNEL_FLOOR_MAJOR 5
#define KERNEL_FLOOR_MINOR 15

struct kernel_version {
	unsigned major, minor;
};

/* What a few system calls tell of this host and this process. */
struct host {
	char release[65]; /* as uname -r prints it */
	int btf_err;	  /* 0, or why the kernel's types cannot be read, as -errno */
	uint64_t caps;	  /* effective capabilities, 1 << CAP_* */
	bool is_confined; /* in a user namespace: BPF asks for capabilities outside of it */
	uint64_t max_files;
	char program[PATH_MAX]; /* the path of tcpwatch itself */
};

/* What the checks are to be for. */
struct support_needs {
	unsigned views;	      /* VIEW_* */
	bool has_other_netns; /* -N names some but the own one */
	uint32_t cache_slots; /* sessions for each CPU */
};

/*
 * support__require() - that @views (VIEW_*) can work here, as far as a few system calls tell
 *
 * Returns EXIT_OK, or EXIT_PRIVILEGE or EXIT_KERNEL after logging what to do.
 */
enum exit_status support__require(unsigned views);

/* kernel_version__parse() - of "6.1.0-18-amd64": 6 and 1. Returns 0 or -EINVAL */
int kernel_version__parse(struct kernel_version *version, const char *release);

/*
 * support__raise_limits() - as many open files as this process may have: maps, programs and links
 * are files, some hundreds; and locked memory, as which kernels before 5.11 count maps
 */
void support__raise_limits(void);

/* support__look() - what is the case here and now */
void support__look(struct host *host);

/* support__check_kernel(), support__check_privileges() - the quick checks, of @host alone */
void support__check_kernel(struct check_list *list, const struct host *host,
			   const struct support_needs *needs);
void support__check_privileges(struct check_list *list, const struct host *host,
			       const struct support_needs *needs);

/* support__check_features() - of the kernel, by using each for a moment */
void support__check_features(struct check_list *list, const struct support_needs *needs);

/*
 * support__check_programs() - load every program by itself; attach the tracepoints and read from
 * the iterators. Nothing is attached to an interface, and nothing stays. What @list holds by then
 * says whether privileges are the cause.
 */
void support__check_programs(struct check_list *list, const struct support_needs *needs);

/* support__check_conntrack() - whether it can be asked about translations of addresses */
void support__check_conntrack(struct check_list *list, const struct support_needs *needs);

/*
 * support__check_taps() - every interface that the options choose: which hooks it offers, who is
 * there, what it would be watched by
 *
 * @try_hooks: attach to it for a moment, which some NICs answer with a reset of their rings; else
 * only questions are asked. Returns EXIT_OK; EXIT_USAGE or EXIT_PRIVILEGE, logged, if what was
 * named is not there or may not be looked at; or EXIT_RUNTIME, logged.
 */
struct live_options;
enum exit_status support__check_taps(struct check_list *list, const struct live_options *options,
				     bool try_hooks);

#endif
