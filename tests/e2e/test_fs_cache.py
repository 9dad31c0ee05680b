"""What the kernel keeps of files agrees with what the volume holds: writeback, maps, direct access."""

import errno
import mmap
import os
import pathlib
import random
import subprocess
import time

import pytest

import fs_support as fs
from fs_fixtures import built, container, mnt, needs_mount, start

SIZE = 64 << 20

pytestmark = needs_mount


def step(rng, f, twin, model):
    """One random change, made in the same way to a plain bytearray."""
    at, n = rng.randrange(200_000), rng.randrange(1, 20_000)
    data = rng.randbytes(n)
    kind = rng.choice(["write", "twin", "append", "cut", "map", "sync"])
    if kind in ("write", "twin"):
        os.pwrite((f if kind == "write" else twin).fileno(), data, at)
    elif kind == "append":
        at = len(model)
        with open(f.name, "ab", buffering=0) as a:
            a.write(data)
    elif kind == "cut":
        if at % 2:
            os.truncate(f.name, at)
        else:
            f.truncate(at)
        model[at:] = bytes(max(0, at - len(model)))
        return
    elif kind == "map" and len(model) > at + n:
        with mmap.mmap(f.fileno(), len(model)) as m:
            m[at:at + n] = data
    else:
        os.fsync(f.fileno())
        return
    model.extend(bytes(max(0, at + n - len(model))))
    model[at:at + n] = data


@pytest.mark.parametrize("writeback", ["on", "off"])
@pytest.mark.parametrize("seed", range(3))
def test_writes_appends_cuts_and_maps_agree(start, writeback, seed):
    rng = random.Random(seed)
    option = f"writeback={writeback}"
    model = bytearray()
    volume = start("-o", option)
    path = volume.point / "f"
    for _ in range(4):
        with open(path, "a+b", buffering=0):
            pass
        with open(path, "r+b", buffering=0) as f, open(path, "r+b", buffering=0) as twin:
            for _ in range(40):
                step(rng, f, twin, model)
                at = rng.randrange(220_000)
                assert os.pread(f.fileno(), 10_000, at) == model[at:at + 10_000]
            assert os.fstat(twin.fileno()).st_size == len(model)
        assert path.read_bytes() == model
        volume.close()
        volume = start("-o", option)
        assert path.read_bytes() == model
    volume.close()


def test_direct_access_and_the_cache_see_each_other(mnt):
    page = mmap.mmap(-1, 4096)
    with open(mnt / "f", "w+b", buffering=0) as f:
        f.write(b"c" * 8192)
        fd = os.open(mnt / "f", os.O_RDWR | os.O_DIRECT)
        try:
            assert os.preadv(fd, [page], 4096) == 4096 and page[:] == b"c" * 4096
            page[:] = b"d" * 4096
            assert os.pwritev(fd, [page], 0) == 4096
            assert os.pread(f.fileno(), 8192, 0) == b"d" * 4096 + b"c" * 4096
            with mmap.mmap(f.fileno(), 8192) as m:
                m[4096:4100] = b"mmap"
                assert os.preadv(fd, [page], 4096) == 4096 and page[:5] == b"mmapc"
        finally:
            os.close(fd)


def test_a_part_of_a_page_is_written_through_a_descriptor_that_cannot_read(start):
    volume = start()
    (volume.point / "f").write_bytes(b"0123456789" * 1000)
    volume.close()
    volume = start()
    fd = os.open(volume.point / "f", os.O_WRONLY)
    os.pwrite(fd, b"xx", 5001)
    os.close(fd)
    volume.close()
    volume = start()
    expected = bytearray(b"0123456789" * 1000)
    expected[5001:5003] = b"xx"
    assert (volume.point / "f").read_bytes() == expected
    volume.close()


def test_no_hole_is_reported_over_bytes_that_only_the_kernel_has(mnt):
    with open(mnt / "f", "w+b", buffering=0) as f:
        f.truncate(1 << 20)
        os.pwrite(f.fileno(), b"x", 500_000)
        with open(mnt / "f", "rb") as reader:
            data = os.lseek(reader.fileno(), 0, os.SEEK_DATA)
            assert data <= 500_000 < os.lseek(reader.fileno(), data, os.SEEK_HOLE)
            assert os.lseek(reader.fileno(), 500_000, os.SEEK_DATA) == 500_000


