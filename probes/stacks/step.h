/* SPDX-License-Identifier: GPL-2.0 OR BSD-2-Clause */
/*
 * One step up a stack: from a frame's registers and the row in force there (bpf/unwind.h) to
 * the caller's. Shared by the walker in the kernel (walk.bpf.h) and the one over a copied stack
 * (copy.c), which say how the target's memory is read, 0: read. STEP_READ(to, size, from);
 * STEP_WORD(r, to, from): 8 bytes of the stack that the walk with these registers goes up.
 */
#ifndef DWELL_STACKS_STEP_H
#define DWELL_STACKS_STEP_H

#include "stacks_maps.h"

#define STEP_STACK_MAX (1ULL << 26) /* a frame pointer that is farther off is none */
#define STEP_ARGC_MAX 4096

#define STEP_RBX 3 /* DWARF's number */

/* r->known: which of the leaf's registers in r->gp */
enum { STEP_KNOWN_NONE, STEP_KNOWN_RBX, STEP_KNOWN_ALL };
/* r->follow: whether r->bx is the frame's */
enum { STEP_PASS, STEP_FOLLOW, STEP_LOST };
#define STEP_AGAIN STACK_ENDS /* as the walk's end: once more, with STEP_FOLLOW */

/* struct rt_sigframe begins with the ucontext; of its mcontext rdi, .., rbp, .., rsp, rip */
#define SIGFRAME_RDI 104
enum { SIG_RDI, SIG_RSI, SIG_RBP, SIG_RBX, SIG_RDX, SIG_RAX, SIG_RCX, SIG_RSP, SIG_RIP, SIG_REGS };

static __always_inline int step_end(struct stacks_regs *r, __u32 end)
{
	r->end = end;
	return 1;
}

static __always_inline int step_to(struct stacks_regs *r, __u64 pc, __u64 sp, __u64 bp)
{
	r->pc = pc;
	r->sp = sp;
	r->bp = bp;
	r->exact = 0;
	r->guess = 0;
	r->leaf = 0;
	return 0;
}

/* A signal's frame: the interrupted code goes on at its own address. */
static __noinline int step_signal(struct stacks_regs *r)
{
	__u64 saved[SIG_REGS];

	if (STEP_READ(saved, sizeof(saved), r->sp + SIGFRAME_RDI))
		return step_end(r, STACK_UNREAD);
	r->di = saved[SIG_RDI];
	step_to(r, saved[SIG_RIP], saved[SIG_RSP], saved[SIG_RBP]);
	r->exact = 1;
	r->bx = saved[SIG_RBX];
	if (r->follow)
		r->follow = STEP_FOLLOW;
	return 0;
}

/* Whether a call ends before this place in the code: relative, or by a register or memory. */
static __always_inline bool step_is_called(__u64 pc)
{
	__u64 code = 0;

	if (pc < sizeof(code) || STEP_READ(&code, sizeof(code), pc - sizeof(code)))
		return false;
	return (code >> 24 & 0xff) == 0xe8 || (code >> 48 & 0x38ff) == 0x10ff ||
	       (code >> 40 & 0x38ff) == 0x10ff || (code >> 16 & 0x38ff) == 0x10ff;
}

/*
 * Code without a table or a frame pointer has just been called, it may be: what crt files have
 * in each program and library (_init, frame_dummy), whose first instruction is a page fault.
 */
static __noinline int step_called(struct stacks_regs *r)
{
	__u64 pc;

	if (!r->exact || STEP_READ(&pc, sizeof(pc), r->sp) || !step_is_called(pc))
		return step_end(r, STACK_NO_ROW);
	step_to(r, pc, r->sp + 8, r->bp);
	r->guess = 1;
	return 0;
}

/*
 * Code without a table. Behind a return address often stands what frees the caller's frame:
 * add rsp, imm8; ret. Then that says where the next one is; else the frame pointer, if it
 * can be one and leads to a caller, or there is no better one.
 */
static __noinline int step_guess(struct stacks_regs *r)
{
	__u64 pair[2], code = 0, sp;

	r->follow = r->follow ? STEP_LOST : STEP_PASS;
	if (!r->exact && !STEP_READ(&code, sizeof(code), r->pc) &&
	    (code & 0xff80ffffffULL) == 0xc300c48348ULL) {
		sp = r->sp + (code >> 24 & 0x7f);
		if (STEP_READ(pair, 8, sp))
			return step_end(r, STACK_UNREAD);
		step_to(r, pair[0], sp + 8, r->bp);
		r->guess = 1;
		return 0;
	}
	if (r->guess && !r->bp) /* the outermost frame's, psABI 3.4.1 */
		return step_end(r, STACK_WHOLE);
	if (r->bp < r->sp || r->bp - r->sp > STEP_STACK_MAX || (r->bp & 7))
		return step_called(r);
	if (STEP_READ(pair, sizeof(pair), r->bp))
		return step_end(r, STACK_UNREAD);
	if (!pair[1])
		return step_end(r, STACK_WHOLE);
	/* it points to something else on the stack, as main's arguments do in the dynamic linker */
	if (r->exact && !step_is_called(pair[1]) && !step_called(r))
		return 0;
	step_to(r, pair[1], r->bp + 16, pair[0]);
	r->guess = 1;
	return 0;
}

