"""`crossfade status --watch`, read from a terminal's screen."""

import json
import os
import re
import shutil
import signal
import subprocess
import uuid

import pytest
import requests

from stage import PROGRAM, own_address, until

pytestmark = pytest.mark.skipif(not shutil.which("tmux"), reason="tmux is not installed")


class Terminal:
    """A shell on a screen of its own."""

    def __init__(self, columns, rows, **environment):
        self.name = f"crossfade-{uuid.uuid4().hex}"
        more = [word for item in environment.items() for word in ("-e", "=".join(item))]
        self.tmux("-f", "/dev/null", "new-session", "-d", "-x", str(columns), "-y", str(rows), *more, "PS1='$ ' sh")
        # What is typed before the shell reads may be thrown away.
        self.shows(r"^\$")

    def tmux(self, *words):
        return subprocess.run(["tmux", "-L", self.name, *words], capture_output=True, text=True, check=True,
                              env={**os.environ, "TERM": "xterm", "LC_ALL": "C.UTF-8"}).stdout

    def type(self, line):
        self.tmux("send-keys", "-l", line)
        self.tmux("send-keys", "Enter")

    def screen(self, *more):
        return self.tmux("capture-pane", "-p", *more).rstrip("\n").split("\n")

    def shows(self, expression):
        """The screen, once it matches."""
        return until(lambda: re.search(expression, "\n".join(self.screen()), re.M) and self.screen(), 15,
                     f"{expression} on the screen, which is\n" + "\n".join(self.screen()))

    def close(self):
        subprocess.run(["tmux", "-L", self.name, "kill-server"], capture_output=True, check=False)


@pytest.fixture
def make_terminal():
    made = []

    def make(columns=80, rows=24, **environment):
        made.append(Terminal(columns, rows, **environment))
        return made[-1]

    yield make
    for terminal in made:
        terminal.close()


def watch(balancer, *more):
    return " ".join([PROGRAM, "status", "--watch", "--interval", "200ms", "-c", str(balancer.file), *more])


def test_both_sides_stand_beside_each_other(balancer, make_terminal):
    terminal = make_terminal()
    balancer.weights(3, 1)
    terminal.type(watch(balancer))
    terminal.shows(r"^the last 0\.\d s +source +target$")
    with requests.Session() as session:
        for _ in range(3):
            session.get(balancer.target, timeout=20)

        def asked():
            for _ in range(5):
                session.get(balancer.target, timeout=20)
            return terminal.shows(r"^requests /s +0 +[1-9]")
        screen = "\n".join(asked())
    assert re.search(r"^weights  source 3 \(75 %\), target 1 \(25 %\)   epoch 2$", screen, re.M)
    assert re.search(r"^5xx or no response /s +- +0 \(0\.00 %\)$", screen, re.M)
    assert re.search(r"^cluster  p50 / p99 ms +- +\d+\.\d\d / \d+\.\d\d$", screen, re.M)
    assert re.search(r"^in flight / connections +0 / \d +\d / \d+$", screen, re.M)
    assert re.search(r"^target +127\.\S+ +off +1 ", screen, re.M)
    assert re.search(r"^cluster node +state +req /s in flight last check$", screen, re.M)
    assert re.search(r"^target  127\.\S+ +healthy +[1-9]\S* +\d+ 200 in ", screen, re.M)
    assert re.search(r"^source  127\.\S+ +healthy +0 +0 200 in ", screen, re.M)


def test_the_page_follows_the_terminals_size(balancer, make_terminal):
    terminal = make_terminal(120, 40)
    terminal.type(watch(balancer))
    wide = terminal.shows(r"source +target$")
    assert any(line.startswith("listener") for line in wide)
    terminal.tmux("resize-window", "-x", "60", "-y", "16")
    terminal.shows(r"^weights")
    narrow = until(lambda: (s := terminal.screen()) and not any(l.startswith("listener") for l in s) and s, 10,
                   "the small page")
    # Both sides are still there, and so are the nodes.
    assert any(re.search(r"source +target$", line) for line in narrow), narrow
    assert sum(" healthy" in line for line in narrow) == 2, narrow
    assert max(map(len, narrow)) <= 60 and len(narrow) <= 16
    terminal.tmux("resize-window", "-x", "120", "-y", "40")
    terminal.shows(r"^listener")


def test_nodes_that_are_not_well_come_first_and_the_rest_is_counted(make_balancer, make_terminal, clusters):
    down = f"http://{own_address()}:9200"
    targets = [clusters[1].url] + [f"http://localhost:{9300 + i}" for i in range(20)] + [down]
    balancer = make_balancer(clusters[0].url, targets, cluster_more="  health: { interval: 100ms, failures: 1 }")
    terminal = make_terminal(80, 24)
    balancer.command("drain", down.removeprefix("http://"))
    terminal.type(watch(balancer))
    screen = terminal.shows(r"^and \d+ more, \d+ of them not well$")
    assert len(screen) <= 24
    first = next(i for i, line in enumerate(screen) if line.startswith("cluster ") and "state" in line) + 1
    assert " healthy " not in screen[first], screen


