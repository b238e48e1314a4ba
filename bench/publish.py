#!/usr/bin/env python3
"""
publish.py [OUTDIR]: what a run of the bench has found becomes what docs/ says.

docs/performance.json keeps the newest figures of each row, with when and where they were measured;
a row is replaced as a whole, so that what is compared was in one run. The tables in
docs/performance.md, between their marks, and a chart for each are made from it. Without OUTDIR they
are made anew from the figures that are there.
"""

import json
import pathlib
import re
import sys

import chart
from rows import BASE, OTHER_MAX, ROWS, called, captures, in_order

DOCS = pathlib.Path(__file__).resolve().parents[1] / "docs"
FIGURES = DOCS / "performance.json"
PAGE = DOCS / "performance.md"
CPU_ROWS = ("W1", "W2", "W2L", "W3", "W4", "W5", "W6", "W7", "W10")
CAPTURE_ROWS = ("W1", "W2", "W6", "W10")
KEPT = ("cpu_us", "min", "max", "cells", "ratio", "ratio_of_least", "per_s", "errors", "rss_kb", "p50_us", "p99_us", "p999_us")
# What no capture is compared with.
OTHERS = ("h2o", "nghttpx", "envoy", "caddy", "apache2", "crossfade-epoll")


# --- from a run ---


def kept(subject):
    return {k: subject[k] for k in KEPT if k in subject}


def circumstances(report, peers):
    m = report["machine"]
    c = {"date": m["date"], "rounds": int(m["rounds"]), "seconds": float(m["seconds"]), "kernel": m["kernel"],
         "processor": m["processor"], "cores": int(m["cores"]), "openssl": m["openssl"],
         "versions": {p: m["versions"][p] for p in peers if p in m["versions"]}}
    if any(captures(p) for p in peers):
        c["captures_on"] = m["captures are written to"]
        c["fdatasync_4k_us"] = {w: m[f"fdatasync of 4 KiB {w}"] for w in ("before", "after")}
    return c


def put(figures, table, row, report, subjects):
    figures.setdefault(table, {})[row] = {**circumstances(report, subjects), "subjects": subjects}


def take(figures, report):
    """The tables that something was found for."""
    for name, r in report["workloads"].items():
        disturbed = [p for p, s in r["subjects"].items() if s["other_pct"] > OTHER_MAX]
        if disturbed:
            print(f"publish: {name} is left as it was: others used the machine while it was measured: {' '.join(disturbed)}", file=sys.stderr)
            continue
        all_of = {p: kept(s) for p, s in r["subjects"].items() if p != "direct"}
        plain = {p: s for p, s in all_of.items() if not captures(p)}
        beside = {p: s for p, s in all_of.items() if p not in OTHERS}
        has_captures = len(plain) < len(all_of)
        if name.startswith("LAT"):
            put(figures, "latency", name, report, all_of)
            continue
        # A run for the sake of captures has fewer of the others: it is not to take them away.
        before = figures.get("cpu", {}).get(name, {}).get("subjects", {})
        if name in CPU_ROWS and BASE in plain and len(plain) > 1 and (not has_captures or set(plain) >= set(before)):
            put(figures, "cpu", name, report, plain)
        if name in CAPTURE_ROWS and BASE in all_of and has_captures:
            put(figures, "capture", name, report, beside)
    most = max((i["connections"] for i in report.get("idle", [])), default=0)
    idle = {i["subject"]: {"kib": i["kib_per_connection"]} for i in report.get("idle", [])
            if i["connections"] == most and not captures(i["subject"])}
    if idle:
        put(figures, "idle", f"W9 at {most:,}", report, idle)


# --- tables ---


def sources(rows):
    """When and how each was measured: the rows that agree, together."""
    together = {}
    for name, r in rows.items():
        what = (f"{r['date'][:10]}, {rounds(r)} on {r['cores']} cores ({r['processor']}), "
                f"{r['kernel']}, OpenSSL {r['openssl']}")
        if "fdatasync_4k_us" in r:
            f = r["fdatasync_4k_us"]
            what += (f"; captures on {r['captures_on']}, where a bare 4 KiB fdatasync took {f['before']['p50_us']:.0f} us before and "
                     f"{f['after']['p50_us']:.0f} us after (p50)")
        together.setdefault(what, []).append(name)
    return "\n".join(f"{', '.join(names)}: {what}.  " for what, names in together.items())


def rounds(r):
    return f"{r['rounds']} round{'s' if r['rounds'] > 1 else ''} of {r['seconds']:g} s"


def version(rows, peer):
    if peer.startswith("crossfade") or captures(peer):
        return ""
    for r in rows.values():
        if peer in r["versions"]:
            return " " + r["versions"][peer].split("-")[0]
    return ""


