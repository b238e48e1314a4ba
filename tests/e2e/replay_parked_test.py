"""Replay: an index that the replica does not take waits, holds up nobody, and comes back without a restart."""

import requests

from replay_test import caught_up, documents, make_replayed, pair, replay_of, replayed  # noqa: F401
from stage import until


def put(balancer, index, n):
    assert requests.put(f"{balancer.source}/{index}/_doc/{n}", json={"n": n}, timeout=10).ok


def test_a_mapping_that_is_refused_is_looked_at_again(replayed, pair):  # noqa: F811
    other = {"mappings": {"properties": {"n": {"type": "keyword"}}}}
    assert pair[1].ask("PUT", "/books", other).ok
    put(replayed, "books", 1)
    until(lambda: replay_of(replayed)["keys"]["parked"] == 1, what="a parked key")
    put(replayed, "films", 1)
    caught_up(replayed)
    assert ("films", "1") in documents(pair[1]) and ("books", "1") not in documents(pair[1])
    assert "index books: its index has another mapping" in replay_of(replayed)["trouble"]
    assert pair[1].ask("DELETE", "/books").ok
    until(lambda: not replay_of(replayed)["keys"]["parked"], 30, "keys that go on")
    caught_up(replayed)
    assert documents(pair[1]) == documents(pair[0])
    assert not replay_of(replayed)["trouble"]


def test_a_block_parks_its_index_until_it_is_gone(replayed, pair):  # noqa: F811
    put(replayed, "books", 1)
    caught_up(replayed)
    pair[1].faults(read_only=True)
    put(replayed, "books", 2)
    until(lambda: replay_of(replayed)["keys"]["parked"] == 1, what="a parked key")
    assert "index.blocks" in replay_of(replayed)["trouble"]
    pair[1].faults()
    until(lambda: not replay_of(replayed)["keys"]["parked"], 30, "keys that go on")
    caught_up(replayed)
    assert documents(pair[1]) == documents(pair[0])
