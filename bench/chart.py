"""Groups of horizontal bars as one SVG, which needs nothing to be seen but a browser."""

import math
from html import escape

from rows import called, in_order

COLOURS = {
    "crossfade": "#0b5fa5",
    "crossfade-epoll": "#7db4de",
    "haproxy": "#6b7280",
    "nginx": "#4d9a6a",
    "h2o": "#b58a3c",
    "nghttpx": "#a0699f",
    "envoy": "#c8553d",
    "caddy": "#8c6d5a",
    "apache2": "#9a3f63",
    "crossfade-captured-none": "#7db4de",
    "crossfade-captured": "#2f86c9",
    "crossfade-captured-all": "#083d6b",
    "nginx-mirror": "#8cc7a1",
}
OTHER = "#b0b0b0"
INK, FAINT, PAPER = "#1f2933", "#d7dce1", "#ffffff"
FONT = "font-family=\"system-ui, -apple-system, 'Segoe UI', Roboto, 'DejaVu Sans', sans-serif\""

WIDTH, LEFT, RIGHT, TOP = 860, 236, 64, 50
BAR, GAP, GROUP_GAP = 15, 3, 17
KEY_LINE = 22
# Of a text's size, about what a letter is wide: where things go is to be known without a font.
LETTER = 0.56


def text(x, y, what, size=12, anchor="start", weight="normal", colour=INK):
    return (f'<text x="{x:.1f}" y="{y:.1f}" font-size="{size}" text-anchor="{anchor}" font-weight="{weight}" '
            f'fill="{colour}">{escape(what)}</text>')


def step_of(most):
    """A round number, so that there are some five lines."""
    size = 10 ** math.floor(math.log10(most / 5))
    return next(size * n for n in (1, 2, 5, 10) if most / (size * n) <= 6)


def key(peers):
    """What each colour is, in as many lines as that takes; and where it ends."""
    out, x, y = [], LEFT, TOP
    for p in peers:
        wide = 18 + len(called(p)) * 12 * LETTER + 18
        if x + wide > WIDTH - 10 and x > LEFT:
            x, y = LEFT, y + KEY_LINE
        out.append(f'<rect x="{x:.1f}" y="{y - 10}" width="12" height="12" rx="2" fill="{COLOURS.get(p, OTHER)}"/>')
        out.append(text(x + 18, y, called(p)))
        x += wide
    return out, y + 14


def wrapped(label):
    """In two lines where it is too long for one."""
    if len(label) * 12.5 * LETTER < LEFT - 24:
        return [label]
    words, first = label.split(), ""
    while words and len(first + words[0]) * 12.5 * LETTER < LEFT - 24:
        first += words.pop(0) + " "
    return [first.strip(), " ".join(words)]


def draw_group(label, bars, y, scale, unit):
    out = []
    height = len(bars) * (BAR + GAP) - GAP
    lines = wrapped(label)
    at = y + height / 2 + 4.5 - (len(lines) - 1) * 8
    for i, line in enumerate(lines):
        out.append(text(LEFT - 12, at + 16 * i, line, 12.5, "end"))
    for peer, value in bars:
        wide = max(1.0, value * scale)
        out.append(f'<rect x="{LEFT}" y="{y:.1f}" width="{wide:.1f}" height="{BAR}" rx="2" fill="{COLOURS.get(peer, OTHER)}">'
                   f"<title>{escape(called(peer))}: {unit.format(value)}</title></rect>")
        ours = peer.startswith("crossfade")
        out.append(text(LEFT + wide + 6, y + BAR - 3.5, unit.format(value), 11, weight="600" if ours else "normal")
                   .replace("<text ", f'<text stroke="{PAPER}" stroke-width="3" paint-order="stroke" '))
        y += BAR + GAP
    return out, y - GAP + GROUP_GAP


def draw(title, groups, unit, line=None):
    """`groups`: (label, [(peer, value)]). `line`: a value that is marked, as what the others are measured by."""
    most = max(v for _, bars in groups for _, v in bars)
    scale = (WIDTH - LEFT - RIGHT) / most
    out, top = key(in_order({p for _, bars in groups for p, _ in bars}))
    y = top + 12
    body = []
    for label, bars in groups:
        drawn, y = draw_group(label, bars, y, scale, unit)
        body += drawn
    bottom = y - GROUP_GAP + 8
    step, value = step_of(most), 0
    while value <= most * 1.0001:
        x = LEFT + value * scale
        out.append(f'<line x1="{x:.1f}" y1="{top + 2}" x2="{x:.1f}" y2="{bottom}" stroke="{FAINT}"/>')
        out.append(text(x, bottom + 16, f"{value:,g}", 11, "middle", colour="#52606d"))
        value = round(value + step, 9)
    if line is not None:
        x = LEFT + line * scale
        out.append(f'<line x1="{x:.1f}" y1="{top + 2}" x2="{x:.1f}" y2="{bottom}" stroke="{INK}" stroke-dasharray="3 3"/>')
    height = bottom + 30
    head = (f'<svg xmlns="http://www.w3.org/2000/svg" width="{WIDTH}" height="{height:.0f}" viewBox="0 0 {WIDTH} {height:.0f}" '
            f'role="img" aria-label="{escape(title)}" {FONT}>\n<rect width="100%" height="100%" rx="6" fill="{PAPER}"/>')
    return "\n".join([head, text(24, 26, title, 15, weight="600"), *out, *body, "</svg>"]) + "\n"
