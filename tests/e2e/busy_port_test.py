"""A start at an address that somebody has: who it is is said, and it ends."""

import contextlib
import os
import re
import socket
import time

import pytest
import requests
from stage import until


@pytest.mark.parametrize("ports", [[8443], [9201, 9202], [8443, 9201, 9202]])
def test_a_busy_port_is_said_at_once_with_who_has_it(make_balancer, clusters, ports):
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False)
    with contextlib.ExitStack() as held:
        for port in ports:
            held.enter_context(socket.create_server((balancer.address, port)))
        began = time.monotonic()
        balancer.start(wait=False)
        assert balancer.process.wait(10) == 1
        assert time.monotonic() - began < 1.9  # shorter than one that may be ending is waited for
    with open("/proc/self/comm", encoding="utf8") as comm:
        name = comm.read().strip()
    for port in ports:
        assert (f"address: cannot listen on {balancer.address}:{port}: Address already in use "
                f"(process {os.getpid()}, {name}, listens there)") in balancer.said()
    assert "is started again" not in balancer.said()


def test_one_that_may_be_ending_is_waited_for_once(make_balancer, clusters):
    first = make_balancer(clusters[0].url, clusters[1].url)
    second = make_balancer(clusters[0].url, clusters[1].url, start=False)
    second.file.write_text(second.file.read_text().replace(second.address, first.address))
    began = time.monotonic()
    second.start(wait=False)
    assert second.process.wait(10) == 1
    assert time.monotonic() - began < 4
    said = second.said()
    assert re.search(rf"info +address {first.address}:8443 is in use \(process \d+, crossfade, listens there\): "
                     "waiting up to 2 s, for a balancer that has just ended to release it", said), said
    for port in 8443, 9201, 9202:
        assert re.search(rf"cannot listen on {first.address}:{port}: Address already in use \(process \d+, crossfade, ", said), said


def test_an_address_that_is_let_go_of_is_taken(make_balancer, clusters):
    first = make_balancer(clusters[0].url, clusters[1].url)
    second = make_balancer(clusters[0].url, clusters[1].url, start=False)
    second.file.write_text(second.file.read_text().replace(second.address, first.address))
    second.start(wait=False)
    until(lambda: " is in use" in second.said(), what="its waiting")
    first.stop()
    until(second.is_up, 10, "the second")
    assert requests.get(first.source, timeout=10).status_code == 200
