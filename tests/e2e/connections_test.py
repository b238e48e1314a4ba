"""So many connections to a node, and no more: requests wait for one."""

import socket
import struct
import subprocess
import threading
import time

import requests
from stage import read_head, until


class Counted:
    """A node that answers when it is told to, and notes how many it has at once."""

    def __init__(self):
        self.gate, self.lock, self.now, self.most = threading.Event(), threading.Lock(), 0, 0
        self.order = []

    def serve(self, connection):
        while True:
            head, _ = read_head(connection)
            if not head:
                return
            with self.lock:
                self.now += 1
                self.most = max(self.most, self.now)
                self.order.append(head.split()[1])
            self.gate.wait(20)
            with self.lock:
                self.now -= 1
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


LIMIT = "connections: 3\n  timeouts: { queue: %s }\n  health: { interval: 1h, failures: 100, path: /check }"


def waiting(balancer):
    text = subprocess.run(["curl", "-s", "--unix-socket", balancer.directory / "admin.sock", "http://a/metrics"],
                          capture_output=True, text=True, check=True).stdout
    line = next(l for l in text.splitlines() if l.startswith('crossfade_requests_waiting{cluster="source"}'))
    return int(line.split()[-1])


def ask_all(balancer, n):
    got = []
    threads = [threading.Thread(target=lambda i=i: got.append(requests.get(f"{balancer.source}/{i}", timeout=20)))
               for i in range(n)]
    for thread in threads:
        thread.start()
    return threads, got


def test_requests_wait_for_a_connection_and_none_is_lost(make_balancer, make_node, clusters, backend):
    node = Counted()
    balancer = make_balancer(make_node(node.serve).url, clusters[1].url, io=backend, more="workers: 2",
                             source_more=LIMIT % "20s")
    threads, got = ask_all(balancer, 12)
    # The share of a worker is 2 and 1: who of them has how many clients is the kernel's choice.
    until(lambda: waiting(balancer) + sum(p != b"/check" for p in node.order) == 12 and waiting(balancer) >= 9)
    node.gate.set()
    for thread in threads:
        thread.join()
    assert [g.status_code for g in got] == [200] * 12
    assert node.most <= 3 + 1  # and a check
    assert waiting(balancer) == 0


def test_who_waits_too_long_gets_a_503(make_balancer, make_node, clusters, backend):
    node = Counted()
    balancer = make_balancer(make_node(node.serve).url, clusters[1].url, io=backend, more="workers: 1",
                             source_more=LIMIT % "300ms")
    threads, got = ask_all(balancer, 3)
    until(lambda: sum(p != b"/check" for p in node.order) == 3)
    began = time.monotonic()
    late = requests.get(balancer.source, timeout=20)
    assert (late.status_code, late.headers["X-Crossfade-Error"]) == (503, "queue_timeout")
    assert late.headers["Retry-After"] and 0.3 <= time.monotonic() - began < 5
    node.gate.set()
    for thread in threads:
        thread.join()
    assert [g.status_code for g in got] == [200] * 3


def test_fewer_connections_than_workers_are_refused(make_balancer, clusters):
    balancer = make_balancer(clusters[0].url, clusters[1].url, more="workers: 2", source_more="connections: 1",
                             start=False)
    balancer.start(wait=False)
    assert balancer.process.wait(20) != 0
    until(lambda: "source: connections: 1 is less than one for each of the 2 workers" in balancer.said(), what="a word")


def test_so_many_wait_and_no_more(make_balancer, make_node, clusters):
    node = Counted()
    balancer = make_balancer(make_node(node.serve).url, clusters[1].url, more="workers: 1",
                             source_more=(LIMIT % "600s").replace("connections: 3", "connections: 1"))
    where = balancer.source.split("//")[1].split(":")
    asked = [socket.create_connection((where[0], int(where[1])), 20) for _ in range(1 + 1024)]
    for connection in asked:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    until(lambda: waiting(balancer) == 1024)
    late = requests.get(balancer.source, timeout=20)
    assert (late.status_code, late.headers["X-Crossfade-Error"]) == (503, "queue_full")
    gives_up = asked.pop()
    gives_up.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    gives_up.close()
    until(lambda: waiting(balancer) == 1023)
    node.gate.set()
    assert requests.get(balancer.source, timeout=20).status_code == 200
    for connection in asked:
        assert read_head(connection)[0].startswith(b"HTTP/1.1 200")
        connection.close()
