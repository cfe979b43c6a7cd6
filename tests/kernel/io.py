#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The io probe against what the programs themselves know of their calls, strace, /proc/PID/io,
mincore and fincore, the disks' own counts and fio; the same from every source.
"""
import contextlib
import functools
import json
import os
import re
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import disks
import lib
from tap import main, skip, test

lib.PROBES = "io"

CALLS, DISK = lib.workload("io_calls"), lib.workload("io_disk")
SOURCES = {"default": (), "raw_tp": ("--source", "io=raw_tp")}
KINDS = ("regular", "directory", "socket", "pipe", "tty", "device", "other")
OPS = ("read", "write", "open", "close", "seek", "fsync", "fdatasync", "sync")
PAGES = 1024


def io_of(result):
    assert result.summary.get("io"), f"{result.summary['trust']['sources']}; {result.err}"
    return result.summary["io"]


def run(cmd, *opts, **kw):
    result = lib.run(cmd, *opts, **kw)
    assert result.rc == 0, result.err
    return result


def every_source(function):
    for source, opts in SOURCES.items():
        test(functools.partial(function, opts), name=f"{function.__name__} ({source})")


# ---- system calls ----

def figures(io):
    """{name: number} in the words of the workload."""
    found = {}
    for kind in KINDS:
        row = io["kinds"].get(kind, {})
        for ours, theirs in (("reads", "read"), ("read_bytes", "read_bytes"), ("opens", "open"),
                             ("writes", "write"), ("written_bytes", "write_bytes"),
                             ("seeks", "seek"), ("syncs", "sync"), ("errors", "errors")):
            found[f"{theirs}.{kind}"] = row.get(ours, 0)
    for op in OPS:
        row = io["calls"].get(op, {})
        found[f"error.{op}"] = row.get("errors", 0)
        if op not in ("read", "write"):
            found[f"call.{op}"] = row.get("count", 0)
    return found


def known(part, folder, opts):
    """What the workload did, against what the run with it has more than the run without."""
    with_it, without = (run([CALLS, p, folder], *opts) for p in (part, "none"))
    base = figures(io_of(without))
    ours = {k: v - base[k] for k, v in figures(io_of(with_it)).items()}
    truth = lib.truth(with_it.out.rstrip("\0"))
    differ = {k: (ours.get(k), v) for k, v in truth.items() if ours.get(k) != v}
    assert not differ, f"name: (dwell, truth): {differ}"
    return with_it


@every_source
def calls_by_kind_of_file(opts):
    with disks.folder() as d:
        known("calls", d, opts)


@every_source
def calls_by_kind_with_latency(opts):
    with disks.folder() as d:
        io = io_of(known("calls", d, (*opts, "--io-latency")))
        for op, row in io["calls"].items():
            time = row["time"]
            assert time["count"] == row["count"], (op, row)
            assert sum(b["count"] for b in time["histogram"]) == row["count"], (op, time)
            assert 0 < time["max_ns"] <= time["ns"], (op, time)
        for kind in KINDS:
            row = io["kinds"].get(kind, {"reads": 0, "writes": 0})
            for what, count in (("read_time", row["reads"]), ("write_time", row["writes"])):
                assert row.get(what, {"count": 0})["count"] == count, (kind, row)


def file_of(io, path):
    """In a guest the root is an overlay: a path may show it twice, not its end."""
    found = [f for f in io["files"] if f["name"].endswith(path)]
    assert len(found) == 1, (path, [f["name"] for f in io["files"]])
    return found[0]


def handed_over(part, opts, **file):
    with disks.folder() as d:
        io = io_of(known(part, d, opts))
        row = file_of(io, f"{d}/{part}")
        assert {k: row[k] for k in file} == file, (row, file)
        assert not any("operations of" in a["metric"] for a in io["absent"]), io["absent"]


@every_source
def io_uring_reads_and_writes(opts):
    handed_over("uring", opts, opens=1, writes=3, written_bytes=12000, reads=2, read_bytes=2000,
                syncs=1, errors=0)


@every_source
def linux_aio(opts):
    handed_over("aio", opts, opens=1, writes=2, written_bytes=12288, reads=3, read_bytes=4000,
                syncs=2, errors=0)


@every_source
def by_file(opts):
    with disks.folder() as d:
        io = io_of(run([CALLS, "calls", d], *opts))
        found = {name: file_of(io, name)
                 for name in (f"{d}/file", f"{d}/copy", "/dev/zero", "/dev/null", "/dev/ptmx")}
        file, copy = found[f"{d}/file"], found[f"{d}/copy"]
        assert (file["reads"], file["writes"], file["syncs"]) == (25, 18, 7), file
        assert (file["seeks"], file["errors"]) == (2, 1), file
        assert file["read_bytes"] == 21260, file
        assert file["written_bytes"] == 10000 + 5 * 512 + 3 * 300, file
        assert copy["written_bytes"] == 2000 + 1500 + 1000, copy
        assert found["/dev/zero"]["read_bytes"] == 3 * 4096, found["/dev/zero"]
        assert {f["pid"] for f in found.values()} == {io["processes"][0]["pid"]}, found


@test
def equal_to_strace():
    strace = lib.need("strace")
    classes = {"read": "read readv pread64 preadv preadv2 sendfile copy_file_range splice tee",
               "write": "write writev pwrite64 pwritev pwritev2 sendfile copy_file_range splice tee",
               "open": "open openat openat2 creat", "close": "close close_range", "seek": "lseek",
               "fsync": "fsync", "fdatasync": "fdatasync",
               "sync": "syncfs sync_file_range msync sync"}
    with disks.folder() as d:
        with tempfile.NamedTemporaryFile("r", prefix="dwell-strace-") as f:
            done = subprocess.run([strace, "-f", "-c", "-o", f.name, CALLS, "calls", d],
                                  capture_output=True, text=True, check=False, timeout=50)
            if done.returncode:
                skip(f"strace: {done.stderr.strip()}")
            rows = re.findall(r"^ *[\d.]+ +[\d.]+ +\d+ +(\d+) +(\d+ +)?(\w+)$", f.read(), re.M)
        counts = {name: (int(n), int(e or 0)) for n, e, name in rows}
        calls = io_of(run([CALLS, "calls", d]))["calls"]
        for op, names in classes.items():
            want = tuple(map(sum, zip((0, 0), *(counts.get(n, (0, 0)) for n in names.split()))))
            assert (calls[op]["count"], calls[op]["errors"]) == want, (op, calls[op], want)


PROC_IO = """
import os, sys
def own():
    fd = os.open("/proc/self/io", os.O_RDONLY)
    return os.read(fd, 4096)
