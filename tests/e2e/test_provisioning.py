"""`conclave`: fleets, operators, gateways, devices, policies, audit, volumes."""

import hashlib
import json
import os
import pathlib
import pty
import re
import select
import shutil
import signal
import stat
import subprocess

import pytest

import fs_support as fs

from conftest import (CONFIG, DENIED, IN_USE, INTERNAL, NOT_VOLUME, OK, ROOT, TAMPERED, TOO_FEW,
                      TOO_OLD, USAGE, Fleet, clean_env, needs_fuse, program, run)

PASSPHRASE = "correct horse battery"


def tree(path):
    """Every file below, with a hash: to see that nothing was changed."""
    return {str(p.relative_to(path)): hashlib.sha256(p.read_bytes()).hexdigest()
            for p in sorted(pathlib.Path(path).rglob("*")) if p.is_file() and p.name != "lock"}


def conclave(*args, **kw):
    return run([program("conclave"), *args], **kw)


def source_dir(base):
    src = base / "src"
    (src / "sub").mkdir(parents=True)
    (src / "a.txt").write_text("alpha\n")
    (src / "sub" / "big").write_bytes(os.urandom(300_000))
    (src / "link").symlink_to("a.txt")
    return src


# --- fleets and keys


def test_a_fleet_seals_its_keys(workdir):
    f = workdir / "fleet"
    conclave("fleet", "init", "--name", "home", "--fleet", f, "--passphrase-fd", "{g0}",
             give=[PASSPHRASE])
    for keys in (f / "root" / "keys", f / "operators" / "admin" / "keys"):
        assert stat.S_IMODE(keys.stat().st_mode) == 0o600
        assert keys.read_bytes()[:8] == b"CVKEYS01" and keys.stat().st_size == 128


def test_a_wrong_passphrase_is_refused_and_the_right_one_works(workdir):
    f = workdir / "fleet"
    conclave("fleet", "init", "--name", "home", "--fleet", f, "--passphrase-fd", "{g0}",
             give=[PASSPHRASE])
    before = tree(f)
    r = conclave("operator", "add", "bob", "--role", "audit", "--fleet", f, "--passphrase-fd",
                 "{g0}", give=["wrong horse battery"], want=CONFIG)
    assert "wrong passphrase" in r.err and tree(f) == before
    conclave("operator", "add", "bob", "--role", "audit", "--fleet", f, "--passphrase-fd", "{g0}",
             give=[PASSPHRASE + "\n"])


def test_the_passphrase_may_come_from_a_private_file_only(workdir):
    f, file = workdir / "fleet", workdir / "phrase"
    file.write_text(PASSPHRASE)
    file.chmod(0o644)
    env = {"CONCLAVE_PASSPHRASE_FILE": file}
    r = conclave("fleet", "init", "--name", "home", "--fleet", f, env=env, want=CONFIG)
    assert "0600" in r.err and not f.exists()
    file.chmod(0o600)
    conclave("fleet", "init", "--name", "home", "--fleet", f, env=env)


def test_without_a_source_a_passphrase_is_asked_for_not_assumed(workdir):
    r = subprocess.run([program("conclave"), "fleet", "init", "--name", "home", "--fleet",
                        str(workdir / "fleet")], stdin=subprocess.DEVNULL, capture_output=True,
                       text=True, env=clean_env(), start_new_session=True, check=False)
    assert r.returncode == CONFIG and "--passphrase-fd" in r.stderr
    assert not (workdir / "fleet").exists()


def test_the_terminal_shows_no_character_of_a_passphrase(workdir):
    pid, fd = pty.fork()
    if pid == 0:
        os.execve(program("conclave"), ["conclave", "fleet", "init", "--name", "home", "--fleet",
                                        str(workdir / "fleet")], clean_env())
    shown = b""
    for prompt in (b"New passphrase", b"The same again"):
        while prompt not in shown.split(b"\n")[-1]:
            assert select.select([fd], [], [], 60)[0]
            shown += os.read(fd, 1024)
        os.write(fd, PASSPHRASE.encode() + b"\n")
    while select.select([fd], [], [], 60)[0]:
        try:
            chunk = os.read(fd, 1024)
        except OSError:
            break
        if not chunk:
            break
        shown += chunk
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == OK
    os.close(fd)
    assert PASSPHRASE.encode() not in shown and b"fingerprint" in shown


@pytest.mark.parametrize("phrase", ["", "short", "x" * 300])
def test_a_bad_passphrase_makes_no_fleet(workdir, phrase):
    conclave("fleet", "init", "--name", "home", "--fleet", workdir / "fleet", "--passphrase-fd",
             "{g0}", give=[phrase], want=INTERNAL)
    assert os.listdir(workdir) == []


