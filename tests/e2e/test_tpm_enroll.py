"""How a TPM gets into a fleet, and what does not."""
import contextlib
import json
import shutil
import socket

import pytest
from conftest import CONFIG, DENIED, IN_USE, OK, TPM, USAGE
from tpm_box import (
    ACTIVATE, EK_OID, NV_RSA, Box, Maker, Relay, allow, burn, ek_public, key_hash, swtpm)

import wire
import tpm_reference as tpm_ref

ref = wire.ref

pytestmark = pytest.mark.skipif(
    not (shutil.which("swtpm") and shutil.which("tpm2_quote")),
    reason="swtpm and tpm2-tools are not installed")


@pytest.fixture(scope="module")
def city(module_fleet):
    module_fleet.gateways(2, "[limits]\nfailures_burst = 1000000")
    return module_fleet


@pytest.fixture(scope="module")
def maker(city):
    m = Maker()
    m.trust(city)
    return m


@pytest.fixture
def tpm(workdir):
    with swtpm(workdir / "a") as t:
        yield t


@pytest.fixture
def other(workdir):
    with swtpm(workdir / "b") as t:
        yield t


def nothing_of(box):
    """The fleet knows nothing of this device, and no half of it lies anywhere."""
    assert not (box.fleet.path / "devices" / box.name).exists()
    assert not (box.fleet.path / "devices" / f".{box.name}.new").exists()
    assert not box.device.volume.exists()
    listed = box.fleet.conclave("device", "list", "--json").out
    assert box.name not in listed


def pending(box):
    return (box.fleet.path / "enrolments" / f"{box.name}.json").exists()


def test_a_chip_with_its_makers_certificate_joins(city, maker, workdir, tpm):
    burn(tpm, maker.certify(ek_public(tpm)))
    box = Box(city, workdir, "made-1", tpm)
    made = box.join("--pcr", "7", "--tpm-firmware", firmware(tpm))
    assert not pending(box) and not (made.device.state / "enroll").exists()
    for kind in ("transient", "loaded-session"):  # nothing stays in the TPM
        assert tpm.run("tpm2_getcap", f"handles-{kind}").stdout.strip() == b""
    with made.device.mounted():
        pass
    shown = json.loads((city.path / "devices/made-1/tpm.json").read_text())
    assert shown["vouched"] == "certificate"


def test_a_rule_on_a_pcr_without_measurements_is_warned_of(city, maker, workdir, tpm):
    allow(city, ek_public(tpm))
    tpm.run("tpm2_pcrextend", f"4:sha256={'ab' * 32}")
    box = Box(city, workdir, "blank-1", tpm)
    box.ask()
    box.answer()
    err = box.add("--pcr", "4", "--pcr", "7").err
    assert "--pcr: 7: it is zero" in err and "--pcr: 4" not in err


def firmware(tpm):
    tpm.create_ak()
    return f"{tpm_ref.attest_decode(tpm.quote(b't')['attest'])['firmware']:016x}"


def test_an_rsa_certificate_picks_the_rsa_key(city, maker, workdir, tpm):
    burn(tpm, maker.certify(ek_public(tpm, "rsa")), NV_RSA)
    box = Box(city, workdir, "made-2", tpm)
    box.ask()
    assert len(ref.unb64u(json.loads(box.request.read_text())["ek"])) == 314
    box.answer()


def test_a_chip_that_nobody_vouches_for_is_refused_by_name(city, maker, workdir, tpm):
    box = Box(city, workdir, "nobody-1", tpm)
    result = box.ask(want=DENIED)
    assert key_hash(ek_public(tpm)) in result.err and "tpm-allow" in result.err
    burn(tpm, Maker("stranger").certify(ek_public(tpm)))
    result = box.ask(want=DENIED)
    assert key_hash(ek_public(tpm)) in result.err and "tpm-allow" in result.err
    assert str(city.path / "tpm-roots") in result.err and result.err.count("\n") == 1
    assert not pending(box) and not box.challenge.exists()
    allow(city, ek_public(tpm))
    box.ask()
    assert pending(box)


