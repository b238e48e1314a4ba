"""HUP: the configuration is read anew while traffic flows."""

import contextlib
import os
import re
import shutil
import signal
import socket
import ssl
import time

import pytest
import requests
from capture_stage import metrics_of
from stage import EchoCluster, H2load, Load, Wrk, echo_clusters, reachable, read_head, until

RELOADS = 100 if os.environ.get("CROSSFADE_FULL") else 10


@pytest.fixture
def more_clusters():
    with echo_clusters("third", "fourth") as made:
        yield made


def nodes_of(balancer):
    return {n["name"]: n for n in balancer.nodes()}


def swap(old, new):
    def change(text):
        assert old in text, (old, text)
        return text.replace(old, new)

    return change


def who(balancer):
    return requests.get(balancer.source, timeout=10).json()["cluster"]


def test_nodes_come_and_go_under_load(make_balancer, clusters, more_clusters, backend):
    """Each of two sides of the source is replaced by the other, again and again."""
    source, third = clusters[0], more_clusters[0]
    balancer = make_balancer(source.url, clusters[1].url, io=backend, source_more="health: { interval: 100ms }")
    with Load(balancer.address, 9201) as load:
        for i in range(30):
            old, new = (source, third) if i % 2 == 0 else (third, source)
            assert balancer.reload(swap(old.url, f"{old.url}, {new.url}"))["ok"]
            said = balancer.reload(swap(f"{old.url}, {new.url}", new.url))
            assert said["ok"] and f"-source {old.address}" in said["message"]
            served = load.served
            until(lambda: load.served > served + 20 or load.failures, what="some responses")
    assert source.asked["/load"] > 100 and third.asked["/load"] > 100
    assert nodes_of(balancer).keys() == {f"{source.address}:{source.port}"}


def test_a_node_keeps_its_health_and_a_new_one_is_checked(make_balancer, clusters, backend):
    balancer = make_balancer("http://127.0.0.1:1", clusters[1].url, io=backend,
                             source_more="health: { interval: 100ms }")
    until(lambda: not nodes_of(balancer)["127.0.0.1:1"]["healthy"], what="a failed node")
    assert balancer.reload(swap("http://127.0.0.1:1", f"http://127.0.0.1:1, {clusters[0].url}"))["ok"]
    assert not nodes_of(balancer)["127.0.0.1:1"]["healthy"]
    until(lambda: "200 in" in nodes_of(balancer)[f"{clusters[0].address}:9200"]["check"], what="a check")
    assert {who(balancer) for _ in range(4)} == {"source"}


def test_a_new_node_serves_when_it_has_passed_a_check(make_balancer, make_node, clusters, backend):
    """One: later it takes two."""
    status, asked = [b"503"], []

    def serve(connection):
        while (head := read_head(connection)[0]) is not None:
            asked.append(head.split()[1])
            connection.sendall(b"HTTP/1.1 " + status[0] + b" X\r\nContent-Length: 0\r\n\r\n")

    node = make_node(serve)
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend,
                             source_more="health: { interval: 100ms, path: /check }")
    with Load(balancer.address, 9201, clients=2) as load:
        assert balancer.reload(swap(clusters[0].url, f"{clusters[0].url}, {node.url}"))["ok"]
        until(lambda: asked.count(b"/check") > 2, what="some checks")
        served = load.served
        until(lambda: load.served > served + 20, what="some responses")
        assert b"/load" not in asked
        assert "is new and fails its first check: 503 in" in balancer.said()
        status[0] = b"200"
        until(lambda: b"/load" in asked, what="requests for the new node")
    until(lambda: "is added: 200 in" in balancer.said(), what="a word")


def test_a_name_that_is_new_is_waited_for(make_balancer, clusters, backend):
    named = EchoCluster("named", address="127.0.0.1", port=0)
    try:
        balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend)
        assert balancer.reload(swap(clusters[0].url, f"http://localhost:{named.port}"))["ok"]
        assert who(balancer) == "named"
    finally:
        named.close()


def test_settings_change(make_balancer, clusters, backend):
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend)
    assert requests.put(balancer.source, data="x" * 200, timeout=10).status_code == 200
    with requests.Session() as old:
        old.put(balancer.source, data="x", timeout=10)
        said = balancer.reload(swap("9201, tls: off", "9201, tls: off, body: 100"))
        assert said["ok"] and said["message"] == "settings"
        assert requests.put(balancer.source, data="x" * 200, timeout=10).status_code == 413
        assert old.put(balancer.source, data="x" * 200, timeout=10).status_code == 413


