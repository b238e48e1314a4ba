"""A crash of the working process while a file on the disk is bad: what was in force goes on."""

import contextlib
import json
import os
import pathlib
import shutil
import signal
import socket
import ssl
import subprocess

import pytest
import requests
from stage import until


def make_pair(directory, name):
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
                    "-keyout", directory / f"{name}.key", "-out", directory / f"{name}.crt", "-days", "30",
                    "-subj", f"/CN={name}", "-addext", "subjectAltName=IP:127.0.0.1"], check=True, capture_output=True)


def shown(balancer):
    """The certificate that clients get, as PEM."""
    with contextlib.suppress(OSError):
        return ssl.get_server_certificate((balancer.address, 8443))
    return None


def crash(balancer):
    """Kills the working process, and waits until the next one serves."""
    before = balancer.working_pid()
    os.kill(before, signal.SIGKILL)
    until(lambda: balancer.working_pid() not in (None, before), what="the next process")

    def serves():
        with contextlib.suppress(OSError):
            return requests.get(balancer.source, timeout=10).status_code < 500
        return False

    until(serves, what=lambda: f"it to serve; {balancer.said()}")


def is_up(balancer):
    return balancer.command("status", check=False).returncode == 0


@pytest.fixture
def keyed(make_balancer, clusters, tmp_path):
    """With a pair of its own, and a credential and a CA in files."""
    make_pair(tmp_path, "one")
    make_pair(tmp_path, "two")
    for kind in "crt", "key":
        shutil.copy(tmp_path / f"one.{kind}", tmp_path / f"own.{kind}")
    shutil.copy(tmp_path / "one.crt", tmp_path / "ca.crt")
    (tmp_path / "credential").write_text("ApiKey kept-credential\n")
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False)
    text = balancer.file.read_text()
    at = text.index("tls: { certificate")
    balancer.file.write_text(text[:at] + f"tls: {{ certificate: {tmp_path}/own.crt, key: {tmp_path}/own.key }}"
                             + text[text.index("\n", at):].replace(
                                 f"source:\n  nodes: [ {clusters[0].url} ]",
                                 f"source:\n  nodes: [ {clusters[0].url}, https://127.0.0.1:1 ]\n"
                                 f"  ca: {tmp_path}/ca.crt\n  authorization: {{ file: {tmp_path}/credential }}", 1))
    return balancer.start()


def garble(path):
    path.write_text("-----BEGIN CERTIFICATE-----\nnonsense\n")


@pytest.mark.parametrize("what", ["garbled", "gone", "half replaced"])
def test_a_crash_while_files_are_bad_changes_nothing(keyed, tmp_path, what):
    before = shown(keyed)
    for name in ["own.crt"] if what == "half replaced" else ["own.crt", "own.key", "ca.crt", "credential"]:
        if what == "garbled":
            garble(tmp_path / name)
        elif what == "gone":
            (tmp_path / name).unlink()
        else:
            shutil.copy(tmp_path / "two.crt", tmp_path / name)
    keyed.process.send_signal(signal.SIGHUP)
    until(lambda: "nothing was changed" in keyed.said(), what="a refusal")
    for _ in range(2):
        crash(keyed)
        assert shown(keyed) == before
        headers = requests.get(keyed.source, timeout=10).json()["headers"]
        assert ["Authorization", "ApiKey kept-credential"] in headers
    until(lambda: is_up(keyed), what="the admin API")
    assert keyed.status()["configuration"]["not_in_force"]
    assert "NOT IN FORCE since a crash" in keyed.command("status").stdout
    for kind in "crt", "key":
        shutil.copy(tmp_path / f"two.{kind}", tmp_path / f"own.{kind}")
    shutil.copy(tmp_path / "one.crt", tmp_path / "ca.crt")
    (tmp_path / "credential").write_text("ApiKey another\n")
    assert keyed.reload()["ok"]
    assert shown(keyed) != before and not keyed.status()["configuration"]["not_in_force"]


