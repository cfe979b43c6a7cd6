#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
Figures of the network probe against programs that know what they sent and received, and
against the kernel's own counters in a network namespace of its own. Each of the probe's
sources in turn has to give the same.
"""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, skip, test

lib.PROBES = "network"

WORK = lib.workload("network")
SOURCES = ("tp_btf", "raw_tp")


def load_modules(*names):
    """Where that is the guest's own business."""
    for name in names if lib.EMULATED else ():
        subprocess.run(["busybox", "modprobe", name], capture_output=True, check=False)


def run(*args, source="tp_btf", **kw):
    result = lib.run([WORK, *args], "--source", f"network={source}", **kw)
    assert result.rc == 0, (args, result.rc, result.err)
    chosen = result.summary["trust"]["sources"]["network"]["chosen"]
    assert chosen == source, chosen
    return result


def network(result):
    return result.summary["network"]


def each(check):
    """A test for each source."""
    for source in SOURCES:
        def one(source=source):
            check(source)
        test(one, name=f"{check.__name__} ({source})")
    return check


def flow(row, kind):
    return {k: v for k, v in row[kind].items() if v}


def flows(row):
    kinds = ("tcp4", "tcp6", "udp4", "udp6", "unix_stream", "unix_dgram", "other")
    return {k: flow(row, k) for k in kinds if flow(row, k)}


def process(result, pid):
    rows = [p for p in network(result)["processes"] if p["pid"] == int(pid)]
    assert len(rows) == 1, (pid, network(result)["processes"])
    return rows[0]


def told(result, who, pid):
    """What a process of the workload says that it did, as a row of flows has it."""
    name = {"sends": "sent_calls", "sent": "sent_bytes", "receives": "received_calls",
            "received": "received_bytes"}
    return {name[k.split(".")[2]]: v for k, v in result.truth.items()
            if k.startswith(f"{who}.{pid}.") and v}


def same_flow(result, who, pid, kind):
    row = process(result, pid)
    got = {k: v for k, v in flow(row, kind).items() if not k.endswith("messages")}
    assert got == told(result, who, pid), (who, got, told(result, who, pid))
    assert set(flows(row)) == {kind}, flows(row)
    return row


def peers(result, **wanted):
    return [p for p in network(result)["peers"] if all(p[k] == v for k, v in wanted.items())]


def peer(result, **wanted):
    found = peers(result, **wanted)
    assert len(found) == 1, (wanted, network(result)["peers"])
    return found[0]


# ---- bytes and calls ----

def has_ipv6():
    try:
        socket.create_server(("::1", 0), family=socket.AF_INET6).close()
    except OSError:
        return False
    return True


def each_kind(protocol, connected=()):
    """(kind of the workload, kind of flow, address); at their end a skip where there is no IPv6."""
    yield "4", protocol + "4", "127.0.0.1"
    for kind in connected:
        yield kind, protocol + "4", "127.0.0.1"
    if not has_ipv6():
        skip("this machine has no IPv6: with IPv4 alone it is right")
    yield "6", protocol + "6", "::1"
    yield "mapped", protocol + "4", "127.0.0.1"


@each
def tcp_bytes_calls_and_connections(source):
    for kind, flow_kind, address in each_kind("tcp"):
        n, size = 5, 50000
        result = run("tcp", kind, n, size, source=source)
        client, server = result.truth["client"], result.truth["server"]
        row = same_flow(result, "client", client, flow_kind)
        assert (row["connects"], row["connected"], row["accepts"]) == (n, n, 0), row
        # the parent listens, the child accepts
        assert (row["listens"], row["connect_failures"]) == (1, 0), row
        row = same_flow(result, "server", server, flow_kind)
        assert (row["connects"], row["accepts"], row["listens"]) == (0, n, 0), row
        total = network(result)
        assert total["connect_latency"]["count"] == n, total["connect_latency"]
        assert total["accept_latency"]["count"] == n, total["accept_latency"]
        assert total["rtt"]["count"] == 2 * n and 0 < total["rtt"]["min_ns"] < 1e9, total["rtt"]
        port = result.truth["port"]
        for pid, direction in ((client, "out"), (server, "in")):
            p = peer(result, pid=pid)
            assert (p["protocol"], p["direction"], p["address"], p["port"]) == \
                ("tcp", direction, address, port), p
            assert (p["connections"], p["sent_bytes"], p["received_bytes"]) == \
                (n, n * size, n * size), p


