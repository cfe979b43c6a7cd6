/* SPDX-License-Identifier: BSD-2-Clause */
/* ChainBench's evidence; see evidence.h. The keys are the contract's, whatever ours are called. */
#include "evidence.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "states.h"

#define BUCKETS 20 /* 2^0 … 2^19 us, as its metrics have them */
#define TOP_REASONS 8
#define TOP_COMMANDS 10

static void set(json_t *object, const char *key, json_t *value)
{
	json_object_set_new(object, key, value);
}

static json_t *count(uint64_t n)
{
	return json_integer(n > INT64_MAX ? INT64_MAX : (json_int_t)n);
}

/* ---- histograms: from ours of eight buckets to an octave to its powers of two ---- */

/* Each of our buckets lies within one octave of nanoseconds: its middle decides. */
static json_t *histogram(const struct hist_row *rows, size_t n)
{
	uint64_t buckets[BUCKETS] = { 0 };
	json_t *list = json_array();

	for (size_t i = 0; i < n; i++) {
		uint64_t top = rows[i].ceil_ns ? rows[i].ceil_ns : rows[i].floor_ns * 2;
		uint64_t us = (rows[i].floor_ns + top) / 2 / 1000;
		int b = 0;

		while (b < BUCKETS - 1 && us > 1ULL << b)
			b++;
		buckets[b] += rows[i].count;
	}
	for (int b = 0; b < BUCKETS; b++)
		if (buckets[b])
			json_array_append_new(list, json_pack("{s:I, s:o}", "bucket_us",
							      (json_int_t)1 << b, "count",
							      count(buckets[b])));
	return list;
}

static json_t *latency(const struct hist_row *rows, size_t n, uint64_t p95_ns)
{
	return json_pack("{s:o, s:f}", "histogram", histogram(rows, n), "p95_us",
			 (double)p95_ns / 1000);
}

/* ---- what the ledger and the system calls tell ---- */

static int by_time(const void *a, const void *b)
{
	const struct wait_stat *x = *(const struct wait_stat *const *)a;
	const struct wait_stat *y = *(const struct wait_stat *const *)b;

	return x->ns < y->ns ? 1 : x->ns > y->ns ? -1 : x < y ? -1 : x > y;
}

static json_t *offcpu(const struct account *a)
{
	const struct wait_stat *order[LEDGER_STATES];
	json_t *reasons = json_array();
	uint64_t total = 0;

	for (int i = 0; i < LEDGER_STATES; i++) {
		order[i] = &a->states[i];
		total += i == STATE_ON_CPU ? 0 : a->states[i].ns;
	}
	qsort(order, LEDGER_STATES, sizeof(order[0]), by_time);
	for (int i = 0; i < LEDGER_STATES; i++) {
		size_t state = (size_t)(order[i] - a->states);

		if (state == STATE_ON_CPU || !order[i]->ns ||
		    json_array_size(reasons) == TOP_REASONS)
			continue;
		json_array_append_new(reasons,
				      json_pack("{s:s, s:f}", "reason", ledger_state_names[state],
						"ms", (double)order[i]->ns / 1e6));
	}
	return json_pack("{s:f, s:o}", "total_ms", (double)total / 1e6, "top_reasons", reasons);
}

static json_t *execs(const struct report *r)
{
	json_t *commands = json_array();

	for (size_t i = 0; i < r->ledger.ncommands && i < TOP_COMMANDS; i++) {
		const struct command_row *c = &r->ledger.commands[i];
		char name[COMM_LEN + 1] = { 0 };

		memcpy(name, c->comm, COMM_LEN);
		json_array_append_new(commands, json_pack("{s:o, s:o}", "command",
							  json_string(name) ?: json_string("?"),
							  "count", count(c->processes)));
	}
	return json_pack("{s:o, s:o}", "exec_count", count(r->execs), "top_commands", commands);
}

static json_t *syscall_counts(const struct syscall_table *t)
{
	static const char *const names[] = { "futex", "fsync", "openat", "read", "write" };
	json_t *counts = json_object();

	for (size_t k = 0; k < sizeof(names) / sizeof(names[0]); k++) {
		uint64_t n = 0;

		for (size_t i = 0; i < t->ncalls; i++)
			if (!strcmp(t->calls[i].name, names[k]))
				n = t->calls[i].count;
		set(counts, names[k], count(n));
	}
	return counts;
}

json_t *evidence_json(const struct report *r)
{
	json_t *e = json_object();

	set(e, "available", json_boolean(r->ledger.present));
	if (r->ledger.present) {
		set(e, "runqlat",
		    latency(r->ledger.runqueue, r->ledger.nrunqueue,
			    r->ledger.tree.states[STATE_RUNQUEUE].p95_ns));
		set(e, "offcpu", offcpu(&r->ledger.tree));
		set(e, "exec", execs(r));
	}
	if (r->syscalls.present)
		set(e, "syscall_counts", syscall_counts(&r->syscalls.tree));
	return json_pack("{s:o}", "evidence", e);
}

int evidence_write(const struct report *r, struct outfile *f)
{
	json_t *json = evidence_json(r);
	char *text = json ? json_dumps(json, JSON_INDENT(2) | JSON_REAL_PRECISION(9)) : NULL;
	int err;

	json_decref(json);
	if (!text)
		return err_set(-ENOMEM, "no memory for the evidence");
	err = outfile_write(f, text, strlen(text));
	if (!err)
		err = outfile_write(f, "\n", 1);
	free(text);
	return err;
}
