#!/usr/bin/env python3
"""
What a request costs, in instructions, beside what it cost before.

    check.py PROGRAM [--update]

PROGRAM (main.c) turns one worker on the simulator; callgrind counts what runs inside its turns, and
inside the capture log's, once everything is warm. Only instructions of Crossfade's own code count:
those of libraries depend on the processor (memcpy has a version for each), and the simulator's are
nobody's. So the same compiler gives the same number on any machine.

Each row of figures.tsv may be 2 % off: more is a failure, less is one too, so that what was won is
kept. `./dev instructions update` writes the file anew.
"""

import concurrent.futures
import os
import pathlib
import subprocess
import sys
import tempfile

ROOT = pathlib.Path(os.path.abspath(__file__)).parents[2]
FIGURES = pathlib.Path(__file__).with_name("figures.tsv")
REQUESTS = 2048
FENCE = 0.02
# A row that must not cost more than another, whatever the file says: which, than which, by how much.
FLAT = [("get-20000-idle", "get", 0.01), ("get-1024-nodes", "get", 0.03),
        ("post-captured-1000-rules", "post-captured-1-rule", 0.03)]
HEAD = """\
# Instructions of Crossfade's own code for one request, by row of tests/instructions/main.c.
# Written by `./dev instructions update`, with: {compiler}
"""


def own(binary, obj, function_file, line_file):
    """Inlined headers of the system count: they are compiled here. The simulator's files do not."""
    if obj != binary or not function_file.startswith(f"{ROOT}/src/"):
        return False
    files = (function_file, line_file)
    return not any(f.startswith((f"{ROOT}/src/io/sim", f"{ROOT}/tests/")) for f in files)


def count(path, binary):
    """Sums self costs of a callgrind file (its format: valgrind's manual, "Callgrind Format")."""
    names = {"file": {}, "object": {}}
    at = {"object": "", "function": "", "line": ""}
    total, after_calls = 0, False

    def name(kind, text):
        key, _, value = text.partition(" ")
        if not key.startswith("("):
            return text
        if value:
            names[kind][key] = value
        return names[kind][key]

    for line in path.read_text().splitlines():
        key, is_pair, value = line.partition("=")
        if is_pair and key in ("fl", "fi", "fe"):
            at["line"] = name("file", value)
            if key == "fl":
                at["function"] = at["line"]
        elif is_pair and key in ("cfi", "cfl"):
            name("file", value)
        elif is_pair and key in ("ob", "cob"):
            value = name("object", value)
            if key == "ob":
                at["object"] = value
        elif key == "calls":
            after_calls = True
        elif line[:1].isdigit() or line[:1] in "+-*":
            if not after_calls and own(binary, at["object"], at["function"], at["line"]):
                total += sum(map(int, line.split()[1:2]))  # none: no cost
            after_calls = False
    return total


def measure(program, row):
    with tempfile.TemporaryDirectory() as folder:
        out = pathlib.Path(folder, "out")
        subprocess.run(
            ["valgrind", "--tool=callgrind", "--instr-atstart=no", "--collect-atstart=no", "--compress-pos=no",
             f"--callgrind-out-file={out}", program, row, str(REQUESTS)],
            check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True, timeout=250)
        n = count(out, program)
    if not n:
        sys.exit(f"instructions: {row}: nothing was counted: has {program} its debug information?")
    return round(n / REQUESTS)


def measure_all(program):
    rows = subprocess.run([program], check=True, capture_output=True, text=True).stdout.split()
    with concurrent.futures.ThreadPoolExecutor(os.cpu_count()) as pool:
        return dict(zip(rows, pool.map(lambda row: measure(program, row), rows)))


def read_figures():
    lines = FIGURES.read_text().splitlines() if FIGURES.exists() else []
    pairs = [line.split("\t") for line in lines if line and not line.startswith("#")]
    return {row: int(n) for row, n in pairs}


def compiler():
    return subprocess.run(["gcc", "--version"], capture_output=True, text=True).stdout.splitlines()[0]


def verdict(row, was, now):
    if was is None:
        return "is not in figures.tsv: ./dev instructions update"
    if now > was * (1 + FENCE):
        return f"FAILED: was {was}, is {now}: more than {FENCE:.0%} above"
    if now < was * (1 - FENCE):
        return f"update the number: was {was}, is {now} (./dev instructions update)"
    return None


def compare(before, now):
    wrong = 0
    print(f"{'row':28}{'was':>9}{'is':>9}{'':4}instructions a request")
    for row, n in now.items():
        was = before.get(row)
        what = verdict(row, was, n)
        wrong += what is not None
        change = f"{n / was - 1:+.2%}" if was else ""
        print(f"{row:28}{was if was else '-':>9}{n:>9}    {what or change}")
    for row, than, by in FLAT:
        if now[row] > now[than] * (1 + by):
            wrong += 1
            print(f"FAILED: {row} takes {now[row]}, {than} {now[than]}: more than {by:.0%} above")
    for row in before.keys() - now.keys():
        wrong += 1
        print(f"{row}: is in figures.tsv and is not measured: ./dev instructions update")
    if wrong and compiler() not in FIGURES.read_text():
        print(f"figures.tsv was written with another compiler than this one: {compiler()}")
    return wrong == 0


def main():
    program = os.path.realpath(sys.argv[1])
    now = measure_all(program)
    if sys.argv[2:] == ["--update"]:
        FIGURES.write_text(HEAD.format(compiler=compiler()) + "".join(f"{r}\t{n}\n" for r, n in now.items()))
    sys.exit(0 if compare(read_figures(), now) else 1)


main()
