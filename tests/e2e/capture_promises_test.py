"""What each key of `capture` promises, looked at from where it counts: by the node when a request comes, by the client when
its response does."""

import contextlib
import base64
import gzip
import json
import os
import re
import signal
import socket
import threading
import time
from types import SimpleNamespace

import pytest
import requests
from capture_stage import capture, exchanges, make_captured, recorded
from stage import own_address, read_head, receive, serves, until
from trafficstream_stage import decode_file
from writes_test import leave_rudely, metric, read_request

ALONE = "health: { interval: 1h, failures: 100 }\n  balance: round_robin"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
MANY = 100  # tries for what a slow machine may not show at once
PUT = b"PUT /books/_doc/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"


def next_request(connection):
    """Its head and body; None at the end. Checks of the node's health are answered on the way."""
    while (request := read_request(connection)) and request[0].startswith(b"GET / "):
        connection.sendall(OK)
    return request


def say_ok(connection):
    while next_request(connection):
        connection.sendall(OK)


class Watchman:
    """A node that looks at the log when it has a request, before it answers."""

    def __init__(self):
        self.balancer, self.seen = None, []

    def serve(self, connection):
        while request := next_request(connection):
            path = request[0].split(b" ")[1].decode()
            self.seen.append([e for e in exchanges(self.balancer) if e["path"] == path])
            connection.sendall(OK)


@pytest.fixture
def watched(make_balancer, make_node, backend, tmp_path):
    def make(more, **others):
        watchman = Watchman()
        node = make_node(watchman.serve)
        balancer = make_captured(make_balancer, [node, node], backend, tmp_path, more, source_more=ALONE, **others)
        watchman.balancer = balancer
        return balancer, watchman

    return make


def connect(balancer):
    return socket.create_connection((balancer.address, 9201), 20)


# --- attempts and outcomes ---

def test_a_retried_read_is_one_exchange(make_balancer, make_node, backend, tmp_path):
    asked = []

    def cut(connection):
        if request := next_request(connection):
            asked.append(request)

    nodes = [make_node(cut).url, make_node(say_ok).url]
    balancer = make_captured(make_balancer, [SimpleNamespace(url=nodes), SimpleNamespace(url=nodes[1:])], backend, tmp_path,
                             besides="workers: 1", source_more=ALONE)
    with requests.Session() as session:
        for n in range(6):
            assert session.get(f"{balancer.source}/books/_search?n={n}", timeout=10).text == "ok"
    seen = recorded(balancer, 6)
    assert [(e["path"], e["request"], e["outcome"]) for e in seen] == [
        (f"/books/_search?n={n}", n + 1, "accepted") for n in range(6)]
    assert {e["attempts"] for e in seen} == {1, 2} and sum(e["attempts"] - 1 for e in seen) == len(asked)
    assert {e["node"] for e in seen} == {nodes[1].removeprefix("http://")}


def test_a_write_that_no_node_got_is_tried_again_and_is_one_exchange(make_balancer, make_node, backend, tmp_path):
    nodes = [f"http://{own_address()}:9200", make_node(say_ok).url]
    balancer = make_captured(make_balancer, [SimpleNamespace(url=nodes), SimpleNamespace(url=nodes[1:])], backend, tmp_path,
                             besides="workers: 1", source_more=ALONE)
    for n in range(2):
        assert requests.put(f"{balancer.source}/books/_doc/{n}", data=b"{}", timeout=10).status_code == 200
    seen = exchanges(balancer)
    assert [e["path"] for e in seen] == ["/books/_doc/0", "/books/_doc/1"]
    assert {2} <= {e["attempts"] for e in seen} <= {1, 2} and {e["node"] for e in seen} == {nodes[1].removeprefix("http://")}


def test_a_write_that_was_sent_and_not_answered_is_unknown(make_balancer, make_node, backend, tmp_path):
    node = make_node(next_request)
    balancer = make_captured(make_balancer, [node, node], backend, tmp_path, source_more=ALONE)
    assert requests.put(f"{balancer.source}/books/_doc/1", data=b"{}", timeout=10).status_code == 500
    seen, = until(lambda: [e for e in exchanges(balancer) if e["attempts"]], what="its outcome")
    assert (seen["outcome"], seen["status"], seen["attempts"], seen["request_whole"]) == ("unknown", 500, 1, True)
    assert seen["released"] and seen["latency"] is None and seen["reason"]


