# SPDX-License-Identifier: BSD-2-Clause
"""
Block devices that only the test uses: a loop device over a file, with a file system or
without, a zram disk, a null_blk disk with a known latency; and what the kernel counts for
them (/sys/block/DISK/stat).
"""
import contextlib
import fcntl
import os
import subprocess
import tempfile

from tap import skip


def do(*cmd):
    done = subprocess.run([str(c) for c in cmd], capture_output=True, text=True, check=False)
    if done.returncode:
        skip(f"{' '.join(map(str, cmd))}: {done.stderr.strip() or done.stdout.strip()}")
    return done.stdout.strip()


def module(name):
    """Loads a module where the kernel has it as one; the guests see Debian's."""
    subprocess.run(["modprobe", name], capture_output=True, check=False) \
        if os.path.exists("/sbin/modprobe") else insert(name)


def insert(name):
    """modprobe without modprobe: busybox's, which knows depmod's file."""
    with contextlib.suppress(FileNotFoundError):
        subprocess.run(["busybox", "modprobe", name], capture_output=True, check=False)


@contextlib.contextmanager
def folder():
    """On a disk, not in memory, where the machine's temporary files are on one."""
    with tempfile.TemporaryDirectory(prefix="dwell-io-", dir="/var/tmp") as d:
        yield d


@contextlib.contextmanager
def ours_alone(device):
    """Locked as systemd-udevd heeds it: what it would read to see what is on it would be counted."""
    with open(device, "rb", buffering=0) as f:
        fcntl.flock(f, fcntl.LOCK_EX)
        yield device


@contextlib.contextmanager
def loop(megabytes=64, where=None):
    """A loop device over a sparse file; yields its path."""
    module("loop")
    with folder() as d:
        image = os.path.join(where or d, "image")
        with open(image, "wb") as f:
            f.truncate(megabytes << 20)
        device = do("losetup", "-f", "--show", image)
        try:
            with ours_alone(device):
                yield device
        finally:
            subprocess.run(["losetup", "-d", device], check=False)


@contextlib.contextmanager
def ext4():
    """A mounted file system on a loop device; yields where."""
    with loop() as device, folder() as d:
        do("mkfs.ext4", "-q", "-E", "lazy_itable_init=0,lazy_journal_init=0", device)
        do("mount", device, d)
        try:
            yield d
        finally:
            subprocess.run(["umount", d], check=False)


@contextlib.contextmanager
def full(megabytes=2):
    """A loop device whose file lies where there is no room: writes to it fail."""
    with folder() as d:
        do("mount", "-t", "tmpfs", "-o", f"size={megabytes}m", "none", d)
        try:
            with loop(where=d) as device:
                with open(os.path.join(d, "ballast"), "wb") as f:
                    with contextlib.suppress(OSError):
                        while True:
                            f.write(b"x" * 65536)
                            f.flush()
                yield device
        finally:
            subprocess.run(["umount", d], check=False)


@contextlib.contextmanager
def zram(megabytes=16):
    for name in ("lzo", "lzo-rle", "zram"):     # the guests' kernels have nobody to load them
        module(name)
    control = "/sys/class/zram-control/"
    try:
        with open(control + "hot_add", encoding="ascii") as f:
            number = f.read().strip()
    except OSError as e:
        skip(f"zram: {e}")
    try:
        with open(f"/sys/block/zram{number}/disksize", "w", encoding="ascii") as f:
            try:
                f.write(f"{megabytes}M")
                f.flush()
            except OSError as e:
                skip(f"zram: {e}")
        yield f"/dev/zram{number}"
    finally:
        with contextlib.suppress(OSError), open(control + "hot_remove", "w", encoding="ascii") as f:
            f.write(number)


@contextlib.contextmanager
def null_disk(latency_ns, depth):
    """A disk of memory that takes `depth` requests at once, each for `latency_ns`."""
    module("null_blk")
    top = "/sys/kernel/config/nullb"
    if not os.path.isdir("/sys/kernel/config"):
        skip("no configfs")
    if not os.path.isdir(top):
        subprocess.run(["mount", "-t", "configfs", "none", "/sys/kernel/config"],
                       capture_output=True, check=False)
    if not os.path.isdir(top):
        skip("this kernel has no null_blk")
    path = f"{top}/dwell{os.getpid()}"
    os.mkdir(path)
    try:
        for name, value in (("irqmode", 2), ("completion_nsec", latency_ns), ("submit_queues", 1),
                            ("hw_queue_depth", depth), ("size", 64), ("memory_backed", 0),
                            ("blocksize", 4096), ("power", 1)):
            with open(f"{path}/{name}", "w", encoding="ascii") as f:
                f.write(str(value))
        with open(f"{path}/index", encoding="ascii") as f:
            device = f"/dev/nullb{f.read().strip()}"
        if not os.path.exists(device):
            device = f"/dev/{os.path.basename(path)}"
        # without a scheduler a request is not made before the disk has room for it
        module("mq-deadline")
        for name, value in (("scheduler", "mq-deadline"), ("nr_requests", "64")):
            try:
                with open(f"/sys/block/{os.path.basename(device)}/queue/{name}", "w",
                          encoding="ascii") as f:
                    f.write(value)
            except OSError as e:
                skip(f"{name} {value}: {e}")
        with ours_alone(device):
            yield device
    finally:
        with contextlib.suppress(OSError), open(f"{path}/power", "w", encoding="ascii") as f:
            f.write("0")
        os.rmdir(path)


def stat(device):
    """The kernel's own counts: requests, merges and bytes of reads and writes."""
    with open(f"/sys/block/{os.path.basename(device)}/stat", encoding="ascii") as f:
        v = [int(n) for n in f.read().split()]
    return {"read": (v[0], v[1], v[2] * 512), "write": (v[4], v[5], v[6] * 512)}
