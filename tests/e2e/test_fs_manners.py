"""How a mounted volume behaves towards those who run the machine: ends, idleness, status, logs."""

import contextlib
import errno
import mmap
import os
import signal
import struct
import time

import pytest

import fs_support as fs
from fs_fixtures import built, container, damage, error_of, needs_mount, start

SIZE = 64 << 20

pytestmark = needs_mount


def ended(volume):
    """After CLOSED: its exit code and its log."""
    code = volume.process.wait(fs.WAIT_S)
    volume.done()
    return code


@contextlib.contextmanager
def disconnected(*args, **kwargs):
    """A file of a mount that ends before it is closed."""
    f = open(*args, **kwargs)
    yield f
    with contextlib.suppress(OSError):
        f.close()


def test_sigterm_in_use_keeps_what_only_the_kernel_knew_of(start, container):
    volume = start()
    with disconnected(volume.point / "map", "w+b") as f:
        f.truncate(1 << 20)
        with mmap.mmap(f.fileno(), 1 << 20) as m:
            for at in range(0, 1 << 20, 4096):
                m[at:at + 8] = b"%08d" % at  # dirty in the kernel, never synced
            volume.process.send_signal(signal.SIGTERM)
            assert volume.receive()[0] == fs.CLOSED
            assert ended(volume) == 0
    assert not os.path.ismount(volume.point)
    assert "in use: detached" in volume.errors
    data = fs.tool("cat", container, "/map").stdout
    assert all(data[at:at + 8] == b"%08d" % at for at in range(0, 1 << 20, 4096))


def test_sigterm_in_use_keeps_what_was_written(start, container):
    volume = start()
    with disconnected(volume.point / "file", "wb", buffering=0) as f:
        for at in range(200):
            f.write(b"%04d" % at * 1024)
        volume.process.send_signal(signal.SIGTERM)
        assert volume.receive()[0] == fs.CLOSED
        assert ended(volume) == 0
    assert fs.tool("cat", container, "/file").stdout == b"".join(
        b"%04d" % at * 1024 for at in range(200))


def test_an_unused_volume_says_so_and_nobody_else_does(start):
    volume = start("-o", "idle=1")
    (volume.point / "f").write_text("x")
    assert volume.receive()[0] == fs.IDLE
    # the watcher did not unmount it: it is said again
    assert volume.receive()[0] == fs.IDLE
    assert (volume.point / "f").read_text() == "x"
    volume.ask(fs.UNMOUNT)
    while volume.receive()[0] == fs.IDLE:
        pass
    assert ended(volume) == 0


def test_an_unused_volume_without_a_watcher_unmounts_itself_once_nobody_is_in_it(start, container):
    volume = start("-o", "idle=1")
    with open(volume.point / "f", "w") as f:
        f.write("kept")
        f.flush()
        volume.control.close()
        with pytest.raises(fs.subprocess.TimeoutExpired):
            volume.process.wait(2)  # it asked, and somebody was in it
        assert os.path.ismount(volume.point)
        f.write(" on")
    assert ended(volume) == 0
    assert not os.path.ismount(volume.point)
    assert fs.tool("cat", container, "/f").stdout == b"kept on"


def test_the_status_counts_what_was_done(start):
    volume = start()
    before = volume.status()
    assert before["bytes_written"] == 0 and before["io_errors"] == 0
    data = os.urandom(300_000)
    (volume.point / "f").write_bytes(data)
    fd = os.open(volume.point / "f", os.O_RDONLY)
    os.fsync(fd)
    os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
    assert os.read(fd, len(data)) == data
    os.close(fd)
    os.mkdir(volume.point / "d")
    os.listdir(volume.point)
    after = volume.status()
    assert after["bytes_written"] == len(data) and after["bytes_read"] >= len(data)
    for kind in "read", "write", "sync", "name", "attribute", "list":
        assert after["requests"][kind] > before["requests"][kind], kind
    assert after["frames"] > before["frames"] and after["frames_durable"] > 0
    assert after["checkpoints"] >= before["checkpoints"]
    assert after["generation"] >= before["generation"]
    assert after["cache"]["hits"] > before["cache"]["hits"]
    assert after["used"] > before["used"] and after["size"] == SIZE
    seen = os.statvfs(volume.point)
    assert abs(after["free"] - seen.f_bavail * seen.f_frsize) <= 64 << 10
    volume.close()


def test_the_status_counts_a_full_volume(start):
    volume = start()
    fs.fill(volume.point / "f", 1 << 20)
    status = volume.status()
    assert status["no_space"] >= 1 and status["io_errors"] == 0 and "last_error" not in status
    volume.close()


