# SPDX-License-Identifier: BSD-2-Clause
"""
The slice of kernel types (bpf/kernel.h) against the running kernel's BTF: every field is
there, of the size, signedness and nature that we say. The fields are read from the header
itself, so a new one is covered by being written.
"""
import os
import re
import sys

TOP = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
sys.path.insert(0, os.path.join(TOP, "tests"))

import btf
from tap import main, test

INTS = {"u64": (8, 0), "s64": (8, 1), "s32": (4, 1), "unsigned long": (8, 0), "u32": (4, 0), "unsigned int": (4, 0), "int": (4, 1),
        "u16": (2, 0), "u8": (1, 0), "unsigned char": (1, 0), "char": (1, 1)}


def fields(body):
    """(type, name, pointer, array, bits) of each field, those of nested structs by their name."""
    body = re.sub(r"/\*.*?\*/", "", body, flags=re.S)
    for outer, name in re.findall(r"(?:union|struct) \{(.*?)\} (\w+);", body, flags=re.S):
        yield "union", name, False, False, 0
    body = re.sub(r"(?:union|struct) \{.*?\} \w+;", "", body, flags=re.S)
    for line in body.split(";"):
        line = " ".join(line.replace("volatile", "").replace("const", "").split())
        if not line:
            continue
        kind = re.match(r"(struct \w+|unsigned \w+|\w+) ", line).group(1)
        for part in line[len(kind):].split(","):
            name = re.search(r"\w+", part).group(0)
            bits = re.search(r": (\d+)", part)
            yield kind, name, "*" in part, "[" in part, int(bits.group(1)) if bits else 0


def slice_of(path):
    text = open(path).read()
    for name, body in re.findall(r"^struct (\w+) \{(.*?)^\} SLICE;", text, flags=re.S | re.M):
        yield name, list(fields(body))


def check(kernel, number, field):
    kind, name, pointer, array, bits = field
    found = kernel.member(number, name)
    if not found:
        return f"no member {name}"
    (is_kind, size, detail), is_bits = found
    if bits:
        return None if is_bits == bits else f"{name}: {is_bits} bits, we say {bits}"
    if pointer:
        return None if is_kind == btf.PTR else f"{name}: not a pointer"
    if array:
        return None if is_kind == btf.ARRAY else f"{name}: not an array"
    if kind in INTS:
        want, signed = INTS[kind]
        if is_kind not in (btf.INT, btf.ENUM) or size != want:
            return f"{name}: kind {is_kind} of {size} bytes, we say {want}"
        if is_kind == btf.INT and (detail >> 24 & 1) != signed:
            return f"{name}: signedness differs"
        return None
    return None if is_kind in (btf.STRUCT, btf.UNION) else f"{name}: not a struct"


KERNEL = btf.Btf()


def check_struct(name, members):
    numbers = KERNEL.structs.get(name.split("___")[0])
    assert numbers, f"the kernel has no struct {name}"
    # a name may stand for several structs: one of them has to be ours
    faults = [[f for f in (check(KERNEL, n, m) for m in members) if f] for n in numbers]
    assert [] in faults, min(faults, key=len)


for struct_name, struct_members in slice_of(os.path.join(TOP, "bpf", "kernel.h")):
    test(lambda n=struct_name, m=struct_members: check_struct(n, m), name=f"struct {struct_name}")


@test
def the_reader_finds_what_is_missing():
    number = KERNEL.structs["task_struct"][0]
    assert check(KERNEL, number, ("int", "no_such_field", False, False, 0))
    assert check(KERNEL, number, ("u64", "pid", False, False, 0)), "size"
    assert check(KERNEL, number, ("unsigned int", "pid", False, False, 0)), "signedness"
    assert check(KERNEL, number, ("int", "signal", False, False, 0)), "nature"


main()
