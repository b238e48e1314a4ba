"""A write that was sent and not answered: nobody knows whether it was applied, and nobody is invited to send it again."""

import struct
import socket

import pytest
import requests
from stage import read_head


class Mute:
    """It takes requests, and never answers but checks: it is silent, closes, resets, or says what is no HTTP."""

    def __init__(self, how):
        self.how, self.writes = how, 0

    def serve(self, connection):
        while (head := read_head(connection)[0]):
            if not head.startswith(b"POST /i/_doc"):
                connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")
                continue
            self.writes += 1
            if self.how == "silent":
                while connection.recv(65536):  # the body, and then our FIN
                    pass
            elif self.how == "resets":
                connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            elif self.how == "babbles":
                connection.sendall(b"what?\r\n\r\n")
            return


@pytest.mark.parametrize("how", ["silent", "closes", "resets", "babbles"])
@pytest.mark.parametrize("more, status", [
    ("profile: opensearch", 500),
    ("profile: http", None),
    ("profile: http\nunknown_status: 555", 555),
])
def test_a_write_of_unknown_outcome_is_not_to_be_sent_again(make_balancer, make_node, clusters, backend, how, more, status):
    node = Mute(how)
    balancer = make_balancer(make_node(node.serve).url, clusters[1].url, io=backend, more=more,
                             source_more="timeouts: { idle: 500ms }")
    got = requests.post(f"{balancer.source}/i/_doc", data=b"{}", timeout=20)
    assert got.status_code == (status or (504 if how == "silent" else 502))
    assert got.headers["X-Crossfade-Error"].endswith("; outcome=unknown")
    assert got.json()["outcome"] == "unknown"
    assert "Retry-After" not in got.headers
    assert node.writes == 1


def test_a_503_is_what_was_not_sent(make_balancer, clusters, backend, make_node):
    balancer = make_balancer(make_node(Mute("closes").serve).url, clusters[1].url, io=backend, more="profile: opensearch")
    balancer.command("drain", "--force", balancer.nodes()[0]["name"])
    got = requests.post(f"{balancer.source}/i/_doc", data=b"{}", timeout=20)
    assert (got.status_code, got.headers["X-Crossfade-Error"]) == (503, "nodes_drained")
    assert got.headers["Retry-After"]
