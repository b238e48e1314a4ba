"""TLS towards clusters: whom the balancer believes."""

import socket
import ssl
import subprocess
import time
import warnings

import pytest
import requests
from stage import EchoCluster, own_address, until


class Authority:
    """Signs certificates."""

    def __init__(self, at):
        self.at = at
        self.certificate = at / "ca.crt"
        self.made = 0
        self.expired = False
        self.kind = ["ec", "-pkeyopt", "ec_paramgen_curve:P-256"]
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                     at / "ca.key", "-out", self.certificate, "-days", "30", "-subj", "/CN=authority")

    @staticmethod
    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    def sign_as_of_2020(self, request, extension, certificate):
        """By `openssl ca`, which alone takes dates."""
        (self.at / "index").write_text("")
        (self.at / "serial").write_text("01")
        file = self.at / "ca.cnf"
        file.write_text(f"[ca]\ndefault_ca = x\n[x]\ndir = {self.at}\ndatabase = $dir/index\nserial = $dir/serial\n"
                        "new_certs_dir = $dir\ndefault_md = sha256\npolicy = p\n[p]\ncommonName = supplied\n")
        self.openssl("ca", "-batch", "-notext", "-config", file, "-cert", self.certificate, "-keyfile",
                     self.at / "ca.key", "-in", request, "-extfile", extension, "-startdate", "20200101000000Z",
                     "-enddate", "20210101000000Z", "-out", certificate)

    def context(self, names, days="30", common="node"):
        """Of a server with a certificate for these names."""
        self.made += 1
        base = self.at / f"node-{self.made}"
        key, request, certificate, extension = (base.with_suffix(s) for s in (".key", ".csr", ".crt", ".ext"))
        extension.write_text(f"subjectAltName={names}\n" if names else "basicConstraints=CA:FALSE\n")
        self.openssl("req", "-newkey", *self.kind, "-nodes", "-keyout", key, "-out", request, "-subj", f"/CN={common}")
        if self.expired:
            self.sign_as_of_2020(request, extension, certificate)
        else:
            self.openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.at / "ca.key",
                         "-CAcreateserial", "-days", days, "-extfile", extension, "-out", certificate)
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        c.set_ciphers("DEFAULT:@SECLEVEL=0")
        c.load_cert_chain(certificate, key)
        return c


@pytest.fixture
def authority(tmp_path):
    (tmp_path / "authority").mkdir()
    return Authority(tmp_path / "authority")


@pytest.fixture
def node():
    made = []

    def make(context, address=None, port=9200):
        made.append(EchoCluster("tls", address or own_address(), port, tls=context))
        return made[-1]

    yield make
    for cluster in made:
        cluster.close()


def get(balancer):
    return requests.get(balancer.source + "/tls", timeout=20)


def refused(balancer, word):
    got = get(balancer)
    return got.status_code == 502 and got.headers["X-Crossfade-Error"] == word


def told(balancer, tls):
    """The line of the log, which names the node."""
    until(lambda: "TLS with node" in balancer.said())
    said = [line for line in balancer.said().splitlines() if "TLS with node" in line]
    assert all(f"{tls.address}:{tls.port}" in line for line in said)
    return said[0]


def test_a_node_is_verified_by_its_ca(make_balancer, clusters, authority, node, backend):
    address = own_address()
    tls = node(authority.context(f"IP:{address}"), address)
    balancer = make_balancer(tls.url, clusters[1].url, io=backend, source_more=f"ca: {authority.certificate}")
    body = bytes(range(256)) * 8000
    got = requests.post(balancer.source + "/tls", data=body, timeout=20).json()
    assert (got["cluster"], got["length"]) == ("tls", len(body))
    for _ in range(3):
        assert get(balancer).json()["cluster"] == "tls"


def test_an_unknown_authority_is_not_believed(make_balancer, clusters, authority, node):
    address = own_address()
    tls = node(authority.context(f"IP:{address}"), address)
    balancer = make_balancer(tls.url, clusters[1].url)
    assert refused(balancer, "certificate_of_cluster_issuer_unknown")
    assert "its issuer 'authority' is not in the system's trust store (there is no `ca`)" \
        in told(balancer, tls)
    assert tls.asked["/tls"] == 0


