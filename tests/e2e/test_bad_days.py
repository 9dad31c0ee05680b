"""Gateways down, black-holed, slow, lying, misnamed; stores damaged; clocks and disks wrong.

A device asks real gateways through relays that misbehave. Deadlines are the device's own: a test
fails on a wrong answer, never on a slow machine.
"""
import datetime
import os
import signal
import sqlite3
import subprocess
import types

import pytest
import wire
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import ExtendedKeyUsageOID
from conftest import (CONFIG, DEADLINE, DENIED, PATIENCE_S, SHARES, TAMPERED, TOO_FEW, clean_env,
                      program, run)
from liar import Liar
from proxy import Proxy, black_hole

ref = wire.ref
TOO_FEW_OR_LATE = (TOO_FEW, DEADLINE)


@pytest.fixture(scope="module")
def three(module_fleet):
    """Three gateways and a device with 2 of 3; its recovery of the secret is the reference."""
    module_fleet.gateways(3)
    dev = module_fleet.device("d1", 2)
    dev.secret = dev.key()
    assert len(dev.secret) == 32
    return module_fleet, dev


@pytest.fixture
def relayed(three):
    """The device's gateways behind relays, restored afterwards."""
    fleet, dev = three
    relays = {}
    for name, address in fleet.addresses().items():
        host, port = address.rsplit(":", 1)
        relays[name] = Proxy((host, int(port)))
    dev.set_addresses({n: r.address for n, r in relays.items()})
    yield dev, relays
    dev.set_addresses(fleet.addresses())
    for r in relays.values():
        r.close()


@pytest.fixture(scope="module")
def mcu(three, tmp_path_factory):
    settings = tmp_path_factory.mktemp("mcu") / "settings.json"
    settings.write_text('{"a":1}')
    return three[0].device("m1", 2, "--settings", settings, mcu=True)


def errors_of(dev, timeout):
    """Exit code and what it printed, of a `key` that must fail."""
    r, w = os.pipe()
    try:
        done = subprocess.run(
            [program("conclave-device"), "key", "--fd", str(w), "--timeout", timeout, "--state",
             str(dev.state), "--run", str(dev.run_dir), "--config", str(dev.config)],
            stdin=subprocess.DEVNULL, capture_output=True, text=True, pass_fds=[w],
            env=clean_env(), timeout=PATIENCE_S, check=False)
        os.close(w)
        assert os.read(r, 64) == b"", "a key came out of a failure"
    finally:
        os.close(r)
    return done.returncode, done.stderr


@pytest.mark.parametrize("mode", ["hold", "close", "cut", "garbage", "drip"])
def test_one_bad_gateway_does_not_matter(relayed, mode):
    dev, relays = relayed
    relays["g2"].mode = mode
    assert dev.key() == dev.secret


def test_one_gateway_down(three):
    fleet, dev = three
    fleet.all_gateways["g1"].stop()
    try:
        assert dev.key() == dev.secret
    finally:
        fleet.all_gateways["g1"].start()


def test_one_gateway_black_holed(relayed):
    dev, relays = relayed
    address, keep = black_hole()
    dev.set_addresses({"g1": address, "g2": relays["g2"].address, "g3": relays["g3"].address})
    assert dev.key() == dev.secret
    for s in keep:
        s.close()


@pytest.mark.parametrize("mode", ["hold", "close", "garbage"])
def test_two_bad_gateways_lock_and_are_named(relayed, mode):
    dev, relays = relayed
    relays["g1"].mode = relays["g3"].mode = mode
    code, err = errors_of(dev, "4s")
    assert code in TOO_FEW_OR_LATE, err
    assert "g1" in err and "g3" in err


