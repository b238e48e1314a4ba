"""What tests of the capture log share: a balancer that records, and its log as the program shows it."""

import json
import subprocess

import requests
from stage import until


def make_captured(make_balancer, clusters, backend, tmp_path, more="", besides="", **others):
    balancer = make_balancer(clusters[0].url, clusters[1].url, io=backend,
                             more=f"profile: opensearch\ncapture: {{ directory: {tmp_path}/capture, "
                                  f"segment: 2MiB{more} }}\n{besides}", **others)
    balancer.log_directory = tmp_path / "capture"
    return balancer


def capture(balancer, *words, check=True):
    return subprocess.run([balancer.program, "capture", *words, "--directory", balancer.log_directory],
                          capture_output=True, text=True, check=check)


def exchanges(balancer, *words):
    return [json.loads(line) for line in capture(balancer, "cat", "-o", "json", *words).stdout.splitlines()]


def recorded(balancer, n, *words):
    """Reads are written in a while."""
    until(lambda: len(exchanges(balancer)) >= n, what=f"{n} exchanges")
    return exchanges(balancer, *words)


def metrics_of(balancer):
    return subprocess.run(["curl", "-s", "--unix-socket", balancer.directory / "admin.sock", "http://a/metrics"],
                          capture_output=True, text=True, check=True).stdout


def refused(balancer):
    response = requests.put(f"{balancer.source}/books/_doc/refused", data=b"{}", timeout=10)
    return response.status_code == 503 and response.headers["X-Crossfade-Error"] == "capture_unavailable"


def kept(balancer):
    return sorted(f.name for f in balancer.log_directory.glob("*.capture"))
