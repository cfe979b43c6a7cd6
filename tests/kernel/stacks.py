#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Stacks: their times against the ledger, to the nanosecond; whose they are; in what shares.
"""
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import folded
import lib
from tap import main, test

SOURCES = ((), ("--source", "ledger=raw_tp"))
SHARES = lib.workload("stacks_shares")
lib.PROBES = "syscalls,stacks"


class Row:
    """A stack in one state: functions from the root on, and their time."""

    def __init__(self, frames, state, ns):
        self.frames, self.state, self.ns = frames, state, ns

    def has(self, *names):
        """Whether these functions follow each other, others between them or not."""
        rest = iter(self.frames)
        return all(any(f == n for f in rest) for n in names)

    def not_sampled(self):
        return self.frames == ["[not sampled]"]


class Stacks:
    """What --speedscope tells: a list of rows by (pid, tid), tid 0 for threads that ended."""

    def __init__(self, path):
        with open(path, encoding="utf-8") as f:
            doc = json.load(f)
        names = [f["name"] for f in doc["shared"]["frames"]]
        self.threads = {}
        for p in doc["profiles"]:
            rows = [Row([names[i] for i in s[:-1]], names[s[-1]][1:-1], w)
                    for s, w in zip(p["samples"], p["weights"])]
            self.threads.setdefault(ids(p["name"]), []).extend(rows)

    def of(self, pid):
        return [r for (p, _), rows in self.threads.items() if p == pid for r in rows]

    def all(self):
        return [r for rows in self.threads.values() for r in rows]


def ids(title):
    """(pid, tid) of a profile's title: `comm (pid)`, perhaps `: thread (tid)` or `: threads...`"""
    numbers = [int(part.split(")")[0]) for part in title.split("(")[1:]]
    if title.endswith("threads that ended"):
        return numbers[0], 0
    return numbers[0], numbers[-1]


def ns_of(rows, *names, state=None):
    return sum(r.ns for r in rows if r.has(*names) and state in (None, r.state))


def run(args, *opts, **kw):
    with tempfile.TemporaryDirectory(prefix="dwell-test-") as d:
        path = os.path.join(d, "stacks.json")
        result = lib.run(args, "--stacks", "--speedscope", path, *opts, **kw)
        return result, Stacks(path)


def run_folded(args, *opts):
    with tempfile.TemporaryDirectory(prefix="dwell-test-") as d:
        path = os.path.join(d, "folded")
        result = lib.run(args, "--stacks", "--folded", path, *opts)
        return result, folded.read(path)


def check_sums(result, stacks):
    """Rows of a process and state add up to the ledger's time of it, to the nanosecond."""
    for p in result.processes():
        rows = stacks.of(p["pid"])
        for state in lib.STATES:
            ours = sum(r.ns for r in rows if r.state == state)
            theirs = lib.state_of(p, state)["ns"]
            assert ours == theirs, f"{p['comm']} {p['pid']} {state}: stacks {ours}, ledger {theirs}"
    assert sum(r.ns for r in stacks.all()) == sum(
        s["ns"] for s in result.ledger()["states"].values()), "the tree"


def each_source(check):
    """Both sources give the same."""
    for source in SOURCES:
        name = check.__name__.replace("_", " ") + (" (raw_tp)" if source else "")
        test(lambda source=source: check(source), name=name)
    return check


@each_source
def rows_add_up_to_the_ledger(source):
    script = f"sleep 0.05; {SHARES} naps 20 3000 500; {SHARES} pool 6 60; {SHARES} blocks 50; true"
    result, stacks = run(["sh", "-c", script], *source)
    check_sums(result, stacks)
    assert result.summary["stacks"]["samples"] > 20, result.summary["stacks"]


