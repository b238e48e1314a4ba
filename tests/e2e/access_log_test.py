"""The access log, read back: what stands there is what was sent."""

import json
import os
import pathlib
import re
import shutil
import signal
import socket
import ssl
import subprocess
import tempfile

import pytest
import requests

from stage import PROGRAM, Balancer, own_address, until

# The expression of AWS' own table for Athena, with the last four fields named.
ATHENA = re.compile(
    r'([^ ]*) ([^ ]*) ([^ ]*) ([^ ]*):([0-9]*) ([^ ]*)[:-]([0-9]*) ([-.0-9]*) ([-.0-9]*) ([-.0-9]*) '
    r'(|[-0-9]*) (-|[-0-9]*) ([-0-9]*) ([-0-9]*) "([^ ]*) (.*) (- |[^ ]*)" "([^"]*)" ([A-Z0-9-_]+) '
    r'([A-Za-z0-9.-]*) ([^ ]*) "([^"]*)" "([^"]*)" "([^"]*)" ([-.0-9]*) ([^ ]*) "([^"]*)" "([^"]*)" '
    r'"([^ ]*)" "([^"]+?)" "([^"]+)" "([^ ]*)" "([^ ]*)" ?([^ ]*)? ?([^ ]*) ?([^ ]*) ?([^ ]*)')
FIELDS = """type time elb client client_port target target_port request_processing_time target_processing_time
    response_processing_time elb_status_code target_status_code received_bytes sent_bytes method url version
    user_agent ssl_cipher ssl_protocol target_group trace_id domain_name chosen_cert rule request_creation_time
    actions_executed redirect_url error_reason target_list target_status_code_list classification
    classification_reason conn_trace_id transformed_host transformed_uri transform_status""".split()


def alb(line):
    match = ATHENA.fullmatch(line)
    assert match, line
    return dict(zip(FIELDS, match.groups(), strict=True))


class Log:
    def __init__(self, balancer, read):
        self.path, self.read = balancer.directory / "access.log", read

    def lines(self, n, path=None):
        """The lines, once there are so many."""
        text = until(lambda: (t := (path or self.path).read_text()).count("\n") >= n and t, 10, f"{n} lines")
        assert text.endswith("\n") and text.count("\n") == n, text
        # Each worker's lines stand in their order, and not among each other's.
        return sorted(map(self.read, text.splitlines()), key=lambda line: line["time"])


@pytest.fixture(params=["alb", "json"])
def log(request, make_balancer, clusters, backend):
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend, weights=(0, 1),
                             more=f"log: {{ access: access.log, format: {request.param} }}\n")
    made = Log(balancer, alb if request.param == "alb" else json.loads)
    made.balancer, made.clusters, made.format = balancer, clusters, request.param
    return made


def test_a_line_says_what_was_sent(log):
    got = requests.post(log.balancer.weighted + "/_bulk?x=1", data=b"x" * 5000, verify=False, timeout=20,
                        headers={"User-Agent": 'a "quoted\\" one', "X-Amzn-Trace-Id": "Root=1-a-b"})
    (line,) = log.lines(1)
    target = log.clusters[1]
    node = f"{target.address}:{target.port}"
    host = log.balancer.weighted.removeprefix("https://")
    seen = {name.lower(): value for name, value in got.json()["headers"]}
    assert line["type"] == "https"
    assert line["elb"] == "crossfade/weighted"
    assert str(line["elb_status_code"]) == str(line["target_status_code"]) == "200"
    assert line["ssl_protocol"] == "TLSv1.3" and line["ssl_cipher"].startswith("TLS_")
    assert line["target_group"] == "target"
    assert line["trace_id"] == seen["x-amzn-trace-id"]
    assert line["target_list"] == node and str(line["target_status_code_list"]) == "200"
    assert 0 <= float(line["target_processing_time"]) < 20
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z", line["time"])
    assert line["request_creation_time"] <= line["time"]
    # Heads and bodies. What concerns one connection is the balancer's own in a response.
    head = sum(len(f"{k}: {v}\r\n") for k, v in got.headers.items() if k.lower() not in ("connection", "keep-alive"))
    assert int(line["sent_bytes"]) == len("HTTP/1.1 200 OK\r\n\r\n") + head + len(got.content)
    assert int(line["received_bytes"]) == 5000 + len("POST /_bulk?x=1 HTTP/1.1\r\n\r\n") + len(f"Host: {host}\r\n") + \
        sum(len(f"{k}: {v}\r\n") for k, v in got.request.headers.items())
    if log.format == "alb":
        assert (line["method"], line["url"], line["version"]) == ("POST", f"https://{host}/_bulk?x=1", "HTTP/1.1")
        assert line["user_agent"] == r"a \x22quoted\x5C\x22 one"
        assert f"{line['target']}:{line['target_port']}" == node
    else:
        assert line["request"] == f"POST https://{host}/_bulk?x=1 HTTP/1.1"
        assert line["user_agent"] == 'a "quoted\\" one'
        assert line["target"] == line["node"] == node
        assert (line["kind"], line["attempts"], line["path"]) == ("write", 1, "/_bulk?x=1")


