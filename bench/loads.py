# SPDX-License-Identifier: BSD-2-Clause
"""
What is run under the tools. Each load measures itself, so a tool's own start and stop are
not in it (they have their own table): an event load prints the nanoseconds of one event in
its fastest part, a real program its wall time.
"""
import contextlib
import os
import subprocess
import time

import tools
from tools import (BPFTRACE_CALLS, BPFTRACE_SWITCH, CLOCK_SCHED, DWELL_CALLS, DWELL_RUN, EACH_STACK,
                   EMPTY_ALL, EMPTY_CALLS, EMPTY_FAULT, EMPTY_NET, EMPTY_SCHED, EMPTY_TCP, LEDGER,
                   NONE, OFFCPUTIME, PERF_OFTEN, PERF_SCHED, PERF_TRACE, SAMPLE_OFTEN, STACKS,
                   STRACE, SYSCALLS, option, probe)

SETTLE = 0.3  # seconds
CPU = "1" if (os.cpu_count() or 1) > 1 else "0"


class Events:
    unit = "ns"
    least_rounds = 1

    def __init__(self, name, event, command, count, using):
        self.name, self.event, self.command = name, event, command
        self.count, self.tools = count, using

    def argv(self, tool, quick):
        count = max(400, self.count // tool.slow // (4 if quick else 1))
        return [os.path.join(tools.OUT, self.command[0]), *self.command[1:], str(count)]

    def run(self, tool, quick):
        with tool.beside():
            return float(output(tool.argv(self.argv(tool, quick))).split()[0])


TIMED = """timed() {
	from=$(date +%s%N)
	"$@" || return
	to=$(date +%s%N)
	echo $((to - from)) > ns
}
"""


class Program:
    """
    A script in a folder of its own, which says by `timed` what of it is measured: servers that
    are asked every 0.1 s whether they are up are not. `prepare` comes before each run.
    """
    unit = "ms"
    event = "run"
    least_rounds = 5  # what a program takes differs from run to run

    def __init__(self, name, prepare, script, using):
        self.name, self.prepare, self.script, self.tools = name, prepare, script, using

    def run(self, tool, quick):
        folder = os.path.join(tools.OUT, "work")
        os.makedirs(folder, exist_ok=True)
        env = dict(os.environ, BENCH=os.path.join(tools.ROOT, "bench"), N="1" if quick else "3")
        with contextlib.suppress(FileNotFoundError):
            os.remove(os.path.join(folder, "ns"))  # the time of a run before is none of this one
        subprocess.run(["sh", "-c", self.prepare], cwd=folder, env=env, check=True)
        # what the run before left to be written would meet those that start at once the most
        os.sync()
        time.sleep(SETTLE)
        output(tool.argv(["sh", "-c", TIMED + self.script]), cwd=folder, env=env)
        with open(os.path.join(folder, "ns"), encoding="ascii") as f:
            return int(f.read()) / 1e6


def output(argv, **more):
    done = subprocess.run(argv, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
                          timeout=120, check=False, **more)
    if done.returncode:
        raise RuntimeError(f"{argv}: exit code {done.returncode}: {done.stderr.strip()}")
    return done.stdout


REAL = [NONE, EMPTY_ALL, LEDGER, SYSCALLS, DWELL_RUN]
COMPILE = Program(
    "compiling with make -j2",
    "rm -f *.o; printf '%s\\n' 'all: a.o b.o c.o d.o' '%.o:' '\tgcc -O2 -g -D_GNU_SOURCE"
    " -c -o $@ $(BENCH)/start.c' > Makefile",
    "all() { i=0; while [ $i -lt $((N * 3)) ]; do make -s -B -j2; i=$((i + 1)); done; }; timed all",
    [*REAL, STRACE])

SQLITE = Program(
    "sqlite3, one transaction an insert",
    "rm -f db*; awk 'BEGIN { print \"pragma synchronous = off; create table t(a, b);\";"
    " for (i = 0; i < ENVIRON[\"N\"] * 2000; i++)"
    " print \"insert into t values(\" i \", hex(randomblob(40)));\" }' > in.sql",
    "timed sqlite3 db < in.sql > out",
    [*REAL, STRACE])

REDIS = Program(
    "redis-server and redis-benchmark",
    "rm -f sock",
    "redis-server --port 0 --unixsocket sock --save '' > log & "
    "while [ ! -S sock ]; do sleep 0.01; done; "
    "timed redis-benchmark -s sock -q -t set,get -n $((N * 20000)) > bench; "
    "redis-cli -s sock shutdown nosave; wait",
    REAL)

PGBENCH = Program("postgres and pgbench, 4 clients on a socket", "$BENCH/pg make",
                  "$BENCH/pg run; cp pg/ns ns", REAL)

FIO = Program(
    "fio, random reads and writes of 4 KiB in a file",
    "[ -f fio.dat ] || fio --name=f --filename=fio.dat --size=64m --rw=write --bs=1m"
    " --output=/dev/null",
    "timed fio --name=f --filename=fio.dat --size=64m --rw=randrw --bs=4k --ioengine=psync"
    " --io_size=$((N * 256))m --output=/dev/null",
    REAL)

SWITCH = Events("a pipe ping-pong on one CPU", "context switch", ["switch", CPU, "0"], 40000,
                [NONE, EMPTY_SCHED, CLOCK_SCHED, LEDGER, STACKS, EACH_STACK, OFFCPUTIME, DWELL_RUN,
                 BPFTRACE_SWITCH, PERF_SCHED, STRACE])
DEEPER = 100
DEEP = Events(f"the same with {DEEPER} frames more on each stack", "context switch",
              ["switch", CPU, str(DEEPER)], 40000, [NONE, EACH_STACK])
SPIN = Events("arithmetic on one CPU", "thousand turns", ["spin", CPU], 1480000000,
              [NONE, SAMPLE_OFTEN, PERF_OFTEN])
CALLS = Events("getppid in a loop", "system call", ["calls", CPU], 1000000,
               [NONE, EMPTY_CALLS, DWELL_RUN, BPFTRACE_CALLS, PERF_TRACE, STRACE])
FORKS = Events("fork, _exit and wait", "process", ["forks"], 4000,
               [NONE, EMPTY_ALL, LEDGER, DWELL_RUN, BPFTRACE_CALLS, PERF_TRACE, STRACE])


def probed(name, event, mode, count, empty, of):
    """What one probe adds to what it looks at."""
    return Events(name, event, ["probes", mode], count, [NONE, empty, DWELL_CALLS, probe(of), DWELL_RUN])


PROBED = [
    probed("first touches of anonymous pages", "page fault", "fault", 100000, EMPTY_FAULT, "memory"),
    probed("pread of 4 KiB from the page cache", "call", "pread", 200000, EMPTY_CALLS, "io"),
    probed("open and close of /dev/null", "pair of calls", "open", 100000, EMPTY_CALLS, "io"),
    probed("64 bytes over a unix socket", "send and recv", "unix", 100000, EMPTY_CALLS, "network"),
    probed("64 bytes over UDP on loopback", "sendto and recv", "udp", 60000, EMPTY_NET, "network"),
    probed("TCP connections on loopback", "connect, accept, reset", "tcp", 10000, EMPTY_TCP, "network"),
    probed("futex wakes without a waiter", "call", "futex", 400000, EMPTY_CALLS, "locks"),
]


def opted(name, what, event, mode, count, slow):
    """What an option adds to what it looks at."""
    return Events(f"option {name}: {what}", event, ["probes", mode], count,
                  [NONE, DWELL_RUN, option(name, slow)])


OPTED = [
    opted("--alloc", "malloc and free of 64 bytes", "pair of calls", "malloc", 4000000, 50),
    opted("--lock-order", "a mutex that nobody waits for", "lock and unlock", "mutex", 4000000, 50),
    opted("--kmem", "open and close of /dev/null", "pair of calls", "open", 100000, 1),
]
PROGRAMS = [COMPILE, SQLITE, REDIS, PGBENCH, FIO]
LOADS = [SWITCH, DEEP, SPIN, CALLS, FORKS, *PROBED, *OPTED, *PROGRAMS]
