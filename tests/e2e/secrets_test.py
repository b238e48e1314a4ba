"""What nobody is to see, and what no terminal is to get."""

import contextlib
import json
import os
import pathlib
import pty
import re
import resource
import signal
import subprocess
import tty

import pytest
import requests
from stage import PROGRAM, until

SECRET = "s3cr3tValue"

BASE = """\
listeners: { source: { address: 127.0.0.1:1, tls: off } }
source: { nodes: [ http://127.0.0.1:1 ] }
target: { nodes: [ http://127.0.0.1:1 ] }
state: state
"""

# Wrong in some way, with a secret on the line that is shown.
WRONG = {
    "beside a wrong value": 'headers: { set: { X-Token: SECRET }, remove: [ X-Token ] }',
    "a control character": 'headers: { set: { X-Token: "SECRET\\u0001" } }',
    "a space at its end": 'headers: { set: { X-Token: "SECRET " } }',
    "a name that is refused": 'headers: { set: { Authorization: SECRET } }',
    "a key that is misspelt": 'headres: { set: { X-Token: SECRET } }',
    "one in single quotes": "headers: { set: { X-Token: 'SECRET', Host: SECRET } }",
    "no scheme": "authorization: SECRET",
    "another scheme": 'authorization: "Negotiate SECRET "',
    "a misspelt authorization": "authorisation: SECRET",
    "an unknown key beside": "authorization: Custom SECRET, balnce: round_robin",
    "a user in a URL": "nodes: [ https://user:SECRET@es-1:9200 ]",
    "no YAML behind it": 'headers: { set: { X-Token: SECRET }',
    "a quote without an end": 'headers: { set: { X-Token: "SECRET } }',
    "a tab": 'headers: { set: { X-Token: SECRET, \t"X: } } }',
    "a key's own text as its path": 'ca: "-----BEGIN PRIVATE KEY----- SECRET"',
    "of health checks": 'health: { authorization: SECRET, path: no }',
    "an alias": "authorization: *SECRET",
    "an anchor": "authorization: &SECRET x",
    "a tag": "authorization: !SECRET x",
    "an alias of a field": "headers: { set: { X-Token: *SECRET } }",
    "an escaped quote": 'headers: { set: { X-Token: "pa\\"SECRET\\x01" } }',
    "a doubled quote": "authorization: 'pa''SECRET'",
    "a key that is doubled": "headers: { set: { X-Token: SECRET, X-Token: SECRET } }",
    "a section that is misspelt": "header: { set: { X-Token: SECRET } }",
    "fields to remove as a map": "headers: { remove: { X-Token: SECRET } }",
    "fields to remove with values": 'headers: { remove: [ "X-Token: SECRET" ] }',
    "behind its end": 'authorization: "Basic x" SECRET',
    "a comment": 'authorization: "x" #SECRET',
    "a credential in brackets": "authorization: { Basic SECRET }",
    "a word in brackets": "authorization: { SECRET }",
    "a field in brackets": "headers: { set: { X-Token SECRET } }",
    "a list": "headers: { set: { X-Token: [ SECRET ] } }",
    "a colon": "authorization: ab: SECRET",
    "a slash in a password": "nodes: [ http://u:x/SECRET@h ]",
    "a user without a scheme": "nodes: [ 'u:SECRET@h' ]",
    "a slash too few": "nodes: [ 'http:/u:SECRET@h' ]",
    "an at in a password": "nodes: [ http://u:p@SECRET@h ]",
    "a key in a query": "nodes: [ 'http://h/?api_key=SECRET' ]",
    "nodes that are no list": "nodes: http://u:p@SECRET@h",
}

