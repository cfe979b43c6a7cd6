/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The summary screen. Flow: one line of what ran, then sections from the general to the
 * particular (states, objects, processes, system calls), the verdict, and how far to
 * trust it. A section with nothing in it is not there. Names come from processes and are
 * cleaned on the way (format_clean), so none can write to the terminal as it likes.
 */
#include "text.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"
#include "states.h"
#include "text_parts.h"
#include "text_table.h"

#define TOP 5

/* Green works, yellow waits for a CPU, red for a lock, dim waits for nothing to be done. */
enum text_color text_state_color(enum ledger_state state)
{
	switch (state) {
	case STATE_ON_CPU:
		return COLOR_GREEN;
	case STATE_RUNQUEUE:
	case STATE_PREEMPTED:
		return COLOR_YELLOW;
	case STATE_FUTEX:
	case STATE_KERNEL_LOCK:
		return COLOR_RED;
	case STATE_DISK:
	case STATE_PAGE_FAULT:
		return COLOR_MAGENTA;
	case STATE_POLL:
	case STATE_SLEEP:
	case STATE_CHILD:
	case STATE_SIGNAL:
	case STATE_STOPPED:
		return COLOR_DIM;
	default:
		return COLOR_CYAN;
	}
}

/* --- what ran --- */

static void exit_text(const struct report *r, char *buf, size_t size)
{
	const char *name = r->exit_signal ? sigabbrev_np(r->exit_signal) : NULL;

	if (!r->has_exit)
		snprintf(buf, size, r->bpf && !r->processes_live ? "ended" : "still running");
	else if (name)
		snprintf(buf, size, "killed by SIG%s", name);
	else if (r->exit_signal)
		snprintf(buf, size, "killed by signal %d", r->exit_signal);
	else
		snprintf(buf, size, "exit %d", r->exit_code);
}

static void count_text(char *buf, size_t size, uint64_t n, const char *one, const char *many)
{
	char number[FORMAT_LEN];

	snprintf(buf, size, "%s %s", format_count(number, n), n == 1 ? one : many);
}

static void print_title(FILE *f, const struct report *r, const struct text_style *style)
{
	char wall[FORMAT_LEN], how[64], processes[64], threads[64], rest[256], name[CELL_LEN];
	const char *dot = style->utf8 ? " · " : " - ";
	bool failed = r->has_exit && (r->exit_code || r->exit_signal);
	int room;

	exit_text(r, how, sizeof(how));
	count_text(processes, sizeof(processes), r->processes_born, "process", "processes");
	count_text(threads, sizeof(threads), r->threads_born, "thread", "threads");
	rest[0] = '\0';
	if (r->processes_born)
		snprintf(rest, sizeof(rest), "%s%s, %s", dot, processes, threads);
	format_duration(wall, r->wall_ns, style->utf8);
	room = text_width(style) - format_columns(rest) -
	       (int)(2 * (size_t)format_columns(dot) + (size_t)format_columns(wall) + strlen(how));
	if (room < 12 && *rest) {
		/* a narrow screen: the counts go on a line of their own */
		snprintf(rest, sizeof(rest), "\n%s, %s", processes, threads);
		room = text_width(style) - 2 * format_columns(dot) - format_columns(wall) -
		       (int)strlen(how);
	}
	format_clean(name, sizeof(name), r->target ? r->target : "dwell", style->utf8);
	format_cut(name, sizeof(name), room, CUT_END, style->utf8);
	text_colored(f, style, COLOR_BOLD, name);
	fprintf(f, "%s%s%s", dot, wall, dot);
	text_colored(f, style, failed ? COLOR_RED : r->has_exit ? COLOR_GREEN : COLOR_NONE, how);
	fprintf(f, "%s\n", rest);
	if (r->final && r->processes_live) {
		count_text(processes, sizeof(processes), r->processes_live, "process", "processes");
		text_colored(f, style, COLOR_YELLOW, processes);
		fputs(" still alive\n", f);
	}
}

/* --- where the time went --- */

static enum ledger_state *states_by_time(const struct account *a, enum ledger_state *order,
					 size_t *n)
{
	*n = 0;
	for (size_t s = 0; s < LEDGER_STATES; s++) {
		size_t at = *n;

		if (!a->states[s].ns)
			continue;
		for (; at && a->states[order[at - 1]].ns < a->states[s].ns; at--)
			order[at] = order[at - 1];
		order[at] = (enum ledger_state)s;
		(*n)++;
	}
	return order;
}

enum { STATE_NAME, STATE_BAR, STATE_TIME, STATE_SHARE, STATE_COUNT, STATE_P99, STATE_COLUMNS };

