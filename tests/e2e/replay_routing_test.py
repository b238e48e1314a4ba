"""Replay: documents whose routing the log does not tell, and those whose versions are the clients' own."""

import json

import requests

from replay_orders_test import begin_again
from replay_test import caught_up, documents, make_replayed, pair, replay_of, replayed  # noqa: F401


def ask(balancer, method, path, body=None):
    return requests.request(method, f"{balancer.source}{path}", json=body, timeout=10)


def made(balancer):
    """An index of several shards, and an alias that routes."""
    assert ask(balancer, "PUT", "/books", {"settings": {"number_of_shards": 3}, "aliases": {"ours": {"routing": "r"}}}).ok


def same(balancer, pair):  # noqa: F811
    caught_up(balancer)
    at_owner = documents(pair[0])
    assert documents(pair[1]) == at_owner
    return at_owner


def test_what_an_alias_has_routed_is_found(replayed, pair):  # noqa: F811
    made(replayed)
    for i in range(20):
        assert ask(replayed, "PUT", f"/ours/_doc/{i}", {"n": i}).ok
    found = same(replayed, pair)
    assert len(found) == 20 and all(routing == "r" for _, routing in found.values())


def test_what_is_deleted_through_the_alias_goes(replayed, pair):  # noqa: F811
    made(replayed)
    for i in range(6):
        ask(replayed, "PUT", f"/ours/_doc/{i}", {"n": i})
        ask(replayed, "PUT", f"/books/_doc/p{i}", {"n": i})
    same(replayed, pair)
    for i in range(3):
        assert ask(replayed, "DELETE", f"/ours/_doc/{i}").json()["result"] == "deleted"
        assert ask(replayed, "DELETE", f"/books/_doc/p{i}").json()["result"] == "deleted"
    assert len(same(replayed, pair)) == 6
    # One that looks into another shard deletes nothing.
    assert ask(replayed, "DELETE", "/books/_doc/4").json()["result"] == "not_found"
    assert ("books", "4") in same(replayed, pair)


def test_bulks_through_an_alias_are_complete(replayed, pair):  # noqa: F811
    made(replayed)
    lines = "".join(json.dumps({"index": {"_index": "ours" if i % 2 else "books", "_id": str(i)}}) + "\n" + json.dumps({"n": i}) + "\n"
                    for i in range(300))
    lines += "".join(json.dumps({"delete": {"_index": "ours" if i % 2 else "books", "_id": str(i)}}) + "\n" for i in range(100))
    assert requests.post(f"{replayed.source}/_bulk", data=lines, timeout=30,
                         headers={"Content-Type": "application/x-ndjson"}).ok
    assert len(same(replayed, pair)) == 200


def versions(cluster):
    return {i: cluster.ask("GET", f"/books/_doc/{i}").json()["_version"] for i in range(5)}


def test_an_external_version_makes_all_copies_of_its_index_carry_theirs(replayed, pair):  # noqa: F811
    for i in range(5):
        assert ask(replayed, "PUT", f"/books/_doc/{i}", {"n": i}).ok
    assert ask(replayed, "PUT", "/books/_doc/0?version=10&version_type=external", {"n": 10}).ok
    same(replayed, pair)
    # What a scan finds is copied again, and is no newer by that.
    for _ in range(3):
        assert ask(replayed, "POST", "/books/_doc?filter_path=result&refresh=true", {"n": 1}).ok
        assert ask(replayed, "POST", "/books/_update_by_query?refresh=true", {"script": {"source": "ctx._source.n += 1"}}).ok
        same(replayed, pair)
    assert versions(pair[1]) == versions(pair[0])
    assert ask(replayed, "PUT", f"/books/_doc/0?version={versions(pair[0])[0] + 1}&version_type=external", {"n": 11}).ok
    same(replayed, pair)
    assert versions(pair[1]) == versions(pair[0])


def test_external_versions_are_known_after_a_start(replayed, pair):  # noqa: F811
    for i in range(5):
        assert ask(replayed, "PUT", f"/books/_doc/{i}?version=10&version_type=external", {"n": i}).ok
    same(replayed, pair)
    begin_again(replayed)
    # No write of the log tells it once more: all are copied again, and are no newer by that.
    replayed.command("replay", "backfill")
    same(replayed, pair)
    assert versions(pair[1]) == versions(pair[0])


def test_an_external_version_is_seen_where_the_response_hides_the_document(replayed, pair):  # noqa: F811
    lines = "".join(json.dumps({"index": {"_index": "books", "_id": str(i), "version": 10 + i, "version_type": "external"}}) + "\n{}\n"
                    for i in range(5))
    # Neither index nor id is in the response, and replay has not seen the index before.
    assert requests.post(f"{replayed.source}/_bulk?filter_path=errors", data=lines, timeout=30,
                         headers={"Content-Type": "application/x-ndjson"}).json() == {"errors": False}
    same(replayed, pair)
    assert versions(pair[1]) == versions(pair[0]) == {i: 10 + i for i in range(5)}


def found(cluster):
    assert cluster.ask("POST", "/books/_refresh").ok
    hits = cluster.ask("POST", "/books/_search").json()["hits"]["hits"]
    return sorted((h["_id"], h.get("_routing", ""), h["_source"]["n"]) for h in hits)


def test_one_id_by_several_routings_is_several_documents(replayed, pair):  # noqa: F811
    made(replayed)
    # r0 leads to the first shard of three, and the id 2 to the second.
    for n, path in enumerate(("/books/_doc/2?routing=r0", "/books/_doc/2")):
        assert ask(replayed, "PUT", path, {"n": n}).ok
    caught_up(replayed)
    assert found(pair[1]) == found(pair[0]) == [("2", "", 1), ("2", "r0", 0)]
    assert ask(replayed, "DELETE", "/books/_doc/2").json()["result"] == "deleted"
    caught_up(replayed)
    assert found(pair[1]) == found(pair[0]) == [("2", "r0", 0)]
