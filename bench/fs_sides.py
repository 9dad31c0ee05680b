"""The filesystems that are measured: each can be made, mounted, unmounted and killed."""

import os
import pathlib
import shutil
import signal
import subprocess
import sys
import tempfile
import time

import report

sys.path.insert(0, os.path.join(report.ROOT, "tests", "e2e"))
import fs_support  # noqa: E402  (starts conclave-volumed the way the watcher does)

PASSWORD = "a password for figures"
GIB = 1 << 30
VOLUME_BYTES = int(os.environ.get("BENCH_VOLUME_GIB", "6")) * GIB
WAIT_S = 60
OPEN_FILES = 1 << 20


class Missing(RuntimeError):
    pass


def run(argv, stdin="", env=None):
    done = subprocess.run([str(a) for a in argv], input=stdin, text=True, capture_output=True, check=False,
                          env={**os.environ, **(env or {})}, timeout=600)
    if done.returncode:
        raise RuntimeError(f"{argv[0]}: exit {done.returncode}: {(done.stderr or done.stdout).strip()[-200:]}")
    return done.stdout


class Side:
    """A FUSE filesystem over a directory; `base` is where its files are, `point` where it is seen."""

    name = ""
    package = ""
    program = ""

    def __init__(self, work):
        self.base = pathlib.Path(work, self.name, "base")
        self.point = pathlib.Path(work, self.name, "point")
        self.peak_kib = 0
        if self.program and not report.have(self.program):
            raise Missing(f"missing (Debian package {self.package})")
        shutil.rmtree(self.base.parent, ignore_errors=True)
        self.base.mkdir(parents=True)
        self.point.mkdir()
        self.make()

    def version(self):
        return report.first_line("dpkg-query", "-W", "-f", "${Version}", self.package)

    def make(self):
        pass

    def start(self):
        raise NotImplementedError

    def processes(self):
        """The ids of the daemons that serve the mount."""
        found = []
        for entry in os.listdir("/proc"):
            if not entry.isdigit():
                continue
            try:
                with open(f"/proc/{entry}/cmdline", "rb") as f:
                    argv = f.read().split(b"\0")
            except OSError:
                continue
            if os.path.basename(argv[0]) == os.path.basename(self.program).encode() and str(self.point).encode() in argv:
                found.append(int(entry))
        return found

    def mounted(self):
        with open("/proc/self/mounts", encoding="utf-8") as f:
            return any(line.split()[1] == str(self.point) for line in f)

    def mount(self):
        """Seconds until the mount point is the filesystem."""
        began = time.monotonic()
        self.start()
        while not self.mounted():
            if time.monotonic() - began > WAIT_S:
                raise RuntimeError("is not mounted after a minute")
            time.sleep(0.001)
        os.listdir(self.point)
        return time.monotonic() - began

    def note_memory(self):
        total = 0
        for pid in self.processes():
            try:
                with open(f"/proc/{pid}/status", encoding="utf-8") as f:
                    total += sum(int(l.split()[1]) for l in f if l.startswith("VmHWM:"))
            except OSError:
                pass
        self.peak_kib = max(self.peak_kib, total)

    def unmount(self):
        self.note_memory()
        pids = self.processes()
        run(["umount", self.point])
        self.gone(pids)

    def gone(self, pids):
        began = time.monotonic()
        while any(os.path.exists(f"/proc/{p}/fd") and os.listdir(f"/proc/{p}/fd") for p in pids if self.alive(p)):
            if time.monotonic() - began > WAIT_S:
                raise RuntimeError("still runs a minute after unmounting")
            time.sleep(0.005)

    @staticmethod
    def alive(pid):
        try:
            with open(f"/proc/{pid}/stat", encoding="utf-8") as f:
                return f.read().rsplit(")", 1)[1].split()[0] not in "ZX"
        except OSError:
            return False

    def kill(self):
        """kill -9 in the middle of its work."""
        pids = self.processes()
        for pid in pids:
            os.kill(pid, signal.SIGKILL)
        self.gone(pids)
        run(["umount", "-l", self.point])

    def remove(self):
        if self.mounted():
            self.unmount()
        shutil.rmtree(self.base.parent, ignore_errors=True)

    def abandon(self):
        if self.mounted():
            subprocess.run(["umount", "-l", str(self.point)], check=False, capture_output=True)
        for pid in self.processes() if self.program else []:
            os.kill(pid, signal.SIGTERM)
        shutil.rmtree(self.base.parent, ignore_errors=True)


