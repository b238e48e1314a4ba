"""The capture log: what passes to the source is recorded before it counts."""

import gzip
import json
import os
import pathlib
import re
import shutil
import signal
import socket
import subprocess
import sys
import time

import pytest
import requests
from capture_stage import capture, exchanges, kept, make_captured, metrics_of, recorded, refused
from stage import ROOT, read_head, serves, until


@pytest.fixture
def captured(make_balancer, clusters, backend, tmp_path):
    return make_captured(make_balancer, clusters, backend, tmp_path)


def test_what_goes_to_the_source_is_recorded(captured):
    requests.put(f"{captured.source}/books/_doc/1", data=b'{"a":1}', timeout=10)
    requests.get(f"{captured.source}/books/_search", timeout=10)
    requests.put(f"{captured.weighted}/books/_doc/2", data=b"x" * 200_000, verify=False, timeout=10)
    requests.put(f"{captured.target}/books/_doc/3", data=b"{}", timeout=10)
    seen = recorded(captured, 3, "--bodies")
    assert [(e["method"], e["path"], e["status"], e["outcome"], e["kind"]) for e in seen] == [
        ("PUT", "/books/_doc/1", 200, "accepted", "write"),
        ("GET", "/books/_search", 200, "accepted", "read"),
        ("PUT", "/books/_doc/2", 200, "accepted", "write")]
    assert seen[0]["request_body"] == '{"a":1}' and seen[2]["request_body"] == "x" * 200_000
    assert json.loads(seen[0]["response_body"])["path"] == "/books/_doc/1"
    assert "response_recorded" in seen[1] and not seen[1]["response_body"]
    assert seen[0]["released"] > 0 and seen[0]["latency"] > seen[0]["released"]
    assert capture(captured, "verify").stdout.endswith("whole\n")
    assert os.stat(captured.log_directory).st_mode & 0o777 == 0o700
    assert all(f.stat().st_mode & 0o777 == 0o600 for f in captured.log_directory.iterdir())


def test_the_protocol_and_the_scheme_of_the_client_are_told(captured):
    host, port = captured.source.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), 10) as old:
        old.sendall(b"GET /books/_search HTTP/1.0\r\n\r\n")
        assert old.recv(12) == b"HTTP/1.1 200"
    requests.put(f"{captured.weighted}/books/_doc/1", data=b"{}", verify=False, timeout=10)
    seen = {e["path"]: (e["protocol"], e["scheme"]) for e in recorded(captured, 2)}
    assert seen == {"/books/_search": ("HTTP/1.0", "http"), "/books/_doc/1": ("HTTP/1.1", captured.weighted.split(":")[0])}


def test_bodies_come_back_byte_for_byte(captured):
    """Whatever their framing was on the way."""
    packed = gzip.compress(os.urandom(300_000))
    large = os.urandom(3_000_000)
    with requests.Session() as s:
        s.post(f"{captured.source}/_bulk?n=0", data=packed, headers={"Content-Encoding": "gzip"}, timeout=30)
        s.post(f"{captured.source}/_bulk?n=1", data=iter([large[:10], large[10:70_000], large[70_000:]]), timeout=30)
        s.post(f"{captured.source}/_bulk?n=2", data=b"", timeout=30)
        s.post(f"{captured.source}/_bulk?n=3", data=large, headers={"Expect": "100-continue"}, timeout=30)
    raw = subprocess.run([captured.program, "capture", "cat", "-o", "raw", "--directory", captured.log_directory],
                         capture_output=True, check=True).stdout
    at = [raw.index(b"POST /_bulk?n=%d " % n) for n in range(4)] + [len(raw)]
    for n, body in enumerate([packed, large, b"", large]):
        exchange = raw[at[n]:at[n + 1]]
        assert exchange.partition(b"\r\n\r\n")[2].startswith(body + b"HTTP/1.1 ")
    assert capture(captured, "verify").returncode == 0


