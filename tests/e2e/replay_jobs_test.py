"""Replay: looks at a whole index are few, however many writes ask for one."""

import json
import os
import re
import signal

import requests

from capture_stage import metrics_of
from replay_test import fill, make_replayed, pair, replay_of, replayed, same  # noqa: F401
from sample_stage import send_request
from stage import until


def counted(balancer, name):
    """All metrics whose name, with labels, begins so."""
    found = re.findall(f"^crossfade_{re.escape(name)}.* ([0-9.e+]+)$", metrics_of(balancer), re.MULTILINE)
    assert found, name
    return sum(map(float, found))


def asked(balancer):
    """Requests to the owner, replay's too."""
    return counted(balancer, 'node_requests_total{cluster="source"')


def test_scans_that_wait_are_one(replayed, pair):  # noqa: F811
    fill(replayed.source, "books", 10)
    same(replayed, pair)
    replayed.command("replay", "pause")
    for n in range(200):
        assert requests.post(f"{replayed.source}/books/_doc?filter_path=result", json={"n": n}, timeout=10).ok
    scans, before = replay_of(replayed)["jobs"]["scans"], asked(replayed)
    replayed.command("replay", "resume")
    assert len(same(replayed, pair)) == 210
    assert replay_of(replayed)["jobs"]["scans"] == scans + 200
    assert asked(replayed) - before < 150


def bulk_of(n):
    return "".join(json.dumps({"index": {"_index": "books", "_id": f"late-{i}"}}) + "\n" + json.dumps({"n": i}) + "\n"
                   for i in range(n))


def test_bulks_of_a_killed_process_are_looked_at_by_their_keys(replayed, pair):  # noqa: F811
    """One that the owner has, and applies later; and one of which it never got the end."""
    fill(replayed.source, "books", 10)
    same(replayed, pair)
    host, port = replayed.source.removeprefix("http://").split(":")
    pair[0].faults(stall_ms=60000, act_after_ms=1000)
    whole = send_request(host, int(port), "POST", "/_bulk", bulk_of(20))
    until(pair[0].tasks, what="the bulk at the owner")
    records = counted(replayed, "capture_records_total")
    cut = send_request(host, int(port), "POST", "/_bulk", bulk_of(20), left_out=9)
    until(lambda: counted(replayed, "capture_records_total") > records, what="its head in the log")
    pid = replayed.working_pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: replayed.working_pid() not in (None, pid) and replayed.is_up(), 60, "another process")
    pair[0].faults()
    until(lambda: not pair[0].tasks(), what="the bulk's end")
    found = same(replayed, pair)
    assert len(found) == 30
    until(lambda: not replay_of(replayed)["keys"]["uncertain"], 60, "the second look")
    assert same(replayed, pair) == found
    r = replay_of(replayed)
    assert r["effects"]["walks"] == r["jobs"]["walks"] == 0 and r["effects"]["keys"] >= 20, r
    whole.close()
    cut.close()
