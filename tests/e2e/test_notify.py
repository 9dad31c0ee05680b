"""Alerts, end to end: a real sender process, receivers on loopback that fail, stall and recover."""

import base64
import datetime
import hashlib
import hmac
import http.server
import json
import os
import queue
import resource
import secrets
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
BUILD = os.environ.get("CONCLAVE_BUILD", os.path.join(ROOT, "build"))
SENDER = os.path.join(BUILD, "test", "notify", "test_sender")
DEADLINE_S = 60


class Receiver:
    """An HTTP server whose answers are a script: status codes, "stall", or the last one for ever."""

    def __init__(self, script=(200,), port=0, tls=None, headers=(), body=b"{}"):
        self.script = list(script)
        self.requests = queue.Queue()
        self.release = threading.Event()
        self.lock = threading.Lock()
        receiver = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_POST(self):
                payload = self.rfile.read(int(self.headers["Content-Length"]))
                with receiver.lock:
                    step = receiver.script[0]
                    if len(receiver.script) > 1:
                        receiver.script.pop(0)
                receiver.requests.put((self.path, dict(self.headers), payload, step))
                if step == "stall":
                    receiver.release.wait(DEADLINE_S)
                    self.close_connection = True
                    return
                self.send_response(step)
                for name, value in headers:
                    self.send_header(name, value)
                self.send_header("Content-Length", str(len(body)))
                self.end_headers()
                self.wfile.write(body)

            def log_message(self, *args):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads = True
            request_queue_size = 64

            def handle_error(self, request, client_address):
                pass

        self.server = Server(("127.0.0.1", port), Handler)
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True)
        self.port = self.server.server_address[1]
        self.thread = threading.Thread(target=self.server.serve_forever, daemon=True)
        self.thread.start()

    def set_script(self, *script):
        with self.lock:
            self.script = list(script)

    def get(self):
        return self.requests.get(timeout=DEADLINE_S)

    def close(self):
        self.release.set()
        self.server.shutdown()
        self.server.server_close()


def alert(kind="REPLAY", severity="critical", device="cam-7"):
    ident = "evt_" + secrets.token_hex(16)
    text = json.dumps({"type": kind, "timestamp": "2026-01-02T03:04:05Z", "data": {
        "v": 1, "id": ident, "severity": severity, "gateway": "gw-a", "device": device,
        "reason": "nonce_spent", "details": {"epoch": 1}}}, separators=(",", ":"))
    return ident, text.encode()


