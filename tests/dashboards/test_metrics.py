# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Dashboard and rules against docs/METRICS.md: each metric and each label exists, and no metric is forgotten."""
import re
import sys

import pytest

import sources

sys.path.append(str(sources.ROOT / "dashboards"))
from panels import NOT_SHOWN  # noqa: E402

METRICS = sources.metrics()
EXPRESSIONS = sources.panel_expressions() + sources.rule_expressions()
ADDED = {"job", "instance", "le"}  # by Prometheus, and those of histograms


@pytest.mark.parametrize("where, expr", EXPRESSIONS, ids=[where for where, _ in EXPRESSIONS])
def test_what_is_asked_for_exists(where, expr):
    for name, labels in sources.selectors_in(expr):
        assert name in METRICS, f"{where}: {name} is not exported"
        assert labels <= METRICS[name].labels | ADDED, f"{where}: {name} has only {METRICS[name].labels}"
    asked = [METRICS[name] for name in sources.metrics_in(expr)]
    for group in re.findall(r"\bby \(([^)]*)\)", expr) if asked else []:
        missing = set(re.findall(r"\w+", group)) - ADDED - set.union(*(metric.labels for metric in asked))
        assert not missing, f"{where}: no label {missing}"


@pytest.mark.parametrize("where, expr", EXPRESSIONS, ids=[where for where, _ in EXPRESSIONS])
def test_each_is_asked_as_its_type_wants(where, expr):
    for name in sources.metrics_in(expr):
        is_rate = bool(re.search(rf"\b(?:rate|increase)\({name}(?:_bucket|_sum|_count)?\b", expr))
        assert is_rate == (METRICS[name].type != "gauge"), f"{where}: {name} is a {METRICS[name].type}"
        assert (f"{name}_bucket" in expr) == (METRICS[name].type == "histogram")


def test_legends_name_labels_that_exist():
    for panel in sources.panels():
        for target in panel["targets"]:
            known = set.union(*({"job", "instance"} | METRICS[name].labels if name in METRICS else {"instance"}
                                for name in sources.metrics_in(target["expr"]) or {""}))
            named = set(re.findall(r"{{(\w+)}}", target.get("legendFormat", "")))
            assert named <= known, f"{panel['title']}: {named - known}"


def test_every_metric_is_shown_or_left_out_on_purpose():
    shown = {name for _, expr in sources.panel_expressions() for name in sources.metrics_in(expr)}
    assert shown.isdisjoint(NOT_SHOWN)
    assert shown | set(NOT_SHOWN) == set(METRICS)
