"""Where a container has taken something away that a bare machine has."""

import ctypes
import struct
import subprocess

import pytest
import requests
from stage import until

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
        assert f"worker {worker}: io_uring is not to be had here (Operation not permitted): epoll is used" in balancer.said()
    assert balancer.status()["io"] == "epoll"
    assert requests.get(balancer.source, timeout=20).json()["cluster"] == "source"


def test_io_uring_that_is_forbidden_and_wanted_is_an_error(make_balancer, clusters):
    balancer = make_balancer(clusters[0].url, clusters[1].url, io="io_uring", start=False)
    done = subprocess.run([balancer.program, "run", "-c", balancer.file], capture_output=True, text=True, timeout=20,
                          preexec_fn=forbid(IO_URING["io_uring_enter"]), check=False)
    assert done.returncode == 1 and "Operation not permitted" in done.stderr