@pytest.mark.parametrize("redact,shown", [("", False), (", redact: none", True), (", redact: [ X-Secret ]", False)])
def test_credentials_are_replaced(make_balancer, clusters, backend, tmp_path, redact, shown):
    balancer = make_captured(make_balancer, clusters, backend, tmp_path, redact)
    fields = {"Authorization": "Basic b3BlbjpzZXNhbWU=", "X-Secret": "sesame"}
    for n in range(2):
        response = requests.put(f"{balancer.source}/books/_doc/{n}", data=b"{}", headers=fields, timeout=10)
        assert dict(response.json()["headers"])["Authorization"] == fields["Authorization"]
    heads = [e["request_head"] for e in exchanges(balancer, "--bodies")]
    assert all(("b3BlbjpzZXNhbWU=" in head) == shown for head in heads)
    assert all(("sesame" in head) == ("X-Secret" not in redact) for head in heads)
    if redact != ", redact: none":
        hashes = {re.search(r"hmac-sha256:[0-9a-f]{32}", head)[0] for head in heads}
        assert len(hashes) == 1  # who had the same secret shows, and no more


SECRETS = {"Authorization": "Basic c2VjcmV0MQ==", "Proxy-Authorization": "secret2", "Cookie": "sid=secret3", "X-Api-Key": "secret4",
           "es-secondary-authorization": "secret5", "X-Amz-Security-Token": "secret6", "x-own": "secret7", "x_api_key": "secret10",
           "ES_Secondary-Authorization": "secret11", "X_Own": "secret12"}


def redacted(make_balancer, clusters, backend, tmp_path, more, path="/books/_doc/1"):
    balancer = make_captured(make_balancer, clusters, backend, tmp_path, more + ", responses: heads")
    fields = "".join(f"{name}: {value}\r\n" for name, value in SECRETS.items())
    with socket.create_connection((balancer.address, 9201), 10) as c:
        c.sendall(f"PUT {path} HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n{fields}\r\n2\r\n{{}}\r\n"
                  "0\r\nX-Own: secret8\r\nX-Api-Key: secret9\r\n\r\n".encode())
        assert b" 200 " in read_head(c)[0]
    return capture(balancer, "cat", "-o", "raw").stdout


def test_what_a_list_adds_takes_nothing_out(make_balancer, clusters, backend, tmp_path):
    raw = redacted(make_balancer, clusters, backend, tmp_path, ", redact: [ X-Own ]")
    assert "secret" not in raw and "c2VjcmV0MQ==" not in raw and raw.count("hmac-sha256:") >= 7


def test_a_name_with_an_underscore_hides_nothing(make_balancer, clusters, backend, tmp_path):
    balancer = make_captured(make_balancer, clusters, backend, tmp_path, ", responses: heads", source_more="headers: { underscores: pass }")
    requests.put(f"{balancer.source}/books/_doc/1", data=b"{}", headers={"set_cookie": "secret1", "Proxy_Authorization": "secret2"}, timeout=10)
    raw = capture(balancer, "cat", "-o", "raw").stdout
    assert "secret" not in raw and "set_cookie: hmac-sha256:" in raw


def test_none_alone_switches_redaction_off(make_balancer, clusters, backend, tmp_path):
    raw = redacted(make_balancer, clusters, backend, tmp_path, ", redact: none")
    assert "hmac-sha256:" not in raw and "c2VjcmV0MQ==" in raw


@pytest.mark.parametrize("query, left", [
    ("?access_token=secret&a=1", "?access_token=hmac-sha256:"), ("?a=1&Access%5fToken=secret", "?a=1&Access%5fToken=hmac-sha256:"),
    ("?a;access_token=secret;secret&b=2", "?a;access_token=hmac-sha256:"), ("?access_token=&b=2", "&b=2 "),
    ("?" + "&".join(f"access_token=secret{n}" for n in range(100)), "access_token=hmac-sha256:"),
    ("?access_token_not=public", "?access_token_not=public "),
    ("?access_token[]=secret", "?access_token[]=hmac-sha256:"), ("?a%26access%255Ftoken%3Dsecret", "?a%26access%255Ftoken%3Dhmac-sha256:"),
    ("?api_key=secret&X-Amz-Signature=secret", "&X-Amz-Signature=hmac-sha256:")])
