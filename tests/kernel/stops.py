#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
A thread that somebody else holds is `stopped`, whatever it was in the middle of: by ptrace,
by its cgroup's freezer. The holder's clock says between which bounds the time lies; the
number of stops is exact.
"""
import contextlib
import os
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import cgroups
import lib
from tap import main, test

MS, ROUNDS = 20, 6
# a reading of the clock and the event that it stands for
AROUND = 10 * lib.US * lib.SLOW


def held(kind, *more, opts=()):
    result = lib.run([lib.workload("stops"), kind, MS, ROUNDS, *more], *opts)
    truth, row = result.truth, result.process(result.truth["pid"])
    state = lib.state_of(row, "stopped")
    assert state["count"] == truth["stops"], f"{state}, stopped {truth['stops']} times"
    around = AROUND * truth["stops"]
    assert truth["held_least_ns"] - around <= state["ns"] <= truth["held_most_ns"] + around, \
        f"{state}, held from {truth['held_least_ns']} to {truth['held_most_ns']} ns"
    assert truth["longest_least_ns"] - AROUND <= state["max_ns"] <= \
        truth["longest_most_ns"] + AROUND, f"{state}, {truth}"
    return row


def is_stopped(kind, *more):
    for source in ("tp_btf", "raw_tp"):
        lib.calm(lambda: held(kind, *more, opts=("--source", f"ledger={source}")))


@test
def a_tracee_that_computes():
    is_stopped("interrupt")


@test
def a_tracee_that_sleeps():
    is_stopped("interrupt_asleep")


@test
def a_tracee_at_each_of_its_calls():
    is_stopped("syscalls")


@test
def a_frozen_group():
    with cgroups.cgroup() as group:
        is_stopped("freeze", group)


@test
def a_frozen_group_that_sleeps():
    with cgroups.cgroup() as group:
        is_stopped("freeze_asleep", group)


@test
def a_frozen_v1_group():
    with cgroups.cgroup("freezer") as group:
        is_stopped("freeze", group)


# ---- held since before dwell came ----

@contextlib.contextmanager
def sleeper():
    p = subprocess.Popen(["sleep", "60"], stdin=subprocess.DEVNULL)
    try:
        yield p.pid
    finally:
        p.kill()
        p.wait()


def stopped_all_the_time(pid):
    with tempfile.TemporaryDirectory(prefix="dwell-stops-") as d:
        path = os.path.join(d, "report.jsonl")
        done = lib.dwell("attach", "-q", "--out", path, "-d", 0.5, pid)
        assert done.returncode == 0, done
        result = lib.Run(done, lib.read_records(path))
    lib.check_promises(result)
    row = result.process(pid)
    assert 0 < row["lifetime_ns"] == lib.state_of(row, "stopped")["ns"], row


def await_proc(pid, letter):
    for _ in range(1000):
        with open(f"/proc/{pid}/stat", encoding="ascii", errors="replace") as f:
            if f.read().rpartition(")")[2].split()[0] == letter:
                return
        time.sleep(0.005)
    raise AssertionError(f"{pid} is not in state {letter}")


@test
def stopped_by_a_signal_before_the_attach():
    with sleeper() as pid:
        os.kill(pid, signal.SIGSTOP)
        await_proc(pid, "T")
        stopped_all_the_time(pid)


@test
def frozen_before_the_attach():
    with cgroups.cgroup() as group, sleeper() as pid:
        cgroups.join(group, pid)
        cgroups.freeze(group)
        stopped_all_the_time(pid)
        cgroups.write(group, "cgroup.freeze", 0)


@test
def a_restarted_sleep_is_sleep():
    """A wait that a stop interrupts goes on by restart_syscall; it is the same wait."""
    result = lib.run([lib.workload("stops"), "interrupt_asleep", MS, ROUNDS])
    row = result.process(result.truth["pid"])
    assert not lib.state_of(row, "other")["count"], row["states"]


main()
