/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What the probes add to the verdict: why it waited for a disk, a socket or the kernel, and what
 * kept it from running that no state tells: a quota, a deadlock, a want of memory.
 */
#include "verdict_probes.h"

#include <string.h>

#include "format.h"

#define SWAP_IN_MIN (1 << 20) /* bytes; less is no reason to wait */

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
		format_cut_function(text, sizeof(text), CODE_COLUMNS, false);
		fprintf(out, "%s%s", i > from ? " > " : "", text);
	}
	if (r->processes_born > 1)
		fprintf(out, " (%s)", format_clean(text, sizeof(text), hot->comm, false));
}

/* ---- disk: the syncs, where they are most of it ---- */

bool verdict_syncs(FILE *out, const struct report *r, uint64_t disk_ns)
{
	const struct wait_stat *full = &r->io.tree.calls[IO_FSYNC].time.stat;
	const struct wait_stat *data = &r->io.tree.calls[IO_FDATASYNC].time.stat;
	uint64_t ns = full->ns + data->ns, n = full->count + data->count;
	const struct io_file_row *file = &r->io.synced;
	char each[FORMAT_LEN], text[FORMAT_LEN];

	if (!r->io.present || !n || ns < disk_ns / 2)
		return false;
	fprintf(out, ", most of it in %s %s of %s each", format_count(text, n),
		full->count >= data->count ? "fsyncs" : "fdatasyncs",
		format_duration(each, ns / n, false));
	if (!file->name || file->sync_ns * 5 < ns)
		return true;
	if (file->sync_ns * 2 < ns)
		fprintf(out, ", %s of that", format_share(text, file->sync_ns, ns));
	else
		fputc(',', out);
	fprintf(out, " on %s", file->name);
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

/* ---- locks inside the kernel: where they are taken ---- */

void verdict_kernel_locks(FILE *out, const struct report *r)
{
	const struct locks_site_row *top = r->locks.nsites ? r->locks.sites : NULL;
	char share[FORMAT_LEN];
	uint64_t ns = 0;

	for (int i = 0; i < KERNEL_KINDS; i++)
		ns += r->locks.tree.counted.kernel[i].ns;
	if (!r->locks.present || !top || !top->samples || top->ns < ns / 5)
		return;
	/* a sample stands for what passed since the last one: it may say a little more */
	fprintf(out, "; %s of it for %s in %s()",
		format_share(share, top->ns < ns ? top->ns : ns, ns), top->kind, top->function);
}

/* ---- memory ---- */

void verdict_swap(FILE *out, const struct report *r)
{
	char in[FORMAT_LEN];

	if (!r->memory.present || r->memory.tree.swap_in_bytes < SWAP_IN_MIN)
		return;
	fprintf(out, "; %s were read back from swap",
		format_bytes(in, r->memory.tree.swap_in_bytes));
}

void verdict_reclaim(FILE *out, const struct report *r, const char *before)
{
	static const char *const why[STALL_KINDS] = {
		[STALL_DIRECT] = "the machine had none left",
		[STALL_CGROUP] = "its control group was at its limit",
		[STALL_NODE] = "its NUMA node had none left",
	};
	const struct memory_wait *stalls = r->memory.tree.stalls;
	char share[FORMAT_LEN], count[COUNTED_LEN];
	uint64_t ns = 0, n = 0;
	int most = 0;

	for (int i = 0; i < STALL_KINDS; i++) {
		ns += stalls[i].ns;
		n += stalls[i].count;
		most = stalls[i].ns > stalls[most].ns ? i : most;
	}
	if (!r->memory.present || !ns || ns < r->ledger.tree.lifetime_ns / 20)
		return;
	fprintf(out,
		"%sShort of memory: it had to free some itself %s, for %s of all thread time; %s.",
		before, format_counted(count, n, "time", "times"),
		format_share(share, ns, r->ledger.tree.lifetime_ns), why[most]);
}

/* Who was killed matters more than where the time went. */
bool verdict_oom(FILE *out, const struct report *r, const char *before)
{
	const struct memory_oom_row *first = r->memory.nooms ? r->memory.ooms : NULL;
	char rss[FORMAT_LEN], more[FORMAT_LEN];

	if (!r->memory.present || !first)
		return false;
	fprintf(out, "%sOut of memory: the kernel killed %.*s (%u), which had %s resident", before,
		COMM_LEN, first->comm, first->pid, format_bytes(rss, first->rss_bytes));
	if (r->memory.tree.oom_kills > 1)
		fprintf(out, ", and %s more", format_count(more, r->memory.tree.oom_kills - 1));
	fputc('.', out);
	return true;
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
