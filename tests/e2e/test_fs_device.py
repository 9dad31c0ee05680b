"""Mounting as mount(8), fstab, systemd and an operator do it; and every container that is refused."""
import contextlib
import errno
import hashlib
import json
import os
import pathlib
import select
import shutil
import subprocess
import tempfile

import pytest
from conftest import (IN_USE, NOT_VOLUME, OK, PATIENCE_S, PATIENT, ROOT, USAGE, clean_env, is_mounted,
                      program, run)
from fs_fixtures import needs_mount

CONFIG, VERSION, NO_SPACE = 3, 23, 25
SLOTS = [slot * (4 << 20) for slot in range(4)]
pytestmark = needs_mount


@pytest.fixture(scope="module")
def home(module_fleet):
    module_fleet.gateways(2, ini=PATIENT)
    return module_fleet, module_fleet.device("dev-1", 2)


def digest(path):
    return hashlib.sha256(pathlib.Path(path).read_bytes()).hexdigest()


def places(dev):
    return f"state={dev.state},run={dev.run_dir},config={dev.config},timeout=30s"


def helper(name, *args, want=OK, **kw):
    """deploy/NAME as mount(8) runs it."""
    return run(["/bin/sh", ROOT / "deploy" / name, *args], want=want,
               env={"CONCLAVE_DEVICE": program("conclave-device")}, **kw)


def source_of(path):
    with open("/proc/self/mounts", encoding="utf-8") as f:
        return [line.split()[0] for line in f if line.split()[1] == str(path)]


def status(dev):
    return dev("status", "--offline", "--json").json["mount"]


def ends(dev):
    """Descriptors that become readable when watcher and volume process end."""
    mount = status(dev)
    return [os.pidfd_open(mount["watcher_pid"]), os.pidfd_open(mount["volume_pid"])]


@pytest.fixture(name="dev")
def with_mount_point(dev):
    dev.mount_point.mkdir(exist_ok=True)
    return dev


def await_ends(fds):
    for fd in fds:
        assert select.select([fd], [], [], PATIENCE_S)[0], "the process did not end"
        os.close(fd)


def test_mount_helper_and_umount_helper(dev):
    # as mount(8) calls it for a line of fstab
    done = helper("mount.fuse.conclave", dev.volume, dev.mount_point, "-o",
                  "rw,noexec,_netdev,nofail,x-systemd.automount,cache=16M," + places(dev))
    # a sanitized build says that it has no system call filter
    assert done.out == "" and [x for x in done.err.splitlines() if "AddressSanitizer" not in x] == []
    assert source_of(dev.mount_point) == [str(dev.volume)]
    (dev.mount_point / "f").write_text("kept")
    with open(dev.mount_point / "f", encoding="ascii"):
        assert "in use" in helper("umount.fuse.conclave", dev.mount_point, want=IN_USE).err
    fds = ends(dev)
    helper("umount.fuse.conclave", dev.mount_point)
    # it has waited: the container is free, and everything is in it
    dev.mount("--read-only")
    await_ends(fds)
    assert (dev.mount_point / "f").read_text() == "kept"
    dev.unmount()
    assert "no volume is mounted there" in helper(
        "umount.fuse.conclave", dev.mount_point, want=CONFIG).err


def test_a_bind_mount_goes_without_the_volume(dev):
    with dev.mounted() as mnt:
        bound = dev.fleet.dir / "bound"
        bound.mkdir(exist_ok=True)
        subprocess.run(["mount", "--bind", mnt, bound], check=True)
        helper("umount.fuse.conclave", bound)
        assert is_mounted(mnt) and not is_mounted(bound)
        (mnt / "goes-on").touch()


def test_a_mount_becomes_read_only_and_back(dev):
    with dev.mounted() as mnt:
        helper("mount.fuse.conclave", dev.volume, mnt, "-o", "remount,ro")
        with pytest.raises(OSError):
            (mnt / "x").touch()
        helper("mount.fuse.conclave", dev.volume, mnt, "-o", "remount,rw")
        (mnt / "x").touch()
        os.unlink(mnt / "x")


