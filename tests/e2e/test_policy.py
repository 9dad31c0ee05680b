"""Policies of groups on real gateways: signed, pushed, refused, rolled out, and what they decide."""

import json
import urllib.request

import pytest

from conftest import CONFIG, DENIED, OK, ROOT, TOO_FEW, USAGE, program, run


def conclave(*args, **kw):
    return run([program("conclave"), *args], **kw)


def document(group="lamps", version=1, owner="test", **changes):
    """A group's policy that waives everything but what a test adds."""
    doc = {
        "v": 1, "fleet": owner, "group": group,
        "rules": {"v": 1, "policy_version": version,
                  "boot": {"max_keys": 16, "max_step": 1000},
                  "measurements": "not_required", "place": "not_required",
                  "iat": "not_required", "lease_seconds": 0, "reveal_reason": True},
        "trust_classes": ["software", "microcontroller"],
        "min_client": "not_required", "windows": "not_required",
        "releases_per_day": "not_required", "approval": "not_required", "clock": "any"}
    doc.update(changes)
    return doc


def write(fleet, name="p", **kw):
    path = fleet.dir / f"{name}.json"
    path.write_text(json.dumps(document(**kw), indent=1))
    return path


def signed(fleet, *options, name="p", **kw):
    path = write(fleet, name, **kw)
    fleet.conclave("policy", "sign", path, *options)
    return path.with_suffix(".jws")


def push(fleet, *options, want=OK, **kw):
    return fleet.conclave("policy", "push", signed(fleet, **kw), *options, "--json", want=want).json


def would_unlock(dev, want):
    result = dev("check", "--json", "--timeout", "5s", want=None)
    assert (result.code == OK) == want, result
    return result.json


def states(fleet, device="d1"):
    shown = fleet.conclave("device", "show", device, "--json").json
    return {g["record"]["state"] for g in shown["gateways"]}


def get(gateway, path):
    with urllib.request.urlopen(f"http://{gateway.metrics}{path}", timeout=10) as answer:
        return answer.read().decode()


def test_a_group_goes_by_its_policy_from_push_to_refusal(fleet):
    gateways = fleet.gateways(3)
    dev = fleet.device("d1", 2, "--group", "lamps")
    assert would_unlock(dev, False)["would_release"] == 0
    assert push(fleet, version=1)["holding"] == 3
    assert len(dev.key()) == 32
    shown = fleet.conclave("policy", "show", "lamps", "--json").json
    assert shown["policy"] == document(version=1) and shown["signer"] == "admin"
    push(fleet, version=2, min_client={"conclave-device": "999.0"})
    refused = would_unlock(dev, False)
    assert all("client_version" in g["result"] for g in refused["gateways"])
    log = fleet.conclave("audit", "read", "g1").out
    last = [json.loads(line) for line in log.splitlines() if '"client_version"' in line][-1]
    assert last["decided_by"] == "group" and last["group"] == "lamps"
    assert last["policy_version"] == 2
    assert "policy lamps 2" in get(gateways[0], "/readyz")
    assert 'conclave_policy_version{group="lamps"} 2' in get(gateways[0], "/metrics")


def test_older_unsigned_foreign_and_unauthorised_policies_are_refused(fleet):
    fleet.gateways(2)
    fleet.conclave("operator", "add", "narrow", "--role", "audit", "--role", "deal",
                   "--no-passphrase")
    push(fleet, version=5)
    push(fleet, version=4, name="old", want=DENIED)
    push(fleet, version=5, name="other", clock="trusted", want=DENIED)
    fleet.conclave("policy", "push", write(fleet, "bare", version=6), want=USAGE)
    foreign = write(fleet, "foreign", version=6, owner="elsewhere")
    fleet.conclave("policy", "sign", foreign, want=CONFIG)
    fleet.conclave("policy", "sign", write(fleet, "six", version=6), "--operator", "narrow",
                   want=DENIED)
    good = signed(fleet, name="seven", version=7)
    text = good.read_text()
    good.write_text(text[:-5] + ("A" if text[-5] != "A" else "B") + text[-4:])
    fleet.conclave("policy", "push", good, want=None)
    status = fleet.conclave("policy", "status", "--json").json
    assert {g["in_force"] for g in status["groups"]["lamps"].values()} == {5}


