"""Replay: settings, templates, pipelines and scripts that are made or changed at the owner later."""

import json

import requests

from replay_test import caught_up, documents, make_replayed, pair, replay_of, replayed  # noqa: F401
from stage import until


def put(balancer, path, body):
    r = requests.put(f"{balancer.source}{path}", json=body, timeout=10)
    assert r.ok, r.text


def at_replica(pair, path):  # noqa: F811
    return pair[1].ask("GET", path)


def test_what_is_made_at_the_owner_later_is_made_at_the_replica(replayed, pair):  # noqa: F811
    caught_up(replayed)
    put(replayed, "/_component_template/c", {"template": {"settings": {"index": {"codec": "x"}}}})
    put(replayed, "/_index_template/t", {"index_patterns": ["t-*"], "composed_of": ["c"],
                                         "template": {"settings": {"index": {"default_pipeline": "p", "codec": "y"}}}})
    put(replayed, "/_template/o", {"index_patterns": ["o-*"], "settings": {"index": {"final_pipeline": "p", "codec": "z"}}})
    put(replayed, "/_ingest/pipeline/p", {"processors": [{"set": {"field": "a", "value": 1}}]})
    put(replayed, "/_scripts/s", {"script": {"lang": "painless", "source": "1"}})
    caught_up(replayed)
    assert at_replica(pair, "/_component_template/c").ok
    assert at_replica(pair, "/_ingest/pipeline/p").json() == pair[0].ask("GET", "/_ingest/pipeline/p").json()
    state = "/_cluster/state/metadata?filter_path=metadata.stored_scripts"
    assert at_replica(pair, state).json() == pair[0].ask("GET", state).json()
    template = json.dumps([at_replica(pair, "/_index_template/t").json(), at_replica(pair, "/_template/o").json()])
    assert '"codec": "y"' in template and '"codec": "z"' in template and "pipeline" not in template


def test_what_changes_and_goes_at_the_owner_does_at_the_replica(replayed, pair):  # noqa: F811
    pair[1].ask("PUT", "/_ingest/pipeline/mine", {"processors": []})
    put(replayed, "/_ingest/pipeline/p", {"description": "1", "processors": []})
    caught_up(replayed)
    put(replayed, "/_ingest/pipeline/p", {"description": "2", "processors": []})
    caught_up(replayed)
    assert at_replica(pair, "/_ingest/pipeline/p").json()["p"]["description"] == "2"
    assert requests.delete(f"{replayed.source}/_ingest/pipeline/p", timeout=10).ok
    caught_up(replayed)
    until(lambda: at_replica(pair, "/_ingest/pipeline/p").status_code == 404, what="a deletion")
    assert at_replica(pair, "/_ingest/pipeline/mine").ok


def test_settings_that_change_at_the_owner_change_at_the_replica(replayed, pair):  # noqa: F811
    put(replayed, "/books", {"settings": {"number_of_replicas": 0}})
    put(replayed, "/books/_doc/1", {"n": 1})
    caught_up(replayed)
    pair[1].ask("PUT", "/books/_settings", {"index": {"max_result_window": 500}})
    put(replayed, "/books/_settings", {"index": {"refresh_interval": "7s", "number_of_replicas": 2, "default_pipeline": "p",
                                                 "blocks": {"write": False}}})

    def settings():
        return at_replica(pair, "/books/_settings").json()["books"]["settings"]["index"]

    until(lambda: settings().get("refresh_interval") == "7s", what="a setting")
    s = settings()
    assert s["number_of_replicas"] == "2" and "default_pipeline" not in s and "blocks" not in s
    # What was changed at the replica alone is left.
    assert s["max_result_window"] == "500"


def test_an_index_without_documents_is_made(replayed, pair):  # noqa: F811
    put(replayed, "/films", {"mappings": {"properties": {"n": {"type": "keyword"}}}})
    caught_up(replayed)
    until(lambda: at_replica(pair, "/films/_mapping").ok, what="an index")
    assert at_replica(pair, "/films/_mapping").json() == pair[0].ask("GET", "/films/_mapping").json()


def test_a_pipeline_that_the_replica_refuses_holds_up_nobody(replayed, pair):  # noqa: F811
    pair[1].faults(refuse_objects=400)
    put(replayed, "/_ingest/pipeline/p", {"processors": []})
    put(replayed, "/books/_doc/1", {"n": 1})
    caught_up(replayed)
    assert "pipeline p is not taken" in replay_of(replayed)["trouble"]
    assert documents(pair[1]) == documents(pair[0]) != {}
