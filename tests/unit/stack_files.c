/* SPDX-License-Identifier: BSD-2-Clause */
/* stack-files FOLDER: every made-up report in every format, as CASE.FORMAT. For tests/cli. */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "err.h"
#include "stack_outputs.h"
#include "stack_reports.h"

int main(int argc, char **argv)
{
	int err = argc == 2 ? 0 : -EINVAL;

	for (const struct stack_case *c = stack_cases; !err && c->name; c++) {
		struct report *r = report_new();

		c->fill(r);
		for (int i = 0; !err && i < STACK_OUTPUTS; i++) {
			struct outfile *f = NULL;
			char path[512];

			snprintf(path, sizeof(path), "%s/%s.%s", argv[1], c->name,
				 stack_output_endings[i]);
			err = outfile_open(&f, path);
			if (!err)
				err = stack_output_write(r, f, (enum stack_output)i);
			err = outfile_close(f, !err) ?: err;
		}
		report_free(r);
	}
	if (err)
		fprintf(stderr, "stack-files: %s (%s)\n", strerror(-err), err_text());
	return err ? 1 : 0;
}