def test_the_manual_page_has_every_verb_that_help_lists():
    page = (ROOT / "docs" / "man" / "conclave.1").read_text()
    synopsis = page.split(".Sh SYNOPSIS")[1].split(".Sh ")[0]
    verbs = re.findall(r"^  ([a-z]+(?: [a-z-]+)?)(?: [A-Z[|.a-z\] ]+)?   ", conclave("--help").out, re.M)
    assert len(verbs) > 40
    for verb in verbs:
        assert re.search(rf"^\.Cm {verb}$", synopsis, re.M), verb
        assert re.search(rf"^\.Cm {verb} :$|^\.Ss {verb}$", page, re.M), verb


def test_what_the_documents_name_is_installed_with_them(workdir):
    env = {k: v for k, v in os.environ.items() if not k.startswith("MAKE")}
    listed = subprocess.run(
        ["make", "-n", "-o", "all", "install", f"DESTDIR={workdir}", "PREFIX=/usr"], cwd=ROOT, env=env,
        capture_output=True, text=True, check=True).stdout
    for name in ("docs/policy.schema.json", "docs/examples/", "mcu-client/README.md"):
        assert name in listed, name


def test_an_existing_fleet_is_never_overwritten(workdir):
    f = Fleet(workdir)
    before = tree(f.path)
    f.conclave("fleet", "init", "--name", "other", "--no-passphrase", want=CONFIG)
    assert tree(f.path) == before


def test_keys_in_clear_are_warned_of(workdir):
    r = conclave("fleet", "init", "--name", "home", "--fleet", workdir / "f", "--no-passphrase")
    assert "in clear" in r.err


@pytest.mark.parametrize("name", ["", "Home", "-home", "a" * 64, "ho me", "../x"])
def test_bad_fleet_names_are_usage_errors(workdir, name):
    conclave("fleet", "init", f"--name={name}", "--fleet", workdir / "f", "--no-passphrase",
             want=USAGE)
    assert os.listdir(workdir) == []


def test_what_a_crash_left_of_a_new_fleet_is_swept_up(workdir):
    left = workdir / ".fleet.new" / "root"
    left.mkdir(parents=True)
    (left / "keys").write_text("half")
    Fleet(workdir)
    assert not (workdir / ".fleet.new").exists()


def test_the_fleet_that_adds_is_locked(workdir):
    f = Fleet(workdir)
    with open(f.path / "lock", "w", encoding="ascii") as lock:
        import fcntl
        fcntl.flock(lock, fcntl.LOCK_EX)
        f.conclave("operator", "add", "bob", "--role", "audit", "--no-passphrase", want=IN_USE)
    f.conclave("operator", "add", "bob", "--role", "audit", "--no-passphrase")


# --- usage


def test_every_verb_has_help_and_the_manual_page_every_option():
    page = (ROOT / "docs" / "man" / "conclave.1").read_text()
    overview = conclave("--help").out
    verbs = [line.split()[:2] for line in overview.splitlines() if line.startswith("  ")]
    assert len(verbs) > 20
    for words in verbs:
        words = words if words[0] != "demo" else words[:1]
        text = conclave(*words, "--help").out
        assert text.startswith("conclave " + " ".join(words))
        assert f".Cm {' '.join(words)}" in page, words
        for line in text.splitlines():
            if line.startswith("  --"):
                option = line.split()[0][2:]
                assert f"Fl -{option}" in page, (words, option)


@pytest.mark.parametrize("args", [
    ["nothing"], ["device"], ["device", "nothing"], ["device", "push"],
    ["device", "push", "a", "b"], ["device", "push", "--nothing", "a"],
    ["device", "push", "a", "--gateway"], ["gateway", "list", "--json=yes"],
    ["gateway", "list", "--json", "--json"], ["device", "push", "UPPER"],
    ["fleet", "init", "--name", "a", "--days", "0"], ["fleet", "init", "--name", "a", "--days", "x"],
    ["volume", "create", "f", "--size", "12Q"], ["volume", "check", "f", "--key-fd", "77"],
])
def test_wrong_usage_exits_2_with_one_line(workdir, args):
    Fleet(workdir)
    r = conclave(*args, env={"CONCLAVE_FLEET": workdir / "fleet"}, want=USAGE, cwd=workdir)
    assert len(r.err.strip().splitlines()) == 1


# --- gateways joining


def test_a_request_with_another_fingerprint_is_refused(fleet):
    g = fleet.gateway("g1", start=False)
    request = fleet.dir / "g1.req"
    fleet.conclave("gateway", "add", request, "--fingerprint", "0" * 64, want=DENIED)
    fleet.conclave("gateway", "add", request, "--fingerprint", "zz", want=USAGE)
    fleet.conclave("gateway", "add", request, want=USAGE)
    assert g.state.exists()


