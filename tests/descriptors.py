"""What a process holds open, and what of it is of no use any more."""

import collections
import os
import pathlib
import re

ESTABLISHED, CLOSE_WAIT = "01", "08"
TABLES = ["tcp", "tcp6", "udp", "udp6", "unix", "netlink", "raw", "raw6", "packet"]


def links(pid):
    """{descriptor: what it is}: one that is closed meanwhile is left out."""
    held = {}
    for entry in pathlib.Path(f"/proc/{pid}/fd").iterdir():
        try:
            held[entry.name] = os.readlink(entry)
        except OSError:
            continue
    return held


def kinds(pid):
    """How many of each kind that is not a socket: those of a file by its path, pipes and the kernel's own by name."""
    return collections.Counter(re.sub(r":\[?\d+\]?$", "", link) for link in links(pid).values()
                               if not link.startswith("socket:"))


def socket_states(pid):
    """{inode: its TCP state, or None where it is no TCP}"""
    states = {}
    for table in TABLES:
        at = pathlib.Path(f"/proc/{pid}/net/{table}")
        for row in at.read_text().splitlines()[1:] if at.exists() else []:
            words = row.split()
            if table.startswith("tcp"):
                states[words[9]] = words[3]
            else:
                inode = {"unix": 6, "netlink": 9, "packet": 8}.get(table, 9)
                states[words[inode] if len(words) > inode else ""] = None
    return states


def idle(pid):
    """Descriptors of no use: sockets that the kernel knows of no more, or whose peer has finished; removed files."""
    held, states, found = links(pid), socket_states(pid), []
    for link in held.values():
        inode = re.fullmatch(r"socket:\[(\d+)\]", link)
        if inode and states.get(inode[1], "none") in ("none", CLOSE_WAIT):
            found.append(f"{link} {states.get(inode[1], 'is connected no more')}")
        elif link.endswith(" (deleted)") and not link.startswith(("/memfd:", "/secretmem")):
            found.append(link)
    return sorted(found)


def grown(before, pid):
    """What there is more of than before: of the kernel's own and of pipes. One or two are made when they are needed."""
    return {kind: n for kind, n in (kinds(pid) - before).items() if not kind.startswith("/") and n > 2}
