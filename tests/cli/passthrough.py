#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
`dwell run` behaves as if it were not there: exit code, death by signal, stdin, stdout and
stderr byte for byte, environment, directory, umask, signal dispositions and mask,
descriptors, capabilities. Truth is the same command without dwell.
"""
import os
import pty
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from bpf import held, wait_until_gone
from tap import main, test

QUIET = [lib.DWELL, "run", "-q", "--"]


def both(cmd, binary=True, **kw):
    """The command alone and under dwell; both CompletedProcess."""
    kw.setdefault("stdin", subprocess.DEVNULL)
    kw.setdefault("timeout", 30)
    alone = subprocess.run(cmd, capture_output=True, text=not binary, check=False, **kw)
    under = subprocess.run(QUIET + cmd, capture_output=True, text=not binary, check=False, **kw)
    return alone, under


def same(cmd, **kw):
    """Both are alike in every way that the caller can see; returns the one under dwell."""
    alone, under = both(cmd, **kw)
    assert under.returncode == alone.returncode, (under.returncode, alone.returncode, under.stderr)
    assert under.stdout == alone.stdout, (under.stdout, alone.stdout)
    assert under.stderr == alone.stderr, (under.stderr, alone.stderr)
    return under


@test
def exit_codes():
    for code in (0, 1, 2, 42, 124, 125, 126, 127, 128, 255):
        assert same(["/bin/sh", "-c", f"exit {code}"]).returncode == code


def dies(sig):
    def check():
        done = same(["/bin/sh", "-c", f"kill -{sig.value} $$"])
        assert done.returncode == -sig, f"wait status of dwell: {done.returncode}"
    test(check, name=f"death by {sig.name} passes through")


for _sig in (signal.SIGTERM, signal.SIGKILL, signal.SIGINT, signal.SIGSEGV, signal.SIGABRT,
             signal.SIGHUP, signal.SIGPIPE, signal.SIGUSR1, signal.SIGRTMIN):
    dies(_sig)


@test
def dwell_leaves_no_core_file():
    with tempfile.TemporaryDirectory(prefix="dwell-core-") as d:
        done = subprocess.run(["/bin/sh", "-c", f"ulimit -c unlimited; exec {' '.join(QUIET)} "
                               "/bin/sh -c 'ulimit -c 0; kill -SEGV $$'"], cwd=d,
                              capture_output=True, timeout=30, check=False)
        assert done.returncode == -signal.SIGSEGV, done
        assert not os.listdir(d), os.listdir(d)


@test
def not_found_is_127():
    for cmd in ("no-such-command-here", "/no/such/file"):
        done = lib.dwell("run", "--", cmd)
        assert done.returncode == 127 and cmd in done.stderr, done


@test
def not_executable_is_126():
    with tempfile.NamedTemporaryFile(prefix="dwell-plain-") as f:
        done = lib.dwell("run", "--", f.name)
        assert done.returncode == 126 and f.name in done.stderr, done
    done = lib.dwell("run", "--", "/etc")
    assert done.returncode == 126, done


@test
def a_script_without_an_interpreter_line_runs_as_in_a_shell():
    with tempfile.TemporaryDirectory(prefix="dwell-script-") as d:
        path = d + "/script"
        with open(path, "w", encoding="ascii") as f:
            f.write("echo ran; exit 9\n")
        os.chmod(path, 0o755)
        done = lib.dwell("run", "-q", "--", path)
        # execvp runs it by sh; the other right answer is 126 (ENOEXEC)
        assert (done.returncode, done.stdout) in ((9, "ran\n"), (126, "")), done


@test
def the_path_is_searched():
    with tempfile.TemporaryDirectory(prefix="dwell-path-") as d:
        os.symlink("/bin/echo", d + "/only-here")
        done = same(["only-here", "x"], env={"PATH": d})
        assert done.stdout == b"x\n"


@test
def stdin_and_stdout_byte_for_byte():
    data = bytes(range(256)) * 40000        # 10 MB, all bytes
    done = same(["cat"], stdin=None, input=data)
    assert done.stdout == data


@test
def stderr_byte_for_byte():
    data = os.urandom(300000)
    done = same(["/bin/sh", "-c", "cat >&2"], stdin=None, input=data)
    assert done.stderr == data


@test
def closed_descriptors_stay_closed():
    probe = 'for n in 0 1 2; do [ -e /proc/$$/fd/$n ] && open="$open$n"; done; echo "[$open]" > $0'
    for closed in ("<&-", ">&-", "2>&-", "<&- >&- 2>&-"):
        seen = []
        for prefix in ([], QUIET):
            with tempfile.NamedTemporaryFile("r", prefix="dwell-fds-") as f:
                subprocess.run(["/bin/sh", "-c", f'exec "$@" {closed}', "sh", *prefix, "/bin/sh", "-c",
                                probe, f.name], timeout=30, stdin=subprocess.DEVNULL,
                               capture_output=True, check=False)
                seen.append(f.read())
        assert seen[0] == seen[1] != "", f"{closed}: {seen}"


@test
def environment_directory_umask():
    with tempfile.TemporaryDirectory(prefix="dwell-env-") as d:
        env = {"PATH": os.environ["PATH"], "ODD": "a=b \n'\"", "EMPTY": ""}
        same(["env", "-0"], env=env)
        same(["pwd"], cwd=d)
        same(["/bin/sh", "-c", "umask"], preexec_fn=lambda: os.umask(0o137))
        same(["/bin/sh", "-c", "ulimit -a"], binary=False)
        same(["nice"], preexec_fn=lambda: os.nice(3))
        same(["grep", "Cpus_allowed:", "/proc/self/status"])


@test
def arguments_as_they_are():
    same(["printf", "[%s]", "a b", "", "--json", "-q", "--", "*", "\xff".encode("latin-1")])


def status_lines(*fields):
    """The lines of /proc/self/status that say what a process got from its parent."""
    return ["grep", "-E", "^(" + "|".join(fields) + "):", "/proc/self/status"]


@test
def signal_mask_and_ignored_signals():
    same(status_lines("SigBlk", "SigIgn", "SigCgt"))

    def odd():
        signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGUSR2, signal.SIGINT, signal.SIGCHLD])
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)
        signal.signal(signal.SIGPIPE, signal.SIG_IGN)
    done = same(status_lines("SigBlk", "SigIgn", "SigCgt"), preexec_fn=odd, restore_signals=False)
    blocked = int(done.stdout.split()[1], 16)
    assert blocked >> signal.SIGUSR2 - 1 & 1 and blocked >> signal.SIGINT - 1 & 1, done.stdout


@test
def no_descriptor_of_dwells():
    same(["ls", "/proc/self/fd"])
    with tempfile.TemporaryFile() as f:
        same(["ls", "/proc/self/fd"], pass_fds=[f.fileno()])


@test
def no_descriptor_with_a_report_either():
    with tempfile.TemporaryDirectory(prefix="dwell-fd-") as d:
        alone = subprocess.run(["ls", "/proc/self/fd"], capture_output=True, check=True,
                               stdin=subprocess.DEVNULL)
        under = lib.dwell("run", "-q", "--out", d + "/r", "--stats", d + "/s", "--",
                          "ls", "/proc/self/fd", binary=True)
        assert under.stdout == alone.stdout, (under, alone)


@test
def capabilities_and_ids():
    same(status_lines("Uid", "Gid", "Groups", "CapInh", "CapPrm", "CapEff", "CapBnd", "CapAmb",
                      "NoNewPrivs", "Seccomp"))


@test
def process_group_and_session():
    """CMD stays in the process group and session that dwell was started in."""
    done = same(["/usr/bin/python3", "-c", "import os; print(os.getpgrp(), os.getsid(0))"])
    assert done.stdout.split() == [b"%d" % os.getpgrp(), b"%d" % os.getsid(0)], done.stdout


@test
def a_closed_reader_is_the_commands_business():
    """`dwell run -- yes | head -1`: yes dies of SIGPIPE, and so does dwell."""
    alone, under = (subprocess.run(["/bin/bash", "-c", f"{prefix} yes | head -n 1; "
                                    "echo ${PIPESTATUS[0]}"], capture_output=True, timeout=30,
                                   check=False) for prefix in ("", " ".join(QUIET)))
    assert alone.stdout == under.stdout, (alone, under)


@test
def an_ignored_sigchld_is_no_hang():
    for code in (0, 5):
        done = subprocess.run([*QUIET, "/bin/sh", "-c", f"exit {code}"], timeout=30, check=False,
                              preexec_fn=lambda: signal.signal(signal.SIGCHLD, signal.SIG_IGN))
        assert done.returncode == code, done


@test
def what_exec_refuses_is_126():
    with tempfile.TemporaryDirectory(prefix="dwell-exec-") as d:
        os.symlink("loop", d + "/loop")
        for path in ("/etc/passwd/x", d + "/loop"):
            done = lib.dwell("run", "--", path)
            assert done.returncode == 126 and path in done.stderr, done


@test
def a_signal_of_any_kind_is_the_commands():
    # no pause(): the signal may come just before it
    script = ("import os, signal, sys, time; n = int(sys.argv[1]); "
              "signal.signal(n, lambda *_: os._exit(9)); print('up', flush=True)\n"
              "while True: time.sleep(0.05)")
    for sig in (signal.SIGVTALRM, signal.SIGPROF, signal.SIGIO, signal.SIGPWR, signal.SIGRTMIN,
                signal.SIGRTMAX, signal.SIGXCPU, signal.SIGURG):
        with subprocess.Popen([*QUIET, sys.executable, "-c", script, str(int(sig))],
                              stdout=subprocess.PIPE) as p:
            assert p.stdout.readline() == b"up\n"
            p.send_signal(sig)
            assert p.wait(20) == 9, (sig, p.returncode)


@test
def a_file_size_limit_ends_the_records_not_the_command():
    with tempfile.TemporaryDirectory(prefix="dwell-fsize-") as d:
        done = subprocess.run(["/bin/sh", "-c", f"ulimit -f 8; exec '{lib.DWELL}' run -q -i 10 "
                               f"--out {d}/r -- /bin/sh -c 'sleep 0.8; exit 3'"],
                              capture_output=True, text=True, timeout=30, check=False)
        assert done.returncode == 3 and "dropped" in done.stderr, done
        assert not os.listdir(d), os.listdir(d)


@test
def a_hangup_of_the_terminal_ends_the_command():
    pid, terminal = pty.fork()
    if not pid:
        os.execv(lib.DWELL, [*QUIET, "/bin/sh", "-c", "echo up $$; exec sleep 60"])
    said = b""
    while not said.endswith(b"\n"):
        said += os.read(terminal, 100)
    command = int(said.split()[-1])
    os.close(terminal)
    _, status = os.waitpid(pid, 0)
    assert os.WIFSIGNALED(status) and os.WTERMSIG(status) == signal.SIGHUP, status
    assert not os.path.exists(f"/proc/{command}"), command


@test
def the_commands_peak_of_memory_is_its_own():
    """fork hands dwell's own peak on; the command is forked before there is one to speak of."""
    with tempfile.NamedTemporaryFile(prefix="dwell-peak-", suffix=".jsonl") as f:
        lib.dwell("run", "-q", "--out", f.name, "--", "/bin/true")
        usage = lib.read_records(f.name)[-1]["usage"]
        assert 0 < usage["max_rss_kb"] < 4000, usage


@test
def nothing_stays_attached_after_d():
    with subprocess.Popen([*QUIET[:-1], "-d", "1", "--", "/bin/cat"], stdin=subprocess.PIPE) as p:
        ours = lib.until("its command", lambda: [
            pid for pid in lib.children(p.pid) if lib.comm_of(pid) == "cat"]) and held(p.pid, "prog")
        wait_until_gone(ours)
        assert p.poll() is None, "it did not wait for its command"
        p.stdin.close()
        assert p.wait(20) == 0


main()
