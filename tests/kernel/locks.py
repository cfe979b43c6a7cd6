#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Locks against programs that know what they did, strace, and real deadlocks: calls and their
results exactly, times by the waiters' own measure, names, kinds and owners of locks. Each
source in turn gives the same counts.
"""
import contextlib
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, test

lib.PROBES = "locks"

LOCKS = lib.workload("locks")
SOURCES = ("tp_btf", "raw_tp")
QUANTUM = 500 * lib.US   # SITE_QUANTUM_NS
CALLS = ("waits", "waits_woken", "timeouts", "value_changed", "interrupted", "wakes", "woken",
         "requeues", "requeued", "errors")


def run(*args, source="tp_btf", opts=(), **kw):
    result = lib.run([LOCKS, *args], "--source", f"locks={source}", *opts, **kw)
    for probe in ("locks", "syscalls", "ledger"):  # the calls and times that it reads
        chosen = result.summary["trust"]["sources"][probe]["chosen"]
        assert chosen == source, f"{probe}: {result.summary['trust']['sources'][probe]}"
    return result, result.summary["locks"]


def row_of(rows, **want):
    found = [r for r in rows if all(r.get(k) == v for k, v in want.items())]
    assert len(found) == 1, f"{len(found)} rows of {want}: {rows}"
    return found[0]


def each_source(function):
    for source in SOURCES:
        test(lambda s=source: function(s), name=f"{function.__name__}, {source}", timeout=120)


def check_sums(locks):
    """Rows of locks, and of processes, add up to the tree."""
    for key in CALLS:
        assert sum(r[key] for r in locks["locks"]) == locks["futex"][key], key
        assert sum(p["futex"][key] for p in locks["processes"]) == locks["futex"][key], key
    for key in ("blocked", "blocked_ns"):
        assert sum(r[key] for r in locks["locks"]) == locks["futex"][key], key
    for kind, k in locks["kernel"].items():
        rows = [p["kernel"][kind] for p in locks["processes"] if kind in p["kernel"]]
        assert sum(r["count"] for r in rows) == k["count"], kind
        assert sum(r["ns"] for r in rows) == k["ns"], kind
        assert max(r["max_ns"] for r in rows) == k["max_ns"], kind
    assert sum(s["ns"] for s in locks["sites"]) == sum(k["ns"] for k in locks["kernel"].values())


# ---- calls ----

@each_source
def futex_calls_by_result(source):
    result, locks = run("raw", 10, source=source)
    for key in CALLS:
        want = result.truth.get(key, 0)
        assert locks["futex"][key] == want, f"{key}: {locks['futex'][key]}, truth {want}"
    check_sums(locks)


@each_source
def futex_calls_by_address(source):
    result, locks = run("raw", 7, source=source)
    address = int(result.truth["address"], 16)
    mine = row_of(locks["locks"], pid=result.truth["pid"], address=address)
    assert (mine["timeouts"], mine["value_changed"], mine["waits"]) == (7, 7, 14), mine
    assert (mine["requeues"], mine["requeued"], mine["wakes"]) == (1, 3, 8), mine
    others = [r for r in locks["locks"] if r["address"] == address and r is not mine]
    assert len(others) == 6 and all(r["waits_woken"] == 1 for r in others), others
    moved = row_of(locks["locks"], address=address + 64)
    assert (moved["wakes"], moved["woken"]) == (1, 2), moved
    assert mine["name"] == "[shared]" and mine["kind"] == "futex", mine


@test
def time_is_the_ledgers():
    result, locks = run("raw", 10)
    for p in locks["processes"]:
        state = result.state(p["pid"], "futex")
        assert (p["futex"]["blocked"], p["futex"]["blocked_ns"]) == (state["count"], state["ns"])
    top = locks["locks"][0]
    row = row_of(result.ledger()["objects"], pid=top["pid"], kind="futex")
    assert (row["ns"], row["count"]) == (top["blocked_ns"], top["blocked"]), f"{row}, {top}"


@test(timeout=120)
def strace_counts_as_many():
    strace = lib.need("strace")

    def check():
        with tempfile.NamedTemporaryFile(prefix="dwell-strace-") as f:
            result = lib.run([strace, "-f", "-c", "-e", "trace=futex", "-o", f.name, LOCKS, "mutex",
                              4, 20])
            said = f.read().decode()
        rows = [li.split() for li in said.splitlines() if li.split()[-1:] == ["futex"]]
        if not rows: # on a busy machine the threads may never meet
            raise lib.TimeOff("no thread waited")
        ours = 0
        for p in result.summary["locks"]["processes"]:
            if p["comm"] != "strace":  # its own it does not count
                ours += sum(p["futex"][key] for key in ("waits", "wakes", "requeues"))
        assert ours == int(rows[0][3]), f"{ours}, strace {rows[0]}"
    lib.calm(check)


@each_source
def sysv_semaphores(source):
    def check():
        result, locks = run("semop", 8, source=source)
        truth = result.truth
        sysv = locks["sysv"]
        assert sysv["operations"] == truth["operations"], sysv
        assert sysv["refused"] == truth["would_block"], sysv
        assert sysv["errors"] == truth["errors"] and sysv["interrupted"] == 0, sysv
        mine = row_of(locks["sysv_sets"], pid=truth["pid"], semid=truth["semid"])
        assert mine["operations"] == truth["operations"] - 1, mine
        assert mine["blocked"] == truth["blocks"], mine
        lib.near(mine["blocked_ns"], truth["blocked_ns"], lib.PERCENT,
                 5 * lib.US * lib.SLOW * truth["blocks"], "semaphore ns")
        other = [r for r in locks["sysv_sets"] if r is not mine]
        assert len(other) == 1 and (other[0]["operations"], other[0]["blocked"]) == (1, 1), other
        check_sums(locks)
    lib.calm(check)


# ---- which lock it is ----

KINDS = (
    ("mutex", "counter_lock", "mutex", "pthread_mutex_lock"),
    ("condition", "work_ready", "condition", "pthread_cond_wait"),
    ("semaphore", "work_count", "semaphore", "sem_wait"),
    ("rwlock", "table_lock", "rwlock", "pthread_rwlock"),
    ("barrier", "phase_end", "barrier", "pthread_barrier_wait"),
)


def check_kind(mode, symbol, kind, function, source):
    result, locks = run(mode, 4, 10, source=source)
    rows = [r for r in locks["locks"] if r.get("symbol") == symbol]
    if not rows: # on a busy machine the threads may never meet
        raise lib.TimeOff([(r.get("name"), r["kind"]) for r in locks["locks"]])
    for row in rows:
        assert row["name"] == f"{symbol} (locks)", row
        assert row["kind"] == kind, row
        # who wakes may have to wait for those whom it woke before
        assert row["caller"] in row["evidence"] and (
            function in row["caller"] or row["caller"].startswith("pthread_cond_")), row
        assert row["module"] == os.path.realpath(LOCKS), row
    if "address" in result.truth:
        assert rows[0]["address"] == int(result.truth["address"], 16), rows[0]
    if "waits" in result.truth:
        waits = sum(r["waits"] for r in rows)
        assert waits <= result.truth["waits"], rows
        # one that is interrupted on its way finds that all have come
        lib.near(waits, result.truth["waits"], 0, 0, "waits")
    check_sums(locks)


for _kind in KINDS:
    for _source in SOURCES:
        test(lambda k=_kind, s=_source: lib.calm(lambda: check_kind(*k, s)), timeout=120,
             name=f"{_kind[0]}: name and kind, {_source}")


@test
def a_mutex_waits_as_its_waiters_say():
    def check():
        result, locks = run("mutex", 3, 10)
        row = row_of(locks["locks"], symbol="counter_lock")
        assert row["blocked"] == result.truth["blocks"], f"{row}, {result.truth}"
        lib.near(row["blocked_ns"], result.truth["blocked_ns"], lib.PERCENT,
                 5 * lib.US * lib.SLOW * row["blocked"], "mutex ns")
    lib.calm(check)


@test
def joins_are_told():
    _, locks = run("mutex", 3, 5)
    joins = [r for r in locks["locks"] if r["kind"] == "thread_end"]
    others = [r for r in locks["locks"] if r["kind"] == "futex"]
    assert joins and not others, f"{joins}, {others}"
    assert all(r["caller"] == "pthread_join" for r in joins), joins


@test
def heap_and_stack():
    for mode in ("heap", "stack"):
        result, locks = run(mode, 3, 5)
        row = row_of(locks["locks"], address=int(result.truth["address"], 16))
        assert row["name"] == f"[{mode}]" and row["kind"] == "mutex", row
        assert "symbol" not in row and "module" not in row, row


@test
def a_named_semaphore_is_told_by_its_file():
    result, locks = run("sem_open", 4)
    row = row_of(locks["locks"], pid=result.truth["waiter"])
    assert row["kind"] == "semaphore" and row["module"].startswith("/dev/shm/sem."), row
    assert row["waits"] == row["blocked"] == result.truth["waits"], row


@test
def a_full_table_folds_into_other():
    with_rows, _ = run("raw", 5)
    result, locks = run("raw", 5, opts=("--limit", "locks_futexes=2"))
    for key in CALLS:
        assert locks["futex"][key] == with_rows.summary["locks"]["futex"][key], key
    other = row_of(locks["locks"], name="other")
    assert other["waits"] > 0, other
    assert result.summary["trust"]["folded"]["lock_calls_in_other"] > 0
    check_sums(locks)


# ---- inside the kernel ----

@each_source
def an_inode_rwsem(source):
    def check():
        with tempfile.TemporaryDirectory(prefix="dwell-klock-", dir="/dev/shm") as d:
            result = lib.run([lib.workload("klock"), d + "/data", 8], "--source", f"locks={source}")
        truth, locks = result.truth, result.summary["locks"]
        mine = row_of(locks["processes"], pid=truth["pid"])["kernel"]["rwsem_write"]
        # one wait may sleep more than once
        assert mine["count"] == sum(1 for ns in truth["each"] if ns), f"{mine}, {truth}"
        lib.near(mine["ns"], truth["wall_ns"], lib.PERCENT, 30 * lib.US * lib.SLOW * mine["count"],
                 "rwsem ns")
        site = row_of(locks["sites"], pid=truth["pid"], kind="rwsem_write")
        assert site["function"].endswith("write_iter"), site
        # a sample stands for what passed on its CPU since the last one, of others too
        assert site["samples"] == mine["count"] <= site["count"], f"{site}, {mine}"
        assert 0 <= site["ns"] - mine["ns"] < site["samples"] * QUANTUM, f"{site}, {mine}"
        check_sums(locks)
    lib.calm(check)


@test(timeout=120)
def a_directory_that_all_rename_in():
    _, locks = run("directory", 4, 4000 if lib.EMULATED else 20000)
    waited = locks["kernel"].get("rwsem_write", {"count": 0})
    assert waited["count"] > 0, locks["kernel"]
    sites = [s for s in locks["sites"] if s["kind"] == "rwsem_write"]
    # by count: a thread that loses its CPU with the lock makes any other place the longest
    most = max(sites, key=lambda s: s["count"], default={"function": ""})
    assert "rename" in most["function"], sites
    check_sums(locks)


# ---- deadlocks ----

@contextlib.contextmanager
def hung(*args):
    """A `locks` that has said that it is ready; and what it said."""
    p = subprocess.Popen([LOCKS, *map(str, args)], stdout=subprocess.PIPE,
                         stdin=subprocess.DEVNULL, text=True)
    said = ""
    for line in p.stdout:
        said += line
        if line.startswith("ready"):
            break
    try:
        yield p, lib.truth(said)
    finally:
        p.kill()
        p.wait()


def attach(pid, *opts):
    with tempfile.TemporaryDirectory(prefix="dwell-locks-") as d:
        path = os.path.join(d, "report.jsonl")
        done = lib.dwell("attach", "-d", "0.3", "--out", path, *opts, pid)
        assert os.path.exists(path), done.stderr
        return lib.Run(done, lib.read_records(path)), done.stderr


@each_source
def a_ring_of_threads_is_named(source):
    for members in (2, 4):
        with hung("deadlock", members) as (p, truth):
            result, _ = attach(p.pid, "--source", f"locks={source}")
        tids = [truth[f"ring.{i}.tid"] for i in range(members)]
        (cycle,) = result.summary["locks"]["deadlocks"]
        cycle = cycle["members"]
        at = tids.index(cycle[0]["tid"])
        assert [m["tid"] for m in cycle] == tids[at:] + tids[:at], f"{cycle}, {tids}"
        for m in cycle:
            want = (tids.index(m["tid"]) + 1) % members
            name = "ring_locks" + (f"+0x{want * 40:x}" if want else "")
            assert m["lock"] == f"{name} (locks)", f"{m}, {tids}"
            assert m["owner_tid"] == tids[want] and m["pid"] == p.pid, f"{m}, {tids}"
        owners = {r["offset"]: r.get("owner_tid") for r in result.summary["locks"]["locks"]
                  if r.get("symbol") == "ring_locks"}
        assert owners == {i * 40: tids[i] for i in range(members)}, f"{owners}, {tids}"


@test
def the_screen_and_the_verdict_say_so():
    with hung("deadlock", 2) as (p, truth):
        result, screen = attach(p.pid)
    assert "deadlock: locks (thread" in screen, screen
    verdict = result.summary["syscalls"]["analysis"]["verdict"]
    assert verdict.startswith("Deadlock: 2 threads"), verdict


@test
def a_lock_taken_twice():
    with hung("relock") as (p, _):
        lib.asleep(p.pid)
        result, screen = attach(p.pid)
    (cycle,) = result.summary["locks"]["deadlocks"]
    (m,) = cycle["members"]
    assert m["tid"] == m["owner_tid"] == p.pid and m["lock"] == "first_lock (locks)", m
    assert "which it holds itself" in " ".join(screen.split()), screen


@test
def who_only_waits_long_is_in_no_deadlock():
    with hung("slow", 30) as (p, _):
        result, _ = attach(p.pid)
    locks = result.summary["locks"]
    assert not locks["deadlocks"], locks["deadlocks"]
    row = row_of(locks["locks"], symbol="first_lock")
    assert row["kind"] == "mutex" and row["owner_tid"] == p.pid, row
    assert "pthread_mutex_lock" in row["evidence"], row


# ---- order ----

@each_source
def both_orders_are_told(source):
    result, locks = run("both_orders", 5, 3, source=source, opts=("--lock-order",))
    (order,) = locks["orders"]
    seen = {(order["first"], order["second"]): order["forward"],
            (order["second"], order["first"]): order["backward"]}
    assert seen == {("first_lock (locks)", "second_lock (locks)"): 5,
                    ("second_lock (locks)", "first_lock (locks)"): 3}, order
    assert order["forward_tid"] == order["backward_tid"] == result.truth["pid"], order


@test
def one_order_is_no_warning():
    _, locks = run("one_order", 5, opts=("--lock-order",))
    assert locks["orders"] == [], locks["orders"]
    _, locks = run("both_orders", 1, 1)
    assert "orders" not in locks, "without the option"


main()
