"""What programs ask of a filesystem beyond files and directories, on a real FUSE mount."""

import ctypes
import errno
import fcntl
import mmap
import os
import pathlib
import socket
import stat
import struct
import subprocess
import sys
import time

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import fs_support as fs
import volume_reader
from fs_fixtures import built, container, error_of, needs_mount, start

SIZE = 64 << 20
KEEP, PUNCH, ZERO, COLLAPSE = 1, 2, 16, 8
CAPABILITY = bytes.fromhex("0100000200200000000000000000000000000000")
ACCESS, DEFAULT = "system.posix_acl_access", "system.posix_acl_default"
USER_OBJ, USER, GROUP_OBJ, MASK, OTHER = 1, 2, 4, 16, 32

pytestmark = needs_mount


@pytest.fixture(params=["on", "off"])
def mnt(start, container, request):
    """A directory that everybody may write, with the kernel's writeback cache and without."""
    os.chmod(container.parent, 0o755)
    volume = start("-o", f"writeback={request.param}")
    os.chmod(volume.point, 0o777)
    yield volume.point
    volume.close()
    assert volume.errors == ""
    assert b"problems=0" in fs.tool("check", container).stdout


def fallocate(fd, mode, offset, length):
    call = fs.libc.fallocate64
    call.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]
    if call(fd, mode, offset, length):
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))


def as_user(code, where, uid=1234):
    """Runs Python code as another user inside a directory; its exit code."""
    text = f"import os, stat\nos.setgroups([])\nos.setgid({uid})\nos.setuid({uid})\n{code}"
    return subprocess.run(["/usr/bin/python3", "-c", text], cwd=where,
                          capture_output=True, timeout=fs.WAIT_S)


def acl(*entries):
    return struct.pack("<I", 2) + b"".join(
        struct.pack("<HHI", tag, perm, who) for tag, perm, who in entries)


def named(user, perm, mask=7, owner=7, group=5, other=0):
    none = 0xffffffff
    return acl((USER_OBJ, owner, none), (USER, perm, user), (GROUP_OBJ, group, none),
               (MASK, mask, none), (OTHER, other, none))


def test_extended_attributes(mnt):
    (mnt / "f").touch()
    for name in "user.a", "trusted.b", "security.c":
        os.setxattr(mnt / "f", name, b"one" + name.encode())
        os.setxattr(mnt / "f", name, name.encode(), os.XATTR_REPLACE)
        assert os.getxattr(mnt / "f", name) == name.encode()
        assert error_of(os.setxattr, mnt / "f", name, b"", os.XATTR_CREATE) == errno.EEXIST
    assert sorted(os.listxattr(mnt / "f")) == ["security.c", "trusted.b", "user.a"]
    assert error_of(os.getxattr, mnt / "f", "user.x") == errno.ENODATA
    assert error_of(os.removexattr, mnt / "f", "user.x") == errno.ENODATA
    assert error_of(os.setxattr, mnt / "f", "user.x", b"", os.XATTR_REPLACE) == errno.ENODATA
    assert error_of(os.setxattr, mnt / "f", "other.x", b"") == errno.EOPNOTSUPP
    os.removexattr(mnt / "f", "user.a")
    assert sorted(os.listxattr(mnt / "f")) == ["security.c", "trusted.b"]
    os.setxattr(mnt / "f", "user.empty", b"")
    assert os.getxattr(mnt / "f", "user.empty") == b""


def test_extended_attributes_have_limits(mnt):
    (mnt / "f").touch()
    os.setxattr(mnt / "f", "user.v", b"x" * 4086)
    assert os.getxattr(mnt / "f", "user.v") == b"x" * 4086
    assert error_of(os.setxattr, mnt / "f", "user.v", b"x" * 4087) == errno.E2BIG
    assert error_of(os.setxattr, mnt / "f", "user.v", b"x" * 65536) == errno.E2BIG
    os.setxattr(mnt / "f", "user." + "n" * 250, b"long name")
    assert error_of(os.setxattr, mnt / "f", "user." + "n" * 251, b"") == errno.ERANGE
    buf = ctypes.create_string_buffer(10)
    path = os.fsencode(mnt / "f")
    assert fs.libc.getxattr(path, b"user.v", buf, 10) == -1
    assert ctypes.get_errno() == errno.ERANGE
    assert fs.libc.getxattr(path, b"user.v", None, 0) == 4086
    assert fs.libc.listxattr(path, buf, 3) == -1 and ctypes.get_errno() == errno.ERANGE
    with pytest.raises(OSError) as caught:
        for i in range(3000):
            os.setxattr(mnt / "f", f"user.{i}", b"x" * 30)
    assert caught.value.errno == errno.ENOSPC
    assert len(os.listxattr(mnt / "f")) > 500
    os.removexattr(mnt / "f", "user.v")
    os.setxattr(mnt / "f", "user.again", b"x")


