"""Replay of data streams: each cluster rolls them over by itself."""

import json
import os
import signal

import pytest
import requests

from replay_orders_test import begin_again
from replay_test import caught_up, make_replayed, pair, replay_of, replayed  # noqa: F401
from stage import until

TEMPLATE = {"index_patterns": ["logs-*"], "data_stream": {},
            "template": {"mappings": {"properties": {"n": {"type": "keyword"}}}}}


@pytest.fixture
def stream(replayed):  # noqa: F811
    """A balancer whose source has a stream logs-a."""
    assert requests.put(f"{replayed.source}/_index_template/logs", json=TEMPLATE, timeout=10).ok
    assert requests.put(f"{replayed.source}/_data_stream/logs-a", timeout=10).ok
    return replayed


def create(balancer, i, n="1", stream="logs-a"):
    return requests.put(f"{balancer.source}/{stream}/_create/{i}", json={"n": n}, timeout=10)


def documents(cluster, name="logs-*"):
    """Each with how often it is there."""
    cluster.ask("POST", f"/{name}/_refresh")
    page = cluster.ask("POST", f"/{name}/_search", {"size": 10000, "query": {"match_all": {}}}).json()
    found = {}
    for hit in page.get("hits", {}).get("hits", []):
        found.setdefault(hit["_id"], []).append(hit["_source"])
    return found


def same(balancer, pair):  # noqa: F811
    caught_up(balancer)
    at_owner = documents(pair[0])
    assert documents(pair[1]) == at_owner
    return at_owner


def test_documents_are_created_in_the_stream(stream, pair):  # noqa: F811
    for i in range(20):
        assert create(stream, i).status_code == 201
    assert requests.post(f"{stream.source}/logs-a/_doc", json={"n": "x"}, timeout=10).status_code == 201
    assert len(same(stream, pair)) == 21
    assert pair[1].ask("GET", "/_data_stream/logs-a").json()["data_streams"][0]["name"] == "logs-a"
    assert pair[1].ask("GET", "/.ds-logs-a-000001/_mapping").json() == pair[0].ask("GET", "/.ds-logs-a-000001/_mapping").json()
    assert not replay_of(stream)["not_exact"]


def test_behind_a_rollover_nothing_is_there_twice(stream, pair):  # noqa: F811
    for i in range(5):
        create(stream, i)
    same(stream, pair)
    assert pair[1].ask("POST", "/logs-a/_rollover").ok
    # What is uncertain, or was not heard of, is copied again; a process that starts does it, too.
    pid = stream.working_pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: stream.is_up() and stream.working_pid() != pid, 60, "another process")
    assert requests.post(f"{stream.source}/logs-a/_update_by_query?refresh=true", timeout=10,
                         json={"script": {"source": "ctx._source.m = 1"}}).ok
    assert requests.post(f"{stream.source}/logs-a/_rollover", timeout=10).ok
    for i in range(5, 9):
        create(stream, i)
    found = same(stream, pair)
    assert len(found) == 9 and all(len(d) == 1 for d in found.values()), found


def test_what_is_changed_and_deleted_in_a_backing_index_is_so_at_the_replica(stream, pair):  # noqa: F811
    for i in range(6):
        create(stream, i)
    same(stream, pair)
    pair[1].ask("POST", "/logs-a/_rollover")
    create(stream, 6)
    same(stream, pair)
    backing = f"{stream.source}/.ds-logs-a-000001/_doc"
    at = requests.get(f"{backing}/1", timeout=10).json()
    condition = f"if_seq_no={at['_seq_no']}&if_primary_term={at['_primary_term']}"
    assert requests.put(f"{backing}/1?{condition}", json={"n": "changed"}, timeout=10).ok
    assert requests.delete(f"{backing}/2", timeout=10).ok
    assert requests.delete(f"{backing}/6", timeout=10).ok
    found = same(stream, pair)
    assert found["1"] == [{"n": "changed"}] and "2" not in found and "6" not in found


def test_a_document_that_moved_to_a_younger_index_stays(stream, pair):  # noqa: F811
    """Deleted in one backing index, and made again in the next one: two keys, and one document."""
    for i in range(20):
        create(stream, i)
    same(stream, pair)
    requests.post(f"{stream.source}/logs-a/_rollover", timeout=10)
    lines = "".join(json.dumps({"create": {"_index": "logs-a", "_id": str(i)}}) + "\n" + json.dumps({"n": "2"}) + "\n"
                    for i in range(20))
    gone = "".join(json.dumps({"delete": {"_index": ".ds-logs-a-000001", "_id": str(i)}}) + "\n" for i in range(20))
    assert requests.post(f"{stream.source}/_bulk", data=lines + gone, timeout=30,
                         headers={"Content-Type": "application/x-ndjson"}).ok
    found = same(stream, pair)
    assert len(found) == 20 and all(d == [{"n": "2"}] for d in found.values())


def test_what_a_query_deletes_in_a_stream_goes(stream, pair):  # noqa: F811
    for i in range(10):
        create(stream, i, str(i % 2))
    same(stream, pair)
    assert requests.post(f"{stream.source}/logs-a/_delete_by_query?refresh=true", timeout=10,
                         json={"query": {"term": {"n": "1"}}}).ok
    assert len(same(stream, pair)) == 5


def test_a_deleted_stream_goes_and_one_of_its_name_comes(stream, pair):  # noqa: F811
    for i in range(10):
        create(stream, i)
        create(stream, i, stream="logs-b")
    same(stream, pair)
    assert requests.delete(f"{stream.source}/_data_stream/logs-a", timeout=10).ok
    create(stream, 3, "new")
    found = same(stream, pair)
    assert sorted(map(len, found.values())) == [1] * 9 + [2]
    assert requests.delete(f"{stream.source}/_data_stream/logs-b", timeout=10).ok
    assert same(stream, pair) == {"3": [{"n": "new"}]}
    assert pair[1].ask("GET", "/_data_stream/logs-b").status_code == 404
    assert not replay_of(stream)["not_exact"]


def test_a_deletion_by_a_pattern_reaches_streams_that_an_earlier_process_has_seen(stream, pair):  # noqa: F811
    create(stream, 1)
    assert pair[1].ask("PUT", "/_index_template/own", {**TEMPLATE, "index_patterns": ["logs-own"], "priority": 2}).ok
    assert pair[1].ask("PUT", "/_data_stream/logs-own").ok
    same(stream, pair)
    begin_again(stream)
    assert requests.delete(f"{stream.source}/_data_stream/logs-*", timeout=10).ok
    until(lambda: pair[1].ask("GET", "/_data_stream/logs-a").status_code == 404, 60, "the stream is gone")
    caught_up(stream)
    assert pair[1].ask("GET", "/_data_stream/logs-own").ok
