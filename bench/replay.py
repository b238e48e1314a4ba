"""What replay costs, and how far it is behind: sample clusters stand in for real ones unless URLs are given.

    python3 bench/replay.py build/crossfade catch-up [--documents N] [--clusters SOURCE TARGET]
    python3 bench/replay.py build/crossfade lag [--rate N] [--seconds N]
    python3 bench/replay.py build/crossfade memory [--keys N]
    python3 bench/replay.py build/crossfade bulk
    python3 bench/replay.py build/crossfade fill [--documents N] [--writes N] --clusters SOURCE TARGET

catch-up: single-document writes are recorded, then a process begins to replay them: copies a second, and the CPU of its
threads for each; with --clusters the same documents are then written one at a time to the target, as who plays requests
does. lag: from a client's response to the operation at the replica. memory: what a process holds while the replica takes
nothing. bulk: what it holds more at most for a bulk of 100 MiB. fill: `replay backfill` and the target's own remote
_reindex, beside so many writes a second to the source. CPU figures hold where the machine is busy, times do not.
"""

import argparse
import collections
import gzip
import json
import os
import pathlib
import selectors
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request

SOURCE, TARGET, BALANCER = "127.0.0.1:19200", "127.0.0.1:19201", ("127.0.0.1", 19210)
TICK = os.sysconf("SC_CLK_TCK")
INDEX = "bench"


def document(n, size=200):
    text = '{"number":%d,"user":"somebody-%d","level":"info","took":1.5,"ok":true,"message":"' % (n, n % 1000)
    return text + "m" * (size - len(text) - 2) + '"}'


def request(method, path, body=""):
    return (f"{method} {path} HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\n"
            f"Content-Length: {len(body)}\r\n\r\n{body}").encode()


def wait(true, seconds, what):
    deadline = time.monotonic() + seconds
    while not (value := true()):
        if time.monotonic() > deadline:
            sys.exit(f"waited {seconds} s for {what}")
        time.sleep(0.005)
    return value


def ask(cluster, method, path, body=None):
    data = None if body is None else json.dumps(body).encode()
    made = urllib.request.Request(f"http://{cluster}{path}", data, {"Content-Type": "application/json"}, method=method)
    with urllib.request.urlopen(made, timeout=600) as response:
        return json.load(response)


class Connection:
    """Pipelines requests and counts responses."""

    def __init__(self, address):
        self.socket = socket.create_connection(address)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.stream = self.socket.makefile("rb", 1 << 18)

    def response(self):
        status, length = int(self.stream.readline().split()[1]), 0
        while (line := self.stream.readline()) not in (b"\r\n", b""):
            if line.lower().startswith(b"content-length:"):
                length = int(line[15:])
        self.stream.read(length)
        return status


def write(address, n, size, first=0, each=64):
    connections = [Connection(address) for _ in range(4)]
    bad = collections.Counter()
    for at in range(first, first + n, each * len(connections)):
        for i, connection in enumerate(connections):
            numbers = range(at + i * each, min(first + n, at + (i + 1) * each))
            connection.socket.sendall(b"".join(request("PUT", f"/{INDEX}/_doc/{k}", document(k, size)) for k in numbers))
        for i, connection in enumerate(connections):
            for _ in range(at + i * each, min(first + n, at + (i + 1) * each)):
                bad[connection.response()] += 1
    if set(bad) - {200, 201}:
        sys.exit(f"responses: {dict(bad)}")