def test_attributes_of_the_administrator_are_hidden_from_others(mnt):
    (mnt / "f").touch()
    os.chmod(mnt / "f", 0o666)
    os.setxattr(mnt / "f", "trusted.t", b"x")
    os.setxattr(mnt / "f", "user.u", b"x")
    done = as_user("assert os.listxattr('f') == ['user.u']\nos.setxattr('f', 'user.w', b'y')", mnt)
    assert done.returncode == 0, done.stderr
    assert as_user("os.setxattr('f', 'trusted.w', b'y')", mnt).returncode != 0


def test_attributes_and_lists_outlive_the_mount(start, container):
    volume = start()
    (volume.point / "f").touch()
    os.mkdir(volume.point / "d")
    values = {f"user.{i}": os.urandom(i * 13) for i in range(60)}
    for name, value in values.items():
        os.setxattr(volume.point / "f", name, value)
    os.setxattr(volume.point / "d", DEFAULT, named(1234, 6))
    volume.close()
    assert b"problems=0" in fs.tool("check", container).stdout
    seen = volume_reader.Volume(container, fs.KEY).describe()
    assert seen["/f"]["xattrs"] == {k: v.hex() for k, v in values.items()}
    assert seen["/d"]["xattrs"] == {DEFAULT: named(1234, 6).hex()}
    again = start()
    assert {n: os.getxattr(again.point / "f", n) for n in os.listxattr(again.point / "f")} == values
    os.unlink(again.point / "f")
    os.rmdir(again.point / "d")
    again.close()
    assert b"problems=0" in fs.tool("check", container).stdout
    last = volume_reader.Volume(container, fs.KEY)
    assert last.describe() == {}
    assert not [key for key in last.items if key[1] == volume_reader.XATTR]


def test_an_access_list_admits_and_keeps_out(mnt):
    (mnt / "f").write_text("x")
    os.chmod(mnt / "f", 0o600)
    assert as_user("open('f')", mnt).returncode != 0
    os.setxattr(mnt / "f", ACCESS, named(1234, 4))
    assert as_user("open('f')", mnt).returncode == 0
    assert as_user("open('f', 'a')", mnt).returncode != 0
    assert as_user("open('f')", mnt, uid=1235).returncode != 0
    assert stat.S_IMODE((mnt / "f").stat().st_mode) == 0o770
    os.chmod(mnt / "f", 0o700)
    assert os.getxattr(mnt / "f", ACCESS) == named(1234, 4, mask=0)
    assert as_user("open('f')", mnt).returncode != 0
    os.removexattr(mnt / "f", ACCESS)
    assert error_of(os.getxattr, mnt / "f", ACCESS) == errno.ENODATA


def test_a_default_list_is_inherited_and_replaces_the_umask(mnt):
    os.mkdir(mnt / "d")
    os.setxattr(mnt / "d", DEFAULT, named(1234, 6, mask=6, other=4))
    old = os.umask(0o077)
    try:
        os.close(os.open(mnt / "d/f", os.O_CREAT | os.O_WRONLY, 0o666))
        os.mkdir(mnt / "d/e", 0o777)
        os.close(os.open(mnt / "plain", os.O_CREAT | os.O_WRONLY, 0o666))
        os.mkfifo(mnt / "d/fifo", 0o640)
    finally:
        os.umask(old)
    assert stat.S_IMODE((mnt / "d/f").stat().st_mode) == 0o664
    assert stat.S_IMODE((mnt / "plain").stat().st_mode) == 0o600
    assert stat.S_IMODE((mnt / "d/fifo").stat().st_mode) == 0o640
    assert os.getxattr(mnt / "d/f", ACCESS) == named(1234, 6, mask=6, owner=6, other=4)
    assert os.getxattr(mnt / "d/e", DEFAULT) == named(1234, 6, mask=6, other=4)
    os.chmod(mnt / "d", 0o700)
    assert as_user("open('d/f', 'a')", mnt).returncode != 0  # no way into the directory
    os.setxattr(mnt / "d", ACCESS, named(1234, 7))
    assert as_user("open('d/f', 'a')", mnt).returncode == 0


