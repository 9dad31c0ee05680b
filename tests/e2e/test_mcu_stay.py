"""The microcontroller's firmware after the key: settings, status calls, locking again, no way back."""
import contextlib
import json

import pytest

import mcu
import mcu_report
from conftest import CONFIG, DEADLINE, DENIED, TOO_OLD

pytestmark = pytest.mark.skipif(not mcu.built(), reason="make mcu-firmware, and QEMU, are needed")

POLICY = {"v": 1, "policy_version": 1, "boot": {"max_keys": 3, "max_step": 1000},
          "measurements": "not_required", "place": "not_required", "iat": "not_required",
          "lease_seconds": 0, "reveal_reason": True}


@pytest.fixture(scope="module")
def three(module_fleet):
    module_fleet.gateways(3)
    return module_fleet


def board(fleet, name, conclave, stay_s=0, lease_s=0, timeout_s=30):
    """A board of its own, whose settings hold `conclave` and a name."""
    settings, policy = fleet.dir / f"{name}.json", fleet.dir / f"{name}-policy.json"
    settings.write_text(json.dumps({"name": "pump-7", "conclave": conclave}))
    policy.write_text(json.dumps({**POLICY, "lease_seconds": lease_s}))
    return mcu.board(fleet, name, "--settings", settings, "--policy", policy,
                     timeout_s=timeout_s, stay_s=stay_s)


def console_until(process, line):
    """The console up to and with `line`."""
    out = ""
    for text in process.stdout:
        out += text
        if text.rstrip() == line:
            return out
    raise AssertionError(f"no {line!r} in\n{out}")


def test_applies_its_settings_before_the_pin_goes_up(three):
    out = board(three, "apply", {}).boot().out
    assert out.index("pump-7") < out.index("mount-pin high") < out.index("MOUNT_OK")


def test_asks_by_ticket_while_mounted(three):
    boot = board(three, "ask", {"status_seconds": 1}, stay_s=3).boot("-icount", "shift=3,sleep=on")
    assert "MOUNT_OK" in boot.out and "mount-pin low" not in boot.out
    assert boot.figures["status-calls"] >= 6
    ceiling = {name: value for name, value, _ in mcu_report.CEILINGS}
    assert 0 < boot.figures["instructions-resumed"] <= ceiling["instructions, resumed handshake"]
    # two full handshakes for the key, one for the event at the third; all else by ticket
    assert boot.figures["handshakes-full"] == 3


def test_locks_again_when_enough_gateways_say_revoked(three):
    with board(three, "stolen", {"status_seconds": 1}, stay_s=600).start() as process:
        console_until(process, "mount-pin high")
        three.conclave("device", "revoke", "stolen", want=None)
        out = console_until(process, "mount-pin low")
        out += process.stdout.read()
    assert "locked again" in out and "revoked" in out
    assert process.returncode == DENIED, out


@contextlib.contextmanager
def away(fleet, *names):
    """These gateways are stopped meanwhile."""
    for name in names:
        fleet.all_gateways[name].stop()
    try:
        yield
    finally:
        for name in names:
            fleet.all_gateways[name].start()


def test_stays_mounted_when_gateways_go_away(three):
    b = board(three, "alone", {"status_seconds": 1}, stay_s=4)
    with b.start() as process:
        console_until(process, "mount-pin high")
        with away(three, "g2", "g3"):
            out = process.stdout.read()
    assert "gave no status" in out and "mount-pin low" not in out
    assert process.returncode == 0, out


def test_locks_again_when_its_lease_ends(three):
    b = board(three, "leased", {"status_seconds": 1, "relock": "lease"}, stay_s=600, lease_s=4)
    with b.start() as process:
        console_until(process, "mount-pin high")
        with away(three, "g2", "g3"):
            out = process.stdout.read()
    assert "mount-pin low" in out and "lease ended" in out
    assert process.returncode == DEADLINE, out


def test_unlocks_again_when_the_gateways_are_back(three):
    """Without a timeout, as a real board: locked by its lease, it goes on asking."""
    b = board(three, "again", {"status_seconds": 1, "relock": "lease"}, stay_s=600, lease_s=4,
              timeout_s=0)
    with b.start() as process:
        try:
            console_until(process, "mount-pin high")
            for name in ("g2", "g3"):
                three.all_gateways[name].stop()
            console_until(process, "mount-pin low")
            for name in ("g2", "g3"):
                three.all_gateways[name].start()
            console_until(process, "mount-pin high")
        finally:
            process.kill()
    assert int.from_bytes(b.store()["boot-counter"], "big") == 2


def test_refuses_to_run_once_settings_asked_for_newer_firmware(three):
    b = board(three, "old", {"min_firmware": 2})
    boot = b.boot(want=TOO_OLD)
    assert "mount-pin high" not in boot.out and boot.figures["handshakes"] > 0
    assert b.store()["floors"] == bytes((0, 0, 0, 2, 0, 0, 0, 0))
    again = b.boot(want=TOO_OLD)
    assert again.figures["handshakes"] == 0, "it asked although it must not run"


def test_refuses_settings_older_than_it_had(three):
    b = board(three, "back", {"settings_version": 4})
    b.boot()
    assert b.store()["floors"] == bytes((0, 0, 0, 0, 0, 0, 0, 4))
    b.set(floors=bytes((0, 0, 0, 0, 0, 0, 0, 5)))
    assert "mount-pin high" not in b.boot(want=TOO_OLD).out
    b.set(floors=bytes((0, 0, 0, 0, 0, 0, 0, 3)))
    b.boot()
    assert b.store()["floors"] == bytes((0, 0, 0, 0, 0, 0, 0, 4))


def test_settings_the_client_does_not_know_are_not_sealed(three):
    for bad in ({"relok": "lease"}, {"relock": "later"}, {"status_seconds": 0},
                {"min_firmware": -1}, [], {"settings_version": 1 << 32}):
        path = three.dir / "bad.json"
        path.write_text(json.dumps({"conclave": bad}))
        three.device("bad", 2, "--settings", path, mcu=True, install=False, want=CONFIG)