def test_a_connection_keeps_its_name(log):
    with requests.Session() as session:
        for n in range(3):
            session.get(f"{log.balancer.source}/{n}", timeout=20)
    requests.get(log.balancer.source + "/3", timeout=20)
    first, second, third, other = (line["conn_trace_id"] for line in log.lines(4))
    assert first == second == third != other


def test_refused_requests_have_their_reason(log):
    address = log.balancer.source.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1])), 10) as connection:
        connection.sendall(b"GET /\" 200 \r\nx\r\n\r\n")
        connection.recv(65536)
    (line,) = log.lines(1)
    assert line["error_reason"] == line["classification_reason"] == "bad_request_line"
    assert (str(line["elb_status_code"]), line["classification"]) == ("400", "Severe")
    if log.format == "alb":
        assert (line["target"], line["target_status_code"], line["target_processing_time"]) == ("", "-", "-1")
    else:
        assert (line["target"], line["target_status_code"], line["target_processing_time"]) == (None, None, -1)


def test_a_client_that_goes_is_460(log, make_node, make_balancer):
    asked = []
    node = make_node(lambda connection: (asked.append(connection.recv(65536)), connection.recv(1)))
    balancer = make_balancer(node.url, node.url,
                             more=f"log: {{ access: access.log, format: {log.format} }}\n")
    address = balancer.source.removeprefix("http://").split(":")
    with socket.create_connection((address[0], int(address[1])), 10) as connection:
        connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\n\r\n")
        until(lambda: asked, 10, "the request at the node")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    (line,) = Log(balancer, log.read).lines(1)
    assert (str(line["elb_status_code"]), line["error_reason"]) == ("460", "peer_reset")


def test_sni_and_resumption_are_seen(log):
    host, port = log.balancer.weighted.removeprefix("https://").split(":")
    context, session = ssl.create_default_context(), None
    context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
    for _ in range(2):
        with socket.create_connection((host, int(port)), 10) as raw, \
                context.wrap_socket(raw, server_hostname="Search.test", session=session) as connection:
            connection.sendall(b"GET / HTTP/1.1\r\nHost: a\r\nConnection: close\r\n\r\n")
            while connection.recv(65536):
                pass
            session = connection.session
    first, second = log.lines(2)
    assert first["domain_name"] == second["domain_name"] == "Search.test"
    assert first["chosen_cert"].endswith("/tls.crt") and second["chosen_cert"] == "session-reused"


@pytest.mark.parametrize("name", ["SIGUSR1", "SIGHUP"])
def test_a_moved_log_is_begun_anew_by_a_signal(log, name):
    requests.get(log.balancer.source + "/1", timeout=20)
    log.lines(1)
    old = log.path.rename(log.path.with_suffix(".1"))
    log.balancer.process.send_signal(signal.Signals[name])
    until(log.path.exists, 10, "a new file")
    requests.get(log.balancer.source + "/2", timeout=20)
    until(lambda: (old.read_text() + log.path.read_text()).count("\n") == 2, 10, "both lines")
    requests.get(log.balancer.source + "/3", timeout=20)
    until(lambda: "/3" in log.path.read_text(), 10, "the third line in the new file")


