"""On which machine and platform: the Linux device's collection against what gateways enrolled."""
import hashlib
import json

import pytest
import wire
from conftest import CONFIG, DENIED, OK

SERIAL = "CZ1234ABCD"


def machine(root):
    """A /sys and /proc with a little of everything."""
    files = {
        "sys/class/dmi/id/product_serial": SERIAL, "sys/class/dmi/id/sys_vendor": "Acme",
        "sys/class/dmi/id/board_serial": "", "proc/cpuinfo":
        "processor\t: 0\nvendor_id\t: Fake\nmodel\t\t: 7\ncpu MHz\t\t: 2000.1\n\n"
        "processor\t: 1\nvendor_id\t: Fake\nmodel\t\t: 7\ncpu MHz\t\t: 1999.7\n",
        "sys/block/nvme0n1/device/serial": "S4EVNX0  ", "sys/block/nvme0n1/removable": "0",
        "sys/block/sdb/device/wwid": "stick", "sys/block/sdb/removable": "1",
        "sys/block/loop0/serial": "none of hardware",
        "sys/class/net/eth0/device/x": "", "sys/class/net/eth0/addr_assign_type": "0",
        "sys/class/net/eth0/address": "02:00:00:00:00:01", "sys/class/net/lo/address": "0",
        "sys/class/net/wlan0/device/x": "", "sys/class/net/wlan0/addr_assign_type": "3",
        "sys/class/net/wlan0/address": "random", "proc/sys/kernel/osrelease": "6.1.0-31-amd64",
        "proc/cmdline": "root=/dev/sda1 ro quiet",
    }
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text + "\n")
    efi = root / "sys/firmware/efi/efivars"
    efi.mkdir(parents=True)
    (efi / "SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c").write_bytes(b"\6\0\0\0\1")
    return root


@pytest.fixture(scope="module")
def dev(module_fleet):
    module_fleet.gateways(2, "[limits]\naudit_refusals_per_minute = 1000")
    d = module_fleet.device("box", 2)
    d.root = machine(module_fleet.dir / "machine")
    d.config.write_text(f"[evidence]\ninventory = yes\nroot = {d.root}\n")
    d.version = 1
    return d


def policy(dev, **sections):
    fleet = dev.fleet
    doc = json.loads((fleet.path / f"devices/{dev.id}/policy.json").read_text())
    for name in ("platform", "inventory"):
        doc.pop(name, None)
    dev.version += 1
    doc.update(policy_version=dev.version, **sections)
    file = fleet.dir / "policy.json"
    file.write_text(json.dumps(doc))
    fleet.conclave("policy", "set", dev.id, file)


def refused(dev, reason):
    assert dev("check", want=DENIED).out.count(f"denied: {reason}") == 2


def enrol(dev, want=OK):
    file = dev.fleet.dir / "inventory.json"
    file.write_text(dev("inventory", "--json").out)
    dev.fleet.conclave("device", "inventory", dev.id, file, want=want)
    return json.loads(file.read_text())["inventory"]


def audit(dev, kind):
    lines = dev.fleet.conclave("audit", "read", "g1").out.splitlines()
    return [r for r in map(json.loads, lines) if r["kind"] == kind][-1]


def test_the_collection_has_hardware_and_nothing_else(dev):
    text = dev("inventory").out
    assert {line.split()[0] for line in text.splitlines()} == {
        "dmi.product_serial", "dmi.sys_vendor", "cpu.model", "disk.nvme0n1", "net.eth0"}
    assert SERIAL in text and "MHz" not in text
    digest = wire.ref.sha256(wire.ref.lp(
        "conclave-inventory-v1", "dmi.product_serial", SERIAL))
    assert wire.ref.b64u(digest) in text
    assert SERIAL not in dev("inventory", "--json").out


def test_a_part_that_was_swapped_is_refused_and_the_audit_names_it(dev):
    policy(dev, inventory={"required": ["dmi.*", "disk.nvme0n1"], "recorded": ["net.*"]})
    refused(dev, "inventory_missing")  # nothing enrolled
    enrol(dev)
    dev("check")
    serial = dev.root / "sys/block/nvme0n1/device/serial"
    serial.write_text("OTHER\n")
    refused(dev, "inventory_mismatch")
    record = audit(dev, "refusal")
    assert record["rule"] == "inventory.disk.nvme0n1" and "claimed" not in record
    enrol(dev)  # an operator takes the repair
    dev("check")
    serial.unlink()
    refused(dev, "inventory_missing")
    serial.write_text("OTHER\n")
    dev.config.write_text(f"[evidence]\ninventory = no\nroot = {dev.root}\n")
    refused(dev, "inventory_missing")
    dev.config.write_text(f"[evidence]\ninventory = yes\nroot = {dev.root}\n")


def test_a_part_that_is_recorded_unlocks_and_is_on_record(dev):
    policy(dev, inventory={"recorded": ["*"]})
    enrol(dev)
    card = dev.root / "sys/class/net/eth0/address"
    card.write_text("02:00:00:00:00:99\n")
    dev.key()
    assert audit(dev, "release")["inventory_changed"] == ["net.eth0"]
    card.write_text("02:00:00:00:00:01\n")


def test_without_inventory_required_parts_refuse(dev):
    policy(dev, inventory={"required": ["*"]})
    enrol(dev)
    dev("check")
    dev.fleet.conclave("device", "inventory", dev.id, "--none")
    refused(dev, "inventory_missing")
    bad = dev.fleet.dir / "bad.json"
    for text in ("{}", '{"v":1,"inventory":{}}', '{"v":1,"inventory":{"A":"x"}}', "[]"):
        bad.write_text(text)
        dev.fleet.conclave("device", "inventory", dev.id, bad, want=CONFIG)


def test_kernel_boot_state_and_command_line_decide(dev):
    line = hashlib.sha256(b"root=/dev/sda1 ro quiet").hexdigest()
    policy(dev, platform={"kernel": ["6.1.0-31-amd64"], "boot_state": ["secure"],
                          "cmdline": [line]})
    dev("check")
    (dev.root / "proc/cmdline").write_text("root=/dev/sda1 ro quiet init=/bin/sh\n")
    refused(dev, "residency_mismatch")
    assert audit(dev, "refusal")["rule"] == "platform.cmdline"
    (dev.root / "proc/cmdline").write_text("root=/dev/sda1 ro quiet\n")
    efi = dev.root / "sys/firmware/efi/efivars/SecureBoot-8be4df61-93ca-11d2-aa0d-00e098032b8c"
    efi.write_bytes(b"\6\0\0\0\0")
    refused(dev, "residency_mismatch")
    assert audit(dev, "refusal")["rule"] == "platform.cmdline"  # the same reason again: folded
    efi.write_bytes(b"\6\0\0\0\1")
    dev("check")


def test_a_client_that_sends_none_of_it_passes_where_nothing_is_required(dev):
    policy(dev, platform="not_required", inventory="not_required")
    other = wire.Device(dev.state)
    other.boot_id = bytes(range(16))
    nonce = other.nonce("g1")
    token = other.token([nonce], purpose="check")
    assert other.authorize("g1", nonce, token, "/v1/check")[0].status == 200
    policy(dev, platform={"kernel": ["6.1.0-31-amd64"]})
    nonce = other.nonce("g1")
    token = other.token([nonce], purpose="check")
    answer = other.authorize("g1", nonce, token, "/v1/check")[0]
    assert (answer.status, answer.reason) == (403, "residency_missing")
