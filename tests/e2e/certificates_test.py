"""Certificates: several by name, replaced under load; and the keys of tickets, changed."""

import json
import mmap
import os
import re
import socket
import ssl
import struct
import subprocess

import pytest
from reload_test import swap
from stage import Load, until
from tls_test import ask, connect, context

GET = b"GET /after HTTP/1.1\r\nHost: crossfade.test\r\n\r\n"


def openssl(*words, **more):
    return subprocess.run(["openssl", *map(str, words)], check=True, capture_output=True, timeout=30, **more)


def make(directory, name, common, names=None, rsa=False, days=30):
    key = ["rsa:2048"] if rsa else ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
    openssl("req", "-x509", "-newkey", *key, "-nodes", "-keyout", directory / f"{name}.key", "-out",
            directory / f"{name}.crt", "-days", days, "-subj", f"/CN={common}", "-addext",
            "subjectAltName=" + ",".join(f"DNS:{n}" for n in names or [common]))
    return f"{{ certificate: {directory}/{name}.crt, key: {directory}/{name}.key }}"


def shown(balancer, *words, name=None):
    """The common name of the certificate that a client is shown."""
    sni = ["-servername", name] if name else ["-noservername"]
    done = openssl("s_client", "-connect", f"{balancer.address}:8443", *sni, *words, input=b"")
    return re.search(rb"subject=CN = (\S+)", done.stdout)[1].decode()


@pytest.fixture
def several(make_balancer, clusters, backend, tmp_path):
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend, start=False)
    more = [
        make(tmp_path, "ec", "ec", ["a.test", "*.wild.test"]),
        make(tmp_path, "rsa", "rsa", ["a.test", "r.test"], rsa=True),
        make(tmp_path, "other", "other", ["b.test"]),
    ]
    balancer.file.write_text(swap("tls.key }", f"tls.key, certificates: [ {', '.join(more)} ] }}")(
        balancer.file.read_text()))
    return balancer.start()


def test_a_certificate_is_chosen_by_name(several):
    for name, expected in [("a.test", "ec"), ("A.Test", "ec"), ("x.wild.test", "ec"), ("r.test", "rsa"),
                           ("b.test", "other"), ("x.y.wild.test", "crossfade.test"),
                           ("crossfade.test", "crossfade.test"), ("stranger.test", "crossfade.test"),
                           (None, "crossfade.test")]:
        for version in "-tls1_2", "-tls1_3":
            assert shown(several, version, name=name) == expected, (name, version)


def test_the_access_log_names_the_certificate_that_was_shown(several, tmp_path):
    said = several.reload(lambda text: text + "\nlog: { access: access.log, format: json }\n")
    assert said["ok"], said
    log = several.directory / "access.log"
    for i, (name, file) in enumerate([("a.test", "ec"), ("r.test", "rsa"), ("b.test", "other"), ("c.test", "tls")]):
        with socket.create_connection((several.address, 8443), 10) as plain, \
                context().wrap_socket(plain, server_hostname=name) as client:
            client.sendall(GET)
            assert client.recv(65536)
        lines = until(lambda n=i: len(l := log.read_text().splitlines()) > n and l, what="a line")
        assert json.loads(lines[i])["chosen_cert"].endswith(f"/{file}.crt")
        assert json.loads(lines[i])["domain_name"] == name


def test_a_certificate_is_one_that_the_client_can_verify(several):
    only_rsa = ["-sigalgs", "RSA-PSS+SHA256:RSA+SHA256"]
    assert shown(several, "-tls1_3", *only_rsa, name="a.test") == "rsa"
    assert shown(several, "-tls1_2", *only_rsa, name="a.test") == "rsa"
    assert shown(several, "-tls1_2", "-cipher", "ECDHE-RSA-AES128-GCM-SHA256", name="a.test") == "rsa"
    assert shown(several, "-tls1_2", "-cipher", "ECDHE-ECDSA-AES128-GCM-SHA256", name="a.test") == "ec"


def test_a_ticket_is_good_whatever_the_name(several):
    c = context()
    session = ask(several, c)[3]
    assert ask(several, c, session)[4]
    plain = socket.create_connection((several.address, 8443), 10)
    with c.wrap_socket(plain, server_hostname="a.test", session=session) as s:
        assert s.session_reused


