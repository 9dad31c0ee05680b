#!/usr/bin/env python3
"""Every label of a MAC, hash, KDF, AAD or signature is listed once in docs/protocol.md, and in the
code each has one purpose: all its uses lie in one folder, or in the list of those that two sides
need."""
import collections
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ["shamir", "protocol", "host", "notify", "fs", "gateway", "device", "provisioning",
           "mcu-client"]
# in the code two folders may name these: the sealed form is made in one and opened in the other
SHARED = {"conclave-sealed-settings-v1", "conclave-share-v1", "conclave-share-aad-v1"}


def main():
    found = 0
    page = (ROOT / "docs/protocol.md").read_text()
    table = re.search(r"\| label \| used for \|\n\|---\|---\|\n((?:\|.*\n)+)", page).group(1)
    listed = collections.Counter(re.findall(r"`(conclave-[a-z0-9-]+-v\d+)`", table))
    for label, count in listed.items():
        if count > 1:
            print(f"docs/protocol.md: {label} is listed {count} times")
            found = 1
    elsewhere = "".join(p.read_text() for p in (ROOT / "docs").glob("*.md"))
    used = collections.defaultdict(set)
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            for label in re.findall(r'"(conclave-[a-z0-9-]+-v\d+)"', path.read_text()):
                used[label].add(str(path.relative_to(ROOT)))
    for label, paths in sorted(used.items()):
        if label not in listed and not re.search(label + r"\b", elsewhere):
            print(f"{sorted(paths)[0]}: label {label} is in no document")
            found = 1
        folders = {p.split("/")[0] for p in paths}
        if len(folders) > 1 and label not in SHARED:
            print(f"label {label} is used in {', '.join(sorted(paths))}")
            found = 1
    sys.exit(found)


main()
