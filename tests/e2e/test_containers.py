# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Sessions and the containers that they are of: by name, by id, in pods, renamed, dying; --container."""
import contextlib
import os
import re
import signal
import socket
import subprocess
from pathlib import Path

import pytest

from lib import bpf
from lib import podman as lib_podman
from lib import ss, tool
from lib.netns import removing
from lib.user import OrdinaryUser
from lib.wait import wait_for

WEB = 8080
THREE = ("bpf", "net_admin", "perfmon")


@pytest.fixture(scope="module")
def engine():
    why = lib_podman.missing()
    if why:
        pytest.skip(f"no containers are tested: {why}")
    with removing(lib_podman.Podman()) as the_podman:
        yield the_podman


@pytest.fixture
def podman(engine):
    yield engine
    engine.remove_containers()


def connect(container, port=WEB):
    """From the host; open until the end of the with."""
    return contextlib.closing(socket.create_connection((container.addr, port), timeout=10))


def key_at_server(client):
    return (*client.getpeername()[:2], *client.getsockname()[:2])


def keep_connected(source, target, port=WEB):
    """A connection from one container to another that stays open: what the client's end is called."""
    source.exec("/bin/sh", "-c", f"sleep 1000 | nc {target.addr} {port}", detach=True)
    return wait_for(lambda: next((row for row in ss.rows(source.ns) if row.state == "ESTAB"), None), "the connection")


def identity(row):
    return row["container"], row["container_id"], row["runtime"]


def row_of(rows, key):
    found = [row for row in rows if tool.key_of(row) == key]
    assert len(found) == 1, f"{key}: {found}"
    return found[0]


# ---- names ----------------------------------------------------------------------------------------------------------


def test_sessions_of_containers_by_name(podman):
    web, client = podman.start_web("web"), podman.start("client")
    end = keep_connected(client, web)
    rows = tool.sessions(None, "-N", "all", "--view", "socket", "state", "all")
    assert identity(row_of(rows, end.key)) == (client.name, client.id, "podman")
    assert identity(row_of(rows, (*end.key[2:], *end.key[:2]))) == (web.name, web.id, "podman")
    listener, = (row for row in rows if row["state"] == "LISTEN" and row["container"] == web.name)
    assert (listener["local_port"], identity(listener)) == (WEB, (web.name, web.id, "podman"))


def test_a_socket_of_the_host_is_of_no_container(podman):
    web = podman.start_web("web")
    with connect(web) as client:
        rows = tool.sessions(None, "-N", "all", "--view", "socket")
        assert identity(row_of(rows, (*client.getsockname()[:2], *client.getpeername()[:2]))) == (None, None, None)
        assert identity(row_of(rows, key_at_server(client))) == (web.name, web.id, "podman")


def test_on_the_network_of_the_host(podman):
    """Its sockets are beside the host's own: the cgroup alone tells."""
    web = podman.start_web("web", port=18080, network="host")
    row, = tool.sessions(None, "--view", "socket", "state", "listening", "sport", ":18080")
    assert identity(row) == (web.name, web.id, "podman")


def test_two_containers_with_the_same_address(podman):
    """Both ends of a loopback connection with the same ports in each: only the namespaces differ."""
    both = [podman.start(label, network="none") for label in ("one", "two")]
    for container in both:
        container.exec("/bin/nc", "-l", "-p", "7000", "-e", "/bin/cat", detach=True)
        container.wait_listening(7000)
        container.exec("/bin/sh", "-c", "sleep 1000 | nc -p 7001 127.0.0.1 7000", detach=True)
        wait_for(lambda ns=container.ns: ss.states(ns)["ESTAB"] == 2, "the connection")
    rows = tool.sessions(None, "-N", "all", "--view", "socket", "state", "established", "sport", ":7000")
    assert sorted(map(identity, rows)) == sorted((c.name, c.id, "podman") for c in both)
    assert {row["netns"] for row in rows} == {str(c.ns.inum) for c in both}
    for container in both:
        rows = tool.sessions(None, "--container", container.name, "--view", "socket", "state", "all")
        assert {identity(row) for row in rows} == {(container.name, container.id, "podman")}
        assert sorted(map(tool.ss_row, rows)) == sorted(ss.rows(container.ns))


