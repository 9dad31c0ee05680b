"""The firmware's figures against their ceilings; exit status 1 if one is over.

Instructions are exact (QEMU's -icount); milliseconds are a model: instructions at 125 MIPS.
"""
import pathlib
import re
import subprocess
import sys

import mcu

MIPS = 125
# name, ceiling, unit
CEILINGS = [
    ("flash, client without the IP stack", 140 * 1024, "B"),
    ("flash, whole firmware", 208 * 1024, "B"),
    ("heap peak of a boot (client, TLS, JSON)", 15 * 1024, "B"),
    ("largest allocation", 4300, "B"),
    ("total RAM linked", 64 * 1024, "B"),
    ("stack, main", 5 * 1024, "B"),
    ("heap in use after the boot", 0, "B"),
    ("instructions, full handshake", 150_000_000, ""),
    ("instructions, resumed handshake", 1_500_000, ""),
    ("2-of-3 to the key, modelled", 3200, "ms"),
]


def sizes():
    """{library: bytes of flash} from the linker's map."""
    text = pathlib.Path(f"{mcu.ELF}.map").read_text(encoding="utf-8")
    text = text[text.index("Linker script and memory map"):]
    out, flash = {}, False
    for m in re.finditer(r"^(\.\w+)|^ (\.[\w.-]+)\s+0x([0-9a-f]+)\s+0x([0-9a-f]+) (\S+)$", text,
                         re.M):
        if m[1]:
            flash = m[1] in (".init", ".text", ".rodata", ".data", ".sdata")
            continue
        size, path = int(m[4], 16), m[5]
        if not flash or size == 0 or int(m[3], 16) == 0:
            continue
        name = re.search(r"lib(mbedtls|lwip|cjson)\.a|obj/(protocol|shamir|mcu-client/ports)|"
                         r"obj/(mcu-client)/", path)
        key = next((g for g in name.groups() if g), None) if name else "libc, libgcc"
        out[key] = out.get(key, 0) + size
    return out


def sections():
    """Bytes of flash and of RAM set at start."""
    out = subprocess.run(["riscv64-unknown-elf-size", mcu.ELF], capture_output=True, text=True,
                         check=True).stdout.splitlines()[1].split()
    return int(out[0]) + int(out[1])


def measure(board):
    """{name of CEILINGS: value}"""
    board.boot()
    f = board.boot("-icount", "shift=3").figures
    by_library, flash = sizes(), sections()
    return {
        "flash, client without the IP stack":
            flash - by_library["lwip"] - by_library["mcu-client/ports"],
        "flash, whole firmware": flash,
        "heap peak of a boot (client, TLS, JSON)": f["heap-peak"],
        "largest allocation": f["heap-largest"],
        "total RAM linked": f["ram"],
        "stack, main": f["stack-main"],
        "heap in use after the boot": f["heap-in-use"],
        "instructions, full handshake": f["instructions-full"],
        "instructions, resumed handshake": f["instructions-resumed"],
        "2-of-3 to the key, modelled": f["instructions-key"] // (MIPS * 1000),
    }, by_library, f


def over(values):
    return [name for name, ceiling, _ in CEILINGS if values[name] > ceiling]


def main():
    with mcu.board_alone() as board:
        values, by_library, figures = measure(board)
    print(f"{'figure':42} {'measured':>12} {'ceiling':>12} {'margin':>8}")
    for name, ceiling, unit in CEILINGS:
        margin = f"{100 * (ceiling - values[name]) / ceiling:.0f} %" if ceiling else "-"
        print(f"{name:42} {values[name]:>9} {unit:2} {ceiling:>9} {unit:2} {margin:>8}")
    used = figures["ram-heap-end"] + figures["stack-main"]
    print(f"RAM touched: {figures['ram-static']} B static, {used} B with heap and main stack; "
          f"network stack {figures['stack-network']} B")
    print("flash by library:")
    for name, size in sorted(by_library.items(), key=lambda i: -i[1]):
        print(f"  {name:20} {size:>8} B")
    return 1 if over(values) else 0


if __name__ == "__main__":
    sys.exit(main())
