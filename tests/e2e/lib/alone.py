# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
A test as the only one on its host: processes, named network namespaces and the host's network of its own, so that
`-N all` means what the test made. Everything in it dies with it.
"""
import ctypes
import functools
import os
import subprocess
import sys
import traceback

CLONE_NEWNS, CLONE_NEWPID, CLONE_NEWNET = 0x20000, 0x20000000, 0x40000000
SECONDS = 120

_libc = ctypes.CDLL(None, use_errno=True)


def _become_alone():
    """The caller's next child is process 1 of a host of its own."""
    if _libc.unshare(CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWNET):
        raise OSError(ctypes.get_errno(), "unshare")


def _settle_in():
    for command in (["mount", "--make-rprivate", "/"], ["mount", "-t", "proc", "proc", "/proc"],
                    ["mount", "-t", "tmpfs", "tmpfs", "/run"], ["ip", "link", "set", "lo", "up"]):
        subprocess.run(command, check=True)
    os.mkdir("/run/netns")


def _run(test, args, pipe):
    """In the child of the child: says what went wrong, if anything, and ends."""
    try:
        _settle_in()
        test(*args)
    except BaseException:  # pylint: disable=broad-except
        os.write(pipe, traceback.format_exc().encode()[-60000:])
    finally:
        sys.stdout.flush()
        os._exit(0)


def _fork_twice(test, args, pipe):
    _become_alone()
    child = os.fork()
    if not child:
        _run(test, args, pipe)
    os.close(pipe)
    os.waitpid(child, 0)
    os._exit(0)


def alone(test):
    """A decorator. The test takes no fixture."""
    @functools.wraps(test)
    def wrapper(*args):
        source, sink = os.pipe()
        child = os.fork()
        if not child:
            _fork_twice(test, args, sink)
        os.close(sink)
        with open(source, encoding="utf-8", errors="replace") as said:
            trouble = said.read()
        os.waitpid(child, 0)
        assert not trouble, trouble

    return wrapper
