#!/usr/bin/python3
"""The volume beside encrypted peers, plain ext4 and libfuse's passthrough example.

usage: fs.py        (root; everything is chosen by the environment)

BENCH_ROUNDS=3      rounds; in each every side has its turn, and the median counts
BENCH_PEERS="..."   only these beside conclave (gocryptfs securefs cryfs encfs ext4 passthrough; none)
BENCH_ROWS="..."    only these groups: content random append small tree fsync mount; or scale, which
                    is about the volume alone: more and more files, a sparse container of 1 TiB
BENCH_SCALE=1.0     sizes and counts times this
BENCH_DIR=/var/tmp  where the filesystems are
BENCH_OPTIONS=""    further options of conclave-volumed
BENCH_FILES=...     numbers of files for scale (1000 10000 100000)
"""

import os
import statistics
import subprocess
import sys
import tempfile
import time

import fs_sides
import report

ROUNDS = int(os.environ.get("BENCH_ROUNDS", "3"))
SCALE = float(os.environ.get("BENCH_SCALE", "1"))
GROUPS = ["content", "random", "append", "small", "tree", "fsync", "mount"]
PAGES = 16384  # of the file for random access: 64 MiB


def scaled(n):
    return max(64, int(n * SCALE))


class Runner:
    """One side in one round: runs steps and keeps what they say."""

    def __init__(self, side, results):
        self.side = side
        self.results = results

    def note(self, row, value):
        self.results.setdefault(row, {}).setdefault(self.side.name, []).append(value)

    def path(self, name):
        return os.path.join(self.side.point, name)

    def ops(self, step, name, *args):
        argv = [os.path.join(report.BENCH, "fs_ops"), step, self.path(name), *map(str, args)]
        done = subprocess.run(argv, capture_output=True, text=True, check=False, timeout=900)
        if done.returncode:
            raise RuntimeError(done.stderr.strip())
        seconds, count, median, late = done.stdout.split()
        return float(seconds), int(count), int(median), int(late)

    def rate(self, row, step, name, *args, unit=1.0):
        try:
            seconds, count, _, _ = self.ops(step, name, *args)
            self.note(row, count / unit / seconds)
        except (RuntimeError, subprocess.TimeoutExpired) as e:
            self.failed(row, e)

    def failed(self, row, why):
        report.progress(f"{self.side.name}: {row}: failed: {why}")
        self.note(row, None)

    def again(self):
        """Mounted anew: the kernel's caches of this mount are empty."""
        self.side.unmount()
        self.side.mount()

    def content(self):
        mib = scaled(256)
        self.rate("sequential write, 1 MiB, MiB/s", "write", "big", mib, unit=1 << 20)
        self.again()
        self.rate("sequential read, 1 MiB, MiB/s", "read", "big", unit=1 << 20)
        os.unlink(self.path("big"))

    def random(self):
        self.ops("write", "pages", PAGES * 4096 >> 20)
        self.again()
        for threads in (1, 32):
            self.rate(f"random 4 KiB write, depth {threads}, 1/s", "random-write", "pages",
                      scaled(PAGES), threads)
        for threads in (1, 32):
            self.rate(f"random 4 KiB write + fdatasync, depth {threads}, 1/s", "random-write",
                      "pages", scaled(1000 * (1 + threads // 8)), threads, "sync")
        for threads in (1, 32):
            self.rate(f"random 4 KiB read, depth {threads}, 1/s", "random-read", "pages",
                      scaled(PAGES), threads)
        os.unlink(self.path("pages"))

    def append(self):
        self.rate("append 512 bytes, 1/s", "append", "log", scaled(50000))
        self.rate("append 512 bytes + fdatasync, 1/s", "append", "log", scaled(1000), 1, "sync")
        os.unlink(self.path("log"))

    def small(self):
        count = scaled(20000)
        self.rate("create 1 KiB files, 1/s", "create", "small", count)
        self.rate("stat, warm, 1/s", "stat", "small", count)
        self.rate("readdir, warm, names/s", "list", "small", count)
        self.again()
        self.rate("readdir, cold, names/s", "list", "small", count)
        self.again()
        self.rate("stat, cold, 1/s", "stat", "small", count)
        self.again()
        self.rate("read 1 KiB files, cold, 1/s", "read-small", "small", count)
        self.rate("unlink, 1/s", "unlink", "small", count)
        self.rate("create 1 KiB files + fsync, 1/s", "create", "small", scaled(1000), 1, "sync")

    def tree(self):
        archive = tree_archive()
        began = time.monotonic()
        os.mkdir(self.path("tree"))
        fs_sides.run(["tar", "-xf", archive, "-C", self.path("tree")])
        self.note("untar a source tree, s", time.monotonic() - began)
        self.rate("walk it and read all, warm, names/s", "walk", "tree")
        self.again()
        self.rate("walk it and read all, cold, names/s", "walk", "tree")
        began = time.monotonic()
        fs_sides.run(["rm", "-r", self.path("tree")])
        self.note("rm -r of it, s", time.monotonic() - began)

    def latency(self, row):
        self.ops("write", "sync", 16)
        try:
            _, _, median, late = self.ops("random-write", "sync", scaled(400), 1, "sync")
            self.note(f"write 4 KiB + fdatasync, {row}, median us", median)
            self.note(f"write 4 KiB + fdatasync, {row}, 99 % us", late)
        except RuntimeError as e:
            self.failed(f"write 4 KiB + fdatasync, {row}, median us", e)
        os.unlink(self.path("sync"))

    def fsync(self):
        self.latency("fresh")
        self.ops("age", "aged", scaled(768))
        self.latency("aged")

    def mount(self):
        self.side.unmount()
        self.note("mount, clean, ms", self.side.mount() * 1000)
        try:
            self.ops("create", "crash", scaled(2000))
            self.side.kill()
            self.note("mount after kill -9, ms", self.side.mount() * 1000)
        except fs_sides.Missing:
            pass


    def scale(self):
        """Rates with more and more files, the earlier ones staying; then a volume of 1 TiB."""
        total = 0
        for count in map(int, os.environ.get("BENCH_FILES", "1000 10000 100000").split()):
            name = f"scale{count}"
            self.rate(f"create 1 KiB files, {count:,} of them, 1/s", "create", name, count)
            total += count
            self.again()
            self.rate(f"stat, cold, {count:,} files, 1/s", "stat", name, min(count, 20000))
            began = time.monotonic()
            self.again()
            self.note(f"unmount and mount, {total:,} files, ms", (time.monotonic() - began) * 1000)
        for count in map(int, os.environ.get("BENCH_FILES", "1000 10000 100000").split()):
            self.rate(f"unlink, {count:,} files, 1/s", "unlink", f"scale{count}", count)
        self.side.unmount()
        self.note("peak memory after that, MiB", self.side.peak_kib / 1024)
        for gib in (1, 1024):
            self.sized(gib)
        self.side.mount()

    def sized(self, gib):
        side, title = self.side, f"in {gib} GiB"
        os.rename(side.base / "container", side.base / "kept")
        fs_sides.fs_support.tool("create", side.base / "container", gib << 30)
        side.mount()
        side.peak_kib = 0
        self.rate(f"sequential write, {title}, MiB/s", "write", "big", 256, unit=1 << 20)
        self.ops("write", "pages", PAGES * 4096 >> 20)
        self.rate(f"random 4 KiB write + fdatasync, {title}, 1/s", "random-write", "pages", 1000, 1, "sync")
        self.rate(f"create 1 KiB files, {title}, 1/s", "create", "small", 5000)
        side.unmount()
        self.note(f"mount, clean, {title}, ms", side.mount() * 1000)
        side.unmount()
        self.note(f"peak memory, {title}, MiB", side.peak_kib / 1024)
        os.replace(side.base / "kept", side.base / "container")


ARCHIVE = []


def tree_archive():
    return ARCHIVE[0]


def measure_side(kind, work, groups, results, peaks):
    try:
        side = kind(work)
    except fs_sides.Missing as e:
        return str(e)
    try:
        runner = Runner(side, results)
        side.mount()
        for group in groups:
            try:
                getattr(runner, group)()
            except (RuntimeError, OSError, subprocess.TimeoutExpired) as e:
                report.progress(f"{side.name}: {group}: failed: {e}")
                runner.note(f"{group} (whole group)", None)
        side.unmount()
        peaks.setdefault(side.name, []).append(side.peak_kib / 1024)
        side.remove()
    finally:
        side.abandon()
    return f"{side.version()}"


def number(value):
    if value >= 1000:
        return f"{value:,.0f}"
    return f"{value:.0f}" if value >= 100 else f"{value:.1f}" if value >= 10 else f"{value:.2f}"


def cell(values):
    good = [v for v in values or [] if v is not None]
    if not values:
        return "-"
    return number(statistics.median(good)) if len(good) == len(values) else "failed"


ENCRYPTED = ["gocryptfs", "securefs", "cryfs", "encfs"]
# It answers fsync without a flush: strace of its process shows no fsync, fdatasync or syncfs for 200 of them.
NO_FLUSH = ["cryfs"]


def ratio(row, by_side):
    """Ours over the best encrypted peer; more than 1 is better in every row."""
    def median(name):
        good = [v for v in by_side.get(name, []) if v is not None]
        return statistics.median(good) if good else None
    ours = median("conclave")
    less_is_better = row.rsplit(" ", 1)[1] in ("us", "ms", "s", "MiB")
    durable = "fsync" in row or "fdatasync" in row
    peers = {n: m for n in ENCRYPTED if not (durable and n in NO_FLUSH) and (m := median(n))}
    if not ours or not peers:
        return "-", "-"
    best = min(peers, key=peers.get) if less_is_better else max(peers, key=peers.get)

    def over(peer):
        return f"{(peers[peer] / ours if less_is_better else ours / peers[peer]):.2f}"
    return (over("gocryptfs") if "gocryptfs" in peers else "-"), f"{over(best)} {best}"


def lines(sides, results, versions):
    names = [s.name for s in sides]
    out = [f"{n}: {versions[n]}" for n in names] + [""]
    rows = []
    for row, by_side in results.items():
        go, best = ratio(row, by_side)
        rows.append([row, *(cell(by_side.get(n)) for n in names), go, best])
    out += report.table(
        f"Medians of {ROUNDS} rounds, sizes times {SCALE:g}; the last two columns are ours over gocryptfs and over the"
        " best encrypted peer, above 1 being better", ["", *names, "/gocryptfs", "/best"], rows)
    out += ["random and append rows count until close returns; sequential write until fsync returns; cold: mounted",
            "anew, what is below still in the host's cache; mount: with the peers' own password hashing;",
            "CryFS answers fsync without flushing anything and is left out of the last column in those rows"]
    return out


def main():
    if sys.argv[1:]:
        print(__doc__)
        return 0 if sys.argv[1] in ("-h", "--help") else 2
    wanted = os.environ.get("BENCH_PEERS")
    groups = os.environ.get("BENCH_ROWS", " ".join(GROUPS)).split()
    sides = [s for s in fs_sides.ALL if wanted is None or s.name == "conclave" or s.name in wanted.split()]
    if groups == ["scale"]:
        sides = [fs_sides.Conclave]
    elif os.geteuid() or set(groups) - set(GROUPS):
        print("fs.py: needs root, and BENCH_ROWS of: " + " ".join(GROUPS), file=sys.stderr)
        return 2
    results, versions, peaks = {}, {}, {}
    with tempfile.TemporaryDirectory(dir=os.environ.get("BENCH_DIR", "/var/tmp"), prefix="conclave-fs-") as work:
        if "tree" in groups:
            cached = os.path.join(report.ROOT, "build", "bench", "tree.tar")
            if not os.path.exists(cached):
                fs_sides.run(["sh", os.path.join(report.ROOT, "bench", "fs_tree.sh"), cached])
            ARCHIVE.append(cached)
        for turn in range(ROUNDS):
            for kind in sides:
                report.progress(f"round {turn + 1} of {ROUNDS}: {kind.name}")
                versions[kind.name] = measure_side(kind, work, groups, results, peaks)
    results["peak memory of the daemon, MiB"] = {n: p for n, p in peaks.items() if n != "ext4"}
    text = lines(sides, results, versions)
    if wanted is None and groups == GROUPS:
        report.emit("fs", f"BENCH_ROUNDS={ROUNDS} BENCH_SCALE={SCALE:g} make bench-fs", text)
    elif groups == ["scale"]:
        report.emit("fs-scale", "make bench-fs BENCH_ROWS=scale", text)
    else:
        print("\n".join(text))
    return 0


if __name__ == "__main__":
    sys.exit(main())
