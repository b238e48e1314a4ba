"""The log brought to a real Kafka: all of it is there, whatever is killed when."""

import contextlib
import itertools
import os
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
import requests
from capture_stage import exchanges, kept, make_captured
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic
from kafka_stage import CODECS, make_broker, paths_in, requests_in
from stage import serves, until

OUTAGE = 36 if os.environ.get("CROSSFADE_FULL") else 8  # seconds
_topics = itertools.count(1)


@pytest.fixture(scope="module")
def broker(tmp_path_factory):
    directory = tmp_path_factory.mktemp("kafka")
    broker = make_broker(directory)
    yield broker
    broker.stop()
    shutil.rmtree(directory)


class Stage:
    def __init__(self, broker, balancer, topic):
        self.broker, self.balancer, self.topic = broker, balancer, topic

    def put(self, *names, data=b"{}"):
        with requests.Session() as session:
            for name in names:
                response = session.put(f"{self.balancer.source}/books/_doc/{name}", data=data, timeout=20)
                assert response.status_code == 200, response.text

    def seen(self):
        return self.balancer.status()["capture"]["kafka"]

    def is_delivered(self):
        seen = self.seen()
        return seen and seen["state"] == "following" and seen["lag_records"] == 0 and seen["records"] > 0

    def wait(self, seconds=20):
        try:
            until(self.is_delivered, seconds)
        except AssertionError as late:
            raise AssertionError(f"not all is delivered: {self.seen()} {self.balancer.said()}") from late

    def paths(self):
        return [path.rpartition("/")[2] for path in paths_in(self.broker.records(self.topic))]


@pytest.fixture
def stage(broker, make_balancer, clusters, tmp_path):
    def make(more="", kafka=""):
        topic = f"traffic-{next(_topics)}"
        balancer = make_captured(make_balancer, clusters, "auto", tmp_path,
                                 f", kafka: {{ brokers: [ '{broker.address}' ], topic: {topic}{kafka} }}{more}")
        return Stage(broker, balancer, topic)

    return make


def test_what_passes_is_in_the_topic(stage):
    s = stage(", responses: all")
    large = os.urandom(1_500_000)
    s.put("1", "2")
    s.put("large", data=large)
    requests.get(f"{s.balancer.source}/books/_search", timeout=10)
    until(lambda: sorted(s.paths()) == ["1", "2", "_search", "large"], 20)
    found = requests_in(s.broker.records(s.topic))
    assert [r for r in found if r.endswith(large)]
    s.wait()
    metrics = subprocess.run(["curl", "-s", "--unix-socket", s.balancer.directory / "admin.sock", "http://a/metrics"],
                             capture_output=True, text=True, check=True).stdout
    assert "crossfade_capture_kafka_following 1\n" in metrics
    assert "crossfade_capture_kafka_lag_seconds 0.000\n" in metrics
    assert "kafka    following" in s.balancer.command("status").stdout
    assert "kafka" in s.balancer.command("capture", "followers").stdout


def set_limit(broker, topic, limit, make=False):
    admin = AdminClient({"bootstrap.servers": broker.address})
    if make:
        done = admin.create_topics([NewTopic(topic, 1, 1, config={"max.message.bytes": str(limit)})])[topic]
    else:
        done, = admin.alter_configs([ConfigResource(ConfigResource.Type.TOPIC, topic,
                                                    {"max.message.bytes": str(limit)})]).values()
    done.result(20)


@pytest.mark.parametrize("limit, size", [(200_000, 60_000), (20_000, 4_000)])
def test_a_topic_that_takes_a_record_takes_the_batch(broker, make_balancer, clusters, tmp_path, limit, size):
    topic = f"small-{next(_topics)}"
    set_limit(broker, topic, limit, make=True)
    s = Stage(broker, make_captured(make_balancer, clusters, "auto", tmp_path,
                                    f", kafka: {{ brokers: [ '{broker.address}' ], topic: {topic} }}"), topic)
    with ThreadPoolExecutor(30) as pool:
        list(pool.map(lambda n: s.put(n, data=os.urandom(size)), range(30)))
    s.wait(30)
    assert set(s.paths()) == set(map(str, range(30)))