def test_tokens_of_a_query_are_replaced(make_balancer, clusters, backend, tmp_path, query, left):
    raw = redacted(make_balancer, clusters, backend, tmp_path, ", redact: [ X-Own ], redact_query: [ access_token ]",
                   "/books/_doc/1" + query)
    assert "secret" not in raw and left in raw


def test_an_upgrade_is_refused(captured):
    with socket.create_connection((captured.address, 9201), 10) as c:
        c.sendall(b"GET /chat HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n")
        head = read_head(c)[0]
    assert head.startswith(b"HTTP/1.1 501 ") and b"capture_tunnel" in head


def test_no_write_passes_while_the_log_is_gone(captured, clusters):
    requests.put(f"{captured.source}/books/_doc/1", data=b"{}", timeout=10)
    shutil.rmtree(captured.log_directory)
    response = requests.put(f"{captured.source}/books/_doc/refused", data=b"{}", timeout=10)
    assert response.status_code == 503 and response.headers["X-Crossfade-Error"] == "capture_unavailable"
    assert int(response.headers["Retry-After"]) >= 1
    assert clusters[0].asked["/books/_doc/refused"] == 0
    until(lambda: refused(captured), what="a refusal at once")
    assert requests.get(f"{captured.source}/books/_search", timeout=10).status_code == 200
    assert captured.command("weights", "0", "1").returncode == 0
    assert captured.command("rollback").returncode == 0

    captured.log_directory.mkdir(0o700)
    until(lambda: requests.put(f"{captured.source}/books/_doc/2", data=b"{}", timeout=10).status_code == 200)
    seen = recorded(captured, 1)
    assert [e["path"] for e in seen if e["kind"] == "write"] == ["/books/_doc/2"]
    gap = json.loads(capture(captured, "gaps", "-o", "json").stdout.splitlines()[0])
    assert gap["reason"] == "unavailable" and gap["reads"] >= 1 and gap["writes"] == 0


def test_writes_may_pass_unrecorded_when_that_is_wanted(make_balancer, clusters, backend, tmp_path):
    balancer = make_captured(make_balancer, clusters, backend, tmp_path, ", unavailable: forward")
    shutil.rmtree(balancer.log_directory)
    for n in range(3):
        assert requests.put(f"{balancer.source}/books/_doc/{n}", data=b"{}", timeout=10).status_code == 200
    balancer.log_directory.mkdir(0o700)
    gaps = until(lambda: capture(balancer, "gaps", "-o", "json").stdout, what="a gap")
    assert sum(json.loads(line)["writes"] for line in gaps.splitlines()) == 3


def test_an_upgrade_of_the_program_begins_a_series_of_its_own(captured):
    with requests.Session() as s:
        s.put(f"{captured.source}/books/_doc/1", data=b"{}", timeout=10)
        captured.upgrade()
        s.put(f"{captured.source}/books/_doc/2", data=b"{}", timeout=10)
    requests.put(f"{captured.source}/books/_doc/3", data=b"{}", timeout=10)
    seen = recorded(captured, 3)
    assert [e["path"] for e in seen] == ["/books/_doc/1", "/books/_doc/2", "/books/_doc/3"]
    assert {e["connection"].split("-")[0] for e in seen} == {"1", "2"}


def test_what_a_killed_process_left_is_put_in_order(captured):
    for n in range(5):
        requests.put(f"{captured.source}/books/_doc/{n}", data=b"{}", timeout=10)
    os.kill(captured.working_pid(), signal.SIGKILL)
    until(lambda: serves(captured.source))
    until(lambda: "capture: 1 segments had no end" in captured.said(), what="a word")
    assert {f"/books/_doc/{n}" for n in range(5)} <= {e["path"] for e in exchanges(captured)}
    assert capture(captured, "verify").returncode == 0


