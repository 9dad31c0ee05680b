"""What an attacker can tell apart: an id that the gateway does not know, and a wrong MAC of one that it knows."""

import os
import random
import socket
import ssl
import statistics
import sys
import time

import fleet
import report

sys.path.insert(0, os.path.join(report.ROOT, "tests", "e2e"))
import wire  # noqa: E402

ROUNDS = 4000


class Connection:
    """One kept connection, written and read by hand: the clock covers a request and its answer alone."""

    def __init__(self, device, gateway):
        raw = socket.create_connection(device.gateways[gateway])
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.tls = device.context.wrap_socket(
            raw, server_hostname=wire.ref.gateway_dns_name(device.fleet, gateway))

    def ask(self, name, body):
        """(microseconds, status, bytes of the whole answer) of a request under a random MAC."""
        header = wire.ref.request_header(name, os.urandom(32))
        text = (f"POST /v1/nonce HTTP/1.1\r\nHost: g\r\nContent-Type: application/json\r\n"
                f"Conclave-MAC: {header}\r\nContent-Length: {len(body)}\r\n\r\n").encode() + body
        start = time.perf_counter_ns()
        self.tls.sendall(text)
        got = b""
        while b"\r\n\r\n" not in got:
            got += self.more()
        head, rest = got.split(b"\r\n\r\n", 1)
        length = next(int(line.split(b":")[1]) for line in head.split(b"\r\n")
                      if line.lower().startswith(b"content-length"))
        while len(rest) < length:
            rest += self.more()
        took = (time.perf_counter_ns() - start) / 1000
        return took, head.split(b" ")[1].decode(), len(head) + len(rest)

    def more(self):
        data = self.tls.recv(65536)
        if not data:
            raise RuntimeError("the gateway closed the connection")
        return data

    def close(self):
        try:
            self.tls.close()
        except ssl.SSLError:
            pass


def measure(device, gateway, names):
    """{what: [microseconds]}, {what: {(status, length)}}; every round asks each once, in random order."""
    took = {what: [] for what in names}
    seen = {what: set() for what in names}
    body = wire.ref.compact(device.ids(boot_id=wire.ref.b64u(device.boot_id))).encode()
    connection = Connection(device, gateway)
    for n in range(ROUNDS):
        if n % 200 == 199:
            connection.close()
            connection = Connection(device, gateway)
        order = list(names)
        random.shuffle(order)
        for what in order:
            us, status, length = connection.ask(names[what], body)
            took[what].append(us)
            seen[what].add((status, length))
    connection.close()
    return took, seen


def strangers():
    report.progress(f"unknown device and wrong MAC, {ROUNDS} requests each, mixed")
    with fleet.Fleet(2, limits="failures_burst = 0\n") as f:
        fleet.Device(f.start(), "cam-1", f.gateways, 2)
        device = wire.Device(os.path.join(f.directory, "cam-1"))
        took, seen = measure(device, f.gateways[0].name,
                             {"unknown device": "cam-9", "known device, wrong MAC": "cam-1",
                              "unknown device, again": "cam-8"})
    rows = [[what, *[f"{v:.1f}" for v in statistics.quantiles(times, n=4)],
             ", ".join(f"{s}: {n} bytes" for s, n in sorted(seen[what]))] for what, times in took.items()]
    a, b, c = (statistics.median(t) for t in took.values())
    return report.table("What a stranger can tell apart, us for one request on an open connection",
                        ["", "quarter", "median", "three quarters", "answers"], rows) + [
        f"between the medians of unknown and wrong MAC: {abs(a - b):.1f} us; between two unknown ids: "
        f"{abs(a - c):.1f} us.", ""]
