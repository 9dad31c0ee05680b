#!/usr/bin/env python3
"""Every computation of docs/protocol.md once more, written from that page and sharing nothing with
protocol/: whoever wants to write another client or gateway can start here. Needs python3-cryptography.

    reference.py          write tests/vectors/protocol.json, protocol_vectors.h and the fuzz seeds
    reference.py --check  exit 1 if the committed files are not what this program writes

Signatures are deterministic (RFC 6979, written out below), so the files are always the same.
The order of JSON members means nothing on the wire; it is the one that protocol/ writes, so that
its texts can be compared byte by byte.
"""
import base64
import hashlib
import hmac as hmac_module
import json
import pathlib
import sys

from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, utils
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

TESTS = pathlib.Path(__file__).resolve().parent


# section 1: encoding

def b64u(data):
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def unb64u(text):
    data = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
    if b64u(data) != text:
        raise ValueError("not canonical base64url")
    return data


def lp(label, *fields):
    """Text, bytes, or an integer as 8 bytes; each behind its length as u32 big-endian."""
    out = b""
    for field in (label,) + fields:
        if isinstance(field, str):
            field = field.encode()
        elif isinstance(field, int):
            field = field.to_bytes(8, "big")
        out += len(field).to_bytes(4, "big") + field
    return out


def compact(document):
    return json.dumps(document, separators=(",", ":"), ensure_ascii=False)


def sha256(data):
    if isinstance(data, str):
        data = data.encode()
    return hashlib.sha256(data).digest()


def hmac(key, data):
    return hmac_module.new(key, data, hashlib.sha256).digest()


# RFC 5869

def hkdf_extract(salt, ikm):
    return hmac(salt or bytes(32), ikm)


def hkdf_expand(prk, info, length):
    out, block, counter = b"", b"", 0
    while len(out) < length:
        counter += 1
        block = hmac(prk, block + info + bytes([counter]))
        out += block
    return out[:length]


def hkdf(ikm, info, length, salt=b""):
    return hkdf_expand(hkdf_extract(salt, ikm), info, length)


# RFC 9180, base mode, X25519 / HKDF-SHA256 / AES-256-GCM

KEM = b"KEM" + (0x20).to_bytes(2, "big")
SUITE = b"HPKE" + bytes([0, 0x20, 0, 0x01, 0, 0x02])


def labeled_extract(suite, salt, label, ikm):
    return hkdf_extract(salt, b"HPKE-v1" + suite + label + ikm)


def labeled_expand(suite, prk, label, info, length):
    return hkdf_expand(prk, length.to_bytes(2, "big") + b"HPKE-v1" + suite + label + info, length)


def x25519_public(private):
    key = X25519PrivateKey.from_private_bytes(private)
    return key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)


def x25519(private, public):
    key = X25519PrivateKey.from_private_bytes(private)
    return key.exchange(X25519PublicKey.from_public_bytes(public))


def hpke_keys(dh, enc, recipient_public, info):
    prk = labeled_extract(KEM, b"", b"eae_prk", dh)
    shared = labeled_expand(KEM, prk, b"shared_secret", enc + recipient_public, 32)
    context = (b"\x00" + labeled_extract(SUITE, b"", b"psk_id_hash", b"")
               + labeled_extract(SUITE, b"", b"info_hash", info))
    secret = labeled_extract(SUITE, shared, b"secret", b"")
    return (labeled_expand(SUITE, secret, b"key", context, 32),
            labeled_expand(SUITE, secret, b"base_nonce", context, 12))


def hpke_seal(recipient_public, info, aad, plaintext, ephemeral_private):
    """enc (32) || ciphertext || tag (16)"""
    enc = x25519_public(ephemeral_private)
    dh = x25519(ephemeral_private, recipient_public)
    key, nonce = hpke_keys(dh, enc, recipient_public, info)
    return enc + AESGCM(key).encrypt(nonce, plaintext, aad)


