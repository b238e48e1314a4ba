"""Replay: what clients write to the owner reaches the replica, whatever is killed."""

import json
import os
import random
import signal
import threading
import time

import pytest
import requests

from sample_stage import SampleCluster
from stage import until

INDICES = ["books", "films"]


@pytest.fixture
def pair(tmp_path):
    made = [SampleCluster(name, tmp_path) for name in ("source", "target")]
    yield made
    for cluster in made:
        cluster.kill()


@pytest.fixture
def make_replayed(make_balancer, pair, tmp_path, backend):
    # What is uncertain is looked at once more when the idle timeout is over.
    return lambda replay="{}": make_balancer(pair[0].url, pair[1].url, io=backend, cluster_more="  timeouts: { idle: 2s }", more=f"""\
profile: opensearch
capture: {{ directory: {tmp_path}/capture, commit: 1ms }}
replay: {replay}
""")


@pytest.fixture
def replayed(make_replayed):
    return make_replayed()


def replay_of(balancer):
    return balancer.status()["replay"]


def is_current(balancer, since):
    """Every write that was answered before is at the replica, and no job is left but the second looks of uncertain ones."""
    r = replay_of(balancer)
    return (r["state"] == "current" and (r.get("watermark") or "") >= since and not r["keys"]["waiting"]
            and not r["jobs"]["waiting"])


def caught_up(balancer):
    since = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 1))
    until(lambda: is_current(balancer, since), 120, lambda: f"a current replica: {replay_of(balancer)}")


def documents(cluster):
    found = {}
    for index in INDICES:
        cluster.ask("POST", f"/{index}/_refresh")
        page = cluster.ask("POST", f"/{index}/_search", {"size": 10000, "query": {"match_all": {}}}).json()
        for hit in page.get("hits", {}).get("hits", []):
            found[index, hit["_id"]] = hit["_source"], hit.get("_routing")
    return found


class Writers:
    """Clients whose keys overlap, with every kind of write; `ids`: where the owner makes them, too."""

    def __init__(self, url, n=4, keys=40, ids=True):
        self.url, self.keys, self.ids, self.over, self.acknowledged = url, keys, ids, threading.Event(), 0
        self.threads = [threading.Thread(target=self.run, args=(seed,)) for seed in range(n)]

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for thread in self.threads:
            thread.join(30)

    def lines(self, dice):
        for _ in range(dice.randint(1, 20)):
            at = {"_index": dice.choice(INDICES), "_id": f"k{dice.randrange(self.keys)}"}
            what = dice.choice(["index", "create", "delete", "update"])
            if what == "index" and self.ids and dice.random() < 0.2:
                del at["_id"]
            yield {what: at}
            if what == "update":
                yield {"doc": {"n": dice.randrange(1000)}, "doc_as_upsert": True}
            elif what != "delete":
                yield {"n": dice.randrange(1000), f"field{dice.randrange(5)}": "é\u2028\"x"}

    def one(self, session, dice):
        path = f"/{dice.choice(INDICES)}/_doc/k{dice.randrange(self.keys)}"
        what = dice.choice([0, 1, 2, 3, 4] if self.ids else [0, 1, 2, 4])
        if what == 0:
            return session.delete(self.url + path, timeout=30)
        if what == 1:
            return session.put(self.url + path, json={"n": dice.randrange(1000)}, timeout=30)
        if what == 2:
            return session.post(self.url + path.replace("_doc", "_update"), timeout=30,
                                json={"doc": {"n": dice.randrange(1000)}, "doc_as_upsert": True})
        if what == 3:
            return session.post(f"{self.url}/{dice.choice(INDICES)}/_doc", json={"n": 1}, timeout=30)
        data = "".join(json.dumps(line) + "\n" for line in self.lines(dice))
        return session.post(f"{self.url}/_bulk", data=data.encode(), timeout=30,
                            headers={"Content-Type": "application/x-ndjson"})

    def run(self, seed):
        dice, session = random.Random(seed), requests.Session()
        while not self.over.is_set():
            try:
                self.acknowledged += self.one(session, dice).status_code < 300
            except requests.ConnectionError:
                session = requests.Session()


def write_for(url, seconds, meanwhile=lambda: None, ids=True):
    with Writers(url, ids=ids) as writers:
        end = time.monotonic() + seconds
        meanwhile()
        time.sleep(max(0, end - time.monotonic()))
    assert writers.acknowledged > 20
    return writers


def test_all_that_is_written_reaches_the_replica(replayed, pair):
    write_for(replayed.source, 3)
    caught_up(replayed)
    at_owner = documents(pair[0])
    assert len(at_owner) > 20 and documents(pair[1]) == at_owner
    r = replay_of(replayed)
    assert r["copies"]["documents"] and not r["keys"]["set_aside"] and not r["not_exact"]


