#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Bad input of every kind: one clear line, the command not started, the right exit code: 125
for dwell's own failures; 2 for a command line that makes no sense, except in `run`, where
2 would be the command's.
"""
import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, test

RAN = ["--", "/bin/sh", "-c", "echo ran"]

# what is wrong: arguments, a word that the message must have, and the exit code if not 125
WRONG = {
    "unknown option": (["run", "--no-such-option", *RAN], "--no-such-option"),
    "unknown letter": (["run", "-Z", *RAN], "-Z"),
    "unknown probe": (["run", "--probes", "nope", *RAN], "nope"),
    "no command": (["run"], ""),
    "no command after --": (["run", "--"], ""),
    "unknown command of dwell's": (["frobnicate"], "frobnicate", 2),
    "interval of letters": (["run", "-i", "abc", *RAN], "abc"),
    "interval of nothing": (["run", "-i", "0", *RAN], "0"),
    "negative interval": (["run", "-i", "-5", *RAN], "-5"),
    "interval with junk": (["run", "-i", "10x", *RAN], "10x"),
    "interval beyond any": (["run", "-i", "99999999999999999999", *RAN], "99999999999999999999"),
    "negative duration": (["run", "-d", "-1", *RAN], "-1"),
    "duration nan": (["run", "-d", "nan", *RAN], "nan"),
    "limit without a number": (["run", "--limit", "events", *RAN], "events"),
    "limit of zero": (["run", "--limit", "events=0", *RAN], "events"),
    "source without a name": (["run", "--source", "ledger", *RAN], "ledger"),
    "out without a file": (["run", "--out"], "out"),
    "attach to nothing": (["attach"], "", 2),
    "attach to letters": (["attach", "abc"], "abc", 2),
    "attach to zero": (["attach", "0"], "0", 2),
    "attach to a negative": (["attach", "--", "-1"], "-1", 2),
    "attach to a PID beyond any": (["attach", "99999999999"], "99999999999", 2),
    "attach to a cgroup that is not there": (["attach", "--cgroup", "/no/such/cgroup"], "/no/such/cgroup"),
    "stats of no file": (["stats"], "", 2),
    "stats of a file that is not there": (["stats", "/no/such/file"], "/no/such/file"),
    "stats of a directory": (["stats", "/"], "/"),
}


def refused(args, word, code):
    done = lib.dwell(*args)
    assert done.returncode == code, done
    assert word in done.stderr, done.stderr
    lines = [li for li in done.stderr.splitlines() if li.strip()]
    assert 1 <= len(lines) <= 2, done.stderr
    assert "ran" not in done.stdout.split(), "the command was started"


def add(what, args, word, code=125):
    test(lambda: refused(args, word, code), name=f"{what} is refused")


for _what, _case in WRONG.items():
    add(_what, *_case)


def stats_of(text):
    with tempfile.NamedTemporaryFile("w", prefix="dwell-bad-", suffix=".jsonl") as f:
        f.write(text)
        f.flush()
        return lib.dwell("stats", f.name), f.name


@test
def stats_of_files_that_are_no_reports():
    for text in ("", "\n\n", "hello\n", "{}\n", "[1, 2]\n", '{"kind": "tree"\n', "\x00" * 100,
                 "{" * 10000 + "\n"):
        done, name = stats_of(text)
        assert done.returncode == 125, (text[:20], done)
        assert os.path.basename(name) in done.stderr, (text[:20], done.stderr)


@test
def stats_of_a_cut_report_uses_what_is_whole():
    with tempfile.TemporaryDirectory(prefix="dwell-cut-") as d:
        path = d + "/r"
        lib.dwell("run", "-q", "-i", "20", "--out", path, "--", "sleep", "0.3")
        with open(path, encoding="utf-8") as f:
            whole = f.read()
        lines = whole.splitlines(keepends=True)
        done, name = stats_of("".join(lines[:4]) + lines[4][:len(lines[4]) // 2])
        assert done.returncode == 0, done
        assert name in done.stderr or "cut" in done.stderr or "line 5" in done.stderr, done.stderr
        done = lib.dwell("stats", "--json", path)
        assert json.loads(done.stdout)["sample_count"] == len([li for li in lines if '"kind":"tree"'
                                                               in li.replace(" ", "")])


@test
def options_before_the_command_work_too():
    done = lib.dwell("-q", "--json", "run", "--", "/bin/true")
    assert done.returncode == 0 and '"summary"' in done.stdout, done


@test
def options_of_the_command_are_its_own():
    done = lib.dwell("run", "-q", "echo", "-q", "--json", "--help")
    assert done.stdout == "-q --json --help\n", done


@test
def help_and_version():
    for args in (["--help"], ["-h"], ["run", "--help"], ["attach", "-h"], ["stats", "--help"],
                 ["doctor", "--help"], ["--version"], ["-V"]):
        done = lib.dwell(*args)
        assert done.returncode == 0 and done.stdout and not done.stderr, (args, done)


@test
def the_doctor_says_what_it_found():
    done = lib.dwell("doctor")
    assert done.returncode == 0, done
    for word in ("kernel", "btf", "ledger", "syscalls"):
        assert word in done.stdout.lower(), f"no '{word}' in {done.stdout}"
    facts = json.loads(lib.dwell("doctor", "--json").stdout)
    assert facts


@test
def help_and_exit_code_agree():
    done = lib.dwell("attach", 4194000)
    text = " ".join(lib.dwell("help", "attach").stdout.split())
    assert f"{done.returncode}: it could not attach" in text, (done.returncode, text[:400])


main()
