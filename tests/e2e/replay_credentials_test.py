"""Replay has credentials of its own, for those of clients are not in the capture log."""

import os

import pytest
import requests

from replay_test import caught_up, documents, make_replayed, pair, replay_of  # noqa: F401
from stage import until

SECRET = "Basic cmVwbGF5OlNFQ1JFVA=="


@pytest.fixture
def file(tmp_path):
    path = tmp_path / "target.auth"
    path.write_text(SECRET + "\n")
    path.chmod(0o600)
    return path


def put(balancer, n):
    assert requests.put(f"{balancer.source}/books/_doc/{n}", json={"n": n}, timeout=10).ok


def test_each_request_of_replays_has_its_credential(make_replayed, pair, file):  # noqa: F811
    pair[1].faults(authorization=SECRET)
    replayed = make_replayed(f"{{ credentials: {{ target: {{ file: {file} }} }} }}")
    put(replayed, 1)
    caught_up(replayed)
    pair[1].faults()
    assert documents(pair[1]) == documents(pair[0]) != {}
    assert SECRET.split()[1] not in (replayed.said() + str(replayed.status()))


def test_a_refused_credential_is_named_and_read_again(make_replayed, pair, file):  # noqa: F811
    pair[1].faults(authorization="Bearer new")
    replayed = make_replayed(f"{{ credentials: {{ target: {{ file: {file} }} }} }}")
    put(replayed, 1)
    until(lambda: "replay.credentials.target" in replay_of(replayed)["trouble"], what="a word of the credential")
    file.write_text("Bearer new")
    replayed.reload()
    caught_up(replayed)
    pair[1].faults()
    assert documents(pair[1]) == documents(pair[0]) != {}


def test_the_source_asks_for_another_one(make_replayed, pair):  # noqa: F811
    pair[0].faults(authorization="ApiKey source")
    replayed = make_replayed('{ credentials: { source: "ApiKey source" } }')
    assert requests.put(f"{replayed.source}/books/_doc/1", json={"n": 1}, headers={"Authorization": "ApiKey source"},
                        timeout=10).ok
    caught_up(replayed)
    pair[0].faults()
    assert documents(pair[1]) == documents(pair[0]) != {}


def test_a_credential_that_cannot_be_read_or_used_is_said(make_balancer, pair, tmp_path, file):  # noqa: F811
    def check(credentials, cluster=""):
        balancer = make_balancer(pair[0].url, pair[1].url, start=False, cluster_more=cluster, more=f"""\
profile: opensearch
capture: {{ directory: {tmp_path}/capture }}
replay: {{ credentials: {credentials} }}
""")
        return balancer.command("check", check=False)

    assert "no-such-file" in check(f"{{ target: {{ file: {tmp_path}/no-such-file }} }}").stderr
    assert "a scheme and a credential" in check("{ target: SECRET }").stderr
    assert "SECRET" not in check("{ target: SECRET }").stderr
    said = check(f"{{ target: {{ file: {file} }} }}", f"  authorization: {{ file: {file} }}").stderr
    assert "replay.credentials.target: it would never be used" in said
    os.chmod(file, 0o644)
    assert "anybody can read" in check(f"{{ target: {{ file: {file} }} }}").stderr
