"""The tools of `conclave volume`, and what of them runs while a volume is mounted."""

import json
import os
import pathlib
import subprocess
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import fs_support as fs
import volume_reader
from fs_fixtures import built, needs_mount, start

SIZE = 64 << 20


def volume(*args, key=fs.KEY, also=None, want=0):
    """`conclave volume ...` with the secret on a descriptor; the JSON it prints and its errors."""
    pipes = []
    for secret in (key, also):
        if secret is not None:
            ours, theirs = os.pipe()
            os.write(theirs, secret)
            os.close(theirs)
            pipes.append(ours)
    options = ["--key-fd", str(pipes[0])] if pipes else []
    if len(pipes) > 1:
        options += ["--also-key-fd", str(pipes[1])]
    done = subprocess.run([str(fs.BUILD / "bin/conclave"), "volume", *map(str, args), *options,
                           "--json"], capture_output=True, pass_fds=pipes, timeout=fs.WAIT_S)
    for fd in pipes:
        os.close(fd)
    assert done.returncode == want, done.stderr.decode()
    return json.loads(done.stdout), done.stderr.decode()


@pytest.fixture
def source(tmp_path):
    top = tmp_path / "source"
    (top / "deep").mkdir(parents=True)
    for i in range(40):
        (top / f"file{i}").write_bytes(os.urandom(i * 3000))
    (top / "deep" / "large").write_bytes(os.urandom(3_000_000))
    os.link(top / "file7", top / "deep" / "second")
    os.symlink("file7", top / "link")
    return top


@pytest.fixture
def container(tmp_path, source):
    fs.tool("create", tmp_path / "volume.cv", SIZE)
    fs.tool("import", tmp_path / "volume.cv", source)
    return tmp_path / "volume.cv"


def same(a, b):
    names = sorted(p.relative_to(a) for p in a.rglob("*"))
    assert names == sorted(p.relative_to(b) for p in b.rglob("*"))
    for name in names:
        if (a / name).is_file():
            assert (a / name).read_bytes() == (b / name).read_bytes(), name


def assert_sound(container, source):
    report, _ = volume("check", container)
    assert report["problems"] == 0
    seen = volume_reader.Volume(container, fs.KEY).describe()
    for path in source.rglob("*"):
        assert "/" + str(path.relative_to(source)) in seen


def test_grow_makes_room_and_never_less(container, source):
    result, _ = volume("grow", container, "--size", "96MiB")
    assert (result["size_before"], result["size"]) == (SIZE, 96 << 20)
    assert container.stat().st_size == 96 << 20
    _, errors = volume("grow", container, "--size", "64MiB", want=2)
    assert "never makes it smaller" in errors and errors.count("\n") == 1
    os.truncate(container, 128 << 20)
    result, _ = volume("grow", container)
    assert result["size"] == 128 << 20
    assert_sound(container, source)


def test_trim_gives_space_back(container, source):
    with open(container, "r+b") as f:
        f.seek(40 << 20)
        f.write(os.urandom(8 << 20))
        os.fsync(f.fileno())
    before = container.stat().st_blocks
    result, _ = volume("trim", container)
    assert result["bytes"] > 8 << 20
    assert container.stat().st_blocks <= before - (7 << 20) // 512
    assert_sound(container, source)


def test_compact_makes_a_volume_smaller(container, source):
    result, _ = volume("compact", container)
    assert result["end"] < result["size"] == SIZE
    result, _ = volume("compact", container, "--size", "40MiB")
    assert result["size"] == container.stat().st_size == 40 << 20
    assert_sound(container, source)
    _, errors = volume("compact", container, "--size", "41MiB", want=2)
    assert errors.count("\n") == 1
    volume("grow", container, "--size", "64MiB")
    assert_sound(container, source)


def test_rekey_locks_out_what_is_not_named(container, source):
    _, errors = volume("rekey", container, want=2)
    assert "the recovery code" in errors and errors.count("\n") == 1
    result, _ = volume("rekey", container, also=fs.RECOVERY)
    assert result["slots_kept"] == 2 and result["keys_dropped"] == 1 and not result["under_way"]
    assert_sound(container, source)
    assert volume_reader.Volume(container, fs.RECOVERY).super.generation
    result, _ = volume("rekey", container, "--drop-others")
    assert result["slots_dropped"] == 1
    with pytest.raises(volume_reader.WrongKey):
        volume_reader.Volume(container, fs.RECOVERY)
    assert_sound(container, source)


def test_header_restore_brings_a_container_back(container, source, tmp_path):
    backup = tmp_path / "backup"
    volume("header-backup", container, backup, key=None)
    with open(container, "r+b") as f:
        for slot in range(4):
            f.seek(slot * (4 << 20))
            f.write(bytes(4096))
    volume("check", container, want=24)
    volume("header-restore", backup, container)
    assert_sound(container, source)
    fs.tool("import", container, source / "deep")
    _, errors = volume("header-restore", backup, container, want=21)
    assert "--accept-older" in errors and errors.count("\n") == 1
    assert_sound(container, source)


def test_salvage_copies_out_what_is_intact(container, source, tmp_path):
    result, _ = volume("salvage", container, tmp_path / "all")
    assert result["damaged"] == 0 and result["files"] == 41
    same(source, tmp_path / "all")
    assert (tmp_path / "all" / "file7").stat().st_nlink == 2
    # without a root, without superblocks, without a block of data
    backup = tmp_path / "backup"
    volume("header-backup", container, backup, key=None)
    root = int.from_bytes(volume_reader.Volume(container, fs.KEY).super.root[:6], "little")
    with open(container, "r+b") as f:
        for slot in range(4):
            f.seek(slot * (4 << 20))
            f.write(bytes(4096))
        f.seek(root * 4096)
        f.write(bytes(4096))
    _, errors = volume("salvage", container, tmp_path / "none", want=24)
    assert "--header" in errors and errors.count("\n") == 1
    result, errors = volume("salvage", container, tmp_path / "most", "--header", backup, want=20)
    assert result["problems"] and result["searched"] and errors.count("\n") == 1
    same(source, tmp_path / "most")


@needs_mount
def test_rekey_goes_on_while_mounted_and_over_a_kill(start, container, source):
    mounted = start()
    # slow enough that it cannot end before the kill
    mounted.ask(fs.REKEY, b"4096")
    assert json.loads(mounted.receive()[4])["rekey"]["of"] > 0
    (mounted.point / "meanwhile").write_bytes(b"written under the new key")
    fd = os.open(mounted.point / "meanwhile", os.O_RDONLY)
    os.fsync(fd)
    os.close(fd)
    mounted.kill()
    assert len(volume_reader.Volume(container, fs.KEY).super.keys) == 2
    result, _ = volume("rekey", container, "--begin-only")
    assert result["under_way"]
    mounted = start()
    for i in range(10_000):
        status = mounted.status()
        if "rekey" not in status:
            break
        (mounted.point / f"busy{i % 10}").write_bytes(os.urandom(10_000))
        (mounted.point / "deep" / "large").read_bytes()
    assert "rekey" not in status
    assert (mounted.point / "meanwhile").read_bytes() == b"written under the new key"
    mounted.close()
    assert "rekey: done" in mounted.errors
    assert len(volume_reader.Volume(container, fs.KEY).super.keys) == 1
    assert_sound(container, source)
