#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
How dwell ends: it waits for nothing that the kernel can do by itself, and whatever ends it, it
leaves no program, map, mount or file.
"""
import os
import re
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import cgroups
import lib
from bpf import held, wait_until_gone
from tap import main, skip, test


def mountinfo():
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        return f.read()


def started(*opts, cmd=("/bin/sleep", "60"), **kw):
    """dwell run, once its command runs; the command's PID."""
    p = subprocess.Popen(lib.argv("run", *opts, "--", *cmd), stdin=subprocess.DEVNULL,
                         stderr=subprocess.PIPE, text=True, **kw)
    name = os.path.basename(cmd[0])

    def running():
        assert p.poll() is None, f"no command: {p.communicate(timeout=10)}"
        return [child for child in lib.children(p.pid) if lib.comm_of(child) == name]
    return p, lib.until("the command", running, 60)[0]


@test
def the_end_waits_for_no_program_to_be_detached():
    """Each link is handed to the kernel (by a name in a bpffs of its own) before it is closed."""
    with tempfile.NamedTemporaryFile(prefix="dwell-end-") as trace:
        subprocess.run([lib.need("strace"), "-o", trace.name, "-e", "trace=bpf,perf_event_open,fsmount",
                        *lib.argv("run", "-q", "--out", "/dev/null", "--", "/bin/true")], check=True)
        calls = trace.read().decode()
    links = len(re.findall(r"bpf\(BPF_(?:RAW_TRACEPOINT_OPEN|LINK_CREATE)\b.* = \d", calls))
    iterators = len(re.findall(r"bpf\(BPF_ITER_CREATE", calls))
    named = re.findall(r'bpf\(BPF_OBJ_PIN, \{pathname="([^"]*)".* = (.*)', calls)
    assert links > 5 and len(named) == links - iterators, (links, iterators, len(named))
    assert all(result == "0" and path.startswith("/proc/self/fd/") for path, result in named), named


@test
def after_the_end_nothing_is_left():
    mounts = mountinfo()
    p, command = started("-q", "--out", "/dev/null")
    ours = held(p.pid)
    assert {kind for kind, _ in ours} == {"prog", "map"}, ours
    os.kill(command, signal.SIGTERM)
    p.communicate(timeout=60)
    assert p.returncode == -signal.SIGTERM, p.returncode
    wait_until_gone(ours)
    assert mountinfo() == mounts


OUTPUTS = ("--out", "r.jsonl", "--folded", "r.folded", "--pprof", "r.pb.gz", "--flame", "r.svg")
EVERYTHING = ("-q", "--stacks", "--alloc", "--wakers", *OUTPUTS)
LOOP = ("/bin/sh", "-c", "while :; do ls >/dev/null; done")


def all_gone(p, d):
    """Kills dwell, of which nothing is left. It is stopped first: what it has then is all."""
    p.send_signal(signal.SIGSTOP)
    lib.until("its stop", lambda: lib.stat_of(p.pid)[0] == "T")
    ours = held(p.pid)
    p.kill()
    p.wait()
    wait_until_gone(ours)
    assert not os.listdir(d), os.listdir(d)
    return len(ours)


def killed_amid_the_start(after):
    """As soon as it has more than so many programs and maps; says how many it had."""
    with tempfile.TemporaryDirectory(prefix="dwell-kill-") as d, subprocess.Popen(
            lib.argv("run", *EVERYTHING, "--", *LOOP), cwd=d, stdin=subprocess.DEVNULL) as p:
        until = time.monotonic() + 60
        while len(held(p.pid)) <= after:
            assert time.monotonic() < until and p.poll() is None, (after, p.returncode)
        launcher = lib.children(p.pid)
        had = all_gone(p, d)
        lib.until("the launcher's end", lambda: all(map(lib.has_ended, launcher)))
        return had


@test
def sigkill_amid_the_start_leaves_nothing():
    few, many = killed_amid_the_start(10), killed_amid_the_start(100)
    assert 10 < few and 100 < many, (few, many)


@test
def sigkill_amid_a_run_with_everything_leaves_nothing():
    with tempfile.TemporaryDirectory(prefix="dwell-kill-") as d:
        p, command = started(*EVERYTHING, cmd=LOOP, cwd=d)
        try:
            all_gone(p, d)
        finally:
            os.kill(command, signal.SIGKILL)
            p.stderr.close()


@test
def two_interrupts_are_one():
    """The second comes at once, while the report is made, or when all is over: it is whole."""
    with subprocess.Popen(["/bin/sleep", "60"]) as target:
        try:
            for pause in (0, 0.01, 0.05):
                def twice(dwell, pause=pause):
                    dwell.send_signal(signal.SIGINT)
                    time.sleep(pause)
                    dwell.send_signal(signal.SIGINT)

                result = lib.attach("--stacks", target.pid, then=twice, check=False)
                assert result.rc == 0 and result.summary, (result.rc, result.err)
        finally:
            target.kill()


@test
def a_full_disk_is_said_once_for_each_output():
    small = tempfile.mkdtemp(prefix="dwell-small-")
    mount = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=64k", "none", small], capture_output=True,
                           check=False)
    if mount.returncode:
        os.rmdir(small)
        skip("no file system can be mounted")
    try:
        with open(small + "/fill", "wb", buffering=0) as f:
            try:
                while True:
                    f.write(bytes(4096))
            except OSError:
                pass
        opts = [os.path.join(small, o) if o.startswith("r.") else o for o in OUTPUTS]
        done = lib.dwell("run", "-q", "--stacks", *opts, "--", "/bin/sh", "-c", "exit 3")
        assert done.returncode == 3, done
        for name in OUTPUTS[1::2]:
            assert done.stderr.count(f"/{name}'") == 1, (name, done.stderr)
        assert os.listdir(small) == ["fill"], os.listdir(small)
    finally:
        subprocess.run(["umount", small], check=True)
        os.rmdir(small)


@test
def too_little_memory_for_the_tables():
    """Of a control group: one line says what is missing, one what to do."""
    with cgroups.memory(64 << 20) as (group, _):
        def confined():     # on one CPU, or the OOM killer comes for a thread that wants a page meanwhile
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
            cgroups.write(group, "cgroup.procs", os.getpid())

        done = lib.dwell("run", "-q", "--limit", f"events={256 << 20}", "--", "/bin/true", preexec_fn=confined)
        assert done.returncode == 125, done
        lines = done.stderr.splitlines()
        assert len(lines) == 2 and "Cannot allocate memory" in lines[0] and "memory limit" in lines[1], lines


def peak_mib(*opts, cmd):
    return lib.run(cmd, *opts, check=False).summary["trust"]["self"]["rss_peak_bytes"] / (1 << 20)


@test
def its_own_memory_does_not_grow_with_the_processes_it_saw():
    """900 dead processes fill what is kept of them: 8 MiB more than none; 1,800 hardly more."""
    tree = lib.workload("tree")
    least = peak_mib(cmd=["/bin/true"])
    some = peak_mib(cmd=[tree, "many", 900])
    many = peak_mib(cmd=[tree, "many", 1800])
    assert some - least < 12, (least, some)
    assert many - some < 4, (least, some, many)


main()