class Balancer:
    def __init__(self, program, directory, clusters):
        self.program, self.directory, self.clusters, self.process = program, directory, clusters, None
        self.file = directory / "crossfade.yaml"

    def start(self, replay):
        source, target = self.clusters
        self.file.write_text(f"""\
profile: opensearch
listeners: {{ source: {{ address: {BALANCER[0]}:{BALANCER[1]}, tls: off }} }}
source: {{ nodes: [ http://{source} ] }}
target: {{ nodes: [ http://{target} ] }}
weights: {{ source: 1, target: 0 }}
workers: 1
admin: {{ socket: admin.sock }}
state: state
capture: {{ directory: capture, commit: 1ms }}
{"replay: {}" if replay else ""}
""", encoding="ascii")
        self.process = subprocess.Popen([self.program, "run", "-c", self.file], stderr=open(self.directory / "log", "a"))
        wait(lambda: self.status() is not None, 20, "the balancer")

    def status(self):
        if self.process.poll() is not None:
            sys.exit((self.directory / "log").read_text()[-2000:])
        done = subprocess.run([self.program, "status", "-o", "json", "-c", self.file], capture_output=True, check=False)
        return json.loads(done.stdout) if done.returncode == 0 else None

    def replay(self):
        return self.status()["replay"]

    def pids(self):
        found, todo = [], [self.process.pid]
        while todo:
            pid = todo.pop()
            found.append(pid)
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                todo += map(int, (task / "children").read_text().split())
        return found

    def threads(self):
        """CPU seconds of each thread by its name."""
        used = collections.Counter()
        for pid in self.pids():
            for task in pathlib.Path(f"/proc/{pid}/task").iterdir():
                used[(task / "comm").read_text().strip()] += int((task / "schedstat").read_text().split()[0]) / 1e9
        return used

    def rss_mib(self):
        return max(int(line.split()[1]) for pid in self.pids()
                   for line in open(f"/proc/{pid}/status", encoding="ascii") if line.startswith("VmRSS")) / 1024

    def forget_peak(self):
        for pid in self.pids():
            pathlib.Path(f"/proc/{pid}/clear_refs").write_text("5")

    def peak_mib(self):
        return max(int(line.split()[1]) for pid in self.pids()
                   for line in open(f"/proc/{pid}/status", encoding="ascii") if line.startswith("VmHWM")) / 1024

    def command(self, *words):
        subprocess.run([self.program, *words, "-c", self.file], check=True, stdout=subprocess.DEVNULL)

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        self.process.wait(60)


class Sample:
    def __init__(self, program, name, address, *options):
        self.process = subprocess.Popen([program, "demo-cluster", name, address, *options])
        host, port = address.split(":")
        wait(lambda: not socket.socket().connect_ex((host, int(port))), 20, name)

    def stop(self):
        self.process.kill()
        self.process.wait()


def is_current(balancer, n):
    r = balancer.replay()
    return r["state"] == "current" and r["copies"]["documents"] >= n and not r["keys"]["waiting"] and r


def catch_up(balancer, options):
    balancer.start(False)
    write(BALANCER, options.documents, 200)
    balancer.stop()
    balancer.start(True)
    before, began = balancer.threads(), time.monotonic()
    wait(lambda: balancer.replay()["copies"]["documents"] > 0, 60, "a first copy")
    r = wait(lambda: is_current(balancer, options.documents), 600, "a current replica")
    seconds, used = time.monotonic() - began, balancer.threads() - before
    n = r["copies"]["documents"]
    print(f"{n} copies in {seconds:.2f} s: {n / seconds:.0f}/s")
    for name, cpu in used.most_common():
        print(f"  {name:16} {cpu * 1e6 / n:6.2f} us a copy")


    if options.clusters:
        one_at_a_time(options.clusters[1], 5000)


def one_at_a_time(target, n):
    """What a client gets that waits for each response: the order of writes is kept in no other way."""
    host, port = target.split(":")
    connection, began = Connection((host, int(port))), time.monotonic()
    for k in range(n):
        connection.socket.sendall(request("PUT", f"/{INDEX}-one/_doc/{k}", document(k)))
        connection.response()
    seconds = time.monotonic() - began
    print(f"one at a time: {n} writes in {seconds:.2f} s: {n / seconds:.0f}/s")


def operations(file):
    with open(file, encoding="utf-8") as lines:
        for line in lines:
            event = json.loads(line)
            if event["operation"] in ("index", "update"):
                yield event["id"], event["at_ms"]


