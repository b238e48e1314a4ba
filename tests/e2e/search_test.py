"""Real input: a real Elasticsearch 7.10 and a real OpenSearch 2.19, their own client, weights that change meanwhile."""

import http.client
import json
import random
import re
import socket
import subprocess
import threading
import time

import pytest
from opensearchpy import OpenSearch, helpers
from stage import ROOT, exchange, until

DOCUMENTS = 5000
THREADS = 8
CHANGES = 200
SECONDS = {"io_uring": 30, "epoll": 10}


@pytest.fixture(scope="session")
def servers(real_clusters):
    """URLs of both, by arm."""
    return {arm: cluster.url for arm, cluster in real_clusters.items()}


@pytest.fixture
def balancer(make_balancer, servers, backend):
    return make_balancer(servers["source"], servers["target"], io=backend, more="workers: 2")


def client(balancer, port):
    tls = {"use_ssl": True, "verify_certs": False, "ssl_show_warn": False} if port == 8443 else {}
    # One that is not served must show: no retries.
    return OpenSearch([{"host": balancer.address, "port": port}], timeout=30, max_retries=0, maxsize=1, **tls)


def document(n):
    return {"number": n, "text": f"document number {n}", "kind": ("odd", "even")[n % 2 == 0]}


def fill(search, index):
    search.indices.create(index, {"settings": {"number_of_shards": 2, "number_of_replicas": 0}})
    actions = ({"_index": index, "_id": str(n), "_source": document(n)} for n in range(DOCUMENTS))
    assert helpers.bulk(search, actions, chunk_size=1000) == (DOCUMENTS, [])
    search.indices.refresh(index)


@pytest.mark.parametrize("port", [9201, 9202], ids=["source", "target"])
def test_a_client_works_through_each_side(balancer, port):
    search, index = client(balancer, port), "through"
    search.indices.delete(index, ignore_unavailable=True)
    version = search.info()["version"]
    assert (version.get("distribution"), version["number"].split(".")[0]) == {
        9201: (None, "7"), 9202: ("opensearch", "2")}[port]
    fill(search, index)
    # The client sends a search's body with GET when it is told to, and with POST else.
    query = {"query": {"term": {"kind.keyword": "even"}}, "size": 3, "sort": ["number"], "track_total_hits": True}
    for method in "GET", "POST":
        found = search.transport.perform_request(method, f"/{index}/_search", body=query)
        assert found["hits"]["total"]["value"] == DOCUMENTS // 2
        assert [hit["_source"]["number"] for hit in found["hits"]["hits"]] == [0, 2, 4]
    scrolled = helpers.scan(search, {"query": {"match_all": {}}}, index=index, size=700)
    assert sorted(hit["_source"]["number"] for hit in scrolled) == list(range(DOCUMENTS))
    assert search.delete(index, "7")["result"] == "deleted"
    assert not search.exists(index, "7")
    search.indices.delete(index)
    assert not search.indices.exists(index)


@pytest.mark.parametrize("port", [9201, 9202], ids=["source", "target"])
def test_a_bulk_that_is_too_large_gets_the_clusters_refusal(balancer, port):
    """Theirs is at 100 MiB, by default, and comes before the bulk is read."""
    size = 101 << 20
    with socket.create_connection((balancer.address, port), 10) as c:
        head = f"POST /_bulk HTTP/1.1\r\nHost: a\r\nContent-Type: application/json\r\nContent-Length: {size}\r\n\r\n"
        got = exchange(c, head.encode() + bytes(size), lambda got: b"\r\n\r\n" in got)
    assert got.startswith(b"HTTP/1.1 413 "), got[:300]


def ask(url, method, path, body=None):
    """As it stands there: requests would decode what is encoded for nothing."""
    address = url.removeprefix("http://").split(":")
    connection = http.client.HTTPConnection(*address, timeout=30)
    connection.request(method, path, body, {"Content-Type": "application/json"} if body else {})
    response = connection.getresponse()
    text = response.read().decode()
    connection.close()
    return response.status, text


def count_documents(url):
    ask(url, "POST", "/_refresh")
    rows = ask(url, "GET", "/_cat/indices?h=index,docs.count&expand_wildcards=all")[1].split("\n")
    return {tuple(row.split()) for row in rows if row and row.split()[1] != "0"}


def what_rules_call_a_read(index):
    """What may carry a document, or delete one."""
    stand_for = {"index": index, "type": "words", "id": "1", "context": "1"}
    for row in (ROOT / "src/proxy/class.def").read_text().splitlines():
        rule = re.match(r"RULE\((POST|DELETE), READ, \w+, (.*)\)", row)
        if rule:
            yield rule[1], "/" + "/".join(stand_for.get(word, word) for word in rule[2].split(", "))


@pytest.mark.parametrize("arm", ["source", "target"])
def test_no_cluster_stores_or_deletes_what_a_rule_calls_a_read(servers, arm):
    url = servers[arm]
    assert ask(url, "PUT", "/known/_doc/1", '{"a": 1}')[0] in (200, 201)
    before = count_documents(url)
    assert ("known", "1") in before
    try:
        for index in "known", "unknown":
            asked = list(what_rules_call_a_read(index))
            assert len(asked) > 100
            for method, path in asked:
                ask(url, method, path, '{"a": 2}')
        assert count_documents(url) == before
        assert json.loads(ask(url, "GET", "/known/_doc/1")[1])["_source"] == {"a": 1}
    finally:
        # A cluster that lacks a plugin may have made an empty one; other tests compare what the two have.
        for index in "known", "unknown":
            ask(url, "DELETE", f"/{index}")