@pytest.mark.parametrize("member", ["gateway", "keeper_key", "enrolment_key", "csr"])
def test_a_request_changed_on_its_way_is_refused(fleet, member):
    g = fleet.gateway("g1", start=False)
    request = json.loads((fleet.dir / "g1.req").read_text())
    other = fleet.gateway("g2", start=False)
    request[member] = json.loads((fleet.dir / "g2.req").read_text())[member]
    shown = fleet.conclave("gateway", "list", "--json").json["gateways"][0]["fingerprint"]
    changed = fleet.dir / "changed.req"
    changed.write_text(json.dumps(request))
    before = tree(fleet.path)
    fleet.conclave("gateway", "add", changed, "--fingerprint", shown, want=DENIED)
    assert tree(fleet.path) == before and g.id != other.id


def test_a_gateway_is_not_replaced_by_one_of_the_same_name(fleet):
    fleet.gateway("g1", start=False)
    state, request = fleet.dir / "impostor", fleet.dir / "impostor.req"
    out = run([program("conclave-gateway"), "init", "--name", "g1", "--state", state, "--request",
               request, "--reserve-records", "1000"]).out
    fingerprint = out.split("fingerprint ")[1].split()[0]
    r = fleet.conclave("gateway", "add", request, "--fingerprint", fingerprint, want=CONFIG)
    assert "other keys" in r.err


def test_adding_again_renews_the_certificate_and_keeps_the_address(fleet):
    fleet.gateway("g1", start=False)
    fleet.conclave("gateway", "address", "g1", "--address", "gw.example:7443")
    listed = fleet.conclave("gateway", "list", "--json").json["gateways"][0]
    grant = fleet.dir / "g1.grant"
    before = json.loads(grant.read_text())
    fleet.conclave("gateway", "add", fleet.dir / "g1.req", "--fingerprint",
                   listed["fingerprint"].upper())
    after = json.loads(grant.read_text())
    assert after["certificate"] != before["certificate"] and after["tls_root"] == before["tls_root"]
    assert fleet.conclave("gateway", "list", "--json").json["gateways"][0] == listed


def test_a_certificate_names_the_gateway_and_is_for_servers(fleet):
    from cryptography import x509
    from cryptography.x509.oid import ExtendedKeyUsageOID
    fleet.gateway("g1", start=False)
    grant = json.loads((fleet.dir / "g1.grant").read_text())
    cert = x509.load_pem_x509_certificate(grant["certificate"].encode())
    root = x509.load_pem_x509_certificate(grant["tls_root"].encode())
    names = cert.extensions.get_extension_for_class(x509.SubjectAlternativeName).value
    digest = hashlib.sha256(b"test/gateway/g1").hexdigest()[:16]
    assert names.get_values_for_type(x509.UniformResourceIdentifier) == ["spiffe://test/gateway/g1"]
    assert names.get_values_for_type(x509.DNSName) == [f"g-{digest}.conclave.internal"]
    usage = cert.extensions.get_extension_for_class(x509.ExtendedKeyUsage).value
    assert list(usage) == [ExtendedKeyUsageOID.SERVER_AUTH]
    assert cert.issuer == root.subject
    assert not cert.extensions.get_extension_for_class(x509.BasicConstraints).value.ca
    basic = root.extensions.get_extension_for_class(x509.BasicConstraints).value
    assert basic.ca and basic.path_length == 0


@pytest.mark.parametrize("address", ["", "host", "host:", "host:0", "host:65536", "host:7443x",
                                     "ho st:1", "::1:7443", "host:\n1"])
def test_bad_addresses_are_usage_errors(fleet, address):
    fleet.gateway("g1", start=False)
    fleet.conclave("gateway", "address", "g1", f"--address={address}", want=USAGE)


# --- devices


def test_a_device_is_added_filled_and_unlocked(fleet):
    fleet.gateways(3)
    src = source_dir(fleet.dir)
    dev = fleet.device("d1", 2, source=src)
    assert dev.added.json["imported"]["files"] == 2
    assert [g["done"] for g in dev.added.json["gateways"]] == [True] * 3
    assert len(dev.key()) == 32
    check = fleet.conclave("volume", "check", dev.volume, "--key-fd", "{g0}", "--json",
                           give=[dev.key()])
    assert check.json["problems"] == 0 and check.json["files"] == 2
    fleet.conclave("volume", "check", dev.volume, "--recovery-fd", "{g0}", give=[dev.recovery])


def test_no_secret_lies_in_clear_on_the_operators_machine(fleet):
    fleet.gateways(3)
    dev = fleet.device("d1", 2)
    secrets = [dev.key(), (dev.state / "mac.root").read_bytes(),
               (dev.state / "attest.key").read_bytes(), dev.passphrase.encode(),
               dev.recovery.encode()]
    for path in fleet.path.rglob("*"):
        if path.is_file():
            data = path.read_bytes()
            assert not any(s in data for s in secrets), path
    container = dev.volume.read_bytes()
    assert not any(s in container for s in secrets)


