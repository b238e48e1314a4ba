"""The process's log and the access log, where nobody takes what is written."""

import contextlib
import fcntl
import os
import pathlib
import signal
import subprocess
import threading
import time

import pytest
import requests
from stage import until

F_SETPIPE_SZ = 1031

# Stands for a file server that is gone: while the file HANG is there, opening and writing the file
# STUCK does not come back until the process is killed.
HANGING = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static void wait_while_it_hangs(int is_stuck)
{
	const char *hang = getenv("HANG");
	while (is_stuck && hang && access(hang, F_OK) == 0)
		usleep(10000);
}

static int is_stuck(int fd)
{
	struct stat one, other;
	const char *stuck = getenv("STUCK");
	return stuck && !stat(stuck, &one) && !fstat(fd, &other) && one.st_ino == other.st_ino &&
	       one.st_dev == other.st_dev;
}

ssize_t write(int fd, const void *from, size_t n)
{
	wait_while_it_hangs(is_stuck(fd));
	ssize_t (*real)(int, const void *, size_t) = dlsym(RTLD_NEXT, "write");
	return real(fd, from, n);
}

ssize_t writev(int fd, const struct iovec *v, int n)
{
	wait_while_it_hangs(is_stuck(fd));
	ssize_t (*real)(int, const struct iovec *, int) = dlsym(RTLD_NEXT, "writev");
	return real(fd, v, n);
}

