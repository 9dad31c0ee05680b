"""Fifty boards with identities of their own boot at once against three gateways (long suite)."""
import os
import subprocess

import pytest

import mcu
from conftest import PATIENCE_S, clean_env

BOARDS = 50
pytestmark = [
    pytest.mark.skipif(not mcu.built(), reason="make mcu-firmware, and QEMU, are needed"),
    pytest.mark.skipif(not os.environ.get("CONCLAVE_LONG"), reason="make test-long runs it"),
]


def test_fifty_boards_boot_at_once(fleet):
    fleet.gateways(3)
    boards = [mcu.board(fleet, f"board-{i}", timeout_s=300) for i in range(BOARDS)]
    # by instructions: fifty emulators share this machine's processors, a real board has its own
    running = [(b, subprocess.Popen(b.command("-icount", "shift=3"), stdin=subprocess.DEVNULL,
                                    stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                                    env=clean_env())) for b in boards]
    try:
        ends = [(b, p.communicate(timeout=10 * PATIENCE_S)[0], p.returncode) for b, p in running]
    finally:
        for _, process in running:
            if process.poll() is None:
                process.kill()
    bad = [(b.path.name, code, out[-500:]) for b, out, code in ends
           if code != 0 or "MOUNT_OK" not in out]
    assert bad == []
    assert len({b.store()["attest.key"] for b in boards}) == BOARDS
    assert all(int.from_bytes(b.store()["boot-counter"], "big") == 1 for b in boards)
