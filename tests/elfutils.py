# SPDX-License-Identifier: BSD-2-Clause
"""Stacks of a process that stands still, as eu-stack has them: the truth about dwell's."""
import os
import re
import struct
import subprocess


def code_of(pid):
    """Code as /proc/PID/maps has it, joined: (start, end, offset, path), None for no file."""
    with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
        lines = [line.split(maxsplit=5) for line in f]
    code = []
    for l in lines:
        start, end = (int(x, 16) for x in l[0].split("-"))
        offset, path = int(l[2], 16), l[5].strip() if len(l) > 5 else None
        if "x" not in l[1] or path == "[vsyscall]":
            continue
        if code and code[-1][1] == start and code[-1][3] == path and \
                code[-1][2] + start - code[-1][0] == offset:
            start, _, offset, path = code.pop()
        code.append((start, end, offset, path))
    return code


def base_of(pid, path):
    """What is to be taken off an address of that file to have the one in the file."""
    with open(path, "rb") as f:
        if struct.unpack_from("<H", f.read(18), 16)[0] == 2:  # ET_EXEC
            return 0
    with open(f"/proc/{pid}/maps", encoding="utf-8") as f:
        return next(int(line.split("-")[0], 16) for line in f if line.strip().endswith(path))


def stacks(pid, *opts, timeout=60):
    """{tid: [(module, address in it), leaf first]}"""
    out = subprocess.run(["eu-stack", "-m", *opts, "-p", str(pid)], capture_output=True,
                         text=True, check=False, timeout=timeout).stdout
    code, bases, threads = code_of(pid), {}, {}
    for line in out.splitlines():
        thread = re.match(r"TID (\d+):", line)
        if thread:
            frames = threads.setdefault(int(thread[1]), [])
        found = re.match(r"#\d+\s+(0x[0-9a-f]+)", line)
        if not found:
            continue
        pc = int(found[1], 16)
        where = [m for m in code if m[0] <= pc < m[1]]
        assert where, f"{line}; code: {code}"
        path = where[0][3]
        if path not in bases:
            bases[path] = base_of(pid, path) if path and path[0] == "/" else 0
        frames.append((os.path.basename(path or ""), pc - bases[path]))
    return threads


def same(ours, theirs):
    """Whether these are the same frames: a return address may be told as the call's."""
    return [m for m, _ in ours] == [m for m, _ in theirs] and \
        all(abs(a[1] - b[1]) <= 1 for a, b in zip(ours, theirs))


def show(frames):
    return " ".join(f"{m}+{a:x}" for m, a in frames)
