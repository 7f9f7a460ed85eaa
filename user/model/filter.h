/* SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause */
/*
 * Filters in the grammar of ss(8), and on any field: parsing to a small tree, and matching
 * sessions. Not here: which fields exist (field.h).
 *
 *   filter  = [ "state" NAME | "exclude" NAME ]… [ expr ]
 *   expr    = term { ("or" | "||" | "|") term };  term = factor { ["and" | "&&" | "&"] factor }
 *   factor  = ["not" | "!"] ( "(" expr ")" | predicate )
 *   predicate = ("src" | "dst") [OP] HOST | ("sport" | "dport") [OP] [:]PORT | "dev" [OP] IFNAME
 *             | "fwmark" [OP] MARK[/MASK] | "cgroup" [OP] PATH | "autobound" | FIELD OP VALUE
 *   HOST    = ["inet:" | "inet6:"] ADDR[%IFNAME][/LEN][:PORT]
 *   OP      = "=" "==" "eq" "!=" "ne" "neq" "<" "lt" "<=" "le" "leq" ">" "gt" ">=" "ge" "geq"
 */
#ifndef TCPWATCH_FILTER_H
#define TCPWATCH_FILTER_H

#include "field.h"

struct filter;

/*
 * filter__parse() - make a filter of the words @argv[0 … @argc)
 *
 * Words may be split anywhere the shell splits them: "( dport = :443 )" as one word or as five.
 * State names are those of ss: each state, all, connected, synchronized, bucket, big.
 * With no "state" and no "exclude" every state matches (the caller chooses which to show).
 *
 * Returns 0 and *@out (NULL for no words), or -EINVAL after logging one line that names the word.
 */
int filter__parse(struct filter **out, int argc, const char *const *argv);
void filter__free(struct filter *filter);

/* filter__names_states() - true if the filter says which states it wants */
bool filter__names_states(const struct filter *filter);

/* filter__match() - true if @session passes; a NULL filter passes all; a comparison with unknown
 * fails */
bool filter__match(const struct filter *filter, const struct session *session,
		   const struct moment *now);

/* filter__uses() - true if the filter reads the field @key: an expensive one need be had only then
 */
bool filter__uses(const struct filter *filter, const char *key);

#endif
