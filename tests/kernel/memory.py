# SPDX-License-Identifier: BSD-2-Clause
"""
The memory probe against what the kernel tells of the same by other ways: getrusage, mincore,
smaps_rollup, /proc/vmstat, a memory cgroup's own counters; by each of its sources.
"""
import glob
import json
import os
import re
import subprocess
import sys
import tempfile

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests"))

import cgroups
import lib
from lib import BUILD, DWELL, run, workload
from tap import main, skip, test

lib.PROBES = "memory"

PAGE = os.sysconf("SC_PAGESIZE")
WORKLOAD = workload("memory")
SOURCES = ("tp_btf", "raw_tp")
# The program's own start: the dynamic linker's pages and stacks.
SLACK = 64 * PAGE


def memory(args, *opts, source="tp_btf", **kw):
    done = run([WORKLOAD, *args], "--source", f"memory={source}", *opts, **kw)
    assert done.rc == kw.pop("rc", 0) or not kw.get("check", True), (done.rc, done.err)
    return done, done.summary["memory"]


def kmem(args, *opts, source="tp_btf"):
    """
    With --kmem. What an interrupt frees while the program of another free runs is not told of,
    and counted as missed.
    """
    done, m = memory(args, "--kmem", *opts, source=source, check=False)
    assert done.rc == 0, done.err
    lost = {k: v for k, v in done.summary["trust"]["lost"].items() if v}
    assert set(lost) <= {"recursion_missed"}, lost
    return done, m


def by_source(function):
    for source in SOURCES:
        test(lambda s=source: function(s), name=f"{function.__name__}, {source}", timeout=120)
    return function


def near(ours, theirs, bound, what):
    assert abs(ours - theirs) <= bound, f"{what}: {ours}, truth {theirs}, bound {bound}"


def absent(report):
    return {a["metric"]: a["reason"] for a in report["absent"]}


def slack(report):
    """What the probe itself adds: the workload makes the kernel give back what it holds back."""
    assert report["rss_slack_bytes"] >= 21 * PAGE, report["rss_slack_bytes"]
    return 21 * PAGE


def process(report, pid):
    rows = [p for p in report["processes"] if p["pid"] == pid]
    assert len(rows) == 1, [p["pid"] for p in report["processes"]]
    return rows[0]


@by_source
def faults_are_those_of_getrusage(source):
    done, m = memory(["touch", 5000], source=source)
    assert done.truth["minor_here"] >= 5000, done.truth
    # after the workload has read them it writes and ends
    near(m["minor_faults"], done.truth["minor"], 40, "minor faults")
    assert m["minor_faults"] == m["processes"][0]["minor_faults"], m["processes"]


@by_source
def the_peak_of_a_process_is_the_kernel_s(source):
    done, m = memory(["touch", 5000], source=source)
    near(m["rss_peak_bytes"], done.truth["rss"], slack(m) + SLACK, "peak")
    row = process(m, done.ledger()["processes"][0]["pid"])
    assert row["rss_peak_bytes"] == m["rss_peak_bytes"], (row, m["rss_peak_bytes"])
    assert row["rss_bytes"] == 0 and m["rss_bytes"] == 0, "nothing is left at the end"


@by_source
def the_peak_of_a_tree_is_that_of_one_moment(source):
    done, m = memory(["tree", 2000, 4], source=source)
    near(m["rss_peak_bytes"], done.truth["peak"], 5 * (slack(m) + SLACK), "peak")
    each = sum(p["rss_peak_bytes"] for p in m["processes"])
    assert each > m["rss_peak_bytes"] + 8 * 2000 * PAGE, "short-lived children have rows too"
    assert m["rss_bytes"] == 0, m["rss_bytes"]


@by_source
def what_a_fork_shares_counts_in_each(source):
    done, m = memory(["copy", 5000], source=source)
    child = process(m, done.truth["child"])
    assert done.truth["child_rss"] > 5000 * PAGE, done.truth
    near(child["rss_peak_bytes"], done.truth["child_rss"], slack(m) + SLACK, "the child's")
    assert m["rss_peak_bytes"] > 2 * 5000 * PAGE, m["rss_peak_bytes"]


def cold_file():
    """A file of a file system that can drop it, which nobody has mapped."""
    path = os.path.join(BUILD, "dwell.image.o")
    assert os.path.getsize(path) > 64 * PAGE, path
    return path


