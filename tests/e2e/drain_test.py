"""Nodes that are taken out of service by an operator, and back."""

import http.client
import json
import os
import signal
import socket
import threading

import pytest
import requests
from stage import own_address, until


def name_of(cluster):
    return f"{cluster.address}:{cluster.port}"


def states(balancer):
    return [n["state"] for n in balancer.nodes()]


def test_a_drained_node_gets_nothing_until_it_is_ready(make_balancer, clusters, pair, backend):
    balancer = make_balancer([c.url for c in pair], clusters[1].url, io=backend,
                             source_more="balance: round_robin")
    assert set(balancer.names()) == {"one", "two"}
    assert "gets no new requests" in balancer.command("drain", name_of(pair[1]), "--reason", "CHG-7").stdout
    assert balancer.names() == ["one"] * 10
    assert states(balancer) == ["healthy", "drained"]
    assert balancer.nodes()[1]["drained"]["why"] == "CHG-7"
    shown = balancer.command("status").stdout
    assert "DRAINED" in shown and "CHG-7" in shown
    # As the configuration has it.
    assert "takes requests again" in balancer.command("ready", pair[1].url + "/").stdout
    other = balancer.command("ready", pair[1].url.replace("http:", "https:"), check=False)
    assert other.returncode == 1 and f"did you mean '{name_of(pair[1])}'?" in other.stderr
    assert set(balancer.names()) == {"one", "two"}
    audit = [json.loads(line) for line in (balancer.directory / "state/audit.jsonl").read_text().splitlines()]
    assert [(a["node"], a["to"]) for a in audit if "node" in a] == [
        (f"source/{name_of(pair[1])}", "drain"), (f"source/{name_of(pair[1])}", "ready")]


def test_no_request_is_lost_while_nodes_are_drained_under_load(make_balancer, clusters, pair, backend):
    balancer = make_balancer([c.url for c in pair], clusters[1].url, io=backend)
    failed, served, over = [], [0], threading.Event()

    def ask():
        with requests.Session() as s:
            while not over.is_set():
                response = s.get(balancer.source, timeout=20)
                if response.status_code != 200:
                    failed.append(response.text)
                served[0] += 1

    askers = [threading.Thread(target=ask) for _ in range(4)]
    for asker in askers:
        asker.start()
    for _ in range(5):
        for cluster in pair:
            balancer.command("drain", name_of(cluster), "--delay", "60s")
            asked, before = cluster.asked["/"], served[0]
            until(lambda b=before: served[0] > b + 10)
            # What was under way may still have counted; the next ten are not there.
            assert cluster.asked["/"] <= asked + len(askers)
            balancer.command("ready", name_of(cluster))
    over.set()
    for asker in askers:
        asker.join()
    assert not failed


def test_what_is_under_way_goes_on_and_is_cut_at_the_end(make_balancer, make_node, clusters, backend):
    release = threading.Event()

    def slow(connection):
        connection.recv(65536)
        release.wait(20)
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok")

    node = make_node(slow)
    balancer = make_balancer(node.url, clusters[1].url, io=backend,
                             cluster_more="  health: { interval: 1h, failures: 100 }")
    where = balancer.source.split("//")[1]

    def ask():
        connection = http.client.HTTPConnection(where, timeout=20)
        before = node.connections
        connection.request("GET", "/")
        until(lambda: node.connections > before)
        return connection

    until(lambda: node.connections == 1)  # the check
    seen_through = ask()
    balancer.command("drain", f"{node.address}:{node.port}", "--force")
    release.set()
    assert seen_through.getresponse().read() == b"ok"
    assert requests.get(balancer.source, timeout=20).headers["X-Crossfade-Error"] == "nodes_drained"

    balancer.command("ready", f"{node.address}:{node.port}")
    release.clear()
    cut = ask()
    balancer.command("drain", f"{node.address}:{node.port}", "--delay", "300ms", "--force")
    response = cut.getresponse()
    assert (response.status, response.headers["X-Crossfade-Error"]) == (502, "node_drained")
    release.set()


def test_a_cluster_of_drained_nodes_is_a_503_and_no_spill(make_balancer, clusters, backend):
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend, weights=(1, 1), more="workers: 1")
    said = balancer.command("drain", name_of(clusters[1]), "--force").stdout
    assert "requests to the cluster get 503" in said
    got = [requests.get(balancer.weighted, verify=False, timeout=20) for _ in range(10)]
    assert sorted(g.status_code for g in got) == [200] * 5 + [503] * 5
    assert {g.headers.get("X-Crossfade-Error") for g in got} == {None, "nodes_drained"}


