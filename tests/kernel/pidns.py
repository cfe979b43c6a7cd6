#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
dwell inside a PID namespace, as in a container: it shows the PIDs of that namespace, adds up,
and passes on how the command ended; as the first process of the namespace, which the kernel
spares from its own signals, and as another. (A command that enters a namespace of its own
is in tree.py.)
"""
import os
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, skip, test

TREE = lib.workload("tree")
FIRST = ["--pid", "--fork", "--mount-proc"]


# dwell, its launcher and, where there is a second CPU, the thread that loads are all that was
# before the command, and numbers of a new namespace are small
OURS = 2 + (len(os.sched_getaffinity(0)) > 1)


def namespace(cmd, timeout=60):
    """Runs a command as the first process of a new PID namespace."""
    unshare = lib.need("unshare")
    probe = subprocess.run([unshare, *FIRST, "/bin/true"], capture_output=True, text=True,
                           timeout=20, check=False)
    if probe.returncode:
        skip(f"no PID namespace: {probe.stderr.strip()}")
    return subprocess.run([unshare, *FIRST, *map(str, cmd)], capture_output=True, text=True,
                          stdin=subprocess.DEVNULL, timeout=timeout, check=False)


def run(cmd, *opts, shell=False, check=True):
    """dwell run in a namespace of its own; behind a shell it is not the first there."""
    with tempfile.TemporaryDirectory(prefix="dwell-pidns-") as d:
        path = os.path.join(d, "report.jsonl")
        dwell = lib.argv("run", "-q", "--out", path, *opts, "--", *cmd)
        done = namespace(["/bin/sh", "-c", '"$@"; exit $?', "sh", *dwell] if shell else dwell)
        assert os.path.exists(path), done
        result = lib.Run(done, lib.read_records(path))
    if check:
        lib.check_promises(result)
    return result


def compare_tree(*opts, shell=False):
    result = run([TREE, "fork", 5], *opts, shell=shell)
    root, own = result.truth["pid"], 2 if shell else 1
    assert result.rc == 0, result.err
    assert root == own + OURS, result.truth
    assert result.process(root)["ppid"] == own, result.process(root)
    reaped = {int(k.split(".")[1]): v for k, v in result.truth.items() if k.endswith(".status")}
    rows = {p["pid"]: p for p in result.processes()}
    assert {pid for pid, p in rows.items() if p["ppid"] == root} == set(reaped), rows
    assert set(rows) == set(range(root, root + result.truth["processes"])), sorted(rows)
    for pid, status in reaped.items():
        assert (rows[pid]["exit"]["code"], rows[pid]["exit"]["signal"]) == lib.exit_of(status)
    assert {p["pid"] for p in result.summary["syscalls"]["processes"]} == set(rows)
    got = (result.summary["processes"], result.summary["threads"])
    assert got == (result.truth["processes"], result.truth["threads"]), got


@test
def the_pids_are_the_namespaces_own():
    compare_tree()


@test
def not_as_the_first_process_either():
    compare_tree(shell=True)


@test
def by_raw_tp_too():
    compare_tree("--source", "ledger=raw_tp")


@test
def threads_have_the_namespaces_numbers():
    result = run([TREE, "threads", 20])
    row = result.process(result.truth["pid"])
    assert {t["tid"] for t in row["threads"]} == set(range(1 + OURS, 22 + OURS)), row["threads"]


@test
def a_namespace_in_the_namespace():
    result = run([TREE, "pidns"])
    assert result.truth["inner"] == 1 and result.truth["outer"] == OURS + 2, result.truth
    assert {p["pid"] for p in result.processes()} == {OURS + n for n in (1, 2, 3)}, result.processes()
    assert result.process(OURS + 2)["exit"]["code"] == 11


@test
def exit_codes_pass():
    for shell in (False, True):
        for code in (0, 1, 42, 255):
            result = run(["/bin/sh", "-c", f"exit {code}"], shell=shell)
            assert result.rc == code, (result.rc, result.err)
            assert result.process(OURS + (2 if shell else 1))["exit"]["code"] == code


def dies(sig):
    def check():
        for shell in (False, True):
            result = run(["/bin/sh", "-c", f"kill -{sig.value} $$"], shell=shell)
            # the first process of a namespace cannot die by a signal of its own: as a shell tells
            assert result.rc == 128 + sig, (shell, result.rc, result.err)
            assert result.process(OURS + (2 if shell else 1))["exit"]["signal"] == sig
    test(check, name=f"death by {sig.name} is told")


for _sig in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGSEGV):
    dies(_sig)


@test
def an_orphan_does_not_keep_the_first_process():
    """It is handed to dwell, whose own child it is not."""
    result = run(["/bin/sh", "-c", "(sleep 0.2; exit 3) & exit 5"], "--wait-all")
    assert result.rc == 5, (result.rc, result.err)
    assert result.summary["processes_live"] == 0 and len(result.processes()) == 3


@test
def attach_takes_the_namespaces_pid():
    with tempfile.TemporaryDirectory(prefix="dwell-pidns-") as d:
        path = os.path.join(d, "report.jsonl")
        done = namespace(["/bin/sh", "-c", f'"{TREE}" stay 60000 >/dev/null & sleep 0.3; '
                          f'echo pid=$!; "{lib.DWELL}" attach -q --out {path} -d 0.5 $!; '
                          "code=$?; kill $!; exit $code"])
        assert done.returncode == 0, done
        result = lib.Run(done, lib.read_records(path))
    lib.check_promises(result)
    assert [p["pid"] for p in result.processes()] == [result.truth["pid"]], result.processes()
    assert 1 < result.truth["pid"] < 10, result.truth


@test
def a_foreign_waker_has_the_namespaces_number():
    with tempfile.TemporaryDirectory(prefix="dwell-pidns-") as d:
        os.mkfifo(d + "/fifo")
        waker = ("import os, time; print('waker=%d' % os.getpid(), flush=True); "
                 f"f = open('{d}/fifo', 'w'); time.sleep(0.6); f.write('x')")
        done = subprocess.run(
            [lib.need("unshare"), *FIRST, "/bin/sh", "-c",
             f'/usr/bin/python3 -c "{waker}" & "{lib.DWELL}" run -q --out {d}/r -- cat {d}/fifo; wait'],
            capture_output=True, text=True, timeout=30, check=False)
        result = lib.Run(done, lib.read_records(d + "/r"))
        tids = {w["waker_tid"] for w in result.ledger()["wakers"] if w["waker_comm"] == "python3"}
        assert tids == {result.truth["waker"]}, (tids, done.stdout)


main()
