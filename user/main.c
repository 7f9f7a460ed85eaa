/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the process begins and ends, with the descriptors that everything else may count on. Not
 * here: everything else.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <unistd.h>

#include "cmd/cmd.h"

/*
 * Whoever starts us may have closed some of them; whatever is opened next would then be taken for
 * it, and written to. In its place stands one that can only be used the wrong way round, so that
 * writing fails as it does to a closed one.
 */
static bool fill_standard_descriptors(void)
{
	static const int flags[] = {
		[STDIN_FILENO] = O_WRONLY,
		[STDOUT_FILENO] = O_RDONLY,
		[STDERR_FILENO] = O_RDONLY,
	};

	for (int fd = STDIN_FILENO; fd <= STDERR_FILENO; fd++) {
		if (fcntl(fd, F_GETFD) >= 0 || errno != EBADF)
			continue;
		if (open("/dev/null", flags[fd]) != fd) /* the lowest that is free */
			return false;
	}
	return true;
}

int main(int argc, char **argv)
{
	if (!fill_standard_descriptors())
		return EXIT_RUNTIME; /* with nowhere to say so */
	return command__main(argc, argv);
}
