# SPDX-License-Identifier: BSD-2-Clause
"""
The outputs that are made of stacks, from made-up reports (tests/unit/stack_reports.c): sums
equal the reports' to the nanosecond, readers that are not ours take the files, and nothing
that a process calls itself gets out of its string.
DWELL_GOLDEN_WRITE=1 writes the golden files anew; look at the difference then.
"""
import atexit
import base64
import collections
import gzip
import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
import xml.dom.minidom

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))

import folded
import lib
import proto
from tap import main, skip, test

CASES = ("server", "odd", "huge", "empty", "deep", "many")
GOLDEN = os.path.join(lib.ROOT, "tests", "golden")
NPM = os.path.join(lib.ROOT, "tests", "npm", "node_modules")
FOLDER = tempfile.mkdtemp(prefix="dwell-stacks-")
atexit.register(shutil.rmtree, FOLDER)
subprocess.run([os.path.join(lib.BUILD, "tests", "unit", "stack-files"), FOLDER], check=True)


def path(name):
    return os.path.join(FOLDER, name)


def read(name):
    with open(path(name), encoding="utf-8", newline="\n") as f:
        return f.read()


Row = collections.namedtuple("Row", "pid tid state ns count")


def rows(case):
    """The truth: what the report has."""
    parts = [line.split() for line in read(f"{case}.rows").splitlines()]
    return [Row(int(pid), int(tid), state, int(ns), int(count)) for pid, tid, state, ns, count in parts]


def by_state(case):
    return folded.summed((r.state, r.ns) for r in rows(case))


def golden(name, text):
    place = os.path.join(GOLDEN, f"stacks-{name}")
    if os.environ.get("DWELL_GOLDEN_WRITE"):
        with open(place, "w", encoding="utf-8", newline="\n") as f:
            f.write(text)
    with open(place, encoding="utf-8", newline="\n") as f:
        assert f.read() == text, f"differs from {place}:\n{text}"


# --- folded ---

@test
def folded_adds_up():
    for case in CASES:
        last = [(frames[-1].strip("[]"), ns) for frames, ns in folded.read(path(f"{case}.folded"))]
        assert folded.summed(last) == by_state(case), case
        first = [(frames[0].strip("[]"), ns) for frames, ns in folded.read(path(f"{case}.first.folded"))]
        assert folded.summed(first) == by_state(case), case
        total = sum(ns for _, ns in folded.read(path(f"{case}.none.folded")))
        assert total == sum(r.ns for r in rows(case)), case


@test
def folded_lines_are_one_a_path_and_sorted():
    for case in CASES:
        for kind in ("", "first.", "none."):
            lines = [";".join(frames) for frames, _ in folded.read(path(f"{case}.{kind}folded"))]
            assert len(lines) == len(set(lines)), case
    assert all("\r" not in read(f"{c}.folded") for c in CASES)


@test
def golden_files():
    for case in ("server", "odd"):
        for kind in ("folded", "first.folded", "none.folded", "json"):
            golden(f"{case}.{kind}", read(f"{case}.{kind}"))
        version = re.sub(r'"exporter":"dwell [^"]*"', '"exporter":"dwell"', read(f"{case}.speedscope.json"))
        golden(f"{case}.speedscope.json", version)


# --- pprof ---

PROFILE = {1: "sample_type", 2: "sample", 3: "mapping", 4: "location", 5: "function", 6: "string_table",
           9: "time_nanos", 10: "duration_nanos", 11: "period_type", 12: "period", 13: "comment",
           14: "default_sample_type"}


