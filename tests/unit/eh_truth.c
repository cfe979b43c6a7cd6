/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * Rows by libdw: from its location expressions, not from call frame instructions, so that
 * nothing of dwell's own parser is repeated here.
 */
#include "eh_truth.h"

#include <dwarf.h>
#include <stdlib.h>

enum { RBX = 3, RDI = 5, RBP = 6, RSP = 7, RIP = 16 };

bool eh_truth_open(struct eh_truth *truth, int fd)
{
	elf_version(EV_CURRENT);
	truth->elf = elf_begin(fd, ELF_C_READ_MMAP, NULL);
	truth->cfi = truth->elf ? dwarf_getcfi_elf(truth->elf) : NULL;
	return truth->cfi != NULL;
}

bool eh_truth_open_memory(struct eh_truth *truth, void *memory, size_t size)
{
	elf_version(EV_CURRENT);
	truth->elf = elf_memory(memory, size);
	truth->cfi = truth->elf ? dwarf_getcfi_elf(truth->elf) : NULL;
	return truth->cfi != NULL;
}

void eh_truth_close(struct eh_truth *truth)
{
	if (truth->cfi)
		dwarf_cfi_end(truth->cfi);
	elf_end(truth->elf);
}

enum kind { SAME, UNDEFINED, AT_CFA, AT_REGISTER, IN_REGISTER, ELSE };

struct place {
	enum kind kind;
	int64_t offset;
	uint64_t number;
};

/* "register + offset" in any of its spellings. */
static bool based(const Dwarf_Op *op, uint64_t *number, int64_t *offset)
{
	if (op->atom >= DW_OP_breg0 && op->atom <= DW_OP_breg31) {
		*number = op->atom - DW_OP_breg0;
		*offset = (int64_t)op->number;
		return true;
	}
	*number = op->number;
	*offset = (int64_t)op->number2;
	return op->atom == DW_OP_bregx;
}

static struct place place_of(Dwarf_Frame *frame, int number)
{
	struct place place = { .kind = ELSE };
	Dwarf_Op memory[3], *ops;
	size_t n;

	if (dwarf_frame_register(frame, number, memory, &ops, &n))
		return place;
	if (!n) {
		place.kind = ops ? UNDEFINED : SAME;
	} else if (ops[0].atom == DW_OP_call_frame_cfa && n == 1) {
		place.kind = AT_CFA;
	} else if (ops[0].atom == DW_OP_call_frame_cfa && n == 2 &&
		   ops[1].atom == DW_OP_plus_uconst) {
		place.kind = AT_CFA;
		place.offset = (int64_t)ops[1].number;
	} else if (n == 1 && (ops[0].atom == DW_OP_regx ||
			      (ops[0].atom >= DW_OP_reg0 && ops[0].atom <= DW_OP_reg31))) {
		place.kind = IN_REGISTER;
		place.number = ops[0].atom == DW_OP_regx ? ops[0].number
							 : (uint64_t)(ops[0].atom - DW_OP_reg0);
	} else if (ops[0].atom == DW_OP_call_frame_cfa && n == 2 &&
		   based(&ops[1], &place.number, &place.offset)) {
		place.kind = AT_REGISTER; /* expressions begin with the CFA on their stack */
	}
	return place;
}

static bool fits(int64_t offset, int64_t limit)
{
	return offset % 8 == 0 && offset / 8 >= -limit && offset / 8 < limit;
}

static bool fill_rbp(struct unwind_row *row, const struct place *rbp)
{
	if (rbp->kind == SAME || rbp->kind == UNDEFINED)
		return true;
	row->rbp = (int8_t)(rbp->offset / 8);
	return rbp->kind == AT_CFA && rbp->offset && fits(rbp->offset, 128);
}

static unsigned int rbx_of(Dwarf_Frame *frame)
{
	struct place rbx = place_of(frame, RBX);

	if (rbx.kind == SAME || rbx.kind == UNDEFINED) /* libdw's word for what is not told of */
		return UNWIND_RBX_SAME;
	if (rbx.kind == AT_CFA && rbx.offset % 8 == 0 && rbx.offset <= -16 && rbx.offset >= -56)
		return (unsigned int)(-rbx.offset / 8 - 1) & UNWIND_RBX_ELSEWHERE;
	return UNWIND_RBX_ELSEWHERE;
}

