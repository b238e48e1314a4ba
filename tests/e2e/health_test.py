"""Nodes that come and go, and names."""

import re
import socket
import ssl
import struct
import subprocess
import time

import requests
from stage import EchoCluster, own_address, until

OFTEN = "  health: { interval: 100ms, timeout: 1s }"


def healthy(balancer):
    return [n["healthy"] for n in balancer.nodes()]


def test_a_node_is_taken_out_and_back(make_balancer, clusters, pair, backend):
    balancer = make_balancer([c.url for c in pair], clusters[1].url, io=backend, cluster_more=OFTEN,
                             source_more="balance: round_robin", more="workers: 1")
    assert sorted(balancer.names()) == ["one"] * 5 + ["two"] * 5
    address = pair[1].address
    pair[1].close()
    # Until it is known to be down, its requests go to the other.
    assert balancer.names() == ["one"] * 10
    until(lambda: healthy(balancer) == [True, False])
    until(lambda: "is out of service" in balancer.said(), what="a word")
    pair[1] = EchoCluster("two", address)
    until(lambda: healthy(balancer) == [True, True])
    until(lambda: "is back" in balancer.said(), what="a word")
    assert sorted(balancer.names()) == ["one"] * 5 + ["two"] * 5


def test_a_node_that_answers_with_failures_is_taken_out(make_balancer, make_node, clusters, pair):
    def ill(connection):
        while b"\r\n\r\n" in connection.recv(65536):
            connection.sendall(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")

    balancer = make_balancer([pair[0].url, make_node(ill).url], clusters[1].url, cluster_more=OFTEN)
    until(lambda: healthy(balancer) == [True, False])
    assert balancer.names() == ["one"] * 10


def test_a_node_that_knows_no_stranger_is_well(make_balancer, make_node, clusters):
    def closed(connection):
        while b"\r\n\r\n" in connection.recv(65536):
            connection.sendall(b"HTTP/1.1 401 Unauthorized\r\nContent-Length: 0\r\n\r\n")

    node = make_node(closed)
    balancer = make_balancer(node.url, clusters[1].url, cluster_more=OFTEN)
    until(lambda: node.connections >= 1)
    until(lambda: "401 in" in balancer.command("status", "-o", "json").stdout)
    assert healthy(balancer) == [True]


def test_checks_have_the_clusters_credential_or_their_own(make_balancer, make_node):
    def guarded(credential):
        def serve(connection):
            while head := connection.recv(65536):
                fields = head.lower()
                known = f"authorization: {credential}\r\n".lower().encode() in fields and b"x-tier: gold" in fields
                connection.sendall(b"HTTP/1.1 %d X\r\nContent-Length: 0\r\n\r\n" % (200 if known else 401))
        return serve

    strict = """
  health: { interval: 100ms, expected: 200%s }
  headers: { set: { X-Tier: gold } }
  authorization: Basic b3Vycw=="""
    own = make_balancer(make_node(guarded("Basic b3Vycw==")).url, make_node(guarded("Basic b3Vycw==")).url,
                        cluster_more=strict % "")
    until(lambda: "200 in" in own.command("status", "-o", "json").stdout)
    assert healthy(own) == [True] and "b3Vycw" not in own.said()
    apart = make_balancer(make_node(guarded("Bearer probe")).url, make_node(guarded("x")).url,
                          cluster_more=strict % ", authorization: Bearer probe")
    until(lambda: "200 in" in apart.command("status", "-o", "json").stdout)
    assert healthy(apart) == [True]
    assert "b3Vycw" not in apart.command("status", "-o", "json").stdout


def responding(body, **more):
    """A node whose responses have this body, which may change: a list with one item."""
    def serve(connection):
        while b"\r\n\r\n" in connection.recv(65536):
            connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%b" % (len(body[0]), body[0]))
    return serve


def checks(balancer, cluster="source"):
    return balancer.nodes(cluster)[0]


PATTERN = "  health: { interval: 100ms, body: '\"status\":\"(green|yellow)\"' }"


def test_a_check_looks_at_the_body(make_balancer, make_node, clusters):
    body = [b'{"status":"yellow"}']
    balancer = make_balancer(make_node(responding(body)).url, clusters[1].url, source_more=PATTERN.strip())
    until(lambda: checks(balancer)["checks"]["passed"] > 2)
    body[0] = b'{"status":"red"}'
    until(lambda: not checks(balancer)["healthy"])
    assert "its body does not match" in checks(balancer)["check"] and checks(balancer)["state"] == "unhealthy"
    assert "its body does not match" in balancer.said()
    body[0] = b""
    failed = checks(balancer)["checks"]["failed"]
    until(lambda: checks(balancer)["checks"]["failed"] > failed + 1)
    body[0] = b'{"status":"green"}'
    until(lambda: checks(balancer)["healthy"])


def test_of_a_body_64_kib_are_looked_at(make_balancer, make_node, clusters):
    good = b'"status":"green"'
    inside = [b" " * (65536 - len(good)) + good + b" " * 300000]
    outside = [b" " * (65537 - len(good)) + good]
    balancer = make_balancer(make_node(responding(inside)).url, make_node(responding(outside)).url, cluster_more=PATTERN)
    until(lambda: not checks(balancer, "target")["healthy"])
    until(lambda: checks(balancer)["checks"]["passed"] > 0)
    assert checks(balancer)["checks"]["failed"] == 0


def test_a_cut_body_is_no_pass(make_balancer, make_node, clusters):
    def cut(connection):
        connection.recv(65536)
        connection.sendall(b'HTTP/1.1 200 OK\r\nContent-Length: 99\r\n\r\n{"status":"green"}')

    balancer = make_balancer(make_node(cut).url, clusters[1].url, source_more=PATTERN.strip())
    until(lambda: not checks(balancer)["healthy"])
    assert checks(balancer)["check"] == "response_cut"


def test_many_nodes_are_not_asked_at_once(make_balancer, clusters, make_node):
    asked = []

    def note(connection):
        connection.recv(65536)
        asked.append(time.monotonic())
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n")

    many = [make_node(note).url for _ in range(40)]
    make_balancer(many, clusters[1].url, source_more="health: { interval: 1s }")
    until(lambda: len(asked) >= 120)
    # 20 ms apart, so about five in 100 ms, in the third round as in the first; never all.
    for _round in range(3):
        times = sorted(asked[40 * _round:40 * _round + 40])
        assert times[-1] - times[0] > 0.4
        assert max(sum(t <= u < t + 0.1 for u in times) for t in times) <= 20


def test_checks_over_tls_trust_whom_the_cluster_trusts(make_balancer, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "tls.crt", certificate / "tls.key")
    node = EchoCluster("secure", "127.0.0.1", 0, tls=context)
    balancer = make_balancer(node.url, node.url, cluster_more=OFTEN, source_more=f"ca: {certificate}/tls.crt")
    until(lambda: not checks(balancer, "target")["healthy"])
    said = checks(balancer, "target")["check"]
    assert re.match(r"certificate_of_cluster_issuer_unknown: it is self-signed by '.*', and not in the system's trust store", said)
    assert said[:60] in balancer.command("status").stdout
    until(lambda: checks(balancer)["checks"]["passed"] > 1)
    assert checks(balancer)["healthy"] and checks(balancer)["checks"]["failed"] == 0
    node.close()


SELDOM = "  health: { interval: 1h, failures: 100 }\n  eject: { failures: 3, pause: 3s }"


def test_a_node_that_refuses_is_ejected_and_comes_back(make_balancer, clusters, pair, backend):
    balancer = make_balancer([c.url for c in pair], clusters[1].url, io=backend, cluster_more=SELDOM,
                             source_more="balance: round_robin", more="workers: 1")
    assert set(balancer.names()) == {"one", "two"}
    address = pair[1].address
    pair[1].close()
    assert balancer.names() == ["one"] * 10  # each failed connect goes to the other
    said = balancer.nodes()[1]
    assert said["state"] == "ejected" and said["ejected"] == {"by_workers": 1, "why": "connect_refused"}
    assert "EJECTED" in balancer.command("status").stdout
    until(lambda: "is ejected by 1 of 1 workers: connect_refused" in balancer.said())
    assert 'crossfade_node_ejected{cluster="source",node="%s:9200"} 1' % address in metrics(balancer)
    pair[1] = EchoCluster("two", address)
    until(lambda: set(balancer.names()) == {"one", "two"})
    until(lambda: 'crossfade_node_ejected{cluster="source",node="%s:9200"} 0' % address in metrics(balancer))
    assert said["ejections"] == 1


def test_the_only_node_is_never_ejected(make_balancer, clusters):
    nobody = f"http://{own_address()}:9200"
    balancer = make_balancer(nobody, clusters[1].url, cluster_more=SELDOM, more="workers: 1")
    got = [requests.get(balancer.source, timeout=20).headers["X-Crossfade-Error"] for _ in range(10)]
    assert got == ["connect_refused"] * 10
    assert "is ejected" not in balancer.said() and "crossfade_fail_open_total 0" in metrics(balancer)


def test_a_node_whose_handshakes_fail_is_ejected(make_balancer, clusters, pair, make_node, certificate):
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate / "tls.crt", certificate / "tls.key")
    good = EchoCluster("one", "127.0.0.1", 0, tls=context)
    bad = make_node(lambda connection: connection.sendall(b"no TLS" if connection.recv(65536) else b""))
    balancer = make_balancer([good.url, bad.url.replace("http", "https")], clusters[1].url, cluster_more=SELDOM,
                             source_more=f"balance: round_robin\n  ca: {certificate}/tls.crt", more="workers: 1")
    assert balancer.names() == ["one"] * 10
    until(lambda: "is ejected by 1 of 1 workers: tls_to_cluster_not_spoken" in balancer.said())
    good.close()


