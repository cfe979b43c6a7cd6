/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * A row of an unwind table, shared by the maker (src/unwind/) and the walker in BPF. Kept in
 * mmapped arrays, whose elements lie 8 bytes apart.
 *
 * How the caller's frame is found at an address from `pc` on, to the next row's:
 *   CFA = register + 8 * cfa; return address at CFA - 8; caller's rbp at CFA + 8 * rbp if
 *   rbp is not 0, else unchanged; caller's rbx by `rbx`.
 */
#ifndef DWELL_UNWIND_H
#define DWELL_UNWIND_H

#include <linux/types.h>

enum unwind_rule {
	UNWIND_NONE,      /* no information */
	UNWIND_RSP,       /* CFA from rsp */
	UNWIND_RBP,       /* CFA from rbp */
	UNWIND_PLT,       /* PLT entry: rsp + 8, + 8 more when (pc & 15) >= cfa */
	UNWIND_DEREF,     /* CFA = *(rbp + 8 * cfa); rbp at rbp + 8 * rbp */
	UNWIND_SIGNAL,    /* rt_sigreturn's frame: registers from the ucontext at rsp */
	UNWIND_END,       /* the thread's start: no caller */
	UNWIND_RDI,       /* return address in rdi; rsp + 8 * cfa (vfork) */
	UNWIND_RSP_DEREF, /* CFA = *(rsp + 8 * cfa) + 8 */
	UNWIND_RSP_FAR,   /* CFA = rsp + 8 * (low 16 bits in cfa, the rest in rbx): big frames */
	UNWIND_UNSUPPORTED,
	UNWIND_REGISTER = 16 /* + DWARF's number: CFA from a register that is not rsp, rbp */
};

#define UNWIND_REGISTERS 16

/* Where the caller's rbx is. Else k: at CFA - 8 * (k + 1). */
enum { UNWIND_RBX_SAME, UNWIND_RBX_ELSEWHERE = 7 };

struct unwind_row {
	__u32 pc; /* - base */
	__s16 cfa;
	__u8 rule : 5; /* enum unwind_rule */
	__u8 rbx : 3;
	__s8 rbp;
};

#define UNWIND_PAGE_SHIFT 9
#define UNWIND_PAGE (1U << UNWIND_PAGE_SHIFT)

/*
 * Rows that may hold in the nth UNWIND_PAGE bytes of the table: [low, high) in the rows' map
 * (in struct eh_table: from its first row on). The row of an address is the last in there
 * whose pc is not above it.
 */
struct unwind_page {
	__u32 low, high;
};

#endif
