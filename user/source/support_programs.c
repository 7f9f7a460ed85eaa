/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Whether the kernel takes tcpwatch's own programs, one by one, and why not.
 * Not here: what they do (bpf/), attaching them to interfaces (tap/).
 */
#include "support.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <bpf/bpf.h>
#include <bpf/libbpf.h>

#include "bpf/shared/abi.h"
#include "sock.skel.h"
#include "user/model/session.h"
#include "user/tap/no_btf.h"
#include "wire.skel.h"

#define LOG_BYTES    (1u << 20)
#define READ_BYTES   16384
#define RODATA_BYTES 4096 /* at most, of all constants */
#define N_SETS	     16	  /* any power of two */

/* What is to be known of a program beside its object's own words. */
static const struct program_row {
	const char *name;
	const char *title; /* NULL: the name of its section */
	unsigned required; /* when only these views are looked at, and no others */
	const char *purpose;
	const char *without; /* what is missed */
} program_rows[] = {
	{"sock_state", NULL, VIEW_BOTH, "each change of a socket's state", ""},
	{"sock_retransmit", NULL, 0, "segments sent again", "retransmissions are not seen"},
	{"sock_retransmit_synack", NULL, 0, "SYN-ACKs sent again",
	 "SYN-ACK retransmissions are not seen"},
	{"sock_reset_sent", NULL, 0, "resets sent, and why",
	 "resets are not seen by the socket view"},
	{"sock_reset_received", NULL, 0, "resets received",
	 "resets are not seen by the socket view"},
	{"iter_sockets", NULL, VIEW_BOTH, "lists the sockets there are", ""},
	{"walk_sockets", "syscall walk", 0, "lists many sockets at once",
	 "`sessions` takes the lock of each socket, and three times as long"},
	{"iter_tuples", "iter/tcp tuples", 0, "lists the sockets there are, in brief",
	 "TIME_WAIT and ports are not counted"},
	{"iter_tally", "iter/tcp counts", 0, "counts the sockets there are",
	 "`export` has no sessions by state"},
	{"iter_listeners", "iter/tcp listeners", 0, "lists the listeners and their queues",
	 "`backlog` does not work"},
	{"iter_marked_listeners", "iter/bpf_sk_storage_map listeners", 0,
	 "lists the listeners of many namespaces at once", "`backlog --watch` does not work"},
	{"iter_requests", "iter/tcp requests", 0, "lists half-open connections",
	 "`backlog` does not know how old they are"},
	{"iter_processes", "iter/task", 0, "lists the processes", "`backlog` does not name them"},
	{"iter_listener_owners", "iter/task_file listeners", 0, "finds the processes of listeners",
	 "`backlog` does not name them"},
	{"iter_owners", NULL, VIEW_BOTH, "finds the processes of sockets", ""},
	{"wire_xdp", NULL, 0, "segments at the driver", "tc is used instead of native XDP"},
	{"wire_xdp_frags", NULL, 0, "likewise, frames of several buffers",
	 "interfaces with a large MTU are watched by tc"},
	{"wire_tc_ingress", "tc ingress", VIEW_WIRE, "segments after the driver",
	 "interfaces are watched by XDP alone, or not at all"},
	{"wire_tc_egress", "tc egress", VIEW_WIRE, "segments sent",
	 "what interfaces send is not seen"},
};

/* An object and how it is made ready. */
struct object {
	const char *section;
	const void *(*bytes)(size_t *size);
	unsigned view;
	void (*configure)(void *rodata);
	bool needs_btf;
};

static void configure_sock(void *rodata)
{
	struct sock_bpf__rodata *constants = rodata;

	constants->cfg.record_mask = ~0u; /* nothing is left out as dead code */
	constants->cfg.filter_netns = 1;
	constants->cfg.can_read_kernel = 1;
	constants->cfg.follow = 1;
	constants->cfg.remembers = 1;
}

/* Under lockdown the sockets' programs are loaded without reading packets. */
static void configure_sock_blind(void *rodata)
{
	struct sock_bpf__rodata *constants = rodata;

	configure_sock(rodata);
	constants->cfg.can_read_kernel = 0;
}

static void configure_wire(void *rodata)
{
	struct wire_bpf__rodata *constants = rodata;

	constants->cfg.record_mask = ~0u;
	constants->cfg.n_sets = N_SETS;
}

static void configure_fates(void *rodata)
{
	struct wire_bpf__rodata *constants = rodata;

	configure_wire(rodata);
	constants->cfg.fate_looks = 1;
}