def test_secrets_are_shown_once_and_only_where_asked(fleet):
    fleet.gateways(2)
    dev = fleet.device("d1", 2)
    assert dev.passphrase and dev.recovery
    text = dev.added.out + dev.added.err
    assert dev.passphrase not in text and dev.recovery not in text
    again = fleet.conclave("device", "add", "d1")
    assert dev.passphrase not in again.out and dev.recovery not in again.out


def test_offline_packages_are_the_same_bytes_that_push_sends(fleet):
    g1, g2 = fleet.gateways(2)
    dev = fleet.device("d1", 2, "--offline")
    packages = fleet.path / "devices" / "d1" / "packages"
    before = tree(packages)
    assert sorted(before) == ["g1.jws", "g2.jws"]
    assert dev("check", "--timeout", "3s", want=None).code != OK
    fleet.conclave("device", "push", "d1", "--gateway", "g1")
    fleet.conclave("device", "push", "d1")
    fleet.conclave("device", "push", "d1")
    assert tree(packages) == before
    assert len(dev.key()) == 32 and g1.id != g2.id


def test_a_package_for_one_gateway_is_refused_by_another(fleet):
    fleet.gateways(2)
    fleet.device("d1", 2, "--offline")
    packages = fleet.path / "devices" / "d1" / "packages"
    shutil.copy(packages / "g2.jws", packages / "g1.jws")
    r = fleet.conclave("device", "push", "d1", "--gateway", "g1", want=DENIED)
    assert "refused" in r.err


def test_a_gateway_that_is_away_gets_its_package_later(fleet):
    _, _, g3 = fleet.gateways(3)
    g3.stop()
    dev = fleet.device("d1", 2, want=TOO_FEW, install=False)
    assert "device push d1" in dev.added.err
    assert [g["done"] for g in dev.added.json["gateways"]] == [True, True, False]
    dev.install()
    assert len(dev.key()) == 32
    g3.start()
    again = fleet.conclave("device", "add", "d1", "--json")
    assert [g["done"] for g in again.json["gateways"]] == [True] * 3


def test_another_package_for_the_same_device_is_refused_by_its_gateways(fleet):
    fleet.gateways(2)
    fleet.device("d1", 2)
    shutil.rmtree(fleet.path / "devices" / "d1")
    (fleet.dir / "d1.cv").unlink()
    dev = fleet.device("d1", 2, want=DENIED, install=False)
    assert any(g.get("reason") in ("exists", "conflict") for g in dev.added.json["gateways"])


@pytest.mark.parametrize("options, code", [
    (["--gateways", "g1,g9", "--threshold", "2"], CONFIG),
    (["--gateways", "g1,g1", "--threshold", "2"], USAGE),
    (["--gateways", "g1,g2", "--threshold", "3"], USAGE),
    (["--gateways", "g1,g2", "--threshold", "1"], USAGE),
    (["--gateways", "g1,g2", "--threshold", "0"], USAGE),
    (["--gateways", "", "--threshold", "2"], USAGE),
    (["--gateways", "g1,g2", "--threshold", "2", "--size", "1MiB"], USAGE),
    (["--gateways", "g1,g2", "--threshold", "2", "--import", "/nowhere"], USAGE),
    (["--gateways", "g1,g2", "--threshold", "2", "--measure", "app=12"], USAGE),
    (["--gateways", "g1,g2", "--threshold", "2", "--policy", "/nowhere"], CONFIG),
    (["--gateways", "g1,g2", "--threshold", "2", "--mcu"], USAGE),
    (["--gateways", "g1,g2", "--threshold", "2", "--operator", "nobody"], CONFIG),
])
def test_a_device_that_cannot_be_added_leaves_nothing(fleet, options, code):
    fleet.gateways(2, start=False)
    before = tree(fleet.path)
    volume = fleet.dir / "v.cv"
    size = [] if "--size" in options else ["--size", "32MiB"]
    fleet.conclave("device", "add", "d1", *options, "--volume", volume, *size, "--offline",
                   want=code)
    assert tree(fleet.path) == before
    assert not list(fleet.dir.glob("v.cv*")) and not list((fleet.path / "devices").iterdir())


def test_an_import_that_does_not_fit_leaves_nothing(fleet):
    fleet.gateways(2, start=False)
    src = fleet.dir / "src"
    src.mkdir()
    (src / "big").write_bytes(os.urandom(48 << 20))
    fleet.device("d1", 2, "--offline", source=src, want=25, install=False)
    assert not list(fleet.dir.glob("d1.cv*")) and not list((fleet.path / "devices").iterdir())
    shutil.rmtree(src)
    fleet.device("d1", 2, "--offline", install=False)


