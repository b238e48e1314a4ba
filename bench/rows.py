"""What the rows and the peers of the bench are called, and which table each belongs to."""

import os

# Percent of a core that others may use of the machine while a cell is measured.
OTHER_MAX = float(os.environ.get("MAX_OTHER", "15"))

# name -> (what it is, unit, of a request)
ROWS = {
    "W1": ("plaintext, 1 KiB", "request", 1),
    "W2": ("TLS, 1 KiB", "request", 1),
    "W2L": ("W2 with the access log", "request", 1),
    "W3": ("TLS, HTTP/2, 1 KiB", "request", 1),
    "W4": ("full TLS handshakes", "handshake", 1),
    "W5": ("1 MiB responses, TLS", "MiB", 1),
    "W6": ("256 KiB uploads, TLS", "MiB", 0.25),
    "W7": ("W2, TLS to the cluster", "request", 1),
    "W10": ("1 KiB uploads, TLS", "request", 1),
    "LAT": ("W2 at a fixed moderate rate", "request", 1),
    "LATW": ("W10 at a fixed low rate", "request", 1),
}

BASE = "haproxy"

# In the order in which they are shown.
PEERS = {
    "crossfade": "Crossfade",
    "crossfade-epoll": "Crossfade, epoll",
    "haproxy": "HAProxy",
    "nginx": "nginx",
    "h2o": "h2o",
    "nghttpx": "nghttpx",
    "envoy": "Envoy",
    "caddy": "Caddy",
    "apache2": "Apache",
    "crossfade-captured-none": "Crossfade, capture, nobody waits",
    "crossfade-captured": "Crossfade, capture, writes durable",
    "crossfade-captured-all": "Crossfade, capture, all durable",
    "nginx-mirror": "nginx, mirror (not durable)",
    "direct": "no proxy",
}


def captures(peer):
    return peer.startswith("crossfade-captured") or peer == "nginx-mirror"


def in_order(peers):
    known = list(PEERS)
    return sorted(peers, key=lambda p: (known.index(p) if p in known else len(known), p))


def called(peer):
    return PEERS.get(peer, peer)
