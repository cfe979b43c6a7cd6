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
import lib
from tap import main, test


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


def uprobes():
    """What is armed in files; the kernel shows those of perf events only by their being there."""
    with open("/sys/kernel/tracing/uprobe_events", encoding="ascii") as f:
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
    mounts = open("/proc/self/mountinfo", encoding="utf-8").read()
    p, _ = started("-q", "--out", "/dev/null", cmd=("/bin/sleep", "0.3"))
    ours = held(p.pid)
    assert {kind for kind, _ in ours} == {"prog", "map"}, ours
    assert p.wait(60) == 0
    wait_until_gone(ours)
    assert open("/proc/self/mountinfo", encoding="utf-8").read() == mounts


main()
