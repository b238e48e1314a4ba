"""profile: http: what clients write to the owner is sent to the replica as it was, in the order of cause."""

import os
import random
import signal
import socket
import threading
from urllib.parse import urlsplit

import pytest
import requests
from chain_stage import ChainNode
from stage import until

LONG = 120


@pytest.fixture
def pair(tmp_path):
    made = [ChainNode(name, tmp_path) for name in ("source", "target")]
    yield made
    for node in made:
        node.kill()


@pytest.fixture
def make_replayed(make_balancer, pair, tmp_path):
    def make(replay="{}", **more):
        return make_balancer(pair[0].url, pair[1].url, **more, more=f"""\
profile: http
capture: {{ directory: {tmp_path}/capture, commit: 1ms }}
replay: {replay}
""")
    return make


@pytest.fixture
def replayed(make_replayed):
    return make_replayed()


def replay_of(balancer):
    return balancer.status()["replay"]


def requests_of(balancer):
    return replay_of(balancer)["requests"]


def write(balancer, method, path, body=b"x", **more):
    response = requests.request(method, balancer.source + path, data=body, timeout=60, **more)
    assert response.ok, response.status_code


def same(pair):
    """The replica gets what the owner has, value by value, and no write a second time."""
    until(lambda: pair[1].all() == pair[0].all(), LONG, "a replica that is equal")


def again(balancer):
    """A crash of the working process."""
    pid = balancer.working_pid()
    os.kill(pid, signal.SIGKILL)
    until(lambda: balancer.is_up() and balancer.working_pid() not in (pid, None), LONG, "another process")


class Writers:
    """Clients that write the same names; who has a name writes it alone, so each write of it has one cause."""

    def __init__(self, url, each, methods, clients=8, names=12):
        self.url, self.each, self.methods, self.acknowledged = url, each, methods, 0
        self.names = [(f"/k/{n}", threading.Lock()) for n in range(names)]
        self.threads = [threading.Thread(target=self.run, args=(seed,)) for seed in range(clients)]

    def run(self, seed):
        dice, session = random.Random(seed), requests.Session()
        for n in range(self.each):
            name, lock = dice.choice(self.names)
            with lock:
                try:
                    session.request(dice.choice(self.methods), self.url + name, data=f"{seed} {n}", timeout=60)
                    self.acknowledged += 1
                except requests.ConnectionError:
                    session = requests.Session()

    def __enter__(self):
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_):
        for thread in self.threads:
            thread.join()


def test_thousands_of_writes_at_once_leave_the_replica_as_the_owner(make_replayed, pair, backend):
    replayed = make_replayed("{ in_flight: 8 }", io=backend)
    with Writers(replayed.source, 300, ["POST", "PATCH", "PUT", "DELETE"]):
        pass
    same(pair)
    until(lambda: replay_of(replayed)["state"] == "current", LONG, "current")
    applied = pair[0].all()["applied"]
    until(lambda: (r := requests_of(replayed))["sent"] == applied and r["rejected"] == 2400 - applied, LONG, "all counted")


# --- as they were ---


def head_of(seen, path):
    found = [fields for _, where, fields in seen if where == path]
    assert len(found) == 1, found
    return {name.lower(): value for name, value in found[0]}


def test_a_request_is_sent_as_it_was(replayed, pair):
    write(replayed, "POST", "/k/a%20b?q=1&r=%2F", b"body", headers={
        "X-One": "1", "Content-Type": "text/odd", "Connection": "X-Hop, keep-alive", "X-Hop": "gone", "Host": "shop.test",
        "X-Forwarded-For": "192.0.2.7"})
    same(pair)
    head = head_of(pair[1].seen(), "/k/a%20b?q=1&r=%2F")
    assert head["x-one"] == "1" and head["content-type"] == "text/odd" and head["host"] == "shop.test"
    assert head["x-forwarded-for"] == "192.0.2.7" and head["content-length"] == "4" and "x-hop" not in head


