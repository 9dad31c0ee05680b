"""Event logs end to end: what a (software) TPM was extended with, the log beside it, real gateways."""
import json
import pathlib
import shutil
import sys

import pytest
from conftest import DENIED, OK
from tpm_box import Box, allow, ek_public, swtpm

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import eventlog_reference as events  # noqa: E402

pytestmark = pytest.mark.skipif(
    not (shutil.which("swtpm") and shutil.which("tpm2_quote")),
    reason="swtpm and tpm2-tools are not installed")

HEX = {what: events.digest(what.encode()).hex()
       for what in ("shim", "grub", "kernel 6.1", "kernel 6.2", "root=/dev/sda1 ro")}
SEPARATOR = events.digest(bytes(4)).hex()
FROM_OPTION = events.digest(b"Calling EFI Application from Boot Option").hex()
RULES = {"4": {"required": {"shim": [HEX["shim"]], "grub": [HEX["grub"]],
                            "kernel": [HEX["kernel 6.1"]]},
               "allowed": [SEPARATOR, FROM_OPTION]},
         "8": {"required": {"cmdline": [HEX["root=/dev/sda1 ro"]]},
               "allowed": [events.digest(b"linux /vmlinuz-6.1").hex()]}}
UPDATED = [e if e[2] != events.digest(b"kernel 6.1") else
           (*e[:2], events.digest(b"kernel 6.2"), e[3]) for e in events.BOOT]


@pytest.fixture(scope="module")
def box(module_fleet, tmp_path_factory):
    module_fleet.gateways(2, "[limits]\nfailures_burst = 1000000\naudit_refusals_per_minute = 1000")
    with swtpm(tmp_path_factory.mktemp("t") / "a") as tpm:
        allow(module_fleet, ek_public(tpm))
        b = Box(module_fleet, module_fleet.dir, "box-1", tpm).join()
        b.log, b.version = module_fleet.dir / "log", 1
        b.device.config.write_text(f"[tpm]\ntcti = {tpm.tcti}\nevent_log = {b.log}\n")
        yield b


def boot(box, what=None, log=None):
    """A power cycle in which `what` was measured; `log`: what the firmware claims instead."""
    box.tpm.reboot()
    for pcr, digest in events.digests(what):
        box.tpm.run("tpm2_pcrextend", f"{pcr}:sha256={digest.hex()}")
    box.log.write_bytes(events.log(what) if log is None else log)


def policy(box, **sections):
    doc = json.loads((box.fleet.path / f"devices/{box.name}/policy.json").read_text())
    box.version += 1
    doc.pop("events", None)
    doc.update(policy_version=box.version, **sections)
    file = box.fleet.dir / "policy.json"
    file.write_text(json.dumps(doc))
    box.fleet.conclave("policy", "set", box.name, file)


def refused(box, reason):
    assert box.check(want=DENIED).out.count(f"denied: {reason}") == 2
    lines = box.fleet.conclave("audit", "read", "g1").out.splitlines()
    return [r for r in map(json.loads, lines) if r["kind"] == "refusal"][-1]


def test_a_boot_unlocks_and_a_kernel_update_needs_one_digest_more(box):
    policy(box, events=RULES)
    boot(box)
    box.device.key()
    boot(box, UPDATED)
    record = refused(box, "event_mismatch")
    assert (record["rule"], record["claimed"]) == ("events.4", HEX["kernel 6.2"])
    RULES["4"]["required"]["kernel"].append(HEX["kernel 6.2"])
    policy(box, events=RULES)
    box.device.key()


def test_a_dry_run_judges_the_events_of_the_boots_on_record(box):
    boot(box)
    policy(box, events="not_required")
    box.device.key()
    rules = {"v": 1, "policy_version": 1, "boot": {"max_keys": 16, "max_step": 1000},
             "measurements": "not_required", "place": "not_required", "iat": "not_required",
             "lease_seconds": 0, "reveal_reason": True, "pcrs": "not_required",
             "tpm_firmware": "not_required", "events": RULES}
    doc = {"v": 1, "fleet": box.fleet.name, "group": "lamps", "rules": rules, "trust_classes": ["tpm"],
           "min_client": "not_required", "windows": "not_required",
           "releases_per_day": "not_required", "approval": "not_required", "clock": "any"}
    file = box.fleet.dir / "group.json"
    file.write_text(json.dumps(doc))
    box.fleet.conclave("policy", "test", file, "--device", box.name)
    rules["events"] = {"4": {"required": {"kernel": ["ab" * 32]}, "allowed": RULES["4"]["allowed"]}}
    file.write_text(json.dumps(doc))
    told = box.fleet.conclave("policy", "test", file, "--device", box.name, want=DENIED).out
    assert told.count("event_mismatch (group, rule events.4") >= 2, told


def test_a_log_that_was_edited_does_not_replay(box):
    policy(box, events=RULES)
    evil = [*events.BOOT, (4, events.BOOT_APPLICATION, events.digest(b"rootkit"), b"")]
    boot(box, evil, log=events.log())  # measured, and left out of the log
    assert refused(box, "event_replay")["rule"] == "events.4"
    box.log.write_bytes(events.log(evil))
    assert refused(box, "event_mismatch")["claimed"] == events.digest(b"rootkit").hex()
    boot(box, log=events.log(events.BOOT[::-1]))
    refused(box, "event_replay")


def test_what_did_not_run_is_missed(box):
    policy(box, events=RULES)
    boot(box, [e for e in events.BOOT if e[2] != events.digest(b"grub")])
    assert refused(box, "event_absent")["rule"] == "events.4.grub"
    boot(box, [])  # PCRs as after a reset
    refused(box, "event_absent")


def test_no_log_or_a_broken_one_is_told_and_refused_only_where_it_is_required(box):
    policy(box, events=RULES)
    good = events.log()
    for log in (b"", good[:-1], good + b"\0", b"\0" * 64, good[:100], good.replace(
            b"Spec ID Event03", b"Spec ID Event02")):
        boot(box, log=log)
        refused(box, "event_missing")
    box.log.unlink()
    refused(box, "event_missing")
    policy(box, events="not_required")
    box.check()
    many = events.BOOT + [(5, events.ACTION, None, b"%d" % i) for i in range(600)]
    box.log.write_bytes(events.log(many))
    assert "more events than the 512" in box.check().err


def test_the_log_reads_as_other_tools_read_it(box, workdir):
    log = workdir / "log"
    log.write_bytes(events.log())
    text = box.device("events", log).out
    assert f" 4 80000003 {HEX['shim']} " in text and "shimx64.efi" in text
    tool = shutil.which("tpm2_eventlog")
    out = box.tpm.run(tool, str(log)).stdout.decode()
    values = out.split("sha256:")[-1]
    for pcr in (0, 1, 4, 7, 8, 9):
        assert f"0x{events.replay(pcr).hex()}" in values
    assert box.device("events", workdir / "none", want=None).code != OK
