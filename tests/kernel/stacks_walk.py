#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Where processes have code, as the kernel side knows it, against /proc/PID/maps; and user stacks
of Debian's programs, against what eu-stack says of the same process as it stands still.
"""
import contextlib
import glob
import json
import os
import re
import shutil
import struct
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import elfutils
import lib
from tap import main, test

lib.PROBES = "syscalls,stacks"
HEAD, MAPPING = 24, 24  # bytes of struct stacks_maps before its list, of struct stacks_mapping
OFFSET = (1 << 40) - 1
WAIT = 60 * (4 if lib.EMULATED else 1)


# ---- what the kernel side knows ----

def map_id(pid, name):
    """The BPF map of that name which a dwell has open."""
    for path in glob.glob(f"/proc/{pid}/fdinfo/*"):
        with contextlib.suppress(OSError), open(path, encoding="ascii") as f:
            found = re.search(r"^map_id:\s*(\d+)", f.read(), re.M)
            if not found:
                continue
            shown = json.loads(subprocess.run(["bpftool", "-j", "map", "show", "id", found[1]],
                                              capture_output=True, check=True, text=True).stdout)
            if shown.get("name") == name:
                return found[1]
    raise AssertionError(f"dwell {pid} has no map {name}")


def mirrors(pid):
    """Lists of (start, end, place), one a process."""
    dump = subprocess.run(["bpftool", "-j", "map", "dump", "id", map_id(pid, "stacks_maps")],
                          capture_output=True, check=True, text=True).stdout
    lists = []
    for entry in json.loads(dump):
        raw = bytes(int(b, 16) for b in entry["value"])
        n = struct.unpack_from("=I", raw, 16)[0]
        lists.append([struct.unpack_from("=3Q", raw, HEAD + i * MAPPING) for i in range(n)])
    return lists


def check_mirror(ours, theirs):
    files = {}
    for start, end, offset, path in theirs:
        if path == "[uprobes]": # where another tracer has the kernel step, as this is read
            continue
        where = [m for m in ours if m[0] <= start and end <= m[1]]
        assert len(where) == 1, f"{start:x}-{end:x} {path}: {ours}"
        place = where[0][2]
        if not path:  # pages without a file that lie near are one mapping
            assert not place
            continue
        assert where[0][:2] == (start, end), f"{path}: {where}"
        assert place & OFFSET == (0 if path == "[vdso]" else offset), f"{path}: {place:x}"
        files.setdefault(place >> 40, path)
        assert files[place >> 40] == path, f"{path} and {files[place >> 40]} have one number"
    assert len(set(files.values())) == len(files), files
    starts = [m[0] for m in theirs]
    extra = [m for m in ours if not any(m[0] <= s < m[1] for s in starts)]
    assert not extra, f"no such code: {extra}"


def compare_mirror(dwell, pid):
    theirs = elfutils.code_of(pid)
    mine = [m for m in mirrors(dwell) if any(a[0] == b[0] for a in m for b in theirs if b[3]
                                             and a[2] and "[" not in b[3])]
    errors = []
    for m in mine:  # a fork's child has the same addresses
        try:
            return check_mirror(m, theirs)
        except AssertionError as e:
            errors.append(e)
    raise errors[0] if errors else AssertionError(f"{pid} is not known")


# ---- programs ----

CHANGES = """
import ctypes, mmap, os, sys
libc = ctypes.CDLL(None, use_errno=True)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
for f, n in ((libc.munmap, 2), (libc.mprotect, 3), (libc.mremap, 4)):
    f.argtypes = [ctypes.c_void_p] + [ctypes.c_size_t] * (n - 1)
