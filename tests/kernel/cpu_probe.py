#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The cpu probe: switches against wait4, migrations against /proc/self/sched, interrupts against
/proc/interrupts and /proc/softirqs of a CPU that the target owned, time by CPU against the
ledger, quotas against cpu.stat, the machine's figures between two readings of the same files.
"""
import contextlib
import glob
import os
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import cgroups
import lib
from tap import main, skip, test

WORK = lib.workload("cpu")
PERIOD, QUOTA = 100000, 20000   # us


def row_of(result, pid):
    rows = [p for p in result.summary["cpu"]["processes"] if p["pid"] == pid]
    assert len(rows) == 1, result.summary["cpu"]["processes"]
    return rows[0]


def run(cmd, opts, **kw):
    # the ledger has its own tests: in a guest whose host is busy its bounds may not hold
    result = lib.run(cmd, "--probes", "cpu", *opts, check=not lib.EMULATED, **kw)
    check_sums(result.summary)
    return result


def check_sums(summary):
    """What has to add up in every run."""
    cpu = summary["cpu"]
    for figures in [cpu] + cpu["processes"]:
        for part in ("hard", "soft"):
            rows = figures[part]["vectors"].values()
            for key in ("count", "ns"):
                assert figures[part][key] == sum(r[key] for r in rows), figures[part]
            assert figures[part]["longest_ns"] <= figures[part]["ns"], figures[part]
            assert (figures[part]["count"] == 0) == (figures[part]["longest_ns"] == 0), figures
    for part in ("hard", "soft"):
        assert cpu[part]["count"] == sum(p[part]["count"] for p in cpu["processes"]), cpu
        assert cpu[part]["ns"] == sum(p[part]["ns"] for p in cpu["processes"]), cpu
    on_cpu = summary["ledger"]["states"]["on_cpu"]["ns"]
    assert cpu["hard"]["ns"] + cpu["soft"]["ns"] <= on_cpu, (cpu, on_cpu)
    device = cpu["hard"]["vectors"].get("device", {"count": 0, "ns": 0})
    for key in ("count", "ns"):
        assert device[key] == sum(d[key] for d in cpu["devices"]), (device, cpu["devices"])
    told = {a["metric"] for a in cpu["absent"]}
    machine = cpu["machine"]
    assert ("idle" in machine) != ("machine.idle" in told), (machine, told)
    assert ("pressure" in machine) != ("machine.pressure" in told), (machine, told)
    assert ("pressure" in cpu["cgroup"]) != ("cgroup.pressure" in told), (cpu["cgroup"], told)
    assert ("node_migrations" in cpu) != ("node_migrations" in told), told


# ---- switches, migrations, time by CPU ----

def switches_are_those_of_wait4(opts):
    result = run([lib.workload("switches"), "processes", 1000], opts)
    fact = result.truth
    for pid in (fact["first"], fact["second"]):
        row = row_of(result, pid)
        assert row["voluntary_switches"] == fact[f"child.{pid}.voluntary"] > (0 if lib.EMULATED else 100), (row, fact)
        assert row["involuntary_switches"] == fact[f"child.{pid}.involuntary"], (row, fact)


def preemptions_are_counted(opts):
    result = run([lib.workload("hogs"), 400 * (4 if lib.EMULATED else 1)], opts)
    for key, least in result.truth.items():
        if key.endswith(".involuntary"):
            row = row_of(result, int(key.split(".")[1]))
            # the hog looked before it ended
            assert least <= row["involuntary_switches"] <= least + 20, (row, least)
            assert least > 10, result.truth


def migrations_are_those_that_were_forced(opts):
    result = run([WORK, "migrate", 100], opts)
    row, fact = row_of(result, result.truth["pid"]), result.truth
    assert row["migrations"] >= fact["moves"], (row, fact)
    if "migrations" in fact:
        assert row["migrations"] == fact["migrations"], (row, fact)
    assert len(result.summary["cpu"]["cpus"]) >= 2, result.summary["cpu"]["cpus"]


def migrations_between_nodes(opts):
    """
    The machine is told to dwell as one whose every CPU is a node of its own: so each forced
    move is one between nodes. Where there is one CPU none is made, and still the program is
    loaded.
    """
    cpus = sorted(os.sched_getaffinity(0))
    with tempfile.TemporaryDirectory(prefix="dwell-nodes-") as d:
        for node in range(max(2, len(cpus))):
            os.mkdir(f"{d}/node{node}")
            with open(f"{d}/node{node}/cpulist", "w", encoding="ascii") as f:
                f.write(f"{cpus[node] if node < len(cpus) else 4000 + node}\n")
        path = os.path.join(d, "report.jsonl")
        command = [WORK, "migrate", 100] if len(cpus) > 1 else ["true"]
        script = 'mount --bind "$0" /sys/devices/system/node && exec "$@"'
        done = subprocess.run(["unshare", "-m", "sh", "-c", script, d, lib.DWELL, "run", "-q",
                               "--probes", "cpu", "--out", path, *opts, "--", *map(str, command)],
                              capture_output=True, text=True, timeout=60, check=False)
        assert done.returncode == 0, done
        cpu = lib.read_records(path)[-1]["cpu"]
    row = cpu["processes"][0]
    assert row["node_migrations"] == row["migrations"] >= 100 * (len(cpus) > 1), row
    assert "node_migrations" not in [a["metric"] for a in cpu["absent"]], cpu["absent"]


def time_by_cpu_is_on_cpu(opts):
    for command in ([lib.workload("on_cpu"), 3, 60], [WORK, "spin", 100],
                    [lib.workload("switches"), "threads", 1000]):
        result = run(command, opts)
        total = sum(c["on_cpu_ns"] for c in result.summary["cpu"]["cpus"])
        ours = result.ledger()["states"]["on_cpu"]["ns"]
        # one whose end was seen late counts in both, but not of the same CPU
        assert total == ours, (command, result.summary["cpu"]["cpus"], ours)
        if "cpu" in result.truth:
            on = {c["cpu"]: c["on_cpu_ns"] for c in result.summary["cpu"]["cpus"]}
            assert on[result.truth["cpu"]] >= 0.9 * result.truth["cpu_ns"], (on, result.truth)


# ---- interrupts ----

def outside(result, pid):
    """Interrupts that may have come before and after the workload read its truth: one a ms."""
    spent = lib.state_of(result.process(pid), "on_cpu")["ns"] - result.truth.get("cpu_ns", 0)
    return 3 + spent // lib.MS


def at_most(ours, bound, what, *facts):
    """Other programs make interrupts too, some hundred at once: more may come beside the truth."""
    if ours > bound:
        raise lib.TimeOff(f"{what}: {ours}, at most {bound}; {facts}")


def count(figures, part, name):
    return figures[part]["vectors"].get(name, {"count": 0})["count"]


SOFTIRQS = ("hi", "timer", "net_tx", "net_rx", "block", "irq_poll", "tasklet", "sched", "hrtimer",
            "rcu")


def compare_spin(opts):
    result = run([WORK, "spin", 300], opts)
    fact = result.truth
    row, more = row_of(result, fact["pid"]), outside(result, fact["pid"])
    at_most(count(row, "hard", "local_timer"), fact["hard.LOC"] + more, "local_timer", row, fact)
    for name in SOFTIRQS:
        at_most(count(row, "soft", name), fact.get(f"soft.{name.upper()}", 0) + more, name, row, fact)
    others = {"reschedule": ("RES",), "irq_work": ("IWI",), "call_function": ("CAL", "TLB"),
              "call_function_single": ("CAL", "TLB")}
    for name, keys in others.items():
        bound = sum(fact.get("hard." + key, 0) for key in keys)
        at_most(count(row, "hard", name), bound + more, name, row, fact)
    # a clock that the target read all the time saw the gaps; way in and out are in them
    taken = row["hard"]["ns"] + row["soft"]["ns"]
    at_most(taken, fact["gap_ns"] + more * 100 * lib.US * lib.SLOW, "time taken", row, fact)
    lib.near(count(row, "hard", "local_timer"), fact["hard.LOC"], 0.1, more, "local_timer")


def a_spinner_gets_its_cpus_interrupts(opts):
    lib.calm(lambda: compare_spin(opts))


def compare_udp(opts):
    result = run([WORK, "udp", 1000], opts)
    fact = result.truth
    row, more = row_of(result, fact["pid"]), outside(result, fact["pid"])
    ours, theirs = count(row, "soft", "net_rx"), fact["soft.NET_RX"]
    assert 0 < ours, (row, fact)
    at_most(ours, theirs + more, "net_rx", row, fact)
    assert row["soft"]["vectors"]["net_rx"]["ns"] >= ours * 50, row
    if not lib.EMULATED:  # a slow machine leaves nearly all to ksoftirqd, which is no target
        lib.near(ours, theirs, 0.05, 5, "net_rx")


def datagrams_to_itself_come_in_softirqs(opts):
    lib.calm(lambda: compare_udp(opts))


def compare_sampled(opts):
    result = run([WORK, "udp", 5000], (*opts, "--sample-interval", 10))
    fact = result.truth
    row, more = row_of(result, fact["pid"]), outside(result, fact["pid"])
    ours, theirs = row["soft"]["count"], sum(v for k, v in fact.items() if k.startswith("soft."))
    assert ours % 10 == 0 and 0 < ours, (row, fact)
    at_most(ours, theirs + more + 10 * os.cpu_count(), "softirqs", row, fact)
    if not lib.EMULATED:  # as above
        lib.near(ours, theirs, 0.05, 20, "softirqs")


def sampled_softirqs_stand_for_all(opts):
    lib.calm(lambda: compare_sampled(opts))


def compare_barriers(opts):
    result = run([WORK, "barrier", 1000], opts)
    fact = result.truth
    row, more = row_of(result, fact["pid"]), outside(result, fact["pid"])
    ours = count(row, "hard", "call_function") + count(row, "hard", "call_function_single")
    at_most(ours, fact.get("hard.CAL", 0) + fact.get("hard.TLB", 0) + more, "calls", row, fact)
    lib.near(ours, fact["barriers"], 0.3, 0, "calls from the other CPU")


def membarriers_interrupt_the_other_thread(opts):
    lib.calm(lambda: compare_barriers(opts))


def device_interrupts():
    """{(number, handler): count} of all CPUs; a line's last field has its handlers."""
    rows = {}
    with open("/proc/interrupts", encoding="ascii") as f:
        cpus = len(f.readline().split())
        for line in f:
            key, _, rest = line.partition(":")
            if key.strip().isdigit():
                fields = rest.split(None, cpus)
                rows[int(key)] = (sum(map(int, fields[:cpus])), fields[-1])
    return rows


