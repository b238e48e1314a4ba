"""Clients that write every kind of write there is, to keys that overlap and to keys of their own."""

import json
import random
import threading

import requests

INDICES = ["books", "films", "visits"]
BY_ALIAS = "customers-of-r1"  # an alias with routing, of "customers"
VERSIONED = "prices"  # its versions are the clients' own
ALL = [*INDICES, "customers", VERSIONED]


def lines(*parts):
    return "".join(json.dumps(part) + "\n" for part in parts)


class Writer(threading.Thread):
    """`own`: the last document of each key that is this writer's alone and whose write was acknowledged; None: deleted."""

    def __init__(self, number, url, hot, cold, over):
        super().__init__(daemon=True)
        self.number, self.url, self.hot, self.cold, self.over = number, url, hot, cold, over
        self.dice, self.session = random.Random(number), requests.Session()
        self.own, self.statuses, self.version = {}, {}, 0

    def key(self):
        d = self.dice
        return f"hot-{d.randrange(self.hot)}" if d.random() < 0.6 else f"cold-{d.randrange(self.cold)}"

    def document(self):
        d = self.dice
        one = {"n": d.randrange(1000), "text": d.choice(["plain", "é\u2028\"x\\", "a" * 500]), "price": d.choice([1.10, 1e3, 7])}
        # New fields in every order, and of a kind that the first document decides.
        one[f"field{d.randrange(30)}"] = str(d.randrange(100))
        return one

    def send(self, method, path, body=None, text=None):
        response = self.session.request(method, self.url + path, json=body, data=text and text.encode(), timeout=60,
                                        headers={"Content-Type": "application/x-ndjson"} if text else None)
        self.statuses[response.status_code] = self.statuses.get(response.status_code, 0) + 1
        return response

    # --- one kind each ---

    def index(self):
        self.send("PUT", f"/{self.dice.choice(INDICES)}/_doc/{self.key()}", self.document())

    def create(self):
        self.send("PUT", f"/{self.dice.choice(INDICES)}/_create/{self.key()}", self.document())

    def delete(self):
        self.send("DELETE", f"/{self.dice.choice(INDICES)}/_doc/{self.key()}")

    def update(self):
        self.send("POST", f"/{self.dice.choice(INDICES)}/_update/{self.key()}",
                  {"doc": {"n": self.dice.randrange(1000)}, "doc_as_upsert": True})

    def count(self):
        self.send("POST", f"/{self.dice.choice(INDICES)}/_update/{self.key()}",
                  {"script": {"source": "ctx._source.n = ctx._source.containsKey('n') ? ctx._source.n + 1 : 1"},
                   "upsert": {"n": 0}})

    def condition(self):
        path = f"/{self.dice.choice(INDICES)}/_doc/{self.key()}"
        read = self.send("GET", path).json()
        if read.get("found"):
            self.send("PUT", f"{path}?if_seq_no={read['_seq_no']}&if_primary_term={read['_primary_term']}", self.document())

    def without_id(self):
        self.send("POST", f"/{self.dice.choice(INDICES)}/_doc?filter_path=result", self.document())

    def by_alias(self):
        self.send("PUT", f"/{BY_ALIAS}/_doc/{self.key()}", self.document())

    def by_routing(self):
        self.send("PUT", f"/customers/_doc/routed-{self.key()}?routing=r{self.dice.randrange(4)}", self.document())

    def versioned(self):
        """The writer's own keys: its versions go up."""
        self.version += self.dice.randint(1, 3)
        name = f"w{self.number}-{self.dice.randrange(20)}"
        kind = self.dice.choice(["external", "external_gte"])
        self.send("PUT", f"/{VERSIONED}/_doc/{name}?version={self.version}&version_type={kind}", {"n": self.version})

    def bulk(self):
        text = ""
        for _ in range(self.dice.randint(1, 30)):
            what = self.dice.choice(["index", "index", "create", "delete", "update"])
            at = {"_index": self.dice.choice(INDICES), "_id": self.key()}
            if what == "index" and self.dice.random() < 0.2:
                del at["_id"]
            text += lines({what: at})
            if what == "update":
                text += lines({"doc": {"n": self.dice.randrange(1000)}, "doc_as_upsert": True})
            elif what != "delete":
                text += lines(self.document())
        self.send("POST", self.dice.choice(["/_bulk", "/_bulk?filter_path=errors", "/_bulk?refresh=true"]), text=text)

    def by_query(self):
        index, n = self.dice.choice(INDICES), self.dice.randrange(1000)
        query = {"query": {"term": {"n": n}}}
        what = self.dice.choice(["_delete_by_query", "_update_by_query"])
        if what == "_update_by_query":
            query["script"] = {"source": "ctx._source.n = -1"}
        self.send("POST", f"/{index}/{what}?conflicts=proceed", query)

    def of_its_own(self):
        """What was acknowledged must be there: one key, one writer."""
        index, name = self.dice.choice(INDICES), f"own-{self.number}-{self.dice.randrange(50)}"
        self.own.pop((index, name), None)  # until the response says what became of it
        if self.dice.random() < 0.2:
            if self.send("DELETE", f"/{index}/_doc/{name}").status_code in (200, 404):
                self.own[index, name] = None
            return
        document = {"mine": self.dice.randrange(1 << 30)}
        if self.send("PUT", f"/{index}/_doc/{name}", document).status_code in (200, 201):
            self.own[index, name] = document

    def run(self):
        kinds = [self.index, self.create, self.delete, self.update, self.count, self.condition, self.without_id, self.by_alias,
                 self.by_routing, self.versioned, self.bulk, self.of_its_own]
        while not self.over.is_set():
            try:
                (self.by_query if self.dice.random() < 0.002 else self.dice.choice(kinds))()
            except requests.RequestException:
                self.session = requests.Session()
                self.over.wait(0.05)


