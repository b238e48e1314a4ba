"""The commands of the program, as a person uses them."""

import json
import os
import pathlib
import re
import signal
import socket
import stat
import subprocess
import tempfile
import threading

import pytest
import requests
from opensearchpy import NotFoundError, OpenSearch

from stage import PROGRAM, own_address, stop_a_worker, until


def crossfade(*words, **more):
    return subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=60,
                          check=False, **more)


# --- the command line ---


def test_help_is_everywhere_and_says_the_same():
    assert crossfade("--version").stdout.startswith("crossfade ")
    assert crossfade("-V").stdout == crossfade("--version").stdout == crossfade("version").stdout
    listed = re.findall(r"^  ([a-z]+) ", crossfade("--help").stdout, re.M)
    assert len(listed) == len(set(listed)) and {"check", "demo", "init", "run", "rollback"} < set(listed)
    of_capture = re.findall(r"^  ([a-z-]+)  ", crossfade("capture", "--help").stdout, re.M)
    assert {"ls", "cat", "export"} < set(of_capture)
    for command in [[c] for c in listed] + [["capture", c] for c in of_capture]:
        done = crossfade(*command, "--help")
        assert done.returncode == 0 and done.stdout.startswith(f"crossfade {' '.join(command)} "), command
        assert done.stdout == crossfade(*command, "-h").stdout == crossfade("help", *command).stdout


@pytest.mark.parametrize("words, hint", [
    ([], "usage: crossfade"),
    (["chek"], "did you mean 'check'?"),
    (["check"], "-c FILE is missing"),
    (["check", "-c"], "-c wants an argument"),
    (["check", "--nonsense"], "--nonsense is not known here"),
    (["check", "--confg", "x"], "--confg is not known here; did you mean --config?"),
    (["check", "-xc", "y"], "-x is not known here"),
    (["check", "--help=all"], "--help takes no argument"),
    (["weights", "1", "1", "--force=yes"], "--force takes no argument"),
    (["--nonsense"], "there is no option '--nonsense'"),
    (["help", "chek"], "did you mean 'check'?"),
    (["capture", "-x"], "'-x' is not known"),
    (["weights", "1", "1", "--reason", ""], "--reason is empty: say why, or leave it out"),
    (["rollback", "--reason", " "], "--reason is empty"),
    (["drain", "a:1", "--reason="], "--reason is empty"),
    (["ready", "a:1", "--reason", ""], "--reason is empty"),
    (["run", "-c", "x", "more"], "'more' is not expected here"),
    (["weights", "1"], "two weights are expected"),
    (["weights", "1", "x"], "'x' is not a weight"),
    (["weights", "1000", "0"], "'1000' is not a weight"),
    (["weights", "0", "0"], "nobody would be served"),
    (["weights", "--reason", "x"], "go with a change"),
    (["weights", "1", "1", "--if-epoch", "x"], "is not an epoch"),
    (["status"], "which balancer?"),
    (["status", "-o", "xml", "--socket", "x"], "it can be text or json"),
    (["demo", "--for", "5"], "is not a duration"),
    (["classify", "GET"], "a METHOD and a PATH are expected"),
    (["classify", "--profile", "opensarch", "GET", "/"], "did you mean opensearch?"),
    (["classify", "--profile", "solr", "GET", "/"], "it can be http or opensearch"),
])
def test_misuse_is_told_with_code_2(words, hint):
    done = crossfade(*words, env={k: v for k, v in os.environ.items() if k != "CROSSFADE_SOCKET"})
    assert (done.returncode, done.stdout) == (2, "")
    assert hint in done.stderr


