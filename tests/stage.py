"""What tests of the running program stand on: addresses of their own, clusters, a balancer."""

import collections
import contextlib
import hashlib
import http.server
import itertools
import json
import os
import pathlib
import re
import select
import signal
import socket
import ssl
import subprocess
import sys
import threading
import time

import descriptors
import pytest
import requests

ROOT = pathlib.Path(__file__).resolve().parents[1]
PROGRAM = os.environ.get("CROSSFADE", str(ROOT / "build" / "crossfade"))
BACKENDS = ["io_uring", "epoll"]

_numbers = itertools.count(1)


def claim_network():
    """One of 127.64.0.0/16 to 127.253.0.0/16, held as a name that ends with this process."""
    for n in range(64, 254):
        claim = socket.socket(socket.AF_UNIX)
        try:
            claim.bind(f"\0crossfade-tests-{n}")
            return claim, f"127.{n}"
        except OSError:
            claim.close()
    raise RuntimeError("190 runs of these tests are under way")


_claim, _network = claim_network()


def own_address():
    """A loopback address that nobody else uses: fixed ports on it are free, always."""
    n = next(_numbers)
    return f"{_network}.{n // 250}.{n % 250 + 1}"


def empty(file):
    """What may become of a file that is kept; as zero() and garble()."""
    file.write_bytes(b"")


def zero(file):
    file.write_bytes(bytes(file.stat().st_size))


def garble(file):
    file.write_bytes(b"x" * file.stat().st_size)


def until(true, seconds=30.0, what="it"):
    """Waits for a condition, not for a time. `what` may be a function: what it says in the end is told."""
    deadline = time.monotonic() + seconds
    while time.monotonic() < deadline:
        value = true()
        if value:
            return value
        time.sleep(0.01)
    raise AssertionError(f"waited {seconds} s for {what() if callable(what) else what}")


def serves(url):
    """Whether a GET of it is answered. Who is with a process that dies is cut, and may ask again; nobody is refused."""
    try:
        return requests.get(url, verify=False, timeout=10).status_code == 200
    except requests.ConnectionError as error:
        assert "refused" not in str(error), error
        return False


def reachable(address, port):
    try:
        socket.create_connection((address, port), 1).close()
        return True
    except OSError:
        return False


class EchoCluster:
    """A small HTTP/1.1 server that says what it was asked, and counts each path."""

    def __init__(self, name, address=None, port=9200, tls=None):
        cluster = self
        self.name, self.address, self.port, self.tls = name, address or own_address(), port, tls
        self.asked, self.lock = collections.Counter(), threading.Lock()

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

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

            def response(self):
                with cluster.lock:
                    cluster.asked[self.path] += 1
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

            do_GET = do_HEAD = do_POST = do_PUT = do_DELETE = do_PATCH = do_OPTIONS = response

            def log_message(self, *_):
                pass

        class Server(http.server.ThreadingHTTPServer):
            daemon_threads, request_queue_size = True, 1024
            connections = set()

            def process_request(self, request, address):
                self.connections.add(request)
                super().process_request(request, address)

            def shutdown_request(self, request):
                self.connections.discard(request)
                super().shutdown_request(request)

            def handle_error(self, *_):
                """A client that hangs up is no news."""

        self.server = Server((self.address, self.port), Handler)
        self.port = self.server.server_address[1]
        if tls:
            self.server.socket = tls.wrap_socket(self.server.socket, server_side=True,
                                                 do_handshake_on_connect=False)
        threading.Thread(target=self.server.serve_forever, args=[0.01], daemon=True).start()

    @property
    def url(self):
        return f"http{'s' if self.tls else ''}://{self.address}:{self.port}"

    def close(self):
        self.server.shutdown()
        self.server.server_close()
        for connection in list(self.server.connections):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


@contextlib.contextmanager
def echo_clusters(*names):
    made = [EchoCluster(name) for name in names]
    yield made
    for cluster in made:
        cluster.close()


