"""What `crossfade status` tells whoever was woken up."""

import re

import requests
from capture_stage import make_captured
from stage import until


def test_reads_and_writes_of_each_side_are_told_apart(balancer):
    for _ in range(3):
        requests.get(f"{balancer.source}/books", timeout=10)
    for _ in range(2):
        requests.put(f"{balancer.target}/books/_doc/1", data=b"{}", timeout=10)
    assert [c["classes"] for c in balancer.status()["clusters"]] == [{"reads": 3, "writes": 0},
                                                                      {"reads": 0, "writes": 2}]
    assert re.search(r"^reads / writes +3 / 0 +0 / 2$", balancer.command("status").stdout, re.M)


def test_the_keepers_pid_is_said_for_that_is_who_hears_signals(balancer):
    assert balancer.status()["keeper"] == balancer.process.pid
    assert f"keeper {balancer.process.pid}, " in balancer.command("status").stdout
    assert balancer.status()["pid"] == balancer.working_pid()


def test_a_refused_reload_is_told_with_all_its_mistakes(balancer):
    good = balancer.file.read_text()
    done = balancer.reload(lambda text: text.replace("weights:", "wheights:").replace("io:", "oi:"))
    assert not done["ok"] and len(done["mistakes"]) >= 2 and done["more"] == 0
    page = balancer.command("status").stdout
    assert f"{len(done['mistakes'])} mistakes" in page
    for word in "wheights", "'oi'":
        assert re.search(rf"^ {{9}}\S+crossfade\.yaml:\d+:\d+: .*{word}", page, re.M), page
    balancer.file.write_text(good)
    assert balancer.reload(lambda text: text + "# again\n")["mistakes"] is None


def test_the_certificate_that_expires_first_is_told(balancer):
    until_ = balancer.status()["certificates"][0]["until"]
    assert f"certificates  1, the first expires on {until_[:10]}: listener" in balancer.command("status").stdout


def test_a_log_that_is_away_says_why_before_how_much_it_has(make_balancer, clusters, tmp_path):
    balancer = make_captured(make_balancer, clusters, "auto", tmp_path, ", limit: 2MiB")
    until(lambda: requests.put(f"{balancer.source}/books/_doc/1", data=b"x" * 900_000, timeout=10).status_code == 503, 15)
    page = until(lambda: "`limit` is reached" in (p := balancer.command("status").stdout) and p, 15)
    lines = page.splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("capture  "))
    assert re.match(r"capture  unavailable since 20\S+Z: `limit` is reached: \d\.\d MiB of 2\.0 MiB: ", lines[at])
    assert re.match(r" {9}\d+ records, \d\.\d MiB, \d+ gaps$", lines[at + 1])


def test_what_bounds_the_capture_log_and_who_follows_it(make_balancer, clusters, tmp_path):
    balancer = make_captured(make_balancer, clusters, "auto", tmp_path,
                             ", limit: 512MiB, retain: { size: 64MiB, age: 7d }")
    requests.put(f"{balancer.source}/books/_doc/1", data=b"{}", timeout=10)
    export = ("capture", "export", "--format", "jsonl", "--follower", "nightly")
    balancer.command(*export)
    seen = until(lambda: (c := balancer.status()["capture"])["followers"] and c["followers"][0]["position"] and c, 15)
    assert seen["limit_bytes"] == 512 << 20 and seen["retain"] == {"size_bytes": 64 << 20, "age_seconds": 7 * 86400}
    assert seen["kept_bytes"] > 0 and seen["away_since"] is None and seen["last_loss"] is None
    # That the client has gone is a record too: it comes with a later export.
    until(lambda: balancer.command(*export) and balancer.status()["capture"]["followers"][0]["lag_seconds"] == 0, 20)
    page = balancer.command("status").stdout
    assert re.search(r"^kept +\S+ [KM]iB of limit 512\.0 MiB, retain 64\.0 MiB, 7d$", page, re.M), page
    assert re.search(r"^follower nightly +0\.0 s behind, at 20\S+Z$", page, re.M), page
    for n in range(3):
        requests.put(f"{balancer.source}/books/_doc/{n}", data=b"{}", timeout=10)
    until(lambda: balancer.status()["capture"]["followers"][0]["lag_seconds"] > 0, 15, "a lag")
