"""Boots the firmware against three real gateways; exit status is the firmware's.

usage: mcu_run.py [IMAGE]    IMAGE: one that `conclave device add --mcu --image` wrote, whose
                             gateways run already; it is copied, not changed. Gateways on this
                             host's loopback get the address under which the board sees it.
"""
import json
import pathlib
import subprocess
import sys
import tempfile

import mcu


def boot(board):
    """Without -icount the board cannot count instructions; `make mcu-report` does."""
    with subprocess.Popen(board.command(), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          text=True) as process:
        for line in process.stdout:
            if not line.startswith("figure instructions"):
                print(line, end="", flush=True)
    return process.returncode


def see_loopback(board):
    doc = json.loads(board.store()["gateways.json"])
    for gateway in doc["gateways"]:
        host, port = gateway["address"].rsplit(":", 1)
        if host in ("127.0.0.1", "localhost"):
            gateway["address"] = f"{mcu.HOST}:{port}"
    board.set(gateways_json=json.dumps(doc).encode())


def main():
    if not mcu.built():
        sys.exit("mcu_run.py: make mcu-firmware, and qemu-system-riscv32, are needed")
    if len(sys.argv) > 1:
        with tempfile.TemporaryDirectory(prefix="cv-") as directory:
            board = mcu.Board(pathlib.Path(directory) / "flash", sys.argv[1])
            see_loopback(board)
            return boot(board)
    with mcu.board_alone() as board:
        return boot(board)


if __name__ == "__main__":
    try:
        sys.exit(main())
    except KeyboardInterrupt:
        sys.exit(130)