def test_a_record_that_is_too_large_is_named_and_comes_when_the_topic_takes_it(broker, make_balancer, clusters, tmp_path):
    topic = f"small-{next(_topics)}"
    set_limit(broker, topic, 10_000, make=True)
    s = Stage(broker, make_captured(make_balancer, clusters, "auto", tmp_path,
                                    f", kafka: {{ brokers: [ '{broker.address}' ], topic: {topic} }}"), topic)
    s.put("large", data=os.urandom(50_000))
    until(lambda: f"the topic {topic} refused a record of" in (s.seen()["error"] or ""), 20, "a word")
    until(lambda: "its max.message.bytes: 10000 bytes" in s.seen()["error"], 20, "its limit")
    told = s.seen()["failures"]
    until(lambda: s.seen()["failures"] > told + 1, 20, "it to be tried again")
    assert s.balancer.said().count("in a batch of at most 10000") == 1
    assert "delivery goes on" not in s.balancer.said()
    set_limit(broker, topic, 1_000_000)
    s.wait(30)
    assert set(s.paths()) == {"large"}
    assert s.balancer.said().count("kafka: delivery goes on") == 1


def test_nothing_passes_a_record_that_is_refused(broker, make_balancer, clusters, tmp_path):
    topic = f"small-{next(_topics)}"
    set_limit(broker, topic, 10_000, make=True)
    s = Stage(broker, make_captured(make_balancer, clusters, "auto", tmp_path,
                                    f", kafka: {{ brokers: [ '{broker.address}' ], topic: {topic} }}"), topic)
    with requests.Session() as session:
        session.put(f"{s.balancer.source}/books/_doc/large", data=os.urandom(50_000), timeout=10)
        for n in range(200):
            session.put(f"{s.balancer.source}/books/_doc/{n}", data=b"{}", timeout=10)
    until(lambda: s.seen()["failures"] >= 1, 20, "it to be refused")
    before, failures = len(broker.records(topic)), s.seen()["failures"]
    until(lambda: s.seen()["failures"] >= failures + 2, 20, "it to be tried again")
    passed = broker.records(topic)[before:]
    set_limit(broker, topic, 1_000_000)
    s.wait(30)
    assert passed == []
    assert set(s.paths()) == {"large", *map(str, range(200))}


@pytest.mark.parametrize("name, is_broker", [("IP:127.0.0.1", True), ("IP:127.0.0.2", False), ("DNS:127.0.0.1", False)])
def test_whoever_answers_for_a_broker_must_have_its_name(make_balancer, clusters, tmp_path, name, is_broker):
    """A server of TLS in a broker's place: only one with the right certificate gets a word of Kafka's."""
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", tmp_path / "broker.key", "-out", tmp_path / "broker.crt", "-subj", "/CN=127.0.0.1",
                    "-addext", f"subjectAltName={name}"], check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(tmp_path / "broker.crt", tmp_path / "broker.key")
    heard, failed = [], []

    def serve(listener):
        while len(heard) + len(failed) < 2:
            with contextlib.suppress(OSError), listener.accept()[0] as raw:
                try:
                    heard.append(context.wrap_socket(raw, server_side=True).recv(8))
                except OSError as error:
                    failed.append(error)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        thread = threading.Thread(target=serve, args=(listener,))
        thread.start()
        port = listener.getsockname()[1]
        s = Stage(None, make_captured(make_balancer, clusters, "auto", tmp_path,
                                      f", kafka: {{ brokers: [ '127.0.0.1:{port}' ], topic: t, "
                                      f"security: {{ tls: {{ ca: {tmp_path}/broker.crt }} }} }}"), "t")
        s.put("1")
        thread.join(30)
        assert not thread.is_alive()
        if not is_broker:
            until(lambda: "certificate" in (s.seen()["error"] or ""), 20, "a word")
    assert bool([h for h in heard if h]) == is_broker and bool(failed) != is_broker, (heard, failed, s.seen())


@pytest.mark.parametrize("codec", CODECS)
def test_batches_are_compressed_as_was_asked(stage, codec):
    """The library leaves compression out when it believes that the broker does not know it: it must not."""
    s = stage(kafka=f", compression: {codec}")
    s.put(*range(50), data=b"the same again and again" * 100)
    s.wait()
    assert set(s.broker.codecs(s.topic)) == {codec}


