"""Starts conclave-volumed the way the watcher does: everything inherited, /dev/fuse mounted."""

import ctypes
import errno
import json
import os
import pathlib
import select
import signal
import socket
import struct
import subprocess
import time
import fcntl

ROOT = pathlib.Path(__file__).resolve().parents[2]
BUILD = pathlib.Path(os.environ.get("CONCLAVE_BUILD", ROOT / "build"))
KEY = bytes(range(32))
RECOVERY = b"\x77" * 32
WAIT_S = 60  # a limit for a hung process, not a wait
BUSY_S = 10

READY, FAILED, CLOSED, STATUS, IDLE, SYNC, UNMOUNT, QUERY, REKEY = 1, 2, 3, 4, 5, 16, 17, 18, 19
MESSAGE = struct.Struct("<IIQII2048s")
MNT_DETACH = 2
CLOCK_REALTIME_COARSE = 5

libc = ctypes.CDLL(None, use_errno=True)


def build():
    """The volume process and the tools; under `make test` they are there already."""
    if "CONCLAVE_BUILD" not in os.environ:
        subprocess.run(["make", "-s", "-C", str(ROOT), "build/bin/conclave",
                        "build/bin/conclave-volumed", "build/test/fs_tool",
                        "build/test/fs_exercise"], check=True, stdout=subprocess.DEVNULL)


def tool(*args, key=KEY, check=True):
    done = subprocess.run([str(BUILD / "test" / "fs_tool"), *map(str, args)], input=key,
                          capture_output=True, timeout=WAIT_S)
    if check:
        assert done.returncode == 0, done.stderr.decode()
    return done


def mount_fuse(point, fd):
    options = f"fd={fd},rootmode=40000,user_id=0,group_id=0,default_permissions,allow_other"
    if libc.mount(b"conclave", str(point).encode(), b"fuse.conclave", 6, options.encode()):
        raise OSError(ctypes.get_errno(), "mount")


def wait_for_the_clock():
    """
    File times move with the kernel's tick: two changes within one look equal. Since Linux 6.13 they are never before
    the finest that any file was given, so one tick is not enough: until what has been the finest time is behind.
    """
    before = time.clock_gettime_ns(time.CLOCK_REALTIME)
    while time.clock_gettime_ns(CLOCK_REALTIME_COARSE) <= before:
        pass


def fill(path, step):
    """Writes until there is no room, which write(2) says; a cached write may say so again at close."""
    f = open(path, "wb", buffering=0)
    try:
        while True:
            f.write(bytes(step))
    except OSError as e:
        assert e.errno == errno.ENOSPC, e
    try:
        f.close()
    except OSError as e:
        assert e.errno == errno.ENOSPC, e


def until_unused(try_once):
    """Somebody's df or lsof may hold any mount of the machine for a moment."""
    deadline = time.monotonic() + BUSY_S
    while not try_once() and time.monotonic() < deadline:
        os.sched_yield()


def unmount(point, lazy=False):
    result = -1

    def try_once():
        nonlocal result
        result = libc.umount2(str(point).encode(), MNT_DETACH if lazy else 0)
        return result == 0 or ctypes.get_errno() != errno.EBUSY
    until_unused(try_once)
    return result


class Volume:
    """One conclave-volumed on one mount point."""

    def __init__(self, container, point, key=KEY, args=(), lock=True):
        self.point = pathlib.Path(point)
        self.point.mkdir(exist_ok=True)
        self.container_fd = os.open(container, os.O_RDWR)
        if lock:
            fcntl.flock(self.container_fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        fuse_fd = os.open("/dev/fuse", os.O_RDWR)
        mount_fuse(self.point, fuse_fd)
        self.control, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        key_read, key_write = os.pipe()
        os.write(key_write, key)
        os.close(key_write)
        inherit = [key_read, theirs.fileno(), self.container_fd, fuse_fd]
        self.process = subprocess.Popen(
            [str(BUILD / "bin/conclave-volumed"), "--key-fd", str(key_read), "--control-fd",
             str(theirs.fileno()), "--container-fd", str(self.container_fd), "--fuse-fd",
             str(fuse_fd), "--mount-point", str(self.point), *args],
            pass_fds=inherit, stderr=subprocess.PIPE)
        for fd in (key_read, fuse_fd):
            os.close(fd)
        theirs.close()
        self.first = self.receive()

    def receive(self):
        ready, _, _ = select.select([self.control], [], [], WAIT_S)
        assert ready, "no message from conclave-volumed"
        data = self.control.recv(4096)
        if not data:
            return None
        kind, error, generation, epoch, _, text = MESSAGE.unpack(data)
        return kind, error, generation, epoch, text.split(b"\0")[0].decode()

    def ask(self, kind, text=b""):
        self.control.send(MESSAGE.pack(kind, 0, 0, 0, 0, text))

    def status(self):
        self.ask(QUERY)
        return json.loads(self.receive()[4])

    def kill(self):
        self.process.send_signal(signal.SIGKILL)
        self.process.wait(WAIT_S)
        unmount(self.point, lazy=True)
        self.done()

    def close(self):
        """Unmounts and waits for CLOSED and a clean end."""
        answer = None

        def try_once():
            nonlocal answer
            self.ask(UNMOUNT)
            answer = self.receive()
            return answer[0] == CLOSED
        until_unused(try_once)
        assert answer[0] == CLOSED, answer
        code = self.process.wait(WAIT_S)
        self.done()
        assert code == 0, self.errors
        return answer

    def done(self):
        lines = self.process.stderr.read().decode().splitlines(keepends=True)
        # what the host cannot give is said once, and is no error of the volume
        self.errors = "".join(l for l in lines if ": warning: sandbox: " not in l)
        self.process.stderr.close()
        self.control.close()
        os.close(self.container_fd)

    def abandon(self):
        """After a test that failed: leave no mount and no process."""
        if self.process.poll() is None:
            self.process.kill()
            self.process.wait(WAIT_S)
        unmount(self.point, lazy=True)
