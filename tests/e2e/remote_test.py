"""Commands that reach the balancer by its admin.address, with its token."""

import json
import os
import subprocess

import pytest
from stage import PROGRAM, own_address


@pytest.fixture
def remote(make_balancer, clusters):
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False)
    balancer.url = f"http://{own_address()}:9280"
    balancer.token = balancer.directory / "state/admin.token"
    text = balancer.file.read_text()
    balancer.file.write_text(text.replace("socket: admin.sock", f"socket: admin.sock, address: {balancer.url[7:]}"))
    return balancer.start()


def crossfade(*words, **environment):
    return subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, **environment})


def test_every_command_goes_by_the_address_too(remote):
    to = ("--admin", remote.url, "--token-file", remote.token)
    assert crossfade("status", *to).stdout.startswith("crossfade ")
    assert json.loads(crossfade("weights", 3, 1, "-o", "json", "--reason", "CHG-8", *to).stdout)["epoch"] == 2
    late = crossfade("weights", 1, 1, "--if-epoch", 1, *to)
    assert late.returncode == 1 and " from 127." in late.stderr and "(CHG-8)" in late.stderr
    node = remote.nodes()[0]["name"]
    assert "gets no new requests" in crossfade("drain", node, "--force", *to).stdout
    assert "takes requests again" in crossfade("ready", node, *to).stdout
    assert "source 1 (100 %)" in crossfade("rollback", *to).stdout


def test_the_environment_says_it_as_well(remote):
    done = crossfade("weights", CROSSFADE_ADMIN=remote.url + "/", CROSSFADE_TOKEN_FILE=str(remote.token))
    assert done.returncode == 0 and "source 1 (100 %)" in done.stdout


def test_without_the_token_it_is_said(remote, tmp_path):
    done = crossfade("status", "--admin", remote.url)
    assert done.returncode == 1 and "requires a token" in done.stderr
    done = crossfade("weights", "--admin", remote.url)
    assert done.returncode == 1 and "requires a token: give it the token in its file state/admin.token, with --token-file FILE" in done.stderr
    (tmp_path / "wrong").write_text("0" * 64 + "\n")
    done = crossfade("weights", "--admin", remote.url, "--token-file", tmp_path / "wrong")
    assert done.returncode == 1 and "does not accept this token" in done.stderr
    done = crossfade("weights", "--admin", f"http://{own_address()}:9280")
    assert done.returncode == 3 and "no balancer answers at http://127." in done.stderr


@pytest.mark.parametrize("url", ["http://192.0.2.1:9280", "http://balancer.test:9280", "http://[2001:db8::1]:9280"])
def test_a_token_does_not_go_over_a_network_as_it_is(tmp_path, url):
    (tmp_path / "token").write_text("0" * 64 + "\n")
    done = crossfade("weights", "--admin", url, "--token-file", tmp_path / "token")
    assert done.returncode == 2 and "in clear text" in done.stderr and "--clear-text" in done.stderr


def test_who_asks_for_clear_text_gets_it(tmp_path):
    (tmp_path / "token").write_text("0" * 64 + "\n")
    done = crossfade("weights", "--admin", "http://balancer.invalid:9280", "--token-file", tmp_path / "token", "--clear-text")
    assert done.returncode == 3 and "no balancer answers at http://balancer.invalid:9280" in done.stderr


@pytest.mark.parametrize("words, hint", [
    (["--admin", "127.0.0.1:9280"], "is not a URL such as http://127.0.0.1:9280"),
    (["--admin", "http://127.0.0.1:9280/v1"], "is not a URL such as"),
    (["--admin", "http://a:b@127.0.0.1:9280"], "is not a URL such as"),
    (["--admin", "ftp://127.0.0.1"], "is not a URL such as"),
    (["--admin", "http://127.0.0.1:9280", "--socket", "a"], "cannot be used together with"),
    (["--admin", "http://127.0.0.1:9280", "--token-file", "/nowhere"], "cannot read /nowhere: No such file"),
    (["--admin", "http://127.0.0.1:9280", "--token-file", "/etc/passwd"], "has no token: one line is expected"),
    (["--socket", "http://127.0.0.1:9280"], "use --admin for a URL"),
])
def test_what_makes_no_sense_is_said(words, hint):
    done = crossfade("status", *words)
    assert done.returncode == 2 and hint in done.stderr
