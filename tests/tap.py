# SPDX-License-Identifier: BSD-2-Clause
"""
TAP for plain functions. A test is a function under @test; it passes when it returns,
fails when it raises, is skipped by skip(why), and is ended when its time is up. In an
emulated guest, 20 times slower than a machine and at the mercy of what else runs on it, a
test that fails has a second try; that it took one stands in its result (`# AGAIN why`).

    from tap import main, skip, test

    @test
    def adds_up():
        assert 1 + 1 == 2

    main()          # FILE.py [PATTERN...]: only tests whose name has a pattern in it
"""
import fnmatch
import os
import signal
import sys
import time
import traceback

SLOW = 10   # seconds; a test that takes longer is told
tests = []


class Skip(Exception):
    pass


class TimeUp(Exception):
    pass


def skip(why):
    raise Skip(why)


def test(function=None, *, timeout=60, name=None):
    """Registers a test; usable bare, or with a time limit in seconds and a name."""
    def register(f):
        tests.append((name or f.__name__, f, timeout))
        return f
    return register(function) if function else register


def say(text, prefix=""):
    for line in str(text).splitlines():
        print(prefix + line)
    sys.stdout.flush()


def on_alarm(_signal, _frame):
    raise TimeUp()


def attempt(function, timeout):
    """Runs a test: None when it passed, a Skip, or the text of its failure."""
    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(timeout)
    try:
        function()
    except Skip as why:
        return why
    except TimeUp:
        return f"not done after {timeout} s"
    except Exception:
        return traceback.format_exc()
    finally:
        signal.alarm(0)
    return None


def run_one(number, name, function, timeout):
    """Prints one result; returns whether it is not a failure."""
    begin = time.monotonic()
    outcome, again = attempt(function, timeout), ""
    if isinstance(outcome, str) and os.environ.get("DWELL_GUEST"):
        again = f" # AGAIN {outcome.strip().splitlines()[-1]}"
        outcome = attempt(function, timeout)
    if isinstance(outcome, str):
        say(f"not ok {number} - {name}")
        say(outcome, "# ")
    elif outcome:
        say(f"ok {number} - {name} # SKIP {' '.join(str(outcome).split())}")
    else:
        say(f"ok {number} - {name}{again}")
    if time.monotonic() - begin > SLOW:
        say(f"# time {os.path.basename(sys.argv[0])[:-3]}: {name}: {time.monotonic() - begin:.0f} s")
    return not isinstance(outcome, str)


def not_in_guests():
    """Patterns of this file's tests that are not made in a guest: vm/not-in-guests."""
    name = os.path.basename(sys.argv[0])[:-len(".py")]
    with open(os.path.join(os.path.dirname(__file__), "vm", "not-in-guests"), encoding="ascii") as f:
        lines = [line.partition(":")[2] for line in f if line.startswith(f"{name}:")]
    patterns = [p.strip() for line in lines for p in line.split(";")]
    stale = [p for p in patterns if not any(fnmatch.fnmatchcase(t[0], p) for t in tests)]
    if stale:
        raise SystemExit(f"vm/not-in-guests: {name} has no test {stale}")
    return patterns


def main():
    out = not_in_guests()
    if os.environ.get("DWELL_GUEST"):
        tests[:] = [t for t in tests if not any(fnmatch.fnmatchcase(t[0], p) for p in out)]
    chosen = [t for t in tests
              if len(sys.argv) < 2 or any(p in t[0] for p in sys.argv[1:])]
    say(f"1..{len(chosen)}")
    failed = sum(not run_one(i + 1, *t) for i, t in enumerate(chosen))
    sys.exit(1 if failed else 0)
