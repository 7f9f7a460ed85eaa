# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Ten thousand real connections, wrk to nginx over a veth: each is told once, and the bytes are right."""
from collections import Counter

import pytest

from lib import web
from lib.netns import NETS
from lib.wait import wait_for

CONNECTIONS = 10000


def of_nginx(events, kind):
    return [event for event in events if event["event"] == kind
            and web.PORT in (event["local_port"], event["remote_port"])]


@pytest.mark.parametrize("view, side, family", [
    ("wire", "far", 4), ("wire", "near", 6), ("socket", "far", 6), ("socket", "near", 4), ("both", "near", 4)])
def test_ten_thousand_connections(pair, watch, view, side, family):
    host = NETS[family].far
    with web.Nginx(pair.far) as nginx:
        events = watch(pair, view, side=side)
        said = web.load(pair.near, nginx, f"[{host}]" if family == 6 else host, CONNECTIONS)
        log = nginx.log()
        wait_for(lambda: len(of_nginx(events.all(), "closed")) >= CONNECTIONS,
                 lambda: f"{CONNECTIONS} closes; it said {Counter(e['event'] for e in events.all())}", 10)
        assert events.stop() == 0
    assert (said.connections, said.errors) == (CONNECTIONS, 0)
    kinds = Counter(event["event"] for event in events.all())
    assert kinds["lost"] == 0, [event for event in events.seen if event["event"] == "lost"]
    for kind in ("established", "closed"):
        assert len(of_nginx(events.seen, kind)) == CONNECTIONS, kind
    check_bytes(of_nginx(events.seen, "closed"), said, log, "rx" if side == "near" else "tx")


def check_bytes(closed, said, log, response):
    """What tcpwatch, nginx and wrk say of the bytes."""
    request = "tx" if response == "rx" else "rx"
    assert {status for status, _, _ in log} == {200}
    sent = sum(size for _, size, _ in log)
    assert sum(event[f"{response}_bytes"] for event in closed) == sent == said.bytes
    assert sum(event[f"{request}_bytes"] for event in closed) == sum(size for _, _, size in log)