def test_umount_helper_is_lazy_when_asked(dev):
    with contextlib.suppress(OSError), dev.mounted() as mnt:
        fds = ends(dev)
        with open(mnt / "busy", "w", encoding="ascii") as f:
            helper("umount.fuse.conclave", mnt, "-l")
            assert not is_mounted(mnt)
            f.write("written after it was out of sight")
        await_ends(fds)
        dev.mount("--read-only")
        assert (mnt / "busy").read_text() == "written after it was out of sight"


def test_mount_words_say_how(dev):
    dev.mount("-o", "ro,nosuid,noexec,noatime", "-o", "cache=16M,idle=1h")
    with open("/proc/self/mounts", encoding="utf-8") as f:
        words = next(line for line in f if line.split()[1] == str(dev.mount_point)).split()[3]
    assert {"ro", "nosuid", "nodev", "noexec", "default_permissions", "allow_other"} <= set(
        words.split(","))
    with pytest.raises(OSError):
        (dev.mount_point / "x").touch()
    assert status(dev)["volume"]["cache"]["nodes_max"] <= (16 << 20) // (16 << 10)
    dev.unmount()


def test_configured_words_hold_unless_the_command_says_otherwise(dev):
    dev.config.write_text("[mount]\noptions = ro,noexec,noallow_other\n")
    dev.mount("-o", "rw,exec")
    with open("/proc/self/mounts", encoding="utf-8") as f:
        words = next(line for line in f if line.split()[1] == str(dev.mount_point)).split()[3]
    assert "noexec" not in words and "allow_other" not in words and "rw" in words.split(",")
    dev.unmount()
    for wrong in "nonsense", "run=/tmp":
        dev.config.write_text(f"[mount]\noptions = ro,{wrong}\n")
        assert f"not understood: {wrong}" in dev.mount(want=CONFIG).err
    dev.config.write_text("")


def test_private_mounts_are_private(dev):
    dev.mount("-o", "noallow_other")
    os.chmod(dev.fleet.dir, 0o755)
    done = subprocess.run(["/usr/bin/python3", "-c", "import os, sys\nos.setgroups([])\nos.setgid(1234)"
                           "\nos.setuid(1234)\nos.listdir(sys.argv[1])", dev.mount_point],
                          capture_output=True, check=False)
    assert b"PermissionError" in done.stderr
    dev.unmount()


@pytest.mark.parametrize("words", ["nonsense", "remount", "cache=", "cache=9", "cache=1T", "idle=0",
                                   "idle=5x", "timeout=never", "key_fd=x", "atime=1"])
def test_words_that_are_not_understood_change_nothing(dev, words):
    before = digest(dev.volume)
    result = dev.mount("-o", words, want=USAGE)
    assert result.err.count("\n") == 1 and words in result.err
    assert not is_mounted(dev.mount_point) and digest(dev.volume) == before


def test_an_unused_volume_is_unmounted_and_a_used_one_is_not(dev):
    dev.mount("-o", "idle=1s")
    fds = ends(dev)
    fd = os.open(dev.mount_point / "open", os.O_CREAT | os.O_WRONLY)
    assert select.select(fds, [], [], 2.5)[0] == []  # it tried, and somebody was in it
    os.write(fd, b"kept")
    os.close(fd)
    await_ends(fds)
    assert not is_mounted(dev.mount_point)
    assert "unused: unmounted" in (dev.run_dir / "watcher.log").read_text()
    with dev.mounted() as mnt:
        assert (mnt / "open").read_text() == "kept"


def test_status_counts_what_the_volume_did(dev):
    with dev.mounted() as mnt:
        (mnt / "f").write_bytes(bytes(3 << 20))
        volume = status(dev)["volume"]
        assert volume["bytes_written"] == 3 << 20 and volume["requests"]["write"] >= 3
        assert volume["size"] == dev.volume.stat().st_size
        text = dev("status", "--offline").out
        for line in "volume ", "done ", "bytes ", "node cache ", "errors ":
            assert f"\n{line}" in text, text
        assert "3.0 MiB written" in text
    assert status(dev) is None


