"""What `check` finds of the machine: directories that cannot be made, files that the service's user cannot read."""

import contextlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import tempfile

import pytest
import requests

from stage import PROGRAM, ROOT, own_address, until

OTHER = 65534

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can be somebody else")


@pytest.fixture
def at():
    """A directory that others can reach, as /etc/crossfade."""
    directory = pathlib.Path(tempfile.mkdtemp(prefix="crossfade-check-"))
    directory.chmod(0o755)
    yield directory
    shutil.rmtree(directory)


@pytest.fixture
def file(at):
    assert subprocess.run([PROGRAM, "init", at], capture_output=True, check=False).returncode == 0
    return at / "crossfade.yaml"


def check(file, unit="/nowhere", **more):
    return subprocess.run([PROGRAM, "check", "-c", file], capture_output=True, text=True, check=False, timeout=20,
                          env={**os.environ, "SYSTEMD_UNIT_PATH": str(unit)}, **more)


def change(file, old, new):
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def line_of(file, text):
    return file.read_text()[:file.read_text().index(text)].count("\n") + 1


@pytest.mark.parametrize("key, old, new", [
    ("state", "state: state\n", "state: {at}/a/b/state\n"),
    ("capture.directory", "state: state\n", "state: state\ncapture: {{ directory: {at}/a/b/log }}\n"),
    ("log.access", "state: state\n", "state: state\nlog: {{ access: {at}/a/b/access.log }}\n"),
    ("admin.socket", "admin: {{", "admin: {{ socket: {at}/a/b/run/admin.sock,"),
])
def test_a_directory_whose_parent_is_not_there_is_told_with_its_place(at, file, key, old, new):
    change(file, old.format(at=at), new.format(at=at))
    done = check(file)
    assert done.returncode == 1
    line = line_of(file, f"{at}/a/b")
    assert f"{file}:{line}:" in done.stderr
    assert f"{key}: {at}/a/b" in done.stderr and f"mkdir -p {at}/a/b" in done.stderr
    (at / "a/b").mkdir(parents=True)
    assert check(file).returncode == 0


def test_what_is_no_directory_is_told(at, file):
    change(file, "state: state\n", f"state: state\ncapture: {{ directory: {at}/taken }}\n")
    (at / "taken").write_text("mine")
    done = check(file)
    assert done.returncode == 1 and f"capture.directory: {at}/taken is not a directory" in done.stderr
    change(file, f"{at}/taken", f"{at}/taken/log")
    done = check(file)
    assert done.returncode == 1 and f"{at}/taken is not a directory" in done.stderr


@as_root
def test_who_may_not_write_or_read_is_named_with_the_mode(at, file):
    shutil.chown(file, OTHER)
    done = check(file, user=OTHER)
    assert done.returncode == 1
    assert f"cannot read {at}/tls.key: Permission denied (it belongs to user 0, group 0, mode 0600; this process runs as user {OTHER})" \
        in done.stderr
    shutil.chown(at / "tls.key", OTHER)
    change(file, "state: state", "state: new")
    done = check(file, user=OTHER)
    assert done.returncode == 1
    assert f"state: {at}/new cannot be created: user {OTHER} (nobody) cannot write to {at}, which belongs to user 0, mode 0755" \
        in done.stderr
    shutil.chown(at, OTHER)
    assert check(file, user=OTHER).returncode == 0
    file.chmod(0)
    assert "crossfade.yaml: cannot be read: Permission denied (it belongs to user" in check(file, user=OTHER).stderr


@as_root
def test_root_is_told_what_the_owner_of_the_state_cannot_read(at, file):
    for mine in at / "state", at / "state/admin.token", file:
        shutil.chown(mine, OTHER)
    done = check(file)
    assert done.returncode == 0
    line = line_of(file, "tls: { certificate")
    assert f"{file}:{line}:" in done.stderr and "warning: " in done.stderr
    assert f"user {OTHER} (nobody), the owner of the state directory, cannot read {at}/tls.key: {at}/tls.key belongs to user 0, mode 0600" \
        in done.stderr
    (at / "tls.key").chmod(0o640)
    shutil.chown(at / "tls.key", 0, OTHER)
    assert "cannot read" not in check(file).stderr