@pytest.mark.parametrize("what", ["expired", "early", "maker", "key", "ca", "purpose", "cut", "tail"])
def test_certificates_that_do_not_hold_are_refused(city, maker, workdir, tpm, what):
    public = ek_public(tpm)
    other_key = Maker("x").key.public_key()
    der, why = {
        "expired": lambda: (maker.certify(public, days=(-9, -1)), "expired"),
        "early": lambda: (maker.certify(public, days=(1, 9)), "not yet valid"),
        "maker": lambda: (Maker("stranger").certify(public), "chain"),
        "key": lambda: (maker.certify(other_key), "another key"),
        "ca": lambda: (maker.certify(public, ca=True), "a CA's"),
        "purpose": lambda: (maker.certify(
            public, usage=wire_oid("1.3.6.1.5.5.7.3.1")), "not for an endorsement key"),
        "cut": lambda: (maker.certify(public)[:-1], "malformed"),
        "tail": lambda: (maker.certify(public) + b"\0", "malformed"),
    }[what]()
    file = workdir / "cert.der"
    file.write_bytes(der)
    box = Box(city, workdir, "bad-1", tpm)
    result = box.ask("--ek-certificate", file, want=DENIED)
    assert why in result.err and result.err.count("\n") == 1, result.err
    assert not pending(box) and not box.challenge.exists()


def wire_oid(text):
    return type(EK_OID)(text)


def test_a_certificate_that_is_too_large_is_refused_at_the_device(city, workdir, tpm):
    file = workdir / "cert.der"
    file.write_bytes(bytes(4097))
    box = Box(city, workdir, "bad-2", tpm)
    result = box.enroll("--request", box.request, "--ek-certificate", file, want=CONFIG)
    assert "4096" in result.err and not box.request.exists()


def test_a_broken_list_or_root_refuses_and_says_where(city, workdir, tpm, maker):
    burn(tpm, maker.certify(ek_public(tpm)))
    box = Box(city, workdir, "bad-3", tpm)
    allowed, root = city.path / "tpm-allow", city.path / "tpm-roots" / "zz.pem"
    before = allowed.read_text() if allowed.exists() else ""
    try:
        allowed.write_text("# good\n" + "G" * 64 + "\n")
        assert "tpm-allow:2" in box.ask(want=CONFIG).err
        allowed.write_text(before)
        root.write_text("nothing\n")
        assert "zz.pem" in box.ask(want=1).err
    finally:
        allowed.write_text(before)
        root.unlink(missing_ok=True)
    box.ask()


def change(path, **members):
    doc = json.loads(path.read_text())
    doc.update(members)
    path.write_text(json.dumps(doc, separators=(",", ":")))


def test_a_key_that_may_sign_anything_is_refused(city, workdir, tpm):
    allow(city, ek_public(tpm))
    box = Box(city, workdir, "free-1", tpm)
    box.enroll("--request", box.request)
    for at, bit in ((5, 0x01), (5, 0x04), (7, 0x02), (7, 0x10), (7, 0x20), (5, 0x02)):
        ak = bytearray(ref.unb64u(json.loads(box.request.read_text())["ak"]))
        good = bytes(ak)
        ak[at] ^= bit  # restricted, sign, fixedTPM, fixedParent, sensitiveDataOrigin, decrypt
        change(box.request, ak=ref.b64u(bytes(ak)))
        result = box.operator("--request", box.request, "--challenge", box.challenge, want=DENIED)
        assert "can only quote" in result.err
        change(box.request, ak=ref.b64u(good))
    assert not pending(box)


def test_a_request_that_was_changed_on_its_way_is_noticed(city, workdir, tpm, other):
    """Keys of the courier: the device refuses the challenge, the TPM cannot open it."""
    allow(city, ek_public(tpm))
    box = Box(city, workdir, "way-1", tpm)
    box.enroll("--request", box.request)
    change(box.request, attestation_key=ref.b64u(ref.es256_public(b"\1" * 32)))
    box.operator("--request", box.request, "--challenge", box.challenge)
    assert "another request" in box.answer(want=CONFIG).err
    assert not box.response.exists()
    other.create_ak()
    box.enroll("--request", box.request)
    change(box.request, ak=ref.b64u(other.area("ak")))
    box.operator("--request", box.request, "--challenge", box.challenge)
    change(box.challenge, request=ref.b64u(ref.sha256((box.device.state / "enroll/request.json")
                                                      .read_bytes())))
    assert "not for this TPM" in box.answer(want=TPM).err
    assert not box.response.exists()


