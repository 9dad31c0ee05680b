"""A device with a software TPM: its enrolment by files, a maker who certifies its chip, and a relay
that misbehaves between device and TPM."""
import contextlib
import datetime
import hashlib
import os
import socket
import struct
import subprocess
import threading

import wire  # noqa: F401  (finds the references)
from conftest import Device, OK, program, run
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

import tpm_reference as tpm_ref

NV_ECC, NV_RSA = 0x01c0000a, 0x01c00002
QUOTE, CREATE_PRIMARY, LOAD, ACTIVATE = 0x158, 0x131, 0x157, 0x147
EK_OID = x509.ObjectIdentifier("2.23.133.8.1")
NOW = datetime.datetime.now(datetime.timezone.utc).replace(tzinfo=None)


class Maker:
    """Issues certificates of endorsement keys: a root, and an authority under it."""

    def __init__(self, name="maker"):
        self.root_key, self.key = (ec.generate_private_key(ec.SECP256R1()) for _ in range(2))
        self.root = self.sign(name + " root", self.root_key.public_key(), None, self.root_key, ca=True)
        self.authority = self.sign(name, self.key.public_key(), self.root, self.root_key, ca=True)

    @staticmethod
    def sign(name, public, issuer, key, ca=False, days=(-1, 365), usage=None):
        subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)] if name else [])
        b = (x509.CertificateBuilder().subject_name(subject)
             .issuer_name(issuer.subject if issuer else subject).public_key(public)
             .serial_number(x509.random_serial_number())
             .not_valid_before(NOW + datetime.timedelta(days=days[0]))
             .not_valid_after(NOW + datetime.timedelta(days=days[1]))
             .add_extension(x509.BasicConstraints(ca, None), True))
        if usage:
            b = b.add_extension(x509.ExtendedKeyUsage([usage]), False)
        return b.sign(key, hashes.SHA256())

    def certify(self, public, **kw):
        kw.setdefault("usage", EK_OID)
        cert = self.sign("", public, self.authority, self.key, **kw)
        return cert.public_bytes(serialization.Encoding.DER)

    def trust(self, fleet):
        """Put root and authority into the fleet's directory of makers."""
        folder = fleet.path / "tpm-roots"
        folder.mkdir(exist_ok=True)
        for name, cert in (("root", self.root), ("authority", self.authority)):
            pem = cert.public_bytes(serialization.Encoding.PEM)
            (folder / f"{name}-{self.root.serial_number}.pem").write_bytes(pem)


def ek_public(tpm, algorithm="ecc"):
    tpm.run("tpm2_createek", "-c", f"{algorithm}.ctx", "-G", algorithm, "-u", f"{algorithm}.ek.pem",
            "-f", "pem")
    tpm.run("tpm2_flushcontext", "-t")
    return serialization.load_pem_public_key((tpm.dir / f"{algorithm}.ek.pem").read_bytes())


def key_hash(public):
    """As an allow-list names a key."""
    return hashlib.sha256(public.public_bytes(
        serialization.Encoding.DER, serialization.PublicFormat.SubjectPublicKeyInfo)).hexdigest()


def allow(fleet, public):
    with open(fleet.path / "tpm-allow", "a", encoding="ascii") as f:
        f.write(f"{key_hash(public)} from the order\n")


def burn(tpm, der, index=NV_ECC):
    """The maker's certificate, with fill after it, as chips have it."""
    data = der + b"\xff" * 20
    (tpm.dir / "nv").write_bytes(data)
    tpm.run("tpm2_nvdefine", hex(index), "-C", "o", "-s", str(len(data)), "-a",
            "ownerwrite|ownerread|authread|authwrite")
    for at in range(0, len(data), 512):
        (tpm.dir / "nv").write_bytes(data[at:at + 512])
        tpm.run("tpm2_nvwrite", hex(index), "-C", "o", "-i", "nv", "--offset", str(at))


