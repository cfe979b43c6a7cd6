#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Python frames in stacks, function, file and line, against what the program says of itself: by
the interpreter of this machine, by a later one (tests/get-python), in other processes, name
spaces and embedded in a C program.
"""
import collections
import functools
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, skip, test

HERE = os.path.dirname(os.path.abspath(__file__))
WORKLOADS = os.path.join(os.path.dirname(HERE), "workloads")
CHAINS = os.path.join(WORKLOADS, "python_chains.py")
# of the chains, and how long each sleeps: the program has to see itself there
ROUNDS = (2, 0.1) if lib.EMULATED else (15, 0.01)
SOURCE = []

Stack = collections.namedtuple("Stack", "state ns python native thread")


def stacks_of(path):
    """Rows of a speedscope file; python: (function, file, line), native: names; leaf first."""
    with open(path, encoding="utf-8") as f:
        doc = json.load(f)
    frames = doc["shared"]["frames"]
    rows = []
    for profile in doc["profiles"]:
        for sample, ns in zip(profile["samples"], profile["weights"]):
            *stack, state = [frames[i] for i in sample]
            stack.reverse()
            rows.append(Stack(
                state["name"].strip("[]"), ns,
                [(f["name"], f["file"], f["line"]) for f in stack if "line" in f],
                [f["name"] for f in stack if "line" not in f], stack))
    return rows


PROBES = ("--probes", "ledger,syscalls,stacks")


def sample(cmd, *opts, **kw):
    """dwell run with stacks: what lib.run() gives, and the rows. Nothing is lost."""
    with tempfile.TemporaryDirectory(prefix="dwell-test-") as d:
        path = os.path.join(d, "stacks.json")
        result = lib.run(cmd, "--speedscope", path, "--stack-quantum", "0", *PROBES, *SOURCE,
                         *opts, check=False, timeout=300, **kw)
        lost = {k: v for k, v in result.summary["trust"]["lost"].items() if v}
        assert not lost, f"lost: {lost}"
        return result, stacks_of(path)


def compare(result, rows):
    """Sleeps in nap(): each stack is one that the program saw, and none that it saw is missing."""
    seen = {tuple(map(tuple, frames)): n for frames, n in json.loads(result.truth["stacks"])}
    truth = {s: n for s, n in seen.items() if s[0][0] == "nap"}
    ours = collections.Counter()
    for row in rows:
        if row.state == "sleep" and row.python and row.python[0][0] == "nap":
            ours[tuple(row.python)] += row.ns
    assert len(truth) >= 18, f"{len(truth)} stacks"
    wrong = [s for s in ours if s not in truth]
    # the watcher may miss a nap in a slow guest; it never misses the same place each time
    assert not wrong, f"{len(wrong)} of {len(ours)} never were: {wrong[0]}; like {list(truth)[0]}"
    missing = [s for s, n in truth.items() if n > 2 and s not in ours]
    assert not missing, f"{len(missing)} of {len(truth)} not seen: {missing[0]}"
    unseen = [r for r in rows if r.state == "sleep" and not r.python]
    lost = sum(r.ns for r in unseen)
    total = sum(r.ns for r in rows if r.state == "sleep")
    assert lost <= total * 0.01, f"{lost} of {total} ns asleep without Python frames: {unseen[:3]}"


def later():
    """Root directory of a Python 3.13."""
    done = subprocess.run([os.path.join(os.path.dirname(HERE), "get-python")],
                          capture_output=True, text=True, check=False)
    if done.returncode:
        skip(f"Python 3.13 cannot be had: {done.stderr.strip().splitlines()[-1:]}")
    return done.stdout.strip()


KNOWN = ("3.11", "3.12", "3.13")


def version_of(path):
    done = subprocess.run([path, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"],
                          capture_output=True, text=True, check=False)
    return done.stdout.strip()


@functools.cache
def interpreters():
    """All that are here, by version: Debian's own, and those that pyenv has."""
    places = sorted(glob.glob("/usr/bin/python3.[0-9]*[0-9]"))
    places += sorted(glob.glob(os.path.expanduser("~/.pyenv/versions/3.*/bin/python3.*[0-9]")))
    found = {}
    for path in places:
        found.setdefault(version_of(path), []).append(path)
    return found


def python(version=None):
    """Path of an interpreter of that version; of any that is known."""
    for known in [version] if version else KNOWN:
        if known in interpreters():
            return interpreters()[known][0]
    return skip(f"no Python {version or ', '.join(KNOWN)} here")


def chains(version):
    python(version)
    for path in interpreters()[version][:1 if lib.EMULATED else None]:
        result, rows = sample([path, CHAINS, *ROUNDS])
        assert result.truth["version"] == version, (path, result.truth["version"])
        compare(result, rows)


for one in KNOWN:
    test(functools.partial(chains, one), timeout=120, name=f"chains_of_calls_in_{one}")


