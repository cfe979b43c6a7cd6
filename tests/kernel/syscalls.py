#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
System calls of a deterministic program: equal to strace -f -c call by call, and to the
program's own knowledge of its calls and errors; the same from every source.
"""
import functools
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, skip, test

CALLS = lib.workload("calls")
SOURCES = {"default": (), "raw_tp": ("--source", "syscalls=raw_tp"),
           "tracepoint": ("--source", "syscalls=tracepoint"),
           "latency": ("--syscall-latency",)}
# never return, so strace counts none of them; dwell may
NO_RETURN = ("exit", "exit_group")


EARLY = 3   # exit code of `restart`: a signal came before the call that it was to interrupt


@functools.lru_cache(maxsize=None)
def strace_counts(part):
    """{call: (count, errors)} of the 64-bit table."""
    strace = lib.need("strace")
    with tempfile.NamedTemporaryFile("r", prefix="dwell-strace-") as f:
        done = subprocess.run([strace, "-f", "-c", "-o", f.name, CALLS, part],
                              capture_output=True, text=True, check=False, timeout=50)
        if done.returncode == EARLY:
            raise lib.TimeOff("strace: a signal came early")
        if done.returncode:
            skip(f"strace: {done.stderr.strip()}")
        text = f.read().split("System call usage summary for 32 bit mode:")[0]
    rows = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(\d+ +)?(\w+)$", text, re.M)
    return {name: (int(n), int(errors or 0)) for n, errors, name in rows if name != "total"}


def our_counts(result):
    return {name: (c["count"], sum(c["errors"].values()))
            for name, c in result.calls().items() if name not in NO_RETURN}


def known(result):
    """Every count that the program itself vouches for."""
    calls = result.calls()
    for key, want in result.truth.items():
        kind, _, name = key.partition(".")
        name, _, error = name.partition(".")
        if kind == "call":
            got = calls.get(name, {}).get("count", 0)
        elif kind == "error":
            got = calls.get(name, {}).get("errors", {}).get(error, 0)
        elif kind == "failed":
            got = sum(calls.get(name, {}).get("errors", {}).values())
        else:
            continue
        assert got == want, f"{key}: {got}, the program made {want}; {calls.get(name)}"


def equal_to_strace(part, opts):
    result = lib.run([CALLS, part], *opts)
    if result.rc == EARLY:
        raise lib.TimeOff("a signal came early")
    assert result.rc == 0, result.err
    known(result)
    ours, theirs = our_counts(result), dict(strace_counts(part))
    # the result of rt_sigreturn is what the interrupted call left: not its own error
    for table in (ours, theirs):
        if "rt_sigreturn" in table:
            table["rt_sigreturn"] = (table["rt_sigreturn"][0], 0)
    unknown = {n for n in ours if n not in theirs and "5000" in n}     # strace leaves it out
    differ = {n: (ours.get(n), theirs.get(n)) for n in set(ours) | set(theirs)
              if ours.get(n) != theirs.get(n) and n not in unknown}
    assert not differ, f"call: (dwell, strace): {differ}"


def add(part, source, opts):
    test(lambda: lib.calm(lambda: equal_to_strace(part, opts)), name=f"{part} equals strace call by call ({source})")


for _source, _opts in SOURCES.items():
    add("all", _source, _opts)
    add("restart", _source, _opts)


@test
def the_total_is_the_sum():
    result = lib.run([CALLS, "all"])
    calls, sys_ = result.calls(), result.summary["syscalls"]
    assert sys_["total"] == sum(c["count"] for c in calls.values()), sys_["total"]
    assert sys_["total"] == sum(sys_["classes"].values()), sys_["classes"]
    # two calls that do not exist are counted, under no other call's name
    assert sum(c["count"] for n, c in calls.items() if "5000" in n or n == "unknown") == 2, calls


@test
def by_process_too():
    result = lib.run([CALLS, "all"])
    rows = result.summary["syscalls"]["processes"]
    assert len(rows) == 3, rows

    def counts(call):
        return sorted(p["calls"].get(call, {}).get("count", 0) for p in rows)
    assert counts("getgid") == [0, 50, 50], counts("getgid")
    assert counts("getpgid") == [0, 0, 13], counts("getpgid")
    assert counts("getppid") == [0, 0, 1000], counts("getppid")
    assert sum(p["total"] for p in rows) == result.summary["syscalls"]["total"]
    assert {p["pid"] for p in rows} == {p["pid"] for p in result.processes()}


@test
def a_32_bit_call_keeps_its_own_name():
    result = lib.run([CALLS, "compat"])
    calls = result.calls()
    assert "writev" not in calls and "lstat" not in calls, "32-bit numbers read in the 64-bit table"
    getpid = {n: c["count"] for n, c in calls.items() if "getpid" in n}
    close = {n: c["errors"].get("EBADF", 0) for n, c in calls.items() if "close" in n}
    assert sum(getpid.values()) == 12, getpid      # 11, and one of the program's own check
    assert sum(close.values()) == 3, close


@test
def io_uring_operations_are_counted():
    result = lib.run([CALLS, "uring"])
    known(result)
    uring = result.summary["syscalls"]["io_uring"]
    assert uring == {"total": result.truth["uring_ops"],
                     "operations": {"nop": result.truth["uring_ops"]}}, uring


@test
def nothing_of_dwell_is_counted():
    result = lib.run(["/bin/true"])
    calls = result.calls()
    assert calls["execve"]["count"] == 1, calls["execve"]
    for foreign in ("bpf", "setresuid", "capset", "fork", "clone", "clone3", "epoll_wait"):
        assert foreign not in calls, f"{foreign}: {calls[foreign]}"


@test
def every_call_has_a_class():
    result = lib.run(["/bin/sh", "-c", "ls / >/dev/null; cat /proc/self/status >/dev/null; sleep 0.01"])
    sys_ = result.summary["syscalls"]
    other = [n for n, c in sys_["calls"].items() if c["class"] == "other"]
    assert not other, other
    assert set(sys_["classes"]) == {"file_io", "memory", "process", "network", "time", "ipc",
                                    "security", "signal", "system", "other"}, sys_["classes"]


@test
def latency_is_the_time_inside():
    lib.calm(compare_latency)


def compare_latency():
    result = lib.run([lib.workload("waits"), "nanosleep", 5, 9], "--syscall-latency")
    call = result.calls()["nanosleep"]
    assert call["count"] == result.truth["calls"], call
    time = call.get("time", call)
    lib.near(time["ns"], result.truth["wall_ns"], 0.01, 200 * lib.US, "nanosleep")
    assert time["max_ns"] <= time["ns"] and time["p50_ns"] > 4 * lib.MS, time
    buckets = call["histogram"]
    assert sum(b["count"] for b in buckets) == call["count"], buckets
    assert buckets[-1]["floor_ns"] <= time["max_ns"] < buckets[-1]["ceil_ns"], (buckets[-1], time)


@test
def the_tree_records_carry_denets_names():
    result = lib.run([lib.workload("waits"), "nanosleep", 40, 8])
    trees = [r for r in result.records if r["kind"] == "tree"]
    ebpf = trees[-1]["aggregated"]["ebpf"]
    assert ebpf["syscalls"]["total"] > 0 and ebpf["offcpu"]["total_time_ns"] > 0, ebpf
    assert len(ebpf["syscalls"]["top_syscalls"]) <= 10
    assert set(ebpf["syscalls"]["by_category"]) == set(result.summary["syscalls"]["classes"])


main()
