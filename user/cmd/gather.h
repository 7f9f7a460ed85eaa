/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Letting the live source take in what happens before a command says what there was. Not here: what
 * it does with it.
 */
#ifndef TCPWATCH_GATHER_H
#define TCPWATCH_GATHER_H

#include "user/source/live.h"

/* gather() - for @duration_ns, or until a signal if that is 0; a signal ends it in any case. 0 or
 * -errno */
int gather(struct live *live, uint64_t duration_ns);

#endif