def hpke_open(recipient_private, info, aad, sealed):
    enc, ciphertext = sealed[:32], sealed[32:]
    dh = x25519(recipient_private, enc)
    key, nonce = hpke_keys(dh, enc, x25519_public(recipient_private), info)
    return AESGCM(key).decrypt(nonce, ciphertext, aad)


# ES256: P-256 in affine coordinates, as FIPS 186-4 and RFC 6979 write it down

P = 2**256 - 2**224 + 2**192 + 2**96 - 1
N = 0xffffffff00000000ffffffffffffffffbce6faada7179e84f3b9cac2fc632551
G = (0x6b17d1f2e12c4247f8bce6e563a440f277037d812deb33a0f4a13945d898c296,
     0x4fe342e2fe1a7f9b8ee7eb4a7c0f9e162bce33576b315ececbb6406837bf51f5)


def point_add(a, b):
    if a is None or b is None:
        return a or b
    if a[0] == b[0]:
        if (a[1] + b[1]) % P == 0:
            return None
        slope = (3 * a[0] * a[0] - 3) * pow(2 * a[1], -1, P) % P
    else:
        slope = (b[1] - a[1]) * pow(b[0] - a[0], -1, P) % P
    x = (slope * slope - a[0] - b[0]) % P
    return x, (slope * (a[0] - x) - a[1]) % P


def point_times(k, point):
    total = None
    while k:
        if k & 1:
            total = point_add(total, point)
        point, k = point_add(point, point), k >> 1
    return total


def es256_public(private):
    x, y = point_times(int.from_bytes(private, "big"), G)
    return b"\x04" + x.to_bytes(32, "big") + y.to_bytes(32, "big")


def rfc6979_nonces(private, digest):
    v, k = b"\x01" * 32, bytes(32)
    seed = private + (int.from_bytes(digest, "big") % N).to_bytes(32, "big")
    for mark in (b"\x00", b"\x01"):
        k = hmac(k, v + mark + seed)
        v = hmac(k, v)
    while True:
        v = hmac(k, v)
        candidate = int.from_bytes(v, "big")
        if 0 < candidate < N:
            yield candidate
        k = hmac(k, v + b"\x00")
        v = hmac(k, v)


def es256_sign(private, digest):
    """r || s, 64 bytes, of a SHA-256 digest"""
    d, z = int.from_bytes(private, "big"), int.from_bytes(digest, "big")
    for k in rfc6979_nonces(private, digest):
        r = point_times(k, G)[0] % N
        s = pow(k, -1, N) * (z + r * d) % N
        if r and s:
            return r.to_bytes(32, "big") + s.to_bytes(32, "big")


def es256_verify(public, digest, sig):
    """Raises InvalidSignature; by the library, so that the arithmetic above is checked too."""
    key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), public)
    der = utils.encode_dss_signature(int.from_bytes(sig[:32], "big"),
                                     int.from_bytes(sig[32:], "big"))
    key.verify(der, digest, ec.ECDSA(utils.Prehashed(hashes.SHA256())))


# section 2: signed documents

def jws_sign(typ, payload, private, crt=None):
    header = {"alg": "ES256", "typ": typ}
    if crt is not None:
        header["crt"] = crt
    if not isinstance(payload, str):
        payload = compact(payload)
    text = b64u(compact(header).encode()) + "." + b64u(payload.encode())
    return text + "." + b64u(es256_sign(private, sha256(text)))


def jws_verify(typ, text, public, with_crt=False):
    header_text, payload, sig = text.split(".")
    header = json.loads(unb64u(header_text))
    if header.pop("alg") != "ES256" or header.pop("typ") != typ:
        raise ValueError("algorithm or type")
    if with_crt:
        header.pop("crt")
    if header:
        raise ValueError("unknown header member")
    es256_verify(public, sha256(header_text + "." + payload), unb64u(sig))
    return json.loads(unb64u(payload))


def operator_certificate(fleet, operator, key, roles, iat, exp):
    return {"v": 1, "fleet": fleet, "operator": operator, "key": b64u(key), "roles": roles,
            "iat": iat, "exp": exp}