def test_a_challenge_for_another_chip_is_refused(city, workdir, tpm, other):
    allow(city, ek_public(tpm))
    box = Box(city, workdir, "chip-1", tpm)
    box.ask()
    box.talk_to(other.tcti)
    assert "another TPM" in box.answer(want=TPM).err
    assert not box.response.exists()


def test_a_wrong_response_leaves_nothing_and_tells_nothing(city, workdir, tpm):
    allow(city, ek_public(tpm))
    box = Box(city, workdir, "wrong-1", tpm)
    for member in ("proof", "signature", "pcrs"):
        box.ask()
        box.answer()
        good = json.loads(box.response.read_text())
        doc = json.loads(box.response.read_text())
        place = doc if member == "proof" else doc["quote"]
        raw = bytearray(ref.unb64u(place[member]))
        raw[-1] ^= 1
        place[member] = ref.b64u(bytes(raw))
        box.response.write_text(json.dumps(doc))
        result = box.add(want=DENIED)
        assert "nothing was added" in result.err and result.err.count("\n") == 1
        assert good["proof"] not in result.err + result.out
        nothing_of(box)
        assert not pending(box)
    box.response.write_text(json.dumps(good))  # the right one comes too late
    assert "no challenge waits" in box.add(want=CONFIG).err
    nothing_of(box)


def test_an_earlier_response_does_not_fit_a_new_challenge(city, workdir, tpm):
    allow(city, ek_public(tpm))
    box = Box(city, workdir, "again-1", tpm)
    box.ask()
    box.answer()
    box.operator("--request", box.request, "--challenge", box.challenge)
    box.add(want=DENIED)
    nothing_of(box)


def test_what_is_no_message_changes_nothing(city, workdir, tpm):
    allow(city, ek_public(tpm))
    box = Box(city, workdir, "junk-1", tpm)
    box.request.write_text("{}")
    box.operator("--request", box.request, "--challenge", box.challenge, want=CONFIG)
    box.ask()
    for junk in ("", "{}", "[1]", '{"v":1}', "x" * 9000):
        box.challenge.write_text(junk)
        assert box.answer(want=None).code != OK
        box.response.write_text(junk)
        assert box.add(want=None).code != OK
        assert pending(box)
    nothing_of(box)


def test_the_secrets_go_to_the_tpm_that_proved_itself_alone(city, workdir, tpm, other):
    allow(city, ek_public(tpm))
    box = Box(city, workdir, "own-1", tpm)
    box.ask()
    box.answer()
    result = box.add()
    assert "passphrase" not in result.out
    copy = workdir / "copy"
    shutil.copytree(box.device.state, copy)
    box.talk_to(other.tcti)
    assert "another TPM" in box.install(want=TPM).err
    assert not (box.device.state / "mac.root").exists()
    box.talk_to(tpm.tcti)
    box.install()
    key = (box.device.state / "attest.key").read_bytes()
    for path in (city.path / "devices/own-1").rglob("*"):
        if path.is_file():
            assert key not in path.read_bytes()
    with box.device.mounted():
        pass
    assert box.install(want=USAGE).err.count("\n") == 1  # nothing is pending any more


def test_the_secret_is_not_in_clear_on_the_bus(city, workdir, tpm):
    allow(city, ek_public(tpm))
    box = Box(city, workdir, "bus-1", tpm)
    box.ask()
    seen = []

    class Tap(Relay):
        def forward(self, command):
            answer = super().forward(command)
            if command[6:10] == ACTIVATE.to_bytes(4, "big"):
                seen.append(answer)
            return answer
    relay = Tap(tpm, workdir, lambda code, command: None)
    try:
        box.talk_to(relay.tcti)
        box.answer()
        box.answer()
    finally:
        relay.close()
    # in clear both answers would carry the same 32 bytes behind the same 16 of header and sizes
    assert len(seen) == 2 and seen[0][16:48] != seen[1][16:48]