@pytest.mark.parametrize("words, said, replay", [
    ("POST /logs/_search", "read, repeatable: POST /{index}/_search", "nothing"),
    ("POST https://es:9200/logs/_search?scroll=1m", "read, not repeatable: POST /{index}/_search", "nothing"),
    ("POST /logs/_async_search", "read, not repeatable: POST /{index}/_async_search", "nothing"),
    ("DELETE /_async_search/FmRl", "read, not repeatable: DELETE /_async_search/{id}", "nothing"),
    ("POST /logs/_mvt/place/3/4/2", "read, repeatable: POST /{index}/_mvt/{id}/{id}/{id}/{id}", "nothing"),
    ("GET /logs/%5frefresh", "write, not repeatable: GET /{index}/_refresh", "nothing"),
    ("POST /logs/%5fsearch", "write, not repeatable: the path can be read in several ways, and not all of them are reads", "key"),
    ("GET /logs/../_refresh", "write, not repeatable, in parts: the meaning of the path is uncertain: a write, maybe in parts",
     "nothing"),
    ("PUT /logs/_bulk/stream", "write, not repeatable, in parts: PUT /{index}/_bulk/stream", "key of each item"),
    ("POST /logs/_doc", "write, not repeatable: no rule says that it is a read", "key"),
    ("--profile http POST /logs/_search", "write, not repeatable: the method may change something", "request"),
    ("--profile http GET /", "read, repeatable: the method changes nothing", "nothing"),
])
def test_classify_says_what_a_request_is(words, said, replay):
    done = crossfade("classify", *words.split())
    assert (done.returncode, done.stdout) == (0, f"{said}\nreplay: {replay}\n")


def test_classify_speaks_json():
    done = crossfade("classify", "-o", "json", "DELETE", "http://h/_search/scroll/x?y=z")
    assert json.loads(done.stdout) == {
        "method": "DELETE", "target": "/_search/scroll/x?y=z", "profile": "opensearch", "class": "read",
        "repeatable": False, "in_parts": False, "rule": "DELETE /_search/scroll/{id}",
        "replay": "nothing"}


@pytest.mark.parametrize("words, replay", [
    ("PUT /logs/_doc/1", "key"),
    ("POST /_bulk", "key of each item"),
    ("POST /_reindex", "scan"),
    ("POST /logs/_delete_by_query", "sweep"),
    ("DELETE /logs-*", "fence"),
    ("PUT /logs/_mapping", "surroundings"),
    ("PUT /logs/_split/more", "walk"),
    ("POST /_plugins/_sql", "walk, of a statement that deletes"),
    ("PUT /_cluster/settings", "unknown"),
    ("POST /logs/_refresh", "nothing"),
])
def test_classify_says_what_replay_makes_of_a_write(words, replay):
    done = crossfade("classify", "-o", "json", *words.split())
    said = json.loads(done.stdout)
    assert (said["class"], said["replay"]) == ("write", replay)


@pytest.mark.parametrize("method, path", [
    ("GET", "logs/_search"), ("G T", "/"), ("GET", "/ HTTP/1.1\r\nX: y"), ("GET", ""), ("POST", "*"),
    ("GET", "/ HTTP/1.0\r\n\r\n"), ("GET", "/#x"),
])
def test_classify_refuses_what_is_no_request(method, path):
    done = crossfade("classify", method, path)
    assert done.returncode == 1 and "this is not a valid request" in done.stderr and not done.stdout


def test_without_a_balancer_the_code_is_3(tmp_path):
    for words in ["status"], ["weights"], ["weights", "1", "1"], ["rollback"]:
        done = crossfade(*words, "--socket", tmp_path / "none.sock")
        assert done.returncode == 3 and "no balancer answers" in done.stderr


def test_what_stands_in_the_way_of_a_command_is_told_apart(tmp_path, monkeypatch):
    left = tmp_path / "left.sock"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(left))
    (tmp_path / "file").touch()
    for path, code, words in [
            (tmp_path / "none.sock", 3, "there is no such socket"),
            (left, 3, "nobody listens there any more"),
            (tmp_path / "file", 3, "that is a file, not a socket"),
            (tmp_path, 3, "that is a directory, not a socket"),
            ("http://127.0.0.1:9280", 2, "is a URL, but the path of a socket is expected here")]:
        done = crossfade("status", "--socket", path)
        assert done.returncode == code and words in done.stderr, done.stderr