fd = os.open(sys.argv[1] + "/x", os.O_RDWR | os.O_CREAT)
for i in range(int(sys.argv[2])):
    os.write(fd, b"x" * (i * 37))
    os.pread(fd, 777, i)
    r, w = os.pipe()
    os.writev(w, [b"a" * 10, b"b" * i])
    os.read(r, 100)
    os.close(r); os.close(w)
out = own().ljust(512)
os.write(1, out)
os._exit(0)
"""


@test
def bytes_of_proc_pid_io():
    with disks.folder() as d:
        results = [run(["/usr/bin/python3", "-S", "-c", PROC_IO, d, n]) for n in (0, 60)]
        if "rchar" not in results[0].out:
            skip("no /proc/PID/io")
        kernel = [{k: int(v) for k, v in re.findall(r"(\w+): (\d+)", r.out)} for r in results]
        calls = [io_of(r)["calls"] for r in results]
        for ours, theirs in (("read", "rchar"), ("write", "wchar")):
            more = calls[1][ours]["bytes"] - calls[0][ours]["bytes"]
            # the last read of /proc/self/io itself may be some digits longer
            assert abs(more - (kernel[1][theirs] - kernel[0][theirs])) <= 16, (ours, more, kernel)
        for ours, theirs in (("read", "syscr"), ("write", "syscw")):
            more = calls[1][ours]["count"] - calls[0][ours]["count"]
            assert more == kernel[1][theirs] - kernel[0][theirs], (ours, more, kernel)


AGAIN = """
import os, sys
for n in range(40):
    fd = os.open(sys.argv[1], os.O_CREAT | os.O_WRONLY | os.O_EXCL)
    os.write(fd, b"x" * (n + 1))
    os.fsync(fd)
    os.close(fd)
    os.unlink(sys.argv[1])
