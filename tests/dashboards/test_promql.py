# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Each expression parses: by Prometheus's own parser, and by the grammar of Grafana's and Prometheus's editors."""
import json
import subprocess

import pytest
import yaml

import npm
import sources

EXPRESSIONS = sources.panel_expressions() + sources.rule_expressions()


def promtool_says(tmp_path, expressions):
    """Parsed as recording rules: promtool has no other way to parse without a server."""
    rules = [{"record": f"test:expression_{i}", "expr": expr} for i, expr in enumerate(expressions)]
    path = tmp_path / "expressions.yml"
    path.write_text(yaml.safe_dump({"groups": [{"name": "expressions", "rules": rules}]}))
    return subprocess.run(["promtool", "check", "rules", path], capture_output=True, text=True, check=False)


def test_prometheus_parses_each(tmp_path):
    done = promtool_says(tmp_path, [expression.expr for expression in EXPRESSIONS])
    assert done.returncode == 0, done.stdout + done.stderr


def test_prometheus_refuses_a_wrong_one(tmp_path):
    assert promtool_says(tmp_path, ["sum by (state (tcpwatch_sessions)"]).returncode != 0


def test_alerts_without_their_threshold_parse(tmp_path):
    exprs = [rule["expr"] for rule in sources.rules("alert")]
    bare = [sources.without_threshold(expr) for expr in exprs]
    assert all(a != b for a, b in zip(exprs, bare))
    done = promtool_says(tmp_path, bare)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("expressions, wrong", [
    (EXPRESSIONS, []),
    ([sources.Expression("wrong", "sum by (state (tcpwatch_sessions)")], ["wrong"])], ids=["each", "a wrong one"])
def test_lezer_grammar(expressions, wrong):
    done = npm.node("promql.mjs", stdin=json.dumps([expression.expr for expression in expressions]))
    assert done.returncode == 0, done.stderr
    assert [expressions[i].where for i in json.loads(done.stdout)] == wrong