@pytest.mark.skipif(os.geteuid() != 0, reason="root alone can be somebody else")
def test_who_has_no_right_to_the_socket_is_told_whose_it_is():
    with tempfile.TemporaryDirectory() as at:
        os.chmod(at, 0o755)
        path = f"{at}/admin.sock"
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(path)
            s.listen()
            os.chmod(path, 0o600)
            for words in ("it belongs to root", "no right to its directory"):
                done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "/proc/self/fd/0", "status", "--socket", path],
                                      stdin=open(PROGRAM, "rb"), capture_output=True, text=True, check=False)
                assert done.returncode == 3 and words in done.stderr, done.stderr
                os.chmod(at, 0o700)


def test_somebody_that_is_no_balancer_is_said(tmp_path):
    path = tmp_path / "a.sock"
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(path))
        s.listen()

        def serve():
            connection = s.accept()[0]
            connection.recv(1000)
            connection.sendall(b"SSH-2.0-none\r\n")
            connection.close()
        threading.Thread(target=serve, daemon=True).start()
        done = crossfade("status", "--socket", path)
        assert done.returncode == 3 and "what listens there is no balancer: " in done.stderr, done.stderr


# --- init and check ---


def test_init_makes_what_check_takes_and_overwrites_nothing(tmp_path):
    at = tmp_path / "new"
    assert crossfade("init", at).returncode == 0
    made = {p.relative_to(at).as_posix(): p.read_bytes() for p in at.rglob("*") if p.is_file()}
    assert sorted(made) == ["crossfade.yaml", "state/admin.token", "tls.crt", "tls.key"]
    for secret in "tls.key", "state/admin.token":
        assert stat.S_IMODE((at / secret).stat().st_mode) == 0o600
    assert crossfade("check", "-c", at / "crossfade.yaml").returncode == 0
    (at / "crossfade.yaml").write_text("mine")
    assert crossfade("init", at).returncode == 0
    assert (at / "crossfade.yaml").read_text() == "mine"
    assert (at / "tls.key").read_bytes() == made["tls.key"]


def test_what_init_makes_for_a_trial_is_reached_from_this_machine_alone(tmp_path):
    assert crossfade("init", tmp_path).returncode == 0
    text = (tmp_path / "crossfade.yaml").read_text()
    assert "0.0.0.0" not in text and text.count("address: 127.0.0.1:") == 4


def test_init_knows_two_profiles(tmp_path):
    assert crossfade("init", "--profile", "http", tmp_path).returncode == 0
    assert "\nprofile: http\n" in (tmp_path / "crossfade.yaml").read_text()
    done = crossfade("init", "--profile", "solr", tmp_path)
    assert done.returncode == 2 and "it can be http or opensearch" in done.stderr


def test_check_shows_the_place(tmp_path):
    file = tmp_path / "c.yaml"
    file.write_text("listeners: { wieghted: { address: 127.0.0.1:1 } }\n")
    done = crossfade("check", "-c", file)
    assert done.returncode == 1
    assert f"{file}:1:14: unknown key 'wieghted'; did you mean 'weighted'?\n" in done.stderr
    assert "\n                 ^\n" in done.stderr
    said = json.loads(crossfade("check", "-c", file, "-o", "json").stdout)
    assert not said["ok"]
    assert {"file": str(file), "line": 1, "column": 14,
            "message": "unknown key 'wieghted'; did you mean 'weighted'?"} in said["errors"]


def test_check_looks_into_certificates(tmp_path):
    assert crossfade("init", tmp_path).returncode == 0
    (tmp_path / "tls.crt").write_text("no certificate\n")
    done = crossfade("check", "-c", tmp_path / "crossfade.yaml")
    assert done.returncode == 1 and "crossfade.yaml:" in done.stderr and "tls: " in done.stderr


# --- weights ---


