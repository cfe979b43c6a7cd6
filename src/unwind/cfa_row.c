/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * From rules to a row. A row has 8 bytes, so what compilers and hand-written libraries really
 * use has a rule of its own, and all else is UNWIND_UNSUPPORTED: no row ever says something
 * that the file does not.
 */
#include <limits.h>
#include <string.h>

#include "cfa.h"

enum { OP_DEREF = 0x06, OP_PLUS_UCONST = 0x23, OP_LIT0 = 0x30, OP_BREG0 = 0x70 };

#define UNIT 8 /* of cfa and rbp in a row */

static bool fits_cfa(int64_t offset)
{
	return offset % UNIT == 0 && offset / UNIT >= INT16_MIN && offset / UNIT <= INT16_MAX;
}

/* Of unwind_row, where rbx holds the high bits. */
static bool fits_far(int64_t offset)
{
	return offset % UNIT == 0 && offset > 0 &&
	       offset / UNIT < (UNWIND_RBX_ELSEWHERE + 1LL) << 16;
}

static bool fits_rbp(int64_t offset)
{
	return offset % UNIT == 0 && offset / UNIT >= INT8_MIN && offset / UNIT <= INT8_MAX;
}

/* "breg REGISTER offset", and then nothing, or `deref`, or `deref; plus_uconst N`. */
static bool parse(const struct cfa_expression *e, unsigned int number, int64_t *offset, bool deref,
		  uint64_t *plus)
{
	struct eh_reader in = { .at = e->bytes, .end = e->bytes + e->size };

	if (eh_u8(&in) != OP_BREG0 + number)
		return false;
	*offset = eh_sleb(&in);
	if (deref && eh_u8(&in) != OP_DEREF)
		return false;
	if (plus && eh_left(&in)) {
		if (eh_u8(&in) != OP_PLUS_UCONST)
			return false;
		*plus = eh_uleb(&in);
	} else if (plus) {
		*plus = 0;
	}
	return !in.bad && !eh_left(&in);
}

/*
 * What ld writes for entries of a PLT: breg7(rsp) 8; breg16(rip) 0; lit15; and; litN; ge;
 * lit3; shl; plus: 8 more once the entry's push is done, N bytes into its 16.
 */
static bool is_plt(const struct cfa_expression *e, int16_t *push_done)
{
	static const uint8_t before[] = { 0x77, 8, 0x80, 0, 0x3f, 0x1a };
	static const uint8_t after[] = { 0x2a, 0x33, 0x24, 0x22 };
	size_t n = sizeof(before);

	if (e->size != n + 1 + sizeof(after) || memcmp(e->bytes, before, n) != 0 ||
	    memcmp(e->bytes + n + 1, after, sizeof(after)) != 0)
		return false;
	if (e->bytes[n] < OP_LIT0 || e->bytes[n] > OP_LIT0 + 15)
		return false;
	*push_done = (int16_t)(e->bytes[n] - OP_LIT0);
	return true;
}

/*
 * The frame that the kernel makes for a signal: its return address is rt_sigreturn's
 * trampoline, whose CFI reads the interrupted registers from the ucontext at rsp.
 */
static bool is_signal(const struct cfa_state *s)
{
	enum { RBP_AT = 120, RSP_AT = 160, RIP_AT = 168 }; /* in struct ucontext, from rsp */
	int64_t cfa, rbp, rip;

	return parse(&s->cfa_expression, REGISTER_RSP, &cfa, true, NULL) && cfa == RSP_AT &&
	       s->ra.rule == RULE_EXPRESSION &&
	       parse(&s->ra.expression, REGISTER_RSP, &rip, false, NULL) && rip == RIP_AT &&
	       s->rbp.rule == RULE_EXPRESSION &&
	       parse(&s->rbp.expression, REGISTER_RSP, &rbp, false, NULL) && rbp == RBP_AT;
}

static bool ra_at_cfa(const struct cfa_state *s)
{
	return s->ra.rule == RULE_OFFSET && s->ra.value == -UNIT;
}

/* rbp's field, when it is unchanged or saved below the CFA. */
static bool set_rbp(struct unwind_row *row, const struct cfa_register *rbp)
{
	if (rbp->rule == RULE_SAME || rbp->rule == RULE_UNDEFINED)
		return true;
	if (rbp->rule != RULE_OFFSET || !rbp->value || !fits_rbp(rbp->value))
		return false;
	row->rbp = (int8_t)(rbp->value / UNIT);
	return true;
}

