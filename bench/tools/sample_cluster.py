"""How fast one sample cluster is, which stands in for a document cluster in measurements: operations of bulks, documents of
_mget, and single PUTs, with the CPU of its process for each. The CPU holds where the machine is busy, the rates do not.

    python3 bench/tools/sample_cluster.py build/crossfade [--log FILE]
"""

import os
import socket
import subprocess
import sys
import time

ADDRESS, BULKS, SIZE, IDS, PUTS = ("127.0.0.1", 19200), 400, 500, 100000, 64
# 195 bytes
DOCUMENT = ('{"number":%d,"user":"somebody-%d","message":"a line of text that makes the document about two hundred bytes long, '
            'as asked for here","level":"info","took":1.5,"ok":true,"at":"2026-11-24T10:00:00Z"}\n')


def request(method, path, body):
    head = f"{method} {path} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
    return (head + body).encode()


def bulk(n):
    return request("POST", "/_bulk", "".join(
        '{"index":{"_index":"bench","_id":"%d"}}\n' % ((n * SIZE + i) % IDS) + DOCUMENT % (i, i) for i in range(SIZE)))


def mget(n):
    docs = ",".join('{"_index":"bench","_id":"%d"}' % ((n * SIZE + i) % IDS) for i in range(SIZE))
    return request("POST", "/_mget", f'{{"docs":[{docs}]}}')


class Cluster:
    def __init__(self, program, *options):
        self.process = subprocess.Popen([program, "demo-cluster", "source", "%s:%d" % ADDRESS, *options])
        deadline = time.monotonic() + 20
        while True:
            try:
                self.socket = socket.create_connection(ADDRESS)
                break
            except OSError:
                assert self.process.poll() is None and time.monotonic() < deadline
                time.sleep(0.05)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb", 1 << 20)

    def response(self):
        status, length = self.stream.readline(), 0
        while (line := self.stream.readline()) != b"\r\n":
            if line.lower().startswith(b"content-length:"):
                length = int(line[15:])
        body = self.stream.read(length)
        assert status.split()[1] in (b"200", b"201") and b'"errors":true' not in body[:60], (status, body[:200])

    def cpu(self):
        fields = open(f"/proc/{self.process.pid}/stat", encoding="ascii").read().rsplit(")", 1)[1].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def measure(self, what, requests, each):
        """`requests`: bytes that are sent at once, and how many responses they have."""
        began, cpu, n = time.monotonic(), self.cpu(), 0
        for sent, responses in requests:
            self.socket.sendall(sent)
            for _ in range(responses):
                self.response()
                n += each
        took, cpu = time.monotonic() - began, self.cpu() - cpu
        print(f"{what}: {n / took:.0f}/s, CPU {cpu / n * 1e6:.1f} us each")


def main():
    cluster = Cluster(*sys.argv[1:])
    try:
        cluster.measure("operations in bulks of 500", [(bulk(n), 1) for n in range(BULKS)], SIZE)
        cluster.measure("documents by _mget of 500", [(mget(n), 1) for n in range(BULKS)], SIZE)
        puts = b"".join(request("PUT", f"/bench/_doc/{n}", '{"number":1}') for n in range(PUTS))
        cluster.measure("single PUTs, 64 at a time", [(puts, PUTS)] * BULKS, 1)
    finally:
        cluster.process.kill()


main()