def test_a_gateway_that_comes_back_is_asked_again(relayed):
    dev, relays = relayed
    relays["g1"].mode = relays["g3"].mode = "close"
    process = subprocess.Popen(
        [program("conclave-device"), "key", "--fd", "1", "--timeout", "60s", "--state",
         str(dev.state), "--run", str(dev.run_dir), "--config", str(dev.config)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_env())
    while relays["g1"].connections < 2:  # the second attempt has begun
        assert process.poll() is None, process.stderr.read()
    relays["g1"].mode = "pass"
    secret, err = process.communicate(timeout=PATIENCE_S)
    assert process.returncode == 0, err
    assert secret == dev.secret


def test_wrong_gateway_behind_an_address_is_no_answer(relayed):
    """g1's address leads to g2: right root, right role, wrong name."""
    dev, relays = relayed
    dev.set_addresses({"g1": relays["g2"].address, "g2": relays["g2"].address})
    code, err = errors_of(dev, "4s")
    assert code in TOO_FEW_OR_LATE, err
    assert "g1" in err


def with_liar(three, behaviour, *victims):
    fleet, dev = three
    hand = wire.Device(dev.state)
    liars = [Liar(fleet.all_gateways[v], hand, behaviour) for v in victims]
    dev.set_addresses({**fleet.addresses(), **{x.id: x.address for x in liars}})
    return dev, liars


@pytest.fixture
def lie(three):
    made = []

    def make(behaviour, *victims):
        dev, liars = with_liar(three, behaviour, *victims)
        made.extend(liars)
        return dev, liars

    yield make
    three[1].set_addresses(three[0].addresses())
    for x in made:
        x.close()


@pytest.mark.parametrize("behaviour", ["share", "refuse", "unsigned", "nonsense"])
def test_one_liar_stops_nobody(lie, behaviour):
    dev, liars = lie(behaviour, "g1")
    assert dev.key() == dev.secret
    assert liars[0].requests


def test_two_liars_are_named_and_give_no_key(lie):
    dev, _ = lie("share", "g1", "g2")
    code, err = errors_of(dev, "5s")
    assert code in (SHARES, *TOO_FEW_OR_LATE), err
    assert "g1" in err and "g2" in err and "share" in err


def test_a_year_of_retry_after_is_capped(lie):
    """Two gateways say later, a year; the deadline is the device's own, not theirs."""
    dev, liars = lie("unsigned", "g1", "g2")
    code, err = errors_of(dev, "6s")
    assert code in TOO_FEW_OR_LATE, err
    assert sum(path == "/v1/nonce" for path, _ in liars[0].requests) >= 2, "it gave up asking"


def issue(fleet, directory, name, uri, usage, days=(-1, 1)):
    """A TLS identity from the fleet's own root: directory/front/tls.crt and tls.key."""
    scalar = (fleet.path / "root" / "keys").read_bytes()[-32:]
    root_key = ec.derive_private_key(int.from_bytes(scalar, "big"), ec.SECP256R1())
    dev = next(iter(fleet.devices.values()))
    root = x509.load_pem_x509_certificate((dev.state / "roots" / "tls.pem").read_bytes())
    assert root.public_key().public_numbers() == root_key.public_key().public_numbers()
    key = ec.generate_private_key(ec.SECP256R1())
    now = datetime.datetime.now(datetime.timezone.utc)
    cert = (x509.CertificateBuilder().subject_name(x509.Name([])).issuer_name(root.subject)
            .public_key(key.public_key()).serial_number(x509.random_serial_number())
            .not_valid_before(now + datetime.timedelta(days[0]))
            .not_valid_after(now + datetime.timedelta(days[1]))
            .add_extension(x509.SubjectAlternativeName(
                [x509.DNSName(name), x509.UniformResourceIdentifier(uri)]), critical=True)
            .add_extension(x509.ExtendedKeyUsage([usage]), critical=False)
            .sign(root_key, hashes.SHA256()))
    front = directory / "front"
    front.mkdir(parents=True)
    (front / "tls.crt").write_bytes(cert.public_bytes(Encoding.PEM))
    (front / "tls.key").write_bytes(key.private_bytes(
        Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    return types.SimpleNamespace(id="g1", state=directory)


SERVER, CLIENT = ExtendedKeyUsageOID.SERVER_AUTH, ExtendedKeyUsageOID.CLIENT_AUTH


@pytest.mark.parametrize("client", ["linux", "mcu"])
@pytest.mark.parametrize("uri,name_of,usage,days,trusted", [
    ("spiffe://test/gateway/g1", "g1", SERVER, (-1, 1), True),
    ("spiffe://test/gateway/g1", "g1", SERVER, (-9, -8), True),  # dates are not what is trusted
    ("spiffe://test/gateway/g1", "g1", SERVER, (800, 900), True),
    ("spiffe://test/gateway/g2", "g1", SERVER, (-1, 1), False),
    ("spiffe://test/operator/g1", "g1", SERVER, (-1, 1), False),
    ("spiffe://other/gateway/g1", "g1", SERVER, (-1, 1), False),
    ("spiffe://test/gateway/g1", "g2", SERVER, (-1, 1), False),
    ("spiffe://test/gateway/g1", "g1", CLIENT, (-1, 1), False),
])
def test_certificate_must_be_this_gateways(
        three, mcu, tmp_path, client, uri, name_of, usage, days, trusted):
    """From the right root each time. A request is sent only under a certificate that fits."""
    fleet, dev = three
    dev = mcu if client == "mcu" else dev
    identity = issue(
        fleet, tmp_path, ref.gateway_dns_name(fleet.name, name_of), uri, usage, days)
    liar = Liar(identity, wire.Device(dev.state), "nonsense")
    try:
        dev.set_addresses({"g1": liar.address})
        if client == "mcu":
            done = fleet.mcu(dev, want=None, timeout="2")
            code, err = done.code, done.err
        else:
            code, err = errors_of(dev, "2s")
        assert code in TOO_FEW_OR_LATE, err
        assert bool(liar.requests) == trusted, err
        if trusted and days != (-1, 1):
            assert "certificate" in err  # tolerated, and said
    finally:
        dev.set_addresses(fleet.addresses())
        liar.close()


# the microcontroller client, with the same gateways

def test_mcu_boots_with_one_bad_gateway(three, mcu):
    fleet, _ = three
    for mode in ("hold", "close", "cut", "garbage"):
        host, port = fleet.addresses()["g1"].rsplit(":", 1)
        relay = Proxy((host, int(port)), mode)
        mcu.set_addresses({**fleet.addresses(), "g1": relay.address})
        out = fleet.mcu(mcu).out
        assert "mount-pin high" in out and "MOUNT_OK" in out
        relay.close()
    mcu.set_addresses(fleet.addresses())


@pytest.mark.parametrize("behaviour", ["share", "refuse", "unsigned", "nonsense"])
def test_mcu_boots_with_one_liar(three, mcu, behaviour):
    fleet, _ = three
    liar = Liar(fleet.all_gateways["g1"], wire.Device(mcu.state), behaviour)
    mcu.set_addresses({**fleet.addresses(), "g1": liar.address})
    out = fleet.mcu(mcu).out
    assert "MOUNT_OK" in out
    told = [doc for path, doc in liar.requests if path == "/v1/events"]
    accused = [doc.get("gateway") for doc in told if doc["event"] == "SHARE_INVALID"]
    assert accused == (["g1"] if behaviour == "share" else [])
    liar.close()
    mcu.set_addresses(fleet.addresses())


def test_mcu_stays_down_without_two_gateways(three, mcu):
    fleet, _ = three
    mcu.set_addresses({"g1": fleet.addresses()["g1"]})
    done = fleet.mcu(mcu, want=None, timeout="3")
    assert done.code in TOO_FEW_OR_LATE
    assert "mount-pin high" not in done.out and "MOUNT_OK" not in done.out
    mcu.set_addresses(fleet.addresses())


def test_mcu_notices_changed_settings(three, mcu):
    fleet, _ = three
    path = mcu.state / "settings.sealed"
    whole = path.read_bytes()
    for at in (0, 9, 21, len(whole) - 1):
        bad = bytearray(whole)
        bad[at] ^= 1
        path.write_bytes(bytes(bad))
        done = fleet.mcu(mcu, want=None)
        assert done.code != 0 and "mount-pin high" not in done.out, at
    path.write_bytes(whole[:20])
    assert fleet.mcu(mcu, want=None).code != 0
    path.write_bytes(whole)
    assert "MOUNT_OK" in fleet.mcu(mcu).out


# revocation

def test_revoked_at_enough_gateways_is_denied(fleet):
    fleet.gateways(3)
    dev = fleet.device("gone", 2)
    fleet.conclave("device", "revoke", "gone", "--json", want=None)
    code, err = errors_of(dev, "5s")
    assert code == DENIED, err


def test_quarantine_ends_only_by_an_operator(fleet):
    fleet.gateways(2)
    dev = fleet.device("q", 2)
    fleet.conclave("device", "quarantine", "q")
    assert errors_of(dev, "4s")[0] == DENIED
    fleet.all_gateways["g1"].stop()
    fleet.all_gateways["g1"].start()
    assert errors_of(dev, "4s")[0] == DENIED
    fleet.conclave("device", "reinstate", "q")
    assert len(dev.key()) == 32


# the gateway's own bad days

def start_fails(gateway, want):
    gateway.write_config()
    result = run([program("conclave-gateway"), "run", "--config", gateway.config], want=None)
    assert result.code == want, repr(result)
    assert result.err.strip() and "ready" not in result.out
    return result.err


def edit(store, statement):
    db = sqlite3.connect(store, isolation_level=None)
    db.execute(statement)
    db.close()


def test_corrupted_store_is_refused_with_a_clear_line(fleet):
    g1, = fleet.gateways(1)
    fleet.device("s", 1, "--insecure-single")
    g1.stop()
    store = g1.state / "keeper" / "store.db"
    whole = store.read_bytes()
    edit(store, "UPDATE device SET sealed = zeroblob(length(sealed))")
    assert "s" in start_fails(g1, TAMPERED)
    store.write_bytes(whole)
    edit(store, "DELETE FROM device")
    start_fails(g1, TAMPERED)
    store.write_bytes(b"not a database" * 100)
    start_fails(g1, TAMPERED)
    store.write_bytes(whole)
    g1.start()


def test_store_under_another_key_is_refused(fleet):
    g1, = fleet.gateways(1)
    g1.stop()
    key = g1.state / "keeper" / "store.key"
    old = key.read_bytes()
    key.write_bytes(os.urandom(32))
    start_fails(g1, TAMPERED)
    key.write_bytes(old)
    g1.start()


def test_unknown_key_in_the_configuration_is_named_by_line(fleet):
    g1, = fleet.gateways(1)
    g1.config.write_text(g1.config.read_text() + "[limits]\nthreds = 4\n")
    line = len(g1.config.read_text().splitlines())
    checked = run([program("conclave-gateway"), "--check-config", "--config", g1.config],
                  want=CONFIG)
    assert "threds" in checked.err and str(line) in checked.err
    g1.stop()
    bad = run([program("conclave-gateway"), "run", "--config", g1.config], want=CONFIG)
    assert "threds" in bad.err


def test_reload_keeps_connections_and_refuses_a_bad_file(fleet):
    g1, = fleet.gateways(1)
    dev = fleet.device("r", 1, "--insecure-single")
    g1.signal(signal.SIGHUP)
    assert len(dev.key()) == 32
    g1.config.write_text(g1.config.read_text() + "[limits]\nthreds = 4\n")
    g1.signal(signal.SIGHUP)
    assert len(dev.key()) == 32
    assert g1.running


@pytest.mark.parametrize("role", ["front", "keeper", "sender"])
def test_a_child_that_dies_is_started_again(fleet, role):
    g1, = fleet.gateways(1)
    dev = fleet.device("c", 1, "--insecure-single")
    pid = next(p for p in g1.pids()[1:]
               if f"conclave-gateway: {role}" in open(f"/proc/{p}/cmdline").read())
    os.kill(pid, 9)
    assert len(dev.key(timeout="60s")) == 32


def test_audit_edits_are_found(fleet):
    g1, = fleet.gateways(1)
    fleet.device("a", 1, "--insecure-single").key()
    fleet.conclave("audit", "verify", "g1")
    g1.stop()
    store = g1.state / "keeper" / "store.db"
    edit(store, "UPDATE audit SET text = replace(text, 'release', 'refusal')")
    g1.write_config()
    # Either the gateway will not start over it, or the operator's walk finds it.
    result = subprocess.Popen(
        [program("conclave-gateway"), "run", "--config", str(g1.config)],
        stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, env=clean_env(), text=True)
    line = result.stdout.readline()
    if line.startswith("ready "):
        ready = dict(w.split("=", 1) for w in line.split()[1:])
        fleet.conclave("gateway", "address", "g1", "--address", ready["devices"], "--operators",
                       ready["operators"])
        assert fleet.conclave("audit", "verify", "g1", want=None).code == TAMPERED
        result.terminate()
    else:
        assert result.wait(PATIENCE_S) == TAMPERED
    result.wait(PATIENCE_S)
    result.stdout.close()


def test_nothing_secret_is_logged(three):
    fleet, dev = three
    secrets = [dev.secret, (dev.state / "mac.root").read_bytes(),
               (dev.state / "attest.key").read_bytes()]
    for g in fleet.all_gateways.values():
        text = g.log_text()
        for s in secrets:
            assert s.hex() not in text and ref.b64u(s) not in text
