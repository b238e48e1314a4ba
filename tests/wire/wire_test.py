"""
Runs each .vtc of this folder with Debian's varnishtest: scripted bytes of a client and of a cluster's
node, and a balancer between them. A file names its balancer in a line `# balancer: NAME`; files with
the same name share one. It has one worker, so that whatever is kept between requests is met again.
varnishtest compares names of fields without their case, and no order: lines `# received WHO: LINE` are
lines of heads that its client or server must have received, byte by byte, in that order.
"""

import pathlib
import re
import shutil
import subprocess

import pytest

from stage import BACKENDS, Balancer, own_address

HERE = pathlib.Path(__file__).parent

# What is said beyond the usual: of the listener `weighted`, of the source, of all.
BALANCERS = {
    "plain": {},
    "quick": {
        "source": "timeouts: { connect: 500ms, idle: 300ms, tunnel: 1s }",
        "root": "timeouts: { head: 300ms, idle: 600ms, tunnel: 1s }",
    },
    "aged": {"root": "timeouts: { keep_alive: 100ms }"},
    "pair": {"nodes": ["{node}", "{dead}"], "source": "balance: round_robin"},
    "search": {"root": "profile: opensearch"},
    "spent": {},
    "named": {"source": "host: search.internal"},
    "dressed": {
        "source": "headers: { set: { X-Tier: gold, User-Agent: balancer }, remove: [ x-secret, Cookie ] }\n"
                  "  authorization: Basic b3Vycw==",
    },
    "bounded": {"listener": ", body: 1KiB"},
    "proxied": {"listener": ", trust: 127.0.0.0/8, proxy_protocol: on"},
    "guarded": {"listener": ", health: /healthz, trust: 127.0.0.0/8"},
}


def configuration(at, node, io, nodes=("{node}",), listener="", source="", root=""):
    urls = ", ".join("http://" + n.format(node=f"{node}:9200", dead=f"{node}:9299") for n in nodes)
    health = "health: { interval: 1h, failures: 100 }"
    return f"""\
listeners:
  weighted: {{ address: {at}:8080, tls: off{listener} }}
  source: {{ address: {at}:9201, tls: off, forwarded: preserve, trace: keep }}
  target: {{ address: {at}:9202, tls: off, forwarded: remove }}
source:
  nodes: [ {urls} ]
  {health}
  {source}
target:
  nodes: [ "http://{node}:9201" ]
  {health}
  host: node
{root}
workers: 1
io: {io}
admin: {{ socket: admin.sock }}
state: state
"""


@pytest.fixture(scope="module")
def balancers(tmp_path_factory):
    made = {}

    def get(name, io):
        if (name, io) not in made:
            directory = tmp_path_factory.mktemp(f"{name}-{io}")
            at, node = own_address(), own_address()
            balancer = Balancer(directory, configuration(at, node, io, **BALANCERS[name]))
            balancer.macros = {
                "balancer": f"{at}:8080", "balancer_source": f"{at}:9201",
                "balancer_target": f"{at}:9202", "node": f"{node}:9200",
                "target_node": f"{node}:9201", "address": at,
            }
            balancer.strict = True
            made[name, io] = balancer.start()
        return made[name, io]

    yield get
    for balancer in made.values():
        balancer.end()


def expect_received(script, log):
    """Looks for the lines that the script wants in what varnishtest has logged, in order."""
    wanted = re.findall(r"^# received (\w+): (.*)$", script, re.M)
    for who in {who for who, _ in wanted}:
        received = iter(re.findall(rf"^\*+ {who} +rxhdr\|(.*)\\r$", log, re.M))
        for line in [line for whose, line in wanted if whose == who]:
            assert line in received, f"{who} did not receive {line!r}, or too early:\n{log}"


@pytest.mark.parametrize("io", BACKENDS)
@pytest.mark.parametrize("claim", sorted(f.stem for f in HERE.glob("*.vtc")))
def test_wire(claim, io, balancers):
    if not shutil.which("varnishtest"):
        pytest.skip("varnishtest is not there: apt-get install varnish")
    script = HERE / f"{claim}.vtc"
    balancer = balancers(re.search(r"^# balancer: (\w+)$", script.read_text(), re.M)[1], io)
    macros = [word for name, value in balancer.macros.items() for word in ("-D", f"{name}={value}")]
    done = subprocess.run(["varnishtest", "-v", "-t", "10", "-b", "8M", *macros, str(script)], text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, timeout=60, check=False,
                          errors="replace")
    assert done.returncode == 0, f"{done.stdout}\nthe balancer said:\n{balancer.said()}"
    assert balancer.process.poll() is None, balancer.said()
    expect_received(script.read_text(), done.stdout)
