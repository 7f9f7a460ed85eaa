# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What this kernel has, for tests whose expectation depends on it."""
import os
import re

_VERSION = tuple(int(number) for number in re.match(r"(\d+)\.(\d+)", os.uname().release).groups())

HAS_TCX = _VERSION >= (6, 6)
TELLS_XDP_FEATURES = _VERSION >= (6, 3)  # netdev netlink: whether a driver has native XDP, without attaching
TC = "tcx" if HAS_TCX else "tc"
