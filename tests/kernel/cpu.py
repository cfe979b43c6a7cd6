#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
On-CPU time against CLOCK_PROCESS_CPUTIME_ID, switches against the kernel's nvcsw and
nivcsw as wait4 gives them, waiting for a CPU against schedstat's run_delay.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, test

SOURCES = {"default": (), "raw_tp": ("--source", "ledger=raw_tp")}


def on_cpu_is_cpu_time(opts):
    for threads in (1, 3):
        lib.calm(lambda n=threads: compare_cpu(n, opts))


def compare_cpu(threads, opts):
    result = lib.run([lib.workload("on_cpu"), threads, 120], *opts)
    row = result.process(result.truth["pid"])
    ours = lib.state_of(row, "on_cpu")["ns"]
    # an emulated CPU stops for milliseconds, which its kernel does not count as the thread's;
    # and exiting, after the program has read its clock, takes a guest as long
    moved = abs(result.reconcile("on_cpu")["explained"]) + 15 * lib.MS if lib.EMULATED else 0
    lib.near(ours, result.truth["cpu_ns"], lib.PERCENT, 50 * lib.US * threads + moved, "on_cpu")
    assert row["threads_born"] == threads, row["threads_born"]


def the_kernel_charged_the_same_stays(opts):
    """
    Thread by thread, however often they switch: what is not explained is some microseconds,
    where a CPU that goes idle looks for work between the charge and the switch.
    """
    for command in ([lib.workload("on_cpu"), 3, 120], [lib.workload("switches"), "processes", 1000],
                    [lib.workload("hogs"), 200]):
        lib.calm(lambda c=command: compare_charges(c, opts))


def compare_charges(command, opts):
    check = lib.run(command, *opts).reconcile("on_cpu")
    assert check["ok"] and check["checked"] >= 2, check
    bound = 20 * lib.US * lib.SLOW
    # a virtual CPU that is taken away between the charge and the switch may take longer
    lib.near(check["worst"], 0, 0, bound, "the worst thread")
    lib.near(check["difference"], check["explained"], 0, bound * check["checked"], "all")


def user_and_system_add_up(opts):
    lib.calm(lambda: compare_split(opts))


def compare_split(opts):
    result = lib.run([lib.workload("on_cpu"), 1, 200], *opts)
    row = result.process(result.truth["pid"])
    ours = lib.state_of(row, "on_cpu")["ns"]
    assert row["user_ns"] + row["system_ns"] == ours, f"{row['user_ns']} + {row['system_ns']}, {ours}"
    # ticks decide in both, so the split is only as fine as a tick or two
    lib.near(row["user_ns"], result.truth["user_ns"], 0.1, 10 * lib.MS, "user_ns")
    lib.near(row["system_ns"], result.truth["system_ns"], 0.1, 10 * lib.MS, "system_ns")


def switches_are_exact(opts):
    compare_switches("processes", opts)
    # a thread that dies before its leader hands in its counts one switch early; now and
    # then it is preempted once more after that
    lib.calm(lambda: compare_switches("threads", opts))


def compare_switches(how, opts):
    result = lib.run([lib.workload("switches"), how, 1000], *opts)
    fact = result.truth
    for pid in filter(None, (fact["first"], fact["second"])):
        row = result.process(pid)
        want = fact[f"child.{pid}.switches"] + fact["followers"]
        ours = row["voluntary"] + row["involuntary"]
        assert ours == want, f"{how} {pid}: {ours} switches, the kernel counted {want}"
        assert row["involuntary"] == fact[f"child.{pid}.involuntary"], \
            f"{how} {pid}: {row['involuntary']}, {fact[f'child.{pid}.involuntary']}"
        # each stay on a CPU ends with a switch, each involuntary switch begins a preemption
        assert lib.state_of(row, "on_cpu")["count"] == ours, row["states"]
        assert lib.state_of(row, "preempted")["count"] == row["involuntary"], row["states"]
    check = result.reconcile("switches")
    assert check["ours"] == check["kernel"] and not check["broken"], check


def waiting_for_a_cpu_is_run_delay(opts):
    lib.calm(lambda: compare_hogs(opts))


def compare_hogs(opts):
    result = lib.run([lib.workload("hogs"), 400], *opts)
    explained = abs(result.reconcile("on_cpu")["explained"])
    hogs = {k.split(".")[1] for k in result.truth if k.startswith("hog.")}
    assert len(hogs) == 2, result.out
    for pid in map(int, hogs):
        fact = {k: result.truth[f"hog.{pid}.{k}"] for k in ("run_delay_ns", "cpu_ns", "involuntary")}
        # the truth is the kernel's, by its own clock: believed to be off by a twentieth at most
        moved = min(explained, fact["cpu_ns"] / 20)
        row = result.process(pid)
        runqueue, preempted = (lib.state_of(row, s) for s in ("runqueue", "preempted"))
        lib.near(runqueue["ns"] + preempted["ns"], fact["run_delay_ns"], lib.PERCENT,
                 lib.MS / 2 + moved, f"hog {pid} waiting")
        lib.near(lib.state_of(row, "on_cpu")["ns"], fact["cpu_ns"], lib.PERCENT,
                 lib.MS / 2 + moved, f"hog {pid} cpu")
        assert preempted["count"] >= fact["involuntary"] > 0, (preempted, fact)
        assert row["involuntary"] >= fact["involuntary"], row


def add(check, source, opts):
    test(lambda: check(opts), name=f"{check.__name__} ({source})")


for _source, _opts in SOURCES.items():
    for _check in (on_cpu_is_cpu_time, the_kernel_charged_the_same_stays, user_and_system_add_up, switches_are_exact,
                   waiting_for_a_cpu_is_run_delay):
        add(_check, _source, _opts)


@test
def runqueue_histogram_holds_every_wait():
    result = lib.run([lib.workload("switches"), "processes", 500])
    buckets = result.ledger()["runqueue"]
    state = result.ledger()["states"]["runqueue"]
    assert sum(b["count"] for b in buckets) == state["count"], f"{buckets} of {state}"
    assert all(b["floor_ns"] < b["ceil_ns"] for b in buckets), buckets
    assert buckets[-1]["floor_ns"] <= state["max_ns"] <= buckets[-1]["ceil_ns"], (buckets[-1], state)


@test
def threads_add_up_to_their_process():
    result = lib.run([lib.workload("on_cpu"), 4, 30])
    row = result.process(result.truth["pid"])
    assert len(row["threads"]) == 4, row["threads"]
    for state in ("on_cpu", "futex"):
        parts = sum(lib.state_of(t, state)["ns"] for t in row["threads"])
        assert parts == lib.state_of(row, state)["ns"], f"{state}: {parts}, {row['states'][state]}"
    for thread in row["threads"]:
        assert abs(thread["residual_ns"]) <= min(5 * lib.US, thread["lifetime_ns"] // 1000), thread


main()