class Profile:
    """A profile.proto as our own reader has it, by the format's published numbers."""

    def __init__(self, case):
        with gzip.open(path(f"{case}.pb.gz")) as f:
            fields = proto.fields(f.read())
        self.strings = [v.decode() for n, v in fields if n == 6]
        self.types = [self.text(proto.one(v, 1)) for n, v in fields if n == 1]
        self.units = [self.text(proto.one(v, 2)) for n, v in fields if n == 1]
        self.samples = [(proto.numbers(v, 1), proto.numbers(v, 2), [self.label(b) for b in proto.every(v, 3)])
                        for n, v in fields if n == 2]
        self.mappings = {proto.one(v, 1): v for n, v in fields if n == 3}
        self.locations = {proto.one(v, 1): v for n, v in fields if n == 4}
        self.functions = {proto.one(v, 1): v for n, v in fields if n == 5}
        self.default = self.text(next(v for n, v in fields if n == 14))
        self.fields = fields

    def text(self, index):
        return self.strings[index]

    def label(self, body):
        text = proto.one(body, 2)
        return self.text(proto.one(body, 1)), self.text(text) if text else proto.one(body, 3)

    def names(self, sample):
        """Its functions, leaf first."""
        return [self.text(proto.one(self.functions[proto.one(line, 1)], 2))
                for number in sample[0] for line in proto.every(self.locations[number], 4)]


def clamped(n):
    return min(n, 2**63 - 1)


@test
def pprof_adds_up():
    for case in CASES:
        p = Profile(case)
        assert p.strings[0] == "" and len(p.strings) == len(set(p.strings)), case
        assert p.types == ["samples", "wall", *lib.STATES] and p.default == "wall", p.types
        assert p.units == ["count"] + ["nanoseconds"] * (len(p.types) - 1), p.units
        sums = {name: sum(values[i] for _, values, _ in p.samples) for i, name in enumerate(p.types)}
        for state in lib.STATES:
            assert sums[state] == by_state(case).get(state, 0), (case, state, sums[state])
        assert sums["wall"] == sum(r.ns for r in rows(case)), case
        assert sums["samples"] == sum(clamped(r.count) for r in rows(case)), case


@test
def pprof_says_who_and_where():
    p = Profile("server")
    got = [(dict(labels), values) for _, values, labels in p.samples]
    want = rows("server")
    assert len(got) == len(want)
    for (labels, values), row in zip(got, want):
        assert labels.get("pid") == row.pid and labels.get("tid", 0) == row.tid, (labels, row)
        assert labels["state"] == row.state and values[p.types.index(row.state)] == row.ns, (labels, row)
        assert labels["comm"] in ("server", "python3") and labels["thread"], labels
    assert p.names(p.samples[0]) == ["io_schedule", "vfs_read", "pread64", "do_query", "main", "_start"]
    # an inlined function shares the location of the function that it is in
    assert p.names(p.samples[1]) == ["parse", "do_query", "main", "_start"] and len(p.samples[1][0]) == 3
    assert p.names(p.samples[4])[0] == "notify_[w]"
    files = {p.text(proto.one(m, 5)): p.text(proto.one(m, 6)) for m in p.mappings.values()}
    assert files["server"].startswith("1f2e") and files["libc.so.6"] == "aa00" and files["[kernel]"] == "", files
    for body in p.locations.values():
        mapping = proto.one(body, 2)
        if mapping:
            assert proto.one(body, 3) < proto.one(p.mappings[mapping], 3), "outside of its mapping"
    places = [b for b in p.locations.values() if proto.one(b, 3) == 0x2040]
    lines = sorted([proto.one(line, 2) for line in proto.every(b, 4)] for b in places)
    assert lines == [[7, 40], [40]], lines


@test
def protoc_reads_the_profile_as_we_do():
    protoc = lib.need("protoc")
    for case in CASES:
        with gzip.open(path(f"{case}.pb.gz")) as f:
            text = subprocess.run([protoc, f"--proto_path={lib.ROOT}/src/sink", "--decode=pprof.Profile",
                                   "profile.proto"], input=f.read(), capture_output=True, check=True).stdout
        text = text.decode(errors="replace")
        p = Profile(case)
        for field, count in (("sample", len(p.samples)), ("location", len(p.locations)),
                             ("function", len(p.functions)), ("mapping", len(p.mappings))):
            assert len(re.findall(rf"^{field} {{", text, re.M)) == count, (case, field)
        assert len(re.findall(r"^string_table:", text, re.M)) == len(p.strings), case
        assert not re.search(r"^\s*\d+[:{ ]", text, re.M), "a field that the format does not have"


