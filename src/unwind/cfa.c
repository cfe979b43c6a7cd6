/* SPDX-License-Identifier: BSD-2-Clause */
/* The interpreter of call frame instructions; see cfa.h. */
#include "cfa.h"

#include <errno.h>

enum {
	/* in the two high bits, with an operand in the others */
	CFA_ADVANCE = 0x40,
	CFA_OFFSET = 0x80,
	CFA_RESTORE = 0xc0,

	CFA_NOP = 0x00,
	CFA_ADVANCE1 = 0x02,
	CFA_ADVANCE2 = 0x03,
	CFA_ADVANCE4 = 0x04,
	CFA_OFFSET_EXTENDED = 0x05,
	CFA_RESTORE_EXTENDED = 0x06,
	CFA_UNDEFINED = 0x07,
	CFA_SAME_VALUE = 0x08,
	CFA_REGISTER = 0x09,
	CFA_REMEMBER_STATE = 0x0a,
	CFA_RESTORE_STATE = 0x0b,
	CFA_DEF_CFA = 0x0c,
	CFA_DEF_CFA_REGISTER = 0x0d,
	CFA_DEF_CFA_OFFSET = 0x0e,
	CFA_DEF_CFA_EXPRESSION = 0x0f,
	CFA_EXPRESSION = 0x10,
	CFA_OFFSET_EXTENDED_SF = 0x11,
	CFA_DEF_CFA_SF = 0x12,
	CFA_DEF_CFA_OFFSET_SF = 0x13,
	CFA_VAL_OFFSET = 0x14,
	CFA_VAL_OFFSET_SF = 0x15,
	CFA_VAL_EXPRESSION = 0x16,
	CFA_GNU_ARGS_SIZE = 0x2e,
	CFA_GNU_NEGATIVE_OFFSET = 0x2f,
};

void cfa_begin(struct cfa_machine *m, const struct cfa_common *common,
	       const struct cfa_state *initial, struct eh_reader program, uint64_t start,
	       uint64_t end)
{
	m->in = program;
	m->common = common;
	m->initial = initial;
	m->at = start;
	m->end = end;
	m->now = *initial;
	m->nsaved = 0;
}

/* Products wrap, as hostile factors may be anything. */
static int64_t scaled(const struct cfa_machine *m, uint64_t factored)
{
	return (int64_t)(factored * (uint64_t)m->common->data_factor);
}

/* The place in a state for a register that is followed; NULL: not followed. */
static struct cfa_register *place(struct cfa_state *state, uint64_t number)
{
	if (number == REGISTER_RBP)
		return &state->rbp;
	if (number == REGISTER_RBX)
		return &state->rbx;
	if (number == REGISTER_RA)
		return &state->ra;
	return NULL;
}

static void set_rule(struct cfa_machine *m, uint64_t number, enum cfa_rule rule, int64_t value)
{
	struct cfa_register *reg = place(&m->now, number);

	if (reg)
		*reg = (struct cfa_register){ .rule = rule, .value = value };
}

static void restore(struct cfa_machine *m, uint64_t number)
{
	struct cfa_state initial = *m->initial;
	struct cfa_register *reg = place(&m->now, number);

	if (reg)
		*reg = *place(&initial, number);
}

static struct cfa_expression expression(struct cfa_machine *m)
{
	struct cfa_expression found = { .size = eh_uleb(&m->in) };

	found.bytes = m->in.at;
	eh_skip(&m->in, found.size);
	return found;
}

static void set_expression(struct cfa_machine *m, enum cfa_rule rule)
{
	struct cfa_register *reg = place(&m->now, eh_uleb(&m->in));
	struct cfa_expression found = expression(m);

	if (reg)
		*reg = (struct cfa_register){ .rule = rule, .expression = found };
}

static void set_cfa(struct cfa_machine *m, uint64_t number, int64_t offset)
{
	m->now.by_expression = false;
	m->now.cfa_register = number;
	m->now.cfa_offset = offset;
}

static void remember(struct cfa_machine *m)
{
	if (m->nsaved == CFA_SAVED)
		m->in.bad = true;
	else
		m->saved[m->nsaved++] = m->now;
}

static void recall(struct cfa_machine *m)
{
	if (!m->nsaved)
		m->in.bad = true;
	else
		m->now = m->saved[--m->nsaved];
}

