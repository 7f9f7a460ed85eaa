# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""The comparison that the socket view must stand: the same rows as `ss`, none missing, none extra, whether they are
kept in a table first or printed one by one."""
from collections import Counter

from lib import ss, tool
from lib.wait import wait_for


def _attempt(ns, args):
    before = Counter(ss.rows(ns))
    rows = tool.sessions(ns, "--view", "socket", *args, "state", "all")
    one_by_one = tool.sessions_one_by_one(ns, *args, "state", "all")
    return (before, rows, one_by_one) if Counter(ss.rows(ns)) == before else None


def _compare(expected, rows):
    found = Counter(map(tool.ss_row, rows))
    assert not expected - found, f"missing: {list(expected - found)[:20]}"
    assert not found - expected, f"extra: {list(found - expected)[:20]}"


def same_as_ss(ns, *args):
    """The rows of tcpwatch, after asserting that `ss` lists the same. Tried anew if ns changed meanwhile."""
    expected, rows, one_by_one = wait_for(lambda: _attempt(ns, args), "a moment in which ss does not change", 20)
    _compare(expected, rows)
    _compare(expected, one_by_one)
    return rows
