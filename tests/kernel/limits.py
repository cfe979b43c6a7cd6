#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Tables that are too small: detail is lost and each loss is shown, totals stay exact. And
sources that are not there, or are forced.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, test

OBJECTS = lib.workload("objects")
TREE = lib.workload("tree")


def lost(result):
    """What was lost, and what stands in totals or in a row `other` only."""
    trust = result.summary["trust"]
    return {k: v for k, v in {**trust["lost"], **trust.get("folded", {})}.items() if v}


def pipes(result):
    """Rows of the leader's waits on pipes, as {inode: row}, and the rows `other`."""
    rows = [o for o in result.ledger()["objects"] if o["state"] == "pipe" or o["kind"] == "other"]
    inodes = [result.truth[f"object.{i}.inode"] for i in range(result.truth["objects"])]
    named = {inode: o for o in rows for inode in inodes if o["name"] == f"pipe:[{inode}]"}
    return named, [o for o in rows if o not in named.values()]


def compare_objects():
    result = lib.run([OBJECTS, 12])
    named, rest = pipes(result)
    assert len(named) == 12 and not rest, (named, rest)
    for i in range(12):
        row = named[result.truth[f"object.{i}.inode"]]
        assert row["count"] == 1 and row["pid"] == result.truth["pid"], row
        lib.near(row["ns"], result.truth[f"object.{i}.blocked_ns"], lib.PERCENT,
                 50 * lib.US * lib.SLOW, f"pipe {i}")
    assert sum(o["ns"] for o in named.values()) == result.state(result.truth["pid"], "pipe")["ns"]


@test
def every_object_has_its_own_time():
    lib.calm(compare_objects)


@test
def every_waker_is_there():
    result = lib.run([OBJECTS, 12])
    ours = {w["waker_tid"]: w for w in result.ledger()["wakers"]
            if w["tid"] == result.truth["pid"] and w["state"] == "pipe"}
    assert set(ours) == {result.truth[f"object.{i}.waker"] for i in range(12)}, ours
    assert all(w["count"] == 1 and w["waker"] == "thread" for w in ours.values()), ours


def tiny(limit, *cmd):
    def check():
        result = lib.run(cmd, "--limit", limit, check=False)
        lib.check_sums(result.ledger())
        assert lost(result), f"--limit {limit}, and nothing is lost"
        for name in ("lifetime", "on_cpu", "switches", "births"):
            assert result.reconcile(name)["ok"], result.reconcile(name)
        if "processes" in result.truth:
            want = (result.truth["processes"], result.truth["threads"])
            got = (result.summary["processes"], result.summary["threads"])
            assert got == want, f"processes and threads {got}, the workload made {want}"
        return result
    return check


@test
def too_few_objects_leave_an_other_row():
    result = tiny("ledger_objects=1", OBJECTS, 12)()
    named, rest = pipes(result)
    assert len(named) < 12, named
    total = sum(o["ns"] for o in [*named.values(), *rest])
    assert total == result.state(result.truth["pid"], "pipe")["ns"], (named, rest)


@test
def too_few_wakers_are_lost_by_number():
    tiny("ledger_wakers=1", OBJECTS, 12)()


@test
def too_few_histograms_lose_percentiles_only():
    tiny("ledger_hists=1", TREE, "threads", 20)()


@test
def without_a_limit_nothing_is_lost():
    assert not lost(lib.run([TREE, "threads", 20]))


@test
def a_table_that_is_not_there():
    done = lib.dwell("run", "--limit", "no_such_table=1", "--", "/bin/true")
    assert done.returncode == 125 and "no_such_table" in done.stderr, done


def unknown_source(probe):
    def check():
        done = lib.dwell("run", "--source", f"{probe}=no_such_source", "--", "/bin/true")
        assert done.returncode == 125, done
        assert "no_such" in done.stderr, done.stderr
    test(check, name=f"--source {probe}=no_such_source is refused")


for _probe in ("ledger", "syscalls", "no_such_probe"):
    unknown_source(_probe)


@test
def the_chosen_source_is_told():
    for probe in ("ledger", "syscalls"):
        result = lib.run(["/bin/true"], "--source", f"{probe}=raw_tp")
        chosen = result.summary["trust"]["sources"][probe]
        assert chosen["chosen"] == "raw_tp", chosen
        assert chosen["attempts"][-1] == {"name": "raw_tp", "error": None, "what": "attach"}, chosen
    sources = lib.run(["/bin/true"]).summary["trust"]["sources"]
    assert sources["ledger"]["chosen"] == "tp_btf", sources


@test
def the_ledger_alone():
    result = lib.run(["/bin/true"], "--probes", "ledger")
    assert result.ledger() and not result.summary.get("syscalls"), result.summary.keys()


@test
def what_does_not_load_takes_no_other_probe_with_it():
    """A table too large to be made: its probe is absent and says so, the others are whole."""
    result = lib.run(["/usr/bin/python3", "-c", "import os; [os.getppid() for i in range(1000)]"],
                     "--limit", "memory_mms=2000000000")
    assert "memory" not in result.summary, result.summary.keys()
    assert result.summary["trust"]["sources"]["memory"]["chosen"] is None
    assert any("memory" in note for note in result.summary["trust"]["notes"]), result.summary["trust"]
    assert result.summary["syscalls"]["calls"]["getppid"]["count"] == 1000
    assert result.summary["io"]["calls"]["open"]["count"] == (
        result.summary["syscalls"]["calls"]["openat"]["count"]), result.summary["io"]["calls"]
    assert result.summary["io"]["files"][0]["name"] != "other", result.summary["io"]["files"][:2]
    for probe, source in result.summary["trust"]["sources"].items():
        assert probe == "memory" or source["chosen"] == "tp_btf", (probe, source)


main()
