#!/usr/bin/python3
"""Quotes of section 13 of docs/protocol.md, made by swtpm and verified independently of the C code.

  tpm_reference.py --make   make them anew with swtpm and tpm2-tools (keys and signatures differ
                            each time) and write tests/vectors/tpm.json, tpm_vectors.h and seeds
  tpm_reference.py --check  verify what tpm.json holds; exit 1 if the other files are not from it
"""
import hashlib
import json
import os
import pathlib
import select
import signal
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))
import reference  # noqa: E402

TESTS = pathlib.Path(__file__).resolve().parent
PCRS = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 14, 15]
SELECTION = bytes([0xff, 0xfb, 0x00])
SHA256, ECDSA, ECC, NULL, P256 = 0x000b, 0x0018, 0x0023, 0x0010, 3
AK_NEEDED, AK_ALLOWED = 0x00050032, 0x00050472
ABOUT = ("Two quotes by one swtpm of the token `evidence` of protocol.json: before and after a power "
         "cut without shutdown. Bytes are hex. ak, ek: TPMT_PUBLIC. PCR 7 was extended once before "
         "the first quote.")


def sha256(data):
    return hashlib.sha256(data).digest()


def name(area):
    return struct.pack(">H", SHA256) + sha256(area)


def qualified_name(ek_name, ak_name):
    parent = name(struct.pack(">I", 0x4000000b) + ek_name)
    return name(parent + ak_name)


def binding(token):
    return sha256(reference.lp("conclave-tpm-v1", token))


def boot_id(resets, restarts):
    return struct.pack(">QQ", resets, restarts)


class Reader:
    def __init__(self, data):
        self.data = data

    def number(self, fmt):
        size = struct.calcsize(fmt)
        value, = struct.unpack(">" + fmt, self.bytes(size))
        return value

    def bytes(self, size):
        assert size <= len(self.data), "short"
        out, self.data = self.data[:size], self.data[size:]
        return out

    def sized(self):
        return self.bytes(self.number("H"))

    def end(self):
        assert not self.data, "bytes left over"


def ak_decode(area):
    r = Reader(area)
    assert (r.number("H"), r.number("H")) == (ECC, SHA256)
    attributes = r.number("I")
    assert attributes & AK_NEEDED == AK_NEEDED and attributes & ~AK_ALLOWED == 0
    r.sized()
    assert [r.number("H") for _ in range(5)] == [NULL, ECDSA, SHA256, P256, NULL]
    x, y = r.sized(), r.sized()
    r.end()
    assert len(x) == len(y) == 32
    return b"\x04" + x + y


def attest_decode(data):
    r = Reader(data)
    assert r.number("I") == 0xff544347 and r.number("H") == 0x8018
    out = {"signer": r.sized(), "extra_data": r.sized(), "clock": r.number("Q"),
           "resets": r.number("I"), "restarts": r.number("I"), "safe": r.number("B"),
           "firmware": r.number("Q")}
    assert r.number("I") == 1 and r.number("H") == SHA256 and r.number("B") == 3
    out["selection"], out["digest"] = r.bytes(3), r.sized()
    r.end()
    return out


def verify(q, token, ak, ek_name):
    r = Reader(q["signature"])
    assert (r.number("H"), r.number("H")) == (ECDSA, SHA256)
    sig = r.sized().rjust(32, b"\0") + r.sized().rjust(32, b"\0")
    r.end()
    reference.es256_verify(ak_decode(ak), sha256(q["attest"]), sig)
    a = attest_decode(q["attest"])
    assert a["signer"] == qualified_name(ek_name, name(ak))
    assert a["extra_data"] == binding(token)
    assert a["selection"] == SELECTION and a["digest"] == sha256(q["pcrs"])
    return a


