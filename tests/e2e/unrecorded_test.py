"""What passed without a record is told, whoever ends when: an upgrade, a stop and kill -9 with the log at its limit."""

import json
import os
import signal
import subprocess

import pytest
import requests
from capture_stage import make_captured, metrics_of
from stage import empty, garble, until, zero

WRITES = 5


def gaps(balancer):
    """With the state directory: what the log has, and what it cannot tell yet."""
    done = subprocess.run([balancer.program, "capture", "gaps", "-c", balancer.file, "-o", "json"], capture_output=True,
                          text=True, check=True)
    return [json.loads(line) for line in done.stdout.splitlines()]


def verify(balancer):
    return subprocess.run([balancer.program, "capture", "verify", "-c", balancer.file], capture_output=True, text=True,
                          check=False)


def lost(balancer, told):
    return sum(g["writes"] for g in gaps(balancer) if g["told"] == told)


def upgrade(balancer):
    balancer.upgrade()


def kill(balancer):
    before = balancer.working_pid()
    os.kill(before, signal.SIGKILL)
    until(lambda: balancer.is_up() and balancer.working_pid() not in (None, before), what="the next process")
    until(lambda: balancer.status()["capture"], what="its log")


def restart(balancer):
    balancer.stop()
    balancer.start()


@pytest.mark.parametrize("end", [upgrade, kill, restart])
def test_what_passed_unrecorded_outlives_the_process(make_balancer, clusters, backend, tmp_path, end):
    balancer = make_captured(make_balancer, clusters, backend, tmp_path, ", limit: 6MiB, unavailable: forward")
    for n in range(8):
        requests.put(f"{balancer.source}/books/_doc/{n}", data=os.urandom(1_000_000), timeout=10)
    until(lambda: balancer.status()["capture"]["state"] == "unavailable", 15, "the limit")
    before = balancer.status()["capture"]["unrecorded_ever"].get("unavailable", {"writes": 0})["writes"]
    for n in range(WRITES):
        assert requests.put(f"{balancer.source}/books/_doc/{n}", data=b"{}", timeout=10).status_code < 300
    passed = before + WRITES
    assert (lost(balancer, False), lost(balancer, True)) == (passed, 0)
    assert verify(balancer).returncode == 1 and "NOT REPORTED YET" in verify(balancer).stdout

    end(balancer)
    until(lambda: balancer.status()["capture"]["state"] == "unavailable", 15, "the limit again")
    # Above the limit the new process writes the head of its first segment, and with it what was left to tell.
    until(lambda: lost(balancer, True) + lost(balancer, False) == passed, 20, "what had passed")
    assert balancer.status()["capture"]["unrecorded_ever"]["unavailable"]["writes"] == passed

    for file in sorted(balancer.log_directory.glob("*.capture"))[:-2]:
        file.unlink()
    until(lambda: (lost(balancer, True), lost(balancer, False)) == (passed, 0), 20, "a gap")
    assert "crossfade_capture_untold 0\n" in metrics_of(balancer)
    assert "NOT REPORTED YET" not in verify(balancer).stdout
    assert "last_write" in balancer.status()["capture"]["unrecorded_ever"]["unavailable"]


def remove(file):
    file.unlink()


def write_once(balancer):
    assert requests.put(f"{balancer.source}/books/_doc/1", data=b"{}", timeout=10).status_code < 300


@pytest.mark.parametrize("lose", [remove, empty, zero, garble])
def test_counts_that_are_lost_are_told(make_balancer, clusters, tmp_path, lose):
    balancer = make_captured(make_balancer, clusters, "auto", tmp_path)
    assert "unrecorded" not in balancer.said()  # a first start has lost nothing
    write_once(balancer)
    assert balancer.stop() == 0 and verify(balancer).returncode == 0
    file = balancer.directory / "state/unrecorded"
    lose(file)
    checked = verify(balancer)
    assert checked.returncode == 1 and "it is not known what passed unrecorded and no gap reports" in checked.stderr, checked

    balancer.start()
    word = "unrecorded is missing" if lose is remove else "unrecorded is damaged, and kept as unrecorded.damaged"
    until(lambda: word in balancer.said(), what="a word")
    told = until(lambda: [g for g in gaps(balancer) if g["told"] and g["at_least"]], what="a gap")
    assert len(told) == 1 and told[0]["reason"] == "unavailable" and told[0]["first"] <= told[0]["last"]
    assert "are lower bounds" in balancer.command("status").stdout
    assert (file.parent / "unrecorded.damaged").exists() == (lose is not remove)
    said = len(balancer.said())
    restart(balancer)
    assert "unrecorded is" not in balancer.said()[said:]  # once


def test_a_file_of_counts_that_is_taken_away_is_said_at_once(make_balancer, clusters, tmp_path):
    balancer = make_captured(make_balancer, clusters, "auto", tmp_path)
    write_once(balancer)
    (balancer.directory / "state/unrecorded").unlink()
    until(lambda: not balancer.status()["capture"]["counts_kept"], what="a look")
    until(lambda: "unrecorded was moved or removed" in balancer.said(), what="a word")
    assert "are only in memory" in balancer.command("status").stdout
    kill(balancer)
    until(lambda: [g for g in gaps(balancer) if g["told"] and g["at_least"]], what="a gap")
    assert balancer.status()["capture"]["counts_kept"]
