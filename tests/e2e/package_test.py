"""The Debian package: what is in it, and a bare Debian that gets it, runs it, and loses it again."""

import gzip
import os
import pathlib
import re
import shutil
import subprocess

import pytest

from stage import ROOT

BUILD = ROOT / "build"
CACHE = pathlib.Path(os.environ.get("XDG_CACHE_HOME", pathlib.Path.home() / ".cache")) / "crossfade-tests"
BARE = CACHE / "bookworm-minbase.tar"
HOSTS_OWN = ["/etc/apt/sources.list", "/etc/apt/sources.list.d", "/etc/apt/apt.conf.d", "/etc/apt/auth.conf.d", "/etc/resolv.conf",
             "/etc/ssl/certs/ca-certificates.crt"]

# What systemd does by crossfade.service: the user, the directories, the key that only root may read.
AS_THE_SERVICE = """
getent passwd crossfade
crossfade init --profile opensearch /etc/crossfade
sed -i 's|^  nodes: .*source-1.*|  nodes: [ http://127.0.0.1:9200 ]|; s|^  nodes: .*target-1.*|  nodes: [ http://127.0.0.1:9210 ]|' \\
    /etc/crossfade/crossfade.yaml
install -d -o crossfade -g crossfade -m 0700 /var/lib/crossfade /var/log/crossfade /run/crossfade /run/credentials
install -o crossfade -g crossfade -m 0400 /etc/crossfade/tls.key /run/credentials/tls.key
crossfade demo-cluster source 127.0.0.1:9200 &
crossfade demo-cluster target 127.0.0.1:9210 &
export CREDENTIALS_DIRECTORY=/run/credentials
setpriv --reuid=crossfade --regid=crossfade --clear-groups --inh-caps=+net_bind_service --ambient-caps=+net_bind_service \\
    crossfade run -c /etc/crossfade/crossfade.yaml 2>/run/log &
balancer=$!
for try in $(seq 300); do
    if crossfade status -c /etc/crossfade/crossfade.yaml >/run/status 2>&1; then break; fi
    kill -0 $balancer || { cat /run/log; exit 1; }
    sleep 0.1
done
crossfade weights -c /etc/crossfade/crossfade.yaml 1 1 --reason "it is installed"
crossfade capture verify -c /etc/crossfade/crossfade.yaml
crossfade stop --now -c /etc/crossfade/crossfade.yaml
wait $balancer
echo it ran
"""


def has(*programs):
    missing = [p for p in programs if not shutil.which(p)]
    if missing:
        pytest.skip(f"not installed here: {', '.join(missing)}")


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    has("cpack", "ninja", "dpkg-shlibdeps", "file")
    at = tmp_path_factory.mktemp("package")
    subprocess.run(["ninja", "-C", BUILD, "--quiet", "crossfade", "pages"], check=True, stdout=subprocess.DEVNULL)
    subprocess.run(["cpack", "-G", "DEB", "--config", BUILD / "CPackConfig.cmake", "-B", at], check=True, capture_output=True,
                   umask=0o022)
    return next(at.glob("crossfade_*.deb"))


@pytest.fixture(scope="module")
def unpacked(package, tmp_path_factory):
    at = tmp_path_factory.mktemp("unpacked")
    subprocess.run(["dpkg-deb", "-R", package, at], check=True)
    return at


def page(unpacked, name):
    return gzip.decompress((unpacked / "usr/share/man" / name).read_bytes()).decode()


def test_it_has_what_a_service_wants(unpacked):
    for name in ("usr/bin/crossfade", "usr/lib/systemd/system/crossfade.service", "usr/lib/sysusers.d/crossfade.conf",
                 "etc/logrotate.d/crossfade", "usr/share/bash-completion/completions/crossfade", "usr/share/doc/crossfade/copyright"):
        assert (unpacked / name).is_file(), name
    assert (unpacked / "DEBIAN/conffiles").read_text().split() == ["/etc/logrotate.d/crossfade"]
    for script in ("postinst", "prerm", "postrm"):
        assert subprocess.run(["sh", "-n", unpacked / "DEBIAN" / script], check=False).returncode == 0


