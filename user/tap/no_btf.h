/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * A description of no kernel type at all, for programs whose only uses of kernel types are compiled
 * in but not reached: libbpf then neither needs the kernel's own nor spends time on it.
 */
#ifndef TCPWATCH_NO_BTF_H
#define TCPWATCH_NO_BTF_H

/* no_btf__path() - for bpf_object_open_opts.btf_custom_path; NULL: there is none, do without */
const char *no_btf__path(void);

#endif
