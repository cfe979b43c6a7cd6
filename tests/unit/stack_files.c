/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * stack-files FOLDER: every made-up report in every format, as CASE.FORMAT, and CASE.rows
 * with what must be in each: `pid tid state ns count`, a line a row. For tests/cli.
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "err.h"
#include "flame.h"
#include "folded.h"
#include "pprof.h"
#include "speedscope.h"
#include "stack_path.h"
#include "stack_reports.h"
#include "stack_traces.h"

enum { FOLDED_LAST, FOLDED_FIRST, FOLDED_NONE, PPROF, SPEEDSCOPE, SVG, HTML, JSON, ROWS, FORMATS };

static const char *const endings[FORMATS] = {
	"folded", "first.folded", "none.folded", "pb.gz", "speedscope.json",
	"svg",    "html",         "json",        "rows",
};

static int write_json(struct report *r, struct outfile *f)
{
	json_t *json = (stack_traces_make(r), shape_json(stacks_shape, r));
	char *text = json ? json_dumps(json, JSON_INDENT(1)) : NULL;
	int err = text ? outfile_write(f, text, strlen(text)) : -ENOMEM;

	json_decref(json);
	free(text);
	return err;
}

static int write_rows(const struct report *r, struct outfile *f)
{
	int err = 0;

	for (size_t i = 0; !err && i < r->stacks.nrows; i++) {
		const struct stack_row *row = &r->stacks.rows[i];
		char line[128];
		int n = snprintf(line, sizeof(line), "%u %u %s %" PRIu64 " %" PRIu64 "\n", row->pid,
				 row->tid, stack_state_name(row->state), row->ns, row->count);

		err = outfile_write(f, line, (size_t)n);
	}
	return err;
}

static int write_format(struct report *r, struct outfile *f, int format)
{
	switch (format) {
	case FOLDED_LAST:
		return folded_write(r, f, FOLDED_STATE_LAST);
	case FOLDED_FIRST:
		return folded_write(r, f, FOLDED_STATE_FIRST);
	case FOLDED_NONE:
		return folded_write(r, f, FOLDED_STATE_NONE);
	case PPROF:
		return pprof_write(r, f);
	case SPEEDSCOPE:
		return speedscope_write(r, f);
	case SVG:
	case HTML:
		return flame_write(r, f, format == HTML);
	case JSON:
		return write_json(r, f);
	default:
		return write_rows(r, f);
	}
}

int main(int argc, char **argv)
{
	int err = argc == 2 ? 0 : -EINVAL;

	for (const struct stack_case *c = stack_cases; !err && c->name; c++) {
		struct report *r = report_new();

		c->fill(r);
		for (int i = 0; !err && i < FORMATS; i++) {
			struct outfile *f = NULL;
			char path[512];

			snprintf(path, sizeof(path), "%s/%s.%s", argv[1], c->name, endings[i]);
			err = outfile_open(&f, path);
			if (!err)
				err = write_format(r, f, i);
			err = outfile_close(f, !err) ?: err;
		}
		report_free(r);
	}
	if (err)
		fprintf(stderr, "stack-files: %s (%s)\n", strerror(-err), err_text());
	return err ? 1 : 0;
}