def test_fallocate(mnt):
    with open(mnt / "f", "w+b", buffering=0) as f:
        fallocate(f.fileno(), 0, 0, 1_000_000)
        assert os.fstat(f.fileno()).st_size == 1_000_000
        assert os.fstat(f.fileno()).st_blocks >= 1_000_000 // 512
        f.write(b"a" * 100_000)
        fallocate(f.fileno(), KEEP, 2_000_000, 1000)
        assert os.fstat(f.fileno()).st_size == 1_000_000
        fallocate(f.fileno(), PUNCH | KEEP, 5_000, 50_000)
        assert os.pread(f.fileno(), 100_000, 0) == b"a" * 5_000 + bytes(50_000) + b"a" * 45_000
        with open(mnt / "f", "rb") as other:
            # exact, or everything is data (what the kernel has cached is not known)
            assert os.lseek(other.fileno(), 5_000, os.SEEK_HOLE) in (8192, 1_000_000)
            assert os.lseek(other.fileno(), 8192, os.SEEK_DATA) in (53248, 8192)
        fallocate(f.fileno(), ZERO, 90_000, 1_000_000)
        assert os.fstat(f.fileno()).st_size == 1_090_000
        assert os.pread(f.fileno(), 20_000, 89_990) == b"a" * 10 + bytes(19_990)
        assert error_of(fallocate, f.fileno(), COLLAPSE, 0, 4096) == errno.EOPNOTSUPP
        assert error_of(fallocate, f.fileno(), 0, 0, SIZE) == errno.ENOSPC
        assert os.fstat(f.fileno()).st_size == 1_090_000


def test_holes_are_never_reported_over_written_bytes(mnt):
    with open(mnt / "f", "w+b", buffering=0) as f:
        for at in 0, 40_960, 1_000_001, 3_000_000:
            os.pwrite(f.fileno(), b"x", at)
            assert os.lseek(f.fileno(), at, os.SEEK_DATA) == at
        with mmap.mmap(f.fileno(), 3_000_001) as m:
            m[500_000] = 7
            m.flush()
            assert os.lseek(f.fileno(), 500_000, os.SEEK_DATA) == 500_000
        assert error_of(os.lseek, f.fileno(), 3_000_001, os.SEEK_DATA) == errno.ENXIO


def test_copy_file_range(mnt):
    data = os.urandom(3_500_000)
    (mnt / "a").write_bytes(data)
    with open(mnt / "a", "rb") as a, open(mnt / "b", "w+b") as b:
        left, at = len(data) - 123, 123
        while left:
            n = os.copy_file_range(a.fileno(), b.fileno(), left, at, at - 123)
            assert n > 0
            left, at = left - n, at + n
        assert os.copy_file_range(a.fileno(), b.fileno(), 10, len(data), 0) == 0
    assert (mnt / "b").read_bytes() == data[123:]


def cleared(mnt, change):
    """Mode and capability of a setuid program after another user has changed it."""
    path = mnt / "f"
    path.write_bytes(b"x" * 5000)
    os.chown(path, 0, 0)
    os.chmod(path, 0o6777)
    os.setxattr(path, "security.capability", CAPABILITY)
    done = as_user(change, mnt)
    assert done.returncode == 0, done.stderr
    left = "security.capability" in os.listxattr(path)
    return stat.S_IMODE(path.stat().st_mode), left


