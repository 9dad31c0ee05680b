#!/usr/bin/env python3
"""Lengths: .c files below 500 lines, headers below 200, functions at most 70 lines, except those that
only map one list of names to another. Lines over 100 columns (a tab counts 8) are counted, and listed
with --columns; above 120 is a finding too."""
import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
FOLDERS = ["shamir", "protocol", "host", "notify", "fs", "gateway", "device", "provisioning",
           "mcu-client"]
C_LINES, H_LINES, FUNCTION_LINES, COLUMNS, COLUMNS_HARD = 500, 200, 70, 100, 120


def functions(lines):
    """(first line, length) of each; a body opens with "{" and closes with "}" in column 0."""
    start = None
    for number, line in enumerate(lines, 1):
        if line == "{":
            start = number
        elif line == "}" and start is not None:
            yield start, number - start + 1
            start = None


def maps(body):
    """One switch with nothing in it but cases and returns."""
    plain = [line for line in body if re.match(r"\t(case .*:|\treturn .*;)", line)]
    return len(plain) > 0.9 * len(body)


def main():
    found, wide = 0, []
    for folder in FOLDERS:
        for path in sorted((ROOT / folder).rglob("*.[ch]")):
            name, lines = path.relative_to(ROOT), path.read_text().splitlines()
            limit = C_LINES if path.suffix == ".c" else H_LINES
            if len(lines) > limit:
                print(f"{name}: {len(lines)} lines, limit {limit}")
                found = 1
            for number, line in enumerate(lines, 1):
                columns = len(line.expandtabs(8))
                if columns > COLUMNS:
                    wide.append(f"{name}:{number}: {columns} columns, limit {COLUMNS}")
                if columns > COLUMNS_HARD:
                    print(wide[-1])
                    found = 1
            for number, length in functions(lines):
                if length > FUNCTION_LINES and not maps(lines[number:number + length - 2]):
                    print(f"{name}:{number}: a function of {length} lines, limit {FUNCTION_LINES}")
                    found = 1
    print("\n".join(wide) if "--columns" in sys.argv else f"{len(wide)} lines over {COLUMNS} columns")
    sys.exit(found)


main()