libc.mremap.restype = ctypes.c_void_p
page = mmap.PAGESIZE
import sqlite3, ssl, json, decimal, lzma, curses
fd = os.open(libc_path := next(l.split()[-1] for l in open("/proc/self/maps") if "libc" in l), 0)
RX = mmap.PROT_READ | mmap.PROT_EXEC
a = libc.mmap(None, 16 * page, RX, mmap.MAP_PRIVATE, fd, 0)
libc.munmap(a + 4 * page, 2 * page)                # a hole in the middle
libc.mprotect(a + 8 * page, page, mmap.PROT_READ)  # another
libc.mprotect(a + 10 * page, 2 * page, mmap.PROT_READ)
libc.mprotect(a + 10 * page, 2 * page, RX)         # and back
b = libc.mmap(None, 8 * page, mmap.PROT_READ, mmap.MAP_PRIVATE, fd, 32 * page)
libc.mprotect(b + 2 * page, 3 * page, RX)          # code in data
c = libc.mmap(None, 8 * page, RX, mmap.MAP_PRIVATE, fd, 64 * page)
libc.mremap(c, 8 * page, 32 * page, 1)             # MREMAP_MAYMOVE
d = libc.mmap(None, 8 * page, RX, mmap.MAP_PRIVATE, fd, 96 * page)
libc.mmap(d + page, 2 * page, mmap.PROT_READ, mmap.MAP_PRIVATE | 0x10, fd, 0)  # MAP_FIXED
e = libc.mmap(None, 8 * page, RX, mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS, -1, 0)  # a JIT's
g = libc.mmap(None, 8 * page, RX, mmap.MAP_PRIVATE, fd, 0)
libc.munmap(g, 8 * page)
"""

STAY = """
sys.stdout.write(f"{os.getpid()}\\n"); sys.stdout.flush()
sys.stdin.readline()
"""


@contextlib.contextmanager
def started(*cmd):
    """A command of ours, in its own group."""
    p = subprocess.Popen(list(map(str, cmd)), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, text=True)
    try:
        yield p
    finally:
        p.kill()
        p.communicate()


PYTHON = "/usr/bin/python3"


@test
def mappings_of_a_command_that_changes_them():
    script = CHANGES + "if os.fork(): os.wait(); sys.exit()\n" + CHANGES + STAY
    with started(*lib.argv("run", "-q", "--stacks"), "--", PYTHON, "-c", script) as p:
        pid = int(p.stdout.readline())
        compare_mirror(p.pid, pid)
        p.stdin.write("\n")
        p.stdin.flush()


@test
def mappings_of_a_thread_that_loads_and_of_exec():
    load = ("import os, sys, threading\n"
            "t = threading.Thread(target=lambda: __import__('decimal')); t.start(); t.join()\n")
    script = f"import os, sys\nos.execv('{PYTHON}', ['python3', '-c', {load + STAY!r}])"
    with started(*lib.argv("run", "-q", "--stacks"), "--", PYTHON, "-c", CHANGES + script) as p:
        compare_mirror(p.pid, int(p.stdout.readline()))
        p.stdin.write("\n")
        p.stdin.flush()


@contextlib.contextmanager
def attached(pid, path):
    """A dwell that has attached to pid, and its --json record."""
    with open(path, "w", encoding="utf-8") as out, \
            subprocess.Popen(lib.argv("attach", "--stacks", "--stack-quantum", 0, "--python",
                                      "off", "--json", pid),
                             stdout=out, stderr=subprocess.PIPE, text=True) as p:
        try:
            limit = time.monotonic() + WAIT
            while time.monotonic() < limit:
                with contextlib.suppress(AssertionError, subprocess.CalledProcessError):
                    if any(mirrors(p.pid)):
                        break
                time.sleep(0.1)
            yield p
        finally:
            p.kill()


@test(timeout=WAIT + 60)
def mappings_of_a_process_that_was_there():
    with tempfile.TemporaryDirectory(prefix="dwell-test-") as d, \
            started(PYTHON, "-c", CHANGES + STAY) as p:
        pid = int(p.stdout.readline())
        with attached(pid, os.path.join(d, "out")) as dwell:
            compare_mirror(dwell.pid, pid)
            p.stdin.write("\n")
            p.stdin.flush()
            dwell.wait(WAIT)


FORKS = """
import os, signal, sys, time
signal.signal(signal.SIGCHLD, signal.SIG_IGN)
root = os.getpid()
def child(function):
    if not os.fork():
        function()
        os._exit(0)
def stay():
    while os.getppid() == root:
        time.sleep(0.1)
def brief():
    for _ in range(40):
        time.sleep(0.01)
def forks():
    while os.getppid() == root:
        child(brief)
        t = time.monotonic() + 0.01
        while time.monotonic() < t:
            os.getppid()
for _ in range(int(sys.argv[1])):
    child(stay)
for _ in range(4):
    child(forks)
