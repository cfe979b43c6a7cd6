/* SPDX-License-Identifier: BSD-2-Clause */
/* The outputs of stacks, by number; see stack_outputs.h. */
#include "stack_outputs.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "flame.h"
#include "folded.h"
#include "pprof.h"
#include "speedscope.h"
#include "stack_path.h"
#include "stack_traces.h"

const char *const stack_output_endings[STACK_OUTPUTS] = {
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

int stack_output_write(struct report *r, struct outfile *f, enum stack_output format)
{
	switch (format) {
	case OUTPUT_FOLDED_LAST:
		return folded_write(r, f, FOLDED_STATE_LAST);
	case OUTPUT_FOLDED_FIRST:
		return folded_write(r, f, FOLDED_STATE_FIRST);
	case OUTPUT_FOLDED_NONE:
		return folded_write(r, f, FOLDED_STATE_NONE);
	case OUTPUT_PPROF:
		return pprof_write(r, f);
	case OUTPUT_SPEEDSCOPE:
		return speedscope_write(r, f);
	case OUTPUT_SVG:
	case OUTPUT_HTML:
		return flame_write(r, f, format == OUTPUT_HTML);
	case OUTPUT_JSON:
		return write_json(r, f);
	default:
		return write_rows(r, f);
	}
}
