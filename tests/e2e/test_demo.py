"""`conclave demo`: plays to the end, and leaves nothing behind, also when it is stopped."""

import os
import pathlib
import signal
import subprocess

import pytest

from conftest import (FUSE, OK, children_of, clean_env, needs_fuse, program, run)


def left_behind(directory):
    mounts = pathlib.Path("/proc/self/mounts").read_text()
    return [*os.listdir(directory), *(m for m in mounts.splitlines() if str(directory) in m)]


@needs_fuse
def test_the_demo_plays_to_the_end_and_leaves_nothing(workdir):
    r = run([program("conclave"), "demo"], env={"TMPDIR": workdir}, timeout=120)
    assert "2 of 3" in r.out and "the same" in r.out
    assert "exits 10" in r.out and "exits 11" in r.out
    assert left_behind(workdir) == []


@needs_fuse
def test_the_demo_speaks_json(workdir):
    r = run([program("conclave"), "demo", "--json"], env={"TMPDIR": workdir}, timeout=120)
    assert r.json["ok"] and r.json["files"] > 0
    assert r.json["ms"] < 60000


@needs_fuse
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
@pytest.mark.parametrize("after", [" 2.", " 5.", " 8."])
def test_a_demo_that_is_stopped_leaves_nothing(workdir, number, after):
    ours = set(children_of(os.getpid()))
    p = subprocess.Popen([program("conclave"), "demo"], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                         env=clean_env({"TMPDIR": workdir}), start_new_session=True)
    while True:
        line = read_line_of(p)
        assert line, "the demo ended before it was stopped"
        if line.startswith(after):
            break
    os.killpg(p.pid, number)  # as a terminal does: to the whole group
    out, err = p.communicate(timeout=60)
    assert p.returncode not in (OK, -number), (out, err)
    assert left_behind(workdir) == []
    assert set(children_of(os.getpid())) <= ours


def read_line_of(p):
    line = b""
    while not line.endswith(b"\n"):
        c = os.read(p.stdout.fileno(), 1)
        if not c:
            return ""
        line += c
    return line.decode()


def test_without_fuse_the_demo_says_so(workdir):
    """In a mount namespace whose /dev has no fuse."""
    # its copies of the mounts of tests beside this one would keep those volumes open
    hide = ["unshare", "--mount", "sh", "-c", "umount --internal-only --lazy --all -t fuse.conclave;"
            "mount -t tmpfs none /dev && exec \"$0\" demo"]
    probe = subprocess.run(["unshare", "--mount", "true"], capture_output=True, check=False)
    if probe.returncode != 0 or os.geteuid() != 0:
        pytest.skip("no mount namespaces here")
    r = run([*hide, program("conclave")], want=FUSE, env={"TMPDIR": workdir})
    assert "/dev/fuse" in r.err
    assert left_behind(workdir) == []


@needs_fuse
def test_a_demo_that_fails_says_why_and_leaves_nothing(workdir):
    """A device program that refuses everything."""
    broken = workdir / "broken"
    broken.write_text("#!/bin/sh\necho this one is broken >&2\nexit 7\n")
    broken.chmod(0o755)
    tmp = workdir / "tmp"
    tmp.mkdir()
    r = run([program("conclave"), "demo"], env={"TMPDIR": tmp, "CONCLAVE_DEVICE": broken}, want=1,
            timeout=120)
    assert "exit code 7" in r.err and "this one is broken" in r.err
    assert left_behind(tmp) == []
