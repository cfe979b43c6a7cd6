#!/usr/bin/python3
# SPDX-License-Identifier: BSD-2-Clause
"""
The schema: docs/schema.md is what the program says, the schema is a valid one, and every
record of real runs is as it says, by a validator that is not ours. A record from which
something is taken away or to which something is added is refused, so the schema does say
something.
"""
import copy
import json
import os
import sys
import tempfile

sys.path.insert(0, os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
import lib
from tap import main, skip, test

try:
    import jsonschema
except ImportError:
    jsonschema = None

BUSY = ["/bin/sh", "-c", "(sleep 0.1; ls /no/such/file) 2>/dev/null & ls -R /usr/include | wc -l; wait"]


def schemas():
    if not jsonschema:
        skip("python3-jsonschema is not installed")
    schema = json.loads(lib.dwell("schema").stdout)
    jsonschema.Draft202012Validator.check_schema(schema)
    return {s["title"]: jsonschema.Draft202012Validator(s) for s in schema["oneOf"]}


def records(*opts, cmd=None):
    with tempfile.TemporaryDirectory(prefix="dwell-schema-") as d:
        lib.dwell("run", "-q", "-i", 20, *opts, "--out", d + "/r", "--", *(cmd or BUSY))
        return lib.read_records(d + "/r")


def check(validators, rows, kinds):
    for row in rows:
        errors = [f"{list(e.path)}: {e.message[:300]}" for e in validators[row["kind"]].iter_errors(row)]
        assert not errors, f"{row['kind']}: {errors[:5]}"
    assert {r["kind"] for r in rows} == kinds, {r["kind"] for r in rows}


@test
def the_page_is_what_the_program_says():
    done = lib.dwell("schema", "--markdown")
    assert done.returncode == 0, done
    with open(os.path.join(lib.ROOT, "docs", "schema.md"), encoding="utf-8") as f:
        assert f.read() == done.stdout, "docs/schema.md is old: dwell schema --markdown >docs/schema.md"
    done = lib.dwell("schema", "--metrics")
    with open(os.path.join(lib.ROOT, "docs", "metrics.md"), encoding="utf-8") as f:
        assert f.read() == done.stdout, "docs/metrics.md is old: dwell schema --metrics >docs/metrics.md"


@test
def real_records_are_as_it_says():
    validators = schemas()
    check(validators, records("--write-env"), {"env", "metadata", "tree", "summary"})
    check(validators, records("--syscall-latency", cmd=["/bin/sh", "-c", "kill -9 $$"]),
          {"metadata", "tree", "summary"})


@test
def samples_are_as_it_says():
    check(schemas(), records("--exclude-children"), {"metadata", "sample", "summary"})


@test
def without_bpf_too():
    rows = records("--no-ebpf", "--write-env")
    check(schemas(), rows, {"env", "metadata", "tree", "summary"})
    trees = [r for r in rows if r["kind"] == "tree"]
    assert all(t["aggregated"]["ebpf"].get("error") for t in trees), trees[0]["aggregated"]["ebpf"]
    assert "ledger" not in rows[-1] and "processes" not in rows[-1], rows[-1].keys()


@test
def fewer_or_more_is_refused():
    validators = schemas()
    for row in records():
        less, more = copy.deepcopy(row), copy.deepcopy(row)
        del less["pid" if row["kind"] == "metadata" else "trust" if row["kind"] == "summary" else "aggregated"]
        more["unheard_of"] = 1
        assert not validators[row["kind"]].is_valid(less), row["kind"]
        assert not validators[row["kind"]].is_valid(more), row["kind"]


@test
def statistics_of_a_run_are_written():
    with tempfile.TemporaryDirectory(prefix="dwell-stats-") as d:
        done = lib.dwell("run", "-q", "-i", 20, "--stats", d + "/s", "--out", d + "/r", "--", *BUSY)
        assert done.returncode == 0, done
        with open(d + "/s", encoding="utf-8") as f:
            ours = json.load(f)
        theirs = json.loads(lib.dwell("stats", "--json", d + "/r").stdout)
    for key in ("total_time_secs", "avg_cpu_usage"):
        lib.near(ours.pop(key), theirs.pop(key), 1e-6, 1e-6, key)
    ours.pop("syscalls", None), theirs.pop("syscalls", None)    # means of rounded figures
    assert ours == theirs, (ours, theirs)


main()
