# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Waiting for a condition with a deadline. Nothing else in these tests lets time pass."""
import time

POLL_SECONDS = 0.01
PATIENCE = 4  # deadlines are written for a quiet machine; a busy one is given this many times as long


class Timeout(AssertionError):
    """A condition did not come true in time."""


def deadline_in(seconds):
    """The end of such a time, as time.monotonic() counts it."""
    return time.monotonic() + PATIENCE * seconds


def wait_for(check, what, seconds=5.0):
    """Call check() until it gives something true, and return that; what may be a function."""
    deadline = deadline_in(seconds)
    while True:
        value = check()
        if value:
            return value
        if time.monotonic() > deadline:
            raise Timeout(f"not within {PATIENCE * seconds} s: {what() if callable(what) else what}")
        time.sleep(POLL_SECONDS)