def test_a_certificate_is_replaced_and_old_connections_go_on(make_balancer, clusters, backend, tmp_path):
    """The same file names, as certbot does it."""
    make(tmp_path, "live", "one.test")
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend, start=False)
    balancer.file.write_text(re.sub(r"tls: \{.*?\}", f"tls: {{ certificate: {tmp_path}/live.crt, key: "
                                    f"{tmp_path}/live.key }}", balancer.file.read_text()))
    balancer.start()
    assert shown(balancer) == "one.test"
    with connect(balancer, context()) as old, Load(balancer.address, 8443, clients=2, tls=context()):
        make(tmp_path, "live", "two.test")
        said = balancer.reload()
        assert said["ok"] and said["message"] == f"certificates: ~{tmp_path}/live.crt"
        assert shown(balancer) == "two.test"
        old.sendall(GET)
        assert old.recv(65536).startswith(b"HTTP/1.1 200")
    key = (tmp_path / "live.key").read_text()
    make(tmp_path, "live", "three.test")
    (tmp_path / "live.key").write_text(key)
    said = balancer.reload()
    assert not said["ok"] and "tls: certificate and key: key values mismatch" in said["message"]
    assert shown(balancer) == "two.test"


def test_certificates_come_and_go_under_load(several, tmp_path):
    extra = make(tmp_path, "extra", "extra.test")
    with Load(several.address, 8443, tls=context()):
        for _ in range(20):
            said = several.reload(swap("certificates: [ ", f"certificates: [ {extra}, "))
            assert said["ok"] and said["message"] == f"certificates: +{tmp_path}/extra.crt"
            assert shown(several, name="extra.test") == "extra.test"
            said = several.reload(swap(f"certificates: [ {extra}, ", "certificates: [ "))
            assert said["ok"] and said["message"] == f"certificates: -{tmp_path}/extra.crt"
            assert shown(several, name="extra.test") == "crossfade.test"


def test_a_certificate_that_is_no_good_refuses_the_reload(several, tmp_path):
    """It is named by its own place."""
    bad = make(tmp_path, "bad", "bad.test")
    (tmp_path / "bad.crt").write_text("no certificate")
    said = several.reload(swap("certificates: [ ", f"certificates: [ {bad}, "))
    line = next(i for i, text in enumerate(several.file.read_text().splitlines()) if "bad.crt" in text) + 1
    assert not said["ok"]
    assert re.match(rf"{several.file}:{line}:\d+: tls: certificate: no start line", said["message"])
    assert shown(several, name="b.test") == "other"


# --- the keys of tickets ---


def rotate(balancer):
    """What the keeper does every 12 hours, in its stead: see net/tls_context.h."""
    keeper = balancer.process.pid
    for fd in os.listdir(f"/proc/{keeper}/fd"):
        if "crossfade-tickets" in os.readlink(f"/proc/{keeper}/fd/{fd}"):
            break
    with open(f"/proc/{keeper}/fd/{fd}", "r+b") as file, mmap.mmap(file.fileno(), 8 + 3 * 80) as keys:
        sequence, version = struct.unpack_from("II", keys)
        assert version == 1 and sequence % 2 == 0
        struct.pack_into("I", keys, 0, sequence + 1)
        keys[8:168], keys[168:248] = keys[88:248], os.urandom(80)
        struct.pack_into("I", keys, 0, sequence + 2)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_ticket_keys_change_under_load(make_balancer, clusters, backend, version):
    """No connection closes; a ticket is good for a change, and a renewed one for another."""
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend)
    c = context(ssl.TLSVersion[version], ssl.TLSVersion[version])
    with connect(balancer, c) as old, Load(balancer.address, 8443, clients=2, tls=context()):
        first = ask(balancer, c)[3]
        rotate(balancer)
        assert ask(balancer, c, first)[4]
        second = ask(balancer, c, first)[3]
        rotate(balancer)
        assert not ask(balancer, c, first)[4]
        assert ask(balancer, c, second)[4]
        for _ in range(50):
            rotate(balancer)
        assert not ask(balancer, c, second)[4]
        fresh = ask(balancer, c)[3]
        assert ask(balancer, c, fresh)[4]
        old.sendall(GET)
        assert old.recv(65536).startswith(b"HTTP/1.1 200")
