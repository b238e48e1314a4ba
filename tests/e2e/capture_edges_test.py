"""The capture log's edges: what is not recorded, and what a log lives through."""

import json
import shutil
import socket
import subprocess
import time

import pytest
import requests
import websocket_test
from capture_stage import capture, exchanges, make_captured, metrics_of, recorded
from stage import read_head, receive, until
from wsproto import ConnectionType, WSConnection
from wsproto.events import BytesMessage, Request


def test_what_rules_skip_is_counted_and_not_recorded(make_balancer, clusters, backend, tmp_path):
    balancer = make_captured(make_balancer, clusters, backend, tmp_path,
                             ", skip: [ { method: GET, path: /_cluster/* }, { path: /*/_search },"
                             " { header: { name: X-Probe, value: 'y*' } } ]")
    requests.get(f"{balancer.source}/_cluster/health?pretty", timeout=10)
    requests.post(f"{balancer.source}/books/_search", data=b"{}", timeout=10)
    requests.put(f"{balancer.source}/books/_doc/1", data=b"{}", headers={"X-Probe": "yes"}, timeout=10)
    requests.put(f"{balancer.source}/books/_doc/2", data=b"{}", headers={"X-Probe": "no"}, timeout=10)
    requests.put(f"{balancer.source}/_cluster/settings", data=b"{}", timeout=10)
    requests.get(f"{balancer.source}/last", timeout=10)
    seen = recorded(balancer, 3)
    assert [e["path"] for e in seen] == ["/books/_doc/2", "/_cluster/settings", "/last"]
    assert capture(balancer, "gaps").stdout == ""  # it was asked for
    assert balancer.status()["capture"]["skipped"] == {"reads": 2, "writes": 1}
    assert "3 requests skipped" in balancer.command("status").stdout
    metrics = metrics_of(balancer)
    assert 'crossfade_capture_skipped_total{kind="read"} 2\n' in metrics
    assert 'crossfade_capture_skipped_total{kind="write"} 1\n' in metrics
    said = balancer.command("check")
    assert "a write that matches it is not recorded" in said.stdout + said.stderr


def test_skipped_writes_wait_for_no_log(make_balancer, clusters, backend, tmp_path):
    balancer = make_captured(make_balancer, clusters, backend, tmp_path, ", skip: [ { path: /free/* } ], limit: 1MiB")
    put = lambda path, n=2: requests.put(f"{balancer.source}{path}", data=b"x" * n, timeout=10).status_code
    put("/books/_doc/1", 1_200_000)
    until(lambda: put("/books/_doc/2") == 503, what="a full log")
    assert put("/free/1") == 200


def test_rules_change_with_a_reload(make_balancer, clusters, backend, tmp_path):
    balancer = make_captured(make_balancer, clusters, backend, tmp_path, ", skip: [ { path: /a } ]")
    requests.put(f"{balancer.source}/a", data=b"{}", timeout=10)
    assert balancer.reload(lambda text: text.replace("path: /a }", "path: /b }"))["ok"]
    requests.put(f"{balancer.source}/a", data=b"1", timeout=10)
    requests.put(f"{balancer.source}/b", data=b"{}", timeout=10)
    assert [e["path"] for e in recorded(balancer, 1)] == ["/a"]


def fill(balancer, segments):
    """Writes of text, until so many segments are sealed; how many it took."""
    n, text = 0, json.dumps({f"field {i}": f"some words of it {i % 100}" for i in range(4000)})
    with requests.Session() as s:
        while len(kept(balancer)) <= segments:
            assert s.put(f"{balancer.source}/books/_doc/{n}", data=text, timeout=10).status_code == 200
            n += 1
    return n


def kept(balancer):
    return sorted(f.name for f in balancer.log_directory.glob("*.capture"))


def packed(balancer):
    return balancer.status()["capture"]["compressed"]


