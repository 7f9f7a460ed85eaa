# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`make install` puts the dashboard and the rules where people look for them, and takes them away again."""
import re
import subprocess

import sources

PREFIX = "/opt/tcpwatch"


def make(target, root):
    done = subprocess.run(["make", target, f"DESTDIR={root}", f"PREFIX={PREFIX}"], cwd=sources.ROOT, check=False,
                          capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_installed_and_removed(tmp_path):
    make("install", tmp_path)
    share = tmp_path / PREFIX[1:] / "share"
    dashboard, rules = share / "tcpwatch/dashboards/tcpwatch.json", share / "tcpwatch/rules/tcpwatch.rules.yml"
    assert dashboard.read_text() == sources.DASHBOARD.read_text()
    runbooks = set(re.findall(r"runbook: (\S+)#", rules.read_text()))
    assert runbooks == {f"{PREFIX}/share/doc/tcpwatch/RUNBOOK.md"}
    assert (tmp_path / runbooks.pop()[1:]).read_text() == sources.RUNBOOK.read_text()
    done = subprocess.run(["promtool", "check", "rules", rules], capture_output=True, check=False)
    assert done.returncode == 0
    make("uninstall", tmp_path)
    assert [path for path in tmp_path.rglob("*") if path.is_file()] == []
