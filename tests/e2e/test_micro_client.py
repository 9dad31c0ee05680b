"""tests/micro_client.py, written from docs/protocol.md alone, against real gateways."""
import json
import subprocess
import sys

import pytest

from conftest import ROOT, clean_env

CLIENT = ROOT / "tests" / "micro_client.py"
SETTINGS = {"password": "correct horse", "list": [1, "2", {"three": "drei"}]}


@pytest.fixture(scope="module")
def device(module_fleet):
    module_fleet.gateways(3)
    path = module_fleet.dir / "settings.json"
    path.write_text(json.dumps(SETTINGS))
    return module_fleet.device("micro", 2, "--settings", path, mcu=True)


def boot(device, timeout="20"):
    """-I -S: nothing but the standard library, and nothing of this project's."""
    return subprocess.run([sys.executable, "-I", "-S", CLIENT, str(device.state), timeout],
                          capture_output=True, text=True, env=clean_env(), check=False)


def test_the_document_is_enough_for_a_client(device):
    done = boot(device)
    assert done.returncode == 0, done.stderr
    settings, last = done.stdout.splitlines()
    assert json.loads(settings) == SETTINGS and last == "MOUNT_OK told 3"
    shown = device.fleet.conclave("device", "show", "micro", "--json").out
    assert "MOUNT_OK" in shown or '"counter":1' in shown.replace(" ", ""), shown


def test_two_of_three_are_enough(device):
    gateway = device.fleet.all_gateways["g1"]
    gateway.stop()
    try:
        done = boot(device)
    finally:
        gateway.start()
    assert done.returncode == 0 and "gateway g1" in done.stderr, done.stderr
    assert "MOUNT_OK told 2" in done.stdout


def test_one_of_three_is_not(device):
    kept = device.fleet.addresses()
    device.set_addresses({"g1": kept["g1"], "g2": kept["g3"], "g3": kept["g2"]})
    done = boot(device, "0.1")
    device.set_addresses(kept)
    assert done.returncode != 0 and "MOUNT_OK" not in done.stdout
    assert done.stderr.count("ertificate") >= 2, done.stderr


def test_changed_settings_do_not_open(device):
    path = device.state / "settings.sealed"
    whole = path.read_bytes()
    path.write_bytes(whole[:30] + bytes([whole[30] ^ 1]) + whole[31:])
    done = boot(device)
    path.write_bytes(whole)
    assert done.returncode != 0 and "MOUNT_OK" not in done.stdout and "seal" in done.stderr