def test_weights_are_set_and_shown(balancer):
    assert balancer.command("weights").stdout == "source 1 (100 %), target 0 (0 %)   epoch 1\n"
    said = balancer.command("weights", "9", "1", "--reason", "canary").stdout
    assert "now     source 9 (90 %), target 1 (10 %)   epoch 2\n" in said
    assert "before  source 1 (100 %), target 0 (0 %)\n" in said
    assert "Every worker uses the new weights.\n" in said
    shown = balancer.command("weights", "-o", "json").stdout
    assert shown.startswith('{"weights":{"source":9,"target":1},"epoch":2,')
    entry = json.loads((balancer.directory / "state/audit.jsonl").read_text().splitlines()[-1])
    assert (entry["why"], entry["to"], entry["epoch"]) == ("canary", {"source": 9, "target": 1}, 2)
    assert entry["who"]


def test_a_socket_in_the_environment_finds_the_balancer(balancer):
    done = crossfade("weights", "-o", "json", env={"CROSSFADE_SOCKET": str(balancer.directory / "admin.sock")})
    assert json.loads(done.stdout)["epoch"] == 1


def test_somebody_who_was_faster_is_not_overwritten(balancer):
    balancer.weights(5, 6, "--reason", "CHG-5")
    late = balancer.command("weights", "1", "1", "--if-epoch", "1", check=False)
    assert late.returncode == 1
    assert re.search(r"the epoch is 2, not 1: \S+ set source 5, target 6 at 20\S+Z \(CHG-5\)", late.stderr), late.stderr
    late = json.loads(balancer.command("weights", "1", "1", "--if-epoch", "1", "-o", "json", check=False).stdout)
    assert late["change"]["why"] == "CHG-5" and late["change"]["from"] == {"source": 1, "target": 0}
    assert balancer.weights(1, 1, "--if-epoch", "2")["epoch"] == 3


def test_rollback_sends_all_to_the_source(balancer):
    balancer.weights(0, 1)
    for method in requests.get, requests.put:
        assert method(balancer.weighted, verify=False, timeout=10).json()["cluster"] == "target"
    said = balancer.command("rollback", "--reason", "it burns").stdout
    assert "now     source 1 (100 %), target 0 (0 %)" in said
    assert re.search("^Warning: the target was sent 1 write since 2.*Z: the source does not have them.$", said, re.M)
    (again,) = json.loads(balancer.command("rollback", "-o", "json").stdout)["warnings"]
    assert again.startswith("the target was sent 1 write since") and f"weights: {again}" in balancer.said()
    assert requests.get(balancer.weighted, verify=False, timeout=10).json()["cluster"] == "source"


def test_weights_that_split_writes_are_warned_of(balancer):
    assert requests.get(balancer.weighted, verify=False, timeout=10).ok
    assert balancer.weights(9, 1)["warnings"] == []
    assert requests.delete(balancer.weighted + "/x", verify=False, timeout=10).ok
    (split,) = balancer.weights(8, 2)["warnings"]
    assert split.startswith("both weights are above 0, and clients write (1 write so far)")
    until(lambda: f"weights: {split}" in balancer.said(), what="a word")
    assert f"Warning: {split}." in balancer.command("weights", "7", "3").stdout


def test_a_worker_that_does_not_acknowledge_is_named(balancer):
    go_on = stop_a_worker(balancer)
    try:
        done = balancer.command("weights", "3", "7", check=False)
        said = balancer.command("weights", "4", "6", "-o", "json", check=False)
    finally:
        go_on()
    assert done.returncode == 4 and "worker 0 of process" in done.stdout
    assert said.returncode == 4 and json.loads(said.stdout)["late"][0]["worker"] == 0
    assert balancer.command("weights", "5", "5").returncode == 0


# --- status, metrics, smoke ---


