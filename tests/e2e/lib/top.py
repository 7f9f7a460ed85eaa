# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Reading `tcpwatch top`: its frames for a pipe, and its screen in a terminal that tmux provides."""
import fcntl
import itertools
import os
import pty
import re
import shlex
import struct
import subprocess
import termios

from lib import endpoint, tool
from lib.netns import NETS
from lib.traffic import PROBE_PORT, refused
from lib.wait import wait_for

COLUMNS = ("local_addr", "local_port", "remote_addr", "remote_port", "direction", "state", "peer_state",
           "conn_state", "history")
_serial = itertools.count()


def parse_row(line):
    """A line with COLUMNS as {column: text}, or None if it is something else."""
    words = line.split()
    if len(words) != len(COLUMNS) or not re.fullmatch(r"[0-9a-f.:]+", words[0]) or not words[1].isdigit():
        return None
    return {name: None if word == "-" else word for name, word in zip(COLUMNS, words)}


class WireTable(tool.Background):
    """`top -b` on the wire view in the background; the newest row of each session."""

    def __init__(self, ns, *args):
        super().__init__(ns, "top", "-b", "-d", "0.1", "--view", "wire", "--color", "never",
                         "--fields", ",".join(COLUMNS), *args)
        self.rows = {}

    def row(self, key):
        for row in filter(None, map(parse_row, self.read().splitlines())):
            self.rows[endpoint.address(row["local_addr"]), int(row["local_port"]),
                      endpoint.address(row["remote_addr"]), endpoint.port(row["remote_port"])] = row
        return self.rows.get(key)

    def wait(self, key, seconds=5.0, history="", **columns):
        """Until the row of key is as given, its history at least at the start."""
        def is_so():
            self.assert_running()
            row = self.row(key)
            return row and (row["history"] or "").startswith(history) and columns.items() <= row.items()

        wait_for(is_so, lambda: f"{columns} {history}; it says {self.row(key)}; {self.stderr()}", seconds)
        return self.row(key)

    def wait_ready(self, pair):
        """Until it has a row of an attempt that a test makes."""
        def is_ready():
            self.assert_running()
            refused(pair.near, NETS[4].far, PROBE_PORT)
            self.row(None)
            return any(PROBE_PORT in (key[1], key[3]) for key in self.rows)

        wait_for(is_ready, lambda: f"a row of the probe; {self.stderr()}", 10)
        return self


class Screen:
    """tcpwatch in a terminal of a given size."""

    def __init__(self, ns, width, height, *args):
        self.socket = f"twe2e-{os.getpid()}-{next(_serial)}"
        command = shlex.join(map(str, (tool.BINARY, *args)))
        with ns.entered():  # the tmux server inherits the namespace, and its panes from it
            self._tmux("-f", "/dev/null", "new-session", "-d", "-x", str(width), "-y", str(height),
                       f"{command}; echo ended: $?; exec cat")
        self.width, self.height = width, height

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._tmux("kill-server")

    def _tmux(self, *args):
        exported = {"LC_ALL": "C.UTF-8", "LINES": "50", "COLUMNS": "200"}  # by a shell, of another size
        return subprocess.run(["tmux", "-L", self.socket, *args], check=True, capture_output=True,
                              text=True, env={**os.environ, **exported}).stdout

    def lines(self):
        return self._tmux("capture-pane", "-p").splitlines()

    def keys(self, *keys):
        self._tmux("send-keys", *keys)

    def resize(self, width, height):
        self._tmux("resize-window", "-x", str(width), "-y", str(height))
        self.width, self.height = width, height

    def wait(self, pattern, seconds=5.0):
        """The lines once one of them matches."""
        def find():
            lines = self.lines()
            return lines if any(re.search(pattern, line) for line in lines) else None

        return wait_for(find, lambda: "\n".join([f"{pattern} on screen:", *self.lines()]), seconds)


class Terminal:
    """A bare pseudo-terminal with tcpwatch in it: its modes, and what is written to it only if it is read."""

    CTRL_S = b"\x13"

    def __init__(self, ns, *args, term="xterm", size=(80, 24)):
        self.master, slave = pty.openpty()
        self.resize(*size)
        self.modes_before = self.modes()
        self.written = b""
        os.set_blocking(self.master, False)
        self.process = ns.popen([tool.BINARY, *args], stdin=slave, stdout=slave, stderr=slave,
                                start_new_session=True, env={**os.environ, "TERM": term})
        os.close(slave)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        os.close(self.master)

    def modes(self):
        return termios.tcgetattr(self.master)

    def resize(self, width, height):
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", height, width, 0, 0))

    def type(self, keys):
        os.write(self.master, keys)

    def read(self):
        """All that was written to it so far."""
        try:
            while more := os.read(self.master, 65536):
                self.written += more
        except OSError:  # there is no more now, or nobody has it open
            pass
        return self.written

    def wait_for(self, pattern):
        wait_for(lambda: re.search(pattern, self.read()), lambda: f"{pattern} in {self.written}")

    def is_stuck(self):
        """tcpwatch is in write(2) to standard output."""
        with open(f"/proc/{self.process.pid}/syscall", encoding="ascii") as file:
            return file.read().split()[1:2] == ["0x1"]

    def wait_end(self):
        def has_ended():
            self.read()
            return self.process.poll() is not None

        wait_for(has_ended, "tcpwatch to end")
        return self.process.returncode