class Node:
    """A cluster's node as a script: `serve(connection)` runs in a thread for each connection."""

    def __init__(self, serve, receive_buffer=None, address=None):
        self.address, self.port = address or own_address(), 9200
        self.serve, self.connections, self.failures, self.open = serve, 0, [], set()
        self.socket = socket.socket()
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        if receive_buffer:
            self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, receive_buffer)
        self.socket.bind((self.address, self.port))
        self.socket.listen(1024)
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self):
        return f"http://{self.address}:{self.port}"

    def accept(self):
        while True:
            try:
                connection, _ = self.socket.accept()
            except OSError:
                return
            self.connections += 1
            threading.Thread(target=self.attend, args=[connection], daemon=True).start()

    def attend(self, connection):
        self.open.add(connection)
        with connection:
            try:
                self.serve(connection)
            except (AssertionError, OSError) as failure:
                self.failures.append(failure)
        self.open.discard(connection)

    def close(self):
        """Its threads end: they would go on beside other tests."""
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()
        for connection in list(self.open):
            with contextlib.suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)


def receive(connection, n=65536):
    """Some bytes. Whoever waits for more of a connection that has ended would wait, and turn, for ever."""
    got = connection.recv(n)
    if not got:
        raise ConnectionError("the connection has ended")
    return got


def read_head(connection):
    """A message's head, and what came behind it."""
    got = b""
    while b"\r\n\r\n" not in got:
        more = connection.recv(65536)
        if not more:
            return (got or None), b""
        got += more
    head, rest = got.split(b"\r\n\r\n", 1)
    return head, rest


def read_all(connection):
    """Up to the FIN."""
    parts = []
    while part := connection.recv(1 << 20):
        parts.append(part)
    return b"".join(parts)


def exchange(connection, outgoing, is_whole):
    """Sends while it receives, until that is whole. In one thread: OpenSSL wants no second one in a session."""
    busy = (BlockingIOError, ssl.SSLWantReadError, ssl.SSLWantWriteError)
    connection.setblocking(False)
    got, left, deadline = bytearray(), memoryview(outgoing), time.monotonic() + 20
    while not is_whole(got):
        assert time.monotonic() < deadline, bytes(got[:200])
        moved = 0
        with contextlib.suppress(*busy):
            if left:
                moved = connection.send(left[:65536])
                left = left[moved:]
        with contextlib.suppress(*busy):
            part = connection.recv(65536)
            assert part, f"it was closed behind {bytes(got[:200])}"
            got += part
            moved += 1
        if not moved:
            select.select([connection], [connection] if left else [], [], 1)
    return bytes(got)


class Load:
    """Clients that keep their connections and ask without a pause; whatever is not a 200 is a failure."""

    def __init__(self, address, port, clients=4, tls=None):
        self.address, self.port, self.tls = address, port, tls
        self.over, self.served, self.failures = threading.Event(), 0, []
        self.threads = [threading.Thread(target=self.ask, daemon=True) for _ in range(clients)]

    def connect(self):
        plain = socket.create_connection((self.address, self.port), 10)
        return self.tls.wrap_socket(plain, server_hostname="crossfade.test") if self.tls else plain

    def ask(self):
        try:
            while not self.over.is_set():
                with self.connect() as connection:
                    for _ in range(50):
                        self.ask_once(connection)
        except (AssertionError, OSError, ValueError) as failure:
            self.failures.append(repr(failure))

    def ask_once(self, connection):
        connection.sendall(b"GET /load HTTP/1.1\r\nHost: crossfade.test\r\n\r\n")
        head, rest = read_head(connection)
        assert head and head.startswith(b"HTTP/1.1 200 "), head
        left = int(re.search(rb"(?i)content-length: (\d+)", head)[1]) - len(rest)
        while left:
            part = connection.recv(left)
            assert part, "the response was cut"
            left -= len(part)
        self.served += 1

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        until(lambda: self.served or self.failures, what="a first response")
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(20)
        assert not self.failures, self.failures


class Wrk:
    """wrk: clients that honour Connection: close and connect again; `failed` says what went wrong."""

    def __init__(self, url, clients=16, longest=900):
        self.process = subprocess.Popen(["wrk", "-t1", f"-c{clients}", f"-d{longest}", url],
                                        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)
        self.said = ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGINT)
        self.said = self.process.communicate(timeout=20)[0]

    def number(self, pattern):
        found = re.search(pattern, self.said)
        return int(found[1]) if found else 0

    @property
    def served(self):
        assert self.process.returncode == 0, self.said
        return self.number(r"(\d+) requests in")

    @property
    def failed(self):
        counts = {name: self.number(rf"Socket errors:.* ?{name} (\d+)")
                  for name in ("connect", "read", "write", "timeout")}
        counts["status"] = self.number(r"Non-2xx or 3xx responses: (\d+)")
        return {name: n for name, n in counts.items() if n}