@each
def a_child_for_each_connection(source):
    n, size = 4, 3000
    result = run("fork", n, size, source=source)
    row = process(result, result.truth["client"])
    assert (row["connects"], flow(row, "tcp4")["sent_bytes"]) == (n, n * size), row
    workers = {k.split(".")[1] for k in result.truth if k.startswith("worker.")}
    assert len(workers) == n, workers
    for pid in workers:
        assert same_flow(result, "worker", pid, "tcp4")["accepts"] == 0
    # who accepted does not send: the connections are its own all the same
    accepting = [p for p in network(result)["processes"] if p["accepts"]]
    assert [p["accepts"] for p in accepting] == [n] and not flows(accepting[0]), accepting
    p = peer(result, pid=accepting[0]["pid"])
    assert (p["connections"], p["received_bytes"]) == (n, n * size), p


@each
def udp_bytes_and_datagrams(source):
    for kind, flow_kind, address in each_kind("udp", ("connected",)):
        n, size = 7, 333
        result = run("udp", kind, n, size, source=source)
        for who, direction in (("client", "out"), ("server", "in")):
            pid, port = result.truth[who], result.truth["port"]
            row = same_flow(result, who, pid, flow_kind)
            assert row[flow_kind]["sent_messages"] == n, row[flow_kind]
            p = peer(result, pid=pid)
            assert (p["protocol"], p["direction"], p["address"], p["port"]) == \
                ("udp", direction, address, port), (kind, p)
            assert (p["sent_bytes"], p["received_messages"]) == (n * size, n), p


@each
def many_messages_in_one_call(source):
    n, size = 40, 100
    result = run("mmsg", n, size, source=source)
    row = same_flow(result, "client", result.truth["client"], "udp4")["udp4"]
    assert (row["sent_messages"], row["received_messages"]) == (n, n), row
    # who sent them was not asked for
    assert {(p["direction"], p["address"]) for p in network(result)["peers"]} == \
        {("out", "127.0.0.1"), ("in", "*")}, network(result)["peers"]


@each
def unix_sockets(source):
    for kind, flow_kind in (("stream", "unix_stream"), ("dgram", "unix_dgram"),
                            ("seqpacket", "unix_dgram")):
        result = run("unix", kind, 6, 500, source=source)
        same_flow(result, "client", result.truth["client"], flow_kind)
        same_flow(result, "server", result.truth["server"], flow_kind)


@each
def sendfile_splice_writev_and_peek(source):
    result = run("file", 300000, source=source)
    same_flow(result, "client", result.truth["client"], "tcp4")
    same_flow(result, "server", result.truth["server"], "tcp4")


@each
def io_uring(source):
    for how in ("once", "multi", "zero"):
        result = lib.run([lib.workload("network_uring"), how, 6, 250],
                         "--source", f"network={source}")
        assert result.rc == 0, result.err
        for who in ("client", "server"):
            row = same_flow(result, who, result.truth[who], "tcp4")
            assert (row["connected"], row["accepts"]) == ((2, 0) if who == "client" else (0, 2))
    result = lib.run([lib.workload("network_uring"), "refused", 3], "--source",
                     f"network={source}")
    assert network(result)["connect_errors"] == {"ECONNREFUSED": 3}, network(result)


@test
def evidence_of_a_benchmark():
    with tempfile.TemporaryDirectory(prefix="dwell-test-") as d:
        path = os.path.join(d, "evidence.json")
        done = lib.dwell("run", "--quiet", "--evidence", path, "--", WORK, "tcp", "4", 3, 1000)
        assert done.returncode == 0, done.stderr
        with open(path, encoding="utf-8") as f:
            got = json.load(f)["evidence"]["network"]
    # both ends are in the tree
    assert got == {"tcp_connections": 6, "tcp_bytes_sent": 6000, "tcp_retransmissions": 0,
                   "udp_packets": 0}, got


# ---- connections that fail, end hard, wait ----

@each
def refused_connects(source):
    n = 5
    result = run("refused", n, source=source)
    total = network(result)
    assert (total["connects"], total["connected"], total["connect_failures"]) == (2 * n, 0, 2 * n)
    assert total["connect_errors"] == {"ECONNREFUSED": 2 * n}, total["connect_errors"]
    assert total["resets_received"] == 2 * n, total["resets_received"]
    assert total["abandoned"] == 0 and not total["rtt"]["count"], total
    assert peer(result)["failures"] == 2 * n