@test
def chains_are_right_by_the_other_source():
    SOURCE[:] = ("--source", "ledger=raw_tp")
    try:
        chains(version_of(python()))
    finally:
        SOURCE.clear()


@test
def chains_are_right_in_another_root_directory():
    root = later()
    with tempfile.TemporaryDirectory(prefix="dwell-", dir=os.path.join(root, "tmp")) as d:
        shutil.copy(CHAINS, d)
        inside = "/" + os.path.relpath(os.path.join(d, os.path.basename(CHAINS)), root)
        result, rows = sample([lib.need("chroot"), root, "/usr/bin/python3.13", inside, *ROUNDS])
    assert result.truth["version"] == "3.13", result.truth
    compare(result, rows)


@test
def off_leaves_the_interpreter_as_it_is():
    _, rows = sample([python(), CHAINS, 2, 0.01], "--python", "off")
    assert not any(r.python for r in rows), [r.python for r in rows if r.python][:1]
    names = {n for r in rows for n in r.native}
    assert any(n.startswith("_PyEval_EvalFrameDefault") for n in names), sorted(names)[:40]


SLEEPER = """
import os, sys, time
def leaf():
    time.sleep(0.01)
def chain(n):
    for i in range(n):
        leaf()
"""


def asleep(rows, pid_name=None):
    """Time asleep by its Python functions, leaf first."""
    ns = collections.Counter()
    for row in rows:
        if row.state == "sleep":
            ns[tuple(f for f, _, _ in row.python)] += row.ns
    return ns


@test
def a_forked_child_has_its_own_names():
    code = SLEEPER + """
def in_child():
    chain(10)
if os.fork():
    os.wait()
else:
    in_child()
    os._exit(0)
"""
    _, rows = sample([python(), "-c", code])
    ns = asleep(rows)
    assert set(ns) == {("leaf", "chain", "in_child", "<module>")}, ns
    assert ns[("leaf", "chain", "in_child", "<module>")] >= 100 * lib.MS, ns


@test
def a_code_object_in_the_place_of_another_has_its_own_lines():
    """Both of the same path, name and line table: only their first lines tell them apart."""
    code = """
import time
def template():
    time.sleep(0.007)
places = []
def nap(line):
    made = template.__code__.replace(co_firstlineno=line)
    places.append(id(made))
    for i in range(3):
        exec(made)
for i in range(1, 21):
    nap(1000 * i)
print("places=%d" % len(set(places)))
"""
    result, rows = sample([python(), "-c", code])
    places = result.truth["places"]
    assert places < 20, "no place was used again"
    seen = {r.python[0][2] for r in rows if r.state == "sleep" and r.python}
    assert seen == {1000 * i + 1 for i in range(1, 21)}, f"{places} places: {sorted(seen)}"


@test
def a_name_that_is_not_in_memory_is_read():
    """On a page of a file that nobody has touched, as parts of an interpreter's own are at its start."""
    code = """
import ctypes, mmap, sys, tempfile, time
class A:
    def nap():
        time.sleep(0.005)
code = A.nap.__code__
name = "A.far_away"
libc = ctypes.CDLL(None)
libc.mmap.restype = ctypes.c_void_p
libc.mmap.argtypes = [ctypes.c_void_p, ctypes.c_size_t] + [ctypes.c_int] * 3 + [ctypes.c_long]
with tempfile.TemporaryFile() as f:
    f.write(ctypes.string_at(id(name), sys.getsizeof(name)).ljust(mmap.PAGESIZE))
    f.flush()
    page = libc.mmap(None, mmap.PAGESIZE, 3, mmap.MAP_PRIVATE, f.fileno(), 0)
words = ctypes.cast(id(code), ctypes.POINTER(ctypes.c_uint64))
at = [i for i in range(30) if words[i] == id(code.co_qualname)]
was = words[at[0]]
words[at[0]] = page
for i in range(10):
    A.nap()
words[at[0]] = was
print("at=%d" % len(at))
"""
    result, rows = sample([python(), "-c", code])
    assert result.truth["at"] == 1, result.truth
    assert set(asleep(rows)) == {("A.far_away", "<module>")}, asleep(rows)


@test
def processes_that_end_at_once_have_their_names():
    code = "import time\ndef brief():\n    time.sleep(0.004)\nbrief()"
    _, rows = sample(["sh", "-c", 'for i in 1 2 3 4 5 6 7 8 9 10; do "$0" -c "$1"; done',
                      python(), code])
    ns = asleep(rows)
    assert set(ns) == {("brief", "<module>")} and sum(ns.values()) >= 40 * lib.MS, ns


@test
def threads_have_other_numbers_in_a_pid_namespace():
    _, rows = sample([lib.need("unshare"), "--pid", "--fork", python(), "-c",
                      SLEEPER + "chain(10)"])
    assert set(asleep(rows)) == {("leaf", "chain", "<module>")}, asleep(rows)