def test_show_says_that_a_group_has_no_policy_at_a_gateway(fleet):
    fleet.gateways(2)
    fleet.device("d1", 2, "--group", "lamps")
    assert fleet.conclave("device", "show", "d1").out.count("no policy of group lamps here") == 2
    push(fleet, version=1)
    assert fleet.conclave("device", "show", "d1").out.count("policy lamps 1") == 2


def test_a_mistake_in_the_json_is_told_by_line_and_column(fleet):
    path = write(fleet)
    good = path.read_text()
    lines = good.splitlines()
    at = next(i for i, line in enumerate(lines) if '"max_keys"' in line)
    for change, why in ((lines[at].replace("16", "1.6"), "no JSON of the kind taken here"),
                        (lines[at] + lines[at], "no JSON of the kind taken here")):
        path.write_text("\n".join(lines[:at] + [change] + lines[at + 1:]) + " " * 20000)
        r = fleet.conclave("policy", "lint", path, want=CONFIG)
        assert f"p.json:{at + 1}:" in r.err and why in r.err and r.err.count("\n") == 1
    path.write_text(good[:-3])
    assert "ends too early" in fleet.conclave("policy", "lint", path, want=CONFIG).err


def test_where_the_root_says_so_a_second_operator_must_sign(fleet):
    fleet.gateways(2)
    fleet.conclave("operator", "add", "bob", "--role", "policy", "--no-passphrase")
    fleet.conclave("fleet", "rules", "--two-for-policy", "yes")
    path = signed(fleet, version=1)
    r = fleet.conclave("policy", "push", path, want=DENIED)
    assert "op_signature: the fleet's rules want a second operator's signature" in r.err
    assert "mend what was refused" in r.err
    fleet.conclave("policy", "sign", path, "--second", want=USAGE)
    fleet.conclave("policy", "sign", path, "--second", "--operator", "bob")
    fleet.conclave("policy", "push", path)


def test_a_rule_that_names_a_reason_quarantines_and_only_an_operator_reinstates(fleet):
    fleet.gateways(2)
    dev = fleet.device("d1", 2, "--group", "lamps")
    push(fleet, version=1, min_client={"conclave-device": "999.0"},
         quarantine_on=["client_version"])
    would_unlock(dev, False)  # a check changes nothing
    assert states(fleet) == {"active"}
    assert dev.key(want=DENIED, timeout="5s") == b""
    assert states(fleet) == {"quarantined"}
    push(fleet, version=2)
    would_unlock(dev, False)
    fleet.conclave("device", "reinstate", "d1")
    assert len(dev.key()) == 32


def test_skew_is_shown_and_ends_with_the_next_push(fleet):
    _, _, g3 = fleet.gateways(3)
    push(fleet, version=1)
    fleet.conclave("policy", "status")
    g3.stop()
    push(fleet, version=2, want=TOO_FEW)
    fleet.conclave("policy", "status", want=TOO_FEW)
    g3.start()
    r = fleet.conclave("policy", "status", "--json", want=DENIED)
    assert r.json["skew"] == 1 and r.json["groups"]["lamps"]["g3"]["in_force"] == 1
    fleet.conclave("policy", "push", fleet.dir / "p.jws")
    assert fleet.conclave("policy", "status", "--json").json["skew"] == 0


def test_a_canary_goes_first_and_is_promoted_or_ended(fleet):
    fleet.gateways(2)
    dev = fleet.device("d1", 2, "--group", "lamps")
    push(fleet, version=1)
    push(fleet, "--canary", "99", version=2, min_client={"conclave-device": "999.0"})
    would_unlock(dev, False)  # d1 is within the first 99 %
    fleet.conclave("policy", "abort", "lamps", "--version", "2")
    would_unlock(dev, True)
    push(fleet, "--canary", "1", version=3, min_client={"conclave-device": "999.0"})
    would_unlock(dev, True)
    fleet.conclave("policy", "promote", "lamps", "--version", "3")
    would_unlock(dev, False)
    fleet.conclave("policy", "promote", "lamps", "--version", "2", want=DENIED)


