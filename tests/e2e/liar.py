"""A gateway that has the right certificate and MAC key, and lies: it releases a wrong share."""
import http.server
import json
import os
import ssl
import threading

import wire

ref = wire.ref


class Liar:
    """Takes over a stopped gateway's TLS identity (gateway.state/front) for one device.

    behaviour: "share" (a wrong share), "refuse" (an authentic no, and a year until the next try),
    "unsigned" (a refusal without a MAC), "nonsense" (authentic, but not the protocol's JSON)
    """

    def __init__(self, gateway, device, behaviour="share"):
        self.id, self.device, self.behaviour = gateway.id, device, behaviour
        self.requests = []
        liar = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                liar.answer(self)

            def log_message(self, *args):
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        front = gateway.state / "front"
        context.load_cert_chain(front / "tls.crt", front / "tls.key")
        self._server.socket = context.wrap_socket(
            self._server.socket, server_side=True, do_handshake_on_connect=False)
        self.address = "127.0.0.1:%d" % self._server.server_port
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    def close(self):
        self._server.shutdown()
        self._server.server_close()

    def answer(self, handler):
        body = handler.rfile.read(int(handler.headers["Content-Length"]))
        mac = bytes.fromhex(handler.headers["Conclave-MAC"].split("mac=")[1])
        self.requests.append((handler.path, json.loads(body)))
        status, document = self.decide(handler.path, json.loads(body))
        out = document if isinstance(document, bytes) else ref.compact(document).encode()
        d = self.device
        handler.send_response(status)
        handler.send_header("Content-Type", "application/json")
        handler.send_header("Content-Length", str(len(out)))
        if self.behaviour == "unsigned":
            handler.send_header("Retry-After", "31536000")
        else:
            handler.send_header("Conclave-MAC", ref.response_header(ref.response_mac(
                d.key(self.id), d.fleet, self.id, d.name, mac, status, out)))
        handler.end_headers()
        handler.wfile.write(out)

    def decide(self, path, request):
        if self.behaviour in ("refuse", "unsigned"):
            return 403, {"type": "about:blank", "title": "Forbidden", "status": 403,
                         "retry": "later", "retry_after": 31536000}
        if self.behaviour == "nonsense":
            return 200, b'{"nonce":1.5,"nonce":2}'
        if path == "/v1/nonce":
            return 200, {"nonce": ref.b64u(os.urandom(40)), "expires_in": 30}
        if path == "/v1/authorize":
            return 200, self.wrong_share(request)
        return 200, {"accepted": True}

    def wrong_share(self, request):
        d = self.device
        claims = json.loads(ref.unb64u(request["evidence"].split(".")[1]))
        boot_key = ref.unb64u(claims["cnf"]["jwk"]["x"])
        x = next(m["x"] for m in d.share_set["members"] if m["gateway"] == self.id)
        sealed = ref.hpke_seal(
            boot_key, ref.share_info(d.fleet, self.id, d.name, d.volume_id, d.epoch),
            ref.share_aad(ref.unb64u(request["nonce"]), x, d.set_hash), os.urandom(32),
            os.urandom(32))
        return json.loads(ref.padded(
            {"sealed_share": ref.b64u(sealed), "session": ref.b64u(os.urandom(16)),
             "lease_seconds": 0, "policy_version": 1, "store_revision": 1}, 1024))