/* Compilers push rbx with the others that are to be kept: near the CFA. */
static void set_rbx(struct unwind_row *row, const struct cfa_register *rbx)
{
	int64_t at = -rbx->value / UNIT - 1;

	if (rbx->rule == RULE_SAME)
		row->rbx = UNWIND_RBX_SAME;
	else if (rbx->rule == RULE_OFFSET && rbx->value % UNIT == 0 && at > 0 &&
		 at < UNWIND_RBX_ELSEWHERE)
		row->rbx = (uint8_t)at & UNWIND_RBX_ELSEWHERE;
	else
		row->rbx = UNWIND_RBX_ELSEWHERE;
}

/* A frame whose stack was realigned: the CFA is kept at rbp's side, and rbp at rbp itself. */
static bool set_deref(struct unwind_row *row, const struct cfa_state *s)
{
	int64_t cfa, rbp;

	if (!parse(&s->cfa_expression, REGISTER_RBP, &cfa, true, NULL) || !fits_cfa(cfa) ||
	    s->rbp.rule != RULE_EXPRESSION ||
	    !parse(&s->rbp.expression, REGISTER_RBP, &rbp, false, NULL) || !fits_rbp(rbp))
		return false;
	row->cfa = (int16_t)(cfa / UNIT);
	row->rbp = (int8_t)(rbp / UNIT);
	return true;
}

/* libcrypto: the caller's rsp was pushed somewhere in a frame of variable size. */
static bool set_rsp_deref(struct unwind_row *row, const struct cfa_state *s)
{
	uint64_t plus;
	int64_t cfa;

	if (!parse(&s->cfa_expression, REGISTER_RSP, &cfa, true, &plus) || plus != UNIT ||
	    !fits_cfa(cfa) || !set_rbp(row, &s->rbp))
		return false;
	row->cfa = (int16_t)(cfa / UNIT);
	return true;
}

static enum unwind_rule of_expression(struct unwind_row *row, const struct cfa_state *s)
{
	if (is_signal(s))
		return UNWIND_SIGNAL;
	if (!ra_at_cfa(s))
		return UNWIND_UNSUPPORTED;
	if (set_deref(row, s))
		return UNWIND_DEREF;
	if (set_rsp_deref(row, s))
		return UNWIND_RSP_DEREF;
	if (is_plt(&s->cfa_expression, &row->cfa) && set_rbp(row, &s->rbp))
		return UNWIND_PLT;
	return UNWIND_UNSUPPORTED;
}

static enum unwind_rule of_far(struct unwind_row *row, const struct cfa_state *s)
{
	uint64_t units = (uint64_t)s->cfa_offset / UNIT;

	if (s->cfa_register != REGISTER_RSP || !fits_far(s->cfa_offset) || !ra_at_cfa(s) ||
	    !set_rbp(row, &s->rbp))
		return UNWIND_UNSUPPORTED;
	row->cfa = (int16_t)(units & UINT16_MAX);
	row->rbx = units >> 16 & UNWIND_RBX_ELSEWHERE;
	return UNWIND_RSP_FAR;
}

static enum unwind_rule of_register(struct unwind_row *row, const struct cfa_state *s)
{
	if (!fits_cfa(s->cfa_offset))
		return of_far(row, s);
	row->cfa = (int16_t)(s->cfa_offset / UNIT);
	if (s->ra.rule == RULE_REGISTER && s->ra.value == REGISTER_RDI &&
	    s->cfa_register == REGISTER_RSP && s->rbp.rule == RULE_SAME)
		return UNWIND_RDI;
	if (!ra_at_cfa(s) || !set_rbp(row, &s->rbp))
		return UNWIND_UNSUPPORTED;
	if (s->cfa_register == REGISTER_RSP)
		return UNWIND_RSP;
	if (s->cfa_register == REGISTER_RBP)
		return UNWIND_RBP;
	return s->cfa_register < UNWIND_REGISTERS ? UNWIND_REGISTER + (unsigned int)s->cfa_register
						  : UNWIND_UNSUPPORTED;
}

struct unwind_row cfa_row(const struct cfa_state *state)
{
	struct unwind_row row = { 0 };
	enum unwind_rule rule;

	if (state->ra.rule == RULE_UNDEFINED)
		rule = UNWIND_END;
	else if (state->by_expression)
		rule = of_expression(&row, state);
	else
		rule = of_register(&row, state);
	/* fields of a rule that did not fit would keep equal rows from being merged */
	if (rule == UNWIND_UNSUPPORTED)
		row = (struct unwind_row){ 0 };
	row.rule = rule & 31U;
	if (rule == UNWIND_RSP || rule == UNWIND_RBP || rule == UNWIND_RSP_DEREF ||
	    rule == UNWIND_DEREF || rule >= UNWIND_REGISTER)
		set_rbx(&row, &state->rbx);
	return row;
}
