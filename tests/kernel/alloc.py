# SPDX-License-Identifier: BSD-2-Clause
"""
--alloc against programs that know what they allocate and leak, and against a library that
counts a real program's calls by itself; by each source of the probe.
"""
import os
import shutil
import struct
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, skip, test

lib.PROBES = "memory"

ALLOC = lib.workload("alloc")
STATIC = lib.workload("alloc_static")
COUNTER = lib.workload("liballoc_count.so")
PAGE = 4096
SOURCES = ("tp_btf", "raw_tp")
FAMILY = ("malloc", "calloc", "realloc", "reallocarray", "aligned_alloc", "posix_memalign",
          "memalign", "valloc", "pvalloc")


def run(cmd, *opts, source="tp_btf", **kw):
    done = lib.run(cmd, "--alloc", "--source", f"memory={source}", *opts, timeout=100, **kw)
    assert done.rc == 0, (done.rc, done.err)
    return done, done.summary["memory"]["alloc"]


def by_source(function):
    both = any(word in function.__name__ for word in ("leaks", "mappings", "attached"))
    for source in SOURCES if both else SOURCES[:1]:
        test(lambda s=source: function(s), name=f"{function.__name__}, {source}", timeout=120)
    return function


def caller(rows, function, one=True):
    """The row of a function of the workload; the sum of its rows where not all have their stack."""
    found = [r for r in rows if r["frames"][0].split(" ")[0].split(".")[0] == function]
    assert found and (len(found) == 1 or not one), (function, [r["frames"] for r in rows])
    return {k: sum(r[k] for r in found) for k, v in found[0].items() if isinstance(v, int)} \
        | {"frames": max((r["frames"] for r in found), key=len)}


def process(report, pid):
    rows = [p for p in report["processes"] if p["pid"] == pid]
    assert len(rows) == 1, [p["pid"] for p in report["processes"]]
    return rows[0]


def check(figures, **want):
    got = {k: figures[k] for k in want}
    assert got == want, f"{got}, not {want}"


def balanced(figures):
    """What was made is freed, cleared, unknown or live."""
    check(figures, allocations=sum(figures[k] for k in ("frees", "cleared", "unknown", "live")),
          bytes=sum(figures[k] for k in ("freed_bytes", "cleared_bytes", "unknown_bytes",
                                         "live_bytes")))


@by_source
def leaks_are_told_with_their_maker(source):
    _, a = run([ALLOC, "leak", 300, 100], source=source)
    check(a, allocations=403, bytes=36850, frees=100, live=303, live_bytes=30450, failed=0,
          live_peak_bytes=30514, functions={"malloc": 400, "calloc": 3})
    balanced(a)
    check(caller(a["leaks"], "leak_here"), allocations=300, frees=0, live=300, live_bytes=30000)
    check(caller(a["leaks"], "leak_zeroed"), allocations=3, live=3, live_bytes=450)
    names = [f.split(" ")[0] for f in caller(a["leaks"], "leak_here")["frames"]]
    assert names[:4] == ["leak_here", "outer_caller", "leak", "main"], names
    assert not [r for r in a["leaks"] if "use_and_free" in r["frames"][0]], a["leaks"]
    check(caller(a["callers"], "use_and_free"), allocations=100, frees=100, live=0,
          live_peak_bytes=64)
    sizes = {(r["from"], r["to"]): (r["count"], r["bytes"]) for r in a["sizes"]}
    assert sizes == {(64, 127): (400, 36400), (128, 255): (3, 450)}, sizes
    assert not a["incomplete"], a


@by_source
def every_function_counts(source):
    _, a = run([ALLOC, "family"], source=source)
    want = {name: n + 1 for n, name in enumerate(FAMILY)}
    want["aligned_alloc"] += want.pop("memalign")   # one function with two names
    # pvalloc of the GNU C library is a function of its own, which calls none of the others
    check(a, functions=want, allocations=45, bytes=45 * 1024, frees=36, live=9,
          live_bytes=9 * 1024, frees_null=5, frees_before=0)