class H2load:
    """
    h2load, HTTP/1.1, in rounds of some requests until it is told to stop; `failed` as Wrk's. Rounds of some time (-D)
    may never end: a client that connects again just as the time is up is not told so, and goes on asking for ever.
    """

    def __init__(self, url, clients=16):
        self.command = ["h2load", "--h1", "-t1", f"-c{clients}", "-n3000", url]
        self.over, self.said, self.served = threading.Event(), "", 0
        self.failed = collections.Counter()
        self.thread = threading.Thread(target=self.run)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        self.thread.join(30)

    def run(self):
        while not self.over.is_set():
            if done := self.round():
                self.said += done.stdout
                self.count(done)

    def round(self):
        return subprocess.run(self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)

    def count(self, done):
        found = re.search(r"(\d+) succeeded, (\d+) failed, (\d+) errored, (\d+) timeout", done.stdout)
        if done.returncode or not found:
            self.failed["rounds"] += 1
            return
        self.served += int(found[1])
        self.failed.update({name: int(found[n]) for n, name in ((2, "failed"), (3, "errored"), (4, "timeout"))
                            if int(found[n])})


class TimedH2load(H2load):
    """
    In rounds of a second: with a number of requests, each connection that breaks counts for all that it was still to
    ask. A round that never ends is no round (see above).
    """

    def __init__(self, url, clients=16):
        super().__init__(url, clients)
        self.command[self.command.index("-n3000")] = "-D1"

    def round(self):
        try:
            return subprocess.run(self.command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, timeout=10,
                                  check=False)
        except subprocess.TimeoutExpired:
            return None