def test_an_operator_mounts_with_the_key_or_the_recovery_code_and_no_gateway(home, dev):
    key = dev.key()
    with dev.mounted() as mnt:
        (mnt / "f").write_text("mine")
    other = dev.fleet.dir / "run-operator"
    mount = [program("conclave-device"), "mount", dev.volume, dev.mount_point, "--state", "/nowhere",
             "--run", other]
    unmount = [program("conclave-device"), "unmount", "--run", other]
    for args, secret in ((["--key-fd", "{g0}"], key), (["-o", "recovery_fd={g0}"], dev.recovery)):
        if args[0] == "-o":
            # a word in the middle of an option is not replaced by run(): use descriptor 0
            done = subprocess.run([str(a) for a in mount] + ["-o", "recovery_fd=0"],
                                  input=secret + "\n", text=True, capture_output=True,
                                  env=clean_env(), timeout=PATIENCE_S, check=False)
            assert done.returncode == OK, done.stderr
        else:
            run(mount + args, give=[secret])
        assert (dev.mount_point / "f").read_text() == "mine"
        run(unmount)


AS_NOBODY = '''
import fcntl, mmap, os, subprocess, sys
os.setgroups([]), os.setgid(65534), os.setuid(65534)
base, key = sys.argv[1], bytes(range(32))
os.chdir(base)

def device(*args, **kw):
    return subprocess.run([base + "/conclave-device", *args, "--run", base + "/run"], check=True, **kw)

subprocess.run([base + "/fs_tool", "create", "v.cv", str(64 << 20)], input=key, check=True)
device("mount", "v.cv", base + "/mnt", "-o", "idle=1,key_fd=0", input=key)
with open("mnt/f", "w+b") as f:
    f.truncate(8192)
    busy = subprocess.run([base + "/conclave-device", "unmount", "--run", base + "/run"],
                          capture_output=True)
    assert busy.returncode == 22, busy
    with mmap.mmap(f.fileno(), 8192) as m:
        m[0:4] = b"kept"
lock = open("run/lock", "r+")
fcntl.flock(lock, fcntl.LOCK_EX)  # the watcher ends because nobody is in it any more
lock.close()
assert not os.path.ismount("mnt")
device("mount", "v.cv", base + "/mnt", "-o", "key_fd=0", input=key)
assert open("mnt/f", "rb").read(4) == b"kept"
device("unmount", base + "/mnt")
'''


def test_somebody_who_is_not_root_mounts_through_fusermount():
    if not os.access("/usr/bin/fusermount3", os.X_OK):
        pytest.skip("there is no fusermount3")
    base = pathlib.Path(tempfile.mkdtemp(prefix="cv-user-"))
    try:
        for name in "bin/conclave-device", "bin/conclave-volumed", "test/fs_tool":
            shutil.copy(pathlib.Path(program("conclave-device")).parents[1] / name, base)
        for name in "mnt", "run":
            (base / name).mkdir(mode=0o700)
        for path in base, *base.iterdir():
            os.chown(path, 65534, 65534)
        done = subprocess.run(["/usr/bin/python3", "-c", AS_NOBODY, base], capture_output=True,
                              env=clean_env(), timeout=PATIENCE_S, check=False)
        assert done.returncode == 0, done.stderr.decode()
    finally:
        subprocess.run(["umount", "-l", base / "mnt"], capture_output=True, check=False)
        shutil.rmtree(base, ignore_errors=True)


