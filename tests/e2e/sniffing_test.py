"""Clients that ask where the cluster's nodes are stay with the balancer."""

import http.client
import json
import os
import shutil
import ssl
import subprocess
import sys
from urllib.parse import urlsplit

import pytest
from stage import ROOT

CLIENTS = ROOT / "tests/clients"

# sys.argv: URL. Sniffs as it starts, writes to what it found, prints where that is.
PYTHON = """
import sys, warnings
warnings.simplefilter("ignore")
from %s import %s as Client
tls = dict(use_ssl=True, verify_certs=False, ssl_show_warn=False) if sys.argv[1].startswith("https") else {}
client = Client([sys.argv[1]], sniff_on_start=True, **tls)
client.transport.perform_request("PUT", "/written-by-python", body={})
for connection in client.transport.connection_pool.connections:
    print(connection.host)
"""


def place(name):
    """Where a client is that has no room in the tests' own environment."""
    found = subprocess.run([CLIENTS / "clients", "where", name], capture_output=True, text=True)
    if found.returncode:
        pytest.skip(found.stderr.strip())
    return found.stdout.strip()


def need(tool):
    if not shutil.which(tool):
        pytest.skip(f"{tool} is not here: ./dev test all installs it")


def opensearch_py(url):
    return [sys.executable, "-c", PYTHON % ("opensearchpy", "OpenSearch"), url], {}


def elasticsearch_py(url):
    return [place("python"), "-c", PYTHON % ("elasticsearch", "Elasticsearch"), url], {}


def javascript(package):
    def command(url):
        need("node")
        return ["node", CLIENTS / "javascript/sniff.js", package, url], {"CLIENTS": place("javascript")}
    return command


def java(url):
    need("java")
    if url.startswith("https"):
        pytest.skip("the certificate of the tests is of an authority that Java does not know; in clear text it is tried")
    return ["java", "-cp", place("java"), CLIENTS / "java/Sniff.java", url], {}


SNIFFERS = {
    "opensearch-py": opensearch_py, "elasticsearch-py": elasticsearch_py,
    "elasticsearch-js": javascript("@elastic/elasticsearch"),
    "opensearch-js": javascript("@opensearch-project/opensearch"),
}


def sniff(command, url):
    words, more = command(url)
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, env={**os.environ, **more})
    assert done.returncode == 0, done.stderr
    return done.stdout.split()


def ask(url, path, method="GET", headers=()):
    at = urlsplit(url)
    if at.scheme == "https":
        c = http.client.HTTPSConnection(at.hostname, at.port, timeout=10, context=ssl._create_unverified_context())
    else:
        c = http.client.HTTPConnection(at.hostname, at.port, timeout=10)
    c.request(method, path, headers=dict(headers))
    response = c.getresponse()
    return response, response.read()


def published(url, path="/_nodes/http", headers=()):
    response, body = ask(url, path, headers=headers)
    assert response.status == 200, body
    [node] = json.loads(body)["nodes"].values()
    return node["http"]["publish_address"]


@pytest.fixture
def search(make_balancer, clusters):
    def make(more="profile: opensearch"):
        return make_balancer(clusters[0].url, clusters[1].url, more=f"workers: 1\n{more}")
    return make


def write_arrived(clusters, arm):
    return any(path.startswith("/written-by") for path in clusters[arm].asked)


@pytest.mark.parametrize("client", SNIFFERS)
@pytest.mark.parametrize("listener, arm", [("weighted", 0), ("source", 0), ("target", 1)])
def test_a_client_that_sniffs_stays_with_the_listener_it_came_by(search, clusters, client, listener, arm):
    url = getattr(search(), listener)
    assert sniff(SNIFFERS[client], url) == [url]
    assert write_arrived(clusters, arm)


@pytest.mark.parametrize("listener, arm", [("source", 0), ("target", 1)])
def test_java_that_sniffs_stays_with_the_listener_it_came_by(search, clusters, listener, arm):
    url = getattr(search(), listener)
    assert sniff(java, url) == [url]
    assert write_arrived(clusters, arm)


def test_the_address_is_what_the_client_calls_it(search):
    balancer = search()
    for path in "/_nodes/http", "/_nodes/_all/http?timeout=1s", "/_nodes/http,settings", "/_nodes/data:true/http", \
            "/_nodes/_local/http", "/_nodes/_all/http,transport", "//_nodes/http", "/%5fnodes/http", "/_nodes/http%2Csettings":
        assert published(balancer.source, path, {"Host": "search.example:9200"}) == "search.example:9200"
    php = {"Host": "search.example:9200", "User-Agent": "elasticsearch-php/7.17.0 (Linux 6.1; PHP 8.2.0)"}
    assert published(balancer.source, "/_nodes/", php) == "search.example:9200"
    assert published(balancer.source, headers={"Host": "search.example"}) == "search.example:80"
    assert published(balancer.weighted, headers={"Host": "search.example"}) == "search.example:443"


@pytest.mark.parametrize("trust", [True, False])
def test_a_trusted_balancer_in_front_says_where_the_client_came_by(make_balancer, clusters, trust):
    balancer = make_balancer(clusters[0].url, clusters[1].url, more="profile: opensearch", start=False)
    file = balancer.directory / "crossfade.yaml"
    trusted = "127.0.0.0/8" if trust else "192.0.2.1"
    file.write_text(file.read_text().replace(":9201, tls: off", f":9201, tls: off, trust: {trusted}"))
    balancer.start()
    headers = {"Host": "search.example", "X-Forwarded-Proto": "https"}
    assert published(balancer.source, headers=headers) == ("search.example:443" if trust else "search.example:80")
    headers["X-Forwarded-Host"] = "outside.example:8443"
    assert published(balancer.source, headers=headers) == ("outside.example:8443" if trust else "search.example:80")


@pytest.mark.parametrize("path", [
    "/_nodes", "/_nodes/", "/_nodes/stats", "/_nodes/_all/stats/http", "/_nodes/es-1/http", "/_nodes/os,jvm", "/_cat/nodes",
    "/_nodes?filter_path=nodes.*.version,nodes.*.http.publish_address,nodes.*.ip",
])
def test_what_people_and_dashboards_ask_of_nodes_is_the_clusters(search, clusters, path):
    response, body = ask(search().source, path)
    assert response.status == 200 and json.loads(body)["cluster"] == "source"
    assert clusters[0].asked[path] == 1


@pytest.mark.parametrize("more, status, done", [
    ("profile: opensearch", 200, "responded"),
    ("profile: opensearch\nsniffing: refuse", 403, "refused"),
    ("profile: opensearch\nsniffing: pass", 200, "passed"),
    ("sniffing: respond", 200, "responded"),
    ("", 200, None),
])
def test_sniffing_is_counted_and_said_once(search, clusters, more, status, done):
    balancer = search(more)
    for _ in range(3):
        response, _ = ask(balancer.source, "/_nodes/_all/http")
        assert response.status == status
        assert response.getheader("X-Crossfade-Error") == ("sniffing_refused" if status == 403 else None)
    assert clusters[0].asked["/_nodes/_all/http"] == (3 if done in (None, "passed") else 0)
    metrics = metrics_of(balancer)
    for what in "responded", "refused", "passed":
        assert f'crossfade_sniffing_requests_total{{done="{what}"}} {3 if what == done else 0}\n' in metrics
    assert balancer.said().count("asked for the addresses of the cluster's nodes") == (1 if done else 0)


def metrics_of(balancer):
    got = subprocess.run(["curl", "-sf", "--unix-socket", balancer.directory / "admin.sock", "http://x/metrics"],
                         capture_output=True, text=True, check=True)
    return got.stdout