def test_a_body_of_unknown_length_is_sent_without_one(replayed, pair):
    write(replayed, "POST", "/k/chunks", iter([b"one", b"two" * 100000]))
    same(pair)
    head = head_of(pair[1].seen(), "/k/chunks")
    assert head["transfer-encoding"] == "chunked" and "content-length" not in head


def test_a_request_without_a_body_has_none(replayed, pair):
    write(replayed, "PUT", "/k/there")
    write(replayed, "DELETE", "/k/there", None)
    same(pair)
    assert pair[1].all()["values"] == {} and pair[1].all()["applied"] == 2


def test_secrets_that_the_log_hides_are_not_sent(make_replayed, pair, tmp_path):
    (tmp_path / "auth").write_text("Bearer ours\n")
    (tmp_path / "auth").chmod(0o600)
    replayed = make_replayed(f"{{ credentials: {{ target: {{ file: {tmp_path}/auth }} }} }}")
    write(replayed, "POST", "/k/a", headers={"Authorization": "Bearer theirs", "Cookie": "a=b"})
    same(pair)
    head = head_of(pair[1].seen(), "/k/a")
    assert head["authorization"] == "Bearer ours" and "hmac" not in head.get("cookie", "")


def test_a_body_of_100_mib_is_held_piece_by_piece(replayed, pair):
    piece, n = os.urandom(1 << 20), 100
    replayed.command("replay", "pause")
    write(replayed, "PUT", "/k/large", iter([piece] * n))
    write(replayed, "PUT", "/k/small")
    until(lambda: requests_of(replayed)["waiting"] == 2, LONG, "both")
    before, most, over = replayed.resident_bytes(), [0], threading.Event()

    def watch():
        while not over.wait(0.02):
            most[0] = max(most[0], replayed.resident_bytes())

    thread = threading.Thread(target=watch)
    thread.start()
    replayed.command("replay", "resume")
    same(pair)
    over.set()
    thread.join()
    assert most[0] - before < 40 << 20


# --- what was refused, or is not known ---


def test_what_the_owner_refused_is_not_sent(replayed, pair):
    for method, path in ("DELETE", "/k/none"), ("POST", "/old/none"):
        assert requests.request(method, replayed.source + path, timeout=60).status_code == 404
    pair[0].faults(POST="429")
    assert requests.post(replayed.source + "/k/a", timeout=60).status_code == 429
    pair[0].faults()
    write(replayed, "PUT", "/k/b")
    same(pair)
    assert [path for _, path, _ in pair[1].seen()] == ["/k/b"]
    until(lambda: requests_of(replayed)["rejected"] == 3, LONG, "three refusals")


def fail_at_owner(replayed, pair):
    """A POST that the owner has applied, and nobody knows it."""
    pair[0].faults(POST="cut")
    assert requests.post(replayed.source + "/k/a", data=b"1", timeout=60).status_code >= 500
    pair[0].faults()


def is_stopped(balancer, says):
    return until(lambda: (r := replay_of(balancer))["state"] == "stopped" and says in r["trouble"] and r, LONG,
                 f"a stop at {says}")


def has_skipped(balancer, name):
    until(lambda: f"{name} was skipped" in (r := replay_of(balancer))["trouble"] and r["requests"]["skipped"] == 1, LONG,
          "a difference that is named")


def test_a_write_of_unknown_outcome_stops_replay(replayed, pair):
    fail_at_owner(replayed, pair)
    write(replayed, "PUT", "/k/b")
    stopped = is_stopped(replayed, "POST /k/a")
    assert stopped["held"][0]["request"] == "POST /k/a" and "not known" in stopped["held"][0]["why"]
    shown = replayed.command("replay", "status", check=False)
    assert shown.returncode == 1 and "POST /k/a" in shown.stdout and "--skip" in shown.stdout
    assert pair[1].all()["applied"] == 0
    plain = replayed.command("replay", "resume", check=False)
    assert plain.returncode == 1 and "--skip" in plain.stderr
    assert "1 request is decided" in replayed.command("replay", "resume", "--send", "--reason", "seen").stdout
    same(pair)
    assert "seen" in replayed.command("history").stdout