class Sender:
    """The sender process, and the keeper's and the monitor's side of its channel."""

    def __init__(self, directory):
        self.directory = directory
        self.keeper, self.other = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.keeper.settimeout(DEADLINE_S)
        self.destinations = []
        self.secrets = []
        self.process = None
        self.log = os.path.join(directory, "sender.log")
        self.lines = queue.Queue()

    def file(self, name, text, hidden):
        path = os.path.join(self.directory, name + ".conf")
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
            f.write(text)
        self.secrets += hidden
        return path

    def webhook(self, name, port, scheme="http", host="127.0.0.1", severity="info"):
        key = secrets.token_bytes(32)
        secret = "whsec_" + base64.b64encode(key).decode()
        route = "/hook/" + secrets.token_hex(8)
        path = self.file(name, f"url = {scheme}://{host}:{port}{route}\nsecret = {secret}\n",
                         [route, secret[6:], f":{port}"])
        self.destinations.append(f"{name}:webhook:{severity}:{path}")
        return key

    def telegram(self, name, port):
        token = "123456:" + secrets.token_hex(16)
        path = self.file(name, f"token = {token}\nchat = -100777\nbase = http://127.0.0.1:{port}\n",
                         [token, "-100777", f":{port}"])
        self.destinations.append(f"{name}:telegram:info:{path}")
        return token

    def start(self, attempts=1000, backoff_ms=20, backoff_max_ms=100, ca="-"):
        fd = self.other.fileno()
        self.process = subprocess.Popen(
            [SENDER, "--run", str(fd), os.path.join(self.directory, "outbox.db"), ca,
             str(attempts), str(backoff_ms), str(backoff_max_ms), *self.destinations],
            pass_fds=[fd], stdout=subprocess.PIPE, stderr=subprocess.PIPE,
            preexec_fn=lambda: signal.signal(signal.SIGXFSZ, signal.SIG_IGN))
        self.copier = threading.Thread(target=self.copy_log, args=[self.process.stderr])
        self.copier.start()
        assert self.process.stdout.readline() == b"ready\n"
        return self

    def copy_log(self, stream):
        with open(self.log, "ab") as f:
            for line in stream:
                f.write(line)
                f.flush()
                self.lines.put(line.decode())

    def wait_for_line(self, text):
        while text not in self.lines.get(timeout=DEADLINE_S):
            pass

    def send(self, text):
        self.keeper.send(b"A" + text)

    def send_some(self, count):
        """{id: text} of so many alerts."""
        sent = dict(alert() for _ in range(count))
        for text in sent.values():
            self.send(text)
        return sent

    def sync(self):
        token = secrets.token_bytes(8)
        self.keeper.send(b"S" + token)
        assert self.keeper.recv(65536) == b"S" + token

    def metrics(self):
        self.keeper.send(b"M")
        reply = self.keeper.recv(65536)
        assert reply[:1] == b"M"
        return dict(line.rsplit(" ", 1) for line in reply[1:].decode().splitlines()
                    if not line.startswith("#"))

    def wait_for(self, name, value):
        end = time.monotonic() + DEADLINE_S
        while self.metrics().get(name) != value:
            assert time.monotonic() < end, (name, value, self.metrics())

    def kill(self):
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=DEADLINE_S)

    def log_text(self):
        """What was said before the last line that a test waited for; all of it after the end."""
        if self.process.poll() is not None:
            self.copier.join()
        with open(self.log, encoding="utf-8") as f:
            return f.read()


@pytest.fixture
def sender(tmp_path):
    os.chmod(tmp_path, 0o700)
    s = Sender(str(tmp_path))
    yield s
    if s.process and s.process.poll() is None:
        assert s.stop() == 0
    s.keeper.close()
    s.other.close()
    if os.path.exists(s.log):
        log = s.log_text()
        for hidden in s.secrets:
            assert hidden not in log
        assert "127.0.0.1" not in log and "http:" not in log and "https:" not in log


@pytest.fixture
def receivers():
    made = []

    def make(*args, **kwargs):
        made.append(Receiver(*args, **kwargs))
        return made[-1]

    yield make
    for r in made:
        r.close()


def check_signature(key, headers, payload):
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + payload
    want = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == "v1," + want
    assert abs(int(headers["webhook-timestamp"]) - time.time()) < 300


def test_a_webhook_is_signed_as_the_specification_says(sender, receivers):
    r = receivers()
    key = sender.webhook("ops", r.port)
    sender.start()
    ident, text = alert()
    sender.send(text)
    _, headers, payload, _ = r.get()
    assert payload == text
    assert headers["webhook-id"] == ident
    assert headers["Content-Type"] == "application/json"
    check_signature(key, headers, payload)
    sender.wait_for('conclave_alerts_delivered_total{destination="ops"}', "1")
    sender.wait_for('conclave_alerts_waiting{destination="ops"}', "0")


def test_a_failing_receiver_gets_the_same_id_again_until_it_takes_it(sender, receivers):
    r = receivers([500, 503, 429, 302, 404, 200])
    key = sender.webhook("ops", r.port)
    sender.start()
    ident, text = alert()
    sender.send(text)
    for status in [500, 503, 429, 302, 404, 200]:
        _, headers, payload, step = r.get()
        assert (step, headers["webhook-id"], payload) == (status, ident, text)
        check_signature(key, headers, payload)
    sender.wait_for('conclave_alerts_delivered_total{destination="ops"}', "1")
    assert sender.metrics()['conclave_alerts_failed_attempts_total{destination="ops"}'] == "5"
    assert r.requests.empty()
    sender.stop()
    log = sender.log_text()
    assert log.count("not delivered") == 1 and log.count("delivering again") == 1


def take_until(receiver, sent):
    """What it answered with 200, until that is `sent`."""
    got = {}
    while got != sent:
        _, headers, payload, step = receiver.get()
        if step == 200:
            got[headers["webhook-id"]] = payload


