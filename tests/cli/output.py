#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Where output goes: the screen on stderr, JSON that owns stdout, a file that is whole or is
not, a stream that breaks; colour, width and the progress line.
"""
import fcntl
import json
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, test

SHELL = ["/bin/sh", "-c", "echo out; echo err >&2; sleep 0.05; exit 3"]


@test
def the_screen_is_on_stderr():
    done = lib.dwell("run", "--", *SHELL)
    assert done.returncode == 3 and done.stdout == "out\n", done
    assert done.stderr.startswith("err\n"), done.stderr
    for word in ("sleep", "trust", "lost", "100 %"):
        assert word in done.stderr, f"no '{word}' in: {done.stderr}"


@test
def quiet_says_nothing():
    done = lib.dwell("run", "-q", "--", *SHELL)
    assert (done.stdout, done.stderr) == ("out\n", "err\n"), done


@test
def json_owns_stdout():
    done = lib.dwell("run", "--json", "--", *SHELL)
    assert done.returncode == 3, done
    records = [json.loads(li) for li in done.stdout.splitlines()]
    assert records[0]["kind"] == "metadata" and records[-1]["kind"] == "summary", records
    assert records[-1]["exit"] == {"code": 3, "signal": None}, records[-1]["exit"]
    assert "out\n" in done.stderr and "err\n" in done.stderr, done.stderr


@test
def help_says_that_json_owns_stdout():
    done = lib.dwell("run", "--help")
    assert done.returncode == 0 and "stdout" in done.stdout, done


@test
def json_with_out_leaves_stdout_to_the_command():
    with tempfile.TemporaryDirectory(prefix="dwell-out-") as d:
        done = lib.dwell("run", "-q", "--json", "--out", d + "/r", "--", *SHELL)
        assert done.stdout == "out\n", done
        assert lib.read_records(d + "/r")[-1]["kind"] == "summary"
        assert os.listdir(d) == ["r"], os.listdir(d)


@test
def death_by_signal_is_in_the_report():
    result = lib.run(["/bin/sh", "-c", "kill -KILL $$"])
    assert result.summary["exit"] == {"code": None, "signal": 9}, result.summary["exit"]


@test
def records_are_in_denets_order():
    with tempfile.TemporaryDirectory(prefix="dwell-order-") as d:
        lib.dwell("run", "-q", "--write-env", "-i", "20", "--out", d + "/r", "--", "sleep", "0.3")
        kinds = [r["kind"] for r in lib.read_records(d + "/r")]
    assert kinds[:2] == ["env", "metadata"] and kinds[-1] == "summary", kinds
    assert set(kinds[2:-1]) == {"tree"} and len(kinds) >= 6, kinds


@test
def exclude_children_writes_samples():
    with tempfile.TemporaryDirectory(prefix="dwell-sample-") as d:
        lib.dwell("run", "-q", "--exclude-children", "-i", "20", "--out", d + "/r", "--", "sleep", "0.2")
        kinds = [r["kind"] for r in lib.read_records(d + "/r")]
    assert set(kinds[1:-1]) == {"sample"}, kinds


@test
def totals_never_fall():
    result = lib.run(["/bin/sh", "-c", "for i in 1 2 3 4 5 6; do /bin/true; sleep 0.05; done"], "-i", 20)
    trees = [r["probes"]["ledger"] for r in result.records if r["kind"] == "tree"]
    trees.append(result.ledger())
    assert len(trees) > 5, len(trees)
    for before, after in zip(trees, trees[1:]):
        assert after["lifetime_ns"] >= before["lifetime_ns"]
        for name, state in before["states"].items():
            assert lib.state_of(after, name)["ns"] >= state["ns"], f"{name} fell"
            assert lib.state_of(after, name)["count"] >= state["count"], f"{name} count fell"


@test
def a_directory_that_is_not_there_is_refused_before_the_command():
    done = lib.dwell("run", "--out", "/no/such/dir/r", "--", "/bin/sh", "-c", "echo ran")
    assert done.returncode == 125 and "/no/such/dir" in done.stderr, done
    assert "ran" not in done.stdout, "the command was started"


@test
def an_old_report_stays_until_the_new_one_is_whole():
    with tempfile.TemporaryDirectory(prefix="dwell-old-") as d:
        path = d + "/r"
        with open(path, "w", encoding="ascii") as f:
            f.write("old\n")
        with open(path, encoding="ascii") as old:
            done = lib.dwell("run", "-q", "--out", path, "--", "cat", path)
            assert done.stdout == "old\n", "replaced too early"
            assert old.read() == "old\n", "the old file was written over"
        assert lib.read_records(path)[-1]["kind"] == "summary"


@test
def a_full_disk_is_said_once_and_disturbs_nobody():
    with open("/dev/full", "w", encoding="ascii") as full:
        p = subprocess.run([lib.DWELL, "run", "--json", "-i", "10", "--", "/bin/sh", "-c",
                            "sleep 0.2; echo alive >&2"], stdout=full, stderr=subprocess.PIPE,
                           stdin=subprocess.DEVNULL, text=True, timeout=30, check=False)
    assert p.returncode == 125, p
    said = [li for li in p.stderr.splitlines() if "space" in li]
    assert len(said) == 1 and "alive" in p.stderr, p.stderr


@test
def a_failing_command_outweighs_a_broken_stream():
    with open("/dev/full", "w", encoding="ascii") as full:
        p = subprocess.run([lib.DWELL, "run", "--json", "--", "/bin/sh", "-c", "exit 7"], stdout=full,
                           stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, timeout=30, check=False)
    assert p.returncode == 7, p


@test
def out_on_a_full_device():
    done = lib.dwell("run", "-q", "--out", "/dev/full", "--", "/bin/true")
    assert done.returncode == 125 and "/dev/full" in done.stderr, done


@test
def a_reader_that_goes_is_said_once():
    p = subprocess.Popen([lib.DWELL, "run", "--json", "-i", "10", "--", "/bin/sh", "-c",
                          "sleep 0.5; echo alive >&2"], stdout=subprocess.PIPE,
                         stderr=subprocess.PIPE, stdin=subprocess.DEVNULL, text=True)
    p.stdout.readline()
    p.stdout.close()
    err = p.stderr.read()
    p.stderr.close()
    assert p.wait(30) == 125, (p.returncode, err)
    assert "alive" in err and err.lower().count("pipe") == 1, err


def on_terminal(columns, *argv, env=None):
    """What argv shows on a terminal of that width."""
    pid, fd = pty.fork()
    if not pid:
        fcntl.ioctl(0, termios.TIOCSWINSZ, struct.pack("HHHH", 50, columns, 0, 0))
        os.execve(argv[0], argv, {**os.environ, "TERM": "xterm", **(env or {})})
    shown = b""
    while True:
        try:
            data = os.read(fd, 65536)
        except OSError:
            break
        if not data:
            break
        shown += data
    os.waitpid(pid, 0)
    return shown.decode("utf-8", "replace")


@test
def colour_only_on_a_terminal():
    assert "\x1b[" not in lib.dwell("run", "--", *SHELL).stderr
    assert "\x1b[" in on_terminal(100, lib.DWELL, "run", "--", "/bin/true")
    for quiet in (("--no-color",), ()):
        shown = on_terminal(100, lib.DWELL, "run", *quiet, "-n", "--", "/bin/true",
                            env={} if quiet else {"NO_COLOR": "1"})
        assert not re.search(r"\x1b\[[\d;]*m", shown), shown


@test
def the_width_of_the_terminal_is_respected():
    for columns in (60, 80, 132):
        shown = on_terminal(columns, lib.DWELL, "run", "-n", "--", "/bin/sh", "-c", "sleep 0.1; ls / >/dev/null")
        lines = re.sub(r"\x1b\[[\d;?]*[A-Za-z]", "", shown).replace("\r", "").split("\n")
        longest = max(lines, key=len)
        assert len(longest) <= columns, f"{len(longest)} of {columns}: {longest!r}"


@test
def no_progress_line_off_a_terminal():
    done = lib.dwell("run", "--", "sleep", "0.5")
    assert "\r" not in done.stderr and "\x1b" not in done.stderr, done.stderr


@test
def stats_reads_what_run_wrote():
    with tempfile.TemporaryDirectory(prefix="dwell-stats-") as d:
        lib.dwell("run", "-q", "-i", "20", "--out", d + "/r", "--", "sleep", "0.3")
        done = lib.dwell("stats", "--json", d + "/r")
        assert done.returncode == 0, done
        stats = json.loads(done.stdout)
        trees = [r for r in lib.read_records(d + "/r") if r["kind"] == "tree"]
        assert stats["sample_count"] == len(trees), (stats, len(trees))
        assert stats["peak_mem_rss_kb"] == max(t["aggregated"]["mem_rss_kb"] for t in trees)
        text = lib.dwell("stats", d + "/r")
        assert text.returncode == 0 and text.stdout.strip(), text


main()
