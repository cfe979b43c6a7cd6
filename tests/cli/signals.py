#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Signals sent to dwell reach the command; a terminal's Ctrl-C and Ctrl-Z do what they do
without dwell; dwell killed with SIGKILL leaves the command unharmed and no BPF program.
"""
import os
import pty
import select
import signal
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from bpf import held, living, wait_until_gone
from tap import main, test

COUNTER = "trap 'echo got %s; exit 33' %s; echo ready; while :; do sleep 0.02; done"


def start(*cmd, opts=("-q",), **kw):
    """dwell run with pipes; returns once the command has said `ready`."""
    p = subprocess.Popen([lib.DWELL, "run", *opts, "--", *cmd], stdin=subprocess.DEVNULL,
                         stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, **kw)
    line = p.stdout.readline()
    assert line == "ready\n", (line, p.stderr.read())
    return p


def finish(p, timeout=20):
    try:
        out, err = p.communicate(timeout=timeout)
    finally:
        p.kill()
        p.wait()
    return out, err


def forwarded(name):
    def check():
        p = start("/bin/sh", "-c", COUNTER % (name, name), start_new_session=True)
        os.kill(p.pid, getattr(signal, "SIG" + name))
        out, err = finish(p)
        assert p.returncode == 33 and out == f"got {name}\n", (p.returncode, out, err)
    test(check, name=f"SIG{name} sent to dwell reaches the command")


for _name in ("TERM", "INT", "HUP", "QUIT", "USR1", "USR2", "ALRM", "WINCH"):
    forwarded(_name)


@test
def a_signal_is_delivered_once():
    """To dwell alone: the command's handler runs once, not twice."""
    script = ("import os, signal, time\nn = 0\ndef f(*_):\n global n\n n += 1\n"
              "signal.signal(signal.SIGUSR1, f)\nprint('ready', flush=True)\n"
              "t = time.monotonic() + 1\nwhile time.monotonic() < t: time.sleep(0.05)\nprint(n)\n")
    p = start("/usr/bin/python3", "-c", script, start_new_session=True)
    time.sleep(0.2)
    os.kill(p.pid, signal.SIGUSR1)
    out, err = finish(p)
    assert out == "1\n", (out, err)


@test
def death_by_a_forwarded_signal_is_dwells_own():
    p = start("/bin/sh", "-c", "echo ready; exec sleep 30", opts=(), start_new_session=True)
    time.sleep(0.3)
    os.kill(p.pid, signal.SIGTERM)
    _out, err = finish(p)
    assert p.returncode == -signal.SIGTERM, (p.returncode, err)
    assert "on_cpu" in err or "on CPU" in err, f"no summary: {err}"


def read_until(fd, text, seconds=30):
    """What the terminal shows until `text` does."""
    seen, until = b"", time.monotonic() + seconds
    while text not in seen:
        left = until - time.monotonic()
        assert left > 0, f"never saw {text!r}, only {seen!r}"
        if select.select([fd], [], [], left)[0]:
            try:
                data = os.read(fd, 4096)
            except OSError:
                data = b""
            assert data, f"terminal closed before {text!r}: {seen!r}"
            seen += data
    return seen


def on_terminal(*argv):
    """(pid, fd) of argv as the leader of a new session on a new terminal."""
    pid, fd = pty.fork()
    if not pid:
        os.execv(argv[0], argv)
    return pid, fd


def drain(fd):
    seen = b""
    while True:
        try:
            data = os.read(fd, 65536)
        except OSError:
            return seen
        if not data:
            return seen
        seen += data


@test
def ctrl_c_reaches_the_command_and_dwell_still_prints():
    pid, fd = on_terminal(lib.DWELL, "run", "--no-color", "--", "/bin/sh", "-c",
                          "echo ready; exec sleep 30")
    read_until(fd, b"ready")
    time.sleep(0.3)
    os.write(fd, b"\x03")
    shown = drain(fd)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGINT, (status, shown)
    assert b"sleep" in shown and b"trust" in shown, shown


