"""What the tests of mounted volumes share. A test module imports the fixtures that it uses."""

import os

import pytest

import fs_support as fs
from conftest import have_fuse

needs_mount = pytest.mark.skipif(
    os.geteuid() != 0 or not have_fuse(), reason="needs root, for mount(2), and /dev/fuse")


@pytest.fixture(scope="module", autouse=True)
def built():
    fs.build()


@pytest.fixture
def container(tmp_path, request):
    """An empty volume of the test module's SIZE, or as large as the test is parametrized with."""
    size = getattr(request, "param", request.module.SIZE)
    fs.tool("create", tmp_path / "volume.cv", size)
    return tmp_path / "volume.cv"


@pytest.fixture
def start(container, tmp_path):
    """Starts the volume process, by default to READY; whatever a test leaves is ended."""
    started = []

    def one(*args, first=fs.READY, of=container, **kwargs):
        started.append(fs.Volume(of, tmp_path / "mnt", args=args, **kwargs))
        assert started[-1].first[0] == first, started[-1].first
        return started[-1]

    yield one
    for volume in started:
        volume.abandon()


@pytest.fixture
def mnt(start):
    volume = start()
    yield volume.point
    volume.close()
    assert volume.errors == ""


def error_of(call, *args, **kwargs):
    with pytest.raises(OSError) as caught:
        call(*args, **kwargs)
    return caught.value.errno


def damage(container):
    """Flips a bit of the first block of a large write: those begin behind a 32nd of the volume."""
    at = (3076 + 512 + container.stat().st_size // 4096 // 32) * 4096 + 100
    with open(container, "r+b") as f:
        f.seek(at)
        byte = f.read(1)[0]
        f.seek(at)
        f.write(bytes([byte ^ 1]))
