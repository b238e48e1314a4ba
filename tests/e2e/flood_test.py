"""
Floods: many clients that mean no good, and one that does. Limits hold, the good one is served, and memory comes back.

Each flood is a slice of seconds; FLOOD_SECONDS=60 and FLOOD_CLIENTS=15000 make it a real one. What was seen is
printed (pytest -s) and appended as a line of JSON to the file FLOOD_REPORT, if there is one.
"""

import contextlib
import json
import os
import re
import resource
import select
import signal
import socket
import ssl
import struct
import threading
import time

import pytest
import requests
from stage import Balancer, own_address, until

SECONDS = float(os.environ.get("FLOOD_SECONDS", 2))
CLIENTS = int(os.environ.get("FLOOD_CLIENTS", 1000))
# 100,000 a minute
RATE = 100_000 / 60
MIB = 1 << 20
RESET = struct.pack("ii", 1, 0)
# What is not given back: what malloc cannot, and what one good client needs.
SLACK = 4 * MIB


@pytest.fixture(autouse=True)
def files():
    _, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (hard, hard))


@pytest.fixture
def balancer(tmp_path, certificate, clusters, backend):
    at = own_address()
    balancer = Balancer(tmp_path, f"""\
listeners:
  weighted: {{ address: {at}:8443, connections: {CLIENTS + 100} }}
  source: {{ address: {at}:9201, tls: off, connections: {CLIENTS + 100} }}
  target: {{ address: {at}:9202, tls: off }}
tls: {{ certificate: {certificate}/tls.crt, key: {certificate}/tls.key }}
source: {{ nodes: [ {clusters[0].url} ] }}
target: {{ nodes: [ {clusters[1].url} ] }}
timeouts: {{ head: 1s, idle: 2s }}
workers: 1
io: {backend}
admin: {{ address: {at}:9280, socket: admin.sock }}
state: state
""")
    balancer.address = at
    yield balancer.start()
    balancer.end()


def metric(balancer, name):
    text = requests.get(f"http://{balancer.address}:9280/metrics", timeout=20).text
    found = re.search(rf"^crossfade_{re.escape(name)} (\d+)", text, re.M)
    return int(found[1]) if found else 0


class GoodClient:
    """Asks all the time, over a connection that it keeps, and measures how long it waits."""

    def __init__(self, balancer):
        self.url, self.waits, self.failures = f"http://{balancer.address}:9202/", [], []
        self.stop = threading.Event()
        self.thread = threading.Thread(target=self.run)

    def run(self):
        with requests.Session() as session:
            while not self.stop.wait(0.01):
                began = time.monotonic()
                try:
                    assert session.get(self.url, timeout=20).status_code == 200
                except (AssertionError, OSError) as failure:
                    self.failures.append(failure)
                self.waits.append(time.monotonic() - began)

    def wait_ms(self, share):
        waits = sorted(self.waits)
        return round(1000 * waits[min(int(share * len(waits)), len(waits) - 1)], 1)


class Watch:
    """What the balancer holds before, at the worst, and after; and how its good client fares."""

    def __init__(self, name, balancer):
        self.name, self.balancer, self.seen = name, balancer, {}

    def __enter__(self):
        self.good = GoodClient(self.balancer)
        self.good.thread.start()
        until(lambda: len(self.good.waits) > 10)
        self.before = self.worst = self.balancer.resident_bytes()
        self.end = time.monotonic() + SECONDS
        return self

    def goes_on(self):
        self.worst = max(self.worst, self.balancer.resident_bytes())
        return time.monotonic() < self.end

    def __exit__(self, *trouble):
        self.good.stop.set()
        self.good.thread.join()
        if trouble[0]:
            return
        until(self.is_empty, 20, "all floods to be gone")
        after = self.settles()
        self.seen |= {
            "flood": self.name, "requests": len(self.good.waits),
            "p50_ms": self.good.wait_ms(0.5), "p99_ms": self.good.wait_ms(0.99), "max_ms": self.good.wait_ms(1),
            "before_mib": round(self.before / MIB, 1), "worst_mib": round(self.worst / MIB, 1),
            "after_mib": round(after / MIB, 1),
        }
        print(json.dumps(self.seen))
        if os.environ.get("FLOOD_REPORT"):
            with open(os.environ["FLOOD_REPORT"], "a", encoding="utf-8") as report:
                report.write(json.dumps(self.seen) + "\n")
        assert not self.good.failures
        assert self.good.wait_ms(0.99) < 1000
        # What OpenSSL has left in malloc's arenas may hold some pages.
        assert after < self.before + max(SLACK, 0.4 * (self.worst - self.before)), self.seen

    def settles(self):
        """What is held when it gets no less for so long as anything may wait."""
        least, since = self.balancer.resident_bytes(), time.monotonic()
        while time.monotonic() - since < 11 and least > self.before + SLACK / 2:
            time.sleep(0.1)
            now = self.balancer.resident_bytes()
            if now < least - MIB / 4:
                since = time.monotonic()
            least = min(least, now)
        return least

    def is_empty(self):
        return all(metric(self.balancer, f'connections_open{{listener="{name}"}}') == 0
                   for name in ("weighted", "source", "target"))