def test_rename_is_followed(podman):
    web = podman.start_web("web")
    with tool.Background(None, "top", "-b", "-d", "0.2", "--json", "--container", web.id, "state", "listening") as top:
        def names():
            top.assert_running()
            return {row["container"] for row in tool.parse_json_lines(top.read()) if "container" in row}

        wait_for(lambda: names() == {web.name}, "the name", 10)
        web.rename(f"{web.name}-again")
        wait_for(lambda: names() == {web.name}, "the new name", 10)


# ---- pods -----------------------------------------------------------------------------------------------------------


def test_containers_of_a_pod(podman):
    """They share a network: each socket is of its container, what has no cgroup is of the pod alone."""
    pod, pod_id = podman.add_pod("pod")
    web = podman.start_web("web", options=("--pod", pod))
    client = podman.start("client", options=("--pod", pod))
    client.exec("/bin/wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{WEB}/busybox")
    rows = tool.sessions(None, "--view", "socket", "-N", str(web.pid), "state", "all")
    listener, = (row for row in rows if row["state"] == "LISTEN")
    assert (*identity(listener), listener["pod_id"]) == (web.name, web.id, "podman", pod_id)
    assert listener["pod"] == pod
    waiting = tool.sessions(None, "--view", "socket", "-N", "all", "state", "time-wait", "pod", "=", pod)
    assert waiting and {identity(row) for row in waiting} == {(None, None, None)}


def test_pod_without_infra(podman):
    """Its containers have a network each, and nothing else is in it."""
    pod, pod_id = podman.add_pod("bare", has_infra=False)
    web = podman.start_web("web", options=("--pod", pod, "--network", podman.network))
    listener, = tool.sessions(None, "--view", "socket", "-N", "all", "state", "listening", "container", "=", web.name)
    assert (listener["pod"], listener["pod_id"]) == (pod, pod_id)


def test_one_container_of_a_pod_is_chosen(podman):
    """Its network is the pod's, its rows are its own."""
    pod, _ = podman.add_pod("shared")
    web = podman.start_web("web", options=("--pod", pod))
    other = podman.start_web("other", port=8081, options=("--pod", pod))
    for container, port in ((web, WEB), (other, 8081)):
        row, = tool.sessions(None, "--container", container.name, "--view", "socket", "state", "listening")
        assert (row["local_port"], identity(row)) == (port, (container.name, container.id, "podman"))


# ---- --container ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("word", ["name", "id", "start of the name", "start of the id"])
def test_container_is_chosen_by(podman, word):
    web, other = podman.start_web("web"), podman.start_web("other")
    words = {"name": web.name, "id": web.id, "start of the name": web.name[:-1], "start of the id": web.id[:12]}
    with connect(web), connect(other):
        rows = tool.sessions(None, "--container", words[word], "--view", "socket", "state", "all")
        assert sorted(map(tool.ss_row, rows)) == sorted(ss.rows(web.ns))
        assert {identity(row) for row in rows} == {(web.name, web.id, "podman")}


def test_two_containers_are_chosen(podman):
    chosen = [podman.start_web(label) for label in ("one", "two")]
    podman.start_web("three")
    rows = tool.sessions(None, "--container", chosen[0].name, "--container", chosen[1].id, "state", "all")
    assert {row["container"] for row in rows} == {c.name for c in chosen}


def usage_error(*args):
    done = tool.run(None, "sessions", *args)
    assert done.returncode == 2 and not done.stdout
    line, = (line for line in done.stderr.splitlines() if "--container" in line or "container" in line)
    return line


def test_ambiguous_start_names_the_candidates(podman):
    both = [podman.start(f"web-{n}") for n in (1, 2)]
    line = usage_error("--container", f"{podman.prefix}-web")
    for container in both:
        assert container.name in line and container.id[:12] in line


def test_whole_name_wins_over_the_start_of_another(podman):
    web, _ = podman.start_web("web"), podman.start("web-2")
    rows = tool.sessions(None, "--container", web.name, "state", "all")
    assert {row["container"] for row in rows} == {web.name}


def test_unknown_container_is_a_usage_error(podman):
    web = podman.start("web")
    assert web.name in usage_error("--container", f"{podman.prefix}-wbe")  # the nearest is named
    assert "no-such-container" in usage_error("--container", "no-such-container")
    assert usage_error("--container", "")


