#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Programs as people run them: output and exit code are those of the same command without
dwell, every figure that can be compared with the kernel's agrees, and the processes and
threads are as many as strace sees.
"""
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, test

lib.PROBES = None

PYTHON = "/usr/bin/python3"
THREADS = """
import sys, threading, time
sums = []
def work(n):
    time.sleep(0.03)
    sums.append(sum(range(n)))
threads = [threading.Thread(target=work, args=(100000,)) for _ in range(8)]
[t.start() for t in threads]
[t.join() for t in threads]
print(len(sums), set(sums))
sys.exit(7)
"""
SQL = """
create table t(n integer primary key, s text);
with recursive c(n) as (select 1 union all select n + 1 from c where n < 20000)
insert into t select n, hex(n) from c;
create index i on t(s);
select count(*), sum(n), min(s), max(s) from t;
"""
MAKEFILE = """
all: a.out b.out c.out d.out
\tcat $^
%.out: %.in
\tsort $< > $@; sleep 0.02
fails:
\tfalse
"""


def born(cmd, **kw):
    """(processes, threads) that strace sees come to life; None without strace."""
    with tempfile.NamedTemporaryFile("r", prefix="dwell-strace-") as f:
        try:
            subprocess.run(["strace", "-f", "-qq", "-e", "trace=clone,clone3,fork,vfork",
                            "-o", f.name, *cmd], capture_output=True, timeout=50, check=False, **kw)
        except FileNotFoundError:
            return None
        calls = re.sub(r"(\w+)\((.*) <unfinished \.\.\.>$", r"\1(\2", f.read(), flags=re.M)
    # the line that ends a call has its result, the one that begins it has its flags
    threads = len(re.findall(r"^\d+ +clone3?\(.*CLONE_THREAD", calls, re.M))
    all_of_them = len(re.findall(r"^\d+ .*\b(?:clone3?|v?fork)\b.* = [1-9]\d*$", calls, re.M))
    return 1 + all_of_them - threads, 1 + all_of_them


def agrees(cmd, *, rc, processes=None, **kw):
    """Runs a command alone and under dwell; returns the run under dwell."""
    kw.setdefault("stdin", subprocess.DEVNULL)
    text = kw.pop("input", None)

    def given():
        if text is None:
            return kw
        f = tempfile.TemporaryFile("w+")
        f.write(text)
        f.seek(0)
        return {**kw, "stdin": f}
    alone = subprocess.run(cmd, capture_output=True, text=True, timeout=50, check=False, **given())
    assert alone.returncode == rc, alone
    want = born(cmd, **given()) or processes

    result = lib.run(cmd, **given())
    assert (result.rc, result.out, result.err) == (rc, alone.stdout, alone.stderr), result.err
    trust = result.summary["trust"]
    assert trust["reconcile_ok"] and all(r["ok"] for r in trust["reconcile"].values()), \
        trust["reconcile"]
    assert result.summary["exit"] == {"code": rc, "signal": None}, result.summary["exit"]
    got = (result.summary["processes"], result.summary["threads"])
    assert want is None or got == want, f"processes and threads {got}, strace saw {want}"
    return result


@test
def python_with_threads():
    result = agrees([PYTHON, "-c", THREADS], rc=7, processes=(1, 9))
    assert (result.summary["processes"], result.summary["threads"]) == (1, 9)
    row = result.processes()[0]
    slept = [t for t in row["threads"] if lib.state_of(t, "sleep")["count"]]
    assert len(slept) == 8, row["threads"]


@test
def pipelines_of_a_shell():
    result = agrees(["/bin/sh", "-c", "seq 1 50000 | sort -rn | head -n 3; "
                     "seq 1 50000 | wc -l | cat; (exit 3)"], rc=3)
    assert result.out.split() == ["50000", "49999", "49998", "50000"], result.out
    comms = sorted(p["comm"] for p in result.processes())
    for comm, n in {"seq": 2, "sort": 1, "head": 1, "wc": 1, "cat": 1}.items():
        assert comms.count(comm) == n, comms


@test
def sqlite_in_memory():
    lib.need("sqlite3")
    result = agrees(["sqlite3", "-batch", ":memory:"], rc=0, input=SQL)
    assert result.out.startswith("20000|200010000|"), result.out


@test
def sqlite_with_an_error():
    lib.need("sqlite3")
    agrees(["sqlite3", "-batch", ":memory:", "select no_such_column;"], rc=1)


@test
def make_with_two_jobs():
    lib.need("make")
    with tempfile.TemporaryDirectory(prefix="dwell-make-") as d:
        with open(d + "/Makefile", "w", encoding="ascii") as f:
            f.write(MAKEFILE)
        for name in "abcd":
            with open(f"{d}/{name}.in", "w", encoding="ascii") as f:
                f.write("".join(f"{name}{i * 7919 % 5000}\n" for i in range(5000)))
        # -B: all is made each time
        result = agrees(["make", "-B", "-s", "-j2"], rc=0, cwd=d)
        comms = [p["comm"] for p in result.processes()]
        assert (comms.count("sort"), comms.count("sleep"), comms.count("cat")) == (4, 4, 1), comms
        assert len(result.out.splitlines()) == 20000
        agrees(["make", "-s", "fails"], rc=2, cwd=d)


main()
