"""What replay and compare stand on, asked of real clusters: where one of these fails, docs/migration.md is wrong."""

import itertools
import json
import time

import pytest
from stage import until

ARMS = ["source", "target"]
_numbers = itertools.count(1)


@pytest.fixture(params=ARMS)
def cluster(request, real_clusters):
    return real_clusters[request.param]


@pytest.fixture
def index(cluster):
    """An empty one of 8 shards, so that routing matters; nothing is seen before a refresh."""
    name = f"rules-{next(_numbers)}"
    assert cluster.ask("PUT", f"/{name}", {"settings": {"number_of_shards": 8, "number_of_replicas": 0,
                                                        "refresh_interval": "-1"}}).status_code == 200
    yield name
    cluster.ask("DELETE", f"/{name}")


def put(cluster, index, name, source, query=""):
    response = cluster.ask("PUT", f"/{index}/_doc/{name}{query}", source)
    assert response.status_code in (200, 201), response.text
    return response.json()


def found(cluster, index, query=None):
    page = cluster.ask("POST", f"/{index}/_search", {"size": 1000, "query": query or {"match_all": {}},
                                                     "seq_no_primary_term": True, "sort": ["_doc"]}).json()
    return page["hits"]["hits"]


def test_a_delete_by_query_that_is_refused_may_have_deleted(cluster, index):
    for n in range(10):
        put(cluster, index, n, {"n": n}, "?routing=a")
    cluster.ask("POST", f"/{index}/_refresh")
    put(cluster, index, 9, {"n": 10}, "?routing=a")  # what the search sees of it is old: a conflict
    response = cluster.ask("POST", f"/{index}/_delete_by_query?scroll_size=1", {"query": {"match_all": {}}, "sort": []})
    assert response.status_code == 409 and response.json()["deleted"] > 0, response.text


def test_without_routing_most_documents_are_not_found(cluster, index):
    for n in range(64):
        put(cluster, index, n, {"n": n}, f"?routing=r{n % 16}")
    asked = {"docs": [{"_index": index, "_id": str(n)} for n in range(64)]}
    assert sum(doc["found"] for doc in cluster.ask("POST", "/_mget", asked).json()["docs"]) < 32
    for doc in asked["docs"]:
        doc["routing"] = f"r{int(doc['_id']) % 16}"
    read = cluster.ask("POST", "/_mget", asked).json()["docs"]
    assert all(doc["found"] and doc["_routing"] == f"r{int(doc['_id']) % 16}" for doc in read)


def test_in_one_shard_ids_of_different_routing_are_one_document(cluster, index):
    shard = {}
    for n in itertools.count():
        nodes = cluster.ask("GET", f"/{index}/_search_shards?routing=r{n}").json()["shards"]
        same = shard.setdefault(nodes[0][0]["shard"], f"r{n}")
        if same != f"r{n}":
            break
    put(cluster, index, "one", {"n": 1}, f"?routing={same}")
    assert put(cluster, index, "one", {"n": 2}, f"?routing=r{n}")["result"] == "updated"


def test_an_alias_routing_is_the_documents(cluster, index):
    body = {"actions": [{"add": {"index": index, "alias": f"{index}-routed", "index_routing": "r1"}}]}
    assert cluster.ask("POST", "/_aliases", body).status_code == 200
    told = put(cluster, f"{index}-routed", "one", {"n": 1})
    assert told["_index"] == index
    doc = cluster.ask("GET", f"/{index}/_doc/one?routing=r1").json()
    assert doc["found"] and doc["_routing"] == "r1"


def test_comments_and_newlines_of_a_document_come_back(cluster, index):
    text = '{\n  "n": 1, /* as it was */\n  "m": 2\n}'
    response = cluster.session.put(f"{cluster.url}/{index}/_doc/1", data=text, headers={"Content-Type": "application/json"})
    assert response.status_code == 201
    read = cluster.ask("POST", "/_mget", {"docs": [{"_index": index, "_id": "1"}]}).text
    assert "/* as it was */" in read and "\n" in read


