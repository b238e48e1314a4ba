"""The split, as clients and nodes see it."""

import contextlib
import http.client
import itertools
import json
import os
import random
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest
import requests
from stage import stop_a_worker, until


class Admin(http.client.HTTPConnection):
    """The admin API on its socket."""

    def __init__(self, balancer):
        super().__init__("localhost", timeout=20)
        self.path = str(balancer.directory / "admin.sock")

    def connect(self):
        self.sock = socket.socket(socket.AF_UNIX)
        self.sock.settimeout(20)
        self.sock.connect(self.path)

    def ask(self, method, path, body=None, **headers):
        if isinstance(body, dict):
            body = json.dumps(body)
        self.request(method, path, body, {k.replace("_", "-"): v for k, v in headers.items()})
        response = self.getresponse()
        return response.status, response.headers, json.loads(response.read() or b"null")

    def set(self, source, target, **headers):
        return self.ask("PUT", "/v1/weights", {"weights": {"source": source, "target": target}}, **headers)


def connect(balancer):
    """A client's connection that is never made anew behind its back."""
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    connection = http.client.HTTPSConnection(balancer.address, 8443, timeout=20, context=c)
    connection.connect()
    connection.auto_open = 0
    return connection


def ask(connection, method="GET", path="/", body=None):
    connection.request(method, path, body)
    response = connection.getresponse()
    said = response.read()
    assert response.status == 200, said
    return json.loads(said)


@pytest.mark.parametrize("workers", [1, 2])
@pytest.mark.parametrize("weights", [(80, 20), (1, 2), (999, 1)])
def test_the_split_is_exact(make_balancer, clusters, backend, workers, weights):
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend, weights=weights, more=f"workers: {workers}")
    # Each worker decides for the connections that it happens to get.
    connections = [connect(balancer) for _ in range(10)]
    for c in itertools.islice(itertools.cycle(connections), 1000):
        ask(c, path="/counted")
    got = [c.asked["/counted"] for c in clusters]
    assert sum(got) == 1000
    for n, weight in zip(got, weights):
        assert abs(n - 1000 * weight / sum(weights)) <= workers


def test_an_arm_of_weight_0_is_never_taken(make_balancer, clusters, backend):
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend, more="workers: 2")
    connections, admin = [connect(balancer) for _ in range(6)], Admin(balancer)
    for n in range(20):
        arm = random.Random(n).randrange(2)
        status, _, said = admin.set(1 - arm, arm)
        assert status == 200 and said["epoch"] == n + 2
        # Answered means: no request decided from now on uses the weights before.
        for c in connections:
            assert ask(c)["cluster"] == ("source", "target")[arm]


def test_200_changes_under_load_cost_no_request_and_no_connection(make_balancer, clusters, backend):
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend, more="workers: 2")
    over, failures, served, seen = threading.Event(), [], [0] * 8, set()

    def load(n):
        try:
            connection, chance = connect(balancer), random.Random(n)
            while not over.is_set():
                body = chance.randbytes(chance.choice([0, 100, 100_000]))
                said = ask(connection, "POST", f"/{n}/{served[n]}", body)
                assert (said["length"], said["path"]) == (len(body), f"/{n}/{served[n]}")
                seen.add(said["cluster"])
                served[n] += 1
        except Exception as failure:  # pylint: disable=broad-except
            failures.append(failure)

    threads = [threading.Thread(target=load, args=[n]) for n in range(8)]
    for t in threads:
        t.start()
    admin, chance = Admin(balancer), random.Random(0)
    until(lambda: all(served) or failures)
    for n in range(200):
        weights = [chance.randrange(1000), 1 + chance.randrange(999)]
        status, headers, said = admin.set(*weights)
        assert (status, headers["ETag"], said["epoch"]) == (200, f'"{n + 2}"', n + 2)
    over.set()
    for t in threads:
        t.join()
    assert not failures and seen == {"source", "target"}
    assert all(served)
    lines = [json.loads(line) for line in (balancer.directory / "state/audit.jsonl").read_text().splitlines()]
    assert [line["epoch"] for line in lines][-200:] == list(range(2, 202))
    for before, after in itertools.pairwise(lines[-200:]):
        assert before["to"] == after["from"] and after["saved"]


def test_the_api_refuses_what_is_no_change(balancer):
    admin = Admin(balancer)
    for body, word in [
        ('{"weights":{"source":0,"target":0}}', "both_zero"),
        ('{"weights":{"source":1000,"target":0}}', "bad_request"),
        ('{"weights":{"source":-1,"target":1}}', "bad_request"),
        ('{"weights":{"source":0.5,"target":1}}', "bad_request"),
        ('{"weights":{"source":"1","target":1}}', "bad_request"),
        ('{"weights":{"source":1}}', "bad_request"),
        ('{"weights":{"source":1,"target":1,"more":1}}', "bad_request"),
        ('{"weights":{"source":1,"target":1},"when":"now"}', "bad_request"),
        ('{"weights":{"source":1,"target":1,"target":2}}', "bad_request"),
        ('{"weights":{"source":1,"target":18446744073709551617}}', "bad_request"),
        ("[1,1]", "bad_request"), ("", "bad_request"), ('{"weights":', "bad_request"), ("\0", "bad_request"),
        ("[" * 3000, "bad_request"),
    ]:
        status, _, said = admin.ask("PUT", "/v1/weights", body)
        assert (status, said["error"]) == (400, word), body
    assert admin.ask("PUT", "/v1/weights", "x" * 2_000_000)[0] == 413
    admin = Admin(balancer)
    for value in "seven", '"7', "-1", "0":
        assert admin.set(1, 1, If_Match=value)[0] == 400, value
    status, headers, said = admin.ask("GET", "/v1/weights")
    assert (status, headers["ETag"], said["weights"], said["epoch"]) == (200, '"1"', {"source": 1, "target": 0}, 1)


