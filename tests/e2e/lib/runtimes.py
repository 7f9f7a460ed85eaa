# SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
"""
Runtimes other than podman, each started by hand: docker, containerd by ctr, LXC, systemd-nspawn. What each of them is
asked, or was told, is the oracle. None of them changes the network or the firewall of the host.
"""
import contextlib
import itertools
import json
import os
import shutil
import subprocess
import tempfile
from pathlib import Path

from lib.podman import APPLETS, BUSYBOX, InContainer
from lib.wait import wait_for

_serial = itertools.count()
PORT = 8080
WEB = ("/bin/httpd", "-f", "-p", str(PORT), "-h", "/bin")
STARTS_WITHIN = 20.0  # seconds, of a daemon or a container


def make_root(path):
    """A file system with a web server, which is as much of an operating system as systemd-nspawn wants to see."""
    for name in ("bin", "usr", "etc", "proc", "sys", "dev", "run", "tmp"):
        (path / name).mkdir(parents=True)
    (path / "etc/os-release").touch()
    shutil.copy(BUSYBOX, path / "bin/busybox")
    for applet in APPLETS:
        (path / "bin" / applet).symlink_to("busybox")


class Box:
    """A container that runs: its name, its id, the process that is its web server."""

    def __init__(self, name, box_id, pid):
        self.name, self.id, self.pid = name, box_id, pid
        self.ns = InContainer(pid)


class Runtime:
    """Whatever is made with it is removed with it. start() gives a container with a web server, on lo alone."""

    programs = ()  # that are needed; the first is the daemon, if there is one
    has_daemon = False

    @classmethod
    def missing(cls):
        """Why it is not to be tested, or None."""
        for program in cls.programs:
            if not shutil.which(program):
                return f"{program} is not installed: packaging/install-packages runtimes"
        # A second one would take over, or clear away, what the first has in the directories that they share.
        if cls.has_daemon and subprocess.run(["pgrep", "-x", cls.programs[0]], stdout=subprocess.DEVNULL,
                                             check=False).returncode == 0:
            return f"a {cls.programs[0]} that is not the test's runs here"
        return None if Path(BUSYBOX).exists() else f"{BUSYBOX} is not there: install busybox-static"

    def __init__(self):
        self.prefix = f"twe2e-{os.getpid()}-{next(_serial)}"
        self.dir = Path(tempfile.mkdtemp(prefix="twe2e-runtime-"))
        self.boxes, self.daemon = [], None
        make_root(self.dir / "root")

    def run(self, *argv, **options):
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=60, **options)
        assert done.returncode == 0, f"{argv}: {done.stderr}"
        return done.stdout.strip()

    def run_daemon(self, argv, is_up):
        with open(self.dir / "log", "wb") as log:
            self.daemon = subprocess.Popen(argv, stdout=log, stderr=log, stdin=subprocess.DEVNULL)

        def is_ready():
            assert self.daemon.poll() is None, (self.dir / "log").read_text()[-2000:]
            return subprocess.run(is_up, capture_output=True, check=False).returncode == 0

        wait_for(is_ready, lambda: f"{argv[0]}: {(self.dir / 'log').read_text()[-2000:]}", STARTS_WITHIN)

    def start(self, label):
        box = self.start_box(f"{self.prefix}-{label}")
        self.boxes.append(box)
        box.ns.link_up("lo")  # LXC leaves that to the one inside
        wait_for(lambda: f":{PORT} " in box.ns.run("ss", "-tlnH"), f"{box.name} to listen", STARTS_WITHIN)
        return box

    def start_box(self, name):
        raise NotImplementedError

    def remove_box(self, box):
        raise NotImplementedError

    def remove_boxes(self):
        while self.boxes:
            box = self.boxes.pop()
            box.ns.remove()
            self.remove_box(box)

    def remove(self):
        self.remove_boxes()
        if self.daemon:
            self.daemon.terminate()
            self.daemon.wait(STARTS_WITHIN)
        shutil.rmtree(self.dir)


class Docker(Runtime):
    """With its files where docker always has them, for there the names are."""

    name = "docker"
    has_daemon = True
    programs = ("dockerd", "docker", "containerd", "runc")

    def __init__(self):
        super().__init__()
        self.words = ("docker", "-H", f"unix://{self.dir}/sock")
        self.image = f"{self.prefix}:latest"
        self.run_daemon(("dockerd", "--exec-root", str(self.dir / "exec"), "-p", str(self.dir / "pid"),
                         "-H", f"unix://{self.dir}/sock", "--exec-opt", "native.cgroupdriver=cgroupfs",
                         "--iptables=false", "--ip6tables=false", "--ip-forward=false", "--bridge=none",
                         "--default-ulimit", "nofile=20000:20000", "--default-ulimit", "nproc=1000:1000"),
                        (*self.words, "version"))
        subprocess.run(["tar", "-C", self.dir / "root", "-cf", self.dir / "root.tar", "."], check=True)
        self.run(*self.words, "import", str(self.dir / "root.tar"), self.image)

    def start_box(self, name):
        self.run(*self.words, "run", "-d", "--name", name, "--network", "none", self.image, *WEB)
        said = json.loads(self.run(*self.words, "inspect", name))[0]
        return Box(name, said["Id"], said["State"]["Pid"])

    def remove_box(self, box):
        self.run(*self.words, "rm", "-f", box.name)

    def remove(self):
        self.remove_boxes()
        self.run(*self.words, "rmi", "-f", self.image)
        super().remove()


