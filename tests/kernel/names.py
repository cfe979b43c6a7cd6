#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Files are shown by their paths, whole however long, or with a mark where they had no room:
each is waited for with flock, and its path is what the program opened.
"""
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, test

WAITER = '''
import fcntl, os, sys, time
def parent_waits():
    """It is in the list of those who wait a moment before it sleeps."""
    with open("/proc/locks") as f:
        listed = any("->" in line and str(os.getppid()) in line.split() for line in f)
    with open(f"/proc/{os.getppid()}/stat") as f:
        return listed and f.read().rpartition(")")[2].split()[0] == "S"
for path in sys.argv[1:]:
    told, tell = os.pipe()
    if not os.fork():
        fcntl.flock(os.open(path, os.O_RDWR), fcntl.LOCK_EX)
        os.write(tell, b"x")
        calm = 0
        while calm < 3:
            time.sleep(0.001)
            calm = calm + 1 if parent_waits() else 0
        os._exit(0)
    os.read(told, 1)
    fcntl.flock(os.open(path, os.O_RDWR), fcntl.LOCK_EX)
    os.wait()
'''


def make(base, length):
    """A file whose path has so many characters, in directories of 40."""
    path = base
    while len(path) + 42 < length:
        path += "/" + "d" * 40
    os.makedirs(path, exist_ok=True)
    path += "/" + "f" * (length - len(path) - 1)
    open(path, "w").close()
    return path


def waited(paths, *opts):
    result = lib.run(["/usr/bin/python3", "-c", WAITER, *paths], *opts)
    unnamed = result.summary["trust"]["folded"]["objects_unnamed"]
    assert bool(unnamed) == bool(opts), result.summary["trust"]
    return {o["name"] for o in result.ledger()["objects"] if o["kind"] == "file"}


@test
def paths_are_whole():
    with tempfile.TemporaryDirectory(prefix="dwell-names-") as base:
        paths = [make(base, n) for n in range(50, 251, 10)]
        missing = set(paths) - waited(paths)
        assert not missing, sorted(missing, key=len)


@test
def a_path_without_room_ends_as_it_should_and_says_so():
    with tempfile.TemporaryDirectory(prefix="dwell-names-") as base:
        path = make(base, 500)
        cut = [n for n in waited([path]) if n.startswith("...")]
        assert len(cut) == 1 and path.endswith(cut[0][3:]) and len(cut[0]) > 200, cut


@test
def a_long_name_is_cut_and_says_so():
    with tempfile.TemporaryDirectory(prefix="dwell-names-") as base:
        path = f"{base}/{'n' * 150}"
        open(path, "w").close()
        assert f"{base}/{'n' * 124}\N{HORIZONTAL ELLIPSIS}" in waited([path])


@test
def without_room_for_names_files_have_numbers():
    with tempfile.TemporaryDirectory(prefix="dwell-names-") as base:
        paths = [make(base, n) for n in (60, 70, 80)]
        names = waited(paths, "--limit", "ledger_names=1")
        assert len([n for n in names if n.startswith("file:[")]) >= 2, names
        assert len(names & set(paths)) <= 1, names


main()