@by_source
def a_resized_block_is_the_old_one_freed(source):
    done, a = run([ALLOC, "resize"], source=source)
    assert (done.truth["failed"], done.truth["errno"], done.truth["gone"]) == (1, 12, 1), done.truth
    check(a, functions={"malloc": 1, "realloc": 7, "reallocarray": 1}, failed=2, allocations=6,
          bytes=100 + 10000 + 1000000 + 50000000 + 50 + 200, frees=5, live=1, live_bytes=50,
          frees_before=0)
    balanced(a)
    # large blocks are mappings of the allocator's own
    mapped = a["mappings"]["allocator_mmap"]
    assert mapped["bytes"] >= 50000000 and mapped["live_bytes"] < 1000000, mapped


@test
def what_fails_makes_no_block():
    _, a = run([ALLOC, "failures"])
    check(a, functions={"malloc": 1, "calloc": 1, "aligned_alloc": 1, "posix_memalign": 2},
          failed=5, allocations=0, live=0)


@by_source
def a_thread_frees_what_another_made(source):
    _, a = run([ALLOC, "threads"], source=source)
    check(caller(a["callers"], "make_all"), allocations=500, frees=493, live=7, live_bytes=2100)
    check(caller(a["callers"], "use_and_free"), allocations=6000, frees=6000, live=0)
    balanced(a)


@by_source
def a_fork_s_copies_are_the_parent_s(source):
    done, a = run([ALLOC, "forks"], source=source)
    check(process(a, done.truth["parent"]), allocations=20, frees=18, live=2, live_bytes=2000,
          frees_before=0)
    check(process(a, done.truth["child"]), allocations=4, frees=0, live=4, live_bytes=308,
          frees_before=15)
    check(a, allocations=24, live=6, live_bytes=2308)


@by_source
def an_exec_clears(source):
    _, a = run([ALLOC, "becomes", 5, 50, ALLOC, "leak", 3, 100], source=source)
    check(a, cleared=5, cleared_bytes=250, live=6, live_bytes=750, allocations=111)
    balanced(a)
    rows = [r for r in a["leaks"] if r["frames"][0].startswith("leak_here")]
    assert sum(r["live"] for r in rows) == 3, rows
    assert a["mappings"]["allocator_brk"]["cleared_bytes"] > 0, a["mappings"]


@by_source
def mappings_are_followed_in_pieces(source):
    _, a = run([ALLOC, "maps"], source=source)
    _, none = run([ALLOC, "failures"], source=source)   # what the dynamic linker maps
    maps, base = a["mappings"]["mmap"], none["mappings"]["mmap"]
    assert maps["count"] - base["count"] == 5, (maps, base)
    assert maps["bytes"] - base["bytes"] == (100 + 50 + 10 + 300 + 200) * PAGE, (maps, base)
    assert maps["live_bytes"] - base["live_bytes"] == (50 + 200) * PAGE, (maps, base)
    check(a["mappings"]["brk"], count=1, bytes=16 * PAGE, released_bytes=4 * PAGE,
          live_bytes=12 * PAGE)
    assert "allocator_mmap" not in a["mappings"], a["mappings"]


@test
def a_static_program_is_hooked():
    _, a = run([STATIC, "leak", 30, 100])
    check(caller(a["leaks"], "leak_here"), allocations=30, live=30, live_bytes=3000)
    assert STATIC in [f["path"] for f in a["files"]], a["files"]


# Until a program's file is hooked, by the breakpoint in its own code; some seconds.
HOOKED = "hooked 3000"


def counted_whole(report, name):
    """`leak 30 9`: all that it made is there, with what its C library made to begin."""
    row = max((p for p in report["processes"] if p["comm"] == name), key=lambda p: p["frees"])
    check(row, frees=100, frees_before=0)
    balanced(row)
    assert 30 + 3 <= row["live"] < 30 + 3 + 20, row