def test_listeners_come_and_go_under_load(make_balancer, clusters, backend):
    """Those that stay lose nothing; those that are new serve; those that are gone refuse."""
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend)
    more = f"{balancer.address}:9301"
    with Load(balancer.address, 9201):
        for i in range(20):
            with_more = balancer.reload(swap(f"{balancer.address}:9201,", f"[ '{balancer.address}:9201', '{more}' ],"))
            assert with_more["ok"] and with_more["message"] == f"listeners: +source {more}"
            with Load(balancer.address, 9301, clients=2):
                pass
            without = balancer.reload(swap(f"[ '{balancer.address}:9201', '{more}' ],", f"{balancer.address}:9201,"))
            assert without["ok"] and without["message"] == f"listeners: -source {more}"
            until(lambda: not reachable(balancer.address, 9301), what="a closed socket")
    assert listening_sockets(balancer.process.pid) == 3 * balancer.status()["workers"]


def listening_sockets(pid):
    """How many a process holds."""
    lines = [line.split() for line in open("/proc/net/tcp", encoding="ascii").readlines()[1:]]
    listening = {f"socket:[{line[9]}]" for line in lines if line[3] == "0A"}
    links = [os.readlink(f"/proc/{pid}/fd/{fd}") for fd in os.listdir(f"/proc/{pid}/fd")]
    return sum(link in listening for link in links)


def test_connections_of_a_listener_that_is_gone_go_on(make_balancer, clusters, backend):
    """As its last configuration says; and so when it comes back."""
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend)
    target = f"  target: {{ address: {balancer.address}:9202, tls: off }}\n"
    with requests.Session() as old:
        old.get(balancer.target, timeout=10)
        for _ in range(3):
            assert balancer.reload(swap(target, ""))["ok"]
            until(lambda: not reachable(balancer.address, 9202), what="a closed socket")
            assert old.get(balancer.target, timeout=10).json()["cluster"] == "target"
            assert balancer.reload(swap("listeners:\n", "listeners:\n" + target))["ok"]
            assert requests.get(balancer.target, timeout=10).json()["cluster"] == "target"
            assert old.get(balancer.target, timeout=10).json()["cluster"] == "target"
    assert balancer.reload(swap(target, ""))["ok"]


def test_an_address_may_become_another_listeners(make_balancer, clusters, backend):
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend)
    with Load(balancer.address, 9201), requests.Session() as old:
        assert old.get(balancer.source, timeout=10).json()["cluster"] == "source"
        for _ in range(10):
            assert balancer.reload(lambda text: text.replace(":9201,", ":x,").replace(":9202,", ":9201,")
                                   .replace(":x,", ":9202,"))["ok"]
        assert balancer.reload(lambda text: text.replace(":9201,", ":x,").replace(":9202,", ":9201,")
                               .replace(":x,", ":9202,"))["ok"]
        assert who(balancer) == "target"
        assert old.get(balancer.source, timeout=10).json()["cluster"] == "source"


def test_an_address_that_cannot_be_had_refuses_the_reload(make_balancer, clusters, backend):
    """The others that the same file adds are not there either."""
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend)
    with socket.create_server((balancer.address, 9999)):
        said = balancer.reload(swap(f"{balancer.address}:9201,", f"[ '{balancer.address}:9201', "
                                    f"'{balancer.address}:9301', '{balancer.address}:9999' ],"))
        assert not said["ok"] and (f"cannot listen on {balancer.address}:9999: Address already in use "
                                  f"(process {os.getpid()}, ") in said["message"]
        assert not reachable(balancer.address, 9301)
        assert who(balancer) == "source"
    assert balancer.reload()["ok"]
    assert who(balancer) == "source" and reachable(balancer.address, 9301)