def test_status_tells_how_it_is(balancer):
    for _ in range(3):
        requests.get(balancer.weighted, verify=False, timeout=10)
    said = balancer.command("status").stdout
    assert "serving" in said and "healthy" in said and balancer.address in said
    j = balancer.status()
    assert j["clusters"][0]["requests"]["2xx"] == 3
    assert j["io"] in ("io_uring", "epoll")
    assert [l["name"] for l in j["listeners"]] == ["weighted", "source", "target"]


def test_smoke_compares_both_sides(balancer, tmp_path):
    suite = tmp_path / "suite"
    suite.write_text("# what both answer alike\nHEAD /\nHEAD /a\n")
    done = balancer.command("smoke", "--suite", str(suite))
    assert "2 requests" in done.stdout and "0 differ" in done.stdout
    suite.write_text("GET /a\n")
    done = balancer.command("smoke", "--suite", str(suite), check=False)
    assert done.returncode == 1 and 'cluster: "source" / "target"' in done.stdout
    suite.write_text("DELETE /a\n")
    done = balancer.command("smoke", "--suite", str(suite), check=False)
    assert done.returncode == 2 and "DELETE /a may write" in done.stderr


def test_demo_shows_the_split_and_leaves_nothing(tmp_path):
    done = crossfade("demo", "--for", "4s", env={**os.environ, "TMPDIR": str(tmp_path)})
    assert done.returncode == 0, done.stdout + done.stderr
    assert "0 failed." in done.stdout
    assert "$ crossfade weights 50 50" in done.stdout and "$ crossfade rollback" in done.stdout
    assert not list(tmp_path.iterdir())


def test_an_opensearch_client_gets_along_with_the_sample_clusters(tmp_path):
    with subprocess.Popen([PROGRAM, "demo"], stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "TMPDIR": str(tmp_path)}) as demo:
        source = next(line.split()[0] for line in demo.stdout if "always the source" in line)
        client = OpenSearch(source, verify_certs=False, ssl_show_warn=False)
        assert client.info()["version"]["distribution"] == "opensearch"
        assert client.cluster.health()["status"] == "green"
        client.indices.create("tests")
        assert client.indices.exists("tests")
        done = client.bulk("".join(f'{{"index":{{"_id":"{n}"}}}}\n{{"n":{n}}}\n' for n in range(500)), index="tests")
        assert not done["errors"] and len(done["items"]) == 500
        assert client.index("tests", {"n": 500}, id="a b/c")["result"] == "created"
        client.indices.refresh(index="tests")
        assert client.get("tests", "a b/c")["_source"] == {"n": 500}
        assert client.count(index="tests")["count"] == 501
        found = client.search(index="tests", body={"query": {"match_all": {}}, "size": 600})
        assert sorted(hit["_source"]["n"] for hit in found["hits"]["hits"]) == list(range(501))
        assert client.delete("tests", "1")["result"] == "deleted"
        with pytest.raises(NotFoundError):
            client.get("tests", "1")
        client.indices.delete("tests")
        demo.send_signal(signal.SIGTERM)
        demo.stdout.read()
        assert demo.wait(20) == 0


def test_demo_ends_with_a_signal(tmp_path):
    with subprocess.Popen([PROGRAM, "demo"], stdout=subprocess.PIPE, text=True,
                          env={**os.environ, "TMPDIR": str(tmp_path)}) as demo:
        for line in demo.stdout:
            if line.startswith("   2 s"):
                demo.send_signal(signal.SIGINT)
        assert demo.wait(20) == 0
    assert not list(tmp_path.iterdir())


# --- the keeper ---


def test_a_killed_working_process_is_replaced_and_nobody_is_refused(balancer):
    balancer.weights(0, 1)
    first = balancer.working_pid()
    os.kill(first, signal.SIGKILL)
    # What it had accepted goes with it; what comes from now on waits for the next one.
    until(lambda: balancer.working_pid() != first, what="the process to be dead")
    for _ in range(20):
        assert requests.get(balancer.weighted, verify=False, timeout=10).json()["cluster"] == "target"
    assert balancer.working_pid() != first
    until(lambda: "was ended by signal 9" in balancer.said(), what="a word")
    assert json.loads(balancer.command("weights", "-o", "json").stdout)["epoch"] == 2


