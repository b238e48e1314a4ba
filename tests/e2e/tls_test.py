"""TLS towards clients: versions, policies, protocols, tickets."""

import contextlib
import os
import re
import signal
import socket
import ssl
import subprocess

import pytest
from stage import read_all, until

ONLY_1_3 = "ELBSecurityPolicy-TLS13-1-3-2021-06"
GET = b"GET /tls HTTP/1.1\r\nHost: crossfade.test\r\nConnection: close\r\n\r\n"


def context(least=ssl.TLSVersion.TLSv1_2, most=ssl.TLSVersion.TLSv1_3, ciphers=None, alpn=None):
    c = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    c.check_hostname, c.verify_mode = False, ssl.CERT_NONE
    if ciphers:
        c.set_ciphers(ciphers)
    c.minimum_version, c.maximum_version = least, most
    if alpn:
        c.set_alpn_protocols(alpn)
    return c


def connect(balancer, c, session=None, name="crossfade.test"):
    plain = socket.create_connection((balancer.address, 8443), 10)
    try:
        return c.wrap_socket(plain, server_hostname=name, session=session)
    except BaseException:
        plain.close()
        raise


def ask(balancer, c, session=None, name="crossfade.test"):
    with connect(balancer, c, session, name) as s:
        s.sendall(GET)
        assert read_all(s).startswith(b"HTTP/1.1 200")
        return s.version(), s.cipher()[0], s.selected_alpn_protocol(), s.session, s.session_reused


@pytest.fixture
def strict(make_balancer, clusters, backend):
    at = make_balancer(clusters[0].url, clusters[1].url, io=backend, start=False)
    at.file.write_text(at.file.read_text().replace("tls.key }", f"tls.key, policy: {ONLY_1_3} }}"))
    return at.start()


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_1_2_and_1_3_are_spoken_and_1_1_is_refused(balancer):
    v = ssl.TLSVersion
    assert ask(balancer, context(v.TLSv1_2, v.TLSv1_2))[0] == "TLSv1.2"
    assert ask(balancer, context(v.TLSv1_3, v.TLSv1_3))[0] == "TLSv1.3"
    assert ask(balancer, context())[0] == "TLSv1.3"
    with pytest.raises(ssl.SSLError, match="(?i)version"):
        ask(balancer, context(v.TLSv1, v.TLSv1_1, "ALL:@SECLEVEL=0"))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_why_a_handshake_with_a_client_failed_is_told(balancer):
    v = ssl.TLSVersion
    believing = ssl.create_default_context()
    rows = [
        (context(v.TLSv1, v.TLSv1_1, "ALL:@SECLEVEL=0"), "offers no version of TLS that is allowed", "tls_version"),
        (context(most=v.TLSv1_2, ciphers="AES128-SHA"), "no cipher suite is in common", "tls_cipher"),
        (believing, "", r"tls_certificate_distrusted|tls_left"),  # its reset may overtake its word
    ]
    for c, words, word in rows:
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ask(balancer, c)
        until(lambda words=words, word=word: any(
            "listener weighted: TLS with client 127." in line and words in line and re.search(rf"\((?:{word})", line)
            for line in balancer.said().splitlines()))
    with socket.create_connection((balancer.address, 8443), 10) as plain:
        plain.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert plain.recv(100) == b""
    until(lambda: "the client does not use it. (its first bytes are HTTP) (tls_not_spoken" in balancer.said())


def test_1_2_has_forward_secrecy_and_gcm_only(balancer):
    v = ssl.TLSVersion.TLSv1_2
    for cipher in "ECDHE-ECDSA-AES128-GCM-SHA256", "ECDHE-ECDSA-AES256-GCM-SHA384":
        assert ask(balancer, context(v, v, cipher))[1] == cipher
    for cipher in "ECDHE-ECDSA-AES128-SHA256", "ECDHE-ECDSA-AES256-SHA", "AES128-GCM-SHA256":
        with pytest.raises((ssl.SSLError, ConnectionError)):
            ask(balancer, context(v, v, cipher + ":@SECLEVEL=0"))


def test_the_policy_of_1_3_refuses_1_2(strict):
    v = ssl.TLSVersion
    assert ask(strict, context())[0] == "TLSv1.3"
    with pytest.raises(ssl.SSLError, match="(?i)version"):
        ask(strict, context(v.TLSv1_2, v.TLSv1_2))