def test_a_restart_delivers_nothing_twice(stage):
    s = stage()
    s.put("1", "2")
    s.wait()
    s.balancer.stop()
    s.balancer.start()
    s.put("3")
    s.wait()
    assert sorted(s.paths()) == ["1", "2", "3"]
    records = s.broker.records(s.topic)
    assert len(set(records)) == len(records)


def test_after_an_upgrade_the_new_process_goes_on(stage):
    s = stage()
    with requests.Session() as session:
        for n in range(3):
            session.put(f"{s.balancer.source}/books/_doc/{n}", data=b"{}", timeout=10)
        s.balancer.upgrade()
        session.put(f"{s.balancer.source}/books/_doc/3", data=b"{}", timeout=10)
        s.put("4")
    until(lambda: sorted(s.paths()) == ["0", "1", "2", "3", "4"], 20, "all of them")
    records = s.broker.records(s.topic)
    assert len(set(records)) == len(records)


def test_a_restart_without_the_broker_waits_for_it(stage):
    s = stage()
    s.broker.kill()
    s.put("1")
    until(lambda: s.seen()["state"] == "failing", 20)
    assert s.seen()["lag_records"] > 0 and "recording goes on" in s.balancer.said()
    s.balancer.stop()
    s.balancer.start()
    s.put("2")
    s.broker.start()
    s.wait(40)
    assert sorted(s.paths()) == ["1", "2"]
    assert "kafka: delivery goes on" in s.balancer.said()


class Writers:
    """Write one after the other, each on a connection of its own, until they are stopped; none may fail."""

    def __init__(self, stage, n, patient=False):
        self.stage, self.patient, self.done, self.slowest, self.wrong = stage, patient, [], 0.0, []
        self.over, self.lock = threading.Event(), threading.Lock()
        self.threads = [threading.Thread(target=self.write, args=(i,)) for i in range(n)]
        for thread in self.threads:
            thread.start()

    def write(self, writer):
        session = requests.Session()
        for n in itertools.count():
            if self.over.is_set():
                return
            name, began = f"{writer}-{n}", time.monotonic()
            try:
                response = session.put(f"{self.stage.balancer.source}/books/_doc/{name}", data=b"{}", timeout=20)
                if response.status_code == 200:
                    self.done.append(name)
                elif not self.patient:
                    self.wrong.append((name, response.status_code))
            except requests.RequestException as error:
                if not self.patient:
                    self.wrong.append((name, repr(error)))
                session = requests.Session()
            with self.lock:
                self.slowest = max(self.slowest, time.monotonic() - began)
            time.sleep(0.02)

    def stop(self):
        self.over.set()
        for thread in self.threads:
            thread.join()


def test_an_outage_of_the_broker_is_nobodys_trouble(stage):
    """CROSSFADE_FULL=1: 36 s. Nobody is refused or waits for a second, and a minute after the broker is back all is there."""
    s = stage()
    s.put("first")
    s.wait()
    writers = Writers(s, 16)
    until(lambda: len(writers.done) >= 16, what="writers at work")
    s.broker.kill()
    killed, before = time.monotonic(), len(writers.done)
    until(lambda: time.monotonic() - killed >= OUTAGE, OUTAGE + 10)
    meanwhile = len(writers.done) - before
    s.broker.start()
    back = time.monotonic()
    writers.stop()
    assert not writers.wrong and writers.slowest < 1, (writers.wrong[:3], writers.slowest)
    assert meanwhile > 16 * OUTAGE, "they wrote on"
    s.wait(back + 60 - time.monotonic())
    missing = {"first", *writers.done} - set(s.paths())
    print(f"{len(writers.done)} writes, {meanwhile} of them in {OUTAGE} s without the broker; slowest {writers.slowest:.3f} s; "
          f"missing {len(missing)}, {time.monotonic() - back:.1f} s after it was back")
    assert not missing and set(s.paths()) == {"first", *writers.done}