def test_a_certificate_for_another_name_is_not_believed(make_balancer, clusters, authority, node):
    tls = node(authority.context("IP:127.0.0.99,DNS:other.internal"))
    balancer = make_balancer(tls.url, clusters[1].url, source_more=f"ca: {authority.certificate}")
    assert refused(balancer, "certificate_of_cluster_for_another_name")
    assert f"it is for 127.0.0.99, other.internal, not for {tls.address}" in told(balancer, tls)
    assert tls.asked["/tls"] == 0


def test_verify_off_believes_everybody_and_says_so(make_balancer, clusters, authority, node):
    tls = node(authority.context("DNS:other.internal"))
    balancer = make_balancer(tls.url, clusters[1].url, source_more="verify: off")
    assert get(balancer).json()["cluster"] == "tls"
    assert balancer.said().count("verify: off trusts any server") == 1
    checked = balancer.command("check", "-c", balancer.file)
    assert checked.stderr.count("verify: off trusts any server") == 1


def test_a_certificate_with_a_common_name_alone_is_not_believed(make_balancer, clusters, authority, node):
    context = authority.context(None, common="localhost")
    tls = node(context, "127.0.0.1", 0)
    balancer = make_balancer(f"https://localhost:{tls.port}", clusters[1].url,
                             source_more=f"ca: {authority.certificate}")
    assert get(balancer).status_code == 502  # the last of its addresses may be one where nobody listens
    assert tls.asked["/tls"] == 0


def test_a_name_is_verified_and_sent_as_sni(make_balancer, clusters, authority, node):
    asked = []
    context = authority.context("DNS:localhost")
    context.sni_callback = lambda socket, name, context: asked.append(name)
    tls = node(context, "127.0.0.1", 0)
    balancer = make_balancer(f"https://localhost:{tls.port}", clusters[1].url,
                             source_more=f"ca: {authority.certificate}")
    assert get(balancer).json()["cluster"] == "tls"
    assert set(asked) == {"localhost"}


def test_an_address_is_not_sent_as_sni(make_balancer, clusters, authority, node):
    asked, address = [], own_address()
    context = authority.context(f"IP:{address}")
    context.sni_callback = lambda socket, name, context: asked.append(name)
    balancer = make_balancer(node(context, address).url, clusters[1].url,
                             source_more=f"ca: {authority.certificate}")
    assert get(balancer).json()["cluster"] == "tls"
    assert set(asked) == {None}


def test_a_certificate_that_has_expired_is_told_with_its_day(make_balancer, clusters, authority, node):
    address = own_address()
    authority.expired = True
    tls = node(authority.context(f"IP:{address}"), address)
    balancer = make_balancer(tls.url, clusters[1].url, source_more=f"ca: {authority.certificate}")
    assert refused(balancer, "certificate_of_cluster_expired")
    assert "it expired on 2021-01-01 00:00 UTC" in told(balancer, tls)


@pytest.mark.parametrize("version", ["TLSv1_2", "TLSv1_3"])
def test_a_node_that_wants_a_client_certificate_is_told_of(make_balancer, clusters, authority, node, version):
    address = own_address()
    context = authority.context(f"IP:{address}")
    context.verify_mode = ssl.CERT_REQUIRED
    context.maximum_version = context.minimum_version = ssl.TLSVersion[version]
    tls = node(context, address)
    balancer = make_balancer(tls.url, clusters[1].url, source_more=f"ca: {authority.certificate}")
    assert refused(balancer, "tls_to_cluster_client_certificate")
    assert "asks for a client certificate" in told(balancer, tls)


def test_a_node_without_a_cipher_in_common_is_told_of(make_balancer, clusters, authority, node):
    address = own_address()
    context = authority.context(f"IP:{address}")
    context.maximum_version = ssl.TLSVersion.TLSv1_2
    context.set_ciphers("ECDHE-RSA-AES128-GCM-SHA256")  # its key is not RSA
    balancer = make_balancer(node(context, address).url, clusters[1].url,
                             source_more=f"ca: {authority.certificate}")
    assert refused(balancer, "tls_to_cluster_cipher")