def test_sealed_segments_are_compressed_and_read_as_before(make_balancer, clusters, backend, tmp_path):
    balancer = make_captured(make_balancer, clusters, backend, tmp_path, ", compress: on")
    n = fill(balancer, 3)
    until(lambda: packed(balancer)["segments"] == 3, 60, what="three compressed segments")
    assert packed(balancer)["bytes"] < packed(balancer)["bytes_before"] / 2
    seen = recorded(balancer, n, "--bodies")
    assert [e["path"] for e in seen] == [f"/books/_doc/{i}" for i in range(n)]
    assert all(len(json.loads(e["request_body"])) == 4000 for e in seen)
    assert capture(balancer, "verify").stdout.endswith("whole\n")
    rows = [json.loads(line) for line in capture(balancer, "ls", "-o", "json").stdout.splitlines()]
    assert [bool(row["compressed_bytes"]) for row in rows] == [True, True, True, False]
    sizes = [(balancer.log_directory / row["segment"]).stat().st_size for row in rows]
    assert sizes[:3] == [row["compressed_bytes"] for row in rows[:3]]
    assert 'compressed_bytes_total{when="after"}' in metrics_of(balancer)
    balancer.process.kill()
    balancer.process.wait()
    balancer.start()
    assert len(recorded(balancer, n)) == n


def test_damage_in_a_compressed_segment_is_found_with_its_place(make_balancer, clusters, tmp_path):
    balancer = make_captured(make_balancer, clusters, "epoll", tmp_path, ", compress: on")
    fill(balancer, 1)
    until(lambda: packed(balancer)["segments"] == 1, 60, what="a compressed segment")
    with open(balancer.log_directory / kept(balancer)[0], "r+b") as f:
        f.seek(1000)
        byte = f.read(1)
        f.seek(1000)
        f.write(bytes([byte[0] ^ 1]))
    said = capture(balancer, "verify", check=False)
    assert said.returncode == 1 and "DAMAGED" in said.stdout
    assert f"{kept(balancer)[0]}: the block at 256 of the file is damaged" in said.stderr


def test_kills_leave_either_form_whole(make_balancer, clusters, tmp_path):
    balancer = make_captured(make_balancer, clusters, "auto", tmp_path)
    n = fill(balancer, 6)
    balancer.stop()
    balancer.file.write_text(balancer.file.read_text().replace("segment: 2MiB", "segment: 2MiB, compress: on"))
    for wait in 0, 0.005, 0.01, 0.02, 0.03, 0.05:
        balancer.start(wait=False)
        until(lambda: list(balancer.log_directory.glob("packing.*")) or (balancer.working_pid() and len(kept(balancer)) > 6))
        time.sleep(wait)  # somewhere in it
        balancer.process.kill()
        balancer.process.wait()
        assert capture(balancer, "verify").returncode == 0
        assert len(exchanges(balancer)) == n
    balancer.start()
    until(lambda: not list(balancer.log_directory.glob("packing.*")), what="order")


def test_a_follower_reads_on_over_segments_that_are_compressed(make_balancer, clusters, tmp_path):
    balancer = make_captured(make_balancer, clusters, "epoll", tmp_path, ", compress: on")
    with subprocess.Popen([balancer.program, "capture", "cat", "--follow", "-o", "json", "--directory",
                           balancer.log_directory], stdout=subprocess.PIPE, text=True) as follower:
        try:
            n = fill(balancer, 4)
            until(lambda: packed(balancer)["segments"] >= 3, what="compressed segments")
            seen = [json.loads(follower.stdout.readline())["path"] for _ in range(n)]
        finally:
            follower.terminate()
    assert seen == [f"/books/_doc/{i}" for i in range(n)]