class Containerd(Runtime):
    """By ctr, whose user says what the id is: it is the name too."""

    name = "containerd"
    has_daemon = True
    programs = ("containerd", "ctr", "runc")

    def __init__(self):
        super().__init__()
        self.words = ("ctr", "-a", str(self.dir / "sock"))
        self.run_daemon(("containerd", "--config", "/dev/null", "--address", str(self.dir / "sock"),
                         "--root", str(self.dir / "state")), (*self.words, "version"))

    def start_box(self, name):
        self.run(*self.words, "run", "-d", "--rootfs", str(self.dir / "root"), name, *WEB)
        tasks = (line.split() for line in self.run(*self.words, "tasks", "ls").splitlines())
        return Box(name, name, next(int(words[1]) for words in tasks if words[0] == name))

    def remove_box(self, box):
        self.run(*self.words, "tasks", "rm", "-f", box.name)
        self.run(*self.words, "containers", "rm", box.name)


class Lxc(Runtime):
    name = "lxc"
    programs = ("lxc-start", "lxc-info", "lxc-stop")

    def start_box(self, name):
        (self.dir / name).mkdir()
        (self.dir / name / "config").write_text(
            f"lxc.rootfs.path = dir:{self.dir}/root\nlxc.net.0.type = empty\nlxc.init.cmd = {' '.join(WEB)}\n")
        self.run("lxc-start", "-P", str(self.dir), "-n", name)
        return Box(name, name, int(self.run("lxc-info", "-P", str(self.dir), "-n", name, "-p", "-H")))

    def remove_box(self, box):
        self.run("lxc-stop", "-k", "-P", str(self.dir), "-n", box.name)
        shutil.rmtree(self.dir / box.name)


def cgroup_mounts():
    """Where systemd has the cgroups of its units: version 2, and its own hierarchy of version 1."""
    for line in Path("/proc/self/mounts").read_text().splitlines():
        _, path, kind, options = line.split()[:4]
        if kind == "cgroup2" or kind == "cgroup" and "name=systemd" in options.split(","):
            yield Path(path)


class Nspawn(Runtime):
    """In the cgroups that systemd-nspawn@.service would have given it."""

    name = "systemd-nspawn"
    programs = ("systemd-nspawn",)

    def __init__(self):
        super().__init__()
        self.processes = {}

    def start_box(self, name):
        root = self.dir / name
        make_root(root)
        units = [mount / "machine.slice" / f"systemd-nspawn@{name}.service" for mount in cgroup_mounts()]
        for unit in units:
            unit.mkdir(parents=True)
        enter = "".join(f"echo $$ > '{unit}/cgroup.procs'; " for unit in units)
        with open(self.dir / "log", "wb") as log:
            process = subprocess.Popen(
                ("sh", "-c", enter + 'exec "$@"', "sh", "systemd-nspawn", "--register=no", "--keep-unit", "-q",
                 "--private-network", "--console=pipe", "-M", name, "-D", str(root), *WEB),
                stdin=subprocess.DEVNULL, stdout=log, stderr=log)
        self.processes[name] = process, units
        return Box(name, name, wait_for(lambda: self.payload(process), lambda: (self.dir / "log").read_text(),
                                        STARTS_WITHIN))

    def payload(self, process):
        """The process of the container that is on its way to be a web server, once it is one."""
        assert process.poll() is None, (self.dir / "log").read_text()
        for child in Path(f"/proc/{process.pid}/task/{process.pid}/children").read_text().split():
            with contextlib.suppress(OSError):
                if Path(f"/proc/{child}/comm").read_text() == "httpd\n":
                    return int(child)
        return None

    def remove_box(self, box):
        process, units = self.processes.pop(box.name)
        os.kill(box.pid, 9)
        process.wait(STARTS_WITHIN)
        shutil.rmtree(self.dir / box.name)
        for unit in units:
            for path in sorted((p for p in unit.rglob("*") if p.is_dir()), reverse=True):
                path.rmdir()
            unit.rmdir()
            with contextlib.suppress(OSError):  # others are in it
                unit.parent.rmdir()


ALL = (Docker, Containerd, Lxc, Nspawn)
