/* SPDX-License-Identifier: BSD-2-Clause */
/* `dwell schema`: the JSON Schema of the records; with --markdown the page docs/schema.md,
 * with --metrics docs/metrics.md. */
#include <errno.h>
#include <stdio.h>

#include "err.h"
#include "options.h"
#include "schema.h"

int cmd_schema(struct options *o)
{
	json_t *schema;

	if (o->metrics) {
		schema_metrics(stdout);
	} else if (o->markdown) {
		schema_markdown(stdout);
	} else {
		schema = schema_json();
		json_dumpf(schema, stdout, JSON_INDENT(2));
		putchar('\n');
		json_decref(schema);
	}
	if (fflush(stdout) || ferror(stdout)) {
		err_set(-errno, "cannot write to stdout");
		return EXIT_DWELL_FAILED;
	}
	return 0;
}
