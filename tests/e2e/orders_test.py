"""`crossfade reload`, `upgrade` and `stop`: as the signals, and they say what came of it."""

import json
import shutil
import socket
import threading

import pytest
from stage import PROGRAM, Balancer, read_head, until


def test_a_reload_says_what_has_changed(balancer):
    text = balancer.file.read_text()
    balancer.file.write_text(text.replace("nodes: [ ", "nodes: [ http://127.0.0.1:1, ", 1))
    assert "The configuration is in force: nodes: +source 127.0.0.1:1 (plan 2)." in balancer.command("reload").stdout
    done = json.loads(balancer.command("reload", "-o", "json", "--reason", "CHG-3").stdout)
    assert done["ok"] and done["message"] == "nothing"
    assert "reload: asked for by " in balancer.said() and ": CHG-3" in balancer.said()


def test_a_refused_reload_says_each_mistake_with_its_place(balancer):
    balancer.file.write_text(balancer.file.read_text() + "one: 1\ntwo: 2\n")
    done = balancer.command("reload", check=False)
    assert done.returncode == 1 and not done.stdout
    lines = done.stderr.splitlines()
    assert lines[0] == "crossfade reload: REFUSED: nothing was changed" and len(lines) == 3
    assert "crossfade.yaml:" in lines[1] and "'one'" in lines[1] and "'two'" in lines[2]
    done = balancer.command("reload", "-o", "json", check=False)
    assert done.returncode == 1 and len(json.loads(done.stdout)["mistakes"]) == 2


def test_an_upgrade_returns_when_the_other_process_serves(balancer):
    before = balancer.working_pid()
    done = balancer.command("upgrade")
    assert f"; process {before} drains" in done.stdout
    assert balancer.status()["pid"] != before and balancer.process.poll() is None


def test_an_upgrade_that_does_not_fit_says_so(make_balancer, clusters, tmp_path):
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False)
    balancer.program = str(tmp_path / "crossfade")
    shutil.copy(PROGRAM, balancer.program)
    balancer.start()
    before = balancer.status()["pid"]
    good = balancer.file.read_text()
    balancer.file.write_text(good + "one: 1\n")
    done = balancer.command("upgrade", check=False)
    assert done.returncode == 1 and "nothing has changed: the check of " in done.stderr, done.stderr
    balancer.file.write_text(good)
    (tmp_path / "other").write_text("no program\n")
    (tmp_path / "other").chmod(0o755)
    (tmp_path / "other").rename(balancer.program)
    balancer.program = PROGRAM
    done = balancer.command("upgrade", check=False)
    assert done.returncode == 1 and "nothing has changed" in done.stderr, done.stderr
    assert balancer.status()["pid"] == before and balancer.status()["upgrade"]["failed"] == 2


def hold(balancer, node_has):
    connection = socket.create_connection((balancer.address, 9201), 10)
    connection.sendall(b"GET /slow HTTP/1.1\r\nHost: a\r\n\r\n")
    until(node_has.is_set, what="a request at the node")
    return connection


@pytest.fixture
def slow(make_balancer, clusters, make_node):
    """A node that answers when it may."""
    has, may = threading.Event(), threading.Event()

    def serve(connection):
        while (head := read_head(connection)[0]):
            if head.startswith(b"GET /slow"):
                has.set()
                may.wait(30)
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")
    balancer = make_balancer(make_node(serve).url, clusters[1].url, more="timeouts: { leave: 20s, drain: 60s }")
    yield balancer, has, may
    may.set()


def test_a_stop_returns_when_the_balancer_has_ended(balancer):
    done = balancer.command("stop", "--reason", "CHG-4")
    assert f"The balancer, process {balancer.process.pid}, has stopped." in done.stdout
    assert balancer.process.wait(0.5) == 0 and ": CHG-4" in balancer.said()


def test_a_stop_that_takes_longer_is_no_success(slow):
    balancer, has, may = slow
    connection = hold(balancer, has)
    done = balancer.command("stop", "--timeout", "300ms", check=False)
    assert done.returncode == 4 and "it has not stopped (1 requests in flight; --now cuts them) within 300ms" in done.stderr
    # Told again it does not wait for load balancers in front, and this one for the request.
    waiting = threading.Thread(target=lambda: balancer.command("stop"))
    waiting.start()
    until(lambda: "draining" in balancer.command("status").stdout, what="its draining")
    may.set()
    assert b" 200 " in read_head(connection)[0]
    waiting.join(20)
    assert balancer.process.wait(5) == 0


def test_a_stop_now_waits_for_nobody(slow):
    balancer, has, _ = slow
    connection = hold(balancer, has)
    assert "has stopped" in balancer.command("stop", "--now").stdout
    with pytest.raises(ConnectionResetError):
        connection.recv(1000)
    assert balancer.process.wait(0.5) == 0


def test_without_a_balancer_there_is_nothing_to_tell(tmp_path):
    balancer = Balancer(tmp_path, "admin: { socket: none.sock }\n")
    for command in "reload", "upgrade", "stop", "history":
        done = balancer.command(command, check=False)
        assert done.returncode == 3 and "there is no such socket" in done.stderr, done.stderr