"""


@test
def a_file_made_again_and_again_is_one_row():
    with disks.folder() as d:
        path = f"{d}/journal"
        io = io_of(run(["/usr/bin/python3", "-c", AGAIN, path]))
        row = file_of(io, path)
    assert row["inodes"] == row["opens"] == row["writes"] == row["syncs"] == 40, row
    assert row["written_bytes"] == sum(range(41)), row
    assert all(f["inodes"] == 1 for f in io["files"] if f["name"] not in (path, "other")), io["files"]
    assert io["files_seen"] >= 40 + len(io["files"]) - 2, io["files_seen"]


@test
def a_file_made_again_needs_no_further_row():
    with disks.folder() as d:
        path = f"{d}/journal"
        result = run(["/usr/bin/python3", "-S", "-E", "-c", AGAIN, path], "--limit", "io_files=100")
        row = file_of(io_of(result), path)
        assert row["inodes"] == row["opens"] == row["writes"] == 40, row
        result = run(["/bin/sh", "-c", f"i=0; while [ $i -lt 40 ]; do : > {path}; rm {path}; i=$((i+1)); done"],
                     "--limit", "io_files=30")
        row = file_of(io_of(result), path)
        assert row["inodes"] == row["opens"] == 40, row
        assert not result.summary["trust"]["folded"]["io_calls_in_other"], result.summary["trust"]


DIRECTORIES = """
import os, sys
for n in range(8):
    at = f"{sys.argv[1]}/{n}"
    os.mkdir(at)
    for name in ("a", "result.of.the.run"):
        with open(f"{at}/{name}", "wb") as f:
            f.write(b"x" * (n + 1))
        os.unlink(f"{at}/{name}")
    os.rmdir(at)
