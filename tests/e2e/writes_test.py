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


class Slow:
    """A node that answers requests when it is told to; its checks it does not answer."""

    def __init__(self):
        self.gate, self.asked, self.broken = threading.Event(), [], []

    def serve(self, connection):
        while True:
            head, body = read_head(connection)
            if not head:
                return
            if head.startswith(b"GET / "):
                connection.sendall(OK)
                continue
            left = int((re.search(rb"Content-Length: (\d+)", head) or [0, 0])[1]) - len(body)
            while left > 0:
                part = connection.recv(left)
                if not part:
                    self.broken.append(head)
                    return
                left -= len(part)
            self.asked.append(head)
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
