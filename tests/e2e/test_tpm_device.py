"""Devices with a (software) TPM: conclave-device quotes, real gateways decide."""
import json
import pathlib
import shutil
import tempfile

import pytest
import tpm_box
from conftest import CONFIG, DENIED, IN_USE, OK, TPM
from tpm_box import Box, Relay, allow, ek_public, header, swtpm

pytestmark = pytest.mark.skipif(
    not (shutil.which("swtpm") and shutil.which("tpm2_quote")),
    reason="swtpm and tpm2-tools are not installed")


@pytest.fixture(scope="module")
def city(module_fleet):
    module_fleet.gateways(2, "[limits]\nfailures_burst = 1000000\ndevice_burst = 1000\n"
                            "device_per_minute = 60000\n")
    return module_fleet


@pytest.fixture(scope="module")
def chip():
    with tempfile.TemporaryDirectory(prefix="cv-") as directory:
        with swtpm(pathlib.Path(directory) / "a") as t:
            yield t


@pytest.fixture(scope="module")
def machine(city, chip):
    allow(city, ek_public(chip))
    return Box(city, city.dir, "cam-1", chip).join("--pcr", "7")


@pytest.fixture
def tpm(chip):
    chip.reboot()  # PCRs as at the enrolment
    return chip


@pytest.fixture
def box(machine, tpm):
    machine.talk_to(tpm.tcti)
    return machine


def unlocks(box):
    box.device.key()


def audit(city):
    return city.conclave("audit", "read", "g1").out


def test_first_boot_power_cut_suspend_and_reboot_unlock(box, tpm):
    with box.device.mounted() as point:
        (point / "f").write_bytes(b"kept")
    tpm.cut_power()
    tpm.start()
    with box.device.mounted() as point:
        assert (point / "f").read_bytes() == b"kept"
    tpm.suspend()
    unlocks(box)
    tpm.reboot()
    box.reboot_kernel()
    unlocks(box)


def test_nothing_stays_in_the_tpm(box, tpm):
    unlocks(box)
    assert tpm.run("tpm2_getcap", "handles-transient").stdout.strip() == b""
    assert tpm.run("tpm2_getcap", "handles-loaded-session").stdout.strip() == b""


def test_an_rsa_endorsement_key_serves_as_well(city, workdir):
    with swtpm(workdir / "r") as tpm:
        allow(city, ek_public(tpm, "rsa"))
        box = Box(city, workdir, "rsa-1", tpm)
        box.ask("--ek", "rsa")
        box.answer()
        box.add()
        box.install()
        unlocks(box)


def test_check_says_what_a_pcr_would_do(box, tpm):
    assert "yes: 2 of 2" in box.check().out
    tpm.run("tpm2_pcrextend", "7:sha256=" + "11" * 32)
    assert "pcr_mismatch" in box.check(want=DENIED).out


def test_another_tpm_is_told_apart(box, workdir):
    with swtpm(workdir / "b") as other:
        box.talk_to(other.tcti)
        told = box.check(want=TPM)
        assert "another TPM than the one" in told.err
        assert "not enough others" not in told.out


def test_a_tpm_that_is_not_there_is_told(box, workdir):
    box.talk_to("device:/dev/tpm-none")
    assert "/dev/tpm-none" in box.check(want=TPM).err
    box.talk_to(f"swtpm:path={workdir}/none")
    assert "no TPM answers there" in box.check(want=TPM).err
    box.talk_to("nonsense:x")
    assert "[tpm] tcti" in box.check(want=TPM).err


def test_a_busy_tpm_is_told_and_asked_again(box, workdir, tpm):
    """Every command is put off until the first attempt has failed; then all is well."""
    left = [12]

    def on(code, command):
        if left[0] > 0:
            left[0] -= 1
            return header(0x922)  # TPM_RC_RETRY
        return None
    relay = Relay(tpm, workdir, on)
    try:
        box.talk_to(relay.tcti)
        result = box.check(want=IN_USE)
        assert "busy: try again" in result.err
        left[0] = 12
        result = box.device.mount()
        assert box.device.unmount().code == OK
        assert left[0] == 0
    finally:
        relay.close()


@pytest.mark.parametrize("code", [tpm_box.CREATE_PRIMARY, tpm_box.LOAD, tpm_box.QUOTE])
def test_a_reset_in_the_middle_is_told_and_survived(box, workdir, tpm, code):
    armed = [True]

    def on(seen, _command):
        if armed[0] and seen == code:
            armed[0] = False
            tpm.cut_power()
            tpm.start()
            return False
        return None
    relay = Relay(tpm, workdir, on)
    try:
        box.talk_to(relay.tcti)
        result = box.check(want=IN_USE)
        assert "try again" in result.err and not armed[0]
        assert "yes: 2 of 2" in box.check().out
        armed[0] = True
        box.device.mount()  # the next attempt has the new boot id
        box.device.unmount()
    finally:
        relay.close()


def test_a_tpm_that_was_not_started_is_told(box, workdir, tpm):
    relay = Relay(tpm, workdir, lambda code, command: header(0x100))  # TPM_RC_INITIALIZE
    try:
        box.talk_to(relay.tcti)
        assert "was reset" in box.check(want=IN_USE).err
    finally:
        relay.close()


def test_a_boot_that_begins_between_two_tokens_is_claimed_as_it_is(box, workdir, tpm):
    """Suspend between the reading of the boot id and the quote."""
    armed = [True]

    def on(code, _command):
        if armed[0] and code == tpm_box.CREATE_PRIMARY:
            armed[0] = False
            tpm.suspend()
        return None
    relay = Relay(tpm, workdir, on)
    try:
        box.talk_to(relay.tcti)
        unlocks(box)
        assert not armed[0]
    finally:
        relay.close()


def test_pcrs_that_change_while_they_are_quoted_are_read_again(box, workdir, tpm):
    armed = [True]

    def on(code, _command):
        if armed[0] and code == 0x17e:  # PCR_Read
            armed[0] = False
            tpm.run("tpm2_pcrextend", "14:sha256=" + "22" * 32)
        return None
    relay = Relay(tpm, workdir, on)
    try:
        box.talk_to(relay.tcti)
        assert "yes: 2 of 2" in box.check().out
        assert not armed[0]
    finally:
        relay.close()


def test_a_key_file_that_was_damaged_is_told(box):
    path = box.device.state / "tpm.json"
    good = path.read_text()
    doc = json.loads(good)
    for bad in ("{}", good[:-5], json.dumps({**doc, "ak": doc["ak"][:-4]}),
                json.dumps({**doc, "ek": "dsa"}), json.dumps({**doc, "more": 1})):
        path.write_text(bad)
        result = box.check(want=CONFIG)
        assert "tpm.json" in result.err
    path.write_text(json.dumps({**doc, "ak_private": doc["ak_private"][:-4] + "AAAA"}))
    assert "quoting key" in box.check(want=TPM).err
    path.unlink()
    assert "tpm.json" in box.check(want=CONFIG).err
    path.write_text(good)
    path.chmod(0o600)


def test_what_was_quoted_stands_in_the_audit(box, city):
    unlocks(box)
    text = audit(city)
    assert box.name in text and "tpm_pcr_digest" in text and "tpm_clock_safe" in text


def test_a_cleared_tpm_is_told_apart(box, tpm):
    """The last one: after it this device is no more."""
    tpm.run("tpm2_clear", "-c", "p")
    assert "was cleared since this device was enrolled" in box.check(want=TPM).err
