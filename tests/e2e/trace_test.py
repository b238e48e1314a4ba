"""`crossfade trace`: what the data path does with the requests of chosen clients."""

import contextlib
import json
import signal
import socket
import subprocess

import pytest

from stage import own_address, read_head, receive, until


@contextlib.contextmanager
def tracing(balancer, client, *more):
    with subprocess.Popen([balancer.program, "trace", "--client", client, "-c", balancer.file, *more], stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, text=True) as process:
        assert "Tracing" in process.stderr.readline()
        try:
            yield process
        finally:
            if process.poll() is None:
                process.kill()


@contextlib.contextmanager
def connection(balancer, client):
    with socket.create_connection((balancer.address, 9201), 10, source_address=(client, 0)) as made:
        yield made


def ask(made, path, body=b""):
    head = f"POST {path} HTTP/1.1\r\nHost: a\r\nContent-Length: {len(body)}\r\n\r\n" if body else f"GET {path} HTTP/1.1\r\nHost: a\r\n\r\n"
    made.sendall(head.encode() + body)
    head, rest = read_head(made)
    assert head.startswith(b"HTTP/1.1 200 ")
    while not rest.endswith(b"}"):
        rest += receive(made, 65536)


def finish(process):
    """As Ctrl-C does it."""
    process.send_signal(signal.SIGINT)
    out, err = process.communicate(timeout=20)
    assert process.returncode == 0, err
    return out


def test_a_request_is_drawn_word_by_word(balancer):
    client, other = own_address(), own_address()
    with connection(balancer, client) as mine, connection(balancer, other) as theirs:
        ask(mine, "/before")  # the connection is there before the trace
        with tracing(balancer, client) as process:
            ask(mine, "/traced", b"x" * 5000)
            ask(theirs, "/not")
            said = finish(process)
        ask(mine, "/after")
    lines = said.splitlines()
    opens = [line for line in lines if " opens " in line]
    assert len(opens) == 1 and f"client {client}:" in said and other not in said
    words = [line for line in lines if "|" in line]
    assert any("head" in line and line.index("head") < line.index(">") for line in words)
    assert any("head 200" in line and "<" in line for line in words)
    assert sum(int(line.split(" data ")[1].split()[0].strip(",")) for line in words if " data " in line and "->" in line) >= 5000
    assert "exchange" in said and "node" in said


def test_words_come_as_json_with_times_in_order(balancer):
    client = own_address()
    with tracing(balancer, client, "-o", "json") as process, connection(balancer, client) as mine:
        for _ in range(3):
            ask(mine, "/")
        words = [json.loads(line) for line in finish(process).splitlines()]
    assert {w["request"] for w in words} == {1, 2, 3} and all(w["client"].startswith(client + ":") for w in words)
    assert [w["at_ns"] for w in words] == sorted(w["at_ns"] for w in words)
    assert [w["number"] for w in words if w["verb"] == "head" and w["to"] == "front"] == [200] * 3


def test_one_trace_at_a_time_and_then_the_next(balancer):
    with tracing(balancer, own_address()) as process:
        second = balancer.command("trace", "--client", "127.0.0.1", check=False)
        assert second.returncode == 1 and "another trace" in second.stderr
        finish(process)
    ended = until(lambda: balancer.command("trace", "--client", "10.0.0.0/8", "--for", "100ms", check=False).returncode == 0, 10, "a next one")
    assert ended


def test_a_trace_that_nobody_looks_at_ends(balancer):
    with tracing(balancer, own_address()) as process:
        process.kill()
        process.communicate()
        assert balancer.command("trace", "--client", "127.0.0.1", check=False).returncode == 1
        until(lambda: "nobody has read it" in balancer.said(), 30, "the end of the trace")
    assert balancer.command("trace", "--client", "127.0.0.1", "--for", "100ms").returncode == 0


@pytest.mark.parametrize("words, code, why", [
    (["--client", "nobody"], 1, "an address or a network"),
    ([], 2, "--client is missing"),
    (["--client", "127.0.0.1", "--for", "soon"], 2, "is not a duration"),
])
def test_what_makes_no_sense_is_said(balancer, words, code, why):
    done = balancer.command("trace", *words, check=False)
    assert done.returncode == code and why in done.stderr