class Swtpm:
    """One TPM with its state in a directory, and an attestation key in it under its ECC EK."""

    def __init__(self, directory):
        self.dir = pathlib.Path(directory)
        self.state = self.dir / "tpm"
        self.state.mkdir(parents=True)
        self.process = self.tcti = None

    def start(self, startup="clear"):
        """startup: "clear" after a reset, "state" after a suspend."""
        sock, ctrl, pid = (self.dir / n for n in ("s", "s.ctrl", "pid"))
        for path in (sock, ctrl):
            path.unlink(missing_ok=True)
        # --daemon: the parent ends once the child listens
        subprocess.run(
            ["swtpm", "socket", "--tpm2", "--daemon", "--tpmstate", f"dir={self.state}",
             "--server", f"type=unixio,path={sock}", "--ctrl", f"type=unixio,path={ctrl}",
             "--flags", f"startup-{startup},not-need-init", "--pid", f"file={pid}"], check=True)
        self.process = os.pidfd_open(int(pid.read_text()))
        self.tcti = f"swtpm:path={sock}"
        return self

    def cut_power(self):
        """No TPM2_Shutdown: the TPM notices at its next start."""
        if self.process is None:
            return
        signal.pidfd_send_signal(self.process, signal.SIGKILL)
        select.select([self.process], [], [])
        os.close(self.process)
        self.process = None

    def reboot(self):
        self.run("tpm2_shutdown", "-c")
        self.cut_power()
        self.start()

    def suspend(self):
        self.run("tpm2_shutdown")
        self.cut_power()
        self.start("state")

    def run(self, *argv, want=0):
        done = subprocess.run(argv, cwd=self.dir, capture_output=True, check=False,
                              env=dict(os.environ, TPM2TOOLS_TCTI=self.tcti))
        assert (done.returncode == 0) == (want == 0), f"{argv}: {done.stderr.decode()}"
        return done

    def load_ek(self):
        self.run("tpm2_createek", "-c", "ek.ctx", "-G", "ecc", "-u", "ek.pub")
        self.run("tpm2_flushcontext", "-t")

    def create_ak(self):
        self.load_ek()
        self.run("tpm2_createak", "-C", "ek.ctx", "-c", "ak.ctx", "-G", "ecc", "-g", "sha256",
                 "-s", "ecdsa", "-u", "ak.pub", "-r", "ak.priv")
        self.run("tpm2_flushcontext", "-t")

    def load_ak(self, want=0):
        self.load_ek()
        self.run("tpm2_startauthsession", "--policy-session", "-S", "s.ctx")
        self.run("tpm2_policysecret", "-S", "s.ctx", "-c", "e")
        self.run("tpm2_load", "-C", "ek.ctx", "-P", "session:s.ctx", "-u", "ak.pub", "-r",
                 "ak.priv", "-c", "ak.ctx", want=want)
        self.run("tpm2_flushcontext", "s.ctx")
        self.run("tpm2_flushcontext", "-t")

    def area(self, key):
        """TPMT_PUBLIC of "ek" or "ak"."""
        return (self.dir / f"{key}.pub").read_bytes()[2:]

    def quote(self, token, pcrs=PCRS):
        self.run("tpm2_quote", "-c", "ak.ctx", "-l", "sha256:" + ",".join(map(str, pcrs)), "-q",
                 binding(token).hex(), "-g", "sha256", "-m", "q.msg", "-s", "q.sig", "-o", "q.pcr",
                 "--pcrs_format", "values")
        self.run("tpm2_flushcontext", "-t")
        return {"attest": (self.dir / "q.msg").read_bytes(),
                "signature": (self.dir / "q.sig").read_bytes(),
                "pcrs": (self.dir / "q.pcr").read_bytes()}

    def boot_id(self):
        """As a quote says it, so what a device must claim."""
        a = attest_decode(self.quote(b"boot")["attest"])
        return boot_id(a["resets"], a["restarts"])


def make():
    token = reference.vectors()["evidence"].encode()
    with tempfile.TemporaryDirectory() as work:
        tpm = Swtpm(work).start()
        try:
            tpm.create_ak()
            tpm.run("tpm2_pcrextend", "7:sha256=" + sha256(b"boot").hex())
            first = tpm.quote(token)
            tpm.cut_power()
            tpm.start()
            tpm.load_ak()
            second = tpm.quote(token)
        finally:
            tpm.cut_power()
        public = {n: tpm.area(n) for n in ("ak", "ek")}
    return {**public, **{f"quote_{k}": v for k, v in first.items()},
            **{f"cut_{k}": v for k, v in second.items()}}


