/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Flow: each record is made as JSON by its shape, written as one line, and added to the
 * run's statistics when those are wanted; the summary, which is long, is written as it is
 * made. The sampler reads /proc; CPU use of the tree comes from the ledger when there is one,
 * for it also knows what ended between samples.
 */
#include "jsonl.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "env_shape.h"
#include "err.h"
#include "outfile.h"
#include "sampler.h"
#include "stats_sum.h"
#include "summary_shape.h"
#include "tree_shape.h"

#define REAL_DIGITS 12
#define RECORD_FORMAT (JSON_COMPACT | JSON_REAL_PRECISION(REAL_DIGITS))

struct jsonl {
	struct jsonl_config config;
	struct outfile *out;       /* NULL: no records wanted */
	struct outfile *stats_out; /* NULL: no statistics wanted */
	struct sampler *sampler;
	struct stats stats;
	bool env;                         /* `env` goes before the metadata */
	uint64_t on_cpu_ns, on_cpu_at_ns; /* of the ledger, at the last record */
	bool failed;                      /* no more records */
};

static void jsonl_free(struct jsonl *j)
{
	sampler_free(j->sampler);
	stats_release(&j->stats);
	free(j);
}

static int open_out(struct jsonl *j)
{
	const struct jsonl_config *c = &j->config;

	if (c->path && strcmp(c->path, "-") != 0)
		return outfile_open(&j->out, c->path);
	if (c->fd >= 0 || c->path)
		return outfile_fd(&j->out, c->fd >= 0 ? c->fd : 1, "stdout");
	return 0;
}

int jsonl_open(struct jsonl **out, const struct jsonl_config *config)
{
	struct jsonl *j = calloc(1, sizeof(*j));
	int err;

	if (!j)
		return err_set(-ENOMEM, "cannot write records");
	j->config = *config;
	stats_init(&j->stats);
	err = open_out(j);
	if (!err && config->stats_path)
		err = outfile_open(&j->stats_out, config->stats_path);
	if (err) {
		outfile_close(j->out, false);
		jsonl_free(j);
		return err;
	}
	*out = j;
	return 0;
}

/* A stream that broke is done with; the other goes on. */
static bool wanted(const struct jsonl *j)
{
	return (j->out && !j->failed) || j->stats_out;
}

/* A record on its way out: a short one is one write, a long one never whole in memory. */
struct line {
	struct outfile *out;
	size_t used;
	bool begun; /* a part of it is out */
	char text[1 << 16];
};

/* Not by an initialiser, which would fill the text with zeroes for every record. */
static void line_begin(struct line *l, struct outfile *out)
{
	l->out = out;
	l->used = 0;
	l->begun = false;
}

static int line_flush(struct line *l)
{
	int err = outfile_write(l->out, l->text, l->used);

	l->used = 0;
	l->begun = true;
	return err;
}

static int line_put(const char *text, size_t len, void *ctx)
{
	struct line *l = ctx;

	while (len) {
		size_t room = sizeof(l->text) - l->used, n = len < room ? len : room;

		memcpy(l->text + l->used, text, n);
		l->used += n;
		text += n;
		len -= n;
		if (l->used == sizeof(l->text) && line_flush(l))
			return -1;
	}
	return 0;
}

/* Of a record that could not be made whole, nothing is written, or the end of its line. */
static bool line_end(struct line *l, bool made)
{
	if (outfile_error(l->out))
		return false;
	if (!made) {
		log_msg(LOG_ERROR, "no memory for a record; the rest of them is dropped");
		if (l->begun)
			outfile_write(l->out, "\n", 1);
		return false;
	}
	if (!line_put("\n", 1, l) && l->used)
		line_flush(l);
	return !outfile_error(l->out);
}

/* record: NULL when there was no memory for it. */
static bool write_line(struct outfile *out, const json_t *record)
{
	struct line l;

	line_begin(&l, out);
	return line_end(&l, record && !json_dump_callback(record, line_put, &l, RECORD_FORMAT));
}

