"""The admin API over TLS (admin.tls); without it the token is taken from this machine alone."""

import os
import socket
import subprocess

import pytest
import requests
from stage import PROGRAM, own_address, until


def make_certificate(at, address, name="one"):
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes",
         "-keyout", at / f"{name}.key", "-out", at / f"{name}.crt", "-days", "90", "-subj", f"/CN={name}.test",
         "-addext", f"subjectAltName=IP:{address}"], check=True, capture_output=True)
    return at / f"{name}.crt"


def with_admin(balancer, more):
    text = balancer.file.read_text()
    balancer.file.write_text(text.replace("socket: admin.sock", f"socket: admin.sock, {more}"))
    balancer.token = balancer.directory / "state/admin.token"
    return balancer


@pytest.fixture
def sealed(make_balancer, clusters, tmp_path):
    at = own_address()
    ca = make_certificate(tmp_path, at)
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False)
    balancer.url, balancer.ca = f"https://{at}:9280", ca
    return with_admin(balancer, f"address: {at}:9280, tls: {{ certificate: {ca}, key: {tmp_path}/one.key }}").start()


def crossfade(*words, **environment):
    return subprocess.run([PROGRAM, *map(str, words)], capture_output=True, text=True, timeout=60, check=False,
                          env={**os.environ, **environment})


def test_commands_go_by_tls_to_whom_they_trust(sealed, tmp_path):
    to = ("--admin", sealed.url, "--token-file", sealed.token)
    done = crossfade("weights", 3, 1, "-o", "json", *to, "--ca", sealed.ca)
    assert done.returncode == 0, done
    assert sealed.status()["weights"] == {"source": 3, "target": 1}
    assert crossfade("status", *to, CROSSFADE_CA=str(sealed.ca)).returncode == 0
    other = make_certificate(tmp_path, "192.0.2.9", "other")
    for done in (crossfade("weights", *to, "--ca", other), crossfade("weights", *to)):
        assert done.returncode == 3 and "certificate" in done.stderr, done
    assert requests.get(sealed.url + "/metrics", timeout=5, verify=sealed.ca).status_code == 200


def test_in_the_clear_nobody_is_answered_there(sealed):
    with pytest.raises(requests.ConnectionError):
        requests.get(sealed.url.replace("https", "http") + "/healthz", timeout=5)


def test_a_reload_brings_another_certificate(sealed, tmp_path):
    other = make_certificate(tmp_path, sealed.url.split(":")[1][2:], "other")
    reloaded = sealed.reload(lambda text: text.replace("one.crt", "other.crt").replace("one.key", "other.key"))
    assert reloaded["ok"], reloaded
    assert requests.get(sealed.url + "/healthz", timeout=5, verify=other).status_code == 200
    reloaded = sealed.reload(lambda text: text.replace("other.key", "one.key"))
    assert not reloaded["ok"] and "key" in reloaded["message"], reloaded
    assert requests.get(sealed.url + "/healthz", timeout=5, verify=other).status_code == 200


def test_check_sees_what_is_wrong_with_it(sealed, tmp_path):
    make_certificate(tmp_path, "192.0.2.9", "other")
    sealed.file.write_text(sealed.file.read_text().replace("one.key", "other.key"))
    done = sealed.command("check", check=False)
    assert done.returncode == 1 and "the key does not belong to this certificate" in done.stderr
    sealed.file.write_text(sealed.file.read_text().replace(f"address: {sealed.url[8:]}, ", ""))
    done = sealed.command("check", check=False)
    assert done.returncode == 1 and "is for admin.address, which is not set" in done.stderr


def address_of_a_network():
    """Of this machine, and not of its loopback; no packet is sent."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        try:
            probe.connect(("192.0.2.200", 9))
        except OSError:
            return None
        return probe.getsockname()[0]


def test_a_token_that_comes_over_a_network_in_the_clear_is_refused(make_balancer, clusters, tmp_path):
    at = address_of_a_network()
    if not at or at.startswith("127."):
        pytest.skip("this machine has a loopback alone")
    balancer = with_admin(make_balancer(clusters[0].url, clusters[1].url, start=False), f"address: {at}:9280")
    checked = balancer.command("check", check=False)
    assert "the token is refused" in checked.stderr and "admin.tls" in checked.stderr
    balancer.start()
    url, token = f"http://{at}:9280", balancer.token.read_text().strip()
    assert requests.get(url + "/healthz", timeout=5).status_code == 200
    refused = requests.get(url + "/v1/weights", timeout=5, headers={"Authorization": f"Bearer {token}"})
    assert refused.status_code == 403 and refused.json()["error"] == "clear_text"
    assert "others may know it" in refused.json()["message"]
    ca = make_certificate(tmp_path, at)
    assert balancer.reload(lambda text: text.replace(
        f"address: {at}:9280", f"address: {at}:9280, tls: {{ certificate: {ca}, key: {tmp_path}/one.key }}"))["ok"]
    taken = until(lambda: requests.get(url.replace("http", "https") + "/v1/weights", timeout=5, verify=ca,
                                       headers={"Authorization": f"Bearer {token}"}), what="a response over TLS")
    assert taken.status_code == 200
