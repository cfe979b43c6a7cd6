#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Stacks of Debian's programs under a load: at least 99 % reach the thread's start, and what the
threads of a server wait in is what eu-stack says of them as they stand still. Names of what a
JIT made. The kernel does not matter for most of it: see tests/vm/not-in-guests.
"""
import contextlib
import glob
import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import elfutils
import folded
import lib
from tap import main, skip, test

lib.PROBES = "syscalls,stacks"
STACKS = ("--stacks", "--stack-quantum", 0, "-F", 499, "--python", "off")
PYTHON = "/usr/bin/python3"
WAIT = 60
QUIET = {"stdin": subprocess.DEVNULL, "stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}


def need(program):
    path = shutil.which(program, path=os.environ["PATH"] + ":/usr/sbin")
    return path or skip(f"{program} is not installed")


@contextlib.contextmanager
def folder():
    """One that other users can look into, as servers run by them do."""
    with tempfile.TemporaryDirectory(prefix="dwell-test-") as d:
        os.chmod(d, 0o755)
        yield d


# ---- what is asked of all ----

def check_ends(stacks, least, share=0.99):
    """Between two programs, inside of execve, a thread has no stack."""
    ends = stacks["ends"]
    taken = stacks["samples"] - ends["no_user"]
    assert taken >= least, f"{taken} stacks: {ends}"
    assert ends["whole"] >= share * taken, f"{bad_stacks(stacks)} {ends}"
    assert ends["no_table"] + ends["no_file"] + ends["no_room"] <= 0.01 * taken, ends


def bad_stacks(stacks):
    return [f"{t['user_stack_error']}: {[f['symbol'] for f in t['user_stack'] or ()]}"
            for t in stacks["stack_traces"] if t["user_stack_error"]][:5]


def check_functions(rows, *names):
    """A stack on which these functions stand, root first, others between them or not."""
    for frames, _ in rows:
        rest = iter(frames)
        if all(any(frame.startswith(name) for frame in rest) for name in names):
            return
    raise AssertionError(f"{names} on none of {len(rows)} stacks")


def run(cmd, least, share=0.99, **kw):
    """A program from its start to its end: (run, its stacks as --folded writes them)."""
    with tempfile.TemporaryDirectory(prefix="dwell-test-") as d:
        result = lib.run(cmd, *STACKS, "--folded", f"{d}/folded", **kw)
        rows = folded.read(f"{d}/folded")
    assert result.rc == 0, result.err
    check_ends(result.summary["stacks"], least, share)
    return result, rows


# ---- servers ----

def steady_children(pid):
    """Its children once they have been the same and asleep for a while: none of them is ending."""
    seen = [None, 0]

    def condition():
        now = lib.children(pid)
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            same = now == seen[0] and lib.are_asleep(now)
            seen[:] = now, seen[1] + 1 if same else 0
        return seen[1] >= 20 and now
    return lib.until("steady children", condition, 30)


@contextlib.contextmanager
def server(*cmd, **kw):
    p = subprocess.Popen(list(map(str, cmd)), **{**QUIET, **kw})
    try:
        yield p
    finally:
        p.kill()
        p.wait()


def measure(pids, load, stop):
    """
    Looks at idle processes by eu-stack, has them do something under dwell and end. Returns
    (stacks, as --folded writes them, {(pid, tid): frames by eu-stack}).
    """
    need("eu-stack")
    lib.settle(*pids)
    with tempfile.TemporaryDirectory(prefix="dwell-test-") as d, subprocess.Popen(
            lib.argv("attach", "--quiet", "--json", "--no-polling", *STACKS, "--folded",
                     f"{d}/folded", *pids),
            stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, text=True) as dwell:
        try:
            assert json.loads(dwell.stdout.readline())["kind"] == "metadata"
            lib.settle(*pids)
            theirs = {(pid, tid): frames for pid in pids
                      for tid, frames in elfutils.stacks(pid, timeout=WAIT / 2).items()}
            load()
            stop()
            out = dwell.communicate(timeout=WAIT / 2)[0]
        finally:
            dwell.kill()
        assert dwell.returncode == 0, dwell.returncode
        return json.loads(out.splitlines()[-1])["stacks"], folded.read(f"{d}/folded"), theirs


def compare(stacks, theirs, must):
    """
    Each waiting thread's stack is one that dwell says its process waited in; of threads that
    nothing woke it has none, but of so many at least it has.
    """
    ours = {}
    for t in stacks["stack_traces"]:
        if t["state"] not in ("on_cpu", "runqueue", "preempted") and t["user_stack"]:
            for pid in {pid for pid, _ in t["threads"]} | {t["event"]["pid"]}:
                ours.setdefault(pid, []).append(
                    [(f["module"], f["address"]) for f in t["user_stack"]])
    seen, other = 0, []
    for (pid, tid), frames in theirs.items():
        assert len(frames) >= 3, (pid, tid, frames)
        if any(elfutils.same(o, frames) for o in ours.get(pid, ())):
            seen += 1
        else:
            alike = [elfutils.show(o) for o in ours.get(pid, ()) if o[0] == frames[0]]
            other.append(f"{pid}/{tid} eu-stack: {elfutils.show(frames)}; dwell: {alike}")
    print(f"# {seen} of {len(theirs)} threads have the stack that eu-stack sees")
    assert seen >= must, f"{seen} of {len(theirs)}: {other}"
    return other


def command(*cmd, **kw):
    subprocess.run(list(map(str, cmd)), check=True, timeout=WAIT, **{**QUIET, **kw})


@test
def redis_server():
    program, bench, cli = need("redis-server"), need("redis-benchmark"), need("redis-cli")
    with folder() as d, server(program, "--port", 0, "--unixsocket", f"{d}/sock", "--dir", d,
                               "--save", "", "--appendonly", "yes") as p:
        lib.until("socket", lambda: os.path.exists(f"{d}/sock"))
        ask = (cli, "-s", f"{d}/sock")

        def load():
            command(bench, "-s", f"{d}/sock", "-q", "-t", "set,get,lpush,lrange_100", "-n", 3000)
            command(*ask, "eval", "local x = 0 for i = 1, 1000000 do x = x + i end return x", 0)
            command(*ask, "bgsave")
        stacks, rows, theirs = measure([p.pid], load, lambda: command(*ask, "shutdown", "nosave"))
    check_ends(stacks, 1000)
    check_functions(rows, "_start", "main", "aeMain", "processCommand", "call", "lua_pcall")
    compare(stacks, theirs, 2)


def as_user(name):
    return ("setpriv", "--reuid", name, "--regid", name, "--clear-groups") if not os.geteuid() else ()


@test
def postgres():
    bench = need("pgbench")
    home = sorted(os.listdir("/usr/lib/postgresql"))[-1]
    program = f"/usr/lib/postgresql/{home}/bin/postgres"
    user = as_user("postgres")
    with folder() as d:
        command(os.path.join(lib.ROOT, "bench", "pg"), "make", cwd=d)
        with server(*user, program, "-D", f"{d}/pg/data", "-k", f"{d}/pg", "-c",
                    "listen_addresses=", "-F", cwd=f"{d}/pg") as p:
            ask = (*user, bench, "-n", "-h", f"{d}/pg")
            lib.until("socket", lambda: os.path.exists(f"{d}/pg/.s.PGSQL.5432"))
            command(*ask, "-t", 1, "postgres", cwd=f"{d}/pg")
            pids = [p.pid, *steady_children(p.pid)]
            stacks, rows, theirs = measure(
                pids, lambda: command(*ask, "-c", 4, "-t", 50, "postgres", cwd=f"{d}/pg"),
                lambda: p.send_signal(signal.SIGINT))
    check_ends(stacks, 1000)
    check_functions(rows, "_start", "main", "PostmasterMain", "PostgresMain", "WaitEventSetWait")
    assert len(theirs) >= 5, theirs
    compare(stacks, theirs, len(pids) - 1)


NGINX = """
daemon off; worker_processes 2; pid pid; error_log stderr;
events { worker_connections 64; }
http {
	access_log access; gzip on; gzip_min_length 1; gzip_types *;
	client_body_temp_path body; proxy_temp_path proxy; fastcgi_temp_path fastcgi;
	uwsgi_temp_path uwsgi; scgi_temp_path scgi;
	server { listen unix:sock; root .; location ~ x$ { rewrite ^/(.*)x$ /$1y last; } }
}
"""
ASK = """
import socket
for _ in range(100):
    s = socket.socket(socket.AF_UNIX)
    s.connect("sock")
    s.sendall(b"GET /big.x HTTP/1.1\\r\\nHost: x\\r\\nConnection: close\\r\\nAccept-Encoding: gzip\\r\\n\\r\\n")
    answer = b""
    while more := s.recv(65536):
        answer += more
    assert answer.startswith(b"HTTP/1.1 200"), answer[:100]
    s.close()
