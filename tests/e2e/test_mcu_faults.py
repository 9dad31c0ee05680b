"""The microcontroller's firmware on bad days: gateways that lie, stall or are someone else, torn
flash, no clock, no memory; and what stays in its RAM after a failure."""
import json
import os
import pathlib
import re
import subprocess

import pytest

import mcu
import test_bad_days
import wire
from conftest import DENIED, ROOT, TOO_FEW, clean_env
from liar import Liar
from proxy import Proxy
from test_mcu_stay import POLICY

ref = wire.ref
SWEEP = pathlib.Path(os.environ.get("CONCLAVE_BUILD", ROOT / "build")) / "test" / "mcu_sweep"
LONG = bool(os.environ.get("CONCLAVE_LONG"))
needs_board = pytest.mark.skipif(not mcu.built(), reason="make mcu-firmware, and QEMU, are needed")
needs_trial = pytest.mark.skipif(
    not (mcu.built() and mcu.TRIAL.exists()), reason="make mcu-trial, and QEMU, are needed")


@pytest.fixture(scope="module")
def three(module_fleet):
    module_fleet.gateways(3)
    return module_fleet


def device(fleet, name, conclave, **policy):
    """(board, the same device as Python sees it), with settings that hold a secret."""
    settings, rules = fleet.dir / f"{name}.json", fleet.dir / f"{name}-policy.json"
    settings.write_text(json.dumps({"password": "correct horse battery", "conclave": conclave}))
    rules.write_text(json.dumps({**POLICY, **policy}))
    board = mcu.board(fleet, name, "--settings", settings, "--policy", rules, install=True)
    return board, wire.Device(fleet.devices[name].state)


@pytest.fixture(scope="module")
def pair(three):
    return device(three, "m1", {})


def relayed(fleet, gateway, mode):
    host, port = fleet.addresses()[gateway].rsplit(":", 1)
    return Proxy((host, int(port)), mode)


@needs_board
@pytest.mark.parametrize("mode", ["hold", "close", "cut", "garbage", "drip"])
def test_boots_past_one_bad_gateway(three, pair, mode):
    board, _ = pair
    relay = relayed(three, "g1", mode)
    board.set_addresses({**three.addresses(), "g1": relay.address})
    boot = board.boot()
    assert "MOUNT_OK" in boot.out and relay.connections > 0
    relay.close()


@needs_board
def test_gives_up_in_time_when_every_gateway_stalls(three, pair):
    board, _ = pair
    relays = {g: relayed(three, g, "hold") for g in ("g1", "g2", "g3")}
    board.set_addresses({g: r.address for g, r in relays.items()}, timeout_s=3)
    boot = board.boot(want=TOO_FEW)
    # by its own clock: the deadline, and the one request that was under way
    assert boot.figures["unlock-ms"] <= 3000 + 2000 + 500, boot
    for relay in relays.values():
        relay.close()


@needs_board
@pytest.mark.parametrize("behaviour", ["share", "refuse", "unsigned", "nonsense"])
def test_boots_past_one_liar(three, pair, behaviour):
    board, hand = pair
    liar = Liar(three.all_gateways["g1"], hand, behaviour)
    board.set_addresses({**three.addresses(), "g1": liar.address})
    assert "MOUNT_OK" in board.boot().out
    told = [doc for path, doc in liar.requests if path == "/v1/events"]
    accused = [doc.get("gateway") for doc in told if doc["event"] == "SHARE_INVALID"]
    assert accused == (["g1"] if behaviour == "share" else [])
    liar.close()


SERVER, CLIENT = test_bad_days.SERVER, test_bad_days.CLIENT


@needs_board
@pytest.mark.parametrize("uri,name_of,usage,days,trusted", [
    ("spiffe://test/gateway/g1", "g1", SERVER, (-1, 1), True),
    ("spiffe://test/gateway/g1", "g1", SERVER, (-9, -8), True),  # accepted, and said
    ("spiffe://test/gateway/g2", "g1", SERVER, (-1, 1), False),
    ("spiffe://test/operator/g1", "g1", SERVER, (-1, 1), False),
    ("spiffe://other/gateway/g1", "g1", SERVER, (-1, 1), False),
    ("spiffe://test/gateway/g1", "g2", SERVER, (-1, 1), False),
    ("spiffe://test/gateway/g1", "g1", CLIENT, (-1, 1), False),
])
def test_asks_only_under_a_certificate_of_this_gateway(
        three, pair, tmp_path, uri, name_of, usage, days, trusted):
    board, hand = pair
    identity = test_bad_days.issue(
        three, tmp_path, ref.gateway_dns_name(three.name, name_of), uri, usage, days)
    liar = Liar(identity, hand, "nonsense")
    board.set_addresses({**three.addresses(), "g1": liar.address})
    boot = board.boot()
    assert "MOUNT_OK" in boot.out
    assert bool(liar.requests) == trusted, boot
    assert ("certificate dates do not fit" in boot.out) == (days == (-9, -8))
    liar.close()


@needs_board
def test_boots_without_a_clock(three, pair):
    """The clock was never set: no time is claimed, dates of certificates are not believed."""
    board, _ = pair
    board.set_addresses(three.addresses())
    boot = board.boot("-rtc", "base=1970-01-01T00:00:00")
    assert "MOUNT_OK" in boot.out and "certificate dates do not fit" in boot.out