def test_stopped_container_is_not_found(podman):
    web = podman.start("web")
    web.kill()
    wait_for(lambda: not Path(f"/proc/{web.pid}").exists(), "its end")
    assert web.name in usage_error("--container", web.name)


# ---- taps -----------------------------------------------------------------------------------------------------------


def watch_events(stack, *args, poke):
    """Events, once the wire view has told of what poke() does."""
    events = stack.enter_context(tool.Events(None, *args))

    def is_on():
        events.assert_running()
        poke()
        return any(e["event"] == "syn" and e["view"] == "wire" for e in events.all())

    wait_for(is_on, lambda: f"any event; {events.stderr()}", 10)
    return events


def touch(container):
    with connect(container):
        pass


def test_container_is_watched_at_the_outer_end_of_its_veth(podman):
    web = podman.start_web("web")
    outer, _ = web.outer_veth()
    with contextlib.ExitStack() as stack:
        events = watch_events(stack, "--container", web.name, poke=lambda: touch(web))
        with connect(web) as client:
            key = key_at_server(client)
            syn = events.wait(key, "syn", view="wire")
            established = events.wait(key, "established")
        closed = events.wait(key, "closed")
        assert events.kinds(key).count("closed") == 1  # segments and socket are one session
    for event in (syn, established, closed):
        assert (event["ifname"], event["container"], event["container_id"]) == (outer, web.name, web.id)
        assert event["direction"] == "in" and event["netns"] == syn["netns"]
    assert established["view"] == "socket" and closed["reason"]


def test_the_other_container_of_the_network_is_not_shown(podman):
    web, other = podman.start_web("web"), podman.start_web("other")
    with contextlib.ExitStack() as stack:
        events = watch_events(stack, "--container", web.name, poke=lambda: touch(web))
        touch(other)
        with connect(web) as client:
            events.wait(key_at_server(client), "established")
        assert {e["container"] for e in events.all() if e["event"] != "lost"} == {web.name}


def test_inside_the_container_its_own_interface_is_watched(podman):
    """As tcpwatch would be run with the container's namespace: there is no other end in sight."""
    web = podman.start_web("web")
    with tool.Events(web.ns, "-i", "eth0", "--view", "wire") as events:
        def is_on():
            events.assert_running()
            touch(web)
            return events.all()

        wait_for(is_on, "any event", 10)
        with connect(web) as client:
            assert events.wait(key_at_server(client), "syn")["ifname"] == "eth0"


def test_forwarded_session_is_of_the_container_behind_the_veth(podman):
    """Neither end is the host's, and it has no socket of it: the wire alone tells."""
    web, client = podman.start_web("web"), podman.start("client")
    outer, _ = web.outer_veth()
    with tool.Events(None, "-i", outer, "--view", "wire") as events:
        def is_told():
            events.assert_running()
            client.exec("/bin/wget", "-q", "-O", "/dev/null", f"http://{web.addr}:{WEB}/busybox")
            return [e for e in events.all() if e["event"] == "established"]

        for event in wait_for(is_told, "a session", 10):
            assert event["direction"] == "forward" and event["local_addr"] == client.addr
            assert (event["container"], event["container_id"]) == (web.name, web.id)


def test_forwarded_session_is_of_the_container_that_began_it(podman):
    """Both ends are containers, known by their veths alone."""
    web, client = podman.start_web("web"), podman.start("client")
    ports = [word for container in (web, client) for word in ("-i", container.outer_veth()[0])]
    with tool.Events(None, *ports, "--view", "wire") as events:
        def is_told():
            events.assert_running()
            client.exec("/bin/wget", "-q", "-O", "/dev/null", f"http://{web.addr}:{WEB}/busybox")
            return [e for e in events.all() if e["event"] == "closed" and "," in (e["taps"] or "")]

        for event in wait_for(is_told, "a session at both", 10):
            assert event["direction"] == "forward" and event["local_addr"] == client.addr
            assert (event["container"], event["container_id"]) == (client.name, client.id)


# ---- faults ---------------------------------------------------------------------------------------------------------


