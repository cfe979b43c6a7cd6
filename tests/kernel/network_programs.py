#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""The network probe on real programs, against what these say of themselves: iperf3, redis."""
import json
import os
import re
import socket
import subprocess
import sys
import tempfile
import time

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, test

lib.PROBES = "network"

MIB = 1 << 20


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as s:
        return s.getsockname()[1]


def wait_for(port):
    end = time.monotonic() + 20
    while time.monotonic() < end:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.05)
    raise AssertionError(f"nobody listens on {port}")


def iperf(*opts):
    """What iperf3's client says, and dwell's network report of it."""
    lib.need("iperf3")
    port = str(free_port())
    with subprocess.Popen(["iperf3", "-s", "--forceflush", "-p", port], stdout=subprocess.PIPE,
                          text=True) as server:
        try:
            # it says so when it listens; a connection only to see would be taken for a client
            while "listening" not in server.stdout.readline():
                assert server.poll() is None
            result = lib.run(["iperf3", "-c", "127.0.0.1", "-p", port, "-J", *opts])
        finally:
            server.kill()
    assert result.rc == 0, result.out
    return json.loads(result.out)["end"], result.summary["network"]


@test
def iperf3_over_tcp():
    for opts, side, ours in (([], "sum_sent", "sent_bytes"), (["-R"], "sum_received", "received_bytes")):
        end, total = iperf("-n", "20M", "-P", "2", *opts)
        # one more connection is for control: some thousand bytes of JSON
        assert total["connected"] == 3, total["connects"]
        apart = total["tcp4"][ours] - end[side]["bytes"]
        # the receiving side stops looking when it has been told that all was sent
        assert -2 * MIB * bool(opts) <= apart < 20000 + MIB * bool(opts), (total["tcp4"], end[side])
        if not opts:
            assert total["retransmits"] == end["sum_sent"]["retransmits"], end["sum_sent"]


@test
def iperf3_over_udp():
    end, total = iperf("-u", "-n", "2M", "-l", "1000", "-b", "50M")
    udp = total["udp4"]
    # a first datagram makes the server look, and is answered
    assert udp["sent_messages"] == end["sum"]["packets"] + 1, (udp, end["sum"])
    assert abs(udp["sent_bytes"] - end["sum"]["bytes"]) <= 1004, (udp, end["sum"])


@test
def redis():
    lib.need("redis-server")
    lib.need("redis-benchmark")
    port = str(free_port())
    with tempfile.TemporaryDirectory(prefix="dwell-redis-") as d:
        path = os.path.join(d, "out.jsonl")
        with subprocess.Popen([*lib.argv("run", "--quiet", "--out", path), "--", "redis-server",
                               "--port", port, "--save", "", "--dir", d],
                              stdout=subprocess.DEVNULL) as server:
            try:
                wait_for(int(port))
                subprocess.run(["redis-benchmark", "-p", port, "-n", "2000", "-c", "5", "-t",
                                "set,get", "-q"], check=True, stdout=subprocess.DEVNULL)
                info = subprocess.run(["redis-cli", "-p", port, "info", "stats"], text=True,
                                      check=True, capture_output=True).stdout
            finally:
                subprocess.run(["redis-cli", "-p", port, "shutdown", "nosave"], check=False)
            server.wait(20)
        total = lib.read_records(path)[-1]["network"]
    said = {k: int(v) for k, v in re.findall(r"^(\w+):(\d+)\r?$", info, re.M)}
    # the client that asked is in it; the one that ends the server comes later
    assert total["accepts"] == said["total_connections_received"] + 1, (total["accepts"], said)
    for ours, theirs in (("received_bytes", "total_net_input_bytes"),
                         ("sent_bytes", "total_net_output_bytes")):
        late = total["tcp4"][ours] - said[theirs]
        # the answer to the question itself, and the farewell
        assert 0 <= late <= len(info) + 500, (ours, total["tcp4"], said)
    assert total["accept_latency"]["count"] == total["accepts"], total["accept_latency"]


main()
