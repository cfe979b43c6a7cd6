#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Tables by process that many short processes have filled: who lives after them gets rows of its
own, what the dead did is still there, and each row that was given up is counted.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, test

lib.PROBES = "network,locks,syscalls"
PYTHON = "/usr/bin/python3"

# Children that do CHILD one after the other, a moment in which dwell looks, then LATE.
FAMILY = """
import os, time
def child(i):
    {child}
def late():
    {late}
for i in range({n}):
    pid = os.fork()
    if not pid:
        child(i)
        os._exit(0)
    os.waitpid(pid, 0)
time.sleep({pause})
late()
"""


def family(n, child, late, *opts):
    code = FAMILY.format(n=n, child=child, late=late, pause=1.5 * (2 if lib.EMULATED else 1))
    return lib.run([PYTHON, "-S", "-c", code], "-i", 100, *opts, check=False)


def folded(result):
    return {k: v for k, v in result.summary["trust"]["folded"].items() if v}


SEND = "import socket; socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(b'x' * {}, ('127.0.0.1', {}))"


@test
def peers_of_the_dead_make_room():
    result = family(24, SEND.format(10, "20000 + i % 12"), SEND.format(1000, 30000),
                    "--limit", "network_peers=16")
    peers = result.summary["network"]["peers"]
    own = [p for p in peers if p.get("port") == 30000]
    assert len(own) == 1 and own[0]["sent_bytes"] == 1000, peers
    assert sum(p["sent_bytes"] for p in peers) == 24 * 10 + 1000, peers
    assert not result.summary["trust"]["lost_total"], result.summary["trust"]["lost"]


@test
def too_many_rows_of_the_dead_are_added_to_others():
    many = ("import socket; s = socket.socket(socket.AF_INET, socket.SOCK_DGRAM); [s.sendto(b'x' * size, "
            "('127.0.0.1', port)) for port in range(20000, 21400) for size in ([10, 9000] if port == 20700 else [10])]")
    result = family(1, many, SEND.format(1000, 30000), "--limit", "network_peers=1300")
    peers = result.summary["network"]["peers"]
    heavy = [p for p in peers if p.get("port") == 20700]
    assert len(heavy) == 1 and heavy[0]["sent_bytes"] == 9010 and heavy[0]["proc_id"], heavy
    assert any(not p["proc_id"] and p["port"] for p in peers), "no row without a process"
    assert [p["sent_bytes"] for p in peers if p.get("port") == 30000] == [1000], peers[:3]
    assert folded(result)["rows_of_the_dead"] > 500, folded(result)


@test
def allocations_of_the_dead_make_room():
    result = lib.run(["/bin/sh", "-c", "for i in 1 2 3 4 5 6 7 8; do for j in 1 2 3 4; do ls / >/dev/null; done; "
                      "sleep 0.15; done; sleep 0.5; ls -l /"], "--alloc", "-i", 100,
                     "--limit", "memory_heaps=20", "--limit", "memory_callers=800", check=False)
    alloc = result.summary["memory"]["alloc"]
    last = max(p["proc_id"] for p in result.processes())
    own = [p for p in alloc["processes"] if p["proc_id"] == last]
    assert len(own) == 1 and own[0]["allocations"] > 50, own
    # each ls has the same callers: dead or not, they are in the places' rows
    most = max(row["processes"] for row in alloc["callers"] if "other" not in row["frames"])
    assert most > 20, most
    mapped = sum(m["bytes"] for m in alloc["mappings"].values())
    assert mapped < 1 << 30, f"{mapped} bytes: of breaks that are others'"


WAIT = ("import ctypes, struct; word = ctypes.c_uint(0); libc = ctypes.CDLL(None); "
        "soon = ctypes.create_string_buffer(struct.pack('qq', 0, 1000000)); "
        "[libc.syscall(202, ctypes.byref(word), 0, 0, soon, None, 0) for _ in range({})]")


@test
def locks_of_the_dead_make_room():
    result = family(24, WAIT.format(1), WAIT.format(7), "--limit", "locks_futexes=16")
    locks = result.summary["locks"]["locks"]
    own = [row for row in locks if row["pid"] and row["timeouts"] == 7]  # `other` may have as many
    assert len(own) == 1 and own[0]["waits"] == 7, locks
    assert sum(row["timeouts"] for row in locks) == 24 + 7, locks


main()
