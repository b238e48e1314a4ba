"""A state directory whose disk does not answer holds up only what must be on it."""

import concurrent.futures
import contextlib
import os
import signal
import subprocess
import time

import pytest
import requests
from capture_stage import make_captured, metrics_of
from stage import until

# As long as the file HANG is there, calls wait whose path begins as it says: "sync PATH" makes syncs wait, "read PATH" all that
# opens, reads and lists. It is looked at by system calls alone.
HANGING = r"""
#define _GNU_SOURCE
#include <dirent.h>
#include <dlfcn.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

static int hangs(const char *kind, const char *path)
{
	char said[PATH_MAX + 16] = "";
	int fd = syscall(SYS_openat, AT_FDCWD, getenv("HANG"), O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return 0;
	long n = syscall(SYS_read, fd, said, sizeof said - 1);
	syscall(SYS_close, fd);
	return n > 5 && !strncmp(said, kind, 4) && !strncmp(path, said + 5, strlen(said + 5));
}

static void wait_for_path(const char *kind, const char *path)
{
	while (hangs(kind, path))
		usleep(10000);
}

static void path_of(const char *link, char path[PATH_MAX])
{
	long n = readlink(link, path, PATH_MAX - 1);
	path[n < 0 ? 0 : n] = 0;
}

static void wait_for_fd(const char *kind, int fd)
{
	char link[64], path[PATH_MAX];
	snprintf(link, sizeof link, "/proc/self/fd/%d", fd);
	path_of(link, path);
	wait_for_path(kind, path);
}

static void wait_for_name(int directory, const char *name)
{
	char link[64], path[PATH_MAX], whole[2 * PATH_MAX];
	if (*name == '/') {
		wait_for_path("read", name);
		return;
	}
	snprintf(link, sizeof link, directory == AT_FDCWD ? "/proc/self/cwd" : "/proc/self/fd/%d", directory);
	path_of(link, path);
	snprintf(whole, sizeof whole, "%s/%s", path, name);
	wait_for_path("read", whole);
}

#define REAL(name) ((typeof(&name))dlsym(RTLD_NEXT, #name))
#define SYNC(name) int name(int fd) { wait_for_fd("sync", fd); return REAL(name)(fd); }
SYNC(fdatasync)
SYNC(fsync)

static int mode_of(int flags, va_list args)
{
	return flags & (O_CREAT | __O_TMPFILE) ? va_arg(args, int) : 0;
}

#define OPEN(name)                                                                                 \
	int name(const char *path, int flags, ...)                                                 \
	{                                                                                          \
		va_list args;                                                                      \
		va_start(args, flags);                                                             \
		int mode = mode_of(flags, args);                                                   \
		va_end(args);                                                                      \
		wait_for_name(AT_FDCWD, path);                                                     \
		return syscall(SYS_openat, AT_FDCWD, path, flags, mode);                           \
	}
#define OPENAT(name)                                                                               \
	int name(int directory, const char *path, int flags, ...)                                  \
	{                                                                                          \
		va_list args;                                                                      \
		va_start(args, flags);                                                             \
		int mode = mode_of(flags, args);                                                   \
		va_end(args);                                                                      \
		wait_for_name(directory, path);                                                    \
		return syscall(SYS_openat, directory, path, flags, mode);                          \
	}
OPEN(open)
OPEN(open64)
OPEN(__open_2)
OPEN(__open64_2)
OPENAT(openat)
OPENAT(openat64)
OPENAT(__openat_2)
OPENAT(__openat64_2)

ssize_t read(int fd, void *to, size_t n)
{
	wait_for_fd("read", fd);
	return syscall(SYS_read, fd, to, n);
}

ssize_t __read_chk(int fd, void *to, size_t n, size_t room)
{
	return read(fd, to, n);
}

#define PREAD(name, ...)                                                                           \
	ssize_t name(int fd, void *to, size_t n, off_t at __VA_ARGS__)                             \
	{                                                                                          \
		wait_for_fd("read", fd);                                                           \
		return syscall(SYS_pread64, fd, to, n, at);                                        \
	}
PREAD(pread)
PREAD(pread64)
PREAD(__pread_chk, , size_t room)
PREAD(__pread64_chk, , size_t room)

#define READDIR(name, entry)                                                                       \
	struct entry *name(DIR *d)                                                                 \
	{                                                                                          \
		wait_for_fd("read", dirfd(d));                                                     \
		return REAL(name)(d);                                                              \
	}
READDIR(readdir, dirent)
READDIR(readdir64, dirent64)
"""


@pytest.fixture(scope="module")
def hanging(tmp_path_factory):
    at = tmp_path_factory.mktemp("hanging")
    (at / "hanging.c").write_text(HANGING)
    subprocess.run(["cc", "-shared", "-fPIC", "-w", "-o", at / "hanging.so", at / "hanging.c", "-ldl"], check=True)
    return at / "hanging.so"