static void state_cells(struct table *t, const char *name, enum text_color color, uint64_t ns,
			uint64_t whole)
{
	char buf[FORMAT_LEN];

	table_text(t, STATE_NAME, color, "%s", name);
	table_bar(t, STATE_BAR, color, whole ? (double)ns / (double)whole : 0);
	table_text(t, STATE_TIME, COLOR_NONE, "%s", format_duration(buf, ns, t->style->utf8));
	table_text(t, STATE_SHARE, COLOR_NONE, "%s", format_share(buf, ns, whole));
}

static void state_row(struct table *t, const struct account *a, enum ledger_state state)
{
	const struct wait_stat *w = &a->states[state];
	char buf[FORMAT_LEN];

	if (!table_row(t))
		return;
	state_cells(t, ledger_state_names[state], text_state_color(state), w->ns, a->lifetime_ns);
	table_text(t, STATE_COUNT, COLOR_NONE, "%s", format_count(buf, w->count));
	if (w->p99_ns)
		table_text(t, STATE_P99, COLOR_NONE, "%s",
			   format_duration(buf, w->p99_ns, t->style->utf8));
	if (state != STATE_ON_CPU || w->ns < SPLIT_MIN_NS || !(a->user_ns || a->system_ns))
		return;
	for (int system = 0; system < 2; system++) {
		if (!table_row(t))
			return;
		state_cells(t, system ? "system" : "user", COLOR_DIM,
			    system ? a->system_ns : a->user_ns, a->lifetime_ns);
		table_indent(t, STATE_NAME, 2);
	}
}

static void print_states(FILE *f, const struct report *r, const struct text_style *style)
{
	static const struct table_column columns[STATE_COLUMNS] = {
		[STATE_NAME] = {},
		[STATE_BAR] = { .flex = true, .bar = true },
		[STATE_TIME] = { .title = "time", .right = true },
		[STATE_SHARE] = { .title = "share", .right = true },
		[STATE_COUNT] = { .title = "count", .right = true, .drop = 1 },
		[STATE_P99] = { .title = "p99", .right = true, .drop = 2 },
	};
	const struct account *a = &r->ledger.tree;
	enum ledger_state order[LEDGER_STATES];
	char heading[96], life[FORMAT_LEN];
	struct table *t;
	size_t n;

	states_by_time(a, order, &n);
	t = n ? table_new(style, columns, STATE_COLUMNS) : NULL;
	if (!t)
		return;
	for (size_t i = 0; i < n; i++)
		state_row(t, a, order[i]);
	if (r->threads_born > 1)
		snprintf(heading, sizeof(heading), "where %s of thread time went",
			 format_duration(life, a->lifetime_ns, style->utf8));
	else
		snprintf(heading, sizeof(heading), "where the time went");
	fputc('\n', f);
	table_print(f, t, heading);
	table_free(t);
}

/* --- on what --- */

static void print_objects(FILE *f, const struct report *r, const struct text_style *style)
{
	enum { CAUSE, NAME, WHO, TIME, COUNT, MAX, OBJECT_COLUMNS };
	static const struct table_column columns[OBJECT_COLUMNS] = {
		[CAUSE] = {},
		[NAME] = { .flex = true, .cut = CUT_MIDDLE },
		[WHO] = { .title = "process", .drop = 3 },
		[TIME] = { .title = "time", .right = true },
		[COUNT] = { .title = "count", .right = true, .drop = 1 },
		[MAX] = { .title = "max", .right = true, .drop = 2 },
	};
	struct table *t = r->ledger.nobjects ? table_new(style, columns, OBJECT_COLUMNS) : NULL;
	char buf[FORMAT_LEN];

	if (!t)
		return;
	for (size_t i = 0; i < r->ledger.nobjects && i < TOP && table_row(t); i++) {
		const struct object_row *o = &r->ledger.objects[i];

		table_text(t, CAUSE, text_state_color(o->state), "%s",
			   ledger_state_names[o->state]);
		table_text(t, NAME, COLOR_NONE, "%s", o->name ? o->name : "-");
		table_text(t, WHO, COLOR_DIM, "%.*s %u", COMM_LEN, o->comm, o->pid);
		table_text(t, TIME, COLOR_NONE, "%s", format_duration(buf, o->ns, style->utf8));
		table_text(t, COUNT, COLOR_NONE, "%s", format_count(buf, o->count));
		table_text(t, MAX, COLOR_NONE, "%s", format_duration(buf, o->max_ns, style->utf8));
	}
	fputc('\n', f);
	table_print(f, t, "longest waits");
	table_free(t);
}

/* --- who --- */

