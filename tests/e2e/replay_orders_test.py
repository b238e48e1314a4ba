"""Orders to replay, and what it keeps over a start: pauses, documents that were set aside, places."""

import json
import os
import re
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


def begin_again(balancer):
    """Another process, which reads the log from behind all that was written."""
    until(lambda: not replay_of(balancer)["log"]["behind"], 60, "a log that is passed")
    balancer.end()
    balancer.start()


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


def test_the_request_that_wrote_a_refused_document_is_found_in_the_log(replayed, pair):
    put(replayed, "films", "before", {"n": 1})
    refuse_one(replayed, pair)
    for _ in range(2):
        listed = replayed.command("replay", "set-aside", "list").stdout
        record = re.search(r"written \d{4}-.*Z: `crossfade capture cat -c FILE --from-sequence (\d+:\d+)`", listed)[1]
        shown = replayed.command("capture", "cat", "--from-sequence", record, "-o", "json").stdout.splitlines()
        assert json.loads(shown[0])["path"] == "/books/_doc/bad"
        # A document that is tried again, and is refused, was written there still.
        refused = replay_of(replayed)["keys"]["set_aside"]
        replayed.command("replay", "set-aside", "retry")
        until(lambda: replay_of(replayed)["keys"]["set_aside"] > refused, 60, "one more refusal")


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


def test_it_stops_at_ten_thousand_set_aside_and_goes_on_when_there_are_fewer(replayed, pair):
    refuse_one(replayed, pair)
    for first in range(0, 9999, 3333):
        lines = "".join(f'{{"index":{{"_index":"books","_id":"{i}"}}}}\n{{"n":"none"}}\n' for i in range(first, first + 3333))
        assert requests.post(f"{replayed.source}/_bulk", data=lines, timeout=60,
                             headers={"Content-Type": "application/x-ndjson"}).ok
    until(lambda: replay_of(replayed)["state"] == "stopped", 120, "a stop")
    assert replay_of(replayed)["set_aside"] == 10000 and "too many documents are set aside" in replay_of(replayed)["trouble"]
    assert replayed.command("replay", "status", check=False).returncode == 1
    put(replayed, "films", "1", {"n": 1})
    until(lambda: replay_of(replayed)["keys"]["waiting"] == 1, 60, "a write that waits")
    assert not has(pair[1], "films", "1")
    replayed.command("replay", "set-aside", "drop", "books/17")
    until(lambda: has(pair[1], "films", "1") and replay_of(replayed)["state"] == "current", 60, "it goes on")


def test_a_comparison_makes_an_index_exact_again(replayed, pair):
    refuse_one(replayed, pair)
    replayed.command("replay", "set-aside", "drop", "books/bad")
    put(replayed, "films", "1", {"n": 1})
    caught_up(replayed)
    for words, code in (["--all"], 1), (["--all", "films"], 0), (["books"], 1):
        assert replayed.command("compare", *words, check=False).returncode == code
        assert "books" in replay_of(replayed)["not_exact"]
    # Past the balancer: no write in the log makes it equal.
    assert pair[0].ask("PUT", "/books/_doc/bad", {"n": 7}).ok
    replayed.command("compare", "--all", "--repair", "books", check=False)
    assert not replay_of(replayed)["not_exact"]
    until(lambda: "index books is exact again" in replayed.said(), 60, "a line of the log")
    again(replayed)
    until(lambda: replay_of(replayed)["state"] == "current" and not replay_of(replayed)["not_exact"], 60, "exact still")


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


def test_a_deletion_by_a_pattern_reaches_indices_that_an_earlier_process_has_seen(replayed, pair):
    for index in "books-a", "books-b", "films":
        put(replayed, index, "1", {"n": 1})
    caught_up(replayed)
    # The replica's own: replay never saw it at the owner.
    assert pair[1].ask("PUT", "/books-own").ok
    begin_again(replayed)
    put(replayed, "films", "2", {"n": 2})
    caught_up(replayed)
    assert requests.delete(f"{replayed.source}/books-*", timeout=10).ok
    until(lambda: replay_of(replayed)["jobs"]["deletions"] == 1, 60, "the deletion")
    there = [i for i in ("books-a", "books-b", "books-own", "films") if pair[1].ask("HEAD", f"/{i}").ok]
    assert there == ["books-own", "films"]
    # What is gone at both is not remembered.
    caught_up(replayed)
    marks = replayed.directory / "state" / "replay.marks"
    until(lambda: "books-a" not in marks.read_text() and '"films":{' in marks.read_text(), 60, "the marks")


