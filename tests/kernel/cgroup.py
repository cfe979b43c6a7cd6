#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Attaching to a control group: its members and those of the groups below it, with what they
start, and nobody else. Truth is who the test put where.
"""
import contextlib
import os
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import cgroups
import lib
from tap import main, test

SECONDS = 3 if lib.EMULATED else 0.7
# to each its own: who is outside does the same and is called the same
BUSY = [lib.workload("tree"), "stay", "60000"]
FORKING = ["/bin/sh", "-c", "while :; do sleep 0.05; done"]


def is_up(pid):
    """Whether it is what it will be: `stay` has two threads."""
    return lib.comm_of(pid) == "tree-stay" and len(os.listdir(f"/proc/{pid}/task")) == 2


@contextlib.contextmanager
def running(cmd, group=None):
    """PID of a process, in a group or outside."""
    p = subprocess.Popen(cmd, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
                         stdin=subprocess.DEVNULL)
    try:
        if group:
            cgroups.join(group, p.pid)
        lib.until("its threads", lambda: cmd is not BUSY or is_up(p.pid))
        yield p.pid
    finally:
        p.kill()
        p.wait()


def only_members(controller):
    with cgroups.cgroup(controller) as group, running(BUSY), \
            running(BUSY, group) as a, running(BUSY, cgroups.below(group, "inner")) as b:
        result = lib.attach("--cgroup", group, "-d", SECONDS)
        assert {p["pid"] for p in result.processes()} == {a, b}, result.processes()
        assert (result.summary["processes"], result.summary["threads"]) == (2, 4), result.summary
        for pid in (a, b):
            row = result.process(pid)
            assert row["alive"] and lib.state_of(row, "on_cpu")["ns"] > 0, row


@test
def only_members_are_followed():
    only_members(None)


@test
def only_members_of_a_v1_group():
    only_members("freezer")


@test
def what_a_member_starts_is_followed():
    with cgroups.cgroup() as group, running(FORKING), running(FORKING, group) as a:
        result = lib.attach("--cgroup", group, then=lib.after_children(a, 4))
        assert result.process(a)["comm"] == "sh", result.process(a)
        started = [p for p in result.processes() if p["pid"] != a]
        assert len(started) >= 3, result.processes()
        assert all(p["ppid"] == a for p in started), started


@test
def the_members_alone_without_what_they_start():
    with cgroups.cgroup() as group, running(FORKING, group) as a:
        result = lib.attach("--cgroup", group, "-d", SECONDS, "--exclude-children")
        # the sleep of the moment is a member itself
        assert a in {p["pid"] for p in result.processes()} and len(result.processes()) <= 2


@test
def an_empty_group_has_nobody_to_follow():
    with cgroups.cgroup() as group:
        done = lib.dwell("attach", "--cgroup", group, "-d", SECONDS)
        assert done.returncode == 125 and "no process" in done.stderr, done


@test
def no_group_at_all():
    with tempfile.TemporaryDirectory(prefix="dwell-cgroup-") as d:
        for path in (d, d + "/none"):
            done = lib.dwell("attach", "--cgroup", path, "-d", SECONDS)
            assert done.returncode == 125 and path in done.stderr, done


main()