"""


@test
def the_same_name_in_another_directory_is_another_file():
    # the file system gives each directory the inode that the one before it had
    with disks.ext4() as d:
        io = io_of(run(["/usr/bin/python3", "-c", DIRECTORIES, d]))
        for name in ("a", "result.of.the.run"):
            seen = [file_of(io, f"{d}/{n}/{name}") for n in range(8)]
            assert [f["written_bytes"] for f in seen] == list(range(1, 9)), seen
            assert all(f["inodes"] == 1 for f in seen), seen


@test
def two_names_of_a_file_are_one_row():
    with disks.folder() as d:
        script = f"echo one > {d}/first; ln {d}/first {d}/second; echo two >> {d}/second; " \
                 f"mv {d}/second {d}/third; echo three >> {d}/third"
        row = file_of(io_of(run(["/bin/sh", "-c", script])), f"{d}/first")
        assert (row["opens"], row["writes"], row["inodes"]) == (3, 3, 1), row


@test
def fsyncs_are_timed_always():
    def check():
        with disks.ext4() as d:
            result = run([DISK, "fsync", f"{d}/f", 20])
            calls = io_of(result)["calls"]
            ours = [calls[op]["time"] for op in ("fsync", "fdatasync")]
            assert [t["count"] for t in ours] == [10, 10], ours
            lib.near(sum(t["ns"] for t in ours), result.truth["sync_ns"], 0.05,
                     20 * 50 * lib.US * lib.SLOW, "time of fsyncs")
            lib.near(max(t["max_ns"] for t in ours), result.truth["sync_max_ns"], 0.05,
                     100 * lib.US * lib.SLOW, "longest fsync")
    lib.calm(check)


@test
def a_full_file_table_folds():
    with disks.folder() as d:
        for i in range(20):
            with open(f"{d}/{i}", "w", encoding="ascii") as f:
                f.write("x" * 100)
        result = run(["/bin/sh", "-c", f"cat {d}/*"], "--limit", "io_files=4")
        io = io_of(result)
        assert io["files_seen"] == 4 and len(io["files"]) == 5, io["files"]
        assert io["files"][-1]["name"] == "other", io["files"]
        assert result.summary["trust"]["folded"]["io_calls_in_other"] > 16
        assert sum(f["read_bytes"] for f in io["files"]) == \
            sum(io["kinds"].get(k, {"read_bytes": 0})["read_bytes"] for k in
                ("regular", "directory", "tty", "device")), io


@test
def by_process():
    with disks.folder() as d:
        script = f"dd if=/dev/zero of={d}/a bs=1000 count=50 status=none; " \
                 f"dd if={d}/a of=/dev/null bs=500 status=none; cat {d}/a | wc -c"
        io = io_of(run(["/bin/sh", "-c", script]))
        rows = {p["comm"]: p for p in io["processes"]}
        first, second = [p for p in io["processes"] if p["comm"] == "dd"]
        if first["kinds"]["device"]["reads"] != 50:
            first, second = second, first
        assert first["kinds"]["regular"]["written_bytes"] == 50000, first
        assert first["kinds"]["device"]["read_bytes"] == 50000, first
        assert second["kinds"]["device"]["written_bytes"] == 50000, second
        assert second["kinds"]["device"]["writes"] == 100, second
        assert rows["wc"]["kinds"]["pipe"]["read_bytes"] == 50000, rows["wc"]
        for op in OPS:
            total = sum(p["calls"].get(op, {"count": 0})["count"] for p in io["processes"])
            assert total == io["calls"].get(op, {"count": 0})["count"], op


# ---- the page cache ----

@contextlib.contextmanager
def cached_file():
    with disks.ext4() as d:
        path = f"{d}/data"
        with open(path, "wb") as f:
            f.write(os.urandom(PAGES * 4096))
            f.flush()
            os.fsync(f.fileno())
        yield path


def fincore(path):
    done = subprocess.run([lib.need("fincore"), "-n", "-b", "-o", "PAGES", path], capture_output=True,
                          text=True, check=True)
    return int(done.stdout)


def cache_of(mode, path, opts, *args):
    result = run([DISK, mode, path, *args], *opts)
    return io_of(result)["cache"], result.truth


@every_source
def reads_hit_or_miss(opts):
    """Pages that came in are misses, by mincore; the rest of what was read are hits."""
    lib.calm(lambda: check_reads(opts))     # another program may drop the machine's caches


def check_reads(opts):
    with cached_file() as path:
        for mode, chunk in (("cold", 4096), ("cold", 65536), ("warm", 65536), ("sparse", 4096),
                            ("small", 1000), ("half", 16384)):
            cache, truth = cache_of(mode, path, opts, chunk)
            assert cache["read_pages"] == truth["pages"], (mode, cache, truth)
            lib.near(cache["added"]["read"], truth["brought"], 0, 0, f"{mode}: pages brought in")
            assert cache["misses"] == min(truth["brought"], truth["pages"]), (mode, cache)
            assert cache["hits"] == cache["read_pages"] - cache["misses"], (mode, cache)
            if mode == "cold":
                lib.near(cache["misses"], PAGES, 0, 0, "misses of a cold read")
                assert cache["hit_ratio"] == 0, cache
            if mode == "warm":
                lib.near(cache["misses"], 0, 0, 0, "misses of a warm read")
                assert cache["hit_ratio"] == 1, cache
        lib.near(cache["added"]["read"], fincore(path), 0, 0, "pages that fincore sees")


@every_source
def direct_reads_pass_the_cache_by(opts):
    with cached_file() as path:
        cache, _ = cache_of("direct", path, opts)
        assert (cache["read_pages"], cache["added"]["read"]) == (0, 0), cache


@every_source
def pages_dirtied(opts):
    with disks.ext4() as d:
        for mode in ("dirty", "again"):
            result = run([DISK, mode, f"{d}/{mode}", 300], *opts)
            io, truth = io_of(result), result.truth
            cache = io["cache"]
            assert cache["added"]["write"] == truth["brought"] == 300, (cache, truth)
            # the kernel's own count, in task_struct, is made elsewhere
            assert cache["dirtied"] * 4096 == io["storage_written_bytes"], io
            assert truth["dirtied"] <= cache["dirtied"] <= truth["dirtied"] + 16, (cache, truth)


@every_source
def faults_on_mappings(opts):
    # a page of the program itself or of libc may have left the machine's cache
    lib.calm(lambda: check_faults(opts))


def check_faults(opts):
    with cached_file() as path:
        base, _ = cache_of("none", path, opts)
        for mode in ("map", "mapwrite"):
            cache, truth = cache_of(mode, path, opts)
            if "faults" not in cache:
                skip("no tracepoints of faults, and functions cannot be hooked")
            lib.near(cache["added"]["fault"], truth["brought"], 0, 0, f"{mode}: pages brought in")
            # the program's own start takes two more or less
            assert abs(cache["faults"] - base["faults"] - truth["faults"]) <= 4, \
                (mode, cache, base, truth)
            assert truth["faults"] >= 60, truth


# ---- block devices ----

def on_a_disk(function):
    """
    By every source. Pages of the program itself that had left the machine's cache are read from
    another disk, and are in the tree's figures: then it is looked at again.
    """
    def check(opts):
        lib.calm(lambda: function(opts))
    check.__name__ = function.__name__
    every_source(check)


def block_of(mode, device, opts, n):
    before = disks.stat(device)
    result = run([DISK, mode, device, n], *opts)
    after = disks.stat(device)
    delta = {op: tuple(b - a for a, b in zip(before[op], after[op])) for op in before}
    return io_of(result), delta, result


def as_stat(row):
    return row["requests"], row["merges"], row["bytes"]


def equal_to_disk(io, device, delta):
    """Our row of the disk against the kernel's counts of it; the disks add up to the tree."""
    rows = [d for d in io["devices"] if d["name"] == os.path.basename(device)]
    assert len(rows) == 1, io["devices"]
    lib.near(sum(bool(d["block"]) for d in io["devices"]), 1, 0, 0, "disks that are read or written")
    none = {"requests": 0, "merges": 0, "bytes": 0, "errors": 0}
    for op in ("read", "write"):
        assert as_stat(rows[0]["block"].get(op, none)) == delta[op], (op, rows[0], delta)
        disks_sum = [as_stat(d["block"].get(op, none)) for d in io["devices"]]
        assert as_stat(io["block"].get(op, none)) == tuple(map(sum, zip(*disks_sum))), (op, io)
    # the machine may hide a completion: no event comes while the sandbox's own agent is current
    assert rows[0]["in_flight"] <= io["in_flight"] <= (0 if lib.EMULATED else 2), rows[0]
    return rows[0]