enum { WHO_PID, WHO_NAME, WHO_LIFE, WHO_CPU, WHO_QUEUE, WHO_CAUSE, WHO_COLUMNS };

/* The columns of a process and of a command name alike, behind the name. */
static void account_cells(struct table *t, const struct account *a)
{
	enum ledger_state top = STATE_BLOCKED;
	bool utf8 = t->style->utf8;
	char buf[FORMAT_LEN];

	for (size_t s = STATE_BLOCKED; s < LEDGER_STATES; s++)
		if (a->states[s].ns > a->states[top].ns)
			top = (enum ledger_state)s;
	table_text(t, WHO_LIFE, COLOR_NONE, "%s", format_duration(buf, a->lifetime_ns, utf8));
	table_text(t, WHO_CPU, COLOR_NONE, "%s",
		   format_duration(buf, a->states[STATE_ON_CPU].ns, utf8));
	table_text(t, WHO_QUEUE, COLOR_NONE, "%s",
		   format_duration(buf,
				   a->states[STATE_RUNQUEUE].ns + a->states[STATE_PREEMPTED].ns,
				   utf8));
	if (a->states[top].ns)
		table_text(t, WHO_CAUSE, text_state_color(top), "%s %s", ledger_state_names[top],
			   format_duration(buf, a->states[top].ns, utf8));
}

/* Time that is not spent waiting for something to happen: what makes a process worth a line. */
static uint64_t active_ns(const struct account *a)
{
	static const enum ledger_state idle[] = {
		STATE_POLL, STATE_SLEEP, STATE_CHILD, STATE_SIGNAL, STATE_STOPPED,
	};
	uint64_t ns = a->lifetime_ns;

	for (size_t i = 0; i < sizeof(idle) / sizeof(*idle); i++)
		ns -= a->states[idle[i]].ns < ns ? a->states[idle[i]].ns : ns;
	return ns;
}

/* Indexes of the TOP rows with the most active time; account_at(i) is row i's account. */
static size_t most_active(const struct account *(*account_at)(const struct report *, size_t),
			  const struct report *r, size_t rows, size_t top[TOP])
{
	size_t n = 0;

	for (size_t i = 0; i < rows; i++) {
		uint64_t ns = active_ns(account_at(r, i));
		size_t at = n;

		for (; at && active_ns(account_at(r, top[at - 1])) < ns; at--)
			if (at < TOP)
				top[at] = top[at - 1];
		if (at < TOP)
			top[at] = i;
		n += n < TOP;
	}
	return n;
}

static const struct account *process_account(const struct report *r, size_t i)
{
	return &r->ledger.processes[i].account;
}

static const struct account *command_account(const struct report *r, size_t i)
{
	return &r->ledger.commands[i].account;
}

static const struct table_column who_columns[WHO_COLUMNS] = {
	[WHO_PID] = { .right = true },
	[WHO_NAME] = { .flex = true },
	[WHO_LIFE] = { .title = "lifetime", .right = true },
	[WHO_CPU] = { .title = "on_cpu", .right = true },
	[WHO_QUEUE] = { .title = "cpu wait", .right = true, .drop = 2 },
	[WHO_CAUSE] = { .title = "blocked most on", .drop = 1 },
};

static void print_processes(FILE *f, const struct report *r, const struct text_style *style)
{
	const struct ledger_report *l = &r->ledger;
	struct table *t = l->nprocesses > 1 ? table_new(style, who_columns, WHO_COLUMNS) : NULL;
	char heading[64], all[FORMAT_LEN];
	size_t top[TOP], n;

	if (!t)
		return;
	n = most_active(process_account, r, l->nprocesses, top);
	for (size_t i = 0; i < n && table_row(t); i++) {
		const struct process_row *p = &l->processes[top[i]];

		table_text(t, WHO_PID, COLOR_DIM, "%u", p->pid);
		table_text(t, WHO_NAME, COLOR_NONE, "%.*s", COMM_LEN, p->comm);
		account_cells(t, &p->account);
	}
	if (r->processes_born > n)
		snprintf(heading, sizeof(heading), "top processes, of %s",
			 format_count(all, r->processes_born));
	else
		snprintf(heading, sizeof(heading), "processes");
	fputc('\n', f);
	table_print(f, t, heading);
	table_free(t);
}