def a_bystander_is_hit_by_the_disks_interrupts(opts):
    """Spinners on every CPU while another reads: theirs are the interrupts, not the reader's."""
    path = os.path.join(lib.BUILD, "dwell")
    script = 'for cpu in "$@"; do taskset -c "$cpu" "$WORK" share 600 > /dev/null & done; ' \
             'for i in 1 2 3 4 5 6 7 8; do dd if="$FILE" of=/dev/null bs=4k count=400 ' \
             'iflag=direct 2> /dev/null || dd if="$FILE" of=/dev/null bs=4k count=400 2> /dev/null; done; wait'
    env = {**os.environ, "WORK": WORK, "FILE": path}
    before = device_interrupts()
    result = run(["sh", "-c", script, "sh", *os.sched_getaffinity(0)], opts, env=env)
    after = device_interrupts()
    came = {irq: n - before.get(irq, (0, ""))[0] for irq, (n, _) in after.items()}
    devices = result.summary["cpu"]["devices"]
    if sum(came.values()) < 100:
        skip("reading a file makes no device interrupts here")
    assert devices, came
    for d in devices:
        assert d["count"] <= came[d["irq"]], (d, came)
        assert d["name"] in after[d["irq"]][1], (d, after[d["irq"]])
    hit = [p for p in result.summary["cpu"]["processes"]
           if p["comm"] == "cpu" and count(p, "hard", "device")]
    assert hit, result.summary["cpu"]["processes"]