def test_a_place_is_found_by_time_and_by_sequence(make_balancer, clusters, backend, tmp_path):
    balancer = make_captured(make_balancer, clusters, backend, tmp_path, ", compress: on")
    n = fill(balancer, 3)
    until(lambda: packed(balancer)["segments"] == 3, 60, what="three compressed segments")
    balancer.stop()
    balancer.start()
    requests.put(f"{balancer.source}/last", data=b"{}", timeout=10)
    seen = recorded(balancer, n + 1)
    for at in 0, n // 2, n - 1, n:
        assert exchanges(balancer, "--from", seen[at]["time"]) == seen[at:]
        assert exchanges(balancer, "--from-sequence", seen[at]["sequence"]) == seen[at:]
    assert exchanges(balancer, "--from-sequence", "1") == seen[n:]  # of the newest series
    assert seen[n]["sequence"].startswith("2:")
    assert capture(balancer, "cat", "--from-sequence", "1:x", check=False).returncode == 2
    assert "is not a sequence: write 3456, or 12:3456" in capture(balancer, "cat", "--from-sequence", "x", check=False).stderr
    assert "exclude" in capture(balancer, "cat", "--from-sequence", "1", "--from", "1m", check=False).stderr


def test_a_second_balancer_on_the_same_directory_is_refused(make_balancer, clusters, tmp_path):
    balancer = make_captured(make_balancer, clusters, "epoll", tmp_path)
    second = make_captured(make_balancer, clusters, "epoll", tmp_path, start=False)
    second.start(wait=False)
    assert second.process.wait(20) == 1
    assert (f"another balancer is running on the capture directory {balancer.log_directory}: "
            f"process {balancer.process.pid}") in second.said()
    balancer.upgrade()  # of the same family
    requests.put(f"{balancer.source}/books/_doc/1", data=b"{}", timeout=10)
    second.start(wait=False)
    assert second.process.wait(20) == 1
    balancer.stop()
    second.command("recover", "1", "0")  # the log's requests say that there was a state, elsewhere
    second.start()
    requests.put(f"{second.source}/books/_doc/2", data=b"{}", timeout=10)
    assert [e["path"] for e in recorded(second, 2)] == ["/books/_doc/1", "/books/_doc/2"]


def test_a_killed_balancer_leaves_no_lock(make_balancer, clusters, tmp_path):
    balancer = make_captured(make_balancer, clusters, "epoll", tmp_path)
    balancer.process.kill()
    balancer.process.wait()
    balancer.start()


def test_damage_that_a_start_finds_is_listed(make_balancer, clusters, tmp_path):
    balancer = make_captured(make_balancer, clusters, "epoll", tmp_path)
    for n in range(10):
        requests.put(f"{balancer.source}/books/_doc/{n}", data=b'{"title":"a book"}', timeout=10)
    balancer.process.kill()
    balancer.process.wait()
    file = balancer.log_directory / kept(balancer)[0]
    at = file.read_bytes().index(b"PUT /books/_doc/4")
    with open(file, "r+b") as f:
        f.seek(at)
        f.write(b"PAT")
    balancer.start()
    gap, = gaps(balancer)
    assert (gap["reason"], gap["kind"], gap["file"], gap["places"]) == ("damage", "lost", file.name, 1)
    assert gap["at"] < at < gap["at"] + gap["bytes"] and gap["first_sequence"] <= gap["last_sequence"]
    assert f"{file.name} at {gap['at']}: {gap['bytes']} bytes are LOST" in capture(balancer, "gaps").stdout
    assert capture(balancer, "verify", check=False).returncode == 1
    balancer.stop()
    balancer.start()
    assert gaps(balancer) == [gap]  # once


def echo(connection):
    """A cluster that agrees to any protocol, and repeats what comes in it twice. It leaves a check of its health."""
    head, rest = read_head(connection)
    if b"Upgrade" not in head:
        return
    connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n" + 2 * rest)
    while data := connection.recv(65536):
        connection.sendall(2 * data)


@pytest.fixture
def tunnelled(make_balancer, make_node, backend, tmp_path):
    node = make_node(echo)
    return make_captured(make_balancer, [node, node], backend, tmp_path, ", tunnels: forward",
                         cluster_more="  health: { interval: 1h, failures: 9 }")


