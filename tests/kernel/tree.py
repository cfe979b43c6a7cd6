#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The whole tree from its first fork on: every way to make a process or a thread, counted
exactly; who they were, how they ended, and that a PID used again is a new row.
"""
import os
import signal
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, test

lib.PROBES = None

TREE = lib.workload("tree")


def grow(*args, opts=(), rc=0, **kw):
    """Runs a shape; the counts must be the workload's own."""
    result = lib.run([TREE, *args], *opts, **kw)
    assert result.rc == rc, f"exit {result.rc}, want {rc}: {result.err}"
    check_births(result)
    return result


def check_births(result, processes=None, threads=None):
    summary = result.summary
    got = (summary["processes"], summary["threads"])
    want = (processes or result.truth["processes"], threads or result.truth["threads"])
    assert got == want, f"processes and threads {got}, the workload made {want}"
    births = result.reconcile("births")
    assert births["ok"] and births["ours"] == births["kernel"], births


def ends(result):
    """Each child that the workload reaped ended in its row as wait4 said."""
    reaped = {int(k.split(".")[1]): v for k, v in result.truth.items() if k.endswith(".status")}
    assert reaped
    for pid, status in reaped.items():
        row = result.process(pid)
        code, sig = lib.exit_of(status)
        assert (row["exit"]["code"], row["exit"]["signal"]) == (code, sig), f"{row}, {code}, {sig}"


@test
def fork_makes_processes_of_processes():
    result = grow("fork", 5)
    ends(result)
    killed = [p for p in result.processes() if p["exit"]["signal"] == signal.SIGKILL]
    assert len(killed) == 1, killed
    root = result.truth["pid"]
    assert sum(p["ppid"] == root for p in result.processes()) == 5, result.processes()


def same_shape(shape, n):
    def check():
        result = grow(shape, n)
        ends(result)
    test(check, name=f"{shape} makes processes")


same_shape("vfork", 6)
same_shape("clone3", 6)


@test
def threads_are_born_and_die():
    result = grow("threads", 50)
    row = result.process(result.truth["pid"])
    assert row["threads_born"] == 51 and row["threads_live"] == 0, row


@test
def a_reused_pid_is_a_new_row():
    result = grow("reuse", 6)
    rows = [p for p in result.processes() if p["pid"] == result.truth["reused"]]
    assert len(rows) == 6, rows
    assert sorted(p["exit"]["code"] for p in rows) == list(range(20, 26)), rows
    assert len({p["start_ns"] for p in rows}) == 6, rows


@test
def a_leader_may_end_before_its_threads():
    result = grow("leader_exit", rc=3)
    row = result.process(result.truth["pid"])
    assert row["exit"]["code"] == 3, row
    assert row["threads_born"] == 2, row
    assert {t["tid"] for t in row["threads"]} == {result.truth["pid"], result.truth["follower"]}, row
    follower = [t for t in row["threads"] if t["tid"] == result.truth["follower"]][0]
    assert lib.state_of(follower, "sleep")["ns"] >= 25 * lib.MS, follower
    assert lib.state_of(follower, "on_cpu")["ns"] >= 20 * lib.MS, follower


@test
def exec_from_a_thread_hands_the_pid_over():
    lib.calm(compare_exec)


def compare_exec():
    result = grow("exec_thread", rc=5)
    assert len(result.processes()) == 1, result.processes()
    row = result.process(result.truth["pid"])
    assert row["threads_born"] == 2 and row["exit"]["code"] == 5, row
    # the program reads its clock before it exits, and exiting takes a guest milliseconds
    lib.near(lib.state_of(row, "on_cpu")["ns"], result.truth["cpu_ns"], lib.PERCENT,
             15 * lib.MS if lib.EMULATED else 100 * lib.US, "on_cpu")


@test
def a_new_pid_namespace_is_seen_from_ours():
    result = grow("pidns")
    assert result.truth["inner"] == 1
    row = result.process(result.truth["outer"])
    assert row["exit"]["code"] == 11, row
    pids = [p["pid"] for p in result.processes()]
    assert result.truth["inner_child"] not in pids and 1 not in pids, pids


@test
def a_daemon_is_followed_while_the_command_lives():
    # the daemon keeps descriptor 3, which the shell reads to its end
    shell = f'exec 4>&1; : "$({TREE} daemon 300 3>&1 >&4)"'
    result = lib.run(["/bin/sh", "-c", shell])
    row = result.process(result.truth["daemon"])
    assert row["comm"] == "tree-daemon", row
    assert lib.state_of(row, "sleep")["ns"] >= 280 * lib.MS, row
    assert row["exit"]["code"] == 0, row


@test
def the_end_of_the_command_ends_the_run():
    start = time.monotonic()
    result = grow("daemon", 60000)
    os.kill(result.truth["daemon"], signal.SIGKILL)
    assert time.monotonic() - start < 50, "dwell waited for the daemon"
    row = result.process(result.truth["daemon"])
    assert row["alive"], row
    assert result.summary["processes_live"] == 1, result.summary["processes_live"]


@test
def what_is_still_alive_is_said():
    done = lib.dwell("run", "--", TREE, "daemon", 1500)
    assert done.returncode == 0, done
    assert "alive" in done.stderr or "still" in done.stderr, done.stderr


@test
def wait_all_waits_for_the_last():
    result = grow("daemon", 400, opts=("--wait-all",))
    row = result.process(result.truth["daemon"])
    assert not row["alive"] and lib.state_of(row, "sleep")["ns"] >= 380 * lib.MS, row
    assert result.summary["wall_ns"] >= 400 * lib.MS, result.summary["wall_ns"]
    assert result.rc == 0


@test
def exclude_children_leaves_them_out():
    result = lib.run([TREE, "fork", 3], "--exclude-children")
    assert [p["pid"] for p in result.processes()] == [result.truth["pid"]], result.processes()
    result = lib.run([TREE, "threads", 5], "--exclude-children")
    assert result.process(result.truth["pid"])["threads_born"] == 6, result.processes()


@test(timeout=120)
def thousands_of_short_processes_are_all_counted():
    result = grow("many", 3000, timeout=110)
    rows = len(result.processes()) + result.ledger().get("processes_cut", 0)
    assert rows == 3001, rows
    commands = {c["comm"]: c for c in result.ledger()["commands"]}
    assert commands["tree"]["processes"] == 3001, commands
    total = sum(c["lifetime_ns"] for c in commands.values())
    assert total == result.ledger()["lifetime_ns"], (total, result.ledger()["lifetime_ns"])


@test(timeout=120)
def thousands_of_threads_at_once():
    result = grow("threads", 2000, timeout=110)
    row = result.process(result.truth["pid"])
    assert row["threads_born"] == 2001, row["threads_born"]
    assert len(row["threads"]) + row.get("threads_cut", 0) == 2001, row.get("threads_cut")


def forced(source):
    def check():
        for args in (("fork", 3), ("vfork", 3), ("threads", 20), ("exec_thread",), ("pidns",)):
            rc = 5 if args[0] == "exec_thread" else 0
            try:
                grow(*args, opts=("--source", f"ledger={source}"), rc=rc)
            except AssertionError as why:
                raise AssertionError(f"{args}: {why}") from why
    test(check, name=f"the same counts by ledger={source}")


forced("raw_tp")
main()