PPROF_FORMAT = """
import { Profile } from "pprof-format";
import { gunzipSync } from "node:zlib";
import { readFileSync } from "node:fs";
const p = Profile.decode(gunzipSync(readFileSync(process.argv[1])));
const s = p.stringTable.strings;
const sums = p.sampleType.map((type, i) => [s[Number(type.type)],
    p.sample.reduce((sum, x) => sum + BigInt(x.value[i]), 0n).toString()]);
const first = p.sample.length ? p.sample[0].locationId.flatMap(id =>
    p.location.find(l => BigInt(l.id) === BigInt(id)).line.map(line =>
        s[Number(p.function.find(f => BigInt(f.id) === BigInt(line.functionId)).name)])) : [];
console.log(JSON.stringify({ sums: Object.fromEntries(sums), first }));
"""


@test
def pprof_format_of_npm_reads_the_profile():
    if not os.path.isdir(os.path.join(NPM, "pprof-format")):
        skip("npm's pprof-format is not installed")
    for case in ("server", "odd", "empty", "deep", "many"):
        done = subprocess.run([lib.need("node"), "--input-type=module", "-e", PPROF_FORMAT, path(f"{case}.pb.gz")],
                              cwd=os.path.dirname(NPM), capture_output=True, text=True, timeout=60)
        assert done.returncode == 0, done.stderr
        got = json.loads(done.stdout)
        assert {k: int(v) for k, v in got["sums"].items() if int(v) and k in lib.STATES} == by_state(case), got
        p = Profile(case)
        assert got["first"] == (p.names(p.samples[0]) if p.samples else []), got["first"]


# --- speedscope ---

@test
def speedscope_adds_up():
    for case in CASES:
        d = json.loads(read(f"{case}.speedscope.json"))
        frames, truth = d["shared"]["frames"], rows(case)
        sums = collections.Counter()
        for profile in d["profiles"]:
            assert profile["unit"] == "nanoseconds" and profile["type"] == "sampled"
            assert len(profile["samples"]) == len(profile["weights"])
            assert profile["endValue"] - profile["startValue"] == sum(profile["weights"]), profile["name"]
            for sample, weight in zip(profile["samples"], profile["weights"]):
                sums[frames[sample[-1]]["name"].strip("[]")] += weight
        assert {k: v for k, v in sums.items() if v} == by_state(case), case
        totals = [sum(p["weights"]) for p in d["profiles"]]
        if len(totals) < 500:
            assert totals == sorted(totals, reverse=True), case
        assert len(totals) == max(1, min(500, len({(r.pid, r.tid) for r in truth}))), (case, len(totals))


@test
def speedscopes_own_schema_takes_it():
    schema = os.path.join(NPM, "speedscope", "dist", "release", "file-format-schema.json")
    if not os.path.exists(schema):
        skip("npm's speedscope is not installed")
    import jsonschema
    with open(schema, encoding="utf-8") as f:
        check = jsonschema.Draft7Validator(json.load(f))
    for case in CASES:
        check.validate(json.loads(read(f"{case}.speedscope.json")))
    broken = json.loads(read("server.speedscope.json"))
    broken["profiles"][0]["unit"] = "fortnights"
    assert list(check.iter_errors(broken)), "the schema takes everything"


# --- JSON ---

@test
def stack_traces_are_bounded_and_add_up():
    for case in CASES:
        s = json.loads(read(f"{case}.json"))
        told = sum(t["time_ns"] for t in s["stack_traces"])
        total = sum(r.ns for r in rows(case))
        assert s["time_ns"] == clamped(total) and told + s["stack_traces_cut_ns"] == total, case
        assert len(s["stack_traces"]) <= 100
        for t in s["stack_traces"]:
            assert t["event"]["offcpu_time_ns"] == (0 if t["state"] == "on_cpu" else t["time_ns"]), t
            assert len(t["threads"]) + t["threads_cut"] >= 1 and all(len(x) == 2 for x in t["threads"]), t
    assert len(json.loads(read("many.json"))["stack_traces"]) == 100


