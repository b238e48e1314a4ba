"""Upgrades, kills and weight changes under load: nobody notices. CROSSFADE_FULL=1: the numbers that are promised."""

import contextlib
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time

import pytest
import requests
from stage import EchoCluster, H2load, TimedH2load, Wrk, own_address, read_head, receive, serves, until

FULL = bool(os.environ.get("CROSSFADE_FULL"))
UPGRADES, KILLS, CHANGES = (20, 20, 1000) if FULL else (3, 3, 100)
CLIENTS = 16


def install(balancer, program):
    """
    As a package does: another file under the same name. By another process: what this one has open for
    writing is so, for a moment, in whatever it forks, and cannot be executed.
    """
    fresh = f"{balancer.program}.new"
    subprocess.run(["cp", program, fresh], check=True)
    os.replace(fresh, balancer.program)


@pytest.fixture
def make_installed(make_balancer, clusters, backend, tmp_path):
    """A balancer whose program on disk may be replaced."""

    def make(more="timeouts: { drain: 10s }", **others):
        balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend, more=more, start=False, **others)
        shutil.copy(balancer.program, tmp_path / "crossfade")
        balancer.original, balancer.program = balancer.program, str(tmp_path / "crossfade")
        return balancer.start()

    return make


@pytest.fixture
def installed(make_installed):
    return make_installed()


def unverified(plain):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    return context.wrap_socket(plain)


def ask(connection):
    """One request on a connection that may be kept: the response's head and body."""
    connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
    head, body = read_head(connection)
    length = int(re.search(rb"(?i)content-length: (\d+)", head)[1])
    while len(body) < length:
        body += receive(connection, length - len(body))
    return head, body


def ended(pid):
    return not os.path.exists(f"/proc/{pid}")


def states(balancer):
    return {p["pid"]: p["state"] for p in balancer.status()["processes"]}


def refuses(balancer, words):
    """USR2 comes to nothing, and the log says why."""
    before, said = balancer.status()["pid"], len(balancer.said())
    balancer.process.send_signal(signal.SIGUSR2)
    until(lambda: words in balancer.said()[said:], what=f"{words!r}; it said {balancer.said()[said:]}")
    assert balancer.status()["pid"] == before
    assert requests.get(balancer.source, timeout=10).status_code == 200


# --- under load ---


@contextlib.contextmanager
def asking(balancer, *words):
    """Somebody at the command line, again and again; each response must be good."""
    over, codes = threading.Event(), []

    def ask():
        while not over.is_set():
            done = balancer.command(*words, check=False)
            codes.append((done.returncode, done.stderr))

    thread = threading.Thread(target=ask)
    thread.start()
    yield
    over.set()
    thread.join(30)
    assert codes and not [done for done in codes if done[0] != 0]


@pytest.fixture(params=[Wrk, H2load])
def loader(request):
    return request.param


def test_no_request_fails_in_an_upgrade(installed, loader):
    with loader(installed.weighted, CLIENTS) as load, asking(installed, "weights", "1", "1"):
        for _ in range(UPGRADES):
            before = installed.status()["pid"]
            install(installed, installed.original)
            installed.upgrade()
            until(lambda: ended(before), 15, "the end of the process before")
            for pid in installed.process.pid, installed.status()["pid"]:
                assert os.stat(f"/proc/{pid}/exe").st_ino == os.stat(installed.program).st_ino
    assert load.served > 100 and not load.failed, load.said
    print(f"{UPGRADES} upgrades, {load.served} requests, failed: {load.failed}")


@contextlib.contextmanager
def knocking(balancer):
    """Connects again and again: never in vain."""
    over, connects, refusals = threading.Event(), [], []

    def knock():
        while not over.is_set():
            try:
                socket.create_connection((balancer.address, 9201), 10).close()
                connects.append(1)
            except OSError as refusal:
                refusals.append(refusal)

    thread = threading.Thread(target=knock)
    thread.start()
    yield
    over.set()
    thread.join(30)
    assert connects and not refusals, refusals


@pytest.mark.parametrize("killed_loader", [Wrk, TimedH2load])
def test_no_connection_is_refused_when_the_process_is_killed(installed, killed_loader):
    slowest = 0
    with killed_loader(installed.weighted, CLIENTS) as load, knocking(installed):
        for _ in range(KILLS):
            before = installed.status()["pid"]
            killed = time.monotonic()
            os.kill(before, signal.SIGKILL)
            until(lambda: serves(installed.source))
            slowest = max(slowest, time.monotonic() - killed)
            until(lambda: installed.status()["pid"] != before)
    # What wrk calls a failed connect is one whose handshake was under way.
    assert sum(load.failed.values()) <= KILLS * CLIENTS, load.said
    assert slowest < (1 if KILLS <= 3 else 6)  # who dies again and again is started with a pause
    print(f"{KILLS} kills, back after at most {slowest:.3f} s, {load.served} requests, failed: {load.failed}")


