"""What docs/protocol.md must stop, tried on a real gateway by a device that speaks by hand."""
import json
import os
import struct

import pytest
import wire

ref = wire.ref


class Bench:
    """Two gateways, and one fresh device for each test that asks: budgets are per device."""

    def __init__(self, fleet):
        self.fleet, self.count = fleet, 0
        # All of these tests come from one address and fail on purpose.
        fleet.gateways(2, "[limits]\nfailures_burst = 1000000")

    def device(self, *options):
        self.count += 1
        # The budget of a device is for its own requests; every test gets its own.
        name = f"w{self.count}"
        state = self.fleet.dir / f"state-{name}"
        self.fleet.device(name, 2, "--state-dir", state, *options, mcu=True, install=False)
        d = wire.Device(state)
        d.boot_id = struct.pack(">QQ", 0, 1)
        return d


@pytest.fixture(scope="module")
def bench(module_fleet, tmp_path_factory):
    settings = tmp_path_factory.mktemp("s") / "settings.json"
    settings.write_text('{"a":1}')
    b = Bench(module_fleet)
    make = b.device
    b.device = lambda *options: make("--settings", settings, *options)
    return b


@pytest.fixture
def dev(bench):
    return bench.device()


def refused(answer, reason, retry="no"):
    assert answer.status == 403 and answer.mac, answer.body
    assert (answer.reason, answer.retry) == (reason, retry)
    assert "sealed_share" not in answer.json()


def unauthenticated(answer):
    assert answer.status == 401 and answer.mac is None


def test_document_alone_unlocks(dev):
    """The honest case first: K shares by hand rebuild the secret that opens the settings."""
    shares = []
    for g in dev.gateways:
        answer, nonce = dev.authorize(g)
        assert answer.status == 200 and len(answer.body) == 1024
        shares.append(dev.open_share(g, answer, nonce))
    assert len(wire.combine(shares)) == 32
    assert dev.event("g1", "MOUNT_OK").json() == {"accepted": True}


def test_one_share_is_not_the_secret(dev):
    answer, nonce = dev.authorize("g1")
    x, share = dev.open_share("g1", answer, nonce)
    answer2, nonce2 = dev.authorize("g2")
    other = dev.open_share("g2", answer2, nonce2)
    assert share != wire.combine([(x, share), other])


# requests that are not this device's

def test_unknown_device_and_bad_mac_are_one_answer(dev):
    stranger = dev.twin()
    stranger.name = "nobody"
    unknown = stranger.ask_nonce("g1")
    wrong = dev.post("g1", "/v1/nonce", dev.ids(boot_id=ref.b64u(dev.boot_id)), mac=bytes(32))
    unauthenticated(unknown)
    unauthenticated(wrong)
    assert unknown.body == wrong.body
    assert unknown.headers.keys() == wrong.headers.keys()


def test_request_for_a_is_refused_by_b(dev):
    unauthenticated(dev.post(
        "g1", "/v1/nonce", dev.ids(boot_id=ref.b64u(dev.boot_id)), signed_for="g2"))
    nonce = dev.nonce("g2")
    refused(dev.authorize("g1", nonce=nonce)[0], "nonce_foreign", "new_nonce")


def test_junk_naming_a_device_does_not_spend_its_budget(dev):
    for _ in range(60):
        unauthenticated(dev.post("g1", "/v1/nonce", b"{}", mac=os.urandom(32)))
    assert dev.authorize("g1")[0].status == 200


@pytest.mark.parametrize("where", ["body", "mac", "target"])
def test_any_changed_byte_is_refused(dev, where):
    body = ref.compact(dev.ids(boot_id=ref.b64u(dev.boot_id))).encode()
    mac = ref.request_mac(dev.key("g1"), dev.fleet, "g1", dev.name, "POST", "/v1/nonce", body)
    target = "/v1/nonce"
    if where == "body":
        body = body.replace(b'"epoch":1', b'"epoch":2')
    elif where == "mac":
        mac = bytes([mac[0] ^ 1]) + mac[1:]
    else:
        target = "/v1/status"
    unauthenticated(dev.post("g1", target, body, mac=mac))


