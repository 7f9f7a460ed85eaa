# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""doctor, and what the other commands say where something is missing: a privilege, BTF, file descriptors."""
import os
import re
import subprocess

import pytest

from lib import bpf, tool
from lib.kernel import HAS_TCX, TC, TELLS_XDP_FEATURES
from lib.user import OrdinaryUser

THREE = ("bpf", "net_admin", "perfmon")
SECTIONS = {"kernel", "privileges", "BPF", "socket view", "wire view"}
PROGRAMS = {"tp_btf/inet_sock_set_state", "tp_btf/tcp_retransmit_skb", "tp_btf/tcp_send_reset", "iter/tcp",
            "iter/task_file", "xdp", "xdp.frags", "tc ingress", "tc egress"}
CHECK_KEYS = {"schema", "section", "name", "result", "ok", "required", "detail", "remedy"}
VERY_FEW_FILES = ["prlimit", "--nofile=20:20"]  # not enough for a program of the socket view
WITHOUT_BTF = ["unshare", "--mount", "sh", "-c", 'mount -t tmpfs none /sys/kernel/btf && exec "$@"', "sh"]
FEW_FILES = ["prlimit", "--nofile=64:64"]


@pytest.fixture(name="user", scope="module")
def fixture_user(tmp_path_factory):
    return OrdinaryUser(tmp_path_factory.mktemp("public"))


def checks_of(done):
    """{(section, name): check} of the output of `doctor --json`."""
    checks = tool.parse_json_lines(done.stdout)
    for check in checks:
        assert check.keys() == CHECK_KEYS and check["schema"] == "tcpwatch.check.v1", check
        assert check["result"] in ("yes", "limited", "no") and check["ok"] == (check["result"] != "no"), check
        assert check["result"] == "yes" or check["remedy"], f"no remedy: {check}"
    return {(check["section"], check["name"]): check for check in checks}


def missing(checks):
    """The names of what is required and not there."""
    return {name for (_, name), check in checks.items() if check["required"] and not check["ok"]}


def doctor(ns, *args):
    return checks_of(tool.run(ns, "doctor", "--json", *args))


def test_all_is_there_for_root(pair):
    done = tool.run(pair.near, "doctor", "--json")
    checks = checks_of(done)
    assert done.returncode == 0, done.stdout + done.stderr
    assert missing(checks) == set()
    assert SECTIONS <= {section for section, _ in checks}
    assert PROGRAMS <= {name for _, name in checks}
    assert all(check["ok"] for (_, name), check in checks.items() if name.startswith("iter/"))


@pytest.mark.parametrize("view, absent", [("socket", "wire view"), ("wire", "socket view")])
def test_only_the_wanted_view_is_checked(pair, view, absent):
    assert absent not in {section for section, _ in doctor(pair.near, "--view", view)}


def test_text_has_the_remedy_below_each_no(user):
    done = user.run("doctor")
    assert done.returncode == 3
    lines = done.stdout.splitlines()
    refused = [at for at, line in enumerate(lines) if re.match(r"  \S.*\s(no|limited)\s{2,}", line)]
    assert len(refused) > 5
    for at in refused:
        assert re.match(r"\s+-> \S", lines[at + 1]), lines[at:at + 2]
    assert lines[-1] == "tcpwatch top does not work here: CAP_BPF, CAP_NET_ADMIN, CAP_PERFMON"


@pytest.mark.parametrize("when, has_color", [("always", True), ("never", False), ("auto", False)])
def test_color(pair, when, has_color):
    assert ("\033[32m" in tool.run(pair.near, "doctor", "--color", when).stdout) == has_color


# ---- privileges -----------------------------------------------------------------------------------


def test_three_capabilities_are_enough(pair, user):
    done = user.run("doctor", "--json", "-i", pair.near_if, caps=THREE, ns=pair.near)
    assert done.returncode == 0, missing(checks_of(done))
    assert user.run("top", "-b", "-n", "1", caps=THREE, ns=pair.near).returncode == 0


@pytest.mark.parametrize("lacking", THREE)
def test_each_capability_is_needed(pair, user, lacking):
    caps = [cap for cap in THREE if cap != lacking]
    done = user.run("doctor", "--json", caps=caps, ns=pair.near)
    checks = checks_of(done)
    assert done.returncode == 3
    assert f"CAP_{lacking.upper()}" in missing(checks)
    assert "setcap cap_bpf,cap_net_admin,cap_perfmon+ep" in checks["privileges", f"CAP_{lacking.upper()}"]["remedy"]
    for cap in caps:
        assert checks["privileges", f"CAP_{cap.upper()}"]["ok"], cap
    done = user.run("top", "-b", "-n", "1", caps=caps, ns=pair.near)
    assert done.returncode == 3 and done.stdout == ""
    assert f": CAP_{lacking.upper()} missing; run it with sudo" in done.stderr
    assert len(done.stderr.splitlines()) == 1, done.stderr


