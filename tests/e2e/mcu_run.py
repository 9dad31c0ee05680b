"""Boots the firmware against three real gateways; exit status is the firmware's.

usage: mcu_run.py [IMAGE]    IMAGE: one that `conclave device add --mcu --image` wrote, whose
                             gateways run already; it is copied, not changed
"""
import pathlib
import subprocess
import sys
import tempfile

import mcu


def boot(board):
    return subprocess.run(board.command(), stdin=subprocess.DEVNULL, check=False).returncode


def main():
    if not mcu.built():
        sys.exit("mcu_run.py: make mcu-firmware, and qemu-system-riscv32, are needed")
    if len(sys.argv) > 1:
        with tempfile.TemporaryDirectory(prefix="cv-") as directory:
            return boot(mcu.Board(pathlib.Path(directory) / "flash", sys.argv[1]))
    with mcu.board_alone() as board:
        return boot(board)


if __name__ == "__main__":
    sys.exit(main())