static const struct object sock_object = {"socket view", sock_bpf__elf_bytes, VIEW_SOCKET,
					  configure_sock, true};
static const struct object sock_blind_object = {"socket view", sock_bpf__elf_bytes, VIEW_SOCKET,
						configure_sock_blind, true};
static const struct object wire_object = {"wire view", wire_bpf__elf_bytes, VIEW_WIRE,
					  configure_wire, false};
static const struct object fates_object = {"wire view", wire_bpf__elf_bytes, VIEW_WIRE,
					   configure_fates, true};

static const struct program_row *row_of(const char *name)
{
	static const struct program_row unknown = {.purpose = "", .without = ""};

	for (size_t i = 0; i < sizeof(program_rows) / sizeof(program_rows[0]); i++)
		if (!strcmp(program_rows[i].name, name))
			return &program_rows[i];
	return &unknown;
}

/* ---- trying one program ---------------------------------------------------------------------- */

/* Where a program got to, and the verifier's words if that is where it ended. */
struct trial {
	const char *step; /* that failed */
	int err;
	char *log;	      /* LOG_BYTES */
	bool is_unprivileged; /* it is known that something is missing */
};

static int read_some(const struct bpf_link *link)
{
	char buffer[READ_BYTES];
	int err = 0, fd = bpf_iter_create(bpf_link__fd(link));

	if (fd < 0)
		return -errno;
	if (read(fd, buffer, sizeof(buffer)) < 0 && errno != EAGAIN && errno != EINTR)
		err = -errno;
	close(fd);
	return err;
}

/* An iterator of a map is told which. */
static struct bpf_link *attach(const struct bpf_object *loaded, const struct bpf_program *program)
{
	union bpf_iter_link_info info = {0};
	LIBBPF_OPTS(bpf_iter_attach_opts, opts, .link_info = &info, .link_info_len = sizeof(info));

	if (strcmp(bpf_program__section_name(program), "iter/bpf_sk_storage_map") != 0)
		return bpf_program__attach(program);
	info.map.map_fd = bpf_object__find_map_fd_by_name(loaded, "marked_listeners");
	return bpf_program__attach_iter(program, &opts);
}

/* Programs of interfaces are left alone: attaching may disturb a NIC. */
static void try_attaching(struct trial *trial, const struct bpf_object *loaded,
			  const struct bpf_program *program)
{
	struct bpf_link *link;

	if (bpf_program__type(program) != BPF_PROG_TYPE_TRACING)
		return;
	trial->step = "cannot be attached";
	link = attach(loaded, program);
	if (!link) {
		trial->err = -errno;
		return;
	}
	if (bpf_program__expected_attach_type(program) == BPF_TRACE_ITER) {
		trial->step = "cannot be read";
		trial->err = read_some(link);
	}
	bpf_link__destroy(link);
}

static struct bpf_program *choose(struct bpf_object *opened, const char *name, char *log)
{
	struct bpf_program *program, *chosen = NULL;

	bpf_object__for_each_program(program, opened)
	{
		bool is_it = !strcmp(bpf_program__name(program), name);

		bpf_program__set_autoload(program, is_it);
		if (is_it)
			chosen = program;
	}
	if (chosen && bpf_program__set_log_buf(chosen, log, LOG_BYTES))
		return NULL;
	return chosen;
}

/* Constants may be more than the skeleton's struct: what the compiler put beside it stays. */
static int configure(const struct object *object, struct bpf_object *opened)
{
	struct bpf_map *map = bpf_object__find_map_by_name(opened, ".rodata");
	_Alignas(8) char constants[RODATA_BYTES];
	const void *initial;
	size_t size;

	initial = map ? bpf_map__initial_value(map, &size) : NULL;
	if (!initial || size > sizeof(constants))
		return -EINVAL;
	memcpy(constants, initial, size);
	object->configure(constants);
	return bpf_map__set_initial_value(map, constants, size);
}

static void try_program(struct trial *trial, const struct object *object, const char *name)
{
	LIBBPF_OPTS(bpf_object_open_opts, opts);
	struct bpf_object *opened;
	struct bpf_program *program;
	const void *bytes;
	size_t size;

	trial->step = "cannot be loaded";
	trial->err = 0;
	trial->log[0] = '\0';
	bytes = object->bytes(&size);
	if (!object->needs_btf)
		opts.btf_custom_path = no_btf__path();
	opened = bpf_object__open_mem(bytes, size, &opts);
	if (!opened) {
		trial->err = -errno;
		return;
	}
	trial->err = configure(object, opened);
	program = choose(opened, name, trial->log);
	if (!trial->err)
		trial->err = program ? bpf_object__load(opened) : -ENOENT;
	if (!trial->err)
		try_attaching(trial, opened, program);
	bpf_object__close(opened);
}