def test_container_dies_in_the_middle(podman):
    web = podman.start_web("web")
    with contextlib.ExitStack() as stack:
        events = watch_events(stack, "--container", web.name, poke=lambda: touch(web))
        with connect(web) as client:
            key = key_at_server(client)
            events.wait(key, "established")
            web.kill()
            closed = events.wait(key, "closed", seconds=10)
            assert closed["container"] == web.name
        wait_for(lambda: not events.assert_running() and not Path(f"/proc/{web.pid}").exists(), "its end", 10)
        assert events.stop() == 0


def test_container_that_is_started_again_is_found(podman):
    """With another network namespace, another veth and perhaps another address."""
    web = podman.start_web("web")
    with contextlib.ExitStack() as stack:
        events = watch_events(stack, "--container", web.name, poke=lambda: touch(web))
        for _ in range(2):
            web = podman.restart(web).wait_listening(WEB)
            outer, _ = web.outer_veth()

            def is_told(web=web, outer=outer):
                events.assert_running()
                touch(web)
                return any(e["event"] == "syn" and e["ifname"] == outer and e["container"] == web.name
                           and e["local_addr"] == web.addr for e in events.all()[-50:])

            wait_for(is_told, lambda: f"a SYN at {outer}; {events.stderr()}", 10)
            with connect(web) as client:
                events.wait(key_at_server(client), "established", container_id=web.id)


def test_container_that_is_made_anew_in_its_pod_is_found(podman):
    """Another container by that name, in the network that the pod kept."""
    pod, _ = podman.add_pod("kept")
    web = podman.start_web("web", options=("--pod", pod))
    inum = web.ns.inum
    with tool.Events(None, "--container", web.name, "--view", "socket") as events:
        for _ in range(3):
            def is_told(web=web):
                events.assert_running()
                web.exec("/bin/wget", "-q", "-O", "/dev/null", f"http://127.0.0.1:{WEB}/busybox")
                return any(e["event"] == "established" and identity(e) == (web.name, web.id, "podman")
                           for e in events.all())

            wait_for(is_told, lambda web=web: f"a session of {web.id}; {events.stderr()}", 10)
            podman.containers.remove(web)
            web.remove()
            web = podman.start_web("web", options=("--pod", pod))
            assert web.ns.inum == inum


def test_nothing_stays_when_it_is_killed(podman):
    """The container's veth is as before, outside and inside."""
    web = podman.start_web("web")
    with contextlib.ExitStack() as stack:
        events = watch_events(stack, "--container", web.name, poke=lambda: touch(web))
        held = bpf.held_by(events.pid)
        events.stop(signal.SIGKILL)
    bpf.wait_all_gone(held)
    assert not any(filter(None, bpf.attachments(web.ns, "eth0")))
    touch(web)


def fds(pid):
    return len(os.listdir(f"/proc/{pid}/fd"))


def test_containers_that_come_and_go_leave_nothing(podman):
    with tool.Background(None, "top", "-b", "-d", "0.2", "-N", "all", "--view", "socket", "--fields",
                         "state,local,container", "state", "all") as top:
        wait_for(top.read, "a frame", 30)
        before = fds(top.pid)
        for round_ in range(5):
            web = podman.start_web(f"web-{round_}")
            seen = []

            def is_shown(name=web.name):
                top.assert_running()
                seen.append(top.read())
                return name in "".join(seen)

            wait_for(is_shown, f"{web.name} to be shown", 10)
            podman.remove_containers()
        wait_for(lambda: fds(top.pid) <= before, lambda: f"{fds(top.pid)} descriptors, {before} before", 10)
        wait_for(lambda: podman.prefix not in top.read(), "no row of what is gone", 10)


def test_three_capabilities_tell_the_id_if_not_the_name(podman, tmp_path):
    """The cgroup's path is for everyone; the runtime's own files are root's."""
    web = podman.start_web("web", port=18080, network="host")
    done = OrdinaryUser(tmp_path).run("sessions", "--json", "--view", "socket", "state", "listening", "sport",
                                      ":18080", caps=THREE)
    assert done.returncode == 0, done.stderr
    row, = tool.parse_json_lines(done.stdout)
    assert identity(row) == (web.id[:12], web.id, "podman")


# ---- cgroups that no runtime made -----------------------------------------------------------------------------------


