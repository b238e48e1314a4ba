"""Where a container has taken something away that a bare machine has."""

import contextlib
import ctypes
import os
import pathlib
import shutil
import signal
import struct
import subprocess
import tempfile

import pytest
import requests
from stage import PROGRAM, until

PR_SET_NO_NEW_PRIVS, PR_SET_SECCOMP, SECCOMP_MODE_FILTER = 38, 22, 2
IO_URING = {"io_uring_setup": 425, "io_uring_enter": 426, "io_uring_register": 427}
ERRNO, ALLOW, EPERM = 0x00050000, 0x7FFF0000, 1


def forbid(number):
    """To be run before exec: that system call gives EPERM from then on, as Docker's profile has it."""
    program = b"".join(struct.pack("=HBBI", *i) for i in (
        (0x20, 0, 0, 0),            # the number of the call
        (0x15, 0, 1, number),       # is it this one?
        (0x06, 0, 0, ERRNO | EPERM),
        (0x06, 0, 0, ALLOW)))
    code = ctypes.create_string_buffer(program, len(program))
    libc = ctypes.CDLL(None, use_errno=True)

    def run():
        filters = struct.pack("@HP", len(program) // 8, ctypes.addressof(code))
        assert libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0
        assert libc.prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, filters, 0, 0) == 0
    return run


@pytest.mark.parametrize("call", IO_URING)
def test_each_call_of_io_uring_may_be_forbidden(make_balancer, clusters, call):
    balancer = make_balancer(clusters[0].url, clusters[1].url, more="workers: 2", start=False)
    with open(balancer.log, "ab") as log:
        balancer.process = subprocess.Popen([balancer.program, "run", "-c", balancer.file], stdout=log, stderr=log,
                                            preexec_fn=forbid(IO_URING[call]))
    until(balancer.is_up, 20, "a ready balancer")
    for worker in range(2):
        assert f"worker {worker}: io_uring is not available here (Operation not permitted): epoll is used" in balancer.said()
    assert balancer.status()["io"] == "epoll"
    assert requests.get(balancer.source, timeout=20).json()["cluster"] == "source"


def test_io_uring_that_is_forbidden_and_wanted_is_an_error(make_balancer, clusters):
    balancer = make_balancer(clusters[0].url, clusters[1].url, io="io_uring", start=False)
    done = subprocess.run([balancer.program, "run", "-c", balancer.file], capture_output=True, text=True, timeout=20,
                          preexec_fn=forbid(IO_URING["io_uring_enter"]), check=False)
    assert done.returncode == 1 and "Operation not permitted" in done.stderr


CONTAINER = """
ip link set lo up
sysctl -qw net.ipv6.conf.all.disable_ipv6=1
mount -t tmpfs -o mode=0700,uid={uid},gid={uid} tmpfs {directory}/run
mount -t tmpfs -o mode=0700,uid={uid},gid={uid} tmpfs {directory}/kept
mount -o remount,bind,ro /
exec setpriv --reuid={uid} --regid={uid} --clear-groups --no-new-privs --bounding-set=-all {program} run -c {file}
"""


class Container:
    """Process 1 of namespaces of its own, a user without a name, nothing to write to but two tmpfs, and no IPv6."""

    UID = 54321

    def __init__(self, directory):
        self.directory = directory
        self.file, self.log, self.program = directory / "crossfade.yaml", directory / "log", directory / "crossfade"
        shutil.copy(PROGRAM, self.program)
        for name in "run", "kept":
            (directory / name).mkdir()
        self.file.write_text(f"""\
listeners: {{ weighted: {{ address: 127.0.0.1:8080, tls: off, health: /healthz }} }}
source: {{ nodes: [ "http://127.0.0.1:1" ] }}
target: {{ nodes: [ "http://localhost:2" ] }}
log: {{ access: /dev/stdout, format: json }}
admin: {{ socket: {directory}/run/admin.sock }}
state: {directory}/kept/state
""")

    def start(self):
        script = CONTAINER.format(uid=self.UID, directory=self.directory, program=self.program, file=self.file)
        with open(self.log, "wb") as log:
            self.outer = subprocess.Popen(["unshare", "--mount", "--net", "--pid", "--fork", "--kill-child", "--mount-proc",
                                           "sh", "-ec", script], stdout=log, stderr=log)
        until(lambda: self.run(self.program, "status", "-c", self.file).returncode == 0, 20,
              lambda: f"its health check: {self.log.read_text()}")
        return self

    def first(self):
        """Its process 1, as it is numbered here."""
        return int(pathlib.Path(f"/proc/{self.outer.pid}/task/{self.outer.pid}/children").read_text().split()[0])

    def run(self, *words):
        """As `podman exec` would."""
        with contextlib.suppress(OSError, IndexError):
            return subprocess.run(["nsenter", "-t", str(self.first()), "-m", "-n", "-p", *map(str, words)],
                                  capture_output=True, text=True, timeout=20, check=False)
        return subprocess.CompletedProcess(words, 1, "", "")


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root, for namespaces")
def test_it_runs_as_process_1_of_a_container_that_lacks_all(request):
    with tempfile.TemporaryDirectory() as directory:
        os.chmod(directory, 0o755)
        container = Container(pathlib.Path(directory)).start()
        request.addfinalizer(container.outer.kill)
        assert container.run("curl", "-s", "http://127.0.0.1:8080/healthz").returncode == 0
        container.run("curl", "-s", "http://127.0.0.1:8080/search")
        until(lambda: '"/search"' in container.log.read_text(), 10, lambda: container.log.read_text())
        # Orphans are process 1's: it buries them, and they disturb it in nothing.
        container.run("sh", "-c", "(sleep 0.2 & sleep 0.1 &) ; exit 0")
        until(lambda: "<defunct>" not in container.run("ps", "-e").stdout
              and "sleep" not in container.run("ps", "-e").stdout, 10, "no zombies")
        assert container.run(container.program, "weights", "-c", container.file, "1", "1", "--force").returncode == 0
        os.kill(container.first(), signal.SIGTERM)
        assert container.outer.wait(20) == 0