def test_sockets_need_no_net_admin(pair, user):
    done = user.run("sessions", caps=("bpf", "perfmon"), ns=pair.near)
    assert (done.returncode, done.stderr) == (0, "")


def test_other_namespaces_need_sys_admin(pair, user):
    done = user.run("doctor", "--json", "-N", pair.far.name, caps=THREE, ns=pair.near)
    assert done.returncode == 3
    assert missing(checks_of(done)) == {"CAP_SYS_ADMIN"}


def test_capabilities_of_a_user_namespace_do_not_count(user):
    inside = ["unshare", "--user", "--map-root-user", user.binary]
    done = tool.run_argv([*inside, "sessions"])
    assert done.returncode == 3 and "user namespace" in done.stderr
    done = tool.run_argv([*inside, "doctor", "--json"])
    assert done.returncode == 3 and {"CAP_BPF", "CAP_PERFMON"} <= missing(checks_of(done))


def test_few_open_files(pair):
    done = tool.run_argv([*FEW_FILES, tool.BINARY, "sessions"], pair.near)
    assert done.returncode == 3 and "ulimit" in done.stderr
    done = tool.run_argv([*FEW_FILES, tool.BINARY, "doctor", "--json"], pair.near)
    assert done.returncode == 3 and missing(checks_of(done)) == {"open files limit"}


def test_very_few_open_files_are_said_once_a_section(pair):
    done = tool.run_argv([*VERY_FEW_FILES, tool.BINARY, "doctor", "--json"], pair.near)
    checks = checks_of(done)
    said = [check for (section, _), check in checks.items()
            if section == "socket view" and "Too many open files" in check["detail"]]
    assert done.returncode == 3 and len(said) == 1 and "limit above" in said[0]["remedy"]
    assert len([name for section, name in checks if section == "socket view"]) < len(PROGRAMS)


# ---- a kernel without BTF -------------------------------------------------------------------------


def test_no_btf(pair):
    done = tool.run_argv([*WITHOUT_BTF, tool.BINARY, "doctor", "--json"], pair.near)
    checks = checks_of(done)
    assert done.returncode == 4
    assert missing(checks) == {"BTF", "tp_btf/inet_sock_set_state", "iter/tcp", "iter/task_file"}
    assert "CONFIG_DEBUG_INFO_BTF" in checks["kernel", "BTF"]["remedy"]


@pytest.mark.parametrize("args", [["sessions"], ["events", "--duration", "1"], ["top", "-b", "-n", "1"]], ids=" ".join)
def test_no_btf_for_other_commands(pair, args):
    done = tool.run_argv([*WITHOUT_BTF, tool.BINARY, *args], pair.near)
    assert done.returncode == 4 and done.stdout == ""
    assert len(done.stderr.splitlines()) == 1 and "CONFIG_DEBUG_INFO_BTF" in done.stderr


def test_the_wire_view_needs_no_btf(pair):
    done = tool.run_argv([*WITHOUT_BTF, tool.BINARY, "doctor", "--view", "wire"], pair.near)
    assert done.returncode == 0, done.stdout
    done = tool.run_argv([*WITHOUT_BTF, tool.BINARY, "events", "--view", "wire", "-i", pair.near_if,
                          "--duration", "0.1"], pair.near)
    assert done.returncode == 0, done.stderr


# ---- interfaces -----------------------------------------------------------------------------------


def section_of(pair):
    """The own namespace has a name here."""
    return f"{pair.near_if} in {pair.near.name}"


@pytest.mark.parametrize("hook, expected", [
    ("auto", f"ingress by {TC}, egress by {TC}"),
    ("tc", f"ingress by {TC}, egress by {TC}"),
    ("xdp", f"ingress by xdp (xdp-generic if its driver refuses), egress by {TC}"),
    ("xdp-generic", f"ingress by xdp-generic, egress by {TC}"),
])
def test_prediction_is_what_attaching_gives(pair, hook, expected):
    before = bpf.attachments(pair.near, pair.near_if)
    checks = doctor(pair.near, "-i", pair.near_if, "--hook", hook, "--try")
    assert checks[section_of(pair), f"--hook {hook}"]["detail"] == expected
    attached = checks[section_of(pair), "attached"]
    assert attached["ok"] and attached["detail"] == re.sub(r" \([^)]*\)", "", expected)
    assert bpf.attachments(pair.near, pair.near_if) == before