@each
def connects_without_a_route(source):
    total = network(run("unreachable", 3, source=source))
    assert (total["connects"], total["connect_failures"]) == (3, 3), total
    assert total["connect_errors"] == {"ENETUNREACH": 3}, total["connect_errors"]
    p = total["peers"][0]
    assert (p["address"], p["port"], p["direction"], p["failures"]) == ("127.0.0.1", 9, "out", 3), p


@each
def resets_have_a_sender_and_a_receiver(source):
    n = 4
    result = run("reset", n, source=source)
    client = process(result, result.truth["client"])
    server = process(result, result.truth["server"])
    assert (client["resets_sent"], client["resets_received"]) == (n, 0), client
    assert (server["resets_sent"], server["resets_received"]) == (0, n), server
    assert server["tcp4"]["receive_errors"] == n, server["tcp4"]


@each
def time_in_the_accept_queue(source):
    total = network(run("slow", 50, source=source))
    waited = total["accept_latency"]
    assert waited["count"] == 1 and waited["ns"] == waited["max_ns"], waited
    # not before the connection was made, which the workload did not see
    assert waited["ns"] >= 50 * lib.MS, waited


@each
def one_port_again_and_again(source):
    n = 6
    result = run("reuse", n, source=source)
    row = same_flow(result, "client", result.truth["client"], "tcp4")
    assert (row["connected"], row["accepts"], row["accept_latency"]["count"]) == (n, n, n), row
    assert row["resets_sent"] == n and row["resets_received"] == n, row
    # the kernel clears what it counted for a socket that is closed by a reset
    assert (row["data_segments_sent"], row["data_segments_received"]) == (n, n), row
    assert row["segments_sent"] >= 5 * n, row   # SYN, ACK, data, its ACK, RST
    out, into = (peer(result, direction=d) for d in ("out", "in"))
    assert (out["sent_bytes"], into["received_bytes"]) == (n * 100, n * 100), (out, into)


@each
def open_connections_at_the_end(source):
    n, size = 3, 1000
    load_modules("tcp_diag") # for ss
    # the workload's own end is its last call: so look while it waits
    with tempfile.TemporaryDirectory(prefix="dwell-test-") as d:
        path = os.path.join(d, "out.jsonl")
        work = subprocess.Popen([WORK, "held", str(n), str(size)], stdin=subprocess.PIPE,
                                stdout=subprocess.PIPE, text=True)
        try:
            text = ""
            while "client=" not in text:
                text += work.stdout.readline()
            done = lib.dwell("attach", "--source", f"network={source}", "--duration", "0.5",
                             "--quiet", "--out", path, work.pid)
            assert done.returncode == 0, done.stderr
            ss = subprocess.run([lib.need("ss"), "-tniH", "state", "established"],
                                capture_output=True, text=True, check=True).stdout
            summary = lib.read_records(path)[-1]
        finally:
            work.stdin.close()
            work.wait()
    ports = re.findall(r"^connection=(\d+)", text, re.M)
    total = summary["network"]
    assert total["connections_open"] == 2 * n, total["connections"]
    listener = [x for x in total["listeners"] if x["pid"] == work.pid]
    assert len(listener) == 1 and listener[0]["max_backlog"] == n, total["listeners"]
    for port in ports:
        mine = [c for c in total["connections"] if c["local"] == f"127.0.0.1:{port}"]
        assert len(mine) == 1 and mine[0]["state"] == "established", total["connections"]
        line = re.search(rf"127\.0\.0\.1:{port}\s+127\.0\.0\.1:\d+\s*\n(.*)", ss).group(1)
        rtt = float(re.search(r"\brtt:([\d.]+)/", line).group(1))
        least = float(re.search(r"\bminrtt:([\d.]+)", line).group(1))
        assert abs(mine[0]["rtt_ns"] / 1e6 - rtt) <= 0.0015, (mine[0], line)
        assert abs(mine[0]["rtt_min_ns"] / 1e6 - least) <= 0.0015, (mine[0], line)
        assert mine[0]["cwnd"] == int(re.search(r"\bcwnd:(\d+)", line).group(1)), (mine, line)
        # what was sent before the attach is not ours
        assert mine[0]["rtt_ns"] > 0, mine


