#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Without the right to use BPF the command still runs, with its exit code, one line on what
is missing, and what /proc and wait4 tell; -u runs it as another user, without anything of
dwell's.
"""
import json
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, test

NOBODY = pwd.getpwnam("nobody")


def unprivileged(*args, binary=False, **kw):
    """dwell as nobody, with no capability at all. A copy: the build may be unreachable."""
    lib.need("setpriv")
    with tempfile.TemporaryDirectory(prefix="dwell-priv-") as d:
        os.chmod(d, 0o777)
        copy = shutil.copy(lib.DWELL, d + "/dwell")
        done = subprocess.run(["setpriv", f"--reuid={NOBODY.pw_uid}", f"--regid={NOBODY.pw_gid}",
                               "--clear-groups", "--inh-caps=-all", copy, *map(str, args)],
                              capture_output=True, text=not binary, stdin=subprocess.DEVNULL,
                              timeout=30, check=False, cwd=d, **kw)
        reports = {}
        for name in os.listdir(d):
            if name != "dwell":
                with open(f"{d}/{name}", encoding="utf-8") as f:
                    reports[name] = [json.loads(li) for li in f]
        return done, reports


@test
def without_bpf_the_command_runs_with_its_exit_code():
    done, _ = unprivileged("run", "-q", "--", "/bin/sh", "-c", "id -u; exit 42")
    assert done.returncode == 42 and done.stdout == f"{NOBODY.pw_uid}\n", done


@test
def without_bpf_death_by_signal_passes_through():
    done, _ = unprivileged("run", "-q", "--", "/bin/sh", "-c", "kill -TERM $$")
    assert done.returncode == -signal.SIGTERM, done


@test
def without_bpf_one_line_says_what_is_missing():
    done, _ = unprivileged("run", "--", "/bin/true")
    lines = [li for li in done.stderr.splitlines() if li.startswith("dwell: ")]
    assert len(lines) == 1, done.stderr
    assert "BPF" in lines[0] and "root" in lines[0], lines


@test
def without_bpf_the_records_are_there():
    done, reports = unprivileged("run", "--out", "r", "-i", "20", "--", "/bin/sh", "-c",
                                 "sleep 0.2; exit 3")
    assert done.returncode == 3, done
    kinds = [r["kind"] for r in reports["r"]]
    assert kinds[0] == "metadata" and kinds[-1] == "summary" and "tree" in kinds, kinds
    summary = reports["r"][-1]
    assert summary["exit"] == {"code": 3, "signal": None}, summary["exit"]
    assert 200 * lib.MS <= summary["wall_ns"] <= 3000 * lib.MS, summary["wall_ns"]
    assert not summary.get("ledger"), "a ledger without BPF is an invention"
    assert not summary.get("syscalls"), "system calls without BPF are an invention"
    trees = [r for r in reports["r"] if r["kind"] == "tree" and r["parent"]]
    assert max(t["parent"]["mem_rss_kb"] for t in trees) > 0, reports["r"]


@test
def no_ebpf_is_the_same_by_choice():
    result = lib.run(["/bin/sh", "-c", "sleep 0.1; exit 4"], "--no-ebpf", check=False)
    assert result.rc == 4 and not result.summary.get("ledger"), result.summary
    assert result.summary["exit"] == {"code": 4, "signal": None}, result.summary["exit"]


@test
def unprivileged_attach_to_anothers_process():
    p = subprocess.Popen(["sleep", "20"])
    try:
        done, _ = unprivileged("attach", p.pid, "-d", "0.2")
        assert done.returncode in (0, 1) and "BPF" in done.stderr, done
        assert p.poll() is None, "the target died"
    finally:
        p.kill()
        p.wait()


def status_as(user):
    """What a process of that user looks like, by setpriv; and by dwell -u."""
    fields = ("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapAmb")
    cmd = ["grep", "-E", "^(" + "|".join(fields) + "):", "/proc/self/status"]
    alone = subprocess.run(["setpriv", f"--reuid={user}", f"--regid={NOBODY.pw_gid}", "--init-groups",
                            *cmd], capture_output=True, text=True, check=True)
    return alone.stdout, lib.dwell("run", "-q", "-u", user, "--", *cmd)


@test
def user_option_gives_ids_groups_and_no_capability():
    lib.need("setpriv")
    want, done = status_as("nobody")
    assert done.returncode == 0 and done.stdout == want, (done.stdout, want, done.stderr)
    assert "CapEff:\t0000000000000000" in done.stdout, done.stdout


@test
def user_option_is_measured_like_any():
    with tempfile.TemporaryDirectory(prefix="dwell-user-") as d:
        os.chmod(d, 0o755)
        result = lib.run(["/bin/sh", "-c", "sleep 0.05; exit 6"], "-u", "nobody")
    assert result.rc == 6
    assert result.ledger()["states"]["sleep"]["ns"] >= 50 * lib.MS, result.ledger()["states"]


@test
def user_option_with_a_stranger():
    done = lib.dwell("run", "-u", "no-such-user", "--", "/bin/true")
    assert done.returncode == 125 and "no-such-user" in done.stderr, done


@test
def user_option_gives_no_descriptor():
    alone = subprocess.run(["ls", "/proc/self/fd"], capture_output=True, text=True, check=True,
                           stdin=subprocess.DEVNULL)
    done = lib.dwell("run", "-q", "-u", "nobody", "--", "ls", "/proc/self/fd")
    assert done.stdout == alone.stdout, (done, alone.stdout)


@test
def user_option_needs_the_right():
    done, _ = unprivileged("run", "-u", "root", "--", "id", "-u")
    assert done.returncode in (125, 126) and "0" not in done.stdout.split(), done


@test
def a_command_that_user_may_not_run_is_126():
    with tempfile.TemporaryDirectory(prefix="dwell-secret-") as d:
        path = d + "/secret"
        shutil.copy("/bin/true", path)
        done = lib.dwell("run", "-u", "nobody", "--", path)
        assert done.returncode == 126, done


main()
