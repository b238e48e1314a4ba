"""Every kind of write to a real Elasticsearch reaches a real OpenSearch, whatever is killed; a short slice of ./dev converge."""

import sys

from stage import ROOT

sys.path.insert(0, str(ROOT / "tests/converge"))
from converge import run  # noqa: E402


def test_both_clusters_have_the_same_in_the_end(tmp_path):
    assert run(1, "replay", tmp_path) == []