class Conclave(Side):
    name = "conclave"
    options = tuple(os.environ.get("BENCH_OPTIONS", "").split())
    volume = None

    def version(self):
        return report.first_line("git", "-C", report.ROOT, "rev-parse", "--short", "HEAD") or "here"

    def make(self):
        fs_support.tool("create", self.base / "container", VOLUME_BYTES)

    def start(self):
        self.volume = fs_support.Volume(self.base / "container", self.point, args=self.options)
        if self.volume.first[0] != fs_support.READY:
            raise RuntimeError(f"does not mount: {self.volume.first}")

    def processes(self):
        return [self.volume.process.pid] if self.volume and self.volume.process.poll() is None else []

    def unmount(self):
        self.note_memory()
        self.volume.close()
        self.volume = None

    def kill(self):
        self.volume.kill()
        self.volume = None

    def abandon(self):
        if self.volume:
            self.volume.abandon()
        shutil.rmtree(self.base.parent, ignore_errors=True)


class Gocryptfs(Side):
    name = package = program = "gocryptfs"

    def make(self):
        run(["gocryptfs", "-q", "-init", "-extpass", "echo", "-extpass", PASSWORD, self.base])

    def start(self):
        run(["gocryptfs", "-q", "-extpass", "echo", "-extpass", PASSWORD, self.base, self.point])


class Securefs(Side):
    name = package = program = "securefs"

    def make(self):
        run(["securefs", "create", "--pass", PASSWORD, self.base])

    def start(self):
        run(["securefs", "mount", "--pass", PASSWORD, "-b", self.base, self.point])


class Cryfs(Side):
    name = package = program = "cryfs"

    def make(self):
        # what it remembers of a directory: each round has another filesystem in the same one
        self.seen = tempfile.mkdtemp(dir=os.path.dirname(self.base), prefix="cryfs-seen-")

    def start(self):
        run(["cryfs", self.base, self.point], stdin=PASSWORD + "\n",
            env={"CRYFS_FRONTEND": "noninteractive", "CRYFS_NO_UPDATE_CHECK": "true",
                 "CRYFS_LOCAL_STATE_DIR": self.seen})


class Encfs(Side):
    name = package = program = "encfs"

    def start(self):
        run(["encfs", "-S", "--standard", self.base, self.point], stdin=PASSWORD + "\n")


class Ext4(Side):
    name = "ext4"
    package = "e2fsprogs"

    def make(self):
        image = self.base / "image"
        with open(image, "wb") as f:
            f.truncate(VOLUME_BYTES)
        run(["mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", image])

    def version(self):
        return "of this kernel, in a loop-mounted image"

    def start(self):
        run(["mount", "-o", "loop", self.base / "image", self.point])

    def processes(self):
        return []

    def kill(self):
        raise Missing("a kernel filesystem cannot be killed")


class Passthrough(Side):
    name = "passthrough"
    package = "libfuse3-dev"
    example = "/usr/share/doc/libfuse3-dev/examples/passthrough_ll.c"

    def __init__(self, work):
        self.program = os.path.join(report.BENCH, "passthrough_ll")
        if not os.path.exists(self.program):
            self.build()
        super().__init__(work)

    def build(self):
        if not os.path.exists(self.example):
            raise Missing(f"missing ({self.example} of the Debian package {self.package})")
        flags = run(["pkg-config", "--cflags", "--libs", "fuse3"]).split()
        run(["gcc", "-O2", "-w", "-o", self.program, self.example, *flags])

    def start(self):
        # it keeps a descriptor of every file that the kernel knows
        run(["prlimit", f"--nofile={OPEN_FILES}", self.program, "-o", f"source={self.base}", "-o", "cache=auto",
             self.point])


ALL = [Conclave, Gocryptfs, Securefs, Cryfs, Encfs, Ext4, Passthrough]