def revocation_list(fleet, version, iat, operators):
    return {"v": 1, "fleet": fleet, "version": version, "iat": iat, "operators": operators}


# section 3: keys and names

def mac_key(root, fleet, device, gateway):
    return hkdf(root, lp("conclave-mac-v1", fleet, device, gateway), 32)


def ueid(fleet, device):
    return b"\x01" + sha256(lp("conclave-ueid-v1", fleet, device))


def fleet_fingerprint(fleet, root_public):
    return sha256(lp("conclave-fleet-v1", fleet, root_public))


def gateway_dns_name(fleet, gateway):
    return "g-" + sha256(fleet + "/gateway/" + gateway).hex()[:16] + ".conclave.internal"


def spiffe_uri(fleet, kind, name):
    return f"spiffe://{fleet}/{kind}/{name}"


# section 4: requests and answers

def request_mac(key, fleet, gateway, device, method, target, body):
    return hmac(key, lp("conclave-req-v1", fleet, gateway, device, method, target, sha256(body)))


def response_mac(key, fleet, gateway, device, req_mac, status, body):
    return hmac(key, lp("conclave-resp-v1", fleet, gateway, device, req_mac, status, sha256(body)))


def request_header(device, mac):
    return f"v1 device={device} mac={mac.hex()}"


def response_header(mac):
    return f"v1 mac={mac.hex()}"


def padded(document, length):
    """`pad` as the last member, so that the text has exactly this length."""
    bare = compact(dict(document, pad=""))
    return compact(dict(document, pad="0" * (length - len(bare))))


# section 5: share set and commitments

def commitment(volume_id, epoch, x, share):
    key = sha256(lp("conclave-commit-v1", volume_id, epoch))
    return hmac(key, lp("conclave-commit-share-v1", volume_id, epoch, x, share))


def share_set(fleet, device, volume_id, epoch, threshold, members):
    """members: (gateway, x, share)"""
    return {"v": 1, "fleet": fleet, "device": device, "volume_id": b64u(volume_id), "epoch": epoch,
            "threshold": threshold,
            "members": [{"gateway": gateway, "x": x,
                         "commitment": b64u(commitment(volume_id, epoch, x, share))}
                        for gateway, x, share in members]}


# section 6: enrolment package

def enrolment_payload(fleet, gateway, device, plaintext, enrolment_public, ephemeral):
    if not isinstance(plaintext, str):
        plaintext = compact(plaintext)
    info = lp("conclave-enrol-v1", fleet, gateway, device)
    sealed = hpke_seal(enrolment_public, info, b"", plaintext.encode(), ephemeral)
    return {"v": 1, "fleet": fleet, "gateway": gateway, "device": device,
            "enc": b64u(sealed[:32]), "ct": b64u(sealed[32:])}


# section 7: nonces and shares

def nonce(key, gateway, device, volume_id, epoch, random, issued):
    tag = hmac(key, lp("conclave-nonce-v1", gateway, device, volume_id, epoch, random, issued))
    return random + issued.to_bytes(8, "big") + tag[:16]


def share_info(fleet, gateway, device, volume_id, epoch):
    return lp("conclave-share-v1", fleet, gateway, device, volume_id, epoch)


def share_aad(nonce_bytes, x, share_set_hash):
    return lp("conclave-share-aad-v1", nonce_bytes, x, share_set_hash)


# section 8: evidence

def evidence(**claims):
    return dict({"eat_profile": "tag:conclave.internal,2026:unlock-1"}, **claims)


# section 10: operators and audit

def op_nonce(key, gateway, random, issued):
    tag = hmac(key, lp("conclave-op-nonce-v1", gateway, random, issued))
    return random + issued.to_bytes(8, "big") + tag[:16]


def op_command_hash(keeper_public, nonce_bytes, method, target, body):
    return sha256(lp("conclave-op-v1", keeper_public, nonce_bytes, method, target, sha256(body)))