"""


@test
def nginx():
    program = need("nginx")
    with folder() as d:
        with open(f"{d}/conf", "w", encoding="ascii") as f:
            f.write(NGINX)
        with open(f"{d}/big.y", "w", encoding="ascii") as f:
            f.write("".join(f"{n}\n" for n in range(20000)))
        with server(program, "-c", f"{d}/conf", "-p", d, cwd=d) as p:
            lib.until("socket", lambda: os.path.exists(f"{d}/sock") and len(lib.children(p.pid)) == 2)
            stacks, rows, theirs = measure([p.pid, *lib.children(p.pid)],
                                     lambda: command(PYTHON, "-c", ASK, cwd=d),
                                     lambda: p.send_signal(signal.SIGQUIT))
    check_ends(stacks, 300)
    check_functions(rows, "_start", "main", "ngx_process_events_and_timers", "ngx_http_", "deflate")
    assert len(theirs) == 3, theirs
    compare(stacks, theirs, 3)


# ---- programs that end ----

LIBRARIES = """
import decimal, hashlib, json, re, sqlite3, ssl, threading, time, zlib

def for_300_ms(work):
    until = time.thread_time() + 0.3
    while time.thread_time() < until:
        work()

def chew(n):
    for_300_ms(lambda: hashlib.sha512(bytes(65536)))
    for i in range(n):
        text = json.dumps({"a": list(range(i % 99)), "b": "x" * i})
        hashlib.sha512(text.encode() * 20).hexdigest()
        hashlib.sha3_256(text.encode() * 20).hexdigest()
        zlib.decompress(zlib.compress(text.encode() * 10))
        re.search(r"(a|b)*[0-9]+x$", text)
        sorted(str(decimal.Decimal(k) / 7) for k in range(20))
    db = sqlite3.connect(":memory:")
    db.execute("create table t(a, b)")
    db.executemany("insert into t values(?, ?)", ((i, str(i)) for i in range(n * 10)))
    count = "select count(*) from t x, t y where x.a + 1 = y.a and x.b like '%9%'"
    for_300_ms(lambda: db.execute(count).fetchall())
    ssl.create_default_context()

