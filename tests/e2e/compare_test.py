"""Compare: whether owner and replica are equal, while clients write."""

import json
import signal
import subprocess
import threading

import pytest
import requests

from replay_test import INDICES, Writers, caught_up, make_replayed, pair, replayed  # noqa: F401 (fixtures)
from stage import PROGRAM, until

EQUAL, DIFFERENT, UNKNOWN = 0, 1, 2


def begin(balancer, *words):
    return subprocess.Popen([PROGRAM, "compare", "-c", balancer.file, *words], stdout=subprocess.PIPE,
                            stderr=subprocess.PIPE, text=True)


def compare(balancer, *words):
    """The exit code, and what it prints."""
    process = begin(balancer, *words)
    out, errors = process.communicate(timeout=120)
    return process.returncode, out + errors


def report(balancer, *words):
    code, text = compare(balancer, "-o", "json", *words)
    found = json.loads(text)
    assert code == {"equal": 0, "different": 1}.get(found["result"], 2), text
    return found


def admin(balancer, method, path="/v1/compare"):
    """The admin API's response."""
    done = subprocess.run(["curl", "-s", "--unix-socket", balancer.directory / "admin.sock", "-X", method, f"http://x{path}"],
                          capture_output=True, text=True, timeout=30, check=True)
    return json.loads(done.stdout)


def told(found):
    return sorted((d["index"], d.get("id", ""), d["kind"]) for d in found["differences"])


def put(url, path, source):
    assert requests.put(f"{url}/{path}", json=source, timeout=10).status_code in (200, 201)


@pytest.fixture
def filled(replayed):  # noqa: F811
    """Ten documents of each index, at both."""
    for index in INDICES:
        for i in range(10):
            put(replayed.source, f"{index}/_doc/d{i}", {"n": i, "price": 1.1})
    caught_up(replayed)
    return replayed


def test_equal_clusters_are_equal(filled):
    found = report(filled, "--all")
    assert found["result"] == "equal" and not found["differences"]
    assert found["numbers"]["checked"] == found["numbers"]["equal"] == 20 and found["numbers"]["indices"] == 2
    code, text = compare(filled, "--all")
    assert code == EQUAL and "20 documents of 2 indices were compared: 20 are the same" in text and "Equal." in text


def spoil(cluster):
    """Behind the balancer's back: one of each kind of difference, and two that are none."""
    put(cluster.url, "books/_doc/d1", {"n": 100, "price": 1.1})
    assert cluster.ask("DELETE", "/books/_doc/d2").ok
    put(cluster.url, "books/_doc/extra", {"n": 1})
    put(cluster.url, "films/_doc/d3?routing=other", {"n": 3, "price": 1.1})
    cluster.ask("PUT", "/films/_doc/d4", '{ "price" : 1.10, "n" : 4 }')
    cluster.ask("PUT", "/films/_doc/d5", '{"n":5,"price":11e-1}')


SPOILED = [("books", "d1", "different"), ("books", "d2", "missing"), ("books", "extra", "extra"),
           ("films", "d3", "different")]


def test_each_kind_of_difference_is_told(filled, pair):  # noqa: F811
    spoil(pair[1])
    found = report(filled, "--all")
    assert found["result"] == "different" and told(found) == SPOILED
    what = {d["id"]: d["what"] for d in found["differences"]}
    assert what["d1"] == "n: 1 / 100" and what["d3"] == "_routing: none / other"
    assert found["numbers"]["equal"] == 17
    code, text = compare(filled, "--all")
    assert code == DIFFERENT and "books/d1  different: n: 1 / 100\n" in text and "1 are missing at the replica" in text


def test_indices_that_are_named_are_compared_alone(filled, pair):  # noqa: F811
    spoil(pair[1])
    assert told(report(filled, "--all", "films")) == SPOILED[3:]
    assert told(report(filled, "--all", "bo*")) == SPOILED[:3]
    code, text = compare(filled, "--all", "nothing-here")
    assert code == UNKNOWN and "neither cluster has such an index" in text


def test_a_missing_index_is_a_difference(filled, pair):  # noqa: F811
    assert pair[1].ask("DELETE", "/films").ok
    put(pair[1].url, "other/_doc/1", {})
    found = report(filled, "--all")
    assert [(d["index"], d["what"]) for d in found["differences"]] == [
        ("films", "the replica does not have this index"), ("other", "the owner does not have this index")]


def test_repair_makes_equal_what_differs(filled, pair):  # noqa: F811
    spoil(pair[1])
    code, text = compare(filled, "--all", "--repair")
    assert code == EQUAL and "4 were repaired, and are the same now" in text
    assert report(filled, "--all")["result"] == "equal"
    assert pair[1].ask("GET", "/books/_doc/d1").json()["_source"]["n"] == 1
    assert pair[1].ask("GET", "/books/_doc/extra").status_code == 404