def test_an_upgrade_while_files_are_bad_is_refused_and_a_crash_behind_it_changes_nothing(keyed, tmp_path):
    before = shown(keyed)
    keyed.upgrade()
    garble(tmp_path / "own.crt")
    keyed.process.send_signal(signal.SIGUSR2)
    until(lambda: "upgrade: nothing has changed" in keyed.said(), what="a refusal")
    crash(keyed)
    assert shown(keyed) == before


def test_what_is_held_for_a_crash_is_in_no_file_that_others_can_read(keyed, tmp_path):
    """Neither the keeper's memory that can be written to a disk nor a file has the key."""
    key = (tmp_path / "own.key").read_bytes().split(b"\n")[1]
    (tmp_path / "own.key").unlink()
    found = [path for path in keyed.directory.rglob("*") if path.is_file() and key in path.read_bytes()]
    assert not found
    maps = pathlib.Path(f"/proc/{keyed.process.pid}/smaps").read_text().split("VmFlags:")
    held = [m for m in maps if "secretmem" in m or "crossfade-kept" in m]
    assert held
    flags = [maps[i + 1].split("\n")[0].split() for i, m in enumerate(maps) if "secretmem" in m or "crossfade-kept" in m]
    assert all("dd" in f and "lo" in f for f in flags), flags


