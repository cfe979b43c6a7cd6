#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Every cause of blocking against the waiter's own measure: time within 1 % or 5 us a wait,
count and object exact, longest and percentiles within the histogram's 7 %. One dwell run
holds all kinds of a family; each is a process of its own in it.
"""
import functools
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, skip, test

MS, ROUNDS, TRIES = 2, 9, 5
CAUSES = {
    "nanosleep": "sleep", "clock_nanosleep": "sleep",
    "wait4": "child", "waitid": "child", "vfork": "child",
    "pause": "signal", "sigsuspend": "signal", "sigtimedwait": "signal",
    "stop": "stopped", "stop_running": "stopped",
    "pipe_read": "pipe", "pipe_write": "pipe",
    "tcp_recv": "socket", "tcp_read": "socket", "tcp_accept": "socket", "udp_recvmsg": "socket",
    "unix_recv": "socket", "unix_pair": "socket",
    "epoll": "poll", "poll": "poll", "ppoll": "poll", "select": "poll", "pselect": "poll",
    "poll_timeout": "poll",
    "tty": "tty",
    "futex": "futex", "mutex": "futex",
    "msgrcv": "ipc", "semop": "ipc", "mq_receive": "ipc",
    "io_uring": "io_uring",
}
SCRIPT = 'for k in $1; do echo "kind=$k"; "$0" $k $2 $3 2>&1; echo "rc=$?"; done'


def sections(text):
    """{kind: truth} of the script's output; the error text of a kind is under 'said'."""
    found = {}
    for part in text.split("kind=")[1:]:
        kind, _, rest = part.partition("\n")
        found[kind] = lib.truth(rest)
        found[kind]["said"] = " ".join(li for li in rest.splitlines() if "=" not in li)
    return found


@functools.lru_cache(maxsize=None)
def measured(*opts, attempt=0):
    """One run of every kind; (run, {kind: truth}). A further attempt runs again."""
    cmd = ["/bin/sh", "-c", SCRIPT, lib.workload("waits"), " ".join(CAUSES), MS, ROUNDS]
    result = lib.run(cmd, *opts, timeout=150)
    return result, sections(result.out)


def compare(kind, cause, opts=()):
    attempts = iter(range(TRIES))
    lib.calm(lambda: compare_run(kind, cause, *measured(*opts, attempt=next(attempts))), TRIES)


def compare_run(kind, cause, result, facts):
    fact = facts[kind]
    if fact.get("rc") == lib.EXIT_SKIP:
        skip(fact["said"])
    assert fact.get("rc") == 0, fact
    row = result.process(fact["pid"])
    ours = lib.state_of(row, cause)
    assert ours["count"] == fact["blocks"], \
        f"{kind}: {ours['count']} waits in {cause}, the waiter counted {fact['blocks']}: {row['states']}"
    lib.near(ours["ns"], fact["blocked_ns"], lib.PERCENT, 5 * lib.US * lib.SLOW * fact["blocks"],
             f"{kind} ns")
    lib.near(ours["max_ns"], fact["max_ns"], lib.PERCENT, 20 * lib.US * lib.SLOW, f"{kind} max_ns")
    if fact["blocks"] == fact["calls"]:
        for percent in (50, 95, 99):
            lib.near(ours[f"p{percent}_ns"], lib.rank(fact["each"], percent), 0.07, 5 * lib.US * lib.SLOW,
                     f"{kind} p{percent}_ns")
    for other in lib.BLOCKED:      # nothing of it under another name
        if other != cause:
            lib.near(lib.state_of(row, other)["ns"], 0, 0, 0.01 * ours["ns"], f"{kind}: strays in {other}")


def add(kind, cause):
    test(lambda: compare(kind, cause), name=f"{kind} waits are {cause}", timeout=160)


for _kind, _cause in CAUSES.items():
    add(_kind, _cause)


def objects_of(kind):
    """Objects that the waiter waited on, by time."""
    result, facts = measured()
    fact = facts[kind]
    if fact.get("rc") == lib.EXIT_SKIP:
        skip(fact["said"])
    rows = [o for o in result.ledger()["objects"] if o["pid"] == fact["pid"]]
    return sorted(rows, key=lambda o: -o["ns"]), fact, lib.state_of(
        result.process(fact["pid"]), CAUSES[kind])


def the_object(kind, object_kind):
    """The one object: it must hold all the time and count of the cause."""
    rows, fact, state = objects_of(kind)
    rows = [o for o in rows if o["state"] == CAUSES[kind]]
    assert len(rows) == 1, f"{kind}: {rows}"
    assert rows[0]["kind"] == object_kind, rows[0]
    assert (rows[0]["ns"], rows[0]["count"], rows[0]["max_ns"]) == \
        (state["ns"], state["count"], state["max_ns"]), f"{kind}: {rows[0]} of {state}"
    return rows[0]["name"], fact


def add_futex_object(kind):
    def futex_object():
        name, fact = the_object(kind, "futex")
        assert int(name.split()[-1], 16) == int(fact["address"], 16), f"{name}, address {fact['address']}"
    test(futex_object, name=f"{kind}: the object is the futex's address", timeout=160)


def add_pipe_object(kind):
    def pipe_object():
        name, fact = the_object(kind, "pipe")
        assert name == f"pipe:[{fact['inode']}]", f"{name}, inode {fact['inode']}"
    test(pipe_object, name=f"{kind}: the object is the pipe's inode", timeout=160)


for _kind in ("futex", "mutex"):
    add_futex_object(_kind)
for _kind in ("pipe_read", "pipe_write"):
    add_pipe_object(_kind)


def add_inet_object(kind, protocol):
    def inet_object():
        name, fact = the_object(kind, "socket")
        assert name.startswith(protocol), name
        assert f"127.0.0.1:{fact['port']}" in name, f"{name}, port {fact['port']}"
        if "peer_port" in fact:
            assert name.endswith(f"-> 127.0.0.1:{fact['peer_port']}"), name
    test(inet_object, name=f"{kind}: the object has protocol, addresses and ports", timeout=160)


for _kind in ("tcp_recv", "tcp_read", "tcp_accept"):
    add_inet_object(_kind, "tcp")
add_inet_object("udp_recvmsg", "udp")


@test(timeout=160)
def unix_object_has_the_path():
    name, fact = the_object("unix_recv", "socket")
    assert name.startswith("unix") and fact["path"] in name, f"{name}, path {fact['path']}"


@test(timeout=160)
def tty_object_is_the_device():
    name, fact = the_object("tty", "tty")
    assert name.endswith(fact["path"].removeprefix("/dev")), f"{name}, path {fact['path']}"


@test(timeout=320)
def raw_tp_says_the_same():
    for kind, cause in CAUSES.items():
        rc = measured("--source", "ledger=raw_tp")[1][kind].get("rc")
        assert rc == measured()[1][kind].get("rc"), f"{kind}: the workload's exit code {rc}"
        if rc == 0:
            compare(kind, cause, ("--source", "ledger=raw_tp"))
    used = measured("--source", "ledger=raw_tp")[0].summary["trust"]["sources"]["ledger"]
    assert "raw_tp" in str(used), used


main()
