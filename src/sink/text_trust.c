/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The verdict, and how far to trust the screen: what was accounted for, what was lost,
 * which sources spoke, whether the ledger agrees with the kernel's own counters, and what
 * dwell itself cost. Good news is one calm line; bad news is loud and has its figures.
 */
#include "text_parts.h"

#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "format.h"

void text_verdict(FILE *f, const struct report *r, const struct text_style *style)
{
	const struct analysis *a = &r->syscalls.analysis;

	if (a->verdict) {
		fputc('\n', f);
		text_paragraph(f, style, "verdict", COLOR_BOLD, COLOR_NONE, a->verdict);
	} else if (r->syscalls.present && a->rule) {
		fputc('\n', f);
		text_paragraph(f, style, "verdict", COLOR_BOLD, COLOR_NONE, a->rule);
	}
}

/* A stream that grows; the paragraphs below are put together in one. */
struct line {
	FILE *f;
	char *text;
	size_t size;
};

static bool line_open(struct line *l)
{
	*l = (struct line){};
	l->f = open_memstream(&l->text, &l->size);
	return l->f;
}

static const char *line_text(struct line *l)
{
	fflush(l->f);
	return l->text ? l->text : "";
}

static void line_close(struct line *l)
{
	fclose(l->f);
	free(l->text);
}

static void print_sources(FILE *f, const struct trust *t)
{
	for (size_t i = 0; i < t->nsources; i++)
		fprintf(f, "%s%s %s %s", i ? "," : "", i ? "" : " sources", t->sources[i].probe,
			t->sources[i].chosen ? t->sources[i].chosen : "(none)");
}

/* "99.98 % accounted", never rounded up to 100. */
static void print_accounted(FILE *f, double percent)
{
	if (percent >= 99.9995 && percent <= 100.0005)
		fputs("100 % accounted,", f);
	else
		fprintf(f, "%.3f %% accounted,",
			percent < 100 && percent > 99.999 ? 99.999 : percent);
}

static void print_calm(FILE *f, const struct report *r, const struct text_style *style)
{
	const struct trust *t = &r->trust;
	struct line l;

	if (!line_open(&l))
		return;
	if (r->ledger.present)
		print_accounted(l.f, t->accounted_percent);
	if (r->bpf && !t->lost_total)
		fputs(" nothing lost,", l.f);
	if (t->nreconcile && t->reconcile_ok)
		fputs(" agrees with the kernel's own counters;", l.f);
	print_sources(l.f, t);
	if (*line_text(&l))
		text_paragraph(f, style, "trust", COLOR_BOLD, COLOR_NONE, line_text(&l));
	line_close(&l);
}

/* The kinds that happened, with their numbers and meanings; nothing when none did. */
static void print_counts(FILE *f, const char *label, enum text_color color,
			 const struct named_count *list, size_t n, const struct text_style *style)
{
	char number[FORMAT_LEN];
	bool first = true;
	struct line l;

	if (!line_open(&l))
		return;
	for (size_t i = 0; i < n; i++) {
		if (!list[i].count)
			continue;
		fprintf(l.f, "%s%s %s", first ? "" : ", ", list[i].name,
			format_count(number, list[i].count));
		if (list[i].help)
			fprintf(l.f, " (%s)", list[i].help);
		first = false;
	}
	if (!first)
		text_paragraph(f, style, label, color, COLOR_NONE, line_text(&l));
	line_close(&l);
}

static void print_amount(FILE *f, const struct reconcile_row *row, uint64_t n, bool utf8)
{
	char buf[FORMAT_LEN];

	if (!strcmp(row->unit, "ns"))
		fputs(format_duration(buf, n, utf8), f);
	else
		fprintf(f, "%" PRIu64, n);
}

/* A check that failed, with both figures: the reader must be able to judge it. */
static void print_broken(FILE *f, const struct trust *t, const struct text_style *style)
{
	for (size_t i = 0; i < t->nreconcile; i++) {
		const struct reconcile_row *row = &t->reconcile[i];
		int64_t worst = row->worst;
		struct line l;

		if (row->ok || !line_open(&l))
			continue;
		fprintf(l.f, "%s: dwell counts ", row->name);
		print_amount(l.f, row, row->ours, style->utf8);
		fputs(", the kernel ", l.f);
		print_amount(l.f, row, row->kernel, style->utf8);
		fprintf(l.f,
			" (%+.3f %%, allowed %s); %" PRIu64 " of %" PRIu64 " threads are out of "
			"bound, the worst by %s",
			row->percent, row->bound, row->broken, row->checked, worst < 0 ? "-" : "+");
		print_amount(l.f, row, worst < 0 ? -(uint64_t)worst : (uint64_t)worst, style->utf8);
		text_paragraph(f, style, "BROKEN", COLOR_RED, COLOR_RED, line_text(&l));
		line_close(&l);
	}
}

