"""Peers that do not keep up: what they hold is bounded, and nobody else waits for them."""

import asyncio
import contextlib
import fcntl
import re
import resource
import socket
import ssl
import struct
import termios
import threading
import time

import pytest
import requests
from stage import own_address, read_head, until

MIB = 1 << 20
LARGE = 200 * MIB
PIECE = bytes(1 << 18)
# Credit each way, one receive under way, heads, and what the kernel's buffers never show as ours.
HELD_BY_ONE = 2 * 256 * 1024 + 128 * 1024
SLACK = 6 * MIB


def connect(balancer, receive_buffer=None):
    s = socket.socket()
    if receive_buffer:
        s.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
    s.settimeout(20)
    s.connect((balancer.address, 9201))
    return s


class Cluster:
    """Answers GET /large with 200 MB, takes uploads as slowly as it is told, all else at once."""

    def __init__(self):
        self.go_on = threading.Event()
        self.got = 0
        self.sent = 0

    def serve(self, c):
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                more = c.recv(65536)
                if not more:
                    return
                data += more
            head, data = data.split(b"\r\n\r\n", 1)
            if head.startswith(b"GET /large"):
                c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % LARGE)
                for _ in range(LARGE // len(PIECE)):
                    c.sendall(PIECE)
                    self.sent += len(PIECE)
                continue
            if head.startswith(b"GET /medium"):
                self.sent += len(PIECE)
                c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % len(PIECE) + PIECE)
                continue
            if head.startswith(b"POST /large"):
                self.go_on.wait(60)
                left = LARGE - len(data)
                while left:
                    more = c.recv(min(left, MIB))
                    assert more
                    left -= len(more)
                data = b""
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")


@pytest.fixture
def cluster():
    return Cluster()


@pytest.fixture
def balancer(make_balancer, make_node, cluster, backend):
    node = make_node(cluster.serve, receive_buffer=65536)
    balancer = make_balancer(node.url, node.url, io=backend, more="workers: 1",
                             cluster_more="  health: { interval: 1h, failures: 9 }")
    # What is kept for later once it was needed: not counted against anybody.
    with requests.Session() as s:
        for _ in range(50):
            s.get(balancer.source + "/", timeout=20)
        s.get(balancer.weighted + "/", verify=False, timeout=20)
    return balancer


def others_are_served(balancer):
    with requests.Session() as s:
        for _ in range(50):
            began = time.monotonic()
            assert s.get(balancer.source + "/", timeout=20).text == "ok"
            assert time.monotonic() - began < 2


def stands_still(number):
    """Waits until a number has not grown for a while."""
    last, since = number(), time.monotonic()
    while time.monotonic() - since < 0.5:
        time.sleep(0.05)
        if number() != last:
            last, since = number(), time.monotonic()
    return last


def test_clients_that_do_not_read_hold_little(balancer, cluster):
    before = balancer.resident_bytes()
    with contextlib.ExitStack() as stack:
        stalled = [stack.enter_context(connect(balancer, 65536)) for _ in range(8)]
        for c in stalled:
            c.sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
            assert read_head(c)[0].startswith(b"HTTP/1.1 200")
        assert stands_still(lambda: cluster.sent) < LARGE
        held = balancer.resident_bytes() - before
        assert held < len(stalled) * HELD_BY_ONE + SLACK, f"{held / MIB:.1f} MiB"
        others_are_served(balancer)
        # Nothing was lost: one of them reads on.
        left = 0
        while part := stalled[0].recv(MIB):
            left += len(part)
            if left > LARGE - 2 * MIB:
                break
        assert left > LARGE - 2 * MIB


