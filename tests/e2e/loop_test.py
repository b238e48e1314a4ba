"""Requests that would go round: a node that is this balancer itself, by a way that no address shows."""

import os
import signal
import socket
import threading

import requests
from stage import until

SELDOM = "health: { interval: 1h }"


def relay_to(balancer, passed):
    """A node that is another address of it, as behind a NAT."""
    def pump(source, sink):
        try:
            while data := source.recv(65536):
                passed.append(data)
                sink.sendall(data)
        finally:
            sink.shutdown(socket.SHUT_WR)

    def serve(connection):
        host, port = balancer().source.split("//")[1].split(":")
        with socket.create_connection((host, int(port)), timeout=20) as onward:
            back = threading.Thread(target=pump, args=[onward, connection], daemon=True)
            back.start()
            pump(connection, onward)
            back.join(20)
    return serve


def times(passed, what):
    return b"".join(passed).count(what)


def test_a_node_that_is_the_balancer_by_another_address_gets_508(make_balancer, make_node, clusters, backend):
    passed, made = [], []
    relay = make_node(relay_to(lambda: made[0], passed))
    made.append(make_balancer(relay.url, clusters[1].url, io=backend, start=False,
                              source_more="health: { interval: 100ms, failures: 2, expected: 200-599 }"))
    made[0].start()
    until(lambda: "is out of service: its checks fail: 508 in" in made[0].said())
    until(lambda: "this is the balancer itself" in made[0].said(), what="a word")
    got = requests.put(made[0].source + "/round", data=b"{}", timeout=20)
    assert got.status_code == 508 and times(passed, b"PUT /round") == 1
    until(lambda: "a request from 127.0.0.1 got status 508" in made[0].said())


def test_two_balancers_that_point_at_each_other_answer_508(make_balancer, make_node, clusters, backend):
    passed, made = [], []
    relay = make_node(relay_to(lambda: made[0], passed))
    made.append(make_balancer("http://127.0.0.1:9", clusters[1].url, io=backend, source_more=SELDOM, start=False))
    other = make_balancer(relay.url, clusters[1].url, io=backend, source_more=SELDOM, start=False)
    text = made[0].file.read_text()
    made[0].file.write_text(text.replace("http://127.0.0.1:9 ", other.source + " "))
    made[0].start(), other.start()
    for n in range(1, 4):
        got = requests.put(made[0].source + "/round", data=b"{}", timeout=20)
        assert got.status_code == 508 and times(passed, b"PUT /round") == n


def test_two_balancers_in_a_row_are_no_loop_and_a_crash_changes_no_id(make_balancer, clusters):
    inner = make_balancer(clusters[0].url, clusters[1].url, source_more=SELDOM)
    outer = make_balancer(inner.source, clusters[1].url, source_more=SELDOM)

    def hops(balancer):
        said = requests.get(balancer.source, headers={"Connection": "close"}, timeout=20).json()["headers"]
        return next(value for name, value in said if name.lower() == "x-crossfade-hop").split(", ")

    both = hops(outer)
    assert len(set(both)) == 2 and all(len(h) == 16 for h in both) and hops(inner) == both[1:]
    before = outer.working_pid()
    os.kill(before, signal.SIGKILL)
    until(lambda: outer.is_up() and outer.working_pid() != before)
    assert hops(outer) == both
    got = requests.get(outer.source, headers={"X-Crossfade-Hop": "a, " + both[0]}, timeout=20)
    assert (got.status_code, got.headers["X-Crossfade-Error"]) == (508, "loop")
