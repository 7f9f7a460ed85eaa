# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What a packet costs in the wire program: the figures of packet.c beside their budgets."""

import json
import subprocess

from machine import BenchError, helper
from report import Row

# case of packet.c, what it is, nanoseconds that it may add to an empty program, share that it may
# have of what the LRU_HASH tracker adds
BUDGETS = (
    ("hot", "established, one flow", 20, 0.5),
    ("many", "established, 8192 flows", 35, 0.5),
    ("syn", "SYN, cache full", 300, None),
    ("syn, ring full", "SYN, cache and ring full", 300, None),
    ("syn after flood", "SYN after ten million", 300, None),
)
# SYNs whose listener is looked up, each by itself; a flood costs less, as most share an answer
FATES_BUDGET_NS = 450
NO_SLOWER = 1.1  # "no slower", within what this measures


def measure(quick):
    words = [helper("packet"), "-r", "5" if quick else "15"]
    done = subprocess.run(words, capture_output=True, text=True)
    if done.returncode:
        raise BenchError(done.stderr.strip() or f"packet: exit {done.returncode}")
    return [json.loads(line) for line in done.stdout.splitlines()]


def added(figures, program):
    """What @program adds to the empty one: the least disturbed round of each."""
    return figures[program]["min_ns"] - figures["empty"]["min_ns"]


def noise(figures):
    wire = figures["wire"]
    return (wire["median_ns"] - wire["min_ns"]) / wire["median_ns"]


def cost_row(name, figures, budget):
    return Row(name=name, measured=f"{figures['wire']['min_ns']:.1f} ns",
               comparator=f"empty {figures['empty']['min_ns']:.1f} ns",
               value=added(figures, "wire"), unit="ns", budget=budget, spread=noise(figures),
               samples=figures)


def fates_row(name, figures):
    return Row(name=name, measured=f"{figures['wire_fates']['min_ns']:.1f} ns",
               comparator=f"empty {figures['empty']['min_ns']:.1f} ns",
               value=added(figures, "wire_fates"), unit="ns", budget=FATES_BUDGET_NS,
               spread=noise(figures), samples=figures)


def share_row(name, figures, budget):
    return Row(name=f"{name}, of LRU_HASH", measured=f"+{added(figures, 'wire'):.1f} ns",
               comparator=f"LRU_HASH +{added(figures, 'lru_hash'):.1f} ns",
               value=added(figures, "wire") / added(figures, "lru_hash"), budget=budget)


def rows_of(cases, family):
    rows = []
    for case, title, budget_ns, share in BUDGETS:
        figures = cases[case, family]
        rows.append(cost_row(f"{title}, {family}", figures, budget_ns))
        rows.append(share_row(f"{title}, {family}", figures, share))
    rows.append(fates_row(f"SYN and its listener, {family}", cases["syn", family]))
    before, after = (added(cases[case, family], "wire") for case in ("syn", "syn after flood"))
    rows.append(Row(name=f"SYN after / before ten million, {family}", measured=f"+{after:.1f} ns",
                    comparator=f"before +{before:.1f} ns", value=after / before, budget=NO_SLOWER))
    return rows


def memory_row(figure):
    """The kernel's own account of the arrays, and the generations that userspace keeps (2 bytes for
    each slot, wire_view.c)."""
    per_slot = figure["memlock"] / figure["slots"] + 2
    return Row(name="memory of the wire view", measured=f"{figure['memlock'] >> 20} MiB",
               comparator=f"{figure['slots']} sessions", value=per_slot, unit="bytes", budget=160,
               samples=figure)


def packet(quick):
    cases, memory = {}, None
    for figure in measure(quick):
        if figure["case"] == "memory":
            memory = figure
        else:
            programs = cases.setdefault((figure["case"], figure["family"]), {})
            programs[figure["program"]] = figure
    return rows_of(cases, "IPv4") + rows_of(cases, "IPv6") + [memory_row(memory)]
