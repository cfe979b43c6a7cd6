# SPDX-License-Identifier: BSD-2-Clause
"""The measurements as Markdown: tables of ratios, targets, machine."""
import datetime
import os
import platform
import statistics
import subprocess

import tools


def number(value):
    if value is None:
        return "–"
    return f"{value:,.1f}" if abs(value) < 100 else f"{value:,.0f}"


def table(heads, rows):
    lines = ["| " + " | ".join(heads) + " |", "|" + " --- |" * len(heads)]
    return "\n".join(lines + ["| " + " | ".join(row) + " |" for row in rows]) + "\n"


def against(values, none):
    """Median of what a tool made of each round, as a share of no tool's in that round."""
    return statistics.median(v / n for v, n in zip(values, none))


def event_rows(seen):
    """seen: {tool: [ns]}, no tool first. The fastest of all rounds is what counts."""
    none = seen[tools.NONE.name]
    floor = next((min(v) - min(none) for k, v in seen.items() if k.startswith("empty")), None)
    for name, values in seen.items():
        added = min(values) - min(none)
        yield [name, number(min(values)), number(statistics.median(values)),
               f"{min(values) / min(none):.2f}", number(added),
               f"{added / floor:.1f}" if floor and floor > 0 and name != tools.NONE.name else ""]


def program_rows(seen):
    none = seen[tools.NONE.name]
    for name, values in seen.items():
        yield [name, number(min(values)), number(statistics.median(values)),
               f"{min(values) / min(none):.3f}", f"{against(values, none):.3f}"]


def load_section(load, seen):
    if load.unit == "ns":
        heads = ["tool", f"ns a {load.event}, fastest", "median", "× no tool", "added ns",
                 "× what empty adds"]
        return f"### {load.name[0].upper()}{load.name[1:]}\n\n{table(heads, event_rows(seen))}"
    heads = ["tool", "ms, fastest", "median", "× no tool, fastest", "× no tool, median of pairs"]
    return f"### {load.name[0].upper()}{load.name[1:]}\n\n{table(heads, program_rows(seen))}"


def options_section(rows):
    return "### What options add, in the target and in every other process\n\n" \
           "Beyond what dwell without the option costs the same event.\n\n" + \
           table(["option", "to", "ns in the target", "ns in others"],
                 [[option, to, number(own), number(other)] for option, to, own, other in rows])


def start_section(rows):
    heads = ["tool", "start ms, median", "least", "stop ms, median", "least", "MB, most"]
    body = [[name, *(number(r[k]) for k in ("start", "start_least", "stop", "stop_least", "mb"))]
            for name, r in rows.items()]
    return "### Start, stop and memory\n\nStart: from exec of the tool to the first instruction " \
           "of its command; stop: from the command's end to the tool's.\n\n" + table(heads, body)


def many_section(rows):
    body = [[what, f"{threads:,}", gone, "yes" if holds else "no", number(stop), number(mb)]
            for what, threads, gone, holds, stop, mb in rows]
    return "### Many\n\n" + table(["what", "threads seen", "lost", "every sum holds",
                                   "stop ms, last snapshot and report in it", "MB"], body)


def read_line(path, key=None):
    try:
        with open(path, encoding="utf-8") as f:
            for line in f:
                if not key or line.startswith(key):
                    return line.split(":", 1)[-1].strip() if key else line.strip()
    except OSError:
        pass
    return "unknown"


def machine(started, ended, rounds, quick):
    commit = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=tools.ROOT,
                            capture_output=True, text=True, check=False).stdout.strip()
    mitigations = "/sys/devices/system/cpu/vulnerabilities/"
    rows = [["date", datetime.datetime.now(datetime.timezone.utc).strftime("%Y-%m-%d %H:%M UTC")],
            ["dwell", commit or "unknown"],
            ["processor", f"{read_line('/proc/cpuinfo', 'model name')}, {os.cpu_count()} CPUs"],
            ["kernel", f"{platform.release()} {platform.machine()}"],
            ["mitigations of returns", read_line(mitigations + "spec_rstack_overflow")],
            ["mitigations of calls", read_line(mitigations + "spectre_v2")],
            ["load average", f"{started[0]:.1f} at the start, {ended[0]:.1f} at the end"],
            ["rounds", f"{rounds}, of real programs 5, each short (--quick)" if quick else str(rounds)]]
    return table(["", ""], rows)
