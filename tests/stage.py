"""What tests of the running program stand on: addresses of their own, clusters, a balancer."""

import hashlib
import http.server
import itertools
import json
import os
import pathlib
import signal
import socket
import subprocess
import threading
import time

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = os.environ.get("CROSSFADE", str(ROOT / "build" / "crossfade"))
BACKENDS = ["io_uring", "epoll"]

_numbers = itertools.count(1)


def own_address():
    """A loopback address that nobody else uses: fixed ports on it are free, always."""
    n = next(_numbers)
    return f"127.{64 + os.getpid() % 190}.{n // 250}.{n % 250 + 1}"


def until(true, seconds=10.0, what="it"):
    """Waits for a condition, not for a time."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = true()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {seconds} s for {what}")


def answers(address, port):
    try:
        socket.create_connection((address, port), 1).close()
        return True
    except OSError:
        return False


class EchoCluster:
    """A small HTTP/1.1 server that says what it was asked, and counts."""

    def __init__(self, name):
        cluster = self
        self.name, self.address, self.port = name, own_address(), 9200
        self.requests, self.lock = 0, threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def body(self):
                if "chunked" in self.headers.get("Transfer-Encoding", ""):
                    parts = []
                    while size := int(self.rfile.readline().split(b";")[0], 16):
                        parts.append(self.rfile.read(size))
                        self.rfile.readline()
                    while self.rfile.readline().strip():
                        pass
                    return b"".join(parts)
                return self.rfile.read(int(self.headers.get("Content-Length", 0)))

            def answer(self):
                with cluster.lock:
                    cluster.requests += 1
                body = self.body()
                said = json.dumps({
                    "cluster": cluster.name, "method": self.command, "path": self.path,
                    "headers": self.headers.items(), "length": len(body),
                    "sha256": hashlib.sha256(body).hexdigest(),
                }).encode()
                self.send_response(200)
                self.send_header("Content-Type", "application/json")
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                if self.command != "HEAD":
                    self.wfile.write(said)

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = answer

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 1024

        self.server = Server((self.address, self.port), Handler)
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    @property
    def url(self):
        return f"http://{self.address}:{self.port}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()


class Balancer:
    """A running crossfade with a configuration that a test has written."""

    def __init__(self, directory, configuration, program=PROGRAM):
        self.directory, self.program = directory, program
        self.file = directory / "crossfade.yaml"
        self.file.write_text(configuration)
        self.log = directory / "log"
        self.process = None

    def start(self, wait=True):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([self.program, "run", "-c", str(self.file)],
                                            stdout=log, stderr=log)
        if wait:
            until(self.is_up, 20, f"a ready balancer; it said: {self.said()}")
        return self

    def is_up(self):
        assert self.process.poll() is None, f"it ended: {self.said()}"
        return self.command("status", check=False).returncode == 0

    def said(self):
        return self.log.read_text() if self.log.exists() else ""

    def command(self, *words, check=True):
        done = subprocess.run([self.program, *words, "-c", str(self.file)], capture_output=True,
                              text=True, timeout=30, check=False)
        assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done

    def weights(self, source, target, *more):
        return json.loads(self.command("weights", str(source), str(target), *more, "-o", "json").stdout)

    def end(self):
        """Stops it as its operator would, unless the test has: it has said nothing terrible."""
        if self.process and self.process.poll() is None:
            assert self.stop() == 0, self.said()
        for word in "Sanitizer", "runtime error", "broken promise":
            assert word not in self.said(), self.said()

    def stop(self, seconds=20):
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
            try:
                self.process.wait(seconds)
            except subprocess.TimeoutExpired:
                self.process.kill()
                self.process.wait()
                raise
        return self.process.returncode