@needs_board
def test_a_policy_that_asks_for_the_time_refuses_a_board_without_a_clock(three):
    board, _ = device(three, "clock", {}, iat={"max_age_seconds": 300, "max_ahead_seconds": 300})
    assert "MOUNT_OK" in board.boot().out
    board.set_addresses(three.addresses(), timeout_s=3)
    boot = board.boot("-rtc", "base=1970-01-01T00:00:00", want=DENIED)
    assert "time_missing" in boot.out and "mount-pin high" not in boot.out


def filled(first):
    """The bank with no room for another record."""
    def filler(n):
        return mcu.bank([("filler", bytes(n))])[16:]
    while mcu.BANK_BYTES - len(first) > 8100:
        first += filler(8000)
    return first + filler(mcu.BANK_BYTES - len(first) - 26)


@needs_board
def test_goes_on_after_a_move_between_banks_that_was_cut(three, pair):
    """The bank is full and the move to the other one stopped at any place before its header."""
    board, _ = pair
    board.set_addresses(three.addresses())
    board.boot()
    for at in range(5):
        store = board.store()
        store.pop("filler", None)
        first = mcu.bank(store.items())
        cut = 16 + (len(first) - 16) * at // 4 // 4 * 4
        board.write(filled(first), b"\xff" * 16 + first[16:cut])
        count = int.from_bytes(store["boot-counter"], "big")
        assert "MOUNT_OK" in board.boot().out
        assert int.from_bytes(board.store()["boot-counter"], "big") == count + 1
        assert board.banks()[1][:4] == b"CVNV" and board.banks()[0][:4] == b"\xff" * 4


# memory

def known(hand):
    """What a boot of this device has in its memory, by name: asked for once more, in Python."""
    hand.boot_id = bytes(8) + (1).to_bytes(8, "big")
    shares = {}
    for gateway in ("g1", "g2", "g3"):
        answer, nonce = hand.authorize(gateway, bootcount=1)
        assert answer.status == 200, answer.body
        shares[gateway] = hand.open_share(gateway, answer, nonce)
    secrets = {"mac root": hand.mac_root, "attestation key": hand.attest,
               "unlock secret": wire.combine(list(shares.values())[:2]),
               "settings": b"correct horse battery"}
    secrets.update({f"share {g}": y for g, (_, y) in shares.items()})
    return secrets


def pieces_in(ram, secrets):
    assert len(ram) == mcu.RAM_BYTES and any(ram)
    return [n for n, s in secrets.items() for at in range(0, len(s) - 15, 16)
            if s[at:at + 16] in ram or s[at:at + 16][::-1] in ram]


def counted_once(board, **more):
    """known() took boot 1 of the counter."""
    board.write(mcu.bank({**board.store(), "boot-counter": (1).to_bytes(8, "big"), **more}.items()))


@needs_trial
@pytest.mark.parametrize("failure", ["settings", "too old", "too few", "none"])
def test_no_secret_is_left_in_memory(three, failure):
    """RAM of the halted board, searched for pieces of everything that was secret in the boot."""
    name = "ram-" + failure.replace(" ", "-")
    board, hand = device(three, name, {"min_firmware": 2} if failure == "too old" else {})
    secrets = known(hand)
    addresses = three.addresses()
    relay = relayed(three, "g2", "close")
    if failure == "too few":
        addresses = {**addresses, "g2": relay.address, "g3": relay.address}
    board.set_addresses(addresses, timeout_s=4)
    counted_once(board, **{"trial.halt": (1).to_bytes(4, "big")})
    if failure == "settings":
        sealed = bytearray(board.store()["settings.sealed"])
        sealed[40] ^= 1
        board.set(settings_sealed=bytes(sealed))
    board.elf = mcu.TRIAL
    console, ram = board.memory_after()
    relay.close()
    assert f"trial mounted {int(failure == 'none')} of 1" in console, console
    masters = [bytes.fromhex(h) for h in re.findall(r"^trial master ([0-9a-f]{96})$", console, re.M)]
    assert masters and all(any(m) for m in masters)
    secrets.update({f"MAC key {g}": hand.key(g) for g in ("g1", "g2", "g3")})
    secrets.update({f"TLS master secret {i}": m for i, m in enumerate(masters)})
    assert pieces_in(ram, secrets) == []


@needs_board
def test_a_mounted_board_keeps_no_key_but_for_status(three):
    board, hand = device(three, "ram-mounted", {"status_seconds": 1})
    secrets = known(hand)
    relay = relayed(three, "g3", "close")
    board.set_addresses({**three.addresses(), "g3": relay.address}, stay_s=600)
    counted_once(board)
    console, ram = board.memory_after("warning: a gateway gave no status")
    relay.close()
    assert "mount-pin high" in console and "mount-pin low" not in console
    assert pieces_in(ram, secrets) == []
    status_keys = {f"MAC key {g}": hand.key(g) for g in ("g1", "g2", "g3")}
    assert set(pieces_in(ram, status_keys)) == set(status_keys), "the search finds what is there"


def sweep(three, name, *part):
    dev = three.device(name, 2, mcu=True)
    done = subprocess.run([SWEEP, dev.state, *part], env=clean_env(),
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:] + done.stderr[-2000:]
    counted = dict(zip(*[iter(done.stdout.splitlines()[-1].split())] * 2))
    assert int(counted["boots"]) == int(counted["failed"]) > 10
    assert "wrong share" not in done.stderr, "it blamed a gateway for its own want of memory"
    return counted


def test_no_place_that_allocates_crashes_leaks_or_lets_a_handshake_pass(three):
    """Each distinct place fails once in the long suite, each 200th otherwise."""
    parts = ("4", "1") if LONG else ("200", "7")
    sweep(three, "sweep", *parts)