def test_documents_that_clients_write_do_not_differ(filled):
    with Writers(filled.source, n=6, keys=300) as writers:
        until(lambda: writers.acknowledged > 200, 30)
        for _ in range(4):
            found = report(filled, "--all")
            assert found["result"] == "equal", found
        assert found["numbers"]["equal"] > 100
    caught_up(filled)
    found = report(filled, "--all")
    assert found["result"] == "equal" and not found["numbers"]["moving"], found


def test_a_difference_is_found_among_documents_that_clients_write(filled, pair):  # noqa: F811
    spoil(pair[1])
    with Writers(filled.source, n=4, keys=40):
        found = report(filled, "--all")
    assert [t for t in told(found) if t[2] != "moving"] == SPOILED


def test_nobody_can_tell_without_the_replica(filled, pair):  # noqa: F811
    pair[1].kill()
    code, text = compare(filled, "--all")
    assert code == UNKNOWN and "Cannot tell" in text and "the replica (the target)" in text
    pair[1].start()  # and has nothing
    assert told(report(filled, "--all")) == [("books", "", "surroundings"), ("films", "", "surroundings")]


def test_one_comparison_at_a_time_and_it_can_be_stopped(filled, pair):  # noqa: F811
    pair[1].faults(stall_reads_ms=1000)
    first = begin(filled, "--all")
    until(lambda: admin(filled, "GET").get("stage") == "documents", what="a comparison under way")
    code, text = compare(filled, "--all")
    assert code == UNKNOWN and "a comparison is under way" in text
    first.send_signal(signal.SIGINT)
    out, _ = first.communicate(timeout=20)
    assert first.returncode == UNKNOWN and "Stopped" in out
    pair[1].faults()
    assert report(filled, "--all")["result"] == "equal"


def test_wrong_orders_are_refused(filled):
    for words in (["--all", "--sample", "5"], ["--sample", "0"], ["--sample", "x"]):
        assert compare(filled, *words)[0] == UNKNOWN
    code, text = compare(filled, "--all", "a/b")
    assert code == UNKNOWN and "each is the name of an index" in text


def test_without_replay_there_is_nothing_to_compare(make_balancer, pair, backend):  # noqa: F811
    balancer = make_balancer(pair[0].url, pair[1].url, io=backend)
    code, text = compare(balancer, "--all")
    assert code == UNKNOWN and "no section replay" in text


# --- what was written since the last comparison ---


def test_what_was_written_since_the_last_comparison_is_compared(filled):
    found = report(filled)
    assert found["what"] == "touched" and found["numbers"]["equal"] == found["numbers"]["checked"] == 20
    assert report(filled)["numbers"]["checked"] == 0
    for _ in range(3):
        put(filled.source, "books/_doc/d1", {"n": 1})
    put(filled.source, "films/_doc/new", {"n": 1})
    assert requests.delete(f"{filled.source}/films/_doc/d2", timeout=10).ok
    found = report(filled)
    assert found["result"] == "equal" and found["numbers"]["checked"] == 3
    assert "compare" in filled.command("capture", "followers").stdout


def test_a_key_that_differs_is_compared_until_it_is_equal_also_over_a_restart(filled, pair):  # noqa: F811
    assert report(filled)["result"] == "equal"
    put(filled.source, "books/_doc/d1", {"n": 1})
    caught_up(filled)
    put(pair[1].url, "books/_doc/d1", {"n": 2})
    assert told(report(filled)) == SPOILED[:1]
    assert filled.stop() == 0
    filled.start()
    put(filled.source, "books/_doc/d3", {"n": 3})
    assert told(report(filled)) == SPOILED[:1]
    found = report(filled, "--repair")
    assert found["result"] == "equal" and found["numbers"]["repaired"] == 1
    assert report(filled)["numbers"]["checked"] == 0


def test_a_comparison_of_all_counts_as_the_last_one(filled):
    assert report(filled, "--all")["result"] == "equal"
    assert report(filled)["numbers"]["checked"] == 0
    put(filled.source, "books/_doc/d1", {"n": 1})
    assert report(filled, "films")["numbers"]["checked"] == 0
    assert report(filled, "--all", "films")["result"] == "equal"
    assert report(filled)["numbers"]["checked"] == 1


def test_an_index_of_which_the_log_does_not_name_the_documents_is_compared_whole(filled, pair):  # noqa: F811
    assert report(filled)["result"] == "equal"
    assert requests.post(f"{filled.source}/films/_doc?filter_path=result", json={"n": 1}, timeout=10).ok
    caught_up(filled)
    spoil(pair[1])
    found = report(filled)
    assert found["numbers"]["checked"] == 11 and told(found) == SPOILED[3:]


