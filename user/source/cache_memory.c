/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Weighing the session cache.
 */
#include "cache_memory.h"

#include <errno.h>
#include <unistd.h>

#include "user/util/fmt.h"
#include "user/util/log.h"
#include "user/util/memory.h"

int cache_memory__check(uint32_t slots, uint64_t bytes)
{
	char need_text[FMT_BYTES_MAX + 1] = "", have_text[FMT_BYTES_MAX + 1] = "";
	long online = sysconf(_SC_NPROCESSORS_ONLN), n_cpus = online > 0 ? online : 1;
	uint64_t need = bytes * (uint64_t)n_cpus, have = memory__available();

	if (need <= have / 2)
		return 0;
	fmt__bytes(need_text, need);
	fmt__bytes(have_text, have);
	if (need <= have) {
		log_warn("the session cache takes %s of %s of memory, which takes a while; "
			 "--cache asks for less",
			 need_text, have_text);
		return 0;
	}
	log_error("the session cache of %u sessions on each of %ld CPUs takes %s, and %s of memory "
		  "are available: ask for less with --cache",
		  slots, n_cpus, need_text, have_text);
	return -E2BIG;
}
