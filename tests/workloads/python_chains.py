# SPDX-License-Identifier: BSD-2-Clause
"""
Threads that sleep at the end of known chains of calls. One more thread notes where they are
(sys._current_frames()): the truth, printed as JSON. Runs on any CPython from 3.11 on and needs
no module but built-in ones.
"""
import functools
import json
import sys
import threading
import time

NAP = 0.01
ROUNDS = int(sys.argv[1]) if len(sys.argv) > 1 else 20


def nap(value=0):
    time.sleep(NAP)
    return value


def plain():
    nap()


def lines():
    total = (abs(-1) +
             nap(
                 2) +
             max(3,
                 nap(4)))
    return {
        "one": total,
        "two":
            nap(),
    }


def numbers(n):
    for i in range(n):
        yield nap(i)


def delegate(n):
    yield from numbers(n)


def generators():
    return sum(delegate(2))


def comprehensions():
    return [nap(i) for i in range(2)], {i: nap(i) for i in range(1)}, sum(nap(i) for i in range(1))


def recursion(n=40):
    if n:
        return recursion(n - 1) + 1
    return nap()


def callbacks():
    sorted([3, 1, 2], key=lambda x: nap(x))
    list(map(nap, range(2)))
    return functools.reduce(lambda a, b: nap(a + b), [1, 2, 3])


class Thing:
    class Inner:
        def __getattr__(self, name):
            return nap()

    def __len__(self):
        return nap(3)

    def go(self):
        def closure():
            return len(self)
        return closure(), Thing.Inner().anything


def objects():
    Thing().go()


def größe():
    def 函数():
        return nap()
    return 函数()


def made():
    exec(compile("def inside():\n\n    nap()\n\ninside()\n", "<made>", "exec"), {"nap": nap})


def handled():
    try:
        try:
            raise ValueError(nap())
        finally:
            nap()
    except ValueError as e:
        return nap(e)


CHAINS = [plain, lines, generators, comprehensions, recursion, callbacks, objects, größe, made,
          handled]


def work(chain):
    for _ in range(ROUNDS):
        chain()


def frames_of(frame):
    frames = []
    while frame:
        code = frame.f_code
        frames.append([code.co_qualname, code.co_filename, frame.f_lineno])
        frame = frame.f_back
    return frames


def watch(threads, seen):
    idents = {t.ident for t in threads}
    while any(t.is_alive() for t in threads):
        for ident, frame in sys._current_frames().items():
            if ident in idents:
                stack = json.dumps(frames_of(frame))
                seen[stack] = seen.get(stack, 0) + 1
        time.sleep(0.002)


def main():
    threads = [threading.Thread(target=work, args=(c,)) for c in CHAINS]
    seen = {}
    for t in threads:
        t.start()
    watch(threads, seen)
    for t in threads:
        t.join()
    print("version=" + ".".join(map(str, sys.version_info[:2])))
    print("stacks=" + json.dumps([[json.loads(s), n] for s, n in seen.items()]))


main()
