# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The systemd units that `make install` puts in place: well-formed, and enough for what they run."""
import re
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest

from lib import tool
from lib.metrics import Metrics, promtool_check

ROOT = Path(__file__).parents[2]
SERVICES = ("tcpwatch-export.service", "tcpwatch-export-once.service")


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """A prefix that everything is installed into; the units."""
    prefix = tmp_path_factory.mktemp("prefix") / "usr"
    # What is installed is the binary under test, which may have been built elsewhere.
    subprocess.run(["make", "-C", ROOT, "install", f"PREFIX={prefix}", f"BUILD={tool.BINARY.parent}"], check=True,
                   capture_output=True)
    return prefix / "lib/systemd/system"


def setting(unit, name):
    return re.search(rf"^{name}=(.*)$", unit.read_text(), re.M)[1]


def test_all_are_there(installed):
    assert {path.name for path in installed.iterdir()} == {*SERVICES, "tcpwatch-export-once.timer"}
    assert "@" not in "".join(line for name in SERVICES for line in (installed / name).read_text().splitlines()
                              if not line.startswith("SystemCallFilter"))


@pytest.mark.skipif(not shutil.which("systemd-analyze"), reason="systemd-analyze is not installed")
@pytest.mark.parametrize("name", [*SERVICES, "tcpwatch-export-once.timer"])
def test_verify(installed, name):
    done = subprocess.run(["systemd-analyze", "verify", "--man=no", installed / name], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0 and not done.stderr, done.stderr


def test_capabilities_are_enough(installed, tmp_path):
    """What the one-shot service runs, as root with the capabilities of the unit and no others."""
    unit = installed / SERVICES[1]
    caps = ",".join(f"+{cap.removeprefix('CAP_').lower()}" for cap in setting(unit, "CapabilityBoundingSet").split())
    path = tmp_path / "tcpwatch.prom"
    command = setting(unit, "ExecStart").replace("${TCPWATCH_FILE}", str(path)).replace("$TCPWATCH_OPTIONS", "")
    done = tool.run_argv(["setpriv", "--bounding-set", f"-all,{caps}", "--inh-caps", "-all", "--no-new-privs",
                          *shlex.split(command)])
    assert done.returncode == 0 and not done.stderr, done.stderr
    promtool_check(path.read_text())
    assert Metrics(path.read_text()).sum("sessions") >= 0


def test_uninstalled(installed):
    prefix = installed.parents[2]
    subprocess.run(["make", "-C", ROOT, "uninstall", f"PREFIX={prefix}", f"BUILD={tool.BINARY.parent}"], check=True,
                   capture_output=True)
    assert not [path for path in prefix.rglob("*") if path.is_file()]
