"""Quotes of a real (software) TPM at real gateways, by a device and an operator that work by hand.

Only the checks of a gateway are tried here: the token and the package are written over
tests/reference.py, the quote is made by tpm2-tools.
"""
import json
import os
import shutil

import pytest
import wire
from conftest import CONFIG, DENIED, OK

import tpm_reference as tpm_ref

ref = wire.ref

pytestmark = pytest.mark.skipif(
    not (shutil.which("swtpm") and shutil.which("tpm2_quote")),
    reason="swtpm and tpm2-tools are not installed")

BOOT = ref.sha256(b"the boot loader")
POLICY = {"v": 1, "policy_version": 1, "boot": {"max_keys": 3, "max_step": 1},
          "measurements": "not_required", "place": "not_required", "iat": "not_required",
          "pcrs": "not_required", "tpm_firmware": "not_required", "lease_seconds": 0,
          "reveal_reason": True}


class TpmDevice(wire.Device):
    """Quotes each token. `quote` may be replaced: it gets the token's bytes."""

    def __init__(self, state, tpm):
        super().__init__(state)
        self.tpm, self.quote = tpm, tpm.quote
        self.boot_id = tpm.boot_id()

    def after_boot(self):
        self.tpm.load_ak()
        self.boot_id, self.boot_key = self.tpm.boot_id(), os.urandom(32)

    def authorize(self, gateway, nonce=None, token=None, target="/v1/authorize", **changes):
        nonce = nonce or self.nonce(gateway)
        token = token or self.token([nonce], **changes)
        more = {}
        if self.quote is not None:
            more["quote"] = {k: ref.b64u(v) for k, v in self.quote(token.encode()).items()}
        body = self.ids(nonce=ref.b64u(nonce), evidence=token, **more)
        return self.post(gateway, target, body), nonce


class Bench:
    def __init__(self, fleet, settings):
        self.fleet, self.settings, self.count = fleet, settings, 0
        fleet.gateways(2, "[limits]\nfailures_burst = 1000000")
        # docs: conclave(1), an operator without a passphrase
        self.key = (fleet.path / "operators/admin/keys").read_bytes()[8:40]
        self.crt = (fleet.path / "operators/admin/cert.jws").read_text().strip()

    def enrol(self, tpm, want=0, trust_class="tpm", **policy):
        """`device add`, with the packages dealt anew for a device that has this TPM."""
        self.count += 1
        name = f"t{self.count}"
        state = self.fleet.dir / f"state-{name}"
        self.fleet.device(name, 2, "--offline", "--state-dir", state, "--settings", self.settings,
                          mcu=True, install=False)
        d = wire.Device(state)
        members = [(g, i + 1, os.urandom(32)) for i, g in enumerate(sorted(d.gateways))]
        payload = ref.share_set(d.fleet, name, d.volume_id, d.epoch, 2, members)
        text = ref.jws_sign("conclave-share-set+jws", payload, self.key, self.crt)
        (state / "share-set.jws").write_text(text)
        for gateway, x, share in members:
            plain = {"v": 1, "volume_id": ref.b64u(d.volume_id), "epoch": d.epoch, "x": x,
                     "share": ref.b64u(share), "mac_key": ref.b64u(d.key(gateway)),
                     "attestation_key": ref.b64u(ref.es256_public(d.attest)),
                     "share_set_hash": ref.b64u(ref.sha256(text)), "threshold": 2, "members": 2,
                     "trust_class": trust_class, "policy": {**POLICY, **policy}}
            if tpm is not None:
                plain["tpm"] = {"ek_name": ref.b64u(tpm_ref.name(tpm.area("ek"))),
                                "ak": ref.b64u(tpm.area("ak"))}
            record = json.loads((self.fleet.path / f"gateways/{gateway}.json").read_text())
            sealed = ref.enrolment_payload(d.fleet, gateway, name, plain,
                                           ref.unb64u(record["enrolment_key"]), os.urandom(32))
            package = self.fleet.path / f"devices/{name}/packages/{gateway}.jws"
            package.write_text(
                ref.jws_sign("conclave-enrol+jws", sealed, self.key, self.crt))
        result = self.fleet.conclave("device", "push", name, want=None)
        assert (result.code == 0) == (want == 0), result
        return state

    def device(self, tpm, **policy):
        return TpmDevice(self.enrol(tpm, **policy), tpm)