def test_an_id_is_of_512_bytes_at_most(cluster, index):
    put(cluster, index, "i" * 512, {"n": 1})
    assert cluster.ask("PUT", f"/{index}/_doc/{'i' * 513}", {"n": 1}).status_code == 400


@pytest.mark.parametrize("first, kind", [("1", "long"), ('"1"', "text")])
def test_the_first_document_decides_a_mapping_silently(cluster, index, first, kind):
    put(cluster, index, 1, {"n": json.loads(first)})
    put(cluster, index, 2, {"n": "1" if kind == "long" else 1})
    mapping = cluster.ask("GET", f"/{index}/_mapping").json()[index]["mappings"]
    assert mapping["properties"]["n"]["type"] == kind


def versions(cluster, index):
    text = cluster.ask("GET", f"/_cluster/state/metadata/{index}?filter_path=metadata.indices.*.mapping_version,"
                              "metadata.indices.*.settings_version,metadata.indices.*.aliases_version,"
                              "metadata.indices.*.settings.index.uuid").text
    assert len(text) < 300
    one = json.loads(text)["metadata"]["indices"][index]
    return one["mapping_version"], one["settings_version"], one["aliases_version"], one["settings"]["index"]["uuid"]


def test_the_state_has_versions_of_what_surrounds_documents(cluster, index):
    seen = [versions(cluster, index)]
    put(cluster, index, 1, {"n": 1})
    seen.append(versions(cluster, index))
    cluster.ask("PUT", f"/{index}/_settings", {"index": {"refresh_interval": "5s"}})
    seen.append(versions(cluster, index))
    cluster.ask("PUT", f"/{index}/_alias/{index}-a")
    seen.append(versions(cluster, index))
    for i in range(3):
        assert [before < after for before, after in zip(seen[i][:3], seen[i + 1][:3])] == [k == i for k in range(3)]
    cluster.ask("DELETE", f"/{index}")
    cluster.ask("PUT", f"/{index}", {})
    assert versions(cluster, index)[3] != seen[0][3]


def test_a_search_by_sequence_number_pages_through_a_shard(cluster, index):
    for n in range(100):
        put(cluster, index, n, {"n": n})
    put(cluster, index, 5, {"n": 5})
    cluster.ask("DELETE", f"/{index}/_doc/6")
    cluster.ask("POST", f"/{index}/_refresh")
    stats = cluster.ask("GET", f"/{index}/_stats?level=shards&filter_path=indices.*.shards.*.seq_no").json()
    ids = []
    for shard in stats["indices"][index]["shards"]:
        last = -1
        while True:
            body = {"size": 7, "query": {"range": {"_seq_no": {"gt": last}}}, "sort": [{"_seq_no": "asc"}], "_source": False,
                    "seq_no_primary_term": True}
            hits = cluster.ask("POST", f"/{index}/_search?preference=_shards:{shard}", body).json()["hits"]["hits"]
            if not hits:
                break
            numbers = [hit["_seq_no"] for hit in hits]
            assert numbers == sorted(numbers) and numbers[0] > last
            last = numbers[-1]
            ids += [int(hit["_id"]) for hit in hits]
    assert sorted(ids) == [n for n in range(100) if n != 6]


def test_mget_is_real_time_and_a_search_is_not(cluster, index):
    put(cluster, index, 1, {"n": 1})
    assert found(cluster, index) == []
    assert cluster.ask("POST", "/_mget", {"docs": [{"_index": index, "_id": "1"}]}).json()["docs"][0]["found"]


def test_an_external_version_is_refused_below_the_one_that_is_there(cluster, index):
    put(cluster, index, 1, {"n": 1}, "?version=7&version_type=external")
    line = '{"index":{"_index":"%s","_id":"1","version":%d,"version_type":"external_gte"}}\n{"n":2}\n'
    assert cluster.bulk(line % (index, 6))["items"][0]["index"]["status"] == 409
    assert cluster.bulk(line % (index, 7))["items"][0]["index"]["status"] == 200
    # A deletion without a version counts on, and keeps that until it is forgotten.
    assert cluster.ask("DELETE", f"/{index}/_doc/1").json()["_version"] == 8
    assert cluster.bulk(line % (index, 7))["items"][0]["index"]["status"] == 409


