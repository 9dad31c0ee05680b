"""Fixtures for end-to-end tests: real programs, port 0, ready lines, no sleeps.

    def test_something(fleet):
        g1, g2, g3 = fleet.gateways(3)            # init, add, install, run
        dev = fleet.device("d1", k=2)             # device add (volume, bundle, enrolment), install
        with dev.mounted() as mnt: ...            # conclave-device mount / unmount
        g1.kill(); g2.stop(); g2.start()          # by pid; its ports stay its own
        fleet.conclave("device", "revoke", "d1")  # any verb; returns a Result

Programs come from $CONCLAVE_BIN, else build/bin. Everything lives in one temporary directory with
mode 0700; the fixture's end unmounts, ends every process it started and what those left behind.
"""

import contextlib
import ctypes
import json
import os
import pathlib
import select
import selectors
import shutil
import signal
import subprocess
import tempfile
import time

import pytest
import fs_support
from ports import HeldPort

ROOT = pathlib.Path(__file__).resolve().parents[2]
BIN = pathlib.Path(os.environ.get("CONCLAVE_BIN", ROOT / "build" / "bin")).resolve()

OK, INTERNAL, USAGE, CONFIG, NOT_BUILT = 0, 1, 2, 3, 4
TOO_FEW, DENIED, DEADLINE, SHARE_SET, SHARES = 10, 11, 12, 13, 14
TAMPERED, TOO_OLD, IN_USE, VERSION, NOT_VOLUME, NO_SPACE = 20, 21, 22, 23, 24, 25
FUSE = 30
TPM = 31

# Generous: a deadline that fails a test is a bug, not a slow machine.
PATIENCE_S = 60

# For gateways: many unlocks a minute. The budget per device is another test's matter.
PATIENT = "[limits]\ndevice_burst = 1000\ndevice_per_minute = 60000\n"


def have_fuse():
    """True if /dev/fuse can be opened."""
    try:
        os.close(os.open("/dev/fuse", os.O_RDWR | os.O_CLOEXEC))
    except OSError:
        return False
    return True


needs_fuse = pytest.mark.skipif(not have_fuse(), reason="/dev/fuse cannot be opened here")


def program(name):
    path = BIN / name
    if not os.access(path, os.X_OK):
        pytest.skip(f"{path} is not built")
    return str(path)


class Result:
    """How a program ended: code, out, err (text), secrets (what it wrote to extra descriptors)."""

    def __init__(self, args, code, out, err, secrets=()):
        self.args, self.code, self.out, self.err = args, code, out, err
        self.secrets = list(secrets)

    @property
    def json(self):
        """The one JSON object of `--json`."""
        return json.loads(self.out)

    def __repr__(self):
        return f"{' '.join(self.args)}: exit {self.code}\n{self.out}{self.err}"


def run(args, want=OK, give=(), take=0, env=None, cwd=None, timeout=PATIENCE_S):
    """Run a program to its end.

    give   texts or bytes, each readable on a descriptor; "{g0}", "{g1}".. in args are the numbers
    take   how many descriptors it may write to; "{t0}".. in args; texts in Result.secrets
    want   the exit code that must come out, or None for any
    """
    names, keep, writers = {}, [], []
    readers = []
    for i, data in enumerate(give):
        r, w = os.pipe()
        os.write(w, data.encode() if isinstance(data, str) else data)
        os.close(w)
        names[f"{{g{i}}}"] = str(r)
        keep.append(r)
    for i in range(take):
        r, w = os.pipe()
        names[f"{{t{i}}}"] = str(w)
        keep.append(w)
        writers.append(w)
        readers.append(r)
    args = [names.get(str(a), str(a)) for a in args]
    try:
        done = subprocess.run(
            args, stdin=subprocess.DEVNULL, capture_output=True, text=True, pass_fds=keep,
            env=clean_env(env), cwd=cwd, timeout=timeout, check=False)
    finally:
        for fd in keep:
            os.close(fd)
        secrets = []
        for r in readers:
            with os.fdopen(r, "rb") as f:
                secrets.append(f.read().decode().rstrip("\n"))
    result = Result(args, done.returncode, done.stdout, done.stderr, secrets)
    if want is not None and result.code != want:
        raise AssertionError(f"exit code {result.code}, expected {want}\n{result!r}")
    return result


def clean_env(more=None):
    env = {k: v for k, v in os.environ.items() if not k.startswith("CONCLAVE_")}
    env.update({"LC_ALL": "C.UTF-8"})
    env.update({k: str(v) for k, v in (more or {}).items()})
    return env


