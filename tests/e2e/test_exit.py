# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""However tcpwatch ends, everything is detached, and the exit status is the documented one."""
import contextlib
import signal
import subprocess

import pytest

from lib import bpf, tool
from lib.kernel import HAS_TCX
from lib.netns import NETS, Namespace, removing
from lib.traffic import Connection, probe, refused
from lib.wait import wait_for

MANY = 60
HOOKS = ["auto", "xdp", "xdp-generic", "tc"]


def start(pair, command, hook="auto"):
    """A command that runs until it is ended, once it has attached to both views; and what it holds."""
    args = {"events": ["events", "--json"], "top": ["top", "-b", "-d", "0.2"]}[command]
    process = tool.Background(pair.near, *args, "-i", pair.near_if, "--hook", hook)

    def has_output():
        process.assert_running()
        refused(pair.near, NETS[4].far, 9)
        process.text += process.read()
        return process.text.count("\n") > 5

    wait_for(has_output, lambda: f"output of {command}: {process.stderr()}", 10)
    return process, bpf.held_by(process.pid)


@pytest.mark.parametrize("command", ["events", "top"])
@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM, signal.SIGPIPE])
def test_signal_ends_it_cleanly(pair, command, signum):
    before = bpf.attachments(pair.near, pair.near_if)
    process, held = start(pair, command)
    with process:
        assert process.stop(signum) == 0
    bpf.wait_all_gone(held)
    assert bpf.attachments(pair.near, pair.near_if) == before


@pytest.mark.parametrize("hook", HOOKS)
def test_kill_9_leaves_nothing(pair, hook):
    before = bpf.attachments(pair.near, pair.near_if)
    process, held = start(pair, "events", hook)
    with process:
        assert process.stop(signal.SIGKILL) == -signal.SIGKILL
    if not HAS_TCX:  # a clsact filter stays until the next start
        tool.run(pair.near, "events", "-i", pair.near_if, "--hook", "tc", "--duration", "0.1")
    bpf.wait_all_gone(held)
    assert bpf.attachments(pair.near, pair.near_if) == before


@pytest.mark.parametrize("args", [
    ["events", "--json"], ["events"], ["top", "-b", "-d", "0.1"], ["top", "-b", "-d", "0.1", "--json"]], ids=" ".join)
def test_closed_pipe_ends_it_cleanly(pair, args):
    process = pair.near.popen([tool.BINARY, *args, "-i", pair.near_if], stdout=subprocess.PIPE,
                              stderr=subprocess.PIPE, bufsize=0)
    with process, Connection(pair.near, pair.far, NETS[4].far, 8080):  # a row, so that there is output
        wait_for(lambda: ("link" in {kind for kind, _ in bpf.held_by(process.pid)}), "an attachment", 10)
        held = bpf.held_by(process.pid)
        refused(pair.near, NETS[4].far, 9)
        assert process.stdout.read(1)
        process.stdout.close()

        def has_ended():
            refused(pair.near, NETS[4].far, 9)
            return process.poll() is not None

        wait_for(has_ended, "the end", 5)
        assert process.returncode in (0, -signal.SIGPIPE)
        assert not process.stderr.read()
    bpf.wait_all_gone(held)


def test_duration_ends_it(pair):
    done = tool.run(pair.near, "events", "-i", pair.near_if, "--duration", "0.2", timeout=5)
    assert (done.returncode, done.stdout) == (0, "")


@contextlib.contextmanager
def many_namespaces():
    with contextlib.ExitStack() as stack:
        spaces = [stack.enter_context(removing(Namespace("many"))) for _ in range(MANY)]
        yield [word for ns in spaces for word in ("-N", ns.name)]


@contextlib.contextmanager
def many_interfaces():
    with removing(Namespace("many")) as ns:
        with ns.ipr() as ipr:
            for i in range(MANY // 2):
                ipr.link("add", ifname=f"many{i}a", kind="veth", peer=f"many{i}b")
        yield ["-N", ns.name, "-i", "many*"]


@pytest.mark.parametrize("many", [many_namespaces, many_interfaces])
@pytest.mark.parametrize("command", ["backlog --watch -b", "top -b", "events", "sessions --view both"])
def test_signal_ends_the_start(many, command):
    """There are so many taps to make that it takes seconds."""
    with many() as args, tool.Background(None, *command.split(), *args) as process:
        wait_for(lambda: ("link" in {kind for kind, _ in bpf.held_by(process.pid)}), "the first link", 10)
        assert process.stop(signal.SIGTERM) == 0
        assert (process.read(), process.stderr()) == ("", "")


def test_two_at_once_do_not_disturb_each_other(pair):
    with tool.Events(pair.near, "-i", pair.near_if, "--view", "wire") as first, \
            tool.Events(pair.near, "-i", pair.near_if, "--view", "wire") as second:
        for events in (first, second):
            events.wait_ready(probe(pair, ["wire"]))
        assert first.stop() == 0
        second.seen.clear()
        second.wait_ready(probe(pair, ["wire"]))
