# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""Real containers: podman with runc, an image made of busybox, networks and names of a test's own."""
import itertools
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from lib.netns import Namespace
from lib.wait import wait_for

# What works without a systemd and with few privileges: cgroupfs, runc, limits that may be set.
CONF = """
[containers]
default_ulimits = ["nofile=20000:20000", "nproc=1000:1000"]
[engine]
cgroup_manager = "cgroupfs"
runtime = "runc"
"""
BUSYBOX = "/bin/busybox"
APPLETS = ("sh", "httpd", "nc", "sleep", "wget", "cat", "seq")
FOREVER = ("/bin/sleep", "100000")
_serial = itertools.count()


def missing():
    """Why there is no podman to test with, or None."""
    for program in ("podman", "runc", "conmon"):
        if not shutil.which(program):
            return f"{program} is not installed: see packaging/packages"
    if not Path(BUSYBOX).exists():
        return f"{BUSYBOX} is not there: install busybox-static"
    return None


class InContainer(Namespace):
    """The network namespace of a container, to look into from outside (ss, ip)."""

    def __init__(self, pid):  # pylint: disable=super-init-not-called
        self.path = Path(f"/proc/{pid}/ns/net")
        self.fd = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
        self.inum = os.fstat(self.fd).st_ino

    def remove(self):
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1


class Container:
    """A container that runs. What is asked of podman is the oracle: id, name, address, process."""

    def __init__(self, podman, name):
        self.podman, self.name = podman, name
        said = json.loads(podman.run("inspect", name))[0]
        self.id, self.pid = said["Id"], said["State"]["Pid"]
        networks = said["NetworkSettings"].get("Networks") or {}
        self.addr = next((n["IPAddress"] for n in networks.values()), "")
        self.ns = InContainer(self.pid)

    def exec(self, *argv, detach=False):
        return self.podman.run("exec", *(["-d"] if detach else []), self.name, *argv)

    def rename(self, name):
        self.podman.run("rename", self.name, name)
        self.name = name

    def kill(self):
        self.podman.run("kill", self.name)

    def remove(self):
        self.ns.remove()
        self.podman.run("rm", "-f", "-t", "0", self.name)

    def outer_veth(self):
        """(name, index) of the host's end of eth0, as ip(8) tells both ends."""
        inner = json.loads(self.ns.run("ip", "-j", "link", "show", "eth0"))[0]
        links = json.loads(subprocess.run(["ip", "-j", "link"], check=True, capture_output=True, text=True).stdout)
        outer = next(link for link in links if link["ifindex"] == inner["link_index"])
        assert outer["link_index"] == inner["ifindex"]
        return outer["ifname"], outer["ifindex"]

    def wait_listening(self, port):
        wait_for(lambda: f":{port} " in self.ns.run("ss", "-tlnH"), f"{self.name} to listen at {port}")
        return self


class Podman:
    """One image and one bridge network; whatever is made with it is removed with it."""

    def __init__(self):
        self.prefix = f"twe2e-{os.getpid()}-{next(_serial)}"
        self.dir = Path(tempfile.mkdtemp(prefix="twe2e-podman-"))
        self.conf = self.dir / "containers.conf"
        self.conf.write_text(CONF)
        self.containers, self.networks, self.pods = [], [], []
        self.image = f"localhost/{self.prefix}:latest"
        self._import()
        self.network = self.add_network("net")

    def run(self, *argv):
        done = subprocess.run(["podman", *argv], capture_output=True, text=True, check=False, timeout=60,
                              env={**os.environ, "CONTAINERS_CONF": str(self.conf)})
        assert done.returncode == 0, f"podman {argv}: {done.stderr}"
        return done.stdout.strip()

    def _import(self):
        root = self.dir / "root"
        (root / "bin").mkdir(parents=True)
        shutil.copy(BUSYBOX, root / "bin/busybox")
        for applet in APPLETS:
            (root / "bin" / applet).symlink_to("busybox")
        archive = self.dir / "root.tar"
        subprocess.run(["tar", "-C", root, "-cf", archive, "."], check=True)
        self.run("import", "-q", str(archive), self.image)

    def add_network(self, label):
        name = f"{self.prefix}-{label}"
        self.run("network", "create", name)
        self.networks.append(name)
        return name

    def add_pod(self, label, has_infra=True):
        name = f"{self.prefix}-{label}"
        infra = ("--network", self.network, "--infra-image", self.image, "--infra-command", " ".join(FOREVER))
        pod_id = self.run("pod", "create", "--name", name, *(infra if has_infra else ["--infra=false"])).splitlines()[-1]
        self.pods.append(name)
        return name, pod_id

    def start(self, label, *argv, network=None, options=()):
        """A container called PREFIX-label; without argv it does nothing, for ever."""
        name = f"{self.prefix}-{label}"
        where = () if "--pod" in options else ("--network", network or self.network)
        self.run("run", "-d", "--name", name, *where, *options, self.image, *(argv or FOREVER))
        container = Container(self, name)
        self.containers.append(container)
        return container

    def start_web(self, label, port=8080, **options):
        """A container with a web server that has nothing to serve."""
        return self.start(label, "/bin/httpd", "-f", "-p", str(port), "-h", "/bin", **options).wait_listening(port)

    def restart(self, container):
        """What it is then: it has another process, namespace and veth."""
        self.run("restart", "-t", "0", container.name)
        container.ns.remove()
        self.containers.remove(container)
        self.containers.append(Container(self, container.name))
        return self.containers[-1]

    def remove_containers(self):
        while self.containers:
            self.containers.pop().remove()

    def remove(self):
        self.remove_containers()
        for pod in self.pods:
            self.run("pod", "rm", "-f", "-t", "0", pod)
        for network in self.networks:
            self.run("network", "rm", "-f", network)
        self.run("rmi", "-f", self.image)
        shutil.rmtree(self.dir)
