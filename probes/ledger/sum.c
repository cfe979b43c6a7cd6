/* SPDX-License-Identifier: BSD-2-Clause */
/* Sums of accounts; see sum.h. Pure functions of their arguments. */
#include "sum.h"

#include <stdlib.h>
#include <string.h>

void stat_merge(struct ledger_stat *to, const struct ledger_stat *from)
{
	if (!from->count)
		return;
	if (!to->count || from->min_ns < to->min_ns)
		to->min_ns = from->min_ns;
	if (from->max_ns > to->max_ns)
		to->max_ns = from->max_ns;
	to->ns += from->ns;
	to->count += from->count;
}

static uint64_t *hist_of(struct ledger_sum *sum, int state)
{
	if (!sum->hist[state]) {
		sum->hist[state] = calloc(HIST_BUCKETS, sizeof(uint64_t));
		if (!sum->hist[state])
			abort();
	}
	return sum->hist[state];
}

void sum_hist_add(struct ledger_sum *sum, int state, const uint32_t *buckets)
{
	uint64_t *to = hist_of(sum, state);

	for (int i = 0; i < HIST_BUCKETS; i++)
		to[i] += buckets[i];
}

/* The interval a living thread is in the middle of. */
static void add_present(struct ledger_sum *sum, const struct ledger_final *f)
{
	uint32_t state = f->thread.state;
	struct ledger_stat now = { .count = 1 };

	if (state >= LEDGER_STATES || f->now_ns <= f->thread.since_ns)
		return;
	now.ns = now.max_ns = now.min_ns = f->now_ns - f->thread.since_ns;
	stat_merge(&sum->states[state], &now);
	hist_of(sum, (int)state)[hist_bucket(now.ns)]++;
}

void sum_add_thread(struct ledger_sum *sum, const struct ledger_final *f,
		    const uint32_t (*blocks)[HIST_BUCKETS])
{
	const struct ledger_thread *t = &f->thread;

	sum->threads++;
	sum->lifetime_ns += f->now_ns - ledger_begin(&t->who);
	sum->utime_ns += f->utime_ns - t->base_utime_ns;
	sum->stime_ns += f->stime_ns - t->base_stime_ns;
	sum->switches += t->switches;
	sum->stolen_ns += t->stolen_ns;
	sum->voluntary += t->voluntary;
	for (int i = 0; i < LEDGER_STATES; i++) {
		stat_merge(&sum->states[i], &t->states[i]);
		if (t->hist[i] < HIST_UNASKED)
			sum_hist_add(sum, i, blocks[t->hist[i]]);
		else if (t->hist[i] == HIST_NONE)
			sum->untold[i] += t->states[i].count;
	}
	if (f->alive)
		add_present(sum, f);
}

void sum_add(struct ledger_sum *to, const struct ledger_sum *from)
{
	to->threads += from->threads;
	to->lifetime_ns += from->lifetime_ns;
	to->utime_ns += from->utime_ns;
	to->stime_ns += from->stime_ns;
	to->switches += from->switches;
	to->stolen_ns += from->stolen_ns;
	to->voluntary += from->voluntary;
	for (int i = 0; i < LEDGER_STATES; i++) {
		stat_merge(&to->states[i], &from->states[i]);
		to->untold[i] += from->untold[i];
		for (int b = 0; from->hist[i] && b < HIST_BUCKETS; b++)
			hist_of(to, i)[b] += from->hist[i][b];
	}
}

void sum_add_account(struct ledger_sum *sum, const struct account *a)
{
	sum->threads++;
	sum->lifetime_ns += a->lifetime_ns;
	sum->utime_ns += a->user_ns;
	sum->stime_ns += a->system_ns;
	sum->switches += a->voluntary + a->involuntary;
	sum->voluntary += a->voluntary;
	for (int i = 0; i < LEDGER_STATES; i++) {
		const struct wait_stat *w = &a->states[i];
		struct ledger_stat s = {
			.ns = w->ns,
			.count = w->count,
			.max_ns = w->max_ns,
			.min_ns = w->min_ns,
		};

		stat_merge(&sum->states[i], &s);
		sum->untold[i] += w->count;
	}
}

struct ledger_sum *sum_clone(const struct ledger_sum *sum)
{
	struct ledger_sum *copy = calloc(1, sizeof(*copy));

	if (!copy)
		abort();
	sum_add(copy, sum);
	return copy;
}

void sum_clear(struct ledger_sum *sum)
{
	for (int i = 0; i < LEDGER_STATES; i++)
		free(sum->hist[i]);
	memset(sum, 0, sizeof(*sum));
}

uint64_t hist_quantile(const uint64_t *buckets, double q, uint64_t min_ns, uint64_t max_ns)
{
	uint64_t total = 0, seen = 0, want;

	for (int i = 0; i < HIST_BUCKETS; i++)
		total += buckets[i];
	if (!total)
		return 0;
	want = (uint64_t)(q * (double)total);
	if (want >= total)
		want = total - 1;
	for (int i = 0; i < HIST_BUCKETS; i++) {
		uint64_t mid;

		seen += buckets[i];
		if (seen <= want)
			continue;
		if (i == HIST_BUCKETS - 1)
			return max_ns;
		mid = (hist_floor((uint32_t)i) + hist_floor((uint32_t)i + 1)) / 2;
		if (mid < min_ns)
			return min_ns;
		return mid < max_ns ? mid : max_ns;
	}
	return max_ns;
}

static void account_state(const struct ledger_sum *sum, int i, struct wait_stat *w)
{
	const struct ledger_stat *s = &sum->states[i];

	w->ns = s->ns;
	w->count = s->count;
	w->max_ns = s->max_ns;
	w->min_ns = s->min_ns;
	if (!sum->hist[i] || sum->untold[i])
		return;
	w->p50_ns = hist_quantile(sum->hist[i], 0.50, s->min_ns, s->max_ns);
	w->p95_ns = hist_quantile(sum->hist[i], 0.95, s->min_ns, s->max_ns);
	w->p99_ns = hist_quantile(sum->hist[i], 0.99, s->min_ns, s->max_ns);
}

void sum_account(const struct ledger_sum *sum, struct account *a)
{
	uint64_t on_cpu = sum->states[STATE_ON_CPU].ns, told = sum->utime_ns + sum->stime_ns;
	uint64_t total = 0;

	for (int i = 0; i < LEDGER_STATES; i++) {
		account_state(sum, i, &a->states[i]);
		total += sum->states[i].ns;
	}
	a->lifetime_ns = sum->lifetime_ns;
	a->residual_ns = (int64_t)(sum->lifetime_ns - total);
	/* as the kernel's cputime_adjust(): its ticks give the proportion, the run time the sum */
	a->system_ns = told ? (uint64_t)((double)on_cpu * (double)sum->stime_ns / (double)told) : 0;
	a->user_ns = on_cpu - a->system_ns;
	a->voluntary = sum->voluntary;
	a->involuntary = sum->switches - sum->voluntary;
}