@test
def one_that_comes_later_is_hooked_and_it_is_said():
    _, a = run(["sh", "-c", f"{STATIC} {HOOKED} && {STATIC} leak 30 9"])
    check(caller(a["leaks"], "leak_here"), live=30, live_bytes=270)
    counted_whole(a, "alloc_static")
    late = {f["path"]: f["late_ns"] for f in a["files"]}
    assert late[STATIC] > 0, late
    assert all(ns == 0 for path, ns in late.items() if path != STATIC), late


@test
def one_whose_program_changes_before_dwell_looks():
    """dwell is stopped until its process is another program; the file keeps its name, or not."""
    with tempfile.TemporaryDirectory() as d:
        kept, before, moved = (f"{d}/{name}" for name in ("kept", "before", "moved"))
        for first, later, rename in ((kept, kept, ""), (before, moved, f"mv {before} {moved}; ")):
            shutil.copy(STATIC, first)
            script = f'd=$PPID; kill -STOP $d; {first} becomes 0 0 /bin/sh -c "{rename}' \
                f'kill -CONT $d"; {later} {HOOKED} && {later} leak 30 9'
            _, a = run(["sh", "-c", script])
            assert later in [f["path"] for f in a["files"]], a["files"]
            counted_whole(a, os.path.basename(later))
            if first == kept:   # the other has no name that its code could be looked up by
                check(caller(a["leaks"], "leak_here", one=False), live=30)


@test
def an_allocator_of_its_own():
    library = "/usr/lib/x86_64-linux-gnu/libjemalloc.so.2"
    if not os.path.exists(library):
        skip("libjemalloc2 is not installed")
    _, a = run(["env", f"LD_PRELOAD={library}", ALLOC, "leak", 300, 100])
    # the library's table is made while the program already allocates
    check(caller(a["leaks"], "leak_here", one=False), allocations=300, frees=0, live_bytes=30000)
    check(caller(a["callers"], "use_and_free", one=False), allocations=100, frees=100)


@test
def a_full_table_is_told():
    done, a = run([ALLOC, "leak", 300, 100], "--limit", "memory_blocks=64", check=False)
    assert a["incomplete"] and a["unknown"] == 403 - 100 - a["live"] + (100 - a["frees"]), a
    assert a["unknown"] > 200 and a["live"] <= 64 + 64, a
    assert done.summary["trust"]["lost"]["blocks_lost"] == a["unknown"], done.summary["trust"]
    balanced(a)


@test
def callers_without_a_row_are_other():
    done, a = run([ALLOC, "leak", 300, 100], "--limit", "memory_callers=1")
    check(a, allocations=403, live=303)
    (row,) = a["callers"]
    assert row["frames"] == ["other"] and row["allocations"] == 403, row
    assert done.summary["trust"]["folded"]["callers_in_other"] > 0, done.summary["trust"]


@test
def dead_processes_leave_the_table():
    script = f"for i in 1 2 3 4 5 6 7 8 9 10; do {ALLOC} leak 100 10; sleep 0.02; done"
    done, a = run(["sh", "-c", script], "--limit", "memory_blocks=1024")
    leak = [r for r in a["leaks"] if r["frames"][0].startswith("leak_here")]
    assert sum(r["live"] for r in leak) == 1000, leak
    assert sum(r["processes"] for r in leak) == 10, leak
    assert not a["incomplete"], done.summary["trust"]["lost"]


@test
def an_exec_clears_what_is_in_other():
    _, a = run([ALLOC, "becomes", 5, 50, ALLOC, "leak", 3, 100], "--limit", "memory_callers=1")
    check(a, cleared=5, live=6, live_bytes=750)
    (row,) = a["leaks"]
    check(row, frames=["other"], allocations=111, live=6, live_bytes=750)


