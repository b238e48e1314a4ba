#!/usr/bin/env python3
"""
crash.py KILLS: writes through a captured listener from 32 clients, the balancer killed with -9 at random moments and
started again. What the cluster has applied, and what a client was told, must be in the log.
"""

import http.client
import http.server
import json
import os
import pathlib
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[1]))
from stage import PROGRAM, own_address, until  # noqa: E402

CLIENTS = 32


class Cluster:
    """Applies a write when it has all of it, and never before."""

    def __init__(self):
        cluster, self.applied, self.lock, self.address = self, set(), threading.Lock(), own_address()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

            def do_PUT(self):
                length = int(self.headers["Content-Length"])
                if len(self.rfile.read(length)) < length:
                    return
                with cluster.lock:
                    cluster.applied.add(self.path)
                self.do_GET()

            def do_GET(self):
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 1024

            def handle_error(self, *_):
                """A balancer that is killed is no news."""

        self.server = Server((self.address, 9200), Handler)
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()

    @property
    def url(self):
        return f"http://{self.address}:9200"


class Writers:
    """Clients that write documents of their own, one after the other, whatever happens to the balancer."""

    def __init__(self, address):
        self.address, self.over, self.lock = address, threading.Event(), threading.Lock()
        self.acknowledged, self.begun = set(), 0
        self.threads = [threading.Thread(target=self.write, args=[n]) for n in range(CLIENTS)]

    def __enter__(self):
        for t in self.threads:
            t.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for t in self.threads:
            t.join()

    def write(self, client):
        connection, number = None, 0
        while not self.over.is_set():
            number += 1
            path = f"/books/_doc/{client}-{number}"
            try:
                connection = connection or http.client.HTTPConnection(self.address, 9201, timeout=5)
                body = b'{"n":%d}' % number + b"x" * random.choice([0, 100, 3000, 90_000])
                connection.request("PUT", path, body)
                response = connection.getresponse()
                response.read()
                if response.status == 200:
                    with self.lock:
                        self.acknowledged.add(path)
            except (OSError, http.client.HTTPException):
                if connection:
                    connection.close()
                connection = None
                time.sleep(0.005)


def configuration(at, directory, cluster):
    return f"""\
listeners:
  source: {{ address: {at}:9201, tls: off }}
profile: opensearch
source: {{ nodes: [ {cluster.url} ] }}
target: {{ nodes: [ {cluster.url} ] }}
capture: {{ directory: {directory}/capture, segment: 4MiB }}
workers: 2
state: {directory}/state
"""


class Balancer:
    def __init__(self, directory):
        self.directory, self.process = directory, None

    def start(self):
        with open(self.directory / "log", "ab") as log:
            self.process = subprocess.Popen([PROGRAM, "run", "-c", self.directory / "crossfade.yaml"], stdout=log,
                                            stderr=log)

    def kill(self):
        """All of it at once, as far as that can be done: the working process dies with its keeper."""
        self.process.send_signal(signal.SIGKILL)
        self.process.wait()

    def capture(self, *words, check=True):
        return subprocess.run([PROGRAM, "capture", *words, "--directory", self.directory / "capture"],
                              capture_output=True, text=True, check=check)


def serves(at):
    try:
        connection = http.client.HTTPConnection(at, 9201, timeout=5)
        connection.request("GET", "/")
        return connection.getresponse().status == 200
    except (OSError, http.client.HTTPException):
        return False


def run(kills, directory):
    at = own_address()
    cluster = Cluster()
    (directory / "crossfade.yaml").write_text(configuration(at, directory, cluster))
    balancer = Balancer(directory)
    balancer.start()
    with Writers(at) as writers:
        for _ in range(kills):
            until(lambda: serves(at), 20, "a balancer that serves")
            told = len(writers.acknowledged)
            until(lambda: len(writers.acknowledged) > told + 50, 20, "some writes")
            time.sleep(random.random() / 20)
            balancer.kill()
            balancer.start()
        until(lambda: serves(at), 20, "a balancer that serves")
    balancer.process.send_signal(signal.SIGTERM)
    balancer.process.wait(30)
    verified = balancer.capture("verify", check=False)
    print(verified.stdout + verified.stderr, end="")
    assert verified.returncode == 0, "the log is damaged"
    return cluster, writers, balancer


def judge(cluster, writers, balancer):
    logged, outcomes = set(), {}
    for line in balancer.capture("cat", "-o", "json").stdout.splitlines():
        exchange = json.loads(line)
        if exchange["request_whole"]:
            logged.add(exchange["path"])
        if exchange["outcome"] not in ("open", "unknown"):
            outcomes[exchange["path"]] = exchange["outcome"]
    applied = cluster.applied
    print(f"{len(applied)} writes were applied, {len(writers.acknowledged)} acknowledged, {len(logged)} are in the log")
    lost = applied - logged
    unsaid = {path for path in writers.acknowledged if outcomes.get(path) != "accepted"}
    print(f"applied and not in the log: {len(lost)}; acknowledged without its outcome there: {len(unsaid)}")
    assert len(applied) > 100 and len(writers.acknowledged) > 100
    assert not lost, sorted(lost)[:5]
    assert not unsaid, sorted(unsaid)[:5]


def main(kills):
    with tempfile.TemporaryDirectory() as directory:
        judge(*run(kills, pathlib.Path(directory)))
    print(f"{kills} kills")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 10)
