"""What is exported for the replayer, read by protoc: fields by their names, and an order that it can follow."""

import re
import socket
import time

import pytest
from capture_stage import capture, exchanges, make_captured
from corpus_stage import Message, Witness
from stage import read_head, receive, until
from trafficstream_stage import VECTORS, decode, decode_file

RECORD = 1 << 20
LETTERS = {"read": "r", "readSegment": "R", "write": "w", "writeSegment": "W", "segmentEnd": "s", "endOfMessageIndicator": "e",
           "requestDropped": "d", "close": "c"}


def vector(name):
    return decode([(VECTORS / f"trafficstream-{name}.bin").read_bytes()])[0]


def kinds(record):
    return "".join(LETTERS[kind] for kind, _, _ in record["subStream"])


def test_a_vector_of_one_record_has_its_fields():
    record = vector("one-record")
    assert kinds(record) == "rewc"
    observations = record.pop("subStream")
    assert record == {"connectionId": b"c0ffee-1", "numberOfThisLastChunk": 1, "nodeId": b"crossfade-vector"}
    assert observations[0] == ("read", {"data": b"POST /books/_doc HTTP/1.1\r\nHost: search.example\r\nContent-Type: application/"
                                                b'json\r\nContent-Length: 13\r\n\r\n{"title":"a"}'}, 1700000000 * 10**9 + 5)
    assert observations[1:] == [
        ("endOfMessageIndicator", {}, 1700000000 * 10**9 + 6),
        ("write", {"data": b"HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"}, 1700000000 * 10**9 + 900),
        ("close", {}, 1700000001 * 10**9)]


def test_vectors_of_a_segmented_request_go_on():
    first, second = vector("segmented-1"), vector("segmented-2")
    assert (kinds(first), kinds(second)) == ("R", "Rsewc")
    assert first["number"] == 1 and "priorRequestsReceived" not in first
    assert second["numberOfThisLastChunk"] == 2
    assert (second["priorRequestsReceived"], second["lastObservationWasUnterminatedRead"]) == (0, True)
    data = b"".join(said["data"] for record in (first, second) for kind, said, _ in record["subStream"] if kind == "readSegment")
    assert data.endswith(b"Content-Length: 20\r\n\r\n01234567890123456789")


def response(request):
    size = int(dict(request.fields).get(b"X-Wanted", b"2"))
    return b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size + b"x" * size


@pytest.fixture
def captured(make_balancer, make_node, backend, tmp_path):
    node = make_node(Witness(response).serve)
    return make_captured(make_balancer, [node, node], backend, tmp_path, ", responses: all",
                         cluster_more="  health: { interval: 1h, failures: 9 }")


def connect(balancer):
    return socket.create_connection((balancer.address, 9201), 20)


def ask(connection, request):
    connection.sendall(request)
    head, rest = read_head(connection)
    left = 0 if request.startswith(b"HEAD") else int(re.search(rb"Content-Length: (\d+)", head)[1]) - len(rest)
    while left:
        left -= len(connection.recv(left))


def filler(size):
    return b"x" * size


def put(body, more=b""):
    return b"PUT /books/_doc/1 HTTP/1.1\r\nHost: a\r\n%bContent-Length: %d\r\n\r\n" % (more, len(body)) + body


def chunks(size):
    return b"POST /books/_bulk HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n0\r\n\r\n" % (size, b"x" * size)


def export(balancer, tmp_path):
    file = tmp_path / "export.gz"
    file.unlink(missing_ok=True)
    capture(balancer, "export", "--format", "trafficstream", "--output", file)
    return decode_file(file)


def wait_for_outcomes(balancer, n):
    until(lambda: sum(e["outcome"] != "open" for e in exchanges(balancer)) == n, what=f"{n} outcomes")


def export_ended(balancer, n, tmp_path):
    """When so many connections are over; a close is written in a while."""
    def ended():
        found = export(balancer, tmp_path)
        return len(found) == n and all(kinds(records[-1]).endswith("c") for records in found.values()) and found.values()

    return until(ended, what="their ends")


def assert_records_count_right(records, over):
    """Numbers from 1, requests and halves of them that came before, times that do not go back."""
    asked, unterminated, last_ns = 0, False, 0
    for n, record in enumerate(records, 1):
        last = over and n == len(records)
        assert record["numberOfThisLastChunk" if last else "number"] == n
        assert record.get("priorRequestsReceived") == (asked if n > 1 else None)
        assert record.get("lastObservationWasUnterminatedRead", False) == unterminated
        for kind, said, ns in record["subStream"]:
            assert last_ns <= ns <= time.time_ns()
            asked, last_ns = asked + (kind == "endOfMessageIndicator"), ns
            unterminated = kind.startswith("read") or (kind == "segmentEnd" and unterminated)
            assert len(said.get("data", b"")) <= RECORD // 2
        assert sum(len(said.get("data", b"")) for _, said, _ in record["subStream"]) <= RECORD