def op_reply_hash(command_hash, status, revision, seq, head, body):
    return sha256(lp("conclave-op-reply-v1", command_hash, status, revision, seq, head, body))


def audit_next(gateway, seq, head, text):
    return sha256(lp("conclave-audit-v1", gateway, seq, head, sha256(text)))


def audit_head_hash(gateway, seq, head, time):
    return sha256(lp("conclave-audit-head-v1", gateway, seq, head, time))


# section 11: joining

def gateway_request_fingerprint(gateway, keeper_public, enrolment_public, csr_der):
    return sha256(lp("conclave-gateway-req-v1", gateway, keeper_public, enrolment_public,
                     sha256(csr_der)))


def fingerprint_text(fingerprint):
    digits = fingerprint.hex()
    return "-".join(digits[i:i + 8] for i in range(0, 64, 8))


# the vectors

def stream(label, size=32):
    return hashlib.shake_256(b"conclave protocol vectors " + label.encode()).digest(size)


class World:
    """One fleet, three gateways, one device: the fixed inputs."""
    fleet, device, operator = "acme", "pump-7", "alice"
    gateways = ["gw-a", "gw-b", "gw-c"]
    gateway = "gw-b"
    epoch, x, threshold = 3, 2, 2
    volume_id, boot_id = stream("volume", 16), stream("boot id", 16)
    request_id, session = stream("request", 16), stream("session", 16)
    mac_root, share = stream("mac root"), stream("share 2")
    secret = stream("unlock secret")
    root, operator_key, keeper = stream("root"), stream("operator"), stream("keeper")
    attestation = stream("attestation")
    enrolment, boot_key, ephemeral = stream("enrolment"), stream("boot key"), stream("ephemeral")
    nonce_key, nonce_random, issued = stream("nonce key"), stream("nonce random", 16), 123456789
    iat, exp = 1767225600, 1798761600


def inventory_digest(item, value):
    return sha256(lp("conclave-inventory-v1", item, value))


POLICY = {
    "v": 1, "policy_version": 7, "boot": {"max_keys": 3, "max_step": 1000},
    "measurements": {"kernel": [stream("kernel").hex(), stream("kernel 2").hex()],
                     "conclave-device": [stream("binary").hex()]},
    "place": {"regions": ["NO"], "cities": ["Oslo", "Bergen"]},
    "iat": {"max_age_seconds": 300, "max_ahead_seconds": 60},
    "lease_seconds": 86400, "reveal_reason": True,
}


def claims(w, nonces, share_set_hash):
    return evidence(
        eat_nonce=[b64u(n) for n in nonces], purpose="unlock", ueid=b64u(ueid(w.fleet, w.device)),
        cnf={"jwk": {"kty": "OKP", "crv": "X25519", "x": b64u(x25519_public(w.boot_key))}},
        volume=b64u(w.volume_id), epoch=w.epoch, share_set=b64u(share_set_hash),
        oemid="acme", hwmodel="pump \"mk\\2\"", hwversion="1.4", swname="conclave-device",
        swversion="0.1.0", bootcount=41, uptime=12, dbgstat="disabled-permanently", iat=w.iat,
        boot_id=b64u(w.boot_id),
        digests={"kernel": b64u(stream("kernel")), "conclave-device": b64u(stream("binary"))},
        place={"lat_e7": 599139000, "lon_e7": -107522000, "accuracy_mm": 25000},
        region={"region": "NO", "state": "Oslo", "city": "Oslo"}, place_source="gnss")


POLICY_FULL = {
    **POLICY,
    "place": {"regions": ["NO"], "areas": [
        {"name": "depot", "centre": [599139000, 107522000], "radius_m": 500},
        {"name": "yard", "polygon": [[0, 0], [0, 1000], [1000, 1000]]}], "max_accuracy_m": 50,
        "max_age_seconds": 60, "sources": [{"source": "gpsd", "receiver": "u-blox"}]},
    "platform": {"kernel": ["6.1.0-31-amd64"], "boot_state": ["secure"],
                 "cmdline": [sha256("ro quiet").hex()]},
    "inventory": {"required": ["dmi.*"], "recorded": ["net.*"]},
}