@contextlib.contextmanager
def immutable(directory):
    """Nothing in it can be written, by root neither: a file system that has become one to read."""
    subprocess.run(["mount", "--bind", directory, directory], check=True)
    subprocess.run(["mount", "-o", "remount,ro,bind", directory], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", "-l", directory], check=True)


def may_mount(directory):
    with contextlib.suppress(subprocess.CalledProcessError, FileNotFoundError):
        with immutable(directory):
            return True
    return False


def test_a_state_directory_that_cannot_be_written_is_served_from(make_balancer, clusters, tmp_path):
    if not may_mount(tmp_path):
        pytest.skip("mounting is not allowed here")
    balancer = make_balancer(clusters[0].url, clusters[1].url)
    balancer.weights(3, 1)
    state = balancer.directory / "state"
    node = balancer.nodes()[0]["name"]
    balancer.command("drain", f"target/{clusters[1].address}:{clusters[1].port}", "--force")
    with immutable(state):
        crash(balancer)
        until(lambda: is_up(balancer), what="the admin API")
        now = balancer.status()
        assert [c["weight"] for c in now["clusters"]] == [3, 1] and not now["saved"]
        assert balancer.nodes("target")[0]["state"] in ("draining", "drained")
        until(lambda: "the state cannot be saved: Read-only file system" in balancer.said(), what="a word")
        assert balancer.command("weights", "1", "1", check=False).returncode == 1
        assert balancer.command("rollback").returncode == 0
        assert balancer.stop() == 0
        # A start from it, too.
        balancer.start()
        assert [c["weight"] for c in balancer.status()["clusters"]] == [3, 1]
        assert not balancer.status()["saved"] and node
    until(lambda: balancer.status()["saved"], what="it to be saved again")
    balancer.weights(2, 1, "--force")


@pytest.mark.parametrize("name", ["weights", "drained.json", "admin.token", "audit.jsonl", "lock", "admin.sock", ""])
def test_a_crash_while_the_state_is_bad_changes_nothing(make_balancer, clusters, name):
    balancer = make_balancer(clusters[0].url, clusters[1].url)
    balancer.weights(3, 1)
    path = balancer.directory / "state" / name if name != "admin.sock" else balancer.directory / name
    if name == "":
        shutil.rmtree(path)
        path.write_text("a file stands in its place\n")
    else:
        if path.exists():
            path.unlink()
        path.mkdir()
    crash(balancer)
    assert requests.get(balancer.source, timeout=10).status_code == 200
    if name != "admin.sock":
        until(lambda: is_up(balancer), what="the admin API")
        assert [c["weight"] for c in balancer.status()["clusters"]] == [3, 1]
        balancer.command("rollback")
    assert balancer.stop() == 0


def test_a_crash_while_the_access_log_is_bad_is_served_without_it(make_balancer, clusters, tmp_path):
    log = tmp_path / "logs" / "access.log"
    log.parent.mkdir()
    balancer = make_balancer(clusters[0].url, clusters[1].url, more=f"log: {{ access: {log} }}\n")
    shutil.rmtree(log.parent)
    crash(balancer)
    until(lambda: is_up(balancer), what="the admin API")
    until(lambda: "access log: after a crash" in balancer.said(), what="a word")
    log.parent.mkdir()
    until(lambda: log.exists(), what="it to be opened again")
    requests.get(f"{balancer.source}/behind", timeout=10)
    until(lambda: "/behind" in log.read_text(), what="a line")


@pytest.mark.parametrize("unavailable", ["refuse", "forward"])
def test_a_crash_while_the_capture_log_is_bad_is_a_log_that_is_unavailable(make_balancer, clusters, tmp_path, unavailable):
    capture, away = tmp_path / "capture", tmp_path / "away"
    balancer = make_balancer(clusters[0].url, clusters[1].url,
                             more=f"capture: {{ directory: {capture}, unavailable: {unavailable} }}\n")

    def put():
        return requests.put(f"{balancer.source}/it", data=b"x", timeout=10).status_code

    assert put() == 200
    capture.rename(away)
    capture.write_text("a file stands in its place\n")
    crash(balancer)
    assert put() == (503 if unavailable == "refuse" else 200)
    until(lambda: is_up(balancer), what="the admin API")
    assert balancer.status()["capture"]["state"] == "unavailable", balancer.status()["capture"]
    without = balancer.working_pid()
    capture.unlink()
    away.rename(capture)
    until(lambda: balancer.status()["pid"] != without and put() == 200, what=f"a whole one; {balancer.said()}")
    until(lambda: balancer.status()["capture"]["state"] != "unavailable", what="the log")
    until(lambda: not pathlib.Path(f"/proc/{without}").exists(), what="the one without to go")
    until(lambda: balancer.command("capture", "verify", check=False).returncode == 0, 15, "all to be told")
    gaps = [json.loads(line) for line in balancer.command("capture", "gaps", "-o", "json").stdout.splitlines()]
    assert sum(g["writes"] for g in gaps) == (0 if unavailable == "refuse" else 1), gaps


def test_names_that_cannot_be_looked_up_after_a_crash_keep_their_addresses(make_balancer, clusters, tmp_path):
    """With a resolver's configuration of its own, in a mount namespace."""
    if not may_mount(tmp_path):
        pytest.skip("mounting is not allowed here")
    hosts = tmp_path / "hosts"
    hosts.write_text(f"{clusters[0].address} es-1.test\n")
    balancer = make_balancer(f"http://es-1.test:{clusters[0].port}", clusters[1].url, start=False)
    wrapper = tmp_path / "crossfade"
    wrapper.write_text("#!/bin/sh\nexec unshare -m sh -c 'mount --make-rprivate / && mount --bind "
                       f"{hosts} /etc/hosts && exec \"$0\" \"$@\"' {balancer.program} \"$@\"\n")
    wrapper.chmod(0o755)
    program, balancer.program = balancer.program, str(wrapper)
    balancer.start(wait=False)
    balancer.program = program
    until(lambda: is_up(balancer), 20, f"a ready balancer; {balancer.said()}")
    until(lambda: balancer.names(1) == ["source"], what="the name")
    hosts.write_text("")
    crash(balancer)
    assert balancer.names(5) == 5 * ["source"]
    until(lambda: "cannot be resolved" in balancer.said(), what="a look-up that fails")
    assert balancer.names(5) == 5 * ["source"]
