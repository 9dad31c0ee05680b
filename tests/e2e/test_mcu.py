"""The microcontroller's firmware, booted in an emulator against real gateways."""
import pytest

import mcu
import mcu_report

pytestmark = pytest.mark.skipif(not mcu.built(), reason="make mcu-firmware, and QEMU, are needed")


@pytest.fixture(scope="module")
def three(module_fleet):
    module_fleet.gateways(3)
    return module_fleet


@pytest.fixture(scope="module")
def image(three):
    path = three.dir / "m1.img"
    three.device("m1", 2, "--image", path, mcu=True, install=False)
    return path


@pytest.fixture
def board(three, image, tmp_path):
    b = mcu.Board(tmp_path / "flash", image)
    b.set_addresses(three.addresses())
    return b


def test_boots_to_mount_ok(board):
    boot = board.boot()
    assert "mount-pin high" in boot.out and "MOUNT_OK" in boot.out
    assert boot.figures["handshakes"] >= 2


def test_boot_counter_is_in_flash(board):
    board.boot()
    assert board.store()["boot-counter"] == (1).to_bytes(8, "big")
    board.boot()
    assert board.store()["boot-counter"] == (2).to_bytes(8, "big")


def test_budgets_hold(board):
    values, _, _ = mcu_report.measure(board)
    assert mcu_report.over(values) == [], values