def test_nothing_is_missing_whoever_is_killed(stage):
    s = stage()
    writers = Writers(s, 8, patient=True)
    for _ in range(3):
        time.sleep(0.7)
        os.kill(s.balancer.working_pid(), signal.SIGKILL)
        until(lambda: serves(s.balancer.source))
        time.sleep(0.7)
        s.broker.kill()
        time.sleep(0.7)
        os.kill(s.balancer.working_pid(), signal.SIGKILL)
        until(lambda: serves(s.balancer.source))
        s.broker.start()
    writers.stop()
    s.wait(60)
    missing = set(writers.done) - set(s.paths())
    assert not missing and len(writers.done) > 100, missing


def test_what_was_packed_meanwhile_is_read_all_the_same(stage):
    s = stage(", compress: on")
    s.broker.kill()
    s.put(*range(8), data=b"the same again and again" * 40_000)
    until(lambda: s.balancer.status()["capture"]["compressed"]["segments"] >= 2, 20, "packed segments")
    s.broker.start()
    s.wait(40)
    assert sorted(s.paths()) == [str(n) for n in range(8)]


def test_retain_waits_for_the_topic(stage):
    s = stage(", retain: { size: 4MiB }")
    assert "only copy" not in s.balancer.command("check", "-c", s.balancer.file).stderr
    s.broker.kill()
    s.put(*range(8), data=os.urandom(1_000_000))
    first = kept(s.balancer)[0]
    until(lambda: "the follower kafka has not read it yet" in s.balancer.said(), 20)
    assert kept(s.balancer)[0] == first
    s.broker.start()
    until(lambda: first not in kept(s.balancer), 40, "the first to go")
    assert len(s.paths()) == 8


# --- capture.durable_at: kafka ---

@pytest.fixture
def strict(stage):
    """What the client hears waits for the topic, which is there from the first write on."""
    def make(more=""):
        s = stage(", durable_at: kafka" + more)
        until(lambda: put_once(s, "first")[0].status_code == 200 and s.is_delivered(), 20, "a topic")
        return s

    return make


def test_who_has_a_response_has_his_write_in_the_topic(strict):
    s = strict()
    for n in range(5):
        s.put(n, data=os.urandom(100_000) if n == 3 else b"{}")
        assert str(n) in s.paths()


def put_once(s, name):
    began = time.monotonic()
    response = requests.put(f"{s.balancer.source}/books/_doc/{name}", data=b"{}", timeout=20)
    return response, time.monotonic() - began


def test_without_the_broker_writes_are_refused(strict, clusters):
    s = strict()
    s.broker.kill()
    response, seconds = put_once(s, "late")
    assert response.status_code == 503 and response.headers["X-Crossfade-Error"] == "capture_unavailable" and seconds < 3
    response, seconds = put_once(s, "refused")
    assert response.status_code == 503 and seconds < 0.5
    assert clusters[0].asked["/books/_doc/late"] == clusters[0].asked["/books/_doc/refused"] == 0
    assert requests.get(f"{s.balancer.source}/books/_search", timeout=10).status_code == 200
    assert s.balancer.status()["capture"]["state"] == "late"
    s.broker.start()
    until(lambda: put_once(s, "2")[0].status_code == 200, 30, "service again")
    assert "2" in s.paths()
    ended = {e["path"].rpartition("/")[2]: e["outcome"] for e in exchanges(s.balancer)}
    assert ended["late"] == "not_sent" and "refused" not in ended and ended["2"] == "accepted"


def test_without_the_broker_the_disk_may_be_enough(strict):
    s = strict(", unavailable: forward")
    s.broker.kill()
    assert put_once(s, "late")[0].status_code == 200
    response, seconds = put_once(s, "3")
    assert response.status_code == 200 and seconds < 0.5
    s.broker.start()
    until(lambda: {"late", "3"} <= set(s.paths()), 30, "all of them")


def test_an_upgrade_goes_on_to_wait_for_the_topic(strict):
    s = strict()
    with requests.Session() as session:
        for n in range(3):
            assert session.put(f"{s.balancer.source}/books/_doc/{n}", data=b"{}", timeout=10).status_code == 200
        s.balancer.upgrade()
        for n in range(3, 6):
            assert session.put(f"{s.balancer.source}/books/_doc/{n}", data=b"{}", timeout=10).status_code == 200
            assert str(n) in s.paths()
