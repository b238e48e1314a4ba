"""That what each balancer is looked at for, when its test is over, would be seen."""

import os
import socket

import descriptors
from stage import own_address, until


def test_a_socket_whose_peer_has_finished_is_idle_and_one_that_serves_is_not():
    with socket.create_server((own_address(), 0)) as listening, socket.create_connection(listening.getsockname()) as a:
        b, _ = listening.accept()
        before = descriptors.idle(os.getpid())
        a.shutdown(socket.SHUT_WR)
        until(lambda: len(descriptors.idle(os.getpid())) == len(before) + 1, what="an idle socket")
        a.close()
        b.close()
        until(lambda: descriptors.idle(os.getpid()) == before, what="none")


def test_a_removed_file_is_idle(tmp_path):
    before = descriptors.idle(os.getpid())
    with open(tmp_path / "file", "w", encoding="utf-8") as file:
        assert descriptors.idle(os.getpid()) == before
        os.unlink(file.name)
        assert f"{file.name} (deleted)" in descriptors.idle(os.getpid())


def test_descriptors_that_become_ever_more_are_seen():
    before = descriptors.kinds(os.getpid())
    pipes = [os.pipe() for _ in range(3)]
    assert descriptors.grown(before, os.getpid()) == {"pipe": 6}
    for ends in pipes:
        for end in ends:
            os.close(end)
    assert not descriptors.grown(before, os.getpid())


def test_an_error_that_no_test_has_provoked_is_seen(balancer):
    balancer.log.write_text(balancer.said() + "2026-01-01T00:00:00.000Z error weights: gone\n")
    balancer.strict = True
    assert balancer.errors() == ["weights: gone"]
    balancer.may_say = [r"^weights: "]
    assert not balancer.errors()
