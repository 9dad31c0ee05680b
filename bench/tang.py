"""Tang servers on loopback, started for each connection by socat as systemd's socket would, and a
Clevis sss pin over them."""

import json
import os
import socket
import subprocess
import time

import report

TANGD = "/usr/libexec/tangd"
KEYGEN = "/usr/libexec/tangd-keygen"


def problem():
    """None, or the lines that say what is missing."""
    for what, path, package in [("Tang", TANGD, "tang"), ("Tang", KEYGEN, "tang")]:
        if not os.path.exists(path):
            return report.missing(what, package)
    for program in ["clevis", "clevis-decrypt-sss", "socat", "jose"]:
        if not report.have(program):
            return report.missing(program, program.split("-")[0])
    return None


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


def wait_until_open(port):
    end = time.monotonic() + 10
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), timeout=1).close()
            return
        except OSError:
            if time.monotonic() > end:
                raise


class Tang:
    def __init__(self, directory):
        os.makedirs(directory)
        subprocess.run([KEYGEN, directory], check=True, stdin=subprocess.DEVNULL,
                       capture_output=True)
        self.port = free_port()
        self.process = subprocess.Popen(
            ["socat", f"TCP-LISTEN:{self.port},bind=127.0.0.1,fork,reuseaddr,backlog=128",
             f"EXEC:{TANGD} {directory}"],
            stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        wait_until_open(self.port)
        self.thumbprint = self.find_thumbprint(directory)

    @staticmethod
    def find_thumbprint(directory):
        for name in sorted(os.listdir(directory)):
            path = os.path.join(directory, name)
            with open(path, encoding="utf-8") as f:
                if "verify" in json.load(f).get("key_ops", []):
                    return report.first_line("jose", "jwk", "thp", "-i", path)
        raise RuntimeError("tangd-keygen made no signing key")

    def stop(self):
        self.process.terminate()
        self.process.wait()


class ClevisUnlock:
    """clevis decrypt of a 32-byte secret under t of the servers."""

    def __init__(self, directory, servers, threshold):
        self.servers = [Tang(os.path.join(directory, f"tang-{i}")) for i in range(servers)]
        pin = {"t": threshold, "pins": {"tang": [
            {"url": f"http://127.0.0.1:{s.port}", "thp": s.thumbprint} for s in self.servers]}}
        self.secret = os.urandom(32)
        done = subprocess.run(["clevis", "encrypt", "sss", json.dumps(pin)], input=self.secret,
                              capture_output=True)
        if done.returncode != 0:
            raise RuntimeError("clevis encrypt: " + done.stderr.decode(errors="replace").strip())
        self.jwe = done.stdout

    def once(self):
        start = time.perf_counter()
        done = subprocess.run(["clevis", "decrypt"], input=self.jwe, capture_output=True)
        took = time.perf_counter() - start
        if done.returncode != 0 or done.stdout != self.secret:
            raise RuntimeError("clevis decrypt: " + done.stderr.decode(errors="replace").strip())
        return took

    def stop(self):
        for s in self.servers:
            s.stop()