@each_source
def every_wait_is_a_sample_when_asked(source):
    result, stacks = run([SHARES, "blocks", 100], "--stack-quantum", 0, *source)
    check_sums(result, stacks)
    waits = sum(s["count"] for name, s in result.ledger()["states"].items() if name != "on_cpu")
    on_cpu = sum(t["count"] for t in result.summary["stacks"]["stack_traces"]
                 if t["state"] == "on_cpu")
    unseen = result.summary["trust"]["folded"]["unseen_arrivals"]
    assert abs(result.summary["stacks"]["samples"] - on_cpu - waits) <= unseen, \
        f"{result.summary['stacks']['samples']} samples, {on_cpu} of them on a CPU; {waits} waits"
    missed = [r for r in stacks.all() if r.not_sampled() and r.state != "on_cpu"]
    assert not missed or unseen, [(r.state, r.ns) for r in missed]


@each_source
def who_woke_it(source):
    """Each read of a pipe waits for a thread that writes to it: its stack stands beyond the wait's."""
    cmd = (SHARES, "blocks", 100)
    result, rows = run_folded(cmd, "--stack-quantum", 0, "--wakers", *source)
    waited = lib.state_of(result.process(result.truth["pid"]), "pipe")["ns"]
    woken = folded.ns_of(rows, "main", "block_here", "read", "writer_[w]", "write_[w]", state="pipe")
    # whoever wakes by a signal or at the end is another; a wake may be unseen
    assert woken >= 0.9 * waited, (woken, waited, [f for f, _ in rows if f[-1] == "[pipe]"])
    for frames, _ in rows:
        waker = [f.endswith("_[w]") for f in frames[:-1]]
        first = waker.index(True) if True in waker else len(waker)
        assert all(waker[first:]), f"a sleeper's frame behind its waker's: {frames}"
        assert not any(f.startswith(("bpf_", "__bpf_", "__traceiter_")) for f in frames if f[-3:] == "_[w]")
        assert frames[-1] != "[sleep]" or not any(waker), f"a timer has no stack: {frames}"
    if lib.EMULATED:  # does not depend on the kernel
        return
    _, rows = run_folded(cmd, "--stack-quantum", 0, *source)
    assert folded.ns_of(rows, "block_here", "read", state="pipe")
    assert not any(f.endswith("_[w]") for frames, _ in rows for f in frames)


@test
def inlined_functions_when_asked():
    """naps and napped are inlined into main: so says the compiler's debug information."""
    cmd = (SHARES, "naps", 20, 3000, 500)
    result, rows = run_folded(cmd, "--inline")
    slept = lib.state_of(result.process(result.truth["pid"]), "sleep")["ns"]
    for nap in ("nap_long", "nap_short"):
        ns = folded.ns_of(rows, "main", "naps_[i]", "napped_[i]", nap, state="sleep")
        assert ns and ns == folded.ns_of(rows, nap, state="sleep"), (nap, ns, rows)
        slept -= ns
    assert not slept, slept
    _, rows = run_folded(cmd)
    assert folded.ns_of(rows, "main", "nap_long", state="sleep")
    assert not any(f.endswith("_[i]") for frames, _ in rows for f in frames), rows


@each_source
def sleeps_by_function(source):
    lib.calm(lambda: compare_naps(source, 30 * lib.SLOW ** 0.5, 5000, 10000, 0.05))


@each_source
def short_sleeps_by_function(source):
    """Most of these are shorter than the quantum."""
    lib.calm(lambda: compare_naps(source, 1000 if not lib.EMULATED else 200, 300, 100, 0.15))


def compare_naps(source, n, long_us, short_us, relative):
    result, stacks = run([SHARES, "naps", int(n), long_us, short_us], *source)
    rows = stacks.of(result.truth["pid"])
    long_ns, short_ns = ns_of(rows, "main", "nap_long"), ns_of(rows, "main", "nap_short")
    slept = lib.state_of(result.process(result.truth["pid"]), "sleep")["ns"]
    ours = [ns_of(rows, "main", f, state="sleep") for f in ("nap_long", "nap_short")]
    assert sum(ours) == slept, f"{ours} of {slept}; {[r.frames for r in rows]}"
    assert long_ns and short_ns
    share = result.truth["long_ns"] / (result.truth["long_ns"] + result.truth["short_ns"])
    lib.near(ours[0] / slept, share, relative, 0, "share of nap_long")