/* The caller's rbx, which is worth a read only where some caller's frame asks for it. */
static __always_inline int step_rbx(struct stacks_regs *r, __u64 cfa, __u32 rbx)
{
	if (rbx == UNWIND_RBX_ELSEWHERE ||
	    (rbx && STEP_READ(&r->bx, sizeof(r->bx), cfa - 8 * (rbx + 1ULL))))
		r->follow = STEP_LOST;
	return 0;
}

/* The caller's frame ends at cfa: its return address and rbp. The lower word is read first. */
static __always_inline int step_cfa_inline(struct stacks_regs *r, __u64 cfa, __s64 rbp_at,
					   __u32 rbx, __u32 entry)
{
	__u64 pc, bp = r->bp;

	if (cfa < r->sp || (cfa & 7))
		return step_end(r, STACK_NO_PROGRESS);
	if (r->follow == STEP_FOLLOW)
		step_rbx(r, cfa, rbx);
	if ((rbp_at && STEP_WORD(r, &bp, cfa + rbp_at)) || STEP_WORD(r, &pc, cfa - 8))
		return step_end(r, STACK_UNREAD);
	/* a program's first function finds argc where a return address would be */
	if (!pc || (entry && pc < STEP_ARGC_MAX))
		return step_end(r, STACK_WHOLE);
	return step_to(r, pc, cfa, bp);
}

static __noinline int step_cfa(struct stacks_regs *r, __u64 cfa, __s64 rbp_at, __u32 rbx)
{
	return step_cfa_inline(r, cfa, rbp_at, rbx, 0);
}

/* CFA = *(rbp + 8 * cfa), as code that realigns its stack keeps it. */
static __noinline int step_deref(struct stacks_regs *r, __s64 cfa_at, __s64 rbp_at, __u32 rbx)
{
	__u64 cfa, bp;

	if (STEP_READ(&cfa, 8, r->bp + cfa_at) || STEP_READ(&bp, 8, r->bp + rbp_at))
		return step_end(r, STACK_UNREAD);
	r->bp = bp;
	return step_cfa(r, cfa, 0, rbx);
}

static __noinline int step_rsp_deref(struct stacks_regs *r, __s64 cfa_at, __s64 rbp_at, __u32 rbx)
{
	__u64 cfa;

	if (STEP_READ(&cfa, 8, r->sp + cfa_at))
		return step_end(r, STACK_UNREAD);
	return step_cfa(r, cfa + 8, rbp_at, rbx);
}

/* UNWIND_RSP, UNWIND_RBP: nearly all steps. */
static __always_inline int step_framed(struct stacks_regs *r, const struct unwind_row *row)
{
	bool by_rsp = row->rule == UNWIND_RSP;

	return step_cfa_inline(r, (by_rsp ? r->sp : r->bp) + 8 * (__s64)row->cfa,
			       8 * (__s64)row->rbp, row->rbx, by_rsp && row->cfa == 1);
}

/*
 * CFA from another register. The leaf's are known; of callers' only rbx, and that only if it was
 * followed from the leaf on: the walk begins anew.
 */
static __noinline int step_register(struct stacks_regs *r, const struct unwind_row *row)
{
	__u32 number = (row->rule - UNWIND_REGISTER) & (UNWIND_REGISTERS - 1);
	__u64 from = r->gp[number];

	if (!r->leaf) {
		if (number != STEP_RBX || r->follow == STEP_LOST)
			return step_end(r, STACK_NO_RULE);
		if (r->follow != STEP_FOLLOW)
			return step_end(r, STEP_AGAIN);
		from = r->bx;
	}
	return step_cfa(r, from + 8 * (__s64)row->cfa, 8 * (__s64)row->rbp, row->rbx);
}

/* At the beginning: the registers are as they were given. */
static __always_inline void step_begin(struct stacks_regs *r, __u32 follow)
{
	r->exact = 1;
	r->guess = 0;
	r->leaf = r->known == STEP_KNOWN_ALL;
	r->bx = r->gp[STEP_RBX];
	r->follow = r->known ? follow : STEP_LOST;
}

/* 0: r is the caller's; 1: the walk ends, r->end says why. */
static __noinline int step_up(struct stacks_regs *r, const struct unwind_row *row)
{
	__s64 cfa_at = 8 * (__s64)row->cfa, rbp_at = 8 * (__s64)row->rbp;

	switch (row->rule) {
	case UNWIND_NONE:
		return step_guess(r);
	case UNWIND_RSP:
	case UNWIND_RBP:
		return step_framed(r, row);
	case UNWIND_PLT:
		return step_cfa(r, r->sp + (((r->pc - !r->exact) & 15) >= (__u64)row->cfa ? 16 : 8),
				0, row->rbx);
	case UNWIND_DEREF:
		return step_deref(r, cfa_at, rbp_at, row->rbx);
	case UNWIND_SIGNAL:
		return step_signal(r);
	case UNWIND_END:
		return step_end(r, STACK_WHOLE);
	case UNWIND_RDI:
		return step_to(r, r->di, r->sp + cfa_at, r->bp);
	case UNWIND_RSP_DEREF:
		return step_rsp_deref(r, cfa_at, rbp_at, row->rbx);
	case UNWIND_RSP_FAR:
		return step_cfa(r, r->sp + 8 * ((__u16)row->cfa | (__u64)row->rbx << 16), rbp_at,
				UNWIND_RBX_ELSEWHERE);
	}
	if (row->rule >= UNWIND_REGISTER)
		return step_register(r, row);
	return step_end(r, STACK_NO_RULE);
}

#endif
