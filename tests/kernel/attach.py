#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Attaching to what already runs: the account starts when dwell comes, a sleep that was
going on counts, new children are followed, and the end of the targets ends the run.
"""
import contextlib
import os
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, skip, test

TREE = lib.workload("tree")


@contextlib.contextmanager
def target(*cmd, ready=lib.asleep):
    """A process of ours that runs meanwhile; ready(pid) waits until it does what it is to do."""
    p = subprocess.Popen([*map(str, cmd)], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    try:
        ready(p.pid)
        yield p
    finally:
        p.kill()
        p.wait()


def stays():
    """Two threads, one of which sleeps and one computes."""
    return target(TREE, "stay", 60000, ready=lambda pid: lib.until("two threads", lambda: (
        len(os.listdir(f"/proc/{pid}/task")) == 2 and lib.comm_of(pid) == "tree-stay")))


def at_once(_pid):
    pass


@test
def duration_bounds_the_account():
    lib.calm(compare_duration)


def compare_duration():
    with stays() as p:
        result = lib.attach(p.pid, "-d", 1)
    assert result.rc == 0, result.err
    row = result.process(p.pid)
    assert row["alive"] and row["threads_live"] == 2, row
    lib.near(row["lifetime_ns"], 2 * result.summary["wall_ns"], 0.05, 100 * lib.MS, "two threads' time")
    lib.near(result.summary["wall_ns"], 1000 * lib.MS, 0, 100 * lib.MS * lib.SLOW, "the run's time")


@test
def cpu_time_since_the_attach():
    with target(lib.workload("on_cpu"), 1, 20000, ready=at_once) as p:
        result = lib.attach(p.pid, "-d", 1)
    check = result.reconcile("on_cpu")
    assert check["ok"] and check["ours"] > 0, check
    row = result.process(p.pid)
    busy = sum(lib.state_of(row, s)["ns"] for s in ("on_cpu", "runqueue", "preempted"))
    assert busy >= 0.99 * row["lifetime_ns"], row


@test
def a_sleep_that_was_going_on_counts():
    with target("sleep", "30") as p:
        result = lib.attach(p.pid, "-d", 1)
    row = result.process(p.pid)
    assert lib.state_of(row, "sleep")["ns"] >= 0.99 * row["lifetime_ns"] > 0, row


@test
def it_stops_when_the_target_is_gone():
    with stays() as p:
        result = lib.attach(p.pid, then=lambda _: p.kill())
    assert result.rc == 0, (result.rc, result.err)
    assert not result.process(p.pid)["alive"], result.process(p.pid)


def stops_at(sig):
    def check():
        with stays() as p:
            result = lib.attach(p.pid, then=lambda dwell: dwell.send_signal(sig))
            assert p.poll() is None, "the target died with dwell"
        assert result.rc == 0, (result.rc, result.err)
        assert result.process(p.pid)["lifetime_ns"] > 0
    test(check, name=f"{sig.name} ends it, and it prints what it has")


for _sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    stops_at(_sig)


@test
def new_children_are_followed():
    with target("/bin/sh", "-c", "while :; do sleep 0.05; done", ready=at_once) as p:
        result = lib.attach(p.pid, then=lib.after_children(p.pid, 6))
    # the first one was there, the last one may be just made
    assert len(result.processes()) + result.ledger().get("processes_cut", 0) >= 5, result.processes()
    assert result.process(p.pid)["states"]["child"]["ns"] > 0


@test
def children_that_live_are_followed():
    def ready(pid):
        child = lib.until("a child", lambda: lib.children(pid))[0]
        lib.until("its program", lambda: lib.comm_of(child) == "sleep")
    with target("/bin/sh", "-c", "sleep 30 & wait", ready=ready) as p:
        result = lib.attach(p.pid, "-d", 1)
        for child in lib.children(p.pid):
            os.kill(child, signal.SIGKILL)
    assert len(result.processes()) == 2, result.processes()


@test
def several_pids():
    with target("sleep", "30") as a, target("sleep", "30") as b:
        result = lib.attach(a.pid, b.pid, "-d", 0.5)
    assert {p["pid"] for p in result.processes()} == {a.pid, b.pid}, result.processes()


@test
def by_name():
    with stays() as p:
        result = lib.attach("--name", "tree-stay", "-d", 0.5)
    assert p.pid in {r["pid"] for r in result.processes()}, result.processes()


@test
def a_pid_of_nobody():
    done = lib.dwell("attach", 4194000)
    assert done.returncode == 125 and "4194000" in done.stderr, done
    assert len(done.stderr.strip().splitlines()) <= 2, done.stderr


@test
def a_name_of_nobody():
    done = lib.dwell("attach", "--name", "no-such-comm", timeout=20)
    assert done.returncode == 125 and "no-such-comm" in done.stderr, done


@test
def all_of_the_machine():
    with stays() as p:
        result = lib.attach("--all", "-d", 0.5, check=False)
        assert p.pid in {r["pid"] for r in result.processes()}, [r["comm"] for r in result.processes()]


LEADERLESS = """
import ctypes, threading, time
for _ in range(3):
    threading.Thread(target=time.sleep, args=(20,)).start()
print("up", flush=True)
ctypes.CDLL(None).pthread_exit(None)
"""


@test
def a_process_whose_leader_has_ended_is_one():
    with subprocess.Popen(["/usr/bin/python3", "-c", LEADERLESS], stdout=subprocess.PIPE) as p:
        try:
            assert p.stdout.readline() == b"up\n"
            lib.until("the leader's end", lambda: lib.stat_of(p.pid)[0] == "Z")
            with tempfile.NamedTemporaryFile(prefix="dwell-leader-", suffix=".jsonl") as f:
                done = lib.dwell("attach", "-q", "-d", "0.5", "--out", f.name, p.pid)
                assert done.returncode == 0, done
                summary = lib.read_records(f.name)[-1]
            rows = summary["ledger"]["processes"]
            assert [r["pid"] for r in rows] == [p.pid] and summary["threads"] == 3, rows
            assert summary["processes_live"] == 1, summary["processes_live"]
        finally:
            p.kill()


def refused(pid, word):
    done = lib.dwell("attach", "-d", "0.1", pid)
    assert done.returncode == 125 and word in done.stderr, done


@test
def who_has_ended_is_refused():
    with subprocess.Popen(["/bin/true"]) as p:
        lib.until("its end", lambda: lib.stat_of(p.pid)[0] == "Z")
        refused(p.pid, "ended")


@test
def a_kernel_thread_is_refused():
    kernel = [int(pid) for pid in os.listdir("/proc") if pid.isdigit() and
              not os.path.exists(f"/proc/{pid}/exe") and is_kernel_thread(pid)]
    if not kernel:
        skip("no kernel thread is seen from here")
    refused(min(kernel), "kernel thread")


def is_kernel_thread(pid):
    """By PF_KTHREAD; it may have ended."""
    with contextlib.suppress(OSError):
        return int(lib.stat_of(pid)[6]) & 0x200000
    return False


main()
