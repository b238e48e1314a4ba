"""
A service whose state tells in which order it was written: nodes as processes, which keep their state over kill -9.

    PUT /k/NAME      the value becomes the body's hash
    POST /k/NAME     the value becomes a hash of the value before and the body; 404 without one at /old/NAME
    PATCH /k/NAME    as POST
    DELETE /k/NAME   it goes; 404 if there is none
    GET /k/NAME      the value
    GET /all         all values, and how many writes were applied
    GET /seen        the heads of writes, in the order in which they came
    PUT /faults      {"POST": "503"}: writes with that method get this status and do nothing; "cut": they are applied, and
                     the connection is closed without a response; "drop": the same, and they are not applied;
                     "hold": they are applied when the faults change
"""

import hashlib
import http.server
import json
import pathlib
import subprocess
import sys
import threading

import requests

from stage import own_address, reachable, until


class Chain:
    """The state, and its file: a line for each write."""

    def __init__(self, file):
        self.values, self.applied, self.lock = {}, 0, threading.Lock()
        self.faults, self.changed, self.seen = {}, threading.Condition(), []
        if file.exists():
            for line in file.read_text().splitlines():
                self.apply(*json.loads(line))
        self.file = open(file, "a", buffering=1)

    def apply(self, method, name, digest):
        before = self.values.get(name)
        if method == "DELETE":
            if before is None:
                return 404
            del self.values[name]
        elif method == "PUT":
            self.values[name] = digest
        elif before is None and name.startswith("/old/"):
            return 404
        else:
            self.values[name] = hashlib.sha256(f"{before}{digest}".encode()).hexdigest()
        self.applied += 1
        return 200

    def write(self, method, name, digest):
        with self.lock:
            status = self.apply(method, name, digest)
            if status == 200:
                self.file.write(json.dumps([method, name, digest]) + "\n")
            return status


class Handler(http.server.BaseHTTPRequestHandler):
    protocol_version, disable_nagle_algorithm = "HTTP/1.1", True

    def digest(self):
        """Of the body, piece by piece."""
        sha = hashlib.sha256()
        if "chunked" in self.headers.get("Transfer-Encoding", ""):
            while size := int(self.rfile.readline(), 16):
                sha.update(self.rfile.read(size))
                self.rfile.readline()
            self.rfile.readline()
        left = int(self.headers.get("Content-Length", 0))
        while left:
            part = self.rfile.read(min(left, 1 << 20))
            if not part:
                raise ConnectionError
            sha.update(part)
            left -= len(part)
        return sha.hexdigest()

    def respond(self, status, body=b""):
        self.send_response(status)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def do_GET(self):
        chain = self.server.chain
        with chain.lock:
            if self.path == "/all":
                said = {"values": chain.values, "applied": chain.applied}
            elif self.path == "/seen":
                said = chain.seen
            else:
                said = chain.values.get(self.path)
            self.respond(200, json.dumps(said).encode())

    def set_faults(self):
        chain = self.server.chain
        with chain.changed:
            chain.faults = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            chain.changed.notify_all()
        self.respond(200)

    def do_POST(self):
        chain = self.server.chain
        if self.path == "/faults":
            self.set_faults()
            return
        digest = self.digest()
        with chain.lock:
            chain.seen.append([self.command, self.path, self.headers.items()])
        fault = chain.faults.get(self.command)
        if fault == "hold":
            with chain.changed:
                chain.changed.wait_for(lambda: chain.faults.get(self.command) != "hold")
        if fault and fault.isdigit():
            self.respond(int(fault))
            return
        status = 0 if fault == "drop" else chain.write(self.command, self.path.split("?")[0], digest)
        if fault in ("cut", "drop"):
            self.close_connection = True
        else:
            self.respond(status)

    do_PUT = do_PATCH = do_DELETE = do_POST

    def log_message(self, *_):
        pass


class Server(http.server.ThreadingHTTPServer):
    daemon_threads, request_queue_size = True, 1024

    def handle_error(self, *_):
        """A client that hangs up is no news."""


class ChainNode:
    def __init__(self, name, directory):
        self.address, self.port, self.file = own_address(), 9200, directory / f"{name}.chain"
        self.start()

    @property
    def url(self):
        return f"http://{self.address}:{self.port}"

    def start(self):
        self.process = subprocess.Popen([sys.executable, __file__, self.address, str(self.port), self.file])
        until(lambda: reachable(self.address, self.port), 60, "a node")

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ask(self, method, path, body=None):
        return requests.request(method, self.url + path, data=body, timeout=60)

    def all(self):
        return self.ask("GET", "/all").json()

    def seen(self):
        return self.ask("GET", "/seen").json()

    def faults(self, **faults):
        assert self.ask("PUT", "/faults", json.dumps(faults)).ok


def main():
    server = Server((sys.argv[1], int(sys.argv[2])), Handler)
    server.chain = Chain(pathlib.Path(sys.argv[3]))
    server.serve_forever()


if __name__ == "__main__":
    main()
