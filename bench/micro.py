"""Figures of single functions: split and combine beside libgfshare, and the steps of a release."""

import os
import statistics
import subprocess
import tempfile

import report


def rows_of(*argv):
    done = subprocess.run(argv, stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    return [line.split("\t") for line in done.stdout.splitlines()]


def shamir():
    report.progress("split and combine, libgfshare beside it")
    sides = {}
    for what, who, median, low, high in rows_of(os.path.join(report.BENCH, "shamir")):
        sides.setdefault(what, {})[who] = (float(median), float(low), float(high))
    rows, peer = [], False
    for what, by in sides.items():
        ours, theirs = by["conclave"], by.get("libgfshare")
        peer = peer or theirs is not None
        rows.append([what, f"{ours[0]:.0f}", f"{theirs[0]:.0f}" if theirs else "missing",
                     f"{theirs[0] / ours[0]:.2f}" if theirs else "-"])
    lines = report.table("Split and combine of a 32-byte secret, ns, median of 21 rounds in turn",
                         ["", "conclave", "libgfshare", "times faster"], rows)
    lines += ["Coefficients from libsodium on both sides, inside the time. conclave works in constant time",
              "without tables; libgfshare looks up logarithms by secret bytes.", ""]
    return lines if peer else lines + report.missing("libgfshare", "libgfshare-dev")


def alerts():
    report.progress("alerts into the outbox and out to a webhook")
    rounds = []
    for _ in range(3):
        with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="conclave-bench-") as directory:
            rounds.append(rows_of(os.path.join(report.BENCH, "alerts"), directory)[0])
    durable, delivered, median, largest = (
        statistics.median(float(r[i]) for r in rounds) for i in range(4))
    return report.table(
        "Alerts through the sender to one webhook on loopback, 10,000 each, median of 3 runs",
        ["", "value"],
        [["durable in the outbox, per second", f"{durable:.0f}"],
         ["delivered (signed, plain HTTP, 4 at once), per second", f"{delivered:.0f}"],
         ["one alert from keeper to receiver, ms, median", f"{median / 1000:.2f}"],
         ["one alert from keeper to receiver, ms, largest", f"{largest / 1000:.2f}"]])


def policy():
    report.progress("policies: verdicts, and 100,000 devices in 1,000 groups")
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="conclave-bench-") as directory:
        rows = rows_of(os.path.join(report.BENCH, "policy"), directory)
    verdicts, load = rows[:-1], rows[-1]
    lines = report.table(
        "Policies, us, one core, median of 21 rounds", ["what", "median", "smallest", "largest"],
        [[r[0]] + [f"{float(v) / 1000:.2f}" for v in r[1:]] for r in verdicts])
    own, largest = float(verdicts[0][1]) / 1000, float(verdicts[2][1]) / 1000
    lines += [f"what the largest policy adds to a release  {largest - own:7.1f} us",
              f"{load[0]}: {float(load[1]) / 1e9:.2f} s"
              f" ({float(load[2]) / 1e9:.2f} .. {float(load[3]) / 1e9:.2f}), aim 2 s", ""]
    return lines


def steps():
    report.progress("steps of a release")
    with tempfile.TemporaryDirectory(dir="/var/tmp", prefix="conclave-bench-") as directory:
        rows = rows_of(os.path.join(report.BENCH, "steps"), directory)
    size = rows.pop(0)[1]
    keeper = [r for r in rows if r[0].startswith(
        ("nonce", "request", "record", "policy", "evidence", "verdict", "share", "answer"))]
    work_us = sum(float(r[1]) for r in keeper) / 1000
    lines = report.table(
        f"Steps of a release, us, one core, median of 21 rounds (request of {size} bytes)",
        ["step", "median", "smallest", "largest"],
        [[r[0]] + [f"{float(v) / 1000:.2f}" for v in r[1:]] for r in rows])
    by_name = {r[0]: float(r[1]) / 1000 for r in rows}
    disk = by_name["transaction of 128 releases, durable"] / 128
    tls = next(v for k, v in by_name.items() if "gateway's side" in k)
    proof = sum(v for k, v in by_name.items() if k.startswith(("evidence", "quote")))
    lines += [f"keeper's work for one release   {work_us:7.1f} us",
              f"store, 128 to a transaction     {disk:7.1f} us",
              f"TLS, gateway's side             {tls:7.1f} us",
              f"token and quote of a TPM device {proof:7.1f} us, {proof / tls:.2f} of TLS",
              f"sum                             {work_us + disk + tls:7.1f} us, without HTTP,"
              " processes and the second request", ""]
    return lines
