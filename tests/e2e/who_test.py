"""Who may come in, who the client is, and which cluster it stays with: the program as a whole."""

import contextlib
import json
import os
import re
import signal
import socket
import ssl
import stat
import struct
import time

import pytest
import requests
from stage import Balancer, own_address, read_all, read_head, until

GET = b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n"
V1 = b"PROXY TCP4 192.0.2.1 198.51.100.1 56324 443\r\n"
SIGNATURE = b"\r\n\r\n\0\r\nQUIT\n"


def v2(host, more=b""):
    return (SIGNATURE + b"\x21\x11" + struct.pack("!H", 12 + len(more)) + socket.inet_aton(host)
            + socket.inet_aton("198.51.100.1") + struct.pack("!HH", 56324, 443) + more)


@pytest.fixture
def make(tmp_path, certificate, clusters, backend):
    made = []

    def start(listener="", root="", weights=(1, 0)):
        at = own_address()
        directory = tmp_path / f"balancer-{len(made)}"
        directory.mkdir()
        directory.chmod(0o755)
        balancer = Balancer(directory, f"""\
listeners:
  weighted: {{ address: {at}:8443{listener} }}
  source: {{ address: {at}:9201, tls: off }}
tls: {{ certificate: {certificate}/tls.crt, key: {certificate}/tls.key }}
source: {{ nodes: [ {clusters[0].url} ] }}
target: {{ nodes: [ {clusters[1].url} ] }}
weights: {{ source: {weights[0]}, target: {weights[1]} }}
workers: 1
io: {backend}
admin: {{ address: {at}:9280, socket: admin.sock }}
state: state
{root}""")
        balancer.address, balancer.url = at, f"http{'' if 'tls: off' in listener else 's'}://{at}:8443"
        made.append(balancer)
        return balancer.start()

    yield start
    for balancer in made:
        balancer.end()


def metric(balancer, name):
    text = requests.get(f"http://{balancer.address}:9280/metrics", timeout=10).text
    found = re.search(rf"^crossfade_{re.escape(name)} (\d+)", text, re.M)
    return int(found[1]) if found else 0


def connect(balancer, source=None):
    s = socket.create_connection((balancer.address, 8443), 10, (source, 0) if source else None)
    s.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return s


def is_turned_away(balancer, source=None, says=b""):
    """The reset may be faster than anything."""
    try:
        with connect(balancer, source) as c:
            c.sendall(says)
            return c.recv(1) == b""
    except ConnectionError:
        return True


def echo(response):
    return json.loads(response.split(b"\r\n\r\n", 1)[1])


def field(said, name):
    return [value for key, value in said["headers"] if key.lower() == name]


def test_only_those_who_are_allowed_come_in(make):
    balancer = make(", tls: off, allow: [ 127.0.0.9, 127.0.1.0/24 ]")
    for address in "127.0.0.9", "127.0.1.77":
        with connect(balancer, address) as c:
            c.sendall(GET)
            assert read_all(c).startswith(b"HTTP/1.1 200")
    assert is_turned_away(balancer, "127.0.0.8")
    assert metric(balancer, 'connections_rejected_total{reason="not_allowed"}') == 1
    until(lambda: "turned 127.0.0.8 away" in balancer.said(), what="a word")