def test_nothing_vanishes_without_a_sign(balancer, make_terminal):
    terminal = make_terminal(80, 24)
    balancer.reload(lambda text: text + "".join(f"unknown-{n}: 1\n" for n in range(9)))
    terminal.type(watch(balancer))
    screen = terminal.shows(r"^\.\.\. not shown: 3 listeners, certificates$")
    assert len(screen) <= 24
    assert any(re.search(r"^ {9}and 6 more$", line) for line in screen), screen
    assert any(len(line) == 80 and line.endswith(">") for line in screen), screen
    terminal.tmux("resize-window", "-x", "80", "-y", "12")
    assert len(terminal.shows(r"^\.\.\. \d+ more lines$")) == 12
    terminal.tmux("resize-window", "-x", "240", "-y", "60")
    terminal.shows(r"unknown-8")
    screen = terminal.shows(r"^certificates  1, ")
    assert not any(line.startswith("...") for line in screen), screen


@pytest.mark.parametrize("key", ["q", "C-c"])
def test_the_terminal_is_as_before_when_it_ends(balancer, make_terminal, key):
    terminal = make_terminal()
    terminal.type("echo written before")
    terminal.shows(r"^written before$")
    terminal.type(f"cd {balancer.directory}; stty -a > before")
    terminal.type(watch(balancer))
    terminal.shows(r"^the last")
    assert not any("written before" in line for line in terminal.screen())
    assert terminal.tmux("display-message", "-p", "#{cursor_flag} #{alternate_on}").split() == ["0", "1"]
    terminal.tmux("send-keys", key)
    terminal.shows(r"^written before$")
    terminal.type("echo it ended with $?; stty -a > after; echo done")
    terminal.shows(r"^it ended with 0$")
    terminal.shows(r"^done$")
    assert terminal.tmux("display-message", "-p", "#{cursor_flag} #{alternate_on}").split() == ["1", "0"]
    assert (balancer.directory / "before").read_text() == (balancer.directory / "after").read_text()


def test_a_balancer_that_goes_is_said_and_comes_back(balancer, make_terminal):
    terminal = make_terminal()
    terminal.type(watch(balancer))
    terminal.shows(r"^the last")
    balancer.stop()
    screen = terminal.shows(r"^no balancer answers at ")
    terminal.shows(r"^STALE: [1-9]\d* s old ")
    assert any(line.startswith("weights ") for line in screen)
    balancer.start()
    screen = terminal.shows(r"\Acrossfade .* serving ")
    assert not any("no balancer answers" in line for line in screen)
    terminal.tmux("send-keys", "C-c")


def test_a_balancer_that_hangs_is_said(balancer, make_terminal):
    terminal = make_terminal()
    terminal.type(watch(balancer))
    terminal.shows(r"^the last")
    worker = balancer.working_pid()
    os.kill(worker, signal.SIGSTOP)
    try:
        terminal.shows(r"^STALE: [1-9]\d* s old ")
    finally:
        os.kill(worker, signal.SIGCONT)
    terminal.shows(r"^the last")


def test_a_watch_that_is_stopped_gives_the_shell_its_terminal(balancer, make_terminal):
    terminal = make_terminal()
    terminal.type("set -m; echo written before")
    terminal.type(watch(balancer))
    terminal.shows(r"^the last")
    terminal.tmux("send-keys", "C-z")
    terminal.shows(r"^written before$")
    terminal.type("fg")
    terminal.shows(r"^the last")
    terminal.tmux("send-keys", "q")
    terminal.shows(r"^written before$")


def test_colours_are_a_terminals(balancer, make_terminal):
    coloured, plain = make_terminal(), make_terminal(NO_COLOR="1")
    for terminal in coloured, plain:
        terminal.type(watch(balancer))
        terminal.shows(r"^the last")
    assert "\033[32m" in "\n".join(coloured.screen("-e"))
    assert not re.search("\033\\[3[0-9]m", "\n".join(plain.screen("-e")))


def test_a_pipe_gets_one_page_after_the_other(balancer):
    with subprocess.Popen([PROGRAM, "status", "--watch", "--interval", "100ms", "-c", str(balancer.file)],
                          stdout=subprocess.PIPE, text=True) as process:
        text = ""
        while text.count("crossfade 0.") < 3:
            text += process.stdout.readline()
        process.terminate()
        assert process.wait(10) == 0
    assert "\033" not in text
    assert "since the start" in text and text.count("the last 0.") == 1
    with subprocess.Popen([PROGRAM, "status", "--watch", "--interval", "100ms", "-o", "json", "-c", str(balancer.file)],
                          stdout=subprocess.PIPE, text=True) as process:
        first, second = (json.loads(process.stdout.readline()) for _ in range(2))
        process.terminate()
    assert first["pid"] == second["pid"] and len(first["clusters"][0]["buckets"]["response"]) == \
        len(first["bucket_bounds_ms"]) + 1


@pytest.mark.parametrize("interval", ["1", "99ms", "soon"])
def test_an_interval_is_a_duration(balancer, interval):
    done = balancer.command("status", "--watch", "--interval", interval, check=False)
    assert done.returncode == 2 and "is not a duration of at least 100ms" in done.stderr
