// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
// Reads a JSON list of PromQL expressions, writes the list of the indices of those that do not parse.
import { readFileSync } from "node:fs";
import { parser } from "@prometheus-io/lezer-promql";

function hasError(expr) {
	let found = false;
	parser.parse(expr).iterate({ enter: (node) => { found ||= node.type.isError; } });
	return found;
}

const expressions = JSON.parse(readFileSync(0, "utf8"));
console.log(JSON.stringify(expressions.map((expr, i) => (hasError(expr) ? i : -1)).filter((i) => i >= 0)));