def test_a_stalled_receiver_delays_nobody_else(sender, receivers):
    stalled, well = receivers(["stall"]), receivers()
    sender.webhook("slow", stalled.port)
    sender.webhook("ops", well.port)
    sender.start()
    sent = sender.send_some(50)
    stalled.get()
    take_until(well, sent)
    assert sender.metrics()['conclave_alerts_waiting{destination="slow"}'] == "50"
    stalled.set_script(200)
    stalled.release.set()
    sender.wait_for('conclave_alerts_waiting{destination="slow"}', "0")


def test_a_receiver_that_was_away_gets_everything_when_it_is_back(sender, receivers):
    away = Receiver()
    port = away.port
    away.close()
    sender.webhook("ops", port)
    sender.start()
    sent = set(sender.send_some(20))
    sender.sync()
    sender.wait_for('conclave_alerts_destination_up{destination="ops"}', "0")
    r = receivers(port=port)
    got = set()
    while got != sent:
        got.add(r.get()[1]["webhook-id"])
    sender.wait_for('conclave_alerts_destination_up{destination="ops"}', "1")


def test_kill_9_loses_nothing(sender, receivers):
    r = receivers()
    sender.webhook("ops", r.port)
    sent, got = {}, {}
    for _ in range(6):
        sender.start()
        sent.update(sender.send_some(40))
        # Kill at a moment that the deliveries choose: some alerts are in the socket, some in the
        # outbox, some under way, some delivered and not yet recorded.
        for _ in range(1 + secrets.randbelow(30)):
            _, headers, payload, _ = r.get()
            got[headers["webhook-id"]] = payload
        sender.kill()
    sender.start()
    while got != sent:
        _, headers, payload, _ = r.get()
        got[headers["webhook-id"]] = payload
    sender.wait_for('conclave_alerts_waiting{destination="ops"}', "0")


def test_what_could_not_be_delivered_survives_kill_9(sender, receivers):
    r = receivers([503])
    sender.webhook("ops", r.port)
    sent = {}
    for _ in range(5):
        sender.start()
        sent.update(sender.send_some(20))
        r.get()
        sender.kill()
    r.set_script(200)
    sender.start()
    take_until(r, sent)


def test_sigterm_leaves_the_rest_in_the_outbox(sender, receivers):
    r = receivers([503])
    sender.webhook("ops", r.port)
    sender.start()
    sent = sender.send_some(10)
    r.get()
    assert sender.stop() == 0
    r.set_script(200)
    sender.start()
    take_until(r, sent)


def test_what_is_always_refused_becomes_a_dead_letter_and_holds_up_nothing(sender, receivers):
    r = receivers([400, 400, 200])
    sender.webhook("ops", r.port)
    sender.start(attempts=2)
    bad, text = alert()
    sender.send(text)
    assert r.get()[1]["webhook-id"] == bad
    assert r.get()[1]["webhook-id"] == bad
    sender.wait_for('conclave_alerts_dead{destination="ops"}', "1")
    good, text = alert()
    sender.send(text)
    assert r.get()[1]["webhook-id"] == good
    sender.wait_for('conclave_alerts_waiting{destination="ops"}', "0")
    assert r.requests.empty()
    sender.stop()
    assert sender.log_text().count("dead letter") == 1