def cgroup_mount(kind, option=None):
    """Where a hierarchy is mounted, or None."""
    for line in Path("/proc/self/mountinfo").read_text().splitlines():
        fields, _, tail = line.partition(" - ")
        if tail.split()[0] == kind and (not option or option in tail.split()[-1].split(",")):
            return Path(fields.split()[4])
    return None


@contextlib.contextmanager
def listener_in(cgroup, port):
    """A process in a cgroup made for it, with a listener in the host's namespace."""
    made = [cgroup, *(parent for parent in cgroup.parents if not parent.exists())]
    cgroup.mkdir(parents=True)
    script = ("import os, socket, sys; open(sys.argv[1] + '/cgroup.procs', 'w').write(str(os.getpid())); "
              "s = socket.create_server(('127.0.0.1', int(sys.argv[2]))); print(flush=True); input()")
    process = subprocess.Popen(["/usr/bin/python3", "-c", script, cgroup, str(port)], stdin=-1, stdout=-1)
    try:
        assert process.stdout.readline()
        yield process
    finally:
        process.communicate(b"\n")
        for directory in made:
            wait_for(lambda directory=directory: _rmdir(directory), f"{directory} to be empty")


def _rmdir(directory):
    try:
        directory.rmdir()
    except OSError:
        return not directory.exists()
    return True


def listener_row(port):
    row, = tool.sessions(None, "--view", "socket", "state", "listening", "sport", f":{port}")
    return row


ID = "0a1b2c3d4e5f60718293a4b5c6d7e8f90a1b2c3d4e5f60718293a4b5c6d7e8f9"


def test_runtime_that_uses_cgroups_of_version_1_alone():
    mount = cgroup_mount("cgroup", "pids")
    if not mount:
        pytest.skip("no hierarchy of version 1 is mounted here")
    with listener_in(mount / f"twe2e-{os.getpid()}/docker" / ID, 18081) as process:
        row = listener_row(18081)
        assert identity(row) == (ID[:12], ID, "docker") and row["pid"] == process.pid


def test_socket_that_no_process_holds():
    """A connection that nobody has accepted: its cgroup is that of its listener."""
    mount = cgroup_mount("cgroup2")
    if not mount:
        pytest.skip("cgroup v2 is not mounted here")
    with listener_in(mount / f"lxc.payload.twe2e-{os.getpid()}", 18083), \
            contextlib.closing(socket.create_connection(("127.0.0.1", 18083))):
        row, = tool.sessions(None, "--view", "socket", "state", "established", "sport", ":18083")
        assert row["pid"] is None
        assert identity(row) == (f"twe2e-{os.getpid()}", f"twe2e-{os.getpid()}", "lxc")


def test_container_that_may_not_be_looked_into(tmp_path):
    mount = cgroup_mount("cgroup2")
    if not mount:
        pytest.skip("cgroup v2 is not mounted here")
    name = f"twe2e-{os.getpid()}"
    with listener_in(mount / f"lxc.payload.{name}", 18084):
        done = OrdinaryUser(tmp_path).run("sessions", "--container", name, caps=THREE)
    assert done.returncode == 3 and not done.stdout
    assert re.search(f"may not look into .* container {name}: run as root, or with CAP_SYS_PTRACE", done.stderr)


HOSTILE = "twe2e\x1b[2J\u202e'\"\\ \udcff"


def test_hostile_names_are_escaped():
    mount = cgroup_mount("cgroup2")
    if not mount:
        pytest.skip("cgroup v2 is not mounted here")
    with listener_in(mount / f"lxc.payload.{HOSTILE}", 18082):
        row = listener_row(18082)
        assert row["runtime"] == "lxc" and row["container"] == row["container_id"]
        assert row["container"].startswith("twe2e\x1b[2J\u202e'\"\\ ")
        done = tool.run(None, "sessions", "--fields", "container", "state", "listening", "sport", ":18082")
        assert r"twe2e\x1b[2J\xe2\x80\xae'" in done.stdout and "\x1b" not in done.stdout
        done = tool.run(None, "sessions", "--container", "twe2e\x1b")
        assert done.returncode == 0, done.stderr
        done = tool.run(None, "sessions", "--container", "twe2f")
        assert done.returncode == 2 and "\x1b" not in done.stderr