class Flood:
    """Many connections that are filled up again as they are closed."""

    def __init__(self, balancer, port, first=b"", then=b"", receive_buffer=None):
        self.at, self.first, self.then, self.receive_buffer = (balancer.address, port), first, then, receive_buffer
        self.open, self.made, self.got = [], 0, b""

    def add(self):
        s = socket.socket()
        if self.receive_buffer:
            s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, self.receive_buffer)
        try:
            s.connect(self.at)
            s.setblocking(False)
            s.send(self.first)
        except (ConnectionError, BlockingIOError):
            s.close()
            return
        self.made += 1
        self.open.append(s)

    def ended(self):
        """Those that the balancer has answered or closed."""
        poll = select.poll()
        for s in self.open:
            poll.register(s, select.POLLIN)
        numbers = {number for number, _ in poll.poll(0)}
        return [s for s in self.open if s.fileno() in numbers]

    def trickle(self):
        """One more piece on each."""
        for s in self.open:
            with contextlib.suppress(OSError):
                s.send(self.then)

    def replace_ended(self):
        for s in self.ended():
            self.open.remove(s)
            s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            s.close()

    def run(self, watch, clients=CLIENTS, replace=False, batch=200):
        while watch.goes_on():
            for _ in range(min(clients - len(self.open), batch)):
                self.add()
            if self.then:
                self.trickle()
            if replace:
                self.replace_ended()
            time.sleep(0.05)
        watch.seen |= {"connections": self.made, "at_once": len(self.open)}

    def close(self):
        for s in self.open:
            with contextlib.suppress(OSError):
                s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
            s.close()
        self.open = []


@pytest.fixture
def flood(balancer):
    made = []

    def make(port, **more):
        made.append(Flood(balancer, port, **more))
        return made[-1]

    yield make
    for one in made:
        one.close()


def test_heads_that_never_end(balancer, flood):
    with Watch("slow heads", balancer) as watch:
        slow = flood(9201, first=b"GET / HTTP/1.1\r\nHost: a\r\n", then=b"X-A: b\r\n")
        slow.run(watch, replace=True)
        # Each has its second and is answered; another one comes in its place.
        until(lambda: slow.made > CLIENTS or slow.ended(), 10, "a head whose time is over")
        slow.close()
    assert metric(balancer, 'local_responses_total{reason="head_timeout"}') >= CLIENTS / 2


