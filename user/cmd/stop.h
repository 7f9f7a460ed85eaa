/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * SIGINT, SIGTERM, SIGHUP, SIGQUIT and SIGPIPE as a wish to end, but for the SIGPIPE of a closed
 * pipe, which is an error of write(). Not here: what has to be undone then.
 */
#ifndef TCPWATCH_STOP_H
#define TCPWATCH_STOP_H

#include <stdbool.h>

/* stop__install() - from now on signals ask to stop instead of killing. Returns 0 or -errno */
int stop__install(void);

/* stop__is_asked() - a signal has come */
bool stop__is_asked(void);

/* stop__forget() - the signals so far have been heeded: only another one asks again */
void stop__forget(void);

/* stop__fd() - readable from then on; for poll() beside other things. Do not read it. */
int stop__fd(void);

#endif