def test_the_id_of_a_request_is_on_its_task_and_on_those_below_it(cluster, index):
    lines = "".join(f'{{"index":{{"_index":"{index}"}}}}\n{{"n":{n}}}\n' for n in range(50))
    cluster.bulk(lines)
    begun = cluster.ask("POST", f"/{index}/_update_by_query?requests_per_second=5&scroll_size=5&wait_for_completion=false",
                        {"query": {"match_all": {}}}, **{"X-Opaque-Id": "crossfade-rule-7"}).json()["task"]
    nodes = cluster.ask("GET", "/_tasks?actions=indices:data/write/*").json()["nodes"]
    tasks = {name: task for node in nodes.values() for name, task in node["tasks"].items()}
    assert tasks[begun]["headers"]["X-Opaque-Id"] == "crossfade-rule-7"
    assert cluster.ask("POST", f"/_tasks/{begun}/_cancel").status_code == 200
    until(lambda: cluster.ask("GET", f"/_tasks/{begun}").json()["completed"], 20)


def test_update_by_query_names_no_document(cluster, index):
    put(cluster, index, 1, {"n": 1})
    cluster.ask("POST", f"/{index}/_refresh")
    told = cluster.ask("POST", f"/{index}/_update_by_query", {"script": {"source": "ctx._source.n = 2"}}).json()
    assert told["updated"] == 1 and '"1"' not in json.dumps(told)


def test_a_filter_path_hides_the_ids_that_the_cluster_makes(cluster, index):
    text = f'{{"index":{{"_index":"{index}"}}}}\n{{"n":1}}\n'
    assert cluster.bulk(text, "/_bulk?filter_path=errors") == {"errors": False}


def test_a_pipeline_moves_a_document_and_none_is_run_if_the_request_says_so(cluster, index):
    moved = {"processors": [{"set": {"field": "_index", "value": f"{index}-moved"}}, {"set": {"field": "by", "value": "pipeline"}}]}
    assert cluster.ask("PUT", f"/_ingest/pipeline/{index}", moved).status_code == 200
    cluster.ask("PUT", f"/{index}/_settings", {"index": {"default_pipeline": index}})
    told = put(cluster, index, 1, {"n": 1})
    assert told["_index"] == f"{index}-moved"
    assert not cluster.ask("GET", f"/{index}/_doc/1").json()["found"]
    one = cluster.bulk(f'{{"index":{{"_index":"{index}","_id":"2"}}}}\n{{"n":2}}\n', "/_bulk?pipeline=_none")["items"][0]["index"]
    assert one["_index"] == index and one["status"] == 201
    assert cluster.ask("GET", f"/{index}/_doc/2").json()["_source"] == {"n": 2}
    cluster.ask("DELETE", f"/{index}-moved")


def test_a_pipeline_that_drops_says_noop(cluster, index):
    cluster.ask("PUT", f"/_ingest/pipeline/{index}", {"processors": [{"drop": {}}]})
    assert put(cluster, index, 1, {"n": 1}, f"?pipeline={index}")["result"] == "noop"


def test_types_in_a_bulk_are_a_matter_of_the_source_alone(real_clusters):
    text = '{"index":{"_index":"typed","_type":"_doc","_id":"1"}}\n{"n":1}\n'
    assert not real_clusters["source"].bulk(text)["errors"]
    said = real_clusters["target"].bulk(text)
    assert said["status"] == 400 and "_type" in said["error"]["reason"]
    real_clusters["source"].ask("DELETE", "/typed")


def test_a_foreign_scroll_is_never_a_success(real_clusters):
    for mine, other in (ARMS, ARMS[::-1]):
        real_clusters[mine].ask("PUT", "/scrolled/_doc/1?refresh=true", {"n": 1})
        told = real_clusters[mine].ask("POST", "/scrolled/_search?scroll=1m", {"size": 1}).json()
        assert real_clusters[other].ask("POST", "/_search/scroll", {"scroll_id": told["_scroll_id"]}).status_code >= 400
        assert real_clusters[mine].ask("POST", "/_search/scroll", {"scroll_id": told["_scroll_id"]}).status_code == 200
        real_clusters[mine].ask("DELETE", "/scrolled")


