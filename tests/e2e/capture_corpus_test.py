"""What real clients send, and what a cluster responds, comes back from the log byte for byte."""

import base64
import collections
import gzip
import json
import os
import random
import shutil
import socket
import subprocess
import threading
import zlib

import pytest
from capture_stage import capture, exchanges, make_captured
from corpus_stage import Message, Wire, Witness
from kafka_stage import fields
from opensearchpy import OpenSearch
from stage import ROOT, read_all, until

ALL = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n"


def whole(head, body):
    return head + b"Content-Length: %d\r\n\r\n" % len(body) + body


def chunked(head, parts, trailers=b""):
    return (head + b"transfer-encoding: chunked\r\n\r\n" +
            b"".join(b"%x;a=b\r\n%b\r\n" % (len(part), part) for part in parts) + b"0\r\n" + trailers + b"\r\n")


RESPONSES = {
    b"/answer/204": b"HTTP/1.1 204 No Content\r\nX-Empty:\r\n\r\n",
    b"/answer/304": b"HTTP/1.1 304 Not Modified\r\nETag: \"a\"\r\nContent-Length: 4711\r\n\r\n",
    b"/answer/404": whole(b"HTTP/1.1 404 Nowhere To Be  Found\r\n", b"no"),
    b"/answer/500": whole(b"HTTP/1.1 500 \r\n", b""),
    b"/answer/chunked": chunked(ALL, [b"{", b'"a"' * 5000, b"}"]),
    b"/answer/trailers": chunked(ALL + b"Trailer: X-Sum, x-other\r\n", [os.urandom(9000), b"x"], b"X-Sum:  1\t\r\nx-other: 2\r\n"),
    b"/answer/close": b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n" + os.urandom(100_000),
    b"/answer/1.0": b"HTTP/1.0 200 OK\r\nConnection: close\r\n\r\nas it was",
    b"/answer/gzip": whole(ALL + b"Content-Encoding: gzip\r\n", gzip.compress(b'{"hits":[]}' * 1000)),
    b"/answer/hints": b"HTTP/1.1 103 Early Hints\r\nLink: </a.css>\r\n\r\n" + whole(ALL, b"{}"),
    b"/answer/fields": whole(b"HTTP/1.1 200 OK\r\nset-COOKIE: a=1\r\nSet-Cookie:b=2 \r\nX-Latin: caf\xe9\r\nX-None: \t\r\n"
                             b"Connection: X-Hop\r\nX-Hop: 1\r\nKeep-Alive: timeout=5\r\n", b"ok"),
    b"/answer/large": whole(ALL, os.urandom(3_000_000)),
}


def response(request):
    path = request.first.split(b" ")[1].partition(b"?")[0]
    if request.method == b"HEAD":
        return b"HTTP/1.1 200 OK\r\nContent-Length: 1234\r\n\r\n"
    if path in RESPONSES:
        return RESPONSES[path]
    return whole(ALL, json.dumps({"took": 1, "errors": False, "items": [], "result": "created", "_id": "ü",
                                  "version": {"number": "2.19.0", "distribution": "opensearch"}}).encode())


# --- clients ---

def opensearch_py(wire):
    for options in {}, {"http_compress": True}:
        search = OpenSearch([{"host": wire.address, "port": wire.port}], timeout=30, max_retries=0, maxsize=1,
                            http_auth=("open", "sesame"), **options)
        lines = [part for n in range(2000) for part in ({"index": {"_index": "py", "_id": n}}, {"title": f"bück {n}"})]
        search.info()
        search.index("py", {"title": "ünï"}, id="1 / 2")
        search.bulk(lines)
        search.search({"query": {"match_all": {}}}, "py")
        search.transport.perform_request("GET", "/py/_search", body={"size": 0})
        search.exists("py", "1")
        search.delete("py", "1")
        search.close()


def javascript(wire):
    if not shutil.which("node"):
        pytest.skip("this needs node: apt-get install nodejs, or ./dev test")
    done = subprocess.run(["node", ROOT / "tests/clients/corpus.js", wire.url], capture_output=True, text=True, check=False,
                          timeout=60)
    assert done.returncode == 0, done.stderr


