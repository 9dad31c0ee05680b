"""Random work on a mounted volume, checked as it goes (fs_exercise.c); long forms under CONCLAVE_LONG."""

import os
import pathlib
import resource
import shutil
import subprocess
import time

import pytest

import fs_support as fs
from fs_fixtures import built, container, needs_mount, start

LONG = "CONCLAVE_LONG" in os.environ
SIZE = 256 << 20

pytestmark = needs_mount
long_only = pytest.mark.skipif(not LONG, reason="minutes: in test-long")


def sized(size_bytes):
    """The test's container is this large."""
    return pytest.mark.parametrize("container", [size_bytes], indirect=True)


def exercise(*args, limit=3000):
    return subprocess.run([fs.BUILD / "test/fs_exercise", *map(str, args)], capture_output=True,
                          text=True, timeout=limit, check=False)


def finish(volume, container, after_a_kill=False):
    volume.close()
    assert ("not unmounted cleanly" in volume.errors) == after_a_kill
    assert len(volume.errors.splitlines()) == after_a_kill, volume.errors
    out = subprocess.run([fs.BUILD / "test/fs_tool", "check", container], input=fs.KEY, check=False,
                         capture_output=True, timeout=3000).stdout.decode()
    assert "problems=0 " in out, out
    return out


@pytest.mark.parametrize("seed", range(1, 31 if LONG else 4))
@pytest.mark.parametrize("words", ["noatime", "writeback=off"])
def test_a_file_is_what_a_buffer_would_be_by_every_way_in(start, container, seed, words):
    volume = start("-o", words)
    done = exercise("file", volume.point / "f", seed, 20_000 if LONG else 700)
    assert done.returncode == 0, done.stderr
    finish(volume, container)


@pytest.mark.parametrize("seed", range(1, 6 if LONG else 2))
def test_processes_in_one_tree_find_only_what_was_written_there(start, container, seed):
    for again in range(2):
        volume = start("--cache-mib", "1")
        if not again:
            (volume.point / "t").mkdir()
        done = exercise("tree", volume.point / "t", seed + 100 * again, 50_000 if LONG else 1200, 4)
        assert done.returncode == 0, done.stderr
        finish(volume, container)


@pytest.mark.parametrize("seed", range(1, 21 if LONG else 3))
def test_a_tree_is_whole_after_a_kill_amid_the_work(start, container, seed):
    volume = start()
    (volume.point / "t").mkdir()
    with subprocess.Popen([fs.BUILD / "test/fs_exercise", "tree", volume.point / "t", str(seed),
                           "100000000", "3"], stderr=subprocess.PIPE) as work:
        while volume.status()["requests"]["write"] < 50 * seed:
            assert work.poll() is None, work.stderr.read()
        volume.kill()
        assert work.wait(fs.WAIT_S) == 3, work.stderr.read()  # the filesystem went away, nothing else
    assert volume.errors == ""  # every EIO of its own is a line
    again = start()
    done = exercise("tree", again.point / "t", seed, 300, 2)
    assert done.returncode == 0, done.stderr
    finish(again, container, after_a_kill=True)


STRESSORS = """access chattr chdir chmod chown copy-file dentry dir dirdeep dirmany dup fallocate fcntl
fiemap file-ioctl filename flock fpunch fsize fstat getdent hdd inode-flags iomix lease link locka lockf
lockofd mknod msync open readahead rename seek sendfile symlink sync-file touch utime xattr""".split()


@long_only
@sized(16 << 30)
def test_stress_ng_verifies_its_filesystem_stressors(start, container):
    if not shutil.which("stress-ng"):
        pytest.skip("stress-ng is not installed")
    volume = start()
    known = subprocess.run(["stress-ng", "--stressors"], capture_output=True, text=True,
                           check=True).stdout.split()
    bad = {}
    for name in STRESSORS:
        if name not in known:
            continue
        done = subprocess.run(["stress-ng", f"--{name}", "2", "--verify", "--timeout", "5s",
                               "--temp-path", volume.point], capture_output=True, text=True,
                              timeout=300, check=False)
        if done.returncode not in (0, 4):  # 4: this machine has not what the stressor needs
            bad[name] = done.stderr[-500:]
    assert not bad, bad
    finish(volume, container)