@test
def a_command_that_survives_ctrl_c_survives_it_under_dwell():
    pid, fd = on_terminal(lib.DWELL, "run", "-q", "--", "/bin/sh", "-c",
                          "trap 'echo caught' INT; echo ready; sleep 0.8; sleep 0.2; echo done; exit 5")
    read_until(fd, b"ready")
    time.sleep(0.3)
    os.write(fd, b"\x03")
    shown = drain(fd)
    _, status = os.waitpid(pid, 0)
    assert os.WIFEXITED(status) and os.WEXITSTATUS(status) == 5, (status, shown)
    assert b"caught" in shown and b"done" in shown, shown
    assert shown.count(b"caught") == 1, shown


def wait_for_stop(pid):
    lib.until(f"the stop of {pid}", lambda: lib.stat_of(pid)[0] == "T")


@test
def ctrl_z_stops_both_and_fg_continues():
    need_bash = lib.need("bash")
    pid, fd = on_terminal(need_bash, "--norc", "--noprofile", "-i")
    os.write(fd, b"PS1='%% '; stty -echo\n")
    read_until(fd, b"% ")
    # a shell that stops between vfork and exec, as dash can, hangs the terminal, dwell or not
    command = (f"{lib.DWELL} run -q -- /usr/bin/python3 -c 'import os, sys, time\n"
               "print(f\"pid={os.getpid()} rea\" + \"dy\", flush=True)\n"
               "for _ in range(40): time.sleep(0.05)\n"
               "print(\"finished\"); sys.exit(6)'\n")
    os.write(fd, command.encode())
    shown = read_until(fd, b"ready")
    child = int(shown.split(b"pid=")[-1].split()[0])
    time.sleep(0.2)
    os.write(fd, b"\x1a")
    read_until(fd, b"Stopped")
    wait_for_stop(child)
    with open(f"/proc/{child}/status", encoding="ascii") as f:
        parent = int([li for li in f if li.startswith("PPid")][0].split()[1])
    wait_for_stop(parent)
    time.sleep(0.2)
    os.write(fd, b"fg\n")
    read_until(fd, b"finished")
    os.write(fd, b"echo code=$?\n")
    assert b"code=6" in read_until(fd, b"code="), "exit code after fg"
    os.write(fd, b"exit\n")
    drain(fd)
    os.waitpid(pid, 0)


@test
def a_stop_of_dwell_alone_and_cont():
    """kill -TSTP dwell: the command stops too, CONT continues both."""
    p = start("/usr/bin/python3", "-c", "import sys, time\nprint('ready', flush=True)\n"
              "for _ in range(20): time.sleep(0.05)\nsys.exit(8)",
              process_group=0)     # not an orphaned group: those cannot be stopped
    os.kill(p.pid, signal.SIGTSTP)
    wait_for_stop(p.pid)
    os.kill(p.pid, signal.SIGCONT)
    finish(p)
    assert p.returncode == 8, p.returncode


@test
def the_command_owns_the_terminal():
    pid, fd = on_terminal(lib.DWELL, "run", "-q", "--", "/bin/sh", "-c",
                          "test -t 0 && test -t 1 && test -t 2 && tty && read x && echo got $x")
    os.write(fd, b"hello\n")
    shown = drain(fd)
    _, status = os.waitpid(pid, 0)
    assert status == 0 and b"/dev/pts/" in shown and b"got hello" in shown, (status, shown)


@test
def sigkill_leaves_no_program_and_the_command_unharmed():
    with tempfile.TemporaryDirectory(prefix="dwell-kill-") as d:
        mark, report = d + "/mark", d + "/report"
        p = start("/bin/sh", "-c", f"echo ready; sleep 1.5; echo $$ > {mark}", opts=("-q", "--out", report))
        ours = held(p.pid, "prog")
        assert ours and ours <= living(), ours
        p.kill()
        p.wait()
        wait_until_gone(ours)
        assert not os.path.exists(report), "half a report"
        lib.until("the command's end, which lives on", lambda: os.path.exists(mark))
        assert not [n for n in os.listdir(d) if n not in ("mark",)], os.listdir(d)
        p.stdout.close()
        p.stderr.close()


main()
