#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The kernel side's walk of frames that are hard, and of programs in all their forms: each says
which of its functions are on its stack (tests/workloads/stacks.h); these, in their order, and no
others of theirs are on dwell's, and it reaches the thread's start.
"""
import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import folded
import lib
from tap import main, test

lib.PROBES = "syscalls,stacks"
SOURCES = ((), ("--source", "ledger=raw_tp"))
CASES = ("alloca", "vla", "realign", "big", "huge", "sort", "tail", "depth-60", "vfork", "signal",
         "fault")
FORMS = ("", "_fp", "_nopie", "_static", "_static_pie", "_nobuildid")


def run(commands, *opts):
    """All of them, one after the other: (lines of --folded, lines of JSON that they wrote, ends)"""
    with tempfile.TemporaryDirectory(prefix="dwell-test-") as d:
        script = "\n".join(" ".join(map(str, c)) for c in commands)
        result = lib.run(["sh", "-c", script], "--stacks", "--stack-quantum", 0, "-F", 499,
                         "--folded", f"{d}/folded", *opts)
        rows = [frames for frames, _ in folded.read(f"{d}/folded")]
    said = [json.loads(line) for line in result.out.splitlines()]
    return rows, said, result.summary["stacks"]["ends"]


def name_of(frame):
    """Without what compilers and dwell add; of libstacks_ifunc.so both names are of one place."""
    return {"lazy_chosen@ifunc": "lazy_choose"}.get(frame, frame.removesuffix(".cold"))


def check(commands, opts, whole=True):
    """Every chain that is said is the whole of a stack's own functions, root first."""
    rows, said, ends = run(commands, *opts)
    chains = [chain[::-1] for s in said for chain in (s.get("chain"), s.get("child")) if chain]
    own = {name for chain in chains for name in chain}
    found = {tuple(name_of(f) for f in line if name_of(f) in own) for line in rows
             if not whole or not any(f.startswith("[truncated") for f in line)}
    assert len(chains) >= len(commands), said
    missing = [chain for chain in chains if tuple(chain) not in found]
    assert not missing, f"{missing} not in {sorted(found)}; {ends}"
    taken = sum(ends.values()) - ends["no_user"]
    assert not whole or ends["whole"] >= 0.99 * taken, ends


def each_source(function):
    for source in SOURCES:
        name = function.__name__ + (" (raw_tp)" if source else "")
        test(lambda source=source: function(source), name=name, timeout=180)
    return function


@each_source
def frames_that_are_hard(source):
    ms = 20 * lib.SLOW ** 0.5
    check([(lib.workload("stacks_frames"), case, "sleep", int(ms)) for case in CASES] +
          [(lib.workload("stacks_lazy"), "sleep", int(ms)),
           (lib.workload("stacks_library"), "sleep", int(ms))], source)


@test
def a_stack_of_makecontext():
    """The C library marks no end of it."""
    check([(lib.workload("stacks_frames"), "context", "sleep", 20)], (), whole=False)


@each_source
def a_frame_that_a_register_finds(source):
    check([(lib.workload("stacks_frames"), "register", "burn", 1),
           (lib.workload("stacks_frames"), "bare", "burn", 1)], source)


ALLOCATES = "import json\nfor i in range({n}): json.dumps(list(range(i)))"


@test
def beside_probes_at_returns():
    """
    --alloc has the kernel change return addresses of the malloc family. Amid its doing so a stack is
    not to be told, which is about one in a hundred of such a program's.
    """
    script = ALLOCATES.format(n=500)
    result = lib.run(["/usr/bin/python3", "-c", script], "--stacks", "--alloc", "-F", 999, check=False)
    ends = result.summary["stacks"]["ends"]
    taken = sum(ends.values()) - ends["no_user"]
    assert taken > 40 and ends["whole"] >= 0.95 * taken, ends


@test
def every_form_of_program():
    check([(lib.workload("stacks_chain" + form), "sleep", 20) for form in FORMS], ())


main()