def test_nothing_is_attached_unless_asked(pair):
    checks = doctor(pair.near, "-i", pair.near_if)
    assert (section_of(pair), "attached") not in checks
    assert checks[section_of(pair), "native XDP"]["result"] == ("yes" if TELLS_XDP_FEATURES else "limited")


def test_an_occupied_hook_is_named(pair, watch):
    watch(pair, "wire", "--hook", "xdp")
    checks = doctor(pair.near, "-i", pair.near_if, "--hook", "xdp", "--try")
    for name in ("native XDP", "generic XDP"):
        check = checks[section_of(pair), name]
        assert not check["ok"] and not check["required"]
        assert re.fullmatch(r"program \d+ \(wire_xdp\) is already there", check["detail"])
    assert checks[section_of(pair), "--hook xdp"]["detail"] == f"ingress by {TC}, egress by {TC}"
    assert re.match(f"ingress by {TC}, egress by {TC}", checks[section_of(pair), "attached"]["detail"])
    assert not HAS_TCX or re.search(r"tcx, beside [12] others: program \d+ \(wire_tc_", checks[section_of(pair), "tc"]["detail"])


def test_loopback_has_no_native_xdp(pair):
    checks = doctor(pair.near, "-i", "lo", "--try")
    section = f"lo in {pair.near.name}"
    assert checks[section, "native XDP"]["result"] == ("no" if TELLS_XDP_FEATURES else "limited")
    assert checks[section, "--hook auto"]["detail"] == checks[section, "attached"]["detail"] == f"ingress by {TC}"


def test_interfaces_of_several_namespaces(pair):
    sections = {section for section, _ in doctor(None, "-N", pair.near.name, "-N", pair.far.name, "-i", "*0")}
    assert {section_of(pair), f"{pair.far_if} in {pair.far.name}"} <= sections


@pytest.mark.parametrize("args, named", [
    pytest.param(["-i", "nosuch0"], "nosuch0", id="unknown interface"),
    pytest.param(["-N", "nosuch-ns"], "nosuch-ns", id="unknown namespace"),
    pytest.param(["established"], "established", id="a filter"),
])
def test_usage_error(pair, args, named):
    done = tool.run(pair.near, "doctor", *args)
    assert (done.returncode, done.stdout) == (2, "")
    assert named in done.stderr and len(done.stderr.splitlines()) == 1


def test_a_closed_pipe_is_no_error(pair):
    with pair.near.popen([tool.BINARY, "doctor"], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        process.stdout.close()
        assert process.stderr.read() == b""
    assert process.returncode == 0


@pytest.mark.parametrize("view", ["wire", "both"])
def test_a_glob_that_matches_nothing_yet_is_as_good_as_for_top(pair, view):
    args = ["--view", view, "-i", "nosuch*"]
    assert tool.run(pair.near, "doctor", *args).returncode == 0
    assert tool.run(pair.near, "top", "-b", "-n", "1", *args).returncode == 0


# ---- little memory --------------------------------------------------------------------------------

CPUS = os.cpu_count()


@pytest.fixture(name="little_memory")
def fixture_little_memory(tmp_path):
    """50 MiB for each CPU are available, as far as it knows."""
    (tmp_path / "meminfo").write_text(f"MemTotal: 1 kB\nMemFree:  1 kB\nMemAvailable:   {51200 * CPUS} kB\n")
    return ["unshare", "--mount", "sh", "-c", f'mount --bind {tmp_path}/meminfo /proc/meminfo && exec "$@"', "sh"]


@pytest.mark.parametrize("sessions, code, said", [
    (1 << 12, 0, "^$"),
    (1 << 18, 0, r"session cache takes \S+ of \S+ of memory, .* --cache"),
    (1 << 19, 1, rf"session cache of {1 << 19} sessions on each of {CPUS} CPUs takes \S+, and \S+ of memory are"),
])
def test_a_cache_beside_what_memory_there_is(pair, little_memory, sessions, code, said):
    done = tool.run_argv([*little_memory, tool.BINARY, "sessions", "-i", "lo", "--cache", str(sessions), "--duration",
                          "0.1"], pair.near)
    assert done.returncode == code and re.search(said, done.stderr), done.stderr


def test_doctor_tells_of_too_little_memory(pair, little_memory):
    done = tool.run_argv([*little_memory, tool.BINARY, "doctor", "--json", "--cache", str(1 << 19)], pair.near)
    check = checks_of(done)["BPF", "memory for the cache"]
    assert done.returncode and check["result"] == "no" and "--cache" in check["remedy"], check
