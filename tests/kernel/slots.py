# SPDX-License-Identifier: BSD-2-Clause
"""
Figures by process in slots: what a process did is in its own row and in the tree's sum, also
when slots are few, are used again, or have run out; and a total never falls while it runs.
Truth: each child makes a known number of opens.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import lib
from tap import main, test

lib.PROBES = "io,memory,syscalls"

# N children, AT_ONCE of them alive together, each opens its own number of files.
SCRIPT = """
import os, sys, time
n, at_once = int(sys.argv[1]), int(sys.argv[2])
base = 0
for i in range(0, n, at_once):
    r, w = os.pipe()
    pids = []
    for k in range(i, min(n, i + at_once)):
        pid = os.fork()
        if not pid:
            os.close(w)
            for j in range(100 + k):
                os.close(os.open("/dev/null", os.O_RDONLY))
            os.read(r, 1)
            os._exit(0)
        pids.append(pid)
        print(f"child.{pid}={100 + k}", flush=True)
    os.close(r)
    os.close(w)
    for pid in pids:
        os.waitpid(pid, 0)
    time.sleep(float(sys.argv[3]))
"""


def run(n, at_once, *options, pause=0):
    return lib.run(["/usr/bin/python3", "-c", SCRIPT, n, at_once, pause], *options)


def opens_of(summary, pid):
    rows = [p for p in summary["io"]["processes"] if p["pid"] == pid]
    return rows[0]["calls"]["open"]["count"] if len(rows) == 1 else None


def shared(summary):
    return summary["trust"]["folded"]["processes_without_figures"]


@test
def slots_are_used_again():
    r = run(60, 4, "--limit", "slot_owners=16")
    children = {k.partition(".")[2]: v for k, v in r.truth.items() if k.startswith("child.")}
    assert len(children) == 60, r.out
    assert shared(r.summary) == 0, r.summary["trust"]["folded"]
    for pid, opens in children.items():
        assert opens_of(r.summary, int(pid)) == opens, (pid, opens, opens_of(r.summary, int(pid)))
    tree = r.summary["io"]["calls"]["open"]["count"]
    assert tree == sum(p["calls"]["open"]["count"] for p in r.summary["io"]["processes"]), tree
    for row in r.summary["syscalls"]["processes"]:
        counted = sum(row["calls"].get(name, {"count": 0})["count"] for name in ("open", "openat"))
        assert counted == opens_of(r.summary, row["pid"]), (row["pid"], counted)
        assert row["total"] == sum(c["count"] for c in row["calls"].values()), row
    assert len(r.summary["syscalls"]["processes"]) == 61, r.summary["syscalls"]["processes"]


@test
def what_finds_no_slot_is_in_the_sum_and_is_told():
    r = run(20, 20, "--limit", "slot_owners=8")
    children = {k.partition(".")[2]: v for k, v in r.truth.items() if k.startswith("child.")}
    lost = shared(r.summary)
    assert 20 + 1 - 8 <= lost < 20 + 1, r.summary["trust"]["folded"]
    tree = r.summary["io"]["calls"]["open"]["count"]
    rows = sum(p["calls"]["open"]["count"] for p in r.summary["io"]["processes"])
    assert tree >= sum(children.values()) > rows - 200, (tree, rows)
    told = sum(opens_of(r.summary, int(pid)) == opens for pid, opens in children.items())
    assert told + lost >= 20, (told, lost)
    calls = r.calls()
    assert calls["openat"]["count"] + calls.get("open", {"count": 0})["count"] == tree, calls["openat"]


@test
def totals_never_fall():
    children, interval = (40, 100) if lib.EMULATED else (200, 10)
    r = run(children, 2, "--limit", "slot_owners=16", "-i", interval, "-m", interval, pause=0.003)
    last = 0
    trees = [t for t in r.records if t["kind"] == "tree" and "io" in (t.get("probes") or {})]
    for tree in trees:
        opens = tree["probes"]["io"]["calls"].get("open", {"count": 0})["count"]
        assert opens >= last, (last, opens)
        last = opens
    assert len(trees) > 5 and last > 0, len(trees)
    assert r.summary["io"]["calls"]["open"]["count"] >= last


main()
