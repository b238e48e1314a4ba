"""Orders to replay, and what it keeps over a start: pauses, documents that were set aside, places."""

import json
import os
import signal
import time

import pytest
import requests
from replay_test import caught_up, documents, fill, replay_of
from sample_stage import SampleCluster
from stage import empty, garble, until, zero


@pytest.fixture
def pair(tmp_path):
    made = [SampleCluster(name, tmp_path) for name in ("source", "target")]
    yield made
    for cluster in made:
        cluster.kill()


@pytest.fixture
def make_replayed(make_balancer, pair, tmp_path):
    return lambda replay="{}", **more: make_balancer(
        pair[0].url, pair[1].url, cluster_more="  timeouts: { idle: 2s }", **more, more=f"""\
profile: opensearch
capture: {{ directory: {tmp_path}/capture, commit: 1ms }}
replay: {replay}
""")


@pytest.fixture
def replayed(make_replayed):
    return make_replayed()


def put(balancer, index, name, document):
    assert requests.put(f"{balancer.source}/{index}/_doc/{name}", json=document, timeout=10).ok


def has(cluster, index, name):
    return cluster.ask("GET", f"/{index}/_doc/{name}").status_code == 200


def again(balancer):
    """A crash: the next process has what was kept, and nothing else."""
    pid = balancer.working_pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: balancer.is_up() and balancer.working_pid() != pid, 60, "another process")


def refuse_one(balancer, pair):
    """A document that the replica's mapping does not take."""
    assert pair[1].ask("PUT", "/books", {"mappings": {"properties": {"n": {"type": "long"}}}}).ok
    assert requests.put(f"{balancer.source}/books", json={"mappings": {"dynamic": False}}, timeout=10).ok
    put(balancer, "books", "good", {"n": 1})
    put(balancer, "books", "bad", {"n": "no number"})
    until(lambda: replay_of(balancer)["set_aside"] == 1, 60, "a document set aside")
    caught_up(balancer)


# --- pause and resume ---


def test_paused_is_kept_over_restarts_and_reloads(replayed, pair):
    said = replayed.command("replay", "pause", "--reason", "a snapshot").stdout
    assert "paused" in said
    put(replayed, "books", "1", {"n": 1})
    replayed.command("reload")
    again(replayed)
    until(lambda: replay_of(replayed)["state"] == "paused", 10, "paused still")
    assert replay_of(replayed)["log"]["exchanges"] >= 0 and not has(pair[1], "books", "1")
    shown = replayed.command("replay", "status", check=False)
    assert shown.returncode == 1 and "crossfade replay resume" in shown.stdout
    assert "paused" in replayed.command("status").stdout
    replayed.command("replay", "resume")
    caught_up(replayed)
    assert has(pair[1], "books", "1")
    assert "a snapshot" in replayed.command("history").stdout


def test_nothing_is_copied_while_it_is_paused(replayed, pair):
    replayed.command("replay", "pause")
    fill(replayed.source, "books", 100)
    until(lambda: replay_of(replayed)["keys"]["waiting"] == 100, 10, "keys that wait")
    assert pair[1].ask("HEAD", "/books").status_code == 404
    replayed.command("replay", "resume")
    caught_up(replayed)
    assert documents(pair[1]) == documents(pair[0])


def test_orders_without_replay_are_refused(make_balancer, clusters):
    balancer = make_balancer(clusters[0].url, clusters[1].url)
    for words in (["pause"], ["status"], ["set-aside", "list"]):
        said = balancer.command("replay", *words, check=False)
        assert said.returncode == 1 and "no section 'replay'" in said.stderr


@pytest.mark.parametrize("words, says", [
    (["pauze"], "did you mean pause"), (["restart"], "--from is missing"),
    (["restart", "--from", "yesterday"], "no time"), (["backfill", "--rate", "fast"], "no rate"),
    (["set-aside"], "list, or retry"), (["set-aside", "drop", "books"], "not INDEX/ID"), (["pause", "x"], "not expected"),
])
def test_what_makes_no_sense_is_said(replayed, words, says):
    said = replayed.command("replay", *words, check=False)
    assert said.returncode == 2 and says in said.stderr