/* CFA = register + offset */
static struct unwind_row simple(uint64_t number, int64_t offset, const struct place *rbp,
				const struct place *ra)
{
	struct unwind_row row = { .cfa = (int16_t)(offset / 8) },
			  none = { .rule = UNWIND_UNSUPPORTED };

	if (!fits(offset, 32768)) {
		row.rule = UNWIND_RSP_FAR;
		row.rbx = (uint64_t)offset >> 19 & 7;
		return number == RSP && offset > 0 && offset < 1 << 22 && offset % 8 == 0 &&
				       ra->kind == AT_CFA && ra->offset == -8 && fill_rbp(&row, rbp)
			       ? row
			       : none;
	}
	if (ra->kind == IN_REGISTER && ra->number == RDI && number == RSP && rbp->kind == SAME) {
		row.rule = UNWIND_RDI;
		return row;
	}
	row.rule = number == RSP   ? UNWIND_RSP
		   : number == RBP ? UNWIND_RBP
				   : (UNWIND_REGISTER + number) & 31;
	return number < 16 && ra->kind == AT_CFA && ra->offset == -8 && fill_rbp(&row, rbp) ? row
											    : none;
}

/* ld's expression for a PLT. */
static bool plt(const Dwarf_Op *ops, size_t n)
{
	return n == 8 && ops[0].number == 8 && ops[1].atom == DW_OP_breg16 && !ops[1].number &&
	       ops[2].atom == DW_OP_lit15 && ops[3].atom == DW_OP_and &&
	       ops[4].atom >= DW_OP_lit0 && ops[4].atom <= DW_OP_lit15 && ops[5].atom == DW_OP_ge &&
	       ops[6].atom == DW_OP_lit3 && ops[7].atom == DW_OP_shl;
}

static struct unwind_row expression(const Dwarf_Op *ops, size_t n, const struct place *rbp,
				    const struct place *ra)
{
	struct unwind_row row = { 0 }, none = { .rule = UNWIND_UNSUPPORTED };
	int64_t offset;
	uint64_t number;

	if (!based(&ops[0], &number, &offset))
		return none;
	row.cfa = (int16_t)(offset / 8);
	if (n == 2 && ops[1].atom == DW_OP_deref && number == RSP && offset == 160 &&
	    ra->kind == AT_REGISTER && ra->number == RSP && ra->offset == 168 &&
	    rbp->kind == AT_REGISTER && rbp->number == RSP && rbp->offset == 120)
		return (struct unwind_row){ .rule = UNWIND_SIGNAL };
	if (ra->kind != AT_CFA || ra->offset != -8)
		return none;
	if (number == RSP && n == 9 && ops[8].atom == DW_OP_plus && plt(ops, 8)) {
		row.rule = UNWIND_PLT;
		row.cfa = (int16_t)(ops[4].atom - DW_OP_lit0);
		return fill_rbp(&row, rbp) ? row : none;
	}
	if (n < 2 || ops[1].atom != DW_OP_deref || !fits(offset, 32768))
		return none;
	if (n == 2 && number == RBP && rbp->kind == AT_REGISTER && rbp->number == RBP &&
	    fits(rbp->offset, 128)) {
		row.rule = UNWIND_DEREF;
		row.rbp = (int8_t)(rbp->offset / 8);
		return row;
	}
	row.rule = UNWIND_RSP_DEREF;
	return n == 3 && number == RSP && ops[2].atom == DW_OP_plus_uconst && ops[2].number == 8 &&
			       fill_rbp(&row, rbp)
		       ? row
		       : none;
}

static struct unwind_row row_of(Dwarf_Frame *frame)
{
	struct place rbp = place_of(frame, RBP), ra = place_of(frame, RIP);
	struct unwind_row none = { .rule = UNWIND_UNSUPPORTED }, row;
	Dwarf_Op *ops;
	uint64_t number;
	int64_t offset;
	size_t n;

	if (ra.kind == UNDEFINED)
		return (struct unwind_row){ .rule = UNWIND_END };
	if (dwarf_frame_cfa(frame, &ops, &n) || !n)
		return none;
	if (n == 1 && based(&ops[0], &number, &offset))
		row = simple(number, offset, &rbp, &ra);
	else
		row = expression(ops, n, &rbp, &ra);
	if (row.rule == UNWIND_RSP || row.rule == UNWIND_RBP || row.rule == UNWIND_DEREF ||
	    row.rule == UNWIND_RSP_DEREF || row.rule >= UNWIND_REGISTER)
		row.rbx = rbx_of(frame) & UNWIND_RBX_ELSEWHERE;
	return row;
}

struct unwind_row eh_truth_row(const struct eh_truth *truth, uint64_t address)
{
	struct unwind_row row = { .rule = UNWIND_NONE };
	Dwarf_Frame *frame = NULL;

	if (dwarf_cfi_addrframe(truth->cfi, address, &frame))
		return row;
	row = row_of(frame);
	free(frame);
	return row;
}