def test_a_drain_outlives_reload_crash_and_restart(make_balancer, clusters, pair):
    balancer = make_balancer([c.url for c in pair], clusters[1].url)
    balancer.command("drain", name_of(pair[0]))
    balancer.process.send_signal(signal.SIGHUP)
    until(lambda: "the configuration is in force" in balancer.said())
    assert balancer.names() == ["two"] * 10
    working = balancer.working_pid()
    os.kill(working, signal.SIGKILL)
    until(lambda: balancer.working_pid() not in (None, working) and balancer.is_up())
    assert balancer.names() == ["two"] * 10
    balancer.stop()
    balancer.start()
    assert balancer.names() == ["two"] * 10 and states(balancer)[0] == "drained"
    until(lambda: "is still drained" in balancer.said(), what="a word")


def test_a_node_is_named_as_people_do(make_balancer, clusters):
    balancer = make_balancer(clusters[0].url, [clusters[1].url, clusters[0].url])
    both, other = name_of(clusters[0]), name_of(clusters[1])

    def refused(*words):
        done = balancer.command(*words, check=False)
        return done.returncode, done.stderr

    assert refused("drain", both) == (1, f"crossfade drain: 2 nodes are called {both}; use a full name, such as source/{both}\n")
    code, said = refused("ready", other[:-1] + "1")
    assert code == 1 and f"did you mean '{other}'" in said
    assert refused("drain")[0] == refused("drain", "a", "b")[0] == 2
    assert refused("drain", other, "--delay", "5")[0] == refused("drain", other, "--delay", "25h")[0] == 2
    balancer.command("drain", f"target/{both}")
    assert states(balancer) == ["healthy"] and [n["state"] for n in balancer.nodes("target")] == ["healthy", "drained"]


def test_a_tunnel_is_cut_with_its_node(make_balancer, make_node, clusters):
    def agree(connection):
        if b"Upgrade" in connection.recv(65536):
            connection.sendall(b"HTTP/1.1 101 Switching Protocols\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
            connection.recv(65536)

    node = make_node(agree)
    balancer = make_balancer(node.url, clusters[1].url)
    address, port = balancer.source.split("//")[1].split(":")
    with socket.create_connection((address, int(port)), 20) as tunnel:
        tunnel.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n")
        assert b" 101 " in tunnel.recv(65536)
        balancer.command("drain", f"{node.address}:{node.port}", "--delay", "200ms", "--force")
        with pytest.raises(ConnectionResetError):
            while tunnel.recv(65536):
                pass
            raise AssertionError("it ended as if it were whole")


def test_the_last_node_that_serves_is_not_drained(make_balancer, clusters, pair):
    """Nor weights given to a cluster where nobody serves, unless that is forced."""
    nobody = own_address()
    balancer = make_balancer([pair[0].url, f"http://{nobody}:9200"], f"http://{nobody}:9200",
                             cluster_more="  health: { interval: 100ms }")
    until(lambda: states(balancer) == ["healthy", "unhealthy"])
    until(lambda: [n["state"] for n in balancer.nodes("target")] == ["unhealthy"])

    def refused(*words):
        done = balancer.command(*words, check=False)
        assert (done.returncode, done.stdout) == (1, ""), done
        return done.stderr

    said = refused("drain", name_of(pair[0]))
    assert "no other node of the source serves" in said and f"{nobody}:9200: connect_refused" in said
    assert states(balancer) == ["healthy", "unhealthy"]
    for weights in ("0", "1"), ("9", "1"):
        said = refused("weights", *weights)
        assert "the target has no node that serves" in said and "--force" in said
    before = balancer.status()["epoch"]
    assert requests.get(balancer.source, timeout=20).status_code == 200
    forced = balancer.weights(0, 1, "--force")
    assert forced["epoch"] == before + 1 and "are missing in the target" in forced["warnings"][0]
    assert json.loads(audit(balancer)[-1])["forced"] is True
    balancer.command("drain", name_of(pair[0]))  # no weight, no harm
    balancer.command("rollback")  # never refused, though nobody serves there
    last = json.loads(audit(balancer)[-1])
    assert last["rollback"] is True and "forced" not in last


def audit(balancer):
    return (balancer.directory / "state" / "audit.jsonl").read_text().splitlines()