def full_claims(claims):
    """The same with every claim that there is."""
    more = {
        "kernel": "6.1.0-31-amd64", "boot_state": "secure", "cmdline": b64u(sha256("ro quiet")),
        "inventory": {name: b64u(inventory_digest(name, value)) for name, value in (
            ("dmi.product_serial", "CZ1234ABCD"), ("net.eth0", "02:00:00:00:00:01"))},
        "place": {**claims["place"], "age_s": 7}, "place_source": "gpsd",
        "place_receiver": "u-blox", "place_firmware": "SPG 3.01"}
    return {**claims, **more}


def signed_documents(w):
    crt = jws_sign("conclave-opcert+jws", operator_certificate(
        w.fleet, w.operator, es256_public(w.operator_key),
        ["enrol", "revoke", "policy", "audit", "deal"], w.iat, w.exp), w.root)
    members = [(g, i + 1, stream(f"share {i + 1}")) for i, g in enumerate(w.gateways)]
    set_payload = share_set(w.fleet, w.device, w.volume_id, w.epoch, w.threshold, members)
    set_text = jws_sign("conclave-share-set+jws", set_payload, w.operator_key, crt)
    plain = {"v": 1, "volume_id": b64u(w.volume_id), "epoch": w.epoch, "x": w.x,
             "share": b64u(w.share), "mac_key": b64u(mac_key(w.mac_root, w.fleet, w.device,
                                                             w.gateway)),
             "attestation_key": b64u(es256_public(w.attestation)),
             "share_set_hash": b64u(sha256(set_text)), "threshold": w.threshold,
             "members": len(members), "trust_class": "software", "policy": POLICY}
    package_payload = enrolment_payload(w.fleet, w.gateway, w.device, plain,
                                        x25519_public(w.enrolment), w.ephemeral)
    revoked = revocation_list(w.fleet, 5, w.iat, ["mallory", "trudy"])
    return {
        "opcert": crt, "share_set_payload": compact(set_payload), "share_set": set_text,
        "share_set_hash": sha256(set_text), "enrol_plain": compact(plain),
        "enrol_payload": compact(package_payload),
        "enrol": jws_sign("conclave-enrol+jws", package_payload, w.operator_key, crt),
        "revocations": jws_sign("conclave-revocations+jws", revoked, w.root),
    }


def exchange(w, docs, nonce_bytes, token):
    ids = {"request_id": b64u(w.request_id), "volume_id": b64u(w.volume_id)}
    at = dict(ids, epoch=w.epoch)
    sealed = hpke_seal(x25519_public(w.boot_key),
                       share_info(w.fleet, w.gateway, w.device, w.volume_id, w.epoch),
                       share_aad(nonce_bytes, w.x, docs["share_set_hash"]), w.share, w.ephemeral)
    versions = {"lease_seconds": 86400, "policy_version": 7, "store_revision": 99}
    refused = {"type": "about:blank", "title": "Refused", "status": 403, "retry": "new_nonce",
               "reason": "nonce_spent"}
    return {
        "sealed_share": sealed,
        "nonce_request": compact(dict(at, boot_id=b64u(w.boot_id))),
        "nonce_answer": compact({"nonce": b64u(nonce_bytes), "expires_in": 30}),
        "authorize_request": compact(dict(at, nonce=b64u(nonce_bytes), evidence=token)),
        "authorize_answer": padded({"sealed_share": b64u(sealed), "session": b64u(w.session),
                                    **versions, "anchor": "anchor-1"}, 1024),
        "check_answer": compact(dict({"would_release": True}, **versions)),
        "event_request": compact(dict(
            at, boot_id=b64u(w.boot_id), counter=17, event="SHARE_INVALID",
            session=b64u(w.session), reason="share_wrong", gateway="gw-c", store_revision=99,
            anchor="anchor-1")),
        "event_answer": compact({"accepted": True}),
        "status_request": compact(ids),
        "status_answer": compact({"state": "quarantined", "policy_version": 7,
                                  "lease_seconds": 86400, "store_revision": 99}),
        "refusal": padded(refused, 1024),
        "refusal_later": compact({"type": "about:blank", "title": "Refused", "status": 503,
                                  "retry": "later", "retry_after": 5}),
    }


