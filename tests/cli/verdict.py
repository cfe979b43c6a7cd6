#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""What the probes add to the verdict and the screen, on programs whose trouble is known."""
import os
import re
import socket
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import cgroups
import disks
import lib
from tap import main, test

# Syncs of one file that have little to do, and a few of another that have much; says which took longer.
SYNCS = """
import os, sys, time
def sync(path, times, size):
    fd, ns = os.open(path, os.O_CREAT | os.O_WRONLY), 0
    for i in range(times):
        os.pwrite(fd, os.urandom(size), 0)
        begin = time.monotonic_ns()
        os.fsync(fd)
        ns += time.monotonic_ns() - begin
    return ns
print(sync(sys.argv[1], 60, 0), sync(sys.argv[2], 12, 2 << 20))
"""


def screen(*cmd, check=True, opts=()):
    """What the command wrote, and the summary screen, each of its paragraphs in one line."""
    done = lib.dwell("run", "--no-update", *opts, "--", *map(str, cmd))
    assert not check or done.returncode == 0, done
    return done.stdout, re.sub(r"\n +", " ", done.stderr)


@test
def the_file_whose_syncs_took_longest():
    with disks.ext4() as d:
        out, text = screen("/usr/bin/python3", "-c", SYNCS, f"{d}/often", f"{d}/long")
    often, long = map(int, out.split())
    io = re.search(r"72 fsyncs, .*? each, the longest .*?; most of it on (\S+)", text)
    assert io, text
    # on a busy machine each sync waits for a CPU, and the many take longer than the long ones
    named = {name for name, ns in (("often", often), ("long", long)) if ns * 1.3 > often + long - ns}
    assert io[1] in {f"{d}/{name}" for name in named}, (often, long, text)
    said = re.search(r"most of it in 72 fsyncs of \S+ \S+ each, on (\S+)\.", text)
    assert not said or said[1] == io[1], text


@test
def the_function_that_takes_a_kernel_lock():
    def check():
        with tempfile.TemporaryDirectory(prefix="dwell-klock-", dir="/dev/shm") as d:
            _, text = screen(lib.workload("klock"), f"{d}/data", 20)
        said = re.search(r"locks inside the kernel: .*?% of it for rwsem_write in (\w+)\(\)", text)
        if not said:
            raise lib.TimeOff(text)
        assert said[1].endswith("write_iter"), text
    lib.calm(check)


@test
def who_was_killed_for_want_of_memory():
    limit = 8 << 20
    with cgroups.memory(limit, swap=False) as (path, _):
        _, text = screen(lib.workload("memory"), "limit", path, 8192, check=False)
    said = re.search(r"verdict  Out of memory: the kernel killed memory \((\d+)\), which had "
                     r"([\d.]+) MiB resident", text)
    assert said and 4 <= float(said[2]) <= 12, text


@test
def the_peer_with_most_bytes():
    send = "import socket, sys; socket.create_connection(('127.0.0.1', int(sys.argv[1]))).sendall(bytes(5000))"
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        _, text = screen("/usr/bin/python3", "-c", send, port)
    assert re.search(rf"TCP sent 4.88 KiB in 1 message, .*?; most of it with 127\.0\.0\.1:{port} 1 connect", text), text


@test
def what_is_sampled_says_so():
    for opts, mark in ((), ""), (("--sample-interval", "5"), " (softirqs sampled)"):
        _, text = screen(lib.workload("cpu"), "udp", 5000, opts=opts)
        said = re.search(r"interrupted [\d,]+ times(.*?), for .*? most by softirq net_rx", text)
        assert said and said[1] == mark, text


main()