/* ---- saying what came of it ------------------------------------------------------------------ */

/* Why, and the verifier's last words before its statistics; at most 120 bytes of them. */
static void describe_failure(struct check *check, const struct trial *trial)
{
	static const char statistics[] = "\nprocessed ";
	const char *cause = trial->err == -ESRCH ? "the kernel's BTF lacks what it needs"
						 : strerror(-trial->err);
	char *end = strstr(trial->log, statistics), *line;

	if (end)
		*end = '\0';
	end = trial->log + strlen(trial->log);
	while (end > trial->log && end[-1] == '\n')
		*--end = '\0';
	line = strrchr(trial->log, '\n');
	line = line ? line + 1 : trial->log;
	check__detail(check, "%s: %s%s%.120s", trial->step, cause, *line ? ": " : "", line);
}

/* For want of privileges: not by the verifier, which says EACCES too, but it is stricter then. */
static bool is_refused(const struct trial *trial)
{
	return trial->is_unprivileged || trial->err == -EPERM ||
	       (trial->err == -EACCES && !trial->log[0]);
}

static void judge(struct check *check, const struct trial *trial, const struct program_row *row,
		  unsigned views)
{
	bool is_required = (row->required & views) == views;

	check__detail(check, "%s", row->purpose);
	if (is_required)
		check->without = is_refused(trial) ? EXIT_PRIVILEGE : EXIT_KERNEL;
	if (!trial->err)
		return;
	describe_failure(check, trial);
	if (trial->err == -EMFILE)
		check__refuse(check, CHECK_NO,
			      "see the open files limit above; what follows was not tried");
	else if (is_refused(trial))
		check__refuse(check, CHECK_NO, "see the privileges above");
	else if (is_required)
		check__refuse(check, CHECK_NO,
			      "see the kernel above; the cause in full: tcpwatch doctor "
			      "--verbose");
	else
		check__refuse(check, CHECK_NO, "%s", row->without);
}

/* False: no other is worth trying. */
static bool check_program(struct check_list *list, struct trial *trial, const struct object *object,
			  const struct bpf_program *program, unsigned views)
{
	const struct program_row *row = row_of(bpf_program__name(program));
	const char *title = row->title ? row->title : bpf_program__section_name(program);
	struct check *check = check_list__add(list, object->section, title);

	if (!check)
		return false;
	try_program(trial, object, bpf_program__name(program));
	judge(check, trial, row, views);
	if (trial->err == -EMFILE)
		return false;
	if (object != &sock_object || !trial->err || is_refused(trial))
		return true;
	try_program(trial, &sock_blind_object, bpf_program__name(program));
	if (!trial->err)
		check__refuse(check, CHECK_LIMITED, "it works without reading packets");
	return true;
}

/* The wire programs once more, with the look at each SYN's listener. */
static void check_fates(struct check_list *list, struct trial *trial, unsigned views)
{
	static const struct program_row row = {
		.purpose = "what becomes of each SYN, by its listener's queues",
		.without = "SYNs are counted, but not what becomes of them",
	};
	struct check *check;

	if (!(views & VIEW_WIRE))
		return;
	check = check_list__add(list, fates_object.section, "SYN fates");
	if (!check)
		return;
	try_program(trial, &fates_object, "wire_tc_ingress");
	judge(check, trial, &row, views);
}

static void check_object(struct check_list *list, struct trial *trial, const struct object *object,
			 unsigned views)
{
	struct bpf_program *program;
	struct bpf_object *opened;
	const void *bytes;
	size_t size;

	if (!(object->view & views))
		return;
	bytes = object->bytes(&size);
	opened = bpf_object__open_mem(bytes, size, NULL);
	if (!opened) {
		list->failed = true;
		return;
	}
	bpf_object__for_each_program(
		program, opened) if (!check_program(list, trial, object, program, views)) break;
	bpf_object__close(opened);
}

void support__check_programs(struct check_list *list, const struct support_needs *needs)
{
	struct trial trial = {
		.log = malloc(LOG_BYTES),
		.is_unprivileged = check_list__verdict(list) == EXIT_PRIVILEGE,
	};

	if (!trial.log) {
		list->failed = true;
		return;
	}
	check_object(list, &trial, &sock_object, needs->views);
	check_object(list, &trial, &wire_object, needs->views);
	check_fates(list, &trial, needs->views);
	free(trial.log);
}
