"""Bytes as they are: what varnishtest cannot send or tell apart. FIN and RST, both ways at once, cuts anywhere."""

import hashlib
import random
import socket
import ssl
import struct
import threading

import pytest
from stage import exchange, read_all, read_head, receive, until

OK = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"
# What each response of a connection that goes on says besides.
KEPT = b"\r\nConnection: keep-alive\r\nKeep-Alive: timeout=55"


def connect(balancer, listener="source"):
    if listener == "source":
        return socket.create_connection((balancer.address, 9201), 20)
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    return c.wrap_socket(socket.create_connection((balancer.address, 8443), 20))


def reset(connection):
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    connection.close()


@pytest.fixture
def between(make_balancer, make_node, backend):
    """A balancer whose source is a script."""

    def make(serve, more="", **node_more):
        node = make_node(serve, **node_more)
        balancer = make_balancer(node.url, node.url, io=backend, more="workers: 1\n" + more,
                                 cluster_more="  health: { interval: 1h, failures: 9 }")
        balancer.node = node
        return balancer

    return make


def test_a_request_arrives_as_it_was_sent(between):
    got = []

    def serve(c):
        head, _ = read_head(c)
        if head:
            got.append(head)
            c.sendall(OK)

    balancer = between(serve)
    with connect(balancer) as c:
        c.sendall(b"PuT /a/../b%2f?q=%00; HTTP/1.1\r\nhOsT: A:80\r\nX-a:  1 \t\r\nconnection: x-b\r\nX-B: 2\r\n"
                  b"x-A:\r\nContent-Length: 0\r\n\r\n")
        assert read_head(c)[0] == b"HTTP/1.1 200 OK\r\nContent-Length: 2" + KEPT
    lines = got[-1].split(b"\r\n")
    assert lines[:5] == [b"PuT /a/../b%2f?q=%00; HTTP/1.1", b"hOsT: A:80", b"X-a: 1", b"x-A: ",
                         b"Content-Length: 0"]
    assert [line.split(b":")[0] for line in lines[5:]] == [
        b"x-crossfade-hop", b"x-forwarded-for", b"x-forwarded-proto", b"x-forwarded-port", b"x-amzn-trace-id",
        b"traceparent"]


def test_a_client_may_finish_behind_its_request(between):
    go = threading.Event()

    def serve(c):
        while read_head(c)[0]:
            go.wait(10)
            c.sendall(OK)

    balancer = between(serve)
    with connect(balancer) as c:
        c.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n" * 3)
        c.shutdown(socket.SHUT_WR)
        until(lambda: balancer.node.connections > 0)
        go.set()
        # The last may say that it is the last.
        assert read_all(c).replace(KEPT, b"").replace(b"Connection: close\r\n", b"") == OK * 3


