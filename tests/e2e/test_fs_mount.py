"""conclave-volumed with a real FUSE mount, started with descriptors as the watcher starts it."""

import concurrent.futures
import ctypes
import errno
import fcntl
import hashlib
import mmap
import os
import random
import select
import signal
import stat
import subprocess

import pytest

import fs_support as fs
from fs_fixtures import built, container, damage, error_of, mnt, needs_mount, start

SIZE = 128 << 20
RENAME_NOREPLACE, RENAME_EXCHANGE = 1, 2

pytestmark = needs_mount


def renameat2(old, new, flags):
    at = -100
    if fs.libc.renameat2(at, os.fsencode(old), at, os.fsencode(new), flags):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def test_reads_back_what_was_written(mnt):
    data = os.urandom(3_000_001)
    (mnt / "file").write_bytes(data)
    assert (mnt / "file").read_bytes() == data
    assert (mnt / "file").stat().st_size == len(data)


def test_random_writes_match_a_plain_file(mnt, tmp_path):
    rng = random.Random(5)
    with open(mnt / "file", "w+b", buffering=0) as ours, \
            open(tmp_path / "plain", "w+b", buffering=0) as plain:
        for _ in range(400):
            where, what = rng.randrange(600_000), rng.randbytes(rng.randrange(1, 20_000))
            for f in (ours, plain):
                if where % 7 == 0:
                    f.truncate(where)
                else:
                    f.seek(where)
                    f.write(what)
        assert ours.seek(0, 2) == plain.seek(0, 2)
        os.posix_fadvise(ours.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        ours.seek(0), plain.seek(0)
        assert ours.read() == plain.read()


def test_directories(mnt):
    os.makedirs(mnt / "a/b/c")
    assert (mnt / "a").stat().st_nlink == 3
    assert error_of(os.mkdir, mnt / "a") == errno.EEXIST
    assert error_of(os.rmdir, mnt / "a") == errno.ENOTEMPTY
    assert error_of(os.unlink, mnt / "a") == errno.EISDIR
    assert error_of(os.listdir, mnt / "none") == errno.ENOENT
    os.rmdir(mnt / "a/b/c")
    os.rmdir(mnt / "a/b")
    assert (mnt / "a").stat().st_nlink == 2
    os.rmdir(mnt / "a")
    assert os.listdir(mnt) == []


def test_many_names_in_one_directory(mnt):
    names = {f"name-{i}" for i in range(3000)}
    for name in names:
        (mnt / name).touch()
    assert set(os.listdir(mnt)) == names
    for name in list(names)[::2]:
        os.unlink(mnt / name)
        names.discard(name)
    assert set(os.listdir(mnt)) == names


def test_names_of_255_bytes_and_no_longer(mnt):
    (mnt / ("n" * 255)).write_bytes(b"x")
    assert os.listdir(mnt) == ["n" * 255]
    assert error_of(os.mkdir, mnt / ("n" * 256)) == errno.ENAMETOOLONG


def test_rename_replaces_swaps_and_refuses(mnt):
    (mnt / "a").write_text("a")
    (mnt / "b").write_text("b")
    assert error_of(renameat2, mnt / "a", mnt / "b", RENAME_NOREPLACE) == errno.EEXIST
    renameat2(mnt / "a", mnt / "b", RENAME_EXCHANGE)
    assert (mnt / "a").read_text() == "b" and (mnt / "b").read_text() == "a"
    os.rename(mnt / "a", mnt / "b")
    assert (mnt / "b").read_text() == "b" and os.listdir(mnt) == ["b"]
    os.makedirs(mnt / "d/e")
    assert error_of(os.rename, mnt / "d", mnt / "d/e/f") == errno.EINVAL
    os.rename(mnt / "d/e", mnt / "e")
    assert os.stat(mnt / "e/..").st_ino == mnt.stat().st_ino
    assert (mnt / "d").stat().st_nlink == 2


def test_hard_links(mnt):
    (mnt / "a").write_text("one")
    os.link(mnt / "a", mnt / "b")
    assert (mnt / "a").stat().st_ino == (mnt / "b").stat().st_ino
    assert (mnt / "b").stat().st_nlink == 2
    os.unlink(mnt / "a")
    assert (mnt / "b").read_text() == "one" and (mnt / "b").stat().st_nlink == 1
    os.mkdir(mnt / "d")
    assert error_of(os.link, mnt / "d", mnt / "e") == errno.EPERM


def test_symlinks(mnt):
    os.symlink("target/with\xe9", mnt / "link")
    assert os.readlink(mnt / "link") == "target/with\xe9"
    assert os.lstat(mnt / "link").st_size == len("target/with\xe9".encode())
    os.symlink("x" * 4095, mnt / "long")
    assert os.readlink(mnt / "long") == "x" * 4095


def test_sparse_files_and_truncate(mnt):
    with open(mnt / "s", "w+b") as f:
        f.seek(50_000_000)
        f.write(b"end")
        f.flush()
        assert os.fstat(f.fileno()).st_blocks <= 16
    with open(mnt / "s", "rb") as f:
        assert os.lseek(f.fileno(), 0, os.SEEK_DATA) == 50_000_000 // 4096 * 4096
        assert os.lseek(f.fileno(), 0, os.SEEK_HOLE) == 0
    with open(mnt / "s", "r+b") as f:
        f.truncate(50_000_001)
        f.truncate(50_000_010)
        f.seek(50_000_000)
        assert f.read() == b"e" + bytes(9)
    os.truncate(mnt / "s", 0)
    assert (mnt / "s").stat().st_blocks == 0


def test_unlinked_file_lives_until_it_is_closed(mnt):
    with open(mnt / "f", "w+b") as f:
        f.write(b"still here")
        f.flush()
        os.unlink(mnt / "f")
        assert os.listdir(mnt) == []
        f.seek(0)
        assert f.read() == b"still here"
        f.truncate(5)
        f.seek(100_000)
        f.write(b"more")
        f.flush()
        f.seek(0)
        assert f.read(10) == b"still" + bytes(5)


def test_modes_owners_and_times(mnt):
    (mnt / "f").write_text("x")
    os.chmod(mnt / "f", 0o640)
    os.chown(mnt / "f", 1234, 5678)
    os.utime(mnt / "f", ns=(111_222_333_444, 555_666_777_888))
    st = (mnt / "f").stat()
    assert stat.S_IMODE(st.st_mode) == 0o640 and (st.st_uid, st.st_gid) == (1234, 5678)
    assert (st.st_atime_ns, st.st_mtime_ns) == (111_222_333_444, 555_666_777_888)
    before = st.st_mtime_ns
    (mnt / "f").write_text("y")
    assert (mnt / "f").stat().st_mtime_ns > before


def test_writing_clears_setuid(mnt):
    (mnt / "f").write_text("x")
    os.chmod(mnt / "f", 0o4755)
    os.chown(mnt / "f", 1234, 1234)
    os.chmod(mnt / "f", 0o4755)
    subprocess.run(["/usr/bin/python3", "-c",
                    "import os; f = open('f', 'a'); os.setuid(1234); f.write('y')"],
                   check=True, cwd=mnt)
    assert stat.S_IMODE((mnt / "f").stat().st_mode) == 0o755


def test_setgid_directories_hand_their_group_on(mnt):
    os.mkdir(mnt / "d")
    os.chown(mnt / "d", 0, 777)
    os.chmod(mnt / "d", 0o2775)
    (mnt / "d/f").touch()
    os.mkdir(mnt / "d/e")
    assert (mnt / "d/f").stat().st_gid == 777
    assert (mnt / "d/e").stat().st_mode & stat.S_ISGID


def test_permissions_are_checked(mnt):
    (mnt / "secret").write_text("x")
    os.chmod(mnt / "secret", 0o600)
    (mnt / "open").write_text("x")
    read = "import os,sys; os.setuid(1234); open(sys.argv[1])"
    for name, allowed in ("secret", False), ("open", True):
        done = subprocess.run(["/usr/bin/python3", "-c", read, name], capture_output=True, cwd=mnt)
        assert (b"PermissionError" not in done.stderr) == allowed
        assert (done.returncode == 0) == allowed


def test_fifos_and_device_nodes(mnt):
    os.mkfifo(mnt / "fifo")
    os.mknod(mnt / "null", stat.S_IFCHR | 0o666, os.makedev(1, 3))
    assert stat.S_ISFIFO((mnt / "fifo").stat().st_mode)
    assert (mnt / "null").stat().st_rdev == os.makedev(1, 3)


def test_append_and_exclusive_open(mnt):
    for i in range(200):
        with open(mnt / "log", "ab") as f:
            f.write(b"%06d\n" % i)
    assert (mnt / "log").read_bytes() == b"".join(b"%06d\n" % i for i in range(200))
    assert error_of(os.open, mnt / "log", os.O_CREAT | os.O_EXCL) == errno.EEXIST
    os.close(os.open(mnt / "log", os.O_WRONLY | os.O_TRUNC))
    assert (mnt / "log").read_bytes() == b""


def test_mmap_is_shared_and_kept(mnt):
    with open(mnt / "m", "w+b") as f:
        f.truncate(20_000)
        with mmap.mmap(f.fileno(), 20_000) as m:
            m[5000:5005] = b"hello"
            m.flush()
    assert (mnt / "m").read_bytes()[5000:5005] == b"hello"


def test_locks(mnt):
    with open(mnt / "l", "w") as a, open(mnt / "l") as b:
        fcntl.flock(a, fcntl.LOCK_EX)
        assert error_of(fcntl.flock, b, fcntl.LOCK_EX | fcntl.LOCK_NB) == errno.EWOULDBLOCK


def test_statfs_and_no_space(mnt):
    before = os.statvfs(mnt)
    assert before.f_blocks * before.f_frsize == SIZE
    fs.fill(mnt / "big", 1 << 20)
    assert os.statvfs(mnt).f_bavail < 1024
    os.unlink(mnt / "big")
    (mnt / "after").write_bytes(os.urandom(5 << 20))
    poller = select.poll()
    for _ in range(300):  # freed in the background, and free once two checkpoints are durable
        if os.statvfs(mnt).f_bfree > before.f_bfree - 2500:
            return
        poller.poll(100)
    assert os.statvfs(mnt).f_bfree > before.f_bfree - 2500


def test_many_programs_at_once(mnt):
    def work(who):
        rng = random.Random(who)
        os.mkdir(mnt / str(who))
        for i in range(60):
            path = mnt / str(who) / f"f{i % 20}"
            data = rng.randbytes(rng.randrange(60_000))
            path.write_bytes(data)
            assert path.read_bytes() == data
            if i % 7 == 0:
                with open(path, "rb") as f:
                    os.fsync(f.fileno())
            if i % 5 == 0:
                os.rename(path, mnt / str(who) / "moved")
            os.listdir(mnt)
        return who

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert list(pool.map(work, range(8))) == list(range(8))


def test_a_tree_survives_remounts(start, container, tmp_path):
    digests = {}
    for round_ in range(3):
        volume = start()
        for name, digest in digests.items():
            assert hashlib.sha256((volume.point / name).read_bytes()).digest() == digest
        for i in range(50):
            data = os.urandom(i * 997)
            name = f"{round_}-{i}"
            (volume.point / name).write_bytes(data)
            digests[name] = hashlib.sha256(data).digest()
        generation = volume.close()[2]
        assert generation > volume.first[2]
    assert b"problems=0 files=150" in fs.tool("check", container).stdout


def test_kill_keeps_everything_fsynced(start, container):
    volume = start()
    for i in range(40):
        path = volume.point / f"f{i}"
        with open(path, "wb") as f:
            f.write(b"%d" % i * 5000)
            f.flush()
            os.fsync(f.fileno())
        (volume.point / "churn").write_bytes(os.urandom(100_000))
    volume.kill()
    again = start()
    for i in range(40):
        assert (again.point / f"f{i}").read_bytes() == b"%d" % i * 5000
    again.close()
    assert b"problems=0" in fs.tool("check", container).stdout


def test_unlinked_files_are_freed_after_a_kill(start, container):
    volume = start()
    f = open(volume.point / "f", "wb")
    f.write(bytes(5 << 20))
    f.flush()
    os.unlink(volume.point / "f")
    d = os.open(volume.point, os.O_RDONLY)
    os.fsync(d)
    os.close(d)
    volume.kill()
    try:
        f.close()
    except OSError:
        pass
    assert b"orphans=1" in fs.tool("check", container).stdout
    again = start()
    again.close()
    assert b"problems=0 files=0 orphans=0" in fs.tool("check", container).stdout


def test_sigterm_ends_with_everything_on_disk(start, container):
    volume = start()
    (volume.point / "f").write_bytes(b"x" * 100_000)
    volume.process.send_signal(signal.SIGTERM)
    assert volume.receive()[0] == fs.CLOSED
    assert volume.process.wait(fs.WAIT_S) == 0
    assert not os.path.ismount(volume.point)
    volume.done()
    assert fs.tool("cat", container, "/f").stdout == b"x" * 100_000


def test_sigterm_detaches_a_mount_in_use(start, container):
    volume = start()
    f = open(volume.point / "f", "wb", buffering=0)
    f.write(b"kept")
    volume.process.send_signal(signal.SIGTERM)
    assert volume.receive()[0] == fs.CLOSED
    assert volume.process.wait(fs.WAIT_S) == 0
    assert not os.path.ismount(volume.point)
    with pytest.raises(OSError):
        f.write(b"lost")
        os.fsync(f.fileno())
    try:
        f.close()
    except OSError:
        pass
    volume.done()
    assert fs.tool("cat", container, "/f").stdout == b"kept"


def test_unmount_of_a_mount_in_use_is_refused(start):
    volume = start()
    with open(volume.point / "f", "wb"):
        volume.ask(fs.UNMOUNT)
        kind, error, *_ = volume.receive()
        assert kind == fs.STATUS and error != 0
        (volume.point / "g").write_text("still serving")
    volume.close()


def test_ends_when_somebody_else_unmounts(start):
    volume = start()
    (volume.point / "f").write_text("x")
    assert fs.unmount(volume.point) == 0
    assert volume.receive()[0] == fs.CLOSED
    assert volume.process.wait(fs.WAIT_S) == 0
    volume.done()


def test_serves_on_when_the_watcher_is_gone(start):
    volume = start()
    volume.control.close()
    (volume.point / "f").write_text("x")
    assert (volume.point / "f").read_text() == "x"
    assert fs.unmount(volume.point) == 0
    assert volume.process.wait(fs.WAIT_S) == 0


def test_sync_and_query_answer(start):
    volume = start()
    (volume.point / "f").write_text("x")
    volume.ask(fs.SYNC)
    kind, error, generation, _, _ = volume.receive()
    assert (kind, error) == (fs.STATUS, 0) and generation >= volume.first[2]
    status = volume.status()
    assert status["size"] == SIZE and status["objects"] == 2 and not status["frozen"]
    volume.close()


def test_read_only_mount_changes_nothing(start, container):
    volume = start()
    (volume.point / "f").write_text("x")
    volume.close()
    before = hashlib.sha256(container.read_bytes()).digest()
    volume = start("--read-only")
    assert (volume.point / "f").read_text() == "x"
    assert error_of(os.mkdir, volume.point / "d") == errno.EROFS
    volume.close()
    assert hashlib.sha256(container.read_bytes()).digest() == before


def assert_failed(volume, code):
    kind, error, _, _, text = volume.first
    assert kind == fs.FAILED and error and text and "\n" not in text
    assert volume.process.wait(fs.WAIT_S) == code
    fs.unmount(volume.point, lazy=True)
    volume.done()
    assert text in volume.errors
    assert fs.KEY.hex() not in volume.errors


def test_refuses_a_wrong_key(start, container):
    before = hashlib.sha256(container.read_bytes()).digest()
    assert_failed(start(key=bytes(32), first=fs.FAILED), 24)
    assert hashlib.sha256(container.read_bytes()).digest() == before


def test_refuses_a_key_of_a_wrong_length(start):
    assert_failed(start(key=fs.KEY + b"x", first=fs.FAILED), 1)
    assert_failed(start(key=fs.KEY[:31], first=fs.FAILED), 1)


def test_refuses_what_is_no_volume(start, tmp_path):
    other = tmp_path / "other"
    other.write_bytes(bytes(40 << 20))
    assert_failed(start(of=other, first=fs.FAILED), 24)


def test_refuses_a_newer_format(start, container):
    with open(container, "r+b") as f:
        for slot in range(4):
            f.seek(slot * (4 << 20) + 8)
            f.write(b"\2")
    assert_failed(start(first=fs.FAILED), 23)


def test_refuses_an_older_generation(start):
    assert_failed(start("--min-generation", "1000", first=fs.FAILED), 21)


def test_refuses_a_cut_container(start, container):
    os.truncate(container, SIZE // 2)
    assert_failed(start(first=fs.FAILED), 20)


def test_second_opener_is_refused_while_mounted(start, container):
    volume = start()
    done = fs.tool("check", container, check=False)
    assert done.returncode == 22 and b"in use" in done.stderr
    with pytest.raises(BlockingIOError):
        with open(container, "r+b") as f:
            fcntl.flock(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
    volume.close()
    fs.tool("check", container)


def test_damage_is_an_io_error_with_a_line(start, container):
    volume = start()
    (volume.point / "f").write_bytes(os.urandom(400_000))
    volume.close()
    damage(container)
    volume = start()
    assert error_of((volume.point / "f").read_bytes) == errno.EIO
    volume.close()
    assert "read: inode 2: " in volume.errors


def test_unknown_options_are_usage_errors():
    for args in (["--nonsense"], ["-o", "nonsense"], []):
        done = subprocess.run([fs.BUILD / "bin/conclave-volumed", *args], capture_output=True)
        assert done.returncode == 2 and done.stderr.count(b"\n") == 1
    done = subprocess.run([fs.BUILD / "bin/conclave-volumed", "--help"], capture_output=True)
    assert done.returncode == 0 and b"--key-fd" in done.stdout
