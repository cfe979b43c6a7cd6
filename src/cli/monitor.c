/* SPDX-License-Identifier: BSD-2-Clause */
/* The measuring that run and attach share; see monitor.h. */
#include "monitor.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "code_paths.h"
#include "err.h"
#include "evidence.h"
#include "format.h"
#include "launch.h"
#include "stack_traces.h"
#include "term.h"
#include "text.h"
#include "verdict.h"

static int open_records(struct monitor *m, bool attach)
{
	const struct options *o = m->options;
	struct jsonl_config c = {
		.path = o->out,
		.fd = o->json ? STDOUT_FILENO : -1,
		.stats_path = o->stats_out,
		.exclude_children = o->exclude_children,
		.attached = attach,
		.since_process_start = o->since_process_start,
	};

	int err = o->evidence ? outfile_open(&m->evidence, o->evidence) : 0;

	if (!err)
		err = stack_files_open(&m->stack_files, o);
	return err ? err : jsonl_open(&m->jsonl, &c);
}

static void on_exit_event(void *ctx, const struct exit_event *event)
{
	struct monitor *m = ctx;

	jsonl_exit(m->jsonl, event);
}

static const char *hint_of(int err)
{
	if (err == -EPERM || err == -EACCES)
		return "run dwell as root, or give it cap_bpf and cap_perfmon with setcap";
	if (err == -ENOMEM)
		return "the tables of the kernel side count against the memory limit of dwell's own "
		       "control group: raise it, or make them smaller with --limit and --probes";
	return "`dwell doctor` tells more";
}

/* Without BPF the command still runs: one line says what is missing and how to get it. */
static int open_session(struct monitor *m, bool attach)
{
	const struct options *o = m->options;
	int err;

	if (o->no_ebpf) {
		snprintf(m->bpf_error, sizeof(m->bpf_error), "BPF was switched off by --no-ebpf");
		return 0;
	}
	err = session_open(&m->session, o, attach);
	if (!err) {
		launch_priority_raise();
		m->session->on_exit = on_exit_event;
		m->session->on_exit_ctx = m;
		return 0;
	}
	m->session = NULL;
	if (o->nforced || o->probes || o->nlimits || options_want_stacks(o)) {
		err_hint("%s", err == -ENOMEM
				       ? hint_of(err)
				       : "run dwell as root, or without --probes, --source, "
					 "--limit and what needs stacks: then it measures what it "
					 "may");
		return err;
	}
	snprintf(m->bpf_error, sizeof(m->bpf_error), "%s", err_text());
	snprintf(m->bpf_hint, sizeof(m->bpf_hint), "%s", hint_of(err));
	log_msg(LOG_WARN, "only what /proc and wait4 know is measured: %s; %s", m->bpf_error,
		m->bpf_hint);
	err_clear();
	return 0;
}

int monitor_open(struct monitor *m, const struct options *options, bool attach)
{
	int err;

	memset(m, 0, sizeof(*m));
	m->options = options;
	err = open_records(m, attach);
	return err ? err : open_session(m, attach);
}

/* What is measured, in the words it was given in. */
static void name_target(struct monitor *m, pid_t root, char *const argv[])
{
	const struct options *o = m->options;
	size_t at = 0, room = sizeof(m->target);

	for (size_t i = 0; argv && argv[i] && at < room; i++)
		at += (size_t)snprintf(m->target + at, room - at, "%s%s", i ? " " : "", argv[i]);
	if (at >= room) /* of a long command line the beginning, and a mark */
		format_cut(m->target, room, TARGET_WIDTH, CUT_END, true);
	if (argv)
		return;
	if (o->all)
		snprintf(m->target, room, "all processes");
	else if (o->name)
		snprintf(m->target, room, "processes named %s", o->name);
	else if (o->cgroup)
		snprintf(m->target, room, "cgroup %s", o->cgroup);
	else if (o->npids > 1)
		snprintf(m->target, room, "pid %d and %zu more", root, o->npids - 1);
	else
		snprintf(m->target, room, "pid %d", root);
}

void monitor_begin(struct monitor *m, pid_t root, char *const argv[])
{
	const struct options *o = m->options;
	bool progress = !o->no_update && !o->quiet;
	int command_out = options_owns_stdout(o) ? STDERR_FILENO : STDOUT_FILENO;

	name_target(m, root, argv);
	m->root = root;
	m->start_ns = m->session     ? m->session->start_ns
		      : m->launch_ns ? m->launch_ns
				     : session_clock();
	m->next_tick_ns = m->start_ns;
	/* the command shares our stderr; it owns the terminal when its stdout is there too */
	progress_init(&m->progress, stderr, progress, o->no_color, argv ? command_out : -1, -1);
	if (o->write_env)
		jsonl_env(m->jsonl);
	jsonl_metadata(m->jsonl, root, argv);
}

