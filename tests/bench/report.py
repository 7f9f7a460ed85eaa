# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""A bench's figures beside their budgets: the verdicts, the table, bench.json."""

import json
from dataclasses import dataclass, field


@dataclass
class Row:
    """One figure. @value is what the budget is for: a ratio, or an amount of @unit."""

    name: str
    measured: str
    comparator: str
    value: float
    budget: float = None  # None: shown for information, without a verdict
    unit: str = ""
    at_least: bool = False  # the budget is a lower bound
    spread: float = None  # share of the value: half of the middle half of the samples
    samples: dict = field(default_factory=dict)

    @property
    def met(self):
        if self.budget is None:
            return None
        return self.value >= self.budget if self.at_least else self.value <= self.budget

    @property
    def verdict(self):
        return {None: "-", True: "met", False: "MISSED"}[self.met]

    def cells(self):
        sign = ">=" if self.at_least else "<="
        budget = "-" if self.budget is None else f"{sign} {amount(self.budget)} {self.unit}".rstrip()
        noise = "-" if self.spread is None else f"{self.spread:.1%}"
        return [self.name, self.measured, self.comparator,
                f"{amount(self.value)} {self.unit}".rstrip(), budget, noise, self.verdict]

    def as_json(self):
        return {"name": self.name, "measured": self.measured, "comparator": self.comparator,
                "value": self.value, "unit": self.unit or "ratio", "budget": self.budget,
                "bound": "min" if self.at_least else "max", "spread": self.spread,
                "verdict": self.verdict, "samples": self.samples}


HEADING = ["name", "measured", "comparator", "value", "budget", "spread", "verdict"]


def amount(value):
    return f"{value:.0f}" if value >= 100 else f"{value:.3g}"


def print_table(rows):
    table = [HEADING] + [row.cells() for row in rows]
    widths = [max(len(line[i]) for line in table) for i in range(len(HEADING))]
    for line in table:
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())


def print_machine(machine):
    print("machine: kernel {kernel}, {cpu}, {cores} cores, load {load:.1f}".format(**machine))


def write_json(path, machine, rows, errors):
    with open(path, "w", encoding="utf-8") as out:
        json.dump({"machine": machine, "figures": [row.as_json() for row in rows],
                   "errors": errors}, out, indent=1)
        out.write("\n")