/* Where the processes are many and short, their names tell more than any one of them. */
static void print_commands(FILE *f, const struct report *r, const struct text_style *style)
{
	const struct ledger_report *l = &r->ledger;
	struct table *t;
	size_t top[TOP], n;

	if (r->processes_born <= 2 * TOP || l->ncommands < 2 ||
	    l->ncommands > r->processes_born / 2)
		return;
	t = table_new(style, who_columns, WHO_COLUMNS);
	if (!t)
		return;
	n = most_active(command_account, r, l->ncommands, top);
	for (size_t i = 0; i < n && table_row(t); i++) {
		const struct command_row *c = &l->commands[top[i]];
		char count[FORMAT_LEN];

		table_text(t, WHO_PID, COLOR_DIM, "%s%s", style->utf8 ? "×" : "x",
			   format_count(count, c->processes));
		table_text(t, WHO_NAME, COLOR_NONE, "%.*s", COMM_LEN, c->comm);
		account_cells(t, &c->account);
	}
	fputc('\n', f);
	table_print(f, t, "by command name");
	table_free(t);
}

/* --- system calls --- */

static void error_list(const struct call_row *c, char *buf, size_t size)
{
	size_t len = 0;

	buf[0] = '\0';
	for (size_t i = 0; i < c->nerrors && len < size; i++) {
		int err = c->errors[i].err;
		const char *name = err ? strerrorname_np(err) : "other";
		char number[FORMAT_LEN], unnamed[24];

		if (!name) {
			snprintf(unnamed, sizeof(unnamed), "errno %d", err);
			name = unnamed;
		}
		len += (size_t)snprintf(buf + len, size - len, "%s%s %s", i ? ", " : "",
					format_count(number, c->errors[i].count), name);
	}
}

static int calls_by_time(const void *a, const void *b)
{
	const struct call_row *x = *(const struct call_row *const *)a;
	const struct call_row *y = *(const struct call_row *const *)b;

	if (x->time.ns != y->time.ns)
		return x->time.ns < y->time.ns ? 1 : -1;
	return x < y ? -1 : x > y; /* as they came: by count */
}

/* The calls by time where that was measured, else by count; freed by the caller. */
static const struct call_row **ordered_calls(const struct syscall_table *s)
{
	const struct call_row **order = calloc(s->ncalls + 1, sizeof(struct call_row *));

	for (size_t i = 0; order && i < s->ncalls; i++)
		order[i] = &s->calls[i];
	if (order)
		qsort(order, s->ncalls, sizeof(struct call_row *), calls_by_time);
	return order;
}

static void print_syscalls(FILE *f, const struct report *r, const struct text_style *style)
{
	enum { NAME, COUNT, TIME, P99, ERRORS, CALL_COLUMNS };
	static const struct table_column columns[CALL_COLUMNS] = {
		[NAME] = {},
		[COUNT] = { .title = "count", .right = true },
		[TIME] = { .title = "time", .right = true, .drop = 1 },
		[P99] = { .title = "p99", .right = true, .drop = 2 },
		[ERRORS] = { .title = "errors", .flex = true },
	};
	const struct syscall_table *s = &r->syscalls.tree;
	char heading[96], total[FORMAT_LEN], buf[FORMAT_LEN], errors[256];
	struct table *t = s->ncalls ? table_new(style, columns, CALL_COLUMNS) : NULL;
	const struct call_row **order = t ? ordered_calls(s) : NULL;

	for (size_t i = 0; order && i < s->ncalls && i < TOP && table_row(t); i++) {
		const struct call_row *c = order[i];

		table_text(t, NAME, COLOR_NONE, "%s", c->name);
		table_text(t, COUNT, COLOR_NONE, "%s", format_count(buf, c->count));
		if (c->has_latency) {
			table_text(t, TIME, COLOR_NONE, "%s",
				   format_duration(buf, c->time.ns, style->utf8));
			table_text(t, P99, COLOR_NONE, "%s",
				   format_duration(buf, c->time.p99_ns, style->utf8));
		}
		error_list(c, errors, sizeof(errors));
		table_text(t, ERRORS, COLOR_DIM, "%s", errors);
	}
	free(order);
	if (!t)
		return;
	snprintf(heading, sizeof(heading), "system calls: %s", format_count(total, s->total));
	fputc('\n', f);
	table_print(f, t, heading);
	table_free(t);
}

void text_report(FILE *f, const struct report *r, const struct text_style *style)
{
	fputc('\n', f); /* apart from what the command printed */
	print_title(f, r, style);
	if (r->ledger.present) {
		print_states(f, r, style);
		print_objects(f, r, style);
		print_processes(f, r, style);
		print_commands(f, r, style);
		text_stacks(f, r, style);
	} else {
		text_usage(f, r, style);
	}
	if (r->syscalls.present)
		print_syscalls(f, r, style);
	text_probes(f, r, style);
	text_verdict(f, r, style);
	text_trust(f, r, style);
}
