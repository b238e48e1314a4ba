"""A backfill: all documents of the owner reach an empty replica, beside live writes, whatever is killed."""

import json
import os
import pty
import re
import signal
import subprocess
import time

import pytest
import requests
from replay_test import Writers, caught_up, documents, replay_of
from sample_stage import SampleCluster
from stage import until


@pytest.fixture
def pair(tmp_path):
    """Clusters that keep their documents over a restart."""
    made = [SampleCluster(name, tmp_path, "--keep") for name in ("source", "target")]
    yield made
    for cluster in made:
        cluster.kill()


@pytest.fixture
def make_filled(make_balancer, pair, tmp_path):
    """A source with documents of which the log knows nothing."""
    def make(n=3000, replay="{}"):
        for index in "books", "films":
            fill(pair[0], index, n)
        return make_balancer(pair[0].url, pair[1].url, cluster_more="  timeouts: { idle: 2s }", more=f"""\
profile: opensearch
capture: {{ directory: {tmp_path}/capture, commit: 1ms }}
replay: {replay}
""")
    return make


def fill(cluster, index, n, first=0):
    for at in range(first, first + n, 5000):
        lines = "".join(json.dumps({"index": {"_index": index, "_id": f"d{i}"}}) + "\n" + json.dumps({"n": i % 10}) + "\n"
                        for i in range(at, min(at + 5000, first + n)))
        assert cluster.ask("POST", "/_bulk?refresh=true", lines).ok


def backfill_of(balancer):
    return replay_of(balancer)["backfill"] or {}


def is_done(balancer):
    return backfill_of(balancer).get("state") == "done"


def is_part_done(balancer):
    return 0 < backfill_of(balancer).get("copied", 0) and not is_done(balancer)


def count(cluster, index):
    cluster.ask("POST", f"/{index}/_refresh")
    return cluster.ask("GET", f"/{index}/_count").json().get("count", 0)


def is_equal(balancer, pair):
    caught_up(balancer)
    at_owner = documents(pair[0])
    assert documents(pair[1]) == at_owner
    return at_owner


def follow(balancer, *words, **streams):
    return subprocess.Popen([balancer.program, "replay", "backfill", *words, "-c", str(balancer.file)], text=True, **streams)


def test_an_empty_replica_is_filled_beside_live_writers(make_filled, pair):
    balancer = make_filled(4000)
    with Writers(balancer.source):
        said = balancer.command("replay", "backfill").stdout
    assert "The backfill is done: " in said and "were not looked at" in said
    assert len(is_equal(balancer, pair)) >= 8000
    assert backfill_of(balancer)["indices"] == 2
    assert "backfill" in balancer.command("history").stdout


def test_it_goes_on_when_processes_are_killed(make_filled, pair):
    balancer = make_filled(5000)
    with Writers(balancer.source):
        balancer.command("replay", "backfill", "--rate", "2500/s", "--no-wait")
        begun = backfill_of(balancer)["begun"]
        for _ in range(2):
            until(lambda: is_part_done(balancer), 60, "a backfill under way")
            pid = balancer.working_pid()
            os.kill(pid, signal.SIGKILL)
            until(lambda: balancer.is_up() and balancer.working_pid() != pid, 60, "another process")
        until(lambda: is_done(balancer), 40, f"its end: {replay_of(balancer)}")
    assert backfill_of(balancer)["begun"] == begun
    assert len(is_equal(balancer, pair)) >= 10000


def test_it_goes_on_where_it_was(make_filled, pair):
    """What was copied before the kill is not read again: but for a page that was not copied whole."""
    balancer = make_filled(20000)
    balancer.command("replay", "backfill", "books", "--rate", "4000/s", "--no-wait")
    until(lambda: backfill_of(balancer).get("copied", 0) > 12000, 60, "more than two pages")
    until(lambda: '"shards":{"0":' in (balancer.directory / "state" / "replay.marks").read_text(), 10, "a kept place")
    pid = balancer.working_pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: balancer.is_up() and balancer.working_pid() != pid, 60, "another process")
    until(lambda: is_done(balancer), 40, "its end")
    assert count(pair[1], "books") == 20000
    assert backfill_of(balancer)["copied"] < 30000


@pytest.mark.parametrize("which", [0, 1])
def test_it_goes_on_when_a_cluster_was_down(make_filled, pair, which):
    balancer = make_filled(5000)
    balancer.command("replay", "backfill", "--rate", "3000/s", "--no-wait")
    until(lambda: is_part_done(balancer), 60, "a backfill under way")
    pair[which].kill()
    until(lambda: replay_of(balancer)["trouble"], 60, "trouble")
    pair[which].start()
    until(lambda: is_done(balancer), 60, f"its end: {replay_of(balancer)}")
    assert count(pair[1], "books") == count(pair[1], "films") == 5000


