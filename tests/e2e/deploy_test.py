"""The examples for Prometheus and Grafana: they are valid, and speak of metrics that there are."""

import json
import re
import shutil
import subprocess

import pytest

from capture_stage import make_captured, metrics_of
from stage import ROOT

DEPLOY = ROOT / "deploy"
# A histogram is told of by these.
SUFFIXES = re.compile(r"_(bucket|sum|count)$")
# What Prometheus' language has of its own in these files is never called crossfade_.
NAMES = re.compile(r"\bcrossfade_[a-z0-9_]+")


def promtool(*words, given=None):
    if not shutil.which("promtool"):
        pytest.skip("promtool is not installed")
    done = subprocess.run(["promtool", *map(str, words)], input=given, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.fixture
def served(make_balancer, clusters, tmp_path):
    more = ", kafka: { brokers: [ 127.0.0.1:1 ] }"  # nobody is there, and what is counted of them is
    balancer = make_captured(make_balancer, clusters, "auto", tmp_path, more, "replay: {}")
    # These clusters have no documents: whatever is said of them is a result.
    balancer.command("compare", "--all", check=False)
    assert "compare" in balancer.status()
    return metrics_of(balancer)


@pytest.fixture
def metrics(served):
    return set(re.findall(r"^# TYPE (\S+)", served, re.M))


def test_prometheus_takes_what_is_served(served):
    assert 'crossfade_capture_commit_seconds_bucket{le="+Inf"}' in served
    promtool("check", "metrics", given=served)


def names_in(text):
    return {SUFFIXES.sub("", name) if not name.endswith("_seconds") else name for name in NAMES.findall(text)}


@pytest.mark.parametrize("name", ["alerts.yml", "grafana.json"])
def test_each_metric_in_the_examples_exists(metrics, name):
    used = names_in((DEPLOY / name).read_text())
    assert used and used <= metrics, sorted(used - metrics)


def test_the_documentation_tells_of_every_metric(metrics):
    told = names_in((ROOT / "docs" / "operating.md").read_text())
    assert metrics <= told, sorted(metrics - told)
    assert told <= metrics, sorted(told - metrics)


def test_the_dashboard_is_json_whose_panels_ask_something():
    panels = json.loads((DEPLOY / "grafana.json").read_text())["panels"]
    assert len({panel["id"] for panel in panels}) == len(panels)
    for panel in panels:
        assert all("crossfade_" in target["expr"] for target in panel["targets"]), panel["title"]


def test_prometheus_takes_the_configuration_and_the_rules():
    promtool("check", "config", DEPLOY / "prometheus.yml")
    promtool("check", "rules", DEPLOY / "alerts.yml")


def test_each_alert_is_tested():
    alerts = re.findall(r"^ +- alert: (\w+)$", (DEPLOY / "alerts.yml").read_text(), re.M)
    tested = set(re.findall(r"^ +alertname: (\w+)$", (DEPLOY / "alerts_test.yml").read_text(), re.M))
    assert len(alerts) == len(set(alerts)) and set(alerts) == tested


def test_the_alerts_fire_when_they_are_meant_to():
    promtool("test", "rules", DEPLOY / "alerts_test.yml")