# As they stand only where there are no brackets.
BLOCK = {
    "a comma": "authorization: pa,SECRET",
    "a bracket": "authorization: pa}SECRET",
    "a field's comma": "headers:\n    set:\n      X-Token: a,SECRET\n      Host: b,SECRET",
    "a doubled key": "authorization: x\n  authorization: SECRET",
    "a field's colon": "headers:\n    set:\n      X-Token: SECRET: x",
    "a folded value": "authorization: Basic\n    SECRET\n   bad: x",
}


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("what", BLOCK)
def test_a_block_shows_no_secret(tmp_path, what, command):
    config = BASE.replace("source: { nodes: [ http://127.0.0.1:1 ] }\ntarget",
                          f"source:\n  nodes: [ http://127.0.0.1:1 ]\n  {BLOCK[what]}\ntarget")
    said = shown(config.replace("SECRET", SECRET), tmp_path, command)
    assert SECRET not in said, said


def shown(config, tmp_path, command):
    (tmp_path / "crossfade.yaml").write_text(config)
    words = [PROGRAM, command, "-c", str(tmp_path / "crossfade.yaml")]
    done = subprocess.run(words, capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode == 1, done.stdout + done.stderr
    return done.stdout + done.stderr


@pytest.mark.parametrize("command", ["check", "run"])
@pytest.mark.parametrize("what", WRONG)
@pytest.mark.parametrize("form", ["one line", "block"])
def test_a_complaint_shows_no_secret(tmp_path, what, command, form):
    line = WRONG[what].replace("SECRET", SECRET)
    if form == "one line":
        config = BASE.replace("source: { nodes: [ http://127.0.0.1:1 ] }\ntarget",
                              f"source: {{ nodes: [ http://127.0.0.1:1 ], {line} }}\ntarget")
    else:
        config = BASE.replace("target: {", f"other:\n  {line}\ntarget: {{")
    said = shown(config, tmp_path, command)
    assert SECRET not in said and SECRET[:6] not in said, said


def test_passwords_of_kafka_are_not_shown(tmp_path):
    said = shown(BASE + f"capture: {{ directory: c, kafka: {{ brokers: 'a:1', security: {{ sasl: {{ mechanism: PLAINN, "
                 f"username: me, password: {SECRET} }} }} }} }}\n", tmp_path, "check")
    assert SECRET not in said and "PLAINN" in said


def test_what_is_no_secret_is_shown(tmp_path):
    said = shown(BASE.replace("127.0.0.1:1, tls", "127.0.0.1:x, tls"), tmp_path, "check")
    assert "listeners: { source: { address: 127.0.0.1:x, tls: off } }" in said


BAD = ["\u009b31mred", "\u202egnirts", "\u2066x\u2069", "\u200fx", "\u2028line"]


@pytest.mark.parametrize("bad", BAD)
def test_a_reason_moves_no_terminal(make_balancer, clusters, bad):
    """It is refused, and what is printed of that, here and in the log, does not have it either."""
    balancer = make_balancer(clusters[0].url, clusters[1].url)
    node = f"{clusters[0].address}:{clusters[0].port}"
    why = ("--reason", f"why {bad}")
    printed = []
    for words in (("weights", "1", "1", *why), ("rollback", *why, "-o", "json"),
                  ("drain", f"source/{node}", "--force", *why), ("ready", f"{node}{bad}")):
        done = balancer.command(*words, check=False)
        assert done.returncode == 1, words
        printed.append(done.stdout + done.stderr)
    printed += [balancer.said(), balancer.command("status").stdout, balancer.command("status", "-o", "json").stdout]
    for text in printed:
        assert not re.search("[\x80-\x9f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u206f]", text), text


def test_it_says_that_it_runs_as_root(make_balancer, clusters):
    balancer = make_balancer(clusters[0].url, clusters[1].url)
    assert ("it runs as root" in balancer.said()) == (os.geteuid() == 0)


def test_no_core_is_made_of_keys(make_balancer, clusters, tmp_path):
    """The processes say so themselves, whatever the limit of cores is."""
    balancer = make_balancer(clusters[0].url, clusters[1].url)
    for pid in balancer.process.pid, balancer.working_pid():
        resource.prlimit(pid, resource.RLIMIT_CORE, (resource.RLIM_INFINITY, resource.RLIM_INFINITY))
    os.kill(balancer.working_pid(), signal.SIGABRT)
    until(lambda: "was ended by signal 6" in balancer.said(), what="its end")
    assert "core dumped" not in balancer.said()
    for pid in (balancer.process.pid,):
        assert pathlib.Path(f"/proc/{pid}/maps").stat().st_uid == 0


def test_the_unit_makes_no_core_and_lets_keys_be_locked():
    unit = (pathlib.Path(__file__).parents[2] / "deploy" / "crossfade.service").read_text()
    assert "\nLimitCORE=0\n" in unit and "\nLimitMEMLOCK=infinity\n" in unit
    assert "memfd_secret" in re.search("SystemCallFilter=.*", unit)[0]
    leave, drain = 10, 60
    assert int(re.search(r"TimeoutStopSec=(\d+)s", unit)[1]) >= leave + drain + 5


HOSTILE = "\x1b]0;owned\a\x1b[2J\u009b31m\u202etxt\u2066"


def on_a_terminal(*words):
    """What a command writes to a terminal, and the same to a pipe."""
    ours, theirs = pty.openpty()
    tty.setraw(theirs)
    running = subprocess.Popen([PROGRAM, *map(str, words)], stdout=theirs, stderr=theirs)
    os.close(theirs)
    shown = b""
    with contextlib.suppress(OSError):  # EIO: all of it has come
        while some := os.read(ours, 65536):
            shown += some
    os.close(ours)
    running.wait(20)
    piped = subprocess.run([PROGRAM, *map(str, words)], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=20, check=False).stdout
    return shown.decode(), piped.decode(errors="replace")


@pytest.mark.parametrize("words", [[HOSTILE], ["check", HOSTILE], ["check", "-c", HOSTILE], ["status", "--" + HOSTILE],
                                   ["capture", HOSTILE], ["capture", "cat", "--directory", HOSTILE], ["help", HOSTILE],
                                   ["classify", "--profile", HOSTILE, "GET", "/"]])
def test_no_argument_moves_a_terminal(words):
    shown, piped = on_a_terminal(*words)
    assert "owned" in shown and not set("\x1b\a\u009b\u202e\u2066") & set(shown), shown
    # A file's name is escaped for all: who prints it may be the log of a process, and that may end on a terminal.
    assert HOSTILE in piped or words[:2] == ["check", "-c"]


@pytest.mark.parametrize("words", [["cat"], ["cat", "-o", "raw"], ["cat", "-o", "json", "--bodies"], ["export", "--format", "jsonl"],
                                   ["export", "--format", "har"]])
def test_nothing_recorded_moves_a_terminal(make_balancer, clusters, tmp_path, words):
    balancer = make_balancer(clusters[0].url, clusters[1].url, more=f"capture: {{ directory: {tmp_path}/capture }}")
    requests.put(f"{balancer.source}/books/_doc/1", data=json.dumps(HOSTILE, ensure_ascii=False).encode(), timeout=10)
    requests.put(f"{balancer.source}/books/_doc/2", data=HOSTILE.encode(), timeout=10)
    shown, piped = on_a_terminal("capture", *words, "--directory", tmp_path / "capture")
    assert not set("\x1b\a\u009b\u202e\u2066") & set(shown), shown
    if "raw" in words:
        assert HOSTILE in piped
    if "json" in words or "jsonl" in words:
        # What an export says of itself comes to the terminal too.
        on_it, in_it = ([json.loads(line) for line in text.splitlines() if not line.startswith("crossfade capture: ")]
                        for text in (shown, piped))
        assert on_it == in_it and len(on_it) == 2


def test_compressed_text_is_not_for_a_terminal(make_balancer, clusters, tmp_path):
    make_balancer(clusters[0].url, clusters[1].url, more=f"capture: {{ directory: {tmp_path}/capture }}")
    shown, _ = on_a_terminal("capture", "export", "--format", "trafficstream", "--directory", tmp_path / "capture")
    assert "not for a terminal" in shown