@pytest.mark.parametrize("path, body, says", [
    ("pause", {"rate": 3}, "'rate' is not expected"), ("backfill", {"indices": []}, "indices must be"),
    ("backfill", {"rate": 0}, "rate must be"), ("restart", {}, "from must be"), ("restart", {"from": "x"}, "from must be"),
    ("resume", {"document": "a/b"}, "'document' is not expected"), ("pause", {"nonsense": 1}, "nonsense"),
])
def test_bodies_that_make_no_sense_are_refused(replayed, path, body, says):
    import subprocess
    said = subprocess.run(["curl", "-sS", "--unix-socket", "state/../admin.sock", "-d", json.dumps(body),
                           f"http://x/v1/replay/{path}"], cwd=replayed.directory, capture_output=True, text=True, check=True)
    assert says in json.loads(said.stdout)["message"] and json.loads(said.stdout)["status"] == 400


# --- set aside ---


def test_what_the_replica_refuses_is_listed_retried_and_cleared(replayed, pair):
    refuse_one(replayed, pair)
    listed = replayed.command("replay", "set-aside", "list").stdout
    assert "books/bad" in listed and "400" in listed
    copies = replay_of(replayed)["keys"]["set_aside"]
    assert "1 document is tried again" in replayed.command("replay", "set-aside", "retry").stdout
    until(lambda: replay_of(replayed)["keys"]["set_aside"] > copies, 10, "a second refusal")
    assert replay_of(replayed)["set_aside"] == 1
    assert has(pair[1], "books", "good")
    put(replayed, "books", "bad", {"n": 7})
    until(lambda: replay_of(replayed)["set_aside"] == 0, 10, "a success clears it")
    assert "No document is set aside" in replayed.command("replay", "set-aside", "list").stdout


def test_a_retry_copies_it_when_the_replica_takes_it(replayed, pair):
    refuse_one(replayed, pair)
    # Past the balancer: no write in the log clears it.
    assert pair[0].ask("PUT", "/books/_doc/bad", {"n": 7}).ok
    replayed.command("replay", "set-aside", "retry", "books/bad")
    until(lambda: replay_of(replayed)["set_aside"] == 0, 10, "a copy")
    assert documents(pair[1]) == documents(pair[0])


def test_what_was_set_aside_is_known_after_a_crash(replayed, pair):
    refuse_one(replayed, pair)
    caught_up(replayed)
    for _ in range(2):
        again(replayed)
        until(lambda: replay_of(replayed)["set_aside"] == 1, 10, "what was set aside")
    assert "books/bad" in replayed.command("replay", "set-aside", "list").stdout


def test_a_document_that_is_dropped_leaves_its_index_not_exact(replayed, pair):
    refuse_one(replayed, pair)
    refused = replayed.command("replay", "set-aside", "drop", "books/other", check=False)
    assert refused.returncode == 1 and "no document books/other is set aside" in refused.stderr
    assert "1 document was dropped" in replayed.command("replay", "set-aside", "drop", "books/bad").stdout
    assert replay_of(replayed)["set_aside"] == 0 and "books" in replay_of(replayed)["not_exact"]
    again(replayed)
    until(lambda: "books" in replay_of(replayed)["not_exact"], 10, "not exact still")
    assert "not exact" in replayed.command("status").stdout


# --- the marks ---


@pytest.mark.parametrize("damage", [empty, zero, garble])
def test_damaged_marks_pause_replay_and_are_said(replayed, pair, damage):
    refuse_one(replayed, pair)
    marks = replayed.directory / "state" / "replay.marks"
    replayed.may_say = ["damaged"]
    replayed.end()
    damage(marks)
    replayed.start()
    until(lambda: replay_of(replayed)["state"] == "paused", 10, "a pause")
    assert "damaged" in replay_of(replayed)["paused"]["who"] and "*" in replay_of(replayed)["not_exact"]
    assert "replay.marks.damaged" in replayed.said()
    assert (replayed.directory / "state" / "replay.marks.damaged").exists()
    put(replayed, "books", "more", {"n": "1"})
    replayed.command("replay", "resume")
    until(lambda: has(pair[1], "books", "more"), 10, "a copy")


