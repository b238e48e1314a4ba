#!/usr/bin/env python3
"""
Mutants of src/, picked by rng: which of them do the unit tests and the simulator notice?

    mutate.py [N [SEED]] [-e2e] [PATH...] [-PATH...]

N mutants (20) by SEED (1), of all of src/ or of the floors, files and beginnings of paths that are
named (`base`, `proxy/board`), but not of those with a minus before them. A mutant is one small step
(operators.py). It is built in a copy of the tree, in build-mutate/, under AddressSanitizer. One that
is compiled to the very same object is none. Then run, until something fails: the tests of its file,
those of its floor, 200 seeds of the simulator, and the tests of the floors above. A test that fails
on it has to fail twice, so that one that fails by rng kills nothing.

Printed is each mutant's end, and a table by floor. Each survivor's diff stays in
build-mutate/survivors/. The status is 0, whatever survives.
"""

import collections
import concurrent.futures
import difflib
import filecmp
import json
import os
import pathlib
import random
import re
import shutil
import subprocess
import sys
import time

import operators

ROOT = pathlib.Path(os.path.abspath(__file__)).parents[2]
HOME = ROOT / "build-mutate"
TREE, BUILD = HOME / "tree", HOME / "build"
FLOORS = ["base", "io", "net", "http", "ends", "capture", "proxy", "replay", "control", "app"]
# What links a floor, of those above it.
ABOVE = {"base": FLOORS[1:], "io": ["net", "ends", "capture", "proxy", "replay", "control", "app"],
         "net": ["ends", "proxy", "replay", "control", "app"],
         "http": ["ends", "capture", "proxy", "replay", "control", "app"],
         "ends": ["proxy", "replay", "control", "app"], "capture": ["proxy", "replay", "control", "app"],
         "proxy": ["replay", "control", "app"], "replay": ["control", "app"], "control": ["app"], "app": []}
SIMULATED = {"base", "io", "net", "http", "ends", "capture", "proxy"}
SEEDS = 200
JOBS = 2
# A test may take so many times what it takes without a mutant, and so many seconds more.
SLOWER, SECONDS = 6, 15
# And so many times that when it is run again: the machine may have been busy.
AGAIN = 3


class Unbuildable(Exception):
    """The mutant is no C."""


def copy_tree():
    """Only what has changed, so that only that is built again."""
    wanted = subprocess.run(["git", "ls-files", "-co", "--exclude-standard", "src", "tests", "tools", "docs",
                             "deploy", "CMakeLists.txt"], cwd=ROOT, text=True, capture_output=True, check=True).stdout.split("\n")
    wanted = {name for name in wanted if (ROOT / name).is_file() and not name.startswith("tests/mutations/")}
    for name in wanted:
        to = TREE / name
        if not to.exists() or not filecmp.cmp(ROOT / name, to, shallow=False):
            to.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(ROOT / name, to)
            shutil.copymode(ROOT / name, to)
    for path in [p for p in TREE.rglob("*") if p.is_file() and str(p.relative_to(TREE)) not in wanted]:
        path.unlink()


def ninja(*targets):
    return subprocess.run(["ninja", f"-j{JOBS}", "-C", BUILD, *targets], capture_output=True, text=True, check=False)


def configure():
    if not (BUILD / "build.ninja").exists():
        subprocess.run(["cmake", "-G", "Ninja", "-S", TREE, "-B", BUILD, "-DSANITIZE=address",
                        "-DCMAKE_BUILD_TYPE=Debug", "-DCMAKE_C_FLAGS_DEBUG=-O1 -w"],
                       check=True, stdout=subprocess.DEVNULL)
    done = ninja()
    if done.returncode:
        sys.exit(f"mutate: the tree as it stands is not built:\n{done.stdout[-3000:]}")