def test_a_node_that_resets_new_connections_is_ejected(make_balancer, clusters, pair, make_node):
    def reset(connection):
        connection.recv(65536)
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))

    balancer = make_balancer([pair[0].url, make_node(reset).url], clusters[1].url, cluster_more=SELDOM,
                             source_more="balance: round_robin", more="workers: 1")
    until(lambda: requests.get(balancer.source, timeout=20) is not None and "is ejected" in balancer.said())
    until(lambda: "is ejected by 1 of 1 workers: connection_reset" in balancer.said(), what="a word")


def test_when_no_node_is_well_all_are_tried(make_balancer, clusters, pair, backend):
    """One refuses, one is served by, and checks that none can pass have taken both out."""
    nobody = f"http://{own_address()}:9200"
    balancer = make_balancer([nobody, pair[0].url], clusters[1].url, io=backend,
                             cluster_more="  health: { interval: 100ms, expected: 299-299 }",
                             source_more="balance: round_robin")
    until(lambda: healthy(balancer) == [False, False])
    assert balancer.names() == ["one"] * 10
    assert "crossfade_fail_open_total 0" not in metrics(balancer)


def metrics(balancer):
    return subprocess.run(["curl", "-s", "--unix-socket", balancer.directory / "admin.sock", "http://a/metrics"],
                          capture_output=True, text=True, check=True).stdout