# ---- quotas ----

@contextlib.contextmanager
def quota_group():
    """A group with a quota, of whichever version has the controller; (path, its cpu.stat)."""
    first = os.path.exists("/sys/fs/cgroup/cpu/cpu.stat")
    top = None if first else cgroups.hierarchy()
    if top:
        with open(os.path.join(top, "cgroup.controllers"), encoding="ascii") as f:
            if "cpu" not in f.read().split():
                skip("no hierarchy has the controller cpu")
        cgroups.write(top, "cgroup.subtree_control", "+cpu")
    with cgroups.cgroup("cpu" if first else None) as path:
        try:
            if first:
                cgroups.write(path, "cpu.cfs_quota_us", QUOTA)
            else:
                cgroups.write(path, "cpu.max", f"{QUOTA} {PERIOD}")
        except OSError as why:
            skip(f"no quota can be set: {why.strerror}")
        yield path


def cpu_stat(path):
    with open(os.path.join(path, "cpu.stat"), encoding="ascii") as f:
        stat = {k: int(v) for k, v in (line.split() for line in f)}
    return {"periods": stat["nr_periods"], "throttled_periods": stat["nr_throttled"],
            "throttled_ns": stat.get("throttled_time", stat.get("throttled_usec", 0) * 1000)}


def check_quota(rows, path, before, after):
    assert [q["path"] for q in rows] == [path], (rows, path)
    ours = rows[0]
    assert (ours["quota_ns"], ours["period_ns"]) == (QUOTA * 1000, PERIOD * 1000), ours
    assert 0 < ours["periods"] <= after["periods"] - before["periods"], (ours, before, after)
    # the group may be stopped once more while the last thread ends
    more = after["throttled_periods"] - before["throttled_periods"] - ours["throttled_periods"]
    assert 0 <= more <= 1 and ours["throttled_periods"] > 0, (ours, before, after)
    off = after["throttled_ns"] - before["throttled_ns"] - ours["throttled_ns"]
    # version 2 tells microseconds
    assert -1000 < off < 1000 + more * 2 * PERIOD * 1000 * os.cpu_count(), (ours, before, after)