class Hang:
    """What hangs, by the path with which it begins; and is over behind the test."""

    def __init__(self, file):
        self.file = file

    def begin(self, kind, path):
        fresh = self.file.with_suffix(".new")
        fresh.write_text(f"{kind} {path}")
        fresh.rename(self.file)

    def end(self):
        self.file.unlink(missing_ok=True)


@contextlib.contextmanager
def hung(balancer, hanging, tmp_path):
    """One whose disks hang as balancer.hang says."""
    balancer.hang = Hang(tmp_path / "hang")
    balancer.state = balancer.directory / "state"
    environment = os.environ | {"LD_PRELOAD": str(hanging), "HANG": str(balancer.hang.file)}
    with open(balancer.log, "wb") as log:
        balancer.process = subprocess.Popen([balancer.program, "run", "-c", str(balancer.file)],
                                            stdout=subprocess.DEVNULL, stderr=log, env=environment)
    until(lambda: balancer.command("status", check=False).returncode == 0, 20, "a ready balancer")
    yield balancer
    balancer.hang.end()
    if balancer.process.poll() is None:
        balancer.process.kill()
        balancer.process.wait()


@pytest.fixture
def balancer(make_balancer, clusters, hanging, tmp_path):
    with hung(make_balancer(clusters[0].url, clusters[1].url, start=False), hanging, tmp_path) as balancer:
        yield balancer


@pytest.fixture
def captured(make_balancer, clusters, hanging, tmp_path):
    """One that records too, and looks at its nodes often."""
    captured = make_captured(make_balancer, clusters, "auto", tmp_path, start=False,
                             source_more="health: { interval: 100ms, timeout: 1s }")
    with hung(captured, hanging, tmp_path) as captured:
        yield captured


def put_weights(balancer, source, target):
    return balancer.command("weights", f"{source}", f"{target}", check=False)


def in_force(balancer):
    weights = balancer.status()["weights"]
    return weights["source"], weights["target"]


def under_way(balancer):
    return balancer.status()["change_under_way"]


def test_a_rollback_waits_for_no_disk_and_a_change_comes_to_nothing(balancer):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        balancer.hang.begin("sync", balancer.state)
        change = pool.submit(put_weights, balancer, 0, 1)
        until(lambda: "by" in (under_way(balancer) or ""), what="a change that waits")
        assert not change.done() and in_force(balancer) == (1, 0)
        other = pool.submit(put_weights, balancer, 3, 7)
        began = time.monotonic()
        back = balancer.command("rollback", check=False)
        assert time.monotonic() - began < 5, "it waits for workers, and not for the disk"
        assert back.returncode == 0, back
        assert requests.get(balancer.source, timeout=5).status_code == 200
        assert other.result(20).returncode != 0 and "another change is under way" in other.result().stderr
        assert not change.done()
        balancer.hang.end()
        assert change.result(10).returncode != 0 and "rollback" in change.result().stderr
    assert in_force(balancer) == (1, 0)
    until(lambda: balancer.status()["saved"], what="a rollback that is saved")
    assert put_weights(balancer, 1, 1).returncode == 0


def test_a_drain_waits_for_no_sync(balancer):
    def state():
        return balancer.status()["clusters"][1]["nodes"][0]["state"]

    name = balancer.status()["clusters"][1]["nodes"][0]["name"]
    with concurrent.futures.ThreadPoolExecutor() as pool:
        balancer.hang.begin("sync", balancer.state)
        drain = pool.submit(balancer.command, "drain", f"target/{name}", check=False)
        until(lambda: state() == "drained", what="a drained node")
        began = time.monotonic()
        assert drain.result(10).returncode == 0, drain.result()
        assert time.monotonic() - began < 5
        balancer.hang.end()
    saved = balancer.directory / "state" / "drained.json"
    until(lambda: saved.exists() and name in saved.read_text(), what="a saved drain")


def test_a_process_ends_though_its_disk_does_not_answer(balancer):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        balancer.hang.begin("sync", balancer.state)
        change = pool.submit(put_weights, balancer, 0, 1)
        until(lambda: "by" in (under_way(balancer) or ""), what="a change that waits")
        assert not change.done() and in_force(balancer) == (1, 0)
        began = time.monotonic()
        balancer.process.send_signal(signal.SIGTERM)
        balancer.process.wait(20)
        assert time.monotonic() - began < 15
        change.result(10)


def test_a_new_process_leads_when_what_is_under_way_is_on_the_disk(balancer):
    with concurrent.futures.ThreadPoolExecutor() as pool:
        balancer.hang.begin("sync", balancer.state)
        change = pool.submit(put_weights, balancer, 2, 3)
        until(lambda: "by" in (under_way(balancer) or ""), what="a change that waits")
        assert not change.done() and in_force(balancer) == (1, 0)
        balancer.process.send_signal(signal.SIGUSR2)
        until(lambda: balancer.said().count(" serves: ") == 2, 20, "a new process")
        assert requests.get(balancer.source, timeout=5).status_code == 200
        assert not change.done()
        balancer.hang.end()
        assert change.result(10).returncode == 0, change.result()
    until(lambda: put_weights(balancer, 4, 5).returncode == 0, what="a process that leads")
    assert in_force(balancer) == (4, 5)
    lines = (balancer.directory / "state" / "audit.jsonl").read_text()
    assert lines.count('"epoch":2,') == 1 and lines.count('"epoch":3,') == 1


