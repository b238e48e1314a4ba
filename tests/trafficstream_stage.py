"""TrafficStream records as `protoc --decode` shows them: an independent decoder, told no more than the fields' numbers."""

import base64
import gzip
import re
import shutil
import subprocess

import pytest
from stage import ROOT

SCHEMA = "trafficstream.proto"
VECTORS = ROOT / "tests/vectors"
ESCAPE = re.compile(rb"\\([0-7]{3}|.)")
LETTERS = {b"n": b"\n", b"r": b"\r", b"t": b"\t"}


def unescape(match):
    said = match[1]
    return bytes([int(said, 8)]) if len(said) == 3 else LETTERS.get(said, said)


def value_of(text):
    if text.startswith(b'"'):
        return ESCAPE.sub(unescape, text[1:-1])
    return {b"true": True, b"false": False}.get(text) or int(text)


def parse(lines):
    """A message's (name, value) pairs in their order, up to its brace. A field that the schema does not know has a number
    for a name."""
    found = []
    for line in lines:
        line = line.strip()
        if line == b"}":
            return found
        name, _, value = line.partition(b": ")
        assert not name[:1].isdigit(), f"no field of that number and kind: {line[:60]}"
        if line.endswith(b" {") and not value:
            found.append((line[:-2].decode(), parse(lines)))
        else:
            found.append((name.decode(), value_of(value)))
    return found


def varint(n):
    return bytes([n & 127 | 128]) + varint(n >> 7) if n > 127 else bytes([n])


def decode(records):
    """Each as a dict; `subStream` is its observations, as (kind, what it says, time in ns)."""
    if not shutil.which("protoc"):
        pytest.skip("this needs protoc: apt-get install protobuf-compiler, or ./dev test")
    done = subprocess.run(["protoc", f"--proto_path={VECTORS}", "--decode=Records", SCHEMA], capture_output=True, check=False,
                          input=b"".join(b"\x0a" + varint(len(record)) + record for record in records))
    assert done.returncode == 0, done.stderr
    return [record_of(fields) for _, fields in parse(iter(done.stdout.splitlines()))]


def record_of(fields):
    record = {name: value for name, value in fields if name != "subStream"}
    assert len(record) + sum(name == "subStream" for name, _ in fields) == len(fields), "a field is there twice"
    record["subStream"] = [observation_of(value) for name, value in fields if name == "subStream"]
    return record


def observation_of(fields):
    (first, time), (kind, said) = fields
    assert first == "ts"
    time = dict(time)
    return kind, dict(said), time.get("seconds", 0) * 10**9 + time.get("nanos", 0)


def decode_file(path):
    """Of an export: the records of each connection, in their order."""
    with gzip.open(path) as lines:
        pairs = [line.rstrip(b"\n").split(b"|") for line in lines]
    connections = {}
    for (key, _), record in zip(pairs, decode([base64.b64decode(text) for _, text in pairs])):
        assert record["connectionId"] == key
        connections.setdefault(key, []).append(record)
    return connections
