"""Real clusters as processes: an Elasticsearch 7.10 as the source, an OpenSearch 2.19 as the target."""

import os
import pathlib
import shutil
import subprocess
import tempfile

import pytest
import requests
from stage import ROOT, own_address

SCRIPT = ROOT / "tests/clusters/cluster"
NAMES = {"source": "elasticsearch", "target": "opensearch"}


def place_on_a_mount(path):
    """Elasticsearch wants to know the file system of its data, and in a chroot the root is none of /proc/mounts."""
    mounts = {line.split()[1] for line in open("/proc/mounts")}
    if mounts & {str(p) for p in [path, *path.parents]}:
        return path
    return pathlib.Path(tempfile.mkdtemp(prefix="crossfade-clusters-", dir="/run"))


class RealCluster:
    def __init__(self, arm, directory):
        self.arm, self.directory, self.address = arm, directory / NAMES[arm], own_address()
        self.session = requests.Session()

    @property
    def url(self):
        return f"http://{self.address}:9200"

    def begin(self):
        return subprocess.Popen([SCRIPT, "start", NAMES[self.arm], self.directory, "9200"], stdout=subprocess.PIPE,
                                stderr=subprocess.STDOUT, text=True, env={**os.environ, "ADDRESS": self.address})

    def start(self):
        starting = self.begin()
        said = starting.communicate(timeout=240)[0]
        assert not starting.returncode, said

    def end(self, how):
        """As its operator would, "stop"; or as a crash would, "kill"."""
        subprocess.run([SCRIPT, how, self.directory], check=False)

    def ask(self, method, path, body=None, **fields):
        return self.session.request(method, self.url + path, json=body, timeout=60, headers=fields)

    def bulk(self, text, path="/_bulk?refresh=true"):
        return self.session.post(self.url + path, data=text.encode(), timeout=60,
                                 headers={"Content-Type": "application/x-ndjson"}).json()


def start_clusters(directory):
    """Both, side by side, by arm; a list of functions that ends them."""
    for tool, package in ("java", "openjdk-17-jdk-headless"), ("mvn", "maven"), ("curl", "curl"):
        if not shutil.which(tool):
            pytest.skip(f"real clusters need {tool}: apt-get install {package}, or ./dev test all")
    at = place_on_a_mount(directory)
    made = {arm: RealCluster(arm, at) for arm in NAMES}
    starting = [cluster.begin() for cluster in made.values()]
    said = [s.communicate(timeout=240)[0] for s in starting]
    try:
        assert not any(s.returncode for s in starting), said
        yield made
    finally:
        for cluster in made.values():
            cluster.end("stop")
        shutil.rmtree(at)
