# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""tcpwatch run by an ordinary user, with the capabilities that a test gives it."""
import os
import shutil

from lib import tool

NOBODY = "65534"


class OrdinaryUser:
    """Runs a copy of the binary that lies where everyone may reach it."""

    def __init__(self, directory):
        for parent in (directory, *directory.parents[:-2]):
            parent.chmod(0o755)
        self.binary = shutil.copy(tool.BINARY, directory / "tcpwatch")
        os.chmod(self.binary, 0o755)

    def run(self, *args, caps=(), ns=None):
        """caps: the names of all the capabilities it has, as setpriv(1) writes them."""
        words = ",".join(["-all", *(f"+{cap}" for cap in caps)])
        return tool.run_argv(["setpriv", f"--reuid={NOBODY}", f"--regid={NOBODY}", "--clear-groups",
                              f"--inh-caps={words}", f"--ambient-caps={words}", f"--bounding-set={words}",
                              self.binary, *args], ns)
