"""A request through the whole house."""

import hashlib
import os
import subprocess

import requests


def ask(url, method="GET", **more):
    return requests.request(method, url, verify=False, timeout=20, **more).json()


def test_a_request_passes_each_listener(balancer):
    assert ask(balancer.weighted + "/a?b=c")["cluster"] == "source"
    assert ask(balancer.source + "/")["cluster"] == "source"
    said = ask(balancer.target + "/a?b=c")
    assert (said["cluster"], said["method"], said["path"]) == ("target", "GET", "/a?b=c")


def test_a_large_body_arrives_whole(balancer):
    body = os.urandom(20_000_000)
    for url in balancer.weighted, balancer.source:
        said = ask(url + "/_bulk", "POST", data=body)
        assert said["sha256"] == hashlib.sha256(body).hexdigest()


def test_a_chunked_body_arrives_whole(balancer):
    parts = [os.urandom(n) for n in (1, 5000, 300_000, 3)]
    said = ask(balancer.weighted + "/_bulk", "POST", data=iter(parts))
    assert said["sha256"] == hashlib.sha256(b"".join(parts)).hexdigest()


def test_a_search_with_a_body_keeps_its_connection(balancer):
    with requests.Session() as session:
        for n in range(20):
            got = session.get(balancer.source + "/_search", data=f'{{"size":{n}}}', timeout=20)
            assert got.json()["length"] == len(f'{{"size":{n}}}')
            assert got.headers.get("Connection") == "keep-alive"


def test_forwarded_and_trace_fields_are_added(balancer):
    fields = {name.lower(): value for name, value in ask(balancer.weighted + "/")["headers"]}
    assert fields["x-forwarded-proto"] == "https"
    assert fields["x-forwarded-port"] == "8443"
    assert fields["x-forwarded-for"].startswith("127.")
    assert fields["x-amzn-trace-id"].startswith("Root=1-")
    assert len(fields["traceparent"]) == 55


def test_http_1_0_and_head_are_served(balancer):
    done = subprocess.run(["curl", "-sk", "-0", "-i", balancer.weighted + "/"], capture_output=True, check=True)
    assert done.stdout.startswith(b"HTTP/1.1 200")
    done = subprocess.run(["curl", "-sk", "-I", balancer.weighted + "/"], capture_output=True, check=True)
    assert b"Content-Length" in done.stdout