print("up", flush=True)
sys.stdin.readline()
"""


@test(timeout=WAIT + 60)
def children_of_a_process_that_is_being_read():
    """Forked between the first stack of a process that was there and the answer, what it has."""
    with started(PYTHON, "-c", FORKS, 300) as p:
        p.stdout.readline()
        record = subprocess.run(
            lib.argv("attach", "--stacks", "--stack-quantum", 0, "-F", 499, "--python", "off",
                     "--json", "--duration", 2, p.pid),
            capture_output=True, check=True, text=True, timeout=WAIT).stdout
    ends = json.loads(record.splitlines()[-1])["stacks"]["ends"]
    assert ends["whole"] > 1000, ends
    assert ends["no_mapping"] == 0, ends


# ---- stacks ----

def stacks_of(path, pid, state):
    with open(path, encoding="utf-8") as f:
        last = json.loads(f.readlines()[-1])
    stacks = last["stacks"]
    ours = [t for t in stacks["stack_traces"]
            if t["event"]["pid"] == pid and t["state"] == state and t["user_stack"]]
    return stacks, [[(f["module"], f["address"]) for f in t["user_stack"]] for t in ours]


def compare_stack(cmd, state, wake, ready):
    """The program waits; what eu-stack sees is what dwell says that it waited in."""
    with tempfile.TemporaryDirectory(prefix="dwell-test-") as d, started(*cmd) as p:
        ready(p)
        path = os.path.join(d, "out")
        with attached(p.pid, path) as dwell:
            theirs = elfutils.stacks(p.pid, "-1", timeout=WAIT)[p.pid]
            wake(p)
            dwell.wait(WAIT)
        stacks, ours = stacks_of(path, p.pid, state)
        assert len(theirs) > 3, theirs
        assert any(elfutils.same(o, theirs) for o in ours), \
            f"eu-stack: {elfutils.show(theirs)}; dwell: {list(map(elfutils.show, ours))[:3]}"
        ends = stacks["ends"]
        assert ends["no_table"] == ends["no_file"] == ends["no_room"] == ends["no_row"] == 0, ends


def line(text):
    def wake(p):
        with contextlib.suppress(BrokenPipeError):
            p.stdin.write(text)
            p.stdin.close()
            p.stdin = None
    return wake


@test(timeout=WAIT + 60)
def stack_of_python_as_elfutils_sees_it():
    script = ("import sys\ndef a(n): return a(n - 1) if n else sorted([2, 1], key=lambda x: "
              "sys.stdin.readline())\nprint('up', flush=True)\na(20)")
    compare_stack([PYTHON, "-c", script], "pipe", line("\n\n"), lambda p: p.stdout.readline())


@test
def stack_of_sqlite3_as_elfutils_sees_it():
    program = shutil.which("sqlite3")
    if not program:
        raise AssertionError("no sqlite3: scripts/setup --install")
    compare_stack([program, ":memory:"], "pipe", line("select 1;\n"),
                  lambda p: lib.settle(p.pid))


# Prints the longest time, in ms, in which a CPU did nothing for who comes first on it.
WATCH = """
import os, select, sys, time
os.sched_setaffinity(0, {int(sys.argv[1])})
os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(2))
longest, before = 0, time.monotonic()
while not select.select([0], [], [], 0.001)[0]:
    now = time.monotonic()
    longest, before = max(longest, now - before), now
print(longest * 1000)
"""


@contextlib.contextmanager
def standstill():
    """A list that has the longest time, in ms, for which a CPU stood still."""
    found = []
    with contextlib.ExitStack() as stack:
        watches = [stack.enter_context(started(PYTHON, "-c", WATCH, cpu))
                   for cpu in os.sched_getaffinity(0)]
        yield found
        found.append(max(float(p.communicate("\n", timeout=WAIT)[0]) for p in watches))


LIVES = 4  # ms: an assembler


def cold_compiler():
    """
    A file may be gone before it is opened when dwell did not run while its process did: not for
    want of a CPU, which it has first, but if a machine's CPU is stopped from outside. Then again.
    """
    with tempfile.TemporaryDirectory(prefix="dwell-test-") as d:
        source = os.path.join(d, "a.c")
        with open(source, "w", encoding="ascii") as f:
            f.write("#include <stdio.h>\nint main(void) { return puts(\"\"); }\n")
        for _ in range(5):
            with standstill() as stood:
                result = lib.run(["cc", "-O1", "-o", os.path.join(d, "a"), source], "--stacks",
                                 "--stack-quantum", 0, "-F", 499, timeout=4 * WAIT, check=False)
            if not result.summary["trust"]["lost"]["code_files_not_read"] or stood[0] < LIVES:
                break
            print(f"# a CPU stood still for {stood[0]:.1f} ms")
    lib.check_promises(result)
    s = result.summary["stacks"]
    whole = s["samples"] - s["ends"]["no_user"] - s["ends"]["not_taken"]
    assert whole > 20, s["ends"]
    bad = whole - s["ends"]["whole"]
    assert bad <= 0.02 * whole + 1, s["ends"]
    without = s["ends"]["no_table"] + s["ends"]["no_file"] + s["ends"]["no_room"]
    assert without <= 0.01 * whole, s["ends"]


@test
def a_cold_compiler_has_its_stacks():
    """Its files are known as they are mapped: tables are made while it runs."""
    cold_compiler()


@test
def a_cold_compiler_beside_probes_at_returns():
    """Another's: they stand in the file, for all. Also in stacks that wait for a table."""
    with started(*lib.argv("run", "-q", "--alloc", "--probes", "ledger,memory"), "--",
                 "sh", "-c", "echo up; read x") as other:
        other.stdout.readline()
        cold_compiler()


if __name__ == "__main__":
    main()
