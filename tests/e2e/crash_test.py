"""A working process that is killed: nobody is refused, and soon everybody is served again."""

import os
import signal
import socket
import threading
import time

import requests


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
        assert requests.get(balancer.weighted, verify=False, timeout=10).status_code == 200
        assert time.monotonic() - killed < 2
        while len(times) < served + 20 and time.monotonic() - killed < 10:
            time.sleep(0.01)
        assert len(times) >= served + 20
    over.set()
    for t in threads:
        t.join()
    assert not refused and max(times) < 2
    assert balancer.said().count("was ended by signal 9") == 3