# nonces

def test_spent_nonce_is_refused_and_the_device_goes_on(dev):
    answer, nonce = dev.authorize("g1")
    assert answer.status == 200
    refused(dev.authorize("g1", nonce=nonce)[0], "nonce_spent", "new_nonce")
    assert dev.authorize("g1")[0].status == 200


def test_recorded_request_replayed_whole_releases_nothing(dev):
    nonce = dev.nonce("g1")
    body = ref.compact(dev.ids(nonce=ref.b64u(nonce), evidence=dev.token([nonce]))).encode()
    assert dev.post("g1", "/v1/authorize", body).status == 200
    refused(dev.post("g1", "/v1/authorize", body), "nonce_spent", "new_nonce")


def test_made_up_nonce_is_foreign(dev):
    refused(dev.authorize("g1", nonce=os.urandom(40))[0], "nonce_foreign", "new_nonce")


def test_nonce_of_another_device_is_foreign(bench, dev):
    other = bench.device()
    refused(dev.authorize("g1", nonce=other.nonce("g1"))[0], "nonce_foreign", "new_nonce")


def test_check_spends_its_nonce_and_releases_nothing(dev):
    answer, nonce = dev.authorize("g1", target="/v1/check", purpose="check")
    assert answer.status == 200 and answer.json()["would_release"] is True
    assert "sealed_share" not in answer.json()
    refused(dev.authorize("g1", nonce=nonce)[0], "nonce_spent", "new_nonce")


# evidence

def bent_header(dev, nonce, header, sign=True):
    payload = ref.b64u(ref.compact(dev.claims([nonce])).encode())
    text = ref.b64u(ref.compact(header).encode()) + "." + payload
    sig = ref.b64u(ref.es256_sign(dev.attest, ref.sha256(text))) if sign else ""
    return text + "." + sig


@pytest.mark.parametrize("header,sign", [
    ({"alg": "none", "typ": "eat+jwt"}, False),
    ({"alg": "none", "typ": "eat+jwt"}, True),
    ({"alg": "HS256", "typ": "eat+jwt"}, True),
    ({"alg": "ES384", "typ": "eat+jwt"}, True),
])
def test_algorithm_is_pinned(dev, header, sign):
    nonce = dev.nonce("g1")
    token = bent_header(dev, nonce, header, sign)
    answer, _ = dev.authorize("g1", nonce=nonce, token=token)
    assert answer.status == 403 and answer.reason in ("evidence_algorithm", "evidence_format")


@pytest.mark.parametrize("header", [
    {"alg": "ES256", "typ": "JWT"},
    {"alg": "ES256"},
    {"alg": "ES256", "typ": "eat+jwt", "jwk": {"kty": "EC"}},
    {"alg": "ES256", "typ": "eat+jwt", "crt": "a.b.c"},
])
def test_header_has_no_room_for_more(dev, header):
    nonce = dev.nonce("g1")
    answer, _ = dev.authorize("g1", nonce=nonce, token=bent_header(dev, nonce, header))
    refused(answer, "evidence_format")


def test_token_signed_by_another_key(dev):
    nonce = dev.nonce("g1")
    token = dev.token([nonce], key=os.urandom(31) + b"\x01")
    refused(dev.authorize("g1", nonce=nonce, token=token)[0], "evidence_signature")


def test_token_lifted_from_another_device(bench, dev):
    other = bench.device()
    nonce = dev.nonce("g1")
    refused(dev.authorize("g1", nonce=nonce, token=other.token([nonce]))[0], "evidence_signature")
    nonce = dev.nonce("g1")
    lifted = other.claims([nonce])
    token = ref.jws_sign("eat+jwt", lifted, dev.attest)
    refused(dev.authorize("g1", nonce=nonce, token=token)[0], "evidence_device")


