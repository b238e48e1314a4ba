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


def test_a_stop_lets_a_response_end(make_balancer, make_node, backend):
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


LEAVING = "timeouts: { leave: 10m, drain: 10s }\n"


def make_leaving(make_balancer, clusters, more=LEAVING, **rest):
    balancer = make_balancer(clusters[0].url, clusters[1].url, more=more, start=False, **rest)
    text = balancer.file.read_text()
    balancer.file.write_text(text.replace(":9201,", ":9201, health: /healthz,").replace(
        ":8443 }", ":8443, health: /healthz }"))
    return balancer.start()


def health(balancer):
    """Over a connection of its own, as a load balancer in front asks."""
    return requests.get(f"{balancer.source}/healthz", timeout=10).status_code


def is_refused(balancer):
    try:
        socket.create_connection((balancer.address, 9201), 10).close()
        return False
    except ConnectionResetError:
        return False  # it waited in the queue of a socket that was just closed
    except ConnectionRefusedError:
        return True


def test_a_stop_lets_the_load_balancer_in_front_see_it_before_the_port_closes(make_balancer, clusters, backend):
    balancer = make_leaving(make_balancer, clusters, io=backend)
    assert health(balancer) == 200
    with requests.Session() as kept:
        kept.get(balancer.source, timeout=10)
        balancer.process.send_signal(signal.SIGTERM)
        until(lambda: health(balancer) == 503, what="the health path to say so")
        for _ in range(20):
            assert health(balancer) == 503
            assert requests.get(balancer.source, timeout=10).status_code == 200
            assert requests.get(balancer.weighted, timeout=10, verify=False).status_code == 200
            response = kept.get(balancer.source, timeout=10)
            assert response.status_code == 200 and "close" not in response.headers.get("Connection", "")
        assert balancer.status()["state"] == "leaving"
        # Changes are still possible; a reload and an upgrade are not.
        balancer.weights(1, 2)
        balancer.process.send_signal(signal.SIGUSR2)
        until(lambda: "upgrade: refused: the balancer is stopping" in balancer.said(), what="a refusal")
        # A second signal ends it, and drains: it does not cut.
        balancer.process.send_signal(signal.SIGTERM)
        until(lambda: is_refused(balancer), what="the port to be closed")
    assert balancer.process.wait(20) == 0


def test_leaving_ends_by_itself(make_balancer, clusters):
    balancer = make_leaving(make_balancer, clusters, "timeouts: { leave: 1s, drain: 10s }\n")
    began = time.monotonic()
    balancer.process.send_signal(signal.SIGTERM)
    until(lambda: is_refused(balancer), what="the port to be closed")
    assert 0.9 < time.monotonic() - began
    assert balancer.process.wait(20) == 0


def test_signals_behind_the_one_that_ends_leaving_drain_cut_and_kill(make_balancer, clusters, make_node):
    """A request that never ends, and a client that stays."""
    hold = threading.Event()

    def serve(connection):
        if b"/slow" in read_head(connection)[0]:
            hold.wait(20)

    balancer = make_leaving(make_balancer, [make_node(serve), clusters[1]], "timeouts: { leave: 10m, drain: 10m }\n")
    with socket.create_connection((balancer.address, 9201), 10) as c:
        c.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: balancer.status()["clusters"][0]["in_flight"] == 1, what="the request")
        balancer.process.send_signal(signal.SIGTERM)
        until(lambda: balancer.status()["state"] == "leaving", what="it to leave")
        balancer.process.send_signal(signal.SIGTERM)
        until(lambda: is_refused(balancer), what="the port to be closed")
        assert balancer.process.poll() is None
        balancer.process.send_signal(signal.SIGTERM)
        assert balancer.process.wait(20) == 0
    hold.set()


def test_without_leave_the_port_closes_at_once(make_balancer, clusters):
    balancer = make_leaving(make_balancer, clusters, "")
    began = time.monotonic()
    balancer.process.send_signal(signal.SIGTERM)
    until(lambda: is_refused(balancer), what="the port to be closed")
    assert time.monotonic() - began < 2 and balancer.process.wait(20) == 0


def test_an_upgrade_leaves_nobody(make_balancer, clusters):
    balancer = make_leaving(make_balancer, clusters)
    balancer.upgrade()
    for _ in range(10):
        assert health(balancer) == 200
    balancer.process.send_signal(signal.SIGTERM)
    until(lambda: health(balancer) == 503, what="the health path to say so")
    balancer.process.send_signal(signal.SIGTERM)
    assert balancer.process.wait(20) == 0


def test_a_crash_while_it_leaves_ends_it(make_balancer, clusters):
    balancer = make_leaving(make_balancer, clusters)
    balancer.process.send_signal(signal.SIGTERM)
    until(lambda: health(balancer) == 503, what="the health path to say so")
    os.kill(balancer.working_pid(), signal.SIGKILL)
    balancer.process.wait(10)
    until(lambda: is_refused(balancer), what="the kernel to take its accepts back")


def test_a_signal_to_a_working_process_says_that_it_is_the_keepers(balancer):
    keeper, worker = balancer.process.pid, balancer.working_pid()
    for number in signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2:
        os.kill(worker, number)
        line = (f"signal {number.name} from process {os.getpid()} does nothing here: signals are for the keeper, "
                f"process {keeper} (kill -{number.name[3:]} {keeper})")
        until(lambda: line in balancer.said(), what=line)
    assert balancer.working_pid() == worker and serves(balancer.source)


def test_a_signal_to_all_processes_is_heard_once(balancer):
    os.kill(balancer.working_pid(), signal.SIGTERM)
    balancer.process.send_signal(signal.SIGTERM)
    assert balancer.process.wait(20) == 0 and "ended by" not in balancer.said()


def test_a_signal_to_a_working_process_that_has_just_begun_does_nothing(make_balancer, clusters):
    """As `kill -HUP` of the whole group sends it: from its first instruction on."""
    balancer = make_balancer(clusters[0].url, clusters[1].url, more="workers: 1")
    sent = 0
    for _ in range(10):
        before = balancer.working_pid()
        os.kill(before, signal.SIGKILL)
        until(lambda pid=before: balancer.working_pid() not in (None, pid), what="another one")
        young, end = balancer.working_pid(), time.monotonic() + 0.05
        while time.monotonic() < end:
            for number in signal.SIGHUP, signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2:
                os.kill(young, number)
                sent += 1
        until(balancer.is_up, 20, "it to serve")
        assert balancer.working_pid() == young
    assert sent > 1000