def macs(w, messages):
    key = mac_key(w.mac_root, w.fleet, w.device, w.gateway)
    body = messages["nonce_request"]
    req = request_mac(key, w.fleet, w.gateway, w.device, "POST", "/v1/nonce", body)
    resp = response_mac(key, w.fleet, w.gateway, w.device, req, 200, messages["nonce_answer"])
    return {"mac_key": key, "request_mac": req, "response_mac": resp,
            "request_header": request_header(w.device, req),
            "response_header": response_header(resp)}


def operators(w):
    keeper_public = es256_public(w.keeper)
    given = op_nonce(w.nonce_key, w.gateway, w.nonce_random, w.issued)
    body, reply = compact({"device": w.device}), compact({"device": w.device, "state": "revoked"})
    command = op_command_hash(keeper_public, given, "POST", "/v1/op/revoke", body)
    head, texts = bytes(32), ["{\"event\":\"STARTED\"}", "{\"event\":\"REVOKED\"}"]
    heads = []
    for i, text in enumerate(texts):
        head = audit_next(w.gateway, i + 1, head, text)
        heads.append(head)
    answer = op_reply_hash(command, 200, 99, 2, head, reply)
    sig, reply_sig = es256_sign(w.operator_key, command), es256_sign(w.keeper, answer)
    return {
        "op_nonce": given, "op_body": body, "op_reply_body": reply, "op_command_hash": command,
        "op_first_hash": op_command_hash(keeper_public, b"", "POST", "/v1/op/nonce", "{}"),
        "op_reply_hash": answer, "op_sig": sig, "op_reply_sig": reply_sig,
        "op_header": f"v1 nonce={b64u(given)} sig={b64u(sig)}",
        "op_reply_header": f"v1 revision=99 seq=2 head={head.hex()} sig={b64u(reply_sig)}",
        "audit_text_1": texts[0], "audit_text_2": texts[1], "audit_1": heads[0],
        "audit_2": heads[1], "audit_head_hash": audit_head_hash(w.gateway, 2, head, w.iat),
    }


def check(w, v):
    """What another party would do with these: verify, open, compare."""
    root, operator = es256_public(w.root), es256_public(w.operator_key)
    jws_verify("conclave-opcert+jws", v["opcert"], root)
    jws_verify("conclave-revocations+jws", v["revocations"], root)
    jws_verify("conclave-share-set+jws", v["share_set"], operator, with_crt=True)
    package = jws_verify("conclave-enrol+jws", v["enrol"], operator, with_crt=True)
    jws_verify("eat+jwt", v["evidence"], es256_public(w.attestation))
    opened = hpke_open(w.enrolment, lp("conclave-enrol-v1", w.fleet, w.gateway, w.device), b"",
                       unb64u(package["enc"]) + unb64u(package["ct"]))
    assert opened.decode() == v["enrol_plain"]
    opened = hpke_open(w.boot_key, share_info(w.fleet, w.gateway, w.device, w.volume_id, w.epoch),
                       share_aad(v["nonce"], w.x, v["share_set_hash"]), v["sealed_share"])
    assert opened == w.share
    es256_verify(operator, v["op_command_hash"], v["op_sig"])
    es256_verify(es256_public(w.keeper), v["op_reply_hash"], v["op_reply_sig"])
    assert len(v["authorize_answer"]) == len(v["refusal"]) == 1024
    # HPKE itself: the vector of this suite in the file that RFC 9180 names (mode 0, 32/1/2)
    sealed = hpke_seal(bytes.fromhex(HPKE["recipient_public"]), bytes.fromhex(HPKE["info"]),
                       bytes.fromhex(HPKE["aad"]), bytes.fromhex(HPKE["plaintext"]),
                       bytes.fromhex(HPKE["ephemeral_private"]))
    assert sealed.hex() == HPKE["enc"] + HPKE["ciphertext"]


