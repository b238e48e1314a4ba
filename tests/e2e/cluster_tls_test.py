"""TLS towards clusters: whom the balancer believes."""

import socket
import ssl
import subprocess

import pytest
import requests
from stage import EchoCluster, own_address


class Authority:
    """Signs certificates."""

    def __init__(self, at):
        self.at = at
        self.certificate = at / "ca.crt"
        self.made = 0
        self.openssl("req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout",
                     at / "ca.key", "-out", self.certificate, "-days", "30", "-subj", "/CN=authority")

    @staticmethod
    def openssl(*words):
        subprocess.run(["openssl", *words], check=True, capture_output=True)

    def context(self, names, days="30", common="node"):
        """Of a server with a certificate for these names."""
        self.made += 1
        base = self.at / f"node-{self.made}"
        key, request, certificate, extension = (base.with_suffix(s) for s in (".key", ".csr", ".crt", ".ext"))
        extension.write_text(f"subjectAltName={names}\n" if names else "basicConstraints=CA:FALSE\n")
        self.openssl("req", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-keyout", key,
                     "-out", request, "-subj", f"/CN={common}")
        self.openssl("x509", "-req", "-in", request, "-CA", self.certificate, "-CAkey", self.at / "ca.key",
                     "-CAcreateserial", "-days", days, "-extfile", extension, "-out", certificate)
        c = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
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
    assert refused(balancer, "certificate_of_cluster")
    assert tls.asked["/tls"] == 0


def test_a_certificate_for_another_name_is_not_believed(make_balancer, clusters, authority, node):
    tls = node(authority.context("IP:127.0.0.99,DNS:other.internal"))
    balancer = make_balancer(tls.url, clusters[1].url, source_more=f"ca: {authority.certificate}")
    assert refused(balancer, "certificate_of_cluster")
    assert tls.asked["/tls"] == 0


def test_verify_off_believes_everybody_and_says_so(make_balancer, clusters, authority, node):
    tls = node(authority.context("DNS:other.internal"))
    balancer = make_balancer(tls.url, clusters[1].url, source_more="verify: off")
    assert get(balancer).json()["cluster"] == "tls"
    assert balancer.said().count("verify: off believes whoever answers") == 1
    checked = balancer.command("check", "-c", balancer.file)
    assert checked.stderr.count("verify: off believes whoever answers") == 1


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


def test_a_node_without_tls_is_a_502(make_balancer, clusters):
    balancer = make_balancer(clusters[0].url.replace("http:", "https:"), clusters[1].url)
    assert refused(balancer, "tls_to_cluster")


def test_a_node_with_old_tls_is_a_502(make_balancer, clusters, authority, node):
    address = own_address()
    context = authority.context(f"IP:{address}")
    context.set_ciphers("ALL:@SECLEVEL=0")
    with pytest.warns(DeprecationWarning):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    balancer = make_balancer(node(context, address).url, clusters[1].url,
                             source_more=f"ca: {authority.certificate}")
    assert refused(balancer, "tls_to_cluster")


def test_an_answer_cut_inside_tls_is_not_whole(make_balancer, make_node, clusters, authority):
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
