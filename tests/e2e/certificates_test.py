"""Certificates: several by name, replaced under load; and the keys of tickets, changed."""

import json
import mmap
import os
import re
import socket
import ssl
import struct
import subprocess
import time

import pytest
from reload_test import swap
from health_test import metrics as metrics_of
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


def test_a_ticket_is_good_for_its_own_name_alone(several):
    c = context()
    session = ask(several, c)[3]
    assert ask(several, c, session)[4]
    plain = socket.create_connection((several.address, 8443), 10)
    with c.wrap_socket(plain, server_hostname="a.test", session=session) as s:
        assert not s.session_reused


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
    assert not said["ok"] and "tls: certificate and key: the key does not belong to this certificate" in said["message"]
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
    assert re.match(rf"{several.file}:{line}:\d+: tls: certificate: it has no PEM block", said["message"])
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


def signed(directory, name, days):
    """A pair that is valid for so many days; fewer than one: it has expired."""
    request = ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
               directory / f"{name}.key", "-out", directory / f"{name}.crt", "-subj", f"/CN={name}"]
    if days > 0:
        subprocess.run([*request, "-days", str(days)], check=True, capture_output=True)
        return directory / f"{name}.crt"
    subprocess.run([*request, "-days", "1"], check=True, capture_output=True)
    (directory / "index").write_text("")
    (directory / "ca.cnf").write_text(f"[ca]\ndefault_ca=d\n[d]\ndatabase={directory}/index\nserial={directory}/serial\n"
                                      f"new_certs_dir={directory}\ndefault_md=sha256\npolicy=p\n[p]\nCN=supplied\n")
    (directory / "serial").write_text("01\n")
    subprocess.run(["openssl", "req", "-new", "-key", directory / f"{name}.key", "-out", directory / f"{name}.csr",
                    "-subj", f"/CN={name}"], check=True, capture_output=True)
    subprocess.run(["openssl", "ca", "-batch", "-config", directory / "ca.cnf", "-selfsign", "-keyfile",
                    directory / f"{name}.key", "-in", directory / f"{name}.csr", "-out", directory / f"{name}.crt",
                    "-startdate", "20200101000000Z", "-enddate", "20210101000000Z", "-notext"],
                   check=True, capture_output=True)
    return directory / f"{name}.crt"


def with_pair(balancer, crt, key):
    text = balancer.file.read_text()
    at = text.index("tls: { certificate")
    balancer.file.write_text(text[:at] + f"tls: {{ certificate: {crt}, key: {key} }}" + text[text.index("\n", at):])


def test_a_bundle_of_which_a_part_is_broken_is_refused(make_balancer, clusters, tmp_path):
    one, two, three = (signed(tmp_path, name, 90).read_text() for name in ("one", "two", "three"))
    bundle = tmp_path / "bundle.crt"
    balancer = make_balancer("https://127.0.0.1:1", clusters[1].url, source_more=f"ca: {bundle}", start=False)
    lines = two.splitlines(keepends=True)
    broken = {
        "a byte changed": two.replace(lines[1][:8], "!!!!!!!!"),
        "cut": "".join(lines[:4]),
        "no end": two.replace("-----END CERTIFICATE-----", ""),
        "no beginning": two.replace("-----BEGIN CERTIFICATE-----", ""),
        "another beginning": two.replace("-----BEGIN CERTIFICATE-----", "----BEGIN CERTIFICATE-----"),
        "a word misspelt": two.replace("BEGIN CERTIFICATE", "BEGIN CERTIFICTE"),
        "a request": two.replace("CERTIFICATE", "CERTIFICATE REQUEST"),
        "indented": " " + two,
        "empty": "-----BEGIN CERTIFICATE-----\n-----END CERTIFICATE-----\n",
    }
    for what, part in broken.items():
        for parts, number in (([one, part, three], 2), ([one, three, part], 3), ([part, one], 1)):
            bundle.write_text("".join(parts))
            done = balancer.command("check", check=False)
            assert done.returncode == 1, (what, number)
            assert f"ca: {bundle}: certificate {number} of the file is broken" in done.stderr, (what, number, done.stderr)
    bundle.write_text("# Ours\n" + one + "\n\nsubject: two\n" + two.replace("\n", "\r\n") + "\ufeff" + three)
    assert balancer.command("check").returncode == 0


def test_a_chain_of_which_a_part_is_broken_is_refused(make_balancer, clusters, tmp_path):
    signed(tmp_path, "one", 90)
    chain = tmp_path / "chain.crt"
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False)
    with_pair(balancer, chain, tmp_path / "one.key")
    one, other = (tmp_path / "one.crt").read_text(), signed(tmp_path, "other", 90).read_text()
    chain.write_text(one + other)
    assert balancer.command("check").returncode == 0
    chain.write_text(one + other.replace("-----BEGIN", "----BEGIN"))
    done = balancer.command("check", check=False)
    assert done.returncode == 1 and "certificate 2 of the file is broken" in done.stderr


@pytest.mark.parametrize("days, state", [(0, "expired"), (10, "expires"), (90, "good")])
def test_a_certificate_that_expires_is_told_of_everywhere(make_balancer, clusters, tmp_path, days, state):
    crt, ca = signed(tmp_path, "own", days), signed(tmp_path, "authority", days)
    balancer = make_balancer(["https://127.0.0.1:1", clusters[0].url], clusters[1].url, source_more=f"ca: {ca}",
                             start=False)
    with_pair(balancer, crt, tmp_path / "own.key")
    words = {"expired": "expired on 2021-01-01", "expires": "expires on 20", "good": None}[state]

    def tells(text):
        found = [line for line in text.splitlines() if "own.crt" in line and (words or "expire") in line]
        trusted = [line for line in text.splitlines() if "authority.crt" in line and (words or "expire") in line]
        return bool(found and trusted) if words else not found and not trusted

    done = balancer.command("check")
    assert tells(done.stderr), done.stderr
    if words:
        assert f"warning: listener: {crt} (CN=own) exp" in done.stderr
    balancer.start()
    until(lambda: tells(balancer.said()), what="the log to say so")
    assert tells(balancer.command("status").stdout)
    assert {c["file"]: c["state"] for c in balancer.status()["certificates"]} == {str(crt): state, str(ca): state}
    metrics = metrics_of(balancer)
    for use, file in ("listener", crt), ("source", ca):
        until_s = float(re.search(rf'not_after_seconds{{use="{use}",file="{file}"}} (\d+)', metrics)[1])
        assert days - 1 <= (until_s - time.time()) / 86400 <= days or state == "expired" and until_s == 1609459200
    # A reload looks again.
    good = signed(tmp_path, "fresh", 90)
    with_pair(balancer, good, tmp_path / "fresh.key")
    balancer.file.write_text(balancer.file.read_text().replace(str(ca), str(good)))
    assert balancer.reload()["ok"]
    assert {c["state"] for c in balancer.status()["certificates"]} == {"good"}