def test_a_client_that_goes_after_release_leaves_its_outcome(make_balancer, make_node, backend, tmp_path):
    asked, gate = threading.Event(), threading.Event()

    def serve(connection):
        while next_request(connection):
            asked.set()
            gate.wait(20)
            connection.sendall(OK)

    node = make_node(serve)
    balancer = make_captured(make_balancer, [node, node], backend, tmp_path, source_more=ALONE)
    c = connect(balancer)
    c.sendall(PUT)
    assert asked.wait(10)
    leave_rudely(c)
    until(lambda: metric(balancer, "writes_seen_through_total") == 1, what="the client's going")
    assert exchanges(balancer)[0]["outcome"] == "open"
    gate.set()
    seen, = until(lambda: [e for e in exchanges(balancer, "--bodies") if e["outcome"] != "open"], what="an outcome")
    assert (seen["outcome"], seen["attempts"], seen["response_body"]) == ("accepted", 1, "ok")
    assert seen["released"] < seen["latency"]


# --- what waits for the disk ---

@pytest.mark.parametrize("durable, method, waits", [
    ("writes", "PUT", True), ("writes", "GET", False), ("all", "PUT", True), ("all", "GET", True),
    ("none", "PUT", False), ("none", "GET", False)])
def test_durable_says_which_requests_wait(watched, durable, method, waits):
    """The node finds those that wait in the log when it has them; of others some are not there yet, and soon are."""
    balancer, watchman = watched(f", durable: {durable}, commit: 200ms")
    with requests.Session() as session:
        for n in range(3 if waits else MANY):
            assert session.request(method, f"{balancer.source}/books/_doc/{n}", timeout=10).text == "ok"
            if not all(watchman.seen):
                break
    assert all(watchman.seen) == waits
    until(lambda: len(exchanges(balancer)) == len(watchman.seen), what="all of them")


@pytest.mark.parametrize("acknowledge", ["outcome", "response"])
def test_acknowledge_says_what_a_client_waits_for(watched, acknowledge):
    balancer, watchman = watched(f", acknowledge: {acknowledge}, commit: 200ms")
    told = []
    with requests.Session() as session:
        for n in range(3 if acknowledge == "outcome" else MANY):
            assert session.put(f"{balancer.source}/books/_doc/{n}", data=b"{}", timeout=10).text == "ok"
            told.append(exchanges(balancer)[n]["outcome"])
            if "open" in told:
                break
    assert all(watchman.seen), "no write passes before it is in the log, whatever its client hears"
    assert ("open" in told) == (acknowledge == "response"), told
    until(lambda: [e["outcome"] for e in exchanges(balancer)] == ["accepted"] * len(told), what="all outcomes")


