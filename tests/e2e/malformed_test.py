"""What is no HTTP: its sender is told, and the log says which rule it broke and how."""

import json
import re
import socket
import time

import pytest
from stage import read_all, until

SECRET = b"c2VjcmV0"


@pytest.fixture
def one(make_balancer, clusters):
    return make_balancer(clusters[0].url, clusters[1].url, more="workers: 1")


def send(balancer, text):
    with socket.create_connection((balancer.address, 9201), 10) as s:
        s.sendall(text)
        return read_all(s)


def told(balancer, words):
    until(lambda: words in balancer.said(), what=words)
    return next(line for line in balancer.said().splitlines() if words in line)


REQUESTS = {
    "space-before-colon": (b"GET / HTTP/1.1\r\nHost: a\r\nAuthorization : Basic %s\r\n\r\n" % SECRET, "space_before_colon",
                           "White space stands before a field's colon. It is in 'Authorization ***'."),
    "doubled-length": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n" + SECRET,
                       "content_length_doubled", "It is in 'Content-Length: 2'."),
    "length-and-coding": (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n" + SECRET,
                          "length_with_coding", "Content-Length and Transfer-Encoding stand together. (length_with"),
    "bad-host": (b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n", "bad_host", "It is in 'Host: a b'."),
    "first-chunk": (b"POST /i HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n" + SECRET, "bad_chunk_size",
                    "A chunk's size is not a hexadecimal number. Found byte 0x78 instead."),
    "chunk-end": (b"POST /i HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab" + SECRET, "bad_chunk_end",
                  "A chunk's data does not end with CR LF. Found byte 0x63 instead."),
    "trailer": (b"POST /i HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\nX Y: %s\r\n\r\n" % SECRET,
                "space_before_colon", "It is in 'X ***'."),
    "tls": (b"\x16\x03\x01\x00\xa5\x01\x00\x00\xa1\x03\x03\r\n\r\n", "bad_method",
            "It is in '\\x16\\x03\\x01\\x00\\xA5\\x01\\x00\\x00\\xA1\\x03\\x03'."),
}


@pytest.mark.parametrize("row", REQUESTS)
def test_a_malformed_request_is_told_with_its_rule(one, row):
    text, word, words = REQUESTS[row]
    got = send(one, text)
    assert got.startswith(b"HTTP/1.1 400 ") and b"\r\nConnection: close\r\n" in got
    assert f"X-Crossfade-Error: {word}\r\n".encode() in got or f"x-crossfade-error: {word}\r\n".encode() in got
    line = told(one, words)
    assert "listener source: client 127.0.0.1 sent a malformed request, and it got 400: " in line and f"({word})" in line
    assert SECRET.decode() not in one.said()


def test_the_byte_of_a_target_is_named_to_its_client(one):
    got = send(one, b"GET /logs-au\xc3\x9f/_search?token=%s HTTP/1.1\r\nHost: a\r\n\r\n" % SECRET)
    assert json.loads(got.partition(b"\r\n\r\n")[2])["message"] == (
        "The request target is not valid. "
        "Byte 9 of the target is 0xC3: percent-encode it as %C3.")
    assert "It is in 'GET /logs-au\\xC3\\x9F/_search?***'." in told(one, "Byte 9 of the target")
    assert SECRET.decode() not in one.said()


def test_a_listener_may_take_raw_bytes_in_targets(make_balancer, clusters):
    """They pass, are logged and classified as they are; what would end a target does not."""
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False,
                             more="profile: opensearch\nlog: { access: access.log, format: json }\ncapture: { directory: records }")
    text = balancer.file.read_text()
    balancer.file.write_text(text.replace(":9201, tls: off", ":9201, tls: off, targets: lenient"))
    balancer.start()
    head = b"%s /logs-au\xc3\x9f%s HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n"
    for method, end, kind in (b"GET", b"/_search?q=\xff", "read"), (b"POST", b"/_rollover", "write"):
        assert send(balancer, head % (method, end)).startswith(b"HTTP/1.1 200 ")
        until(lambda kind=kind: f'"kind":"{kind}"' in (balancer.directory / "access.log").read_text())
    logged = (balancer.directory / "access.log").read_text()
    assert "/logs-au\\u00C3\\u009F/_search?q=\\u00FF" in logged
    recorded = b"".join(f.read_bytes() for f in (balancer.directory / "records").rglob("*") if f.is_file())
    assert b"/logs-au\xc3\x9f/_rollover" in recorded
    for bad in b"/\xc3\x9f x", b"/\xc3\x9f#x", b"/\xc3\x9f\x7f", b"\xc3\x9f":
        assert send(balancer, b"GET %s HTTP/1.1\r\nHost: a\r\n\r\n" % bad).startswith(b"HTTP/1.1 400 ")


def test_malformed_requests_are_told_once_a_second_with_their_count(one):
    begin = time.monotonic()
    while time.monotonic() < begin + 1.5:
        send(one, b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n")
        send(one, b"GET /\r\n\r\n")
    lines = [line for line in one.said().splitlines() if "malformed" in line]
    assert 2 <= len(lines) <= 3 and re.search(r"; \d+ more since the last line\)$", lines[1])


RESPONSES = {
    "doubled-coding": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n",
                       "It is in 'Transfer-Encoding: chunked'."),
    "cookie": (b"HTTP/1.1 200 OK\r\nSet-Cookie: %s\x01\r\n\r\n" % SECRET, "The value contains byte 0x01. It is in 'Set-Cookie:***'"),
    "status": (b"HTTP/1.1 20 OK\r\n\r\n", "It is in 'HTTP/1.1 20 OK'."),
    "length-and-coding": (b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nContent-Length: 8\r\n\r\n" + SECRET,
                          "(Content-Length and Transfer-Encoding stand together.)"),
}


@pytest.mark.parametrize("row", RESPONSES)
def test_a_malformed_response_is_told_with_its_rule(make_balancer, make_node, clusters, row):
    text, words = RESPONSES[row]
    node = make_node(lambda c: c.sendall(text if c.recv(65536) else b""))
    health = "health: { path: /h, interval: 300ms, failures: 100 }"
    balancer = make_balancer(node.url, clusters[1].url, more="workers: 1", source_more=health)
    assert send(balancer, b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n").startswith(b"HTTP/1.1 502 ")
    line = told(balancer, words)
    assert f"source: a response of node {own_name(node)} failed: The cluster's response is not valid HTTP." in line
    assert "(response_malformed" in line
    until(lambda: "response_malformed: " in balancer.nodes()[0]["check"])
    assert SECRET.decode() not in balancer.said()


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_head_with_a_bad_first_chunk_is_a_502(make_balancer, make_node, clusters, method):
    """In one receive: its client gets a response, and the log says which."""
    node = make_node(lambda c: c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nx\r\n" if c.recv(65536) else b""))
    balancer = make_balancer(node.url, clusters[1].url, more="workers: 1\nlog: { access: access.log, format: json }")
    got = send(balancer, b"%s /i HTTP/1.1\r\nHost: a\r\nConnection: close\r\nContent-Length: 0\r\n\r\n" % method.encode())
    assert got.startswith(b"HTTP/1.1 502 ") and b"response_malformed" in got
    told(balancer, "A chunk's size is not a hexadecimal number. Found byte 0x78 instead.")
    line = json.loads(until((balancer.directory / "access.log").read_text))
    assert (line["elb_status_code"], line["error_reason"]) == (502, "response_malformed")


def own_name(node):
    return node.url.partition("//")[2]