def test_a_bad_file_changes_nothing(make_balancer, clusters, backend):
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend)
    before = balancer.status()["configuration"]["plan"]
    good = balancer.file.read_text()
    with Load(balancer.address, 9201, clients=2):
        said = balancer.reload(lambda text: text + "tiemouts: { head: 1s }\nworkers: zero\n")
        line = good.count("\n") + 1
        assert not said["ok"]
        assert said["message"] == f"{balancer.file}:{line}:1: unknown key 'tiemouts'; did you mean 'timeouts'?"
        assert f"{balancer.file}:{line + 1}:10: workers: 'zero' is not auto" in balancer.said()
        assert not balancer.reload(swap("tls.key }", "tls.crt }"))["ok"]
        balancer.file.unlink()
        balancer.process.send_signal(signal.SIGHUP)
        until(lambda: "cannot be read: No such file" in balancer.said(), what="a complaint")
        balancer.file.write_text(good)
    assert balancer.status()["configuration"]["plan"] == before
    until(lambda: "nothing was changed" in balancer.said(), what="a word")
    assert "REFUSED" in balancer.command("status").stdout
    assert "\ncrossfade_configuration_in_force 0\n" in metrics_of(balancer)
    assert balancer.reload()["ok"]
    assert "REFUSED" not in balancer.command("status").stdout
    assert "\ncrossfade_configuration_in_force 1\n" in metrics_of(balancer)


@pytest.mark.parametrize("key, change", [
    ("workers", lambda text: text + "workers: 7\n"),
    ("io", lambda text: text.replace("io: epoll", "io: io_uring")),
    ("state", lambda text: text.replace("state: state", "state: elsewhere")),
    ("admin.socket", lambda text: text.replace("socket: admin.sock", "socket: other.sock")),
    ("admin.address", lambda text: text.replace("socket: admin.sock", "socket: admin.sock, address: 127.0.0.1:2")),
])
def test_what_a_reload_cannot_change_is_refused(make_balancer, clusters, key, change):
    """And nothing else of the same file is applied."""
    balancer = make_balancer(clusters[0].url, clusters[1].url, io="epoll")
    socket = balancer.directory / "admin.sock"

    def reloaded():
        done = balancer.command("status", "--socket", str(socket))
        return "REFUSED" in done.stdout and done.stdout

    balancer.file.write_text(change(balancer.file.read_text()).replace(clusters[0].url, "http://127.0.0.1:1"))
    balancer.process.send_signal(signal.SIGHUP)
    said = until(reloaded, what="a refusal")
    assert f": {key}: a reload cannot change this; use SIGUSR2 or a restart" in said
    assert who(balancer) == "source"


def test_weights_that_differ_from_the_files_are_said_calmly(make_balancer, clusters):
    balancer = make_balancer(clusters[0].url, clusters[1].url)
    assert "the file's" not in balancer.command("status").stdout
    assert balancer.reload(swap("source: 1, target: 0", "source: 3, target: 7"))["ok"]
    assert re.search(r"info +weights: source 1, target 0 \(epoch 1\) are in force, as set at run time; the configuration's source 3, target 7 "
                     "are only for a first start", balancer.said())
    assert "the file's source 3, target 7 are for a first start" in balancer.command("status").stdout
    assert balancer.status()["weights"] == {"source": 1, "target": 0}
    balancer.weights(3, 7)
    assert "the file's" not in balancer.command("status").stdout


def test_after_a_crash_the_new_configuration_holds(make_balancer, clusters, more_clusters):
    balancer = make_balancer(clusters[0].url, clusters[1].url)
    assert balancer.reload(swap(clusters[0].url, more_clusters[0].url))["ok"]
    before = balancer.working_pid()
    os.kill(before, signal.SIGKILL)
    until(lambda: balancer.working_pid() not in (None, before) and balancer.is_up(), 20, "its heir")
    assert who(balancer) == "third"


def test_a_hundred_reloads_fail_no_request(make_balancer, clusters, more_clusters, certificate, backend):
    """Each takes in, and lets go of, a listener, a node and a certificate."""
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend, weights=(1, 1))
    more = f"{balancer.address}:9301"
    tls = ssl.create_default_context(cafile=str(certificate / "tls.crt"))
    plain = balancer.file.read_text()
    full = plain
    for change in (swap(f"{balancer.address}:9202,", f"[ '{balancer.address}:9202', '{more}' ],"),
                   swap(clusters[0].url, f"{more_clusters[0].url}, {clusters[0].url}"),
                   swap(clusters[1].url, f"{clusters[1].url}, {more_clusters[1].url}"),
                   swap("tls.key }", f"tls.key, certificates: [ {{ certificate: {certificate}/tls.crt, "
                        f"key: {certificate}/tls.key }} ] }}")):
        full = change(full)
    with Load(balancer.address, 8443, tls=tls), Load(balancer.address, 9201), Load(balancer.address, 9202):
        for i in range(100):
            before = balancer.status()["configuration"]["plan"]
            balancer.file.write_text(plain if i % 2 else full)
            balancer.process.send_signal(signal.SIGHUP)
            until(lambda: balancer.status()["configuration"]["plan"] > before, what="a new plan")
    assert balancer.reloaded()["ok"]
    assert balancer.said().count("the configuration is in force") == 100