# ---- in a network namespace of its own, against the kernel's counters ----

IN_NAMESPACE = r"""
set -e
ip link set lo up
{setup}
before=$(cat /proc/net/snmp /proc/net/netstat)
{dwell} run --quiet --out {out} --source network={source} -- {cmd} > {truth}
sleep 0.3
after=$(cat /proc/net/snmp /proc/net/netstat)
printf '%s\n==\n%s\n' "$before" "$after" > {counters}
"""


def counters(text):
    """{name: after - before} of /proc/net/snmp and netstat."""
    values = []
    for part in text.split("\n==\n"):
        found, lines = {}, part.splitlines()
        for names, numbers in zip(lines[::2], lines[1::2]):
            head = names.split(":")[0]
            for name, value in zip(names.split()[1:], numbers.split()[1:]):
                found[f"{head}.{name}"] = int(value)
        values.append(found)
    return {k: v - values[0].get(k, 0) for k, v in values[1].items()}


def namespaced(cmd, source, setup="", timeout=100):
    """Runs dwell in a new network namespace: its network report, truth, the kernel's counters."""
    lib.need("ip")
    with tempfile.TemporaryDirectory(prefix="dwell-net-") as d:
        names = {k: os.path.join(d, k) for k in ("out", "truth", "counters")}
        script = IN_NAMESPACE.format(dwell=lib.DWELL, source=source, cmd=cmd, setup=setup, **names)
        done = subprocess.run(["unshare", "--net", "--mount", "sh", "-c", script],
                              capture_output=True, text=True, timeout=timeout, check=False)
        if "Operation not permitted" in done.stderr or "unknown qdisc" in done.stderr or \
                "qdisc kind is unknown" in done.stderr:
            skip(done.stderr.strip().splitlines()[-1])
        assert done.returncode == 0, (done.returncode, done.stdout, done.stderr)
        summary = lib.read_records(names["out"])[-1]
        truth = lib.truth(open(names["truth"], encoding="ascii").read())
        kernel = counters(open(names["counters"], encoding="ascii").read())
    assert not any(summary["trust"]["lost"].values()), summary["trust"]["lost"]
    return summary, truth, kernel


def same_segments(total, kernel, accepts, connections):
    """
    The kernel's OutSegs leave out what is sent again; SYN-ACKs are sent for no socket; at
    most one FIN a connection comes to a TIME-WAIT, which is no socket any more.
    """
    for ours, theirs, fewest in ((total["segments_sent"] - total["retransmits"], "Tcp.OutSegs", accepts),
                                 (total["segments_received"], "Tcp.InSegs", 0)):
        apart = kernel[theirs] - ours
        assert fewest <= apart <= fewest + connections, (theirs, ours, kernel[theirs])


@each
def the_kernel_counts_the_same(source):
    # the kernel counts what is received by packet, sockets by segment: one in each
    total, _, kernel = namespaced(f"{WORK} tcp 4 8 200000", source, "ip link set lo gso_max_segs 1")
    total = total["network"]
    for ours, theirs in (("connects", "Tcp.ActiveOpens"), ("accepts", "Tcp.PassiveOpens"),
                         ("retransmits", "Tcp.RetransSegs"), ("resets_sent", "Tcp.OutRsts")):
        assert total[ours] == kernel[theirs], (ours, total[ours], kernel[theirs])
    same_segments(total, kernel, 8, 8)


@each
def connections_that_find_the_queue_full(source):
    n = 6
    total, _, kernel = namespaced(f"{WORK} full {n}", source)
    total = total["network"]
    # an open that failed is the program's, or it went away before the answer
    assert total["connects"] == n == kernel["Tcp.ActiveOpens"], (total["connects"], kernel)
    assert total["listen_drops"] == kernel["TcpExt.ListenDrops"], (total["listen_drops"], kernel)
    assert kernel["TcpExt.ListenOverflows"] > 0, "nothing overflowed"
    assert total["connected"] + total["abandoned"] == n, total
    assert total["abandoned"] > 0 and total["connect_failures"] == 0, total


