#!/usr/bin/python3
"""Prints every published figure as a table with its peer beside it.

usage: run.py [unlock] [dead] [strangers] [load] [size] [alerts] [steps] [policy] [shamir]     (all of them without arguments)

Each result is also written to bench/results/<date>-<name>.txt with the machine, the versions and
the command. A peer that is not installed is said to be missing. Ratios hold; absolute numbers are
this machine's.
"""

import sys

import load
import micro
import report
import strangers
import unlock


def main():
    areas = {"unlock": unlock.unlock, "dead": unlock.dead, "strangers": strangers.strangers,
             "load": load.load, "size": load.size, "alerts": micro.alerts,
             "steps": micro.steps, "policy": micro.policy, "shamir": micro.shamir}
    wanted = sys.argv[1:] or list(areas)
    if "-h" in wanted or "--help" in wanted:
        print(__doc__)
        return 0
    unknown = [w for w in wanted if w not in areas]
    if unknown:
        print(f"run.py: no such figure: {' '.join(unknown)}; there are {' '.join(areas)}",
              file=sys.stderr)
        return 2
    failed = 0
    for name in wanted:
        try:
            lines = areas[name]()
        except (RuntimeError, OSError) as e:
            print(f"bench: {name}: failed: {e}", file=sys.stderr)
            failed += 1
            continue
        report.emit(name, f"bench/run.py {name}", lines)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