HPKE = {
    "info": "4f6465206f6e2061204772656369616e2055726e", "aad": "436f756e742d30",
    "recipient_private": "497b4502664cfea5d5af0b39934dac72242a74f8480451e1aee7d6a53320333d",
    "recipient_public": "430f4b9859665145a6b1ba274024487bd66f03a2dd577d7753c68d7d7d00c00c",
    "ephemeral_private": "179d4b53b6365c45b600c4163b61d95cbc2f4d9e36f1695558dce265ab8bab11",
    "enc": "6c93e09869df3402d7bf231bf540fadd35cd56be14f97178f0954db94b7fc256",
    "plaintext": "4265617574792069732074727574682c20747275746820626561757479",
    "ciphertext": "e5d84cd531cfb583096e7cfa9641bd3079cf3a91cda813c52deb5f512be9931980a41de125a9"
                  "25cdad859d5b7a",
}


def vectors():
    w = World
    v = {
        "lp_example": lp("label", "text", b"\x00\xff", b"", 258),
        "volume_id": w.volume_id, "boot_id": w.boot_id, "request_id": w.request_id,
        "session": w.session, "mac_root": w.mac_root, "secret": w.secret, "share": w.share,
        "root_private": w.root, "root_public": es256_public(w.root),
        "operator_private": w.operator_key, "operator_public": es256_public(w.operator_key),
        "keeper_private": w.keeper, "keeper_public": es256_public(w.keeper),
        "attestation_private": w.attestation, "attestation_public": es256_public(w.attestation),
        "enrolment_private": w.enrolment, "enrolment_public": x25519_public(w.enrolment),
        "boot_private": w.boot_key, "boot_public": x25519_public(w.boot_key),
        "ephemeral_private": w.ephemeral, "nonce_key": w.nonce_key,
        "nonce_random": w.nonce_random, "ueid": ueid(w.fleet, w.device),
        "fleet_fingerprint": fleet_fingerprint(w.fleet, es256_public(w.root)),
        "gateway_dns_name": gateway_dns_name(w.fleet, w.gateway),
        "gateway_uri": spiffe_uri(w.fleet, "gateway", w.gateway),
        "csr": stream("csr", 300), "policy": compact(POLICY),
        "commitment": commitment(w.volume_id, w.epoch, w.x, w.share),
        "share_info": share_info(w.fleet, w.gateway, w.device, w.volume_id, w.epoch),
    }
    v["gateway_request_fingerprint"] = gateway_request_fingerprint(
        w.gateway, v["keeper_public"], v["enrolment_public"], v["csr"])
    v["fingerprint_text"] = fingerprint_text(v["gateway_request_fingerprint"])
    v["nonce"] = nonce(w.nonce_key, w.gateway, w.device, w.volume_id, w.epoch, w.nonce_random,
                       w.issued)
    v["nonce_other"] = nonce(stream("other nonce key"), "gw-a", w.device, w.volume_id, w.epoch,
                             stream("other nonce random", 16), 5)
    docs = signed_documents(w)
    v.update(docs)
    v["share_aad"] = share_aad(v["nonce"], w.x, docs["share_set_hash"])
    token_claims = claims(w, [v["nonce"], v["nonce_other"]], docs["share_set_hash"])
    v["evidence_claims"] = compact(token_claims)
    v["evidence"] = jws_sign("eat+jwt", token_claims, w.attestation)
    v["evidence_full"] = jws_sign("eat+jwt", full_claims(token_claims), w.attestation)
    v["policy_full"] = compact(POLICY_FULL)
    v["inventory_digest"] = inventory_digest("net.eth0", "02:00:00:00:00:01")
    messages = exchange(w, docs, v["nonce"], v["evidence"])
    v.update(messages)
    v.update(macs(w, messages))
    v.update(operators(w))
    v.update({"hpke_" + name: bytes.fromhex(text) for name, text in HPKE.items()})
    check(w, v)
    return v


