"""tools/gdb.py, in the program and as `./dev debug` loads it."""

import os
import shutil
import subprocess
import threading

import pytest
import requests

from stage import ROOT, until

# At the head of a request: what is there is told, then it goes on and ends.
SCRIPT = """
set pagination off
set confirm off
set breakpoint pending on
handle SIGHUP SIGUSR1 SIGUSR2 SIGPIPE nostop noprint pass
handle SIGTERM nostop print pass
break route_arm
commands
silent
printf "== msg\\n"
cf-msg r->head
printf "== end\\n"
up
cf-err ERR_BACK_RESET
cf-exchange ex
cf-list &ex->exchanges->open "struct exchange" link
printf "== all\\n"
delete
continue
end
run
"""


def test_gdb_shows_an_exchange(make_balancer, clusters, tmp_path):
    if not shutil.which("gdb"):
        pytest.skip("gdb is not installed")
    built = [p for p in (ROOT / d / "crossfade" for d in ("build-debug", "build-asan")) if p.exists()]
    if not built:
        pytest.skip("there is neither build-debug nor build-asan: ./dev debug and ./dev unit make them")
    program = max(built, key=lambda p: p.stat().st_mtime)
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False)
    (tmp_path / "script").write_text(SCRIPT)
    said = tmp_path / "said"
    with open(said, "wb") as to:
        balancer.process = subprocess.Popen(
            ["gdb", "-q", "-batch", "-nx", "-x", ROOT / "tools/gdb.py", "-x", tmp_path / "script", "--args", program, "run", "--one-process",
             "-c", balancer.file], stdout=to, stderr=to, stdin=subprocess.DEVNULL,
            env={**os.environ, "ASAN_OPTIONS": "detect_leaks=0"})
    until(balancer.is_up, 60, "a balancer under gdb")
    got = []
    asking = threading.Thread(target=lambda: got.append(requests.get(balancer.source + "/shown", headers={"Authorization": "Basic c2VjcmV0"},
                                                                     timeout=60)))
    asking.start()
    until(lambda: b"== all" in said.read_bytes(), 60, "what gdb shows")
    asking.join(60)
    assert got and got[0].status_code == 200
    assert balancer.command("stop").returncode == 0
    balancer.process.wait(60)
    text = said.read_text()
    assert "GET /shown HTTP/1.1" in text and "Authorization: ***" in text and "c2VjcmV0" not in text
    assert "back_reset" in text and "front: with front" in text and "1 members" in text
    assert "Python Exception" not in text and "Error" not in text
