#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The unwind tables alone, without the kernel: programs that know their stacks (stacks_*) are
stopped and walked in user space (stacks_walk). Every function that the program says must be
there, in its order, and no other of its own; and the walk must reach the thread's start.
"""
import json
import os
import subprocess
import sys
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, skip, test

STAY_MS = "20000"       # ended by us


def ours(name):
    """Functions of the workloads, as against those of libraries."""
    heads = ("stay", "chain_", "alloca_", "vla_", "realign_", "big_", "huge_", "sort_", "tail_", "recurse",
             "depth_", "signal_", "fault_", "context_", "throw_", "pool_", "library_", "plugin_",
             "vfork_", "_ZN5Guard", "brief_", "lazy_")
    return name == "main" or name.startswith(heads)


class Stay:
    """A workload that is where it says."""

    def __init__(self, program, *args, chains=1):
        self.process = subprocess.Popen([lib.workload(program), *args, "sleep", STAY_MS],
                                        stdout=subprocess.PIPE, text=True)
        self.chains = [json.loads(self.process.stdout.readline()) for _ in range(chains)]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.kill()
        self.process.wait()
        self.process.stdout.close()

    def walk(self, tid):
        """The stack once the thread sleeps."""
        for _ in range(200):
            with open(f"/proc/{self.process.pid}/task/{tid}/stat", encoding="ascii") as f:
                if f.read().rpartition(")")[2].split()[0] == "S":
                    break
            time.sleep(0.01)
        done = subprocess.run([lib.workload("stacks_walk"), str(self.process.pid), str(tid)],
                              capture_output=True, text=True, check=True)
        return json.loads(done.stdout)


def check(program, *args, chains=1, root=("_start",)):
    with Stay(program, *args, chains=chains) as stay:
        for said in stay.chains:
            want = [n.replace("Guard::~Guard()", "_ZN5GuardD2Ev") for n in said["chain"]]
            got = stay.walk(said["tid"])
            found = [n.removesuffix(".cold") for n in got["frames"] if ours(n)]
            assert found == want, f"{program} {args}: {got}, wanted {want}"
            assert got["whole"], f"{program} {args}: not whole: {got}"
            assert got["frames"][-1] in root, got["frames"]


@test(name="every form of program: PIE or not, static or not, frame pointers or not")
def every_form_of_program():
    for form in ("", "_fp", "_nopie", "_static", "_static_pie", "_nobuildid"):
        check("stacks_chain" + form)


@test(name="frames that are hard: variable, realigned, big, deep, signals, callbacks")
def frames_that_are_hard():
    for case in ("alloca", "vla", "realign", "big", "huge", "sort", "tail", "depth-60", "depth-1000",
                 "signal", "fault"):
        check("stacks_frames", case)


@test(name="C++: in a handler, and in a destructor that an exception runs")
def exceptions():
    if not os.path.exists(lib.workload("stacks_throw")):
        skip("no C++ compiler")
    for case in ("catch", "unwind"):
        check("stacks_throw", case)


@test(name="a library opened while the program runs")
def a_library_opened_later():
    check("stacks_library")


@test(name="amid lazy binding")
def lazy_binding():
    check("stacks_lazy")


@test(name="threads end in clone")
def threads():
    check("stacks_threads", "7", chains=7, root=("clone3", "__clone3", "?"))


@test(name="a stack of makecontext")
def another_stack():
    """It ends where makecontext() made it begin: after its own function no other is found."""
    with Stay("stacks_frames", "context") as stay:
        got = stay.walk(stay.chains[0]["tid"])
        assert [n for n in got["frames"] if ours(n)] == stay.chains[0]["chain"], got


@test(name="code without unwind information")
def code_without_unwind_information():
    """The walk stops there and does not say that it is whole."""
    with Stay("stacks_chain_nocfi") as stay:
        got = stay.walk(stay.chains[0]["tid"])
        assert not got["whole"] and "main" not in got["frames"], got
        assert got["frames"][-1] == "stay", got


@test(name="a stripped program")
def a_stripped_program():
    """Whole, but its own functions have no names."""
    with Stay("stacks_chain_stripped") as stay:
        got = stay.walk(stay.chains[0]["tid"])
        assert got["whole"] and not any(ours(n) for n in got["frames"]), got
        assert len(got["frames"]) >= len(stay.chains[0]["chain"]) + 4, got


main()