def test_another_bundle_than_the_enrolments_is_refused(city, workdir, tpm):
    allow(city, ek_public(tpm))
    box = Box(city, workdir, "own-2", tpm)
    box.ask()
    box.answer()
    box.add()
    bundle = bytearray(box.bundle().read_bytes())
    bundle[-1] ^= 1
    box.bundle().write_bytes(bundle)
    assert "not made for this device's last enrolment" in box.install(want=CONFIG).err
    assert not (box.device.state / "mac.root").exists()


def test_no_tpm_is_two_devices(city, workdir, tpm):
    allow(city, ek_public(tpm))
    Box(city, workdir, "twin-1", tpm).join()
    twin = Box(city, workdir, "twin-2", tpm)
    assert "is device twin-1 already" in twin.ask(want=CONFIG).err
    nothing_of(twin)


def test_an_operator_finishes_what_he_began(city, workdir, tpm):
    allow(city, ek_public(tpm))
    city.conclave("operator", "add", "bo", "--role", "deal", "--role", "enrol", "--no-passphrase")
    box = Box(city, workdir, "two-1", tpm)
    box.ask()
    box.answer()
    assert "operator admin" in box.add("--operator", "bo", want=CONFIG).err
    box.add()


def test_options_that_make_no_sense_are_refused(city, workdir, tpm):
    allow(city, ek_public(tpm))
    box = Box(city, workdir, "opt-1", tpm)
    gateways = ("--gateways", "g1,g2", "--threshold", "2")
    box.operator(*gateways, "--volume", box.device.volume, "--size", "32MiB", want=USAGE)
    box.operator(*gateways, "--mcu", want=USAGE)
    box.operator("--request", box.request, want=USAGE)
    city.conclave("device", "add", "opt-1", *gateways, "--response", "x", want=USAGE)
    box.enroll(want=USAGE)
    box.enroll("--request", "x", "--challenge", "y", "--response", "z", want=USAGE)
    box.enroll("--request", "x", "--force", want=USAGE)
    box.enroll("--challenge", "y", want=USAGE)
    box.enroll("--request", "x", "--ek", "dsa", want=USAGE)
    box.ask()
    box.answer()
    for pcr in ("16", "10", "7=00", "x", "07"):
        box.add("--pcr", pcr, want=USAGE)
    box.add("--tpm-firmware", "xyz", want=CONFIG)
    nothing_of(box)
    box.add("--pcr", "0", "--pcr", "7=" + "00" * 32)


def ended(process):
    out, err = process.communicate(timeout=60)
    return process.returncode, out + err


def test_online_it_is_one_command_at_each_end(city, maker, workdir, tpm):
    burn(tpm, maker.certify(ek_public(tpm)))
    box = Box(city, workdir, "line-1", tpm)
    with box.listen("--pcr", "7") as (process, token):
        assert "installed device line-1" in box.call(token).out
        code, text = ended(process)
        assert code == OK and token not in text
    assert not pending(box) and not (box.device.state / "enroll").exists()
    with box.device.mounted():
        pass
    assert "holds a device already" in box.call(token, want=CONFIG).err
    shutil.rmtree(box.device.state)
    assert "operator at 127.0.0.1" in box.call(token, want=None).err  # it served once


def test_a_token_opens_for_nobody_without_it(city, workdir, tpm):
    allow(city, ek_public(tpm))
    box = Box(city, workdir, "line-2", tpm)
    with box.listen() as (process, token):
        address, key = token.split("/", 1)
        other = ref.b64u(ref.sha256(key.encode()))
        assert "does not know this token" in box.call(f"{address}/{other}", want=DENIED).err
        with socket.create_connection(address.split(":")) as junk, \
                contextlib.suppress(ConnectionResetError):
            junk.sendall(b"GET / HTTP/1.0\r\n\r\n")
            junk.recv(100)
        assert not (box.device.state / "enroll").exists()
        for text in ("", "x", "/", address, key, f"{address}/short"):
            box.call(text, want=CONFIG)
        box.call(token + "\n")
        code, text = ended(process)
        assert code == OK and text.count("somebody without the token called") == 2


