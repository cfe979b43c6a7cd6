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
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, test

TREE = lib.workload("tree")


@contextlib.contextmanager
def target(*cmd):
    """A process of ours that runs meanwhile."""
    p = subprocess.Popen([*map(str, cmd)], stdout=subprocess.DEVNULL, stdin=subprocess.DEVNULL)
    time.sleep(0.3)
    try:
        yield p
    finally:
        p.kill()
        p.wait()


# to attach takes a guest seconds
AFTER = 5.0 if lib.EMULATED else 1.0


def attach(*args, timeout=60, interrupt=None, check=True):
    """dwell attach --out FILE ARGS, ended by itself or by a signal."""
    with tempfile.TemporaryDirectory(prefix="dwell-attach-") as d:
        path = os.path.join(d, "report.jsonl")
        p = subprocess.Popen(lib.argv("attach", "-q", "--out", path, *args),
                             stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                             stderr=subprocess.PIPE, text=True)
        if interrupt:
            time.sleep(AFTER)
            p.send_signal(interrupt)
        try:
            out, err = p.communicate(timeout=timeout)
        finally:
            p.kill()
        done = subprocess.CompletedProcess(p.args, p.returncode, out, err)
        assert os.path.exists(path), f"no report; exit {p.returncode}; {err}"
        result = lib.Run(done, lib.read_records(path))
    if check:
        lib.check_promises(result)
    return result


@test
def duration_bounds_the_account():
    with target(TREE, "stay", 20000) as p:
        result = attach(p.pid, "-d", 1)
    assert result.rc == 0, result.err
    row = result.process(p.pid)
    assert row["alive"] and row["threads_live"] == 2, row
    lib.near(row["lifetime_ns"], 2 * result.summary["wall_ns"], 0.05, 100 * lib.MS, "two threads' time")
    assert 0.9 * lib.MS * 1000 <= result.summary["wall_ns"] <= 3 * lib.MS * 1000


@test
def cpu_time_since_the_attach():
    with target(lib.workload("on_cpu"), 1, 20000) as p:
        result = attach(p.pid, "-d", 1)
    check = result.reconcile("on_cpu")
    assert check["ok"] and check["ours"] > 0, check
    row = result.process(p.pid)
    busy = sum(lib.state_of(row, s)["ns"] for s in ("on_cpu", "runqueue", "preempted"))
    assert busy >= 0.99 * row["lifetime_ns"], row


@test
def a_sleep_that_was_going_on_counts():
    with target("sleep", "30") as p:
        result = attach(p.pid, "-d", 1)
    row = result.process(p.pid)
    assert lib.state_of(row, "sleep")["ns"] >= 0.99 * row["lifetime_ns"] > 0, row


@test
def it_stops_when_the_target_is_gone():
    with target(TREE, "stay", int(1200 + 1000 * AFTER)) as p:
        start = time.monotonic()
        result = attach(p.pid)
        took = time.monotonic() - start
    assert result.rc == 0 and took < 10 + AFTER, (result.rc, took)
    assert not result.process(p.pid)["alive"], result.process(p.pid)


def stops_at(sig):
    def check():
        with target(TREE, "stay", 20000) as p:
            result = attach(p.pid, interrupt=sig)
            assert p.poll() is None, "the target died with dwell"
        assert result.rc == 0, (result.rc, result.err)
        assert result.process(p.pid)["lifetime_ns"] > 0
    test(check, name=f"{sig.name} ends it, and it prints what it has")


for _sig in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
    stops_at(_sig)


@test
def new_children_are_followed():
    with target("/bin/sh", "-c", "while :; do sleep 0.05; done") as p:
        result = attach(p.pid, "-d", 1)
    assert len(result.processes()) + result.ledger().get("processes_cut", 0) >= 5, result.processes()
    assert result.process(p.pid)["states"]["child"]["ns"] > 0


@test
def children_that_live_are_followed():
    with target("/bin/sh", "-c", "sleep 30 & wait") as p:
        result = attach(p.pid, "-d", 1)
        subprocess.run(["pkill", "-P", str(p.pid)], check=False)
    assert len(result.processes()) == 2, result.processes()


@test
def several_pids():
    with target("sleep", "30") as a, target("sleep", "30") as b:
        result = attach(a.pid, b.pid, "-d", 0.5)
    assert {p["pid"] for p in result.processes()} == {a.pid, b.pid}, result.processes()


@test
def by_name():
    with target(TREE, "stay", 20000) as p:
        result = attach("--name", "tree-stay", "-d", 0.5)
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
    with target(TREE, "stay", 20000) as p:
        result = attach("--all", "-d", 0.5, check=False)
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
            time.sleep(0.2)
            with tempfile.NamedTemporaryFile(prefix="dwell-leader-", suffix=".jsonl") as f:
                done = lib.dwell("attach", "-q", "-d", "0.5", "--out", f.name, p.pid)
                assert done.returncode == 0, done
                summary = lib.read_records(f.name)[-1]
            rows = summary["ledger"]["processes"]
            assert [r["pid"] for r in rows] == [p.pid] and summary["threads"] == 3, rows
            assert summary["processes_live"] == 1, summary["processes_live"]
        finally:
            p.kill()


@test
def what_cannot_be_followed_is_refused():
    with subprocess.Popen(["/bin/true"]) as p:
        while open(f"/proc/{p.pid}/stat").read().rsplit(")", 1)[1].split()[0] != "Z":
            time.sleep(0.01)
        for pid, word in ((p.pid, "ended"), (2, "kernel thread")):
            done = lib.dwell("attach", "-d", "0.1", pid)
            assert done.returncode == 125 and word in done.stderr, done




main()
