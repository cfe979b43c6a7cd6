# SPDX-License-Identifier: BSD-2-Clause
"""
Lines as --folded writes them and flamegraph.pl reads them: frames, root first, `;` between
them, and a number.
"""
import collections
import re

LINE = re.compile(r"(.*\S) (\d+)")


def parse(text):
    """[(frames, ns)], in the text's order."""
    rows = []
    for line in text.split("\n")[:-1]:
        match = LINE.fullmatch(line)
        assert match, line
        rows.append((match.group(1).split(";"), int(match.group(2))))
    return rows


def read(path):
    with open(path, encoding="utf-8", newline="\n") as f:
        return parse(f.read())


def summed(pairs):
    """{key: sum of its values}, without those of 0."""
    sums = collections.Counter()
    for key, value in pairs:
        sums[key] += value
    return {key: value for key, value in sums.items() if value}


def ns_of(rows, *names, state=None):
    """Time of the rows in which these frames follow each other, others between them or not."""
    total = 0
    for frames, ns in rows:
        rest = iter(frames)
        if all(any(f == name for f in rest) for name in names) and state in (None, frames[-1][1:-1]):
            total += ns
    return total
