"""kill -9 of the volume process in the middle of work: nothing that was answered is lost."""

import hashlib
import mmap
import os
import pathlib
import random
import shutil
import stat
import sys
import threading

import pytest

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))

import fs_support as fs
import volume_reader
from fs_fixtures import built, container, needs_mount, start

SIZE = 64 << 20
ROUNDS = 60 if os.environ.get("CONCLAVE_LONG") else 4

pytestmark = needs_mount


class Tree:
    """What was answered: path to its facts. `touched` is what the call on its way may have changed."""

    def __init__(self, top, rng):
        self.top, self.rng = top, rng
        self.files = {}  # name: [content, mode, {xattr}]; hard links share one list
        self.dirs = {"": 0o755}
        self.links = {}
        self.touched = set()
        self.answered = 0

    def path(self, name):
        return self.top / name

    def new_name(self):
        parent = self.rng.choice(list(self.dirs))
        return f"{parent}/n{self.rng.randrange(1000)}".lstrip("/")

    def free_name(self):
        while True:
            name = self.new_name()
            if name not in self.files and name not in self.dirs and name not in self.links:
                return name

    def some_file(self):
        return self.rng.choice(list(self.files)) if self.files else None

    def same(self, name):
        """All names of one file."""
        return {n for n, f in self.files.items() if f is self.files[name]}

    def put(self, name, flags, data):
        fd = os.open(self.path(name), os.O_WRONLY | flags)
        try:
            if flags & os.O_DIRECT:
                page = mmap.mmap(-1, len(data))
                page[:] = data
                data = page
            os.pwrite(fd, data, 0)
            if not flags & (os.O_SYNC | os.O_DIRECT):
                if self.rng.randrange(2):
                    os.fsync(fd)
        finally:
            os.close(fd)

    def step(self):
        """One call, or an open with its write and close; then the model follows."""
        rng, kind = self.rng, self.rng.randrange(12)
        name = self.some_file()
        if kind <= 2 or name is None:
            name = self.free_name()
            self.touched = {name}
            os.close(os.open(self.path(name), os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o640))
            self.files[name] = [b"", 0o640, {}]
        elif kind <= 5:
            flags = rng.choice([0, 0, os.O_SYNC, os.O_DIRECT])
            data = rng.randbytes(4096 * rng.randrange(1, 6) if flags & os.O_DIRECT
                                 else rng.randrange(1, 20000))
            self.touched = self.same(name)
            self.put(name, flags, data)
            self.files[name][0] = data + self.files[name][0][len(data):]
        elif kind == 6:
            new = self.free_name()
            self.touched = {name, new}
            os.rename(self.path(name), self.path(new))
            self.files[new] = self.files.pop(name)
        elif kind == 7:
            self.touched = self.same(name)
            os.unlink(self.path(name))
            del self.files[name]
        elif kind == 8:
            new = self.free_name()
            self.touched = {new} | self.same(name)
            os.link(self.path(name), self.path(new))
            self.files[new] = self.files[name]
        elif kind == 9:
            new = self.free_name()
            self.touched = {new}
            if rng.randrange(2):
                os.mkdir(self.path(new), 0o750)
                self.dirs[new] = 0o750
            else:
                os.symlink("to/" + new, self.path(new))
                self.links[new] = "to/" + new
        elif kind == 10:
            self.touched = self.same(name)
            size = rng.randrange(30000)
            os.truncate(self.path(name), size)
            self.files[name][0] = self.files[name][0][:size].ljust(size, b"\0")
        else:
            self.touched = self.same(name)
            if rng.randrange(2):
                mode = rng.choice([0o600, 0o644, 0o755])
                os.chmod(self.path(name), mode)
                self.files[name][1] = mode
            else:
                value = rng.randbytes(rng.randrange(1, 200))
                os.setxattr(self.path(name), "user.k", value)
                self.files[name][2]["user.k"] = value.hex()
        self.touched = set()
        self.answered += 1

    def expect(self, seen):
        """`seen` is what the reader describes: all that was answered, and the last call or not."""
        names = {n.lstrip("/") for n in seen}
        want = set(self.files) | set(self.dirs) - {""} | set(self.links)
        assert names ^ want <= self.touched, (names ^ want, self.touched)
        for name in want - self.touched:
            entry = seen["/" + name]
            if name in self.files:
                content, mode, xattrs = self.files[name]
                assert stat.S_IMODE(entry["mode"]) == mode, name
                assert entry["sha256"] == hashlib.sha256(content).hexdigest(), name
                assert entry.get("xattrs", {}) == xattrs, name
                if not self.same(name) & self.touched:
                    assert entry["links"] == len(self.same(name)), name
            elif name in self.dirs:
                assert stat.S_IMODE(entry["mode"]) == self.dirs[name], name
            else:
                assert entry["target"] == self.links[name], name


