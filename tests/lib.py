# SPDX-License-Identifier: BSD-2-Clause
"""
What the tests share: starting dwell and workloads, reading their truth and dwell's
report, and comparing them. Bounds are those of the project's specification; where truth
is a clock, the workload measured it itself.
"""
import contextlib
import json
import os
import shutil
import signal
import subprocess
import tempfile
import time

from tap import skip

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.environ.get("DWELL_BUILD", os.path.join(ROOT, "build"))
DWELL = os.path.join(BUILD, "dwell")
EXIT_SKIP = 77
BLOCKED = ("disk", "page_fault", "futex", "pipe", "socket", "poll", "sleep", "child", "signal",
           "ipc", "tty", "io_uring", "kernel_lock", "stopped", "other")
STATES = ("on_cpu", "runqueue", "preempted") + BLOCKED

US = 1000
MS = 1000 * US
# In an emulated guest a wakeup's way through the kernel takes many times longer, and the
# emulator's own threads compete for the CPUs: times get this much more room, counts none.
EMULATED = bool(os.environ.get("DWELL_GUEST"))
SLOW = 20 if EMULATED else 1
PERCENT = 0.05 if EMULATED else 0.01


def workload(name):
    return os.path.join(BUILD, "tests", "workloads", name)


def need(program):
    """Path of a program that the test cannot do without."""
    path = shutil.which(program)
    if not path:
        skip(f"{program} is not installed")
    return path


def truth(text):
    """key=value lines: numbers as int, comma lists of numbers as lists."""
    facts = {}
    for line in text.splitlines():
        key, equals, value = line.partition("=")
        if not equals:
            continue
        if key.endswith("each"):
            facts[key] = [int(v) for v in value.split(",") if v]
        else:
            facts[key] = int(value) if value.lstrip("-").isdigit() else value
    return facts


def until(what, condition, seconds=20):
    """Waits for what is to come, and returns it."""
    limit = time.monotonic() + seconds * SLOW
    while not (found := condition()):
        assert time.monotonic() < limit, f"{what}: not within {seconds * SLOW} s"
        time.sleep(0.01)
    return found


def stat_of(pid, tid=None):
    """Of a process or thread its fields of /proc/PID/stat from the state on."""
    with open(f"/proc/{pid}/task/{tid or pid}/stat", encoding="ascii", errors="replace") as f:
        return f.read().rpartition(")")[2].split()


def asleep(pid, tid=None):
    """Waits until it sleeps."""
    until(f"{tid or pid} sleeps", lambda: stat_of(pid, tid)[0] == "S")


def are_asleep(pids):
    """Whether all threads of these processes sleep."""
    for pid in pids:
        for tid in os.listdir(f"/proc/{pid}/task"):
            with contextlib.suppress(FileNotFoundError, ProcessLookupError):
                if stat_of(pid, tid)[0] != "S":
                    return False
    return True


def settle(*pids):
    """Waits until they have slept for a while."""
    calm = [0]

    def condition():
        calm[0] = calm[0] + 1 if are_asleep(pids) else 0
        return calm[0] == 10
    until("sleep", condition, 30)


def has_ended(pid):
    """Whether or not somebody has reaped it."""
    try:
        return stat_of(pid)[0] in "ZX"
    except OSError:
        return True


def comm_of(pid):
    with open(f"/proc/{pid}/comm", encoding="utf-8", errors="replace") as f:
        return f.read().rstrip("\n")


def children(pid):
    with open(f"/proc/{pid}/task/{pid}/children", encoding="ascii") as f:
        return [int(child) for child in f.read().split()]


class Run:
    """One dwell that has ended: how, what it wrote, and its report."""

    def __init__(self, done, records):
        self.rc = done.returncode
        self.out = done.stdout
        self.err = done.stderr
        self.records = records
        self.summary = records[-1] if records and records[-1].get("kind") == "summary" else None
        self.truth = truth(self.out) if isinstance(self.out, str) else {}

    def ledger(self):
        assert self.summary, f"no summary; stderr: {self.err}"
        assert self.summary.get("ledger"), f"no ledger; {self.summary['trust']}; {self.err}"
        return self.summary["ledger"]

    def processes(self):
        return self.ledger()["processes"]

    def process(self, pid):
        rows = [p for p in self.processes() if p["pid"] == pid]
        assert len(rows) == 1, f"{len(rows)} rows for pid {pid}: {[p['pid'] for p in self.processes()]}"
        return rows[0]

    def state(self, pid, name):
        return state_of(self.process(pid), name)

    def calls(self):
        return self.summary["syscalls"]["calls"]

    def reconcile(self, name):
        return self.summary["trust"]["reconcile"][name]


def state_of(row, name):
    """A row's state; one that never was may be left out."""
    empty = {"ns": 0, "count": 0, "max_ns": 0, "p50_ns": 0, "p95_ns": 0, "p99_ns": 0}
    return row["states"].get(name, empty)


def read_records(path):
    with open(path, encoding="utf-8", errors="surrogateescape") as f:
        return [json.loads(line) for line in f]


