"""A fleet on loopback made with the ordinary commands: gateways, and devices that unlock."""

import json
import os
import re
import select
import shutil
import subprocess
import tempfile
import time

import report

FLEET = "bench"
READY_S = 60
DEVICE_BURST = 10000  # one device asks again and again here; 40 is the default


def run(program, *argv, **kwargs):
    """A program of ours; its error text is the exception's."""
    done = subprocess.run([os.path.join(report.BIN, program), *argv], stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, **kwargs)
    if done.returncode != 0:
        raise RuntimeError(f"{program} {' '.join(argv)}: exit {done.returncode}: "
                           f"{done.stderr.strip() or done.stdout.strip()}")
    return done.stdout


class Gateway:
    def __init__(self, fleet, name):
        self.fleet, self.name = fleet, name
        self.state = os.path.join(fleet.directory, name)
        self.config = os.path.join(fleet.directory, name + ".ini")
        self.log = os.path.join(fleet.directory, name + ".log")
        self.process = None
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(f"[gateway]\nid = {name}\nstate = {self.state}\n\n"
                    "[listen]\ndevices = 127.0.0.1:0\noperators = 127.0.0.1:0\n"
                    "metrics = 127.0.0.1:0\n\n[log]\nlevel = warning\n\n"
                    "[sandbox]\nmode = best-effort\n\n"
                    f"[limits]\ndevice_burst = {DEVICE_BURST}\n{fleet.limits}")
        request = os.path.join(fleet.directory, name + ".req")
        out = run("conclave-gateway", "init", "--name", name, "--state", self.state,
                  "--request", request)
        fingerprint = re.search(r"^fingerprint (.+)$", out, re.M).group(1)
        grant = os.path.join(fleet.directory, name + ".grant")
        fleet.conclave("gateway", "add", request, "--fingerprint", fingerprint, "--out", grant)
        run("conclave-gateway", "install", grant, "--state", self.state)

    def start(self):
        self.process = subprocess.Popen(
            [os.path.join(report.BIN, "conclave-gateway"), "run", "--config", self.config],
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=open(self.log, "ab"))
        if not select.select([self.process.stdout], [], [], READY_S)[0]:
            raise RuntimeError(f"{self.name}: not ready after {READY_S} s")
        line = self.process.stdout.readline().decode()
        found = re.search(r"devices=\S+?:(\d+) operators=\S+?:(\d+) metrics=\S+?:(\d+)", line)
        if not found:
            with open(self.log, encoding="utf-8") as f:
                raise RuntimeError(f"{self.name}: {f.read().strip()[-500:]}")
        self.port, self.operators, self.metrics = map(int, found.groups())
        self.fleet.conclave("gateway", "address", self.name, "--address", f"127.0.0.1:{self.port}",
                            "--operators", f"127.0.0.1:{self.operators}")

    def stop(self):
        if self.process:
            self.process.terminate()
            self.process.wait()
            self.process.stdout.close()
        self.process = None


class Device:
    """Its state directory, from `device add --state-dir`; unlocks with `conclave-device key`."""

    def __init__(self, fleet, name, gateways, threshold):
        self.state = os.path.join(fleet.directory, name)
        self.run_dir = os.path.join(fleet.directory, name + "-run")
        self.config = os.path.join(fleet.directory, name + ".ini")
        os.mkdir(self.run_dir, 0o700)
        volume = os.path.join(fleet.directory, name + ".cv")
        with open(self.config, "w", encoding="utf-8") as f:
            f.write(f"[device]\ncontainer = {volume}\n")
        fleet.conclave("device", "add", name, "--gateways", ",".join(g.name for g in gateways),
                       "--threshold", str(threshold), "--volume", volume, "--size", "64MiB",
                       "--no-recovery", "--state-dir", self.state)

    def move(self, ports):
        """Rewrites the unsigned address file: {gateway: port}."""
        path = os.path.join(self.state, "gateways.json")
        with open(path, encoding="utf-8") as f:
            document = json.load(f)
        for g in document["gateways"]:
            g["address"] = f"127.0.0.1:{ports[g['gateway']]}"
        with open(path, "w", encoding="utf-8") as f:
            json.dump(document, f)

    def once(self):
        """Seconds from starting the process until it has ended with the key in our hands."""
        inside, outside = os.pipe()
        start = time.perf_counter()
        done = subprocess.run(
            [os.path.join(report.BIN, "conclave-device"), "key", "--fd", str(outside),
             "--state", self.state, "--run", self.run_dir, "--config", self.config,
             "--timeout", "20s"],
            stdin=subprocess.DEVNULL, capture_output=True, pass_fds=[outside])
        took = time.perf_counter() - start
        os.close(outside)
        key = os.read(inside, 64)
        os.close(inside)
        if done.returncode != 0 or len(key) != 32:
            raise RuntimeError(f"conclave-device key: exit {done.returncode}: "
                               f"{done.stderr.decode(errors='replace').strip()[-500:]}")
        return took


class Fleet:
    """Use as a context: everything is stopped and removed at the end."""

    def __init__(self, gateways, limits=""):
        self.directory = tempfile.mkdtemp(dir="/var/tmp", prefix="conclave-bench-")
        self.limits = limits  # further lines of [limits] in every gateway.ini
        self.data = os.path.join(self.directory, "fleet")
        self.gateways = []
        try:
            self.conclave("fleet", "init", "--name", FLEET, "--no-passphrase")
            for i in range(gateways):
                self.gateways.append(Gateway(self, f"gw-{i + 1}"))
        except BaseException:
            self.__exit__()
            raise

    def conclave(self, *argv):
        return run("conclave", *argv, "--fleet", self.data)

    def start(self):
        for g in self.gateways:
            g.start()
        return self

    def tls_root(self):
        for folder, _, names in os.walk(self.gateways[0].state):
            for name in names:
                path = os.path.join(folder, name)
                if name.endswith((".pem", ".crt")) and "root" in path[len(self.directory):]:
                    return path
        raise RuntimeError("no TLS root in the gateway's state")

    def __enter__(self):
        return self

    def __exit__(self, *unused):
        for g in self.gateways:
            g.stop()
        shutil.rmtree(self.directory, ignore_errors=True)