# Gateways that run, by pid: those of a module's fleet outlive the fleets of its single tests.
RUNNING = set()


class Gateway:
    """One conclave-gateway: its state, configuration and, while it runs, its process."""

    def __init__(self, fleet, name, ini=""):
        self.fleet, self.id = fleet, name
        self.state = fleet.dir / f"gw-{name}"
        self.config = fleet.dir / f"gw-{name}.ini"
        self.log = fleet.dir / f"gw-{name}.log"
        self.extra = ini
        self.ports = [HeldPort() for _ in range(3)]
        self.devices, self.operators, self.metrics = (port.address for port in self.ports)
        self.process = None
        self.ready = None

    def write_config(self):
        """The configuration; `ini` given to fleet.gateway() is added, its sections merged."""
        sections = {
            "gateway": [f"id = {self.id}", f"state = {self.state}"],
            "listen": [f"devices = {self.devices}", f"operators = {self.operators}",
                       f"metrics = {self.metrics}"],
            "store": ["reserve_records = 1000"],
            "sandbox": ["mode = best-effort"],
        }
        section = None
        for line in self.extra.splitlines():
            line = line.strip()
            if line.startswith("["):
                section = line[1:-1]
                sections.setdefault(section, [])
            elif line and section is not None:
                key = line.split("=")[0].strip()
                sections[section] = [
                    old for old in sections[section] if old.split("=")[0].strip() != key]
                sections[section].append(line)
        text = "\n".join(f"[{name}]\n" + "\n".join(lines) + "\n"
                         for name, lines in sections.items())
        self.config.write_text(text)

    def join(self, *options):
        """init, gateway add, install."""
        request = self.fleet.dir / f"{self.id}.req"
        out = run([program("conclave-gateway"), "init", "--name", self.id, "--state", self.state,
                   "--request", request, "--reserve-records", "1000"]).out
        fingerprint = next(line.split()[1] for line in out.splitlines()
                           if line.startswith("fingerprint "))
        self.fleet.conclave("gateway", "add", request, "--fingerprint", fingerprint, *options)
        run([program("conclave-gateway"), "install", self.fleet.dir / f"{self.id}.grant",
             "--state", self.state])

    def start(self):
        """Start and wait for the ready line."""
        self.write_config()
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen(
                [program("conclave-gateway"), "run", "--config", str(self.config)],
                stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=log, env=clean_env(),
                start_new_session=True)
        RUNNING.add(self.process.pid)
        line = read_line(self.process, PATIENCE_S)
        if not line.startswith("ready "):
            raise AssertionError(f"gateway {self.id} did not start: {line!r}\n{self.log_text()}")
        self.ready = dict(word.split("=", 1) for word in line.split()[1:])
        self.devices, self.operators = self.ready["devices"], self.ready["operators"]
        self.metrics = self.ready.get("metrics", self.metrics)
        self.fleet.conclave("gateway", "address", self.id, "--address", self.devices,
                            "--operators", self.operators)
        return self

    def stop(self, want=0):
        """SIGTERM, and wait; the exit code must be `want`."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(PATIENCE_S)
        self.close()
        if want is not None and code != want:
            raise AssertionError(f"gateway {self.id}: exit {code}\n{self.log_text()}")

    def kill(self):
        """SIGKILL to the monitor; its children go with it, waited for."""
        left = [os.pidfd_open(pid) for pid in children_of(self.process.pid)]
        self.process.kill()
        self.process.wait(PATIENCE_S)
        self.close()
        for pidfd in left:
            ended = select.select([pidfd], [], [], PATIENCE_S)[0]
            os.close(pidfd)
            if not ended:
                raise AssertionError(f"gateway {self.id}: a process outlives its monitor")

    def signal(self, number):
        self.process.send_signal(number)

    def close(self):
        if self.process is not None:
            RUNNING.discard(self.process.pid)
            self.process.stdout.close()
        self.process = None

    @property
    def running(self):
        return self.process is not None and self.process.poll() is None

    def log_text(self):
        return self.log.read_text(errors="replace") if self.log.exists() else ""

    def pids(self):
        """The monitor and its children, by role name as ps shows them."""
        return [self.process.pid, *children_of(self.process.pid)]


class Device:
    """A device on this machine: its bundle, state directory, container and mount point."""

    def __init__(self, fleet, name, state, volume=None):
        self.fleet, self.id, self.state, self.volume = fleet, name, state, volume
        self.run_dir = fleet.dir / f"run-{name}"
        self.config = fleet.dir / f"dev-{name}.ini"
        self.mount_point = fleet.dir / f"mnt-{name}"
        self.passphrase = self.recovery = self.added = None
        self.run_dir.mkdir(exist_ok=True, mode=0o700)
        self.config.write_text("")

    def __call__(self, verb, *args, want=OK, **kw):
        """conclave-device VERB with this device's directories."""
        return run([program("conclave-device"), verb, *args, "--state", self.state, "--run",
                    self.run_dir, "--config", self.config], want=want, **kw)

    def install(self, want=OK):
        return self("install", self.fleet.dir / "fleet" / "devices" / self.id / "bundle",
                    "--passphrase-fd", "{g0}", give=[self.passphrase], want=want)

    def set_addresses(self, addresses):
        """Rewrite gateways.json: {gateway: "HOST:PORT"}. It is not signed: gateways may move."""
        doc = {"v": 1, "gateways": [{"gateway": g, "address": a} for g, a in addresses.items()]}
        path = self.state / "gateways.json"
        path.write_text(json.dumps(doc))
        path.chmod(0o600)

    def mount(self, *args, want=OK, timeout="30s"):
        self.mount_point.mkdir(exist_ok=True, mode=0o700)
        return self("mount", self.volume, self.mount_point, "--timeout", timeout, *args, want=want)

    def unmount(self, *args, want=OK):
        result = None

        def try_once():
            nonlocal result
            result = self("unmount", *args, want=None)
            return result.code != IN_USE or want != OK
        fs_support.until_unused(try_once)
        if want is not None and result.code != want:
            raise AssertionError(f"exit code {result.code}, expected {want}\n{result!r}")
        return result

    @contextlib.contextmanager
    def mounted(self, *args):
        self.mount(*args)
        try:
            yield self.mount_point
        finally:
            self.unmount()

    def key(self, want=OK, timeout="30s"):
        """The unlock secret, 32 bytes, as `key --fd N` writes it."""
        r, w = os.pipe()
        try:
            done = subprocess.run(
                [program("conclave-device"), "key", "--fd", str(w), "--timeout", timeout,
                 "--state", str(self.state), "--run", str(self.run_dir), "--config",
                 str(self.config)],
                stdin=subprocess.DEVNULL, capture_output=True, text=True, pass_fds=[w],
                env=clean_env(), timeout=PATIENCE_S, check=False)
            os.close(w)
            w = -1
            secret = os.read(r, 64)
        finally:
            os.close(r)
            if w >= 0:
                os.close(w)
        if done.returncode != want:
            raise AssertionError(f"exit code {done.returncode}, expected {want}\n{done.stderr}")
        return secret


