"""A run of tests that ends leaves no process behind, however it ends: tests/warden.py."""

import os
import pathlib
import signal
import subprocess
import sys

import pytest

from stage import ROOT, until

# A child, and one that has left its parent and its session, as a daemon does.
RUN = """
import os, pathlib, signal, subprocess, time

def test_it():
    here = pathlib.Path(__file__).parent
    child = subprocess.Popen(["sleep", "1000"])
    daemon = subprocess.run(["setsid", "sh", "-c", "sleep 1000 >&- 2>&- & echo $!"], stdout=subprocess.PIPE, check=True).stdout
    (here / "started.part").write_text(f"{os.getpid()} {child.pid} {int(daemon)}")
    (here / "started.part").rename(here / "started")
    END
"""


def is_there(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


def hear_interrupts():
    """What a shell starts in the background ignores SIGINT, and so does all that it starts."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)


@pytest.fixture
def start(tmp_path):
    runs = []

    def begin(end):
        (tmp_path / "conftest.py").write_text("from warden import pytest_configure\n")
        (tmp_path / "run_test.py").write_text(RUN.replace("END", end))
        (tmp_path / "pytest.ini").write_text("[pytest]\npython_files = *_test.py\n")
        run = subprocess.Popen([sys.executable, "-m", "pytest", "-q", tmp_path], stdout=subprocess.PIPE,
                               stderr=subprocess.STDOUT, text=True, cwd=tmp_path, preexec_fn=hear_interrupts,
                               env={**os.environ, "PYTHONPATH": str(ROOT / "tests")})
        runs.append(run)
        until((tmp_path / "started").exists, 60, "the inner run")
        return run, [int(pid) for pid in (tmp_path / "started").read_text().split()]

    yield begin
    for run in runs:
        if run.poll() is None:
            run.kill()
        run.communicate()


def await_end(run, pids):
    run.communicate(timeout=60)
    until(lambda: not any(map(is_there, pids)), 20, f"the end of {pids}")
    return run.returncode


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_ends_all(start, number):
    run, pids = start("time.sleep(1000)")
    assert all(map(is_there, pids))
    run.send_signal(number)
    assert await_end(run, pids) != 0


def test_a_crash_ends_all(start):
    run, pids = start("os.kill(os.getpid(), signal.SIGSEGV)")
    assert await_end(run, pids) == -signal.SIGSEGV


def test_a_good_end_ends_all_and_is_told(start):
    run, pids = start("pass")
    said = run.communicate(timeout=60)[0]
    until(lambda: not any(map(is_there, pids)), 20, f"the end of {pids}")
    assert run.returncode == 0
    assert "2 processes" in said and "sleep 1000" in said
