#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
System calls when the tables are full: every call is still counted in the tree, and what
is not known of it any more is said. And the calls that hide: exec by descriptor, counts
while threads come and go.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, test

# more kinds of failing calls than a process's own row holds (32), ten of each
FAILING = """
import ctypes
call = ctypes.CDLL(None).syscall
for name in (3, 5, 8, 16, 17, 18, 19, 20, 32, 33, 42, 44, 45, 46, 47, 48, 49, 50, 51, 52, 54,
             55, 72, 73, 74, 75, 77, 78, 81, 91, 93, 138, 190, 193, 196, 199, 217, 221, 233):
    for _ in range(10):
        call(name, -1, 0, 0, 0, 0, 0)
"""
FAILED = ("fchown", "fstatfs", "fsetxattr", "fgetxattr", "flistxattr", "fremovexattr",
          "getdents64", "fadvise64", "epoll_ctl")


def failed_of(calls):
    return {name: sum(calls[name]["errors"].values()) for name in FAILED}


def failed(result):
    return failed_of(result.calls())


@test
def more_errors_than_a_row_holds():
    result = lib.run(["/usr/bin/python3", "-c", FAILING])
    assert failed(result) == dict.fromkeys(FAILED, 10), failed(result)
    for name in FAILED:
        assert "other" not in result.calls()[name]["errors"], result.calls()[name]


@test
def a_full_table_of_errors_is_said_and_loses_no_error():
    result = lib.run(["/usr/bin/python3", "-c", FAILING], "--limit", "syscalls_rare=1", check=False)
    assert failed(result) == dict.fromkeys(FAILED, 10), failed(result)
    lost = result.summary["trust"]["lost"]["errnos_lost"]
    other = sum(c["errors"].get("other", 0) for c in result.calls().values())
    assert lost == other > 0, (lost, other)


@test
def an_error_without_a_name_is_other_on_the_screen():
    few = FAILING.replace("range(10)", "range(1000)")  # the first of the list by count
    done = lib.dwell("run", "--limit", "syscalls_rare=1", "--", "/usr/bin/python3", "-c", few)
    table = done.stderr.split("system calls:")[1].split("\n\n")[0]
    assert "1000 other" in table.replace(",", ""), table


@test(timeout=120)
def rows_of_the_dead_take_no_place_of_others():
    """Of each process more errors than its row holds, and no report but the last."""
    children = 300 if lib.EMULATED else 2000
    forks = f"import os\nfor _ in range({children}):\n    pid = os.fork()\n    if not pid:\n"
    code = forks + "".join(f"        {line}\n" for line in FAILING.strip().splitlines()) + \
        "        os._exit(0)\n    os.waitpid(pid, 0)\n"
    result = lib.run(["/usr/bin/python3", "-c", code], "-i", 60000, "-m", 60000)
    assert failed(result) == dict.fromkeys(FAILED, 10 * children), failed(result)
    syscalls = result.summary["syscalls"]
    rows = [p for p in syscalls["processes"] if p["calls"].get("fchown")]
    assert all(failed_of(p["calls"]) == dict.fromkeys(FAILED, 10) for p in rows), rows[0]
    # whom the ledger shows has its calls: the place was not taken by the dead
    assert len(rows) == len(result.processes()) - 1 > 100, (len(rows), syscalls["processes_cut"])


@test
def a_call_without_room_for_its_time_is_said():
    # state by task address: one thread has the only place while it waits for the other
    result = lib.run(["/bin/sh", "-c", "/bin/true; :"], "--syscall-latency", "--source",
                     "ledger=raw_tp", "--limit", "syscalls_threads=1", check=False)
    timed = sum(c["time"]["count"] for c in result.calls().values() if "time" in c)
    lost = result.summary["trust"]["lost"]["calls_not_timed"]
    # of the command's own exec the beginning is dwell's
    assert lost > 0 and timed + lost + 1 == result.summary["syscalls"]["total"], (timed, lost)


@test
def exec_by_descriptor_is_execveat():
    code = ("import os; fd = os.open('/bin/true', os.O_RDONLY | os.O_CLOEXEC);"
            "os.execve(fd, ['true'], {})")
    calls = lib.run(["/usr/bin/python3", "-c", code]).calls()
    assert calls["execveat"]["count"] == 1, calls["execveat"]
    assert calls["execve"]["count"] - sum(calls["execve"]["errors"].values()) == 1, calls["execve"]


@test(timeout=200)
def totals_never_fall():
    # a tick of dwell's takes an emulated guest tens of milliseconds
    tick = 100 if lib.EMULATED else 5
    code = ("import threading, os, time\n"
            "def work():\n"
            "    for _ in range(300): os.getppid()\n"
            "for _ in range(60):\n"
            "    threads = [threading.Thread(target=work) for _ in range(8)]\n"
            "    [t.start() for t in threads]\n"
            "    [t.join() for t in threads]\n"
            "    time.sleep(0.002)\n")   # however fast the machine, for some ticks
    result = lib.run(["/usr/bin/python3", "-c", code], "--interval", tick, "--max-interval", tick)
    totals = [r["probes"]["syscalls"]["total"] for r in result.records if r["kind"] == "tree"]
    assert len(totals) > 3 and totals == sorted(totals), totals
    assert totals[-1] <= result.summary["syscalls"]["total"], totals[-1]
    assert result.calls()["getppid"]["count"] == 60 * 8 * 300, result.calls()["getppid"]


main()