def test_a_write_of_unknown_outcome_can_be_skipped(replayed, pair):
    fail_at_owner(replayed, pair)
    is_stopped(replayed, "POST /k/a")
    again(replayed)
    is_stopped(replayed, "POST /k/a")
    replayed.command("replay", "resume", "--skip")
    write(replayed, "PUT", "/k/b")
    until(lambda: list(pair[1].all()["values"]) == ["/k/b"], LONG, "the one behind it")
    has_skipped(replayed, "POST /k/a")


@pytest.mark.parametrize("policy, values", [("skip", 1), ("send", 2)])
def test_the_policy_for_unknown_outcomes_decides(make_replayed, pair, policy, values):
    replayed = make_replayed(f"{{ uncertain: {policy} }}")
    fail_at_owner(replayed, pair)
    write(replayed, "PUT", "/k/b")
    until(lambda: len(pair[1].all()["values"]) == values and "/k/b" in pair[1].all()["values"], LONG, policy)


def refuse(replayed, pair):
    """What the owner takes and the replica does not."""
    assert pair[0].ask("PUT", "/old/a", b"1").ok
    write(replayed, "POST", "/old/a")
    write(replayed, "PUT", "/k/b")


def test_a_refusal_of_the_replica_stops_replay(replayed, pair):
    refuse(replayed, pair)
    is_stopped(replayed, "POST /old/a")
    assert "404" in replay_of(replayed)["trouble"] and pair[1].all()["applied"] == 0
    assert pair[1].ask("PUT", "/old/a", b"1").ok
    replayed.command("replay", "resume", "--send")
    same(pair)
    assert requests_of(replayed)["refused"] == 1 and not requests_of(replayed)["skipped"]


def test_a_refusal_of_the_replica_is_passed_by_policy(make_replayed, pair):
    replayed = make_replayed("{ refused: skip }")
    refuse(replayed, pair)
    until(lambda: pair[1].all()["applied"] == 1, LONG, "the one behind it")
    has_skipped(replayed, "POST /old/a")
    assert requests_of(replayed)["refused"] == 1


# --- a replica that fails ---


@pytest.mark.parametrize("status", ["429", "503"])
def test_what_the_replica_cannot_do_now_is_sent_again(replayed, pair, status):
    pair[1].faults(POST=status)
    write(replayed, "POST", "/k/a")
    until(lambda: requests_of(replayed)["again"] > 1 and status in replay_of(replayed)["trouble"], LONG, "tries")
    pair[1].faults()
    same(pair)
    until(lambda: not replay_of(replayed)["trouble"], LONG, "no trouble")


def test_a_post_that_was_not_heard_of_is_not_repeated(replayed, pair):
    pair[1].faults(POST="cut")
    write(replayed, "POST", "/k/a")
    is_stopped(replayed, "response did not come")
    pair[1].faults()
    replayed.stop(60)
    replayed.start()
    is_stopped(replayed, "POST /k/a")
    assert pair[1].all() == pair[0].all()
    replayed.command("replay", "resume", "--skip")
    write(replayed, "POST", "/k/a", b"more")
    same(pair)


@pytest.mark.parametrize("method", ["PUT", "DELETE"])
@pytest.mark.parametrize("fault", ["cut", "drop"])
def test_a_put_or_delete_that_was_not_heard_of_is_repeated(replayed, pair, method, fault):
    write(replayed, "PUT", "/k/a")
    same(pair)
    pair[1].faults(**{method: fault})
    write(replayed, method, "/k/a", b"new")
    until(lambda: requests_of(replayed)["unheard"] and requests_of(replayed)["again"], LONG, "a try")
    pair[1].faults()
    until(lambda: pair[1].all()["values"] == pair[0].all()["values"] and not requests_of(replayed)["in_flight"], LONG,
          "the same")
    assert replay_of(replayed)["state"] != "stopped"


