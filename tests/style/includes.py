#!/usr/bin/env python3
"""Include directions. A folder may include itself, what the table gives it, and system headers."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
MAY = {
    "shamir": [],
    "protocol": ["shamir/"],
    "host": ["protocol/", "shamir/"],
    "notify": ["host/", "protocol/"],
    "fs": ["host/", "protocol/err.h", "protocol/lp.h", "protocol/crypto.h", "protocol/limits.h",
           "protocol/hkdf.h"],
    "gateway": ["host/", "protocol/", "notify/"],
    "device": ["host/", "protocol/", "shamir/"],
    "provisioning": ["host/", "protocol/", "shamir/", "fs/"],
    "mcu-client": ["protocol/", "shamir/"],
}
# the portable folders may not even see a system: no header beyond these
PORTABLE = {"shamir": {"stddef.h", "stdint.h", "string.h"},
            "protocol": {"stddef.h", "stdint.h", "string.h", "cjson/cJSON.h"}}


def main():
    found = 0
    for folder, allowed in MAY.items():
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            name = path.relative_to(ROOT)
            for number, line in enumerate(path.read_text().splitlines(), 1):
                match = re.match(r'\s*#\s*include\s+([<"])([^>"]+)[>"]', line)
                if not match:
                    continue
                target = match.group(2)
                if match.group(1) == "<":
                    if folder in PORTABLE and target not in PORTABLE[folder]:
                        print(f"{name}:{number}: <{target}> is not portable")
                        found = 1
                    continue
                own = target.startswith(folder + "/") or (folder == "mcu-client" and (
                    (ROOT / folder / target).exists() or (path.parent / target).exists()))
                if not own and not any(
                        target == a or (a.endswith("/") and target.startswith(a)) for a in allowed):
                    if (ROOT / target).exists() or "/" in target:
                        print(f"{name}:{number}: {folder} may not include {target}")
                        found = 1
                    elif target not in ("civetweb.h",):
                        print(f"{name}:{number}: include {target} from the root")
                        found = 1
    sys.exit(found)


main()