def test_a_flipped_bit_is_found(captured):
    for n in range(20):
        requests.put(f"{captured.source}/books/_doc/{n}", data=b"x" * 5000, timeout=10)
    captured.stop()
    segment = next(captured.log_directory.glob("*.capture"))
    bytes_ = bytearray(segment.read_bytes())
    bytes_[bytes_.index(b"x" * 100, len(bytes_) // 2)] ^= 1  # in a body: between frames may be padding
    segment.write_bytes(bytes_)
    done = capture(captured, "verify", check=False)
    assert done.returncode == 1 and "DAMAGED" in done.stdout and "are missing" in done.stderr


def test_a_damaged_head_takes_no_segment_away_unnoticed(captured):
    requests.put(f"{captured.source}/books/_doc/1", data=b"{}", timeout=10)
    captured.stop()
    segment = next(captured.log_directory.glob("*.capture"))
    bytes_ = bytearray(segment.read_bytes())
    bytes_[60] ^= 1
    segment.write_bytes(bytes_)
    done = capture(captured, "verify", check=False)
    assert done.returncode == 1 and "DAMAGED" in done.stdout
    assert f"{segment.name}: its head is damaged" in done.stderr and f"its {len(bytes_)} bytes" in done.stderr
    for command in (["ls"], ["cat"], ["gaps"], ["export", "--format", "har"]):
        assert "`crossfade capture verify`" in capture(captured, *command).stderr, command
    captured.start()
    requests.put(f"{captured.source}/books/_doc/2", data=b"{}", timeout=10)
    assert [e["path"] for e in recorded(captured, 1)] == ["/books/_doc/2"]
    assert segment.read_bytes() == bytes_


def test_a_reload_turns_capture_neither_on_nor_off(captured):
    said = captured.reload(lambda text: re.sub(r"capture: .*", "", text))
    assert not said["ok"] and "capture: a reload cannot change this" in said["message"]


def test_a_follower_sees_what_comes(captured):
    with subprocess.Popen([captured.program, "capture", "cat", "--follow", "--directory", captured.log_directory],
                          stdout=subprocess.PIPE, text=True) as follower:
        requests.put(f"{captured.source}/books/_doc/1", data=b"{}", timeout=10)
        assert "/books/_doc/1" in follower.stdout.readline()
        requests.delete(f"{captured.source}/books", timeout=10)
        assert "DELETE" in follower.stdout.readline()
        follower.terminate()


def test_what_goes_on_is_open_and_what_a_killed_process_left_is_unknown(captured):
    with socket.create_connection((captured.address, 9201), 10) as c:
        c.sendall(b"PUT /books/_doc/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
        assert recorded(captured, 1)[0]["outcome"] == "open"
        assert re.search(r" PUT +0 open +0\.00 ms ", capture(captured, "cat").stdout)
        captured.process.kill()
        captured.process.wait()
    # The working process goes with it, and its lock then.
    until(lambda: exchanges(captured)[0]["outcome"] == "unknown", what="the process to be gone")


BULK = b'{"took":3,"errors":%s,"items":[{"index":{"_id":"1","status":201}},{"index":{"_id":"2","status":201}}%s]}'
REFUSED = b',{"index":{"_id":"3","status":400,"error":{"type":"mapper_parsing_exception"}}}'


def bulks(connection):
    """As a search cluster: 200, and what became of the items in the body."""
    while head := read_head(connection)[0]:
        # The head has identifiers in hexadecimal digits: some of them have "bad" in them.
        target = head.split(b" ", 2)[1]
        body = BULK % ((b"true", REFUSED) if b"bad" in target else (b"false", b""))
        coding = b"Content-Encoding: gzip\r\n" if b"gzip" in target else b""
        body = gzip.compress(body) if coding else body
        connection.sendall(b"HTTP/1.1 200 OK\r\n%sContent-Length: %d\r\n\r\n%s" % (coding, len(body), body))


@pytest.mark.parametrize("more, told", [("", True), (", responses: heads", False)])
def test_a_bulk_with_items_that_were_refused_is_partly_accepted(make_balancer, clusters, make_node, backend, tmp_path,
                                                               more, told):
    balancer = make_captured(make_balancer, [make_node(bulks), clusters[1]], backend, tmp_path, more)
    with socket.create_connection((balancer.address, 9201), 10) as c:
        for target in b"/_bulk", b"/books/_bulk?bad", b"/_bulk?bad=gzip":
            c.sendall(b"POST %s HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" % target)
            assert read_head(c)[0].startswith(b"HTTP/1.1 200 ")
    seen = recorded(balancer, 3)
    partly = ("partly_accepted", {"accepted": 2, "refused": 1}) if told else ("accepted", None)
    assert [(e["outcome"], e.get("items")) for e in seen] == [("accepted", None), partly, partly]
    lines = capture(balancer, "cat").stdout.splitlines()
    assert [" partly  " in line for line in lines] == [False, told, told]
    assert lines[1].endswith("partly accepted: 2 of 3 items, 1 refused" if told else "/books/_bulk?bad")


def test_the_fields_of_an_exchange_are_those_that_are_documented(captured):
    chunked = iter([b"{}"])
    requests.put(f"{captured.source}/books/1", data=chunked, timeout=10)
    line, = capture(captured, "export", "--format", "jsonl").stdout.splitlines()
    told = (ROOT / "docs/capture.md").read_text().partition("### An exchange as JSON")[2].partition("\n##")[0]
    names = {name for row in re.findall(r"^\| (`.*?) \|", told, re.M) for name in re.findall(r"`([a-z_]+)`", row)}
    sometimes = {"items", "request_trailers", "response_trailers"}
    assert json.loads(line).keys() == names - sometimes and sometimes < names
    assert json.loads(line)["request"] == 1


def test_an_export_says_what_it_wrote_and_what_it_left_out(captured, tmp_path):
    for method, path in ("PUT", "/books/1"), ("PUT", "/films/1"), ("GET", "/books/2"), ("DELETE", "/books/3"):
        assert requests.request(method, captured.source + path, data=b"{}", timeout=10).ok
    recorded(captured, 4)
    done = capture(captured, "export", "--format", "jsonl", "--path", "/books/*", "--method", "PUT", "-o", "-")
    assert [json.loads(line)["path"] for line in done.stdout.splitlines()] == ["/books/1"]
    assert done.stderr == "crossfade capture: 1 exchange written; left out: 2 exchanges by --method, 1 exchange by --path\n"
    assert capture(captured, "export", "--format", "har", "--output", "-").stdout.startswith('{"log":')
    assert not pathlib.Path("-").exists()
    with socket.create_connection((captured.address, 9201), 10) as c:
        c.sendall(b"PUT /books/5 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
        recorded(captured, 5)
        done = capture(captured, "export", "--format", "jsonl", "--output", tmp_path / "all")
        assert done.stderr == "crossfade capture: 5 exchanges written; nothing was left out\n"
        done = capture(captured, "export", "--format", "jsonl", "--follower", "nightly", "--output", tmp_path / "new")
        assert done.stderr == \
            "crossfade capture: 4 exchanges written; left out: 1 exchange without an outcome yet (next time)\n"
        done = capture(captured, "export", "--format", "trafficstream", "--output", tmp_path / "gz")
        assert done.stderr == "crossfade capture: 4 requests and 3 responses written; left out: 1 response " \
            "recorded in part (capture.responses says whose bodies are), 1 exchange without an outcome yet\n"
    assert "left out: all that is before --from" in capture(captured, "export", "--format", "jsonl", "--from", "1h").stderr


def test_a_client_that_leaves_before_its_end_has_sent_nothing(captured):
    with socket.create_connection((captured.address, 9201), 10) as c:
        c.sendall(b"PUT /books/_doc/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 10\r\n\r\n12345")
        assert recorded(captured, 1)[0]["outcome"] == "open"
    seen = until(lambda: [e for e in exchanges(captured) if e["outcome"] != "open"], what="an outcome")
    assert (seen[0]["outcome"], seen[0]["request_whole"]) == ("not_sent", False)


@pytest.mark.parametrize("path,waits", [("/_bulk/stream", True), ("/books/_bulk/stream", True), ("/_bulk", False)])
def test_what_is_acted_on_in_parts_waits_piece_by_piece(make_balancer, clusters, make_node, backend, tmp_path, path,
                                                        waits):
    """A commit a second: what a node gets sooner than that has not waited for the one behind it."""
    came = []

    def serve(connection):
        head, rest = read_head(connection)
        while head and (rest := rest or connection.recv(65536)):
            came.append(len(rest))
            rest = b""

    balancer = make_captured(make_balancer, [make_node(serve), clusters[1]], backend, tmp_path, ", commit: 1s")
    with socket.create_connection((balancer.address, 9201), 10) as c:
        c.sendall(b"POST %s HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n" % path.encode())
        c.sendall(b"%x\r\n%s\r\n" % (80_000, b"x" * 80_000))
        until(lambda: sum(came) >= 80_000, 20, "the first piece")
        first, sent = sum(came), time.monotonic()
        c.sendall(b"6\r\nsecond\r\n")
        until(lambda: sum(came) > first, 20, "the second piece")
        assert (time.monotonic() - sent > 0.6) == waits
    seen = until(lambda: [e for e in exchanges(balancer) if e["attempts"]], what="an outcome")
    # The cluster may have acted on what it has; with all but the end of a bulk it does nothing.
    assert seen[0]["outcome"] == ("unknown" if waits else "not_sent")


def test_kills_lose_no_write():
    """./dev crash 200 does the same for longer."""
    done = subprocess.run([sys.executable, str(ROOT / "tests" / "crash" / "crash.py"), "10"], capture_output=True,
                          text=True, check=False, timeout=300)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "applied and not in the log: 0; acknowledged without its outcome there: 0" in done.stdout


def test_what_is_recorded_is_seen(make_balancer, clusters, backend, tmp_path):
    balancer = make_captured(make_balancer, clusters, backend, tmp_path)
    for n in range(3):
        requests.put(f"{balancer.source}/books/_doc/{n}", data=b"{}", timeout=10)
    seen = balancer.status()["capture"]
    assert (seen["state"], seen["generation"], seen["gaps"], seen["unrecorded"]) == ("available", 1, 0, {})
    assert seen["records"] >= 15 and seen["commits"] >= 3 and seen["bytes"] > 1000
    assert seen["waits"] >= 6 and seen["batches"] >= 6  # a request and its outcome, each by itself
    assert 0 < seen["commit_ms"]["p50"] <= seen["commit_ms"]["p99"] < 10_000
    assert 3 <= sum(seen["buckets"]["commit"]) <= seen["commits"]
    assert seen["refused"] == {"reads": 0, "writes": 0}
    said = balancer.command("status").stdout
    assert "capture  available" in said and re.search(r"commits  p50 / p99 ms \d.* B queued, 0 refused", said)
    shutil.rmtree(balancer.log_directory)
    until(lambda: refused(balancer), what="a refusal")
    assert balancer.status()["capture"]["state"] == "unavailable"
    said = balancer.command("status").stdout
    assert re.search(r"capture  unavailable since \S+Z: No such file or directory", said)
    n = balancer.status()["capture"]["refused"]["writes"]
    assert n >= 1 and f", {n} refused" in said
    assert f'crossfade_capture_refused_total{{kind="write"}} {n}\n' in metrics_of(balancer)


def test_the_oldest_segments_are_taken_away(make_balancer, clusters, tmp_path):
    balancer = make_captured(make_balancer, clusters, "auto", tmp_path, ", retain: { size: 6MiB }")
    requests.put(f"{balancer.source}/books/_doc/0", data=os.urandom(1_000_000), timeout=10)
    first = kept(balancer)[0]
    for n in range(1, 12):
        requests.put(f"{balancer.source}/books/_doc/{n}", data=os.urandom(1_000_000), timeout=10)
    last = kept(balancer)[-1]
    until(lambda: first not in kept(balancer), 15, "the first to go")
    until(lambda: sum(f.stat().st_blocks * 512 for f in balancer.log_directory.glob("*.capture")) < 9e6, 15)
    assert last in kept(balancer)
    seen = exchanges(balancer)
    assert seen[-1]["path"] == "/books/_doc/11" and len(seen) < 12
    assert capture(balancer, "verify").returncode == 0
    assert "removes the only copy" in balancer.command("check", "-c", balancer.file).stderr


def test_nothing_is_written_beyond_the_limit(make_balancer, clusters, tmp_path):
    balancer = make_captured(make_balancer, clusters, "auto", tmp_path, ", limit: 6MiB")
    for n in range(8):
        requests.put(f"{balancer.source}/books/_doc/{n}", data=os.urandom(1_000_000), timeout=10)
    until(lambda: refused(balancer), 15, "a refusal")
    error = balancer.status()["capture"]["error"]
    assert re.match(r"`limit` is reached: \d+\.\d MiB of 6\.0 MiB: ", error), error
    assert "quota" not in balancer.said() + balancer.command("status").stdout
    assert requests.get(balancer.source, timeout=10).status_code == 200
    for name in kept(balancer)[:-1]:
        (balancer.log_directory / name).unlink()
    until(lambda: not refused(balancer), 15, "room")


def test_a_fast_writer_does_not_outrun_the_limit(make_balancer, clusters, tmp_path):
    """Before the directory is looked at again: at most the segment that is being written more than that."""
    balancer = make_captured(make_balancer, clusters, "auto", tmp_path, ", limit: 6MiB")
    requests.put(f"{balancer.source}/books/_doc/first", data=b"{}", timeout=10)
    until(lambda: balancer.status()["capture"]["kept_bytes"], what="a look at the directory")
    with requests.Session() as s:
        statuses = [s.put(f"{balancer.source}/books/_doc/{n}", data=bytes(1_000_000), timeout=10).status_code for n in range(40)]
    assert 503 in statuses and 503 not in statuses[:4], statuses
    assert sum(f.stat().st_size for f in balancer.log_directory.glob("*.capture")) <= (6 + 2 + 2) * 1048576


def said(balancer, pattern):
    return until(lambda: re.search(pattern, balancer.said()), 15, f"{pattern} in the log:\n{balancer.said()}")


@pytest.mark.parametrize("unavailable", ["refuse", "forward"])
def test_the_log_says_that_nothing_is_recorded_and_since_when(make_balancer, clusters, tmp_path, unavailable):
    balancer = make_captured(make_balancer, clusters, "auto", tmp_path, f", limit: 4MiB, unavailable: {unavailable}")

    def put():
        return requests.put(f"{balancer.source}/books/_doc/1", data=os.urandom(1_000_000), timeout=10).status_code

    def away():
        put()
        return "the log in" in balancer.said()
    until(away, 15, "a full log")
    line = said(balancer, r"error +capture: the log in \S+ is unavailable: `limit` is reached: .*; (.*)")
    assert line[1] == {"refuse": "writes get 503, and reads pass unrecorded",
                       "forward": "writes and reads pass unrecorded (`unavailable: forward`)"}[unavailable]
    assert {put() for _ in range(5)} == {503 if unavailable == "refuse" else 200}
    assert requests.get(balancer.source, timeout=10).status_code == 200
    for name in kept(balancer)[:-1]:
        (balancer.log_directory / name).unlink()
    line = said(balancer, r"capture: the log is available again: it was unavailable for \S+, since \S+Z; "
                r"(\d+) requests were refused, (\d+) writes and (\d+) reads passed unrecorded: a gap")
    refused_n, writes, reads = map(int, line.groups())
    assert (refused_n if unavailable == "refuse" else writes) >= 5 and reads == 1
    assert (writes if unavailable == "refuse" else refused_n) == 0
    assert balancer.said().count("the log is available again") == 1


def test_a_cluster_that_answers_early_is_recorded(make_balancer, clusters, make_node, backend, tmp_path):
    """Its response is whole before the request is: what waits for the log has nobody to go to then."""

    def serve(connection):
        while read_head(connection)[0]:
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")

    node = make_node(serve)
    balancer = make_captured(make_balancer, [node, clusters[1]], backend, tmp_path)
    for n in range(3):
        with socket.create_connection((balancer.address, 9201), 10) as c:
            c.sendall(b"PUT /books/_doc/%d HTTP/1.1\r\nHost: a\r\nContent-Length: 300000\r\n\r\n" % n + b"x" * 100_000)
            assert read_head(c)[0].startswith(b"HTTP/1.1 413 ")
    seen = until(lambda: len(done := [e for e in exchanges(balancer) if e["outcome"] != "open"]) == 3 and done)
    assert {(e["status"], e["outcome"]) for e in seen} == {(413, "rejected")}
    assert balancer.is_up()