def test_an_index_that_was_made_anew_while_nobody_replayed_is_known_to_be_another_one(replayed, pair):
    put(replayed, "books", "1", {"old": 1})
    caught_up(replayed)
    replayed.command("replay", "pause")
    # Nobody knows what became of this deletion.
    pair[0].faults(stall_changes_ms=60000)
    assert requests.delete(f"{replayed.source}/books", timeout=60).status_code >= 500
    pair[0].faults()
    pair[0].ask("DELETE", "/books")
    assert pair[0].ask("PUT", "/books/_doc/1", {"new": 1}).ok
    replayed.end()
    replayed.start()
    replayed.command("replay", "resume")
    until(lambda: documents(pair[1]) == documents(pair[0]), 60, "equal documents")
    mappings = [list(c.ask("GET", "/books").json()["books"]["mappings"]["properties"]) for c in pair]
    assert mappings == [["new"], ["new"]]


# --- what is not in the log ---


def test_a_hole_in_the_log_is_said_and_a_comparison_mends_it(replayed, pair):
    fill(replayed.source, "books", 3)
    caught_up(replayed)
    replayed.command("replay", "pause")
    for n in range(10, 20):
        put(replayed, "books", str(n), {"n": n})
    replayed.may_say = ["hole", "damage", "LOST", "lost", "cannot be read"]
    replayed.end()
    for file in (replayed.directory.parent / "capture").glob("*.capture"):
        text = file.read_bytes()
        file.write_bytes(text.replace(b"PUT /books/_doc/14", b"PAT /books/_doc/14"))
    replayed.start()
    replayed.command("replay", "resume")
    until(lambda: "hole" in replay_of(replayed)["not_exact"].get("*", {}).get("why", ""), 60, "not exact")
    assert replay_of(replayed)["log"]["holes"] == 1
    until(lambda: "`crossfade compare --all --repair` finds" in replayed.said(), 60, "a line of the log")
    assert "not exact" in replayed.command("replay", "status", check=False).stdout
    caught_up(replayed)
    # What stood in the hole is not there; all else is.
    assert not has(pair[1], "books", "14") and has(pair[1], "books", "13") and has(pair[1], "books", "19")
    replayed.command("compare", "--all", "--repair")
    assert documents(pair[1]) == documents(pair[0]) and not replay_of(replayed)["not_exact"]


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


# --- how fast it is ---


def tune(balancer, values):
    """A reload with another section `replay`."""
    text = balancer.file.read_text()
    before = text[text.index("replay: {"):].split("\n")[0]
    balancer.file.write_text(text.replace(before, f"replay: {{ {values} }}"))
    balancer.command("reload")


def tuning(balancer):
    return replay_of(balancer)["tuning"]


def test_a_reload_of_how_fast_it_is_is_in_force(replayed, pair):
    assert tuning(replayed) == {"rate": None, "in_flight": 4, "batch_operations": 1000, "batch_bytes": 5 << 20, "batch_wait_ms": 0}
    fill(replayed.source, "books", 100)
    caught_up(replayed)
    pid = replayed.working_pid()
    tune(replayed, "rate: 5/s, in_flight: 1, batch: { operations: 7, bytes: 64KiB, wait: 10ms }")
    until(lambda: tuning(replayed) == {"rate": 5, "in_flight": 1, "batch_operations": 7, "batch_bytes": 64 << 10, "batch_wait_ms": 10},
          60, "the new values")
    copied = replay_of(replayed)["copies"]["documents"]
    fill(replayed.source, "books", 1000)
    until(lambda: replay_of(replayed)["copies"]["documents"] >= copied + 10, 60, "some copies")
    # At 5 a second the rest would take more than three minutes.
    assert replay_of(replayed)["keys"]["waiting"] > 0 and replay_of(replayed)["state"] == "catching up"
    tune(replayed, "in_flight: 2, batch: { operations: 10 }")
    caught_up(replayed)
    copies = replay_of(replayed)["copies"]
    assert copies["batches"] >= 90 and documents(pair[1]) == documents(pair[0])
    assert replayed.working_pid() == pid


def test_a_batch_waits_for_more_keys(make_replayed, pair):
    replayed = make_replayed("{ batch: { wait: 500ms } }")
    fill(replayed.source, "books", 1)
    caught_up(replayed)
    batches = replay_of(replayed)["copies"]["batches"]
    for n in range(50):
        put(replayed, "books", f"a{n}", {"n": n})
    caught_up(replayed)
    assert replay_of(replayed)["copies"]["batches"] < batches + 40
    assert documents(pair[1]) == documents(pair[0])