# In an emulated guest the kernel takes seconds to check the programs of all probes: there a
# test file names those that it is about, None for all. Elsewhere all are on, as by default.
PROBES = "syscalls"


def chosen_probes(args):
    ours = args[:args.index("--")] if "--" in args else args
    if not EMULATED or not PROBES or not args or "--probes" in ours or args[0] not in ("run", "attach"):
        return args
    return (args[0], "--probes", PROBES, *args[1:])


def argv(*args):
    """dwell's command line, for who starts it by other means than dwell()."""
    return [DWELL, *map(str, chosen_probes(args))]


def dwell(*args, timeout=60, binary=False, **kw):
    """Runs dwell as it is; the caller names every argument."""
    kw.setdefault("stdin", subprocess.DEVNULL)
    return subprocess.run(argv(*args), capture_output=True, text=not binary,
                          timeout=timeout, **kw)


def run(cmd, *opts, timeout=60, check=True, **kw):
    """dwell run --out FILE OPTS -- CMD; checks that the run keeps its promises."""
    with tempfile.TemporaryDirectory(prefix="dwell-test-") as d:
        path = os.path.join(d, "report.jsonl")
        done = dwell("run", "--quiet", "--out", path, *opts, "--", *map(str, cmd),
                     timeout=timeout, **kw)
        if done.returncode == EXIT_SKIP:
            skip(done.stderr.strip().splitlines()[-1] if done.stderr.strip() else "workload")
        assert os.path.exists(path), f"no report; exit {done.returncode}; stderr: {done.stderr}"
        result = Run(done, read_records(path))
    if check:
        check_promises(result)
    return result


def attach(*args, timeout=60, then=None, check=True):
    """dwell attach --json ARGS; then(it) is called when it has attached. Its report."""
    with tempfile.NamedTemporaryFile(prefix="dwell-attach-") as out:
        p = subprocess.Popen(argv("attach", "-q", "--json", *args), stdin=subprocess.DEVNULL,
                             stdout=out, stderr=subprocess.PIPE, text=True)
        try:
            # its first record says so
            until("dwell", lambda: os.path.getsize(out.name) or p.poll() is not None, 60)
            if then:
                then(p)
            _, err = p.communicate(timeout=timeout)
        finally:
            p.kill()
        done = subprocess.CompletedProcess(p.args, p.returncode, "", err)
        assert os.path.getsize(out.name), f"no report; exit {p.returncode}; {err}"
        result = Run(done, read_records(out.name))
    if check:
        check_promises(result)
    return result


def after_children(pid, n):
    """For attach(): interrupts dwell once a process has been seen with n children, one by one."""
    def wait(watcher):
        seen = set()
        until(f"{n} children", lambda: seen.update(children(pid)) or len(seen) >= n, 30)
        watcher.send_signal(signal.SIGINT)
    return wait


def check_promises(result):
    """What holds in every run: nothing lost, every reconciliation in its bound, sums."""
    trust = result.summary["trust"]
    lost = {k: v for k, v in trust["lost"].items() if v}
    assert not lost, f"lost: {lost}"
    broken = {k: v for k, v in trust["reconcile"].items() if not v["ok"]}
    assert not broken, f"reconcile: {broken}"
    check_sums(result.ledger())


def check_sums(ledger):
    """States and residual add up to the lifetime, processes to the tree."""
    rows = [("tree", ledger)] + [(f"pid {p['pid']}", p) for p in ledger["processes"]]
    for name, row in rows:
        total = sum(s["ns"] for s in row["states"].values()) + row["residual_ns"]
        assert total == row["lifetime_ns"], f"{name}: {total} of {row['lifetime_ns']} ns"
        assert set(row["states"]) <= set(STATES), f"{name}: {sorted(row['states'])}"
    total = sum(p["lifetime_ns"] for p in ledger["processes"])
    if not ledger.get("processes_cut"):
        assert total == ledger["lifetime_ns"], f"processes {total}, tree {ledger['lifetime_ns']}"


class TimeOff(AssertionError):
    """A time is out of its bound; see calm()."""


def near(ours, theirs, relative, absolute, what):
    """Fails unless |ours - theirs| <= relative * theirs or <= absolute."""
    off = abs(ours - theirs)
    bound = max(relative * abs(theirs), absolute)
    if off > bound:
        raise TimeOff(f"{what}: {ours}, truth {theirs}, off {ours - theirs}, bound {bound:.0f}")


def calm(check, tries=3):
    """
    Runs a check until its times (near) hold; any other claim has to hold at once. What a workload measures with its own clock holds
    also what other programs took from it between two readings; on a crowded machine that
    is more than the bound allows. A tool that counts wrong is wrong every time.
    """
    for left in reversed(range(tries)):
        try:
            return check()
        except TimeOff:
            if not left:
                raise


def exit_of(status):
    """(code, signal) of a wait status."""
    if os.WIFSIGNALED(status):
        return None, os.WTERMSIG(status)
    return os.WEXITSTATUS(status), None


def rank(values, percent):
    """Nearest-rank percentile."""
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]