@test
def threads_that_ended_leave_the_table():
    script = f"for i in 1 2 3 4 5 6 7 8 9 10; do {ALLOC} leak 100 10; done"
    done, a = run(["sh", "-c", script], "--limit", "memory_threads=4", source="raw_tp")
    # the first ones have no stack while the table of their file is made
    made = caller(a["leaks"], "leak_here", one=False)
    assert (made["allocations"], made["live"]) == (1000, 1000), \
        [(r["allocations"], r["frames"][:3]) for r in a["leaks"]]
    assert not done.summary["trust"]["lost_total"], done.summary["trust"]["lost"]
    done, a = run([ALLOC, "threads"], "--limit", "memory_threads=1", source="raw_tp", check=False)
    assert done.summary["trust"]["lost"]["allocator_calls_lost"] > 500, done.summary["trust"]
    assert a["incomplete"], a


@test
def samples_stand_for_all():
    n = 10000
    _, a = run([ALLOC, "leak", n, 100], "--sample-interval", 10)
    assert a["sample_interval"] == 10 and a["frees_before"] == 0, a
    # each CPU counts for itself
    got = caller(a["leaks"], "leak_here")
    assert abs(got["live"] - n) <= 10 * os.cpu_count() and got["live"] % 10 == 0, got
    assert got["live_bytes"] == got["live"] * 100, got


@by_source
def attached_to_a_living_program(source):
    attach(ALLOC, source)


@test(timeout=120)
def attached_to_a_living_static_program():
    attach(STATIC, "tp_btf")


def attach(program, source):
    with subprocess.Popen([program, "attached"], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                          text=True) as target:
        assert target.stdout.readline() == "ready=1\n"
        result = lib.attach("--alloc", "--source", f"memory={source}", target.pid, timeout=100,
                            then=lambda _: target.stdin.close(), check=False)
    assert result.rc == 0, result.err
    a = result.summary["memory"]["alloc"]
    check(a, allocations=6, bytes=360, frees_before=10, live=6)
    check(caller(a["leaks"], "leak_here", one=False), live=6, live_bytes=360)


@test
def nothing_without_the_option():
    done = lib.run([ALLOC, "leak", 3, 100])
    assert "alloc" not in done.summary["memory"], done.summary["memory"]["alloc"]


# ---- real programs, against a count of their own ----

def counted(cmd, env=None):
    """Runs it with the counting library; what that says, and what dwell does."""
    with tempfile.NamedTemporaryFile(prefix="dwell-test-") as f:
        f.write(bytes(32))
        f.flush()
        settings = [f"LD_PRELOAD={COUNTER}", f"ALLOC_COUNT={f.name}"]
        _, a = run(["env", *settings, *cmd])
        f.seek(0)
        truth = dict(zip(("allocations", "bytes", "frees", "freed_bytes"),
                         struct.unpack("4Q", f.read(32))))
    assert truth["allocations"] > 0, "the library was not loaded"
    return truth, a


def same_as_counted(cmd):
    truth, a = counted(cmd)
    # env's own, before it became the program, are cleared or freed
    (row,) = [p for p in a["processes"]]
    live = {"live": truth["allocations"] - truth["frees"],
            "live_bytes": truth["bytes"] - truth["freed_bytes"]}
    check(row, **live)
    own = {k: row[k] - truth[k] for k in truth}
    assert 0 < own["allocations"] < 1000, own
    assert own["allocations"] - own["frees"] == row["cleared"], (own, row["cleared"])
    balanced(row)
    return a


@test(timeout=120)
def python_allocates_what_it_counts():
    words = "x = [str(i) * 100 for i in range(3000)]; del x[::2]; import json; json.dumps(x)"
    a = same_as_counted(["/usr/bin/python3", "-c", words])
    assert a["allocations"] > 1000, a["allocations"]


@test(timeout=120)
def sqlite_allocates_what_it_counts():
    sql = "create table t(a,b); with recursive n(i) as (select 1 union all select i+1 from n " \
          "limit 500) insert into t select i, hex(randomblob(50)) from n; " \
          "create index u on t(b); select count(*) from t;"
    same_as_counted([lib.need("sqlite3"), ":memory:", sql])


if __name__ == "__main__":
    main()