def test_a_file_that_cannot_be_written_is_said_at_the_start(make_balancer, clusters):
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False,
                             more="log: { access: missing/access.log }\n")
    balancer.start(wait=False)
    assert balancer.process.wait(20) == 1
    assert re.search(r"crossfade.yaml:\d+:\d+: log: cannot write .*missing/access.log: No such file", balancer.said())


@pytest.mark.parametrize("setting, shown", [("", {"code"}), (", redact_query: [ code ]", set()),
                                            (", redact_query: none", {"token", "code", "own"})])
def test_tokens_of_queries_stand_in_no_log(make_balancer, clusters, backend, setting, shown):
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend,
                             more=f"log: {{ access: access.log{setting} }}\ncapture: {{ directory: capture, redact_query: [ own ] }}\n")
    values = {name: f"value-of-{name}" for name in ["token", "code", "own"]}
    requests.get(balancer.source + "/a?" + "&".join(f"{n}={v}" for n, v in values.items()), timeout=20)
    (line,) = Log(balancer, alb).lines(1)
    assert {name for name, value in values.items() if value in line["url"]} == shown
    assert line["url"].count("***") == 3 - len(shown)


def test_half_a_line_that_was_left_is_ended(make_balancer, clusters, tmp_path):
    """By a process that was killed."""
    log = tmp_path / "access.log"
    log.write_text('{"time": "20')
    balancer = make_balancer(clusters[0].url, clusters[1].url, more=f"log: {{ access: {log}, format: json }}")
    requests.get(f"{balancer.source}/whole", timeout=20)
    until(lambda: "/whole" in log.read_text(), 20, "a line")
    first, second = log.read_text().splitlines()
    assert first == '{"time": "20' and json.loads(second)["path"] == "/whole"


def run_with_stdout(balancer, stdout, *before):
    with open(balancer.log, "ab") as log:
        balancer.process = subprocess.Popen([*before, balancer.program, "run", "-c", balancer.file], stdout=stdout, stderr=log)
    until(balancer.is_up, 20, "a ready balancer")


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_standard_output_may_be_a_socket(make_balancer, clusters, name):
    """As a journal's. It is opened anew like any other file."""
    balancer = make_balancer(clusters[0].url, clusters[1].url, more=f"log: {{ access: {name}, format: json }}", start=False)
    here, there = socket.socketpair()
    with here, there:
        run_with_stdout(balancer, there)
        for n in range(2):
            requests.get(f"{balancer.source}/{n}", timeout=20)
            here.settimeout(20)
            assert json.loads(here.recv(65536).splitlines()[-1])["path"] == f"/{n}"
            balancer.process.send_signal(signal.SIGUSR1)
            until(lambda: f"{name} was reopened" in balancer.said())
        balancer.stop()


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for a pipe that is another user's")
def test_standard_output_may_be_the_pipe_of_another_user(clusters):
    """As in a container that root has started for a user of its own."""
    at = own_address()
    with tempfile.TemporaryDirectory() as directory:
        balancer = Balancer(pathlib.Path(directory), f"""\
listeners: {{ weighted: {{ address: {at}:8080, tls: off }} }}
source: {{ nodes: [ {clusters[0].url} ] }}
target: {{ nodes: [ {clusters[1].url} ] }}
log: {{ access: /dev/stdout, format: json }}
admin: {{ socket: admin.sock }}
state: state
""", program=shutil.copy(PROGRAM, directory))
        os.chown(directory, 1000, 1000)
        balancer.limited = ["setpriv", "--reuid=1000", "--regid=1000", "--clear-groups"]
        reader, writer = os.pipe()
        run_with_stdout(balancer, writer, *balancer.limited)
        os.close(writer)
        with os.fdopen(reader) as lines:
            assert requests.get(f"http://{at}:8080/here", timeout=20).ok
            assert json.loads(lines.readline())["path"] == "/here"
            balancer.end()