def test_with_the_keeper_all_go(balancer):
    work = balancer.working_pid()
    balancer.process.kill()
    balancer.process.wait()
    until(lambda: not pathlib.Path(f"/proc/{work}").exists(), what="the working process to go")
    balancer.start()
    assert balancer.command("status").returncode == 0


def test_weights_survive_a_restart_and_the_file_is_told(balancer):
    balancer.weights(3, 7)
    assert balancer.stop() == 0
    balancer.start()
    assert json.loads(balancer.command("weights", "-o", "json").stdout)["weights"] == {"source": 3, "target": 7}
    assert "source 3, target 7 (epoch 2) are in force, as set at run time; the configuration's source 1, target 0 are only for a first start" \
        in balancer.said()


def test_a_first_start_that_fails_says_why_and_ends(make_balancer, clusters):
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False)
    balancer.file.write_text(balancer.file.read_text() + "nonsense: 1\n")
    balancer.start(wait=False)
    assert balancer.process.wait(10) == 1
    until(lambda: "unknown key 'nonsense'" in balancer.said(), what="a word")


@pytest.mark.parametrize("name", ["a\x1b[2Jb.yaml", "a\u202eb.yaml", "a\u009bb.yaml"])
def test_a_start_that_fails_sends_no_terminal_a_name_that_it_obeys(tmp_path, name):
    """What it says reaches the terminal by way of the log."""
    for text in None, "nonsense: 1\n":
        if text:
            (tmp_path / name).write_text(text)
        failed = crossfade("run", "-c", tmp_path / name)
        assert failed.returncode == 1 and "b.yaml" in failed.stderr
        assert name not in failed.stderr and "\x1b" not in failed.stderr


def test_a_second_balancer_is_refused(balancer, make_balancer, clusters):
    """On the same state directory, and on the same address."""
    second = crossfade("run", "-c", balancer.file)
    assert second.returncode == 1 and "another balancer is running on the state directory" in second.stderr
    third = make_balancer(clusters[0].url, clusters[1].url, start=False)
    third.file.write_text(third.file.read_text().replace(third.address, balancer.address))
    third.start(wait=False)
    assert third.process.wait(20) == 1
    assert "cannot listen on" in third.said() and ", crossfade, listens there)" in third.said()


def crash(balancer):
    before = balancer.working_pid()
    os.kill(before, signal.SIGKILL)
    until(lambda: balancer.working_pid() not in (before, None) and balancer.command("status", check=False).returncode == 0)


def test_a_lock_that_is_taken_away_lets_no_second_balancer_in(balancer):
    """Nor after an upgrade or a crash of the first; and `recover` does nothing then."""
    for step in (lambda: None, balancer.upgrade, lambda: crash(balancer)):
        step()
        (balancer.directory / "state" / "lock").unlink(missing_ok=True)
        second = crossfade("run", "-c", balancer.file)
        assert second.returncode == 1 and "another balancer is running on the state directory" in second.stderr
        recovered = crossfade("recover", "-c", balancer.file)
        assert recovered.returncode == 1 and "a balancer is running on" in recovered.stderr
    balancer.weights(3, 7)


def test_hup_does_not_end_it(balancer):
    for pid in balancer.process.pid, balancer.working_pid():
        os.kill(pid, signal.SIGHUP)
    assert balancer.command("status").returncode == 0


def status(balancer):
    done = balancer.command("status", "-o", "json", check=False)
    return json.loads(done.stdout) if done.returncode == 0 else {}


def test_a_request_under_way_is_served_while_it_stops(balancer):
    def slow():
        yield b"a"
        until(lambda: status(balancer)["clusters"][0]["in_flight"] == 1, what="the request to be under way")
        balancer.process.send_signal(signal.SIGTERM)
        until(lambda: status(balancer)["state"] == "draining", what="the balancer to drain")
        until(lambda: not accepts(balancer.address, 9201), what="new connections to be refused")
        yield b"b"
    got = requests.post(balancer.source, data=slow(), timeout=20)
    assert got.json()["length"] == 2
    assert balancer.stop() == 0