def terms(cluster, index):
    state = cluster.ask("GET", f"/_cluster/state/metadata/{index}?filter_path=metadata.indices.*.primary_terms").json()
    return state["metadata"]["indices"][index]["primary_terms"].values()


def test_closing_and_opening_raises_the_term_of_later_writes_alone(cluster, index):
    """So a stale condition may fit what was written before, and never what is written after."""
    told = [put(cluster, index, name, {"n": 1}) for name in ("kept", "changed")]
    assert cluster.ask("POST", f"/{index}/_close").status_code == 200
    assert cluster.ask("POST", f"/{index}/_open").status_code == 200
    until(lambda: cluster.ask("GET", f"/_cluster/health/{index}").json()["status"] == "green", 20)
    assert min(terms(cluster, index)) > told[0]["_primary_term"]
    assert put(cluster, index, "changed", {"n": 3})["_primary_term"] > told[1]["_primary_term"]
    for name, one, status in ("kept", told[0], 200), ("changed", told[1], 409):
        condition = f"?if_seq_no={one['_seq_no']}&if_primary_term={one['_primary_term']}"
        assert cluster.ask("PUT", f"/{index}/_doc/{name}{condition}", {"n": 2}).status_code == status


def test_a_remote_reindex_writes_numbers_anew(real_clusters):
    source, target = real_clusters["source"], real_clusters["target"]
    source.session.put(f"{source.url}/numbers/_doc/1?refresh=true", data='{"a":1.10,"b":1e3}',
                       headers={"Content-Type": "application/json"})
    done = target.ask("POST", "/_reindex?refresh=true", {"source": {"remote": {"host": source.url}, "index": "numbers"},
                                                         "dest": {"index": "numbers"}})
    assert done.status_code == 200, done.text
    read = {arm: real_clusters[arm].ask("POST", "/_mget", {"docs": [{"_index": "numbers", "_id": "1"}]}).text for arm in ARMS}
    assert '"a":1.10,"b":1e3' in read["source"] and '"a":1.1,"b":1000.0' in read["target"]
    for one in real_clusters.values():
        one.ask("DELETE", "/numbers")


def test_the_same_create_after_a_rollover_makes_a_second_document(real_clusters):
    """Streams are of the target alone here: the source's free edition has none."""
    cluster = real_clusters["target"]
    cluster.ask("PUT", "/_index_template/stream-rules", {"index_patterns": ["stream-rules*"], "data_stream": {}})
    line = '{"create":{"_index":"stream-rules","_id":"one"}}\n{"@timestamp":"2026-11-24T10:00:00Z"}\n'
    assert cluster.bulk(line)["items"][0]["create"]["status"] == 201
    assert cluster.bulk(line)["items"][0]["create"]["status"] == 409
    assert cluster.ask("POST", "/stream-rules/_rollover").json()["rolled_over"]
    assert cluster.bulk(line)["items"][0]["create"]["status"] == 201
    hits = found(cluster, "stream-rules", {"ids": {"values": ["one"]}})
    assert len(hits) == 2 and all(hit["_index"].startswith(".ds-stream-rules-") for hit in hits)
    cluster.ask("DELETE", "/_data_stream/stream-rules")
    cluster.ask("DELETE", "/_index_template/stream-rules")


def test_bulks_are_many_times_as_fast_as_single_writes(cluster, index):
    """By a wide margin: replay's batches stand on it."""
    began = time.monotonic()
    for n in range(200):
        put(cluster, index, n, {"n": n})
    single = (time.monotonic() - began) / 200
    lines = "".join(f'{{"index":{{"_index":"{index}","_id":"{n}"}}}}\n{{"n":{n}}}\n' for n in range(5000))
    began = time.monotonic()
    assert not cluster.bulk(lines, "/_bulk")["errors"]
    assert (time.monotonic() - began) / 5000 < single / 2
