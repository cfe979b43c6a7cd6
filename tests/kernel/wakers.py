#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Who woke whom: a sleeper that one known thread wakes a known number of times, through a
futex, a pipe, a signal; and one that only the timer wakes.
"""
import os
import sys

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, test

N = 40


def wakers_of(result, state):
    rows = [w for w in result.ledger()["wakers"]
            if w["tid"] == result.truth["sleeper"] and w["state"] == state]
    return sorted(rows, key=lambda w: -w["count"])


def woken_by_thread(how, state, opts=()):
    lib.calm(lambda: compare(how, state, opts))


def compare(how, state, opts):
    result = lib.run([lib.workload("wakers"), how, N], *opts)
    fact = result.truth
    assert fact["blocks"] >= N * 0.9, f"the workload did not get its sleeper to sleep: {fact}"
    rows = wakers_of(result, state)
    ours = [w for w in rows if w["waker"] == "thread" and w["waker_tid"] == fact["waker"]]
    assert len(ours) == 1, rows
    assert ours[0]["count"] == fact["blocks"], f"{rows}, {fact['blocks']} blocks"
    assert sum(w["count"] for w in rows) == fact["blocks"], rows
    assert ours[0]["pid"] == fact["pid"], ours
    thread = [t for t in result.process(fact["pid"])["threads"] if t["tid"] == fact["sleeper"]][0]
    slept = lib.state_of(thread, state)
    assert sum(w["ns"] for w in rows) == slept["ns"], f"{rows}, {slept}"
    # from the wakeup on it is runnable; the kernel's run_delay begins after the way to its CPU
    lib.near(slept["ns"], fact["blocked_ns"], lib.PERCENT, 50 * lib.US * lib.SLOW * fact["blocks"],
             "time ended by it")


def add(how, state):
    test(lambda: woken_by_thread(how, state), name=f"a thread wakes by {how}")
    test(lambda: woken_by_thread(how, state, ("--source", "ledger=raw_tp")),
         name=f"a thread wakes by {how} (raw_tp)")


for _how, _state in (("futex", "futex"), ("pipe", "pipe"), ("signal", "signal")):
    add(_how, _state)


@test
def the_timer_wakes_a_sleeper():
    # a thread whose CPU is taken away on its way to sleep is woken before it sleeps
    lib.calm(compare_timer)


def compare_timer():
    result = lib.run([lib.workload("wakers"), "timer", N])
    rows = wakers_of(result, "sleep")
    assert len(rows) == 1 and rows[0]["waker"] == "timer", rows
    assert result.truth["blocks"] == N, result.truth
    assert not rows[0].get("waker_tid"), f"a bystander is blamed: {rows[0]}"
    assert rows[0]["count"] <= N, rows
    lib.near(rows[0]["count"], N, 0, 0, "timer's wakes")


main()
