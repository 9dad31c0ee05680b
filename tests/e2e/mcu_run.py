"""Boots the firmware against three real gateways; exit status is the firmware's.

usage: mcu_run.py [IMAGE]    IMAGE: one that `conclave device add --mcu --image` wrote, whose
                             gateways run already; it is copied, not changed
"""
import pathlib
import subprocess
import sys
import tempfile

import mcu
from conftest import Fleet


def boot(board):
    return subprocess.run(board.command(), stdin=subprocess.DEVNULL, check=False).returncode


def main():
    if not mcu.built():
        sys.exit("mcu_run.py: make mcu-firmware, and qemu-system-riscv32, are needed")
    with tempfile.TemporaryDirectory(prefix="cv-") as directory:
        directory = pathlib.Path(directory)
        if len(sys.argv) > 1:
            return boot(mcu.Board(directory / "flash", sys.argv[1]))
        fleet = Fleet(directory)
        try:
            fleet.gateways(3)
            image = directory / "m1.img"
            fleet.device("m1", 2, "--image", image, mcu=True, install=False)
            board = mcu.Board(directory / "flash", image)
            board.set_addresses(fleet.addresses())
            return boot(board)
        finally:
            fleet.close()


if __name__ == "__main__":
    sys.exit(main())
