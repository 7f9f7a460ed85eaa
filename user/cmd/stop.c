/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * The signal flag, and an eventfd that makes it something to wait for.
 */
#include "stop.h"

#include <errno.h>
#include <signal.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

static int stop_fd = -1;
static volatile sig_atomic_t is_asked;

/* The SIGPIPE of a write() of our own comes with its EPIPE, which says what cannot be written. */
static bool is_of_write(int signum, const siginfo_t *info)
{
	return signum == SIGPIPE && info->si_pid == getpid();
}

static void on_signal(int signum, siginfo_t *info, void *context __attribute__((unused)))
{
	const uint64_t one = 1;
	int saved = errno;

	if (is_of_write(signum, info))
		return;
	is_asked = 1;
	if (write(stop_fd, &one, sizeof(one)) < 0)
		errno = 0; /* the flag is set, that will do */
	errno = saved;
}

int stop__install(void)
{
	static const int signals[] = {SIGINT, SIGTERM, SIGHUP, SIGQUIT, SIGPIPE};
	struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO};

	stop_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (stop_fd < 0)
		return -errno;
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		if (sigaction(signals[i], &action, NULL))
			return -errno;
	return 0;
}

bool stop__is_asked(void)
{
	return is_asked;
}

void stop__forget(void)
{
	uint64_t count;

	is_asked = 0;
	/* Nothing to read: no signal came. */
	if (read(stop_fd, &count, sizeof(count)) < 0)
		errno = 0;
}

int stop__fd(void)
{
	return stop_fd;
}
