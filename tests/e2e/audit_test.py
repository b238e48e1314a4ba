"""Nothing is done that the audit cannot tell: whatever `who` and the reason are, and on a full disk."""

import json

import pytest
from stage import empty, garble, until, zero
from weights_test import Admin, fill, small_disk


def lines_of(state):
    return [json.loads(line) for line in (state / "audit.jsonl").read_text().splitlines()]


def lines(balancer):
    return lines_of(balancer.directory / "state")


@pytest.fixture
def balancer(make_balancer, clusters):
    return make_balancer(clusters[0].url, clusters[1].url)


@pytest.mark.parametrize("who", ["x" * 189 + "é", "x" * 188 + "漢字", "é" * 120, "😀" * 60, "x" * 250])
def test_a_who_that_is_cut_is_cut_at_a_character(balancer, who):
    admin = Admin(balancer)
    body = {"weights": {"source": 1, "target": 1}, "who": who, "reason": "r"}
    assert admin.ask("PUT", "/v1/weights", body)[0] == 200
    node = balancer.nodes("target")[0]["name"]
    for state in "drain", "ready":
        assert admin.ask("PUT", f"/v1/nodes/{node}/state", {"state": state, "who": who, "force": True})[0] == 200
    assert admin.ask("POST", "/v1/rollback", {"who": who})[0] == 200
    told = lines(balancer)
    assert len(told) == 4
    for line in told:
        assert line["who"] and who.startswith(line["who"].split(" from ")[0])


@pytest.mark.parametrize("reason", ["a\x1b[2Jb", "a\u009bb", "a\u202eb", "a\u2066b", "a\u2028b", "a\u200fb", "r" * 300])
def test_a_reason_that_a_terminal_would_obey_is_refused(balancer, reason):
    response = Admin(balancer).ask("PUT", "/v1/weights", {"weights": {"source": 1, "target": 1}, "reason": reason})
    assert response[0] == 400 and balancer.status()["epoch"] == 1 and not lines(balancer)


def test_what_is_no_utf8_is_refused(balancer):
    admin = Admin(balancer)
    status = admin.ask("PUT", "/v1/weights", b'{"weights":{"source":1,"target":1},"reason":"\xff"}')[0]
    assert status == 400 and balancer.status()["epoch"] == 1


def test_on_a_disk_that_is_full_only_a_rollback_is_done(make_balancer, clusters, tmp_path):
    with small_disk(tmp_path / "small") as disk:
        balancer = make_balancer(clusters[0].url, clusters[1].url, start=False)
        balancer.file.write_text(balancer.file.read_text().replace("state: state", f"state: {disk}"))
        balancer.start()
        admin = Admin(balancer)
        assert admin.set(1, 1)[0] == 200
        fill(disk)
        node = balancer.nodes("target")[0]["name"]
        told = len((disk / "audit.jsonl").read_text().splitlines())
        for what in (admin.set(1, 2), admin.ask("PUT", f"/v1/nodes/{node}/state",
                                                      {"state": "drain", "force": True})):
            assert what[0] == 500 and "audit.jsonl cannot be written" in json.dumps(what[2]), what
        assert balancer.status()["weights"] == {"source": 1, "target": 1}
        # Until the last block of the audit is full as well.
        before = lines_of(disk)[-1]["epoch"]
        for _ in range(60):
            done = admin.ask("POST", "/v1/rollback", {"reason": 200 * "x"})
            assert done[0] == 200
        assert done[2]["audited"] is False
        owed = balancer.status()["audit"]["lines_owed"]
        assert owed == done[2]["epoch"] - lines_of(disk)[-1]["epoch"] and owed > 1
        (disk / "filler").unlink()
        until(lambda: json.loads((disk / "audit.jsonl").read_text().splitlines()[-1])["epoch"] == done[2]["epoch"],
              what="the line that is owed")
        # Each of the 60 has its line, in their order.
        epochs = [line["epoch"] for line in lines_of(disk)[told:]]
        assert epochs == list(range(before + 1, before + 61))
        assert balancer.status()["audit"]["lines_owed"] == 0
        assert admin.set(1, 2)[0] == 200
        balancer.end()


def test_an_audit_that_was_moved_or_cut_short_loses_no_later_line(balancer):
    admin = Admin(balancer)
    file = balancer.directory / "state/audit.jsonl"
    assert admin.set(1, 1)[0] == 200
    file.rename(file.with_suffix(".old"))
    assert admin.set(2, 1)[0] == 200
    assert [line["epoch"] for line in lines(balancer)] == [3]
    file.unlink()
    assert admin.set(3, 1)[0] == 200
    with file.open("a") as torn:
        torn.write('{"when":"20')
    assert admin.set(4, 1)[0] == 200
    told = file.read_text().splitlines()
    assert len(told) == 3 and json.loads(told[2])["epoch"] == 5


def test_a_change_whose_process_was_killed_before_its_line_has_it_after_the_next_start(balancer):
    """Cut away here what a `kill -9` between the two leaves out; nothing of it is called a loss."""
    balancer.weights(3, 1, "--reason", "first")
    balancer.weights(1, 3, "--reason", "second é")
    file = balancer.directory / "state" / "audit.jsonl"
    whole = file.read_text()
    balancer.process.kill()
    balancer.process.wait()
    file.write_text(whole.splitlines(keepends=True)[0])
    assert "audit.jsonl" not in balancer.command("check").stderr
    balancer.start()
    assert file.read_text() == whole
    assert balancer.status()["audit"]["trouble"] is None
    assert "ended after the change of epoch 3 and before its" in balancer.said()


def put_back_an_older_one(file):
    file.write_text(file.read_text().splitlines(True)[0])


@pytest.mark.parametrize("lose, word", [(empty, "it has no change after epoch 0"), (zero, "1 of its lines are damaged"),
                                        (garble, "1 of its lines are damaged"), (lambda file: file.unlink(), "it was missing"),
                                        (put_back_an_older_one, "it has no change after epoch 2")])
def test_an_audit_that_has_lost_lines_is_said(balancer, lose, word):
    admin = Admin(balancer)
    for source in 1, 2, 3:
        assert admin.set(source, 1)[0] == 200
    file = balancer.directory / "state/audit.jsonl"
    assert balancer.stop() == 0
    assert "audit" not in balancer.command("check").stderr
    lose(file)
    before = file.read_bytes() if file.exists() else b""
    assert f"audit.jsonl: {word}" in balancer.command("check").stderr

    balancer.start()
    until(lambda: f"audit.jsonl: {word}" in balancer.said(), what="a word")
    assert word in balancer.status()["audit"]["trouble"]
    assert "audit.jsonl at the start" in balancer.command("status").stdout
    # What is there stays, and has its lines behind it.
    assert Admin(balancer).set(4, 1)[0] == 200
    after = file.read_bytes()
    assert after.startswith(before) and json.loads(after.splitlines()[-1])["epoch"] == 5


def test_a_token_that_is_gone_is_said(balancer):
    assert balancer.stop() == 0
    assert "a new one was made" not in balancer.said()
    token = balancer.directory / "state/admin.token"
    before = token.read_text()
    token.unlink()
    balancer.start()
    assert "admin.token was missing, and a new one was made" in balancer.said() and token.read_text() != before
