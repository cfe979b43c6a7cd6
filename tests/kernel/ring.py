#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A ring for events that is far too small, or that dwell comes to read too late (the workload
stops it): of a hundred processes or threads that end at the same moment most do not fit.
What is not told is counted, and the tree's totals stay those of the workload.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, test

CROWD = lib.workload("crowd")
BATCHES, SIZE, CALLS = 4 if lib.EMULATED else 30, 100, 10
TINY = ("--limit", "events=4096")
# of what the ring refuses; all others are tables that are large enough here
MAY_BE_LOST = {"births_not_told", "execs_not_told", "exits_not_told", "threads_in_totals_only",
               "percentiles_lost"}


def run(kind, *opts, hold=False):
    cmd = [CROWD, kind, BATCHES, SIZE, CALLS] + ["hold"] * hold
    result = lib.run(cmd, *opts, check=False)
    assert result.rc == 0, (result.rc, result.err)
    return result


def totals_are_exact(result):
    summary, truth = result.summary, result.truth
    got = (summary["processes"], summary["threads"])
    assert got == (truth["processes"], truth["threads"]), f"processes and threads {got}; {truth}"
    assert (summary["processes_live"], summary["threads_live"]) == (0, 0), summary
    calls = result.calls()
    assert calls["getppid"]["count"] == truth["call.getppid"], calls["getppid"]
    assert calls["close"]["errors"]["EBADF"] == truth["error.close.EBADF"], calls["close"]
    assert summary["syscalls"]["total"] == sum(c["count"] for c in calls.values())


def lifetime_is_exact(result):
    ledger, truth = result.ledger(), result.truth
    total = sum(s["ns"] for s in ledger["states"].values())
    assert total == ledger["lifetime_ns"] and ledger["residual_ns"] == 0, ledger["residual_ns"]
    # the first thread did not measure itself: it cannot have lived longer than the run
    most = truth["lived_most_ns"] + result.summary["wall_ns"]
    assert truth["lived_least_ns"] <= ledger["lifetime_ns"] <= most, (ledger["lifetime_ns"], truth)
    for name in ("lifetime", "switches", "births"):
        assert result.reconcile(name)["ok"], result.reconcile(name)


def threads_told(row):
    rows = sum(t["lifetime_ns"] > 0 for t in row["threads"]) + row["threads_cut"]
    return rows or int(row["lifetime_ns"] > 0)


def losses_are_told(result):
    trust = result.summary["trust"]
    lost = {k: v for k, v in trust["lost"].items() if v}
    assert set(lost) <= MAY_BE_LOST, lost
    assert trust["lost_total"] == sum(lost.values()), trust["lost_total"]
    # a thread that has no row is one of those that were told of
    missing = result.summary["threads"] - result.ledger()["processes_cut"] - \
        sum(threads_told(p) for p in result.processes())
    assert missing <= lost.get("threads_in_totals_only", 0), (missing, lost)
    return lost


def too_small(kind, *opts, hold=True):
    def check():
        result = run(kind, *TINY, *opts, hold=hold)
        totals_are_exact(result)
        lifetime_is_exact(result)
        lost = losses_are_told(result)
        # of a batch that nobody reads a few at most find room
        few = BATCHES // 2 * (SIZE - 20) if hold else 0
        untold = lost.get("threads_in_totals_only", 0)
        assert untold >= few, f"{few} and more cannot have found room: {lost}"
        if kind == "processes" and hold:
            assert lost["exits_not_told"] >= few, lost
            assert lost["births_not_told"] >= BATCHES // 2 * (SIZE - 60), lost
    return check


for _kind in ("processes", "threads"):
    test(too_small(_kind), name=f"{_kind} in a ring that nobody reads")
    test(too_small(_kind, "--source", "ledger=raw_tp"), name=f"{_kind}, by raw_tp")
    test(too_small(_kind, hold=False), name=f"{_kind} in a ring that is too small")


@test
def nothing_is_lost_in_a_ring_as_it_is():
    for kind in ("processes", "threads"):
        result = run(kind)
        lib.check_promises(result)
        totals_are_exact(result)
        lifetime_is_exact(result)


@test
def the_screen_says_that_rows_are_missing():
    done = lib.dwell("run", *TINY, "--", CROWD, "processes", BATCHES, SIZE, CALLS, "hold")
    assert done.returncode == 0 and "ring full" in done.stderr, done


@test
def nobody_is_alive_after_the_end():
    result = lib.run([CROWD, "processes", 30, 100, 1, "hold"], *TINY, check=False)
    alive = [p for p in result.processes() if p["alive"]]
    assert result.summary["processes_live"] == 0
    assert not alive, f"{len(alive)} of {len(result.processes())} rows are said to live: {alive[0]}"


@test
def rows_stay_bounded_when_ends_are_lost():
    result = lib.run([CROWD, "processes", 60, 100, 1, "hold"], *TINY, check=False)
    assert len(result.processes()) <= 1024 + 256 + 1, len(result.processes())


@test
def a_lost_thread_does_not_lose_the_command():
    result = lib.run([CROWD, "threads", 10, 100, 1, "hold"], *TINY, check=False)
    row = result.process(result.truth["pid"])
    assert not row["alive"] and row["exit"]["code"] == 0, (row["alive"], row["exit"])


@test
def a_lost_thread_does_not_delay_the_end():
    def check():
        result = lib.run([CROWD, "threads", 10, 100, 1, "hold"], *TINY, check=False)
        lib.near(result.summary["trust"]["self"]["stop_ns"], 0, 0, 150 * lib.MS * lib.SLOW, "stop_ns")
    lib.calm(check)


main()