def curl(wire):
    def run(*words, given=b""):
        done = subprocess.run(["curl", "-sS", "--noproxy", "*", "-o", "/dev/null", *words], input=given, capture_output=True,
                              check=False, timeout=60)
        assert done.returncode == 0, done.stderr

    text = b"".join(b'{"index":{"_id":"%d"}}\n{"n":%d}\n' % (n, n) for n in range(50_000))
    run(f"{wire.url}/answer/fields", "-o", "/dev/null", f"{wire.url}/curl/second")
    run(f"{wire.url}/curl/_search?pretty", "-X", "GET", "-d", '{"size": 1}')
    run(f"{wire.url}/curl/_bulk", "-H", "Content-Type: application/x-ndjson", "--data-binary", "@-", given=text)
    run(f"{wire.url}/curl/_bulk?T", "-T", "-", given=text)
    run(f"{wire.url}/curl/_bulk?chunked", "-H", "Transfer-Encoding: chunked", "-d", "@-", given=text)
    run(f"{wire.url}/curl/_bulk?gzip", "-H", "Content-Encoding: gzip", "--data-binary", "@-", given=zlib.compress(text))
    run(f"{wire.url}/curl/_doc/1", "-X", "PUT", "-H", "Expect: 100-continue", "--data-binary", "@-", given=text[:5000])
    run(f"{wire.url}/answer/gzip", "--compressed", "-u", "open:sesame")
    run(f"{wire.url}/curl/_doc/1", "--head")
    run(f"{wire.url}/answer/close", "--http1.0")
    run(f"{wire.url}/curl/_doc/2", "-F", "file=@-", "-F", "a=b", given=os.urandom(70_000))
    run(*(word for path in RESPONSES for word in ("-o", "/dev/null", wire.url + path.decode())))


def speak(wire, requests, last=b"GET /last HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"):
    """All at once on one connection, until the balancer closes it behind the last response."""
    with socket.create_connection((wire.address, wire.port), 20) as c:
        sender = threading.Thread(target=c.sendall, args=[b"".join(requests) + last])
        sender.start()
        got = read_all(c)
        sender.join()
        return got


def bytes_by_hand(wire):
    """What no library sends, and is HTTP all the same."""
    chance = random.Random(5)
    parts = [chance.randbytes(chance.choice([1, 100, 4096, 70_000])) for _ in range(40)]
    for request in [
        chunked(b"POST /hand/_bulk HTTP/1.1\r\nHost: a\r\nTE: trailers\r\nConnection: te\r\nTrailer: X-Sum\r\n", parts,
                b"X-Sum:1\r\nx-SUM: \t 2\r\n"),
        chunked(b"POST /hand/_bulk HTTP/1.1\r\nhost:a\r\n", []),
        b"PuT /hand/%2e%2e/_doc?q=%00;&&= HTTP/1.1\r\nhOsT:\t A:80 \r\nX-a:  1 \t\r\nconnection: x-b\r\nX-B: 2\r\nx-A:\r\n"
        b"X-Latin: caf\xe9 \xff\r\nX-Utf: \xc3\xa9\r\nAuthorization: Basic eDp5\r\nContent-Length: 0\r\n\r\n",
        b"\r\nGET /hand/_search HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n\r\n{\"a\": 1}\n",
        b"DELETE /hand/_doc/1 HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\n\0\xff\n",
        whole(b"POST /hand/1.0 HTTP/1.0\r\nConnection: keep-alive\r\n", b"1.0"),
        b"GET http://a:80/hand/absolute?x=/ HTTP/1.1\r\nHost: a:80\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: a\r\n\r\n",
        b"HEAD /answer/chunked HTTP/1.1\r\nHost: a\r\n\r\n",
        whole(b"POST /hand/_bulk HTTP/1.1\r\nHost: a\r\nContent-Encoding: gzip\r\n", gzip.compress(chance.randbytes(200_000))),
        *(b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path for path in RESPONSES),
        *(whole(b"POST %b HTTP/1.1\r\nHost: a\r\n" % path, b"{}") for path in RESPONSES),
    ]:
        speak(wire, [request])
    speak(wire, [b"GET /hand/1.0 HTTP/1.0\r\n\r\n"], b"")


def pipelined(wire):
    """Their responses too: with and without bodies, of all framings."""
    paths = [*RESPONSES, b"/pipe/_doc/1", b"/pipe/_search"]
    requests = []
    for n in range(120):
        path = paths[n % len(paths)]
        requests.append([b"GET %b HTTP/1.1\r\nHost: a\r\n\r\n" % path, b"HEAD %b HTTP/1.1\r\nHost: a\r\n\r\n" % path,
                         whole(b"PUT %b HTTP/1.1\r\nHost: a\r\n" % path, b"x" * n),
                         chunked(b"POST %b HTTP/1.1\r\nHost: a\r\n" % path, [b"y" * n or b"y", b"z" * 5000])][n % 4])
    got = speak(wire, requests)
    assert got.count(b"\r\nX-Answer: ") == 121


