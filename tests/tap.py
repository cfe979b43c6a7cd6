# SPDX-License-Identifier: BSD-2-Clause
"""
TAP for plain functions. A test is a function under @test; it passes when it returns,
fails when it raises, is skipped by skip(why), and is ended when its time is up.

    from tap import main, skip, test

    @test
    def adds_up():
        assert 1 + 1 == 2

    main()          # FILE.py [PATTERN...]: only tests whose name has a pattern in it
"""
import signal
import sys
import traceback

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


def run_one(number, name, function, timeout):
    """Prints one result; returns whether it is not a failure."""
    signal.signal(signal.SIGALRM, on_alarm)
    signal.alarm(timeout)
    try:
        function()
    except Skip as why:
        say(f"ok {number} - {name} # SKIP {' '.join(str(why).split())}")
        return True
    except TimeUp:
        say(f"not ok {number} - {name}")
        say(f"not done after {timeout} s", "# ")
        return False
    except Exception:
        say(f"not ok {number} - {name}")
        say(traceback.format_exc(), "# ")
        return False
    finally:
        signal.alarm(0)
    say(f"ok {number} - {name}")
    return True


def main():
    chosen = [t for t in tests
              if len(sys.argv) < 2 or any(p in t[0] for p in sys.argv[1:])]
    say(f"1..{len(chosen)}")
    failed = sum(not run_one(i + 1, *t) for i, t in enumerate(chosen))
    sys.exit(1 if failed else 0)
