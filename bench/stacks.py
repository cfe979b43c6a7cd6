# SPDX-License-Identifier: BSD-2-Clause
"""
What stacks cost beyond what they add to an event (loads.py): samples on a CPU, tables, the
start, and what has no table as a program starts cold.
"""
import glob
import json
import os
import shutil
import statistics
import subprocess
import time

import loads
import tools

PYTHON = "/usr/bin/python3"
STACKS = ("--probes", "ledger,stacks")
OFTEN = ("-F", "4000", "--stack-quantum", "50us")  # more samples than by default: a start is short


def sampling(quick):
    """Nanoseconds a sample, and the share of a CPU, of the program that samples 99 times a s."""
    spin = [os.path.join(tools.OUT, "spin"), loads.CPU, str((1 if quick else 4) * 10**9)]
    text = loads.output([*tools.dwell(*STACKS), os.path.join(tools.OUT, "runtime"), *spin])
    seen = {name: (int(runs), int(ns)) for name, runs, ns in map(str.split, text.splitlines())}
    runs, ns = seen["stacks_on_cpu"]
    return ns / runs, ns / seen["wall"][1]


def libraries(program):
    text = subprocess.run(["ldd", program], capture_output=True, text=True, check=False).stdout
    return [word for word in text.split() if word.startswith("/") and "libc.so" in word]


def tables():
    """{file: (rows, bytes)} of programs that are here."""
    cc1 = subprocess.run(["gcc", "-print-prog-name=cc1"], capture_output=True, text=True,
                         check=False).stdout.strip()
    paths = [PYTHON, *libraries(PYTHON), cc1, shutil.which("node"), shutil.which("redis-server"),
             *glob.glob("/usr/lib/postgresql/*/bin/postgres"),
             *glob.glob("/usr/lib/*/libLLVM-*.so.1")[:1]]
    paths = [path for path in paths if path and os.path.isfile(path)]
    lines = loads.output([os.path.join(tools.OUT, "tables"), *paths]).splitlines()
    return {path: tuple(map(int, line.split())) for path, line in zip(paths, lines)}


def summary(argv):
    """The last record of a dwell whose output goes to a file."""
    report = os.path.join(tools.OUT, "stacks.json")
    loads.output([*argv[:2], "-q", "--json", "-o", report, *argv[2:]])
    with open(report, encoding="utf-8") as f:
        record = json.loads(f.readlines()[-1])
    os.unlink(report)
    return record


def python_starts(prefix):
    """From exec of the tool to Python's first statement, ms."""
    say = "import time, os; os.write(1, b'%d' % time.monotonic_ns())"
    began = time.monotonic_ns()
    return (int(loads.output([*prefix, PYTHON, "-S", "-c", say])) - began) / 1e6


def attach_starts():
    """What dwell says that its own start took until a sleeping Python was followed, ms."""
    code = "import time; print(flush=True); time.sleep(60)"
    with subprocess.Popen([PYTHON, "-c", code], stdout=subprocess.PIPE) as target:
        try:
            target.stdout.readline()
            end = summary([tools.DWELL, "attach", "--stacks", "-d", "1", str(target.pid)])
        finally:
            target.kill()
    return end["trust"]["self"]["start_ns"] / 1e6


def starts(rounds):
    """{what: [ms]}"""
    seen = {"python3 alone": [], "dwell run": [], "dwell run --stacks": [],
            "dwell attach --stacks": []}
    for _ in range(rounds):
        seen["python3 alone"].append(python_starts([]))
        seen["dwell run"].append(python_starts(tools.dwell()))
        seen["dwell run --stacks"].append(python_starts(tools.dwell("--stacks")))
        seen["dwell attach --stacks"].append(attach_starts())
    return seen


def cold(quick):
    """{program: (samples, of them without a table)}: each run of dwell begins without any."""
    source = os.path.join(tools.ROOT, "bench", "start.c")
    programs = {"gcc": ["gcc", "-O2", "-g", "-D_GNU_SOURCE", "-c", "-o", "/dev/null", source]}
    if shutil.which("node"):
        programs["node"] = ["node", "-e", "0"]
    seen = {}
    for name, command in programs.items():
        samples = without = 0
        for _ in range(2 if quick else 8):
            s = summary([tools.DWELL, "run", "--stacks", *OFTEN, "--", *command])["stacks"]
            samples += s["samples"]
            without += sum(s["ends"][why] for why in ("no_table", "no_file", "no_room"))
        seen[name] = (samples, without)
    return seen


def measure(quick):
    return {"sampling": sampling(quick), "tables": tables(), "starts": starts(2 if quick else 7),
            "cold": cold(quick)}


def section(seen, number, table):
    """The figures as Markdown."""
    starts_ms = [[what, number(min(ms)), number(statistics.median(ms))]
                 for what, ms in seen["starts"].items()]
    sizes = [[os.path.basename(path), f"{rows:,}", f"{size / rows:.1f}"]
             for path, (rows, size) in seen["tables"].items()]
    return ("### Start with stacks, to the first statement of a Python program\n\n"
            "`attach`: by dwell's own word, until the process is followed.\n\n" +
            table(["what", "ms, least", "median"], starts_ms) +
            "\n### Unwind tables, rows and index\n\n" +
            table(["file", "rows", "bytes a row"], sizes))
