"""Parts of our own identifiers that are no English word, no word of the libraries below us, and not in the glossary."""

import collections
import pathlib
import re
import subprocess
import sys

ROOT = pathlib.Path(__file__).resolve().parents[1]
DICTIONARY = pathlib.Path("/usr/share/dict/american-english-large")
C_WORDS = set("alignas alignof endif enum goto ifdef ifndef".split())
# Comments, and texts and characters in quotes, are not names.
NO_NAME = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:\\.|[^"\\])*"|\'(?:\\.|[^\'\\])+\'', re.S)
# 0x1f, 16ull
NUMBER = re.compile(r"\b\d[\w.]*")
NAME = re.compile(r"[A-Za-z_]\w*")
# "http", "Bytes", "TLS" of TLSv, "v" of v1
PART = re.compile(r"[A-Z]?[a-z]+|[A-Z]+(?![a-z])")


def sources():
    for folder in "src", "tests/sim", "tests/unit":
        for path in sorted((ROOT / folder).rglob("*.[ch]")) + sorted((ROOT / folder).rglob("*.def")):
            yield path, NO_NAME.sub(" ", path.read_text())


def of_libraries(texts):
    """All names that the headers of the system and of libraries declare."""
    headers = sorted({h for text in texts for h in re.findall(r"^#\s*include\s*(<[^>]+>)", text, re.M)})
    found = subprocess.run(["sh", "-c", 'echo "$1" | grep -q . && for h in $1; do echo "#if __has_include($h)\n#include $h\n#endif"; '
                            'done | ${CC:-cc} -E -dD -D_GNU_SOURCE -x c - 2>/dev/null', "sh", " ".join(headers)],
                           stdout=subprocess.PIPE, text=True, check=False)
    names = set(NAME.findall(found.stdout))
    assert len(names) > 10000, "the headers of libraries cannot be read"
    return names


def glossary():
    """The first column of the tables of docs/glossary.md."""
    words = set()
    for line in (ROOT / "docs/glossary.md").read_text().splitlines():
        if found := re.match(r"\| ([^|]+) \|", line):
            words |= {w.lower() for w in re.findall(r"[A-Za-z]+", found[1])}
    return words


def main():
    if not DICTIONARY.exists():
        sys.exit(f"words: there is no {DICTIONARY} (Debian: wamerican-large)")
    known = {w.strip().lower() for w in DICTIONARY.read_text().splitlines()} | C_WORDS | glossary()
    read = list(sources())
    foreign = of_libraries([path.read_text() for path, _ in read])
    unknown = collections.defaultdict(set)
    for path, text in read:
        for name in set(NAME.findall(NUMBER.sub(" ", text))) - foreign:
            for part in PART.findall(name):
                # "nobodys": a name has no apostrophe
                if len(part) > 1 and part.lower() not in known and part.lower().removesuffix("s") not in known:
                    unknown[part.lower()].add(f"{name} ({path.relative_to(ROOT)})")
    for part, where in sorted(unknown.items()):
        print(f"{part}: {len(where)}, as {min(where)}")
    if unknown:
        sys.exit(f"words: {len(unknown)} parts of names are in no dictionary: name them otherwise, or explain them in docs/glossary.md")


main()