def test_no_request_fails_in_a_weight_change(installed, loader):
    with loader(installed.weighted, CLIENTS) as load:
        for i in range(CHANGES):
            assert installed.weights(i % 10, 10 - i % 10)["epoch"] == i + 2
    assert load.served > 100 and not load.failed, load.said
    print(f"{CHANGES} weight changes, {load.served} requests, failed: {load.failed}")


# --- one process beside the other ---


def test_a_retired_process_follows_the_weights(installed):
    """It still decides for those who are connected to it."""
    with unverified(socket.create_connection((installed.address, 8443), 10)) as c:
        ask(c)
        before = installed.status()["pid"]
        now = installed.upgrade()
        assert states(installed) == {before: "draining", now: "serving"}
        began = time.monotonic()
        done = installed.command("weights", "0", "1")
        assert done.returncode == 0 and time.monotonic() - began < 1, done.stdout
        head, body = ask(c)
        assert b"Connection: close" in head and b'"cluster": "target"' in body
    until(lambda: ended(before), what="the end of a process without clients")
    assert states(installed) == {now: "serving"}


def test_a_retired_process_follows_the_drains(make_installed, clusters):
    """Those who are still connected to it come to no node that was drained since, a moment later."""
    installed = make_installed()
    node = f"source/{clusters[0].address}:{clusters[0].port}"
    with contextlib.ExitStack() as stack:
        clients = [stack.enter_context(socket.create_connection((installed.address, 9201), 10)) for _ in range(20)]
        for c in clients:
            ask(c)
        before = installed.status()["pid"]
        now = installed.upgrade()
        assert "gets no new requests" in installed.command("drain", node, "--force").stdout
        assert states(installed) == {before: "draining", now: "serving"}
        until(lambda: ask(clients.pop())[0].startswith(b"HTTP/1.1 503 "), what="a drained node")
        assert "takes requests again" in installed.command("ready", node).stdout
        until(lambda: ask(clients.pop())[0].startswith(b"HTTP/1.1 200 "), what="a node that is back")
        assert states(installed) == {before: "draining", now: "serving"}
    until(lambda: ended(before), what="the end of a process without clients")


def test_idle_clients_are_cut_when_the_drain_time_is_over(make_installed):
    installed = make_installed(more="timeouts: { drain: 1s }")
    with socket.create_connection((installed.address, 9201), 10) as c:
        ask(c)
        before = installed.status()["pid"]
        installed.upgrade()
        began = time.monotonic()
        with contextlib.suppress(ConnectionResetError):
            assert c.recv(1) == b""
        assert 0.5 < time.monotonic() - began < 3
    until(lambda: ended(before))


def test_too_many_upgrades_wait_for_those_that_drain(make_installed):
    installed = make_installed(more="timeouts: { drain: 1m }")
    with contextlib.ExitStack() as clients:
        for _ in range(3):
            c = clients.enter_context(socket.create_connection((installed.address, 9201), 10))
            ask(c)
            installed.upgrade()
        assert sorted(states(installed).values()) == ["draining"] * 3 + ["serving"]
        refuses(installed, "too many working processes of earlier upgrades are still draining")
    until(lambda: len(states(installed)) == 1)
    installed.upgrade()


def test_a_stop_ends_all_processes(installed):
    with socket.create_connection((installed.address, 9201), 10) as c:
        ask(c)
        pids = [installed.status()["pid"], installed.upgrade()]
        assert installed.stop() == 0
        assert all(ended(pid) for pid in pids)


def test_fewer_workers_serve_the_sockets_of_more(make_installed):
    installed = make_installed(more="workers: 3\ntimeouts: { drain: 1s }")
    for workers in 1, 2, 3:
        text = installed.file.read_text()
        installed.file.write_text(text.replace(text[text.index("workers:"):], f"workers: {workers}\n"))
        with Wrk(installed.source, CLIENTS) as load:
            installed.upgrade()
            # The kernel spreads connections over all sockets: of so many each gets some.
            for _ in range(40):
                assert requests.get(installed.source, timeout=5).status_code == 200
        assert not load.failed, load.said
        assert installed.status()["workers"] == workers


