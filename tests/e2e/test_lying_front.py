"""A front that was taken over stands between the operator and its keeper: it has the gateway's TLS
key and certificate, sees every command, and can drop, change, forge and replay. It must not get the
operator to believe anything that the keeper did not sign for that very command.
"""

import http.client
import http.server
import json
import re
import ssl
import threading

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from conftest import OK, TOO_FEW


class Front(http.server.ThreadingHTTPServer):
    """Answers on loopback with g1's TLS identity; relays to the true front, then lies."""

    daemon_threads = True

    def __init__(self, fleet, gateway):
        super().__init__(("127.0.0.1", 0), Handler)
        ctx = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        ctx.load_cert_chain(gateway.state / "front" / "tls.crt", gateway.state / "front" / "tls.key")
        self.socket = ctx.wrap_socket(self.socket, server_side=True)
        self.address = "127.0.0.1:%d" % self.server_address[1]
        self.true = gateway.operators.rsplit(":", 1)
        self.client = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        self.client.check_hostname = False
        self.client.verify_mode = ssl.CERT_NONE
        admin = fleet.path / "operators" / "admin"
        scalar = int.from_bytes((admin / "keys").read_bytes()[40:72], "big")
        pem = fleet.dir / "admin.pem"
        pem.write_bytes((admin / "tls.pem").read_bytes() + ec.derive_private_key(
            scalar, ec.SECP256R1()).private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        self.client.load_cert_chain(pem)
        self.lie = lambda target, status, reply, body: (status, reply, body)
        self.seen = []
        self.thread = threading.Thread(target=self.serve_forever, daemon=True)
        self.thread.start()

    def relay(self, target, headers, body):
        c = http.client.HTTPSConnection(self.true[0], int(self.true[1]), context=self.client,
                                        timeout=30)
        c.request("POST", target, body, headers)
        r = c.getresponse()
        answer = r.status, r.getheader("Conclave-Op-Reply"), r.read()
        c.close()
        return answer

    def close(self):
        self.shutdown()
        self.server_close()


class Handler(http.server.BaseHTTPRequestHandler):
    def do_POST(self):
        body = self.rfile.read(int(self.headers["Content-Length"]))
        keep = ("Content-Type", "Conclave-Op", "Conclave-Op-Cert")
        headers = {k: self.headers[k] for k in keep if self.headers[k]}
        status, reply, answer = self.server.relay(self.path, headers, body)
        self.server.seen.append((self.path, headers, body, status, reply, answer))
        status, reply, answer = self.server.lie(self.path, status, reply, answer)
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(answer)))
        if reply is not None:
            self.send_header("Conclave-Op-Reply", reply)
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *args):
        pass


def take_over(fleet):
    g1, _ = fleet.gateways(2)
    fleet.device("d1", 2, install=False)
    front = Front(fleet, g1)
    fleet.conclave("gateway", "address", "g1", "--operators", front.address)
    return fleet, g1, front


@pytest.fixture
def taken(fleet):
    all_three = take_over(fleet)
    yield all_three
    all_three[2].close()


@pytest.fixture(scope="module")
def taken_for_all(module_fleet):
    """For commands that may be repeated: quarantine only."""
    all_three = take_over(module_fleet)
    yield all_three
    all_three[2].close()


def done(result):
    return {g["gateway"]: g["done"] for g in result.json["gateways"]}


def test_a_front_that_relays_faithfully_is_no_hindrance(taken):
    fleet, _, _ = taken
    assert done(fleet.conclave("device", "quarantine", "d1", "--json")) == {"g1": True, "g2": True}


def change(field, value):
    return lambda t, s, r, b: (s, re.sub(f"{field}=[^ ]+", f"{field}={value}", r), b)


LIES = {
    "no signature": lambda t, s, r, b: (s, None, b),
    "a signature of zeros": change("sig", "A" * 86),
    "a newer revision": change("revision", "999999"),
    "an older revision": change("revision", "1"),
    "another audit number": change("seq", "999999"),
    "another audit head": change("head", "0" * 64),
    "another body": lambda t, s, r, b: (s, r, b[:-1] + b',"more":1}'),
    "no body": lambda t, s, r, b: (s, r, b""),
    "another status": lambda t, s, r, b: (403, r, b),
    "a refusal of its own": lambda t, s, r, b: (
        403, None, b'{"type":"about:blank","title":"no","status":403,"reason":"op_role"}'),
    "overload": lambda t, s, r, b: (503, None, b""),
    "a header that is no header": lambda t, s, r, b: (s, "v1 nothing", b),
    "a redirect": lambda t, s, r, b: (307, None, b""),
}