def test_a_full_disk_leaves_alerts_in_the_channel_until_there_is_room(sender, receivers):
    r = receivers()
    sender.webhook("ops", r.port)
    sender.start()
    pid = sender.process.pid
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (4096, resource.RLIM_INFINITY))
    sent = sender.send_some(20)
    sender.wait_for_line("alerts wait in the channel")
    assert r.requests.empty()
    resource.prlimit(pid, resource.RLIMIT_FSIZE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    sender.wait_for_line("works again")
    take_until(r, sent)


def test_telegram_gets_a_line_and_is_waited_for(sender, receivers):
    r = receivers([429, 200], body=b'{"ok":false,"parameters":{"retry_after":1}}')
    token = sender.telegram("chat", r.port)
    sender.start()
    _, text = alert()
    sender.send(text)
    for _ in range(2):
        path, headers, payload, _ = r.get()
        assert path == f"/bot{token}/sendMessage"
        message = json.loads(payload)
        assert message["chat_id"] == "-100777"
        assert message["text"].startswith("CRITICAL gw-a: device cam-7 sent a spent nonce again")
        assert message["disable_notification"] is False
    sender.wait_for('conclave_alerts_delivered_total{destination="chat"}', "1")


def test_severity_chooses_the_destination(sender, receivers):
    all_of_it, night = receivers(), receivers()
    sender.webhook("ops", all_of_it.port)
    sender.webhook("night", night.port, severity="critical")
    sender.start()
    quiet, text = alert("AUTH_OK", "info")
    sender.send(text)
    loud, text = alert()
    sender.send(text)
    assert {all_of_it.get()[1]["webhook-id"], all_of_it.get()[1]["webhook-id"]} == {quiet, loud}
    assert night.get()[1]["webhook-id"] == loud
    sender.wait_for('conclave_alerts_delivered_total{destination="night"}', "1")
    assert night.requests.empty()


def test_an_endless_answer_ends_the_request(sender, receivers):
    r = receivers([200, 200, 204], body=b"x" * 1000000)
    sender.webhook("ops", r.port)
    sender.start(attempts=2)
    ident, text = alert()
    sender.send(text)
    assert r.get()[1]["webhook-id"] == ident
    assert r.get()[1]["webhook-id"] == ident
    sender.wait_for('conclave_alerts_dead{destination="ops"}', "1")


def test_junk_on_the_channel_is_counted_and_skipped(sender, receivers):
    r = receivers()
    sender.webhook("ops", r.port)
    sender.start()
    ident, text = alert()
    for junk in [b"A", b"A{}", b"Z", b"A" + text + b" ", b"A" + text.replace(b"REPLAY", b"OTHER"),
                 b"A" + b"x" * 10000, b"S123", b"M?"]:
        sender.keeper.send(junk)
    sender.send(text)
    assert r.get()[1]["webhook-id"] == ident
    assert sender.metrics()["conclave_alerts_invalid_total"] == "8"


def make_certificates(directory, name):
    x509 = pytest.importorskip("cryptography.x509")
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec

    now = datetime.datetime.now(datetime.timezone.utc)

    def certificate(subject, key, issuer, issuer_key, ca):
        builder = (x509.CertificateBuilder().subject_name(subject).issuer_name(issuer)
                   .public_key(key.public_key()).serial_number(x509.random_serial_number())
                   .not_valid_before(now - datetime.timedelta(days=1))
                   .not_valid_after(now + datetime.timedelta(days=1))
                   .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True))
        if not ca:
            builder = builder.add_extension(
                x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        return builder.sign(issuer_key, hashes.SHA256())

    def named(text):
        return x509.Name([x509.NameAttribute(x509.oid.NameOID.COMMON_NAME, text)])

    def write(file, *parts):
        path = os.path.join(directory, file)
        with open(path, "wb") as f:
            for part in parts:
                f.write(part)
        return path

    pem = serialization.Encoding.PEM
    ca_key, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    ca = certificate(named("test root"), ca_key, named("test root"), ca_key, True)
    leaf = certificate(named(name), key, named("test root"), ca_key, False)
    chain = write(f"{name}.pem", leaf.public_bytes(pem), key.private_bytes(
        pem, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()))
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain)
    return write(f"{name}-ca.pem", ca.public_bytes(pem)), context


def test_https_is_verified_against_the_configured_root(sender, receivers, tmp_path):
    ca, context = make_certificates(str(tmp_path), "localhost")
    r = receivers(tls=context)
    sender.webhook("ops", r.port, scheme="https", host="localhost")
    sender.start(ca=ca)
    ident, text = alert()
    sender.send(text)
    assert r.get()[1]["webhook-id"] == ident