@by_source
def a_fault_that_reads_is_major(source):
    done, m = memory(["map", cold_file()], source=source)
    if done.truth["resident"]:
        skip(f"{done.truth['resident']} of {done.truth['pages']} pages cannot be dropped")
    # a page that read-ahead or a neighbour's block brought along is minor
    assert done.truth["major_here"] > 0, done.truth
    assert m["major_faults"] >= done.truth["major_here"], (m["major_faults"], done.truth)
    near(m["major_faults"], done.truth["major"], 2, "major faults")


# ---- a memory cgroup with a limit ----

def counter(path, name, key=None):
    text = open(os.path.join(path, name), encoding="ascii").read()
    if not key:
        return int(text)
    found = re.search(rf"^{key} (\d+)$", text, re.M)
    return int(found.group(1)) if found else None


def large_file():
    # on the host's disk, seen from a guest
    found = [p for p in glob.glob("/usr/lib/x86_64-linux-gnu/*.so*")
             if os.path.getsize(p) > 16 << 20]
    if not found:
        skip("no library of 16 MiB at hand")
    return found[0]


@by_source
def reclaim_at_a_limit_is_timed(source):
    big = os.path.join(BUILD, "dwell")
    with tempfile.NamedTemporaryFile(dir=BUILD) as f, cgroups.memory(4 << 20) as (path, v1):
        if os.environ.get("DWELL_GUEST"):
            name = large_file()     # what is written in a guest lies in memory
        else:
            f.write(open(big, "rb").read() * 8)
            f.flush()
            os.fsync(f.fileno())
            name = f.name
        done, m = memory(["cache", path, name], source=source)
        stall = m["reclaim"]["cgroup"]
        if v1:
            refused = counter(path, "memory.failcnt")
            freed = None
        else:
            refused = counter(path, "memory.events", "max")
            freed = counter(path, "memory.stat", "pgsteal_direct")
    if not refused:
        skip("the limit was not reached: the file is small, or was in memory")
    assert stall["count"] > 0, (stall, refused)
    assert 0 < stall["max_ns"] <= stall["ns"] <= done.summary["wall_ns"] \
        if "wall_ns" in done.summary else stall["ns"] > 0, stall
    assert stall["bytes"] > 0, stall
    if freed is not None:
        assert stall["bytes"] == freed * PAGE, (stall, freed)
    assert m["reclaim"]["direct"]["count"] == 0, "the machine had memory"


@by_source
def an_oom_kill_is_seen_with_its_victim(source):
    with cgroups.memory(8 << 20, swap=False) as (path, v1):
        done, m = memory(["limit", path, 8192], source=source, check=False)
        kills = counter(path, "memory.oom_control" if v1 else "memory.events", "oom_kill")
    assert kills == 1, kills
    assert done.rc == 128 + 9 or done.rc == -9, done.rc
    if "oom_kills" not in m:
        raise AssertionError(m["absent"])
    assert m["oom_kills"] == 1 and len(m["ooms"]) == 1, (m["oom_kills"], m["ooms"])
    oom = m["ooms"][0]
    pid = done.ledger()["processes"][0]["pid"]
    assert (oom["pid"], oom["comm"], oom["by_pid"]) == (pid, "memory", pid), oom
    near(oom["rss_bytes"], 8 << 20, 4 << 20, "what it had")


# ---- swap: only where the machine is ours ----

def vmstat(key):
    return counter("/proc", "vmstat", key)