static void write_summary(struct jsonl *j, const struct report *r)
{
	struct line l;
	struct shape_writer w = { .put = line_put, .ctx = &l, .flags = RECORD_FORMAT };

	line_begin(&l, j->out);
	summary_write(r, &w);
	j->failed = !line_end(&l, !w.failed);
}

/* Takes the record; NULL: there was no memory for it. */
static void emit(struct jsonl *j, json_t *record)
{
	if (record && j->stats_out)
		stats_add(&j->stats, record);
	if (j->out && !j->failed)
		j->failed = !write_line(j->out, record);
	json_decref(record);
}

void jsonl_env(struct jsonl *j)
{
	j->env = true;
}

void jsonl_metadata(struct jsonl *j, pid_t pid, char *const argv[])
{
	struct sampler_config c = {
		.root = pid,
		.attached = j->config.attached,
		.since_process_start = j->config.since_process_start,
	};

	if (!wanted(j))
		return;
	j->sampler = sampler_new(&c);
	if (j->env)
		emit(j, env_json(pid)); /* whose cgroup it tells */
	emit(j, metadata_json(pid, argv));
}

void jsonl_exit(struct jsonl *j, const struct exit_event *event)
{
	if (j->sampler)
		sampler_exit(j->sampler, event);
}

/* The sample is ours, so its total can be put right. */
static void cpu_from_ledger(struct jsonl *j, const struct report *r, struct sample *s)
{
	uint64_t on_cpu, elapsed = r->now_ns - (j->on_cpu_at_ns ? j->on_cpu_at_ns : r->start_ns);

	if (!r->ledger.present)
		return;
	on_cpu = r->ledger.tree.states[STATE_ON_CPU].ns;
	if (elapsed && on_cpu >= j->on_cpu_ns)
		s->all.cpu_usage =
			(float)(100.0 * (double)(on_cpu - j->on_cpu_ns) / (double)elapsed);
	j->on_cpu_ns = on_cpu;
	j->on_cpu_at_ns = r->now_ns;
}

void jsonl_tree(struct jsonl *j, const struct report *r, const struct proc_member *members,
		size_t n, const char *bpf_error)
{
	const struct sample *taken;
	struct sample sample;

	if (!j->sampler || !wanted(j))
		return;
	if (sampler_take(j->sampler, members, n, &taken)) {
		log_msg(LOG_WARN, "a sample is missing: %s", err_text());
		err_clear();
		return;
	}
	if (j->config.exclude_children) {
		if (taken->has_root)
			emit(j, sample_json(taken));
		return;
	}
	sample = *taken;
	cpu_from_ledger(j, r, &sample);
	emit(j, tree_json(&sample, r, bpf_error));
}

void jsonl_summary(struct jsonl *j, const struct report *r)
{
	if (j->stats_out)
		emit(j, summary_json(r)); /* the statistics keep it */
	else if (wanted(j))
		write_summary(j, r);
}

bool jsonl_failed(const struct jsonl *j)
{
	return j->failed;
}

/* They are one record: a file without all of it would be none. */
static int close_stats(struct jsonl *j, bool keep)
{
	bool whole = false;
	json_t *stats;
	int err;

	if (!j->stats_out)
		return 0;
	stats = keep ? stats_json(&j->stats) : NULL;
	if (keep)
		whole = write_line(j->stats_out, stats);
	json_decref(stats);
	err = outfile_close(j->stats_out, whole);
	return err || whole || !keep ? err : -ENOMEM;
}

int jsonl_close(struct jsonl *j, bool keep)
{
	int err, stats_err;

	if (!j)
		return 0;
	err = outfile_close(j->out, keep);
	stats_err = close_stats(j, keep);
	jsonl_free(j);
	return err ? err : stats_err;
}

unsigned adaptive_interval_ms(unsigned base_ms, unsigned max_ms, unsigned long long elapsed_ms)
{
	if (max_ms <= base_ms || elapsed_ms <= 1000)
		return base_ms;
	if (elapsed_ms >= 10000)
		return max_ms;
	return base_ms + (unsigned)((max_ms - base_ms) * (elapsed_ms - 1000) / 9000);
}