@on_a_disk
def requests_one_by_one(opts):
    with disks.loop() as device:
        for mode, op in (("devread", "read"), ("devwrite", "write")):
            io, delta, _ = block_of(mode, device, opts, 20)
            row = equal_to_disk(io, device, delta)
            assert delta[op] == (20, 0, 20 * 16384), delta
            assert row["max_depth"] == 1, row
            times = io["block"][op]
            for part in ("queue", "device"):
                assert times[part]["count"] == 20, times[part]
                assert sum(b["count"] for b in times[part]["histogram"]) == 20, times[part]
                assert 0 < times[part]["max_ns"] <= times[part]["ns"], times[part]


@on_a_disk
def requests_merged(opts):
    with disks.loop() as device:
        for mode in ("batch", "reverse"):
            io, delta, _ = block_of(mode, device, opts, 16)
            row = equal_to_disk(io, device, delta)
            assert delta["read"] == (1, 15, 65536), (mode, delta)
            assert row["block"]["read"]["queue"]["count"] == row["max_depth"] == 1, row


@on_a_disk
def queue_depth(opts):
    with disks.loop() as device:
        io, delta, result = block_of("spread", device, opts, 24)
        row = equal_to_disk(io, device, delta)
        assert delta["read"] == (24, 0, 24 * 4096), delta
        assert row["max_depth"] == 24 <= io["max_depth"], (row, io["max_depth"])
        # by Little's law: what all of them waited, by the time of the run
        waited = sum(disk_ns(row))
        assert abs(row["mean_depth"] * result.summary["wall_ns"] - waited) <= 0.001 * waited, row


def disk_ns(row):
    return [r[part]["ns"] for r in row["block"].values() for part in ("queue", "device")]