def test_lintian_finds_no_error(package):
    has("lintian")
    done = subprocess.run(["lintian", "--allow-root", "--fail-on", "error", "--tag-display-limit", "0", package],
                          capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "E: " not in done.stdout, done.stdout


def test_the_page_of_the_program_has_each_command(unpacked):
    text = page(unpacked, "man1/crossfade.1.gz")
    listed = re.findall(r"^  ([a-z]+) ", subprocess.run([unpacked / "usr/bin/crossfade", "--help"], capture_output=True, text=True,
                                                        check=True).stdout, re.M)
    assert len(listed) > 10
    assert not [c for c in listed if f'.SS "crossfade {c}"' not in text]
    assert '.SS "crossfade capture export"' in text


def test_the_page_of_the_configuration_and_its_document_have_the_same_keys(unpacked):
    keys = re.findall(r"^\.TP\n\\fB(\S+)\\fP$", page(unpacked, "man5/crossfade.yaml.5.gz"), re.M)
    document = (ROOT / "docs/configuration.md").read_text() + (ROOT / "docs/capture.md").read_text()
    assert len(keys) > 60 and "timeouts.idle" in keys and "capture.kafka.topic" in keys
    lost = [k for k in keys if not re.search(rf"(?<![a-z_]){re.escape(k.rsplit('.', 1)[-1].removesuffix('[]'))}(?![a-z_])", document)]
    assert not lost


def test_pages_are_well_formed(unpacked):
    has("groff")
    for name in ("man1/crossfade.1.gz", "man5/crossfade.yaml.5.gz"):
        done = subprocess.run(["groff", "-man", "-Tutf8", "-ww", "-z"], input=page(unpacked, name), capture_output=True, text=True, check=False)
        assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("line, wanted", [
    ("crossfade we", {"weights"}),
    ("crossfade capture ex", {"export"}),
    ("crossfade weights --rea", {"--reason"}),
    ("crossfade capture cat --fo", {"--follow"}),
    ("crossfade status -o ", {"text", "json"}),
    ("crossfade init --profile o", {"opensearch"}),
])
def test_bash_completes(unpacked, line, wanted):
    script = f"""
        source {unpacked}/usr/share/bash-completion/completions/crossfade
        line={line!r}; read -ra COMP_WORDS <<<"$line"; [[ $line != *' ' ]] || COMP_WORDS+=('')
        COMP_CWORD=$((${{#COMP_WORDS[@]}} - 1)); _crossfade; printf '%s\\n' "${{COMPREPLY[@]}}" """
    done = subprocess.run(["bash", "-c", script], capture_output=True, text=True, check=True)
    assert set(done.stdout.split()) == wanted, done.stderr


def make_bare():
    """A bare Debian, kept as an archive for the next run."""
    CACHE.mkdir(parents=True, exist_ok=True)
    at = CACHE / f"making-{os.getpid()}"
    done = subprocess.run(["debootstrap", "--variant=minbase", "--include=ca-certificates", "bookworm", at], capture_output=True,
                          text=True, check=False)
    try:
        if done.returncode:
            pytest.skip(f"debootstrap makes no Debian here: {(done.stderr + done.stdout).strip().splitlines()[-1]}")
        part = CACHE / f"{at.name}.tar"
        subprocess.run(["tar", "-C", at, "-cf", part, "."], check=True)
        part.rename(BARE)
    finally:
        shutil.rmtree(at, ignore_errors=True)


@pytest.fixture(scope="module")
def bare(tmp_path_factory):
    if os.geteuid() != 0:
        pytest.skip("only root makes a Debian in a directory")
    has("debootstrap", "unshare", "ip")
    if subprocess.run(["unshare", "--mount", "--pid", "--net", "--fork", "true"], capture_output=True, check=False).returncode:
        pytest.skip("no namespaces here")
    if not BARE.exists():
        make_bare()
    root = tmp_path_factory.mktemp("bare")
    subprocess.run(["tar", "-C", root, "-xf", BARE], check=True)
    root.chmod(0o755)
    (root / "etc/apt/sources.list").unlink(missing_ok=True)
    for name in map(pathlib.Path, HOSTS_OWN):
        if name.is_dir():
            shutil.copytree(name, root / name.relative_to("/"), dirs_exist_ok=True)
        elif name.exists():
            shutil.copy(name, root / name.relative_to("/"))
    yield root
    shutil.rmtree(root, ignore_errors=True)


def inside(root, script, *namespaces):
    """In namespaces of its own: whatever is left there ends with it."""
    (root / "script").write_text("set -e\n" + script)
    enter = ('mount -t proc proc "$0/proc"; mount --bind /dev "$0/dev"; mount -t tmpfs tmpfs "$0/run"; '
             'ip link set lo up; exec chroot "$0" bash /script')
    return subprocess.run(["unshare", "--mount", "--pid", "--fork", "--kill-child", *namespaces, "bash", "-c", enter, root],
                          capture_output=True, text=True, check=False, timeout=600,
                          env={"PATH": os.environ["PATH"], "LANG": "C.UTF-8", "DEBIAN_FRONTEND": "noninteractive"})


def test_a_bare_debian_gets_it_runs_it_and_loses_it(bare, package):
    shutil.copy(package, bare / "crossfade.deb")
    done = inside(bare, "apt-get update -q && apt-get install -y -q --no-install-recommends /crossfade.deb && crossfade --version")
    if done.returncode and re.search(r"Could not resolve|Failed to fetch|Unable to fetch|Temporary failure", done.stdout + done.stderr):
        pytest.skip("no packages can be had here: " + (done.stderr.strip().splitlines() or ["?"])[-1])
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-3000:]

    done = inside(bare, AS_THE_SERVICE, "--net")
    assert done.returncode == 0 and "it ran" in done.stdout, done.stdout[-3000:] + done.stderr[-3000:]
    assert (bare / "var/lib/crossfade/state").is_dir()

    done = inside(bare, "dpkg --remove crossfade; ! command -v crossfade; test -e /etc/logrotate.d/crossfade; test -e /var/lib/crossfade/state")
    assert done.returncode == 0, done.stdout + done.stderr
    done = inside(bare, "dpkg --purge crossfade; test ! -e /etc/logrotate.d/crossfade; test ! -e /var/lib/crossfade/state; "
                        "test -e /etc/crossfade/crossfade.yaml; ! dpkg-query -W crossfade")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "/etc/crossfade is left" in done.stderr