def throttling_is_that_of_cpu_stat(opts):
    """
    The target joins a group below the one with the quota, and executes a program in it or does
    not; twice, as the counters do not begin at 0.
    """
    join = 'echo $$ > "$GROUP/cgroup.procs" && '
    rounds = 20000 if lib.EMULATED else 200000
    loop = f"i=0; while [ $i -lt {rounds} ]; do i=$((i + 1)); done"
    with quota_group() as group:
        inner = cgroups.below(group, "inner")
        for script in (join + 'exec "$0" "$@"', join + loop):
            before = cpu_stat(group)
            result = run(["sh", "-c", script, lib.workload("on_cpu"), 2, 50], opts,
                         env={**os.environ, "GROUP": inner})
            check_quota(result.summary["cpu"]["cgroup"]["quotas"], group, before, cpu_stat(group))


def a_group_that_dwell_is_in(opts):
    """The command inherits its group; so does dwell, which is throttled with it."""
    with quota_group() as group:
        result = run([lib.workload("on_cpu"), 1, 60], opts,
                     preexec_fn=lambda: cgroups.write(group, "cgroup.procs", os.getpid()))
        quotas, after = result.summary["cpu"]["cgroup"]["quotas"], cpu_stat(group)
        assert [q["path"] for q in quotas] == [group], quotas
        assert 0 < quotas[0]["throttled_periods"] <= after["throttled_periods"], (quotas, after)
        # the time of a stop is added at its end
        ended = quotas[0]["throttled_periods"] > 1
        assert ended <= quotas[0]["throttled_ns"] <= after["throttled_ns"], (quotas, after)


def attached_counts_from_then_on(opts):
    with quota_group() as group, subprocess.Popen([WORK, "share", "60000"],
                                                  stdout=subprocess.DEVNULL) as child:
        try:
            cgroups.join(group, child.pid)
            # throttled before we come
            lib.until("throttling", lambda: cpu_stat(group)["throttled_periods"] > 3)
            before = cpu_stat(group)
            with tempfile.TemporaryDirectory(prefix="dwell-cpu-") as d:
                path = os.path.join(d, "report.jsonl")
                done = lib.dwell("attach", "-q", "--probes", "cpu", "--out", path, *opts, "-d",
                                 1.5, child.pid)
                assert done.returncode == 0, done
                summary = lib.read_records(path)[-1]
            after = cpu_stat(group)
        finally:
            child.kill()
    quotas = summary["cpu"]["cgroup"]["quotas"]
    assert [q["path"] for q in quotas] == [group], quotas
    for key in ("periods", "throttled_periods", "throttled_ns"):
        assert 0 < quotas[0][key] <= after[key] - before[key], (key, quotas, before, after)
    row = summary["cpu"]["processes"][0]
    assert row["pid"] == child.pid and count(row, "hard", "local_timer") > 0, row