@each_source
def burns_by_function(source):
    lib.calm(lambda: compare_burns(source))


def compare_burns(source):
    result, stacks = run([SHARES, "burns", 1500 if not lib.EMULATED else 4000], "-F", 499, *source)
    check_sums(result, stacks)
    rows = [r for r in stacks.of(result.truth["pid"]) if r.state == "on_cpu"]
    one, two = ns_of(rows, "main", "burn_one"), ns_of(rows, "main", "burn_two")
    on_cpu = sum(r.ns for r in rows)
    assert one + two >= 0.95 * on_cpu, f"{one} and {two} of {on_cpu}"
    share = result.truth["two_ns"] / (result.truth["one_ns"] + result.truth["two_ns"])
    # 500 samples and more: the standard error of a share of 2/3 is at most 0.021
    lib.near(two / (one + two), share, 0, 0.075, "share of burn_two")


@each_source
def nobody_gets_another_ones_stack(source):
    """Two programs in turns on one CPU, each with functions of its own."""
    ms = 700 * (3 if lib.EMULATED else 1)
    script = f"{SHARES} alpha {ms} & {SHARES} beta {ms} & wait"
    result, stacks = run(["taskset", "-c", "0", "sh", "-c", script], "--stack-quantum", "500us",
                         "-F", 499, *source)
    check_sums(result, stacks)
    seen = {"alpha": 0, "beta": 0}
    for (pid, _), rows in stacks.threads.items():
        told = {f.split("_")[0] for r in rows for f in r.frames
                if f.split("_")[0] in ("alpha", "beta")}
        assert len(told) <= 1, f"pid {pid} has {told}"
        for name in told:
            seen[name] += 1
            for leaf in ("nap", "burn"):
                ns = ns_of(rows, "main", name, f"{name}_{leaf}")
                assert ns, f"pid {pid}: nothing in {name}_{leaf}: {[r.frames for r in rows]}"
    assert seen == {"alpha": 1, "beta": 1}, seen


@each_source
def a_thread_pool(source):
    lib.calm(lambda: compare_pool(source))


def compare_pool(source):
    result, stacks = run([SHARES, "pool", 8, 200], *source)
    check_sums(result, stacks)
    rows = stacks.of(result.truth["pid"])
    waited = lib.state_of(result.process(result.truth["pid"]), "futex")["ns"]
    a, b = (ns_of(rows, "pool_worker", f, state="futex") for f in ("pool_a", "pool_b"))
    # main's own waits (pthread_join) are the rest
    assert a + b >= 0.95 * waited, f"{a} and {b} of {waited}"
    lib.near(a, b, 0.1 if not lib.EMULATED else 0.4, 0, "half of the threads each")


@each_source
def processes_that_end_at_once(source):
    result, stacks = run([lib.workload("stacks_brief"), 20], *source)
    check_sums(result, stacks)
    pids = [json.loads(line)["pid"] for line in result.out.splitlines()]
    ours = [ns_of(stacks.of(pid), "main", "brief_a", "brief_b", "brief_c", state="sleep")
            for pid in pids]
    folded = result.summary["trust"]["folded"]
    missed = sum(ns < 2 * lib.MS for ns in ours)
    assert len(ours) == 20 and missed <= folded["unseen_arrivals"] + folded["unseen_wakes"], ours
    assert missed < 5, ours