def test_diff_says_what_changes(fleet):
    fleet.gateways(1)
    push(fleet, version=1)
    new = write(fleet, "new", version=2, releases_per_day=3)
    r = fleet.conclave("policy", "diff", new)
    assert r.out.splitlines() == [
        '- releases_per_day = "not_required"', "+ releases_per_day = 3",
        "- rules.policy_version = 1", "+ rules.policy_version = 2"]
    assert fleet.conclave("policy", "diff", new, new).out == ""


def test_a_device_moves_between_groups_and_its_own_policy_still_narrows(fleet):
    fleet.gateways(2)
    dev = fleet.device("d1", 2, "--city", "Oslo")
    push(fleet, version=1)
    assert "place_missing" in would_unlock(dev, False)["gateways"][0]["result"]
    fleet.conclave("device", "group", "d1", "lamps")
    assert "place_missing" in would_unlock(dev, False)["gateways"][0]["result"]
    record = fleet.conclave("device", "show", "d1", "--json").json["gateways"][0]["record"]
    assert record["group"] == "lamps"
    fleet.conclave("device", "group", "d1", "--none")
    fleet.conclave("device", "group", "d1", want=USAGE)


@pytest.mark.parametrize("changes, words", [
    ({"clock": "sometimes"}, "clock"), ({"trust_classes": ["tpm"]}, "pcrs"),
    ({"windows": []}, "windows"), ({"extra": 1}, "unknown member"),
    ({"rules": {}}, "v"), ({"group": "Lamps"}, "group"),
])
def test_lint_names_the_mistake(fleet, changes, words):
    path = write(fleet, **changes)
    r = fleet.conclave("policy", "lint", path, want=CONFIG)
    assert words in r.err and len(r.err.splitlines()) == 1
    fleet.conclave("policy", "sign", path, want=CONFIG)


def test_the_published_schema_takes_the_examples_and_refuses_what_lint_refuses(workdir):
    jsonschema = pytest.importorskip("jsonschema")
    schema = json.loads((ROOT / "docs" / "policy.schema.json").read_text())
    validator = jsonschema.Draft7Validator(schema)
    jsonschema.Draft7Validator.check_schema(schema)
    examples = sorted((ROOT / "docs" / "examples").glob("policy-*.json"))
    assert len(examples) >= 4
    for path in examples:
        validator.validate(json.loads(path.read_text()))
        conclave("policy", "lint", path, cwd=workdir)
    base = document(version=1)
    for changes in [{"clock": "sometimes"}, {"windows": []}, {"extra": 1}, {"trust_classes": []},
                    {"releases_per_day": 0}, {"approval": True}, {"group": "Lamps"},
                    {"references": {"app": []}}, {"maintenance": [{"from": "now"}]},
                    {"min_client": {}}, {"quarantine_on": ["release"]}, {"v": 2}]:
        bad = {**base, **changes}
        assert not validator.is_valid(bad), changes
        path = workdir / "bad.json"
        path.write_text(json.dumps(bad))
        conclave("policy", "lint", path, cwd=workdir, want=CONFIG)


def test_every_reason_has_its_cause_and_cure_in_the_document():
    import re
    source = (ROOT / "protocol" / "reason.c").read_text()
    codes = set(re.findall(r'\{"([a-z_]+)", RETRY_', source)) - {"release"}
    table = (ROOT / "docs" / "policy.md").read_text().split("## Reasons")[1]
    listed = {code for line in table.splitlines() if line.startswith("| `")
              for code in re.findall(r"`([a-z_]+)`", line.split("|")[1])}
    assert len(codes) > 50 and codes == listed