TODAY = "%3Cclasses-%7Bnow%2Fd%7D%3E"
ADDRESS = "https%3A%2F%2Fexample.org%2F%7Ea%3Fb%3Bc%2520d%23e"
ENCODED = [
    ("PUT", f"/{TODAY}", None, "write"),
    ("PUT", f"/{TODAY}/_doc/{ADDRESS}", '{"a": 1}', "write"),
    ("POST", f"/{TODAY}/_doc/%C3%A4%20b?refresh=true", '{"a": 2}', "write"),
    ("PUT", "/classes-%C3%A4/_doc/1?refresh=true", '{"a": 3}', "write"),
    ("GET", f"/{TODAY}/_doc/{ADDRESS}", None, "read"),
    ("HEAD", f"/{TODAY}/_doc/{ADDRESS}", None, "read"),
    ("GET", f"/{TODAY}/_source/%C3%A4%20b", None, "read"),
    ("POST", f"/{TODAY}/_explain/{ADDRESS}", '{"query": {"match_all": {}}}', "read"),
    ("POST", f"/{TODAY}/_search", "{}", "read"),
    ("GET", f"/{TODAY}/_search", "{}", "read"),
    ("POST", f"/{TODAY}%2C%3Cclasses-%7Bnow%2Fd-1d%7D%3E/_search?ignore_unavailable=true", "{}", "read"),
    ("POST", f"/{TODAY}/_count", "{}", "read"),
    ("POST", f"/{TODAY}/_field_caps?fields=%2A", None, "read"),
    ("POST", "/classes-%2A%2C-classes-%C3%A4/_search", "{}", "read"),
    ("POST", "/classes-%c3%a4/_search", "{}", "read"),
    ("GET", "/_cat/indices/classes-%2a", None, "read"),
    ("POST", f"/{TODAY}/_update/{ADDRESS}", '{"doc": {"a": 4}}', "write"),
    ("GET", f"/{TODAY}/_refresh", None, "write"),
    ("DELETE", f"/{TODAY}/_doc/{ADDRESS}", None, "write"),
    ("DELETE", f"/{TODAY}", None, "write"),
    ("DELETE", "/classes-%C3%A4", None, "write"),
]


def count_kind(balancer, arm, kind):
    text = subprocess.run(["curl", "-s", "--unix-socket", balancer.directory / "admin.sock", "http://a/metrics"],
                          capture_output=True, text=True, check=True).stdout
    name = f'crossfade_requests_by_kind_total{{listener="{arm}",cluster="{arm}",kind="{kind}"}}'
    return sum(int(line.split()[-1]) for line in text.splitlines() if line.startswith(name))


@pytest.mark.parametrize("arm", ["source", "target"])
def test_what_is_encoded_in_names_is_what_clusters_take_it_for(make_balancer, servers, arm):
    balancer = make_balancer(servers["source"], servers["target"], more="profile: opensearch\nworkers: 1")
    for method, path, body, kind in ENCODED:
        counted = count_kind(balancer, arm, kind) + 1
        status, text = ask(getattr(balancer, arm), method, path, body)
        assert status in (200, 201), (method, path, text)
        until(lambda: count_kind(balancer, arm, kind) == counted, what=f"{method} {path} as a {kind}")


class Load:
    """What applications do, in a thread: each response is looked at."""

    def __init__(self, balancer, index, over, seed):
        self.search, self.index, self.over = client(balancer, 8443), index, over
        self.chance = random.Random(seed)
        self.done, self.failure = 0, None
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        deeds = [self.put, self.get, self.find, self.bulk]
        try:
            while not self.over.is_set():
                self.chance.choice(deeds)()
                self.done += 1
        except Exception as failure:  # pylint: disable=broad-except
            self.failure = failure

    def put(self):
        n = self.chance.randrange(DOCUMENTS)
        assert self.search.index(self.index, document(n), id=str(n))["result"] == "updated"

    def get(self):
        n = self.chance.randrange(DOCUMENTS)
        assert self.search.get(self.index, str(n))["_source"] == document(n)

    def find(self):
        n = self.chance.randrange(DOCUMENTS)
        found = self.search.search({"query": {"term": {"number": n}}}, self.index)
        assert [hit["_source"] for hit in found["hits"]["hits"]] == [document(n)]

    def bulk(self):
        first = self.chance.randrange(DOCUMENTS - 100)
        lines = []
        for n in range(first, first + 100):
            lines += [{"index": {"_id": str(n)}}, document(n)]
        done = self.search.bulk(lines, self.index)
        assert not done["errors"] and len(done["items"]) == 100


def test_weights_change_under_real_clients_without_an_error(balancer, backend):
    index = "weighted"
    for port in 9201, 9202:
        search = client(balancer, port)
        search.indices.delete(index, ignore_unavailable=True)
        fill(search, index)
    over = threading.Event()
    load = [Load(balancer, index, over, seed) for seed in range(THREADS)]
    chance, began = random.Random(1), time.monotonic()
    try:
        for n in range(CHANGES):
            said = balancer.weights(chance.randrange(1000), 1 + chance.randrange(999))
            assert said["epoch"] == n + 2
            # Spread over the time: what is waited for is the clock.
            time.sleep(max(0, began + SECONDS[backend] * (n + 1) / CHANGES - time.monotonic()))
    finally:
        over.set()
        for one in load:
            one.thread.join()
    assert not [one.failure for one in load if one.failure]
    assert all(one.done for one in load)
    status = balancer.command("status", "-o", "json").stdout
    assert all(f'"{arm}"' in status for arm in ("source", "target"))


def test_smoke_compares_real_clusters(balancer):
    done = balancer.command("smoke", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