threads = [threading.Thread(target=chew, args=(300,)) for _ in range(2)]
[t.start() for t in threads]
chew(300)
[t.join() for t in threads]
"""


@test
def python3():
    _, rows = run([PYTHON, "-c", LIBRARIES], least=300)
    check_functions(rows, "_start", "PyRun_", "SHA512_Update")
    check_functions(rows, "clone3", "start_thread", "sqlite3_step")


SQL = """
pragma synchronous = full;
create table t(a integer, b text);
{inserts}
create index k on t(b);
select count(*), sum(length(b)) from t group by a % 7 order by 2;
select count(*) from t x, t y where x.b like y.b;
with recursive c(n) as (select 1 union all select n + 1 from c where n < 100000)
	select max(hex(n) || printf('%08d', n)) from c;
"""


@test
def sqlite3():
    program = need("sqlite3")
    inserts = "\n".join(f"insert into t values({n}, hex(randomblob(40)));" for n in range(300))
    with folder() as d:
        with open(f"{d}/in", "w+", encoding="ascii") as f:
            f.write(SQL.format(inserts=inserts))
            f.seek(0)
            _, rows = run([program, f"{d}/db"], stdin=f, least=600)
    check_functions(rows, "__libc_start_main", "sqlite3_step", "fdatasync")


CXX = """
#include <iostream>
#include <map>
#include <regex>
int main()
{
	std::map<std::string, std::regex> m;
	m.emplace("a", "(a|b)*c");
	std::cout << std::regex_match("abc", m.at("a")) << std::endl;
}
"""


@test
def a_compiler_in_cxx():
    program = need("g++")
    with folder() as d:
        with open(f"{d}/a.cc", "w", encoding="ascii") as f:
            f.write(CXX)
        _, rows = run([program, "-o", f"{d}/a", f"{d}/a.cc"], least=500)
    check_functions(rows, "_start", "main", "toplev::main(")


@test
def ninja():
    """A program in C++ that waits for a child."""
    program = need("ninja")
    with folder() as d:
        os.mkfifo(f"{d}/go")
        with open(f"{d}/build.ninja", "w", encoding="ascii") as f:
            f.write("rule wait\n  command = read x < go; echo $$x > $out\nbuild out: wait\n")
        with server(program, "-C", d) as p:
            lib.until("child", lambda: lib.children(p.pid))

            def load():
                with open(f"{d}/go", "w", encoding="ascii") as f:
                    f.write("on\n")
            stacks, _, theirs = measure([p.pid], load, lambda: None)
    check_ends(stacks, 1)
    compare(stacks, theirs, 1)


# ---- code that was made at run time ----

# push rbp; mov rbp, rsp; 1: dec rdi; jnz 1b; pop rbp; ret
MADE = """
import ctypes, mmap, os, sys
code = mmap.mmap(-1, mmap.PAGESIZE, prot=mmap.PROT_READ | mmap.PROT_WRITE | mmap.PROT_EXEC)
code.write(bytes.fromhex("55 4889e5 48ffcf 75fb 5d c3"))
address = ctypes.addressof(ctypes.c_char.from_buffer(code))
with open(f"/tmp/perf-{os.getpid()}.map", "w") as f:
    f.write(f"{address:x} b made of ours\\n")
