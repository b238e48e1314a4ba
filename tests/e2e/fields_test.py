"""Fields that nodes get, whatever they are called and wherever they stand."""

import socket

import pytest
from stage import read_head, receive

HEADERS = "headers: { set: { X-Tenant: ours }, remove: [ X-Secret ]%s }"
REQUEST = (b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTE: trailers\r\nX_Tenant: theirs\r\n"
           b"x_secret: 1\r\nX_Forwarded_For: 1.2.3.4\r\nx_own: stays\r\n\r\n1\r\nx\r\n0\r\nX-Tenant: theirs\r\n"
           b"X_Tenant: theirs\r\nX-Secret: 1\r\nX_SECRET: 1\r\nX-Sum: 7\r\n\r\n")


def ask(balancer):
    host, port = balancer.source.split("//")[1].split(":")
    with socket.create_connection((host, int(port)), timeout=10) as client:
        client.sendall(REQUEST)
        response = client.recv(65536)
        while not response.endswith(b"x-sum: 7\r\n\r\n"):
            response += receive(client, 65536)
        return response


def node_of(got):
    def serve(connection):
        while True:
            head, rest = read_head(connection)
            if not head:
                return
            while head.startswith(b"POST") and not rest.endswith(b"\r\n\r\n"):
                rest += receive(connection, 65536)
            got.append((head + b"\r\n" + rest).lower())
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nX-Crossfade-Error: forged\r\n"
                               b"x_crossfade_error: forged\r\nX-Crossfade-Cluster: forged\r\n\r\n"
                               b"0\r\nX_Crossfade_Error: forged\r\nx-sum: 7\r\n\r\n")
    return serve


@pytest.mark.parametrize("how", ["", ", underscores: pass"])
def test_neither_a_trailer_nor_an_underscore_gets_around_headers(make_balancer, make_node, clusters, backend, how):
    got = []
    balancer = make_balancer(make_node(node_of(got)).url, clusters[1].url, io=backend,
                             source_more=HEADERS % how + "\n  health: { interval: 1h }")
    response = ask(balancer)
    request = next(g for g in got if g.startswith(b"post"))
    head, trailers = request.split(b"\r\n0\r\n")
    assert b"\r\nx-tenant: ours\r\n" in head and b"x_own: stays" in head
    assert b"x-sum: 7" in trailers and b"x-secret" not in request and b"x-tenant" not in trailers
    hidden = [b"x_tenant", b"x_secret", b"x_forwarded_for"]
    assert [h in head for h in hidden] == [bool(how)] * 3
    assert [h in trailers for h in hidden] == [bool(how)] * 2 + [False]
    assert response.startswith(b"HTTP/1.1 200") and b"forged" not in response