class Box:
    """One machine: TPM, state directory, configuration; `device` once it is in a fleet."""

    def __init__(self, fleet, workdir, name, tpm):
        self.fleet, self.tpm, self.name = fleet, tpm, name
        self.dir = workdir
        self.device = Device(fleet, name, fleet.dir / f"state-{name}", fleet.dir / f"{name}.cv")
        fleet.devices[name] = self.device
        self.request, self.challenge, self.response = (
            workdir / f"{name}.{n}" for n in ("request", "challenge", "response"))
        self.talk_to(tpm.tcti)

    def talk_to(self, tcti):
        self.device.config.write_text(f"[tpm]\ntcti = {tcti}\n")

    def enroll(self, *args, want=OK):
        return run([program("conclave-device"), "enroll", *args, "--state", self.device.state,
                    "--config", self.device.config], want=want)

    def operator(self, *args, want=OK, verb="add", **kw):
        return self.fleet.conclave("device", verb, self.name, "--tpm", *args, want=want, **kw)

    def ask(self, *args, want=OK, verb="add"):
        self.enroll("--request", self.request, *args)
        return self.operator("--request", self.request, "--challenge", self.challenge, want=want,
                             verb=verb)

    def answer(self, want=OK):
        return self.enroll("--challenge", self.challenge, "--response", self.response, want=want)

    def add(self, *args, want=OK, verb="add", gateways="g1,g2", **kw):
        if verb == "add" and "--policy" not in args:
            args = ("--reveal-reason", *args)
        return self.operator(
            "--response", self.response, "--gateways", gateways, "--threshold", "2", "--volume",
            self.device.volume, "--size", "32MiB", "--no-recovery", *args, want=want, verb=verb, **kw)

    @contextlib.contextmanager
    def listen(self, *args):
        """The operator's end of an enrolment online: its process, and the token."""
        r, w = os.pipe()
        argv = [program("conclave"), "device", "add", self.name, "--tpm", "--listen", "127.0.0.1:0",
                "--token-out-fd", w, "--gateways", "g1,g2", "--threshold", "2", "--reveal-reason",
                "--volume", self.device.volume, "--size", "32MiB", "--no-recovery", "--fleet",
                self.fleet.path, *args]
        process = subprocess.Popen([str(a) for a in argv], stdin=subprocess.DEVNULL, pass_fds=[w],
                                   stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        os.close(w)
        with os.fdopen(r) as f:
            token = f.readline().strip()
        try:
            assert token, process.communicate(timeout=60)
            yield process, token
        finally:  # it holds the fleet's lock
            process.kill()
            process.communicate()

    def call(self, token, *args, want=OK):
        return run([program("conclave-device"), "enroll", "--token-fd", "{g0}", *args, "--state",
                    self.device.state, "--config", self.device.config], give=[token], want=want)

    def bundle(self):
        return self.fleet.path / "devices" / self.name / "bundle"

    def install(self, *args, want=OK):
        return self.device("install", self.bundle(), *args, want=want)

    def join(self, *args):
        """The whole of an enrolment by files."""
        self.ask()
        self.answer()
        self.add(*args)
        self.install()
        return self

    def check(self, want=OK):
        return self.device("check", want=want)

    def reboot_kernel(self):
        """Another boot of the machine: what lay in RAM is gone."""
        self.device.unmount("--forget", want=None)


@contextlib.contextmanager
def swtpm(directory):
    tpm = tpm_ref.Swtpm(directory).start()
    try:
        yield tpm
    finally:
        tpm.cut_power()


def header(code):
    """An answer of the TPM without parameters."""
    return struct.pack(">HII", 0x8001, 10, code)


class Relay:
    """Between device and TPM: `on(code, command)` may return an answer of its own, None to pass the
    command on, or False to hang up."""

    def __init__(self, tpm, directory, on):
        self.tpm, self.on, self.path = tpm, on, directory / "relay"
        control = directory / "relay.ctrl"  # the TCTI asks there for the TPM's state
        for path in (self.path, control):
            path.unlink(missing_ok=True)
        control.symlink_to(tpm.dir / "s.ctrl")
        self.listener = socket.socket(socket.AF_UNIX)
        self.listener.bind(str(self.path))
        self.listener.listen(8)
        self.tcti = f"swtpm:path={self.path}"
        threading.Thread(target=self.serve, daemon=True).start()

    def serve(self):
        while True:
            try:
                client, _ = self.listener.accept()
            except OSError:
                return
            with client, contextlib.suppress(OSError, struct.error):
                self.one(client)

    def one(self, client):
        while True:
            command = self.message(client)
            code, = struct.unpack(">I", command[6:10])
            answer = self.on(code, command)
            if answer is False:
                return
            client.sendall(self.forward(command) if answer is None else answer)

    def forward(self, command):
        """A connection each time: swtpm serves one at once, and `on` may want the TPM too."""
        with socket.socket(socket.AF_UNIX) as server:
            server.connect(self.tpm.tcti.split("=", 1)[1])
            server.sendall(command)
            return self.message(server)

    @staticmethod
    def message(sock):
        head = Relay.exactly(sock, 10)
        size, = struct.unpack(">I", head[2:6])
        return head + Relay.exactly(sock, size - 10)

    @staticmethod
    def exactly(sock, size):
        out = b""
        while len(out) < size:
            part = sock.recv(size - len(out))
            if not part:
                raise OSError("closed")
            out += part
        return out

    def close(self):
        with contextlib.suppress(OSError):
            self.listener.shutdown(socket.SHUT_RDWR)
        self.listener.close()