@pytest.fixture(scope="module")
def bench(module_fleet, tmp_path_factory):
    settings = tmp_path_factory.mktemp("s") / "settings.json"
    settings.write_text('{"a":1}')
    return Bench(module_fleet, settings)


@pytest.fixture
def tpm(workdir):
    t = tpm_ref.Swtpm(workdir / "a").start()
    t.create_ak()
    yield t
    t.cut_power()


def unlocks(dev):
    for g in dev.gateways:
        answer, nonce = dev.authorize(g)
        assert answer.status == 200, answer.body
        dev.open_share(g, answer, nonce)


def refused(answer, reason):
    assert answer.status == 403 and answer.mac, answer.body
    assert (answer.reason, answer.retry) == (reason, "no")
    assert len(answer.body) == 1024


def test_a_quote_releases_and_none_does_not(bench, tpm):
    dev = bench.device(tpm)
    unlocks(dev)
    dev.quote = None
    refused(dev.authorize("g1")[0], "quote_missing")


def test_one_quote_serves_all_gateways(bench, tpm):
    dev = bench.device(tpm)
    nonces = {g: dev.nonce(g) for g in dev.gateways}
    token = dev.token(list(nonces.values()))
    made = tpm.quote(token.encode())
    dev.quote = lambda _: made
    for g, nonce in nonces.items():
        answer, _ = dev.authorize(g, nonce, token)
        assert answer.status == 200, answer.body


def test_power_cut_suspend_and_reboot_unlock(bench, tpm):
    dev = bench.device(tpm)
    unlocks(dev)
    boots = [dev.boot_id]
    tpm.cut_power()
    tpm.start()
    dev.after_boot()
    unlocks(dev)
    boots.append(dev.boot_id)
    tpm.suspend()
    dev.after_boot()
    unlocks(dev)
    boots.append(dev.boot_id)
    tpm.reboot()
    dev.after_boot()
    unlocks(dev)
    boots.append(dev.boot_id)
    assert boots == sorted(set(boots))


def test_an_older_state_of_the_tpm_is_refused(bench, tpm, workdir):
    dev = bench.device(tpm)
    tpm.reboot()
    tpm.cut_power()
    shutil.copytree(tpm.state, workdir / "older")
    tpm.start()
    tpm.reboot()
    dev.after_boot()
    unlocks(dev)
    tpm.cut_power()
    shutil.rmtree(tpm.state)
    shutil.copytree(workdir / "older", tpm.state)
    tpm.start()
    dev.after_boot()
    refused(dev.authorize("g1")[0], "boot_rollback")


def test_a_cleared_tpm_is_refused(bench, tpm):
    dev = bench.device(tpm)
    unlocks(dev)
    tpm.run("tpm2_clear", "-c", "p")
    tpm.load_ak(want=1)  # the key is gone, the endorsement key is not
    before = tpm.area("ek")
    tpm.create_ak()
    assert tpm.area("ek") == before
    dev.boot_id = tpm.boot_id()
    refused(dev.authorize("g1")[0], "quote_signature")


def test_another_tpm_is_refused(bench, tpm, workdir):
    dev = bench.device(tpm)
    other = tpm_ref.Swtpm(workdir / "b").start()
    try:
        other.create_ak()
        dev.quote = other.quote
        refused(dev.authorize("g1")[0], "quote_signature")
    finally:
        other.cut_power()


def test_the_right_key_under_another_endorsement_key_is_refused(bench, tpm, workdir):
    """As if an operator had been shown the endorsement key of another chip."""
    other = tpm_ref.Swtpm(workdir / "b").start()
    try:
        other.load_ek()
        shutil.copy(other.dir / "ek.pub", tpm.dir / "ek.pub")
        refused(bench.device(tpm).authorize("g1")[0], "quote_key")
    finally:
        other.cut_power()


