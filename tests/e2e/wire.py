"""A device that speaks the protocol by hand: every byte can be bent before it is sent.

Written over tests/reference.py and so from docs/protocol.md alone; nothing of protocol/ is in it.
"""
import copy
import http.client
import json
import os
import pathlib
import socket
import ssl
import sys

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
import reference as ref  # noqa: E402

TIMEOUT_S = 20


class Answer:
    def __init__(self, status, headers, body):
        self.status, self.headers, self.body = status, headers, body

    @property
    def mac(self):
        return self.headers.get("Conclave-MAC")

    def json(self):
        return json.loads(self.body)

    @property
    def reason(self):
        try:
            return self.json().get("reason")
        except ValueError:
            return None

    @property
    def retry(self):
        return self.json().get("retry")


class _Connection(http.client.HTTPSConnection):
    """Connects to an address, but asks TLS for the gateway's own name."""

    def __init__(self, address, name, context, timeout):
        super().__init__(name, timeout=timeout, context=context)
        self._address = address

    def connect(self):
        raw = socket.create_connection(self._address, self.timeout)
        raw.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.sock = self._context.wrap_socket(raw, server_hostname=self.host)


class Device:
    """The device whose state directory this is (docs/protocol.md section 11)."""

    def __init__(self, state):
        state = pathlib.Path(state)
        doc = json.loads((state / "device.json").read_text())
        self.fleet, self.name, self.epoch = doc["fleet"], doc["device"], doc["epoch"]
        self.volume_id = ref.unb64u(doc["volume_id"])
        self.mac_root = (state / "mac.root").read_bytes()
        self.attest = (state / "attest.key").read_bytes()
        self.root_public = (state / "roots/fleet.pub").read_bytes()
        self.set_text = (state / "share-set.jws").read_text().strip()
        header = json.loads(ref.unb64u(self.set_text.split(".")[0]))
        operator = ref.jws_verify("conclave-opcert+jws", header["crt"], self.root_public)
        assert operator["fleet"] == self.fleet and "deal" in operator["roles"]
        self.share_set = ref.jws_verify(
            "conclave-share-set+jws", self.set_text, ref.unb64u(operator["key"]), with_crt=True)
        self.set_hash = ref.sha256(self.set_text)
        self.threshold = self.share_set["threshold"]
        self.gateways = {}
        for entry in json.loads((state / "gateways.json").read_text())["gateways"]:
            host, port = entry["address"].rsplit(":", 1)
            self.gateways[entry["gateway"]] = (host.strip("[]"), int(port))
        self.boot_key = os.urandom(32)
        self.boot_id = os.urandom(16)
        self.context = ssl.create_default_context(cafile=str(state / "roots/tls.pem"))
        self.digests = {}
        self.region = None
        self.counter = 0

    def twin(self):
        """The same device, to be changed without changing this one."""
        other = copy.copy(self)
        other.gateways = dict(self.gateways)
        return other

    # the wire

    def key(self, gateway):
        return ref.mac_key(self.mac_root, self.fleet, self.name, gateway)

    def send(self, gateway, target, body, headers, method="POST"):
        """Raw: exactly these headers and bytes."""
        name = ref.gateway_dns_name(self.fleet, gateway)
        connection = _Connection(self.gateways[gateway], name, self.context, TIMEOUT_S)
        try:
            connection.request(method, target, body=body, headers=headers)
            r = connection.getresponse()
            return Answer(r.status, dict(r.getheaders()), r.read())
        finally:
            connection.close()

    def post(self, gateway, target, document, key=None, mac=None, headers=None, signed_for=None):
        """One request with its MAC. A valid answer's MAC is checked; an invalid one fails the test.

        signed_for: the gateway named in the MAC, when it is not the one that is asked.
        """
        body = document if isinstance(document, bytes) else ref.compact(document).encode()
        key = self.key(signed_for or gateway) if key is None else key
        if mac is None:
            mac = ref.request_mac(
                key, self.fleet, signed_for or gateway, self.name, "POST", target, body)
        sent = {"Content-Type": "application/json",
                "Conclave-MAC": ref.request_header(self.name, mac)}
        sent.update(headers or {})
        answer = self.send(gateway, target, body, sent)
        if answer.mac is not None:
            want = ref.response_mac(
                key, self.fleet, gateway, self.name, mac, answer.status, answer.body)
            assert answer.mac == ref.response_header(want), "the answer's MAC does not hold"
        return answer

    # the messages

    def ids(self, **more):
        return {"request_id": ref.b64u(os.urandom(16)), "volume_id": ref.b64u(self.volume_id),
                "epoch": self.epoch, **more}

    def ask_nonce(self, gateway, **more):
        return self.post(gateway, "/v1/nonce", self.ids(boot_id=ref.b64u(self.boot_id), **more))

    def nonce(self, gateway):
        answer = self.ask_nonce(gateway)
        assert answer.status == 200 and answer.mac, answer.body
        return ref.unb64u(answer.json()["nonce"])

    def claims(self, nonces, **changes):
        claims = ref.evidence(
            eat_nonce=[ref.b64u(n) for n in nonces], purpose="unlock",
            ueid=ref.b64u(ref.ueid(self.fleet, self.name)), swname="wire", swversion="1",
            bootcount=1, uptime=1, dbgstat="disabled",
            cnf={"jwk": {"kty": "OKP", "crv": "X25519",
                         "x": ref.b64u(ref.x25519_public(self.boot_key))}},
            volume=ref.b64u(self.volume_id), epoch=self.epoch, share_set=ref.b64u(self.set_hash),
            boot_id=ref.b64u(self.boot_id),
            digests={n: ref.b64u(d) for n, d in self.digests.items()})
        if self.region:
            claims["region"] = self.region
        for name, value in changes.items():
            if value is None:
                claims.pop(name, None)
            else:
                claims[name] = value
        return claims

    def token(self, nonces, key=None, **changes):
        return ref.jws_sign("eat+jwt", self.claims(nonces, **changes), key or self.attest)

    def authorize(self, gateway, nonce=None, token=None, target="/v1/authorize", **changes):
        nonce = nonce or self.nonce(gateway)
        token = token or self.token([nonce], **changes)
        return self.post(gateway, target, self.ids(nonce=ref.b64u(nonce), evidence=token)), nonce

    def open_share(self, gateway, answer, nonce):
        """(x, share) from a release; its commitment is checked."""
        member = next(m for m in self.share_set["members"] if m["gateway"] == gateway)
        share = ref.hpke_open(
            self.boot_key,
            ref.share_info(self.fleet, gateway, self.name, self.volume_id, self.epoch),
            ref.share_aad(nonce, member["x"], self.set_hash),
            ref.unb64u(answer.json()["sealed_share"]))
        assert ref.b64u(ref.commitment(self.volume_id, self.epoch, member["x"], share)) == \
            member["commitment"]
        return member["x"], share

    def event(self, gateway, name, **more):
        self.counter += 1
        return self.post(gateway, "/v1/events", self.ids(
            boot_id=ref.b64u(self.boot_id), counter=self.counter, event=name, **more))


def combine(shares):
    """Lagrange at 0 over GF(2^8)/0x11B from (x, y) pairs."""
    def mul(a, b):
        r = 0
        while b:
            if b & 1:
                r ^= a
            a = (a << 1) ^ (0x11B if a & 0x80 else 0)
            b >>= 1
        return r

    def inv(a):
        r = 1
        for _ in range(254):
            r = mul(r, a)
        return r

    out = bytearray(32)
    for i, (xi, yi) in enumerate(shares):
        c = 1
        for j, (xj, _) in enumerate(shares):
            if i != j:
                c = mul(c, mul(xj, inv(xi ^ xj)))
        for k in range(32):
            out[k] ^= mul(c, yi[k])
    return bytes(out)