def test_a_killed_replica_gets_all_when_it_is_back(replayed, pair):
    with Writers(replayed.source, 100, ["PUT", "DELETE"]) as writers:
        until(lambda: writers.acknowledged > 100, LONG, "some writes")
        pair[1].kill()
        until(lambda: writers.acknowledged > 300, LONG, "more writes")
        pair[1].start()
    until(lambda: pair[1].all()["values"] == pair[0].all()["values"], LONG, "a replica that is equal")


def test_a_killed_process_leaves_nothing_out(replayed, pair):
    """What was acknowledged and not kept comes twice: PUT and DELETE bear that."""
    with Writers(replayed.source, 150, ["PUT", "DELETE"]) as writers:
        for n in 200, 500, 800:
            until(lambda n=n: writers.acknowledged > n, LONG, "some writes")
            again(replayed)
    until(lambda: decided(replayed) and pair[1].all()["values"] == pair[0].all()["values"], LONG, "a replica that is equal")


def decided(balancer):
    """Writes that a killed process had in hand: of each that is held the log has all."""
    if replay_of(balancer)["held"]:
        balancer.command("replay", "resume", "--send", check=False)
    return not requests_of(balancer)["waiting"]


def sent_part(replayed, path):
    """A client whose request has no end yet."""
    client = socket.create_connection((urlsplit(replayed.source).hostname, urlsplit(replayed.source).port))
    client.sendall(f"PUT {path} HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\n\r\nab".encode())
    return client


def test_a_request_whose_end_a_killed_process_has_not_recorded_does_not_stop_replay(replayed, pair):
    write(replayed, "PUT", "/k/a")
    recorded = replayed.status()["capture"]["records"]
    with sent_part(replayed, "/k/half"):
        until(lambda: replayed.status()["capture"]["records"] > recorded, LONG, "a head in the log")
        again(replayed)
    write(replayed, "PUT", "/k/b")
    until(lambda: pair[1].all()["values"] == pair[0].all()["values"] and "/k/b" in pair[1].all()["values"], LONG, "both writes")
    assert not replay_of(replayed)["held"] and "/k/half" not in [path for _, path, _ in pair[1].seen()]


# --- what is not in the log ---


def test_a_hole_in_the_log_is_said_until_the_replica_has_a_later_copy(replayed, pair):
    replayed.command("replay", "pause")
    for n in range(10, 20):
        write(replayed, "PUT", f"/k/{n}")
    replayed.may_say = ["hole", "damage", "LOST", "lost", "cannot be read"]
    replayed.end()
    for file in (replayed.directory.parent / "capture").glob("*.capture"):
        file.write_bytes(file.read_bytes().replace(b"PUT /k/14", b"PAT /k/14"))
    replayed.start()
    replayed.command("replay", "resume")
    until(lambda: "hole" in replay_of(replayed)["not_exact"].get("*", {}).get("why", ""), LONG, "a hole that is told")
    until(lambda: "replay cannot repair it" in replayed.said(), LONG, "a line of the log")
    lacks = {f"/k/{n}" for n in range(10, 20)} - {"/k/14"}
    until(lambda: set(pair[1].all()["values"]) == lacks, LONG, "all else")
    shown = replayed.command("replay", "status", check=False)
    assert shown.returncode == 1 and "hole" in shown.stdout and "any index" not in shown.stdout
    assert "copy the owner's data" in shown.stdout and replay_of(replayed)["state"] != "stopped"
    again(replayed)
    assert "hole" in replay_of(replayed)["not_exact"]["*"]["why"]


# --- how fast it is ---