def test_an_interrupted_import_leaves_nothing(fleet):
    fleet.gateways(2, start=False)
    src = fleet.dir / "src"
    src.mkdir()
    for i in range(64):
        (src / f"f{i}").write_bytes(os.urandom(1 << 20))
    p = subprocess.Popen(
        [program("conclave"), "device", "add", "d1", "--gateways", "g1,g2", "--threshold", "2",
         "--volume", str(fleet.dir / "d1.cv"), "--size", "256MiB", "--full", "--import", str(src),
         "--offline", "--fleet", str(fleet.path)],
        stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=clean_env())
    partial = fleet.dir / "d1.cv.d1.new"
    while p.poll() is None and not partial.exists():
        pass
    p.send_signal(signal.SIGINT)
    _, err = p.communicate(timeout=60)
    assert p.returncode not in (OK, -signal.SIGINT), err
    assert not list(fleet.dir.glob("d1.cv*")) and not list((fleet.path / "devices").iterdir())


def test_a_crash_before_the_volume_has_its_name_is_finished_by_the_next_run(fleet):
    fleet.gateways(2)
    dev = fleet.device("d1", 2)
    partial = dev.volume.with_name("d1.cv.d1.new")
    dev.volume.rename(partial)
    fleet.conclave("device", "add", "d1")
    assert dev.volume.exists() and not partial.exists()


def test_a_volume_is_never_overwritten(fleet):
    fleet.gateways(2, start=False)
    (fleet.dir / "d1.cv").write_text("mine")
    fleet.device("d1", 2, "--offline", want=CONFIG, install=False)
    assert (fleet.dir / "d1.cv").read_text() == "mine"


def test_a_microcontroller_gets_sealed_settings(fleet):
    fleet.gateways(3)
    settings = fleet.dir / "settings.json"
    settings.write_text('{"wifi":"secret-of-the-house"}')
    dev = fleet.device("s1", 2, "--settings", settings, "--state-dir", fleet.dir / "flash", mcu=True)
    names = {str(p.relative_to(dev.state)) for p in dev.state.rglob("*") if p.is_file()}
    flash = {str(p.relative_to(fleet.dir / "flash")) for p in (fleet.dir / "flash").rglob("*")
             if p.is_file()}
    wanted = {"device.json", "mac.root", "attest.key", "share-set.jws", "gateways.json",
              "settings.sealed", "roots/fleet.pub", "roots/tls.pem"}
    assert flash == wanted and wanted <= names
    assert b"secret-of-the-house" not in (dev.state / "settings.sealed").read_bytes()
    assert "trust_class\":\"microcontroller" in (dev.state / "device.json").read_text()
    fleet.mcu(dev)
    blob = bytearray((dev.state / "settings.sealed").read_bytes())
    blob[-1] ^= 1
    (dev.state / "settings.sealed").write_bytes(blob)
    fleet.mcu(dev, want=TAMPERED)


def test_settings_must_be_a_small_json_object(fleet):
    fleet.gateways(2, start=False)
    settings = fleet.dir / "settings.json"
    for text in ("", "[]", "{\"a\":1.5}", "{\"a\":\"" + "x" * 2048 + "\"}"):
        settings.write_text(text)
        r = fleet.conclave("device", "add", "s1", "--mcu", "--gateways", "g1,g2", "--threshold",
                           "2", "--settings", settings, "--offline", want=None)
        assert r.code != OK and "--settings" in r.err
    assert not list((fleet.path / "devices").iterdir())


@needs_fuse
def test_what_was_imported_is_what_the_mount_gives(fleet):
    fleet.gateways(3)
    src = source_dir(fleet.dir)
    dev = fleet.device("d1", 2, source=src)
    with dev.mounted() as mnt:
        assert tree(mnt) == tree(src)
        assert os.readlink(mnt / "link") == "a.txt"


# --- states, policies


def test_a_revoked_device_is_refused_once_enough_gateways_know(fleet):
    _, g2, g3 = fleet.gateways(3)
    dev = fleet.device("d1", 2)
    g2.stop()
    g3.stop()
    r = fleet.conclave("device", "revoke", "d1", "--reason", "stolen", "--json", "--wait", "0",
                       want=TOO_FEW)
    assert (r.json["holding"], r.json["needed"], r.json["in_force"]) == (1, 2, False)
    g2.start()
    r = fleet.conclave("device", "revoke", "d1", "--json")
    assert (r.json["holding"], r.json["needed"], r.json["in_force"]) == (2, 2, True)
    assert "run this again" in r.err
    g3.start()
    dev.key(want=DENIED, timeout="4s")
    shown = fleet.conclave("device", "show", "d1", "--json").json
    states = [g["record"]["state"] for g in shown["gateways"]]
    assert states == ["revoked", "revoked", "active"]


