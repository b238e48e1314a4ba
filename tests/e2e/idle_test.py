"""What becomes of connections on which nothing passes."""

import socket
import ssl
import subprocess
import time

import pytest
import requests
from stage import read_head, receive, until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


def place(url):
    host, port = url.split("//")[1].split(":")
    return host, int(port)


def keeps_alive(address, port, side):
    """For each established connection with that end: whether its keepalive timer runs."""
    said = subprocess.run(["ss", "-tnoH", "state", "established", side, f"{address}:{port}"],
                          capture_output=True, text=True, check=True).stdout
    return ["keepalive" in line for line in said.splitlines()]


def test_tcp_looks_after_both_sides_of_a_request(make_balancer, make_node, clusters, backend):
    waiting = []

    def serve(connection):
        while read_head(connection)[0]:
            waiting.append(connection)

    node = make_node(serve)
    balancer = make_balancer(node.url, clusters[1].url, io=backend,
                             source_more="timeouts: { idle: 20m }\n  health: { interval: 1h }")
    until(lambda: waiting, what="the check")
    with socket.create_connection(place(balancer.source)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: len(waiting) >= 2)
        until(lambda: any(keeps_alive(*place(node.url), "dst")), what="a timer toward the node")
        assert all(keeps_alive(*place(balancer.source), "src"))
        for connection in waiting:
            connection.sendall(OK)


class Closer:
    """It closes what was idle for a while, and says how long that is, or does not."""

    def __init__(self, idle, says=b""):
        self.idle, self.says, self.late = idle, says, 0

    def serve(self, connection):
        connection.settimeout(self.idle)
        try:
            while read_head(connection)[0]:
                connection.sendall(OK.replace(b"\r\n\r\n", self.says + b"\r\n\r\n"))
        except TimeoutError:
            self.late += 1


@pytest.mark.parametrize("idle, says, more", [
    (3.0, b"\r\nKeep-Alive: timeout=3", ""),
    (1.5, b"", "timeouts: { keep_alive: 500ms }\n  "),
])
def test_a_node_never_closes_first(make_balancer, make_node, clusters, backend, idle, says, more):
    node = Closer(idle, says)
    balancer = make_balancer(make_node(node.serve).url, clusters[1].url, io=backend,
                             source_more=more + "health: { interval: 1h }")
    began = time.monotonic()
    while time.monotonic() - began < 2 * idle:
        assert requests.post(balancer.source, data=b"x", timeout=10).status_code == 200
        node.late = 0 if time.monotonic() - began < idle / 2 else node.late
        time.sleep(idle / 7)
    assert node.late == 0


@pytest.mark.parametrize("tls", [False, True])
def test_a_request_that_crosses_our_close_is_not_reset(make_balancer, clusters, backend, tls):
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend, more="timeouts: { idle: 1s }")
    url = balancer.weighted if tls else balancer.source
    client = socket.create_connection(place(url))
    if tls:
        client = ssl._create_unverified_context().wrap_socket(client, suppress_ragged_eofs=False)
    request = b"POST /i HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
    client.sendall(request)
    got = b""
    while b"\r\n\r\n" not in got:
        got += receive(client, 65536)
    assert b"\r\nKeep-Alive: timeout=1\r\n" in got
    client.settimeout(10)
    while client.recv(65536):
        pass
    # Our FIN is here. What comes now is read and dropped: on loopback a reset would be here at once.
    for _ in range(3):
        client.sendall(request)
        assert client.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR) == 0
    client.close()