# what is written

ABOUT = ("Bytes are hex under 'bytes', everything else under 'text'. Fleet acme, gateways gw-a gw-b "
         "gw-c (x 1 2 3; gw-b where one is meant), device pump-7, operator alice, epoch 3, "
         "threshold 2, nonce issued at 123456789 ms, times 1767225600 (iat) and 1798761600 (exp), "
         "revision 99, audit sequence 2.")


def as_json(v):
    return json.dumps({
        "about": ABOUT,
        "bytes": {name: value.hex() for name, value in v.items() if isinstance(value, bytes)},
        "text": {name: value for name, value in v.items() if isinstance(value, str)},
    }, indent=1) + "\n"


def c_text(text):
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    pieces, start = [], 0
    while start < len(escaped):
        end = min(start + 88, len(escaped))
        while escaped[start:end].endswith("\\") and end < len(escaped):
            end += 1
        pieces.append('\t"' + escaped[start:end] + '"')
        start = end
    return "\n".join(pieces)


def as_header(v):
    out = ["/* Written by tests/reference.py; same content as protocol.json. */\n",
           "#ifndef CONCLAVE_TESTS_PROTOCOL_VECTORS_H\n#define CONCLAVE_TESTS_PROTOCOL_VECTORS_H\n",
           "\n#include <stdint.h>\n\n"]
    for name, value in v.items():
        if isinstance(value, bytes):
            items = [f"0x{b:02x}" for b in value]
            lines = [", ".join(items[i:i + 16]) for i in range(0, len(items), 16)]
            out.append(f"static const uint8_t v_{name}[{len(value)}] = {{\n\t"
                       + ",\n\t".join(lines) + "};\n")
        else:
            out.append(f"static const char v_{name}[] =\n{c_text(value)};\n")
    return "".join(out) + "\n#endif\n"


def seeds(v):
    """Good inputs for each fuzz target; where one target has several parsers, the first byte picks."""
    order = ["nonce_request", "nonce_answer", "authorize_request", "authorize_answer",
             "check_answer", "event_request", "status_request", "status_answer", "refusal",
             "refusal_later"]
    headers = ["request_header", "response_header", "op_header", "op_reply_header",
               "fingerprint_text"]
    signed = ["evidence", "opcert", "revocations", "share_set", "enrol"]
    out = {f"message/{name}": bytes([i]) + v[name].encode() for i, name in enumerate(order)}
    out.update({f"header/{name}": bytes([i]) + v[name].encode()
                for i, name in enumerate(headers)})
    out.update({f"jws/{name}": bytes([i]) + v[name].encode() for i, name in enumerate(signed)})
    out.update({f"document/{name}": bytes([i]) + unb64u(v[name].split(".")[1])
                for i, name in enumerate(signed)})
    out["enrol_plain/plain"] = v["enrol_plain"].encode()
    out["policy/policy"] = v["policy"].encode()
    out["policy/full"] = v["policy_full"].encode()
    for name in order + ["policy", "evidence_claims"]:
        out[f"json/{name}"] = v[name].encode()
    out["lp/example"] = v["lp_example"]
    out["base64url/text"] = b64u(v["mac_root"]).encode()
    return out


def main():
    v = vectors()
    files = {TESTS / "vectors/protocol.json": as_json(v).encode(),
             TESTS / "vectors/protocol_vectors.h": as_header(v).encode()}
    files.update({TESTS / "fuzz/seeds" / name: data for name, data in seeds(v).items()})
    if sys.argv[1:] == ["--check"]:
        stale = [p.name for p, data in files.items() if not p.exists() or p.read_bytes() != data]
        if stale:
            sys.exit(f"not what reference.py writes: {', '.join(stale)}")
        return
    if sys.argv[1:]:
        sys.exit(__doc__)
    for path, data in files.items():
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(data)


if __name__ == "__main__":
    main()
