#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
32-bit system calls, by a 64-bit program through the old entry and by a 32-bit program:
the whole table is the program's own, under 32-bit names, and a block in such a call has
its cause. The same from every source.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, skip, test

PROGRAMS = ("compat", "compat32")
OPTIONS = {"default": (), "raw_tp": ("--source", "syscalls=raw_tp", "--source", "ledger=raw_tp"),
           "tracepoint": ("--source", "syscalls=tracepoint"), "latency": ("--syscall-latency",)}


def run(program, *opts):
    if not os.path.exists(lib.workload(program)):
        skip("the compiler links no 32-bit program")
    try:
        result = lib.run([lib.workload(program)], *opts)
    except OSError as why:
        skip(why)
    if result.rc in (126, -11):
        skip(f"this kernel runs no 32-bit calls: {result.err.strip()}")
    assert result.rc == 0, (result.rc, result.err)
    return result


def told(result):
    """What the program says that it called: {name: count}, {name: {errno: count}}."""
    calls, errors = {}, {}
    for key, value in result.truth.items():
        kind, _, name = key.partition(".")
        if kind == "call":
            calls[name] = value
        elif kind == "error":
            name, _, errno = name.partition(".")
            errors.setdefault(name, {})[errno] = value
    return calls, errors


def compare_calls(program, opts):
    result = run(program, *opts)
    calls, errors = told(result)
    ours = {n: c["count"] for n, c in result.calls().items() if n not in ("exit", "exit_group")}
    assert ours == calls, f"calls {ours}, the program made {calls}"
    ours = {n: c["errors"] for n, c in result.calls().items() if c["errors"]}
    assert ours == errors, f"errors {ours}, the program got {errors}"
    assert result.summary["syscalls"]["total"] == sum(
        c["count"] for c in result.calls().values()), result.summary["syscalls"]["total"]


def compare_blocks(program, opts):
    result = run(program, *opts)
    row = result.process(result.truth["pid"])
    blocks = {s: v["count"] for s, v in row["states"].items() if s in lib.BLOCKED and v["count"]}
    want = {k.split(".")[1]: v for k, v in result.truth.items() if k.startswith("blocks.")}
    # the child that it has read from may be gone, or not yet, when it waits for it
    if blocks.get("child") == want["child"] + 1:
        blocks["child"] -= 1
    for state in ("disk", "page_fault", "other"):   # exec and first pages may have to be read
        blocks.pop(state, None)
    if blocks.pop("kernel_lock", 0):                # fork waits for who hooks programs just now
        raise lib.TimeOff(row["states"])
    if blocks != want and all(blocks.get(s, 0) <= n for s, n in want.items()) and set(blocks) <= set(want):
        raise lib.TimeOff(f"{blocks}: what it was to wait for was there")
    assert blocks == want, f"blocked {blocks}, the program {want}"
    futex = [o for o in result.ledger()["objects"] if o["kind"] == "futex"]
    assert len(futex) == 1 and int(futex[0]["name"].split()[-1], 16) == result.truth["word"], futex


def add(program, name, opts):
    test(lambda: compare_calls(program, opts), name=f"{program}: calls and errors ({name})")
    if name in ("default", "raw_tp"):
        test(lambda: lib.calm(lambda: compare_blocks(program, opts)),
             name=f"{program}: blocks ({name})")


for _program in PROGRAMS:
    for _name, _opts in OPTIONS.items():
        add(_program, _name, _opts)
main()