# --- what documents stand in ---


def test_mappings_aliases_and_settings_that_differ_are_told(filled, pair):  # noqa: F811
    assert pair[1].ask("PUT", "/books/_mapping", {"properties": {"other": {"type": "keyword"}}}).ok
    assert pair[1].ask("PUT", "/films/_alias/movies").ok
    found = report(filled)
    assert found["result"] == "different" and found["numbers"]["surroundings"] == 2
    assert [(d["index"], d["what"]) for d in found["differences"]] == [
        ("books", "mapping: properties.other: nothing / an object of 1 members"),
        ("films", "alias movies: the owner does not have it")]
    code, text = compare(filled, "books")
    assert code == DIFFERENT and "books  surroundings: mapping: properties.other" in text


def test_an_index_that_the_replica_will_have_is_not_missing(filled):
    """Clients make indices and fields, which replay has not brought over yet."""
    over = threading.Event()

    def write():
        n = 0
        while not over.is_set():
            n += 1
            requests.put(f"{filled.source}/made{n % 7}/_doc/{n}", json={f"f{n % 50}": n}, timeout=10)

    writer = threading.Thread(target=write)
    writer.start()
    try:
        for _ in range(3):
            found = report(filled, "--all")
            assert found["result"] == "equal", found
    finally:
        over.set()
        writer.join()


# --- a sample ---


def test_a_sample_compares_some_documents_of_each_index(replayed, pair):  # noqa: F811
    lines = [{"index": {"_index": "books", "_id": str(i)}} if k == 0 else {"n": i} for i in range(2000) for k in (0, 1)]
    assert requests.post(f"{replayed.source}/_bulk", data="".join(json.dumps(line) + "\n" for line in lines), timeout=30,
                         headers={"Content-Type": "application/x-ndjson"}).ok
    put(replayed.source, "films/_doc/1", {})
    caught_up(replayed)
    found = report(replayed, "--sample", "100")
    assert found["result"] == "equal" and 20 < found["numbers"]["checked"] <= 101, found
    assert pair[1].ask("POST", "/books/_delete_by_query?refresh=true", {"query": {"match_all": {}}}).ok
    found = report(replayed, "--sample", "100", "books")
    assert found["result"] == "different" and found["numbers"]["missing"] == found["numbers"]["checked"] > 20
    put(pair[1].url, "films/_doc/2", {})
    assert ("films", "2", "extra") in told(report(replayed, "--sample", "50", "films"))


# --- what is kept of it ---


def test_the_last_result_is_kept_over_a_restart(filled, pair):  # noqa: F811
    assert "compare" not in filled.status()
    spoil(pair[1])
    assert report(filled, "--all")["result"] == "different"
    until(lambda: (filled.directory / "state/compare.json").exists(), what="compare.json")
    assert filled.stop() == 0
    kept = json.loads((filled.directory / "state/compare.json").read_text())
    assert kept["result"] == "different" and told(kept) == SPOILED and kept["numbers"]["different"] == 2
    filled.start()
    until(lambda: "compare" in filled.status(), what="the last comparison")
    assert filled.status()["compare"]["result"] == "different"
    assert "different at" in filled.command("status").stdout and "4 differences" in filled.command("status").stdout
    assert admin(filled, "GET")["result"] == "different"
    text = subprocess.run(["curl", "-s", "--unix-socket", filled.directory / "admin.sock", "http://x/metrics"],
                          capture_output=True, text=True, timeout=30, check=True).stdout
    assert 'crossfade_compare_result{result="different"} 1' in text and 'crossfade_compare_found{kind="missing"} 1' in text


def test_a_write_that_acts_after_its_connection_broke_is_no_difference(filled, pair):  # noqa: F811
    """Replay copies it a second time when it can act no longer: 2 s later here. Until then nothing is said of it."""
    assert report(filled, "--all")["result"] == "equal"
    pair[0].faults(stall_ms=10000, act_after_ms=1200)
    writer = threading.Thread(target=requests.put, args=(f"{filled.source}/books/_doc/d1",),
                              kwargs={"json": {"n": 77}, "timeout": 10})
    writer.start()
    until(lambda: pair[0].ask("GET", "/books/_doc/d1").json()["_source"]["n"] == 77, what="a write that acts")
    assert pair[1].ask("GET", "/books/_doc/d1").json()["_source"]["n"] == 1
    assert report(filled, "--all")["result"] == "equal"
    writer.join()
    assert pair[1].ask("GET", "/books/_doc/d1").json()["_source"]["n"] == 77
