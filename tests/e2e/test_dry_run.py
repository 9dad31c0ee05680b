"""Dry runs, learning, and what the audits of all gateways show together."""

import json

from conftest import CONFIG, DENIED, OK, TOO_FEW, USAGE
from test_policy import document, push, signed, would_unlock, write


def boots_on_record(fleet, device="d1"):
    shown = fleet.conclave("policy", "test", write(fleet, "any", version=99), "--device", device,
                           "--json", want=None).json
    return shown


def test_a_dry_run_says_who_would_be_refused_and_why_and_is_right(fleet):
    fleet.gateways(2)
    ok = fleet.device("d1", 2, "--group", "lamps")
    idle = fleet.device("d2", 2, "--group", "lamps")
    push(fleet, version=1)
    assert len(ok.key()) == 32
    good = write(fleet, "good", version=2)
    r = fleet.conclave("policy", "test", good, "--json").json
    assert r["refused"] == {} and r["tried"] == 4 and r["without_boots"] == 2
    bad = write(fleet, "bad", version=2, min_client={"conclave-device": "999.0"})
    r = fleet.conclave("policy", "test", bad, "--json", want=DENIED).json
    assert set(r["refused"]) == {"d1"} and set(r["refused"]["d1"]) == {"g1", "g2"}
    boot = r["refused"]["d1"]["g1"]
    assert (boot["was"], boot["would"], boot["decided_by"]) == ("release", "client_version", "group")
    one = fleet.conclave("policy", "test", bad, "--device", "d1", "--gateway", "g2", "--json",
                         want=DENIED).json
    assert set(one["refused"]["d1"]) == {"g2"}
    fleet.conclave("policy", "test", bad, "--device", "d1", "--group", "lamps", want=USAGE)
    # nothing was pushed, and what it said comes true
    would_unlock(ok, True)
    fleet.conclave("policy", "push", signed(fleet, name="bad", version=2,
                                            min_client={"conclave-device": "999.0"}))
    assert "client_version" in would_unlock(ok, False)["gateways"][0]["result"]
    would_unlock(idle, False)


def test_a_dry_run_without_boots_does_not_say_that_all_is_well(fleet):
    fleet.gateways(2)
    fleet.device("d1", 2, "--group", "lamps")
    good = write(fleet, "good", version=2)
    assert fleet.conclave("policy", "test", good).out == "nobody was judged\n"
    told = fleet.conclave("policy", "test", good, "--group", "lambs", want=CONFIG).err
    assert "no device of group lambs" in told
    huge = fleet.dir / "huge.json"
    huge.write_bytes(b" " * 1000000)
    fleet.conclave("policy", "test", huge, want=CONFIG)


def test_values_that_run_out_are_judged_by_today(fleet):
    fleet.gateways(2)
    dev = fleet.device("d1", 2, "--group", "lamps")
    push(fleet, version=1)
    dev.key()
    out = fleet.dir / "learned.json"
    fleet.conclave("policy", "learn", "--device", "d1", "--from", fleet.dir / "p.json", "--out", out)
    proposal = json.loads(out.read_text())
    for values in proposal["references"].values():
        values[0]["until"] = "2000-01-01T00:00:00Z"
    out.write_text(json.dumps(proposal))
    r = fleet.conclave("policy", "test", out, "--json", want=DENIED).json
    assert r["refused"]["d1"]["g1"]["would"] == "reference_expired"


def test_learned_values_fit_the_device_and_nothing_else(fleet):
    fleet.gateways(2)
    dev = fleet.device("d1", 2, "--group", "lamps")
    push(fleet, version=1)
    out = fleet.dir / "learned.json"
    learn = ["policy", "learn", "--device", "d1", "--from", fleet.dir / "p.json", "--out", out]
    fleet.conclave(*learn, want=TOO_FEW)  # it never booted
    dev.key()
    r = fleet.conclave(*learn, "--json").json
    proposal = json.loads(out.read_text())
    assert r["added"] == len(proposal["references"]) > 0
    assert proposal["rules"]["policy_version"] == 2
    assert {k: v for k, v in proposal.items() if k not in ("references", "rules")} == \
        {k: v for k, v in document(version=1).items() if k != "rules"}
    fleet.conclave("policy", "test", out)
    fleet.conclave("policy", "sign", out)
    fleet.conclave("policy", "push", out.with_suffix(".jws"))
    would_unlock(dev, True)
    # a value that is not its own: refused, on record, and learned from there
    name = next(iter(proposal["references"]))
    proposal["references"][name][0]["value"] = "00" * 32
    proposal["rules"]["policy_version"] = 3
    other = fleet.dir / "other.json"
    other.write_text(json.dumps(proposal))
    fleet.conclave("policy", "sign", other)
    fleet.conclave("policy", "push", other.with_suffix(".jws"))
    dev("unmount", "--forget", want=None)
    assert dev("key", "--fd", "{t0}", "--timeout", "2s", want=None, take=1).code != OK
    again = fleet.dir / "again.json"
    fleet.conclave("policy", "learn", "--device", "d1", "--from", other, "--out", again,
                   "--refused")
    assert len(json.loads(again.read_text())["references"][name]) == 2


def test_releases_that_do_not_add_up_to_a_boot_are_found(fleet):
    g1, g2, g3 = fleet.gateways(3)
    dev = fleet.device("d1", 2)
    dev.key()  # shares went out, and nobody said that a volume was opened
    r = fleet.conclave("audit", "reconcile", "--json").json
    assert (r["boots"], r["findings"]) == (1, [])  # too young to say
    fleet.conclave("operator", "add", "auditor", "--role", "audit", "--no-passphrase")
    fleet.conclave("audit", "reconcile", "--operator", "auditor", "--alert", "--device", "d1")
    g3.stop()
    fleet.conclave("audit", "reconcile", want=TOO_FEW)


def test_a_release_without_mount_ok_raises_an_alert(fleet, tmp_path):
    from test_notify import Receiver
    receiver = Receiver()
    conf = fleet.dir / "hook.conf"
    conf.write_text(f"url = http://127.0.0.1:{receiver.port}/\nsecret = whsec_{'A' * 32}\n")
    conf.chmod(0o600)
    fleet.gateways(1, f"[limits]\nmount_ok = 1s\n[notify]\nallow_http = yes\n"
                      f"[webhook.ops]\nfile = {conf}\n")
    dev = fleet.device("d1", 1, "--insecure-single")
    dev.key()
    while True:
        _, _, payload, _ = receiver.requests.get(timeout=60)
        alert = json.loads(payload)
        if alert["type"] == "MOUNT_MISSING":
            break
    assert alert["data"]["device"] == "d1" and alert["data"]["severity"] == "warning"
    receiver.close()
