# SPDX-License-Identifier: BSD-2-Clause
"""
The tools that are compared, each as the words before a command; and whether a peer works
here at all, found by running it.
"""
import contextlib
import os
import shutil
import signal
import subprocess
import time

ROOT = os.path.dirname(os.path.dirname(os.path.abspath(__file__)))
BUILD = os.path.join(ROOT, "build")
OUT = os.path.join(BUILD, "bench")
DWELL = os.path.join(BUILD, "dwell")

SCHED = "sched_switch,sched_waking"
EVERY = (SCHED + ",sys_exit,task_newtask,sched_process_exec,sched_process_exit,contention_begin,"
         "contention_end,hrtimer_expire_entry,hrtimer_expire_exit,timer_expire_entry,"
         "timer_expire_exit")
SOCKETS = "inet_sock_set_state,tcp_destroy_sock,tcp_send_reset,tcp_receive_reset"
CACHE = "mm_filemap_add_to_page_cache,mm_filemap_fault,mm_filemap_map_pages,writeback_dirty_folio"
BLOCK = "block_getrq,block_rq_issue,block_rq_complete,block_bio_queue,block_bio_complete"
SOFT = "softirq_entry,softirq_exit"
EVERY += (",rss_stat,local_timer_entry,local_timer_exit,irq_work_entry,irq_work_exit,"
          + ",".join((SOCKETS, CACHE, BLOCK, SOFT)))

# What dwell's ledger does, as one would write it: time off the CPU by command, no causes.
BT_SWITCH = """tracepoint:sched:sched_switch {
    @off[args->prev_pid] = nsecs;
    if (@off[args->next_pid]) {
        @ns[args->next_comm] = sum(nsecs - @off[args->next_pid]);
        delete(@off[args->next_pid]);
    }
}"""
BT_CALLS = "tracepoint:raw_syscalls:sys_exit { @[pid, args->id] = count(); }"


class Tool:
    """
    slow: how many times fewer events it is given, and only SLOW_ROUNDS rounds, as its cost
    shows soon. probe: what to run to see whether it works; empty: the tool itself. follower: it
    does not run the command but follows the machine, and is to be running by then.
    """

    def __init__(self, name, prefix, slow=1, probe=None, follower=None):
        self.name, self.prefix, self.slow, self.probe = name, prefix, slow, probe
        self.follower = follower

    def argv(self, command):
        return self.prefix + command

    @contextlib.contextmanager
    def beside(self):
        if not self.follower:
            yield
            return
        with subprocess.Popen(self.follower, stdout=subprocess.DEVNULL,
                              stderr=subprocess.DEVNULL) as process:
            try:
                wait_attached(process)
                yield
            finally:
                process.send_signal(signal.SIGINT)

    def why_not(self):
        """None when the tool works here, else its own words."""
        if self.probe is None:
            return None
        program = (self.probe or self.prefix)[0]
        if not shutil.which(program):
            return f"{program} is not installed"
        try:
            done = subprocess.run(self.probe or self.argv(["/usr/bin/true"]), capture_output=True,
                                  text=True, timeout=60, check=False)
        except subprocess.TimeoutExpired:
            return "it does not end"
        if done.returncode == 0:
            return None
        said = (done.stderr or done.stdout).strip().splitlines() or ["no word of why"]
        errors = [line for line in said if "error" in line.lower()] or said[-1:]
        return f"{errors[0].strip()} (exit code {done.returncode})"


def wait_attached(process):
    """Until it holds a link of a BPF program to its event."""
    folder = f"/proc/{process.pid}/fd"
    end = time.monotonic() + 20
    while time.monotonic() < end and process.poll() is None:
        for fd in os.listdir(folder):
            with contextlib.suppress(OSError):
                if "bpf_link" in os.readlink(f"{folder}/{fd}"):
                    return
        time.sleep(0.02)
    raise RuntimeError(f"{process.args}: not attached")


