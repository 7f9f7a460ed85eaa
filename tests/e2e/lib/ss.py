# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What `ss` says of a namespace: the oracle of the socket view."""
from collections import Counter

from lib.endpoint import Row, pair


def _row(line, only):
    words = ([only] if only else []) + line.split()
    state, _recv_q, _send_q, local, peer = words[:5]
    return Row(state, *pair(local), *pair(peer))


def rows(ns, *options, only=None):
    """Every TCP socket of ns as `ss -tan` lists it, listeners included. Asked for one state only, it leaves out its
    column: that is only then."""
    return [_row(line, only) for line in ns.run("ss", "-tanHO", *options).splitlines()]


def states(ns):
    """How many sockets are in each state."""
    return Counter(row.state for row in rows(ns))


def state_of(ns, key):
    """The state of the socket with this (local, port, remote, port), or None."""
    return next((row.state for row in rows(ns) if row.key == key), None)