def test_a_cluster_that_is_down_is_not_spilled_over(make_balancer, clusters):
    balancer = make_balancer(f"http://{own_address()}:9200", clusters[1].url, weights=(1, 1), more="workers: 1")
    got = [requests.get(balancer.weighted, verify=False, timeout=20).status_code for _ in range(10)]
    assert sorted(got) == [200] * 5 + [502] * 5


def test_a_cluster_that_loses_its_last_node_is_told_of(make_balancer, clusters):
    """Also by a reload that brings one that was never well."""
    balancer = make_balancer(clusters[0].url, clusters[1].url, cluster_more=OFTEN)
    nobody = f"http://{own_address()}:9200"
    assert balancer.reload(lambda text: text.replace(clusters[0].url, nobody))["ok"]
    until(lambda: "source: no node serves, and its weight is 1" in balancer.said())
    assert balancer.reload(lambda text: text.replace(nobody, clusters[0].url))["ok"]
    until(lambda: "source: a node serves again" in balancer.said())
    assert "target: no node" not in balancer.said()


def test_an_ipv4_address_may_be_written_as_ipv6(make_balancer, clusters):
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False)
    at = balancer.source.split("//")[1].strip("/").split(":")[0]
    balancer.file.write_text(balancer.file.read_text().replace(f"{at}:9201", f"'[::ffff:{at}]:9201'"))
    assert balancer.command("check").returncode == 0
    balancer.start()
    assert requests.get(balancer.source, timeout=20).json()["cluster"] == "source"