int monitor_timeout(const struct monitor *m)
{
	uint64_t now = session_clock();

	if (m->next_tick_ns <= now)
		return 0;
	return m->next_tick_ns - now > 1000000000 ? 1000
						  : (int)((m->next_tick_ns - now) / 1000000 + 1);
}

static void fill_usage(const struct monitor *m, struct report *r)
{
	r->usage = m->usage;
	if (!m->has_exit)
		return;
	r->has_exit = true;
	r->exit_signal = m->status & 0x7f;
	r->exit_code = (m->status >> 8) & 0xff;
}

/* All that is known without BPF: the clock, the exit, and wait4's figures. */
static struct report *bare_report(const struct monitor *m, bool final)
{
	struct report *r = report_new();
	const char **notes = report_alloc(r, 2 * sizeof(*notes));

	r->final = final;
	r->now_ns = session_clock();
	r->start_ns = m->start_ns;
	r->wall_ns = (m->stop_ns ? m->stop_ns : r->now_ns) - m->start_ns;
	notes[0] = report_printf(r, "only what /proc and wait4 know is measured: %s%s%s",
				 m->bpf_error, *m->bpf_hint ? "; " : "", m->bpf_hint);
	r->trust.notes = notes;
	r->trust.nnotes = 1;
	return r;
}

static struct report *make_report(struct monitor *m, bool final)
{
	struct report *r = m->session ? session_report(m->session, final) : bare_report(m, final);

	fill_usage(m, r);
	r->target = m->target;
	r->cpus = (uint32_t)sysconf(_SC_NPROCESSORS_ONLN);
	if (final && r->stacks.present) {
		stack_traces_make(r);
		code_paths_make(r);
	}
	r->syscalls.analysis.verdict = verdict_make(r);
	return r;
}

static void write_tree(struct monitor *m, const struct report *r)
{
	struct proc_member *members = NULL;
	size_t n = 0;

	if (m->options->no_polling)
		return;
	if (m->session)
		members = session_members(m->session, &n);
	jsonl_tree(m->jsonl, r, members, n, m->bpf_error);
	free(members);
}

static bool records_wanted(const struct monitor *m)
{
	const struct options *o = m->options;

	return o->json || o->out || o->stats_out;
}

void monitor_turn(struct monitor *m)
{
	uint64_t now = session_clock();
	bool records = records_wanted(m) && !m->options->no_polling;
	struct report *r;

	if (m->session)
		session_poll(m->session);
	if (now < m->next_tick_ns || m->finished)
		return;
	m->next_tick_ns = now + 1000000ULL * adaptive_interval_ms(m->options->interval_ms,
								  m->options->max_interval_ms,
								  (now - m->start_ns) / 1000000);
	if (!records && !m->progress.f)
		return;
	r = make_report(m, false);
	if (records)
		write_tree(m, r);
	progress_update(&m->progress, r);
	report_free(r);
}

void monitor_finish(struct monitor *m)
{
	struct text_style style;
	struct report *r;

	if (m->finished)
		return;
	m->finished = true;
	progress_clear(&m->progress);
	if (!m->stop_ns)
		m->stop_ns = session_clock();
	if (m->session) {
		m->session->stop_ns = m->stop_ns;
		session_settle(m->session);
	}
	r = make_report(m, true);
	if (records_wanted(m)) {
		write_tree(m, r);
		jsonl_summary(m->jsonl, r);
	}
	if (m->evidence)
		m->evidence_failed = evidence_write(r, m->evidence);
	stack_files_write(&m->stack_files, r);
	if (!m->options->quiet) {
		style = text_style_of(stderr, m->options->no_color);
		text_report(stderr, r, &style);
		fflush(stderr);
	}
	report_free(r);
}

int monitor_close(struct monitor *m)
{
	bool broken = m->jsonl && jsonl_failed(m->jsonl);
	int err = jsonl_close(m->jsonl, m->finished);

	err = outfile_close(m->evidence, m->finished && !m->evidence_failed) ?: err;
	m->evidence = NULL;
	err = stack_files_close(&m->stack_files, m->finished) ?: err;
	session_close(m->session);
	m->session = NULL;
	m->jsonl = NULL;
	return broken || err || m->evidence_failed ? -EIO : 0;
}
