"""What somebody hostile may try about the meaning of a request, each asked once of the program as a whole."""

import json
import re
import socket

import pytest
from stage import own_address, receive, until

SECRET = "Basic c2VjcmV0"

# What is sent, its status, whether the cluster sees it, and its kind in the access log.
TABLE = {
    # A write that looks like a read to who does not decode as others do
    "encoded-word": ("GET /_opendistro/_%73ql?sql=DELETE", 200, True, "write"),
    "encoded-flush": ("GET /_%66lush", 200, True, "write"),
    "encoded-twice": ("GET /_%2566lush", 200, True, "write"),
    "encoded-slash": ("GET /i%2F_flush", 200, True, "write"),
    "encoded-backslash": ("GET /_cache%5Cclear", 200, True, "write"),
    "doubled-slash": ("GET //_refresh", 200, True, "write"),
    "parameter": ("GET /_flush;x=y", 200, True, "write"),
    "encoded-end": ("GET /_flush%3Fx", 200, True, "write"),
    "dots": ("GET /x/../_flush", 200, True, "write"),
    "encoded-dots": ("GET /x/%2e%2e/_flush", 200, True, "write"),
    "overlong": ("GET /i%c0%af_flush", 200, True, "write"),
    "head": ("HEAD /_flush", 200, True, "write"),
    "stored-search": ("POST /i/%5fsearch", 200, True, "write"),
    # and what is a read remains one
    "date-math": ("POST /%3Clogs-%7Bnow%2Fd%7D%3E/_search", 200, True, "read"),
    "id-with-slash": ("GET /i/_doc/a%2Fb", 200, True, "read"),
    "id-with-space": ("GET /i/_doc/a%20b", 200, True, "read"),
    # To see what the cluster alone is to see
    "trace": ("TRACE /", 405, False, None),
    "track": ("TRACK /", 405, False, None),
    "trace-in-small-letters": ("trace /", 405, False, None),
    "last-hop-of-trace": ("TRACE /\r\nMax-Forwards: 0", 405, False, None),
    "last-hop": ("OPTIONS /\r\nMax-Forwards: 0", 200, False, None),
    "last-hop-of-all": ("OPTIONS *\r\nMax-Forwards: 0", 200, False, None),
    "no-number-of-hops": ("OPTIONS /\r\nMax-Forwards: 0x0", 400, False, None),
    "two-numbers-of-hops": ("OPTIONS /\r\nMax-Forwards: 5\r\nMax-Forwards: 0", 400, False, None),
    "one-hop-more": ("OPTIONS /\r\nMax-Forwards: 1", 200, True, "read"),
    # To get past the balancer
    "sniffing": ("GET /_nodes/_all/http", 200, False, None),
    # To be somebody else
    "claimed-address": ("GET /\r\nX-Forwarded-For: 198.51.100.7\r\nX-Crossfade-Cluster: target", 200, True, "read"),
}


@pytest.fixture
def hostile(make_balancer, clusters):
    return make_balancer(
        clusters[0].url, clusters[1].url, cluster_more=f'  authorization: "{SECRET}"\n  health: {{ path: /checked }}',
        more="workers: 1\nprofile: opensearch\nlog: { access: access.log, format: json }\n"
             "override: { allow: 198.51.100.0/24 }")


def say(balancer, text, port=9201):
    first, *fields = text.split("\r\n")
    lines = [f"{first} HTTP/1.1", "Host: es.test", "Connection: close", *fields]
    if first.startswith("POST"):
        lines.append("Content-Length: 0")
    with socket.create_connection((balancer.address, port), 10) as s:
        s.sendall("\r\n".join(lines).encode() + b"\r\n\r\n")
        got = b""
        while more := s.recv(65536):
            got += more
    return int(got.split()[1]), got


@pytest.mark.parametrize("what", TABLE)
def test_a_hostile_request_means_what_the_cluster_takes_it_for(hostile, clusters, what):
    text, status, seen, kind = TABLE[what]
    got_status, got = say(hostile, text)
    assert got_status == status, got
    assert [sum(n for path, n in c.asked.items() if path != "/checked") for c in clusters] == [seen, 0]
    if not seen:
        assert SECRET.encode() not in got and clusters[0].url.split("//")[1].encode() not in got
    log = hostile.directory / "access.log"
    until(lambda: log.exists() and log.read_text().endswith("\n"), what="a line in the access log")
    if kind:
        assert json.loads(log.read_text())["kind"] == kind


@pytest.mark.parametrize("weights, writes", [((50, 50), 2), ((90, 10), 10)])
def test_no_rhythm_keeps_a_cluster_from_its_writes(make_balancer, clusters, weights, writes):
    """One connection: every other request, and every tenth, is a write; each cluster has its share of these."""
    balancer = make_balancer(clusters[0].url, clusters[1].url, weights=weights, more="workers: 1", start=False)
    balancer.file.write_text(balancer.file.read_text().replace(":8443 }", ":8443, tls: off }"))
    balancer.start()
    with socket.create_connection((balancer.address, 8443), 10) as s:
        for i in range(100 * writes):
            write = i % writes == 0
            request = b"PUT /write HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n" if write else \
                b"GET /read HTTP/1.1\r\nHost: a\r\n\r\n"
            s.sendall(request)
            got = b""
            while b"\r\n\r\n" not in got or len(got.split(b"\r\n\r\n", 1)[1]) < length_of(got):
                got += receive(s, 65536)
    assert [c.asked["/write"] for c in clusters] == list(weights)
    reads = 100 * (writes - 1)
    for c, weight in zip(clusters, weights):
        assert abs(c.asked["/read"] - reads * weight / 100) <= 1


def length_of(response):
    return int(re.search(rb"(?im)^content-length: (\d+)", response)[1])


@pytest.mark.parametrize("host, status", [
    ("evil.example", 421), ("evil.example:9280", 421), ("localhost.evil.example", 421), ("127.1", 421),
    ("127.0.0.1.evil.example", 421), ("localhost:9280", 200), ("127.0.0.1", 200), ("[::1]:9280", 200),
    ("Balancer.Internal:9280", 200), ("x.balancer.internal", 421),
])
@pytest.mark.parametrize("path", ["/metrics", "/healthz"])
def test_the_admin_address_answers_to_its_own_names_alone(make_balancer, clusters, host, status, path):
    at = own_address()
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False)
    file = balancer.file
    file.write_text(file.read_text().replace(
        "admin: { socket: admin.sock }",
        f"admin: {{ socket: admin.sock, address: {at}:9280, hosts: balancer.internal }}"))
    balancer.start()
    with socket.create_connection((at, 9280), 10) as s:
        s.sendall(f"GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n".encode())
        got = s.recv(65536)
    assert int(got.split()[1]) == status
    assert (b"host_not_ours" in got) == (status == 421)