@pytest.mark.parametrize("changes,reason", [
    ({"purpose": "check"}, "evidence_purpose"),
    ({"eat_profile": "tag:example.org,2026:other"}, "evidence_profile"),
    ({"eat_nonce": [ref.b64u(bytes(40))]}, "evidence_nonce"),
    ({"volume": ref.b64u(bytes(16))}, "evidence_volume"),
    ({"epoch": 2}, "evidence_epoch"),
    ({"share_set": ref.b64u(bytes(32))}, "evidence_share_set"),
    ({"dbgstat": "enabled"}, "debug_enabled"),
    ({"boot_id": ref.b64u(b"\x07" * 16)}, "boot_form"),
    ({"surprise": 1}, "evidence_format"),
    ({"uptime": -1}, "evidence_format"),
    ({"iat": None, "cnf": None}, "evidence_format"),
])
def test_claim_that_does_not_fit(dev, changes, reason):
    refused(dev.authorize("g1", **changes)[0], reason)


def test_volume_and_epoch_of_another(bench, dev):
    other = bench.device()
    answer = dev.post("g1", "/v1/nonce", dict(
        dev.ids(boot_id=ref.b64u(dev.boot_id)), volume_id=ref.b64u(other.volume_id)))
    refused(answer, "volume_unknown")
    refused(dev.post("g1", "/v1/nonce", dict(
        dev.ids(boot_id=ref.b64u(dev.boot_id)), epoch=2)), "epoch_unknown")


# boots

def test_boot_counter_never_goes_back(dev):
    dev.boot_id = struct.pack(">QQ", 0, 5)
    assert dev.authorize("g1")[0].status == 200
    dev.boot_id = struct.pack(">QQ", 0, 4)
    refused(dev.authorize("g1")[0], "boot_rollback")


def test_boot_counter_far_ahead_is_refused_and_not_kept(dev):
    assert dev.authorize("g1")[0].status == 200
    dev.boot_id = struct.pack(">QQ", 0, 10**9)
    refused(dev.authorize("g1")[0], "boot_ahead")
    dev.boot_id = struct.pack(">QQ", 0, 2)
    assert dev.authorize("g1")[0].status == 200


def test_same_boot_same_key_again_and_few_other_keys(bench, dev):
    assert dev.authorize("g1")[0].status == 200
    assert dev.authorize("g1")[0].status == 200
    for _ in range(2):
        dev.boot_key = os.urandom(32)
        assert dev.authorize("g1")[0].status == 200
    dev.boot_key = os.urandom(32)
    refused(dev.authorize("g1")[0], "boot_key")
    bench.fleet.conclave("device", "allow-key", dev.name)
    assert dev.authorize("g1")[0].status == 200


# policy

def test_measurement_must_be_there_and_match(bench):
    dev = bench.device("--measure", "firmware=" + "ab" * 32)
    refused(dev.authorize("g1")[0], "measurement_missing")
    dev.digests = {"firmware": bytes(32)}
    refused(dev.authorize("g1")[0], "measurement_mismatch")
    dev.digests = {"firmware": bytes.fromhex("ab" * 32)}
    assert dev.authorize("g1")[0].status == 200


def test_place_must_be_claimed_and_allowed(bench):
    dev = bench.device("--city", "oslo")
    refused(dev.authorize("g1")[0], "place_missing")
    dev.region = {"region": "no", "state": "oslo", "city": "bergen"}
    refused(dev.authorize("g1")[0], "place_denied")
    dev.region["city"] = "oslo"
    assert dev.authorize("g1")[0].status == 200


# events

def test_event_counter(dev):
    assert dev.authorize("g1")[0].status == 200
    assert dev.event("g1", "MOUNT_OK").status == 200
    dev.counter -= 1
    assert dev.event("g1", "MOUNT_OK").status == 200  # the same again
    dev.counter -= 1
    refused(dev.event("g1", "MOUNT_FAIL", reason="other"), "counter_reused")
    dev.counter = -1
    refused(dev.event("g1", "MOUNT_OK"), "counter_reused")