def no_quota_no_row(opts):
    result = run(["true"], opts)
    assert not result.summary["cpu"]["cgroup"]["quotas"], result.summary["cpu"]["cgroup"]


SOURCES = {"tp_btf": ("--source", "cpu=tp_btf"), "raw_tp": ("--source", "cpu=raw_tp")}
for _source, _opts in SOURCES.items():
    for _check in (switches_are_those_of_wait4, preemptions_are_counted,
                   migrations_are_those_that_were_forced, migrations_between_nodes, time_by_cpu_is_on_cpu,
                   a_spinner_gets_its_cpus_interrupts, datagrams_to_itself_come_in_softirqs,
                   sampled_softirqs_stand_for_all,
                   membarriers_interrupt_the_other_thread,
                   a_bystander_is_hit_by_the_disks_interrupts, throttling_is_that_of_cpu_stat,
                   a_group_that_dwell_is_in, attached_counts_from_then_on, no_quota_no_row):
        test(lambda c=_check, o=_opts: c(o), name=f"{_check.__name__} ({_source})")


# ---- the machine: nothing of it depends on the source ----

def proc_stat():
    names = ("user", "nice", "system", "idle", "iowait", "irq", "softirq", "steal")
    with open("/proc/stat", encoding="ascii") as f:
        rows = {line.split()[0]: [int(v) for v in line.split()[1:9]] for line in f}
    facts = {f"{n}_ns": v * 10 * lib.MS for n, v in zip(names, rows["cpu"])}
    return facts, {"interrupts": rows["intr"][0], "softirqs": rows["softirq"][0],
                   "context_switches": rows["ctxt"][0], "forks": rows["processes"][0]}


def pressure(pattern):
    facts = {}
    for path in glob.glob(pattern):
        with open(path, encoding="ascii") as f:
            for line in f:
                resource = os.path.basename(path).split(".")[0]
                facts[resource, line.split()[0]] = int(line.rsplit("=", 1)[1]) * lib.US
    return facts


def load():
    with open("/proc/loadavg", encoding="ascii") as f:
        return [float(v) for v in f.read().split()[:3]]


def within(ours, before, after):
    for key, value in ours.items():
        assert 0 <= value <= after[key] - before[key], (key, value, before[key], after[key])


@test
def the_machine_between_two_readings():
    lib.calm(compare_machine)


def compare_machine():
    before, loads, began = proc_stat(), load(), time.monotonic_ns()
    result = run([lib.workload("hogs"), 400], ())
    after, ended = proc_stat(), time.monotonic_ns()
    machine = result.summary["cpu"]["machine"]
    assert result.summary["wall_ns"] <= machine["wall_ns"], machine
    assert machine["wall_ns"] <= ended - began, machine
    times = dict(machine["cpu_time"])
    times.pop("iowait_ns")      # the kernel lets it fall
    within(times, before[0], after[0])
    moments = {k: machine["counts"].pop(k) for k in ("running", "blocked")}
    assert moments["running"] >= 1, moments     # dwell, which looks
    within(machine["counts"], before[1], after[1])
    # two hogs had one CPU for all of 400 ms, and each gave it up to the other
    busy = sum(times[k] for k in ("user_ns", "nice_ns", "system_ns", "steal_ns"))
    assert busy >= 300 * lib.MS and machine["counts"]["forks"] >= 2, machine
    if list(machine["load"].values()) not in (loads, load()): # it changed twice
        raise lib.TimeOff(machine["load"])
    for cpu in machine.get("cpus", ()):
        idle = sum(s["ns"] for s in cpu["idle"].values())
        # a state is charged when it is left: one that began long before may end in the run
        assert 0 <= idle, cpu