class Writers:
    def __init__(self, url, n=16, hot=200, cold=20000):
        self.over = threading.Event()
        self.list = [Writer(i, url, hot, cold, self.over) for i in range(n)]

    def __enter__(self):
        for one in self.list:
            one.start()
        return self

    def __exit__(self, *_):
        self.over.set()
        for one in self.list:
            one.join(70)
            assert not one.is_alive()

    def statuses(self):
        found = {}
        for one in self.list:
            for status, n in list(one.statuses.items()):
                found[status] = found.get(status, 0) + n
        return dict(sorted(found.items()))

    def own(self):
        return {key: document for one in self.list for key, document in one.own.items()}


def prepare(cluster):
    """What a person would have made at the source before."""
    for index in ALL:
        body = {"settings": {"number_of_shards": 2, "number_of_replicas": 0}}
        assert cluster.ask("PUT", f"/{index}", body).status_code == 200
    add = {"index": "customers", "alias": BY_ALIAS, "index_routing": "r1", "search_routing": "r1"}
    assert cluster.ask("POST", "/_aliases", {"actions": [{"add": add}]}).status_code == 200


def documents(cluster, index):
    """All of them: the source, by id and routing, which may lead to another shard."""
    found = {}
    if cluster.ask("POST", f"/{index}/_refresh").status_code == 404:
        return found
    page = cluster.ask("POST", f"/{index}/_search?scroll=1m", {"size": 5000, "sort": ["_doc"]}).json()
    while page["hits"]["hits"]:
        found.update({(hit["_id"], hit.get("_routing")): hit["_source"] for hit in page["hits"]["hits"]})
        page = cluster.ask("POST", "/_search/scroll", {"scroll": "1m", "scroll_id": page["_scroll_id"]}).json()
    return found


def differences(source, target):
    """Of documents, mappings and aliases; a line each."""
    for index in ALL:
        at_source, at_target = documents(source, index), documents(target, index)
        for name in at_source.keys() | at_target.keys():
            if at_source.get(name) != at_target.get(name):
                yield f"{index}/{name}: {at_source.get(name)} at the source, {at_target.get(name)} at the target"
        for what in "_mapping", "_alias":
            one, other = (cluster.ask("GET", f"/{index}/{what}").json().get(index) for cluster in (source, target))
            if one != other:
                yield f"{index}/{what}: {one} at the source, {other} at the target"


def missing(cluster, own):
    """Acknowledged writes that are not there."""
    for (index, name), document in own.items():
        read = cluster.ask("GET", f"/{index}/_doc/{name}").json()
        if read.get("_source") != document:
            yield f"{index}/{name}: {document} was acknowledged, {read.get('_source')} is there"