def test_a_wrong_key_or_code_is_refused(dev):
    before = digest(dev.volume)
    mount = [program("conclave-device"), "mount", dev.volume, dev.mount_point, "--run",
             dev.fleet.dir / "run-operator"]
    mistyped = ("B" if dev.recovery[0] == "A" else "A") + dev.recovery[1:]
    for option, secret, line in (("--key-fd", bytes(32), "no key slot"),
                                 ("--key-fd", bytes(31), "must give exactly 32 bytes"),
                                 ("--key-fd", bytes(33), "must give exactly 32 bytes"),
                                 ("--recovery-fd", mistyped, "a character is wrong"),
                                 ("--recovery-fd", "ABC", "11 groups of 5")):
        result = run(mount + [option, "{g0}"], give=[secret], want=NOT_VOLUME)
        assert line in result.err, result.err
        assert result.err.count("\n") == 1
    both = run(mount + ["--key-fd", "3", "--recovery-fd", "4"], want=USAGE)
    assert "not both" in both.err
    assert not is_mounted(dev.mount_point) and digest(dev.volume) == before


def test_status_of_a_mount_on_a_machine_that_is_no_device(dev, tmp_path):
    common = ["--run", tmp_path / "run", "--state", tmp_path / "none"]
    status = [program("conclave-device"), "status", "--json", *common]
    assert "is the device installed?" in run(status, want=CONFIG).err
    run([program("conclave-device"), "mount", dev.volume, dev.mount_point, *common, "--recovery-fd", "{g0}"],
        give=[dev.recovery])
    try:
        seen = json.loads(run(status).out)
        assert set(seen) == {"mount"} and seen["mount"]["volume"]["io_errors"] == 0
        text = run([program("conclave-device"), "status", *common]).out
        assert text.startswith(f"mounted      {dev.mount_point} from ") and "last unlock" not in text
    finally:
        run([program("conclave-device"), "unmount", *common])


@pytest.fixture
def tmpfs(dev):
    """A small filesystem of its own with a copy of the container."""
    where = dev.fleet.dir / "small"
    where.mkdir(exist_ok=True)
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=40m", "tmpfs", where], check=True)
    shutil.copyfile(dev.volume, where / "v.cv")
    yield where
    subprocess.run(["umount", "-l", where], check=True)


def mount_of(dev, container):
    return [program("conclave-device"), "mount", container, dev.mount_point, "--timeout", "30s",
            "--state", dev.state, "--run", dev.run_dir, "--config", dev.config]


def mount_copy(dev, copy, *args, want=OK):
    """With the key itself: what a copy does is not for the gateways' anchor."""
    return run(mount_of(dev, copy) + ["--key-fd", "{g0}", *args], give=[dev.key()], want=want)


def test_a_container_on_read_only_media_mounts_read_only(dev, tmpfs):
    with dev.mounted() as mnt:
        (mnt / "f").write_text("there")
    shutil.copyfile(dev.volume, tmpfs / "v.cv")
    before = digest(tmpfs / "v.cv")
    subprocess.run(["mount", "-o", "remount,ro", tmpfs], check=True)
    result = mount_copy(dev, tmpfs / "v.cv", want=NO_SPACE)
    assert result.err.count("\n") == 1 and "read-only" in result.err and "-o ro" in result.err
    assert not is_mounted(dev.mount_point)
    mount_copy(dev, tmpfs / "v.cv", "-o", "ro")
    assert (dev.mount_point / "f").read_text() == "there"
    assert "in use" in mount_copy(
        dev, tmpfs / "v.cv", "-o", "ro", "--run", dev.fleet.dir / "run-2", want=IN_USE).err
    dev.unmount()
    assert digest(tmpfs / "v.cv") == before


