#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Processes that are hard to look at, with stacks, wakers and allocations looked at: they do what
they do without dwell, nothing is lost, and the stacks' times are the ledger's to the nanosecond.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, test

HOSTILE = lib.workload("hostile")
lib.PROBES = "syscalls,stacks"
EVERY_BLOCK = ("--stacks", "--stack-quantum", "0")
LESS = 4 if lib.EMULATED else 1


def hostile(*args, opts=EVERY_BLOCK, before=(), check=True):
    result = lib.run([*before, HOSTILE, *args], *opts, check=check)
    assert result.rc == 0, (result.rc, result.err)
    stacks, ledger = result.summary["stacks"], result.ledger()
    assert stacks["time_ns"] == ledger["lifetime_ns"] - ledger["residual_ns"], (
        stacks["time_ns"], ledger["lifetime_ns"], ledger["residual_ns"])
    return result


@test
def a_flood_of_signals():
    result = hostile("flood", 5000 // LESS, opts=(*EVERY_BLOCK, "--wakers"))
    assert result.calls()["kill"]["count"] == result.truth["signals"] + 1


@test
def a_process_that_ptrace_stops():
    result = hostile("traced", 100 // LESS)
    child = [p for p in result.processes() if p["pid"] != result.processes()[0]["pid"]] or result.processes()
    stopped = sum(lib.state_of(p, "stopped")["count"] for p in child)
    assert stopped >= result.truth["stops"], (stopped, result.truth)


@test
def a_fork_bomb():
    result = hostile("bomb", 4 if lib.EMULATED else 7, opts=("--stacks", "--wakers"))
    assert result.summary["processes"] == result.truth["processes"], result.summary["processes"]


@test
def processes_that_may_do_nothing():
    opts = () if lib.EMULATED else ("--alloc", "--syscall-latency")
    result = hostile("seccomp", opts=(*EVERY_BLOCK, *opts))
    assert result.truth == {"code": 7, "signal": 9}, result.truth
    ends = {(p["exit"]["code"], p["exit"]["signal"]) for p in result.processes()}
    assert ends == {(0, None), (7, None), (None, 9)}, ends


@test
def a_pid_namespace():
    result = hostile("bomb", 3, before=(lib.need("unshare"), "-pf", "--mount-proc"))
    assert result.summary["processes"] >= result.truth["processes"], result.summary["processes"]


@test
def more_mappings_than_are_kept():
    """What was there first stays: stacks through the C library are whole."""
    result = hostile("mappings", 600, opts=("--stacks",), check=False)
    lost = {k: v for k, v in result.summary["trust"]["lost"].items() if v}
    assert set(lost) == {"code_mappings_lost"} and lost["code_mappings_lost"] > 300, lost
    asleep = [t for t in result.summary["stacks"]["stack_traces"] if "usleep" in str(t)]
    assert asleep and "main" in str(asleep[0]), result.summary["stacks"]["stack_traces"][:3]


@test
def mappings_that_come_and_go():
    n = 5000 // LESS
    result = hostile("remaps", n, opts=("--stacks",))
    assert result.calls()["munmap"]["count"] >= n
    ends = result.summary["stacks"]["ends"]
    assert ends["no_mapping"] == ends["unread"] == 0 < ends["whole"], ends


main()