@by_source
def swap_is_what_vmstat_counts(source):
    if not os.environ.get("DWELL_GUEST"):
        skip("swap is the machine's: tested in the guests")
    setup = "busybox modprobe lzo; busybox modprobe lzo-rle; busybox modprobe zram; echo 256M > /sys/block/zram0/disksize && mkswap /dev/zram0 && " \
            "swapon /dev/zram0"
    if not open("/proc/swaps").read().count("zram"):
        made = subprocess.run(setup, shell=True, capture_output=True, text=True)
        if made.returncode:
            skip(f"no zram swap: {made.stderr.strip()[-80:]}")
    with cgroups.memory(16 << 20) as (path, v1):
        out, back = vmstat("pswpout"), vmstat("pswpin")
        done, m = memory(["limit", path, 8192, "again"], source=source)
        out, back = vmstat("pswpout") - out, vmstat("pswpin") - back
    assert out > 4000 and back > 3000, (out, back)
    if "swap_in_bytes" not in m:
        raise AssertionError(m["absent"])
    near(m["swap_in_bytes"], back * PAGE, 64 * PAGE, "read from swap")
    # a page that is still in swap, unchanged, goes there without being written again
    assert m["swap_out_bytes"] >= out * PAGE - 64 * PAGE, (m["swap_out_bytes"], out)
    near(m["swap_out_bytes"], out * PAGE, out * PAGE // 20, "moved to swap")
    assert m["swap_peak_bytes"] >= (8192 * PAGE) - (17 << 20), m["swap_peak_bytes"]
    assert m["major_faults"] >= done.truth["major_here"], (m["major_faults"], done.truth)


# ---- --kmem ----

@by_source
def pipes_are_allocated_where_the_kernel_does(source):
    done, m = kmem(["pipes", 100], source=source)
    sites = [s for s in m["kmem"]["sites"] if s["name"].startswith("alloc_pipe_info+")]
    assert len(sites) == 2, sites       # the pipe and its ring of buffers
    for site in sites:
        assert site["count"] == 100, site
        assert site["frees"] == 100 and site["freed_bytes"] == site["bytes"], site
        assert site["live_bytes"] == 0, site
        assert site["bytes"] >= site["requested_bytes"] > 0, site
    total = sum(s["count"] for s in m["kmem"]["sites"])
    assert total == m["slab_allocs"], (total, m["slab_allocs"])
    assert sum(s["bytes"] for s in m["kmem"]["sites"]) == m["slab_bytes"]


@by_source
def pages_are_allocated_by_order(source):
    done, m = kmem(["touch", 5000], source=source)
    orders = {o["order"]: o for o in m["kmem"]["orders"]}
    assert orders[0]["allocs"] >= 5000, orders
    near(orders[0]["allocs"], 5000, 600, "pages")
    assert sum(o["allocs"] for o in m["kmem"]["orders"]) == m["page_allocs"]
    assert sum(o["allocs"] << o["order"] for o in m["kmem"]["orders"]) * PAGE == \
        m["page_alloc_bytes"]


@test
def kmem_by_sample_stands_for_all():
    done, m = kmem(["touch", 20000], "--sample-interval", 10)
    assert m["kmem"]["sample_interval"] == 10
    near(m["page_allocs"], 20000, 2000, "pages, one in ten looked at")


@test
def what_does_not_fit_is_in_other():
    done, m = kmem(["pipes", 100], "--limit", "memory_sites=4")
    assert any(s["name"] == "other" for s in m["kmem"]["sites"]), m["kmem"]
    assert done.summary["trust"]["folded"]["kmem_sites_in_other"] > 0
    assert sum(s["count"] for s in m["kmem"]["sites"]) == m["slab_allocs"]


# ---- the rest ----

@test
def pss_of_the_living_at_a_tick():
    done, _ = memory(["touch", 100])
    assert "pss" in absent(done.summary["memory"]), "none lives at the end"
    with tempfile.TemporaryDirectory() as d:
        child = subprocess.Popen([WORKLOAD, "sleep", "5000"], stdin=subprocess.PIPE,
                                 stdout=subprocess.PIPE, text=True)
        facts = dict(child.stdout.readline().strip().split("=") for _ in range(2))
        path = os.path.join(d, "out")
        subprocess.run([DWELL, "attach", "-q", "-d", "0.5", "--out", path, str(child.pid)],
                       check=True, timeout=60)
        child.communicate("")
        last = json.loads(open(path).read().splitlines()[-1])["memory"]
    near(last["pss"]["bytes"], int(facts["pss"]), 256 * PAGE, "PSS")    # dwell shares its libraries
    assert last["pss"]["processes"] == 1 and last["pss"]["left_out"] == 0, last["pss"]
    row = last["processes"][0]
    assert (row["pid"], row["pss_bytes"]) == (child.pid, last["pss"]["bytes"]), row
    near(last["rss_bytes"], int(facts["rss"]), slack(last) + SLACK, "attached: RSS")


@test
def the_evidence_has_the_faults():
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "evidence.json")
        _, m = memory(["touch", 100], "--evidence", path)
        told = json.load(open(path))["evidence"]["memory"]
    assert told["page_faults_minor"] == m["minor_faults"] > 100, told
    assert told["page_faults_major"] == m["major_faults"], told
    assert ("cache_misses" in told) == ("pmu" in m and "cache_misses" in m["pmu"]), told


@test
def counters_of_the_cpu_or_why_not():
    done, m = memory(["touch", 100], "--pmu")
    pmu = m["pmu"]
    if "cycles" in pmu:
        assert pmu["cycles"] > 0 and 0 < pmu["counted"] <= 1, pmu
        assert abs(pmu["ipc"] - pmu["instructions"] / pmu["cycles"]) < 1e-6, pmu
    else:
        assert re.search(r"\(E[A-Z]+\)", absent(m)["pmu.cycles"]), m["absent"]
    done, m = memory(["touch", 100])
    assert "pmu" not in m and "--pmu" in absent(m)["pmu"], m["absent"]


main()
