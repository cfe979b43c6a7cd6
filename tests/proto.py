# SPDX-License-Identifier: BSD-2-Clause
"""Protocol buffers, read by hand: a truth about what the generated code has written."""


def varint(data, at):
    value = shift = 0
    while True:
        byte = data[at]
        at += 1
        value |= (byte & 0x7f) << shift
        shift += 7
        if not byte & 0x80:
            return value, at


def fields(data):
    """[(number, int or bytes)] of a message."""
    at, found = 0, []
    while at < len(data):
        tag, at = varint(data, at)
        number, kind = tag >> 3, tag & 7
        if kind == 0:
            value, at = varint(data, at)
        elif kind == 2:
            size, at = varint(data, at)
            value = data[at:at + size]
            assert len(value) == size, "a field that is cut off"
            at += size
        else:
            raise AssertionError(f"wire type {kind}, which the format does not use")
        found.append((number, value))
    return found


def every(data, number):
    return [value for n, value in fields(data) if n == number]


def one(data, number):
    """The field; 0 when it is left out."""
    found = every(data, number)
    return found[-1] if found else 0


def numbers(data, number):
    """A repeated number, packed or not."""
    found = []
    for value in every(data, number):
        if isinstance(value, int):
            found.append(value)
            continue
        at = 0
        while at < len(value):
            n, at = varint(value, at)
            found.append(n)
    return found
