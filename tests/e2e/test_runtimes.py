# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sessions of containers of the real docker, containerd, LXC and systemd-nspawn. Of podman: test_containers.py."""
import contextlib

import pytest

from lib import runtimes, ss, tool, traffic
from lib.netns import removing
from lib.wait import wait_for


@pytest.fixture(scope="module", params=runtimes.ALL, ids=[runtime.name for runtime in runtimes.ALL])
def engine(request):
    why = request.param.missing()
    if why:
        pytest.skip(f"{request.param.name} is not tested: {why}")
    with removing(request.param()) as the_engine:
        yield the_engine


@pytest.fixture
def runtime(engine):
    yield engine
    engine.remove_boxes()


def connect(box):
    """A session within the container, over its lo; open until the end of the with."""
    return contextlib.closing(traffic.connect(box.ns, "127.0.0.1", runtimes.PORT))


def identities(rows):
    return {(row["container"], row["container_id"], row["runtime"]) for row in rows}


def test_whose_session_it_is(runtime):
    web, other = runtime.start("web"), runtime.start("other")
    with connect(web), connect(other):
        rows = tool.sessions(None, "-N", "all", "--view", "socket", "state", "all")
        for box in (web, other):
            mine = [row for row in rows if row["netns"] == str(box.ns.inum)]
            assert sorted(map(tool.ss_row, mine)) == sorted(ss.rows(box.ns))
            assert identities(mine) == {(box.name, box.id, runtime.name)}


@pytest.mark.parametrize("word", ["name", "start of the name", "start of the id"])
def test_container_is_chosen_by(runtime, word):
    web = runtime.start("web")
    runtime.start("other")
    words = {"name": web.name, "start of the name": web.name[:-1], "start of the id": web.id[:-1]}
    with connect(web):
        rows = tool.sessions(None, "--container", words[word], "--view", "socket", "state", "all")
        assert sorted(map(tool.ss_row, rows)) == sorted(ss.rows(web.ns))
        assert identities(rows) == {(web.name, web.id, runtime.name)}


def test_container_that_comes_while_it_runs(runtime):
    """Again and again: where others' traffic is more than can be told some of it is not."""
    names = [f"{runtime.prefix}-{label}" for label in ("first", "web")]
    with tool.Events(None, "-N", "all", "--view", "socket", " or ".join(f"container = {n}" for n in names)) as events:
        for label in ("first", "web"):  # the one that shows that it is on, the one that comes then
            box = runtime.start(label)

            def is_told(box=box):
                events.assert_running()
                with connect(box):
                    pass
                return [e for e in events.all() if e["event"] == "closed" and e["netns"] == str(box.ns.inum)]

            told = wait_for(is_told, lambda: f"any session; {events.stderr()}", 30)
            assert identities(told) == {(box.name, box.id, runtime.name)}