def test_a_sparse_container_on_a_full_filesystem_loses_nothing(dev, tmpfs):
    with dev.mounted() as mnt:
        (mnt / "old").write_bytes(b"old" * 100_000)
    subprocess.run(["cp", "--sparse=always", dev.volume, tmpfs / "v.cv"], check=True)
    with open(tmpfs / "filler", "wb", buffering=0) as f, contextlib.suppress(OSError):
        while True:
            f.write(bytes(1 << 16))
    if mount_copy(dev, tmpfs / "v.cv", want=None).code == OK:
        with pytest.raises(OSError) as caught:
            with open(dev.mount_point / "new", "wb", buffering=0) as f:
                for _ in range(20):
                    f.write(os.urandom(1 << 20))
                    os.fsync(f.fileno())
        assert caught.value.errno in (errno.ENOSPC, errno.EIO, errno.EROFS)
        assert (dev.mount_point / "old").read_bytes() == b"old" * 100_000
        dev.unmount(want=None)
    assert not is_mounted(dev.mount_point)
    os.unlink(tmpfs / "filler")
    mount_copy(dev, tmpfs / "v.cv")
    assert (dev.mount_point / "old").read_bytes() == b"old" * 100_000
    dev.unmount()
    run([program("conclave"), "volume", "check", tmpfs / "v.cv", "--key-fd", "{g0}"], give=[dev.key()])


def patched(copy, offset, data):
    with open(copy, "r+b") as f:
        for slot in SLOTS:
            f.seek(slot + offset)
            f.write(data)


def cut(copy):
    os.truncate(copy, 5000)


REFUSED = {
    "a wrong file": (lambda c: c.write_bytes(b"not a volume\n" * 500_000), NOT_VOLUME, "not a volume"),
    "an empty file": (lambda c: c.write_bytes(b""), NOT_VOLUME, "not a volume"),
    "a file of one block": (cut, NOT_VOLUME, "not a volume"),
    "a cut container": (lambda c: os.truncate(c, c.stat().st_size - 4096), NOT_VOLUME, "bytes long"),
    "a newer version": (lambda c: patched(c, 8, b"\2"), VERSION, "newer format"),
    "an unknown feature": (lambda c: patched(c, 16, b"\xff" * 4), VERSION, "unknown feature"),
    "another device's volume": (None, NOT_VOLUME, "no key slot"),
}


@pytest.mark.parametrize("what", REFUSED)
def test_a_container_that_cannot_be_used_is_refused_in_one_line_and_untouched(home, dev, what):
    spoil, code, line = REFUSED[what]
    copy = dev.fleet.dir / "copy.cv"
    shutil.copyfile(dev.volume, copy)
    if spoil is None:
        other = home[0].device("dev-2", 2) if "dev-2" not in home[0].devices else home[0].devices["dev-2"]
        shutil.copyfile(other.volume, copy)
    else:
        spoil(copy)
    before = digest(copy)
    key = dev.key()
    for result in (
            run(mount_of(dev, copy), want=code),
            run([program("conclave"), "volume", "check", copy, "--key-fd", "{g0}"], give=[key],
                want=code),
            run([program("conclave"), "volume", "import", copy, "/etc/hostname", "--key-fd", "{g0}"],
                give=[key], want=code)):
        assert result.err.count("\n") == 1, result.err
        assert line in result.err and "copy.cv" in result.err, result.err
        assert key.hex() not in result.err
    assert not is_mounted(dev.mount_point)
    assert digest(copy) == before
    copy.unlink()


def test_a_container_in_use_is_refused_by_every_command(dev):
    key = dev.key()
    with dev.mounted():
        for command in (["volume", "check", dev.volume, "--key-fd", "{g0}"],
                        ["volume", "import", dev.volume, "/etc/hostname", "--key-fd", "{g0}"],
                        ["volume", "header-backup", dev.volume, dev.fleet.dir / "header"]):
            result = run([program("conclave"), *command], give=[key], want=IN_USE)
            assert "in use" in result.err and result.err.count("\n") == 1, result.err


def test_a_directory_or_a_missing_container_is_refused(dev):
    result = run(mount_of(dev, dev.fleet.dir / "none.cv"), want=CONFIG)
    assert "none.cv" in result.err and result.err.count("\n") == 1
    result = run(mount_of(dev, dev.fleet.dir), want=None)
    assert result.code != OK and result.err.count("\n") == 1, result.err
    result = run(mount_of(dev, "/dev/null"), want=NOT_VOLUME)
    assert "not a volume" in result.err and result.err.count("\n") == 1, result.err