class Upload:
    """A write in pieces, and whether its node had something that the log did not, looked at with each piece."""

    def __init__(self, how):
        self.how, self.n, self.size, self.ahead, self.balancer = how, 0, 200_000, [], None

    def recorded_bytes(self):
        seen = exchanges(self.balancer, "--path", f"/books/_doc/{self.n}")
        return seen[0]["request_bytes"] if seen else -1

    def serve(self, connection):
        while True:
            head, body = read_head(connection)
            if not head:
                return
            if b"/books/_doc/" in head:
                self.take(connection, body)
            connection.sendall(OK)

    def take(self, connection, body):
        if self.how == "expect":
            self.ahead.append(self.recorded_bytes() < 0)
            connection.sendall(b"HTTP/1.1 100 Continue\r\n\r\n")
        while body.count(b"x") < self.size:
            self.ahead.append(self.recorded_bytes() < body.count(b"x"))
            body += receive(connection, 50_000)
        while self.how == "chunked" and not body.endswith(b"0\r\n\r\n"):
            body += receive(connection, 50_000)
        assert self.recorded_bytes() == self.size, "its end waits, whatever the gate"

    def send(self):
        self.n += 1
        framing = b"Transfer-Encoding: chunked\r\n" if self.how == "chunked" else b"Content-Length: %d\r\n" % self.size
        head = b"PUT /books/_doc/%d HTTP/1.1\r\nHost: a\r\n" % self.n + framing
        part = b"x" * (self.size // 10)
        with connect(self.balancer) as c:
            if self.how == "expect":
                c.sendall(head + b"Expect: 100-continue\r\n\r\n")
                assert read_head(c)[0] == b"HTTP/1.1 100 Continue"
            else:
                c.sendall(head + b"\r\n")
            c.sendall((b"%x\r\n%b\r\n" % (len(part), part) if self.how == "chunked" else part) * 10)
            c.sendall(b"0\r\n\r\n" * (self.how == "chunked"))
            assert read_head(c)[0].startswith(b"HTTP/1.1 200")


@pytest.mark.parametrize("how", ["length", "chunked", "expect"])
@pytest.mark.parametrize("gate", ["piece", "end"])
def test_gate_says_whether_pieces_wait(make_balancer, make_node, backend, tmp_path, gate, how):
    """With `piece` a node never has more of a request than the log, its head neither."""
    upload = Upload(how)
    node = make_node(upload.serve)
    upload.balancer = make_captured(make_balancer, [node, node], backend, tmp_path, f", gate: {gate}, commit: 20ms",
                                    source_more=ALONE)
    for _ in range(2 if gate == "piece" else MANY):
        upload.send()
        if any(upload.ahead):
            break
    assert not node.failures
    assert any(upload.ahead) == (gate == "end")


def test_commit_says_how_often_the_disk_is_asked(watched):
    balancer, _ = watched(", commit: 50ms")
    before, began = balancer.status()["capture"]["commits"], time.monotonic()
    threads = [threading.Thread(target=lambda n=n: requests.put(f"{balancer.source}/a/_doc/{n}", data=b"{}", timeout=10))
               for n in range(12)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    took = time.monotonic() - began
    commits = balancer.status()["capture"]["commits"] - before
    assert 2 <= commits <= took / 0.05 + 2
    assert [e["outcome"] for e in exchanges(balancer)] == ["accepted"] * 12


# --- what is recorded ---

@pytest.mark.parametrize("responses, read, write", [("writes", False, True), ("all", True, True), ("heads", False, False)])
def test_responses_says_whose_bodies_are_recorded(watched, tmp_path, responses, read, write):
    balancer, _ = watched(f", responses: {responses}")
    with requests.Session() as session:
        session.get(f"{balancer.source}/books/_search", timeout=10)
        session.put(f"{balancer.source}/books/_doc/1", data=b"{}", timeout=10)
    got, put = recorded(balancer, 2, "--bodies")
    for e, has_body in (got, read), (put, write):
        assert (e["response_body"], e["response_recorded"]) == ("ok" if has_body else "", has_body)
        assert e["response_head"] == "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n"
        assert (e["status"], e["response_bytes"], e["outcome"]) == (200, 2, "accepted")
    capture(balancer, "export", "--format", "trafficstream", "--output", tmp_path / "all.gz")
    (records,) = decode_file(tmp_path / "all.gz").values()
    told = [kind for record in records for kind, _, _ in record["subStream"] if kind in ("read", "write")]
    assert told == ["read"] + ["write"] * read + ["read"] + ["write"] * write


def test_nothing_of_the_log_is_for_others(make_balancer, clusters, backend, tmp_path):
    """Whatever the umask: segments, what a start looked at, the key, positions, packed ones."""
    before = os.umask(0)
    try:
        balancer = make_captured(make_balancer, clusters, backend, tmp_path, ", compress: on")
        for n in range(6):
            requests.put(f"{balancer.source}/books/_doc/{n}", data=b"x" * 900_000, timeout=10)
        capture(balancer, "export", "--format", "jsonl", "--follower", "nightly", "--output", tmp_path / "out")
        os.kill(balancer.working_pid(), signal.SIGKILL)
        until(lambda: serves(balancer.source))
        until(lambda: balancer.status()["capture"]["compressed"]["segments"], what="a packed segment")
    finally:
        os.umask(before)
    assert (tmp_path / "out").stat().st_mode & 0o7777 == 0o600
    assert balancer.log_directory.stat().st_mode & 0o7777 == 0o700
    modes = {}
    for f in balancer.log_directory.iterdir():
        with contextlib.suppress(FileNotFoundError):  # what is being packed gets another name
            modes[f.name] = f.stat().st_mode & 0o7777
    assert {"lock", "redact.key", "nightly.follower"} <= modes.keys() and any(name.endswith(".writer") for name in modes)
    assert set(modes.values()) == {0o600, 0o400}, modes
    assert all(name.endswith(".capture") for name, mode in modes.items() if mode == 0o400), modes


def test_a_log_with_passwords_in_it_is_said_aloud(make_balancer, clusters, tmp_path):
    balancer = make_captured(make_balancer, clusters, "auto", tmp_path)
    assert "redact" not in balancer.said() + balancer.command("check").stderr
    assert balancer.reload(lambda text: text.replace("segment:", "redact: none, segment:"))["ok"]
    until(lambda: "redact: none keeps passwords" in balancer.said(), what="a word")
    balancer.stop()
    balancer.log.unlink()
    balancer.start()
    until(lambda: "redact: none keeps passwords" in balancer.said(), what="a word")
    checked = json.loads(balancer.command("check", "-o", "json").stdout)
    assert checked["ok"] and [w["message"].partition(" keeps")[0] for w in checked["warnings"]] == ["capture: redact: none"]


# --- har ---

def test_har_has_all_that_its_readers_want(make_balancer, make_node, backend, tmp_path):
    packed = gzip.compress(b"{}" * 1000)
    responses = {b"/text": b'HTTP/1.1 200 Good\r\nContent-Type: application/json\r\nContent-Length: 11\r\n\r\n{"a": "\xc3\xbc"}',
               b"/binary": b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: %d\r\n\r\n" % len(packed) + packed,
               b"/latin": b"HTTP/1.1 201 Created\r\nX-Latin: caf\xe9\r\nX-None:\r\nContent-Length: 0\r\n\r\n",
               b"/empty": b"HTTP/1.1 204 No Content\r\n\r\n"}

    def serve(connection):
        while request := next_request(connection):
            connection.sendall(responses[request[0].split(b" ")[1].partition(b"?")[0]])

    node = make_node(serve)
    balancer = make_captured(make_balancer, [node, node], backend, tmp_path, ", responses: all", source_more=ALONE)
    with connect(balancer) as c:
        for path in responses:
            for method in b"GET", b"PUT":
                c.sendall(b"%b %b?q=a%%20b&r HTTP/1.1\r\nHost: search.example\r\nX-Latin: \xe9\r\nContent-Length: 4\r\n\r\n" %
                          (method, path) + (b"\0\xff\n\x80" if path == b"/binary" else b"text"))
                head, rest = read_head(c)
                length = re.search(rb"Content-Length: (\d+)", head)
                while length and len(rest) < int(length[1]):
                    rest += receive(c, 65536)
    recorded(balancer, 8)
    har = json.loads(capture(balancer, "export", "--format", "har").stdout)["log"]
    assert har["version"] == "1.2" and set(har["creator"]) >= {"name", "version"}
    assert [(e["request"]["method"], e["request"]["url"]) for e in har["entries"]] == [
        (method, f"http://search.example{path.decode()}?q=a%20b&r") for path in responses for method in ("GET", "PUT")]
    for e in har["entries"]:
        assert {"startedDateTime", "time", "request", "response", "cache", "timings"} <= e.keys()
        assert {"method", "url", "httpVersion", "cookies", "headers", "queryString", "headersSize", "bodySize"} <= e["request"].keys()
        assert {"status", "statusText", "httpVersion", "cookies", "headers", "content", "redirectURL", "headersSize",
                "bodySize"} <= e["response"].keys()
        assert {"send", "wait", "receive"} <= e["timings"].keys() and e["time"] > 0
        assert e["request"]["queryString"] == [{"name": "q", "value": "a%20b"}, {"name": "r", "value": ""}]
        assert e["request"]["bodySize"] == 4 and {"name": "Host", "value": "search.example"} in e["request"]["headers"]
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d+Z", e["startedDateTime"])
    text, binary, latin, empty = (har["entries"][n]["response"] for n in (1, 3, 5, 7))
    assert (text["status"], text["statusText"], text["content"]) == (
        200, "Good", {"mimeType": "application/json", "text": '{"a": "ü"}', "size": 11})
    assert binary["content"]["encoding"] == "base64" and base64.b64decode(binary["content"]["text"]) == packed
    assert latin["status"] == 201 and [(h["name"], h["value"]) for h in latin["headers"]] == [
        ("X-Latin", "café"), ("X-None", ""), ("Content-Length", "0")]
    assert (empty["status"], empty["content"]["size"]) == (204, 0)
    assert har["entries"][1]["request"]["postData"]["text"] == "text"
    sent = har["entries"][3]["request"]["postData"]
    assert base64.b64decode(sent["text"]) == b"\0\xff\n\x80"
