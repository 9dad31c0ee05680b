"""A block device as the container: never taken by mistake, claimed while in use, every tool on it."""

import errno
import hashlib
import os
import pathlib
import shutil
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import fs_support as fs
import volume_reader
from fs_fixtures import needs_mount

pytestmark = needs_mount

SIZE = 48 << 20
LARGER = 96 << 20
EXISTS, BUSY, READ_ONLY = 3, 22, 25


@pytest.fixture(scope="module", autouse=True)
def built():
    fs.build()
    if "CONCLAVE_BUILD" not in os.environ:
        subprocess.run(["make", "-s", "-C", str(fs.ROOT), "build/bin/conclave",
                        "build/bin/conclave-device"], check=True, stdout=subprocess.DEVNULL)


@pytest.fixture
def device(tmp_path):
    """A loop device on an empty file."""
    if not (shutil.which("losetup") and shutil.which("blockdev")):
        pytest.skip("no losetup or blockdev")
    backing = tmp_path / "backing"
    backing.touch()
    os.truncate(backing, SIZE)
    made = subprocess.run(["losetup", "--find", "--show", str(backing)], capture_output=True)
    if made.returncode != 0:
        pytest.skip("no loop devices here")
    path = made.stdout.decode().strip()
    yield path
    # the kernel keeps this one for whoever gets the device next
    subprocess.run(["blockdev", "--setrw", path], check=True)
    subprocess.run(["losetup", "--detach", path], check=True)


def run(program, *args, want=0):
    """With the secret on descriptor 3; what it said."""
    read, write = os.pipe()
    os.write(write, fs.KEY)
    os.close(write)
    done = subprocess.run([str(fs.BUILD / "bin" / program), *map(str, args), "--key-fd", str(read)],
                          capture_output=True, pass_fds=[read], timeout=fs.WAIT_S)
    os.close(read)
    assert done.returncode == want, done.stderr.decode()
    return done.stderr.decode()


def volume(verb, *args, want=0):
    return run("conclave", "volume", verb, *args, want=want)


def create(device, *args, want=0):
    return volume("create", device, "--no-recovery", *args, want=want)


@pytest.fixture
def mount(tmp_path):
    """Mounts as a device does; what is left mounted goes at the end."""
    point, where = tmp_path / "mnt", tmp_path / "run"
    point.mkdir()
    where.mkdir(mode=0o700)

    def call(device, *args, want=0):
        errors = run("conclave-device", "mount", "--run", where, *args, device, point, want=want)
        return point if want == 0 else errors

    yield call
    if point.is_mount():
        unmount(point)


def unmount(point):
    done = None

    def try_once():
        nonlocal done
        done = subprocess.run([str(fs.BUILD / "bin/conclave-device"), "unmount", str(point)], check=False,
                              capture_output=True, timeout=fs.WAIT_S)
        return done.returncode != BUSY
    fs.until_unused(try_once)
    assert done.returncode == 0, done.stderr


def digest(device):
    return hashlib.sha256(pathlib.Path(device).read_bytes()).digest()


@pytest.mark.parametrize("at", [0, 4096 + 1080, 1024 * 4096, 3072 * 4096 + 4095])
def test_a_device_that_holds_something_is_taken_only_aloud(device, at):
    with open(device, "r+b") as f:
        f.seek(at)
        f.write(b"\1")
    before = digest(device)
    assert "--overwrite" in create(device, want=EXISTS)
    assert digest(device) == before
    create(device, "--overwrite")
    volume("check", device)
    # now it holds a volume
    assert "--overwrite" in create(device, want=EXISTS)
    volume("check", device)


def test_a_device_in_use_is_neither_made_a_volume_nor_mounted(device, mount):
    claim = os.open(device, os.O_RDWR | os.O_EXCL)
    assert "in use" in create(device, "--overwrite", want=BUSY)
    os.close(claim)
    create(device)
    claim = os.open(device, os.O_RDWR | os.O_EXCL)
    assert "in use" in mount(device, want=BUSY)
    os.close(claim)


@pytest.mark.parametrize("how", ["rw", "ro"])
def test_nobody_formats_a_mounted_device(device, mount, how):
    create(device)
    mount(device, "-o", how)
    with pytest.raises(OSError) as e:
        os.open(device, os.O_RDWR | os.O_EXCL)
    assert e.value.errno == errno.EBUSY
    assert "in use" in create(device, "--overwrite", want=BUSY)
    assert "in use" in volume("check", device, want=BUSY)


def test_a_write_protected_device_is_named_so_and_can_be_read(device, mount):
    create(device)
    subprocess.run(["blockdev", "--setro", device], check=True)
    before = digest(device)
    for verb in "grow", "trim", "compact", "rekey":
        assert "read-only" in volume(verb, device, want=READ_ONLY)
    assert "read-only" in create(device, "--overwrite", want=READ_ONLY)
    assert "-o ro" in mount(device, want=READ_ONLY)
    volume("check", device)
    point = mount(device, "-o", "ro")
    assert os.listdir(point) == []
    unmount(point)
    assert digest(device) == before


def test_every_tool_works_on_a_device(device, mount, tmp_path):
    content = {f"file{i}": os.urandom(i * 40_000) for i in range(20)}

    def check():
        volume("check", device)
        seen = volume_reader.Volume(device, fs.KEY).describe()
        assert {path.lstrip("/"): entry["sha256"] for path, entry in seen.items()
                if "sha256" in entry} == {name: hashlib.sha256(data).hexdigest()
                                          for name, data in content.items()}

    create(device)
    point = mount(device)
    for name, data in content.items():
        (point / name).write_bytes(data)
    unmount(point)
    check()
    for i in range(0, 20, 2):
        del content[f"file{i}"]
    point = mount(device)
    for i in range(0, 20, 2):
        (point / f"file{i}").unlink()
    unmount(point)
    volume("trim", device)
    check()
    os.truncate(tmp_path / "backing", LARGER)
    subprocess.run(["losetup", "--set-capacity", device], check=True)
    volume("grow", device)
    check()
    volume("rekey", device)
    check()
    volume("compact", device, "--size", SIZE)
    check()
    subprocess.run([str(fs.BUILD / "bin/conclave"), "volume", "header-backup", device,
                    str(tmp_path / "header")], check=True, timeout=fs.WAIT_S)
    with open(device, "r+b") as f:
        for slot in range(4):
            f.seek(slot * 1024 * 4096)
            f.write(bytes(4096))
    volume("header-restore", tmp_path / "header", device)
    check()
    volume("salvage", device, tmp_path / "out")
    assert {p.name: p.read_bytes() for p in (tmp_path / "out").iterdir()} == content
    point = mount(device)
    assert {p.name: p.read_bytes() for p in point.iterdir()} == content
    unmount(point)
