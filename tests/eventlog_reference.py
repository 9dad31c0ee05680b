#!/usr/bin/python3
"""Event logs as firmware writes them (TCG PC Client Platform Firmware Profile, crypto-agile), their
condensed form and their replay: independent of protocol/eventlog.c.

  eventlog_reference.py          write tests/vectors/eventlog_vectors.h and the fuzzer's seed
  eventlog_reference.py --check  exit 1 if they are not what this writes
  eventlog_reference.py FILE     write the log to FILE, e.g. for tpm2_eventlog
"""
import hashlib
import pathlib
import struct
import sys

TESTS = pathlib.Path(__file__).resolve().parent
SHA1, SHA256 = 0x0004, 0x000b
NO_ACTION, SEPARATOR, ACTION, S_CRTM, IPL = 3, 4, 5, 8, 13
VARIABLE_BOOT, BOOT_APPLICATION, EFI_ACTION = 0x80000002, 0x80000003, 0x80000007
VARIABLE_CONFIG = 0x80000001
QUOTED = [*range(10), *range(11, 16)]


def digest(data):
    return hashlib.sha256(data).digest()


def variable(name, data):
    """UEFI_VARIABLE_DATA under the global GUID."""
    guid = bytes.fromhex("61dfe48bca93d211aa0d00e098032b8c")
    text = name.encode("utf-16-le")
    return guid + struct.pack("<QQ", len(name), len(data)) + text + data


def application(path):
    """UEFI_IMAGE_LOAD_EVENT with a device path of one file."""
    node = path.encode("utf-16-le") + b"\0\0"
    device = struct.pack("<BBH", 4, 4, 4 + len(node)) + node + bytes.fromhex("7fff0400")
    return struct.pack("<QQQQ", 0x7e000000, 4096, 0, len(device)) + device


# what a machine with shim, GRUB and a Debian kernel measures; (pcr, type, digest or None, data)
BOOT = [
    (0, S_CRTM, None, "1.14\0".encode("utf-16-le")),
    (7, VARIABLE_CONFIG, None, variable("SecureBoot", b"\1")),
    (7, VARIABLE_CONFIG, None, variable("PK", bytes(64))),
    (1, VARIABLE_BOOT, None, variable("BootOrder", b"\0\0")),
    (4, EFI_ACTION, None, b"Calling EFI Application from Boot Option"),
    *[(pcr, SEPARATOR, None, bytes(4)) for pcr in range(8)],
    (4, BOOT_APPLICATION, digest(b"shim"), application("\\EFI\\debian\\shimx64.efi")),
    (4, BOOT_APPLICATION, digest(b"grub"), application("\\EFI\\debian\\grubx64.efi")),
    (8, IPL, digest(b"linux /vmlinuz-6.1"), b"grub_cmd: linux /vmlinuz-6.1\0"),
    (4, BOOT_APPLICATION, digest(b"kernel 6.1"), application("\\vmlinuz-6.1")),
    (9, IPL, digest(b"kernel file"), b"/vmlinuz-6.1\0"),
    (9, IPL, digest(b"initrd file"), b"/initrd.img-6.1\0"),
    (8, IPL, digest(b"root=/dev/sda1 ro"), b"kernel_cmdline: root=/dev/sda1 ro\0"),
    (10, IPL, digest(b"ima"), b"boot aggregate\0"),
]


def spec_id(algorithms):
    data = b"Spec ID Event03\0" + struct.pack("<IBBBB", 0, 0, 2, 106, 2)
    data += struct.pack("<I", len(algorithms))
    for number, size in algorithms:
        data += struct.pack("<HH", number, size)
    data += b"\0"
    return struct.pack("<II", 0, NO_ACTION) + bytes(20) + struct.pack("<I", len(data)) + data


def event(pcr, kind, value, data, algorithms=(SHA1, SHA256)):
    out = struct.pack("<III", pcr, kind, len(algorithms))
    for number in algorithms:
        if kind == NO_ACTION:
            out += struct.pack("<H", number) + bytes(20 if number == SHA1 else 32)
        elif number == SHA1:
            out += struct.pack("<H", SHA1) + hashlib.sha1(value or data).digest()
        else:
            out += struct.pack("<H", SHA256) + (value or digest(data))
    return out + struct.pack("<I", len(data)) + data


def log(boot=None, locality=None):
    out = spec_id([(SHA1, 20), (SHA256, 32)])
    if locality is not None:
        out += event(0, NO_ACTION, None, b"StartupLocality\0" + bytes([locality]))
    return out + b"".join(event(*e) for e in (BOOT if boot is None else boot))


def digests(boot=None):
    """(pcr, digest) of what a quote covers."""
    return [(pcr, value or digest(data)) for pcr, kind, value, data in
            (BOOT if boot is None else boot) if kind != NO_ACTION and pcr in QUOTED]


def condensed(boot=None, locality=0):
    return bytes([locality]) + b"".join(bytes([p]) + d for p, d in digests(boot))


def replay(pcr, boot=None, locality=0):
    value = bytes(31) + bytes([locality if pcr == 0 else 0])
    for number, d in digests(boot):
        if number == pcr:
            value = digest(value + d)
    return value


def array(name, data):
    lines = [", ".join(f"0x{b:02x}" for b in data[i:i + 16]) for i in range(0, len(data), 16)]
    return f"static const uint8_t v_{name}[{len(data)}] = {{\n\t" + ",\n\t".join(lines) + "};\n"


def header():
    values = b"".join(replay(pcr, locality=3) for pcr in QUOTED)
    return ("/* Written by tests/eventlog_reference.py. */\n#ifndef CONCLAVE_TESTS_EVENTLOG_VECTORS_H\n"
            "#define CONCLAVE_TESTS_EVENTLOG_VECTORS_H\n\n#include <stdint.h>\n\n"
            + array("eventlog", log(locality=3)) + array("eventlog_condensed", condensed(locality=3))
            + array("eventlog_pcrs", values) + "\n#endif\n")


def main():
    files = {TESTS / "vectors/eventlog_vectors.h": header().encode(),
             TESTS / "fuzz/seeds/eventlog/debian": log(locality=3)}
    if sys.argv[1:] == ["--check"]:
        stale = [p.name for p, data in files.items() if not p.exists() or p.read_bytes() != data]
        if stale:
            sys.exit(f"not what eventlog_reference.py writes: {', '.join(stale)}")
    elif len(sys.argv) == 2:
        pathlib.Path(sys.argv[1]).write_bytes(log(locality=3))
    else:
        for path, data in files.items():
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(data)


if __name__ == "__main__":
    main()
