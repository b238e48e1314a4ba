"""Calls that fail at random, of the program's own: nothing ends by them, and behind them all is as it was."""

import os
import re
import subprocess

import pytest
import requests
from capture_stage import capture, make_captured, recorded
from stage import ROOT, until

SEEDS = range(1, 4)


@pytest.fixture(scope="module")
def failing(tmp_path_factory):
    made = tmp_path_factory.mktemp("failing") / "failing.so"
    subprocess.run(["gcc", "-O1", "-shared", "-fPIC", "-o", made, ROOT / "tests/failing/failing.c", "-ldl"], check=True)
    return made


def lead(balancer, library, flag, seed, rate):
    balancer.limited = ["env", f"LD_PRELOAD={library}", f"FAILING={seed}:{rate}", f"FAILING_WHILE={flag}", f"FAILING_LOG={balancer.log}"]


def died(balancer):
    """What the log has of a process that did not end of its own will, or of a promise of ours that was broken."""
    return re.findall(r".*(?:signal \d+|was killed|broken promise|Sanitizer).*", balancer.said())


def get(balancer):
    try:
        return requests.get(balancer.source + "/", timeout=10).status_code
    except requests.ConnectionError:
        return None


def work_on(balancer, node, round_):
    """All that an operator does, and some requests. Any of it may fail here."""
    balancer.command("weights", str(round_ % 7), "5", "--reason", "CHG", check=False)
    balancer.command("drain", node, check=False)
    balancer.command("ready", node, check=False)
    balancer.command("reload", check=False)
    balancer.command("status", check=False)
    balancer.command("history", check=False)
    assert all(get(balancer) in (None, 200, 502, 503, 504) for _ in range(10))


@pytest.mark.parametrize("seed", SEEDS)
def test_calls_that_fail_at_random_end_nothing(make_balancer, clusters, failing, tmp_path, backend, seed):
    flag, log = tmp_path / "failing", tmp_path / "access.log"
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend, start=False, more=f"""
capture: {{ directory: {tmp_path}/capture, unavailable: forward }}
log: {{ access: {log} }}
workers: 2
""")
    lead(balancer, failing, flag, seed, 7)
    balancer.start()
    keeper, worker = balancer.process.pid, balancer.working_pid()
    node = f"source/{clusters[0].address}:{clusters[0].port}"
    flag.touch()
    for round_ in range(4):
        work_on(balancer, node, round_)
    failed = flag.read_text().splitlines()
    flag.unlink()
    assert len(failed) > 10, failed
    until(lambda: get(balancer) == 200, 20, f"a request behind {failed}")
    until(lambda: balancer.command("weights", "3", "4", check=False).returncode == 0, 20,
          f"weights behind {failed}; {balancer.said()}")
    until(lambda: balancer.command("reload", check=False).returncode == 0, 20, f"a reload; {balancer.said()}")
    assert not died(balancer), (died(balancer), failed)
    assert "was moved or removed" not in balancer.said(), balancer.said()
    assert (keeper, worker) == (balancer.process.pid, balancer.working_pid()), balancer.said()


@pytest.mark.parametrize("seed", SEEDS)
def test_a_start_that_calls_fail_says_why_or_serves(make_balancer, clusters, failing, tmp_path, seed):
    flag = tmp_path / "failing"
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False,
                             more=f"capture: {{ directory: {tmp_path}/capture }}\n")
    lead(balancer, failing, flag, seed, 12)
    flag.touch()
    balancer.start(wait=False)
    until(lambda: balancer.process.poll() is not None or get(balancer) == 200, 20,
          f"an end or a response: {flag.read_text()} {balancer.said()}")
    ended = balancer.process.poll()
    flag.unlink()
    assert ended in (None, 1, 2), (ended, balancer.said())
    if ended:
        assert re.search(r" error |: ", balancer.said())
    assert not died(balancer), died(balancer)


def test_a_state_directory_that_cannot_be_locked_or_made_is_no_start(make_balancer, clusters):
    locked = make_balancer(clusters[0].url, clusters[1].url, start=False)
    (locked.directory / "state").mkdir(mode=0o700)
    (locked.directory / "state/lock").mkdir()
    locked.start(wait=False)
    until(lambda: locked.process.poll() is not None, 20, "an end")
    assert locked.process.returncode == 1 and "state/lock is a link, or not a file" in locked.said(), locked.said()
    unmade = make_balancer(clusters[0].url, clusters[1].url, start=False)
    unmade.file.write_text(unmade.file.read_text().replace("state: state", "state: none/state"))
    unmade.start(wait=False)
    until(lambda: unmade.process.poll() is not None, 20, "an end")
    assert unmade.process.returncode == 1 and "cannot make the state directory" in unmade.said(), unmade.said()


COMMANDS = [["cat"], ["cat", "-o", "json"], ["verify"], ["ls"], ["gaps"]]


def test_a_command_whose_calls_fail_shows_all_or_says_that_it_does_not(make_balancer, clusters, failing, tmp_path):
    balancer = make_captured(make_balancer, clusters, "auto", tmp_path)
    for n in range(12):
        requests.post(f"{balancer.source}/index/_doc/{n}", data=b"x" * 1000 * n, timeout=10)
    recorded(balancer, 12)
    balancer.stop()
    flag, failed = tmp_path / "failing", 0
    flag.touch()
    for words in COMMANDS:
        whole = capture(balancer, *words).stdout
        for seed in range(12):
            done = subprocess.run(
                [balancer.program, "capture", *words, "--directory", balancer.log_directory], capture_output=True,
                text=True, timeout=20, check=False, env={**os.environ, "LD_PRELOAD": str(failing),
                                                         "FAILING": f"{seed}:4", "FAILING_WHILE": str(flag)})
            assert done.returncode >= 0, (words, done.stderr, flag.read_text())
            if done.returncode == 0:
                assert done.stdout == whole, (words, done.stderr, flag.read_text())
            else:
                failed += 1
                assert done.stderr.strip(), (words, flag.read_text())
    assert failed > 10