def told(records):
    """The requests, the responses, and what the end of each request says of its head."""
    found, data = {"asked": [], "told": [], "heads": []}, b""
    for kind, said, _ in (observation for record in records for observation in record["subStream"]):
        data += said.get("data", b"")
        if kind == "endOfMessageIndicator":
            found["asked"].append(data)
            found["heads"].append((said["firstLineByteLength"], said["headersByteLength"]))
        elif kind == "write" or (kind == "segmentEnd" and data.startswith(b"HTTP/")):
            found["told"].append(data)
        if kind in ("endOfMessageIndicator", "write") or (kind == "segmentEnd" and data.startswith(b"HTTP/")):
            data = b""
    assert data == b""
    return found


def test_an_export_has_the_order_that_a_replayer_follows(captured, tmp_path):
    """Small ones in one observation; large ones in segments that are closed; an end behind each request, and only there."""
    small = [put(b"{}"), b"GET /books/_search HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\n\r\n{}", chunks(10),
             b"HEAD /books HTTP/1.1\r\nHost: a\r\n\r\n"]
    # Around the size of one observation, where an off-by-one would be.
    edge = RECORD // 2 - len(put(filler(RECORD // 2))) + RECORD // 2
    large = [put(filler(edge + more)) for more in (-1, 0, 1, RECORD // 2, RECORD // 2 + 1, 3 * RECORD)]
    large += [put(b"", b"X-Wanted: %d\r\n" % (2 * RECORD)), chunks(2 * RECORD)]
    with connect(captured) as c:
        for request in small + large + small:
            ask(c, request)
    wait_for_outcomes(captured, len(small + large + small))
    (records,) = export_ended(captured, 1, tmp_path)
    assert_records_count_right(records, over=True)
    assert re.fullmatch("(rew){4}(rew){2}(R+sew){4}reW+sR+sew(rew){4}c", "".join(map(kinds, records)))
    found = told(records)
    for sent, request, (first, fields) in zip(small + large + small, found["asked"], found["heads"], strict=True):
        sent, request_ = Message(sent), Message(request)
        assert request_.body == sent.body and request_.at == len(request)
        assert request[first - 2:first] == b"\r\n" and request.index(b"\r\n") == first - 2
        assert request.index(b"\r\n\r\n") + 4 == first + fields
    assert [len(t.partition(b"\r\n\r\n")[2]) for t in found["told"]] == [2, 2, 2, 0, *[2] * 6, 2 * RECORD, 2, 2, 2, 2, 0]
    assert {record["nodeId"].decode() for record in records} == {socket.gethostname()}


def test_a_connection_that_is_open_has_no_last_record(captured, tmp_path):
    with connect(captured) as one, connect(captured) as two:
        for c in one, two, one:
            ask(c, put(b"{}"))
        wait_for_outcomes(captured, 3)
        for records in (found := export(captured, tmp_path).values()):
            assert_records_count_right(records, over=False)
        assert sorted("".join(map(kinds, records)) for records in found) == ["rew", "rewrew"]
    for records in (found := export_ended(captured, 2, tmp_path)):
        assert_records_count_right(records, over=True)
    assert sorted("".join(map(kinds, records)) for records in found) == ["rewc", "rewrewc"]


def test_a_request_that_was_cut_is_dropped_and_has_no_end(captured, tmp_path):
    with connect(captured) as c:
        ask(c, put(b"{}"))
        c.sendall(put(filler(4 * RECORD))[:3 * RECORD])
        until(lambda: len(exchanges(captured)) == 2, what="a second request")
    (records,) = export_ended(captured, 1, tmp_path)
    assert re.fullmatch("rewR+dc", "".join(map(kinds, records)))
    assert_records_count_right(records, over=True)


def early(connection):
    """A node that has answered, or begun to, when it has the head; a large response comes for what asks for one."""
    while head := read_head(connection)[0]:
        if b"PUT /large" in head:
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%b\r\n" % (RECORD, filler(RECORD)))
        elif b"PUT /small" in head:
            connection.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\no\r\n")
        elif b"PUT /refused" in head:
            connection.sendall(b"HTTP/1.1 413 Too Large\r\nContent-Length: 2\r\n\r\nno")
            continue
        got = b""
        while not got.endswith(b"end"):
            got += receive(connection, 1 << 18)
        connection.sendall(b"1\r\nk\r\n0\r\n\r\n")


@pytest.mark.parametrize("path, response_seen, order", [
    ("small", b"1\r\no", "R+sewc"), ("large", filler(5000), "R+sec"), ("refused", b" 413 ", "c|R+dc")], ids=["small", "large", "refused"])
def test_no_response_comes_before_the_end_of_its_request(make_balancer, make_node, backend, tmp_path, path, response_seen, order):
    """One that begins early waits for it; a large one is left out, and one of a request that never was whole."""
    node = make_node(early)
    balancer = make_captured(make_balancer, [node, node], backend, tmp_path, ", responses: all",
                             cluster_more="  health: { interval: 1h, failures: 9 }")
    with connect(balancer) as c:
        c.sendall(b"PUT /%b HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n\r\n" % (path.encode(), 2 * RECORD) + filler(200_000))
        got = b""
        while response_seen not in got:
            got += receive(c, 1 << 18)
        if path != "refused":
            c.sendall(filler(2 * RECORD - 200_003) + b"end")
            while not got.endswith(b"0\r\n\r\n"):
                got += receive(c, 1 << 18)
    (records,) = export_ended(balancer, 1, tmp_path)
    assert re.fullmatch(order, "".join(map(kinds, records)))
    assert_records_count_right(records, over=True)
