/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the probes add to the verdict: why it waited for a disk or a socket, and what kept it
 * from running that no state tells: a quota, a deadlock.
 */
#include "verdict_probes.h"

#include <string.h>

#include "format.h"

/* ---- the code behind a state ---- */

#define CODE_WORDS 3   /* the last functions of the path */
#define CODE_SAMPLES 5 /* on a CPU fewer say nothing */
#define CODE_COLUMNS 48

static bool says_nothing(const char *word)
{
	return *word == '[' || !strcmp(word, "main") || !strcmp(word, "<module>");
}

void verdict_code(FILE *out, const struct report *r, enum ledger_state state)
{
	const struct code_path *hot = &r->stacks.hot[state];
	char text[1024], share[FORMAT_LEN];
	size_t n = hot->n, from;

	while (n && hot->words[n - 1][0] == '[') /* code without names: who called it */
		n--;
	if (!n || (n == 1 && says_nothing(hot->words[0])) ||
	    (state == STATE_ON_CPU && hot->count < CODE_SAMPLES))
		return;
	from = n > CODE_WORDS ? n - CODE_WORDS : 0;
	fprintf(out, "; %s of it in ",
		format_share(share, hot->ns, r->ledger.tree.states[state].ns));
	for (size_t i = from; i < n; i++) {
		format_clean(text, sizeof(text), hot->words[i], false);
		format_cut(text, sizeof(text), CODE_COLUMNS, CUT_MIDDLE, false);
		fprintf(out, "%s%s", i > from ? " > " : "", text);
	}
	if (r->processes_born > 1)
		fprintf(out, " (%s)", format_clean(text, sizeof(text), hot->comm, false));
}

/* ---- disk: the syncs, where they are most of it ---- */

static const struct io_file_row *most_synced(const struct io_report *io)
{
	const struct io_file_row *most = NULL;

	for (size_t i = 0; i < io->nfiles; i++)
		if (io->files[i].syncs && io->files[i].name &&
		    (!most || io->files[i].syncs > most->syncs))
			most = &io->files[i];
	return most;
}

bool verdict_syncs(FILE *out, const struct report *r, uint64_t disk_ns)
{
	const struct wait_stat *full = &r->io.tree.calls[IO_FSYNC].time.stat;
	const struct wait_stat *data = &r->io.tree.calls[IO_FDATASYNC].time.stat;
	uint64_t ns = full->ns + data->ns, n = full->count + data->count;
	const struct io_file_row *file;
	char each[FORMAT_LEN], count[FORMAT_LEN];

	if (!r->io.present || !n || ns < disk_ns / 2)
		return false;
	fprintf(out, "; most of it in %s %s of %s each", format_count(count, n),
		full->count >= data->count ? "fsyncs" : "fdatasyncs",
		format_duration(each, ns / n, false));
	file = most_synced(&r->io);
	if (file && file->syncs * 2 >= n)
		fprintf(out, ", on %s", file->name);
	return true;
}

/* ---- socket: what the network did to it ---- */

void verdict_network(FILE *out, const struct report *r)
{
	const struct network_slot *n = &r->network.tree.counts;
	char text[FORMAT_LEN];

	if (!r->network.present || !n->data_segments_sent ||
	    n->retransmits * 100 < n->data_segments_sent)
		return;
	fprintf(out, "; TCP sent %s of its segments again (%.1f %%)",
		format_count(text, n->retransmits),
		100.0 * (double)n->retransmits / (double)n->data_segments_sent);
}

/* ---- what no state tells ---- */

void verdict_throttled(FILE *out, const struct report *r, const char *before)
{
	const struct cpu_quota_row *worst = r->cpu.nquotas ? r->cpu.quotas : NULL;
	char time[FORMAT_LEN];

	if (!r->cpu.present || !worst || !worst->throttled_periods ||
	    worst->throttled_ns < r->wall_ns / 20)
		return;
	fprintf(out,
		"%sThrottled: control group %s had used up its CPU quota in %llu of %llu periods, "
		"for %s, summed over the CPUs.",
		before, worst->path, (unsigned long long)worst->throttled_periods,
		(unsigned long long)worst->periods,
		format_duration(time, worst->throttled_ns, false));
}

/* Threads that will never go on matter more than where the time went. */
bool verdict_deadlock(FILE *out, const struct report *r)
{
	const struct locks_report *l = &r->locks;
	const struct deadlock_member *m = l->ndeadlocks ? l->deadlocks[0].members : NULL;
	size_t n = m ? l->deadlocks[0].nmembers : 0;

	if (!m)
		return false;
	if (n == 1) {
		fprintf(out,
			"Deadlock: thread %u of %.*s (%u) waits for %s, which it holds itself.",
			m->tid, COMM_LEN, m->comm, m->pid, m->lock);
		return true;
	}
	fprintf(out, "Deadlock: %zu threads of %.*s (%u) wait for each other for ever (", n,
		COMM_LEN, m->comm, m->pid);
	for (size_t i = 0; i < n && i < 4; i++)
		fprintf(out, "%sthread %u for %s", i ? ", " : "", m[i].tid, m[i].lock);
	fputs(n > 4 ? ", and so on)." : ").", out);
	return true;
}
