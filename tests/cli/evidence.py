# SPDX-License-Identifier: BSD-2-Clause
"""
--evidence: ChainBench's keys (its example is below, as its documents have it), each with
the figure that the summary has too, and no key for what was not measured.
"""
import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import lib
from tap import main, test

EXAMPLE = {
    "network": {"tcp_connections": 42, "tcp_bytes_sent": 1048576, "tcp_retransmissions": 3, "udp_packets": 128},
    "memory": {"page_faults_minor": 1250, "page_faults_major": 12, "cache_hits": 98500, "cache_misses": 1500},
    "io": {"file_opens": 45, "file_reads_bytes": 2097152, "cache_hit_ratio": 98.5, "avg_io_latency_us": 120},
    "cpu": {"context_switches": 3420, "cpu_migrations": 15, "interrupts": 8900, "throttle_events": 0},
    "locks": {"mutex_contentions": 8, "futex_waits": 245, "avg_wait_time_us": 45},
}
MAY_BE_ABSENT = {"cache_hits", "cache_misses", "cache_hit_ratio", "avg_io_latency_us", "mutex_contentions"}
SCRIPT = """
import os, socket, threading
server = socket.create_server(("127.0.0.1", 0))
client = socket.create_connection(server.getsockname())
other = server.accept()[0]
client.sendall(bytes(100000))
got = 0
while got < 100000:
    got += len(other.recv(65536))
for i in range(10):
    with open("/proc/self/exe", "rb") as f:
        os.read(f.fileno(), 4096)
lock = threading.Lock()
lock.acquire()
t = threading.Thread(target=lock.acquire)
t.start()
threading.Event().wait(0.1)
lock.release()
t.join()
"""


def run(*options, command=None):
    """The evidence and the summary of the same run."""
    with tempfile.TemporaryDirectory() as folder:
        path, out = os.path.join(folder, "evidence.json"), os.path.join(folder, "out.jsonl")
        done = lib.dwell("run", "-q", "--evidence", path, "-o", out, *options, "--",
                         *(command or ["/usr/bin/python3", "-c", SCRIPT]))
        assert done.returncode == 0, done
        with open(path, encoding="utf-8") as f:
            evidence = json.load(f)
        with open(out, encoding="utf-8") as f:
            return evidence, json.loads(f.readlines()[-1])


@test
def the_keys_are_the_contracts():
    evidence, _ = run()
    assert set(evidence) == {"evidence"}, evidence.keys()
    e = evidence["evidence"]
    assert e["available"] is True
    for part, example in EXAMPLE.items():
        missing = set(example) - set(e[part])
        assert missing <= MAY_BE_ABSENT, (part, missing)
        reasons = {a["metric"]: a["reason"] for a in e["absent"]}
        assert all(reasons.get(f"{part}.{key}") for key in missing), (missing, reasons)
        assert not [m for m in reasons if m.partition(".")[0] == part and
                    m.partition(".")[2] not in missing], (missing, reasons)
        assert set(e[part]) <= set(example), (part, e[part])
        for key, value in e[part].items():
            assert isinstance(value, (int, float)) and value >= 0, (part, key, value)
            if isinstance(example[key], int):
                assert isinstance(value, int), (part, key, value)


@test
def the_figures_are_the_summarys():
    e, s = run()
    e = e["evidence"]
    network, memory, cpu = s["network"], s["memory"], s["cpu"]
    assert e["memory"]["page_faults_minor"] == memory["minor_faults"] > 0, (e["memory"], memory)
    assert e["cpu"]["context_switches"] == cpu["voluntary_switches"] + cpu["involuntary_switches"] > 0, e["cpu"]
    assert e["network"]["tcp_connections"] == 2, e["network"]  # a connect and an accept
    assert e["network"]["tcp_bytes_sent"] == 100000, (e["network"], network)
    assert e["io"]["file_opens"] >= 10, e["io"]
    assert e["io"]["file_reads_bytes"] >= 10 * 4096, e["io"]
    assert e["locks"]["futex_waits"] >= 1, e["locks"]
    assert e["syscall_counts"]["openat"] == s["syscalls"]["calls"]["openat"]["count"], e
    runqlat = sum(b["count"] for b in e["runqlat"]["histogram"])
    assert runqlat == s["ledger"]["states"]["runqueue"]["count"], (e["runqlat"], s["ledger"]["states"])
    assert all(b["bucket_us"] & (b["bucket_us"] - 1) == 0 for b in e["runqlat"]["histogram"])
    off = sum(v["ns"] for k, v in s["ledger"]["states"].items() if k != "on_cpu") / 1e6
    assert abs(e["offcpu"]["total_ms"] - off) < 0.01, (e["offcpu"], off)
    assert e["exec"]["exec_count"] == 1 and e["exec"]["top_commands"][0]["count"] == 1, e["exec"]


@test
def what_was_not_measured_has_no_key():
    e, _ = run("--probes", "memory")
    assert set(e["evidence"]) >= {"available", "memory"}
    assert not set(e["evidence"]) & {"network", "io", "cpu", "locks"}, e
    e, _ = run("--no-ebpf", command=["true"])
    assert e == {"evidence": {"available": False}}, e


@test
def a_path_that_cannot_be_written_is_told_before_the_command_runs():
    done = lib.dwell("run", "--evidence", "/nonexistent/x", "--", "sh", "-c", "echo ran")
    assert done.returncode == 125 and "ran" not in done.stdout, done
    assert "/nonexistent/x" in done.stderr and len(done.stderr.splitlines()) == 1, done.stderr


main()
