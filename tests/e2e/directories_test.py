"""Directories that somebody else has made: what was planted there is not used, by `check` and by `run`."""

import json
import os
import signal
import socket
import subprocess

import pytest
from capture_stage import make_captured
from stage import until

OTHER = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can make files of somebody else")


@pytest.fixture
def stopped(make_balancer, clusters, tmp_path):
    balancer = make_captured(make_balancer, clusters, "auto", tmp_path)
    assert balancer.stop() == 0
    return balancer


def ask(balancer, command):
    return subprocess.run([balancer.program, command, "-c", balancer.file], capture_output=True, text=True, check=False,
                          timeout=20)


def refuse(balancer, *words):
    for command in "check", "run":
        done = ask(balancer, command)
        assert done.returncode == 1, (command, done)
        for word in words:
            assert word in done.stderr, (command, word, done.stderr)


def plant_token(balancer, state, log):
    (state / "admin.token").write_text("ab" * 32 + "\n")
    (state / "admin.token").chmod(0o666)
    return "admin.token can be written by anybody", "chmod it 0600"


def link(directory, name):
    victim = directory.parent / "victim"
    victim.write_text("precious")
    (directory / name).unlink(missing_ok=True)
    return victim, directory / name


def link_lock(balancer, state, log):
    victim, name = link(state, "lock")
    name.symlink_to(victim)
    return "lock is a link", "remove it"


def link_audit(balancer, state, log):
    victim, name = link(state, "audit.jsonl")
    name.symlink_to(victim)
    return ("audit.jsonl is a link",)


def hard_link_audit(balancer, state, log):
    victim, name = link(state, "audit.jsonl")
    name.hardlink_to(victim)
    return ("audit.jsonl is a hard link",)


def link_drains(balancer, state, log):
    victim, name = link(state, "drained.json.new")
    name.symlink_to(victim)
    return ("drained.json.new is a link",)


def plant_key(balancer, state, log):
    (log / "redact.key").chmod(0o666)
    return ("redact.key can be written by anybody",)


def link_log_lock(balancer, state, log):
    victim, name = link(log, "lock")
    name.symlink_to(victim)
    return ("lock is a link",)


def link_follower(balancer, state, log):
    victim, name = link(log, "nightly.new")
    name.symlink_to(victim)
    return ("nightly.new is a link",)


def open_state(balancer, state, log):
    state.chmod(0o777)
    return "state can be written by anybody", "chmod it 0700"


def open_log(balancer, state, log):
    log.chmod(0o777)
    return ("capture can be written by anybody",)


@pytest.mark.parametrize("plant", [plant_token, link_lock, link_audit, hard_link_audit, link_drains, plant_key, link_log_lock,
                                   link_follower, open_state, open_log])
def test_what_was_planted_is_refused(stopped, plant):
    state, log = stopped.directory / "state", stopped.log_directory
    refuse(stopped, *plant(stopped, state, log))
    for victim in (state.parent / "victim", log.parent / "victim"):
        assert not victim.exists() or victim.read_text() == "precious"


@as_root
@pytest.mark.parametrize("name", ["admin.token", "weights", "audit.jsonl", "lock", "unrecorded"])
def test_a_file_of_somebody_else_is_refused(stopped, name):
    os.chown(stopped.directory / "state" / name, OTHER, OTHER)
    refuse(stopped, f"{name} belongs to user {OTHER}, but this process runs as user 0: chown it")


@as_root
def test_a_key_of_somebody_else_is_refused(stopped):
    os.chown(stopped.log_directory / "redact.key", OTHER, OTHER)
    refuse(stopped, f"redact.key belongs to user {OTHER}")


@as_root
def test_a_link_of_somebody_else_is_no_access_log(make_balancer, clusters, tmp_path):
    victim, name = tmp_path / "victim", tmp_path / "access.log"
    victim.write_text("precious\n")
    balancer = make_balancer(clusters[0].url, clusters[1].url, more=f"log: {{ access: {name} }}")
    assert balancer.stop() == 0
    name.unlink()
    name.symlink_to(victim)
    balancer.start()  # our own link is followed
    assert balancer.stop() == 0
    os.lchown(name, OTHER, OTHER)
    refuse(balancer, f"access.log is a link made by user {OTHER}")
    assert victim.read_text() == "precious\n"


def plain(at):
    at.write_text("precious")


@as_root
@pytest.mark.parametrize("make", [plain, os.mkfifo])
def test_a_file_of_somebody_else_is_no_access_log(make_balancer, clusters, tmp_path, make):
    name = tmp_path / "access.log"
    balancer = make_balancer(clusters[0].url, clusters[1].url, more=f"log: {{ access: {name} }}")
    name.unlink()
    make(name)
    os.chown(name, OTHER, OTHER)
    reader = os.open(name, os.O_RDONLY | os.O_NONBLOCK)
    balancer.process.send_signal(signal.SIGUSR1)
    until(lambda: "access.log: it belongs to another user" in balancer.said(), what="a word")
    os.close(reader)
    assert balancer.stop() == 0
    refuse(balancer, f"access.log belongs to user {OTHER}")


def bind(at):
    with socket.socket(socket.AF_UNIX) as s:
        s.bind(str(at))


@as_root
@pytest.mark.parametrize("make", [plain, bind, os.mkfifo])
def test_an_admin_socket_that_was_planted_is_refused(stopped, make):
    at = stopped.directory / "admin.sock"
    make(at)
    os.chown(at, OTHER, OTHER)
    refuse(stopped, f"admin.sock belongs to user {OTHER}", "remove it")
    assert at.exists()


