#!/usr/bin/env python3
"""Shamir's sharing over GF(2^8)/0x11B once more, written to share nothing with shamir/shamir.c:
logarithm tables over the generator 3, one byte at a time, Lagrange's formula as in the textbook.

    reference_shamir.py          write tests/vectors/shamir.json and tests/vectors/shamir_vectors.h
    reference_shamir.py --check  exit 1 if the committed files are not what this program writes
"""
import hashlib
import itertools
import json
import pathlib
import sys

VECTORS = pathlib.Path(__file__).resolve().parent / "vectors"
BYTES = 32

EXP, LOG = [0] * 255, [0] * 256
value = 1
for exponent in range(255):
    EXP[exponent], LOG[value] = value, exponent
    doubled = value << 1
    value ^= doubled ^ (0x11B if doubled & 0x100 else 0)  # times 3
assert value == 1


def mul(a, b):
    return EXP[(LOG[a] + LOG[b]) % 255] if a and b else 0


def div(a, b):
    if b == 0:
        raise ZeroDivisionError
    return EXP[(LOG[a] - LOG[b]) % 255] if a else 0


def evaluate(coefficients, x):
    """coefficients[i] belongs to x^i; powers are summed one by one."""
    total, power = 0, 1
    for c in coefficients:
        total ^= mul(c, power)
        power = mul(power, x)
    return total


def split(secret, random, k, xs):
    rows = [secret] + [random[i * BYTES:(i + 1) * BYTES] for i in range(k - 1)]
    return {x: bytes(evaluate([row[i] for row in rows], x) for i in range(BYTES)) for x in xs}


def combine(shares):
    out = bytearray(BYTES)
    for x, y in shares.items():
        basis = 1
        for other in shares:
            if other != x:
                basis = mul(basis, div(other, other ^ x))
        for i in range(BYTES):
            out[i] ^= mul(y[i], basis)
    return bytes(out)


def stream(label, size):
    return hashlib.shake_256(b"conclave shamir vectors " + label.encode()).digest(size)


def case(name, k, n, secret=None, random=None, xs=None):
    secret = stream(name + " secret", BYTES) if secret is None else secret
    random = stream(name + " random", (k - 1) * BYTES) if random is None else random
    xs = list(xs or range(1, n + 1))
    shares = split(secret, random, k, xs)
    for picked in itertools.islice(itertools.combinations(xs, k), 50):
        assert combine({x: shares[x] for x in picked}) == secret
    return {"name": name, "k": k, "n": n, "secret": secret.hex(), "random": random.hex(),
            "shares": [{"x": x, "y": shares[x].hex()} for x in xs]}


def combine_case(name, xs):
    secret = stream(name + " secret", BYTES)
    shares = split(secret, stream(name + " random", (len(xs) - 1) * BYTES), len(xs), xs)
    return {"name": name, "secret": secret.hex(),
            "shares": [{"x": x, "y": shares[x].hex()} for x in xs]}


def document():
    edge = [1, 2, 127, 128, 254, 255]
    ascending = bytes(range(BYTES))
    return {
        "about": "GF(2^8) modulo 0x11B; random holds the coefficients of x^1, x^2, ... in turn, "
                 "32 bytes each; of wide splits only some shares are listed",
        "split": [
            case("one of one", 1, 1), case("one of three", 1, 3), case("two of two", 2, 2),
            case("two of three", 2, 3), case("three of five", 3, 5), case("four of six", 4, 6),
            case("six of six", 6, 6), case("eight of sixteen", 8, 16),
            case("sixteen of sixteen", 16, 16), case("two of 255", 2, 255, xs=edge),
            case("nine of 255", 9, 255, xs=edge + [8, 9, 10]),
            case("zero secret", 3, 5, secret=bytes(BYTES)),
            case("zero coefficients", 3, 5, random=bytes(2 * BYTES)),
            case("zero highest coefficient", 3, 5, random=ascending + bytes(BYTES)),
            case("all ones", 4, 6, secret=b"\xff" * BYTES, random=b"\xff" * (3 * BYTES)),
            case("ascending", 2, 3, secret=ascending, random=ascending[::-1]),
        ],
        "combine": [
            combine_case("single share at 200", [200]),
            combine_case("descending", [3, 2, 1]),
            combine_case("far apart", [255, 1, 128, 64]),
            combine_case("eight scattered", [17, 250, 3, 99, 180, 44, 201, 8]),
            combine_case("nine, one more than a word of lanes",
                         [9, 18, 27, 36, 45, 54, 63, 72, 81]),
            combine_case("seventeen", [x * 15 for x in range(1, 18)]),
        ],
    }


def c_bytes(text):
    return ", ".join("0x" + text[i:i + 2] for i in range(0, len(text), 2))


def c_array(declaration, text):
    items = ["0x" + text[i:i + 2] for i in range(0, len(text), 2)] or ["0"]
    lines = [", ".join(items[i:i + 16]) for i in range(0, len(items), 16)]
    return declaration + " = {\n\t" + ",\n\t".join(lines) + "};\n"


def header(doc):
    out = ["/* Written by tests/reference_shamir.py; same content as shamir.json. */\n",
           "#ifndef CONCLAVE_TESTS_SHAMIR_VECTORS_H\n#define CONCLAVE_TESTS_SHAMIR_VECTORS_H\n\n",
           '#include "shamir/shamir.h"\n\n']
    tables = {"split": [], "combine": []}
    for kind, table in tables.items():
        for number, c in enumerate(doc[kind]):
            tag = f"{kind}_{number}"
            rows = [f"\t{{ {s['x']}, {{ {c_bytes(s['y'])} }} }},\n" for s in c["shares"]]
            out.append(c_array(f"static const uint8_t {tag}_secret[32]", c["secret"]))
            out.append(f"static const struct shamir_share {tag}_shares[] = {{\n{''.join(rows)}}};\n")
            entry = f'"{c["name"]}", {tag}_secret, {tag}_shares, {len(c["shares"])}'
            if kind == "split":
                out.append(c_array(f"static const uint8_t {tag}_random[]", c["random"]))
                entry += f", {c['k']}, {c['n']}, {tag}_random"
            table.append(f"\t{{ {entry} }},\n")
    common = ("\tconst char *name;\n\tconst uint8_t *secret;\n\tconst struct shamir_share *shares;\n"
              "\tsize_t count;\n")
    out.append("\nstatic const struct {\n" + common + "\tsize_t k, n;\n\tconst uint8_t *random;\n"
               "} split_vectors[] = {\n" + "".join(tables["split"]) + "};\n")
    out.append("\nstatic const struct {\n" + common + "} combine_vectors[] = {\n"
               + "".join(tables["combine"]) + "};\n\n#endif\n")
    return "".join(out)


def main():
    doc = document()
    files = {VECTORS / "shamir.json": json.dumps(doc, indent=1) + "\n",
             VECTORS / "shamir_vectors.h": header(doc)}
    if sys.argv[1:] == ["--check"]:
        stale = [p.name for p, text in files.items() if not p.exists() or p.read_text() != text]
        if stale:
            sys.exit(f"not what reference_shamir.py writes: {', '.join(stale)}")
        return
    if sys.argv[1:]:
        sys.exit(__doc__)
    for path, text in files.items():
        path.write_text(text)


main()
