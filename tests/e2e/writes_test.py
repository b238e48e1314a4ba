"""What becomes of writes: tried again only when no node has got them, and seen through when their client goes."""

import json
import re
import signal
import socket
import subprocess
import threading

import pytest
from stage import read_head, until

LOG = "log: { access: access.log, format: json }\nprofile: opensearch\nworkers: 1\n"
ALONE = "health: { interval: 1h, failures: 100 }\n  balance: round_robin"
OK = b"HTTP/1.1 201 Created\r\nContent-Length: 2\r\n\r\nok"
BULK = b"POST /i/_bulk HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhello"


def read_request(connection):
    """Its head and body; None when the connection ends before both are whole."""
    head, body = read_head(connection)
    length = re.search(rb"Content-Length: (\d+)", head or b"")
    while head and length and len(body) < int(length[1]):
        part = connection.recv(65536)
        if not part:
            return None
        body += part
    return head and (head, body)


class Slow:
    """A node that answers requests when it is told to, and checks at once."""

    def __init__(self):
        self.gate, self.asked = threading.Event(), []

    def serve(self, connection):
        while request := read_request(connection):
            if not request[0].startswith(b"GET / "):
                self.asked.append(request)
                self.gate.wait(20)
            connection.sendall(OK)


def metric(balancer, name, labels='{cluster="source"}'):
    text = subprocess.run(["curl", "-s", "--unix-socket", balancer.directory / "admin.sock", "http://a/metrics"],
                          capture_output=True, text=True, check=True).stdout
    line = next(l for l in text.splitlines() if l.startswith(f"crossfade_{name}{labels} "))
    return int(line.split()[-1])


def line_of(balancer):
    text = until(lambda: (balancer.directory / "access.log").read_text(), what="a line")
    return json.loads(text.splitlines()[0])


def connect(balancer):
    host, port = balancer.source.removeprefix("http://").split(":")
    return socket.create_connection((host, int(port)), 20)


def ask(balancer, request):
    with connect(balancer) as connection:
        connection.sendall(request)
        head, _ = read_head(connection)
        return int(head.split()[1]), head


