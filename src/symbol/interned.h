/* SPDX-License-Identifier: BSD-2-Clause */
/* Strings and frames that are kept once: what is equal has one address. Bounded. */
#ifndef DWELL_INTERNED_H
#define DWELL_INTERNED_H

#include <stddef.h>
#include <stdint.h>

#include "stacks_report.h" /* struct stack_frame */

#define INTERNED_BYTES (48U << 20) /* of strings and frames together */
#define INTERNED_STRING 16384      /* longer ones are cut there */

struct interned;

struct interned *interned_open(void); /* NULL: no memory */
void interned_close(struct interned *p);
/* NULL: no room. */
const char *interned_string(struct interned *p, const char *s, size_t len);
/* The frame's strings are interned ones. NULL: no room. */
const struct stack_frame *interned_frame(struct interned *p, const struct stack_frame *frame);
/* Memory of the same life, not shared; NULL: no room. */
void *interned_alloc(struct interned *p, size_t size);

#endif
