# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The dashboard's structure: made from its table, variables, rows, and of each panel what a reader needs."""
import re
import subprocess
import sys
from itertools import combinations

import pytest

import sources

sys.path.append(str(sources.ROOT / "dashboards"))
import panels as table  # noqa: E402

ROWS = ["Overview", "Handshakes", "Backlog", "TIME_WAIT and ports", "Retransmits and resets", "tcpwatch itself"]
# Grafana's ids of the units in use, from its table of value formats.
UNITS = {"short", "none", "s", "dtdurations", "bytes", "Bps", "percentunit", "cps", "pps"}
PANELS = {panel["title"]: panel for panel in sources.panels()}
SOURCE = {"type": "prometheus", "uid": "${datasource}"}


def test_is_what_the_table_gives():
    done = subprocess.run([sources.ROOT / "dashboards/generate", "--check"], capture_output=True, text=True, check=False,
                          env={"PYTHONDONTWRITEBYTECODE": "1"})
    assert done.returncode == 0, done.stderr


def test_variables():
    variables = {variable["name"]: variable for variable in sources.dashboard()["templating"]["list"]}
    assert list(variables) == ["datasource", "job", "instance", "namespace"]
    assert variables["datasource"]["type"] == "datasource" and variables["datasource"]["query"] == "prometheus"
    for name in ("job", "instance", "namespace"):
        assert variables[name]["datasource"] == SOURCE and variables[name]["includeAll"]
        asked = re.fullmatch(r"label_values\(.*, (\w+)\)", variables[name]["query"]["query"])[1]
        assert asked == {"namespace": "netns"}.get(name, name)


def test_rows():
    assert [panel["title"] for panel in sources.dashboard()["panels"] if panel["type"] == "row"] == ROWS


def test_titles_and_ids_are_unique():
    every = sources.dashboard()["panels"]
    for key in ("title", "id"):
        values = [panel[key] for panel in every]
        assert len(values) == len(set(values)), key


def test_no_two_panels_lie_on_each_other():
    def overlap(a, b):
        return (a["x"] < b["x"] + b["w"] and b["x"] < a["x"] + a["w"]
                and a["y"] < b["y"] + b["h"] and b["y"] < a["y"] + a["h"])

    places = [panel["gridPos"] for panel in sources.dashboard()["panels"]]
    assert not any(overlap(a, b) for a, b in combinations(places, 2))
    assert all(0 <= place["x"] and place["x"] + place["w"] <= 24 for place in places)


@pytest.mark.parametrize("title", PANELS)
def test_panel(title):
    panel = PANELS[title]
    assert panel["fieldConfig"]["defaults"]["unit"] in UNITS
    assert re.fullmatch(r"[A-Z].{2,40}", title), "a short title"
    assert len(panel["description"]) > 30 and panel["description"].endswith("."), "a description in sentences"
    assert panel["datasource"] == SOURCE
    assert [target["refId"] for target in panel["targets"]] == list("ABCDEF"[:len(panel["targets"])])
    for target in panel["targets"]:
        assert target["datasource"] == SOURCE
        check_expression(panel, target)


def check_expression(panel, target):
    """Each query keeps to the chosen hosts, a rate to Grafana's interval, a legend to labels of its lines."""
    expr = target["expr"]
    selectors = re.findall(r"\b(?:tcpwatch|node)_\w+\b(\{[^}]*\})?", sources.STRING.sub('""', expr))
    assert selectors and all("job=~" in selector and "instance=~" in selector for selector in selectors), expr
    assert "@" not in expr and "[5m]" not in expr
    is_counter = bool(re.search(r"_(total|bucket)\b", expr))
    assert is_counter == bool(re.search(r"\b(rate|increase)\(", expr)), "counters as rates, and nothing else"
    grouped = re.search(r"\bby \(([^)]*)\)", expr)
    if grouped and panel["type"] == "timeseries":
        lines = set(re.findall(r"\w+", grouped[1])) - {"le"}
        assert set(re.findall(r"{{(\w+)}}", target["legendFormat"])) == lines, expr


def test_the_reasons_for_what_is_not_shown_are_sentences():
    assert all(reason.endswith(".") for reason in table.NOT_SHOWN.values())
