"""The emulated board: boots the firmware in QEMU, reads and writes its store as an image file.

The store's form is read from protocol/nv_format.h's description alone, in Python.
"""
import contextlib
import json
import os
import pathlib
import shutil
import socket
import struct
import subprocess
import tempfile
import zlib

from conftest import PATIENCE_S, ROOT, Fleet, clean_env

ELF = pathlib.Path(os.environ.get("CONCLAVE_MCU_ELF", ROOT / "build" / "mcu" / "conclave-mcu.elf"))
TRIAL = ELF.with_name("conclave-mcu-trial.elf")
TARGET = ELF.with_name("conclave-target.elf")
QEMU = "qemu-system-riscv32"
FLASH_BYTES = 32 << 20  # what QEMU wants for the chip; a sparse file
BANK_BYTES = 0x40000
RAM_BASE, RAM_BYTES = 0x80400000, 0x10000
HOST = "10.0.2.2"  # the host's loopback as the board sees it


def built():
    return ELF.exists() and shutil.which(QEMU) is not None


def bank(records, sequence=1):
    """A bank without its erased rest, from (name, data) pairs."""
    head = b"CVNV" + struct.pack(">HHI", 1, 0, sequence)
    out = head + struct.pack(">I", zlib.crc32(head))
    for name, data in records:
        body = name.encode() + data
        head = b"R" + struct.pack(">BHI", len(name), len(data), zlib.crc32(body))
        out += head + struct.pack(">I", zlib.crc32(head)) + body
        out += b"\xff" * (-len(out) % 4)
    return out


def records(raw):
    """(sequence, [(name, data)]) of one bank, or None if it has no header."""
    if raw[:4] != b"CVNV" or zlib.crc32(raw[:12]) != struct.unpack(">I", raw[12:16])[0]:
        return None
    sequence, found, at = struct.unpack(">I", raw[8:12])[0], [], 16
    while raw[at:at + 1] == b"R":
        name_len, data_len, crc = struct.unpack(">BHI", raw[at + 1:at + 8])
        body = raw[at + 12:at + 12 + name_len + data_len]
        if zlib.crc32(body) != crc:
            break
        found.append((body[:name_len].decode(), body[name_len:]))
        at += (12 + name_len + data_len + 3) // 4 * 4
    return sequence, found


class Boot:
    """How one run of the board ended."""

    def __init__(self, code, out):
        self.code, self.out = code, out
        self.figures = {line.split()[1]: int(line.split()[2])
                        for line in out.splitlines() if line.startswith("figure ")}

    def __repr__(self):
        return f"exit {self.code}\n{self.out}"


class Board:
    """One board with its flash chip, filled from an image that `device add --image` wrote."""

    def __init__(self, path, image, elf=ELF):
        self.path, self.elf = pathlib.Path(path), elf
        raw = pathlib.Path(image).read_bytes()
        self.write(raw)

    def write(self, first, second=b""):
        """The banks, padded with erased flash."""
        with open(self.path, "wb") as f:
            f.write(first.ljust(BANK_BYTES, b"\xff") + second.ljust(BANK_BYTES, b"\xff"))
            f.truncate(FLASH_BYTES)
        self.path.chmod(0o600)

    def banks(self):
        with open(self.path, "rb") as f:
            return f.read(BANK_BYTES), f.read(BANK_BYTES)

    def store(self):
        """{name: newest data} of the bank in use."""
        found = [records(b) for b in self.banks()]
        return dict(max((f for f in found if f), key=lambda f: f[0])[1])

    def set(self, **values):
        """Replace values (name with "_" for "." and "__" for "/"), as if provisioned anew."""
        store = self.store()
        for name, data in values.items():
            store[name.replace("__", "/").replace("_", ".")] = data
        self.write(bank(store.items()))

    def set_addresses(self, addresses, timeout_s=30, stay_s=0):
        """{gateway: "127.0.0.1:PORT"}, as the board reaches them.

        It gives up after timeout_s, and ends its run when it was mounted for stay_s.
        """
        doc = {"v": 1, "gateways": [
            {"gateway": g, "address": a.replace("127.0.0.1", HOST)} for g, a in addresses.items()]}
        self.set(gateways_json=json.dumps(doc).encode(),
                 boot_timeout=timeout_s.to_bytes(4, "big"), boot_stay=stay_s.to_bytes(4, "big"))

    def command(self, *more):
        return [QEMU, "-M", "virt", "-bios", "none", "-m", "8M", "-display", "none", "-monitor",
                "none", "-serial", "stdio", "-global", "virtio-mmio.force-legacy=false",
                "-netdev", "user,id=n0", "-device", "virtio-net-device,netdev=n0",
                "-device", "virtio-rng-device", "-drive",
                f"if=pflash,unit=1,format=raw,file={self.path}", "-device", f"loader,file={self.elf}", *more]

    def boot(self, *more, want=0, timeout=PATIENCE_S):
        done = subprocess.run(self.command(*more), stdin=subprocess.DEVNULL, capture_output=True,
                              text=True, timeout=timeout, env=clean_env(), check=False)
        result = Boot(done.returncode, done.stdout + done.stderr)
        if want is not None and result.code != want:
            raise AssertionError(f"exit status {result.code}, expected {want}\n{result!r}")
        return result

    def start(self):
        """The process of a board that runs on; its console is a pipe."""
        return subprocess.Popen(self.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                text=True, env=clean_env())

    def memory_after(self, last="halted"):
        """(console, RAM) when the console shows `last`: without it, of the tests' firmware, told by
        trial.halt to stand still at its end."""
        ram = self.path.with_suffix(".ram")
        left, right = socket.socketpair()
        command = self.command()
        command[command.index("-monitor"):command.index("-monitor") + 2] = [
            "-chardev", f"socket,id=q,fd={right.fileno()}", "-mon", "chardev=q,mode=control"]
        console = ""
        with subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True,
                              pass_fds=[right.fileno()], env=clean_env()) as process, \
                left, left.makefile("rwb", buffering=0) as qmp:
            right.close()
            left.settimeout(PATIENCE_S)
            try:
                for line in process.stdout:
                    console += line
                    if line == last + "\n":
                        break
                qmp.readline()
                for name, arguments in (
                        ("qmp_capabilities", {}),
                        ("pmemsave", {"val": RAM_BASE, "size": RAM_BYTES, "filename": str(ram)})):
                    qmp.write(json.dumps({"execute": name, "arguments": arguments}).encode())
                    while "return" not in json.loads(qmp.readline()):
                        pass
            finally:
                process.kill()
        return console, ram.read_bytes()


def board(fleet, name, *options, install=False, **times):
    """A board that is provisioned with 2 of the fleet's gateways; `options` go to `device add`."""
    image = fleet.dir / f"{name}.img"
    fleet.device(name, 2, "--image", image, *options, mcu=True, install=install)
    made = Board(fleet.dir / f"{name}.flash", image)
    made.set_addresses(fleet.addresses(), **times)
    return made


@contextlib.contextmanager
def board_alone():
    """A board with three gateways that run as long as it is used."""
    with tempfile.TemporaryDirectory(prefix="cv-") as directory:
        fleet = Fleet(pathlib.Path(directory))
        try:
            fleet.gateways(3)
            yield board(fleet, "m1")
        finally:
            fleet.close()