def markdown(head, lines):
    return "\n".join(["| " + " | ".join(head) + " |", "|---|---|" + "---:|" * (len(head) - 2)] + ["| " + " | ".join(line) + " |" for line in lines])


def ratio(s):
    if not s:
        return "-"
    if s.get("ratio") is None:
        return f"{s['ratio_of_least']:.2f}"
    return f"{s['ratio_of_least']:.2f} ({s['ratio']:.2f})"


def figure(us):
    return f"{us:.1f}" if us < 100 else f"{us:.0f}"


def peers_of(rows):
    return in_order({p for r in rows.values() for p in r["subjects"]})


def ratio_table(rows):
    peers = [p for p in peers_of(rows) if p != BASE]
    head = ["", "unit", *(called(p) + version(rows, p) for p in peers), f"{called(BASE)}{version(rows, BASE)}, us"]
    lines = []
    for name in (n for n in ROWS if n in rows):
        subjects = rows[name]["subjects"]
        lines.append([f"{name} {ROWS[name][0]}", ROWS[name][1], *(ratio(subjects.get(p)) for p in peers), figure(subjects[BASE]["min"])])
    return markdown(head, lines)


def latency_table(rows):
    lines = []
    for name in (n for n in ROWS if n in rows):
        for p in in_order(rows[name]["subjects"]):
            s = rows[name]["subjects"][p]
            lines.append([f"{name} {ROWS[name][0]}", called(p), *(f"{s[q]:,.0f}" for q in ("p50_us", "p99_us", "p999_us"))])
    return markdown(["", "subject", "p50, us", "p99, us", "p99.9, us"], lines)


def idle_table(rows):
    lines = [[name, called(p), f"{r['subjects'][p]['kib']:.1f}"] for name, r in rows.items() for p in in_order(r["subjects"])]
    return markdown(["", "subject", "KiB of an idle TLS connection"], lines)


# --- charts ---


def bars_of_ratios(rows):
    return [(f"{n} {ROWS[n][0]}", [(p, rows[n]["subjects"][p]["ratio_of_least"]) for p in in_order(rows[n]["subjects"])])
            for n in ROWS if n in rows]


def bars_of_latency(rows):
    return [(f"{n} {ROWS[n][0]}, {q}", [(p, rows[n]["subjects"][p][f"{q}_us"]) for p in in_order(rows[n]["subjects"])])
            for n in ROWS if n in rows for q in ("p50", "p99")]


def bars_of_idle(rows):
    return [(n, [(p, r["subjects"][p]["kib"]) for p in in_order(r["subjects"])]) for n, r in rows.items()]


# table -> (its text, its bars, the chart's title, what one of a bar is, where the line stands)
TABLES = {
    "cpu": (ratio_table, bars_of_ratios, f"CPU per unit of work, as a ratio to {called(BASE)}'s: shorter is better", "{:.2f}", 1),
    "capture": (ratio_table, bars_of_ratios, f"CPU per unit of work with capture, {called(BASE)} without it is 1: shorter is better", "{:.2f}", 1),
    "latency": (latency_table, bars_of_latency, "Latency at a fixed rate, in microseconds: shorter is better", "{:,.0f}", None),
    "idle": (idle_table, bars_of_idle, "Memory of an idle TLS connection, in KiB: shorter is better", "{:.1f}", None),
}


def section(table, rows):
    if not rows:
        return "Not measured yet."
    return f"![{TABLES[table][2]}](performance-{table}.svg)\n\n{TABLES[table][0](rows)}\n\n{sources(rows)}"


def draw(table, rows):
    _, bars, title, unit, line = TABLES[table]
    (DOCS / f"performance-{table}.svg").write_text(chart.draw(title, bars(rows), unit, line))


def write_page(figures):
    page = PAGE.read_text()
    for table in TABLES:
        rows = figures.get(table, {})
        begin, end = f"<!-- {table}: made by bench/publish.py -->", f"<!-- end of {table} -->"
        if begin not in page:
            sys.exit(f"publish: {PAGE} has no place for the table {table}: {begin}")
        pattern = re.compile(re.escape(begin) + ".*?" + re.escape(end), re.S)
        page = pattern.sub(lambda _: f"{begin}\n{section(table, rows)}\n{end}", page)
        if rows:
            draw(table, rows)
    PAGE.write_text(page)


def main():
    figures = json.loads(FIGURES.read_text()) if FIGURES.exists() else {}
    if len(sys.argv) > 1:
        take(figures, json.loads(pathlib.Path(sys.argv[1], "report.json").read_text()))
        FIGURES.write_text(json.dumps(figures, indent=1) + "\n")
    write_page(figures)
    print(f"published: {FIGURES}, the tables of {PAGE} and their charts; see `git diff docs`")


main()