@pytest.mark.parametrize("make", [plain, os.mkfifo])
def test_what_is_no_socket_is_no_admin_socket(stopped, make):
    make(stopped.directory / "admin.sock")
    refuse(stopped, "admin.sock is not a socket: remove it")


def test_a_socket_that_a_dead_process_of_ours_has_left_is_taken_away(stopped):
    bind(stopped.directory / "admin.sock")
    stopped.start()
    assert stopped.status()["epoch"]


@as_root
def test_a_directory_of_a_service_is_said_to_root_and_used(stopped):
    os.chown(stopped.directory / "state", OTHER, OTHER)
    done = ask(stopped, "check")
    assert done.returncode == 0 and f"belongs to user {OTHER}, but this process runs as user 0" in done.stderr
    stopped.start()
    assert stopped.status()["weights"]


def test_a_secret_that_others_may_read_is_said(stopped):
    (stopped.directory / "state/admin.token").chmod(0o644)
    done = ask(stopped, "check")
    assert done.returncode == 0 and "admin.token is a secret that others can read" in done.stderr
    stopped.start()
    until(lambda: "admin.token is a secret that others can read" in stopped.said(), what="a word")


# --- the way there ---


def open_parent(state, log):
    state.parent.chmod(0o777)
    return "state is not safe: in ", f"{state.parent} anybody can replace it"


def open_log_parent(state, log):
    log.parent.chmod(0o777)
    return "capture is not safe: in ", "state is not safe: in "  # it is a parent of both


def lead_elsewhere(state, owner):
    """A link in place of the directory, to what is a good one."""
    moved = state.parent.parent / "moved"
    state.rename(moved)
    state.symlink_to(moved)
    os.lchown(state, owner, owner)
    return moved


def link_of_somebody(state, log):
    lead_elsewhere(state, OTHER)
    return (f"state is a link made by user {OTHER}",)


def link_through_an_open_directory(state, log):
    moved = lead_elsewhere(state, os.geteuid())
    behind = moved.parent / "open"
    behind.mkdir()
    behind.chmod(0o777)
    moved.rename(behind / "moved")
    state.unlink()
    state.symlink_to("../open/moved")
    return (f"in {behind} anybody can replace",)


@as_root
@pytest.mark.parametrize("spoil", [open_parent, open_log_parent, link_of_somebody, link_through_an_open_directory])
def test_a_way_on_which_somebody_else_may_put_something_is_refused(stopped, spoil):
    refuse(stopped, *spoil(stopped.directory / "state", stopped.log_directory))


@as_root
def test_a_directory_in_somebody_elses_is_said(stopped):
    """A container's, from its host."""
    os.chown(stopped.directory, OTHER, OTHER)
    done = ask(stopped, "check")
    assert done.returncode == 0 and f"belongs to user {OTHER}, who can remove it" in done.stderr, done
    stopped.start()


def test_our_own_link_and_a_sticky_directory_are_good(stopped):
    lead_elsewhere(stopped.directory / "state", os.geteuid())
    stopped.directory.chmod(0o1777)
    assert "not safe" not in ask(stopped, "check").stderr
    stopped.start()
    assert stopped.status()["epoch"]


def test_an_access_log_in_an_open_directory_is_refused(make_balancer, clusters, tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    balancer = make_balancer(clusters[0].url, clusters[1].url, more=f"log: {{ access: {logs}/access.log }}", start=False)
    logs.chmod(0o777)
    refuse(balancer, "access.log is not safe: in ")


@as_root
def test_root_that_checks_a_service_does_not_blame_its_user(stopped):
    for at in stopped.directory, stopped.directory / "state":
        os.chown(at, OTHER, OTHER)
    done = ask(stopped, "check")
    assert done.returncode == 0 and "not safe" not in done.stderr, done


# --- what is read ---


@pytest.fixture
def with_credential(make_balancer, clusters, tmp_path):
    """A balancer whose cluster's credential is in a file, not started."""
    file = tmp_path / "credential"
    file.write_text("Basic c2VjcmV0OnNlY3JldA==\n")
    file.chmod(0o600)
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False,
                             cluster_more=f"  authorization: {{ file: {file} }}")
    balancer.credential = file
    return balancer


def open_configuration(balancer):
    balancer.file.chmod(0o666)
    return "crossfade.yaml can be written by anybody"


def give_configuration_away(balancer):
    os.chown(balancer.file, OTHER, OTHER)
    return f"crossfade.yaml belongs to user {OTHER}, who can change it"


def open_credential(balancer):
    balancer.credential.chmod(0o666)
    return "credential can be written by anybody", "credential is a secret that anybody can read"


def give_credential_away(balancer):
    os.chown(balancer.credential, OTHER, OTHER)
    return f"credential belongs to user {OTHER}, who can change it"


@as_root
@pytest.mark.parametrize("spoil", [open_configuration, give_configuration_away, open_credential, give_credential_away])
def test_what_others_may_change_or_read_is_said(with_credential, spoil):
    assert "warning" not in ask(with_credential, "check").stderr
    words = spoil(with_credential)
    done = ask(with_credential, "check")
    with_credential.start()
    for word in [words] if isinstance(words, str) else words:
        assert done.returncode == 0 and word in done.stderr, done
        until(lambda: word in with_credential.said(), what="a word")


def test_a_reload_looks_again(with_credential):
    with_credential.start()
    assert with_credential.reload()["ok"]
    with_credential.credential.chmod(0o644)
    assert with_credential.reload()["ok"] and "credential is a secret that anybody can read" in with_credential.said()
    (with_credential.directory / "state").chmod(0o777)
    refused = with_credential.reload()
    assert not refused["ok"] and "state can be written by anybody" in json.dumps(refused)
    (with_credential.directory / "state").chmod(0o700)
    assert with_credential.reload()["ok"]