def test_if_match_lets_one_of_two_win(balancer):
    results = []

    def change(n):
        results.append(Admin(balancer).set(n, 1, If_Match='"1"')[0])

    threads = [threading.Thread(target=change, args=[n]) for n in range(1, 9)]
    for t in threads:
        t.start()
    for t in threads:
        t.join()
    assert sorted(results) == [200] + [412] * 7
    assert Admin(balancer).ask("GET", "/v1/weights")[2]["epoch"] == 2


def test_requests_decided_before_are_counted(make_balancer, make_node, clusters):
    go_on, there = threading.Event(), threading.Semaphore(0)

    def slow(connection):
        if b"/slow" in connection.recv(65536):
            there.release()
            go_on.wait(20)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nConnection: close\r\n\r\n{}")

    balancer = make_balancer(make_node(slow).url, clusters[1].url)
    threads = [threading.Thread(target=lambda: ask(connect(balancer), path="/slow")) for _ in range(3)]
    for t in threads:
        t.start()
        assert there.acquire(timeout=10)
    assert Admin(balancer).set(0, 1)[2]["in_flight_before"] == 3
    assert Admin(balancer).set(0, 2)[2]["in_flight_before"] == 3
    go_on.set()
    for t in threads:
        t.join()
    until(lambda: Admin(balancer).set(0, 3)[2]["in_flight_before"] == 0)


def test_weights_survive_a_crash_of_both_processes(balancer):
    balancer.weights(3, 7)
    for pid in balancer.working_pid(), balancer.process.pid:
        os.kill(pid, signal.SIGKILL)
    balancer.process.wait()
    balancer.start()
    said = Admin(balancer).ask("GET", "/v1/weights")[2]
    assert (said["weights"], said["epoch"]) == ({"source": 3, "target": 7}, 2)


def test_a_torn_state_file_falls_back_to_the_change_before(balancer):
    balancer.weights(3, 7)
    balancer.weights(4, 6)
    assert balancer.stop() == 0
    file = balancer.directory / "state/weights"
    data = bytearray(file.read_bytes())
    half = len(data) // 2
    slots = [bytes(data[:half]), bytes(data[half:])]
    balancer.start()
    assert balancer.stop() == 0
    # A change has its line when it is on the disk: one that was torn has none.
    audit = balancer.directory / "state/audit.jsonl"
    audit.write_text(audit.read_text().splitlines(keepends=True)[0])
    survived = set()
    for n in range(2):
        torn = bytearray(b"".join(slots))
        torn[n * half + 8] ^= 0xff
        file.write_bytes(torn)
        balancer.start()
        said = Admin(balancer).ask("GET", "/v1/weights")[2]["weights"]
        survived.add((said["source"], said["target"]))
        assert balancer.stop() == 0
    assert survived == {(3, 7), (4, 6)}


@contextlib.contextmanager
def small_disk(at):
    at.mkdir()
    if subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k,mode=0700", "tmpfs", at], capture_output=True, check=False).returncode:
        pytest.skip("a small file system of one's own cannot be mounted here: that needs root")
    try:
        yield at
    finally:
        subprocess.run(["umount", "-l", at], check=True)


def fill(at):
    with open(at / "filler", "wb", buffering=0) as f, contextlib.suppress(OSError):
        while True:
            f.write(bytes(512))


def test_rollback_works_on_a_full_disk(make_balancer, clusters, tmp_path):
    with small_disk(tmp_path / "small") as disk:
        balancer = make_balancer(clusters[0].url, clusters[1].url, start=False)
        balancer.file.write_text(balancer.file.read_text().replace("state: state", f"state: {disk}"))
        balancer.start()
        connection = connect(balancer)
        balancer.weights(0, 1)
        assert ask(connection)["cluster"] == "target"
        fill(disk)
        # As often as it takes until the audit log's last block is full as well.
        for _ in range(30):
            done = balancer.command("rollback", "--reason", "the disk is full, " + 200 * "x")
            assert "source 1 (100 %)" in done.stdout
            assert ask(connection)["cluster"] == "source"
        until(lambda: "audit" in balancer.said(), what="a word")
        # The state's blocks were there before: it is kept all the same.
        os.kill(balancer.working_pid(), signal.SIGKILL)
        balancer.process.kill()
        balancer.process.wait()
        balancer.start()
        assert Admin(balancer).ask("GET", "/v1/weights")[2]["weights"] == {"source": 1, "target": 0}
        assert requests.get(balancer.weighted, verify=False, timeout=20).json()["cluster"] == "source"
        balancer.end()


def test_a_worker_has_its_time_however_long_nothing_happened(make_balancer, clusters, backend):
    """What a change waits for is counted from the change, not from when the control thread last did anything."""
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend,
                             cluster_more="  health: { interval: 1h }")
    admin = Admin(balancer)
    assert admin.set(1, 1)[0] == 200
    time.sleep(2.5)  # longer than a worker's time
    go_on = stop_a_worker(balancer)
    later = threading.Timer(0.3, go_on)
    later.start()
    assert admin.set(1, 2)[0] == 200
    later.join()
