"""The end of a working process, wanted or not."""

import os
import signal
import socket
import threading
import time

import requests
from stage import read_head, serves, until


def knock(balancer, over, refused, slowest):
    """Connects again and again, as a load balancer in front would."""
    while not over.is_set():
        began = time.monotonic()
        try:
            with socket.create_connection((balancer.address, 9201), 10) as c:
                c.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
                c.settimeout(10)
                if c.recv(65536).startswith(b"HTTP/1.1 200"):
                    slowest.append(time.monotonic() - began)
        except ConnectionRefusedError as refusal:
            refused.append(refusal)
        except ConnectionResetError:
            """It was with the process that died."""


def test_nobody_is_refused_and_service_is_back_within_two_seconds(balancer):
    over, refused, times = threading.Event(), [], []
    threads = [threading.Thread(target=knock, args=[balancer, over, refused, times]) for _ in range(4)]
    for t in threads:
        t.start()
    for _ in range(3):
        served = len(times)
        os.kill(balancer.working_pid(), signal.SIGKILL)
        killed = time.monotonic()
        until(lambda: serves(balancer.weighted))
        assert time.monotonic() - killed < 2
        while len(times) < served + 20 and time.monotonic() - killed < 10:
            time.sleep(0.01)
        assert len(times) >= served + 20
    over.set()
    for t in threads:
        t.join()
    assert not refused and max(times) < 2
    assert balancer.said().count("was ended by signal 9") == 3


def test_a_stop_waits_for_no_idle_connection(balancer):
    """Neither for a client's, beyond the two seconds that a request on its way has, nor for those to nodes."""
    with requests.Session() as clear, requests.Session() as sealed:
        clear.get(balancer.source, timeout=10)
        sealed.get(balancer.weighted, verify=False, timeout=10)
        began = time.monotonic()
        assert balancer.stop() == 0
        assert time.monotonic() - began < 4


def test_a_stop_lets_an_answer_end(make_balancer, make_node, backend):
    """And says on it that the connection ends."""
    begun, go_on = threading.Event(), threading.Event()

    def serve(connection):
        if b"/slow" not in read_head(connection)[0]:
            return
        begun.set()
        go_on.wait(10)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    node = make_node(serve)
    balancer = make_balancer(node.url, node.url, io=backend)
    with socket.create_connection((balancer.address, 9201), 10) as c:
        c.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        assert begun.wait(10)
        balancer.process.send_signal(signal.SIGTERM)
        until(lambda: "drain" in balancer.command("status", check=False).stdout)
        go_on.set()
        head, rest = read_head(c)
        assert head == b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close" and rest == b"ok"
        assert c.recv(1) == b""
    assert balancer.stop() == 0