def describe_mount(top):
    out = {}
    for root, dirs, files in os.walk(top):
        for name in dirs + files:
            path = pathlib.Path(root) / name
            st = path.lstat()
            entry = {"mode": st.st_mode, "links": st.st_nlink}
            if stat.S_ISREG(st.st_mode):
                entry["sha256"] = hashlib.sha256(path.read_bytes()).hexdigest()
                entry["xattrs"] = {n: os.getxattr(path, n).hex() for n in os.listxattr(path)}
            elif stat.S_ISLNK(st.st_mode):
                entry["target"] = os.readlink(path)
            out["/" + str(path.relative_to(top))] = entry
    return out


def work_until_killed(volume, tree, steps):
    """A thread kills the process as soon as `steps` calls were answered; work goes on meanwhile."""
    now = threading.Event()

    def killer():
        now.wait(fs.WAIT_S)
        volume.process.kill()

    thread = threading.Thread(target=killer)
    thread.start()
    first = tree.answered
    try:
        while volume.process.poll() is None and tree.answered < first + steps + 100_000:
            tree.step()
            if tree.answered == first + steps:
                now.set()
    except OSError:
        pass
    finally:
        now.set()
        thread.join()
    volume.kill()


@pytest.mark.parametrize("seed", range(ROUNDS))
def test_nothing_answered_is_lost(start, container, tmp_path, seed):
    rng = random.Random(seed)
    tree = Tree(tmp_path / "mnt", rng)
    for _ in range(3):
        work_until_killed(start(), tree, rng.randrange(5, 150))
        copy = tmp_path / "copy.cv"
        shutil.copyfile(container, copy)
        # the second implementation replays the log as it was left
        reader = volume_reader.Volume(copy, fs.KEY)
        left = reader.describe()
        tree.expect(left)
        assert b"problems=0" in fs.tool("check", copy).stdout
        volume = start()
        seen = describe_mount(tree.top)
        tree.expect(seen)
        # whether the call that was on its way came through is known now
        for path, entry in left.items():
            for fact in "mode", "sha256", "target":
                assert entry.get(fact) == seen[path].get(fact), path
        volume.close()
        assert "taken from the log" in volume.errors
        tree = settled(tree, copy)
    assert b"problems=0" in fs.tool("check", container).stdout


def settled(tree, copy):
    """The model as the volume is, so that the next session starts from certain facts."""
    reader = volume_reader.Volume(copy, fs.KEY)
    new = Tree(tree.top, tree.rng)
    by_object = {}
    for path, obj, inode in reader.tree():
        name = path.decode().lstrip("/")
        if stat.S_ISDIR(inode["mode"]):
            new.dirs[name] = stat.S_IMODE(inode["mode"])
        elif stat.S_ISLNK(inode["mode"]):
            new.links[name] = reader.items[(obj, volume_reader.SYMLINK, 0)].decode()
        else:
            if obj not in by_object:
                xattrs = {n.decode(): v.hex() for n, v in reader.xattrs(obj).items()}
                by_object[obj] = [reader.content(obj), stat.S_IMODE(inode["mode"]), xattrs]
            new.files[name] = by_object[obj]
    return new


def test_mounts_read_only_what_a_kill_left(start, container):
    volume = start()
    (volume.point / "f").write_bytes(b"x" * 10_000)
    volume.kill()
    before = hashlib.sha256(container.read_bytes()).digest()
    volume = start("--read-only")
    assert (volume.point / "f").read_bytes() == b"x" * 10_000
    volume.close()
    assert hashlib.sha256(container.read_bytes()).digest() == before


def test_a_kill_while_many_threads_fsync(start, container):
    """One flush serves all who wait; each file whose fsync returned is whole."""
    volume = start()
    done = []

    def one(index):
        try:
            for n in range(1000):
                path = volume.point / f"t{index}-{n}"
                with open(path, "wb") as f:
                    f.write(b"%d" % n * 700)
                    f.flush()
                    os.fsync(f.fileno())
                done.append((path.name, b"%d" % n * 700))
                if len(done) == 200:
                    volume.process.kill()
        except OSError:
            pass

    threads = [threading.Thread(target=one, args=(i,)) for i in range(6)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    volume.kill()
    again = start()
    for name, content in done:
        assert (again.point / name).read_bytes() == content
    again.close()
    assert b"problems=0" in fs.tool("check", container).stdout


def test_writeback_off_keeps_every_write(start, container):
    """Neither closed nor fsynced: what write(2) has returned for is there."""
    volume = start("-o", "writeback=off")
    fd = os.open(volume.point / "f", os.O_CREAT | os.O_WRONLY)
    data = b""
    for n in range(300):
        piece = os.urandom(1 + 37 * n % 5000)
        assert os.write(fd, piece) == len(piece)
        data += piece
    volume.process.kill()
    try:
        os.close(fd)
    except OSError:
        pass
    volume.kill()
    again = start()
    assert (again.point / "f").read_bytes() == data
    again.close()
    assert b"problems=0" in fs.tool("check", container).stdout
