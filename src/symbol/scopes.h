/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * The functions of a unit of compilation, and those that were inlined into them, with the code of
 * each: read from its debug information once, so that an address takes no search of the unit.
 */
#ifndef DWELL_SCOPES_H
#define DWELL_SCOPES_H

#include <elfutils/libdw.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ranges.h"

#define SCOPES_MAX (1U << 20) /* of a unit; what comes after it is not known */
#define SCOPE_NONE UINT32_MAX

struct scope {
	Dwarf_Off die;
	uint32_t around; /* the scope whose code it lies in; SCOPE_NONE: none */
	bool inlined;
};

struct scopes {
	struct ranges ranges; /* value: index in list, of the innermost */
	struct scope *list;
	size_t n;
	bool cut;  /* those beyond SCOPES_MAX, or memory, are missing */
	bool deep; /* some that lie too deep in others are */
};

/* 0 or -ENOMEM. */
int scopes_read(struct scopes *s, Dwarf_Die *unit);
void scopes_free(struct scopes *s);
/* The innermost scope at an address; SCOPE_NONE: none. */
uint32_t scopes_find(const struct scopes *s, uint64_t address);

#endif