def test_online_a_chip_that_nobody_vouches_for_gets_nothing(city, workdir, tpm):
    box = Box(city, workdir, "line-3", tpm)
    with box.listen() as (process, token):
        assert "hung up" in box.call(token, want=DENIED).err
        code, text = ended(process)
        assert code == DENIED and "tpm-allow" in text
    nothing_of(box)
    assert not pending(box)


def test_a_device_that_leaves_early_leaves_nothing(city, workdir, tpm):
    allow(city, ek_public(tpm))
    box = Box(city, workdir, "line-4", tpm)
    relay = Relay(tpm, workdir, lambda code, _: False if code == ACTIVATE else None)
    try:
        box.talk_to(relay.tcti)
        with box.listen() as (process, token):
            box.call(token, want=IN_USE)
            code, _ = ended(process)
            assert code != OK
    finally:
        relay.close()
    nothing_of(box)
    assert not pending(box)


def test_another_tpm_needs_a_reenrolment_and_that_is_audited(city, workdir, tpm, other):
    for t in (tpm, other):
        allow(city, ek_public(t))
    box = Box(city, workdir, "new-1", tpm).join("--pcr", "7")
    with box.device.mounted():
        pass
    city.conclave("device", "quarantine", "new-1")
    spare = Box(city, workdir, "new-1", other)
    spare.device.state = city.dir / "state-new-1b"
    spare.device.volume = city.dir / "new-1b.cv"
    assert "device reenroll" in spare.ask(want=CONFIG).err
    spare.ask(verb="reenroll")
    spare.answer()
    assert "--threshold" in spare.add(verb="reenroll", gateways="g1", want=USAGE).err
    spare.add("--offline", verb="reenroll")
    record = city.path / "devices/new-1/record.json"
    change(record, reenrolled=False)  # as a plain enrolment the gateways refuse it
    assert "exists" in city.conclave("device", "push", "new-1", want=DENIED).err
    box.check(want=DENIED)  # quarantined, and still the one they know
    change(record, reenrolled=True)
    city.conclave("device", "push", "new-1")
    city.conclave("device", "push", "new-1")  # the same bytes: nothing changes
    spare.install()
    assert "device_quarantined" in spare.check(want=DENIED).out
    city.conclave("device", "reinstate", "new-1")
    with spare.device.mounted():
        pass
    assert spare.device.key() != b""
    assert box.check(want=None).code != OK  # the old TPM is nobody now
    for gateway in ("g1", "g2"):
        text = city.conclave("audit", "read", gateway).out
        assert "reenrolled" in text and "tpm to tpm" in text
        show = json.loads(city.conclave("device", "show", "new-1", "--json").out)
        assert show["gateways"][0]["record"]["policy"]["pcrs"]["7"]


def test_a_software_device_becomes_one_with_a_tpm(city, workdir, tpm):
    allow(city, ek_public(tpm))
    dev = city.device("grown-1", 2)
    box = Box(city, workdir, "grown-1", tpm)
    box.device.state = city.dir / "state-grown-1b"
    box.device.volume = city.dir / "grown-1b.cv"
    box.ask(verb="reenroll")
    box.answer()
    assert "pcrs" in box.add(verb="reenroll", want=CONFIG).err
    policy = workdir / "policy.json"
    doc = json.loads((city.path / "devices/grown-1/policy.json").read_text())
    policy.write_text(json.dumps({**doc, "policy_version": 2, "pcrs": "not_required",
                                  "tpm_firmware": "not_required"}))
    city.conclave("policy", "set", "grown-1", policy)
    box.add(verb="reenroll")
    box.install()
    with box.device.mounted():
        pass
    assert dev("check", want=None).code != OK