def test_a_deletion_meanwhile_is_not_undone(make_filled, pair):
    balancer = make_filled(6000)
    balancer.command("replay", "backfill", "--rate", "3000/s", "--no-wait")
    until(lambda: is_part_done(balancer), 60, "a backfill under way")
    for i in range(0, 6000, 100):
        assert requests.delete(f"{balancer.source}/books/_doc/d{i}", timeout=10).ok
    pid = balancer.working_pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: balancer.is_up() and balancer.working_pid() != pid, 60, "another process")
    until(lambda: is_done(balancer), 40, "its end")
    caught_up(balancer)
    assert count(pair[1], "books") == 6000 - 60


def test_it_keeps_its_rate(make_filled):
    balancer = make_filled(1500)
    before = time.monotonic()
    balancer.command("replay", "backfill", "--rate", "1000/s")
    assert 2.5 < time.monotonic() - before < 10


def test_it_is_paused_resumed_and_stopped(make_filled, pair):
    balancer = make_filled(4000)
    balancer.command("replay", "backfill", "--rate", "2000/s", "--no-wait")
    until(lambda: is_part_done(balancer), 60, "a backfill under way")
    balancer.command("replay", "backfill", "pause")
    caught_up(balancer)
    copied = backfill_of(balancer)["copied"]
    assert requests.put(f"{balancer.source}/films/_doc/live", json={"n": 1}, timeout=10).ok
    caught_up(balancer)
    assert pair[1].ask("GET", "/films/_doc/live").status_code == 200, "live writes go on"
    assert backfill_of(balancer)["copied"] == copied and backfill_of(balancer)["state"] == "paused"
    assert "paused" in balancer.command("status").stdout
    balancer.command("replay", "backfill", "resume")
    until(lambda: backfill_of(balancer)["copied"] > copied, 60, "more")
    balancer.command("replay", "backfill", "stop")
    assert backfill_of(balancer)["state"] == "stopped"
    refused = balancer.command("replay", "backfill", "stop", check=False)
    assert refused.returncode == 1 and "no backfill is under way" in refused.stderr
    balancer.command("replay", "backfill")
    assert count(pair[1], "books") == 4000


def test_a_second_one_is_refused(make_filled):
    balancer = make_filled(4000)
    balancer.command("replay", "backfill", "--rate", "1000/s", "--no-wait")
    refused = balancer.command("replay", "backfill", check=False)
    assert refused.returncode == 1
    assert "under way already, begun by" in refused.stderr and "backfill stop" in refused.stderr


def test_only_the_named_indices_are_copied(make_filled, pair):
    balancer = make_filled(50)
    fill(pair[0], ".own", 5)
    balancer.command("replay", "backfill", "f*", ".own")
    assert count(pair[1], "films") == 50
    assert pair[1].ask("HEAD", "/books").status_code == pair[1].ask("HEAD", "/.own").status_code == 404


def test_an_index_that_is_made_meanwhile_is_copied(make_filled, pair):
    balancer = make_filled(3000)
    balancer.command("replay", "backfill", "--rate", "2000/s", "--no-wait")
    until(lambda: is_part_done(balancer), 60, "a backfill under way")
    fill(pair[0], "later", 10)
    until(lambda: is_done(balancer), 30, "its end")
    assert count(pair[1], "later") == 10


def test_ctrl_c_leaves_it_going(make_filled, pair):
    balancer = make_filled(3000)
    follower = follow(balancer, "--rate", "1500/s", stdout=subprocess.PIPE)
    assert "documents" in follower.stdout.readline()
    follower.send_signal(signal.SIGINT)
    assert "goes on without this command" in follower.communicate(timeout=20)[0]
    assert follower.returncode == 4
    until(lambda: is_done(balancer), 30, "its end")
    assert count(pair[1], "books") == 3000


def test_a_terminal_shows_one_line_that_grows(make_filled):
    balancer = make_filled(2000)
    ours, its = pty.openpty()
    follower = follow(balancer, "--rate", "2000/s", stdout=its)
    os.close(its)
    said = b""
    while True:
        try:
            said += os.read(ours, 4096)
        except OSError:
            break
    assert follower.wait(30) == 0
    shown = re.findall(rb"\r\[[#-]+\] (\d+) of (\d+) documents", said)
    assert len({n for n, _ in shown}) > 3 and b"The backfill is done" in said
    assert said.count(b"\n") <= 3
    os.close(ours)


def test_a_follower_waits_for_the_next_process(make_filled):
    balancer = make_filled(4000)
    follower = follow(balancer, "--rate", "2000/s", stdout=subprocess.PIPE)
    assert "documents" in follower.stdout.readline()
    pid = balancer.working_pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: balancer.is_up() and balancer.working_pid() != pid, 60, "another process")
    assert "The backfill is done" in follower.communicate(timeout=40)[0] and follower.returncode == 0
