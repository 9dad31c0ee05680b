#!/usr/bin/python3
"""Runs the unit tests (cmocka programs), the check scripts and the end-to-end tests, and counts.

usage: run.py [--jobs N] [--unit PROGRAM ...] [--check 'NAME=COMMAND' ...] [--pytest ARG ...]

Prints what failed in full, everything else as one line, and ends with "N passed, N failed".
Exit status 1 if anything failed or nothing ran.
"""
import argparse
import concurrent.futures
import importlib.util
import os
import re
import subprocess
import sys
import tempfile
import time
import xml.etree.ElementTree

UNIT_TIMEOUT_S = 600


def run(argv, **kw):
    start = time.monotonic()
    try:
        p = subprocess.run(argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                           stderr=subprocess.STDOUT, timeout=UNIT_TIMEOUT_S, **kw)
        code, out = p.returncode, p.stdout
    except subprocess.TimeoutExpired as e:
        code, out = -1, (e.stdout or b"") + b"\ntimed out\n"
    return code, out.decode(errors="replace"), time.monotonic() - start


def unit(program):
    """A cmocka program: counts from its own closing lines, and its exit status decides."""
    code, out, took = run([program])
    passed = sum(int(n) for n in re.findall(r"\[  PASSED  \] (\d+) test", out))
    failed = len(set(re.findall(r"^\[  FAILED  \] (\w+)$", out, re.M)))
    if code != 0 and failed == 0:
        failed = 1
    if code == 0 and passed == 0:
        failed = 1  # a program that tested nothing
    return program, passed, failed, out, took


def check(text):
    name, command = text.split("=", 1)
    code, out, took = run(["/bin/sh", "-c", command])
    return name, int(code == 0), int(code != 0), out, took


def workers(jobs):
    """End-to-end tests mostly wait: one more of them than processors. A file stays in one process."""
    if importlib.util.find_spec("xdist") is None:
        return []
    return ["-n", str(jobs + 1), "--dist", "loadfile"]


def pytest(args):
    with tempfile.NamedTemporaryFile(suffix=".xml") as report:
        # The leak checker of a sanitized build needs what our processes' sandboxes take away; the
        # unit tests look for leaks.
        env = {"ASAN_OPTIONS": "detect_leaks=0", **os.environ}
        code = subprocess.run([sys.executable, "-m", "pytest", "-p", "no:cacheprovider",
                               "--junit-xml", report.name, *args], env=env).returncode
        suite = xml.etree.ElementTree.parse(report.name).getroot().find("testsuite")
    count = {k: int(suite.get(k)) for k in ("tests", "failures", "errors", "skipped")}
    bad = count["failures"] + count["errors"]
    if code not in (0, 5) and bad == 0:
        bad = 1
    return count["tests"] - bad - count["skipped"], bad, count["skipped"]


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1)
    parser.add_argument("--unit", nargs="*", default=[])
    parser.add_argument("--check", nargs="*", default=[])
    parser.add_argument("--pytest", nargs=argparse.REMAINDER, default=None)
    a = parser.parse_args()
    passed = failed = skipped = 0
    with concurrent.futures.ThreadPoolExecutor(a.jobs) as pool:
        jobs = [pool.submit(unit, u) for u in a.unit] + [pool.submit(check, c) for c in a.check]
        for job in concurrent.futures.as_completed(jobs):
            name, good, bad, out, took = job.result()
            passed, failed = passed + good, failed + bad
            print(f"  {'FAIL' if bad else 'ok  '} {name} ({good} passed, {bad} failed, {took:.1f} s)",
                  flush=True)
            if bad:
                print(out, flush=True)
    if a.pytest is not None:
        good, bad, skipped = pytest([*workers(a.jobs), *a.pytest])
        passed, failed = passed + good, failed + bad
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""))
    return 1 if failed or not passed else 0


if __name__ == "__main__":
    sys.exit(main())
