"""What tests of the running program are given: clusters, certificates, balancers."""

import subprocess

import pytest

from cluster_stage import start_clusters
from stage import BACKENDS, Balancer, Node, echo_clusters, own_address
from warden import pytest_configure  # noqa: F401 (a hook)


# Their tests provoke no error: a line of one in a log is a failure. Others make files, disks and peers fail.
STRICT = ["bytes_test", "fields_test", "first_test", "history_test", "idle_test", "leaving_test",
          "response_timeout_test", "websocket_test", "writes_test", "sniffing_test"]


@pytest.fixture(scope="session")
def certificate(tmp_path_factory):
    at = tmp_path_factory.mktemp("tls")
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", at / "tls.key", "-out", at / "tls.crt", "-days", "90", "-subj", "/CN=crossfade.test",
         "-addext", "subjectAltName=DNS:crossfade.test,IP:127.0.0.1"], check=True, capture_output=True)
    return at


@pytest.fixture(scope="session")
def real_clusters(tmp_path_factory):
    yield from start_clusters(tmp_path_factory.mktemp("clusters"))


@pytest.fixture
def clusters():
    with echo_clusters("source", "target") as made:
        yield made


@pytest.fixture
def pair():
    """Two nodes of one cluster."""
    with echo_clusters("one", "two") as made:
        yield made


@pytest.fixture
def make_node():
    made = []

    def make(serve, **more):
        made.append(Node(serve, **more))
        return made[-1]

    yield make
    for node in made:
        node.close()


@pytest.fixture(params=BACKENDS)
def backend(request):
    return request.param


@pytest.fixture
def make_balancer(request, tmp_path, certificate):
    made = []

    def make(source, target, io="auto", weights=(1, 0), more="", cluster_more="", source_more="", start=True,
             wait=True):
        at = own_address()
        directory = tmp_path / f"balancer-{len(made)}"
        directory.mkdir()
        directory.chmod(0o755)  # whatever the test's umask is
        balancer = Balancer(directory, f"""\
listeners:
  weighted: {{ address: {at}:8443 }}
  source: {{ address: {at}:9201, tls: off }}
  target: {{ address: {at}:9202, tls: off }}
tls: {{ certificate: {certificate}/tls.crt, key: {certificate}/tls.key }}
source:
  nodes: [ {", ".join([source] if isinstance(source, str) else source)} ]
{cluster_more}
  {source_more}
target:
  nodes: [ {", ".join([target] if isinstance(target, str) else target)} ]
{cluster_more}
weights: {{ source: {weights[0]}, target: {weights[1]} }}
io: {io}
admin: {{ socket: admin.sock }}
state: state
{more}""")
        balancer.address = at
        balancer.weighted = f"https://{at}:8443"
        balancer.source = f"http://{at}:9201"
        balancer.target = f"http://{at}:9202"
        balancer.strict = request.node.path.stem in STRICT
        made.append(balancer)
        return balancer.start(wait) if start else balancer

    yield make
    for balancer in made:
        balancer.end()


@pytest.fixture
def balancer(make_balancer, clusters, backend):
    return make_balancer(clusters[0].url, clusters[1].url, io=backend)