def test_a_reload_changes_how_fast_requests_are_sent(replayed, pair):
    assert replay_of(replayed)["tuning"] == {"rate": None, "in_flight": 4}
    for n in range(20):
        write(replayed, "PUT", f"/k/{n}")
    same(pair)
    pid = replayed.working_pid()

    def tune(values):
        text = replayed.file.read_text()
        before = text[text.index("replay: {"):].split("\n")[0]
        replayed.file.write_text(text.replace(before, f"replay: {{ {values} }}"))
        replayed.command("reload")

    tune("rate: 1/s, in_flight: 1")
    until(lambda: replay_of(replayed)["tuning"] == {"rate": 1, "in_flight": 1}, LONG, "the new values")
    for n in range(300):
        write(replayed, "PUT", f"/k/more{n}")
    sent = requests_of(replayed)["sent"]
    until(lambda: requests_of(replayed)["sent"] > sent, LONG, "a request")
    # At 1 a second the rest would take minutes.
    assert requests_of(replayed)["waiting"] > 0
    tune("in_flight: 8")
    same(pair)
    assert replayed.working_pid() == pid


# --- orders ---


def test_nothing_is_sent_while_it_is_paused(replayed, pair):
    replayed.command("replay", "pause")
    for n in range(20):
        write(replayed, "POST", "/k/a", str(n).encode())
    until(lambda: requests_of(replayed)["waiting"] == 20, LONG, "requests that wait")
    again(replayed)
    until(lambda: requests_of(replayed)["waiting"] == 20, LONG, "requests that wait still")
    assert replay_of(replayed)["state"] == "paused" and not pair[1].seen()
    replayed.command("replay", "resume")
    same(pair)


def test_an_upgrade_hands_replay_over(replayed, pair):
    with Writers(replayed.source, 100, ["POST"]) as writers:
        until(lambda: writers.acknowledged > 200, LONG, "some writes")
        replayed.upgrade()
    same(pair)


def test_the_log_can_be_read_again_for_a_replica_that_lost_it(replayed, pair):
    write(replayed, "POST", "/k/a", b"1")
    write(replayed, "POST", "/k/a", b"2")
    same(pair)
    pair[1].kill()
    pair[1].file.unlink()
    pair[1].start()
    replayed.command("replay", "restart", "--from", "1h")
    same(pair)


@pytest.mark.parametrize("words", [["replay", "backfill", "--no-wait"], ["replay", "backfill", "pause"],
                                   ["replay", "set-aside", "list"], ["replay", "set-aside", "retry"], ["compare"]])
def test_commands_about_documents_say_that_there_are_none(replayed, words):
    said = replayed.command(*words, check=False)
    assert said.returncode and "profile http: " in said.stdout + said.stderr


@pytest.mark.parametrize("words, says", [(["--send"], "no request waits"), (["--skip", "--send"], "exclude each other")])
def test_a_decision_without_a_question_is_refused(replayed, words, says):
    said = replayed.command("replay", "resume", *words, check=False)
    assert said.returncode and says in said.stderr


@pytest.mark.parametrize("profile, replay, says", [
    ("http", "{ indices: [ a ] }", "replay.indices: it is for profile: opensearch"),
    ("http", "{ batch: { operations: 3 } }", "replay.batch: it is for profile: opensearch"),
    ("http", "{ uncertain: ask }", "'ask'"), ("http", "{ refused: send }", "'send'"),
    ("opensearch", "{ uncertain: stop }", "replay.uncertain: it is for profile: http"),
    ("opensearch", "{ refused: skip }", "replay.refused: it is for profile: http"),
])
def test_check_says_what_does_not_fit(make_replayed, profile, replay, says):
    balancer = make_replayed(replay, start=False)
    balancer.file.write_text(balancer.file.read_text().replace("profile: http", f"profile: {profile}"))
    said = balancer.command("check", check=False)
    assert said.returncode and says in said.stdout + said.stderr