@on_a_disk
def a_bystander_is_not_charged(opts):
    with disks.loop() as device:
        io, delta, result = block_of("bystander", device, opts, 40)
        equal_to_disk(io, device, delta)
        rows = {p["pid"]: p for p in io["processes"]}
        own = rows[result.truth["self"]]["block"]["read"]
        assert as_stat(own) == delta["read"] == (40, 0, 40 * 16384), (own, delta)
        other = rows.get(result.truth["bystander"], {"block": {}})
        assert not other["block"], other
        assert own["device"]["ns"] == io["block"]["read"]["device"]["ns"], own


@on_a_disk
def failed_requests(opts):
    with disks.full() as device:
        io, delta, result = block_of("fail", device, opts, 10)
        if not result.truth["failed"]:
            skip("writes did not fail")
        row = equal_to_disk(io, device, delta)
        assert row["block"]["write"]["errors"] == result.truth["failed"], (row, result.truth)
        assert io["block"]["write"]["errors"] == result.truth["failed"], io["block"]


@on_a_disk
def queue_and_device_time(opts):
    """A disk that takes one request at a time, 20 ms each: four at once wait for each other."""
    each = 20 * lib.MS
    with disks.null_disk(each, 1) as device:
        io, delta, _ = block_of("spread", device, opts, 4)
        equal_to_disk(io, device, delta)
        times = io["block"]["read"]
        lib.near(times["device"]["ns"], 4 * each, 0.02, 2 * lib.MS * lib.SLOW, "device")
        lib.near(times["queue"]["ns"], 6 * each, 0.02, 4 * lib.MS * lib.SLOW, "queue")
        assert times["device"]["p50_ns"] >= 0.93 * each, times["device"]


@on_a_disk
def disks_without_requests(opts):
    with disks.zram() as device:
        for mode, op in (("devwrite", "write"), ("devread", "read")):
            io, delta, _ = block_of(mode, device, opts, 12)
            lib.near(len(io["block"]), 0, 0, 0, f"requests of other disks: {io['block']}")
            bios = io["bios"][op]
            assert (bios["count"], bios["bytes"]) == (delta[op][0], delta[op][2]), (bios, delta)
            assert bios["bytes"] == 12 * 16384 and bios["time"]["ns"] > 0, bios
            assert io["devices"][0]["name"] == os.path.basename(device), io["devices"]


@on_a_disk
def dd_direct(opts):
    with disks.loop() as device:
        before = disks.stat(device)
        io = io_of(run([lib.need("dd"), "if=/dev/zero", f"of={device}", "bs=16k", "count=30",
                        "oflag=direct", "status=none"], *opts))
        delta = {op: tuple(b - a for a, b in zip(before[op], v))
                 for op, v in disks.stat(device).items()}
        equal_to_disk(io, device, delta)
        assert delta["write"] == (30, 0, 30 * 16384), delta


@on_a_disk
def fio_agrees(opts):
    fio = lib.need("fio")
    with disks.loop() as device, disks.folder() as d:
        result = run([fio, "--name=x", f"--filename={device}", "--rw=randrw", "--bs=4k", "--direct=1",
                      "--ioengine=libaio", "--iodepth=8", "--number_ios=400", "--size=32m",
                      "--output-format=json", f"--output={d}/out", "--randseed=7"], *opts, cwd=d)
        with open(f"{d}/out", encoding="utf-8") as f:
            text = f.read()
        job = json.loads(text[text.index("{"):])["jobs"][0]
        io = io_of(result)
        calls = file_of(io, device)
        for op, n, size in (("read", "reads", "read_bytes"), ("write", "writes", "written_bytes")):
            assert (calls[n], calls[size]) == (job[op]["total_ios"], job[op]["io_bytes"]), calls
        disk = [d for d in io["devices"] if d["name"] == os.path.basename(device)][0]
        for op in ("read", "write"):
            ours = disk["block"][op]
            assert ours["requests"] + ours["merges"] == job[op]["total_ios"], (ours["requests"], ours["merges"], job[op]["total_ios"])
            assert ours["bytes"] == job[op]["io_bytes"], (ours, job[op]["io_bytes"])
        assert (0 if lib.EMULATED else 1) < disk["max_depth"] <= 8, disk


main()