def test_another_tokens_quote_and_bent_values_are_refused(bench, tpm):
    dev = bench.device(tpm)
    dev.quote = lambda token: tpm.quote(token + b".")
    refused(dev.authorize("g1")[0], "quote_token")
    dev.quote = lambda token: {**tpm.quote(token), "pcrs": bytes(480 - 1) + b"\1"}
    refused(dev.authorize("g1")[0], "quote_digest")
    dev.quote = lambda token: {**tpm.quote(token, [0, 7]), "pcrs": bytes(480)}
    refused(dev.authorize("g1")[0], "quote_selection")
    dev.quote = lambda token: {**tpm.quote(token), "signature": b"\0\x14" + bytes(70)}
    refused(dev.authorize("g1")[0], "quote_algorithm")


def test_the_boot_that_is_claimed_must_be_the_quoted_one(bench, tpm):
    dev = bench.device(tpm)
    dev.boot_id = tpm_ref.boot_id(99, 0)
    refused(dev.authorize("g1")[0], "boot_form")


def test_pcr_values_decide(bench, tpm):
    good = ref.sha256(bytes(32) + BOOT).hex()
    dev = bench.device(tpm, pcrs={"7": ["00" * 32, good], "0": ["00" * 32]})
    unlocks(dev)  # PCR 7 is still zero
    tpm.run("tpm2_pcrextend", f"7:sha256={BOOT.hex()}")
    unlocks(dev)
    tpm.run("tpm2_pcrextend", f"7:sha256={BOOT.hex()}")
    refused(dev.authorize("g1")[0], "pcr_mismatch")


def test_the_firmware_decides(bench, tpm):
    firmware = tpm_ref.attest_decode(tpm.quote(b"t")["attest"])["firmware"]
    unlocks(bench.device(tpm, tpm_firmware=[f"{firmware:016x}"]))
    refused(bench.device(tpm, tpm_firmware=["0" * 16]).authorize("g1")[0], "firmware_mismatch")


def test_packages_that_make_no_sense_are_refused(bench, tpm):
    bench.enrol(None, want=1)  # class tpm without one
    bench.enrol(tpm, want=1, trust_class="software")
    bench.enrol(tpm, want=1, pcrs={})  # nothing would ever be released
    bench.enrol(tpm, want=1, tpm_firmware=[])
    bench.enrol(None, want=1, trust_class="software", pcrs={"7": ["00" * 32]})


def test_a_key_that_may_sign_anything_is_not_enrolled(bench, tpm):
    area = bytearray(tpm.area("ak"))
    area[5] ^= 0x01  # restricted
    (tpm.dir / "ak.pub").write_bytes(len(area).to_bytes(2, "big") + area)
    bench.enrol(tpm, want=1)


def test_the_audit_says_what_was_quoted(bench, tpm):
    dev = bench.device(tpm)
    unlocks(dev)
    text = bench.fleet.conclave("audit", "read", "g1").out
    assert "tpm_clock_safe" in text and "tpm_firmware" in text and "tpm_pcr_digest" in text


def test_a_policy_must_suit_the_class(bench, tpm, workdir):
    dev = bench.device(tpm)
    file = workdir / "policy.json"

    def put(want, **changes):
        text = {**POLICY, **changes}
        file.write_text(json.dumps({k: v for k, v in text.items() if v is not None}))
        return bench.fleet.conclave("policy", "set", dev.name, file, want=want)

    put(DENIED, policy_version=2, pcrs=None)
    put(DENIED, policy_version=2, tpm_firmware=None)
    unlocks(dev)
    put(OK, policy_version=2, pcrs={"7": ["11" * 32]})
    refused(dev.authorize("g1")[0], "pcr_mismatch")
    put(CONFIG, policy_version=3, pcrs={"16": ["00" * 32]})  # resettable: never trusted
