# SPDX-License-Identifier: BSD-2-Clause
"""
What is measured once or by itself: a tool's start, stop and memory; a process that is no
target; what is lost with many processes and threads.
"""
import json
import os
import statistics
import subprocess

import loads
import tools

STARTERS = [tools.DWELL_RUN, tools.LEDGER, tools.BPFTRACE_SWITCH, tools.PERF_TRACE,
            tools.PERF_SCHED, tools.STRACE]


def start_and_stop(starters, rounds):
    """Of each tool: start ms, stop ms (medians and least), MB of memory (the most)."""
    seen = {tool.name: [] for tool in starters}
    for _ in range(rounds):
        for tool in starters:
            text = loads.output([os.path.join(tools.OUT, "start"), *tool.prefix])
            seen[tool.name].append([float(word) for word in text.split()])
    rows = {}
    for name, runs in seen.items():
        start, stop, rss = zip(*runs)
        rows[name] = {"start": statistics.median(start) / 1e6, "start_least": min(start) / 1e6,
                      "stop": statistics.median(stop) / 1e6, "stop_least": min(stop) / 1e6,
                      "mb": max(rss) * 1024 / 1e6}
    return rows


class Beside:
    """A tool that follows a sleeping command, while something else is measured."""

    def __init__(self, tool):
        self.tool = tool

    def __enter__(self):
        command = ["sh", "-c", "echo ready; exec sleep 600"]
        self.process = subprocess.Popen(self.tool.argv(command), stdout=subprocess.PIPE,
                                        stderr=subprocess.DEVNULL, text=True,
                                        start_new_session=True)
        self.process.stdout.readline()

    def __exit__(self, *unused):
        os.killpg(self.process.pid, 15)
        self.process.wait(timeout=20)
        self.process.stdout.close()


NO_TARGETS = [loads.SWITCH, loads.CALLS, loads.FORKS]


def no_target(rounds, quick):
    """Nanoseconds an event of processes that are not the target: {load: {tool: [ns]}}."""
    seen = {}
    for _ in range(rounds):
        for tool in (tools.NONE, tools.EMPTY_ALL, tools.DWELL_RUN):
            with Beside(tool):
                for load in NO_TARGETS:
                    value = load.run(tools.NONE, quick)
                    seen.setdefault(load.name, {}).setdefault(tool.name, []).append(value)
    return seen


def options_beside(rounds, quick):
    """The same of what an option looks at, with dwell and with that option."""
    seen = {load.name: {} for load in loads.OPTED}
    for _ in range(rounds):
        for load in loads.OPTED:
            for tool in load.tools:
                with Beside(tool):
                    value = load.run(tools.Tool(tool.name, [], slow=tool.slow), quick)
                seen[load.name].setdefault(tool.name, []).append(value)
    return seen


def kernel_objects():
    """How many objects the kernel allocates for one open and close of /dev/null."""
    with_few, with_more = (
        summary_of(["--kmem"], [os.path.join(tools.OUT, "probes"), "open", str(n)])
        ["memory"]["slab_allocs"] for n in (200, 10200))
    return (with_more - with_few) / 10000


def summary_of(options, command):
    report = os.path.join(tools.OUT, "scale.json")
    loads.output([tools.DWELL, "run", "-q", *options, "--json", "-o", report, "--", *command])
    with open(report, encoding="utf-8") as f:
        for line in f:
            record = json.loads(line)
    os.unlink(report)
    return record


def lost(summary):
    """What was lost, by name; the total is dwell's own."""
    some = {k: v for k, v in summary["trust"]["lost"].items() if v}
    return ", ".join(f"{k} {v}" for k, v in some.items()) or "nothing"


def many(quick):
    """Rows of (what, threads seen, lost, sums hold, stop ms, MB)."""
    forks, threads = (5000, 2000) if quick else (100000, 10000)
    rows = []
    for what, options, command in (
            (f"{forks:,} short processes", [], ["forks", str(forks), "v"]),
            (f"{threads:,} threads at once, all alive at the end", ["-d", "3"],
             ["threads", str(threads), "4"])):
        s = summary_of(options, [os.path.join(tools.OUT, command[0]), *command[1:]])
        own = s["trust"]["self"]
        rows.append((what, s["threads"], lost(s), s["trust"]["reconcile_ok"],
                     own["stop_ns"] / 1e6, own["rss_peak_bytes"] / 1e6))
    return rows
