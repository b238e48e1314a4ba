"""
What a run of tests has started ends with it, however the run ends: by itself, by a signal, or by a crash.

The process that was started becomes a warden, and its child goes on as the run. A warden is a subreaper:
whoever loses his parent below it becomes its own child, and what is left when the run is over is killed.
When the warden itself is killed, the run kills all that has its mark in the environment, and itself.
"""

import contextlib
import ctypes
import os
import pathlib
import secrets
import signal
import sys

PR_SET_PDEATHSIG, PR_SET_CHILD_SUBREAPER = 1, 36
SI_USER = 0
MARK = "CROSSFADE_TESTS_RUN"
FORWARDED = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT}

_libc = ctypes.CDLL(None, use_errno=True)


def children(pid):
    try:
        tasks = list(pathlib.Path(f"/proc/{pid}/task").iterdir())
        return [int(child) for task in tasks for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def name(pid):
    try:
        return pathlib.Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()[:80]
    except (FileNotFoundError, ProcessLookupError):
        return ""


def kill_below(pid):
    """All that descend from it: those that lose their parent meanwhile are found in the next round."""
    killed = []
    for child in children(pid):
        killed += [child, *kill_below(child)]
        with contextlib.suppress(ProcessLookupError):
            os.kill(child, signal.SIGKILL)
    return killed


def reap(run):
    """The run's wait status once it has ended; None before."""
    status = None
    try:
        while True:
            pid, how = os.waitpid(-1, os.WNOHANG)
            if not pid:
                return status
            if pid == run:
                status = how
    except ChildProcessError:
        return status


def sweep():
    left = [name(pid) for pid in children(os.getpid())]
    while kill_below(os.getpid()):
        try:
            os.waitpid(-1, 0)
        except ChildProcessError:
            break
    return [text for text in left if text]


def watch(run):
    """A key pressed at a terminal sends its signal to both; one that is sent to the warden alone is passed on."""
    while (status := reap(run)) is None:
        came = signal.sigwaitinfo(FORWARDED | {signal.SIGCHLD})
        if came.si_signo in FORWARDED and came.si_code == SI_USER:
            os.kill(run, came.si_signo)
    left = sweep()
    if left:
        print(f"\nthe run has left {len(left)} processes, which are ended: {'; '.join(left)}", file=sys.stderr, flush=True)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        signal.pthread_sigmask(signal.SIG_SETMASK, [])
        signal.signal(number, signal.SIG_DFL) if number != signal.SIGKILL else None
        os.kill(os.getpid(), number)
    os._exit(os.WEXITSTATUS(status))


def is_marked(pid, mark):
    try:
        return mark in pathlib.Path(f"/proc/{pid}/environ").read_bytes().split(b"\0")
    except OSError:
        return False


def end_at_once(number, _frame):
    mark = f"{MARK}={os.environ[MARK]}".encode()
    for at in pathlib.Path("/proc").glob("[0-9]*"):
        if int(at.name) not in (os.getpid(), os.getppid()) and is_marked(at.name, mark):
            with contextlib.suppress(ProcessLookupError):
                os.kill(int(at.name), signal.SIGKILL)
    os._exit(128 + number)


def stand_guard():
    """Returns in the child, once: the run itself, which is ended when its warden is killed."""
    warden = os.getpid()
    before = signal.pthread_sigmask(signal.SIG_BLOCK, FORWARDED | {signal.SIGCHLD})
    _libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    run = os.fork()
    if run:
        watch(run)
    os.environ[MARK] = secrets.token_hex(16)
    signal.signal(signal.SIGTERM, end_at_once)
    _libc.prctl(PR_SET_PDEATHSIG, int(signal.SIGTERM), 0, 0, 0)
    if os.getppid() != warden:
        os._exit(1)
    signal.pthread_sigmask(signal.SIG_SETMASK, before)


def pytest_configure(config):
    """For a conftest to take: before anything is started, and with the warden's output where the run's is to go."""
    if hasattr(config, "workerinput"):  # one of several processes of a run, which has its warden
        return
    capture = config.pluginmanager.getplugin("capturemanager")
    capture.suspend_global_capture(in_=True)
    stand_guard()
    capture.resume_global_capture()
