"""Who follows the capture log: nothing is taken away before he has it, and nothing comes twice."""

import gzip
import json
import os
import signal
import time

import pytest
import requests
from capture_stage import kept, make_captured, metrics_of, refused
from stage import serves, until


@pytest.fixture
def captured(make_balancer, clusters, backend, tmp_path):
    return make_captured(make_balancer, clusters, backend, tmp_path)


def run(balancer, *words, check=True):
    done = balancer.command("capture", *words, check=False)
    assert not check or done.returncode == 0, done.stderr
    return done


def is_taken(balancer, name, size=2):
    response = requests.put(f"{balancer.source}/books/_doc/{name}", data=os.urandom(size), timeout=10)
    return response.status_code == 200


def put(balancer, *names, size=2):
    for name in names:
        assert is_taken(balancer, name, size), balancer.said()


def lines(balancer, name="nightly", form="jsonl"):
    return run(balancer, "export", "--format", form, "--follower", name).stdout.splitlines()


def paths(balancer):
    return [json.loads(line)["path"].rpartition("/")[2] for line in lines(balancer)]


def seen(balancer):
    return {f["name"]: f for f in map(json.loads, run(balancer, "followers", "-o", "json").stdout.splitlines())}


def test_each_export_has_what_came_since(captured):
    put(captured, "1", "2")
    assert paths(captured) == ["1", "2"]
    assert paths(captured) == []
    put(captured, "3")
    assert seen(captured)["nightly"]["lag_records"] >= 3
    assert paths(captured) == ["3"]
    # That its client has gone is a record too, which nobody waits for.
    until(lambda: paths(captured) == [] and seen(captured)["nightly"]["lag_records"] == 0)
    os.kill(captured.working_pid(), signal.SIGKILL)
    until(lambda: serves(captured.source))
    put(captured, "4")
    assert [p for p in paths(captured) if p] == ["4"]
    assert "nightly" in run(captured, "followers").stdout


def test_records_for_the_replayer_go_on_with_the_next_number(captured, tmp_path):
    with requests.Session() as session:
        for n in range(2):
            session.put(f"{captured.source}/books/_doc/{n}", data=b"{}", timeout=10)
            run(captured, "export", "--format", "trafficstream", "--follower", "kept", "--output", f"{tmp_path}/{n}.gz")
    first, second = (gzip.open(f"{tmp_path}/{n}.gz").read().splitlines() for n in range(2))
    assert len(first) == len(second) == 1 and first[0].split(b"|")[0] == second[0].split(b"|")[0] and first != second


def test_how_far_followers_are_is_seen(captured):
    def passed():
        return [float(line.split()[1]) for line in metrics_of(captured).splitlines()
                if line.startswith('crossfade_capture_follower_passed_timestamp_seconds{follower="nightly"}')]

    assert passed() == []
    begun = time.time()
    put(captured, "1")
    assert paths(captured) == ["1"]
    first = until(lambda: max(passed(), default=0), 15, "a look")
    assert begun - 1 < first < time.time() + 1
    position = captured.status()["capture"]["followers"][0]
    assert position["name"] == "nightly" and position["position"].startswith("20")
    put(captured, "2")
    assert paths(captured) == ["2"]
    until(lambda: passed()[0] > first, 15, "another look")


def test_an_export_that_fails_moves_nothing(captured):
    put(captured, "1")
    with open("/dev/full", "w") as full:
        done = captured.run_into(full, "capture", "export", "--format", "jsonl", "--follower", "nightly")
    assert done.returncode == 1 and "not all could be written" in done.stderr
    assert paths(captured) == ["1"]


def test_nothing_is_taken_away_before_a_follower_has_it(make_balancer, clusters, tmp_path):
    balancer = make_captured(make_balancer, clusters, "auto", tmp_path, ", retain: { size: 4MiB }, limit: 14MiB")
    assert "removes the only copy" in balancer.command("check", "-c", balancer.file).stderr
    assert paths(balancer) == []
    assert "removes the only copy" not in balancer.command("check", "-c", balancer.file).stderr
    names = [str(n) for n in range(12)]
    put(balancer, *names, size=1_000_000)
    until(lambda: "the follower nightly has not read it yet" in balancer.said(), 15)
    more = [str(n) for n in range(12, 20)]
    taken = [n for n in more if is_taken(balancer, n, size=1_000_000)]
    until(lambda: refused(balancer), 15, "a refusal at the limit")
    assert len(kept(balancer)) >= 6 and taken == more[:len(taken)] and len(taken) < len(more)
    exported = [p for p in paths(balancer) if p != "refused"]  # the first of those may not be refused
    # The outcome of the last one may have met the limit: it is open, and left for the next time.
    assert exported in (names + taken, names + taken[:-1])
    until(lambda: not refused(balancer) and len(kept(balancer)) < 5, 15, "room")


def test_a_dead_follower_is_taken_out(captured):
    assert run(captured, "followers").stdout == "The log has no followers.\n"
    lines(captured)
    assert run(captured, "drop-follower", "nightly").stdout == "nightly is no longer a follower of the log.\n"
    assert run(captured, "followers").stdout == "The log has no followers.\n"
    done = run(captured, "drop-follower", "nightly", check=False)
    assert done.returncode == 1 and "there is no such follower" in done.stderr


def test_a_damaged_position_is_said_and_costs_a_second_copy(captured):
    put(captured, "1")
    assert paths(captured) == ["1"]
    (captured.log_directory / "nightly.follower").write_text("garbage\n")
    assert "its position is damaged" in run(captured, "followers").stdout
    done = run(captured, "export", "--format", "jsonl", "--follower", "nightly")
    assert "nightly.follower is damaged" in done.stderr and len(done.stdout.splitlines()) == 1
    assert paths(captured) == []


def test_a_follower_gets_all_or_says_why_not(captured):
    for words, said in [(["--follower", "../x"], "is not a name"), (["--follower", "kafka"], "balancer's own"),
                        (["--follower", "a", "--path", "/x"], "a follower cannot be filtered")]:
        done = run(captured, "export", "--format", "jsonl", *words, check=False)
        assert done.returncode == 2 and said in done.stderr