def lag(balancer, options):
    balancer.start(True)
    write(BALANCER, 100, 200)
    wait(lambda: is_current(balancer, 100), 60, "a current replica")
    told, n = {}, options.rate * options.seconds
    idle, ready, busy = [Connection(BALANCER) for _ in range(32)], selectors.DefaultSelector(), {}
    for connection in idle:
        ready.register(connection.socket, selectors.EVENT_READ, connection)
    began, k = time.monotonic(), 0
    while len(told) < n:
        while idle and k < n and began + k / options.rate <= time.monotonic():
            connection = idle.pop(0)
            busy[connection] = str(1000 + k)
            connection.socket.sendall(request("PUT", f"/{INDEX}/_doc/{1000 + k}", document(k)))
            k += 1
        for event, _ in ready.select(0.0002):
            connection = event.data
            connection.response()
            told[busy.pop(connection)] = time.time() * 1000
            idle.append(connection)
    took = time.monotonic() - began
    wait(lambda: is_current(balancer, n), 60, "a current replica")
    late = sorted(at - told[k] for k, at in operations(options.log) if k in told)
    print(f"{len(late)} of {n} writes in {took:.1f} s ({n / took:.0f}/s): lag p50 {late[len(late) // 2]:.1f} ms, "
          f"p99 {late[len(late) * 99 // 100]:.1f} ms, greatest {late[-1]:.1f} ms")


def waiting(balancer):
    keys = balancer.replay()["keys"]
    return keys["waiting"] + keys["in_flight"]


def memory(balancer, options):
    balancer.start(True)
    write(BALANCER, 100, 200)
    wait(lambda: is_current(balancer, 100), 60, "a current replica")
    before = balancer.rss_mib()
    ask(TARGET, "PUT", "/_demo/faults", {"stall_ms": 3600000})
    for at in range(0, options.keys, 100000):
        write(BALANCER, min(100000, options.keys - at), 200, first=1000 + at)
        print(f"  {waiting(balancer):8} keys wait: {balancer.rss_mib():.0f} MiB")
    wait(lambda: waiting(balancer) >= options.keys, 120, "all keys")
    print(f"{waiting(balancer)} keys: {balancer.rss_mib():.0f} MiB, {before:.0f} before")