def bpftrace(script):
    # -c takes the command as one string
    return ["sh", "-c", 'exec bpftrace -o /dev/null -e "$0" -c "$*"', script]


def empty(events):
    return [os.path.join(OUT, "empty"), os.path.join(OUT, "empty.bpf.o"), events]


def dwell(*options):
    return [DWELL, "run", "-q", *options, "-o", "/dev/null", "--"]


def probe(name):
    """dwell with the one probe, and what it cannot do without."""
    return Tool(f"dwell --probes {name}", dwell("--probes", name))


def option(name, slow):
    """dwell with an option that is not on by default."""
    return Tool(f"dwell {name}", dwell(name), slow=slow)


NONE = Tool("no tool", [])
EMPTY_SCHED = Tool("empty programs", empty(SCHED))
CLOCK_SCHED = Tool("empty programs that read the clock",
                   empty("sched_switch_clock,sched_waking_clock"))
EMPTY_CALLS = Tool("empty program", empty("sys_exit"))
EMPTY_ALL = Tool("empty programs", empty(EVERY))
EMPTY_FAULT = Tool("empty programs", empty("rss_stat,task_newtask"))
EMPTY_TCP = Tool("empty programs", empty(f"sys_exit,{SOCKETS},{SOFT},sched_switch,sched_waking"))
EMPTY_NET = Tool("empty programs", empty(f"sys_exit,{SOFT}"))
LEDGER = Tool("dwell --probes ledger", dwell("--probes", "ledger"))
SYSCALLS = Tool("dwell --probes ledger,syscalls", dwell("--probes", "ledger,syscalls"))
STACKS = Tool("dwell --probes ledger,stacks", dwell("--probes", "ledger,stacks"))
EACH_STACK = Tool("the same, --stack-quantum 0",
                  dwell("--probes", "ledger,stacks", "--stack-quantum", "0"))
OFTEN = "9900"
SAMPLE_OFTEN = Tool(f"dwell --probes ledger,stacks -F {OFTEN}",
                    dwell("--probes", "ledger,stacks", "-F", OFTEN))
DWELL_RUN = Tool("dwell", dwell())
DWELL_CALLS = Tool("dwell --probes syscalls", dwell("--probes", "syscalls"))

BPFTRACE_SWITCH = Tool("bpftrace, sched_switch", bpftrace(BT_SWITCH), probe=[])
BPFTRACE_CALLS = Tool("bpftrace, sys_exit", bpftrace(BT_CALLS), probe=[])
STRACE = Tool("strace -f -c", ["strace", "-f", "-c", "-o", "/dev/null"], slow=20, probe=[])
PERF_TRACE = Tool("perf trace -s", ["perf", "trace", "-s", "-o", "/dev/null", "--"], slow=10,
                  probe=[])
PERF_SCHED = Tool("perf sched record",
                  ["perf", "sched", "record", "-o", os.path.join(OUT, "perf.data"), "--"],
                  probe=[])
PERF_OFTEN = Tool(f"perf record -F {OFTEN}, no stacks",
                  ["perf", "record", "-q", "-e", "cpu-clock", "-F", OFTEN, "-o",
                   os.path.join(OUT, "perf.data"), "--"], probe=[])
# Of libbpf-tools: kernel and user stacks, these by frame pointers, of every wait on the machine.
OFFCPUTIME = Tool("offcputime, of libbpf-tools", [], probe=["offcputime", "1"],
                  follower=["offcputime", "600"])
PEERS = [BPFTRACE_SWITCH, BPFTRACE_CALLS, STRACE, PERF_TRACE, PERF_SCHED, PERF_OFTEN, OFFCPUTIME]

# Attached to what runs, by duration. Debian's bcc compiles against kernel headers.
BCC = [Tool("offcputime-bpfcc", [], probe=["offcputime-bpfcc", "-f", "1"]),
       Tool("syscount-bpfcc", [], probe=["syscount-bpfcc", "-d", "1"])]