@pytest.mark.parametrize("change", [
    "open('f', 'r+b').write(b'y')",
    "os.truncate('f', 100)",
    "os.close(os.open('f', os.O_WRONLY | os.O_TRUNC))",
    "os.posix_fallocate(os.open('f', os.O_RDWR), 0, 9000)",
    "f = os.open('f', os.O_RDWR); os.copy_file_range(f, f, 10, 0, 100)",
])
def test_a_change_by_another_clears_setuid_setgid_and_capabilities(mnt, change):
    assert cleared(mnt, change) == (0o777, False)


def test_chown_clears_setuid_setgid_and_capabilities(mnt):
    (mnt / "f").touch()
    os.chmod(mnt / "f", 0o6755)
    os.setxattr(mnt / "f", "security.capability", CAPABILITY)
    os.chown(mnt / "f", 1234, 1234)
    assert stat.S_IMODE((mnt / "f").stat().st_mode) == 0o755
    assert os.listxattr(mnt / "f") == []


def test_a_write_by_the_administrator_keeps_setuid_but_no_capabilities(mnt):
    (mnt / "f").write_bytes(b"x")
    os.chmod(mnt / "f", 0o4755)
    with open(mnt / "f", "ab", buffering=0) as f:
        f.write(b"y")
    os.truncate(mnt / "f", 1)
    assert stat.S_IMODE((mnt / "f").stat().st_mode) == 0o4755
    os.chmod(mnt / "f", 0o755)
    os.setxattr(mnt / "f", "security.capability", CAPABILITY)
    (mnt / "f").write_bytes(b"z")
    assert os.listxattr(mnt / "f") == []


def test_a_cleared_program_no_longer_runs_as_its_owner(mnt):
    remount, bind = 32, 4096
    assert fs.libc.mount(None, os.fsencode(mnt), None, remount | bind, None) == 0  # not nosuid
    program = mnt / "id"
    program.write_bytes(pathlib.Path("/usr/bin/id").read_bytes())
    os.chmod(program, 0o4777)
    assert as_user("os.execl('./id', 'id', '-u')", mnt).stdout == b"0\n"
    # the mode is not asked for in between: what the kernel holds must have changed, too
    done = as_user("open('id', 'ab', buffering=0).write(b'x')\nos.execl('./id', 'id', '-u')", mnt)
    assert done.stdout == b"1234\n"


def test_sticky_directories_protect_names(mnt):
    os.mkdir(mnt / "t")
    os.chmod(mnt / "t", 0o1777)
    (mnt / "t/f").touch()
    os.chmod(mnt / "t/f", 0o666)
    assert as_user("os.unlink('t/f')", mnt).returncode != 0
    assert as_user("os.rename('t/f', 't/g')", mnt).returncode != 0
    done = as_user("open('t/mine', 'w'); os.rename('t/mine', 't/m'); os.unlink('t/m')", mnt)
    assert done.returncode == 0, done.stderr


def test_setgid_directories(mnt):
    os.mkdir(mnt / "d")
    os.chown(mnt / "d", 0, 777)
    os.chmod(mnt / "d", 0o2777)
    done = as_user("os.umask(0); os.mkdir('d/e'); os.open('d/f', os.O_CREAT, 0o2775)", mnt)
    assert done.returncode == 0, done.stderr
    assert (mnt / "d/f").stat().st_gid == 777
    assert (mnt / "d/e").stat().st_mode & stat.S_ISGID
    # not a member of the group: the bit is not theirs to give
    assert not (mnt / "d/f").stat().st_mode & stat.S_ISGID


def test_fifos_sockets_and_nodes_work(mnt):
    os.mkfifo(mnt / "fifo")
    r = os.open(mnt / "fifo", os.O_RDONLY | os.O_NONBLOCK)
    w = os.open(mnt / "fifo", os.O_WRONLY)
    os.write(w, b"through")
    assert os.read(r, 10) == b"through"
    os.close(r), os.close(w)
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(mnt / "socket"))
        assert stat.S_ISSOCK((mnt / "socket").stat().st_mode)
    os.mknod(mnt / "null", stat.S_IFBLK | 0o600, os.makedev(259, 70000))
    assert (mnt / "null").stat().st_rdev == os.makedev(259, 70000)