class Fleet:
    """A fleet in a temporary directory, its gateways and devices."""

    def __init__(self, directory, name="test"):
        self.dir, self.name = pathlib.Path(directory), name
        self.path = self.dir / "fleet"
        self.all_gateways = {}
        self.devices = {}
        self.conclave("fleet", "init", "--name", name, "--no-passphrase")

    def conclave(self, *args, want=OK, **kw):
        """`conclave ARGS --fleet ...`"""
        return run([program("conclave"), *args, "--fleet", self.path], want=want, **kw)

    def gateway(self, name, ini="", start=True):
        g = Gateway(self, name, ini)
        self.all_gateways[name] = g
        g.join()
        return g.start() if start else g

    def gateways(self, n, ini="", start=True):
        """n gateways g1, g2, ... (more with each call)."""
        first = len(self.all_gateways) + 1
        return [self.gateway(f"g{i}", ini, start) for i in range(first, first + n)]

    def device(self, name, k=2, *options, gateways=None, size="32MiB", mcu=False, install=True,
               source=None, reveal=True, want=OK):
        """device add, and install of the bundle. `options` go to `device add` as they are."""
        members = gateways or list(self.all_gateways)
        args = ["device", "add", name, "--gateways", ",".join(members), "--threshold", k, "--json",
                "--passphrase-out-fd", "{t0}"]
        volume = None
        if mcu:
            args += ["--mcu"]
        else:
            volume = self.dir / f"{name}.cv"
            args += ["--volume", volume, "--size", size]
            if "--no-recovery" not in options:
                args += ["--recovery-out-fd", "{t1}"]
            if source is not None:
                args += ["--import", source]
        if reveal and "--policy" not in options:
            args += ["--reveal-reason"]
        result = self.conclave(*args, *options, want=want, take=2)
        dev = Device(self, name, self.dir / f"state-{name}", volume)
        dev.added = result
        dev.passphrase, dev.recovery = result.secrets
        self.devices[name] = dev
        if install and result.code == OK:
            dev.install()
        return dev

    def addresses(self):
        return {g.id: g.devices for g in self.all_gateways.values()}

    def mcu(self, device, *args, want=OK, timeout="30"):
        """Run conclave-mcu on a device's state directory."""
        return run([program("conclave-mcu"), "--state", device.state, "--timeout", timeout, *args],
                   want=want)

    def close(self):
        for dev in self.devices.values():
            force_unmount(dev)
            if dev.volume is not None:  # its boot key may lie in /dev/shm
                dev.unmount("--lazy", "--forget", want=None)
        for g in self.all_gateways.values():
            if g.running:
                g.process.terminate()
        for g in self.all_gateways.values():
            if g.process is not None:
                try:
                    g.process.wait(10)
                except subprocess.TimeoutExpired:
                    g.kill()
                g.close()
            for port in g.ports:
                port.close()
        end_orphans()


