"""What a node gets to know of a client that goes."""

import socket
import ssl
import struct
import threading

import pytest
from stage import read_head, until

RESET = struct.pack("ii", 1, 0)
READ = b"GET /i/_search HTTP/1.1\r\nHost: a\r\n\r\n"
WRITE = b"POST /i/_doc HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}"
OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"


class Searcher:
    """It works on what it was asked until it is told to respond, and notes how its connection ends meanwhile."""

    def __init__(self):
        self.asked, self.ends, self.go = 0, [], threading.Event()

    def serve(self, connection):
        while (head := read_head(connection)[0]):
            if b"/i/" not in head:
                connection.sendall(OK)
                continue
            self.asked += 1
            connection.settimeout(0.05)
            while not self.go.is_set():
                try:
                    self.ends.append("data" if connection.recv(10) else "FIN")
                    return
                except TimeoutError:
                    pass
                except ConnectionResetError:
                    self.ends.append("RST")
                    return
            connection.settimeout(None)
            connection.sendall(OK)


def connect(balancer, tls):
    host, port = (balancer.weighted if tls else balancer.source).split("//")[1].split(":")
    client = socket.create_connection((host, int(port)), timeout=10)
    return ssl._create_unverified_context().wrap_socket(client) if tls else client


def finish(client):
    if isinstance(client, ssl.SSLSocket):
        client.setblocking(False)
        try:
            client.unwrap()  # sends close_notify, and does not wait for the other one
        except (ssl.SSLError, ConnectionResetError):
            pass  # the response to it may be there already
        client.settimeout(10)
    else:
        client.shutdown(socket.SHUT_WR)


def reset(client):
    client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
    client.close()


@pytest.mark.parametrize("tls", [False, True])
@pytest.mark.parametrize("leave", [finish, reset, lambda client: client.close()], ids=["finish", "reset", "close"])
def test_a_search_ends_with_its_client_by_fin(make_balancer, make_node, clusters, backend, tls, leave):
    node = Searcher()
    balancer = make_balancer(make_node(node.serve).url, clusters[1].url, io=backend, more="profile: opensearch")
    client = connect(balancer, tls)
    client.sendall(READ)
    until(lambda: node.asked == 1)
    leave(client)
    until(lambda: node.ends == ["FIN"])
    client.close()


@pytest.mark.parametrize("profile, listener", [("http", ""), ("opensearch", "serve")])
def test_a_client_that_only_says_no_more_is_served(make_balancer, make_node, clusters, backend, profile, listener):
    node = Searcher()
    balancer = make_balancer(make_node(node.serve).url, clusters[1].url, io=backend, more=f"profile: {profile}", start=False)
    file = balancer.directory / "crossfade.yaml"
    if listener:
        file.write_text(file.read_text().replace("9201, tls: off", f"9201, tls: off, half_close: {listener}"))
    balancer.start()
    client = connect(balancer, False)
    client.sendall(READ)
    until(lambda: node.asked == 1)
    finish(client)
    node.go.set()
    assert client.recv(65536).startswith(b"HTTP/1.1 200")
    assert node.ends == []
    client.close()


def test_a_write_is_served_to_a_client_that_has_finished(make_balancer, make_node, clusters, backend):
    node = Searcher()
    balancer = make_balancer(make_node(node.serve).url, clusters[1].url, io=backend, more="profile: opensearch")
    client = connect(balancer, False)
    client.sendall(WRITE)
    until(lambda: node.asked == 1)
    finish(client)
    node.go.set()
    assert client.recv(65536).startswith(b"HTTP/1.1 200")
    assert node.ends == []
    client.close()
