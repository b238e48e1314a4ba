"""A real WebSocket, its own library on both sides."""

import random
import socket
import ssl

import pytest
from wsproto import ConnectionType, WSConnection
from wsproto.events import AcceptConnection, BytesMessage, CloseConnection, Ping, Pong, Request, TextMessage


def events(ws, connection):
    while True:
        yield from ws.events()
        data = connection.recv(65536)
        if not data:
            return
        ws.receive_data(data)


def echo(connection):
    """A server that repeats messages. It leaves whoever wants no WebSocket: a check of its health."""
    if b"/socket" not in connection.recv(100, socket.MSG_PEEK):
        return
    ws, parts = WSConnection(ConnectionType.SERVER), []
    for event in events(ws, connection):
        if isinstance(event, Request):
            connection.sendall(ws.send(AcceptConnection(subprotocol=event.subprotocols[0])))
        elif isinstance(event, BytesMessage):
            parts.append(bytes(event.data))
            if event.message_finished:
                connection.sendall(ws.send(BytesMessage(b"".join(parts))))
                parts = []
        elif isinstance(event, (TextMessage, Ping)):
            response = event.response() if isinstance(event, Ping) else TextMessage(event.data)
            connection.sendall(ws.send(response))
        elif isinstance(event, CloseConnection):
            connection.sendall(ws.send(event.response()))
            return


@pytest.mark.parametrize("tls", [False, True], ids=["clear", "tls"])
def test_a_websocket_passes(make_balancer, make_node, backend, tls):
    node = make_node(echo)
    balancer = make_balancer(node.url, node.url, io=backend, cluster_more="  health: { interval: 1h, failures: 9 }")
    connection = socket.create_connection((balancer.address, 8443 if tls else 9201), 10)
    if tls:
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
        context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        connection = context.wrap_socket(connection)
    with connection:
        ws, chance = WSConnection(ConnectionType.CLIENT), random.Random(5)
        heard = events(ws, connection)
        connection.sendall(ws.send(Request(host="a", target="/socket", subprotocols=["echo"])))
        assert next(heard).subprotocol == "echo"
        for size in 1, 100, 70_000, 2_000_000, 3:
            data, got = chance.randbytes(size), b""
            connection.sendall(ws.send(BytesMessage(data)))
            for event in heard:
                got += event.data
                if event.message_finished:
                    break
            assert got == data
        connection.sendall(ws.send(Ping(b"?")))
        assert next(heard) == Pong(b"?")
        connection.sendall(ws.send(TextMessage("bye")))
        assert next(heard).data == "bye"
        connection.sendall(ws.send(CloseConnection(1000)))
        assert next(heard).code == 1000
        assert not list(heard)
    assert not node.failures
