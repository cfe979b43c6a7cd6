#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Waits for storage, for a page fault's storage and for a lock inside the kernel, each
against the waiter's own measure. A guest has no disk: there a file system on a loop
device, else the test says why it is skipped.
"""
import atexit
import os
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, skip, test

BLOCKS = 24
BLOCK = 1 << 20
REAL = ("ext4", "xfs", "btrfs", "ext2", "ext3")
_place = None


def file_system_of(path):
    """Type of the mount that holds path."""
    best = ("", "")
    with open("/proc/self/mounts", encoding="utf-8") as f:
        for line in f:
            _, at, kind, *_ = line.split()
            if (path == at or path.startswith(at.rstrip("/") + "/")) and len(at) >= len(best[0]):
                best = (at, kind)
    return best[1]


def load_module(name):
    """Loads a module where that is the guest's own business; the mount tells if it failed."""
    for tool in (["modprobe"], ["busybox", "modprobe"]):
        if shutil.which(tool[0]):
            subprocess.run([*tool, name], capture_output=True, check=False)
            return


def loop_place():
    """A directory on a fresh file system on a loop device, unmounted at exit."""
    base = tempfile.mkdtemp(prefix="dwell-storage-")
    image, at = base + "/image", base + "/at"
    os.mkdir(at)
    with open(image, "wb") as f:
        f.truncate(64 << 20)
    mkfs = lib.need("mkfs.ext4")
    for module in ("loop", "ext4"):
        load_module(module)
    for step in ([mkfs, "-q", "-F", image], ["mount", "-o", "loop", image, at]):
        done = subprocess.run(step, capture_output=True, text=True, check=False)
        if done.returncode:
            skip(f"no storage here: {' '.join(step)}: {done.stderr.strip()}")
    atexit.register(subprocess.run, ["umount", at], check=False)
    return at


def place():
    """A directory whose files are on storage that one can wait for."""
    global _place
    if not _place:
        _place = tempfile.gettempdir() if file_system_of(tempfile.gettempdir()) in REAL else None
        _place = _place or ("/var/tmp" if file_system_of("/var/tmp") in REAL else loop_place())
    return _place


def storage_wait(how, state, opts=(), by_file=False):
    def check():
        result, fact, ours, path = compare(how, state, opts)
        if by_file:
            file_object(result, fact, state, path, ours)
    lib.calm(check)


def compare(how, state, opts):
    """One run; the file is made before it, so that writing it is no part of the truth."""
    path = os.path.join(place(), f"dwell-disk-{os.getpid()}")
    with open(path, "wb") as f:
        f.write(b"d" * (BLOCKS * BLOCK))
        os.fsync(f.fileno())
    try:
        result = lib.run([lib.workload("disk"), how, path, BLOCKS], *opts)
    finally:
        os.unlink(path)
    fact = result.truth
    if not fact["blocks"]:
        skip("the storage answered without a wait")
    row = result.process(fact["pid"])
    ours = lib.state_of(row, state)
    # a wait whose end came before the switch is none in the ledger, but one in nvcsw
    assert ours["count"] >= 0.9 * fact["blocks"], \
        f"{how}: {ours['count']}, the waiter counted {fact['blocks']}: {row['states']}"
    # dwell's wait ends at the wakeup, the kernel's when the thread has come to its CPU's
    # queue: a virtual CPU that slept takes its time
    lib.near(ours["ns"], fact["blocked_ns"], lib.PERCENT, 20 * lib.US * lib.SLOW * fact["blocks"],
             f"{how}: {row['states']}")
    return result, fact, ours, path


def file_object(result, fact, state, path, ours):
    rows = [o for o in result.ledger()["objects"]
            if o["pid"] == fact["pid"] and o["state"] == state and o["name"].endswith(path)]
    assert len(rows) == 1, f"{path}: {[o for o in result.ledger()['objects'] if o['pid'] == fact['pid']]}"
    assert rows[0]["kind"] == "file", rows[0]
    lib.near(rows[0]["ns"], ours["ns"], 0.1, 0, "time of the object, of the state")


@test
def o_direct_reads_wait_for_disk():
    storage_wait("direct", "disk", by_file=True)


@test
def reads_of_dropped_pages_wait_for_disk():
    storage_wait("buffered", "disk", by_file=True)


@test
def fsync_waits_for_disk():
    storage_wait("fsync", "disk", by_file=True)


@test
def touching_dropped_pages_waits_in_a_page_fault():
    storage_wait("mapped", "page_fault")


@test
def raw_tp_says_the_same():
    opts = ("--source", "ledger=raw_tp")
    storage_wait("direct", "disk", opts)
    storage_wait("mapped", "page_fault", opts)


@test
def an_inode_lock_is_a_kernel_lock():
    if file_system_of("/dev/shm") != "tmpfs":
        skip("/dev/shm is not tmpfs")
    lib.calm(compare_lock)


def compare_lock():
    result = lib.run([lib.workload("klock"), f"/dev/shm/dwell-klock-{os.getpid()}", 10])
    fact = result.truth
    if not fact["blocks"]:
        skip("the lock was never waited for")
    ours = result.state(fact["pid"], "kernel_lock")
    assert ours["count"] >= 0.9 * fact["blocks"], f"{ours}, {fact['blocks']}"
    lib.near(ours["ns"], fact["blocked_ns"], lib.PERCENT, 20 * lib.US * lib.SLOW * fact["blocks"],
             "kernel_lock")
    rows = [o for o in result.ledger()["objects"]
            if o["pid"] == fact["pid"] and o["state"] == "kernel_lock"]
    assert len(rows) == 1 and rows[0]["kind"] == "kernel_lock", rows
    assert rows[0]["ns"] == ours["ns"], f"{rows[0]}, {ours}"


main()