/* Said from one percent of the time on a CPU on: that much is not the program's doing. */
static void print_stolen(FILE *f, const struct report *r, const struct text_style *style)
{
	uint64_t on_cpu = r->ledger.tree.states[STATE_ON_CPU].ns;
	char amount[FORMAT_LEN];
	struct line l;

	if (!r->ledger.has_stolen || r->ledger.stolen_ns < on_cpu / 100 || !on_cpu ||
	    !line_open(&l))
		return;
	fprintf(l.f,
		"%s of the time on a CPU (%.1f %%) went to interrupts or, on a virtual machine, "
		"to its host",
		format_duration(amount, r->ledger.stolen_ns, style->utf8),
		100.0 * (double)r->ledger.stolen_ns / (double)on_cpu);
	text_paragraph(f, style, "stolen", COLOR_YELLOW, COLOR_NONE, line_text(&l));
	line_close(&l);
}

static void print_cost(FILE *f, const struct trust *t, const struct text_style *style)
{
	char a[FORMAT_LEN], b[FORMAT_LEN];
	struct line l;

	if (!(t->self_cpu_ns || t->self_rss_peak_bytes) || !line_open(&l))
		return;
	fprintf(l.f, "dwell itself took %s CPU, %s memory",
		format_duration(a, t->self_cpu_ns, style->utf8),
		format_bytes(b, t->self_rss_peak_bytes));
	if (t->self_map_bytes)
		fprintf(l.f, " and %s in the kernel", format_bytes(a, t->self_map_bytes));
	if (t->self_start_ns)
		fprintf(l.f, ", %s to start", format_duration(a, t->self_start_ns, style->utf8));
	if (t->self_stop_ns)
		fprintf(l.f, ", %s to stop", format_duration(a, t->self_stop_ns, style->utf8));
	if (t->self_bpf_ns)
		fprintf(l.f, ", %s in its probes", format_duration(a, t->self_bpf_ns, style->utf8));
	text_paragraph(f, style, "cost", COLOR_DIM, COLOR_DIM, line_text(&l));
	line_close(&l);
}

/* Without a ledger: what the kernel's own accounting of the command tells. */
void text_usage(FILE *f, const struct report *r, const struct text_style *style)
{
	const struct usage *u = &r->usage;
	char a[FORMAT_LEN], b[FORMAT_LEN];
	struct line l;

	if (!u->present || !line_open(&l))
		return;
	fprintf(l.f, "%s user and %s system CPU time,", format_duration(a, u->user_ns, style->utf8),
		format_duration(b, u->system_ns, style->utf8));
	fprintf(l.f, " %s peak memory,", format_bytes(a, u->max_rss_kb * 1024));
	fprintf(l.f, " %s minor and %s major page faults,", format_count(a, u->minor_faults),
		format_count(b, u->major_faults));
	fprintf(l.f, " %s voluntary and %s involuntary switches,", format_count(a, u->voluntary),
		format_count(b, u->involuntary));
	fprintf(l.f, " %s read from and %s written to disks", format_bytes(a, u->blocks_in * 512),
		format_bytes(b, u->blocks_out * 512));
	fputc('\n', f);
	text_paragraph(f, style, "usage", COLOR_BOLD, COLOR_NONE, line_text(&l));
	line_close(&l);
}

void text_trust(FILE *f, const struct report *r, const struct text_style *style)
{
	const struct trust *t = &r->trust;
	struct line block;

	if (!line_open(&block))
		return;
	print_calm(block.f, r, style);
	print_broken(block.f, t, style);
	print_stolen(block.f, r, style);
	print_counts(block.f, "LOST", COLOR_RED, t->lost, t->nlost, style);
	print_counts(block.f, "folded", COLOR_DIM, t->folded, t->nfolded, style);
	for (size_t i = 0; i < t->nnotes; i++)
		text_paragraph(block.f, style, "note", COLOR_YELLOW, COLOR_NONE, t->notes[i]);
	print_cost(block.f, t, style);
	if (*line_text(&block))
		fprintf(f, "\n%s", line_text(&block));
	line_close(&block);
}