def a_bulk_of_64_mib(wire):
    line = b'{"index":{"_index":"large"}}\n{"text":"%s"}\n'
    body = b"".join(line % base64.b64encode(os.urandom(3000)) for _ in range(16_700))
    assert len(body) > 64 << 20
    speak(wire, [whole(b"POST /_bulk HTTP/1.1\r\nHost: a\r\nContent-Type: application/x-ndjson\r\n", body)])


CLIENTS = [opensearch_py, javascript, curl, bytes_by_hand, pipelined, a_bulk_of_64_mib]


# --- what the log gives back ---

def part(line, name):
    """Of an exported exchange: text, or base64 of what is none."""
    if name + "_base64" in line:
        return base64.b64decode(line[name + "_base64"])
    return line.get(name, "").encode()


def parts(line, side):
    return tuple(part(line, f"{side}_{what}") for what in ("head", "body", "trailers"))


def streams(file):
    """The TrafficStreams of an export, by connection: requests and responses, as bytes."""
    requests, responses = collections.defaultdict(list), collections.defaultdict(list)
    asked, told, pieces = collections.defaultdict(bytes), collections.defaultdict(bytes), collections.defaultdict(list)
    with gzip.open(file) as lines:
        for line in lines:
            key, text = line.rstrip(b"\n").split(b"|")
            for number, observation in fields(base64.b64decode(text)):
                kinds = dict(fields(observation)) if number == 2 else {}
                for kind, data in kinds.items():
                    if kind in (4, 5):
                        pieces[key, "asked"].append(dict(fields(data))[1 if kind == 4 else 2])
                    elif kind in (8, 9):
                        pieces[key, "told"].append(dict(fields(data))[1 if kind == 8 else 2])
                    if kind == 15:
                        requests[key].append(b"".join(pieces.pop((key, "asked"))))
                    elif kind == 8 or (kind == 14 and (key, "told") in pieces):
                        responses[key].append(b"".join(pieces.pop((key, "told"))))
    assert not pieces
    return requests, responses


def assert_stream_message(text, sent):
    """With its length as it was; without, chunked anew, and its head says so."""
    if sent.length or not (sent.body or sent.chunked):
        assert text == sent.head + sent.body
        return
    again = Message(text, 0, sent.asked)
    assert again.at == len(text)
    assert text.startswith(sent.head[:-2] + b"Transfer-Encoding: chunked\r\n\r\n")
    assert (again.body, again.trailers) == (sent.body, sent.trailers)


def export(balancer, form, file):
    assert capture(balancer, "export", "--format", form, "--output", file).stdout == ""
    return file


def assert_all_is_exported(balancer, wire, witness, tmp_path):
    requests, heard = wire.requests(), wire.responses()
    assert len(requests) == len(heard)
    until(lambda: sum(e["latency"] is not None for e in exchanges(balancer)) == len(requests), what="all of it")
    with open(export(balancer, "jsonl", tmp_path / "all.jsonl")) as lines:
        told = {(int(line["client"].rpartition(":")[2]), line["request"]): line for line in map(json.loads, lines)}
    assert told.keys() == requests.keys()
    asked_again, told_again = streams(export(balancer, "trafficstream", tmp_path / "all.gz"))
    assert sum(map(len, asked_again.values())) == sum(map(len, told_again.values())) == len(requests)
    for name, line in told.items():
        request, number = requests[name], int(heard[name].field(b"x-answer"))
        responded = witness.sent[number]
        assert parts(line, "request") == (request.head, request.body, request.trailers), line["path"]
        assert parts(line, "response") == (responded.head, responded.body, responded.trailers), line["path"]
        assert witness.got[number].body == request.body
        assert line["request_whole"] and line["response_recorded"]
        key = line["connection"].encode()
        assert_stream_message(asked_again[key][line["request"] - 1], request)
        assert_stream_message(told_again[key][line["request"] - 1], responded)


@pytest.mark.parametrize("client", CLIENTS, ids=lambda client: client.__name__)
def test_an_export_gives_back_what_passed(make_balancer, make_node, backend, tmp_path, client):
    witness = Witness(response)
    node = make_node(witness.serve)
    balancer = make_captured(make_balancer, [node, node], backend, tmp_path, ", redact: none, responses: all",
                             cluster_more="  health: { interval: 1h, failures: 9 }")
    wire = Wire((balancer.address, 9201))
    client(wire)
    wire.close()
    assert_all_is_exported(balancer, wire, witness, tmp_path)
    assert capture(balancer, "verify").stdout.endswith("whole\n")
    assert not node.failures