def tunnel(balancer):
    c = socket.create_connection((balancer.address, 9201), 10)
    c.sendall(b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
    assert read_head(c)[0].startswith(b"HTTP/1.1 101 ")
    c.sendall(b"x" * 1000)
    got = 0
    while got < 2000:
        got += len(receive(c, 65536))
    return c


def gaps(balancer):
    return [json.loads(line) for line in capture(balancer, "gaps", "-o", "json").stdout.splitlines()]


def test_a_tunnel_that_passes_leaves_a_gap(tunnelled):
    with tunnel(tunnelled):
        pass
    gap = until(lambda: gaps(tunnelled), what="a gap")[0]
    assert (gap["reason"], gap["reads"], gap["writes"]) == ("tunnel", 1, 0)
    assert (gap["request_bytes"], gap["response_bytes"]) == (1000, 2000)
    assert gap["first"] <= gap["last"] and gap["connection"].startswith("1-")
    assert f"connection {gap['connection']}: 1000 bytes to the source, 2000 back" in capture(tunnelled, "gaps").stdout
    assert tunnelled.status()["capture"]["tunnels"] == {"ended": 1, "request_bytes": 1000, "response_bytes": 2000}
    assert tunnelled.status()["capture"]["gaps"] == 1
    assert 'tunnel_bytes_total{direction="response"} 2000\n' in metrics_of(tunnelled)


def test_a_tunnel_that_a_drain_cuts_leaves_a_gap(tunnelled):
    tunnelled.reload(lambda text: text + "\ntimeouts: { drain: 0s }\n")
    with tunnel(tunnelled):
        assert tunnelled.stop() == 0
    assert [g["request_bytes"] for g in gaps(tunnelled)] == [1000]
    assert capture(tunnelled, "verify").returncode == 0


def test_a_tunnel_that_an_upgrade_cuts_leaves_a_gap(tunnelled):
    tunnelled.reload(lambda text: text + "\ntimeouts: { drain: 0s }\n")
    with tunnel(tunnelled):
        tunnelled.upgrade()
        gap = until(lambda: gaps(tunnelled), what="a gap")[0]
    assert gap["response_bytes"] == 2000 and gap["connection"].startswith("1-")


def test_a_tunnel_is_told_of_when_the_log_is_back(tunnelled):
    with tunnel(tunnelled):
        shutil.rmtree(tunnelled.log_directory)
        until(lambda: requests.put(f"{tunnelled.source}/a", data=b"{}", timeout=10).status_code == 503, what="a refusal")
    until(lambda: tunnelled.status()["capture"]["tunnels"]["ended"], what="its end")
    tunnelled.log_directory.mkdir(0o700)
    gap = until(lambda: [g for g in gaps(tunnelled) if g["reason"] == "tunnel"], what="a gap")[0]
    assert (gap["request_bytes"], gap["response_bytes"], gap["connection"]) == (1000, 2000, None)


def test_a_websocket_passes_and_its_bytes_are_told(make_balancer, make_node, backend, tmp_path):
    node = make_node(websocket_test.echo)
    balancer = make_captured(make_balancer, [node, node], backend, tmp_path, ", tunnels: forward",
                             cluster_more="  health: { interval: 1h, failures: 9 }")
    with socket.create_connection((balancer.address, 9201), 10) as connection:
        ws = WSConnection(ConnectionType.CLIENT)
        heard = websocket_test.events(ws, connection)
        connection.sendall(ws.send(Request(host="a", target="/socket", subprotocols=["echo"])))
        assert next(heard).subprotocol == "echo"
        connection.sendall(ws.send(BytesMessage(b"x" * 70_000)))
        got = b""
        while len(got) < 70_000:
            got += next(heard).data
    gap = until(lambda: gaps(balancer), what="a gap")[0]
    assert (gap["request_bytes"], gap["response_bytes"]) == (70_014, 70_010)  # the client's are masked