def test_a_client_that_finishes_within_its_request_is_told(between):
    def serve(c):
        read_all(c)

    balancer = between(serve)
    for part in (b"GET / HTTP/1.1\r\nHost", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nhe",
                 b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n"):
        with connect(balancer) as c:
            c.sendall(part)
            c.shutdown(socket.SHUT_WR)
            response = read_all(c)
            assert response.startswith(b"HTTP/1.1 400 ") and b"x-crossfade-error: request_cut" in response


def test_a_client_that_goes_away_ends_its_request_at_the_node(between):
    begun, ended = threading.Event(), threading.Event()

    def serve(c):
        head, _ = read_head(c)
        if not head or b"/wanted" not in head:
            return
        begun.set()
        try:
            read_all(c)
        except ConnectionError:
            pass
        ended.set()

    balancer = between(serve)
    c = connect(balancer)
    c.sendall(b"GET /wanted HTTP/1.1\r\nHost: a\r\n\r\n")
    assert begun.wait(10)
    reset(c)
    assert ended.wait(5)


@pytest.mark.parametrize("version, framing", [(b"1.1", b""), (b"1.0", b""), (b"1.0", b"Content-Length: 9\r\n")])
def test_a_response_that_was_reset_is_not_ended_well(between, version, framing):
    sent = threading.Event()

    def serve(c):
        if read_head(c)[0]:
            c.sendall(b"HTTP/1.1 200 OK\r\n" + framing + b"\r\nhalf")
            sent.wait(10)
            reset(c)

    balancer = between(serve)
    with connect(balancer) as c:
        c.sendall(b"GET / HTTP/" + version + b"\r\nHost: a\r\n\r\n")
        got = b""
        while b"half" not in got:
            got += receive(c, 65536)
        sent.set()
        with pytest.raises(ConnectionResetError):
            while c.recv(65536):
                pass


def test_a_response_that_ends_with_its_connection_ends_well(between):
    def serve(c):
        if read_head(c)[0]:
            c.sendall(b"HTTP/1.1 200 OK\r\n\r\nwhole")

    balancer = between(serve)
    with connect(balancer) as c:
        c.sendall(b"GET / HTTP/1.0\r\nHost: a\r\n\r\n")
        assert read_all(c).endswith(b"\r\n\r\nwhole")


def test_a_tunnel_half_closes_both_ways(between):
    def serve(c):
        head, rest = read_head(c)
        if not head:
            return
        assert rest == b""
        c.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        if b"/node-first" in head:
            c.sendall(b"all I have")
            c.shutdown(socket.SHUT_WR)
            balancer.heard = read_all(c)
        else:
            heard = read_all(c)
            c.sendall(heard[::-1])

    balancer = between(serve)
    for listener in "source", "weighted":
        with connect(balancer, listener) as c:
            c.sendall(b"GET /node-first HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
            head, rest = read_head(c)
            assert head.startswith(b"HTTP/1.1 101 ")
            assert rest + read_all(c) == b"all I have"
            if listener == "source":
                balancer.heard = None
                c.sendall(b"and all")
                c.sendall(b" that I have")
                c.shutdown(socket.SHUT_WR)
                assert until(lambda: balancer.heard) == b"and all that I have"
    with connect(balancer) as c:
        c.sendall(b"GET /client-first HTTP/1.1\r\nHost: a\r\nConnection: Upgrade\r\nUpgrade: echo\r\n\r\n")
        assert read_head(c)[0].startswith(b"HTTP/1.1 101 ")
        c.sendall(b"olleh")
        c.shutdown(socket.SHUT_WR)
        assert read_all(c) == b"hello"


@pytest.mark.parametrize("listener", ["source", "weighted"])
def test_a_client_in_the_midst_of_sending_gets_its_refusal(between, listener):
    """A reset would destroy the response on its way: the rest is read for a while instead."""
    def serve(c):
        head, _ = read_head(c)
        if head:
            c.sendall(b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: 3\r\n\r\nbig")
            try:
                read_all(c)
            except ConnectionError:
                pass

    balancer = between(serve)
    for request, status in [
        (b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n", b"413"),
        (b"POST / HTTP/1.1\r\nHost : a\r\nContent-Length: 8000000\r\n\r\n", b"400"),
    ]:
        with connect(balancer, listener) as c:
            c.sendall(request)
            for _ in range(16):
                c.sendall(bytes(100_000))
            head, rest = read_head(c)
            assert head.startswith(b"HTTP/1.1 " + status)


@pytest.mark.parametrize("response_bytes", [3, 20_000])
def test_a_refusal_with_a_reset_behind_it_reaches_the_client(between, response_bytes):
    """As real clusters end a bulk that is too large: the response, and RST for what they will not read."""
    def serve(c):
        if b"/large" in read_head(c)[0]:
            c.recv(65536)
            c.sendall(b"HTTP/1.1 413 Payload Too Large\r\nContent-Length: %d\r\nConnection: close\r\n\r\n" %
                      response_bytes + bytes(response_bytes))
            reset(c)

    balancer = between(serve)
    for _ in range(10):
        with connect(balancer) as c:
            request = b"POST /large HTTP/1.1\r\nHost: a\r\nContent-Length: 8000000\r\n\r\n" + bytes(8_000_000)
            got = exchange(c, request, lambda got: len(got) >= response_bytes and bytes(response_bytes) in got)
            assert got.startswith(b"HTTP/1.1 413 ")


def test_heads_may_be_cut_anywhere(between):
    """Lines across the edges of receive blocks, of packets and of pipelined requests."""
    def serve(c):
        data = b""
        while True:
            while b"\r\n\r\n" not in data:
                more = c.recv(65536)
                if not more:
                    return
                data += more
            head, data = data.split(b"\r\n\r\n", 1)
            tag = b"".join(line for line in head.split(b"\r\n") if line.startswith(b"X-Tag: "))
            body = hashlib.sha256(tag).hexdigest().encode()
            c.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n" + (tag or b"X: ") + b"\r\n\r\n" + body)

    balancer = between(serve)
    chance = random.Random(7)
    tags = [bytes(chance.choices(b"abcdefgh", k=n)) for n in range(3700, 4500, 13)]
    wanted = b"".join(b"GET / HTTP/1.1\r\nHost: a\r\nX-Tag: " + tag + b"\r\n\r\n" for tag in tags)
    with connect(balancer) as c:
        def send():
            at = 0
            while at < len(wanted):
                n = chance.choice([1, 7, 100, 4096, 9000])
                c.sendall(wanted[at:at + n])
                at += n
        sender = threading.Thread(target=send)
        sender.start()
        got = b""
        for tag in tags:
            tag = b"X-Tag: " + tag
            whole = (b"HTTP/1.1 200 OK\r\nContent-Length: 64\r\n" + tag + KEPT + b"\r\n\r\n" +
                     hashlib.sha256(tag).hexdigest().encode())
            while len(got) < len(whole):
                more = c.recv(65536)
                assert more
                got += more
            assert got[:len(whole)] == whole
            got = got[len(whole):]
        sender.join()
        assert got == b""


@pytest.mark.parametrize("listener", ["source", "weighted"])
def test_a_body_streams_both_ways_at_once(between, listener):
    """A node that echoes while it still gets, in chunks of any size, and trailers behind."""
    def serve(c):
        head, data = read_head(c)
        if not head:
            return
        c.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n")
        lines = c.makefile("rb")

        def take(n):
            nonlocal data
            got, data = data[:n], data[n:]
            return got + lines.read(n - len(got))

        def line():
            nonlocal data
            while b"\r\n" not in data:
                data += lines.read1(65536)
            got, data = data.split(b"\r\n", 1)
            return got

        while size := int(line(), 16):
            part = take(size)
            assert take(2) == b"\r\n"
            half = size // 2
            for piece in (part[:half], part[half:]):
                if piece:
                    c.sendall(b"%x;echo\r\n%b\r\n" % (len(piece), piece))
        assert line() == b"X-Sum: 1"
        c.sendall(b"0\r\nX-Sum: 2\r\n\r\n")

    balancer = between(serve)
    chance = random.Random(11)
    parts = [chance.randbytes(chance.choice([1, 3, 1000, 4096, 70_000, 300_000])) for _ in range(60)]
    request = [b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"]
    request += [b"%x;x=y\r\n%b\r\n" % (len(part), part) for part in parts]
    request += [b"0\r\nX-Sum: 1\r\n\r\n"]
    with connect(balancer, listener) as c:
        response = exchange(c, b"".join(request), lambda got: got.endswith(b"\r\n0\r\nX-Sum: 2\r\n\r\n"))
    head, data = response.split(b"\r\n\r\n", 1)
    assert head == b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked" + KEPT
    body, at = [], 0
    while True:
        end = data.index(b"\r\n", at)
        size = int(data[at:end], 16)
        if not size:
            break
        body.append(data[end + 2:end + 2 + size])
        assert data[end + 2 + size:end + 4 + size] == b"\r\n"
        at = end + 4 + size
    assert b"".join(body) == b"".join(parts)
    assert data[at:] == b"0\r\nX-Sum: 2\r\n\r\n"
    assert not balancer.node.failures
