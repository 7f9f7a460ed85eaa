# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The recording rules and the alerts: promtool takes them, each alert is tested both ways and has its runbook."""
import re
import subprocess
from collections import Counter

import pytest
import yaml

import sources

ALERTS = {rule["alert"]: rule for rule in sources.rules("alert")}
# The ways to get an alert wrong that its tests must notice: each is a change of the rule.
MUTATIONS = {
    "fires at any value": lambda rule: {**rule, "expr": sources.without_threshold(rule["expr"])},
    "never fires": lambda rule: {**rule, "expr": f"({rule['expr']}) > 1e9"},
    "fires at once": lambda rule: {**rule, "for": "0s"},
    "has another text": lambda rule: {**rule, "annotations": {**rule["annotations"], "summary": "changed"}},
}


def promtool(*args):
    return subprocess.run(["promtool", *map(str, args)], capture_output=True, text=True, check=False)


def test_promtool_accepts_the_rules():
    done = promtool("check", "rules", "--lint=all", "--lint-fatal", sources.RULES)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_fires_and_does_not():
    done = promtool("test", "rules", sources.ALERT_TESTS)
    assert done.returncode == 0, done.stdout + done.stderr


def test_each_alert_is_tested_both_ways():
    cases = Counter()
    for test in yaml.safe_load(sources.ALERT_TESTS.read_text())["tests"]:
        fired = {case["alertname"] for case in test["alert_rule_test"] if case["exp_alerts"]}
        named = {case["alertname"] for case in test["alert_rule_test"]}
        assert len(named) == 1, test["name"]
        cases.update((name, name in fired) for name in named)
    assert set(cases) == {(name, fires) for name in ALERTS for fires in (True, False)}


@pytest.mark.parametrize("alert, mutation", [
    (alert, mutation) for alert in ALERTS for mutation in MUTATIONS
    if "for" in ALERTS[alert] or mutation != "fires at once"])
def test_tests_notice_a_wrong_alert(tmp_path, alert, mutation):
    wrong = MUTATIONS[mutation](ALERTS[alert])
    rules = yaml.safe_load(sources.RULES.read_text())
    for group in rules["groups"]:
        group["rules"] = [wrong if rule.get("alert") == alert else rule for rule in group["rules"]]
    (tmp_path / "rules.yml").write_text(yaml.safe_dump(rules))
    tests = yaml.safe_load(sources.ALERT_TESTS.read_text())
    tests["rule_files"] = ["rules.yml"]
    (tmp_path / "tests.yml").write_text(yaml.safe_dump(tests))
    done = promtool("test", "rules", tmp_path / "tests.yml")
    assert done.returncode != 0 and "FAILED" in done.stdout + done.stderr, f"{alert}: nobody notices that it {mutation}"


@pytest.mark.parametrize("alert", ALERTS)
def test_alert_says_what_it_must(alert):
    rule = ALERTS[alert]
    assert re.fullmatch(r"Tcpwatch[A-Z]\w+", alert)
    assert rule["labels"]["severity"] in ("critical", "warning", "info")
    assert set(rule["annotations"]) == {"summary", "description", "runbook"}
    assert rule["annotations"]["runbook"] == f"docs/RUNBOOK.md#{alert.lower()}"


def test_runbook_has_a_section_for_each_alert_and_no_other():
    sections = re.split(r"^## ", sources.RUNBOOK.read_text(), flags=re.MULTILINE)[1:]
    text = {section.splitlines()[0]: section for section in sections}
    assert list(text) == list(ALERTS)
    for name, section in text.items():
        assert "See: " in section and "Help: " in section, f"{name} does not say where to look or what helps"


def test_runbook_names_panels_that_exist():
    titles = {panel["title"] for panel in sources.dashboard()["panels"]}
    text = re.sub(r"`[^`]*`", "", " ".join(sources.RUNBOOK.read_text().split()))
    named = set(re.findall(r"(?<!\*)\*([^*]+)\*(?!\*)", text))
    assert named and named <= titles, named - titles


def test_recorded_names_say_level_metric_and_operation():
    names = [rule["record"] for rule in sources.rules("record")]
    assert len(names) == len(set(names))
    for name in names:
        assert re.fullmatch(r"[a-z_]+:tcpwatch_[a-z_]+:[a-z0-9_]+", name), name


def test_runbook_names_options_that_exist():
    """Of tcpwatch by its manual page; those of other programs are told apart by what stands before them."""
    manual = (sources.ROOT / "docs/tcpwatch.8").read_text().replace("\\-", "-")
    named = set(re.findall(r"(?<![\w-])--[a-z]+(?:-[a-z]+)*(?![\w.-])", sources.RUNBOOK.read_text()))
    assert named and all(option in manual for option in named), [option for option in named if option not in manual]