def test_nothing_is_missing_when_processes_are_killed(replayed, pair):
    def kill():
        for _ in range(3):
            time.sleep(1)
            pid = replayed.working_pid()
            os.kill(pid, signal.SIGKILL)
            until(lambda: replayed.is_up() and replayed.working_pid() != pid, 60, "another process")

    # Of documents whose ids the owner made and whose response was lost a scan finds out.
    write_for(replayed.source, 5, kill)
    caught_up(replayed)
    assert documents(pair[1]) == documents(pair[0])


def test_a_replica_that_fails_gets_all_when_it_is_back(replayed, pair):
    def fail():
        pair[1].faults(refuse=503)
        time.sleep(1)
        pair[1].faults(refuse_items=429)
        time.sleep(1)
        pair[1].faults()

    write_for(replayed.source, 3, fail)
    caught_up(replayed)
    assert documents(pair[1]) == documents(pair[0])
    assert replay_of(replayed)["copies"]["again"]


def test_an_upgrade_hands_replay_over(replayed, pair):
    write_for(replayed.source, 3, replayed.upgrade)
    caught_up(replayed)
    assert documents(pair[1]) == documents(pair[0])


def test_mappings_are_there_before_documents(replayed, pair):
    """A first document alone would make another mapping: of text, where the owner has a keyword."""
    mappings = {"mappings": {"properties": {"n": {"type": "keyword"}}}}
    assert requests.put(f"{replayed.source}/books", json=mappings, timeout=10).ok
    assert requests.put(f"{replayed.source}/books/_doc/1", json={"n": "5"}, timeout=10).ok
    caught_up(replayed)
    assert pair[1].ask("GET", "/books/_mapping").json() == pair[0].ask("GET", "/books/_mapping").json()
    assert documents(pair[1]) == documents(pair[0])


# --- what concerns more than named documents ---


def fill(url, index, n):
    lines = "".join(json.dumps({"index": {"_index": index, "_id": str(i)}}) + "\n" + json.dumps({"n": i % 10}) + "\n"
                    for i in range(n))
    assert requests.post(f"{url}/_bulk?refresh=true", data=lines, timeout=30,
                         headers={"Content-Type": "application/x-ndjson"}).ok


def same(balancer, pair):
    caught_up(balancer)
    at_owner = documents(pair[0])
    assert documents(pair[1]) == at_owner
    return at_owner


def test_a_hidden_id_is_found_by_a_scan(replayed, pair):
    fill(replayed.source, "books", 10)
    for n in range(5):
        assert requests.post(f"{replayed.source}/books/_doc?filter_path=result", json={"n": n}, timeout=10).ok
    assert len(same(replayed, pair)) == 15
    assert replay_of(replayed)["jobs"]["scans"]


def test_an_update_by_query_reaches_the_replica(replayed, pair):
    fill(replayed.source, "books", 2500)
    same(replayed, pair)
    body = {"script": {"source": "ctx._source.n += 100"}, "query": {"term": {"n": 3}}}
    assert requests.post(f"{replayed.source}/books/_update_by_query?refresh=true", json=body, timeout=30).ok
    assert len([d for d, _ in same(replayed, pair).values() if d["n"] == 103]) == 250


def test_what_a_query_deletes_goes_at_the_replica(replayed, pair):
    fill(replayed.source, "books", 2500)
    same(replayed, pair)
    body = {"query": {"term": {"n": 3}}}
    assert requests.post(f"{replayed.source}/books/_delete_by_query?refresh=true", json=body, timeout=30).ok
    assert len(same(replayed, pair)) == 2250
    assert replay_of(replayed)["jobs"]["sweeps"] == 1


def test_a_deleted_index_goes_and_one_of_its_name_comes(replayed, pair):
    fill(replayed.source, "books", 30)
    fill(replayed.source, "films", 5)
    same(replayed, pair)
    assert requests.delete(f"{replayed.source}/books", timeout=10).ok
    fill(replayed.source, "books", 3)
    assert len(same(replayed, pair)) == 8
    assert requests.delete(f"{replayed.source}/films", timeout=10).ok
    assert len(same(replayed, pair)) == 3
    assert pair[1].ask("HEAD", "/films").status_code == 404
    assert replay_of(replayed)["jobs"]["indices_deleted"] == 2


def test_a_batch_goes_in_bulks_of_the_size_that_is_allowed(make_replayed, pair):
    replayed = make_replayed("{ batch: { bytes: 64KiB }, in_flight: 1 }")
    pair[1].faults(refuse=503)
    lines = "".join(json.dumps({"index": {"_index": "books", "_id": str(i)}}) + "\n" + json.dumps({"t": "x" * 1000}) + "\n"
                    for i in range(1000))
    assert requests.post(f"{replayed.source}/_bulk", data=lines, timeout=30,
                         headers={"Content-Type": "application/x-ndjson"}).ok
    pair[1].faults()
    assert len(same(replayed, pair)) == 1000