def test_clusters_that_do_not_read_hold_little(balancer, cluster):
    before = balancer.resident_bytes()
    sent, responses = [0] * 4, [None] * 4
    stalled = [connect(balancer) for _ in sent]

    def upload(n):
        c = stalled[n]
        c.sendall(b"POST /large HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % LARGE)
        for _ in range(LARGE // len(PIECE)):
            c.sendall(PIECE)
            sent[n] += len(PIECE)
        responses[n] = read_head(c)[0]

    threads = [threading.Thread(target=upload, args=[n], daemon=True) for n in range(len(sent))]
    for t in threads:
        t.start()
    until(lambda: all(sent))
    stands_still(lambda: sum(sent))
    assert all(n < LARGE / 2 for n in sent)
    held = balancer.resident_bytes() - before
    assert held < len(sent) * HELD_BY_ONE + SLACK, f"{held / MIB:.1f} MiB"
    others_are_served(balancer)
    cluster.go_on.set()
    for t in threads:
        t.join(60)
    assert all(a.startswith(b"HTTP/1.1 200 OK\r\nContent-Length: 2") for a in responses)
    for c in stalled:
        c.close()


def test_a_client_that_pipelines_and_does_not_read_holds_little(balancer, cluster):
    before = balancer.resident_bytes()
    with connect(balancer, 65536) as c:
        # 200 MB of responses are asked for with 30 KB.
        c.sendall(b"GET /medium HTTP/1.1\r\nHost: a\r\n\r\n" * (LARGE // len(PIECE)))
        until(lambda: cluster.sent)
        assert stands_still(lambda: cluster.sent) < LARGE / 4
        held = balancer.resident_bytes() - before
        assert held < HELD_BY_ONE + SLACK, f"{held / MIB:.1f} MiB"
        others_are_served(balancer)
        left = LARGE
        while left > 0:
            part = c.recv(MIB)
            assert part
            left -= len(part)


# With so little memory a few dozen connections that stand still have all of it.
SHORT = "workers: 1\nmemory: 2MiB"
SLEEPERS = 48


@pytest.fixture
def short_of_memory(make_balancer, make_node, cluster, backend):
    node = make_node(cluster.serve, receive_buffer=65536)
    return make_balancer(node.url, node.url, io=backend, more=SHORT,
                         cluster_more="  health: { interval: 1h, failures: 9 }")


def metric(balancer, name):
    """From the admin socket."""
    with socket.socket(socket.AF_UNIX) as s:
        s.connect(str(balancer.directory / "admin.sock"))
        s.sendall(b"GET /metrics HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
        text = b"".join(iter(lambda: s.recv(65536), b"")).decode()
    return int(re.search(rf"^crossfade_{re.escape(name)} (\d+)", text, re.M)[1])


def target_is_served(balancer):
    with requests.Session() as s:
        for _ in range(20):
            began = time.monotonic()
            assert s.post(balancer.target + "/", data=bytes(50000), timeout=20).text == "ok"
            assert time.monotonic() - began < 2


def test_clients_that_read_nothing_keep_no_response_from_others(short_of_memory, cluster):
    balancer = short_of_memory
    with contextlib.ExitStack() as stack:
        for _ in range(SLEEPERS):
            stack.enter_context(connect(balancer, 4096)).sendall(b"GET /large HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: metric(balancer, 'cluster_waiting_for_memory{cluster="source"}') > SLEEPERS / 2, 20)
        stands_still(lambda: cluster.sent)
        others_are_served(balancer)
        target_is_served(balancer)
        used = metric(balancer, 'cluster_memory_bytes{cluster="source"}')
        assert used < 2 * MIB + SLEEPERS * 128 * 1024, f"{used / MIB:.1f} MiB"
        until(lambda: "memory: data from source" in balancer.said(), what="a word")
    until(lambda: metric(balancer, 'cluster_memory_bytes{cluster="source"}') == 0, 20)
    assert metric(balancer, 'cluster_waiting_for_memory{cluster="source"}') == 0


def test_uploads_to_a_node_that_hangs_keep_nobody_from_anything(short_of_memory, cluster):
    balancer = short_of_memory
    with contextlib.ExitStack() as stack:
        slow = [stack.enter_context(connect(balancer)) for _ in range(SLEEPERS)]
        for c in slow:
            c.sendall(b"POST /large HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % LARGE)
            c.setblocking(False)

        def push():
            for c in slow:
                with contextlib.suppress(BlockingIOError):
                    c.send(PIECE)
            return metric(balancer, "clients_waiting_for_memory") > SLEEPERS / 2

        until(push, 20)
        others_are_served(balancer)
        target_is_served(balancer)
        used = metric(balancer, "clients_memory_bytes")
        assert used < 2 * MIB + SLEEPERS * 128 * 1024, f"{used / MIB:.1f} MiB"
        for c in slow:
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    # The node still hangs: it is their going alone that frees what they held.
    until(lambda: metric(balancer, "clients_memory_bytes") == 0, 5)
    cluster.go_on.set()


def unacknowledged(c):
    return struct.unpack("i", fcntl.ioctl(c, termios.TIOCOUTQ, bytes(4)))[0]


def send_acknowledged(c, n):
    """Up to `n` bytes. False where the kernels did not take them all."""
    c.send(PIECE[:n])
    with contextlib.suppress(AssertionError):
        until(lambda: unacknowledged(c) == 0, 1)
    return unacknowledged(c) == 0


def stands(balancer):
    """Whether the balancer holds bytes that nobody takes."""
    end = time.monotonic() + 0.2
    while time.monotonic() < end:
        if metric(balancer, "clients_memory_bytes") == 0:
            return False
    return True


def begin_upload(c):
    c.sendall(b"POST /large HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % LARGE)


def upload_until_it_stands(balancer, c):
    """All that was sent is at the balancer, some of it behind what it holds: a FIN comes, behind bytes that nobody asks for."""
    begin_upload(c)
    while not stands(balancer):
        assert send_acknowledged(c, 65536)
    assert send_acknowledged(c, 4096)


@pytest.mark.parametrize("resets", [False, True], ids=["fin", "reset"])
def test_a_client_that_goes_amid_an_upload_to_a_node_that_hangs_is_seen(balancer, cluster, resets):
    with connect(balancer) as c:
        begin_upload(c)
        while send_acknowledged(c, 65536):
            pass
        c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    until(lambda: metric(balancer, "clients_memory_bytes") == 0, 5)
    with connect(balancer) as c:
        upload_until_it_stands(balancer, c)
        if resets:
            c.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    until(lambda: metric(balancer, "clients_memory_bytes") == 0, 5)
    cluster.go_on.set()


def test_chunks_that_are_mostly_extensions_are_refused(balancer):
    with connect(balancer) as c:
        c.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" +
                  (b"1;" + b"x" * 1000 + b"\r\ny\r\n") * 200)
        head = read_head(c)[0]
        assert head.startswith(b"HTTP/1.1 400") and b"chunk_overhead" in head
    others_are_served(balancer)


class Crowd:
    """Many clients in one thread."""

    def __init__(self, balancer, tls):
        self.address, self.port, self.tls = balancer.address, 8443 if tls else 9201, tls
        self.served = 0

    async def client(self, everybody):
        reader, writer = await asyncio.open_connection(self.address, self.port, ssl=self.tls)
        await everybody.wait()
        for _ in range(3):
            writer.write(b"POST /crowd HTTP/1.1\r\nHost: a\r\nContent-Length: 1000\r\n\r\n" + bytes(1000))
            head = await reader.readuntil(b"\r\n\r\n")
            assert head.startswith(b"HTTP/1.1 200"), head
            assert await reader.readexactly(2) == b"ok"
            self.served += 1
        writer.close()

    async def all(self, n):
        everybody = asyncio.Barrier(n)
        await asyncio.wait_for(asyncio.gather(*[self.client(everybody) for _ in range(n)]), 60)


async def small_node(reader, writer):
    with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
        while True:
            head = await reader.readuntil(b"\r\n\r\n")
            await reader.readexactly(1000 if b"POST" in head else 0)
            writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    writer.close()


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
def test_a_thousand_clients_at_once_are_all_served(make_balancer, backend, tls):
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, min(hard, 8192)), hard))
    context = None
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    node = own_address()

    async def run():
        server = await asyncio.start_server(small_node, node, 9200, backlog=2048)
        balancer = await asyncio.to_thread(make_balancer, f"http://{node}:9200", f"http://{node}:9200", io=backend)
        crowd = Crowd(balancer, context)
        await crowd.all(1000)
        server.close()
        return crowd.served

    assert asyncio.run(run()) == 3000