def test_holes_are_reported_once_nobody_writes(mnt):
    with open(mnt / "f", "wb", buffering=0) as f:
        f.truncate(1 << 20)
        os.pwrite(f.fileno(), b"x", 500_000)
    with open(mnt / "f", "rb") as f:
        assert os.lseek(f.fileno(), 0, os.SEEK_DATA) == 500_000 // 4096 * 4096
        assert os.lseek(f.fileno(), 500_000, os.SEEK_HOLE) == (500_000 // 4096 + 1) * 4096


def test_a_file_that_is_written_to_never_looks_like_one_big_hole(mnt):
    (mnt / "f").touch()
    assert (mnt / "f").stat().st_blocks == 0
    with open(mnt / "f", "ab", buffering=0) as f, open(mnt / "new", "wb", buffering=0) as new:
        f.write(b"x" * 10_000)
        new.write(b"x" * 10_000)
        assert (mnt / "f").stat().st_blocks > 0 and (mnt / "new").stat().st_blocks > 0
        archive = subprocess.run(["tar", "-cSf", "-", "-C", mnt, "f", "new"], check=True,
                                 capture_output=True).stdout
        assert archive.count(b"x" * 10_000) == 2
    assert (mnt / "f").stat().st_blocks == 24 and (mnt / "new").stat().st_blocks == 24


def test_an_empty_file_has_no_blocks_after_it_was_open(mnt):
    for i in range(50):
        (mnt / f"f{i}").touch()
        with open(mnt / f"f{i}", "ab"):
            (mnt / f"f{i}").stat()
        (mnt / f"f{i}").stat()
    fs.libc.sync()
    deadline = time.monotonic() + fs.WAIT_S
    # the kernel tells of the last close in its own time
    while any((mnt / f"f{i}").stat().st_blocks for i in range(50)):
        assert time.monotonic() < deadline


def test_times_that_were_set_outlive_late_writes(start):
    volume = start()
    with open(volume.point / "f", "wb", buffering=0) as f:
        f.write(b"x" * 100_000)
        os.utime(f.fileno(), ns=(10**18, 10**18 + 7))
    assert (volume.point / "f").stat().st_mtime_ns == 10**18 + 7
    volume.close()
    volume = start()
    assert (volume.point / "f").stat().st_mtime_ns == 10**18 + 7
    volume.close()


def test_writing_moves_the_time_and_a_remount_keeps_it(start):
    volume = start()
    (volume.point / "f").write_bytes(b"x")
    os.utime(volume.point / "f", ns=(0, 0))
    with open(volume.point / "f", "ab") as f:
        f.write(b"y")
    moved = (volume.point / "f").stat()
    assert moved.st_mtime_ns > 0 and moved.st_ctime_ns >= moved.st_mtime_ns
    volume.close()
    volume = start()
    again = (volume.point / "f").stat()
    assert (again.st_mtime_ns, again.st_size) == (moved.st_mtime_ns, 2)
    volume.close()


def test_a_closed_file_survives_a_kill(start):
    volume = start()
    for i in range(20):
        (volume.point / f"f{i}").write_bytes(bytes([i]) * 70_000)
    volume.kill()
    volume = start()
    for i in range(20):
        assert (volume.point / f"f{i}").read_bytes() == bytes([i]) * 70_000
    volume.close()


def test_without_writeback_each_write_survives_a_kill(start):
    volume = start("-o", "writeback=off")
    f = open(volume.point / "f", "wb", buffering=0)
    for i in range(50):
        f.write(bytes([i]) * 1000)
    volume.kill()
    with pytest.raises(OSError):
        f.write(b"late")
    with pytest.raises(OSError):
        f.close()
    volume = start()
    assert (volume.point / "f").read_bytes() == b"".join(bytes([i]) * 1000 for i in range(50))
    volume.close()


def test_in_a_nearly_full_volume_the_write_itself_fails(mnt):
    with open(mnt / "early", "wb", buffering=0) as early:
        early.write(b"x")
        fs.fill(mnt / "big", 1 << 20)
        late = open(mnt / "late", "wb", buffering=0)
        with pytest.raises(OSError) as caught:
            for _ in range(64):
                late.write(bytes(1 << 20))
        assert caught.value.errno == errno.ENOSPC
        late.close()
        os.unlink(mnt / "big")
        os.unlink(mnt / "late")
        early.write(bytes(1 << 20))
        os.fsync(early.fileno())
    assert (mnt / "early").stat().st_size == (1 << 20) + 1


def test_a_full_volume_is_read_without_errors(mnt):
    (mnt / "kept").write_bytes(b"k" * 100_000)
    writer = os.open(mnt / "big", os.O_WRONLY | os.O_CREAT)
    reader = os.open(mnt / "big", os.O_RDONLY)
    with pytest.raises(OSError):
        for _ in range(256):
            os.write(writer, bytes(1 << 20))
    for _ in range(20):
        assert (mnt / "kept").read_bytes() == b"k" * 100_000
        size = os.fstat(reader).st_size
        assert os.lseek(reader, 0, os.SEEK_END) == size == (mnt / "big").stat().st_size
        assert len(os.pread(reader, 100, size - 50)) == 50
    # the first of them that is closed is told of what found no room
    failures = []
    for fd in reader, writer:
        try:
            os.close(fd)
        except OSError as e:
            failures.append(e.errno)
    assert failures == [errno.ENOSPC]


def test_the_kernel_reads_a_mebibyte_ahead(mnt):
    dev = os.stat(mnt).st_dev
    bdi = pathlib.Path(f"/sys/class/bdi/{os.major(dev)}:{os.minor(dev)}/read_ahead_kb")
    if not bdi.exists():
        pytest.skip("no sysfs")
    assert bdi.read_text().strip() == "1024"


def test_a_cached_listing_is_not_out_of_date(mnt):
    for i in range(100):
        (mnt / f"n{i}").touch()
        assert len(os.listdir(mnt)) == i + 1
    for i in range(0, 100, 3):
        os.unlink(mnt / f"n{i}")
    os.rename(mnt / "n1", mnt / "m1")
    names = set(os.listdir(mnt))
    assert names == {f"n{i}" for i in range(100) if i % 3 and i != 1} | {"m1"}
    os.symlink("one", mnt / "link")
    assert os.readlink(mnt / "link") == "one"
    os.unlink(mnt / "link")
    os.symlink("two", mnt / "link")
    assert os.readlink(mnt / "link") == "two"


def test_only_a_small_directory_is_listed_with_its_inodes(start):
    volume = start()
    for name, count in (("small", 50), ("large", 1000)):
        os.mkdir(volume.point / name)
        for i in range(count):
            os.close(os.open(volume.point / name / f"{i:04}", os.O_CREAT | os.O_WRONLY))
    volume.close()
    volume = start()

    def looked_up(name, first, last):
        before = volume.status()["requests"]["name"]
        for i in range(first, last):
            os.stat(volume.point / name / f"{i:04}")
        return volume.status()["requests"]["name"] - before

    assert len(os.listdir(volume.point / "small")) == 50
    assert looked_up("small", 0, 50) == 0
    assert len(os.listdir(volume.point / "large")) == 1000
    assert looked_up("large", 0, 100) == 100
    with os.scandir(volume.point / "large") as entries:
        assert sum(e.stat().st_nlink for e in entries) == 1000
    volume.close()


def test_a_listing_of_what_the_kernel_knows_keeps_types_and_attributes_true(mnt):
    """Entries that it has the attributes of go out as mere names; a change must still be seen."""
    for i in range(300):
        (mnt / f"f{i}").write_bytes(bytes(i))
    os.mkdir(mnt / "d")
    os.symlink("f1", mnt / "l")
    for turn in range(3):
        os.close(os.open(mnt / f"new{turn}", os.O_CREAT | os.O_WRONLY))  # the cached listing is gone
        entries = {e.name: e for e in os.scandir(mnt)}
        assert len(entries) == 302 + turn + 1
        assert entries["d"].is_dir(follow_symlinks=False) and entries["l"].is_symlink()
        for name, entry in entries.items():
            st = os.lstat(mnt / name)
            assert st.st_ino == entry.inode(), name
            if name.startswith("f"):
                assert st.st_size == int(name[1:]) + turn and st.st_blocks == 8 * (st.st_size > 0), name
        for i in range(300):
            with open(mnt / f"f{i}", "ab") as f:
                f.write(b"+")
