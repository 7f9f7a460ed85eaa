# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""`tcpwatch backlog` in the background, and what ss and nstat say of the same."""
import json
import re

from lib import tool
from lib.wait import wait_for


class Backlog(tool.Background):
    """Frames as they come: .listeners by port (the last row of each), .totals by namespace."""

    def __init__(self, ns, *args, **options):
        super().__init__(ns, "backlog", "--watch", "-b", "-d", "0.1", "--json", *args, **options)
        self.listeners, self.totals, self.frames = {}, {}, 0

    def look(self):
        for row in tool.parse_json_lines(self.read()):
            if row["schema"] == "tcpwatch.syn_totals.v1":
                self.totals[row["netns"]] = row
                self.frames += 1
            else:
                self.listeners[row["local_port"]] = row
        return self

    def ready(self):
        wait_for(lambda: self.look().frames, lambda: f"a frame; {self.stderr()}", 10)
        return self

    def wait(self, port, seconds=8.0, **fields):
        """The row of the listener on port once its fields are as given (a value, or what tests it)."""
        def is_so():
            self.assert_running()
            row = self.look().listeners.get(port)
            return row and all(want(row[name]) if callable(want) else row[name] == want
                               for name, want in fields.items()) and row

        return wait_for(is_so, lambda: f"{fields}; it says {json.dumps(self.listeners.get(port))}; {self.stderr()}",
                        seconds)

    def wait_totals(self, seconds=8.0, **fields):
        def is_so():
            self.assert_running()
            row = next(iter(self.look().totals.values()), None)  # one namespace
            return row and all(row[name] == want for name, want in fields.items()) and row

        return wait_for(is_so, lambda: f"{fields}; it says {json.dumps(self.totals)}", seconds)


def ss_queues(ns, port):
    """Recv-Q and Send-Q of the listener, as `ss -ltn` prints them."""
    line = ns.run("ss", "-Hltn", f"sport = :{port}").split()
    return int(line[1]), int(line[2])


def nstat(ns):
    """Every TcpExt and Tcp counter of the namespace, since boot."""
    with ns.entered():
        text = tool.run_argv(["nstat", "-asz"], ns).stdout
    return {name: int(value) for name, value in re.findall(r"^(\w+)\s+(\d+)", text, re.M)}