def test_quarantine_ends_by_reinstating(fleet):
    fleet.gateways(2)
    dev = fleet.device("d1", 2)
    fleet.conclave("device", "quarantine", "d1")
    dev.key(want=DENIED, timeout="4s")
    fleet.conclave("device", "reinstate", "d1")
    fleet.conclave("device", "allow-key", "d1")
    assert len(dev.key()) == 32


def test_a_policy_takes_effect_and_an_old_one_is_refused(fleet):
    fleet.gateways(2)
    dev = fleet.device("d1", 2, "--lease", "60")
    policy = json.loads((fleet.path / "devices" / "d1" / "policy.json").read_text())
    assert policy["lease_seconds"] == 60
    policy.update(policy_version=2, place={"cities": ["Atlantis"]})
    file = fleet.dir / "policy.json"
    file.write_text(json.dumps(policy))
    fleet.conclave("policy", "lint", file)
    fleet.conclave("policy", "set", "d1", file)
    dev.key(want=DENIED, timeout="4s")
    policy.update(policy_version=1, place="not_required")
    file.write_text(json.dumps(policy))
    r = fleet.conclave("policy", "set", "d1", file, want=DENIED)
    assert "conflict" in r.err
    kept = json.loads((fleet.path / "devices" / "d1" / "policy.json").read_text())
    assert kept["policy_version"] == 2


@pytest.mark.parametrize("change", [
    {"place": {}}, {"measurements": {}}, {"iat": {}}, {"boot": {}}, {"unknown": 1},
    {"policy_version": -1}, {"lease_seconds": "60"}, {"v": 2},
])
def test_lint_finds_what_gateways_would_refuse(fleet, change):
    fleet.gateways(2, start=False)
    fleet.device("d1", 2, "--offline", install=False)
    policy = json.loads((fleet.path / "devices" / "d1" / "policy.json").read_text())
    policy.update(change)
    file = fleet.dir / "policy.json"
    file.write_text(json.dumps(policy))
    r = fleet.conclave("policy", "lint", file, want=CONFIG)
    assert len(r.err.strip().splitlines()) == 1


def test_an_operator_without_the_role_is_refused(fleet):
    fleet.gateways(2)
    fleet.device("d1", 2)
    fleet.conclave("operator", "add", "auditor", "--role", "audit", "--no-passphrase")
    fleet.conclave("device", "show", "d1", "--operator", "auditor")
    fleet.conclave("device", "revoke", "d1", "--operator", "auditor", want=DENIED)


def test_a_revoked_operator_is_refused_by_every_gateway(fleet):
    _, g2 = fleet.gateways(2)
    fleet.device("d1", 2, install=False)
    fleet.conclave("operator", "add", "bob", "--role", "all", "--no-passphrase")
    fleet.conclave("device", "show", "d1", "--operator", "bob")
    fleet.conclave("operator", "revoke", "admin", want=USAGE)
    g2.stop()
    fleet.conclave("operator", "revoke", "bob", want=TOO_FEW)
    g2.start()
    fleet.conclave("device", "show", "d1", "--operator", "bob", want=DENIED)
    kept = (fleet.path / "revocations.jws").read_bytes()
    fleet.conclave("operator", "revoke", "bob")
    assert (fleet.path / "revocations.jws").read_bytes() == kept
    r = fleet.conclave("device", "revoke", "d1", "--operator", "bob", "--json", want=DENIED)
    assert [g["reason"] for g in r.json["gateways"]] == ["op_revoked", "op_revoked"]
    fleet.conclave("operator", "add", "carol", "--role", "audit", "--no-passphrase")
    fleet.conclave("operator", "revoke", "carol")
    r = fleet.conclave("device", "show", "d1", "--operator", "bob", "--json", want=DENIED)
    assert {g["reason"] for g in r.json["gateways"]} == {"op_revoked"}
    g2.stop()  # to wait for the one that is away would not help
    fleet.conclave("device", "show", "d1", "--operator", "bob", want=DENIED)


def test_a_renewed_operator_keeps_its_keys(fleet):
    fleet.gateways(2)
    fleet.device("d1", 2)
    admin = fleet.path / "operators" / "admin"
    before = tree(admin)
    fleet.conclave("operator", "add", "admin", "--role", "all", "--renew", "--days", "10")
    after = tree(admin)
    assert after["keys"] == before["keys"] and after["cert.jws"] != before["cert.jws"]
    fleet.conclave("device", "show", "d1")


# --- the operators' client and what it has seen


def test_a_gateway_with_the_wrong_key_is_not_believed(fleet):
    """g1's address leads to g2: another certificate, so no answer at all."""
    g1, g2 = fleet.gateways(2)
    fleet.device("d1", 2)
    fleet.conclave("gateway", "address", "g1", "--operators", g2.operators)
    r = fleet.conclave("device", "revoke", "d1", "--json", want=OK)
    assert [g["done"] for g in r.json["gateways"]] == [False, True]
    assert g1.id != g2.id