@test
def a_wait_that_goes_on():
    """Attached to a program that sleeps all the time: the wait is told all the same."""
    with subprocess.Popen([SHARES, "hang", "60000"], stdout=subprocess.PIPE, text=True) as target:
        try:
            pid = int(target.stdout.readline().partition("=")[2])
            with tempfile.TemporaryDirectory(prefix="dwell-test-") as d:
                path, out = os.path.join(d, "stacks.json"), os.path.join(d, "out.jsonl")
                done = lib.dwell("attach", "--quiet", "--out", out, "--speedscope", path, "-d", 1,
                                 pid)
                assert done.returncode == 0, done.stderr
                result, stacks = lib.Run(done, lib.read_records(out)), Stacks(path)
        finally:
            target.send_signal(signal.SIGKILL)
    lib.check_promises(result)
    check_sums(result, stacks)
    rows = stacks.threads[(pid, pid)]
    assert len(rows) == 1 and rows[0].state == "sleep" and rows[0].ns > 900 * lib.MS, \
        [(r.frames, r.state, r.ns) for r in rows]
    assert rows[0].has("main", "hang_a", "hang_b") and any("nanosleep" in f for f in rows[0].frames), \
        rows[0].frames


@test
def code_made_at_run_time():
    """By a perf map that is there from the start or made at the very end, and by a jitdump."""
    n = 20 if not lib.EMULATED else 100  # a dump is found while its process lives
    with tempfile.TemporaryDirectory(prefix="dwell-jit-") as d:
        for how in ("first", "last", "dump"):
            result, stacks = run([lib.workload("stacks_jit"), how, n], cwd=d)
            if how != "dump":
                os.unlink(result.out.strip())
            rows = stacks.all()
            slept = ns_of(rows, "main", "jit_made_[j]", "jit_nap", state="sleep")
            assert slept >= 0.9 * n * 5 * lib.MS, (how, [(r.frames, r.ns) for r in rows])


GONE = """
nap() { sleep 0.4 | ./nap -c 'for i in {1..20}; do read -t 0.005; done'; }
for i in 1 2 3; do kill -STOP $PPID; ./nap -c :; kill -CONT $PPID; sleep 0.3; done
nap
sleep 1.5
nap
"""


@test
def a_file_that_was_gone_when_it_was_to_be_opened():
    """Stacks end there, as equal ones, until a process has it again when it is looked for."""
    with tempfile.TemporaryDirectory(prefix="dwell-gone-") as d:
        shutil.copy(lib.need("bash"), os.path.join(d, "nap"))
        _, stacks = run(["sh", "-c", GONE], "--stack-quantum", "0", cwd=d, check=False)
    naps = [r for r in stacks.all()
            if r.state not in ("on_cpu", "runqueue", "preempted") and r.ns > 4 * lib.MS]
    cut = [r for r in naps if r.frames[0] == "[truncated: the code's file could not be read]"]
    whole = [r for r in naps if any("read_builtin" in f for f in r.frames) and r not in cut]
    # a stack that waits for a table is another each time: 20 of them
    assert len(cut) < 10 and whole, [(r.frames, r.ns) for r in naps]


@test
def unwind_tables_without_room_are_counted():
    """Of the program and the C library: stacks end in them and say so."""
    for limit in ("stacks_pages=16", "stacks_blocks=1"):
        result, stacks = run([SHARES, "naps", 20, 3000, 500], "--limit", limit, check=False)
        check_sums(result, stacks)
        lost = {k: v for k, v in result.summary["trust"]["lost"].items() if v}
        ends = result.summary["stacks"]["ends"]
        assert set(lost) == {"unwind_tables_lost"} and 2 <= lost["unwind_tables_lost"] < 10, lost
        assert ends["no_room"] >= 20 and not ends["whole"] + ends["no_table"] + ends["no_file"], ends
        naps = [r for r in stacks.all() if r.state == "sleep"]
        assert naps and all(r.frames[0] == "[truncated: no room for the file's unwind table]"
                            for r in naps), [r.frames for r in naps]


@test
def a_table_that_is_full_is_counted():
    result, stacks = run([SHARES, "pool", 32, 50], "--limit", "stacks_rows=8", check=False)
    lost = result.summary["trust"]["lost"]["stack_samples_lost"]
    assert lost, "nothing was lost"
    check_sums(result, stacks)


main()
