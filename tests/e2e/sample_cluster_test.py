"""Sample clusters as tests use them: their log of operations, and how they fail when they are told to."""

import gzip
import json
import subprocess

import pytest
from opensearchpy import OpenSearch, helpers
from sample_stage import SampleCluster, sample_clusters
from stage import PROGRAM, read_head, until


@pytest.fixture
def cluster(tmp_path):
    with sample_clusters(tmp_path, "source") as [made]:
        yield made


def test_the_log_has_each_operation_before_its_response(cluster):
    cluster.ask("PUT", "/a/_doc/1?routing=r", '{ "n": 1.10,\n "t": "x y" }', **{"X-Opaque-Id": "batch-7"})
    assert [(o["operation"], o["index"]) for o in cluster.operations()] == \
        [("create_index", "a"), ("map", "a"), ("index", "a")]
    cluster.bulk({"delete": {"_index": "a", "_id": "1"}}, {"create": {"_index": "a", "_id": "2"}}, {"n": 2},
                 {"create": {"_index": "a", "_id": "2"}}, {"n": 3})
    cluster.ask("DELETE", "/a")
    done = cluster.operations()
    assert [o["n"] for o in done] == list(range(1, len(done) + 1))
    assert [o["operation"] for o in done[3:]] == ["delete", "create", "delete_index"]
    assert done[1]["mappings"]["properties"]["n"] == {"type": "float"}
    assert len({o["uuid"] for o in done}) == 1
    first = done[2]
    assert {k: first[k] for k in ("id", "seq_no", "primary_term", "version", "routing", "opaque_id", "source")} == {
        "id": "1", "seq_no": 0, "primary_term": 1, "version": 1, "routing": "r", "opaque_id": "batch-7",
        "source": {"n": 1.1, "t": "x y"}}
    assert "source" not in done[3] and done[3]["seq_no"] == 1
    assert '"n":1.10' in cluster.log.read_text()


def test_a_response_says_who_made_it_and_to_whom(cluster):
    response = cluster.ask("GET", "/", **{"X-Opaque-Id": "me"})
    assert (response.headers["X-Demo-Cluster"], response.headers["X-Opaque-Id"]) == ("source", "me")


def test_a_search_sees_a_document_within_a_second_or_two(cluster):
    cluster.ask("PUT", "/a/_doc/1", {"n": 1})
    until(lambda: cluster.ask("GET", "/a/_count").json()["count"] == 1, 5, "the refresh")


def test_a_bulk_may_be_gzipped(cluster):
    lines = b'{"index":{"_id":"%d"}}\n{"n":1}\n'
    body = b"".join(lines % n for n in range(20000))
    done = cluster.ask("POST", "/a/_bulk", gzip.compress(body), **{"Content-Encoding": "gzip"})
    assert not done.json()["errors"] and len(done.json()["items"]) == 20000
    assert cluster.ask("POST", "/a/_bulk", gzip.compress(body)[:-9], **{"Content-Encoding": "gzip"}).status_code == 400
    assert cluster.ask("POST", "/a/_bulk", body, **{"Content-Encoding": "br"}).status_code == 400
    bomb = gzip.compress(bytes(101 << 20))
    assert cluster.ask("POST", "/a/_bulk", bomb, **{"Content-Encoding": "gzip"}).status_code == 400
    assert cluster.ask("GET", "/a/_doc/19999").json()["found"]


def test_a_stalled_write_is_a_task_until_it_is_applied(cluster):
    cluster.faults(stall_ms=600)
    with cluster.send("PUT", "/a/_doc/1", {"n": 1}, "X-Opaque-Id: batch-1") as connection:
        [task] = until(cluster.tasks, what="the task")
        assert (task["action"], task["headers"]) == ("indices:data/write/index", {"X-Opaque-Id": "batch-1"})
        assert cluster.ask("GET", "/_tasks?actions=cluster:*").json() == {"nodes": {}}
        assert cluster.ask("GET", "/a/_doc/1").status_code == 404
        assert read_head(connection)[0].startswith(b"HTTP/1.1 201 ")
        assert not cluster.tasks()
    assert cluster.ask("GET", "/a/_doc/1").json()["found"]