def peak_kib(volume):
    text = pathlib.Path(f"/proc/{volume.process.pid}/status").read_text()
    return int(next(line for line in text.splitlines() if line.startswith("VmHWM")).split()[1])


@sized(1 << 40)
def test_a_sparse_container_of_a_tebibyte_is_made_and_mounted_at_once(start, container):
    """The bound is wide: it tells a mount that reads the container from one that does not."""
    volume = start()
    assert os.statvfs(volume.point).f_blocks * 4096 == 1 << 40
    (volume.point / "f").write_bytes(b"x" * 5_000_000)
    volume.close()
    before = container.stat().st_blocks
    again = start()
    assert (again.point / "f").read_bytes() == b"x" * 5_000_000
    reads = int(next(line for line in pathlib.Path(f"/proc/{again.process.pid}/io").read_text()
                     .splitlines() if line.startswith("rchar")).split()[1])
    assert reads < 32 << 20
    assert container.stat().st_blocks - before < (64 << 20) // 512
    assert peak_kib(again) < 200 << 10
    again.close()


def make_files(point, count, per_dir=1000):
    for i in range(count):
        if i % per_dir == 0:
            where = os.open(point, os.O_RDONLY)
            os.mkdir(f"d{i // per_dir}", dir_fd=where)
            directory = os.open(f"d{i // per_dir}", os.O_RDONLY, dir_fd=where)
            os.close(where)
        os.close(os.open(f"file-{i}", os.O_CREAT | os.O_WRONLY, 0o644, dir_fd=directory))
        if i % per_dir == per_dir - 1:
            os.close(directory)


def walk(point):
    count = 0
    for _, _, names in os.walk(point):
        count += len(names)
    return count


@pytest.mark.parametrize("cache_mib, bound_mib", [(16, 64), (64, 128)])
@sized(4 << 30)
def test_memory_is_bounded_by_the_setting(start, cache_mib, bound_mib):
    """Peak of the process: the cache, the log's and the workers' buffers, and the inodes' table."""
    files = 1_000_000 if LONG else 12_000
    volume = start("--cache-mib", str(cache_mib))
    make_files(volume.point, files)
    with open(volume.point / "big", "wb", buffering=0) as f:
        for _ in range(40):
            f.write(bytes(1 << 20))
    volume.close()
    volume = start("--cache-mib", str(cache_mib))
    assert walk(volume.point) == files + 1
    # a few dozen bytes for each inode that the kernel holds
    assert peak_kib(volume) < (bound_mib << 10) + files * 96 // 1024
    volume.close()


@long_only
@sized(8 << 30)
def test_a_million_files(start, container):
    files = 1_000_000
    volume = start()
    took = []
    begin = time.monotonic()
    for part in range(10):
        os.mkdir(volume.point / f"p{part}")
        make_files(volume.point / f"p{part}", files // 10)
        took.append(time.monotonic() - begin - sum(took))
    print("seconds for each 100,000:", [round(t, 1) for t in took], "peak KiB:", peak_kib(volume))
    assert walk(volume.point) == files
    volume.close()
    begin = time.monotonic()
    volume = start()
    assert volume.status()["objects"] == files + 1011
    print("mount again:", round(time.monotonic() - begin, 3), "s")
    assert len(os.listdir(volume.point / "p9/d99")) == 1000
    shutil.rmtree(volume.point / "p3")
    assert walk(volume.point) == files * 9 // 10
    assert "files=900000 " in finish(volume, container)
    # the last part costs as the first one does: generous, for other work on the machine
    assert took[-1] < 3 * took[0]
    assert resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss < 600 << 10
