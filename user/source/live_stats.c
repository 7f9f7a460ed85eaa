/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Figures of the live source for a header: those of the table, of the programs' counters, and the
 * kernel's own of each namespace. Not here: rates (ui/).
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "live_internal.h"

#define SNMP_BYTES 4096

/*
 * The value of @name in the "Tcp:" lines of /proc/net/snmp: one line of names, one of values
 * (net/ipv4/proc.c). Returns 0 or -ENOENT.
 */
static int snmp_value(char *text, const char *name, uint64_t *out)
{
	char *names = strstr(text, "Tcp: ");
	char *values = names ? strstr(names + 1, "Tcp: ") : NULL;
	char *n_next, *v_next;

	if (!values)
		return -ENOENT;
	values[-1] = '\0';
	names = strtok_r(names, " ", &n_next);
	values = strtok_r(values, " ", &v_next);
	while (names && values) {
		if (!strcmp(names, name)) {
			*out = strtoull(values, NULL, 10);
			return 0;
		}
		names = strtok_r(NULL, " ", &n_next);
		values = strtok_r(NULL, " ", &v_next);
	}
	return -ENOENT;
}

/* An open file of /proc/net stays that of its namespace, and gives new values from its start. */
static int read_attempt_fails(int fd, uint64_t *out)
{
	char text[SNMP_BYTES];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n < 0)
		return -errno;
	text[n] = '\0';
	return snmp_value(text, "AttemptFails", out);
}

int live_stats__add_netns(struct live *live, const struct netns *ns)
{
	struct netns_counters *more, *counters;
	struct netns_return back;
	int err;

	more = reallocarray(live->counters, live->n_counters + 1, sizeof(*more));
	if (!more)
		return -ENOMEM;
	live->counters = more;
	counters = &more[live->n_counters];
	*counters = (struct netns_counters){.inum = ns->inum};
	err = netns__enter(ns, &back);
	if (err)
		return err == -EPERM ? err : 0; /* it vanished: nothing happens in it */
	counters->snmp_fd = open("/proc/thread-self/net/snmp", O_RDONLY | O_CLOEXEC);
	netns__leave(&back);
	if (counters->snmp_fd < 0)
		return 0;
	(void)read_attempt_fails(counters->snmp_fd, &counters->attempt_fails_0);
	live->n_counters++;
	return 0;
}

static uint64_t fails_since(const struct netns_counters *counters)
{
	uint64_t now;

	if (read_attempt_fails(counters->snmp_fd, &now))
		return 0;
	return now - counters->attempt_fails_0;
}

void live_stats__forget_netns(struct live *live, uint32_t inum)
{
	for (size_t i = 0; i < live->n_counters; i++) {
		struct netns_counters *counters = &live->counters[i];

		if (counters->inum != inum)
			continue;
		live->past_attempt_fails += fails_since(counters);
		close(counters->snmp_fd);
		*counters = live->counters[--live->n_counters];
		return;
	}
}

void live_stats__fini(struct live *live)
{
	for (size_t i = 0; i < live->n_counters; i++)
		close(live->counters[i].snmp_fd);
	free(live->counters);
}

static uint64_t attempt_fails(const struct live *live)
{
	uint64_t sum = live->past_attempt_fails;

	for (size_t i = 0; i < live->n_counters; i++)
		sum += fails_since(&live->counters[i]);
	return sum;
}

static void sum_taps(const struct tap_set *taps, struct wire_counters *sum)
{
	struct wire_counters one;

	for (size_t i = 0; i < tap_set__count(taps); i++) {
		if (tap_set__counters(taps, i, &one))
			continue;
		for (int k = 0; k < WIRE_COUNTER_COUNT; k++)
			sum->value[k] += one.value[k];
	}
}

void live__stats(struct live *live, struct live_stats *stats)
{
	*stats = (struct live_stats){
		.now = live__now(),
		.has_sock = live->sock,
		.has_wire = live->wire,
		.attempt_fails = attempt_fails(live),
		.syn_queue = live->tally.syn_queue,
		.accept_queue_full = live->tally.accept_queue_full,
		.time_wait = live->tally.time_wait,
		.time_wait_fin2 = live->tally.time_wait_fin2,
	};
	session_table__stats(live->table, &stats->table);
	(void)live__lost(live, &stats->lost);
	if (live->sock)
		(void)sock_view__counters(live->sock, &stats->sock);
	if (live->wire)
		wire_view__stats(live->wire, &stats->cache);
	if (live->taps)
		sum_taps(live->taps, &stats->wire);
}