def test_marks_of_a_newer_version_are_left_alone(replayed, pair):
    caught_up(replayed)
    marks = replayed.directory / "state" / "replay.marks"
    replayed.end()
    newer = "crossfade replay marks 2.0 0000000000000000\n{}\n"
    marks.write_text(newer)
    replayed.start()
    until(lambda: replay_of(replayed)["state"] == "failed", 10, "a failure")
    assert "newer version" in replay_of(replayed)["trouble"]
    put(replayed, "books", "1", {"n": 1})
    refused = replayed.command("replay", "resume", check=False)
    assert refused.returncode == 1 and "newer version" in refused.stderr
    assert marks.read_text() == newer and not has(pair[1], "books", "1")


def test_a_scan_goes_on_where_the_last_process_was(replayed, pair):
    fill(replayed.source, "books", 2000)
    assert requests.post(f"{replayed.source}/books/_doc?filter_path=result", json={"n": 1}, timeout=10).ok
    caught_up(replayed)
    until(lambda: '"scans":{"books":' in (replayed.directory / "state" / "replay.marks").read_text(), 10, "a kept place")
    again(replayed)
    assert requests.post(f"{replayed.source}/books/_doc?filter_path=result", json={"n": 2}, timeout=10).ok
    caught_up(replayed)
    assert replay_of(replayed)["jobs"]["keys"] < 100
    assert len(documents(pair[1])) == 2002


# --- where it begins ---


def test_a_restart_copies_what_was_written_since(replayed, pair):
    put(replayed, "books", "before", {"n": 0})
    caught_up(replayed)
    time.sleep(1.1)  # times in the log are compared with that of the order
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    put(replayed, "books", "after", {"n": 1})
    caught_up(replayed)
    for name in "before", "after":
        assert pair[1].ask("DELETE", f"/books/_doc/{name}").ok
    replayed.command("replay", "restart", "--from", since)
    until(lambda: has(pair[1], "books", "after"), 10, "what was written since")
    caught_up(replayed)
    assert not has(pair[1], "books", "before")
    refused = replayed.command("replay", "restart", "--from", "2100-01-01T00:00:00Z", check=False)
    assert refused.returncode == 1 and "would leave writes out" in refused.stderr


def test_a_restart_is_done_over_a_crash(replayed, pair):
    fill(replayed.source, "books", 500)
    caught_up(replayed)
    replayed.command("replay", "pause")
    assert pair[1].ask("DELETE", "/books").ok
    replayed.command("replay", "restart", "--from", "2000-01-01T00:00:00Z")
    again(replayed)
    replayed.command("replay", "resume")
    caught_up(replayed)
    assert documents(pair[1]) == documents(pair[0])


def test_only_the_indices_of_the_configuration_are_copied(make_replayed, pair):
    replayed = make_replayed('{ indices: [ "*", "-films", "-.*", ".own" ] }')
    for index in "books", "films", ".own", ".other":
        put(replayed, index, "1", {"n": 1})
    caught_up(replayed)
    there = [i for i in ("books", "films", ".own", ".other") if pair[1].ask("HEAD", f"/{i}").ok]
    assert there == ["books", ".own"]
    assert replay_of(replayed)["left_out"] >= 2


def test_it_begins_where_the_configuration_says(make_replayed, pair):
    first = make_replayed("{}")
    put(first, "books", "before", {"n": 1})
    caught_up(first)
    first.end()
    assert pair[1].ask("DELETE", "/books").ok
    for name in "replay.marks", "admin.token":
        (first.directory / "state" / name).unlink()
    for file in first.directory.parent.glob("capture/replay.follower*"):
        file.unlink()
    time.sleep(1.1)  # the log has milliseconds, the configuration seconds
    since = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())
    first.file.write_text(first.file.read_text().replace("replay: {}", f"replay: {{ from: '{since}' }}"))
    first.start()
    put(first, "books", "after", {"n": 2})
    caught_up(first)
    assert has(pair[1], "books", "after") and not has(pair[1], "books", "before")