# --- flame graph ---

def data_of(name):
    """The tree in a picture or page, as (depth, name, {state: ns})."""
    raw = re.search(r'<script type="application/json" id="data">(.*?)</script>', read(name), re.S).group(1)
    d = json.loads(raw)
    flat, nodes, i = d["nodes"], [], 0
    while i < len(flat):
        depth, frame, n = flat[i:i + 3]
        pairs = flat[i + 3:i + 3 + 2 * n]
        nodes.append((depth, d["frames"][frame][0], {d["states"][s]: ns for s, ns in zip(pairs[::2], pairs[1::2])}))
        i += 3 + 2 * n
    return d, nodes


@test
def flame_adds_up():
    for case in CASES:
        for ending in ("svg", "html"):
            _, nodes = data_of(f"{case}.{ending}")
            assert nodes[0][0] == 0 and nodes[0][2] == by_state(case), case
            children, open_nodes = collections.Counter(), []
            for i, (depth, _, states) in enumerate(nodes):
                del open_nodes[depth:]
                if open_nodes:
                    children[open_nodes[-1]] += sum(states.values())
                open_nodes.append(i)
            for i, total in children.items():
                assert total <= sum(nodes[i][2].values()), (case, nodes[i])


@test
def flame_cuts_what_cannot_be_seen_and_says_so():
    d, nodes = data_of("many.svg")
    whole = sum(nodes[0][2].values())
    assert min(sum(s.values()) for _, _, s in nodes) >= whole // 20000
    lines = [(frames[:-1], ns) for frames, ns in folded.read(path("many.folded"))]
    totals = collections.Counter()
    for frames, ns in lines:
        for i in range(len(frames)):
            totals[tuple(frames[:i + 1])] += ns
    small = {path for path, ns in totals.items() if ns < whole // 20000}
    top = sum(totals[path] for path in small if path[:-1] not in small)
    assert len(nodes) - 1 == len(totals) - len(small), (len(nodes), len(totals), len(small))
    assert f"{len(small):,} functions of less than 0.005 %" in d["note"], d["note"]
    assert f"{top / 1e6:.0f} ms" in d["note"], (top, d["note"])
    assert data_of("server.svg")[0]["note"] == "3.00 ms have no sample"


@test
def flame_needs_nothing_from_outside():
    for case in CASES:
        picture, page = read(f"{case}.svg"), read(f"{case}.html")
        xml.dom.minidom.parse(path(f"{case}.svg"))
        for text in (picture, page):
            bare = re.sub(r'<script type="application/json" id="data">.*?</script>', "", text, flags=re.S)
            bare = re.sub(r' xmlns="[^"]*"', "", bare)
            for bad in ("http:", "https:", "//#", "url(", "@import", " src=", "href", "eval(", "Function(", "innerHTML"):
                assert bad not in bare, (case, bad)
            assert not re.search(r"<[^>]* on\w+=", re.sub(r"<script>.*?</script>", "", bare, flags=re.S)), case
        policy = re.search(r'content="(default-src [^"]*)"', page).group(1)
        assert policy.startswith("default-src 'none';"), policy
        for element in ("style", "script"):
            body = re.search(rf"<{element}>(.*?)</{element}>", page, re.S).group(1)
            digest = base64.b64encode(hashlib.sha256(body.encode()).digest()).decode()
            assert f"{element}-src 'sha256-{digest}'" in policy, element


# --- in a browser ---

MIDDLE = """(name => { const g = [...document.querySelectorAll('.cell')].find(g =>
    g.querySelector('title').textContent.startsWith(name)); const b = g.querySelector('.frame').getBoundingClientRect();
    return [b.x + b.width / 2, b.y + b.height / 2, b.width]; })"""
SHOWN = "[...document.querySelectorAll('.cell > title')].map(t => t.textContent.split('\\n')[0].split(' (')[0])"


def check_graph(page):
    """Renders, tells, zooms, searches, regroups, with mouse and keys."""
    width = page.run("document.getElementById('graph').getBoundingClientRect().width")
    assert page.run("document.querySelectorAll('#still').length") == 0
    names = page.run(SHOWN)
    assert {"all", "python3", "server", "do_query", "io_schedule_[k]", "parse_[i]", "worker-1"} <= set(names), names
    x, y, w = page.run(f"{MIDDLE}('do_query')")
    truth = by_state("server")
    whole = sum(truth.values())
    assert abs(w - (1000000007 + 1234567890) / whole * width) < 3, w
    page.move(x, y)
    told = page.run("document.getElementById('info').textContent")
    assert told.startswith("do_query (server, src/query.c)") and "2.23 s, 12.9 % of all" in told, told
    assert "disk 1.23 s, on_cpu 1.00 s" in told, told
    page.click(x, y)
    x, y, w = page.run(f"{MIDDLE}('do_query')")
    assert w > 0.97 * width, (w, width)
    assert "python3" not in page.run(SHOWN) and "server" in page.run(SHOWN)
    page.key("Escape")
    assert "python3" in page.run(SHOWN)
    page.key("/", "/")
    page.type("^worker$")
    assert page.run("document.getElementById('matched').textContent").startswith("75.1 %, 13.1 s"), \
        page.run("document.getElementById('matched').textContent")
    assert page.run("document.querySelectorAll('.cell.match').length") == 3
    page.key("Escape")
    assert page.run("document.querySelectorAll('.cell.match').length") == 0
    for key in ("ArrowDown", "ArrowDown", "ArrowLeft", "ArrowLeft"):    # server, its widest, two to the left
        page.key(key)
    assert page.run("document.getElementById('info').textContent").startswith("_start"), \
        page.run("document.getElementById('info').textContent")
    page.key("Enter", "\r")
    assert "worker-1" not in page.run(SHOWN)
    page.key("Escape")
    page.key("s", "s")
    names = page.run(SHOWN)
    assert {"[futex]", "[disk]", "[on_cpu]", "[poll]"} <= set(names), names
    w = page.run(f"{MIDDLE}('[on_cpu]')")[2]
    assert abs(w - truth["on_cpu"] / whole * width) < 3, w
    colours = page.run("[...new Set([...document.querySelectorAll('.cell .box')].map(b => "
                       "b.getAttribute('class') + ' ' + getComputedStyle(b).fill))]")
    assert len({c.rsplit(" st-")[-1].split(" ", 1)[1] for c in colours}) == len(colours), colours
    assert not page.complaints, page.complaints
    assert len(page.requests) == 1, page.requests


@test(timeout=120)
def a_browser_draws_zooms_and_searches():
    from browser import Browser
    with Browser(lib.need("chromium")) as browser:
        for name in ("server.svg", "server.html"):
            check_graph(browser.open(path(name)))
            check_graph(browser.open(path(name), dark=True))
        for name in ("odd.svg", "odd.html", "empty.svg", "empty.html", "huge.html", "deep.svg", "many.html"):
            page = browser.open(path(name))
            assert page.run("document.documentElement.getAttribute('data-ready')") == "1", name
            assert page.run("document.querySelectorAll('.cell').length") > 0, name
            assert not page.complaints and len(page.requests) == 1, (name, page.complaints, page.requests)
        light, dark = (browser.open(path("server.html"), dark=d).run(
            "getComputedStyle(document.body).backgroundColor") for d in (False, True))
        assert light == "rgb(255, 255, 255)" and dark == "rgb(22, 24, 28)", (light, dark)
        still = browser.open(path("server.svg"), scripts=False)
        count = still.run("[document.querySelectorAll('.cell').length, document.querySelectorAll('#still rect').length]")
        assert count[0] == 0 and count[1] > 20, count


main()