ctypes.CFUNCTYPE(None, ctypes.c_uint64)(address)(int(sys.argv[1]))
os.unlink(f"/tmp/perf-{os.getpid()}.map")
"""


@test
def code_that_ends_with_its_map():
    """Process and map are gone when names are asked for."""
    _, rows = run([PYTHON, "-c", MADE, 10 ** (8 if lib.EMULATED else 9)], least=10)
    check_functions(rows, "__libc_start_main", "made of ours")


SCRIPT = """
'use strict';
const crypto = require('crypto'), zlib = require('zlib'), fs = require('fs');
function leaf_of_ours(n) { let s = 0; for (let i = 0; i < n; i++) s = (s * 31 + i) | 0; return s; }
function middle_of_ours(n) { return leaf_of_ours(n) + 1; }
function outer_of_ours(n) { let t = 0; for (let i = 0; i < n; i++) t += middle_of_ours(50000); return t; }
function waits_of_ours(n) { return Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, n); }
let sum = outer_of_ours(Number(process.argv[2]));
waits_of_ours(30);
for (let i = 0; i < 300; i++) {
	const o = JSON.parse(JSON.stringify({ a: [...Array(50).keys()], b: 'x'.repeat(i) }));
	sum += crypto.createHash('sha256').update(o.b).digest()[0] + /(a|b)*x$/.test(o.b);
	zlib.deflateSync(Buffer.alloc(1000, i));
}
let n = 0;
(function read() {
	fs.readFile(__filename, (e, d) => zlib.gzip(d, () => ++n < 50 ? read() : console.log(sum)));
})();
"""


def forget_maps(result):
    """What a JIT wrote for others stays in /tmp."""
    for process in result.processes():
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            os.unlink(f"/tmp/perf-{process['pid']}.map")


def node(rounds, *opts):
    program = need("node")
    with folder() as d:
        with open(f"{d}/ours.js", "w", encoding="ascii") as f:
            f.write(SCRIPT)
        result, rows = run([program, *opts, f"{d}/ours.js", rounds], least=300, cwd=d)
    forget_maps(result)
    return rows


@test
def node_with_its_perf_map():
    rows = node(4000, "--perf-basic-prof")
    check_functions(rows, "__libc_start_main", "JS:*leaf_of_ours")
    check_functions(rows, "clone3", "start_thread", "worker", "uv_cond_wait")


@test
def node_with_its_interpreted_frames():
    rows = node(100, "--perf-basic-prof", "--interpreted-frames-native-stack", "--no-opt",
                  "--no-sparkplug")
    check_functions(rows, "__libc_start_main", "JS:~outer_of_ours", "JS:~middle_of_ours",
                    "JS:~leaf_of_ours")
    check_functions(rows, "__libc_start_main", "JS:~waits_of_ours", "v8::")


TRAMPOLINES = """
def leaf_of_ours(n):
    s = 0
    for i in range(n):
        s += i * i
    return s
def middle_of_ours(n):
    return max([n], key=leaf_of_ours)
def outer_of_ours(n):
    for _ in range(n):
        middle_of_ours(20000)
outer_of_ours(300)
"""


@test
def python_with_its_perf_map():
    """Python 3.12 and later make a piece of code for each function, without frame pointers."""
    places = ("/usr/bin/python3", os.path.expanduser("~/.pyenv/versions/*/bin/python3"))
    found = [path for pattern in places
             for path in sorted(glob.glob(pattern + ".[0-9]*[0-9]"))
             if int(path.rsplit(".", 1)[1]) >= 12]
    if not found:
        skip("no Python of 3.12 or later here")
    for path in found:
        result, rows = run([path, "-X", "perf", "-c", TRAMPOLINES], least=100)
        forget_maps(result)
        check_functions(rows, "__libc_start_main", "py::<module>:", "py::outer_of_ours:",
                        "py::middle_of_ours:", "py::leaf_of_ours:")


@test
def a_cold_node():
    program = need("node")
    # some hundred stacks, of which V8's recursion over its snapshot may be deeper than is kept
    run([program, "-e", "0"], least=20, share=0.97)


if __name__ == "__main__":
    main()
