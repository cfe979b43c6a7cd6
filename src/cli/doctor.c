/* SPDX-License-Identifier: BSD-2-Clause */
/* dwell doctor: what can be measured here, on the screen or as JSON of the same facts. */
#include "doctor.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "options.h"
#include "shape.h"
#include "text_parts.h"

#define MARK_COLUMN 6
#define VALUE_COLUMN 33

/* --- JSON --- */

static const char *const level_names[] = {
	[FACT_INFO] = "info",
	[FACT_OK] = "ok",
	[FACT_WARN] = "warn",
	[FACT_FAIL] = "fail",
};

static json_t *level_json(const void *base)
{
	const struct fact *f = base;

	return json_string(level_names[f->level]);
}

static json_t *level_schema(void)
{
	return json_pack("{s:[s,s,s,s]}", "enum", "info", "ok", "warn", "fail");
}

static const char *fact_key(const void *row, size_t i)
{
	const struct fact *f = row;

	return f ? f->name : NULL;
}

static const char *probe_key(const void *row, size_t i)
{
	const struct tried_probe *p = row;

	return p ? p->name : NULL;
}

static const struct shape fact_shape[] = {
	SHAPE_IS(STR, fact, value, UNIT_NONE, INFO, "what was found"),
	{ .key = "level",
	  .type = SHAPE_CUSTOM,
	  .make = level_json,
	  .schema = level_schema,
	  .help = "whether it is good: info, ok, warn or fail" },
	SHAPE_IS(STR, fact, advice, UNIT_NONE, INFO, "what to do about it, or null"),
	{}
};

static const struct shape source_shape[] = {
	SHAPE_IS(STR, tried_source, name, UNIT_NONE, INFO, "the way to attach"),
	SHAPE_IS(BOOL, tried_source, ok, UNIT_NONE, INFO, "whether it was loaded and attached"),
	SHAPE_IS(STR, tried_source, error, UNIT_NONE, INFO, "the errno's name, or null"),
	SHAPE_IS(STR, tried_source, what, UNIT_NONE, INFO, "the step that refused, or null"),
	SHAPE_IS(STR, tried_source, text, UNIT_NONE, INFO, "the errno in words, or null"),
	SHAPE_IS(STR, tried_source, advice, UNIT_NONE, INFO, "what to do about it, or null"),
	{}
};

static const struct shape probe_shape[] = {
	SHAPE_IS(STR, tried_probe, summary, UNIT_NONE, INFO, "what the probe gives"),
	SHAPE_IS(STR, tried_probe, chosen, UNIT_NONE, INFO, "the source that dwell uses, or null"),
	SHAPE_ROWS("sources", tried_probe, sources, nsources, source_shape,
		   "in the order of preference"),
	{}
};

static const struct shape doctor_shape[] = {
	SHAPE_IS(BOOL, doctor, ok, UNIT_NONE, INFO, "whether every probe can attach"),
	{ .key = "facts",
	  .type = SHAPE_DICT,
	  .help = "what decides what can be measured",
	  .offset = offsetof(struct doctor, facts),
	  .size = sizeof(struct fact),
	  .count_offset = offsetof(struct doctor, nfacts),
	  .inline_array = true,
	  .row_key = fact_key,
	  .sub = fact_shape },
	SHAPE_KEYED("probes", doctor, probes, nprobes, probe_key, probe_shape,
		    "what happened on trying each probe"),
	{}
};

static int print_json(const struct doctor *d)
{
	json_t *json = shape_json(doctor_shape, d);
	int err = json ? json_dumpf(json, stdout, JSON_INDENT(2)) : -1;

	json_decref(json);
	putchar('\n');
	return err ? err_set(0, "cannot write the findings to stdout"), -1 : 0;
}

/* --- screen --- */