def leave_rudely(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


@pytest.fixture
def slow(make_balancer, make_node, clusters, backend):
    node = Slow()
    balancer = make_balancer(make_node(node.serve).url, clusters[1].url, io=backend, more=LOG, source_more=ALONE)
    yield balancer, node
    node.gate.set()


def leave_a_write(balancer, node):
    connection = connect(balancer)
    connection.sendall(BULK)
    until(lambda: node.asked, what="the write at its node")
    leave_rudely(connection)
    until(lambda: metric(balancer, "writes_seen_through_total") == 1, what="the client's going")


def test_a_write_whose_client_goes_is_seen_through(slow):
    balancer, node = slow
    leave_a_write(balancer, node)
    assert metric(balancer, "requests_in_flight") == 1
    node.gate.set()
    line = line_of(balancer)
    assert (line["elb_status_code"], line["target_status_code"], line["error_reason"]) == (460, 201, "peer_reset")
    assert (line["outcome"], line["attempts"], line["sent_bytes"]) == ("accepted", 1, 0)
    assert metric(balancer, "requests_in_flight") == metric(balancer, "writes_unknown_total") == 0


def test_a_stop_waits_for_a_write_that_is_seen_through(slow):
    balancer, node = slow
    leave_a_write(balancer, node)
    balancer.process.send_signal(signal.SIGTERM)
    until(lambda: not balancer.command("status", check=False).stdout.count("serving"), what="the stop to begin")
    assert balancer.process.poll() is None
    node.gate.set()
    assert balancer.process.wait(20) == 0
    assert line_of(balancer)["outcome"] == "accepted"


@pytest.mark.parametrize("request_", [BULK[:-2], b"GET /i/_doc/1 HTTP/1.1\r\nHost: a\r\n\r\n"])
def test_half_a_write_and_a_read_are_broken_off(slow, request_):
    balancer, node = slow
    connection = connect(balancer)
    connection.sendall(request_)
    until(lambda: metric(balancer, "requests_in_flight") == 1, what="the request at its node")
    if request_.startswith(b"GET"):
        until(lambda: node.asked, what="the request at its node")
    leave_rudely(connection)
    line = line_of(balancer)
    assert (line["elb_status_code"], line["target_status_code"]) == (460, None)
    assert metric(balancer, "requests_in_flight") == metric(balancer, "writes_seen_through_total") == 0


class Twins:
    """Two nodes of which the first that is asked hangs up, or says nothing, and the other responses."""

    def __init__(self, make_node, silent=False):
        self.asked, self.lock, self.silent, self.over = [], threading.Lock(), silent, threading.Event()
        self.nodes = [make_node(self.serve), make_node(self.serve)]

    def serve(self, connection):
        while request := read_request(connection):
            if request[0].startswith(b"GET / "):
                connection.sendall(OK)
                continue
            with self.lock:
                self.asked.append(request)
                first = len(self.asked) == 1
            if first and self.silent:
                self.over.wait(20)
            if first:
                return
            connection.sendall(OK)


@pytest.fixture
def twins(make_balancer, make_node, clusters, backend):
    def make(silent=False, more=ALONE):
        made.append(Twins(make_node, silent))
        urls = [n.url for n in made[-1].nodes]
        return make_balancer(urls, clusters[1].url, io=backend, more=LOG, source_more=more), made[-1]

    made = []
    yield make
    for one in made:
        one.over.set()


@pytest.mark.parametrize("request_", [
    b"GET /i/_doc/1 HTTP/1.1\r\nHost: a\r\n\r\n",
    b"POST /i/_search HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}",
])
def test_a_read_that_was_not_answered_goes_to_another_node(twins, request_):
    balancer, nodes = twins()
    assert ask(balancer, request_)[0] == 201
    assert len(nodes.asked) == 2 and nodes.asked[0] == nodes.asked[1]
    line = line_of(balancer)
    assert (line["attempts"], line["target_status_code_list"], line["outcome"]) == (2, "- 201", None)
    assert set(line["target_list"].split()) == {f"{n.address}:{n.port}" for n in nodes.nodes}
    assert metric(balancer, "retries_total") == 1


def test_a_write_that_was_not_answered_is_unknown(twins):
    balancer, nodes = twins()
    status, head = ask(balancer, BULK)
    assert status == 500 and b"x-crossfade-error: connection_reset; outcome=unknown" in head
    line = line_of(balancer)
    assert (line["attempts"], line["outcome"], line["error_reason"]) == (1, "unknown", "connection_reset")
    assert metric(balancer, "writes_unknown_total") == 1 and metric(balancer, "retries_total") == 0
    assert len(nodes.asked) == 1


def test_a_read_that_takes_too_long_is_not_asked_again(twins):
    balancer, nodes = twins(silent=True, more=ALONE + "\n  timeouts: { idle: 300ms }")
    status, head = ask(balancer, b"GET /i/_doc/1 HTTP/1.1\r\nHost: a\r\n\r\n")
    assert status == 504 and b"x-crossfade-error: response_timeout" in head
    assert len(nodes.asked) == 1 and metric(balancer, "retries_total") == 0


def test_a_write_that_no_node_has_got_goes_to_another(make_balancer, make_node, clusters, backend):
    node, dead = Slow(), "http://127.0.0.1:9"
    node.gate.set()
    balancer = make_balancer([dead, make_node(node.serve).url], clusters[1].url, io=backend, more=LOG,
                             source_more=ALONE)
    status, said = zip(*(ask(balancer, BULK) for _ in range(2)))
    assert status == (201, 201), said
    text = until(lambda: (t := (balancer.directory / "access.log").read_text()).count("\n") == 2 and t)
    lines = [json.loads(line) for line in text.splitlines()]
    # Both are asked in turn.
    assert max(line["attempts"] for line in lines) == 2
    for line in lines:
        assert line["target_status_code_list"] == ("201" if line["attempts"] == 1 else "- 201")
        assert line["outcome"] == "accepted"
    assert len(node.asked) == 2 and metric(balancer, "writes_unknown_total") == 0