def test_bodies_that_never_end(balancer, flood):
    with Watch("slow bodies", balancer) as watch:
        slow = flood(9201, first=b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1000000\r\n\r\n", then=b"x")
        slow.run(watch, CLIENTS // 4)
        slow.close()


def test_clients_that_do_not_read(balancer, flood):
    with Watch("slow readers", balancer) as watch:
        asks = b"GET /" + b"long" * 2000 + b" HTTP/1.1\r\nHost: a\r\n\r\n"
        slow = flood(9201, first=asks * 4, then=asks, receive_buffer=4096)
        slow.run(watch, CLIENTS // 4)
        slow.close()


def test_connections_that_say_nothing(balancer, flood):
    with Watch("idle", balancer) as watch:
        idle = flood(9201)
        idle.run(watch)
        until(lambda: len(idle.ended()) == len(idle.open), 20, "the idle to be closed")
        idle.close()


def test_handshakes_that_stay_half(balancer, flood):
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = ssl._create_unverified_context().wrap_bio(incoming, outgoing)
    with contextlib.suppress(ssl.SSLWantReadError):
        session.do_handshake()
    hello = outgoing.read()
    with Watch("half handshakes", balancer) as watch:
        half = flood(8443, first=hello[:100])
        whole = flood(8443, first=hello)
        half.run(watch, CLIENTS // 2)
        watch.end += 1
        whole.run(watch, min(CLIENTS // 2, 500))
        until(lambda: len(half.ended()) == len(half.open), 20, "half handshakes to be closed")
        half.close()
        whole.close()


def test_a_hundred_thousand_connections_a_minute(balancer):
    """From one address: a third ask and leave, a third are reset behind their request, a third say nothing."""
    asks = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
    with Watch("connects", balancer) as watch:
        made, began = 0, time.monotonic()
        while watch.goes_on():
            # A machine that cannot keep up makes fewer, and ends all the same.
            due = (time.monotonic() - began) * RATE - made
            for _ in range(min(int(due), int(RATE))):
                with socket.create_connection((balancer.address, 9201), 20) as s:
                    if made % 3 != 2:
                        s.sendall(asks)
                    if made % 3 == 0:
                        assert s.recv(100).startswith(b"HTTP/1.1 200")
                    else:
                        s.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
                made += 1
            time.sleep(0.01)
        watch.seen |= {"connections": made, "a_minute": round(60 * made / (time.monotonic() - began))}


def test_more_connections_than_are_allowed(balancer, flood):
    with Watch("too many", balancer) as watch:
        idle = flood(9201, first=b"GET / HTTP/1.1\r\n", then=b"X-A: b\r\n")
        idle.run(watch, CLIENTS + 500, replace=True, batch=CLIENTS + 500)
        allowed = metric(balancer, 'connections_open{listener="source"}')
        assert allowed <= CLIENTS + 100
        idle.close()
    assert metric(balancer, 'connections_rejected_total{reason="too_many_connections"}') > 0


FEW_FILES = 90


class Crowd:
    """Clients that connect and say nothing, as many as there is room for and more; they come again when they must go."""

    def __init__(self, balancer, port):
        self.flood = Flood(balancer, port)

    def __enter__(self):
        self.fill()
        return self

    def __exit__(self, *_):
        self.flood.close()

    def fill(self):
        """Until one is turned away: none is free then."""
        def is_full():
            self.flood.replace_ended()
            self.flood.add()
            return self.flood.ended()
        until(is_full, what="no room for another client")


@pytest.fixture
def short(tmp_path, clusters, backend):
    """A balancer with few open files, and a capture log."""
    at = own_address()
    balancer = Balancer(tmp_path, f"""\
listeners:
  source: {{ address: {at}:9201, tls: off }}
source: {{ nodes: [ {clusters[0].url} ] }}
target: {{ nodes: [ {clusters[1].url} ] }}
capture: {{ directory: capture }}
timeouts: {{ drain: 2s }}
workers: 2
io: {backend}
admin: {{ socket: admin.sock }}
state: state
""", files=FEW_FILES)
    balancer.address = at
    yield balancer.start()
    balancer.end()


def asks(balancer, method, path="/"):
    """The status that a new client gets; None when it is turned away."""
    with contextlib.suppress(OSError):
        return requests.request(method, f"http://{balancer.address}:9201{path}", data="x" if method == "POST" else None,
                                timeout=20).status_code


def descriptors(balancer):
    return len(os.listdir(f"/proc/{balancer.working_pid()}/fd"))


def test_a_node_that_is_asked_where_clients_hold_all_descriptors_answers(short):
    pid = short.working_pid()
    with Crowd(short, 9201) as crowd:
        assert descriptors(short) < FEW_FILES
        for method in ("GET", "POST", "GET", "POST"):
            crowd.fill()
            until(lambda: asks(short, method) == 200, what=f"a response to {method}")
    assert short.working_pid() == pid
    assert short.command("capture", "verify").returncode == 0
    assert short.status()["clusters"][0]["nodes"][0]["state"] == "healthy"


def test_operators_do_their_work_where_clients_hold_all_descriptors(short, clusters):
    pid, node = short.working_pid(), clusters[0].url.removeprefix("http://")
    with Crowd(short, 9201) as crowd:
        assert short.status()["files"]["limit"] == FEW_FILES
        assert short.reload(lambda text: text.replace("drain: 2s", "drain: 3s"))["ok"]
        crowd.fill()
        assert short.weights(3, 1)["epoch"] == 2
        crowd.fill()
        short.command("drain", node, "--delay", "1s", "--force")
        short.command("ready", node)
        crowd.fill()
        assert short.working_pid() == pid
        short.upgrade()
    with Crowd(short, 9201):
        until(lambda: asks(short, "POST") == 200, what="a response after the upgrade")
        short.process.send_signal(signal.SIGTERM)
        assert short.process.wait(20) == 0
    assert "broken promise" not in short.said() and "started again" not in short.said()


def test_a_start_with_too_few_descriptors_says_how_many_would_do(short):
    short.end()
    short.limited = ["prlimit", "--nofile=40:40"]
    short.start(wait=False)
    assert short.process.wait(20) != 0
    assert "at most 40 files may be open, and these listeners and nodes need" in short.said()
