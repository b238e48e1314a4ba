"""Prints, floor by floor, how much of the source ran: from gcovr's summary."""

import collections
import json
import sys


def add(to, entry):
    for what in ("line", "branch"):
        to[what, "total"] += entry[f"{what}_total"]
        to[what, "covered"] += entry[f"{what}_covered"]


def share(of, what):
    total, covered = of[what, "total"], of[what, "covered"]
    return f"{100 * covered / total:5.1f} % of {total:6,}" if total else "-"


def main(path):
    with open(path) as f:
        files = json.load(f)["files"]
    floors, everything = collections.defaultdict(collections.Counter), collections.Counter()
    for entry in files:
        floor = entry["filename"].split("/")[1]
        add(floors[floor], entry)
        add(everything, entry)
    print(f"{'floor':<10} {'lines':<20} branches")
    for floor, of in [*sorted(floors.items()), ("all", everything)]:
        print(f"{floor:<10} {share(of, 'line'):<20} {share(of, 'branch')}")


main(sys.argv[1])