/* False: not an instruction that defines the CFA. */
static bool define_cfa(struct cfa_machine *m, uint8_t opcode)
{
	struct eh_reader *in = &m->in;
	uint64_t number;

	switch (opcode) {
	case CFA_DEF_CFA:
		number = eh_uleb(in);
		set_cfa(m, number, (int64_t)eh_uleb(in));
		return true;
	case CFA_DEF_CFA_SF:
		number = eh_uleb(in);
		set_cfa(m, number, scaled(m, (uint64_t)eh_sleb(in)));
		return true;
	case CFA_DEF_CFA_REGISTER:
		set_cfa(m, eh_uleb(in), m->now.cfa_offset);
		return true;
	case CFA_DEF_CFA_OFFSET:
		m->now.cfa_offset = (int64_t)eh_uleb(in);
		return true;
	case CFA_DEF_CFA_OFFSET_SF:
		m->now.cfa_offset = scaled(m, (uint64_t)eh_sleb(in));
		return true;
	case CFA_DEF_CFA_EXPRESSION:
		m->now.by_expression = true;
		m->now.cfa_expression = expression(m);
		return true;
	default:
		return false;
	}
}

/* False: not an instruction about one register. */
static bool define_register(struct cfa_machine *m, uint8_t opcode)
{
	struct eh_reader *in = &m->in;
	uint64_t number;

	if (opcode == CFA_EXPRESSION || opcode == CFA_VAL_EXPRESSION) {
		set_expression(m, opcode == CFA_EXPRESSION ? RULE_EXPRESSION : RULE_OTHER);
		return true;
	}
	if ((opcode < CFA_OFFSET_EXTENDED || opcode > CFA_REGISTER) &&
	    opcode != CFA_OFFSET_EXTENDED_SF && opcode != CFA_VAL_OFFSET &&
	    opcode != CFA_VAL_OFFSET_SF && opcode != CFA_GNU_NEGATIVE_OFFSET)
		return false;
	number = eh_uleb(in);
	if (opcode == CFA_OFFSET_EXTENDED)
		set_rule(m, number, RULE_OFFSET, scaled(m, eh_uleb(in)));
	else if (opcode == CFA_OFFSET_EXTENDED_SF)
		set_rule(m, number, RULE_OFFSET, scaled(m, (uint64_t)eh_sleb(in)));
	else if (opcode == CFA_GNU_NEGATIVE_OFFSET)
		set_rule(m, number, RULE_OFFSET, scaled(m, -eh_uleb(in)));
	else if (opcode == CFA_RESTORE_EXTENDED)
		restore(m, number);
	else if (opcode == CFA_UNDEFINED)
		set_rule(m, number, RULE_UNDEFINED, 0);
	else if (opcode == CFA_SAME_VALUE)
		set_rule(m, number, RULE_SAME, 0);
	else if (opcode == CFA_REGISTER)
		set_rule(m, number, RULE_REGISTER, (int64_t)eh_uleb(in));
	else /* val_offset: the value itself, which no row can say */
		set_rule(m, number, RULE_OTHER, (int64_t)eh_uleb(in));
	return true;
}

/* One instruction; returns by how many code units it advances. */
static uint64_t step(struct cfa_machine *m)
{
	uint8_t opcode = eh_u8(&m->in), low = opcode & 0x3f;

	switch (opcode & 0xc0) {
	case CFA_ADVANCE:
		return low;
	case CFA_OFFSET:
		set_rule(m, low, RULE_OFFSET, scaled(m, eh_uleb(&m->in)));
		return 0;
	case CFA_RESTORE:
		restore(m, low);
		return 0;
	default:
		break;
	}
	switch (opcode) {
	case CFA_NOP:
		break;
	case CFA_ADVANCE1:
		return eh_u8(&m->in);
	case CFA_ADVANCE2:
		return eh_fixed(&m->in, 2);
	case CFA_ADVANCE4:
		return eh_fixed(&m->in, 4);
	case CFA_REMEMBER_STATE:
		remember(m);
		break;
	case CFA_RESTORE_STATE:
		recall(m);
		break;
	case CFA_GNU_ARGS_SIZE:
		eh_uleb(&m->in);
		break;
	default: /* DW_CFA_set_loc among them: no compiler for x86-64 emits it */
		if (!define_cfa(m, opcode) && !define_register(m, opcode))
			m->in.bad = true;
	}
	return 0;
}

int cfa_next(struct cfa_machine *m, uint64_t *until)
{
	uint64_t left = m->end - m->at, advance;

	if (!left)
		return 0;
	while (eh_left(&m->in)) {
		advance = step(m) * m->common->code_factor;
		if (m->in.bad)
			return -EINVAL;
		if (!advance)
			continue;
		*until = advance < left ? m->at + advance : m->end;
		return 1;
	}
	*until = m->end;
	return 1;
}