@test
def what_lived_before_the_attach_is_found():
    program = subprocess.Popen([python(), "-c", SLEEPER + "chain(100000)"])
    try:
        time.sleep(0.3 * lib.SLOW)
        with tempfile.TemporaryDirectory(prefix="dwell-test-") as d:
            path = os.path.join(d, "stacks.json")
            done = lib.dwell("attach", "-q", "--duration", str(1 if lib.SLOW == 1 else 5),
                             "--speedscope", path, "--stack-quantum", "0", *PROBES, *SOURCE,
                             str(program.pid))
            assert done.returncode == 0, done.stderr
            ns = asleep(stacks_of(path))
    finally:
        program.kill()
        program.wait()
    right = ns[("leaf", "chain", "<module>")]
    # the wait that it was met in has no stack if its code was not yet known
    assert right and right >= 0.9 * sum(ns.values()), ns


@test
def a_library_in_a_c_program_is_found():
    library = "/usr/lib/x86_64-linux-gnu/libpython3.11.so.1.0"
    if not os.path.exists(library):
        skip("there is no " + library)
    _, rows = sample([lib.workload("python_embed"), library])
    sleeps = [r for r in rows if r.state == "sleep" and r.python]
    ns = sum(r.ns for r in sleeps)
    assert ns >= 200 * lib.MS, rows
    for row in sleeps:
        names = [f["name"] for f in row.thread]
        order = [n for n in names if n in ("inner", "embed_call", "outer", "work")]
        assert order == ["inner", "embed_call", "outer", "work"], names
        assert not any(n.startswith("_PyEval_EvalFrame") for n in names), names


@test
def a_deep_stack_says_that_it_is_cut():
    code = SLEEPER + """
def deep(n):
    return deep(n - 1) if n else chain(5)
deep(300)
"""
    _, rows = sample([python(), "-c", code])
    row = max((r for r in rows if r.state == "sleep"), key=lambda r: r.ns)
    functions = [f for f, _, _ in row.python]
    assert functions == ["leaf", "chain"] + ["deep"] * 125, functions
    assert row.native[-1] == "[truncated: deeper than 127 frames]", row.native


@test
def another_version_is_refused_with_its_reason():
    others = [v for v in interpreters() if v and v not in KNOWN and v != "3.6"]
    if not others:
        skip("no Python here but known ones")
    result, rows = sample([python(others[0]), "-c", SLEEPER + "chain(5)"])
    assert not any(r.python for r in rows), rows
    notes = [n for n in result.summary["trust"]["notes"] if "Python" in n]
    assert len(notes) == 1 and notes[0].startswith("no Python frames of "), notes
    assert notes[0].endswith("frames are known of 3.11 to 3.13"), notes


BURNER = """
import sys, time
def spin(n):
    x = 0
    for i in range(n):
        x += i * i
    return x
def numbers(n):
    for i in range(n):
        yield i
def sums(n):
    return sum(numbers(n))
def by_key(n):
    return sorted(range(n), key=lambda x: -x)
def burn(what, seconds):
    start = time.thread_time()
    while time.thread_time() - start < seconds:
        what(20000)
    return time.thread_time() - start
def a():
    return burn(spin, 0.3)
def b():
    return burn(sums, 0.6)
def c():
    return burn(by_key, 0.3)
for f in (a, b, c):
    print(f"{f.__name__}={int(f() * 1e9)}")
"""


def burning(rows):
    """Time on a CPU below each of a, b and c; checks what may stand above."""
    above = {"a": {("spin", "burn")}, "b": {("sums", "burn"), ("numbers", "sums", "burn")},
             "c": {("by_key", "burn"), ("by_key.<locals>.<lambda>", "by_key", "burn")}}
    bodies = {"spin": range(3, 8), "numbers": range(8, 11), "sums": range(11, 13),
              "by_key": range(13, 15), "by_key.<locals>.<lambda>": range(14, 15),
              "burn": range(15, 20)}
    ns = collections.Counter()
    for row in rows:
        functions = [f for f, _, _ in row.python]
        if row.state != "on_cpu" or len(functions) < 3 or row.python[-1][1] != "<string>":
            continue # waiting, or the interpreter's own start
        root = functions[-2]
        stack = tuple(functions[:-2])
        assert not stack or stack == ("burn",) or stack in above[root], row.python
        for function, _, line in row.python[:-2]:
            assert line in bodies[function], (function, line)
        ns[root] += row.ns
    return ns


@test
def on_a_cpu_each_function_has_its_share():
    def check():
        result, rows = sample([python(), "-c", BURNER], "-F", "499")
        ns = burning(rows)
        for name in "abc":
            lib.near(ns[name], result.truth[name], 0.15, 30 * lib.MS * lib.SLOW, name)
    lib.calm(check)


main()
