#!/usr/bin/env python3
"""report.py OUTDIR: raw.tsv, split.txt, idle.txt, machine.txt -> report.md, report.json, a table to read."""

import csv
import json
import os
import pathlib
import statistics
import sys

from rows import BASE, OTHER_MAX, ROWS, called, in_order

BASE = os.environ.get("BASE", BASE)


def read_cells(path):
    """row -> peer -> cells: those in which others used the machine only where a subject has no better ones."""
    rows = {}
    with open(path, newline="") as f:
        for cell in csv.DictReader(f, delimiter="\t"):
            if int(cell["reqs"]) > 0:
                rows.setdefault(cell["workload"], {}).setdefault(cell["peer"], []).append(cell)
    for peers in rows.values():
        for peer, cells in peers.items():
            peers[peer] = [c for c in cells if float(c["other_pct"]) <= OTHER_MAX] or cells
    return rows


def subject(row, cells):
    of_request = ROWS[row][2]
    cpu = [int(c["cpu_ns"]) / 1000 / (int(c["reqs"]) * of_request) for c in cells]

    def median(value):
        return statistics.median(value(c) for c in cells)

    def share_of_kernel(c):
        ticks = int(c["user_t"]) + int(c["sys_t"])
        return int(c["sys_t"]) / ticks if ticks else 0

    s = {
        "cpu_us": round(statistics.median(cpu), 3), "min": round(min(cpu), 3), "max": round(max(cpu), 3),
        "cells": len(cells), "sys_share": round(median(share_of_kernel), 3),
        "per_s": round(median(lambda c: int(c["reqs"]) / float(c["secs"])) * of_request, 1),
        "proxy_core_pct": round(median(lambda c: int(c["cpu_ns"]) / 1e7 / float(c["secs"])), 1),
        "gen_core_pct": round(median(lambda c: (float(c["gen_cpu_s"]) + int(c["back_ns"]) / 1e9) * 100 / float(c["secs"])), 1),
        "other_pct": round(median(lambda c: float(c["other_pct"])), 1),
        "errors": sum(int(c["errors"]) for c in cells), "rss_kb": round(median(lambda c: int(c["rss_kb"]))),
    }
    timed = [c for c in cells if c["p50"] != "-"]
    if timed:
        s.update({f"{q}_us": statistics.median(int(c[q]) for c in timed) for q in ("p50", "p99", "p999")})
    return s


def row_of(row, peers):
    subjects = {p: subject(row, peers[p]) for p in in_order(peers)}
    base = subjects.get(BASE)
    for s in subjects.values():
        s["ratio"] = round(s["cpu_us"] / base["cpu_us"], 3) if base and base["cpu_us"] else None
        s["ratio_of_least"] = round(s["min"] / base["min"], 3) if base and base["min"] else None
    return {"unit": ROWS[row][1], "subjects": subjects}


def read_machine(path):
    facts = {"versions": {}}
    for line in path.read_text().splitlines():
        key, _, value = line.partition(": ")
        if key.startswith("version of "):
            facts["versions"][key[len("version of "):]] = value
        else:
            facts[key] = json.loads(value) if value.startswith("{") else value
    return facts


def lines_of(path):
    return [line.split() for line in path.read_text().splitlines()] if path.exists() else []


def number(text):
    return None if text == "-" else float(text) if "." in text else int(text)


def gather(out):
    report = {"base": BASE, "machine": read_machine(out / "machine.txt")}
    cells = read_cells(out / "raw.tsv")
    report["workloads"] = {row: row_of(row, cells[row]) for row in ROWS if row in cells}
    split, idle = lines_of(out / "split.txt"), lines_of(out / "idle.txt")
    if split:
        keys = ("a", "b", "failed", "live_requests", "live_failed", "then_share_of_a")
        report["split"] = {f[0]: dict(zip(keys, map(number, f[1:]))) for f in split}
    if idle:
        report["idle"] = [{"subject": f[0], "connections": int(f[1]), "rss_before_kb": int(f[2]), "rss_after_kb": int(f[3]),
                           "kib_per_connection": round((int(f[3]) - int(f[2])) / int(f[1]), 2),
                           "opened_failed_alive": " ".join(f[4:])} for f in idle]
    problems = out / "problems.txt"
    report["problems"] = problems.read_text().splitlines() if problems.exists() else []
    return report


# --- as text ---


def aligned(table):
    widths = [max(len(line[i]) for line in table) for i in range(len(table[0]))]
    def one(line):
        return "  ".join([line[0].ljust(widths[0])] + [c.rjust(w) for c, w in zip(line[1:], widths[1:])]).rstrip()
    return "\n".join([one(table[0]), "-" * (sum(widths) + 2 * len(widths) - 2)] + [one(line) for line in table[1:]])


def two(a, b):
    return "-" if a is None else f"{a:.2f} ({b:.2f})"