def test_a_proxy_header_comes_before_tls(make):
    balancer = make(", trust: 127.0.0.9, proxy_protocol: on")
    context = ssl._create_unverified_context()
    for header in V1, v2("192.0.2.1"), v2("192.0.2.1", b"\x04\x0f\x00" + bytes(3840)):
        for pieces in 1, 7:
            c = connect(balancer, "127.0.0.9")
            step = -(-len(header) // pieces)
            for i in range(0, len(header), step):
                c.sendall(header[i:i + step])
                time.sleep(0.002)
            with context.wrap_socket(c) as tls:
                tls.sendall(GET)
                assert field(echo(read_all(tls)), "x-forwarded-for") == ["192.0.2.1"]
    # The header and the first bytes of the handshake in one segment.
    incoming, outgoing = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(incoming, outgoing)
    with pytest.raises(ssl.SSLWantReadError):
        session.do_handshake()
    with connect(balancer, "127.0.0.9") as c:
        c.sendall(V1 + outgoing.read())
        assert c.recv(1) == b"\x16"
    for says, reason in ((GET, "proxy_header_missing"), (V1.replace(b"56324", b"056"), "proxy_header_malformed"),
                         (SIGNATURE + b"\x21\x11\xff\xff", "proxy_header_too_long")):
        assert is_turned_away(balancer, "127.0.0.9", says)
        assert metric(balancer, f'connections_rejected_total{{reason="{reason}"}}') == 1
    assert is_turned_away(balancer, "127.0.0.8")
    assert metric(balancer, 'connections_rejected_total{reason="not_trusted"}') == 1


UNNAMED = {
    "v1": b"PROXY UNKNOWN\r\n", "v1-with-addresses": b"PROXY UNKNOWN 198.51.100.7 192.0.2.1 1 2\r\n",
    "v2-no-family": SIGNATURE + b"\x21\0\0\0", "v2-unix": SIGNATURE + b"\x21\x31\0\xd8" + bytes(216),
}


@pytest.mark.parametrize("header", UNNAMED)
def test_a_client_that_the_proxy_does_not_name_is_nobody(make, header):
    """Its X-Forwarded-For would count as the proxy's word, and the proxy's own address may override."""
    balancer = make(", tls: off, trust: 127.0.0.0/8, proxy_protocol: on",
                    "override: { allow: [ 198.51.100.0/24, 127.0.0.0/8 ] }\nlog: { access: access.log, format: json }")
    with connect(balancer, "127.0.0.9") as c:
        c.sendall(UNNAMED[header] + b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\nX-Forwarded-For: 198.51.100.7\r\n"
                  b"X-Forwarded-Proto: https\r\nX-Forwarded-Port: 1\r\nX-Crossfade-Cluster: target\r\n\r\n")
        said = echo(read_all(c))
    assert said["cluster"] == "source"
    assert field(said, "x-forwarded-for") == ["198.51.100.7, 127.0.0.9"]
    assert field(said, "x-forwarded-proto") == ["http"]
    assert field(said, "x-forwarded-port") == ["8443"]
    log = balancer.directory / "access.log"
    until(lambda: log.exists() and log.read_text().endswith("\n"))
    assert json.loads(log.read_text())["client"] is None


def test_so_many_connections_at_once_and_no_more(make):
    balancer = make(", tls: off, connections: 3")
    with contextlib.ExitStack() as stack:
        inside = [stack.enter_context(connect(balancer)) for _ in range(3)]
        for c in inside:
            c.sendall(GET.replace(b"close", b"keep-alive"))
            assert read_head(c)[0].startswith(b"HTTP/1.1 200")
        assert is_turned_away(balancer)
        assert metric(balancer, 'connections_rejected_total{reason="too_many_connections"}') == 1
        inside[0].close()
        until(lambda: metric(balancer, 'connections_open{listener="weighted"}') == 2)
        with connect(balancer) as c:
            c.sendall(GET)
            assert read_all(c).startswith(b"HTTP/1.1 200")


def test_a_header_from_allowed_networks_chooses_the_cluster(make, clusters):
    balancer = make(", trust: 127.0.0.0/8", "override: { allow: 192.0.2.0/24 }")

    def ask(client, cluster):
        headers = {"X-Forwarded-For": client, "X-Crossfade-Cluster": cluster}
        return requests.get(balancer.url, headers=headers, verify=False, timeout=10)

    said = ask("192.0.2.1", "target").json()
    assert said["cluster"] == "target" and not field(said, "x-crossfade-cluster")
    said = ask("203.0.113.1", "target").json()
    assert said["cluster"] == "source" and not field(said, "x-crossfade-cluster")
    wrong = ask("192.0.2.1", "targte")
    assert (wrong.status_code, wrong.headers["X-Crossfade-Error"]) == (400, "bad_override")
    # A rollback suspends it, through a crash and a restart, until somebody says what holds next.
    balancer.command("rollback")
    assert ask("192.0.2.1", "target").json()["cluster"] == "source"
    assert "rolled back" in balancer.command("status").stdout
    before = balancer.working_pid()
    os.kill(before, signal.SIGKILL)
    until(lambda: balancer.working_pid() not in (None, before) and balancer.is_up())
    assert ask("192.0.2.1", "target").json()["cluster"] == "source"
    assert balancer.stop() == 0
    balancer.start()
    assert ask("192.0.2.1", "target").json()["cluster"] == "source"
    balancer.weights(1, 0)
    assert ask("192.0.2.1", "target").json()["cluster"] == "target"
    assert "rolled back" not in balancer.command("status").stdout


def test_clients_stay_while_the_target_grows(make):
    balancer = make(", tls: off, trust: 127.0.0.0/8", "sticky: { by: address, seed: 7 }", (80, 20))
    session = requests.Session()

    def on_target():
        return {i for i in range(300) if session.get(
            balancer.url, headers={"X-Forwarded-For": f"198.51.{i // 250}.{i % 250}"},
            timeout=10).json()["cluster"] == "target"}

    twenty = on_target()
    assert 30 < len(twenty) < 100 and on_target() == twenty
    balancer.weights(70, 30)
    thirty = on_target()
    assert twenty < thirty
    balancer.command("rollback")
    assert not on_target()
    balancer.weights(70, 30)
    assert on_target() == thirty


def test_check_warns_of_sticky_addresses_behind_a_balancer(make):
    balancer = make("", "sticky: { by: address }")
    done = balancer.command("check")
    assert "warning: sticky: by: address" in done.stderr and "is good" in done.stdout
    until(lambda: "sticky: by: address" in balancer.said(), what="a word")
    said = json.loads(balancer.command("check", "-o", "json").stdout)
    assert said["ok"] and len(said["warnings"]) == 1 and not said["errors"]


def test_the_admin_socket_is_its_owners(make):
    before = os.umask(0)
    try:
        balancer = make()
    finally:
        os.umask(before)
    mode = (balancer.directory / "admin.sock").stat().st_mode
    assert stat.S_ISSOCK(mode) and stat.S_IMODE(mode) == 0o600
    token = balancer.directory / "state" / "admin.token"
    assert stat.S_IMODE(token.stat().st_mode) == 0o600
    admin = f"http://{balancer.address}:9280"
    for path, opens in (("/metrics", True), ("/healthz", True), ("/readyz", False), ("/v1/status", False),
                        ("/v1/weights", False), ("/v1/rollback", False), ("/", False)):
        response = requests.get(admin + path, timeout=10)
        assert response.status_code == (200 if opens else 401), path
    for method, path in ("PUT", "/v1/weights"), ("POST", "/v1/rollback"), ("POST", "/metrics"):
        assert requests.request(method, admin + path, timeout=10).status_code == 401
    bearer = {"Authorization": f"Bearer {token.read_text().strip()}"}
    assert requests.get(admin + "/v1/status", headers=bearer, timeout=10).status_code == 200