class Tests:
    """Programs by floor, and how long each takes when nothing is wrong."""

    def __init__(self):
        self.of = {floor: sorted(p.name for p in (BUILD / "tests").glob(f"{floor}_*_test")) for floor in FLOORS}
        self.file = HOME / "seconds.json"
        self.seconds = json.loads(self.file.read_text()) if self.file.exists() else {}

    def command(self, name):
        return [str(BUILD / "tests/sim/sim"), "1", str(SEEDS)] if name == "sim" else [str(BUILD / "tests" / name)]

    def run(self, name, response_timeouts):
        """None, or how it failed."""
        try:
            done = subprocess.run(self.command(name), stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                                  timeout=response_timeouts, cwd=HOME, check=False)
            return f"{name}" if done.returncode else None
        except subprocess.TimeoutExpired:
            return f"{name} (time)"

    def measure(self):
        """What fails without a mutant is left out, and that is said."""
        for name in [name for names in self.of.values() for name in names] + ["sim"]:
            if name not in self.seconds:
                start = time.monotonic()
                failed = self.run(name, 300) and self.run(name, 300)
                self.seconds[name] = None if failed else time.monotonic() - start
                if failed:
                    print(f"{name} fails without a mutant, and is left out", flush=True)
        self.file.write_text(json.dumps(self.seconds, indent=1))

    def verdict(self, name):
        """How it fails, and fails again; None otherwise."""
        if self.seconds.get(name) is None:
            return None
        response_timeouts = self.seconds[name] * SLOWER + SECONDS
        return self.run(name, response_timeouts) and self.run(name, AGAIN * response_timeouts)

    def groups(self, path):
        """Names in the order in which they are to be tried, in groups that are built at once."""
        floor, stem = path.split("/")[1], pathlib.Path(path).stem
        near = [t for t in self.of[floor] if t[len(floor) + 1:-len("_test")].startswith(stem.split("_")[0])]
        own = sorted((t for t in self.of[floor] if t not in near), key=lambda t: self.seconds.get(t) or 0)
        groups = [near, own, ["sim"] if floor in SIMULATED else []]
        groups += [sorted(self.of[f], key=lambda t: self.seconds.get(t) or 0) for f in ABOVE[floor]]
        return [g for g in groups if g]

    def kill(self, path):
        """Which test notices what is now in the tree."""
        for group in self.groups(path):
            if ninja(*group).returncode:
                raise Unbuildable
            with concurrent.futures.ThreadPoolExecutor(JOBS) as pool:
                runs = [pool.submit(self.verdict, name) for name in group]
                for run in concurrent.futures.as_completed(runs):
                    if run.result():
                        for other in runs:
                            other.cancel()
                        return run.result()
        return None


def object_of(path):
    floor = path.split("/")[1]
    return f"CMakeFiles/{floor}.dir/{path}.o"


class Mutant:
    def __init__(self, dice, paths):
        sizes = [len(operators.sites((TREE / p).read_text())) for p in paths]
        self.path = dice.choices(paths, sizes)[0]
        self.before = (TREE / self.path).read_text()
        self.operator, self.line, self.after = operators.pick(dice, self.before)

    def __enter__(self):
        """Builds its object. Raises when that is none, or the same."""
        made = BUILD / object_of(self.path)
        ninja(object_of(self.path))
        was = made.read_bytes()
        (TREE / self.path).write_text(self.after)
        if ninja(object_of(self.path)).returncode or made.read_bytes() == was:
            self.__exit__()
            raise Unbuildable
        return self

    def __exit__(self, *_):
        (TREE / self.path).write_text(self.before)

    def diff(self):
        return "".join(difflib.unified_diff(self.before.splitlines(True), self.after.splitlines(True),
                                            f"a/{self.path}", f"b/{self.path}", n=3))

    def __str__(self):
        return f"{self.path}:{self.line} {self.operator}"


def try_one(dice, paths, tests):
    """(a mutant that is one, what kills it)."""
    while True:
        mutant = Mutant(dice, paths)
        try:
            with mutant:
                return mutant, tests.kill(mutant.path)
        except Unbuildable:
            continue


def chosen(words):
    def named(path, names):
        return any(path.removeprefix("src/").startswith(n.removeprefix("src/")) for n in names)

    takes, leaves = [w for w in words if w[0] != "-"], [w[1:] for w in words if w[0] == "-"]
    paths = sorted(str(p.relative_to(ROOT)) for p in (ROOT / "src").glob("*/*.c"))
    return [p for p in paths if (not takes or named(p, takes)) and not named(p, leaves)]


def table(ends):
    """ends: {floor: [whether it was noticed]}"""
    total = [sum(map(sum, ends.values())), sum(map(len, ends.values()))]
    rows = [(floor, sum(ends[floor]), len(ends[floor])) for floor in FLOORS if ends[floor]]
    for floor, killed, n in [*rows, ("all", *total)]:
        print(f"{floor:8} {killed:4} of {n:4} noticed, {100 * killed // n} %")


def main():
    words = sys.argv[1:]
    numbers = [int(words.pop(0)) for _ in range(2) if words and re.fullmatch(r"\d+", words[0])]
    n, seed = (numbers + [20, 1][len(numbers):])[:2]
    paths = chosen(words)
    if not paths:
        sys.exit(f"mutate: no such file or floor: {' '.join(words)}")
    copy_tree()
    configure()
    tests = Tests()
    tests.measure()
    survivors = HOME / "survivors"
    survivors.mkdir(exist_ok=True)
    dice, ends = random.Random(seed), collections.defaultdict(list)
    for i in range(n):
        start = time.monotonic()
        mutant, killer = try_one(dice, paths, tests)
        ends[mutant.path.split("/")[1]].append(bool(killer))
        print(f"{i + 1:4} {mutant}: {'noticed by ' + killer if killer else 'SURVIVES'} "
              f"({time.monotonic() - start:.0f} s)", flush=True)
        if not killer:
            print(mutant.diff(), flush=True)
            (survivors / f"{seed}-{i + 1}.patch").write_text(mutant.diff())
    table(ends)


if __name__ == "__main__":
    main()