@pytest.fixture
def unit(at, file):
    """The unit that is installed, which runs that file."""
    directory = at / "units"
    directory.mkdir()
    text = (ROOT / "deploy/crossfade.service").read_text()
    assert "/etc/crossfade/crossfade.yaml" in text
    (directory / "crossfade.service").write_text(text.replace("/etc/crossfade/", f"{at}/"))
    return directory


@as_root
def test_the_unit_says_who_reads_and_writes_what(at, file, unit):
    done = check(file, unit)
    assert done.returncode == 1
    assert "the service's user (crossfade) cannot read this file" in done.stderr and "chmod it 0644" in done.stderr
    assert f"{unit}/crossfade.service does not let the service write to {at}/state (ProtectSystem=strict)" in done.stderr
    file.chmod(0o644)
    change(file, "state: state", "state: /var/lib/crossfade/state\ncapture: { directory: /data/capture }\n"
                 "log: { access: /var/log/crossfade/access.log }")
    change(file, "admin: {", "admin: { socket: /run/crossfade/admin.sock,")
    done = check(file, unit)
    assert done.returncode == 1 and "1 error." in done.stderr
    assert "does not let the service write to /data/capture" in done.stderr
    (unit / "crossfade.service.d").mkdir()
    (unit / "crossfade.service.d/more.conf").write_text(f"[Service]\nReadWritePaths={at}/data\n")
    (at / "data").mkdir()
    shutil.chown(at / "data", OTHER)
    change(file, "/data/capture", f"{at}/data/capture")
    done = check(file, unit)
    assert f"the service's user (crossfade) cannot write to {at}/data" in done.stderr


@as_root
def test_a_key_that_the_unit_does_not_hand_over_is_told(at, file, unit):
    name = unit / "crossfade.service"
    file.chmod(0o644)
    change(file, "state: state", "state: /var/lib/crossfade/state")
    done = check(file, unit)
    assert done.returncode == 0, done.stderr
    name.write_text("".join(l for l in name.read_text().splitlines(True) if not l.startswith("LoadCredential")))
    done = check(file, unit)
    assert done.returncode == 1
    assert f"the service's user (crossfade) cannot read {at}/tls.key: {at}/tls.key belongs to user 0, mode 0600; " \
           f"let the unit pass it, LoadCredential=tls.key:{at}/tls.key" in done.stderr
    (unit / "crossfade.service.d").mkdir()
    (unit / "crossfade.service.d/key.conf").write_text(f"[Service]\nLoadCredential=tls.key:{at}/tls.key\n")
    assert check(file, unit).returncode == 0
    (unit / "crossfade.service.d/key.conf").write_text(f"[Service]\nLoadCredentialEncrypted=tls.key:{at}/tls.key\n")
    assert check(file, unit).returncode == 0
    # By its path it is no credential.
    change(file, "key: tls.key", f"key: {at}/tls.key")
    assert f"and write only tls.key here" in check(file, unit).stderr


@as_root
def test_a_credential_that_is_not_there_is_told_before_systemd_does(at, file, unit):
    file.chmod(0o644)
    change(file, "state: state", "state: /var/lib/crossfade/state")
    change(file, "tls: { certificate: tls.crt, key: tls.key }", "")
    for listener in "8443", "9201", "9202":
        change(file, f"127.0.0.1:{listener} }}", f"127.0.0.1:{listener}, tls: off }}")
    (at / "tls.key").unlink()
    done = check(file, unit)
    assert done.returncode == 1
    assert f"LoadCredential=tls.key:{at}/tls.key, but that file cannot be read (No such file or directory)" in done.stderr
    (unit / "crossfade.service.d").mkdir()
    (unit / "crossfade.service.d/none.conf").write_text("[Service]\nLoadCredential=\n")
    assert check(file, unit).returncode == 0


def test_a_credential_is_found_by_its_name_alone(at, file):
    handed = at / "handed"
    handed.mkdir()
    (at / "tls.key").rename(handed / "tls.key")
    assert "cannot read" in check(file).stderr
    done = subprocess.run([PROGRAM, "check", "-c", file], capture_output=True, text=True, check=False,
                          env={**os.environ, "CREDENTIALS_DIRECTORY": str(handed)})
    assert done.returncode == 0, done.stderr


# --- the file that fits the unit ---