@pytest.mark.parametrize("loader", [Wrk, H2load])
def test_reloads_under_load_fail_no_request(make_balancer, clusters, more_clusters, backend, loader):
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend, weights=(1, 1))
    plain = balancer.file.read_text()
    full = swap(clusters[0].url, f"{more_clusters[0].url}, {clusters[0].url}")(plain)
    with loader(balancer.weighted, 16) as load:
        for i in range(RELOADS):
            assert balancer.reload(lambda _, text=plain if i % 2 else full: text)["ok"]
    assert load.served > 100 and not load.failed, load.said
    print(f"{RELOADS} reloads, {load.served} requests, failed: {load.failed}")


def test_a_stop_during_reloads_is_a_stop(make_balancer, clusters, backend):
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend)
    for _ in range(20):
        balancer.process.send_signal(signal.SIGHUP)
    balancer.process.send_signal(signal.SIGTERM)
    assert balancer.process.wait(20) == 0


def crash(balancer):
    """And who serves within a second: whom the process took with it comes again."""
    working = balancer.working_pid()
    os.kill(working, signal.SIGKILL)
    killed = time.monotonic()

    def responded():
        with contextlib.suppress(requests.ConnectionError):
            return who(balancer)

    cluster = until(responded, what="a response")
    assert time.monotonic() - killed < 3  # a second, and more for a machine that is busy
    until(lambda: balancer.working_pid() not in (None, working) and balancer.is_up(), what="a working process")
    return cluster


def test_a_crash_changes_nothing(make_balancer, clusters, backend):
    """A file that was refused, or never read, does not come into force by it."""
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend)
    good = balancer.file.read_text()
    said = balancer.reload(lambda text: text.replace(clusters[0].url, clusters[1].url) + "tiemouts: { head: 1s }\n")
    assert not said["ok"]
    for i in range(2):  # what one has kept, the next one has too
        assert crash(balancer) == "source"
        assert "did you mean 'timeouts'" in balancer.status()["configuration"]["not_in_force"]
        assert "NOT IN FORCE since a crash" in balancer.command("status").stdout
        assert balancer.said().count("the configuration from before the crash is in force") == i + 1

    balancer.file.write_text(good.replace(clusters[0].url, clusters[1].url))
    assert crash(balancer) == "source"
    assert "has changed, and was not reloaded" in balancer.status()["configuration"]["not_in_force"]
    assert balancer.reload()["ok"] and who(balancer) == "target"
    assert balancer.status()["configuration"]["not_in_force"] is None

    # The configuration of a reload outlives a crash as the first one does.
    balancer.file.write_text(good + "tiemouts: { head: 1s }\n")
    assert crash(balancer) == "target"
    assert "did you mean" in balancer.status()["configuration"]["not_in_force"]
    balancer.file.write_text(good + "workers: 7\n")
    assert crash(balancer) == "target"
    assert "workers: a reload cannot change this" in balancer.status()["configuration"]["not_in_force"]
    balancer.file.write_text(good)


def test_what_is_kept_outlives_an_upgrade_and_its_files(make_balancer, clusters, certificate, tmp_path):
    mine = shutil.copytree(certificate, tmp_path / "mine")
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False)
    text = balancer.file.read_text()
    balancer.file.write_text(text.replace(f"{certificate}/", f"{mine}/"))
    balancer.start()
    balancer.upgrade()
    balancer.file.write_text(text + "tiemouts: { head: 1s }\n")
    assert crash(balancer) == "source"
    # Nor does it need its key on the disk, or another file's word, until somebody says SIGHUP.
    balancer.file.write_text(text.replace(clusters[0].url, clusters[1].url))
    (mine / "tls.key").unlink()
    assert crash(balancer) == "source"
    assert "has changed, and was not reloaded" in balancer.status()["configuration"]["not_in_force"]
    assert balancer.reload()["ok"]
    assert balancer.status()["configuration"]["not_in_force"] is None