static void print_line(const struct text_style *style, enum fact_level level, const char *name,
		       const char *value, const char *note)
{
	static const struct {
		const char *mark;
		enum text_color color;
	} marks[] = {
		[FACT_INFO] = { "  -", COLOR_DIM },
		[FACT_OK] = { "  ok", COLOR_GREEN },
		[FACT_WARN] = { "  !", COLOR_YELLOW },
		[FACT_FAIL] = { "FAIL", COLOR_RED },
	};
	/* on a narrow screen the value gets a line of its own */
	bool narrow = style->width < 2 * VALUE_COLUMN;
	int column = narrow ? MARK_COLUMN + 2 : VALUE_COLUMN;

	text_colored(stdout, style, marks[level].color, marks[level].mark);
	printf("%*s%s", MARK_COLUMN - format_columns(marks[level].mark), "", name);
	if (narrow || MARK_COLUMN + format_columns(name) >= VALUE_COLUMN)
		printf("\n%*s", column, "");
	else
		printf("%*s", VALUE_COLUMN - MARK_COLUMN - format_columns(name), "");
	text_wrap(stdout, style, column, COLOR_NONE, value);
	if (!note)
		return;
	printf("%*s", column, "");
	text_wrap(stdout, style, column, COLOR_YELLOW, note);
}

/* last_advice: what the line before advised, not to be said again and again. */
static void print_probe(const struct text_style *style, const struct tried_probe *p,
			const char **last_advice)
{
	const struct tried_source *in_use = NULL;

	for (size_t i = p->nsources; i-- > 0;)
		in_use = p->sources[i].ok ? &p->sources[i] : in_use;
	for (size_t i = 0; i < p->nsources; i++) {
		const struct tried_source *s = &p->sources[i];
		char name[96], value[256];

		snprintf(name, sizeof(name), "%s %s", p->name, s->name);
		if (s->ok) {
			snprintf(value, sizeof(value), "attaches%s%s",
				 strcmp(s->key, "task") ? ", state kept by the task's address" : "",
				 s == in_use ? "; this is the one in use" : "");
			print_line(style, FACT_OK, name, value, NULL);
			continue;
		}
		snprintf(value, sizeof(value), "%s: %s (%s)", s->what, s->text, s->error);
		/* a source that fails does no harm when another one works */
		print_line(style, p->chosen ? FACT_WARN : FACT_FAIL, name, value,
			   s->advice == *last_advice ? NULL : s->advice);
		*last_advice = s->advice;
	}
}

static void print_screen(const struct doctor *d, const struct text_style *style)
{
	const char *last_advice = NULL;
	size_t failed = 0;

	text_colored(stdout, style, COLOR_BOLD, "this machine");
	putchar('\n');
	for (size_t i = 0; i < d->nfacts; i++)
		print_line(style, d->facts[i].level, d->facts[i].name, d->facts[i].value,
			   d->facts[i].advice);
	putchar('\n');
	text_colored(stdout, style, COLOR_BOLD,
		     "probes, each source loaded and attached for a moment");
	putchar('\n');
	for (size_t i = 0; i < d->nprobes; i++) {
		print_probe(style, &d->probes[i], &last_advice);
		failed += !d->probes[i].chosen;
	}
	putchar('\n');
	if (!failed)
		text_colored(stdout, style, COLOR_GREEN, "every probe can attach\n");
	else
		printf("%zu of %zu probes cannot attach: dwell runs without what they give\n",
		       failed, d->nprobes);
}

int cmd_doctor(struct options *o)
{
	struct text_style style = text_style_of(stdout, o->no_color);
	struct doctor d = { .memory = report_new() };
	int code = 1;

	doctor_facts(&d);
	doctor_probes(&d);
	if (!o->json)
		print_screen(&d, &style);
	if (!o->json || !print_json(&d))
		code = d.ok ? 0 : 1;
	if (fflush(stdout) || ferror(stdout)) {
		err_set(0, "cannot write the findings to stdout");
		code = 1;
	}
	report_free(d.memory);
	return code;
}
