/* SPDX-License-Identifier: BSD-2-Clause */
/* JSON Schema (draft 2020-12) of every record, and a page about it. */
#ifndef DWELL_SCHEMA_H
#define DWELL_SCHEMA_H

#include <jansson.h>
#include <stdio.h>

/* New reference: one line of JSONL is any one of the records. */
json_t *schema_json(void);
/* The same as Markdown: a table of fields a record. */
void schema_markdown(FILE *f);
/* docs/metrics.md: what each probe measures, and from where. */
void schema_metrics(FILE *f);

#endif
