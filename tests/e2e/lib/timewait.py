# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Making TIME_WAIT, and what tcpwatch and the kernel say of it."""
import re
from pathlib import Path

from lib import ss, tool
from lib.traffic import connect

NETNS_SCHEMA = "tcpwatch.timewait_netns.v1"
GROUP_SCHEMA = "tcpwatch.timewait.v1"


class Account:
    """The lines of one frame of `tcpwatch timewait --json`."""

    def __init__(self, lines):
        self.netns = [line for line in lines if line["schema"] == NETNS_SCHEMA]
        self.rows = [line for line in lines if line["schema"] == GROUP_SCHEMA]
        assert len(self.netns) + len(self.rows) == len(lines)

    @property
    def total(self):
        only, = self.netns
        return only

    def by(self, group, **fields):
        return [row for row in self.rows if row["by"] == group
                and all(row[name] == value for name, value in fields.items())]

    def one(self, group, **fields):
        rows = self.by(group, **fields)
        assert len(rows) == 1, f"{group} {fields}: {rows}"
        return rows[0]


def account(ns, *args):
    """What `tcpwatch timewait` says now."""
    done = tool.run(ns, "timewait", "--json", *args)
    assert done.returncode == 0, f"exit {done.returncode}: {done.stderr}"
    return Account(tool.parse_json_lines(done.stdout))


class Watch(tool.Background):
    """`tcpwatch timewait --watch --json` in the background."""

    def __init__(self, ns, *args):
        super().__init__(ns, "timewait", "--watch", "--json", "-d", "0.2", *args)
        self.frame, self.last = [], None

    def latest(self):
        """The newest whole frame as an Account, or None. The lines of one frame have one time."""
        self.assert_running()
        for line in tool.parse_json_lines(self.read()):
            if self.frame and line["time"] != self.frame[0]["time"]:
                self.last, self.frame = Account(self.frame), []
            self.frame.append(line)
        return self.last


def sockstat(ns):
    """The kernel's own count of TIME_WAIT and of orphans in FIN_WAIT2 together."""
    with ns.entered():
        text = Path("/proc/thread-self/net/sockstat").read_text()
    return int(re.search(r"^TCP:.* tw (\d+)", text, re.M)[1])


def counters(ns):
    """nstat's counters of TIME_WAIT since the namespace began."""
    text = ns.run("nstat", "-asz", "TcpExtTW*", "TcpExtTCPTimeWaitOverflow")
    return {words[0]: int(words[1]) for words in map(str.split, text.splitlines())
            if words and words[0].startswith("TcpExt")}


def kernel_says(ns):
    """Every count of the kernel's that an account is held against, at one moment."""
    states = ss.states(ns)
    return {"time_wait": states["TIME-WAIT"], "fin_wait2": states["FIN-WAIT-2"],
            "kernel_count": sockstat(ns), **counters(ns)}


def tool_says(total):
    names = {"kernel_tw": "TcpExtTW", "kernel_tw_killed": "TcpExtTWKilled",
             "kernel_tw_recycled": "TcpExtTWRecycled",
             "kernel_tw_overflow": "TcpExtTCPTimeWaitOverflow"}
    own = {key: total[key] for key in ("time_wait", "fin_wait2", "kernel_count")}
    return own | {name: total[key] for key, name in names.items()}


def same_as_kernel(ns, *args):
    """The account, after asserting that ss, nstat and sockstat say the same to the last count."""
    found = account(ns, *args)
    says = kernel_says(ns)
    assert {key: says.get(key) for key in tool_says(found.total)} == tool_says(found.total)
    return found


def close_first(first, second):
    """first sends the first FIN and second answers with its own: TIME_WAIT is first's."""
    first.close()
    assert second.recv(1) == b""
    second.close()


def make_sessions(listener, ns, count, by_client, local=None):
    """count sessions from ns to listener, one after the other, each closed at once."""
    host, port = listener.getsockname()[:2]
    for _ in range(count):
        client = connect(ns, host, port, local)
        server, _ = listener.accept()
        close_first(*((client, server) if by_client else (server, client)))


def ages(total):
    """How many of each age, the youngest first."""
    return [total[key] for key in sorted(total) if key.startswith("aged_")]
