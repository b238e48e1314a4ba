#!/usr/bin/env python3
"""
converge.py MINUTES [--fill none|replay|reindex]: 16 writers with every kind of write to an Elasticsearch 7.10, replayed to an OpenSearch
2.19, while Crossfade and both clusters are killed with -9 in turns. In the end both must have the same documents, and
each acknowledged write.

--fill replay: the source had 20,000 documents before capture began, which a backfill brings over meanwhile; reindex: by
OpenSearch's own remote _reindex while replay is paused, then `replay restart --from` before its beginning.
"""

import argparse
import json
import os
import pathlib
import random
import signal
import sys
import tempfile
import time

sys.path[:0] = [str(pathlib.Path(__file__).resolve().parent), str(pathlib.Path(__file__).resolve().parents[1])]
from cluster_stage import start_clusters  # noqa: E402
from stage import Balancer, own_address, until  # noqa: E402
from writers import ALL, INDICES, Writers, differences, lines, missing, prepare  # noqa: E402


def configured(directory, source, target, replay):
    at = own_address()
    balancer = Balancer(directory, f"""\
profile: opensearch
listeners:
  source: {{ address: {at}:9201, tls: off }}
source:
  nodes: [ {source.url} ]
  timeouts: {{ idle: 10s }}
target:
  nodes: [ {target.url} ]
  timeouts: {{ idle: 10s }}
weights: {{ source: 1, target: 0 }}
admin: {{ socket: admin.sock }}
state: state
capture: {{ directory: capture, commit: 2ms }}
{replay}
""")
    balancer.source = f"http://{at}:9201"
    return balancer


def fill_source(source, n=20000):
    for at in range(0, n, 1000):
        text = "".join(lines({"index": {"_index": INDICES[i % 3], "_id": f"cold-{i}"}}, {"n": i, "old": True})
                       for i in range(at, at + 1000))
        assert not source.bulk(text)["errors"]


def kill_worker(balancer, _):
    pid = balancer.working_pid()
    if pid:
        os.kill(pid, signal.SIGKILL)
    until(lambda: balancer.working_pid() not in (None, pid) and balancer.is_up(), 60, "another process")


def kill_all(balancer, _):
    """The machine's owner kills the keeper too: all begins anew."""
    pid = balancer.working_pid()
    balancer.process.kill()
    balancer.process.wait()
    if pid:
        until(lambda: not pathlib.Path(f"/proc/{pid}").exists(), 20, "its end")
    balancer.start()


def kill_source(_, clusters):
    clusters["source"].end("kill")
    clusters["source"].start()


def kill_target(_, clusters):
    clusters["target"].end("kill")
    clusters["target"].start()


KILLS = [kill_worker, kill_target, kill_worker, kill_source, kill_all]


def is_quiet(balancer, since):
    r = balancer.status()["replay"]
    return (r["state"] == "current" and (r.get("watermark") or "") >= since and not r["keys"]["waiting"]
            and not r["keys"]["in_flight"] and not r["jobs"]["waiting"] and not r["keys"]["uncertain"])


def settle(balancer, true, what):
    until(true, 600, lambda: f"{what}: {json.dumps(balancer.status()['replay'])}")


def tell(text):
    print(f"{time.strftime('%H:%M:%S')} {text}", flush=True)


def run(minutes, fill, directory, seed=1):
    dice = random.Random(seed)
    for clusters in start_clusters(directory):
        source, target = clusters["source"], clusters["target"]
        prepare(source)
        if fill != "none":
            fill_source(source)
        balancer = configured(directory, source, target, "replay: {}").start()
        try:
            end = time.monotonic() + minutes * 60
            with Writers(balancer.source) as writers:
                if fill == "replay":
                    balancer.command("replay", "backfill", "--no-wait")
                elif fill == "reindex":
                    reindex(balancer, source, target)
                n = 0
                while time.monotonic() < end:
                    time.sleep(dice.uniform(5, 15))
                    KILLS[n % len(KILLS)](balancer, clusters)
                    n += 1
                    tell(f"{KILLS[(n - 1) % len(KILLS)].__name__}; responses so far {writers.statuses()}")
            since = time.strftime("%Y-%m-%dT%H:%M:%S", time.gmtime(time.time() + 1))
            settle(balancer, lambda: is_quiet(balancer, since), "a replica that has all")
            if fill == "replay":
                settle(balancer, lambda: backfill_is_over(balancer), "the end of the backfill")
            r = balancer.status()["replay"]
            tell(f"quiet: {json.dumps({k: r[k] for k in ('copies', 'keys', 'jobs', 'not_exact')})}")
            found = [*differences(source, target), *missing(source, writers.own())]
            tell(f"{n} kills, responses {writers.statuses()}, {len(writers.own())} keys of one writer: "
                 f"{len(found)} differences")
            for line in found[:20]:
                print("  " + line)
            if found:
                keep = pathlib.Path(tempfile.mkdtemp(prefix="crossfade-converge-"))
                os.system(f"cp -a {balancer.directory} {keep}")
                print(f"  kept in {keep}")
            return found
        finally:
            balancer.end()


def backfill_is_over(balancer):
    return balancer.status()["replay"].get("backfill", {}).get("state") in ("done", "over", "none")


def reindex(balancer, source, target):
    began = time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(time.time() - 1))
    balancer.command("replay", "pause")
    for index in ALL:
        body = {"source": {"remote": {"host": source.url}, "index": index}, "dest": {"index": index}, "conflicts": "proceed"}
        done = target.ask("POST", "/_reindex?refresh=true", body)
        assert done.status_code == 200, done.text
    balancer.command("replay", "restart", "--from", began)
    balancer.command("replay", "resume")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("minutes", type=float, nargs="?", default=2)
    parser.add_argument("--fill", choices=["none", "replay", "reindex"], default="none")
    parser.add_argument("--seed", type=int, default=1)
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="crossfade-converge-", ignore_cleanup_errors=True) as directory:
        sys.exit(1 if run(options.minutes, options.fill, pathlib.Path(directory), options.seed) else 0)


if __name__ == "__main__":
    main()
