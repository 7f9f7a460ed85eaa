/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Where the process begins and ends. Not here: everything else.
 */
#include "cmd/cmd.h"

int main(int argc, char **argv)
{
	return command__main(argc, argv);
}