def accepts(address, port):
    try:
        socket.create_connection((address, port), 5).close()
        return True
    except OSError:
        return False


def test_admin_over_tcp_wants_the_token(make_balancer, clusters):
    at = own_address()
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False)
    text = balancer.file.read_text().replace("admin: { socket", f"admin: {{ address: {at}:9280, socket")
    balancer.file.write_text(text)
    balancer.start()
    url = f"http://{at}:9280"
    assert requests.get(url + "/healthz", timeout=10).text == "ok\n"
    assert "crossfade_requests_total" in requests.get(url + "/metrics", timeout=10).text
    assert requests.get(url + "/v1/weights", timeout=10).status_code == 401
    token = (balancer.directory / "state/admin.token").read_text().strip()
    fields = {"Authorization": f"Bearer {token}"}
    got = requests.get(url + "/v1/weights", headers=fields, timeout=10)
    assert got.headers["ETag"] == '"1"'
    asked = {"weights": {"source": 1, "target": 1}}
    stale = requests.put(url + "/v1/weights", json=asked, headers={**fields, "If-Match": '"5"'}, timeout=10)
    assert stale.status_code == 412
    set_ = requests.put(url + "/v1/weights", json=asked, headers={**fields, "If-Match": '"1"'}, timeout=10)
    assert set_.json()["acknowledged"] and set_.headers["ETag"] == '"2"'


def test_check_counts_the_workers_that_share_connections(make_balancer, clusters):
    """To a node, and of a listener: at least one for each."""
    balancer = make_balancer(clusters[0].url, clusters[1].url, source_more="connections: 3", more="workers: 3",
                             start=False)
    assert crossfade("check", "-c", balancer.file).returncode == 0
    good = balancer.file.read_text()
    balancer.file.write_text(good.replace("connections: 3", "connections: 2"))
    done = crossfade("check", "-c", balancer.file)
    assert done.returncode == 1
    assert "source: connections: 2 is less than one for each of the 3 workers" in done.stderr
    balancer.file.write_text(good.replace("9201, tls: off", "9201, tls: off, connections: 2"))
    done = crossfade("check", "-c", balancer.file)
    assert done.returncode == 1
    assert "connections: 2 is less than the number of workers that share it, 3" in done.stderr


def test_status_counts_the_requests_of_each_node(make_balancer, clusters):
    balancer = make_balancer([clusters[0].url, clusters[1].url], clusters[1].url, source_more="balance: round_robin",
                             more="workers: 1")
    with requests.Session() as session:
        for _ in range(6):
            assert session.get(balancer.source, timeout=20).status_code == 200
    nodes = balancer.status()["clusters"][0]["nodes"]
    assert [(n["requests"]["all"], n["requests"]["2xx"]) for n in nodes] == [(3, 3)] * 2
    assert balancer.status()["clusters"][1]["nodes"][0]["requests"]["all"] == 0
    shown = balancer.command("status").stdout
    assert re.search(r"^cluster node +state +requests in flight last check$", shown, re.M)
    assert len(re.findall(r"^source  127\.\S+ +healthy +3 +0 200 in ", shown, re.M)) == 2
    assert re.search(r"^target  127\.\S+ +healthy +0 +0 ", shown, re.M)
    assert max(map(len, shown.splitlines())) <= 80


@pytest.mark.parametrize("words", [["weights", "1", "1"], ["rollback"], ["drain", "a:1"], ["ready", "a:1"]])
def test_a_reason_that_is_no_text_is_refused(words, tmp_path):
    said = subprocess.run([PROGRAM, *words, "--socket", tmp_path / "none", "--reason", b"\xff\xfe"],
                          capture_output=True, check=False)
    assert said.returncode == 2 and b"--reason: is not UTF-8 text" in said.stderr
