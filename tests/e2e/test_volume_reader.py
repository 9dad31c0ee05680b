"""The independent reader and the C code see the same volume."""

import hashlib
import json
import lzma
import os
import pathlib
import stat
import sys

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import fs_support as fs
import volume_reader

SIZE = 64 << 20


@pytest.fixture(scope="module", autouse=True)
def built():
    fs.build()


def make_source(top):
    top.mkdir()
    (top / "empty").write_bytes(b"")
    (top / "small").write_bytes(b"hello\n")
    (top / "block").write_bytes(bytes(4096))
    (top / "large").write_bytes(os.urandom(1_500_001))
    with open(top / "sparse", "wb") as f:
        f.write(b"start")
        f.seek(3_000_000)
        f.write(b"end")
    os.symlink("large", top / "link")
    os.link(top / "small", top / "second name")
    (top / "deep").mkdir(mode=0o750)
    where = top / "deep"
    for i in range(20):
        where = where / f"d{i}"
        where.mkdir()
    (where / ("n" * 255)).write_bytes(b"far down")
    many = top / "many"
    many.mkdir()
    for i in range(1200):
        (many / f"file{i}").write_bytes(b"x" * (i % 50))
    os.chmod(top / "small", 0o4755)
    os.utime(top / "large", ns=(1, 1_234_567_890_123_456_789))


def describe_host(top):
    out = {}
    for root, dirs, files in os.walk(top):
        for name in dirs + files:
            path = pathlib.Path(root) / name
            st = path.lstat()
            entry = {"mode": st.st_mode, "uid": st.st_uid, "gid": st.st_gid,
                     "mtime_ns": st.st_mtime_ns, "links": st.st_nlink}
            if stat.S_ISREG(st.st_mode):
                entry["size"] = st.st_size
                entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
            elif stat.S_ISLNK(st.st_mode):
                entry["target"] = os.readlink(path)
            out["/" + str(path.relative_to(top))] = entry
    return out


@pytest.fixture
def volume(tmp_path):
    make_source(tmp_path / "source")
    fs.tool("create", tmp_path / "volume.cv", SIZE)
    fs.tool("import", tmp_path / "volume.cv", tmp_path / "source")
    return tmp_path / "volume.cv"


def test_sees_exactly_what_was_imported(volume, tmp_path):
    seen = volume_reader.Volume(volume, fs.KEY).describe()
    host = describe_host(tmp_path / "source")
    assert seen.keys() == host.keys()
    for path, entry in host.items():
        # on some filesystems the host counts a directory's links in another way
        if stat.S_ISDIR(entry["mode"]):
            entry["links"] = seen[path]["links"]
        assert seen[path] == entry, path


def test_opens_with_the_recovery_code_and_no_other(volume):
    assert volume_reader.Volume(volume, fs.RECOVERY).super.generation
    with pytest.raises(volume_reader.WrongKey):
        volume_reader.Volume(volume, bytes(32))


def test_agrees_with_check_and_export(volume, tmp_path):
    assert b"problems=0 " in fs.tool("check", volume).stdout
    want = (tmp_path / "source" / "large").read_bytes()
    assert fs.tool("cat", volume, "/large").stdout == want


def test_notices_what_the_c_code_notices(volume):
    reader = volume_reader.Volume(volume, fs.KEY)
    root = int.from_bytes(reader.super.root[:6], "little")
    with open(volume, "r+b") as f:
        f.seek(root * 4096 + 5000)
        byte = f.read(1)[0]
        f.seek(root * 4096 + 5000)
        f.write(bytes([byte ^ 1]))
    with pytest.raises(volume_reader.Damage):
        volume_reader.Volume(volume, fs.KEY)
    assert fs.tool("check", volume, check=False).returncode == 20


def flip(path, at):
    with open(path, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 4]))


def test_refuses_the_damage_to_the_log_that_the_c_code_refuses(tmp_path):
    """Two syncs in one session, cut off without an unmount; then bits of the ring are changed."""
    container = tmp_path / "log.cv"
    fs.tool("create", container, SIZE)
    fs.tool("unclean", container)
    volume = volume_reader.Volume(container, fs.KEY)
    assert volume.frames > 8 and "/f7" in volume.describe()
    first = (volume.super.ring + volume.super.log_start) * 4096
    outcomes = set()
    for at in [*range(0, 400, 49), *range(8192, 9700, 131), *range(9700, 40_000, 3001)]:
        flip(container, first + at)
        try:
            frames = volume_reader.Volume(container, fs.KEY).frames
        except volume_reader.Damage:
            frames = None
        done = fs.tool("check", container, check=False)
        assert done.returncode == (20 if frames is None else 0), (at, frames, done.stderr)
        outcomes.add(frames)
        flip(container, first + at)
    assert None in outcomes and volume.frames in outcomes and len(outcomes) > 3


def test_siphash_matches_the_reference_vector():
    key = bytes(range(16))
    assert volume_reader.siphash(key, bytes(range(15))) == 0xA129CA6149BE45E5


@pytest.fixture(params=["volume-v1", "volume-v1-orphans", "volume-v1-log"])
def golden(tmp_path, request):
    """Volumes that version 1 made once, also as a crash left them; every later version opens them."""
    vectors = fs.ROOT / "tests" / "vectors"
    image = tmp_path / "golden.cv"
    image.write_bytes(lzma.decompress((vectors / f"{request.param}.img.xz").read_bytes()))
    return image, json.loads((vectors / f"{request.param}.json").read_text())


def test_opens_the_golden_image(golden):
    image, want = golden
    for secret in (want["key"], want["recovery"]):
        volume = volume_reader.Volume(image, bytes.fromhex(secret))
        assert volume.super.generation == want["generation"]
        assert volume.frames == want.get("frames", 0)
        assert volume.describe() == want["tree"]
        done = fs.tool("check", image, key=bytes.fromhex(secret))
        assert b"problems=0 " in done.stdout
        assert f"orphans={want.get('orphans', 0)}".encode() in done.stdout
    for path, entry in want["tree"].items():
        if "sha256" in entry:
            content = fs.tool("cat", image, path, key=bytes.fromhex(want["key"])).stdout
            assert hashlib.sha256(content).hexdigest() == entry["sha256"]


def test_goes_on_with_the_golden_image(golden, tmp_path):
    """Open for writing: the log is replayed, orphans are freed, everything else stays."""
    image, want = golden
    (tmp_path / "more").mkdir()
    (tmp_path / "more" / "later").write_bytes(b"written by a later version")
    fs.tool("import", image, tmp_path / "more", key=bytes.fromhex(want["key"]))
    volume = volume_reader.Volume(image, bytes.fromhex(want["key"]))
    assert volume.super.orphans == 0
    seen = volume.describe()
    assert seen.pop("/later")["size"] == 26
    assert seen == want["tree"]
    assert b"problems=0 " in fs.tool("check", image, key=bytes.fromhex(want["key"])).stdout
