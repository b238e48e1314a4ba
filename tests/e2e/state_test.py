"""A state directory that has lost something: a start does not begin with older weights in silence."""

import json
import shutil
import subprocess

import pytest
import requests
from capture_stage import make_captured
from stage import until


def write_by_weight(balancer):
    for n in range(40):
        assert requests.put(f"{balancer.weighted}/books/_doc/{n}", data=b"{}", timeout=10,
                            verify=False).status_code < 300


def moved(make_balancer, clusters, tmp_path):
    """A balancer that has come to 50/50, has requests of that epoch in its log, and was stopped."""
    balancer = make_captured(make_balancer, clusters, "auto", tmp_path)
    balancer.weights(1, 1)
    write_by_weight(balancer)
    assert balancer.stop() == 0
    return balancer


def run(balancer, *words):
    return subprocess.run([balancer.program, *words, "-c", balancer.file], capture_output=True, text=True, check=False, timeout=20)


def refuses(balancer, what):
    done = run(balancer, "run")
    assert done.returncode == 1 and what in done.stderr and "crossfade recover" in done.stderr, done
    checked = run(balancer, "check")
    assert checked.returncode == 0 and "the weights are lost" in checked.stderr, checked


def remove(state):
    (state / "weights").unlink()


def zero(state):
    (state / "weights").write_bytes(bytes(8192))


def garble(state):
    (state / "weights").write_bytes(b"x" * 8192)


def lose_all(state):
    shutil.rmtree(state)
    state.mkdir(0o700)


RECOVERED_EPOCHS = 1_000_000


@pytest.mark.parametrize("lose, what", [(remove, "there are none"), (zero, "there are none"), (garble, "is damaged")])
def test_weights_that_are_lost_are_not_made_up(make_balancer, clusters, tmp_path, lose, what):
    balancer = moved(make_balancer, clusters, tmp_path)
    lose(balancer.directory / "state")
    refuses(balancer, what)
    assert run(balancer, "recover").returncode == 0
    balancer.start()
    now = balancer.status()
    assert (now["weights"], now["epoch"]) == ({"source": 1, "target": 1}, 2 + RECOVERED_EPOCHS)
    line = json.loads((balancer.directory / "state/audit.jsonl").read_text().splitlines()[-1])
    assert line["who"] == "crossfade recover" and line["to"] == now["weights"]


def keep_an_older_audit(state):
    lose_all(state)
    older = {"epoch": 1, "to": {"source": 1, "target": 0}}
    (state / "audit.jsonl").write_text(json.dumps(older) + "\n")


@pytest.mark.parametrize("lose", [lose_all, keep_an_older_audit])
def test_what_a_log_says_of_its_requests_is_not_taken_for_weights(make_balancer, clusters, tmp_path, lose):
    balancer = moved(make_balancer, clusters, tmp_path)
    lose(balancer.directory / "state")
    refuses(balancer, "the capture log has requests of epoch 2")
    done = run(balancer, "recover")
    assert done.returncode == 1 and "nothing was changed: the log has requests of a later epoch" in done.stderr, done
    assert "recover -c FILE SOURCE TARGET" in done.stderr and "(epoch 2)" in done.stdout
    refuses(balancer, "the capture log has requests of epoch 2")
    assert run(balancer, "recover", "1", "1").returncode == 0
    balancer.start()
    now = balancer.status()
    assert (now["weights"], now["epoch"]) == ({"source": 1, "target": 1}, 2 + RECOVERED_EPOCHS)


def keep_drains(state):
    drained = (state / "drained.json").read_bytes()
    lose_all(state)
    (state / "drained.json").write_bytes(drained)


@pytest.mark.parametrize("lose, asked, what", [(lose_all, 10, "the capture log has requests"), (keep_drains, 0, "drained.json shows")])
def test_requests_for_which_no_weights_decided_say_that_there_was_a_state(make_balancer, clusters, tmp_path, lose, asked, what):
    balancer = make_captured(make_balancer, clusters, "auto", tmp_path)
    balancer.command("drain", balancer.nodes("target")[0]["name"], "--force")
    for n in range(asked):
        requests.put(f"{balancer.source}/books/_doc/{n}", data=b"{}", timeout=10)
    assert balancer.stop() == 0
    lose(balancer.directory / "state")
    refuses(balancer, "there are none, but " + what)
    done = run(balancer, "recover")
    assert done.returncode == 1 and "Give the weights that were in force last" in done.stderr, done
    assert run(balancer, "recover", "1", "0").returncode == 0
    balancer.start()
    now = balancer.status()
    # Each request has the epoch of its turn, whoever chose its cluster.
    assert (now["weights"], now["epoch"]) == ({"source": 1, "target": 0}, RECOVERED_EPOCHS + (1 if asked else 0))


def test_a_first_start_that_failed_is_no_earlier_life(make_balancer, clusters, tmp_path):
    balancer = make_captured(make_balancer, clusters, "auto", tmp_path, start=False)
    (balancer.directory / "state").mkdir(mode=0o700)
    (balancer.directory / "state/audit.jsonl").mkdir(mode=0o700)
    assert run(balancer, "run").returncode == 1
    (balancer.directory / "state/audit.jsonl").rmdir()
    balancer.start()
    assert balancer.status()["epoch"] == 1


def test_a_backup_of_the_state_that_is_older_than_the_log_is_refused(make_balancer, clusters, tmp_path):
    balancer = make_captured(make_balancer, clusters, "auto", tmp_path)
    assert balancer.stop() == 0
    shutil.copytree(balancer.directory / "state", tmp_path / "backup")
    balancer.start()
    balancer.weights(1, 9)
    write_by_weight(balancer)
    assert balancer.stop() == 0
    shutil.rmtree(balancer.directory / "state")
    shutil.copytree(tmp_path / "backup", balancer.directory / "state")
    refuses(balancer, "are of epoch 1, but the capture log has requests of epoch 2")
    assert run(balancer, "recover", "0", "1").returncode == 0
    balancer.start()
    assert balancer.status()["weights"] == {"source": 0, "target": 1}


def test_a_state_that_is_good_is_not_recovered(make_balancer, clusters, tmp_path):
    balancer = moved(make_balancer, clusters, tmp_path)
    assert "nothing was changed" in run(balancer, "recover", "9", "9").stdout
    balancer.start()
    assert balancer.status()["epoch"] == 2
    assert "a balancer is running" in run(balancer, "recover").stderr


def test_a_drain_that_is_lost_is_said(make_balancer, clusters, tmp_path):
    balancer = make_captured(make_balancer, clusters, "auto", tmp_path)
    balancer.command("drain", balancer.nodes("target")[0]["name"])
    assert balancer.stop() == 0
    (balancer.directory / "state/drained.json").unlink()
    balancer.start()
    until(lambda: "drained.json is missing" in balancer.said(), what="a word")
