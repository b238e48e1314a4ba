"""How long a response may take to begin."""

import time

import pytest
import requests
from stage import read_head


def slow(seconds):
    """A node that takes its time for what is not a check."""
    def serve(connection):
        while (head := read_head(connection)[0]):
            if b" /slow" in head or b"_forcemerge" in head:
                time.sleep(seconds)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    return serve


RULES = "timeouts: { idle: 400ms, rules: [ { method: POST, path: /*/_forcemerge, response: 1m } ] }"


@pytest.mark.parametrize("timeouts, path, served", [
    ("timeouts: { idle: 400ms }", "/slow", False),
    ("timeouts: { idle: 400ms, response: 20s }", "/slow", True),
    ("timeouts: { response: 400ms }", "/slow", False),
    (RULES, "/i/_forcemerge?max_num_segments=1", True),
    (RULES, "/slow", False),
    ("timeouts: { idle: 400ms }", "/slow?timeout=75s", True),
    ("timeouts: { idle: 400ms, asked: 0s }", "/slow?timeout=75s", False),
])
def test_a_response_has_the_time_that_was_given_or_asked_for(make_balancer, make_node, clusters, backend, timeouts, path, served):
    balancer = make_balancer(make_node(slow(1.2)).url, clusters[1].url, io=backend, more="profile: opensearch",
                             source_more=timeouts)
    got = requests.post(balancer.source + path, data=b"{}", timeout=20)
    assert got.status_code == (200 if served else 500)
