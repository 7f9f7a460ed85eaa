# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`tcpwatch handshakes` in the background, frame by frame, and what the kernel counted meanwhile."""
from lib.tool import Background, parse_json_lines
from lib.wait import wait_for

ROW, KERNEL = "tcpwatch.handshakes.v1", "tcpwatch.handshakes_kernel.v1"
# Keys of the kernel's row, and what nstat calls them.
FIGURES = {"active_opens": "TcpActiveOpens", "passive_opens": "TcpPassiveOpens",
           "attempt_fails": "TcpAttemptFails", "syn_retransmits": "TcpExtTCPSynRetrans",
           "timeouts": "TcpExtTCPTimeouts", "listen_overflows": "TcpExtListenOverflows",
           "listen_drops": "TcpExtListenDrops", "cookies_sent": "TcpExtSyncookiesSent",
           "cookies_received": "TcpExtSyncookiesRecv", "cookies_failed": "TcpExtSyncookiesFailed"}


def nstat(ns):
    """The kernel's counters by our keys."""
    lines = (line.split() for line in ns.run("nstat", "-asz").splitlines() if not line.startswith("#"))
    values = {name: int(value) for name, value, *_ in lines}
    return {key: values[name] for key, name in FIGURES.items()}


class Handshakes(Background):
    """What the last whole frame said; begin is what the kernel had counted when it started."""

    def __init__(self, ns, *args, **options):
        super().__init__(ns, "handshakes", "--watch", "-d", "0.1", "--json", *args, **options)
        self.ns, self.lines = ns, []
        self.rows, self.kernel = [], None
        self.begin = nstat(ns)

    def __enter__(self):
        wait_for(lambda: self.frame(), lambda: f"a frame; {self.stderr()}", 10)
        return self

    def frame(self):
        """Take in what came; true once there is a frame."""
        self.assert_running()
        for line in parse_json_lines(self.read()):
            self.lines.append(line)
            if line["schema"] == KERNEL:
                self.rows = [row for row in self.lines if row["schema"] == ROW]
                self.kernel = line
                self.lines = []
        return self.kernel

    def counted(self):
        """What nstat has counted since the start."""
        return {key: value - self.begin[key] for key, value in nstat(self.ns).items()}

    def sum(self, side, key):
        return sum(row[key] for row in self.rows if row["side"] == side)

    def wait(self, side, seconds=5.0, **sums):
        """Until the sums over all rows of a side are these; its one row, or None if there are more."""
        def are_so():
            self.frame()
            return all(self.sum(side, key) == value for key, value in sums.items())

        wait_for(are_so, lambda: f"{side} {sums}: {self.rows}; {self.kernel}; {self.stderr()}", seconds)
        rows = [row for row in self.rows if row["side"] == side]
        return rows[0] if len(rows) == 1 else None