# Two hosts: ours, and one on the other side of a pair of virtual cables that loses packets.
# `ip netns` wants a writable /run: it gets one that only this mount namespace sees.
CABLE = """
mount -t tmpfs net /run
mkdir /run/netns
ip netns add far
ip link add near type veth peer name there netns far
ip addr add 10.99.0.1/24 dev near
ip link set near up
ip -n far addr add 10.99.0.2/24 dev there
ip -n far link set there up
ip -n far link set lo up
{loss}
"""
# segment by segment, so that there are many packets to lose
LOSS = "ip link set near gso_max_segs 1\ntc qdisc add dev near root netem loss 5% delay 2ms"
ECHO = """
import socket, sys, threading
here = socket.create_server((sys.argv[1], 7000), backlog=16)
print("ready", flush=True)
while True:
    peer, _ = here.accept()
    total = 0
    while True:
        data = peer.recv(65536)
        if not data:
            break
        total += len(data)
    peer.sendall(b"%20d" % total)
    peer.close()
"""
SEND = """
import os, socket, sys, time
bystander = os.fork()
if not bystander:
    # burns the CPU on which the timers and packets of the other one come in
    os.sched_setaffinity(0, {0})
    end = time.monotonic() + float(sys.argv[2])
    while time.monotonic() < end:
        sum(range(1000))
    os._exit(0)
os.sched_setaffinity(0, {0})
n = 0
for i in range(3):
    c = socket.create_connection((sys.argv[1], 7000))
    c.sendall(b"x" * 500000)
    n += 500000
    c.shutdown(socket.SHUT_WR)
    assert int(c.recv(100)) == 500000
    c.close()
os.waitpid(bystander, 0)
print(f"client={os.getpid()}\\nbystander={bystander}\\nsent={n}")
"""


def cabled(source, loss):
    load_modules("veth", "sch_netem")
    with tempfile.TemporaryDirectory(prefix="dwell-net-") as d:
        for name, text in (("echo.py", ECHO), ("send.py", SEND)):
            with open(os.path.join(d, name), "w", encoding="ascii") as f:
                f.write(text.replace("\\\\n", "\\n"))
        setup = CABLE.format(loss=loss) + f"""
ip netns exec far /usr/bin/python3 {d}/echo.py 10.99.0.2 > {d}/ready &
echo=$!
trap 'kill $echo' EXIT
for i in $(seq 100); do [ -s {d}/ready ] && break; sleep 0.1; done
"""
        return namespaced(f"/usr/bin/python3 {d}/send.py 10.99.0.2 3", source, setup)


def check_cabled(source, loss):
    summary, truth, kernel = cabled(source, loss)
    total = summary["network"]
    rows = {p["pid"]: p for p in total["processes"]}
    assert truth["client"] in rows, total["processes"]
    # whom the timers and packets interrupted has no part in it
    assert truth["bystander"] not in rows, rows.get(truth["bystander"])
    row = rows[truth["client"]]
    assert row["tcp4"]["sent_bytes"] == truth["sent"], row["tcp4"]
    assert total["retransmits"] == kernel["Tcp.RetransSegs"], \
        (total["retransmits"], kernel["Tcp.RetransSegs"])
    assert row["retransmits"] == total["retransmits"], row["retransmits"]
    same_segments(total, kernel, 0, 3)
    p = [p for p in total["peers"] if p["address"] == "10.99.0.2"]
    assert len(p) == 1 and p[0]["port"] == 7000 and p[0]["sent_bytes"] == truth["sent"], p
    assert p[0]["retransmits"] == total["retransmits"], p
    return row, kernel


@each
def a_cable_and_a_bystander(source):
    check_cabled(source, "")


@each
def a_cable_that_loses_packets(source):
    row, kernel = check_cabled(source, LOSS)
    assert kernel["Tcp.RetransSegs"] > 10, f"netem lost {kernel['Tcp.RetransSegs']}"
    # each packet waits two milliseconds on its way out
    assert row["rtt"]["min_ns"] >= 2 * lib.MS, row["rtt"]
    assert row["connect_latency"]["ns"] >= 3 * 2 * lib.MS, row["connect_latency"]


@each
def udp_datagrams_as_the_kernel_counts_them(source):
    total, truth, kernel = namespaced(f"{WORK} udp 4 50 100", source)
    row = total["network"]["udp4"]
    assert row["sent_messages"] == kernel["Udp.OutDatagrams"] == 100, (row, kernel)
    assert row["received_messages"] == kernel["Udp.InDatagrams"] == 100, (row, kernel)
    assert row["sent_bytes"] == 10000 and truth["client"], row


main()
