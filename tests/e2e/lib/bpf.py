# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""What BPF objects a process holds and what is attached to interfaces, to show that nothing stays behind."""
import ctypes
import json
import re
from pathlib import Path

from lib.wait import wait_for

_libbpf = ctypes.CDLL("libbpf.so.1")


def _open_files(pid):
    """What the kernel says of each file that a process has open."""
    for info in Path(f"/proc/{pid}/fdinfo").iterdir():
        try:
            yield info.read_text()
        except OSError:  # closed meanwhile
            continue


def held_by(pid):
    """{(kind, id)} of the BPF links, programs and maps that a process has open."""
    return {(kind, int(number)) for text in _open_files(pid)
            for kind, number in re.findall(r"^(link|prog|map)_id:\s*(\d+)", text, re.M)}


def taps(pid):
    """The index of its interface for each link that a process holds; 0: the kernel has no such interface any more."""
    return [int(re.search(r"^ifindex:\s*(\d+)", text, re.M)[1]) for text in _open_files(pid)
            if re.search(r"^link_type:\s*(tcx|xdp)", text, re.M)]


def wait_attached(pid, seconds=10.0):
    """Until a process holds a link to an interface for each direction."""
    wait_for(lambda: len(taps(pid)) >= 2, lambda: f"links to an interface, not {len(taps(pid))}", seconds)


def alive(kind):
    """
    {(kind, id)} of all that the kernel has. Not from bpftool, which opens each: the kernel never frees an array of
    programs that somebody opens by its id between the last close and the work that empties it.
    """
    get_next_id = getattr(_libbpf, f"bpf_{kind}_get_next_id")
    found, number = set(), ctypes.c_uint(0)
    while get_next_id(number, ctypes.byref(number)) == 0:
        found.add((kind, number.value))
    return found


def wait_all_gone(held, seconds=5.0):
    """The kernel frees them after a grace period."""
    assert {kind for kind, _ in held} >= {"link", "prog", "map"}, f"the tool held {held}"
    wait_for(lambda: not held & (alive("link") | alive("prog") | alive("map")),
             lambda: f"gone: {held & (alive('link') | alive('prog') | alive('map'))}", seconds)


def attachments(ns, ifname):
    """Whatever `ip` and `tc` know to be attached to an interface."""
    link = json.loads(ns.run("ip", "-j", "-d", "link", "show", ifname))[0]
    filters = [ns.run("tc", "filter", "show", "dev", ifname, hook) for hook in ("ingress", "egress")]
    return [link.get("xdp"), *filters, ns.run("tc", "qdisc", "show", "dev", ifname, "clsact")]
