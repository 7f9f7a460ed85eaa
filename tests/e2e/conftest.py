# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What the end-to-end tests share: places to make traffic in, and tcpwatch watching them."""
import contextlib
import os

import pytest

from lib import tool
from lib.netns import Pair, removing
from lib.stage import Stage
from lib.traffic import probe

VIEWS = {"socket": ("socket",), "wire": ("wire",), "both": ("socket", "wire")}


def pytest_configure(config):
    config.addinivalue_line("markers", "patient: waits for minutes, takes little: runs beside all others")
    if os.geteuid() != 0:
        pytest.exit("the end-to-end tests make network namespaces and load BPF: run them as root", 3)
    if not tool.BINARY.exists():
        pytest.exit(f"{tool.BINARY} is not there: run make first", 3)


@pytest.fixture
def pair():
    with removing(Pair()) as the_pair:
        yield the_pair


@pytest.fixture(scope="module")
def stage():
    with removing(Stage()) as the_stage:
        yield the_stage


@pytest.fixture
def watch():
    """watch(pair, view, side): `tcpwatch events` on one side of the pair, ready; ends with the test."""
    with contextlib.ExitStack() as stack:
        def start(pair, view="both", *args, side="near"):
            ns, ifname = getattr(pair, side), getattr(pair, f"{side}_if")
            events = stack.enter_context(tool.Events(ns, "-i", ifname, "--view", view, *args))
            return events.wait_ready(probe(pair, VIEWS[view]))

        yield start