def test_a_write_whose_connection_broke_acts_later(cluster):
    cluster.faults(stall_ms=300000, act_after_ms=700)
    cluster.send("PUT", "/a/_doc/1", {"n": 1}, "X-Opaque-Id: lost").close()
    [task] = until(cluster.tasks, what="the task")
    assert task["headers"]["X-Opaque-Id"] == "lost"
    assert cluster.ask("GET", "/a/_doc/1").status_code == 404
    # What comes behind it goes by it.
    cluster.faults(act_after_ms=700)
    cluster.ask("PUT", "/a/_doc/1", {"n": 2})
    until(lambda: not cluster.tasks(), what="the lost write to be applied")
    written = [o["source"]["n"] for o in cluster.operations() if o["operation"] == "index"]
    assert written == [2, 1]
    assert cluster.ask("GET", "/a/_source/1").json() == {"n": 1}


def test_a_stalled_write_acts_in_its_time_though_its_client_has_gone(cluster):
    cluster.faults(stall_ms=400)
    cluster.send("PUT", "/a/_doc/1", {"n": 1}).close()
    until(lambda: cluster.ask("GET", "/a/_doc/1").status_code == 200, what="the write")


def test_a_request_that_is_not_whole_never_acts(cluster):
    cluster.faults(stall_ms=1, act_after_ms=1)
    connection = cluster.send("PUT", "/a/_doc/1", "", "Transfer-Encoding: chunked")
    connection.close()
    with cluster.send("PUT", "/a/_doc/2", {"n": 1}) as whole:
        assert read_head(whole)[0].startswith(b"HTTP/1.1 201 ")
    assert [o["id"] for o in cluster.operations() if "id" in o] == ["2"]


def test_stalled_reads_come_late_and_leave_nothing_when_their_client_goes(cluster):
    cluster.ask("PUT", "/a/_doc/1", {"n": 1})
    cluster.faults(stall_reads_ms=200)
    cluster.send("GET", "/a/_doc/1", "").close()
    with cluster.send("GET", "/a/_doc/1", "") as connection:
        assert read_head(connection)[0].startswith(b"HTTP/1.1 200 ")
    assert cluster.ask("GET", "/a/_source/1").json() == {"n": 1}


def test_faults_come_with_the_command_and_are_taken_back(tmp_path):
    with sample_clusters(tmp_path, "source", options=["--refuse", "429", "--stall-ms", "1"]) as [cluster]:
        assert cluster.ask("PUT", "/a/_doc/1", {}).status_code == 429
        assert cluster.bulk({"index": {"_index": "a", "_id": "1"}}, {}).status_code == 429
        assert cluster.ask("GET", "/_cat/indices").json() == []
        cluster.faults()
        assert cluster.ask("PUT", "/a/_doc/1", {}).status_code == 201
    with sample_clusters(tmp_path, "other", options=["--read-only", "--act-after-ms", "5"]) as [cluster]:
        assert cluster.ask("PUT", "/a/_doc/1", {}).json()["error"]["type"] == "cluster_block_exception"
        assert cluster.ask("GET", "/_demo/faults").json()["act_after_ms"] == 5
    with sample_clusters(tmp_path, "third", options=["--refuse-items", "503"]) as [cluster]:
        [item] = cluster.bulk({"delete": {"_index": "a", "_id": "1"}}).json()["items"]
        assert item["delete"]["status"] == 503


@pytest.mark.parametrize("words", [
    [], ["source"], ["source", "127.0.0.1"], ["source", "127.0.0.1:1", "more"], ["--stall-ms", "x", "source", "127.0.0.1:1"],
    ["--nonsense", "source", "127.0.0.1:1"], ["--log", "/nowhere/at/all", "source", "127.0.0.1:0"],
])
def test_a_command_that_makes_no_sense_ends(words):
    done = subprocess.run([PROGRAM, "demo-cluster", *words], capture_output=True, text=True, timeout=30, check=False)
    assert done.returncode in (1, 2) and done.stderr


def test_a_killed_cluster_comes_back_empty_and_as_another(tmp_path):
    cluster = SampleCluster("source", tmp_path)
    try:
        made = cluster.ask("POST", "/a/_doc", {}).json()["_id"]
        cluster.kill()
        cluster.start()
        assert cluster.ask("GET", "/_cat/indices").json() == []
        assert cluster.ask("POST", "/a/_doc", {}).json()["_id"] != made
        uuids = {o["uuid"] for o in cluster.operations()}
        assert len(uuids) == 2
    finally:
        cluster.kill()