def test_http_1_1_is_agreed_on_and_a_client_of_h2_alone_is_refused(balancer):
    assert ask(balancer, context())[2] is None
    assert ask(balancer, context(alpn=["http/1.1"]))[2] == "http/1.1"
    assert ask(balancer, context(alpn=["h2", "http/1.1"]))[2] == "http/1.1"
    for only in ["h2"], ["spdy/3", "h2"]:
        with pytest.raises(ssl.SSLError, match="(?i)no.application.protocol"):
            ask(balancer, context(alpn=only))


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed_by_every_worker_and_after_a_crash(make_balancer, clusters, version):
    balancer = make_balancer(clusters[0].url, clusters[1].url, more="workers: 2")
    c = context(version, version)
    session = ask(balancer, c)[3]
    # Which worker gets a connection is chance: that all of 12 meet the same one is not.
    for _ in range(12):
        assert ask(balancer, c, session)[4]
    before = balancer.working_pid()
    os.kill(before, signal.SIGKILL)
    until(lambda: balancer.working_pid() not in (None, before) and balancer.is_up(), 20, "its heir")
    assert ask(balancer, c, session)[4]


def test_a_session_that_is_no_ticket_of_ours_is_a_full_handshake(balancer, make_balancer, clusters):
    other = make_balancer(clusters[0].url, clusters[1].url)
    c = context()
    session = ask(other, c)[3]
    assert ask(other, c, session)[4]
    assert not ask(balancer, c, session)[4]


@pytest.mark.parametrize("version", [ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3])
def test_a_session_is_resumed_for_its_own_name_alone(balancer, version):
    c = context(version, version)
    for name, others in (("a.test", ["b.test", "a.tes", "a.test.b", None]), (None, ["a.test"])):
        session = ask(balancer, c, name=name)[3]
        for other in others:
            assert not ask(balancer, c, session, other)[4], (name, other)
        assert ask(balancer, c, session, name)[4]
        assert ask(balancer, c, session, name and name.upper())[4]


def test_early_data_is_off(balancer, tmp_path):
    ticket, early = tmp_path / "ticket", tmp_path / "early"
    early.write_bytes(GET)
    where = ["openssl", "s_client", "-connect", f"{balancer.address}:8443", "-tls1_3", "-ign_eof"]
    first = subprocess.run([*where, "-sess_out", ticket], input=GET, capture_output=True, timeout=20, check=True)
    assert b"Max Early Data: 0" in first.stdout
    again = subprocess.run([*where, "-sess_in", ticket, "-early_data", early], input=GET, capture_output=True,
                           timeout=20, check=False)
    assert b"Reused, TLSv1.3" in again.stdout and b"Early data was accepted" not in again.stdout


def test_a_client_that_finishes_inside_tls_is_served(balancer):
    with socket.create_connection((balancer.address, 8443), 10) as plain:
        to_us, from_us = ssl.MemoryBIO(), ssl.MemoryBIO()
        tls = context().wrap_bio(to_us, from_us, server_hostname="crossfade.test")

        def until_done(step):
            while True:
                try:
                    return step()
                except ssl.SSLWantReadError:
                    plain.sendall(from_us.read())
                    got = plain.recv(65536)
                    if not got:
                        return None
                    to_us.write(got)

        until_done(tls.do_handshake)
        tls.write(b"GET /half HTTP/1.1\r\nHost: a\r\n\r\n")
        with pytest.raises(ssl.SSLWantReadError):
            tls.unwrap()
        plain.sendall(from_us.read())
        response = b""
        while b'"path": "/half"' not in response:
            part = until_done(lambda: tls.read(65536))
            assert part, response
            response += part
        assert response.startswith(b"HTTP/1.1 200")


def test_rubbish_costs_only_its_own_connection(balancer):
    for rubbish in b"GET / HTTP/1.1\r\nHost: a\r\n\r\n", b"\x16\x03\x01\xff\xff" + bytes(70_000), b"\x00" * 600:
        with socket.create_connection((balancer.address, 8443), 10) as s:
            try:
                s.sendall(rubbish)
                while s.recv(65536):
                    pass
            except ConnectionError:
                pass
    assert ask(balancer, context())[0] == "TLSv1.3"