def check(v):
    token = reference.vectors()["evidence"].encode()
    parts = ("attest", "signature", "pcrs")
    ek_name = name(v["ek"])
    first = verify({p: v[f"quote_{p}"] for p in parts}, token, v["ak"], ek_name)
    second = verify({p: v[f"cut_{p}"] for p in parts}, token, v["ak"], ek_name)
    assert (second["resets"], second["restarts"]) > (first["resets"], first["restarts"])
    assert v["quote_pcrs"][7 * 32:8 * 32] == sha256(bytes(32) + sha256(b"boot"))
    return first, second


def derived(v):
    """What C compares its own computations with."""
    first, second = check(v)
    w, all_vectors = reference.World, reference.vectors()
    body = {"request_id": reference.b64u(w.request_id), "volume_id": reference.b64u(w.volume_id),
            "epoch": w.epoch, "nonce": reference.b64u(all_vectors["nonce"]),
            "evidence": all_vectors["evidence"],
            "quote": {p: reference.b64u(v[f"quote_{p}"]) for p in ("attest", "signature", "pcrs")}}
    return {**v, "ek_name": name(v["ek"]), "ak_name": name(v["ak"]),
            "qualified_name": qualified_name(name(v["ek"]), name(v["ak"])),
            "binding": binding(all_vectors["evidence"].encode()),
            "boot_id": boot_id(first["resets"], first["restarts"]),
            "cut_boot_id": boot_id(second["resets"], second["restarts"]),
            "firmware": struct.pack(">Q", first["firmware"]),
            "authorize_request": reference.compact(body)}


def header(v):
    text = reference.as_header({f"tpm_{n}": value for n, value in v.items()})
    return (text.replace("reference.py", "tpm_reference.py").replace("protocol.json", "tpm.json")
            .replace("PROTOCOL_VECTORS", "TPM_VECTORS"))


def main():
    path = TESTS / "vectors/tpm.json"
    if sys.argv[1:] == ["--make"]:
        made = make()
        path.write_text(json.dumps({"about": ABOUT, "bytes": {
            n: value.hex() for n, value in made.items()}}, indent=1) + "\n")
    elif sys.argv[1:] != ["--check"]:
        sys.exit(__doc__)
    v = {n: bytes.fromhex(t) for n, t in json.loads(path.read_text())["bytes"].items()}
    d = derived(v)
    seeds = TESTS / "fuzz/seeds"
    files = {TESTS / "vectors/tpm_vectors.h": header(d).encode(),
             seeds / "tpm/attest": b"\0" + v["quote_attest"],
             seeds / "tpm/ak": b"\1" + v["ak"],
             seeds / "tpm/ek": b"\3" + v["ek"],
             seeds / "tpm/request": b"\4" + reference.compact(
                 {"v": 1, "ek": reference.b64u(v["ek"]), "ek_certificate": "MIIA",
                  "ak": reference.b64u(v["ak"]), "attestation_key": reference.b64u(bytes(65))}).encode(),
             seeds / "tpm/challenge": b"\5" + reference.compact(
                 {"v": 1, "fleet": "city", "device": "cam-1", "request": reference.b64u(bytes(32)),
                  "credential": reference.b64u(bytes(68)), "seed": reference.b64u(bytes(68))}).encode(),
             seeds / "tpm/response": b"\6" + reference.compact(
                 {"v": 1, "proof": reference.b64u(bytes(32)), "quote": {
                     p: reference.b64u(v[f"quote_{p}"]) for p in ("attest", "signature", "pcrs")}}
             ).encode(),
             seeds / "tpm/quote": b"\2" + v["quote_signature"] + v["quote_attest"],
             seeds / "message/authorize_request_tpm": b"\2" + d["authorize_request"].encode()}
    if sys.argv[1:] == ["--check"]:
        stale = [p.name for p, data in files.items() if not p.exists() or p.read_bytes() != data]
        if stale:
            sys.exit(f"not what tpm_reference.py writes: {', '.join(stale)}")
        return
    for target, data in files.items():
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(data)


if __name__ == "__main__":
    main()