class Balancer:
    """A running crossfade with a configuration that a test has written."""

    def __init__(self, directory, configuration, program=PROGRAM, files=None):
        """With `files` as its limit of open files, or the test's own."""
        self.directory, self.program = directory, program
        self.limited = ["prlimit", f"--nofile={files}:{files}"] if files else []
        self.file = directory / "crossfade.yaml"
        self.file.write_text(configuration)
        self.log = directory / "log"
        self.process = None
        self.opened = {}  # what each working process had open when it was ready, by its pid
        self.strict = False  # an error in its log, and all that it holds without use, fail the test,
        self.may_say = []  # but for errors of these patterns

    def start(self, wait=True):
        with open(self.log, "ab") as log:
            self.process = subprocess.Popen([*self.limited, self.program, "run", "-c", str(self.file)],
                                            stdout=log, stderr=log)
        if wait:
            until(self.is_up, 60, lambda: f"a ready balancer; it said: {self.said()}")
            self.note_opened()
        return self

    def note_opened(self):
        with contextlib.suppress(OSError):
            if pid := self.working_pid():
                self.opened[pid] = descriptors.kinds(pid)

    def leaks(self):
        """Descriptors of the working process that are of no use, and kinds of which it has had ever more."""
        with contextlib.suppress(OSError):  # it has just ended, or may not be looked at
            if pid := self.working_pid():
                idle = [d for d in descriptors.idle(pid) if self.strict or d.endswith("connected no more")]
                grown = descriptors.grown(self.opened.get(pid, descriptors.kinds(pid)), pid)
                if "kafka:" in self.file.read_text():
                    grown.pop("pipe", None)  # librdkafka has some for each broker that it has heard of
                return idle + list(grown.items())
        return []

    def errors(self):
        """Lines of errors that the test has not provoked."""
        said = re.findall(r"^\S+ error (.*)", self.said(), re.M)
        return [e for e in said if self.strict and not any(re.search(p, e) for p in self.may_say)]

    def is_up(self):
        assert self.process.poll() is None, f"it ended: {self.said()}"
        return self.command("status", check=False).returncode == 0

    def working_pid(self):
        """The process that serves, the keeper's one child; None while there is none."""
        keeper = self.process.pid
        children = pathlib.Path(f"/proc/{keeper}/task/{keeper}/children").read_text().split()
        return int(children[0]) if children else None

    def resident_bytes(self):
        """Memory of the working process' own."""
        status = pathlib.Path(f"/proc/{self.working_pid()}/status").read_text()
        return int(re.search(r"RssAnon:\s+(\d+) kB", status)[1]) * 1024

    def said(self):
        return self.log.read_text() if self.log.exists() else ""

    def command(self, *words, check=True):
        done = subprocess.run([self.program, *words, "-c", str(self.file)], capture_output=True,
                              text=True, timeout=30, check=False)
        assert not check or done.returncode == 0, f"{words}: {done.stdout}{done.stderr}"
        return done

    def run_into(self, file, *words):
        return subprocess.run([self.program, *words, "-c", str(self.file)], stdout=file, stderr=subprocess.PIPE,
                              text=True, timeout=30, check=False)

    def status(self):
        """It is asked again while one process leaves the admin socket to the next."""
        return until(self.status_now, what=lambda: self.command("status", check=False).stderr)

    def status_now(self):
        """None: nobody answers at this moment."""
        done = self.command("status", "-o", "json", check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def nodes(self, cluster="source"):
        return next(c["nodes"] for c in self.status()["clusters"] if c["name"] == cluster)

    def names(self, n=10):
        """Of the source's echo clusters that answer so many requests."""
        with requests.Session() as s:
            return [s.get(self.source + "/", timeout=20).json()["cluster"] for _ in range(n)]

    def upgrade(self):
        """USR2, and until the next process has taken over the admin API; its pid."""
        before = self.status()["pid"]
        self.process.send_signal(signal.SIGUSR2)
        return until(lambda: (now := self.status()["pid"]) != before and now, 60, lambda: f"an upgrade; {self.said()}")

    def reload(self, change=None):
        """Changes the file's text, and says HUP: what came of it."""
        if change:
            self.file.write_text(change(self.file.read_text()))
        before = self.reloaded()
        self.process.send_signal(signal.SIGHUP)
        return until(lambda: self.reloaded() != before and self.reloaded(), what="a reload")

    def reloaded(self):
        return self.status()["configuration"]["reload"]

    def weights(self, source, target, *more):
        return json.loads(self.command("weights", str(source), str(target), *more, "-o", "json").stdout)

    def end(self):
        """Stops it as its operator would, unless the test has: it holds nothing idle, and has said nothing terrible."""
        if self.process and self.process.poll() is None:
            leaks = []

            def is_tidy():
                leaks[:] = self.leaks()
                return not leaks

            with contextlib.suppress(AssertionError):
                until(is_tidy, 30)  # a thousand clients that have gone at once are not dealt with at once
            assert self.stop() == 0, self.said()
            assert not leaks, leaks
        for word in "Sanitizer", "runtime error", "broken promise":
            assert word not in self.said(), self.said()
        assert not self.errors(), self.errors()

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


STOPPER = """
import ctypes, os, sys
ATTACH, DETACH = 16, 17
libc, thread = ctypes.CDLL(None, use_errno=True), int(sys.argv[1])
ok = libc.ptrace(ATTACH, thread, None, None) == 0 and os.waitpid(thread, 0x40000000)
print("stopped" if ok else "no", flush=True)
sys.stdin.readline()
if ok:
    libc.ptrace(DETACH, thread, None, None)
"""


def stop_a_worker(balancer):
    """Worker 0's thread is stopped by a debugger's call, as by a long page fault. Returns what lets it go on."""
    threads = pathlib.Path(f"/proc/{balancer.working_pid()}/task")
    worker = [t.name for t in threads.iterdir() if (t / "comm").read_text() == "worker 0\n"][0]
    stopper = subprocess.Popen([sys.executable, "-c", STOPPER, worker], stdin=subprocess.PIPE,
                               stdout=subprocess.PIPE, text=True)
    if stopper.stdout.readline() != "stopped\n":
        stopper.communicate()
        pytest.skip("ptrace is not allowed here")
    return lambda: stopper.communicate("go on\n")
