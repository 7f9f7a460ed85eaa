# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The dashboard, the rules, the runbook and the table of metrics, read for the tests. No tests here."""
import json
import re
from pathlib import Path
from typing import NamedTuple

import yaml

ROOT = Path(__file__).resolve().parents[2]
DASHBOARD = ROOT / "dashboards/tcpwatch.json"
RULES = ROOT / "dashboards/tcpwatch.rules.yml"
ALERT_TESTS = Path(__file__).with_name("alerts.test.yml")
RUNBOOK = ROOT / "docs/RUNBOOK.md"
METRICS = ROOT / "docs/METRICS.md"

VARIABLES = {"$job": ".*", "$instance": ".*", "$namespace": ".*", "$__rate_interval": "1m"}
METRIC = re.compile(r"\btcpwatch_[a-z_]+\b")
HISTOGRAM_SERIES = re.compile(r"_(bucket|sum|count)$")
STRING = re.compile(r'"(?:[^"\\]|\\.)*"')


class Expression(NamedTuple):
    """One expression of the project: where it stands, and what it is."""
    where: str
    expr: str


def dashboard():
    return json.loads(DASHBOARD.read_text())


def panels():
    """All but the heads of the rows."""
    return [panel for panel in dashboard()["panels"] if panel["type"] != "row"]


def concrete(expr, **chosen):
    """An expression as Grafana sends it: with the variables' values in their places."""
    for name, value in {**VARIABLES, **{f"${name}": value for name, value in chosen.items()}}.items():
        expr = expr.replace(name, value)
    return expr


def panel_expressions():
    return [Expression(f"{panel['title']} {target['refId']}", concrete(target["expr"]))
            for panel in panels() for target in panel["targets"]]


def rules(kind):
    """The rules of a kind, record or alert, as they stand in the file."""
    groups = yaml.safe_load(RULES.read_text())["groups"]
    return [rule for group in groups for rule in group["rules"] if kind in rule]


def rule_expressions():
    return [Expression(rule[kind], rule["expr"]) for kind in ("record", "alert") for rule in rules(kind)]


def without_threshold(expr):
    """What an alert watches, whatever its value: its comparisons with a number left out."""
    return re.sub(r"\s*(?:[<>]=?|[!=]=)\s*[\d.]+(?![\d.\w])", "", expr)


def metrics_in(expr):
    """The names of tcpwatch's own metrics in an expression, a histogram under its own name."""
    code = STRING.sub('""', expr)
    names = {name for name in METRIC.findall(code)
             if not re.search(rf"[:]{name}\b|\b{name}:", code)}  # part of a recorded series' name
    return {HISTOGRAM_SERIES.sub("", name) for name in names}


def selectors_in(expr):
    """(metric, names of the labels it is asked for) of each selector in an expression."""
    bare = STRING.sub('""', expr)
    for name, matchers in re.findall(r"(?<![\w:])(tcpwatch_[a-z_]+)\b(?!:)(?:\{([^}]*)\})?", bare):
        yield HISTOGRAM_SERIES.sub("", name), set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", matchers))


class Metric(NamedTuple):
    """A row of docs/METRICS.md."""
    type: str
    labels: set


def metrics():
    """{name: Metric} of all that is exported."""
    out = {}
    for line in METRICS.read_text().splitlines():
        cells = [cell.strip(" `") for cell in line.strip("|").split("|")]
        if cells[0].startswith("tcpwatch_"):
            out[cells[0]] = Metric(cells[1], set(re.findall(r"\w+", cells[2])))
    return out