def cpu_table(report):
    rows = report["workloads"]
    peers = in_order({p for r in rows.values() for p in r["subjects"]})
    unit = "us" if not any(BASE in r["subjects"] for r in rows.values()) else None
    table = [["", "unit", *peers] + ([] if unit else [f"{BASE}'s us"])]
    for name, r in rows.items():
        line = [f"{name} {ROWS[name][0]}", r["unit"]]
        for p in peers:
            s = r["subjects"].get(p)
            line.append("-" if not s else two(s["min"], s["cpu_us"]) if unit else two(s["ratio_of_least"], s["ratio"]))
        base = r["subjects"].get(BASE)
        table.append(line + ([] if unit else [two(base["min"], base["cpu_us"]) if base else "-"]))
    if len(peers) > 7:  # then it is long, not wide
        table = [list(column) for column in zip(*table)]
    what = "CPU, us: " if unit else f"CPU as a ratio to {BASE}'s in this run: "
    return f"{what}least of the rounds (median)\n\n{aligned(table)}\n"


def latency_table(report):
    table = [["latency, us", "subject", "p50", "p99", "p99.9"]]
    for name, r in report["workloads"].items():
        for p, s in r["subjects"].items():
            if "p50_us" in s:
                table.append([f"{name} {ROWS[name][0]}", p, *(f"{s[q]:.0f}" for q in ("p50_us", "p99_us", "p999_us"))])
    return aligned(table) + "\n" if len(table) > 1 else ""


def split_table(report):
    table = [["W8 split 80 to 20", "a", "b", "failed", "live changes", "failed"]]
    for p, s in report.get("split", {}).items():
        table.append([p, *(str(s[k]) if s[k] is not None else "-" for k in ("a", "b", "failed", "live_requests", "live_failed"))])
    return aligned(table) + "\n" if len(table) > 1 else ""


def idle_table(report):
    table = [["W9 idle TLS", "connections", "KiB of each", "opened, failed, alive"]]
    for i in report.get("idle", []):
        table.append([i["subject"], str(i["connections"]), f"{i['kib_per_connection']:.1f}", i["opened_failed_alive"]])
    return aligned(table) + "\n" if len(table) > 1 else ""


def warnings(report):
    lines = list(report["problems"])
    for name, r in report["workloads"].items():
        lines += [f"{name} {p}: {s['errors']} requests failed" for p, s in r["subjects"].items() if s["errors"]]
        busy = [p for p, s in r["subjects"].items() if s["other_pct"] > OTHER_MAX]
        if busy:
            lines.append(f"{name}: others used the machine meanwhile, these figures are worth little: {' '.join(busy)}")
    return lines


def facts(report):
    m = report["machine"]
    lines = [f"{m['date']}, {m['rounds']} rounds of {m['seconds']} s; {m['kernel']}, {m['processor']}, OpenSSL {m['openssl']}"]
    for when in ("before", "after"):
        f = m.get(f"fdatasync of 4 KiB {when}")
        if f:
            lines.append(f"captures go to {m['captures are written to']}; a bare 4 KiB fdatasync there, {when}: "
                         f"least {f['least_us']}, p50 {f['p50_us']}, p99 {f['p99_us']} us")
    return lines


def detail(report):
    """For each row all that was measured."""
    for name, r in report["workloads"].items():
        yield f"### {name} {ROWS[name][0]}\n"
        head = ["subject", f"us/{r['unit']}, median", "least", "most", "rounds", "least vs least", "in kernel", f"{r['unit']}s/s",
                "proxy core", "generator + backend", "others", "errors", "RSS MiB"]
        yield "| " + " | ".join(head) + " |\n|---|" + "---:|" * (len(head) - 1)
        for p, s in r["subjects"].items():
            yield (f"| {called(p)} | {s['cpu_us']:.2f} | {s['min']:.2f} | {s['max']:.2f} | {s['cells']} | "
                   f"{'-' if s['ratio_of_least'] is None else format(s['ratio_of_least'], '.2f')} | {s['sys_share']:.0%} | {s['per_s']:.0f} | "
                   f"{s['proxy_core_pct']:.0f} % | {s['gen_core_pct']:.0f} % | {s['other_pct']:.0f} % | {s['errors']} | {s['rss_kb'] / 1024:.1f} |")
        yield ""


def main():
    out = pathlib.Path(sys.argv[1])
    report = gather(out)
    (out / "report.json").write_text(json.dumps(report, indent=1) + "\n")
    parts = [t for t in (cpu_table(report) if report["workloads"] else "", latency_table(report), split_table(report), idle_table(report)) if t]
    text = "\n".join(["\n".join(facts(report)) + "\n"] + parts + warnings(report))
    (out / "report.md").write_text(f"```\n{text}\n```\n\n" + "\n".join(detail(report)))
    print(f"\n{text}\nwrote {out}/report.md and {out}/report.json")


main()
