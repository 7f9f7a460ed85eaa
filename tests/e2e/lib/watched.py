# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""tcpwatch over several namespaces of a scene."""
from lib import tool
from lib.wait import wait_for


def spaces(world, *labels):
    """The words that make tcpwatch watch these namespaces."""
    return [word for label in labels for word in ("-N", world.spaces[label].name)]


def taps(*names):
    return [word for name in names for word in ("-i", name)]


class Watched:
    """`events` over namespaces of the scene, on once it tells of a probe that passes all of them."""

    def __init__(self, world, probe, *args):
        self.probe = probe
        self.events = tool.Events(world.host, *args)

    def __enter__(self):
        self.events.__enter__()
        wait_for(self.is_on, lambda: f"an event of the probe; {self.events.stderr()}", 15)
        return self

    def __exit__(self, *args):
        return self.events.__exit__(*args)

    def is_on(self):
        self.events.assert_running()
        self.probe()
        return any(e["event"] == "handshake_failed" for e in self.events.all())

    def of(self, keys, kind=None):
        return [e for e in self.events.all() if tool.key_of(e) in keys and kind in (None, e["event"])]