@pytest.mark.parametrize("where", ["/v1/op/nonce", "/v1/op/quarantine"])
@pytest.mark.parametrize("lie", LIES.values(), ids=LIES.keys())
def test_a_lie_is_no_answer(taken_for_all, lie, where):
    fleet, _, front = taken_for_all
    front.lie = lambda t, s, r, b: lie(t, s, r, b) if t == where else (s, r, b)
    r = fleet.conclave("device", "quarantine", "d1", "--json", want=None)
    assert done(r) == {"g1": False, "g2": True}
    assert r.code == OK  # N-K+1 = 1 gateway is enough here, and g2 does hold it
    assert "gateway g1:" in r.err


def test_a_swallowed_revocation_is_noticed(taken):
    """The front answers the second revocation with the keeper's true reply to the first command."""
    fleet, g1, front = taken
    fleet.conclave("device", "quarantine", "d1")
    old = next(s for s in front.seen if s[0] == "/v1/op/quarantine")
    true = front.relay
    front.relay = lambda target, headers, body: (
        old[3:] if target == "/v1/op/quarantine" else true(target, headers, body))
    r = fleet.conclave("device", "quarantine", "d1", "--json")
    assert done(r) == {"g1": False, "g2": True} and g1.running


def test_a_replayed_command_does_nothing(taken):
    fleet, _, front = taken
    fleet.conclave("device", "quarantine", "d1")
    target, headers, body = next(s for s in front.seen if s[0] == "/v1/op/quarantine")[:3]
    fleet.conclave("device", "reinstate", "d1")
    status, _, answer = front.relay(target, headers, body)
    assert status == 403 and json.loads(answer)["reason"] == "op_nonce"
    shown = fleet.conclave("device", "show", "d1", "--json").json
    assert [g["record"]["state"] for g in shown["gateways"]] == ["active", "active"]


def test_a_command_for_one_gateway_is_refused_by_another(taken):
    fleet, _, front = taken
    fleet.conclave("device", "quarantine", "d1")
    fleet.conclave("device", "reinstate", "d1")
    g2 = fleet.all_gateways["g2"]
    target, headers, body = next(s for s in front.seen if s[0] == "/v1/op/quarantine")[:3]
    front.true = g2.operators.rsplit(":", 1)
    status, _, answer = front.relay(target, headers, body)
    assert status == 403 and json.loads(answer)["reason"] in ("op_nonce", "op_signature")


def test_a_front_alone_cannot_enrol(taken):
    """It has no operator's signing key: the TLS certificate alone commands nothing."""
    fleet, _, front = taken
    cert = (fleet.path / "operators" / "admin" / "cert.jws").read_text()
    nonce = json.loads(front.relay("/v1/op/nonce", {"Content-Type": "application/json"}, b"{}")[2])
    headers = {"Content-Type": "application/json", "Conclave-Op-Cert": cert,
               "Conclave-Op": f"v1 nonce={nonce['nonce']} sig={'A' * 86}"}
    package = (fleet.path / "devices" / "d1" / "packages" / "g1.jws").read_text()
    for name, body in (("enrol", {"package": package}), ("reinstate", {"device": "d1"})):
        status, _, answer = front.relay(f"/v1/op/{name}", headers, json.dumps(body).encode())
        assert status == 403 and json.loads(answer)["reason"].startswith("op_"), answer


def test_another_gateways_tls_identity_is_no_answer(taken):
    fleet, g1, front = taken
    fleet.conclave("gateway", "address", "g2", "--operators", front.address)
    r = fleet.conclave("device", "quarantine", "d1", "--json")
    assert done(r) == {"g1": True, "g2": False} and g1.running


def test_no_gateway_to_trust_means_not_in_force(taken):
    fleet, _, front = taken
    front.lie = LIES["no signature"]
    fleet.conclave("gateway", "address", "g2", "--operators", front.address)
    r = fleet.conclave("device", "revoke", "d1", "--json", "--wait", "0", want=TOO_FEW)
    assert (r.json["holding"], r.json["in_force"]) == (0, False)
