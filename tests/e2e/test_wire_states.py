# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Wire view: the states of both endpoints, conn_state and history, from nothing but the segments that pass."""
import pytest

from lib import tool
from lib.scenes import cases, of_opener
from lib.top import WireTable
from lib.traffic import probe
from lib.wait import wait_for

CASES = [pytest.param(family, scene, opens, id=f"{scene.name}-{opens}-ipv{family}")
         for family in (4, 6) for scene, opens in cases()]


@pytest.fixture(scope="module")
def table(stage):
    with WireTable(stage.near, "-i", stage.near_if) as the_table:
        yield the_table.wait_ready(stage)


@pytest.fixture(scope="module")
def events(stage):
    with tool.Events(stage.near, "-i", stage.near_if, "--view", "wire") as the_events:
        yield the_events.wait_ready(probe(stage, ["wire"]))


@pytest.mark.parametrize("family, scene, opens", [c for c in CASES if c.values[1].ss])
def test_table(stage, table, family, scene, opens):
    session = stage.play(scene.play, family, opens)
    table.wait(session.key, state=scene.state, peer_state=scene.peer_state,
               conn_state=of_opener(scene.conn_state, opens), history=of_opener(scene.history, opens),
               direction="out" if opens == "active" else "in")


@pytest.mark.parametrize("family, scene, opens", [c for c in CASES if not c.values[1].ss])
def test_end(stage, events, family, scene, opens):
    session = stage.play(scene.play, family, opens)
    event = events.wait(session.key, "closed", direction="out" if opens == "active" else "in")
    assert event["conn_state"] == of_opener(scene.conn_state, opens)
    assert event["history"].startswith(of_opener(scene.history, opens))
    assert events.kinds(session.key).count("established") == 1
    assert events.kinds(session.key).count("closed") == 1


@pytest.mark.parametrize("scene, opens", [pytest.param(*case, id=f"{case[0].name}-{case[1]}")
                                          for case in cases()])
def test_last_state_told(stage, events, scene, opens):
    """Each state is also told as it is reached."""
    session = stage.play(scene.play, opens=opens)
    wait_for(lambda: scene.state in [event["new_state"] for event in events.of(session.key)],
             lambda: f"{scene.state}; it said {events.of(session.key)}")
