"""Sample clusters as processes: small clusters of documents that tests start, and let fail."""

import contextlib
import json
import socket
import subprocess

import requests
from stage import PROGRAM, own_address, reachable, until


def send_request(address, port, method, path, body, *fields, left_out=0):
    """On a connection of its own, whose response nobody has read yet. The last bytes may not be sent."""
    connection = socket.create_connection((address, port), 10)
    text = (body if isinstance(body, str) else json.dumps(body)).encode()
    head = [f"{method} {path} HTTP/1.1", f"Host: {address}", "Content-Type: application/json",
            f"Content-Length: {len(text)}", *fields]
    connection.sendall("\r\n".join([*head, "", ""]).encode() + text[:len(text) - left_out])
    return connection


class SampleCluster:
    """`crossfade demo-cluster`. Its log has each operation in the order in which it was applied."""

    def __init__(self, name, directory, *options, port=9200):
        self.name, self.address, self.port = name, own_address(), port
        self.log = directory / f"{name}-operations.log"
        self.command = [PROGRAM, "demo-cluster", name, f"{self.address}:{port}", "--log", self.log, *options]
        self.process, self.session = None, requests.Session()
        self.start()

    @property
    def url(self):
        return f"http://{self.address}:{self.port}"

    def start(self):
        """All documents are gone, as with a new cluster, unless it was made with --keep; the log goes on."""
        self.process = subprocess.Popen(self.command)
        until(lambda: self.process.poll() is not None or reachable(self.address, self.port), what=self.name)
        assert self.process.poll() is None

    def kill(self):
        self.process.kill()
        self.process.wait()

    def ask(self, method, path, body=None, **fields):
        """The response. A body that is no text is sent as JSON."""
        data = body if body is None or isinstance(body, (str, bytes)) else json.dumps(body)
        return self.session.request(method, self.url + path, data=data, timeout=30,
                                    headers={"Content-Type": "application/json", **fields})

    def bulk(self, *lines, path="/_bulk", **fields):
        return self.ask("POST", path, "".join(json.dumps(line) + "\n" for line in lines), **fields)

    def faults(self, **faults):
        """These, and no others; none: it works again."""
        assert self.ask("PUT", "/_demo/faults", faults).status_code == 200

    def tasks(self):
        """What was sent and is not applied yet."""
        nodes = self.ask("GET", "/_tasks?actions=indices:data/write/*").json()["nodes"]
        return [task for node in nodes.values() for task in node["tasks"].values()]

    def operations(self):
        return [json.loads(line) for line in self.log.read_text().splitlines()]

    def send(self, method, path, body, *fields):
        return send_request(self.address, self.port, method, path, body, *fields)


@contextlib.contextmanager
def sample_clusters(directory, *names, options=()):
    made = []
    try:
        for name in names:
            made.append(SampleCluster(name, directory, *options))
        yield made
    finally:
        for cluster in made:
            cluster.kill()