def test_a_gateway_that_was_set_back_is_not_called_healthy(fleet):
    g1, _ = fleet.gateways(2)
    fleet.device("d1", 2)
    g1.stop()
    shutil.copytree(g1.state, fleet.dir / "older")
    g1.start()
    fleet.conclave("device", "quarantine", "d1")
    fleet.conclave("device", "reinstate", "d1")
    g1.stop()
    shutil.rmtree(g1.state)
    shutil.copytree(fleet.dir / "older", g1.state)
    g1.start()
    r = fleet.conclave("device", "show", "d1", "--json", want=TOO_FEW)
    assert "set back" in r.err
    assert [g["done"] for g in r.json["gateways"]] == [False, True]
    fleet.conclave("audit", "verify", "g1", want=TOO_OLD)


def test_seen_holds_the_newest_state_of_each_gateway(fleet):
    fleet.gateways(2)
    fleet.device("d1", 2)
    seen = json.loads((fleet.path / "seen.json").read_text())["gateways"]
    fleet.conclave("device", "quarantine", "d1")
    later = json.loads((fleet.path / "seen.json").read_text())["gateways"]
    assert all(later[g]["revision"] > seen[g]["revision"] for g in ("g1", "g2"))


# --- audit


@pytest.fixture(scope="module")
def audited_fleet(module_fleet):
    module_fleet.gateways(2)
    dev = module_fleet.device("d1", 2)
    dev.key()
    module_fleet.conclave("device", "quarantine", "d1")
    module_fleet.conclave("device", "reinstate", "d1")
    return module_fleet


@pytest.fixture
def audited(audited_fleet, workdir):
    """A fleet whose log nobody adds to, a copy of g1's log to change, and its lines."""
    copy = workdir / "g1.audit"
    audited_fleet.conclave("audit", "read", "g1", "--out", copy)
    return audited_fleet, copy, copy.read_text().splitlines()


def test_a_true_log_verifies(audited):
    fleet, copy, lines = audited
    assert len(lines) >= 4 and all(json.loads(line) for line in lines)
    fleet.conclave("audit", "verify", "g1")
    r = fleet.conclave("audit", "verify", copy, "--gateway", "g1", "--json")
    assert r.json["records"] == len(lines)


@pytest.mark.parametrize("what", ["edit", "delete", "reorder", "cut", "empty", "insert"])
def test_a_changed_log_does_not_verify(audited, what):
    fleet, copy, lines = audited
    if what == "edit":
        lines[1] = lines[1].replace('"kind"', '"kinD"', 1)
    elif what == "delete":
        del lines[1]
    elif what == "reorder":
        lines[0], lines[1] = lines[1], lines[0]
    elif what == "cut":
        del lines[-1]
    elif what == "empty":
        lines = []
    else:
        lines.insert(1, lines[1])
    copy.write_text("".join(line + "\n" for line in lines))
    fleet.conclave("audit", "verify", copy, "--gateway", "g1", want=TAMPERED)


def test_another_gateways_log_does_not_verify(audited):
    fleet, copy, _ = audited
    fleet.conclave("audit", "verify", copy, "--gateway", "g2", want=TAMPERED)


def test_reading_starts_where_asked(audited):
    fleet, _, lines = audited
    out = fleet.conclave("audit", "read", "g1", "--from", 2).out.splitlines()
    assert out == lines[1:]


# --- volumes


@pytest.fixture
def volume(workdir):
    path = workdir / "v.cv"
    r = conclave("volume", "create", path, "--size", "32MiB", "--recovery-out-fd", "{t0}", take=1)
    return path, r.secrets[0]


def test_a_recovery_code_opens_its_volume_however_it_is_typed(volume):
    path, code = volume
    for text in (code, code.lower(), code.replace("-", " "), code.replace("-", "") + "\n"):
        conclave("volume", "check", path, "--recovery-fd", "{g0}", give=[text])


def test_a_mistyped_recovery_code_is_noticed_before_the_volume_is_tried(volume):
    path, code = volume
    wrong = code[:-1] + ("A" if code[-1] != "A" else "E")
    swapped = ("B" if code[0] != "B" else "C") + code[1:]
    for text in (wrong, swapped):
        r = conclave("volume", "check", path, "--recovery-fd", "{g0}", give=[text], want=NOT_VOLUME)
        assert "recovery code" in r.err
    for text in (code[:-1], code + "A", "1" * 55):
        conclave("volume", "check", path, "--recovery-fd", "{g0}", give=[text], want=NOT_VOLUME)


