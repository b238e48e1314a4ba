"""Replay: what was sent to the replica and not heard of brings no older document back."""

import os
import signal
import threading
import time

import pytest
import requests

from replay_test import caught_up, documents, pair, replay_of  # noqa: F401
from stage import until


@pytest.fixture
def make_replayed(make_balancer, pair, tmp_path, backend):  # noqa: F811
    more = "  timeouts: { idle: 2s }\n  health: { interval: 500ms, timeout: 400ms }"
    return lambda replay="{}": make_balancer(pair[0].url, pair[1].url, io=backend, cluster_more=more, more=f"""\
profile: opensearch
capture: {{ directory: {tmp_path}/capture, commit: 1ms }}
replay: {replay}
""")


@pytest.fixture
def replayed(make_replayed):
    return make_replayed()


def put(balancer, n, index="books"):
    assert requests.put(f"{balancer.source}/{index}/_doc/1", json={"n": n}, timeout=10).ok


def numbers_at(cluster, index="books"):
    """Of document 1, in the order in which they were applied."""
    return [o["source"]["n"] for o in cluster.operations() if o.get("id") == "1" and o["index"] == index]


def never_went_back(cluster):
    numbers = numbers_at(cluster)
    assert numbers and numbers == sorted(numbers), numbers


def is_unheard(r):
    return r["unheard"] == 1 and r["state"] != "current" and "no response" in r["trouble"]


def test_a_bulk_that_acts_late_brings_nothing_old_back(replayed, pair):  # noqa: F811
    put(replayed, 1)
    caught_up(replayed)
    # It waits at the replica; the connection breaks after 2 s, and 6 s later it is applied.
    pair[1].faults(stall_ms=60000, act_after_ms=8000)
    put(replayed, 2)
    until(lambda: is_unheard(replay_of(replayed)), what="a bulk without a response")
    put(replayed, 3)
    pair[1].faults(act_after_ms=8000)
    caught_up(replayed)
    assert numbers_at(pair[1]) == [1, 2, 3]
    assert replay_of(replayed)["unheard"] == 0


def test_each_write_has_an_id_of_its_own(replayed, pair):  # noqa: F811
    for n in range(5):
        put(replayed, n)
        caught_up(replayed)
    ids = [o["opaque_id"] for o in pair[1].operations() if o["operation"] in ("index", "create_index", "alias", "map")]
    assert len(set(ids)) == len(ids) and all(i.startswith("crossfade-replay-") for i in ids), ids


def test_a_replica_that_stands_still_applies_nothing_old(replayed, pair):  # noqa: F811
    """A bulk in the kernel of a stopped node is no task yet."""
    put(replayed, 0)
    caught_up(replayed)
    for n in range(1, 10, 3):
        os.kill(pair[1].process.pid, signal.SIGSTOP)
        put(replayed, n)
        time.sleep(2.5)
        put(replayed, n + 1)
        time.sleep(3)
        os.kill(pair[1].process.pid, signal.SIGCONT)
        put(replayed, n + 2)
    caught_up(replayed)
    never_went_back(pair[1])
    assert documents(pair[1]) == documents(pair[0])


def test_connections_that_break_bring_nothing_old_back(replayed, pair):  # noqa: F811
    """Bulks are cut off after 2 s and applied 2.5 s later, while there are always newer writes."""
    over = threading.Event()

    def write():
        n = 0
        while not over.is_set():
            put(replayed, n := n + 1)
            time.sleep(0.05)

    put(replayed, 0)
    caught_up(replayed)
    writer = threading.Thread(target=write)
    writer.start()
    for _ in range(3):
        pair[1].faults(stall_ms=60000, act_after_ms=2500)
        time.sleep(1)
        pair[1].faults(act_after_ms=2500)
        time.sleep(4)
    over.set()
    writer.join()
    caught_up(replayed)
    never_went_back(pair[1])
    assert len(numbers_at(pair[1])) >= 6
    assert documents(pair[1]) == documents(pair[0])


def test_a_process_sends_nothing_before_the_last_ones_bulk_is_over(replayed, pair):  # noqa: F811
    put(replayed, 1)
    caught_up(replayed)
    pair[1].faults(stall_ms=60000, act_after_ms=20000)
    put(replayed, 2)
    until(lambda: pair[1].tasks(), what="a bulk that waits")
    pid = replayed.working_pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: replayed.is_up() and replayed.working_pid() not in (None, pid), 60, "another process")
    pair[1].faults(act_after_ms=20000)
    put(replayed, 3)
    until(lambda: replay_of(replayed)["trouble"], what="trouble")
    caught_up(replayed)
    assert numbers_at(pair[1]) == [1, 2, 3]


def has_heard_all(balancer):
    """What the marks say to the next process: that it need not ask first."""
    return '"all_heard":true' in (balancer.directory / "state/replay.marks").read_text()


def test_a_process_that_has_heard_of_all_tells_the_next_one(replayed, pair):  # noqa: F811
    put(replayed, 1)
    caught_up(replayed)
    assert not has_heard_all(replayed)
    assert replayed.stop() == 0
    assert has_heard_all(replayed)
    replayed.start()
    put(replayed, 2)
    until(lambda: numbers_at(pair[1]) == [1, 2], what="a copy")
    assert not has_heard_all(replayed)


def test_an_upgrade_begins_at_once(replayed, pair):  # noqa: F811
    put(replayed, 1)
    caught_up(replayed)
    assert replayed.said().count("replay: begins, when the replica has nothing") == 1
    replayed.upgrade()
    put(replayed, 2)
    until(lambda: numbers_at(pair[1]) == [1, 2], what="a copy")
    assert replayed.said().count("replay: begins\n") == 1
    assert replayed.said().count("replay: begins, when the replica has nothing") == 1


def test_a_process_that_breaks_off_a_bulk_does_not(replayed, pair):  # noqa: F811
    put(replayed, 1)
    caught_up(replayed)
    pair[1].faults(stall_ms=60000)
    put(replayed, 2)
    until(lambda: pair[1].tasks(), what="a bulk under way")
    replayed.command("stop", "--now")
    until(lambda: replayed.process.poll() is not None, 60, "its end")
    assert not has_heard_all(replayed)


def test_a_deletion_of_an_index_that_acts_late_deletes_nothing_newer(replayed, pair):  # noqa: F811
    put(replayed, 1)
    caught_up(replayed)
    pair[1].faults(stall_changes_ms=60000, act_after_ms=8000)
    assert requests.delete(f"{replayed.source}/books", timeout=10).ok
    put(replayed, 2)
    until(lambda: replay_of(replayed)["unheard"] == 1, what="a deletion without a response")
    pair[1].faults(act_after_ms=8000)
    caught_up(replayed)
    time.sleep(9)
    assert documents(pair[1]) == documents(pair[0]) != {}


def test_an_index_that_is_made_late_is_the_owners(replayed, pair):  # noqa: F811
    pair[1].faults(stall_changes_ms=60000, act_after_ms=8000)
    put(replayed, 1)
    until(lambda: replay_of(replayed)["unheard"] == 1, what="an index without a response")
    pair[1].faults(act_after_ms=8000)
    assert requests.delete(f"{replayed.source}/books", timeout=10).ok
    mappings = {"mappings": {"properties": {"n": {"type": "keyword"}}}}
    assert requests.put(f"{replayed.source}/books", json=mappings, timeout=10).ok
    put(replayed, 2)
    caught_up(replayed)
    time.sleep(9)
    assert pair[1].ask("GET", "/books/_mapping").json() == pair[0].ask("GET", "/books/_mapping").json()
    assert documents(pair[1]) == documents(pair[0]) != {}
