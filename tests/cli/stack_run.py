# SPDX-License-Identifier: BSD-2-Clause
"""
The outputs that are made of stacks, of a real run: each adds up to the ledger's time to the
nanosecond, state by state; stdout; and no file when there are no stacks to write.
"""
import gzip
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import folded
import lib
import proto
from tap import main, test

SCRIPT = """
import threading, time
def spin():
    end = time.monotonic() + 0.15
    while time.monotonic() < end:
        pass
def nap():
    time.sleep(0.15)
t = threading.Thread(target=nap)
t.start()
spin()
t.join()
print("done")
"""
COMMAND = ("/usr/bin/python3", "-S", "-c", SCRIPT)


def pprof(path):
    with gzip.open(path) as f:
        fields = proto.fields(f.read())
    strings = [v.decode() for n, v in fields if n == 6]
    types = [strings[proto.one(v, 1)] for n, v in fields if n == 1]
    return folded.summed((name, value) for n, v in fields if n == 2
                  for name, value in list(zip(types, proto.numbers(v, 2)))[2:])


def speedscope(path):
    with open(path, encoding="utf-8") as f:
        d = json.load(f)
    frames = d["shared"]["frames"]
    return folded.summed((frames[sample[-1]]["name"].strip("[]"), weight) for p in d["profiles"]
                  for sample, weight in zip(p["samples"], p["weights"]))


def flame(path):
    with open(path, encoding="utf-8") as f:
        d = json.loads(re.search(r'id="data">(.*?)</script>', f.read(), re.S).group(1))
    flat = d["nodes"][3:3 + 2 * d["nodes"][2]]
    return {d["states"][s]: ns for s, ns in zip(flat[::2], flat[1::2])}


@test
def every_output_adds_up_to_the_ledger():
    with tempfile.TemporaryDirectory() as folder:
        at = {name: os.path.join(folder, name) for name in
              ("out.jsonl", "x.folded", "x.pb.gz", "x.json", "x.svg", "x.html")}
        done = lib.dwell("run", "--probes", "ledger,stacks", "-o", at["out.jsonl"], "--folded", at["x.folded"],
                         "--pprof", at["x.pb.gz"], "--speedscope", at["x.json"], "--flame", at["x.svg"],
                         "--", *COMMAND)
        assert done.returncode == 0 and done.stdout == "done\n", done
        assert "code paths" in done.stderr, done.stderr
        summary = lib.read_records(at["out.jsonl"])[-1]
        lines = folded.read(at["x.folded"])
        want = {name: s["ns"] for name, s in summary["ledger"]["states"].items() if s["ns"]}
        # what a process did that has no row any more is in the tree's account alone
        assert not summary["ledger"]["processes_cut"], summary["ledger"]["processes_cut"]
        assert folded.summed((frames[-1].strip("[]"), ns) for frames, ns in lines) == want
        assert pprof(at["x.pb.gz"]) == want
        assert speedscope(at["x.json"]) == want
        assert flame(at["x.svg"]) == want
        stacks = summary["stacks"]
        assert stacks["time_ns"] == sum(want.values()), stacks
        told = sum(t["time_ns"] for t in stacks["stack_traces"])
        assert told + stacks["stack_traces_cut_ns"] == stacks["time_ns"], stacks
        sleep = max((t for t in stacks["stack_traces"] if t["state"] == "sleep"), key=lambda t: t["time_ns"])
        assert sleep["time_ns"] >= 100 * lib.MS and sleep["count"] >= 1, sleep
        assert sleep["kernel_stack"], sleep


@test
def stdout_is_one_outputs_and_the_command_writes_to_stderr():
    done = lib.dwell("run", "-q", "--folded", "-", "--folded-state", "first", "--", "sh", "-c", "echo mine")
    assert done.returncode == 0 and done.stderr == "mine\n", done.stderr
    lines = folded.parse(done.stdout)
    assert lines and all(frames[0][0] == "[" for frames, _ in lines), done.stdout
    done = lib.dwell("run", "-q", "--flame", "-", "--", "true")
    assert done.stdout.startswith("<svg "), done.stdout[:100]


@test
def a_path_that_cannot_be_written_is_told_before_the_command_runs():
    for option, name in (("--folded", "x"), ("--pprof", "x"), ("--speedscope", "x"), ("--flame", "x.svg")):
        done = lib.dwell("run", option, f"/nonexistent/{name}", "--", "echo", "ran")
        assert done.returncode == 125 and not done.stdout, done
        assert f"/nonexistent/{name}" in done.stderr, done.stderr


@test
def without_bpf_there_is_no_file_and_no_run():
    lib.need("setpriv")
    with tempfile.TemporaryDirectory() as place, tempfile.TemporaryDirectory() as folder:
        os.chmod(place, 0o755)
        os.chmod(folder, 0o777)
        path = os.path.join(folder, "x.folded")
        copy = shutil.copy(lib.DWELL, place)    # the build may be unreachable
        done = subprocess.run(["setpriv", "--reuid=65534", "--clear-groups", "--bounding-set=-all", copy, "run",
                               "--folded", path, "--", "echo", "ran"], capture_output=True, text=True, timeout=60)
        assert done.returncode == 125 and not done.stdout, done
        assert "run dwell as root" in done.stderr, done.stderr
        assert os.listdir(folder) == [], os.listdir(folder)


main()
