"""The microcontroller's firmware, booted in an emulator against real gateways."""
import datetime
import hashlib
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import pytest

import mcu
import mcu_report
from conftest import CONFIG, DENIED, PATIENCE_S, TAMPERED, TOO_FEW, clean_env
from ports import HeldPort

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


@pytest.fixture(scope="module")
def chip(three, image):
    """One board for the whole file: its boot counter must go up, as the gateways remember it."""
    return mcu.Board(three.dir / "flash", image)


@pytest.fixture
def board(three, chip):
    chip.set_addresses(three.addresses())
    kept = chip.store()
    yield chip
    counters = {n: chip.store().get(n, b"") for n in ("boot-counter", "counter")}
    kept.update({n: max(kept.get(n, b""), v) for n, v in counters.items() if v})
    chip.write(mcu.bank(kept.items()))


def test_the_runner_boots_an_image_as_it_was_dealt(three):
    """With gateways on this host's loopback, which the board sees under another address."""
    image = three.dir / "m0.img"
    three.device("m0", 2, "--image", image, mcu=True, install=False)
    _, store = mcu.records(image.read_bytes())
    store += [("boot.timeout", (30).to_bytes(4, "big")), ("boot.stay", (1).to_bytes(4, "big"))]
    image.write_bytes(mcu.bank(store))
    before = image.read_bytes()
    done = subprocess.run([sys.executable, pathlib.Path(__file__).with_name("mcu_run.py"), image],
                          capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    assert done.returncode == 0 and "MOUNT_OK" in done.stdout, done
    assert "figure instructions" not in done.stdout and image.read_bytes() == before


def firmware_digest():
    """SHA-256 of what the linker put into flash."""
    with tempfile.NamedTemporaryFile() as binary:
        subprocess.run(["riscv64-unknown-elf-objcopy", "-O", "binary", mcu.ELF, binary.name],
                       check=True)
        return hashlib.sha256(pathlib.Path(binary.name).read_bytes()).hexdigest()


def count(board):
    return int.from_bytes(board.store().get("boot-counter", b""), "big")


@pytest.fixture
def closed():
    """The addresses of two ports on which nobody listens."""
    ports = [HeldPort(), HeldPort()]
    yield [port.address for port in ports]
    for port in ports:
        port.close()


def test_boots_to_mount_ok(three, board):
    boot = board.boot()
    assert "mount-pin high" in boot.out and "MOUNT_OK" in boot.out
    assert boot.figures["handshakes"] >= 2
    assert boot.figures["heap-in-use"] == 0


def test_boot_counter_is_in_flash(board):
    before = count(board)
    board.boot()
    assert count(board) == before + 1
    board.boot()
    assert count(board) == before + 2


def test_budgets_hold(board):
    values, _, _ = mcu_report.measure(board)
    assert mcu_report.over(values) == [], values


def test_only_the_measured_firmware_is_given_a_key(three):
    for name, digest, want in (("same", firmware_digest(), 0), ("other", "00" * 32, DENIED)):
        measured = mcu.board(three, name, "--measure", f"firmware={digest}", timeout_s=3)
        boot = measured.boot(want=want)
        assert ("measurement_mismatch" in boot.out) == (want == DENIED)


def test_boots_without_one_gateway(three, board, closed):
    board.set_addresses({**three.addresses(), "g1": closed[0]})
    assert "MOUNT_OK" in board.boot().out


def test_stays_down_with_one_gateway(three, board, closed):
    dead = dict(zip(("g2", "g3"), closed))
    board.set_addresses({**three.addresses(), **dead}, timeout_s=4)
    assert "mount-pin high" not in board.boot(want=TOO_FEW).out


def test_refuses_a_gateway_under_another_name(three, board):
    a = three.addresses()
    board.set_addresses({"g1": a["g2"], "g2": a["g3"], "g3": a["g1"]}, timeout_s=4)
    assert "mount-pin high" not in board.boot(want=TOO_FEW).out


def test_gateways_refuse_a_chip_that_was_turned_back(three, board):
    board.boot()
    old = board.store()
    board.boot()
    board.boot()
    board.write(mcu.bank({**old, "boot.timeout": (4).to_bytes(4, "big")}.items()))
    boot = board.boot(want=DENIED)
    assert "boot_rollback" in boot.out and "mount-pin high" not in boot.out


def test_boots_with_its_clock_years_off(three, board):
    for year in (1971, 2099):
        boot = board.boot("-rtc", f"base={datetime.datetime(year, 1, 1).isoformat()}")
        assert "certificate dates do not fit" in boot.out and "MOUNT_OK" in boot.out


def test_notices_changed_settings(board):
    sealed = bytearray(board.store()["settings.sealed"])
    sealed[40] ^= 1
    board.set(settings_sealed=bytes(sealed))
    assert "mount-pin high" not in board.boot(want=TAMPERED).out


def test_says_that_it_was_not_provisioned(board):
    raw = board.banks()
    board.write(b"")
    try:
        board.boot(want=CONFIG)
    finally:
        board.write(*raw)


def test_goes_on_after_a_torn_write(board):
    """The newest record cut at every eighth byte: as if the power had failed there."""
    before = count(board)
    first, _ = board.banks()
    whole = first.rstrip(b"\xff")
    record = mcu.bank([("boot-counter", (before + 1).to_bytes(8, "big"))])[16:]
    at = (len(whole) + 3) // 4 * 4
    for cut in range(4, len(record), 8):
        board.write(first[:at] + record[:cut])
        assert "MOUNT_OK" in board.boot().out
        assert count(board) == before + 1 and board.banks()[1][:4] == b"CVNV"
        before += 1
        first = mcu.bank({**board.store()}.items())
        at = len(first)
        record = mcu.bank([("boot-counter", (before + 1).to_bytes(8, "big"))])[16:]


def trial(board, timeout_s=4, **values):
    """Boot the tests' firmware with faults; values are 4-byte numbers or bytes."""
    board.set(boot_timeout=timeout_s.to_bytes(4, "big"), **{
        f"trial_{n}": v if isinstance(v, bytes) else v.to_bytes(4, "big")
        for n, v in values.items()})
    board.elf = mcu.TRIAL
    patience = PATIENCE_S + 3 * values.get("boots", 1)
    try:
        return board.boot(want=None, timeout=patience)
    finally:
        board.elf = mcu.ELF
        board.write(mcu.bank((n, d) for n, d in board.store().items() if n[:6] != "trial."))


needs_trial = pytest.mark.skipif(not mcu.TRIAL.exists(), reason="make mcu-trial is needed")


@needs_trial
def test_no_failed_allocation_crashes_or_leaks(board):
    """Boots with the failing allocation at points spread over all that a boot makes."""
    boots = 1000 if os.environ.get("CONCLAVE_LONG") else 24
    whole = trial(board, boots=1)
    step = whole.figures["heap-count"] // boots
    boot = trial(board, timeout_s=8, boots=boots, fail=1, step=step)
    assert f" of {boots}" in boot.out and boot.code < 90 and "panic" not in boot.out, boot
    assert boot.figures["heap-in-use"] == 0


@needs_trial
@pytest.mark.parametrize("harm", ["lose", "twice", "cut", "hold"])
def test_boots_over_a_bad_network(board, harm):
    rates = bytes(20 if harm == h else 0 for h in ("lose", "twice", "cut", "hold"))
    boot = trial(board, timeout_s=40, packets=rates + b"\x07")
    assert boot.code == 0 and "MOUNT_OK" in boot.out, boot


@needs_trial
def test_the_heap_does_not_grow(board):
    boots = 1000 if os.environ.get("CONCLAVE_LONG") else 10
    boot = trial(board, timeout_s=30, boots=boots)
    assert f"trial mounted {boots} of {boots}" in boot.out and boot.figures["heap-in-use"] == 0, boot


@pytest.mark.skipif(not mcu.TARGET.exists(), reason="make mcu-trial is needed")
def test_golden_vectors_hold_on_the_chip():
    """The unit tests of protocol/ and shamir/ on the target; the long suite runs all of them."""
    every = bool(os.environ.get("CONCLAVE_LONG"))
    more = ["-device", "loader,addr=0x80f00000,data=1,data-len=4"] if every else []
    done = subprocess.run(
        [mcu.QEMU, "-M", "virt", "-bios", "none", "-m", "16M", "-display", "none", "-monitor",
         "none", "-serial", "none", "-semihosting-config", "enable=on,target=native", "-global",
         "virtio-mmio.force-legacy=false", "-device", "virtio-rng-device", "-device",
         f"loader,file={mcu.TARGET}", *more],
        stdin=subprocess.DEVNULL, capture_output=True, text=True, env=clean_env(), check=False)
    passed = re.search(r"^target passed (\d+) failed 0$", done.stdout + done.stderr, re.M)
    assert done.returncode == 0 and passed, done.stdout + done.stderr
    assert int(passed[1]) >= (140 if every else 20)