@pytest.mark.parametrize("key, change, shown", [
    ("workers", lambda text: text + "\nworkers: 3\n", lambda b: b.status()["workers"] == 3),
    ("io", lambda text: text.replace("io: epoll", "io: io_uring"), lambda b: b.status()["io"] == "io_uring"),
    ("state", lambda text: text.replace("state: state", "state: elsewhere"),
     lambda b: (b.weights(1, 2), (b.directory / "elsewhere" / "audit.jsonl").exists())[1]),
    ("admin.socket", lambda text: text.replace("socket: admin.sock", "socket: other.sock"),
     lambda b: b.status() and not (b.directory / "admin.sock").exists()),
    ("admin.address", lambda text: text.replace("socket: admin.sock", "socket: admin.sock, address: AT:9280"),
     lambda b: requests.get(f"http://{b.address}:9280/healthz", timeout=5).status_code == 200),
])
def test_an_upgrade_changes_what_a_reload_cannot(make_balancer, clusters, key, change, shown):
    """Under load; the weights stay what they are."""
    balancer = make_balancer(clusters[0].url, clusters[1].url, io="epoll", more="timeouts: { drain: 1s }")
    balancer.weights(3, 4)
    balancer.file.write_text(change(balancer.file.read_text()).replace("AT", balancer.address))
    with Wrk(balancer.source, 2) as load:
        balancer.process.send_signal(signal.SIGHUP)
        until(lambda: f"{key}: a reload cannot change this; use SIGUSR2 or a restart" in balancer.said())
        before = balancer.working_pid()
        balancer.process.send_signal(signal.SIGUSR2)
        until(lambda: ended(before), 15, "the end of the process before")
    assert load.served > 10 and not load.failed, load.said
    assert balancer.status()["weights"]["source"] == 3
    assert shown(balancer)


# --- what does not fit leaves everything as it is ---


def test_a_program_that_cannot_be_executed_changes_nothing(installed, tmp_path):
    (tmp_path / "broken").write_text("#!/bin/sh\nexit 0\n")
    install(installed, tmp_path / "broken")
    installed.program = installed.original
    refuses(installed, "upgrade: nothing has changed: the check of")


def test_a_program_that_is_gone_changes_nothing(installed):
    os.remove(installed.program)
    program, installed.program = installed.program, installed.original
    refuses(installed, f"upgrade: nothing has changed: cannot start {program}: No such file")


def test_a_program_of_another_kind_changes_nothing(installed):
    install(installed, shutil.which("false"))
    program, installed.program = installed.program, installed.original
    refuses(installed, f"nothing has changed: the check of {program} ended with code 1")


def test_a_configuration_with_a_mistake_changes_nothing(installed):
    text = installed.file.read_text()
    installed.file.write_text(text.replace("timeouts:", "timeoutz:"))
    refuses(installed, "nothing has changed")
    until(lambda: "did you mean 'timeouts'" in installed.said(), what="a word")
    installed.file.write_text(text)
    installed.upgrade()


def test_a_new_process_that_cannot_serve_leaves_the_one_before(installed):
    with contextlib.closing(EchoCluster("somebody else", own_address(), 9205)) as other:
        text = installed.file.read_text()
        installed.file.write_text(text.replace(f"{installed.address}:9202", f"{other.address}:{other.port}"))
        refuses(installed, "upgrade: the new working process did not become ready")
        until(lambda: "cannot listen on" in installed.said(), what="a word")
    installed.file.write_text(text)
    installed.upgrade()
    assert requests.get(installed.target, timeout=10).status_code == 200


def test_a_second_upgrade_waits_for_the_first(installed, tmp_path):
    """Here for a program that never answers."""
    (tmp_path / "mute.c").write_text("#include <unistd.h>\nint main(void) { return pause(); }\n")
    subprocess.run(["cc", "-o", tmp_path / "mute", tmp_path / "mute.c"], check=True)
    install(installed, tmp_path / "mute")
    installed.program, program = installed.original, installed.program
    installed.process.send_signal(signal.SIGUSR2)
    until(lambda: "upgrade: checking whether" in installed.said())
    refuses(installed, "upgrade: refused: an upgrade is under way")
    pid = installed.process.pid
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as children:
        checker = int(children.read().split()[-1])
    os.kill(checker, signal.SIGKILL)
    until(lambda: "nothing has changed: the check of" in installed.said())
    installed.program = program
    install(installed, installed.original)
    installed.upgrade()


# --- files that are moved away ---


def test_usr1_opens_the_audit_log_anew(installed):
    audit = installed.directory / "state" / "audit.jsonl"
    installed.weights(1, 1)
    audit.rename(audit.with_suffix(".1"))
    installed.process.send_signal(signal.SIGUSR1)
    until(audit.exists)
    installed.weights(1, 2)
    assert len(audit.read_text().splitlines()) == 1
    assert len(audit.with_suffix(".1").read_text().splitlines()) == 1
