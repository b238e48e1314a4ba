"""What documents point at is there."""

import pathlib
import re

ROOT = pathlib.Path(__file__).parents[2]
DOCUMENTS = [*ROOT.glob("*.md"), *ROOT.glob("docs/*.md"), *ROOT.glob("bench/*.md"), *ROOT.glob("tests/*/*.md")]


def anchors(path):
    heads = re.findall(r"^#+ (.*)$", path.read_text(), re.M)
    return {re.sub(r"[^\w\- ]", "", h.lower()).strip().replace(" ", "-") for h in heads}


def test_links_lead_somewhere():
    lost, found = [], 0
    for document in DOCUMENTS:
        text = re.sub(r"```.*?```", "", document.read_text(), flags=re.S)
        for target in re.findall(r"\]\(([^)\s]+)\)", text):
            if re.match(r"[a-z]+:", target):
                continue
            found += 1
            name, _, anchor = target.partition("#")
            path = (document.parent / name).resolve() if name else document
            if not path.exists() or (anchor and path.suffix == ".md" and anchor not in anchors(path)):
                lost.append(f"{document.relative_to(ROOT)}: {target}")
    assert found > 20
    assert not lost


def test_rules_of_http_name_tests_that_are_there():
    rows = [r for r in (ROOT / "docs/rfc.md").read_text().splitlines() if r.startswith("| ")]
    named = [n for r in rows for n in re.findall(r"`([a-z0-9_]{12,})`", r.rsplit(" | ", 1)[-1])]
    assert len(named) > 15
    assert not [n for n in named if not (ROOT / f"tests/wire/{n}.vtc").is_file()]