def install(at):
    """As a package and `init` do it, with `at` for /."""
    units = at / "units"
    units.mkdir()
    etc = at / "etc"
    unit = (ROOT / "deploy/crossfade.service").read_text()
    (units / "crossfade.service").write_text(unit.replace("/etc/crossfade/", f"{etc}/"))
    done = subprocess.run([PROGRAM, "init", "--profile", "opensearch", etc], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return units, etc / "crossfade.yaml"


@as_root
def test_the_file_for_the_service_fits_its_unit(at):
    units, file = install(at)
    done = check(file, units)
    assert (done.returncode, done.stderr) == (0, "")
    assert sorted(f.name for f in file.parent.iterdir()) == ["crossfade.yaml", "tls.crt", "tls.key"]
    # A secret that comes into it would be read by everybody.
    assert file.stat().st_mode & 0o777 == 0o644 and (file.parent / "tls.key").stat().st_mode & 0o777 == 0o600


@contextlib.contextmanager
def started_as_the_unit_does(at, file):
    """What systemd makes before: directories of the service's user, and what is handed over."""
    for name, mode in ("lib", 0o700), ("log", 0o755), ("run", 0o755), ("credentials", 0o500):
        (at / name).mkdir()
        (at / name).chmod(mode)
        shutil.chown(at / name, OTHER, OTHER)
    shutil.copy(file.parent / "tls.key", at / "credentials/tls.key")
    shutil.chown(at / "credentials/tls.key", OTHER, OTHER)
    shutil.copy(PROGRAM, at / "crossfade")
    env = {**os.environ, "CREDENTIALS_DIRECTORY": str(at / "credentials")}
    with subprocess.Popen([at / "crossfade", "run", "-c", file], user=OTHER, group=OTHER, extra_groups=[], env=env,
                          umask=0o077, stderr=(at / "said").open("w")) as service:
        try:
            yield service
        finally:
            service.terminate()
            service.terminate()


@as_root
def test_the_file_for_the_service_runs_as_the_unit_runs_it(at, clusters):
    _, file = install(at)
    host = own_address()
    for directory, there in ("lib", "/var/lib/crossfade"), ("log", "/var/log/crossfade"), ("run", "/run/crossfade"):
        file.write_text(file.read_text().replace(there, str(at / directory)))
    for old, new in (("https://source-1.internal:9200, https://source-2.internal:9200", clusters[0].url),
                     ("https://target-1.internal:9200", clusters[1].url), ("0.0.0.0:443", f"{host}:8443"),
                     ("0.0.0.0", host), ("127.0.0.1:9280", f"{host}:9280"), ("leave: 10s", "leave: 0s")):
        change(file, old, new)
    with started_as_the_unit_does(at, file):
        until(lambda: (at / "run/admin.sock").exists(), what="the service to serve: " + (at / "said").read_text())
        weighted = f"https://{host}:8443"
        assert requests.get(f"{weighted}/healthz", verify=False, timeout=10).text == "ok\n"
        assert requests.put(f"{weighted}/books/_doc/1", data=b"{}", verify=False, timeout=10).ok
        done = subprocess.run([PROGRAM, "capture", "cat", "-c", file, "-o", "json"], capture_output=True, text=True,
                              check=True)
        assert [json.loads(line)["outcome"] for line in done.stdout.splitlines()] == ["accepted"], done.stderr
        until(lambda: "/books/_doc/1" in (at / "log/access.log").read_text(), what="the access log")


VALUE = re.compile(r"(?<=: )(?:\[[^][]*\]|\"[^\"]*\"|[^][{},\"\n ]+)")


def test_whatever_is_wrong_with_a_value_is_said(make_balancer, clusters, tmp_path):
    """Each value of a configuration that has every key, one after the other, is another kind of thing, or is not there."""
    balancer = make_balancer(clusters[0].url, clusters[1].url, start=False)
    whole = (ROOT / "tests/fuzz/corpus/config/every_key").read_text()
    for value in VALUE.finditer(whole):
        for other in "{}", "[]", "", "{ a: b }", "[ a, b ]", "''":
            balancer.file.write_text(whole[:value.start()] + other + whole[value.end():])
            done = balancer.command("check", check=False)
            assert done.returncode in (0, 1), (value[0], other, done)
            assert (done.returncode == 1) == ("error" in done.stderr), (value[0], other, done)
