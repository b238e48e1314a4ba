"""What proofs over the capture log stand on: a wire and a node that remember each byte, and messages taken apart anew."""

import collections
import contextlib
import itertools
import re
import socket
import threading

from stage import own_address

# Of one connection, and so no part of the message.
HOPS = {b"connection", b"keep-alive", b"proxy-connection", b"te", b"transfer-encoding", b"upgrade", b"http2-settings"}
EMPTY = {b"204", b"304"}


class Message:
    """One request, or a response with the interim ones before it, from the bytes that passed."""

    def __init__(self, data, at=0, asked=None):
        self.data, self.at, self.asked = data, at, asked
        self.head = b""
        while True:
            first, fields = self.take_head()
            self.head += self.canonical(first, fields) + b"\r\n"
            if asked is None or not first.split(b" ")[1].startswith(b"1"):
                break
        self.first, self.fields = first, fields
        self.body, self.trailers = self.take_body()
        self.bytes_ = bytes(data[at:self.at])

    def line(self):
        end = self.data.index(b"\r\n", self.at)
        text = bytes(self.data[self.at:end])
        self.at = end + 2
        return text

    def take_fields(self):
        fields = []
        while line := self.line():
            name, value = line.split(b":", 1)
            fields.append((name, value.strip(b" \t")))
        return fields

    def take_head(self):
        """Empty lines before a request are forgiven. The log's version is 1.1, which wants a host, and its targets are paths."""
        while not (first := self.line()):
            assert self.asked is None
        fields = self.take_fields()
        if first.endswith(b" HTTP/1.0") and not any(name.lower() == b"host" for name, _ in fields):
            fields.append((b"host", b""))
        first = re.sub(rb"(?<= )http://[^/ ]+(?=/)", b"", first)
        return re.sub(rb"(?<= )HTTP/1\.0$|^HTTP/1\.0(?= )", b"HTTP/1.1", first), fields

    @staticmethod
    def canonical(first, fields):
        named = b",".join(value for name, value in fields if name.lower() == b"connection")
        hops = HOPS | {name.strip().lower() for name in named.split(b",")} - {b"host", b"content-length", b"authorization"}
        kept = [name + b": " + value + b"\r\n" for name, value in fields if name.lower() not in hops]
        return (first + b"\r\n" if first else b"") + b"".join(kept)

    def field(self, name):
        return next((value for key, value in self.fields if key.lower() == name), None)

    @property
    def chunked(self):
        return (self.field(b"transfer-encoding") or b"").lower() == b"chunked"

    @property
    def length(self):
        return self.field(b"content-length")

    def take(self, n):
        assert self.at + n <= len(self.data), "the message is cut"
        self.at += n
        return bytes(self.data[self.at - n:self.at])

    def take_chunks(self):
        parts = []
        while size := int(self.line().split(b";")[0], 16):
            parts.append(self.take(size))
            assert self.take(2) == b"\r\n"
        return b"".join(parts), self.canonical(b"", self.take_fields())

    def take_body(self):
        if self.asked == b"HEAD" or (self.asked and self.first.split(b" ")[1] in EMPTY):
            return b"", b""
        if self.chunked:
            return self.take_chunks()
        if self.length:
            return self.take(int(self.length)), b""
        return self.take(len(self.data) - self.at if self.asked else 0), b""

    @property
    def method(self):
        return self.first.split(b" ")[0]


def messages(data, asked=None):
    """All that stand in these bytes: requests, or the responses to what was `asked`."""
    found, at = [], 0
    while at < len(data):
        found.append(Message(data, at, asked[len(found)] if asked is not None else None))
        at = found[-1].at
    return found


class Wire:
    """Between clients and a balancer: passes on what comes, and remembers it by the port that the balancer sees."""

    def __init__(self, to):
        self.to, self.address, self.port = to, own_address(), 9201
        # One port each: the kernel gives the port of a connection that has gone to the next one.
        self.ports = itertools.count(20000)
        self.asked, self.heard = collections.defaultdict(bytearray), collections.defaultdict(bytearray)
        self.threads = []
        self.socket = socket.create_server((self.address, self.port))
        threading.Thread(target=self.accept, daemon=True).start()

    @property
    def url(self):
        return f"http://{self.address}:{self.port}"

    def accept(self):
        with contextlib.suppress(OSError):
            while True:
                client, _ = self.socket.accept()
                port = next(self.ports)
                balancer = socket.create_connection(self.to, source_address=(self.address, port))
                for pair in (client, balancer, self.asked[port]), (balancer, client, self.heard[port]):
                    self.threads.append(threading.Thread(target=self.copy, args=pair, daemon=True))
                    self.threads[-1].start()

    @staticmethod
    def copy(source, to, memory):
        with contextlib.suppress(OSError):
            while part := source.recv(1 << 18):
                memory += part
                to.sendall(part)
            to.shutdown(socket.SHUT_WR)

    def requests(self):
        """Each by its port and its place on the connection, from 1."""
        return {(port, n): request for port, data in self.asked.items() if data
                for n, request in enumerate(messages(data), 1)}

    def responses(self):
        found = {}
        for port, data in self.heard.items():
            asked = [request.method for request in messages(self.asked[port])]
            found.update({(port, n): response for n, response in enumerate(messages(data, asked), 1)})
        return found

    def close(self):
        self.socket.shutdown(socket.SHUT_RDWR)
        self.socket.close()


class Witness:
    """A cluster that remembers what it got and what it answered, by a number that stands in the response."""

    def __init__(self, response):
        self.response, self.numbers = response, itertools.count(1)
        self.got, self.sent = {}, {}

    def serve(self, connection):
        data = bytearray()
        while True:
            while b"\r\n\r\n" not in data:
                part = connection.recv(1 << 18)
                if not part:
                    return
                data += part
            head = bytes(data[:data.index(b"\r\n\r\n")])
            before = b""
            if b"100-continue" in head:
                before = b"HTTP/1.1 100 Continue\r\n\r\n"
                connection.sendall(before)
            self.receive(connection, data, head)
            request = Message(data)
            del data[:request.at]
            number = next(self.numbers)
            response = self.numbered(self.response(request), number)
            self.got[number], self.sent[number] = request, Message(before + response, 0, request.method)
            connection.sendall(response)
            if self.sent[number].field(b"connection") == b"close":
                return

    @staticmethod
    def numbered(response, number):
        """In its last head."""
        at = response.index(b"\r\n\r\n")
        if response.startswith(b"HTTP/1.1 1"):
            at = response.index(b"\r\n\r\n", at + 4)
        return response[:at] + b"\r\nX-Answer: %d" % number + response[at:]

    @staticmethod
    def receive(connection, data, head):
        """The rest of a body of known length in one go; chunks until the last of them is there."""
        length = re.search(rb"(?i)\r\ncontent-length: (\d+)", head)
        while (len(data) < len(head) + 4 + int(length[1])) if length else not Witness.is_whole(data, head):
            part = connection.recv(1 << 20)
            assert part, "a request was cut"
            data += part

    @staticmethod
    def is_whole(data, head):
        if b"\r\ntransfer-encoding: chunked" not in head.lower():
            return True
        try:
            Message(data)
            return True
        except (AssertionError, ValueError):
            return False
