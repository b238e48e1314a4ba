"""The owner of the writes, changed at a stop: replay goes the other way, and back."""

import json

import requests

from replay_test import caught_up, documents, make_replayed, pair, replay_of, replayed  # noqa: F401


def put(url, name, n):
    assert requests.put(f"{url}/books/_doc/{name}", json={"n": n}, timeout=10).ok


def change_owner(balancer, owner):
    assert balancer.stop() == 0
    said = balancer.command("owner", owner, "--reason", "a test").stdout
    assert f"The {owner} owns the writes" in said
    balancer.start()
    assert replay_of(balancer)["owner"] == owner


def test_replay_goes_the_other_way_and_back(replayed, pair):  # noqa: F811
    for n, owner in enumerate(["source", "target", "source"]):
        if n:
            change_owner(replayed, owner)
        put(getattr(replayed, owner), f"d{n}", n)
        put(getattr(replayed, owner), "all", n)
        caught_up(replayed)
        assert documents(pair[1]) == documents(pair[0])
        assert documents(pair[0])["books", "all"] == ({"n": n}, None)
    weights = replayed.status()["weights"]
    assert weights["source"] == 1 and weights["target"] == 0


def test_writes_past_the_owner_are_passed_by(replayed, pair):  # noqa: F811
    change_owner(replayed, "target")
    put(replayed.source, "past", 1)
    put(replayed.target, "own", 2)
    caught_up(replayed)
    assert set(documents(pair[1])) == {("books", "own")} and set(documents(pair[0])) == {("books", "own"), ("books", "past")}


def test_it_tells_and_refuses(replayed, tmp_path):  # noqa: F811
    refused = replayed.command("owner", "target", check=False)
    assert refused.returncode == 1 and "a balancer is running" in refused.stderr
    assert replayed.stop() == 0
    assert "The source owns the writes" in replayed.command("owner").stdout
    assert "Nothing was changed" in replayed.command("owner", "source").stdout
    assert replayed.command("owner", "both", check=False).returncode == 2
    replayed.command("owner", "target", "--reason", "CHG-1")
    line = json.loads((replayed.directory / "state/audit.jsonl").read_text().splitlines()[-1])
    assert line["who"] == "crossfade owner" and line["why"] == "CHG-1" and line["to"] == {"source": 0, "target": 1}
    replayed.start()
