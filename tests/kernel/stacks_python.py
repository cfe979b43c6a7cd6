#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Python frames in stacks, function, file and line, against what the program says of itself: by
the interpreter of this machine, by a later one (tests/get-python), in other processes, name
spaces and embedded in a C program.
"""
import collections
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, skip, test

HERE = os.path.dirname(os.path.abspath(__file__))
WORKLOADS = os.path.join(os.path.dirname(HERE), "workloads")
CHAINS = os.path.join(WORKLOADS, "python_chains.py")
ROUNDS = 4 if lib.EMULATED else 15
SOURCE = []

Stack = collections.namedtuple("Stack", "state ns python native thread")


def stacks_of(path):
    """Rows of a speedscope file; python: (function, file, line), native: names; leaf first."""
    with open(path, encoding="utf-8") as f:
        doc = json.load(f)
    frames = doc["shared"]["frames"]
    rows = []
    for profile in doc["profiles"]:
        for sample, ns in zip(profile["samples"], profile["weights"]):
            *stack, state = [frames[i] for i in sample]
            stack.reverse()
            rows.append(Stack(
                state["name"].strip("[]"), ns,
                [(f["name"], f["file"], f["line"]) for f in stack if "line" in f],
                [f["name"] for f in stack if "line" not in f], stack))
    return rows


def sample(cmd, *opts, check=True, **kw):
    """dwell run with stacks: what lib.run() gives, and the rows."""
    with tempfile.TemporaryDirectory(prefix="dwell-test-") as d:
        path = os.path.join(d, "stacks.json")
        result = lib.run(cmd, "--speedscope", path, "--stack-quantum", "0", *SOURCE, *opts,
                         check=check, timeout=300, **kw)
        return result, stacks_of(path)


def compare(result, rows):
    """Sleeps in nap(): each stack is one that the program saw, and none that it saw is missing."""
    seen = {tuple(map(tuple, frames)): n for frames, n in json.loads(result.truth["stacks"])}
    truth = {s: n for s, n in seen.items() if s[0][0] == "nap"}
    ours = collections.Counter()
    for row in rows:
        if row.state == "sleep" and row.python and row.python[0][0] == "nap":
            ours[tuple(row.python)] += row.ns
    assert len(truth) >= 18, f"{len(truth)} stacks"
    wrong = [s for s in ours if s not in truth]
    # the watcher may miss a nap in a slow guest; it never misses the same place each time
    assert not wrong, f"{len(wrong)} of {len(ours)} never were: {wrong[0]}; like {list(truth)[0]}"
    missing = [s for s, n in truth.items() if n > 2 and s not in ours]
    assert not missing, f"{len(missing)} of {len(truth)} not seen: {missing[0]}"
    unseen = [r for r in rows if r.state == "sleep" and not r.python]
    lost = sum(r.ns for r in unseen)
    total = sum(r.ns for r in rows if r.state == "sleep")
    assert lost <= total * 0.01, f"{lost} of {total} ns asleep without Python frames: {unseen[:3]}"


def later():
    """Root directory of a Python 3.13."""
    done = subprocess.run([os.path.join(os.path.dirname(HERE), "get-python")],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        skip(f"Python 3.13 cannot be had: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout.strip()


def python():
    """The machine's own, when it is one that is known."""
    path = os.path.realpath(lib.need("python3"))
    version = subprocess.run([path, "-c", "import sys; print(sys.version_info[:2])"],
                             capture_output=True, text=True, check=True).stdout.strip()
    if version not in ("(3, 11)", "(3, 12)", "(3, 13)"):
        skip(f"this machine's Python is {version}")
    return path


@test
def chains_of_calls_are_as_the_program_sees_them():
    compare(*sample([python(), CHAINS, ROUNDS]))


@test
def chains_are_right_in_3_13_too():
    root = later()
    with tempfile.TemporaryDirectory(prefix="dwell-", dir=os.path.join(root, "tmp")) as d:
        shutil.copy(CHAINS, d)
        inside = "/" + os.path.relpath(os.path.join(d, os.path.basename(CHAINS)), root)
        result, rows = sample([lib.need("chroot"), root, "/usr/bin/python3.13", inside, ROUNDS])
    assert result.truth["version"] == "3.13", result.truth
    compare(result, rows)


@test
def off_leaves_the_interpreter_as_it_is():
    _, rows = sample([python(), CHAINS, 2], "--python", "off")
    assert not any(r.python for r in rows), [r.python for r in rows if r.python][:1]
    names = {n for r in rows for n in r.native}
    assert any(n.startswith("_PyEval_EvalFrameDefault") for n in names), sorted(names)[:40]


main()
