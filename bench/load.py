"""Releases per second of one gateway, each device connecting anew, beside the TLS handshakes per
second that openssl s_server reaches under the same generator on the same cores."""

import os
import secrets
import statistics
import subprocess
import tempfile
import time

import fleet
import report
import tang

DEVICES = 2000
THREADS = 16
SECONDS = 2
ROUNDS = 7
SIZES = [1000, 10000, 100000]


def generator(*argv):
    done = subprocess.run([os.path.join(report.BENCH, "load"), *map(str, argv)],
                          stdin=subprocess.DEVNULL, capture_output=True, text=True)
    if done.returncode != 0:
        raise RuntimeError(done.stderr.strip())
    lines = [line.split("\t") for line in done.stdout.splitlines()]
    if not lines:
        return None
    done_, failed, _, rate, median, p99, _, cpu = map(float, lines[0])
    faults = ", ".join(f"{n} {kind}" for kind, n in lines[1:])
    return {"done": int(done_), "failed": int(failed), "rate": rate, "median": median,
            "p99": p99, "cpu": cpu, "faults": faults}


class Servers:
    """openssl s_server serves one connection at a time: one of them for each core."""

    def __init__(self, directory, count):
        self.certificate = os.path.join(directory, "tls.crt")
        key = os.path.join(directory, "tls.key")
        subprocess.run(
            ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256",
             "-nodes", "-keyout", key, "-out", self.certificate, "-subj", "/CN=localhost",
             "-addext", "subjectAltName=DNS:localhost", "-days", "1"],
            check=True, stdin=subprocess.DEVNULL, capture_output=True)
        self.ports = [tang.free_port() for _ in range(count)]
        self.processes = [subprocess.Popen(
            ["openssl", "s_server", "-accept", f"127.0.0.1:{port}", "-cert", self.certificate,
             "-key", key, "-tls1_3", "-groups", "X25519", "-quiet"],
            stdin=subprocess.PIPE, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
            for port in self.ports]
        for port in self.ports:
            tang.wait_until_open(port)

    def once(self, count):
        return generator("handshake", "127.0.0.1", ",".join(map(str, self.ports[:count])),
                         self.certificate, "localhost", THREADS, SECONDS)

    def stop(self):
        for p in self.processes:
            p.terminate()
            p.wait()
            p.stdin.close()


def row(what, rounds, ceiling):
    best = sorted(rounds, key=lambda r: r["rate"])[len(rounds) // 2]
    return [what, f"{best['rate']:.0f}", f"{min(r['rate'] for r in rounds):.0f}",
            f"{max(r['rate'] for r in rounds):.0f}", f"{best['median']:.1f}", f"{best['p99']:.1f}",
            sum(r["failed"] for r in rounds), f"{100 * best['rate'] / ceiling:.0f} %"], best["rate"]


def load():
    if not report.have("openssl"):
        return report.missing("openssl s_server", "openssl")
    cores = os.cpu_count()
    report.progress(f"releases per second, {ROUNDS} rounds of {SECONDS} s in turn")
    seed = secrets.token_hex(32)
    one, each, ours = [], [], []
    with fleet.Fleet(1) as f, tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        gateway = f.gateways[0]
        generator("fill", gateway.state, fleet.FLEET, gateway.name, seed, DEVICES)
        f.start()
        servers = Servers(directory, cores)
        try:
            for _ in range(ROUNDS):
                one.append(servers.once(1))
                each.append(servers.once(cores))
                ours.append(generator("release", "127.0.0.1", gateway.port, f.tls_root(),
                                      fleet.FLEET, gateway.name, seed, DEVICES, THREADS, SECONDS))
        finally:
            servers.stop()
    faults = "; ".join(r["faults"] for r in ours if r["faults"])
    top = statistics.median(r["rate"] for r in each)
    rows = [row(f"openssl s_server, one for each core ({cores}): TLS only", each, top)[0],
            row("openssl s_server, one: TLS only", one, top)[0],
            row("conclave-gateway: releases", ours, top)[0]]
    share = statistics.median(o["rate"] / e["rate"] for o, e in zip(ours, each))
    single = statistics.median(o["rate"] / e["rate"] for o, e in zip(ours, one))
    lines = report.table(
        f"One gateway, {DEVICES} devices, each release over a new TLS 1.3 connection, "
        f"{THREADS} at once, {cores} cores shared with the generator",
        ["", "per second", "smallest", "largest", "median ms", "99 % ms", "failed", "of ceiling"],
        rows)
    lines += [
        f"Median of the rounds' ratios: {100 * share:.0f} % of the ceiling with an s_server for each"
        f" core, {100 * single:.0f} % of one s_server.",
        "A release: connection, TLS, POST /v1/nonce, a token signed over that nonce, POST /v1/authorize,",
        "both answers' MACs verified; one share in 64 is opened and compared. Nothing is precomputed but",
        "the devices' keys. The audit record is durable on the disk before the share leaves.", ""]
    if faults:
        lines += [f"failures: {faults}", ""]
    return lines


def resident_mib(pids):
    total = 0
    for pid in pids:
        total += int(report.read(f"/proc/{pid}/status", r"^VmRSS:\s+(\d+)"))
    return total / 1024


def size():
    """One gateway with more and more devices: does a release cost the same?"""
    rows = []
    for count in SIZES:
        report.progress(f"one gateway with {count:,} devices")
        seed = secrets.token_hex(32)
        with fleet.Fleet(1) as f:
            gateway = f.gateways[0]
            generator("fill", gateway.state, fleet.FLEET, gateway.name, seed, count)
            start = time.perf_counter()
            f.start()
            ready = time.perf_counter() - start
            # Every device that asks is one that has not been asked for since the start.
            result = generator("release", "127.0.0.1", gateway.port, f.tls_root(), fleet.FLEET,
                               gateway.name, seed, count, 1, SECONDS)
            with open(f"/proc/{gateway.process.pid}/task/{gateway.process.pid}/children",
                      encoding="ascii") as children:
                memory = resident_mib([gateway.process.pid, *map(int, children.read().split())])
        rows.append([f"{count:,}", f"{result['median']:.2f}", f"{result['p99']:.2f}",
                     result["failed"], f"{ready:.1f}", f"{memory:.0f}"])
    return report.table(
        "One gateway and the number of its devices; one device asks after another",
        ["devices", "release ms, median", "99 %", "failed", "start-up s", "memory MiB"], rows)