@test
def pressure_of_two_hogs():
    before = pressure("/proc/pressure/*")
    if not before:
        skip("the kernel keeps no pressure")
    result = run([lib.workload("hogs"), 400], ())
    after = pressure("/proc/pressure/*")
    ours = result.summary["cpu"]["machine"]["pressure"]
    for resource, figures in ours.items():
        within({(resource, k[:-3]): v for k, v in figures.items()}, before, after)
    # the kernel weighs each CPU's by how busy it was: another one's may halve it
    assert ours["cpu"]["some_ns"] >= 300 * lib.MS // os.cpu_count(), ours


@test
def pressure_of_the_targets_group():
    lib.calm(compare_group_pressure)


def compare_group_pressure():
    with cgroups.cgroup() as group:
        if not os.path.exists(os.path.join(group, "cpu.pressure")):
            skip("the kernel keeps no pressure of groups")
        result = run([lib.workload("hogs"), 400], (),
                     preexec_fn=lambda: cgroups.write(group, "cgroup.procs", os.getpid()))
        after = pressure(os.path.join(group, "*[uyo].pressure"))
        ours = result.summary["cpu"]["cgroup"]
        assert ours["path"] == group, ours
        for resource, figures in ours["pressure"].items():
            for kind, ns in figures.items():
                assert ns <= after[resource, kind[:-3]], (resource, kind, ns, after)
        assert ours["pressure"]["cpu"]["some_ns"] >= 300 * lib.MS // os.cpu_count(), ours
        # nobody but these waited in it, unless they or dwell had to be read from a disk
        lib.near(ours["pressure"]["io"]["some_ns"], 0, 0, 100 * lib.MS * lib.SLOW, "io")


@test
def idle_cpus_are_idle():
    lib.calm(compare_idle)


def compare_idle():
    files = glob.glob("/sys/devices/system/cpu/cpu*/cpuidle/state*/usage")
    if not files:
        skip("no cpuidle driver")

    def entries():
        total = {}
        for path in files:
            cpu = int(path.split("/")[5][3:])
            with open(path, encoding="ascii") as f:
                total[cpu] = total.get(cpu, 0) + int(f.read())
        return total

    before = entries()
    result = run(["sleep", 0.3], ())
    after = entries()
    machine = result.summary["cpu"]["machine"]
    for cpu in machine["cpus"]:
        ours = sum(s["entries"] for s in cpu["idle"].values())
        assert 0 <= ours <= after[cpu["cpu"]] - before[cpu["cpu"]], (cpu, before, after)
    for name, state in machine["idle"].items():
        for key in ("ns", "entries"):
            assert state[key] == sum(c["idle"][name][key] for c in machine["cpus"]), machine
    if sum(after[cpu] - before[cpu] for cpu in before) < 20:
        skip("the CPUs were not idle: others kept them busy")
    assert sum(s["entries"] for s in machine["idle"].values()) > 0, machine
    # what the kernel's ticks saw idle, its drivers did too
    spent = sum(s["ns"] for s in machine["idle"].values())
    ticks = machine["cpu_time"]["idle_ns"] + machine["cpu_time"]["iowait_ns"]
    lib.near(spent, ticks, 0.3, 60 * lib.MS * len(machine["cpus"]), "idle")


@test
def ticks_tell_what_is_cheap():
    with tempfile.TemporaryDirectory(prefix="dwell-cpu-") as d:
        path = os.path.join(d, "report.jsonl")
        done = lib.dwell("run", "-q", "--probes", "cpu", "--out", path, "--interval", 100, "--",
                         WORK, "spin", 400)
        assert done.returncode == 0, done
        records = lib.read_records(path)
    ticks = [r["probes"]["cpu"] for r in records if r["kind"] == "tree"]
    assert len(ticks) >= 2, records[-1]
    last = records[-1]["cpu"]
    for a, b in zip(ticks, ticks[1:] + [last]):
        assert a["hard"]["count"] <= b["hard"]["count"], (a, b)
        assert a["hard"]["ns"] <= b["hard"]["ns"], (a, b)
        assert a["machine"]["wall_ns"] <= b["machine"]["wall_ns"], (a, b)
        assert "processes" not in a and "idle" not in a["machine"], a


main()