def force_unmount(dev):
    if not is_mounted(dev.mount_point):
        return
    try:
        dev.unmount("--lazy", want=None)
    except (subprocess.TimeoutExpired, OSError):
        pass
    if is_mounted(dev.mount_point):
        subprocess.run(["umount", "-l", str(dev.mount_point)], check=False, capture_output=True)


def is_mounted(path):
    """From the kernel's table: stat on a dead FUSE mount fails."""
    wanted = str(path)
    with open("/proc/self/mounts", encoding="utf-8") as f:
        return any(line.split()[1] == wanted for line in f)


def children_of(pid):
    try:
        text = pathlib.Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(p) for p in text.split()]


def end_orphans():
    """Our children are ours to end: this process is their subreaper."""
    deadline = time.monotonic() + 10
    number = signal.SIGTERM
    while True:
        pids = [p for p in children_of(os.getpid()) if p not in RUNNING]
        if not pids:
            return
        if time.monotonic() > deadline:
            number = signal.SIGKILL
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, number)
        for pid in pids:
            with contextlib.suppress(ChildProcessError):
                if number == signal.SIGKILL:
                    os.waitpid(pid, 0)
                else:
                    wait_pid(pid, 10)


def wait_pid(pid, seconds):
    """Reap one child within so many seconds, without sleeping."""
    try:
        fd = os.pidfd_open(pid)
    except (OSError, AttributeError):
        return
    try:
        with selectors.DefaultSelector() as sel:
            sel.register(fd, selectors.EVENT_READ)
            if sel.select(seconds):
                with contextlib.suppress(ChildProcessError):
                    os.waitpid(pid, 0)
    finally:
        os.close(fd)


def read_line(process, seconds):
    """The first line of a program's standard output; "" if it ended or took too long."""
    fd = process.stdout.fileno()
    data = b""
    deadline = time.monotonic() + seconds
    with selectors.DefaultSelector() as sel:
        sel.register(fd, selectors.EVENT_READ)
        while b"\n" not in data:
            if not sel.select(max(0, deadline - time.monotonic())):
                return ""
            chunk = os.read(fd, 4096)
            if not chunk:
                return ""
            data += chunk
    return data.split(b"\n")[0].decode()


@pytest.fixture(scope="session", autouse=True)
def subreaper():
    """Daemons that outlive their parents come back to this process."""
    PR_SET_CHILD_SUBREAPER = 36
    ctypes.CDLL(None, use_errno=True).prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)


@pytest.fixture
def workdir():
    """A fresh directory, mode 0700, with a short path (sockets have a limit of 108 bytes)."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="cv-"))
    yield path
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def fleet(workdir):
    f = Fleet(workdir)
    yield f
    f.close()


@pytest.fixture(scope="module")
def module_fleet():
    """One fleet for all tests of a file that do not harm each other."""
    path = pathlib.Path(tempfile.mkdtemp(prefix="cv-"))
    f = Fleet(path)
    yield f
    f.close()
    shutil.rmtree(path, ignore_errors=True)


@pytest.fixture
def dev(home):
    """The device of a file's `home`, (fleet, device): whatever a test left mounted is taken away."""
    device = home[1]
    yield device
    if is_mounted(device.mount_point):
        device.unmount("--lazy", want=None)
