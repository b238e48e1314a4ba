"""`crossfade run --one-process`, as a debugger has it."""

import pathlib
import signal
import subprocess

import requests

from stage import until


def start(balancer):
    with open(balancer.log, "ab") as log:
        balancer.process = subprocess.Popen([balancer.program, "run", "--one-process", "-c", balancer.file], stdout=log, stderr=log)
    until(balancer.is_up, 60, lambda: f"a ready balancer; it said: {balancer.said()}")


def test_it_is_one_process_that_serves_and_reloads_and_ends(make_balancer, clusters):
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False)
    start(balancer)
    pid = balancer.process.pid
    assert balancer.working_pid() is None
    assert pathlib.Path(f"/proc/{pid}/exe").resolve() == pathlib.Path(balancer.program).resolve()
    assert requests.get(balancer.source + "/a", timeout=10).json()["cluster"] == "source"
    balancer.file.write_text(balancer.file.read_text().replace("weights: { source: 1, target: 0 }", "weights: { source: 1, target: 0 }\nsniffing: pass"))
    assert balancer.command("reload").returncode == 0
    refused = balancer.command("upgrade", check=False)
    assert refused.returncode == 1 and "--one-process" in refused.stdout + refused.stderr
    balancer.process.send_signal(signal.SIGTERM)
    assert balancer.process.wait(20) == 0


def test_it_starts_again_on_the_same_addresses(make_balancer, clusters):
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False)
    for _ in range(2):
        start(balancer)
        assert balancer.command("stop").returncode == 0
        assert balancer.process.wait(20) == 0