def test_a_node_without_tls_is_a_502(make_balancer, make_node, clusters):
    """One that answers what is no request, whether it closes or waits for more."""
    for says in (b"HTTP/1.1 400 Bad Request\r\n\r\n", b"H", b"HTTP"):
        node = make_node(lambda c, says=says: c.sendall(says if c.recv(65536) else b"") or c.recv(65536))
        balancer = make_balancer(node.url.replace("http:", "https:"), clusters[1].url)
        assert refused(balancer, "tls_to_cluster_not_spoken")
        until(lambda b=balancer: "The cluster's node does not use TLS on this port." in b.said())


def test_a_node_that_waits_for_http_may_speak_no_tls(make_balancer, clusters, make_node):
    node = make_node(lambda c: c.recv(65536) and c.recv(65536))
    balancer = make_balancer(node.url.replace("http:", "https:"), clusters[1].url,
                             source_more="timeouts: { connect: 500ms }")
    got = get(balancer)
    assert got.status_code == 504 and "speaks HTTP without TLS" in got.json()["message"]
    until(lambda b=balancer: "it has not sent a byte" in b.said())


def test_failures_of_one_kind_are_told_once_a_second_with_their_count(make_balancer, clusters, authority, node):
    tls = node(authority.context("DNS:other.internal"))
    balancer = make_balancer(tls.url, clusters[1].url, more="workers: 1",
                             source_more=f"ca: {authority.certificate}\n  eject: {{ failures: 0 }}")
    begin = time.monotonic()
    while time.monotonic() < begin + 1.5:
        get(balancer)
    told = [line for line in balancer.said().splitlines() if "TLS with node" in line]
    assert 2 <= len(told) <= 3 and " more since the last line)" in told[1]


def test_a_node_with_old_tls_is_a_502(make_balancer, clusters, authority, node):
    address = own_address()
    context = authority.context(f"IP:{address}")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    balancer = make_balancer(node(context, address).url, clusters[1].url,
                             source_more=f"ca: {authority.certificate}")
    assert refused(balancer, "tls_to_cluster_version")
    until(lambda b=balancer: "it offers TLS 1.1 at most, which `tls: legacy` of its cluster would allow" in b.said())


@pytest.mark.parametrize("version", ["TLSv1", "TLSv1_1", "TLSv1_2"])
def test_a_cluster_may_be_of_an_older_age(make_balancer, clusters, authority, node, version):
    """With a key of 1,024 bits, too; the other cluster is held to what is safe."""
    address, other = own_address(), own_address()
    authority.kind = ["rsa:1024"]
    made = []
    for at in (address, other):
        context = authority.context(f"IP:{at}")
        context.set_ciphers("ALL:@SECLEVEL=0")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            context.minimum_version = context.maximum_version = ssl.TLSVersion[version]
        made.append(node(context, at))
    balancer = make_balancer(made[0].url, made[1].url, cluster_more=f"  ca: {authority.certificate}",
                             source_more="tls: legacy")
    assert get(balancer).json()["cluster"] == "tls"
    word = "certificate_of_cluster_weak" if version == "TLSv1_2" else "tls_to_cluster_version"
    assert requests.get(balancer.target + "/tls", timeout=20).headers["X-Crossfade-Error"] == word
    assert balancer.said().count("tls: legacy accepts TLS 1.0 and 1.1") == 1
    checked = balancer.command("check", "-c", balancer.file)
    assert checked.stderr.count("warning: tls: legacy accepts TLS 1.0 and 1.1") == 1


def test_a_response_cut_inside_tls_is_not_whole(make_balancer, make_node, clusters, authority):
    """A close-delimited answer whose connection ends without close_notify may have been cut by anybody."""
    address = own_address()
    context = authority.context(f"IP:{address}")

    def serve(connection):
        with context.wrap_socket(connection, server_side=True) as tls:
            tls.recv(65536)
            tls.sendall(b"HTTP/1.1 200 OK\r\n\r\nhalf of it")
            socket.close(tls.detach())

    node = make_node(serve, address=address)
    balancer = make_balancer(node.url.replace("http:", "https:"), clusters[1].url,
                             source_more=f"ca: {authority.certificate}\n  health: {{ interval: 1h, failures: 9 }}")
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        get(balancer)