def test_a_node_may_be_a_name(make_balancer, clusters, backend):
    node = EchoCluster("named", "127.0.0.1", 0)
    balancer = make_balancer(f"http://localhost:{node.port}", clusters[1].url, io=backend, source_more="host: node")
    got = requests.get(balancer.source, timeout=20).json()
    assert got["cluster"] == "named" and ["Host", f"localhost:{node.port}"] in [[n.title(), v] for n, v in got["headers"]]
    node.close()


def test_a_name_of_which_one_address_is_dead_serves_all(make_balancer, clusters, backend):
    """`localhost` is ::1 too, where nobody is."""
    node = EchoCluster("named", "127.0.0.1", 0)
    balancer = make_balancer(f"http://localhost:{node.port}", clusters[1].url, io=backend, source_more=OFTEN.strip())

    def ask(n):
        for _ in range(n):
            got = requests.post(balancer.source, data=b"{}", headers={"Connection": "close"}, timeout=20)
            assert got.status_code == 200

    ask(100)
    until(lambda: [a["healthy"] for a in balancer.nodes()[0]["address_checks"]] == [True, False])
    ask(100)
    assert healthy(balancer) == [True] and "is out of service" in balancer.said()
    assert f"[::1]:{node.port} fails its checks" in balancer.command("status").stdout
    said = metrics(balancer)
    assert re.search(r'crossfade_node_address_healthy{.*address="\[::1\]:%d"} 0' % node.port, said)
    assert 'crossfade_retries_refused_total{cluster="source"} 0' in said
    node.close()


def test_a_name_that_is_this_balancer_gets_no_request(make_balancer, clusters):
    """`check` refuses an address of ours; a name is looked at when it is looked up."""
    balancer = make_balancer(clusters[0].url, clusters[1].url, more="workers: 1")
    here = balancer.source.split("//")[1].strip("/")
    said = balancer.reload(lambda text: text.replace(clusters[0].url, f"http://{here}"))
    assert not said["ok"] and "is this balancer itself (listener source" in said["message"]
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    said = balancer.reload(lambda text: text.replace(f"http://{here}", f"http://localhost:{port}")
                           .replace(here, f"127.0.0.1:{port}"))
    assert said["ok"], said
    assert f"one address of localhost:{port} is this balancer itself" in balancer.command("check").stderr
    until(lambda: f"localhost is 127.0.0.1:{port}, which is this balancer itself (listener source" in balancer.said())
    assert requests.get(f"http://127.0.0.1:{port}/", timeout=20).status_code == 502
    assert balancer.nodes()[0]["addresses"] == [f"[::1]:{port}"]


def test_a_name_that_nobody_knows_is_a_503(make_balancer, clusters):
    balancer = make_balancer("http://nobody.invalid:9200", clusters[1].url)
    got = requests.get(balancer.source, timeout=20)
    assert (got.status_code, got.headers["X-Crossfade-Error"]) == (503, "no_address")
    assert requests.get(balancer.target, timeout=20).json()["cluster"] == "target"
