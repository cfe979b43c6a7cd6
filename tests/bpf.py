# SPDX-License-Identifier: BSD-2-Clause
"""
BPF programs and maps of a process, and of the machine: what a dwell has, and whether it is
gone with it. Others may have theirs meanwhile: only those of one process are asked for.
"""
import os
import subprocess

import lib


def held(pid, *kinds):
    """What the process's descriptors hold: {("prog", 12), ("map", 3), …}; nothing if it ended."""
    found = set()
    try:
        numbers = os.listdir(f"/proc/{pid}/fdinfo")
    except OSError:
        return found
    for n in numbers:
        try:
            with open(f"/proc/{pid}/fdinfo/{n}", encoding="ascii") as f:
                fields = dict(li.split(":", 1) for li in f if ":" in li)
        except OSError:
            continue
        found |= {(kind, int(fields[f"{kind}_id"])) for kind in kinds or ("prog", "map")
                  if f"{kind}_id" in fields}
    return found


def living():
    found = set()
    for kind in ("prog", "map"):
        done = subprocess.run([lib.need("bpftool"), kind, "show"], capture_output=True, text=True,
                              check=True)
        found |= {(kind, int(li.split(":")[0])) for li in done.stdout.splitlines() if li[:1].isdigit()}
    return found


def wait_until_gone(ours):
    """The kernel frees them after a grace period."""
    assert ours, "nothing was held"
    lib.until(f"the end of {len(ours)} programs and maps", lambda: not ours & living())