def bulk(balancer, options):
    balancer.start(True)
    write(BALANCER, 100, 200)
    wait(lambda: is_current(balancer, 100), 60, "a current replica")
    part = "".join(f'{{"index":{{"_index":"{INDEX}","_id":"{k}"}}}}\n{document(k, 10000)}\n' for k in range(1000))
    text = (part * (100 * (1 << 20) // len(part))).encode()
    for coding, body in ("identity", text), ("gzip", gzip.compress(text, 1)):
        balancer.forget_peak()
        before, copies = balancer.rss_mib(), balancer.replay()["copies"]["documents"]
        connection = Connection(BALANCER)
        connection.socket.sendall(f"POST /_bulk HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\n"
                                  f"Content-Encoding: {coding}\r\nContent-Length: {len(body)}\r\n\r\n".encode() + body)
        if (status := connection.response()) != 200:
            sys.exit(f"{coding}: status {status}")
        wait(lambda: is_current(balancer, copies + 1000), 600, "a current replica")
        print(f"{len(text) / 1e6:.0f} MB, {coding}, {len(body) / 1e6:.0f} MB on the wire: "
              f"{balancer.peak_mib():.0f} MiB at most, {before:.0f} before")


class Trickle(threading.Thread):
    """So many writes a second to documents of its own."""

    def __init__(self, address, rate):
        super().__init__(daemon=True)
        self.connection, self.rate, self.over, self.n = Connection(address), rate, threading.Event(), 0
        if rate:
            self.start()

    def run(self):
        began = time.monotonic()
        while not self.over.is_set():
            self.connection.socket.sendall(request("PUT", f"/{INDEX}/_doc/live-{self.n % 10000}", document(self.n)))
            self.connection.response()
            self.n += 1
            time.sleep(max(0, began + self.n / self.rate - time.monotonic()))

    def end(self):
        self.over.set()
        if self.rate:
            self.join()


def lines_to(cluster, n, each=5000):
    for at in range(0, n, each):
        body = "".join(f'{{"index":{{"_id":"{k}"}}}}\n{document(k)}\n' for k in range(at, min(n, at + each)))
        made = urllib.request.Request(f"http://{cluster}/{INDEX}/_bulk?filter_path=errors", body.encode(),
                                      {"Content-Type": "application/x-ndjson"}, method="POST")
        assert b"false" in urllib.request.urlopen(made, timeout=600).read()


def empty(cluster):
    try:
        ask(cluster, "DELETE", f"/{INDEX}")
    except urllib.error.HTTPError as e:
        assert e.code == 404


def fill(balancer, options):
    source, target = options.clusters
    for cluster in source, target:
        empty(cluster)
    ask(source, "PUT", f"/{INDEX}", {"settings": {"number_of_shards": 1, "number_of_replicas": 0}})
    lines_to(source, options.documents)
    balancer.start(True)
    writes, before, began = Trickle(BALANCER, options.writes), balancer.threads(), time.monotonic()
    balancer.command("replay", "backfill", "--no-wait")
    wait(lambda: balancer.replay()["backfill"]["state"] not in ("running", "waiting"), 1800, "the backfill")
    seconds, used = time.monotonic() - began, balancer.threads() - before
    writes.end()
    copied = balancer.replay()["backfill"]["copied"]
    print(f"backfill: {copied} documents in {seconds:.1f} s: {copied / seconds:.0f}/s, {writes.n / seconds:.0f} writes/s beside, "
          f"{sum(used.values()) * 1e6 / copied:.1f} us of CPU each")
    balancer.stop()
    mappings = ask(source, "GET", f"/{INDEX}/_mapping")[INDEX]
    empty(target)
    ask(target, "PUT", f"/{INDEX}", {"settings": {"number_of_shards": 1, "number_of_replicas": 0}, **mappings})
    host, port = source.split(":")
    writes, began = Trickle((host, int(port)), options.writes), time.monotonic()
    done = ask(target, "POST", "/_reindex?wait_for_completion=true", {
        "source": {"remote": {"host": f"http://{source}"}, "index": INDEX, "size": 5000}, "dest": {"index": INDEX}})
    seconds = time.monotonic() - began
    writes.end()
    print(f"_reindex: {done['created']} documents in {seconds:.1f} s: {done['created'] / seconds:.0f}/s")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("program", type=os.path.abspath)
    parser.add_argument("what", choices=["catch-up", "lag", "memory", "bulk", "fill"])
    parser.add_argument("--documents", type=int, default=200000)
    parser.add_argument("--rate", type=int, default=2000)
    parser.add_argument("--seconds", type=int, default=20)
    parser.add_argument("--keys", type=int, default=1000000)
    parser.add_argument("--writes", type=int, default=0)
    parser.add_argument("--clusters", nargs=2, metavar="HOST:PORT")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crossfade-bench-") as directory:
        options.log = f"{directory}/operations"
        samples = []
        balancer = Balancer(options.program, pathlib.Path(directory), options.clusters or (SOURCE, TARGET))
        try:
            if not options.clusters:
                samples.append(Sample(options.program, "source", SOURCE))
                samples.append(Sample(options.program, "target", TARGET, *(["--log", options.log] if options.what == "lag" else [])))
            {"catch-up": catch_up, "lag": lag, "memory": memory, "bulk": bulk, "fill": fill}[options.what](balancer, options)
        finally:
            if balancer.process and balancer.process.poll() is None:
                balancer.stop()
            for sample in samples:
                sample.stop()


main()
