"""States of devices and of the fleet: how they become effective, and who is told what."""

import json
import re
import threading

from conftest import DEADLINE, DENIED, OK, TOO_FEW, USAGE
from test_policy import push, states, would_unlock


def shown(fleet, device="d1", want=OK):
    return fleet.conclave("device", "show", device, "--json", want=want).json


def try_in_vain(dev):
    """One attempt of the device's; how it ends is for others to test."""
    code = dev("key", "--fd", "{t0}", "--timeout", "2s", want=None, take=1).code
    assert code != OK


def waiting(fleet):
    """Requests that a gateway knows of, each once."""
    return list(fleet.conclave("device", "requests", "--json").json["requests"])


def asked(fleet, dev, gateways=2):
    """The device's request, once all gateways have it: a slow machine may take several attempts."""
    for _ in range(10):
        try_in_vain(dev)
        listed = fleet.conclave("device", "requests", "--json").json["requests"]
        if [len(r["gateways"]) for r in listed.values()] == [gateways]:
            break
    return list(listed)


def pending(fleet):
    return fleet.conclave("fleet", "pending", "--json").json["pending"]


def test_a_revocation_counts_once_enough_keepers_signed_that_they_hold_it(fleet):
    g1, g2, g3 = fleet.gateways(3)
    dev = fleet.device("d1", 2)
    r = fleet.conclave("device", "revoke", "d1", "--json").json
    assert (r["holding"], r["needed"], r["in_force"]) == (3, 2, True) and "effective_ms" in r
    assert pending(fleet) == []
    assert shown(fleet)["effective_state"] == "revoked"
    dev.key(want=DENIED, timeout="2s")
    fleet.conclave("device", "reinstate", "d1")
    text = fleet.conclave("device", "quarantine", "d1").out
    assert re.search(r"effective 2 of 2 needed, after \d+\.\d s; 3 of 3 gateways hold it", text)


def test_until_then_show_tells_the_truth_and_what_is_pending_is_kept(fleet):
    g1, g2, g3 = fleet.gateways(3)
    dev = fleet.device("d1", 2)
    g2.stop()
    g3.stop()
    fleet.conclave("device", "revoke", "d1", "--reason", "stolen", "--wait", "0", want=TOO_FEW)
    (left,) = pending(fleet)
    assert (left["device"], left["command"], left["left"]) == ("d1", "revoke", ["g2", "g3"])
    g2.start()
    g3.start()
    now = shown(fleet)
    assert (now["effective_state"], now["locked_at"], now["locked_needed"]) == ("active", 1, 2)
    assert now["pending"] == "revoke"
    assert len(dev.key()) == 32  # as show said
    g3.stop()
    r = fleet.conclave("fleet", "pending", "--resume", "--wait", "0", "--json").json
    assert (r["pending"][0]["holding"], r["pending"][0]["in_force"]) == (2, True)
    assert pending(fleet)[0]["left"] == ["g3"]
    assert shown(fleet, want=TOO_FEW)["effective_state"] == "revoked"
    dev.key(want=DENIED, timeout="2s")
    g3.start()
    fleet.conclave("device", "revoke", "d1", "--resume")
    assert pending(fleet) == [] and states(fleet) == {"revoked"}
    fleet.conclave("device", "revoke", "d1", "--resume", want=None)


def test_it_keeps_asking_while_it_is_not_in_force(fleet):
    g1, g2 = fleet.gateways(2)
    fleet.device("d1", 1, "--insecure-single")
    g2.stop()
    back = threading.Timer(0.5, g2.start)
    back.start()
    r = fleet.conclave("device", "revoke", "d1", "--wait", "30", "--json").json
    back.join()
    assert (r["holding"], r["needed"], r["in_force"]) == (2, 2, True)


def test_a_newer_command_takes_the_place_of_one_that_is_pending(fleet):
    g1, g2, g3 = fleet.gateways(3)
    fleet.device("d1", 2)
    g3.stop()
    fleet.conclave("device", "revoke", "d1", "--wait", "0")
    fleet.conclave("device", "reinstate", "d1", "--wait", "0")
    (left,) = pending(fleet)
    assert left["command"] == "reinstate"
    g3.start()
    fleet.conclave("fleet", "pending", "--resume")
    assert states(fleet) == {"active"} and pending(fleet) == []


def test_a_frozen_fleet_releases_nothing_until_it_is_thawed(fleet):
    fleet.gateways(2)
    dev = fleet.device("d1", 2)
    fleet.conclave("fleet", "freeze", "--reason", "a key was lost")
    refused = would_unlock(dev, False)
    assert all("fleet_frozen" in g["result"] for g in refused["gateways"])
    assert shown(fleet)["effective_state"] == "frozen"
    g2 = fleet.all_gateways["g2"]
    g2.stop()
    fleet.conclave("fleet", "thaw", "--wait", "0", want=TOO_FEW)
    assert pending(fleet)[0]["command"] == "thaw"
    g2.start()
    fleet.conclave("fleet", "pending", "--resume")
    assert len(dev.key()) == 32


def test_a_check_says_that_an_approval_is_what_is_missing(fleet):
    fleet.gateways(2)
    dev = fleet.device("d1", 2, "--group", "lamps")
    push(fleet, version=1, approval="required")
    told = dev("check", "--timeout", "30s", want=DEADLINE)
    assert "gateway g1: not now: approval_required" in told.out
    assert "no: not now: 0 of 2 gateways" in told.out


def test_a_request_comes_back_after_a_restart_and_an_approval_outlives_one(fleet):
    gateways = fleet.gateways(2)
    dev = fleet.device("d1", 2, "--group", "lamps")
    push(fleet, version=1, approval="required")
    (number,) = asked(fleet, dev)
    for g in gateways:
        g.stop()
        g.start()
    assert waiting(fleet) == []
    assert asked(fleet, dev) == [number]
    fleet.conclave("device", "approve", number)
    for g in gateways:
        g.stop()
        g.start()
    assert len(dev.key()) == 32


def test_an_approved_request_passes_on_the_next_try(fleet):
    fleet.gateways(2)
    dev = fleet.device("d1", 2, "--group", "lamps")
    push(fleet, version=1, approval="required")
    (number,) = asked(fleet, dev)
    fleet.conclave("device", "approve", "nonsense", want=USAGE)
    fleet.conclave("device", "approve", "1", want=DENIED)
    r = fleet.conclave("device", "approve", number, "--json").json
    assert (r["device"], r["holding"], r["needed"]) == ("d1", 2, 2)
    assert len(dev.key()) == 32
    assert fleet.conclave("device", "requests", "--json").json["requests"] == {}
    releases = [json.loads(line) for line in fleet.conclave("audit", "read", "g1").out.splitlines()
                if '"release"' in line]
    assert releases[-1]["approved"] is True
