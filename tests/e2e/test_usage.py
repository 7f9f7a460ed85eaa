# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Options, help, and what is said of input that makes no sense: one line, and the documented exit status."""
import re

import pytest

from lib import tool
from lib.user import OrdinaryUser

COMMANDS = ["top", "sessions", "events", "doctor"]

USAGE_ERRORS = [
    ("unknown command", ["sesions"], "sesions"),
    ("unknown option", ["sessions", "--no-such-option"], "no-such-option"),
    ("unknown interface", ["sessions", "-i", "nosuch0"], "nosuch0"),
    ("unknown interface of events", ["events", "-i", "nosuch0"], "nosuch0"),
    ("unknown interface of top", ["top", "-b", "-n", "1", "-i", "nosuch0"], "nosuch0"),
    ("interface name too long", ["sessions", "-i", "x" * 40], "xxxx"),
    ("unknown hook", ["sessions", "--hook", "ebpf"], "ebpf"),
    ("unknown view", ["sessions", "--view", "bird"], "bird"),
    ("view that has no listeners", ["backlog", "--view", "wire"], "--view"),
    ("unknown color", ["sessions", "--color", "mauve"], "mauve"),
    ("unknown field to show", ["sessions", "--fields", "state,sped"], "sped"),
    ("unknown field to sort by", ["sessions", "--sort", "sped"], "sped"),
    ("unknown field of a filter", ["sessions", "sped = 3"], "sped"),
    ("unknown state", ["sessions", "state", "closing-down"], "closing-down"),
    ("bad address", ["sessions", "dst", "10.0.0.256"], "10.0.0.256"),
    ("bad prefix length", ["sessions", "dst", "10.0.0.0/33"], "10.0.0.0/33"),
    ("bad IPv6 prefix length", ["sessions", "src", "fd00::/129"], "fd00::/129"),
    ("bad port", ["sessions", "dport = :65536"], "65536"),
    ("unclosed parenthesis", ["sessions", "( dport = :80"], ""),
    ("dangling operator", ["sessions", "dport = :80 or"], ""),
    ("interval of nothing", ["top", "-b", "-d", "0"], "0"),
    ("negative interval", ["top", "-b", "-d", "-1"], "-1"),
    ("interval not a number", ["top", "-b", "-d", "often"], "often"),
    ("count not a number", ["top", "-b", "-n", "2x"], "2x"),
    ("duration not a number", ["events", "--duration", "1y"], "1y"),
    ("empty name of a file", ["export", "--textfile", ""], "--textfile"),
    ("option without its value", ["sessions", "-i"], ""),
]


@pytest.mark.parametrize("args, named", [pytest.param(args, named, id=name) for name, args, named in USAGE_ERRORS])
def test_usage_error(args, named):
    done = tool.run(None, *args)
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1, done.stderr
    assert done.stderr.startswith("tcpwatch") and named in done.stderr


def test_no_command_is_a_usage_error():
    done = tool.run(None)
    assert done.returncode == 2 and "--help" in done.stderr


@pytest.mark.parametrize("command", COMMANDS)
def test_help_of_a_command_has_examples(command):
    done = tool.run(None, command, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert re.search(rf"^\s+.*tcpwatch {command}", done.stdout, re.M)
    assert "example" in done.stdout.lower()


def test_help_names_every_command():
    done = tool.run(None, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    for command in COMMANDS:
        assert re.search(rf"^\s+{command}\b", done.stdout, re.M), command


def test_version():
    done = tool.run(None, "--version")
    assert done.returncode == 0 and re.fullmatch(r"tcpwatch \d+\.\d+\S*.*\n", done.stdout)


@pytest.fixture(name="as_nobody")
def fixture_as_nobody(tmp_path_factory):
    return OrdinaryUser(tmp_path_factory.mktemp("public")).run


@pytest.mark.parametrize("args", [["sessions"], ["events", "--duration", "1"], ["top", "-b", "-n", "1"]], ids=" ".join)
def test_missing_privilege(as_nobody, args):
    done = as_nobody(*args)
    assert done.returncode == 3, done.stderr
    assert done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and re.search("sudo|root|CAP_", done.stderr)


def test_doctor_without_privilege_says_what_to_do(as_nobody):
    done = as_nobody("doctor")
    assert done.returncode in (1, 3)
    assert re.search("sudo|root|CAP_", done.stdout)


def test_doctor_with_privilege(pair):
    done = tool.run(pair.near, "doctor")
    assert done.returncode == 0, done.stdout + done.stderr
    for word in ("xdp", "tc", "iter", "ring"):
        assert word in done.stdout.lower(), word


def test_help_and_version_need_no_privilege(as_nobody):
    assert as_nobody("--help").returncode == 0
    assert as_nobody("--version").returncode == 0
    assert as_nobody("sessions", "--help").returncode == 0
