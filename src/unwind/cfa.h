/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Call frame instructions (DWARF 5, 6.4.2) of x86-64: from the program of an FDE to the rules
 * that hold at each address, as far as a row can tell them. Only the CFA, rbp, rbx and the
 * return address are followed.
 */
#ifndef DWELL_CFA_H
#define DWELL_CFA_H

#include <stdbool.h>
#include <stdint.h>

#include "eh_reader.h"
#include "unwind.h"

/* DWARF's numbers of registers on x86-64. */
enum { REGISTER_RBX = 3, REGISTER_RDI = 5, REGISTER_RBP = 6, REGISTER_RSP = 7, REGISTER_RA = 16 };

enum cfa_rule {
	RULE_SAME,
	RULE_UNDEFINED,
	RULE_OFFSET,     /* saved at CFA + value */
	RULE_REGISTER,   /* in register number `value` */
	RULE_EXPRESSION, /* saved at the expression's address */
	RULE_OTHER
};

struct cfa_expression {
	const uint8_t *bytes;
	uint64_t size;
};

struct cfa_register {
	enum cfa_rule rule;
	int64_t value;
	struct cfa_expression expression;
};

struct cfa_state {
	bool by_expression;
	uint64_t cfa_register;
	int64_t cfa_offset;
	struct cfa_expression cfa_expression;
	struct cfa_register rbp, rbx, ra;
};

/* Of the CIE. */
struct cfa_common {
	uint32_t code_factor;
	int64_t data_factor;
};

#define CFA_SAVED 16 /* depth of DW_CFA_remember_state; a program that needs more is refused */

struct cfa_machine {
	struct eh_reader in;
	const struct cfa_common *common;
	const struct cfa_state *initial;
	uint64_t at, end; /* `now` holds from here; the function's end */
	struct cfa_state now;
	unsigned int nsaved;
	struct cfa_state saved[CFA_SAVED];
};

/* Begins the program for the addresses [start, end). The fields of `saved` need no value. */
void cfa_begin(struct cfa_machine *m, const struct cfa_common *common,
	       const struct cfa_state *initial, struct eh_reader program, uint64_t start,
	       uint64_t end);
/*
 * Runs until `now` is what holds from `at` to *until; the caller then sets `at` to that. 1; 0
 * when `at` has reached the end; -EINVAL: an instruction that is unknown or cut off.
 */
int cfa_next(struct cfa_machine *m, uint64_t *until);

/* The row (but for its pc) of a state; UNWIND_UNSUPPORTED when no rule can say it. */
struct unwind_row cfa_row(const struct cfa_state *state);

#endif