def checks_passed(balancer):
    return balancer.status()["clusters"][0]["nodes"][0]["checks"]["passed"]


def goes_on(balancer):
    """Traffic, health checks, metrics, status and a rollback, each within a few seconds."""
    began = time.monotonic()
    assert requests.get(balancer.source, timeout=3).status_code == 200
    passed = checks_passed(balancer)
    until(lambda: checks_passed(balancer) > passed + 2, what="health checks that go on")
    assert "crossfade_capture_records_total " in metrics_of(balancer)
    assert balancer.command("rollback", check=False).returncode == 0
    assert requests.get(balancer.source, timeout=3).status_code == 200
    assert time.monotonic() - began < 8


def look(balancer):
    return balancer.status()["capture"]["look"]


def test_a_state_directory_that_cannot_be_read_holds_up_nothing_else(captured):
    assert put_weights(captured, 1, 1).returncode == 0
    captured.hang.begin("read", captured.state)
    began = time.monotonic()
    history = captured.command("history", check=False)
    assert history.returncode != 0 and "does not answer" in history.stderr, history
    response = captured.command("weights", "1", "2", "--if-epoch", "1", check=False)
    assert response.returncode != 0 and "the epoch is 2, not 1: another change came first" in response.stderr, response
    assert time.monotonic() - began < 12
    goes_on(captured)
    # The other disk is looked at all the same.
    seen = captured.status()["capture"]["looked_at"]
    until(lambda: captured.status()["capture"]["looked_at"] > seen, 15, "a look into the capture directory")
    captured.hang.end()
    until(lambda: captured.status()["saved"], what="a rollback that is saved")
    assert "rollback" in captured.command("history").stdout


def test_a_capture_directory_that_cannot_be_read_holds_up_nothing_else(captured):
    requests.put(f"{captured.source}/books/_doc/1", data=b"{}", timeout=10)
    before = until(lambda: (c := captured.status()["capture"])["kept_bytes"] and c, 15, "a look at the directory")
    assert before["look"] == "fresh" and "does not answer" not in captured.command("status").stdout
    captured.hang.begin("read", captured.log_directory)
    until(lambda: look(captured) == "stale", 15, "a look that takes long")
    goes_on(captured)
    now = captured.status()["capture"]
    assert now["kept_bytes"] >= before["kept_bytes"] and now["looked_at"] >= before["looked_at"]
    assert f"the directory does not answer: this is of {now['looked_at']}" in captured.command("status").stdout
    assert put_weights(captured, 3, 7).returncode == 0, "the state is on another disk"
    assert "rollback" in captured.command("history").stdout
    captured.hang.end()
    until(lambda: look(captured) == "fresh" and captured.status()["capture"]["looked_at"] > now["looked_at"], 15,
          "a look that has ended")


def upgrade_into_a_hang(balancer):
    """The new process serves, and cannot read what leading begins with."""
    balancer.hang.begin("read", balancer.state / "admin.token")
    before = balancer.status()["pid"]
    balancer.process.send_signal(signal.SIGUSR2)
    until(lambda: balancer.said().count(" serves: ") == 2, 20, "a new process")
    until(lambda: "the state directory does not answer" in balancer.said(), 10, "a late leader")
    until(lambda: balancer.status()["pid"] != before, 10, "a status of the new process")


def test_a_new_process_that_cannot_read_the_state_serves_all_the_same(captured):
    upgrade_into_a_hang(captured)
    passed = checks_passed(captured)
    assert requests.get(captured.source, timeout=3).status_code == 200
    until(lambda: checks_passed(captured) > passed + 2, what="health checks that go on")
    assert "crossfade_capture_records_total " in metrics_of(captured)
    refused = put_weights(captured, 2, 3)
    assert refused.returncode != 0 and "does not answer yet" in refused.stderr, refused
    captured.hang.end()
    until(lambda: put_weights(captured, 4, 5).returncode == 0, what="a process that leads")
    assert in_force(captured) == (4, 5)


def test_a_new_process_that_cannot_read_the_state_can_be_stopped(captured):
    upgrade_into_a_hang(captured)
    began = time.monotonic()
    captured.process.send_signal(signal.SIGTERM)
    captured.process.wait(20)
    assert time.monotonic() - began < 15


def test_a_process_that_is_followed_before_it_leads_never_does(captured):
    upgrade_into_a_hang(captured)
    second = captured.status()["pid"]
    captured.process.send_signal(signal.SIGUSR2)
    until(lambda: captured.said().count(" serves: ") == 3, 20, "a third process")
    assert requests.get(captured.source, timeout=3).status_code == 200
    captured.hang.end()
    until(lambda: put_weights(captured, 4, 5).returncode == 0, what="a process that leads")
    assert in_force(captured) == (4, 5) and captured.status()["pid"] != second
    lines = (captured.state / "audit.jsonl").read_text()
    assert lines.count('"epoch":2,') == 1
