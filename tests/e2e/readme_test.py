"""README.md, block by block, as a newcomer goes through it; in a network of its own, for the ports are those of everybody."""

import json
import os
import re
import shutil
import subprocess

import pytest

from stage import PROGRAM, ROOT

README = (ROOT / "README.md").read_text()


def blocks_of(heading):
    """What stands indented below it, each block a script."""
    section = README.partition(f"\n## {heading}\n")[2].partition("\n## ")[0]
    return [re.sub(r"^    ", "", block, flags=re.M) for block in re.findall(r"(?:^    .*\n)+", section, re.M)]


def may_have_a_network():
    return os.geteuid() == 0 and shutil.which("ip") and \
        subprocess.run(["unshare", "--net", "true"], capture_output=True, check=False).returncode == 0


def in_background(script):
    """Its last line is a balancer that does not end."""
    *before, run = script.strip().splitlines()
    assert run == "./crossfade run -c crossfade.yaml"
    return "\n".join(before) + "\n" + RUN


RUN = """./crossfade run -c crossfade.yaml 2>>said &
balancer=$!
until ./crossfade status -c crossfade.yaml >/dev/null 2>&1; do kill -0 $balancer || { cat said >&2; exit 1; }; sleep 0.1; done
"""


@pytest.mark.skipif(not may_have_a_network(), reason="a network of its own wants root and iproute2")
def test_the_trial_and_its_recording_work_as_they_stand_there(tmp_path):
    start, look = blocks_of("Running it in production")
    add, use = blocks_of("Recording what passes")
    replay, compare = blocks_of("Filling the target and keeping it equal")
    (tmp_path / "build").mkdir()
    shutil.copy(PROGRAM, tmp_path / "build/crossfade")
    script = "\n".join(["set -ex", "ip link set lo up", in_background(start), look, add,
                        "kill -TERM $balancer; wait $balancer", RUN, use, "kill -TERM $balancer; wait $balancer",
                        replay, RUN, compare, "kill -TERM $balancer; wait $balancer"])
    # What is left in the background goes with its namespace of processes.
    done = subprocess.run(["unshare", "--net", "--pid", "--fork", "--kill-child", "--mount-proc", "bash", "-c", script],
                          cwd=tmp_path, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    shown = [line for line in done.stdout.splitlines() if " POST " in line]
    assert re.search(r" 201 accepted .* /books/_doc$", shown[0]), done.stdout
    assert "\nwhole\n" in done.stdout
    assert done.stdout.splitlines()[-1] == "Equal."
    exported, = (tmp_path / "try/today.jsonl").read_text().splitlines()
    assert json.loads(exported)["request_body"] == '{"title":"a"}'
    assert (tmp_path / "try/traffic.gz").stat().st_size > 100


def test_the_usual_configuration_is_good(tmp_path):
    """With the certificates that it names, and directories of here."""
    usual, = [block for block in blocks_of("A real configuration") if block.startswith("profile: ")]
    subprocess.run([PROGRAM, "init", tmp_path], capture_output=True, check=True)
    shutil.copy(tmp_path / "tls.crt", tmp_path / "source-ca.crt")
    for there in "/var/lib/crossfade", "/var/log/crossfade", "/run/crossfade":
        usual = usual.replace(there, str(tmp_path))
    (tmp_path / "crossfade.yaml").write_text(usual)
    done = subprocess.run([PROGRAM, "check", "-c", tmp_path / "crossfade.yaml"], capture_output=True, text=True,
                          check=False, env={**os.environ, "SYSTEMD_UNIT_PATH": "/nowhere"})
    assert (done.returncode, done.stderr) == (0, "")


def test_each_command_of_the_program_is_in_the_list():
    listed = re.findall(r"^  ([a-z]+) ", subprocess.run([PROGRAM, "--help"], capture_output=True, text=True,
                                                       check=True).stdout, re.M)
    told, = blocks_of("Commands")
    assert [name for name in listed if not re.search(rf"\bcrossfade {name}\b", told)] == []
