"""`crossfade history`: who changed what, when and why."""

import json
import re


def test_changes_are_a_table_with_the_newest_last(balancer):
    assert len(balancer.command("history").stdout.splitlines()) <= 2
    balancer.weights(90, 10, "--reason", "CHG-1")
    balancer.command("rollback", "--reason", "it was slow")
    node = balancer.nodes("target")[0]["name"]
    balancer.command("drain", f"target/{node}", "--reason", "CHG-2")
    lines = balancer.command("history").stdout.splitlines()
    assert re.match(r"WHEN +WHO +WHAT +EPOCH +WHY$", lines[0])
    for line, words in zip(lines[-3:], [r"1/0 -> 90/10 +2  CHG-1", r"rollback 90/10 -> 1/0 +3  it was slow",
                                        rf"drain target/{re.escape(node)} +-  CHG-2"]):
        assert re.match(rf"20\S+Z  \S+ +{words}$", line), line
    assert balancer.command("history", "-n", "1").stdout.splitlines()[1:] == lines[-1:]


def test_its_json_has_the_audits_lines(balancer):
    balancer.weights(3, 1, "--reason", "CHG-1")
    audit = [json.loads(line) for line in (balancer.directory / "state/audit.jsonl").read_text().splitlines()]
    assert json.loads(balancer.command("history", "-o", "json").stdout)["changes"] == audit


def test_a_line_that_is_none_is_left_out(balancer):
    balancer.weights(3, 1)
    before = balancer.command("history").stdout
    with open(balancer.directory / "state/audit.jsonl", "a", encoding="utf8") as audit:
        audit.write("\0\0\0\n[1]\n{\"when\": 7}\n{\"when\":\"20")
    assert balancer.command("history").stdout == before


def test_control_characters_in_the_audit_reach_no_terminal(balancer):
    with open(balancer.directory / "state/audit.jsonl", "a", encoding="utf8") as audit:
        audit.write(json.dumps({"when": "20", "who": "\x1b[2J", "why": "a\nb", "epoch": 7}) + "\n")
    shown = balancer.command("history").stdout
    assert "\x1b" not in shown and "a\nb" not in shown


def test_what_is_no_number_is_said(balancer):
    done = balancer.command("history", "-n", "0", check=False)
    assert done.returncode == 2 and "is not a number of changes" in done.stderr