@pytest.fixture
def damaged(start, container):
    """A volume with one bad file at /dir/sub/file."""
    volume = start()
    os.makedirs(volume.point / "dir/sub")
    (volume.point / "dir/sub/file\n").write_bytes(os.urandom(400_000))
    volume.close()
    damage(container)
    return "dir/sub/file\n"


def test_an_io_error_names_the_file_in_the_status_and_its_inode_in_the_log(start, damaged):
    volume = start()
    path = volume.point / damaged
    assert error_of(path.read_bytes) == errno.EIO
    inode = path.stat().st_ino
    status = volume.status()
    volume.close()
    assert status["io_errors"] >= 1 and status["tampered"] >= 1
    assert status["last_error"].startswith(f"read: /dir/sub/file\\x0a (inode {inode}): ")
    assert "(block " in status["last_error"]
    # a log outlives the mount on a disk that is not encrypted: no names there
    lines = volume.errors.splitlines()
    assert lines and all(f"error: read: inode {inode}: " in line for line in lines)
    assert "sub" not in volume.errors


def test_log_paths_names_the_file_in_the_log_wherever_it_was_moved(start, damaged):
    volume = start("-o", "log_paths,noatime")
    os.mkdir(volume.point / "other")
    os.rename(volume.point / damaged, volume.point / "other/moved")
    assert error_of((volume.point / "other/moved").read_bytes) == errno.EIO
    os.rename(volume.point / "other", volume.point / "dir/other")
    assert error_of((volume.point / "dir/other/moved").read_bytes) == errno.EIO
    volume.close()
    assert "read: /other/moved (inode " in volume.errors
    assert "read: /dir/other/moved (inode " in volume.errors


def test_access_times_stand_still_unless_asked_for(start):
    volume = start()
    path = volume.point / "f"
    path.write_text("x")
    os.utime(path, ns=(1, 2))
    assert path.read_text() == "x"
    os.listdir(volume.point)
    assert path.stat().st_atime_ns == 1
    volume.close()

    fs.wait_for_the_clock()
    volume = start("-o", "atime")
    before = path.stat()
    assert path.read_text() == "x"
    after = path.stat()
    assert after.st_atime_ns > before.st_ctime_ns
    assert (after.st_mtime_ns, after.st_ctime_ns) == (2, before.st_ctime_ns)
    assert path.read_text() == "x"
    assert path.stat().st_atime_ns == after.st_atime_ns  # as relatime
    path.write_text("yy")
    changed = path.stat()
    fs.wait_for_the_clock()
    assert path.read_text() == "yy"  # from the kernel's cache, were it not asked
    assert path.stat().st_atime_ns > changed.st_mtime_ns
    with open(os.open(path, os.O_RDONLY | os.O_NOATIME)) as f:
        assert f.read() == "yy"
    volume.close()


@pytest.mark.parametrize("words", ["idle", "idle=", "idle=x", "idle=1,", ",", "", "atime=1", "nonsense",
                                   "idle=99999999999"])
def test_options_that_are_not_understood_are_refused(words):
    done = fs.subprocess.run([fs.BUILD / "bin/conclave-volumed", "--key-fd", "3", "--control-fd", "4",
                              "--container-fd", "5", "--fuse-fd", "6", "-o", words],
                             capture_output=True)
    assert done.returncode == 2 and done.stderr.count(b"\n") == 1


LATENCY = "/dev/cpu_dma_latency"
needs_latency = pytest.mark.skipif(not os.access(LATENCY, os.R_OK | os.W_OK),
                                   reason="this system has no limit of idle states")


def asks_for_shallow_idle(volume):
    fds = f"/proc/{volume.process.pid}/fd"
    return LATENCY in [os.readlink(os.path.join(fds, fd)) for fd in os.listdir(fds)]


@needs_latency
def test_requests_in_a_row_limit_idle_states_and_their_end_lets_go(start):
    volume = start()
    assert asks_for_shallow_idle(volume)
    with open(LATENCY, "rb", buffering=0) as f:
        def limit():
            return struct.unpack("=i", os.pread(f.fileno(), 4, 0))[0]

        unlimited = 1_000_000_000  # us; other mounts of other tests come and go
        deadline = time.monotonic() + fs.WAIT_S
        number = 0
        while limit() > 2:
            for number in range(number, number + 100):
                assert not os.path.exists(volume.point / f"none-{number}")
            assert time.monotonic() < deadline
        while limit() < unlimited:
            assert time.monotonic() < deadline
            os.sched_yield()
    volume.close()


@needs_latency
def test_power_save_leaves_idle_states_alone(start):
    volume = start("-o", "power=save")
    for number in range(200):
        assert not os.path.exists(volume.point / f"none-{number}")
    assert not asks_for_shallow_idle(volume)
    volume.close()
