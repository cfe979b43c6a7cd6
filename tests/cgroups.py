# SPDX-License-Identifier: BSD-2-Clause
"""
Control groups of a test's own: made below the root of a mounted hierarchy, taken away with
what is left in them. A machine where none can be made skips, and says why.
"""
import contextlib
import os
import signal
import tempfile
import time

from tap import skip


def hierarchy(controller=None):
    """Mount point of cgroup v2, or of a v1 hierarchy that has this controller."""
    with open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape") as f:
        for line in f:
            _, path, kind, options = line.split()[:4]
            if kind == "cgroup2" if not controller else \
                    kind == "cgroup" and controller in options.split(","):
                return path
    return skip(f"no cgroup {'v1 with ' + controller if controller else 'v2'} is mounted")


def write(path, name, text):
    with open(os.path.join(path, name), "w", encoding="ascii") as f:
        f.write(str(text))


def members(path):
    with open(os.path.join(path, "cgroup.procs"), encoding="ascii") as f:
        return [int(line) for line in f]


def remove(path):
    """Thaws, ends what the test left, and removes the group and those below it."""
    for name, text in (("cgroup.freeze", "0"), ("freezer.state", "THAWED")):
        if os.path.exists(os.path.join(path, name)):
            write(path, name, text)
    for entry in os.scandir(path):
        if entry.is_dir():
            remove(entry.path)
    for _ in range(200):
        for pid in members(path):
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        try:
            os.rmdir(path)
            return
        except OSError:     # what ends is a member until it is gone
            time.sleep(0.01)
    os.rmdir(path)


@contextlib.contextmanager
def cgroup(controller=None):
    """Path of a new, empty group."""
    top = hierarchy(controller)
    try:
        path = tempfile.mkdtemp(prefix="dwell-test-", dir=top)
    except OSError as why:
        skip(f"no cgroup can be made in {top}: {why.strerror}")
    try:
        yield path
    finally:
        remove(path)


@contextlib.contextmanager
def memory(limit, swap=True):
    """A group that may have so many bytes, of v1 or v2: (path, whether it is v1)."""
    v1 = any(line.split()[2] == "cgroup" and "memory" in line.split()[3].split(",")
             for line in open("/proc/self/mounts", encoding="utf-8", errors="surrogateescape"))
    if not v1:
        try:
            write(hierarchy(), "cgroup.subtree_control", "+memory")
        except OSError as why:
            skip(f"no memory controller: {why.strerror}")
    with cgroup("memory" if v1 else None) as path:
        write(path, "memory.limit_in_bytes" if v1 else "memory.max", limit)
        total, none = ("memory.memsw.limit_in_bytes", limit) if v1 else ("memory.swap.max", 0)
        if not swap and os.path.exists(os.path.join(path, total)):
            write(path, total, none)
        yield path, v1


def below(path, name):
    """A group in a group."""
    inner = os.path.join(path, name)
    os.mkdir(inner)
    return inner


def join(path, pid):
    try:
        write(path, "cgroup.procs", pid)
    except OSError as why:
        skip(f"no process can be moved into {path}: {why.strerror}")
    assert pid in members(path), f"{pid} is not in {path}"


def freeze(path):
    """Freezes a v2 group; returns when all of it is."""
    write(path, "cgroup.freeze", 1)
    for _ in range(1000):
        with open(os.path.join(path, "cgroup.events"), encoding="ascii") as f:
            if "frozen 1" in f.read():
                return
        time.sleep(0.005)
    raise AssertionError(f"{path} does not freeze")
