"""Tables, the machine they come from, and the files they go to."""

import os
import platform
import re
import shutil
import statistics
import subprocess
import sys
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BIN = os.environ.get("CONCLAVE_BIN", os.path.join(ROOT, "build", "bin"))
BENCH = os.environ.get("CONCLAVE_BENCH", os.path.join(ROOT, "build", "bench"))

PACKAGES = ["libssl3", "libssl3t64", "libsodium23", "libsqlite3-0", "libcurl4", "libcurl4t64",
            "libcjson1", "libgfshare2", "tang", "clevis", "socat", "gcc"]


def first_line(*argv):
    try:
        done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=True)
    except (OSError, subprocess.CalledProcessError):
        return ""
    return done.stdout.strip().split("\n")[0]


def read(path, pattern):
    with open(path, encoding="utf-8") as f:
        found = re.search(pattern, f.read(), re.M)
    return found.group(1).strip() if found else "unknown"


def packages():
    known = []
    for name in PACKAGES:
        version = first_line("dpkg-query", "-W", "-f", "${db:Status-Abbrev}${Version}", name)
        if version.startswith("ii"):
            known.append(f"{name} {version[2:].strip()}")
    return known


def machine(command):
    """The lines that start a result: without them a figure says nothing."""
    memory_kib = int(read("/proc/meminfo", r"^MemTotal:\s+(\d+)"))
    commit = first_line("git", "-C", ROOT, "rev-parse", "--short", "HEAD") or "unknown"
    if first_line("git", "-C", ROOT, "status", "--porcelain", "--untracked-files=no"):
        commit += " with changes"
    return [
        f"date      {time.strftime('%Y-%m-%d %H:%M:%S', time.gmtime())} UTC",
        f"command   {command}",
        f"commit    {commit}",
        f"machine   {read('/proc/cpuinfo', r'^model name.*: (.*)$')}, {os.cpu_count()} cores,"
        f" {memory_kib // 1024} MiB, {platform.machine()}",
        f"system    {read('/etc/os-release', r'^PRETTY_NAME=.(.*).$')}, Linux {platform.release()}",
        f"packages  {', '.join(packages())}",
    ]


def table(title, header, rows):
    """Text columns; the first is left, the others right aligned."""
    rows = [[str(c) for c in row] for row in rows]
    width = [max(len(r[i]) for r in [header] + rows) for i in range(len(header))]

    def line(row):
        return "  ".join(c.ljust(width[i]) if i == 0 else c.rjust(width[i])
                         for i, c in enumerate(row)).rstrip()

    return [title, line(header), line(["-" * w for w in width])] + [line(r) for r in rows] + [""]


def spread(values):
    """median, smallest, largest"""
    return statistics.median(values), min(values), max(values)


def missing(what, package):
    return [f"{what}: missing (Debian package {package}); no figure", ""]


def have(program):
    return shutil.which(program) is not None


def progress(text):
    print(f"  BENCH {text}", file=sys.stderr, flush=True)


def emit(name, command, lines):
    """Prints a result and writes it to bench/results/<date>-<name>.txt."""
    text = "\n".join(machine(command) + [""] + lines).rstrip() + "\n"
    directory = os.path.join(ROOT, "bench", "results")
    os.makedirs(directory, exist_ok=True)
    path = os.path.join(directory, f"{time.strftime('%Y-%m-%d', time.gmtime())}-{name}.txt")
    with open(path, "w", encoding="utf-8") as f:
        f.write(text)
    print("\n".join(lines), flush=True)
    progress(f"written to {os.path.relpath(path, ROOT)}")
