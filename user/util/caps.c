/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Reading capabilities.
 */
#include "caps.h"

#include <sys/syscall.h>
#include <unistd.h>

#include <linux/capability.h>

static bool has_bit(uint64_t caps, unsigned cap)
{
	return caps >> cap & 1;
}

bool caps__has(uint64_t caps, unsigned cap)
{
	bool is_part = cap == CAP_BPF || cap == CAP_PERFMON;

	return has_bit(caps, cap) || (is_part && has_bit(caps, CAP_SYS_ADMIN));
}

uint64_t caps__effective(void)
{
	struct __user_cap_header_struct header = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[_LINUX_CAPABILITY_U32S_3] = {0};

	if (syscall(SYS_capget, &header, data))
		return 0;
	return (uint64_t)data[1].effective << 32 | data[0].effective;
}
