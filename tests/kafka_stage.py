"""A real Kafka broker for tests, its topics, and what the balancer puts there: TrafficStream records."""

import collections
import os
import pathlib
import shutil
import subprocess

import pytest
from confluent_kafka import Consumer, KafkaError, KafkaException, TopicPartition
from stage import ROOT, reachable, until

SCRIPT = ROOT / "tests/clusters/cluster"
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]


def end_of(consumer, where):
    """Its first and next offset; None while a broker that has just started does not lead it yet."""
    try:
        return consumer.get_watermark_offsets(where, timeout=5)
    except KafkaException as error:
        if not error.args[0].retriable() and error.args[0].code() != KafkaError.NOT_LEADER_FOR_PARTITION:
            raise
        return None


class Broker:
    """One node, that is killed and started again on its data."""

    def __init__(self, directory, port):
        self.directory, self.port, self.address = pathlib.Path(directory), port, f"127.0.0.1:{port}"

    def run(self, *words):
        done = subprocess.run([SCRIPT, *map(str, words)], capture_output=True, text=True, timeout=240, check=False)
        assert done.returncode == 0, done.stdout + done.stderr

    def start(self):
        self.run("start", "kafka", self.directory, self.port)
        until(lambda: reachable("127.0.0.1", self.port), 20, "a broker")
        return self

    def kill(self):
        self.run("kill", self.directory)

    def stop(self):
        self.run("stop", self.directory)

    def records(self, topic, seconds=20):
        """All that the topic has, partition by partition."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "tests", "enable.auto.commit": False})
        try:
            metadata = consumer.list_topics(topic, timeout=seconds)
            found = []
            for partition in metadata.topics[topic].partitions:
                where = TopicPartition(topic, partition, 0)
                end = until(lambda w=where: end_of(consumer, w), seconds, "a partition that has its leader")[1]
                consumer.assign([where])
                while end and (not found or found[-1][:2] < (partition, end - 1)):
                    message = consumer.poll(seconds)
                    assert message is not None and not message.error(), message
                    found.append((partition, message.offset(), message.key(), message.value()))
            return [(key, value) for _, _, key, value in found]
        finally:
            consumer.close()

    def codecs(self, topic):
        """With which its batches are compressed, read from the broker's own files."""
        seen = collections.Counter()
        for log in self.directory.glob(f"data/{topic}-*/*.log"):
            text, at = log.read_bytes(), 0
            while at + 61 <= len(text) and (length := int.from_bytes(text[at + 8:at + 12], "big")):
                seen[CODECS[int.from_bytes(text[at + 21:at + 23], "big") & 7]] += 1
                at += 12 + length
        return seen


def free_ports():
    """Two in a row, as the script wants them; the kernel gives none of these out by itself."""
    low = int(open("/proc/sys/net/ipv4/ip_local_port_range").read().split()[0])
    start = 10000 + os.getpid() * 2 % (low - 10100)
    for port in [*range(start, low - 2, 2), *range(10000, start, 2)]:
        if not reachable("127.0.0.1", port) and not reachable("127.0.0.1", port + 1):
            return port
    raise RuntimeError("no port is free")


def make_broker(directory):
    for tool, package in ("java", "openjdk-17-jdk-headless"), ("mvn", "maven"):
        if not shutil.which(tool):
            pytest.skip(f"a real broker needs {tool}: apt-get install {package}, or ./dev test all")
    return Broker(directory, free_ports()).start()


# --- TrafficStream, as far as tests look into it ---

def varint(text, at):
    value = shift = 0
    while True:
        byte = text[at]
        value |= (byte & 127) << shift
        at, shift = at + 1, shift + 7
        if byte < 128:
            return value, at


def fields(text):
    """(number, value) of each field of a message, in their order."""
    at = 0
    while at < len(text):
        tag, at = varint(text, at)
        if tag & 7 == 0:
            value, at = varint(text, at)
        else:
            assert tag & 7 == 2, tag
            length, at = varint(text, at)
            value, at = text[at:at + length], at + length
        yield tag >> 3, value


def requests_in(records):
    """The whole requests of all connections, put together from their records. One that comes twice under the same number
    says the same, and counts once: that is how duplicates are recognised."""
    streams = collections.defaultdict(dict)
    for key, value in records:
        record = collections.defaultdict(list)
        for number, part in fields(value):
            record[number].append(part)
        assert record[1] == [key]
        number = (record[3] or record[4])[0]
        before = streams[key].setdefault(number, record)
        assert before[2] == record[2], f"{key} {number} came twice, and not the same"
    found = []
    for key, stream in streams.items():
        assert sorted(stream) == list(range(1, len(stream) + 1)), f"{key}: {sorted(stream)}"
        request = b""
        for number in sorted(stream):
            for observation in stream[number][2]:
                for kind, part in fields(observation):
                    if kind in (4, 5):
                        request += dict(fields(part)).get(1 if kind == 4 else 2, b"")
                    elif kind == 15:
                        found.append(request)
                        request = b""
                    elif kind == 16:
                        request = b""
    return found


def paths_in(records):
    return [request.split(b" ")[1].decode() for request in requests_in(records)]
