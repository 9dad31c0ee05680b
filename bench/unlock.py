"""Cold process to key: beside Clevis and Tang, and with dead gateways."""

import os
import contextlib
import pathlib
import socket
import sys
import tempfile
import threading

import fleet
import report
import tang

sys.path.insert(0, os.path.join(report.ROOT, "tests", "e2e"))
import liar  # noqa: E402
import wire  # noqa: E402

ROUNDS = 25
DEAD_ROUNDS = 9


def unlock():
    report.progress(f"unlock 2 of 3, Clevis with Tang beside it, {ROUNDS} rounds in turn")
    problem = tang.problem()
    ours, theirs = [], []
    with fleet.Fleet(3) as f, tempfile.TemporaryDirectory(dir="/var/tmp") as directory:
        device = fleet.Device(f.start(), "cam-1", f.gateways, 2)
        clevis = None if problem else tang.ClevisUnlock(directory, 3, 2)
        try:
            for side in [device, clevis] if clevis else [device]:
                side.once()
            for _ in range(ROUNDS):
                ours.append(device.once() * 1000)
                if clevis:
                    theirs.append(clevis.once() * 1000)
        finally:
            if clevis:
                clevis.stop()
    mine = report.spread(ours)
    rows = [["conclave-device key, 2 of 3 gateways"] + [f"{v:.1f}" for v in mine] + ["1.0"]]
    if theirs:
        peer = report.spread(theirs)
        rows.append(["clevis decrypt, sss t=2 of 3 Tang servers"] + [f"{v:.1f}" for v in peer]
                    + [f"{peer[0] / mine[0]:.1f}"])
    lines = report.table("Unlock on loopback, cold process to key, ms",
                         ["", "median", "smallest", "largest", "times ours"], rows)
    if theirs:
        lines += ["conclave: TLS 1.3, evidence signed and verified, audit durable at each gateway, HPKE.",
                  "Clevis: plain HTTP to tangd behind socat (a process for each connection)."]
    lines += ["The gateways' budget for one device is raised from 40 requests at once: it unlocks again and again.",
              ""]
    return lines + (problem or [])


class BlackHole:
    """A listening socket whose backlog is full: the kernel drops further SYNs without a word."""

    def __init__(self, _gateway, _device):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(0)
        self.port = self.listener.getsockname()[1]
        self.fillers = []
        for _ in range(8):
            s = socket.socket()
            s.setblocking(False)
            s.connect_ex(("127.0.0.1", self.port))
            self.fillers.append(s)
        probe = socket.socket()
        probe.settimeout(0.3)
        try:
            probe.connect(("127.0.0.1", self.port))
        except TimeoutError:
            return
        finally:
            probe.close()
        raise RuntimeError("the black hole answers")

    def close(self):
        for s in self.fillers + [self.listener]:
            s.close()


class Silent:
    """Takes connections (the kernel does, while the backlog has room) and never says a word."""

    def __init__(self, _gateway, _device):
        self.listener = socket.socket()
        self.listener.bind(("127.0.0.1", 0))
        self.listener.listen(512)
        self.port = self.listener.getsockname()[1]

    def close(self):
        self.listener.close()


class Slow:
    """Passes everything on to a healthy gateway, but each connection only after a second."""

    DELAY_S = 1

    def __init__(self, gateway, _device):
        self.target = gateway.port
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.port = self.listener.getsockname()[1]
        threading.Thread(target=self.accept, daemon=True).start()

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.listener.accept()
                threading.Timer(self.DELAY_S, self.relay, [client]).start()

    def relay(self, client):
        with contextlib.suppress(OSError):
            server = socket.create_connection(("127.0.0.1", self.target))
            for source, sink in [(client, server), (server, client)]:
                threading.Thread(target=self.copy, args=[source, sink], daemon=True).start()

    @staticmethod
    def copy(source, sink):
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                sink.sendall(data)
            sink.shutdown(socket.SHUT_WR)

    def close(self):
        self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()


class Lying:
    """The gateway's own TLS identity and MAC key, and a wrong share: two of five gateways are taken over."""

    def __init__(self, gateway, device):
        self.id, self.state = gateway.name, pathlib.Path(gateway.state)
        self.liar = liar.Liar(self, wire.Device(device.state))
        self.port = int(self.liar.address.rsplit(":", 1)[1])

    def close(self):
        self.liar.close()


class Refused:
    """A port that was free a moment ago; it stays bound, but nobody listens."""

    def __init__(self, _gateway, _device):
        self.bound = socket.socket()
        self.bound.bind(("127.0.0.1", 0))
        self.port = self.bound.getsockname()[1]

    def close(self):
        self.bound.close()


def dead():
    report.progress(f"unlock 3 of 5 with 2 dead gateways, {DEAD_ROUNDS} rounds each")
    rows = []
    with fleet.Fleet(5) as f:
        device = fleet.Device(f.start(), "cam-1", f.gateways, 3)
        alive = {g.name: g.port for g in f.gateways}
        device.once()
        for what, kind in [("all 5 healthy", None), ("2 refuse connections", Refused),
                           ("2 black-holed", BlackHole), ("2 accept and stay silent", Silent),
                           ("2 answer a second late", Slow),
                           ("2 lie: authentic, wrong shares", Lying)]:
            device.move(alive)
            holes = [kind(g, device) for g in f.gateways[:2]] if kind else []
            ports = dict(alive)
            for hole, name in zip(holes, list(alive)[:2]):
                ports[name] = hole.port
            device.move(ports)
            rows.append([what] + [f"{v:.1f}" for v in report.spread(
                [device.once() * 1000 for _ in range(DEAD_ROUNDS)])])
            for hole in holes:
                hole.close()
    lines = report.table("Unlock 3 of 5 on loopback with dead gateways, cold process to key, ms",
                         ["", "median", "smallest", "largest"], rows)
    lines += ["A device signs one token 50 ms after the third nonce when some gateways have not answered: that",
              "is what black-holed, silent and slow gateways cost.", ""]
    return lines