def test_a_killed_cluster_that_keeps_is_what_it_was(tmp_path):
    with sample_clusters(tmp_path, "source", options=["--keep"]) as [cluster]:
        cluster.ask("PUT", "/a", {"mappings": {"dynamic": "strict", "properties": {"n": {"type": "double"}}},
                                  "settings": {"refresh_interval": "5s"}})
        cluster.ask("PUT", "/a/_doc/1?routing=r", '{"n":1.10}')
        cluster.ask("PUT", "/a/_doc/2?version=7&version_type=external", '{"n":2}')
        cluster.ask("PUT", "/a/_doc/3", {"n": 3})
        cluster.ask("DELETE", "/a/_doc/3")
        cluster.ask("PUT", "/a/_alias/x", {"routing": "q"})
        cluster.ask("PUT", "/gone", {})
        cluster.ask("POST", "/_aliases", {"actions": [{"remove_index": {"index": "gone"}}]})
        versions = "/_cluster/state/metadata/a?filter_path=**.uuid,**.*_version"
        asked = ["/a/_mapping", "/a/_alias", versions, "/a/_doc/1", "/a/_doc/2"]
        before = [cluster.ask("GET", path).text for path in asked]
        assert '"mapping_version":1' in before[2] and '"aliases_version":2' in before[2]
        cluster.kill()
        with cluster.log.open("a") as log:
            log.write('{"n":99,"operation":"in')
        cluster.start()
        assert [cluster.ask("GET", path).text for path in asked] == before
        assert cluster.ask("GET", "/a/_settings").json()["a"]["settings"]["index"]["refresh_interval"] == "5s"
        assert cluster.ask("GET", "/a/_count").json()["count"] == 2
        assert cluster.ask("GET", "/gone").status_code == 404
        done = cluster.ask("PUT", "/a/_doc/3", {"n": 4}).json()
        assert (done["_seq_no"], done["_version"], done["_primary_term"]) == (4, 3, 2)
        assert [o["n"] for o in cluster.operations()] == list(range(1, len(cluster.operations()) + 1))
        cluster.kill()
        cluster.log.write_text("nonsense\n" + cluster.log.read_text())
        done = subprocess.run(cluster.command, capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 1 and "ends at byte 9 makes no sense" in done.stderr
        cluster.log.unlink()
        cluster.start()


def test_clients_of_opensearch_get_along_with_it(cluster):
    client = OpenSearch(cluster.url)
    client.indices.create("logs-1", body={"mappings": {"properties": {"n": {"type": "long"}}}})
    client.indices.put_alias("logs-1", "logs")
    helpers.bulk(client, ({"_index": "logs", "_id": n, "n": n, "_routing": "r"} for n in range(1500)), refresh=True)
    assert {hit["_id"] for hit in helpers.scan(client, index="logs", size=400)} == {str(n) for n in range(1500)}
    assert client.mget(body={"ids": ["7", "x"]}, index="logs")["docs"][0]["_routing"] == "r"
    state = client.cluster.state(metric="metadata", index="logs-1", filter_path="metadata.indices.*.mapping_version")
    assert state == {"metadata": {"indices": {"logs-1": {"mapping_version": 1}}}}
    stats = client.indices.stats("logs-1", level="shards")
    assert stats["indices"]["logs-1"]["shards"]["0"][0]["seq_no"]["max_seq_no"] == 1499
    seen, at = [], -1
    while hits := client.search(index="logs-1", preference="_shards:0", body={
            "size": 400, "_source": False, "seq_no_primary_term": True, "sort": [{"_seq_no": "asc"}],
            "query": {"range": {"_seq_no": {"gt": at}}}})["hits"]["hits"]:
        seen += [hit["_id"] for hit in hits]
        at = hits[-1]["_seq_no"]
    assert sorted(map(int, seen)) == list(range(1500))
    assert client.delete_by_query("logs-1", {"query": {"range": {"n": {"lt": 1000}}}})["deleted"] == 1000
    assert client.count(index="logs-1", body={"query": {"match_all": {}}})["count"] == 1500
    client.indices.refresh("logs-1")
    assert client.count(index="logs-1")["count"] == 500
    assert json.loads(json.dumps(client.tasks.list()))["nodes"] == {}
    client.indices.delete("logs-*")
    assert not client.indices.exists("logs-1")