def test_a_wrong_key_does_not_open(volume):
    path, _ = volume
    conclave("volume", "check", path, "--key-fd", "{g0}", give=[os.urandom(32)], want=NOT_VOLUME)
    for n in (0, 31, 33):
        r = conclave("volume", "check", path, "--key-fd", "{g0}", give=[os.urandom(n)], want=None)
        assert r.code != OK and "32 bytes" in r.err


def test_import_and_check_work_with_the_recovery_code(volume, workdir):
    path, code = volume
    src = source_dir(workdir)
    conclave("volume", "import", path, src, "--recovery-fd", "{g0}", give=[code])
    r = conclave("volume", "check", path, "--recovery-fd", "{g0}", "--json", give=[code])
    assert r.json["files"] == 2 and r.json["problems"] == 0
    conclave("volume", "import", path, src, "--recovery-fd", "{g0}", give=[code], want=CONFIG)


def test_check_finds_a_flipped_byte(volume, workdir):
    path, code = volume
    src = source_dir(workdir)
    conclave("volume", "import", path, src, "--recovery-fd", "{g0}", give=[code])
    clean = path.read_bytes()
    used = [i for i in range(0, len(clean), 4096) if any(clean[i:i + 4096])]
    found = 0
    for i in used[-8:]:
        changed = bytearray(clean)
        changed[i + 100] ^= 1
        path.write_bytes(changed)
        r = conclave("volume", "check", path, "--recovery-fd", "{g0}", give=[code], want=None)
        assert r.code in (OK, TAMPERED)
        found += r.code == TAMPERED
    assert found > 0


def test_info_and_header_backup_need_no_key(volume, workdir):
    path, _ = volume
    before = path.read_bytes()
    info = conclave("volume", "info", path, "--json").json
    assert info["size_bytes"] == 32 << 20 and {s["kind"] for s in info["slots"]} >= {"recovery"}
    conclave("volume", "header-backup", path, workdir / "hb")
    assert 0 < (workdir / "hb").stat().st_size < 1 << 20
    conclave("volume", "header-backup", path, workdir / "hb", want=CONFIG)
    assert path.read_bytes() == before


def test_an_older_volume_than_the_caller_allows_is_refused(volume):
    path, code = volume
    before = path.read_bytes()
    generation = conclave("volume", "info", path, "--json").json["generation"]
    for verb, give in (["info"], None), (["check", "--recovery-fd", "{g0}"], [code]):
        args = ["volume", verb[0], path, *verb[1:], "--min-generation"]
        conclave(*args, str(generation), give=give or [])
        r = conclave(*args, str(generation + 1), give=give or [], want=TOO_OLD)
        assert "older" in r.err
        conclave(*args, "0", give=give or [], want=USAGE)
    assert path.read_bytes() == before


def test_info_and_check_take_a_volume_as_a_crash_left_it(workdir):
    fs.build()
    path = workdir / "crashed.cv"
    fs.tool("create", path, 32 << 20)
    assert conclave("volume", "info", path, "--json").json["clean"]
    fs.tool("unclean", path)
    before = path.read_bytes()
    assert not conclave("volume", "info", path, "--json").json["clean"]
    r = conclave("volume", "check", path, "--key-fd", "{g0}", "--json", give=[fs.KEY])
    assert r.json["files"] == 8 and r.json["problems"] == 0
    assert "taken from the log" in r.err
    assert path.read_bytes() == before


def test_a_volume_without_any_key_is_not_made(workdir):
    conclave("volume", "create", workdir / "v", "--size", "32MiB", "--no-recovery", want=USAGE)
    assert os.listdir(workdir) == []


def test_what_is_not_a_volume_is_said_to_be_none(workdir):
    file = workdir / "text"
    file.write_bytes(b"hello " * 10_000_000)
    conclave("volume", "info", file, want=NOT_VOLUME)


def test_no_secret_ever_is_on_a_command_line():
    """No verb has an option that takes one."""
    overview = conclave("--help").out
    for line in overview.splitlines():
        if not line.startswith("  "):
            continue
        words = line.split()[:2] if line.split()[0] != "demo" else ["demo"]
        for option in conclave(*words, "--help").out.splitlines():
            if option.startswith("  --") and any(
                    w in option.split()[0] for w in ("passphrase", "key", "secret", "recovery")):
                assert option.split()[0].endswith("-fd") or option.split()[0] in (
                    "--no-passphrase", "--no-recovery", "--max-boot-keys"), option


def test_a_noun_lists_its_commands():
    listed = run([program("conclave"), "volume", "--help"]).out
    assert "volume salvage FILE DIR" in listed and "fleet init" not in listed
    assert "incomplete command: volume: see conclave volume --help" in run(
        [program("conclave"), "volume"], want=USAGE).err
    assert "see conclave volume --help" in run([program("conclave"), "volume", "mend"], want=USAGE).err