int open(const char *path, int flags, ...)
{
	va_list args;
	va_start(args, flags);
	mode_t mode = flags & O_CREAT ? va_arg(args, mode_t) : 0;
	va_end(args);
	struct stat one, other;
	const char *stuck = getenv("STUCK");
	wait_while_it_hangs(stuck && !stat(stuck, &one) && !stat(path, &other) && one.st_ino == other.st_ino);
	int (*real)(const char *, int, ...) = dlsym(RTLD_NEXT, "open");
	return real(path, flags, mode);
}
"""


@pytest.fixture(scope="module")
def hanging(tmp_path_factory):
    at = tmp_path_factory.mktemp("hanging")
    (at / "hanging.c").write_text(HANGING)
    subprocess.run(["cc", "-shared", "-fPIC", "-w", "-o", at / "hanging.so", at / "hanging.c", "-ldl"], check=True)
    return at / "hanging.so"


@contextlib.contextmanager
def running(balancer, stderr, **environment):
    """It is started with that standard error, and ended by force if the test has not ended it."""
    balancer.process = subprocess.Popen([balancer.program, "run", "-c", str(balancer.file)], stdout=subprocess.DEVNULL,
                                        stderr=stderr, env=os.environ | environment)
    try:
        until(lambda: balancer.command("status", check=False).returncode == 0, 20, "a ready balancer")
        yield balancer
    finally:
        if balancer.process.poll() is None:
            balancer.process.kill()
            balancer.process.wait()


def say_much(balancer, times=2000):
    """Refused reloads: each says two lines or more."""
    good = balancer.file.read_text()
    balancer.file.write_text(good + "\nnonsense: 1\n" * 10)
    for _ in range(times):
        if balancer.status()["log"]["lines_lost"]:
            break
        balancer.process.send_signal(signal.SIGHUP)
    balancer.file.write_text(good)


def everything_works(balancer):
    """All that an operator may want at once, each within its own patience."""
    assert requests.get(balancer.source, timeout=5).status_code == 200
    began = time.monotonic()
    assert balancer.status()["log"]["lines_lost"] > 0
    balancer.command("rollback")
    node = balancer.nodes()[0]["name"]
    balancer.command("drain", f"source/{node}", "--delay", "0s", "--force")
    balancer.command("ready", f"source/{node}")
    assert balancer.reload()["ok"]
    assert time.monotonic() - began < 10


def stop_in(balancer, seconds):
    began = time.monotonic()
    assert balancer.stop(seconds) == 0
    return time.monotonic() - began


def test_a_log_that_nobody_reads_holds_nobody_up(make_balancer, clusters):
    reader, writer = os.pipe()
    fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False)
    with running(balancer, writer):
        os.close(writer)
        say_much(balancer)
        everything_works(balancer)
        # A crash and an upgrade are told of too, by the keeper.
        before = balancer.working_pid()
        os.kill(before, signal.SIGKILL)
        until(lambda: balancer.working_pid() not in (None, before), what="the next process")
        until(lambda: balancer.command("status", check=False).returncode == 0, what="it to serve")
        balancer.upgrade()
        stop_in(balancer, 8)
    os.close(reader)


def test_lines_that_were_lost_are_told_of_when_it_goes_on(make_balancer, clusters):
    reader, writer = os.pipe()
    fcntl.fcntl(writer, F_SETPIPE_SZ, 4096)
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False)
    with running(balancer, writer):
        os.close(writer)
        say_much(balancer)
        lost = balancer.status()["log"]["lines_lost"]
        assert f"{lost} lines LOST" in balancer.command("status").stdout
        os.set_blocking(reader, False)
        said = b""

        def told():
            nonlocal said
            with contextlib.suppress(BlockingIOError):
                said += os.read(reader, 1 << 20)
            return f"log: {lost} lines were lost since 2".encode() in said

        until(told, what="the number of lost lines")
        assert all(line.startswith(b"2") for line in said.splitlines()), "lines are whole"
        os.set_blocking(reader, True)
        assert balancer.stop() == 0
    os.close(reader)


def test_a_log_on_a_disk_that_hangs_holds_nobody_up(make_balancer, clusters, hanging, tmp_path):
    stuck, hang = tmp_path / "stuck", tmp_path / "hang"
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False)
    with open(stuck, "wb") as file, running(balancer, file, LD_PRELOAD=str(hanging), STUCK=str(stuck), HANG=str(hang)):
        hang.touch()
        say_much(balancer)
        everything_works(balancer)
        lost = balancer.status()["log"]["lines_lost"]
        hang.unlink()
        until(lambda: " lines were lost since" in stuck.read_text(), what=f"{lost} lines to be told of")
        hang.touch()
        say_much(balancer, 1)
        stop_in(balancer, 8)


@pytest.mark.parametrize("kind", ["pipe", "disk"])
def test_an_access_log_that_takes_nothing_holds_nobody_up(make_balancer, clusters, hanging, tmp_path, kind):
    stuck, hang = tmp_path / "stuck", tmp_path / "hang"
    reader = None
    if kind == "pipe":
        os.mkfifo(stuck)
        reader = os.open(stuck, os.O_RDONLY | os.O_NONBLOCK)
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False, more=f"log: {{ access: {stuck} }}\n")
    log = open(balancer.log, "wb")
    with log, running(balancer, log, LD_PRELOAD=str(hanging), STUCK=str(stuck), HANG=str(hang)):
        if kind == "disk":
            hang.touch()
        dropped = 0
        with requests.Session() as session:
            for _ in range(300):
                assert session.get(balancer.source + "/" + 8000 * "x", timeout=5).status_code == 200
        balancer.process.send_signal(signal.SIGUSR1)
        began = time.monotonic()
        balancer.command("rollback")
        reloaded = balancer.reload()
        assert time.monotonic() - began < 8
        if kind == "disk":
            assert not reloaded["ok"] and "log: cannot write" in reloaded["message"], reloaded
        else:
            assert reloaded["ok"], reloaded
            until(lambda: "access log: cannot be written: nobody reads it" in balancer.said(), what="that to be said")
        stop_in(balancer, 8)
    if reader is not None:
        os.close(reader)


def test_a_slow_reader_of_the_access_log_gets_every_line(make_balancer, clusters, tmp_path):
    """The pipe is full most of the time, and that is no failure."""
    fifo, n = tmp_path / "fifo", 200
    os.mkfifo(fifo)
    reader = os.open(fifo, os.O_RDONLY | os.O_NONBLOCK)
    fcntl.fcntl(reader, F_SETPIPE_SZ, 4096)
    balancer = make_balancer(clusters[0].url, clusters[1].url, more=f"log: {{ access: {fifo} }}\n")
    got = b""

    def all_lines():
        nonlocal got
        with contextlib.suppress(BlockingIOError):
            got += os.read(reader, 1000)
        return got.count(b"\n") >= n

    slow = threading.Thread(target=until, args=(all_lines, 60, "all lines"))
    slow.start()
    with requests.Session() as session:
        for i in range(n):
            session.get(f"{balancer.source}/{i}-{1000 * 'x'}", timeout=5)
    slow.join()
    lines = got.decode().splitlines()
    assert len(lines) == n and all(f"/{i}-x" in line for i, line in enumerate(lines))
    assert "cannot be written" not in balancer.said()
    assert balancer.stop() == 0
    os.close(reader)