# bodies

DEEP = b'{"a":' * 40 + b"1" + b"}" * 40
BAD_BODIES = {
    "empty": b"", "not json": b"hello", "array": b"[]", "truncated": b'{"request_id":"AAAA',
    "deep": DEEP, "duplicate": None, "not utf-8": b'{"request_id":"\xff"}',
    "nul": b'{"request_id":"a\x00"}', "escaped nul": b'{"request_id":"\\u0000"}',
    "surrogate": b'{"request_id":"\\ud800"}', "number form": b'{"epoch":1.0}',
    "exponent": b'{"epoch":1e0}', "huge number": b'{"epoch":99999999999999999999}',
    "trailing": b"{}{}", "wrong types": b'{"request_id":1,"volume_id":[],"epoch":"1","boot_id":{}}',
}


@pytest.mark.parametrize("name", BAD_BODIES)
def test_bad_body_is_malformed(bench, name):
    dev = bench.device()
    body = BAD_BODIES[name]
    if body is None:
        good = ref.compact(dev.ids(boot_id=ref.b64u(dev.boot_id)))
        body = (good[:-1] + ',"epoch":1}').encode()
    for target in ("/v1/nonce", "/v1/authorize", "/v1/events", "/v1/status"):
        answer = dev.post("g1", target, body)
        if not body and answer.status == 400:
            continue  # a POST without a body is framing, and the front's
        refused(answer, "malformed")
    assert dev.authorize("g1")[0].status == 200


def test_unknown_member_is_malformed(dev):
    refused(dev.post("g1", "/v1/nonce", dev.ids(boot_id=ref.b64u(dev.boot_id), more=1)),
            "malformed")


def test_framing_is_refused_without_a_mac(dev):
    good = {"Content-Type": "application/json",
            "Conclave-MAC": ref.request_header(dev.name, bytes(32))}
    cases = [
        (413, "/v1/nonce", b"x" * 36865, good, "POST"),
        (415, "/v1/nonce", b"{}", dict(good, **{"Content-Type": "text/plain"}), "POST"),
        (404, "/v1/else", b"{}", good, "POST"),
        (405, "/v1/nonce", None, good, "GET"),
        (401, "/v1/nonce", b"{}", {"Content-Type": "application/json"}, "POST"),
    ]
    for status, target, body, headers, method in cases:
        answer = dev.send("g1", target, body, headers, method)
        assert (answer.status, answer.mac) == (status, None), (target, answer.status)
    assert dev.authorize("g1")[0].status == 200


@pytest.mark.parametrize("header", [
    "v1 device=%s mac=00", "v2 device=%s mac=" + "0" * 64, "v1 mac=" + "0" * 64,
    "v1 device=%s mac=" + "0" * 64 + " ", "v1  device=%s mac=" + "0" * 64,
    "v1 device=../%s mac=" + "0" * 64, "v1 device=%s mac=" + "G" * 64, "",
])
def test_bent_mac_header_is_unauthorized(dev, header):
    value = header % dev.name if "%s" in header else header
    answer = dev.send("g1", "/v1/nonce", b"{}", {
        "Content-Type": "application/json", "Conclave-MAC": value})
    assert answer.status in (400, 401) and answer.mac is None


def test_release_and_refusal_have_one_length(dev):
    good, nonce = dev.authorize("g1")
    bad, _ = dev.authorize("g1", nonce=nonce)
    assert good.status == 200 and bad.status == 403
    assert len(good.body) == len(bad.body) == 1024
    assert json.loads(bad.body)["status"] == 403


def test_nothing_refused_left_a_release_in_the_audit(bench, dev):
    nonce = dev.nonce("g1")
    refused(dev.authorize("g1", nonce=nonce, dbgstat="enabled")[0], "debug_enabled")
    shown = bench.fleet.conclave("device", "show", dev.name, "--json").json
    assert '"last_release":0' in ref.compact(shown)
    bench.fleet.conclave("audit", "verify", "g1")
