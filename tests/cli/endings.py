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
from tap import main, skip, test


def held(pid):
    """Programs and maps that the process's descriptors hold: {("prog", 12), …}."""
    found = set()
    for n in os.listdir(f"/proc/{pid}/fdinfo"):
        try:
            with open(f"/proc/{pid}/fdinfo/{n}", encoding="ascii") as f:
                fields = dict(li.split(":", 1) for li in f if ":" in li)
        except OSError:
            continue
        found |= {(kind, int(fields[f"{kind}_id"])) for kind in ("prog", "map") if f"{kind}_id" in fields}
    return found


def living():
    found = set()
    for kind in ("prog", "map"):
        done = subprocess.run([lib.need("bpftool"), kind, "show"], capture_output=True, text=True,
                              check=True)
        found |= {(kind, int(li.split(":")[0])) for li in done.stdout.splitlines() if li[:1].isdigit()}
    return found


def mountinfo():
    with open("/proc/self/mountinfo", encoding="utf-8") as f:
        return f.read()


def wait_until_gone(ours):
    until = time.monotonic() + 10 * lib.SLOW
    while ours & living():
        assert time.monotonic() < until, f"still loaded: {ours & living()}"
        time.sleep(0.05)


def started(*opts, cmd=("/bin/sleep", "30"), **kw):
    """dwell run, once its command runs; the command's PID."""
    p = subprocess.Popen(lib.argv("run", *opts, "--", *cmd), stdin=subprocess.DEVNULL,
                         stderr=subprocess.PIPE, text=True, **kw)
    name = os.path.basename(cmd[0])
    until = time.monotonic() + 60
    while time.monotonic() < until and p.poll() is None:
        with open(f"/proc/{p.pid}/task/{p.pid}/children", encoding="ascii") as f:
            for child in f.read().split():
                with open(f"/proc/{child}/comm", encoding="ascii") as comm:
                    if comm.read().strip() == name:
                        return p, int(child)
        time.sleep(0.01)
    raise AssertionError(f"no command: {p.communicate(timeout=10)}")


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
    p, _ = started("-q", "--out", "/dev/null", cmd=("/bin/sleep", "0.3"))
    ours = held(p.pid)
    assert {kind for kind, _ in ours} == {"prog", "map"}, ours
    assert p.wait(60) == 0
    wait_until_gone(ours)
    assert mountinfo() == mounts


OUTPUTS = ("--out", "r.jsonl", "--folded", "r.folded", "--pprof", "r.pb.gz", "--flame", "r.svg")


def killed(after):
    """SIGKILL amid the start, or amid the run: after 0 the command runs."""
    with tempfile.TemporaryDirectory(prefix="dwell-kill-") as d:
        opts = ("-q", "--stacks", "--alloc", "--wakers", *OUTPUTS)
        loop = ("/bin/sh", "-c", "while :; do ls >/dev/null; done")
        ours, command = set(), None
        if after:
            with subprocess.Popen(lib.argv("run", *opts, "--", *loop), cwd=d, stdin=subprocess.DEVNULL) as p:
                until = time.monotonic() + 60
                while len(ours) < after and time.monotonic() < until:
                    ours |= held(p.pid)
                p.kill()
        else:
            p, command = started(*opts, cmd=loop, cwd=d)
            ours = held(p.pid)
            p.kill()
            p.wait()
            os.kill(command, signal.SIGKILL)
        assert len(ours) > after, ours
        wait_until_gone(ours)
        assert not os.listdir(d), os.listdir(d)


@test
def sigkill_amid_the_start_leaves_nothing():
    for after in (10, 100):
        killed(after)


@test
def sigkill_amid_a_run_with_everything_leaves_nothing():
    killed(0)


@test
def two_interrupts_are_one():
    """The second comes while the report is made, or when all is over: the report is whole."""
    with tempfile.NamedTemporaryFile(prefix="dwell-end-", suffix=".jsonl") as f:
        target = subprocess.Popen(["/bin/sleep", "30"])
        p = subprocess.Popen(lib.argv("attach", "-q", "--stacks", "--out", f.name, target.pid),
                             stderr=subprocess.PIPE, text=True)
        until = time.monotonic() + 60
        while len([k for k in held(p.pid) if k[0] == "prog"]) < 40 and time.monotonic() < until:
            time.sleep(0.05)
        time.sleep(0.3 * lib.SLOW)
        p.send_signal(signal.SIGINT)
        time.sleep(0.01)
        p.send_signal(signal.SIGINT)
        _, err = p.communicate(timeout=60)
        target.kill()
        target.wait()
        assert p.returncode == 0, (p.returncode, err)
        assert lib.read_records(f.name)[-1]["kind"] == "summary"


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
    with cgroups.cgroup("memory") as group:
        def confined():     # on one CPU, or the OOM killer comes for a thread that wants a page meanwhile
            os.sched_setaffinity(0, {min(os.sched_getaffinity(0))})
            cgroups.write(group, "cgroup.procs", os.getpid())

        cgroups.write(group, "memory.limit_in_bytes", 64 << 20)
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