def test_appends_of_two_descriptors_do_not_overwrite_each_other(mnt):
    a = os.open(mnt / "log", os.O_CREAT | os.O_WRONLY | os.O_APPEND)
    b = os.open(mnt / "log", os.O_WRONLY | os.O_APPEND)
    for _ in range(100):
        os.write(a, b"a" * 11)
        os.write(b, b"b" * 13)
    os.close(a), os.close(b)
    assert (mnt / "log").read_bytes() == (b"a" * 11 + b"b" * 13) * 100


def test_readdir_while_names_come_and_go(mnt):
    stay = {f"stay{i}" for i in range(1500)}
    for name in stay:
        (mnt / name).touch()
    for i in range(300):
        (mnt / f"go{i}").touch()
    seen = []
    with os.scandir(mnt) as entries:
        for n, entry in enumerate(entries):
            seen.append(entry.name)
            if n < 300:
                os.unlink(mnt / f"go{n}")
                (mnt / f"new{n}").touch()
    assert len(seen) == len(set(seen))
    assert stay <= set(seen)


def test_times_to_the_nanosecond(mnt):
    (mnt / "f").touch()
    for ns in (1, 999_999_999, -1, 2**33 * 10**9 + 123_456_789):
        os.utime(mnt / "f", ns=(ns, ns + 1))
        assert ((mnt / "f").stat().st_atime_ns, (mnt / "f").stat().st_mtime_ns) == (ns, ns + 1)


def test_record_locks_hold_between_processes(mnt):
    with open(mnt / "l", "w+") as f:
        fcntl.lockf(f, fcntl.LOCK_EX, 10, 5)
        code = ("import fcntl\nf = open('l', 'r+')\nfcntl.lockf(f, fcntl.LOCK_EX | "
                "fcntl.LOCK_NB, 5, 0)\nfcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 5)")
        done = subprocess.run(["/usr/bin/python3", "-c", code], cwd=mnt, capture_output=True)
        assert b"BlockingIOError" in done.stderr and b"line 4" in done.stderr


def test_programs_run_and_direct_io_is_accepted(mnt):
    program = mnt / "true"
    program.write_bytes(pathlib.Path("/bin/true").read_bytes())
    os.chmod(program, 0o755)
    assert subprocess.run([program], check=False).returncode == 0
    fd = os.open(mnt / "direct", os.O_CREAT | os.O_RDWR | os.O_DIRECT)
    with mmap.mmap(-1, 8192) as page:
        page.write(b"d" * 8192)
        assert os.pwrite(fd, page, 0) == 8192
        page.seek(0)
        page.write(bytes(8192))
        assert os.preadv(fd, [page], 0) == 8192
        assert page[:] == b"d" * 8192
    os.close(fd)


def test_two_maps_share_what_they_write(mnt):
    with open(mnt / "m", "w+b") as f:
        f.truncate(8192)
        with mmap.mmap(f.fileno(), 8192) as a, mmap.mmap(f.fileno(), 8192) as b:
            a[100:105] = b"hello"
            assert b[100:105] == b"hello"
            a.flush()
        assert os.pread(f.fileno(), 5, 100) == b"hello"


def test_a_full_volume_says_so_and_recovers_by_deleting(mnt):
    free = os.statvfs(mnt).f_bavail
    for _ in range(3):
        fs.fill(mnt / "big", 256 << 10)
        assert os.statvfs(mnt).f_bavail < 1024
        with open(mnt / "more", "wb", buffering=0) as f:
            assert error_of(fallocate, f.fileno(), 0, 0, 16 << 20) == errno.ENOSPC
        os.rename(mnt / "more", mnt / "other")
        os.unlink(mnt / "other")
        os.truncate(mnt / "big", 10)
        os.unlink(mnt / "big")
        assert os.listdir(mnt) == []
        (mnt / "after").write_bytes(os.urandom(8 << 20))
        os.unlink(mnt / "after")
    # the kernel lets go of the last file in its own time
    deadline = time.monotonic() + fs.WAIT_S
    while os.statvfs(mnt).f_bavail < free * 9 // 10:
        assert time.monotonic() < deadline
        os.listdir(mnt)