@pytest.mark.parametrize("fault", ["name", "root"])
def test_https_with_a_wrong_certificate_gets_nothing(sender, receivers, tmp_path, fault):
    name = "elsewhere.example" if fault == "name" else "localhost"
    ca, context = make_certificates(str(tmp_path), name)
    if fault == "root":
        ca, _ = make_certificates(str(tmp_path), "other")
    r = receivers(tls=context)
    sender.webhook("ops", r.port, scheme="https", host="localhost")
    sender.start(attempts=2, ca=ca)
    sender.send(alert()[1])
    sender.wait_for('conclave_alerts_dead{destination="ops"}', "1")
    assert r.requests.empty()


def test_an_address_file_with_open_permissions_stops_the_start(sender, receivers):
    r = receivers()
    sender.webhook("ops", r.port)
    path = sender.destinations[0].split(":", 3)[3]
    os.chmod(path, 0o644)
    with pytest.raises(AssertionError):
        sender.start()
    assert sender.process.wait(timeout=DEADLINE_S) == 3
    assert "0600" in sender.log_text()


# --- the same behind a real gateway, in its sandbox


def webhook_file(directory, url):
    key = secrets.token_bytes(32)
    path = os.path.join(directory, "ops.conf")
    with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w") as f:
        f.write(f"url = {url}\nsecret = whsec_{base64.b64encode(key).decode()}\n")
    return key, path


def collect(receiver, key, wanted):
    """Alerts in the order they came, until one of each wanted (type, device) is here."""
    got, missing = [], set(wanted)
    while missing:
        _, headers, payload, step = receiver.get()
        if step != 200:
            continue
        check_signature(key, headers, payload)
        body = json.loads(payload)
        got.append(body)
        missing.discard((body["type"], body["data"].get("device")))
    return got


def pid_of(gateway, role):
    for pid in gateway.pids():
        with open(f"/proc/{pid}/cmdline", "rb") as f:
            if f.read().split(b"\0")[0] == b"conclave-gateway: " + role:
                return pid
    raise AssertionError(f"no {role} process")


def test_a_gateway_tells_what_happens_to_a_device(fleet, receivers):
    ca, context = make_certificates(str(fleet.dir), "localhost")
    r = receivers(tls=context)
    key, path = webhook_file(str(fleet.dir), f"https://localhost:{r.port}/hidden-path")
    g1 = fleet.gateway("g1", f"[notify]\nca_file = {ca}\n[webhook.ops]\nfile = {path}\n")
    fleet.gateway("g2")
    dev = fleet.device("cam-7", 2)
    dev.key()
    got = collect(r, key, [("GATEWAY_STARTED", None), ("DEVICE_ENROLLED", "cam-7"),
                           ("BOOT_LOCKED", "cam-7"), ("AUTH_OK", "cam-7")])
    assert {a["data"]["gateway"] for a in got} == {"g1"}
    fleet.conclave("device", "revoke", "cam-7")
    dev.key(want=11, timeout="1s")
    got += collect(r, key, [("DEVICE_REVOKED", "cam-7"), ("AUTH_DENIED", "cam-7")])
    denied = [a for a in got if a["type"] == "AUTH_DENIED"][0]["data"]
    assert (denied["severity"], denied["reason"]) == ("warning", "device_revoked")
    g1.stop()
    log = g1.log_text()
    assert "hidden-path" not in log and str(r.port) not in log
    assert base64.b64encode(key).decode() not in log


def test_a_killed_or_frozen_sender_loses_nothing_and_delays_no_unlock(fleet, receivers):
    r = receivers(["stall"])
    key, path = webhook_file(str(fleet.dir), f"http://127.0.0.1:{r.port}/x")
    g1 = fleet.gateway("g1", f"[webhook.ops]\nfile = {path}\n")
    fleet.gateway("g2")
    dev = fleet.device("cam-7", 2)
    dev.key()
    r.get()
    frozen = pid_of(g1, b"sender")
    os.kill(frozen, signal.SIGSTOP)
    dev.key()
    os.kill(frozen, signal.SIGKILL)
    dev.key()
    r.set_script(200)
    r.release.set()
    got = collect(r, key, [("GATEWAY_STARTED", None), ("DEVICE_ENROLLED", "cam-7"),
                           ("BOOT_LOCKED", "cam-7")])
    while len({a["data"]["id"] for a in got if a["type"] == "AUTH_OK"}) < 3:
        got += collect(r, key, [("AUTH_OK", "cam-7")])
